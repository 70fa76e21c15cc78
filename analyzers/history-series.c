/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One series: which of its changes are worth a person's time. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/history.h"
#include "analyzers/stats/changepoint.h"
#include "analyzers/stats/compare.h"
#include "analyzers/stats/order.h"

/* Nights. FAST_BASE: what the CUSUM needs to know a level by; FAST_TAIL: where E-divisive cannot see a segment yet. */
enum { LEAST = 12, LEAST_FENCE = 5, PERSIST = 3, SHORTEST = 5, FAST_BASE = 12, FAST_TAIL = 10 };

static double median_of(const double *y, size_t n)
{
	double *v = malloc((n + 1) * sizeof(*v)), m = NAN;

	if (v && n) {
		memcpy(v, y, n * sizeof(*v));
		m = wring_median(v, n);
	}
	free(v);
	return m;
}

/* From 0 there is no percentage; then a whole unit matters. */
static bool matters(double before, double after, double least_pct)
{
	return before ? fabs(after - before) >= fabs(before) * least_pct / 100 : fabs(after) >= 1;
}

/* Nights in [at, end) beyond the least effect, on the side of the change. */
static size_t nights_beyond(const double *y, size_t at, size_t end, double before, double after, double least)
{
	size_t n = 0;

	for (size_t i = at; i < end; i++)
		n += (y[i] > before) == (after > before) && matters(before, y[i], least);
	return n;
}

static bool is_worse(double before, double after, const char *better)
{
	return (!strcmp(better, "lower") && after > before) || (!strcmp(better, "higher") && after < before);
}

static struct wring_hchange change(size_t at, double before, double after, double p, enum wring_change_by by, const char *better)
{
	return (struct wring_hchange){ .at = at, .before = before, .after = after, .p = p, .by = by, .worse = is_worse(before, after, better),
		.pct = before ? 100 * (after - before) / fabs(before) : after > 0 ? INFINITY : -INFINITY };
}

/* Where the last level began: the last slow change, whether it matters or not. */
static size_t fast(const double *y, size_t n, size_t from, double least, const char *better, struct wring_hchange *ret)
{
	double center, sigma, after;
	size_t base, alarm, at;
	int side;

	if (n - from < FAST_BASE + PERSIST)
		return 0;
	base = n - from >= FAST_BASE + FAST_TAIL ? n - FAST_TAIL : n - PERSIST;
	wring_cusum_base(y + from, base - from, &center, &sigma);
	/* a level that never moved has no scatter to measure by: half of what matters is far outside of it */
	sigma = sigma > 0 ? sigma : (center ? fabs(center) * least / 100 : 1) / 2;
	alarm = base + wring_cusum(y + base, n - base, center, sigma, 0.5, 9, &side);
	if (alarm >= n)
		return 0;
	/* where it left the level for good */
	for (at = alarm; at > base && (y[at - 1] - center) * side > 0; at--)
		;
	after = median_of(y + at, n - at);
	if ((after - center) * side <= 0 || !matters(center, after, least) || nights_beyond(y, at, n, center, after, least) < PERSIST)
		return 0;
	*ret = change(at, center, after, 0, WRING_BY_FAST, better);
	return 1;
}

/* All that so few nights allow: does the last one stand out from the changes so far? */
static size_t fence(const double *y, size_t n, double least, const char *better, struct wring_hchange *ret)
{
	double past[LEAST], level = median_of(y, n - 1);

	for (size_t i = 1; i + 1 < n; i++)
		past[i - 1] = y[i] - y[i - 1];
	if (fabs(y[n - 1] - y[n - 2]) <= wring_fence(past, n - 2) || !matters(level, y[n - 1], least))
		return 0;
	*ret = change(n - 1, level, y[n - 1], 0, WRING_BY_FENCE, better);
	return 1;
}

static bool can_matter(const double *y, size_t n, double least)
{
	double lo = y[0], hi = y[0];

	for (size_t i = 1; i < n; i++) {
		lo = fmin(lo, y[i]);
		hi = fmax(hi, y[i]);
	}
	return hi > lo && (matters(lo, hi, least) || matters(hi, lo, least));
}

static void move_on(const double *y, size_t n, struct wring_change *c)
{
	while (n - c->at > PERSIST && fabs(y[c->at] - c->before) < fabs(y[c->at] - c->after))
		c->at++;
}

int wring_series_changes(const double *y, size_t n, const char *name, const char *unit, const char *better, uint64_t seed,
			 struct wring_hchange ret[WRING_MAX_CHANGES])
{
	const struct wring_change_opts o = { .seed = seed, .min_segment = SHORTEST };
	struct wring_change slow[WRING_MAX_CHANGES];
	double least = wring_cmp_least(name, unit);
	size_t found = 0, kept = 0;

	/* medians lie within the range: most series need no test at all */
	if (n < LEAST_FENCE || !can_matter(y, n, least))
		return 0;
	if (n < LEAST)
		return (int)fence(y, n, least, better, ret);
	if (wring_changes(y, n, &o, slow, WRING_MAX_CHANGES - 1, &found))
		return -ENOMEM;
	found = found < WRING_MAX_CHANGES - 1 ? found : WRING_MAX_CHANGES - 1;
	/* a segment has five nights; what is newer was put into one with the last nights before it */
	if (found && n - slow[found - 1].at == SHORTEST)
		move_on(y, n, &slow[found - 1]);
	for (size_t i = 0; i < found; i++) {
		size_t end = i + 1 < found ? slow[i + 1].at : n;

		if (matters(slow[i].before, slow[i].after, least) &&
		    nights_beyond(y, slow[i].at, end, slow[i].before, slow[i].after, least) >= PERSIST)
			ret[kept++] = change(slow[i].at, slow[i].before, slow[i].after, slow[i].p, WRING_BY_SLOW, better);
	}
	kept += fast(y, n, found ? slow[found - 1].at : 0, least, better, &ret[kept]);
	for (size_t i = 0; i < kept; i++)
		for (size_t k = i + 1; k < kept; k++)
			ret[i].gone |= !matters(ret[i].before, ret[k].after, least);
	return (int)kept;
}
