/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/stats/changepoint.h"

#include <errno.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/stats/design.h"
#include "analyzers/stats/order.h"
#include "harness/base/util.h"

#if !defined(__clang__)
#pragma GCC optimize("O3") /* vector instructions, which clang uses at -O2 */
#endif

enum { MAX_WINDOW = 512, WHITEN = 30 /* nights, to tell what they have of one another */ };

struct search {
	struct wring_change_opts o;
	gsl_rng *rng;
	double *rows;		/* six, for best_split() */
	double number[MAX_WINDOW + 1], inverse[MAX_WINDOW + 1], twice[MAX_WINDOW + 1]; /* r, 1 / r, 2 / (r - 1) */
	double *y, *mixed;
	struct wring_change *found;
	size_t n_found;
};

static double median_of(const double *y, size_t n, double *scratch)
{
	memcpy(scratch, y, n * sizeof(*y));
	return wring_median(scratch, n);
}

/* Correlation of neighbours, 0 when nothing varies. */
static double neighbours(const double *y, size_t n)
{
	double mean = 0, all = 0, next = 0;

	for (size_t i = 0; i < n; i++)
		mean += y[i] / (double)n;
	for (size_t i = 0; i < n; i++) {
		all += (y[i] - mean) * (y[i] - mean);
		if (i + 1 < n)
			next += (y[i] - mean) * (y[i + 1] - mean);
	}
	return all > 0 ? next / all : 0;
}

/* Sums of distances within [t, t + r), from those of r - 1 and r - 2. */
static void next_r(const double *y, size_t r, size_t last, const double *restrict less1, const double *restrict less2, double *restrict ret)
{
	const double *far = y + r - 1;

	for (size_t t = 1; t <= last; t++)
		ret[t] = less1[t] + less1[t + 1] - less2[t + 1] + fabs(far[t] - y[t]);
}

/* Q of [0, t) and [t, t + r), where it is more than that of a shorter one. */
static void best_r(const struct search *s, size_t r, size_t last, const double *restrict whole, const double *restrict left,
		   const double *restrict right, double *restrict best)
{
	const double *end = whole + r, *inverse = s->inverse + r, *number = s->number;
	double wide = (double)r, twice = s->twice[r];

	for (size_t t = s->o.min_segment; t <= last; t++) {
		double q = (2 * (end[t] - whole[t] - right[t]) - wide * left[t] - number[t] * right[t] * twice) * inverse[t];

		best[t] = q > best[t] ? q : best[t];
	}
}

/* The largest Q over all pairs of neighbouring segments [0, t) and [t, t + r): mr/(m+r) times twice the mean distance between
 * them less the mean distances within each. The sum of distances within [t, t + r) follows from those of three shorter segments, so
 * this takes n^2 / 2 steps, and those of one r need nothing of each other: it is done a thousand times for each change, and the
 * compiler turns it into vector instructions as it stands. Returns where, or 0. */
static size_t best_split(struct search *s, const double *y, size_t n, double *ret)
{
	size_t room = s->o.window + 1, least = s->o.min_segment, at = 0;
	double *whole = s->rows, *within = whole + room, *best = within + room, *a = best + room, *b = a + room, *c = b + room;

	for (size_t i = 0; i <= n; i++) {
		whole[i] = a[i] = b[i] = 0;
		best[i] = -INFINITY;
	}
	/* whole[k]: of |y[i] - y[j]| over i < j < k */
	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n; j++)
			whole[j + 1] += fabs(y[j] - y[i]);
	for (size_t k = 1; k <= n; k++)
		whole[k] += whole[k - 1];
	for (size_t t = 2; t < n; t++)
		within[t] = whole[t] * s->twice[t];
	within[1] = 0;
	for (size_t r = 2; r < n; r++) {
		double *next;

		next_r(y, r, n - r, a, b, c);
		if (r >= least)
			best_r(s, r, n - r, whole, within, c, best);
		next = c;
		c = b;
		b = a;
		a = next;
	}
	*ret = -INFINITY;
	for (size_t t = least; t < n; t++)
		if (best[t] > *ret) {
			*ret = best[t];
			at = t;
		}
	return at;
}

/* Mean square of the differences to the lag-th next value, without the largest tenth: a few steps in the level do not
 * move it, as they would move a correlation. */
