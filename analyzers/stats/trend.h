/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Is a short series rising, and how fast: Mann-Kendall and Theil-Sen. Pure functions on arrays. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct wring_mk {
	long s;       /* sum over i < j of the sign of y[j] - y[i] */
	double var;   /* of s under no trend, with the term for ties */
	double z;     /* normal deviate with continuity correction; 0 when var is 0 */
	double p_up;  /* P(S >= s) under no trend: small for a rising series */
	bool exact;   /* p_up is exact, else by the normal approximation */
};
/* Exact up to WRING_MK_EXACT values, ties included (inversions of a multiset). */
enum { WRING_MK_EXACT = 20 };
struct wring_mk wring_mann_kendall(const double *y, size_t n);

struct wring_theil {
	double slope; /* median of all pairwise slopes */
	double lower,
		upper; /* two-sided bounds; infinite where n is too small for the confidence */
};
/* x may be NULL for 0, 1, 2, ...; confidence as 0.99. Returns 0, -ENOMEM, or -EINVAL when there are
 * no two different x. */
int wring_theil_sen(const double *x, const double *y, size_t n, double confidence,
		    struct wring_theil *ret);
