/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stored runs of two arms: which figures are held against each other, and what comes of it. The statistics are
 * analyzers/stats/; docs/comparing.md is for people. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/stats/compare.h"
#include "analyzers/stats/rates.h"
#include "results-schema/store.h"

struct wring_versus_run {
	struct wring_run_row row;
	unsigned block;
	bool b;
	bool died;     /* the kernel under test ended it: the worst value */
	bool usable;   /* false: broken or skipped, nobody's fault: no value */
};
struct wring_versus_metric {
	struct wring_cmp_metric in;   /* in.v: one for each run that is usable */
	struct wring_cmp_result r;
	bool is_work;       /* a time under TCG, outside deterministic mode: shown, and sets no code */
	bool is_failure;    /* 1 where an invariant failed, else 0 */
	bool pre_existing;  /* b fails no more often than a */
	struct wring_aa aa; /* n is 0: no record */
};
struct wring_versus_scenario {
	const char *name;
	struct wring_versus_run *runs; size_t n_runs;  /* usable ones first */
	size_t n_usable, n_a, n_b;                      /* usable ones of the arms */
	struct wring_versus_metric *metrics; size_t n_metrics;
	struct wring_cmp_total total;
	enum wring_cmp_verdict verdict;                 /* of what sets the code */
	bool is_broken;                                 /* an arm has no usable run */
	char **notes; size_t n_notes;                   /* what was not judged, and why */
};
struct wring_versus {
	char *name_a, *name_b, *about_a, *about_b;
	uint64_t seed;
	int64_t comparison;     /* 0: stored runs that were not run as one */
	char *place;            /* "host", "kvm", "tcg", or "" when the runs differ */
	bool interleaved, deterministic, aa, looks;
	size_t planned;         /* slots, 0 when unknown */
	double alpha;           /* of one scenario */
	struct wring_versus_scenario *rows; size_t n;
};

/* A stored comparison. */
int wring_versus_load(struct wring_store *st, const struct wring_comparison *c, struct wring_versus *ret, struct wring_err *err);
/* Any stored runs. Those that were run as one comparison keep its blocks. */
int wring_versus_runs(struct wring_store *st, const struct wring_runs *a, const char *name_a, const struct wring_runs *b, const char *name_b,
		      struct wring_versus *ret, struct wring_err *err);
/* done: nothing is missing. */
int wring_versus_store(struct wring_store *st, const struct wring_versus *v, bool done, struct wring_err *err);
void wring_versus_done(struct wring_versus *v);
/* Regression, inconclusive, improvement, same: the first that a scenario has. */
enum wring_cmp_verdict wring_versus_verdict(const struct wring_versus *v);
int wring_versus_exit(const struct wring_versus *v);

/* ---- comparison-figures.c, for comparison.c ---- */
int wring_versus_note(struct wring_versus_scenario *s, struct wring_err *err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The metrics of the usable runs. */
int wring_versus_figures(struct wring_store *st, const struct wring_versus *v, struct wring_versus_scenario *s, struct wring_err *err);
void wring_versus_metric_done(struct wring_versus_metric *m);
