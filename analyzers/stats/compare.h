/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Is kernel b worse than kernel a? From the figures of runs in random blocks to a verdict for each metric.
 * docs/statistics.md says what is computed and why. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "harness/base/err.h"

/* A run is one fresh boot (or one fresh tree of cgroups), and one figure for each metric. The block says with which
 * others it was dealt out: four runs of `wring ab`; the seed, for pairs with the same seed; one block for all where
 * nothing was interleaved. */
struct wring_cmp_run {
	unsigned block;
	bool b;
	bool died;	/* the kernel ended it: the worst value in every metric */
};

struct wring_cmp_metric {
	const char *name, *unit;
	const char *better;	/* "lower", "higher" or "" */
	const char *tier;	/* "primary", "secondary" or "info" */
	double min_effect_pct;	/* smaller changes do not matter; 0: 3 for times and rates, else 10 */
	double min_abs;		/* nor do smaller differences, in the unit; 0: none */
	double noise_pct;	/* spread of stored comparisons of a kernel with itself; 0: unknown */
	const double *v;	/* one for each run; NaN: the run has none */
};

struct wring_cmp_opts {
	double alpha;		/* of all primary metrics together; 0: 0.05. wring_level() for several scenarios, or looks */
	double fdr;		/* of the secondary metrics; 0: 0.1 */
	double confidence;	/* of the intervals; 0: 0.95 */
	double power;		/* of the smallest change that would be seen; 0: 0.8 */
	unsigned draws;		/* to find that; 0: 100 */
	uint64_t seed;
	bool mirrored;		/* orders were drawn from ABBA and BAAB only */
};

enum wring_cmp_verdict { WRING_CMP_INCONCLUSIVE, WRING_CMP_SAME, WRING_CMP_IMPROVEMENT, WRING_CMP_REGRESSION, WRING_CMP_INFO };
/* "inconclusive", ...; "info" for a metric that is not judged. */
const char *wring_cmp_name(enum wring_cmp_verdict v);

/* What has no value is NaN or infinite, and null in JSON. */
struct wring_cmp_result {
	size_t n_a, n_b, died_a, died_b;
	double median_a, median_b;		/* infinite: most runs died */
	double effect_pct, ci_lo, ci_hi;	/* of b against a; NaN when a is 0 */
	double diff, diff_lo, diff_hi;		/* the same in the metric's unit */
	double p, p_adj, p_floor;		/* two-sided; adjusted for the other metrics; the least there can be */
	double mde_pct;				/* the smallest change for the worse (or, without a direction, up) that these runs would show */
	double min_pct;				/* the smallest change that matters, noise considered */
	bool two_modes, zeros;			/* a single change does not describe it: show the runs */
	enum wring_cmp_verdict verdict;
	char reason[240];			/* a sentence; never empty */
};

struct wring_cmp_total {
	enum wring_cmp_verdict verdict;	/* of the primary metrics */
	unsigned blocks, complete;	/* with both arms; of them with the same number of runs as the largest */
	size_t runs, unused;		/* unused: in blocks that lack an arm */
	double p_floor;
	char reason[240];
};

/* The smallest change in percent that matters where nothing is declared. */
double wring_cmp_least(const char *name, const char *unit);
/* results: one for each metric. Runs in any order, at most WRING_PERM_MAX. 0 or a negative errno. */
int wring_compare(const struct wring_cmp_run *run, size_t n_runs, const struct wring_cmp_metric *metric, size_t n_metrics,
		  const struct wring_cmp_opts *opts, struct wring_cmp_result *results, struct wring_cmp_total *total,
		  struct wring_err *err);