static double roughness(const double *y, size_t n, size_t lag, double *scratch)
{
	size_t m = n - lag, keep = m - m / 10;
	double sum = 0;

	for (size_t i = 0; i < m; i++)
		scratch[i] = (y[i + lag] - y[i]) * (y[i + lag] - y[i]);
	wring_sort(scratch, m);
	for (size_t i = 0; i < keep; i++)
		sum += scratch[i];
	return sum / (double)keep;
}

/* The share r of its distance from the level that a value keeps to the next night: roughness grows by 1 + r from lag 1 to lag 2. */
static double likeness(const double *y, size_t n, double *scratch)
{
	double one = n >= WHITEN ? roughness(y, n, 1, scratch) : 0;

	return one > 0 ? roughness(y, n, 2, scratch) / one - 1 : 0;
}

/* r is taken out of the window before the search, as a permutation makes neighbours independent; a step in the level stays a
 * step, as high as it was. */
static void whiten(const double *y, size_t n, double r, double *ret)
{
	r = fmin(r, 0.95);
	for (size_t i = 0; i < n; i++)
		ret[i] = i && r > 0 ? (y[i] - r * y[i - 1]) / (1 - r) : y[i];
}

/* p, or 1 as soon as it is certain to be above alpha. What none of the first three tenths of the permutations reaches is found: that adds
 * 0.7^4 / 0.3 permutations to the level at most, and one fewer is let pass among all of them. */
static double split_p(struct search *s, const double *y, size_t n, double q)
{
	double draws = s->o.permutations + 1.0, most = s->o.alpha * draws, other;
	unsigned reached = 1, early = most >= 5 ? (unsigned)(draws * 0.3) : s->o.permutations + 1;

	most -= most >= 5;
	for (unsigned i = 1; i <= s->o.permutations; i++) {
		memcpy(s->mixed, y, n * sizeof(*y));
		gsl_ran_shuffle(s->rng, s->mixed, n, sizeof(*y));
		best_split(s, s->mixed, n, &other);
		reached += other >= q - 1e-9 * fabs(q); /* more than what rounding makes of equal ones */
		if (reached > most)
			return 1;
		if (reached == 1 && i + 1 == early)
			return 1.0 / early;
	}
	return reached / draws;
}

static void split(struct search *s, size_t offset, size_t n)
{
	const double *y = s->y + offset;
	size_t at, i;
	double p, q;

	if (n < 2 * s->o.min_segment)
		return;
	at = best_split(s, y, n, &q);
	if (!(q > 0))
		return;
	p = split_p(s, y, n, q);
	if (p > s->o.alpha)
		return;
	/* Windows overlap: the same change may be there already. */
	for (i = 0; i < s->n_found; i++)
		if (s->found[i].at + s->o.min_segment > offset + at && offset + at + s->o.min_segment > s->found[i].at)
			break;
	if (i == s->n_found)
		s->found[s->n_found++] = (struct wring_change){ .at = offset + at, .p = p };
	split(s, offset, at);
	split(s, offset + at, n - at);
}

/* r again, from what is left around the means of the segments that were found; a sample's is too small by about (1 + 3r) / n for each
 * mean that was estimated (Kendall 1954; Marriott and Pope 1954). */
static double likeness_within(struct search *s, const double *y, size_t from, size_t n)
{
	size_t segments = 0;
	double r;

	for (size_t i = 0, k; i < n; i = k, segments++) {
		double mean = 0;

		k = n;
		for (size_t j = 0; j < s->n_found; j++)
			if (s->found[j].at > from + i && s->found[j].at < from + k)
				k = s->found[j].at - from;
		for (size_t j = i; j < k; j++)
			mean += y[j] / (double)(k - i);
		for (size_t j = i; j < k; j++)
			s->mixed[j] = y[j] - mean;
	}
	r = neighbours(s->mixed, n);
	return r + (double)segments * (1 + 3 * r) / (double)n;
}

/* A series that wanders may have been taken for less so than it is, and have changes for that: what was found must be found again
 * where r is more, by as much as it may still be too small. */
static void window(struct search *s, const double *y, size_t from, size_t n)
{
	size_t before = s->n_found;
	double r = likeness(y + from, n, s->mixed), within, error = 1 / sqrt((double)n);

	whiten(y + from, n, r, s->y + from);
	split(s, from, n);
	if (s->n_found == before || n < WHITEN)
		return;
	within = likeness_within(s, y + from, from, n);
	if (within <= fmax(r, error))
		return;
	s->n_found = before;
	whiten(y + from, n, within + error, s->y + from);
	split(s, from, n);
}

