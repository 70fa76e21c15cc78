/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When did a series of nightly figures change: E-divisive (slow, tells when), CUSUM (fast), and a fence for short
 * histories. docs/statistics.md. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wring_change {
	size_t at;		/* the first value after the change */
	double before, after;	/* medians of the segments on both sides */
	double p;
};
struct wring_change_opts {
	double alpha;		/* 0: 0.005 */
	size_t min_segment;	/* 0: 5; shorter is an outlier, not a change */
	size_t window;		/* 0: 120; longer series are searched in windows, each half over the next */
	unsigned permutations;	/* 0: 999 */
	uint64_t seed;
};
/* Matteson and James (2014), the distance |x - y|. Writes at most max changes in order of time; *found is how many there
 * are. No NaN. What a value keeps of the one before is taken out first. 0 or -ENOMEM. */
int wring_changes(const double *y, size_t n, const struct wring_change_opts *opts, struct wring_change *ret, size_t max,
		  size_t *found);

/* Page's CUSUM on (y - center) / sigma, both sides: the index of the first alarm, n for none; *side its direction. */
size_t wring_cusum(const double *y, size_t n, double center, double sigma, double k, double h, int *side);
/* For k = 0.5 and h = 9 (a false alarm in some 26,000 nights): center and sigma from the median and MAD of a segment
 * without changes, sigma widened if neighbours resemble each other. */
void wring_cusum_base(const double *y, size_t n, double *center, double *sigma);

/* Tukey's outer fence, Q3 + 3 IQR, of past |changes|: all that a history shorter than 12 allows. */
double wring_fence(const double *change, size_t n);
