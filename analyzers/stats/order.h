/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Order statistics. */
#pragma once
#include <stddef.h>

void wring_sort(double *v, size_t n);
/* Both sort v. 0 for an empty array. q in 0..1, by linear interpolation (type 7). */
double wring_median(double *v, size_t n);
double wring_quantile(double *v, size_t n, double q);
/* Different values in v, which is sorted by this. */
size_t wring_distinct(double *v, size_t n);
