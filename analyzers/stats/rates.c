/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/stats/rates.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdlib.h>
#include "analyzers/stats/order.h"

struct wring_interval wring_binomial_interval(unsigned k, unsigned n, double confidence)
{
	double tail = (1 - confidence) / 2;
	struct wring_interval r = { 0, 1 };

	if (k > 0)
		r.lower = gsl_cdf_beta_Pinv(tail, k, n - k + 1);
	if (k < n)
		r.upper = gsl_cdf_beta_Qinv(tail, k + 1, n - k);
	return r;
}

double wring_fisher(unsigned a_yes, unsigned a, unsigned b_yes, unsigned b)
{
	unsigned yes = a_yes + b_yes, no = a + b - yes;
	double here = gsl_ran_hypergeometric_pdf(a_yes, yes, no, a), p = 0;

	for (unsigned k = a > no ? a - no : 0; k <= a && k <= yes; k++) {
		double q = gsl_ran_hypergeometric_pdf(k, yes, no, a);

		p += q <= here * (1 + 1e-7) ? q : 0;
	}
	return fmin(1, p);
}

void wring_bh(const double *p, size_t m, double *p_adj)
{
	for (size_t i = 0; i < m; i++) {
		size_t rank = 0;

		for (size_t j = 0; j < m; j++)
			rank += p[j] <= p[i];
		p_adj[i] = fmin(1, p[i] * (double)m / (double)rank);
	}
	/* The least of these over all p at or above one's own; in place, as a minimum of minima is the same. */
	for (size_t i = 0; i < m; i++)
		for (size_t j = 0; j < m; j++)
			if (p[j] >= p[i])
				p_adj[i] = fmin(p_adj[i], p_adj[j]);
}

struct wring_aa wring_aa_record(const struct wring_aa_row *row, size_t n)
{
	struct wring_aa r = { .n = (unsigned)n, .lopsided_p = 1 };
	double *effect = calloc(n + 1, sizeof(*effect));

	for (size_t i = 0; i < n; i++) {
		r.regressions += row[i].regression;
		r.improvements += row[i].improvement;
		if (effect && isfinite(row[i].effect_pct))
			effect[r.with_effect++] = fabs(row[i].effect_pct);
	}
	r.alarms = r.regressions + r.improvements;
	r.rate = n ? (double)r.alarms / (double)n : 0;
	r.rate_ci = wring_binomial_interval(r.alarms, r.n, 0.95);
	if (r.alarms) {
		unsigned fewer = r.regressions < r.improvements ? r.regressions : r.improvements;

		r.lopsided_p = fmin(1, 2 * gsl_cdf_binomial_P(fewer, 0.5, r.alarms));
	}
	if (effect) {
		r.spread_pct = 1.4826 * wring_median(effect, r.with_effect);
		r.p95_pct = wring_quantile(effect, r.with_effect, 0.95);
	}
	free(effect);
	return r;
}
