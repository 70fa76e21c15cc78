/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between progress.c, which knows what happens, and display.c, which shows it. */
#pragma once
#include <locale.h>
#include <stdbool.h>

#include "harness/run/run.h"

#define WRING_SHOWN_ROWS 12

struct wring_gauge {
	int64_t value, t_ns, old_value, old_t_ns;
	double rate; /* a second; below 0: not known yet */
	bool seen;
};

struct wring_shown_group { char name[64]; int64_t high, max; struct wring_gauge memory, pressure, oom; };
struct wring_shown_load { char name[64]; struct wring_gauge ops, errors; };

struct wring_progress {
	bool tty, quiet, utf8, color;
	locale_t locale;
	size_t n, at;
	const struct wring_scenario *scenario; /* NULL between scenarios */
	char state[64], phase[64], verb[24];
	size_t step, n_steps;
	int64_t planned_ns, passed_ns, step_ns, step_since_ns; /* of the steps that say how long they take */
	struct wring_shown_group groups[WRING_SHOWN_ROWS];
	struct wring_shown_load loads[WRING_SHOWN_ROWS];
	size_t n_groups, n_loads;
	int64_t since_ns, drawn_ns;
	size_t widths[2 * WRING_SHOWN_ROWS + 4], n_lines, columns; /* what stands on the terminal */
};

/* ---- display.c ---- */
/* Rewrites the lines on the terminal, or removes them. */
void wring_display_draw(struct wring_progress *p, int64_t now, int64_t heard_ns);
void wring_display_erase(struct wring_progress *p);
/* The same in one line, for a log. */
void wring_display_plain(struct wring_progress *p, int64_t now, char *buf, size_t size);
