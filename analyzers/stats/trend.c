/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/stats/trend.h"

#include <errno.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include "analyzers/stats/order.h"

enum { MAX_INV = WRING_MK_EXACT * (WRING_MK_EXACT - 1) / 2 };

/* Multiply a polynomial of the given degree by 1 + q + ... + q^(k-1). */
static void poly_mul(uint64_t *c, size_t *degree, size_t k)
{
	uint64_t old[MAX_INV + 1];

	for (size_t i = 0; i <= *degree; i++)
		old[i] = c[i];
	for (size_t i = 0; i < *degree + k; i++) {
		c[i] = 0;
		for (size_t j = 0; j < k && j <= i; j++)
			if (i - j <= *degree)
				c[i] += old[i - j];
	}
	*degree += k - 1;
}

/* The inverse of poly_mul(), without remainder here: multiply by 1 - q, divide by 1 - q^k. */
static void poly_div(uint64_t *c, size_t *degree, size_t k)
{
	for (size_t i = *degree; i > 0; i--)
		c[i] -= c[i - 1];
	for (size_t i = k; i <= *degree; i++)
		c[i] += c[i - k];
	*degree -= k - 1;
}

/* P(S >= s) when all orders of the values are equally likely. With tie groups of t1, t2, ... values
 * the number of orders with k inversions is the coefficient of q^k in the q-multinomial
 * [n]! / ([t1]! [t2]! ...), and S = untied pairs - 2 k. All counts fit: 20! < 2^64. */
static double exact_p(const size_t *ties, size_t n_ties, size_t n, long s)
{
	uint64_t c[MAX_INV + 1] = { 1 };
	double at_least = 0, all = 0;
	size_t degree = 0;

	for (size_t k = 2; k <= n; k++)
		poly_mul(c, &degree, k);
	for (size_t g = 0; g < n_ties; g++)
		for (size_t k = 2; k <= ties[g]; k++)
			poly_div(c, &degree, k);
	for (size_t k = 0; k <= degree; k++) {
		all += (double)c[k];
		if ((long)degree - 2 * (long)k >= s)
			at_least += (double)c[k];
	}
	return at_least / all;
}

static long score(const double *y, size_t n)
{
	long s = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n; j++)
			s += (y[j] > y[i]) - (y[j] < y[i]);
	return s;
}

/* Var S without ties, and with the same form what a group of ties takes away from it. */
static double spread(double n)
{
	return n * (n - 1) * (2 * n + 5) / 18;
}

struct wring_mk wring_mann_kendall(const double *y, size_t n)
{
	struct wring_mk r = { .p_up = 1, .exact = n <= WRING_MK_EXACT };
	size_t ties[WRING_MK_EXACT], n_ties = 0;

	r.s = score(y, n);
	r.var = spread((double)n);
	for (size_t i = 0; i < n; i++) {
		size_t same = 0, before = 0;

		for (size_t j = 0; j < n; j++) {
			same += y[j] == y[i];
			before += j < i && y[j] == y[i];
		}
		if (before || same < 2)
			continue;
		r.var -= spread((double)same);
		if (r.exact)
			ties[n_ties++] = same;
	}
	if (r.var > 0 && r.s)
		r.z = ((double)r.s - (r.s > 0 ? 1 : -1)) / sqrt(r.var);
	if (n >= 2)
		r.p_up = r.exact ? exact_p(ties, n_ties, n, r.s) : gsl_cdf_ugaussian_Q(r.z);
	return r;
}

/* Ranks after Sen (1968) and Gilbert (1987), rounded outwards: never narrower than asked. */
static void bounds(const double *slopes, size_t m, double var, double confidence,
		   struct wring_theil *ret)
{
	double c = gsl_cdf_ugaussian_Pinv(1 - (1 - confidence) / 2) * sqrt(var);
	double low = floor(((double)m - c) / 2), high = ceil(((double)m + c) / 2 + 1);

	ret->lower = low >= 1 ? slopes[(size_t)low - 1] : -INFINITY;
	ret->upper = high <= (double)m ? slopes[(size_t)high - 1] : INFINITY;
}

int wring_theil_sen(const double *x, const double *y, size_t n, double confidence,
		    struct wring_theil *ret)
{
	double *slopes = malloc((n * (n > 0 ? n - 1 : 0) / 2 + 1) * sizeof(*slopes));
	size_t m = 0;

	if (!slopes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j < n; j++) {
			double dx = x ? x[j] - x[i] : (double)(j - i);

			if (dx)
				slopes[m++] = (y[j] - y[i]) / dx;
		}
	}
	if (!m) {
		free(slopes);
		return -EINVAL;
	}
	wring_sort(slopes, m);
	ret->slope = gsl_stats_median_from_sorted_data(slopes, 1, m);
	bounds(slopes, m, wring_mann_kendall(y, n).var, confidence, ret);
	free(slopes);
	return 0;
}
