/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What programs that a load ran say of themselves: events `output`, put together and parsed. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
struct wring_view;

/* How one figure of several processes or jobs is made of theirs. */
enum wring_how { WRING_SUM, WRING_MEAN, WRING_WORST };
struct wring_figure {
	char name[64], unit[8];
	const char *better; /* as in wring_metric() */
	double value;
	enum wring_how how;
	unsigned n;         /* values in it */
};
#define WRING_MAX_FIGURES 64
struct wring_figures {
	struct wring_figure rows[WRING_MAX_FIGURES];
	size_t n;
	double ops_per_s;
};
/* Adds a value to the figure of that name; names become [a-z0-9_]. What finds no room is left out. */
void wring_figure_add(struct wring_figures *f, const char *name, const char *unit, const char *better, enum wring_how how, double value);

/* The parsers add to *f what a text has. 0; -EINVAL when it is not what the program writes when it ends in order. */
int wring_stress_ng_parse(const char *text, size_t len, struct wring_figures *f);
int wring_fio_parse(const char *text, size_t len, struct wring_figures *f);

/* LOAD.name of all its figures, LOAD.ops_per_s where there are several loads. Returns its operations a second, 0 when none are known. */
double wring_output_metrics(struct wring_view *v, const char *load, bool is_one_of_many);
