/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/stats/order.h"

#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>

void wring_sort(double *v, size_t n)
{
	gsl_sort(v, 1, n);
}

double wring_median(double *v, size_t n)
{
	return wring_quantile(v, n, 0.5);
}

double wring_quantile(double *v, size_t n, double q)
{
	if (!n)
		return 0;
	wring_sort(v, n);
	return gsl_stats_quantile_from_sorted_data(v, 1, n, q);
}

size_t wring_distinct(double *v, size_t n)
{
	size_t d = n > 0;

	wring_sort(v, n);
	for (size_t i = 1; i < n; i++)
		d += v[i] != v[i - 1];
	return d;
}
