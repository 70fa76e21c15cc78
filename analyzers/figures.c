/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analyzers/output.h"

void wring_figure_add(struct wring_figures *f, const char *name, const char *unit, const char *better, enum wring_how how, double value)
{
	char clean[sizeof(f->rows[0].name)];
	struct wring_figure *r = f->rows;
	size_t n = 0;

	if (!(fabs(value) < 1e100)) /* no sum of these overflows */
		return;
	for (; name[n] && n + 1 < sizeof(clean); n++)
		clean[n] = isalnum((unsigned char)name[n]) ? (char)tolower((unsigned char)name[n]) : '_';
	clean[n] = '\0';
	while (r < f->rows + f->n && strcmp(r->name, clean))
		r++;
	if (r == f->rows + WRING_MAX_FIGURES)
		return;
	if (r == f->rows + f->n) {
		*r = (struct wring_figure){ .better = better, .how = how };
		snprintf(r->name, sizeof(r->name), "%s", clean);
		snprintf(r->unit, sizeof(r->unit), "%s", unit);
		f->n++;
	}
	if (how == WRING_WORST)
		r->value = r->n && r->value > value ? r->value : value;
	else
		r->value += value;
	r->n++;
}
