/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Proportions, many p-values at once, and what comparisons of a kernel with itself tell. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Clopper and Pearson: the shares that k of n does not rule out. */
struct wring_interval { double lower, upper; };
struct wring_interval wring_binomial_interval(unsigned k, unsigned n, double confidence);
/* Fisher's exact test, two-sided: a_yes of a and b_yes of b. */
double wring_fisher(unsigned a_yes, unsigned a, unsigned b_yes, unsigned b);
/* Benjamini and Hochberg (1995): the false discovery rate at which each of m would be called. */
void wring_bh(const double *p, size_t m, double *p_adj);

/* One metric of one stored comparison of a kernel with itself. */
struct wring_aa_row {
	bool regression, improvement;
	double effect_pct;	/* NaN or infinite: not used for the spread */
};
struct wring_aa {
	unsigned n, alarms, regressions, improvements, with_effect;
	double rate;
	struct wring_interval rate_ci;	/* 95 % */
	double lopsided_p;	/* as many regressions as improvements? A low value: the test is broken */
	double spread_pct;	/* 1.4826 x the median of |effect|: a standard deviation that outliers do not move */
	double p95_pct;		/* 95 % of |effect| are below */
};
struct wring_aa wring_aa_record(const struct wring_aa_row *row, size_t n);
