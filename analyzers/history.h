/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nightly histories: series for each scenario, machine and metric, and what changed in them. docs/statistics.md, "History". */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "harness/base/err.h"
#include "results-schema/history.h"

/* ---- one series: pure ---- */
enum wring_change_by { WRING_BY_SLOW /* E-divisive */, WRING_BY_FAST /* CUSUM */, WRING_BY_FENCE /* too short for more */ };
struct wring_hchange {
	size_t at;             /* the first night after it */
	double before, after;  /* medians */
	double pct;            /* of before; infinite from 0 */
	double p;              /* of the slow one, else 0 */
	enum wring_change_by by;
	bool worse;            /* for a metric with a direction */
	bool gone;             /* a later night went back */
};
enum { WRING_MAX_CHANGES = 16 };
/* Changes that matter (at least the least effect), and that three nights or more have shown. The fence's are provisional: the
 * last night stands out, nothing more. seed makes it repeatable. Returns their number or -ENOMEM. */
int wring_series_changes(const double *y, size_t n, const char *name, const char *unit, const char *better, uint64_t seed,
			 struct wring_hchange ret[WRING_MAX_CHANGES]);

/* ---- pins and known changes: an INI file, one section each ---- */
/*   [NAME]  scenario = ..  metric = .. (or *)  since = YYYY-MM-DD  kind = known|pin  reason = ..  link = ..
 * known (the default): the change of that night, or any without `since`, is explained. pin: history begins anew there. */
struct wring_pin { char *name, *scenario, *metric, *since /* or NULL */, *reason, *link /* or "" */; bool pin; };
struct wring_pins { struct wring_pin *rows; size_t n; };
int wring_pins_read(const char *path, struct wring_pins *ret, struct wring_err *err);
/* Days since 1970 of a date or a time stamp; -1 for what is none. */
long wring_day(const char *date);
void wring_pins_done(struct wring_pins *p);
const struct wring_pin *wring_pin_find(const struct wring_pins *p, bool pin, const char *scenario, const char *metric, const char *night);

/* ---- all of a database ---- */
struct wring_night { char date[11]; char *release; double value; size_t runs; };
struct wring_hseries {
	char *scenario, *machine, *name, *unit, *better;
	bool primary;
	struct wring_night *nights;   /* oldest first; at most opts.nights */
	size_t n, from;               /* before `from` something else was measured, or a pin says so */
	const struct wring_pin *pin;  /* why, if it was a pin */
	struct wring_hchange changes[WRING_MAX_CHANGES]; /* `at` counts from the first of nights */
	const struct wring_pin *known[WRING_MAX_CHANGES];
	size_t n_changes;
};
/* Changes of several metrics within a night of each other are one event. */
struct wring_hevent { size_t *series, *change; size_t n; /* the most telling first */ bool is_new, known, worse; };
struct wring_history {
	struct wring_hseries *series;
	size_t n;
	struct wring_hevent *events;  /* newest first */
	size_t n_events;
	size_t tested;                /* series long enough to be tested */
	struct wring_history_runs runs;
};
struct wring_history_opts {
	char *const *metrics; size_t n_metrics;  /* names; none: the primary ones */
	bool all;                                /* every metric */
	const char *scenario, *label;            /* NULL: any */
	size_t nights;                           /* 0: 120 */
	size_t recent;                           /* a change within so many nights is new; 0: 14 */
	const struct wring_pins *pins;           /* or NULL; must outlive the result */
};
int wring_history_read(struct wring_store *st, const struct wring_history_opts *o, struct wring_history *ret, struct wring_err *err);
void wring_history_done(struct wring_history *h);