static int by_time(const void *a, const void *b)
{
	const struct wring_change *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

int wring_changes(const double *y, size_t n, const struct wring_change_opts *opts, struct wring_change *ret, size_t max,
		  size_t *found)
{
	struct search s = { .o = opts ? *opts : (struct wring_change_opts){ 0 } };
	size_t step;
	int rc = -ENOMEM;

	*found = 0;
	s.o.alpha = s.o.alpha > 0 ? s.o.alpha : 0.005;
	s.o.min_segment = s.o.min_segment ? s.o.min_segment : 5;
	s.o.window = s.o.window ? s.o.window : 120;
	s.o.window = s.o.window > MAX_WINDOW ? MAX_WINDOW : s.o.window < 4 ? 4 : s.o.window;
	s.o.permutations = s.o.permutations ? s.o.permutations : 999;
	step = s.o.window / 2;
	s.rng = wring_rng(s.o.seed);
	s.rows = malloc(6 * (s.o.window + 1) * sizeof(*s.rows));
	for (size_t i = 0; i < WRING_ARRAY_SIZE(s.inverse); i++) {
		s.number[i] = (double)i;
		s.inverse[i] = i ? 1 / (double)i : 0;
		s.twice[i] = i > 1 ? 2 / ((double)i - 1) : 0;
	}
	s.mixed = calloc(n + s.o.window, sizeof(*s.mixed));
	s.found = calloc(n + 1, sizeof(*s.found));
	s.y = malloc((n + 1) * sizeof(*s.y));
	if (!s.rng || !s.rows || !s.mixed || !s.found || !s.y)
		goto out;
	for (size_t from = 0; from < n; from += step) {
		size_t len = n - from < s.o.window ? n - from : s.o.window;

		window(&s, y, from, len);
		if (n - from <= s.o.window)
			break;
	}
	qsort(s.found, s.n_found, sizeof(*s.found), by_time);
	for (size_t i = 0; i < s.n_found; i++) {
		size_t from = i ? s.found[i - 1].at : 0, to = i + 1 < s.n_found ? s.found[i + 1].at : n, at = s.found[i].at;

		s.found[i].before = median_of(y + from, at - from, s.mixed);
		s.found[i].after = median_of(y + at, to - at, s.mixed);
		if (i < max)
			ret[i] = s.found[i];
	}
	*found = s.n_found;
	rc = 0;
out:
	if (s.rng)
		gsl_rng_free(s.rng);
	free(s.rows);
	free(s.mixed);
	free(s.found);
	free(s.y);
	return rc;
}

size_t wring_cusum(const double *y, size_t n, double center, double sigma, double k, double h, int *side)
{
	double up = 0, down = 0;

	for (size_t i = 0; i < n && sigma > 0; i++) {
		double z = (y[i] - center) / sigma;

		up = fmax(0, up + z - k);
		down = fmax(0, down - z - k);
		if (up > h || down > h) {
			*side = up > h ? 1 : -1;
			return i;
		}
	}
	*side = 0;
	return n;
}

void wring_cusum_base(const double *y, size_t n, double *center, double *sigma)
{
	double *v = malloc((n + 1) * sizeof(*v)), r = neighbours(y, n);

	*center = *sigma = 0;
	if (!v)
		return;
	*center = median_of(y, n, v);
	for (size_t i = 0; i < n; i++)
		v[i] = fabs(y[i] - *center);
	*sigma = 1.4826 * wring_median(v, n);
	if (n && r > 2 / sqrt((double)n))
		*sigma *= sqrt((1 + r) / (1 - fmin(r, 0.95)));
	free(v);
}

double wring_fence(const double *change, size_t n)
{
	double *v = malloc((n + 1) * sizeof(*v)), q1, q3;

	if (!v || !n) {
		free(v);
		return INFINITY;
	}
	for (size_t i = 0; i < n; i++)
		v[i] = fabs(change[i]);
	q1 = wring_quantile(v, n, 0.25);
	q3 = wring_quantile(v, n, 0.75);
	free(v);
	return q3 + 3 * (q3 - q1);
}
