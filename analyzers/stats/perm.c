/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/stats/perm.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <gsl/gsl_sf_gamma.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/stats/design.h"
#include "analyzers/stats/order.h"

enum { MAX_SUM = WRING_PERM_EXACT * (WRING_PERM_EXACT + 1), STEPS = 34 };

static size_t block_end(const struct wring_perm *s, size_t i)
{
	size_t end = i;

	while (end < s->n && s->block[end] == s->block[i])
		end++;
	return end;
}

static size_t count_b(const struct wring_perm *s, size_t i, size_t end)
{
	size_t k = 0;

	for (; i < end; i++)
		k += s->b[i];
	return k;
}

static bool all_pairs(const struct wring_perm *s)
{
	for (size_t i = 0, end; i < s->n; i = end) {
		end = block_end(s, i);
		if (end - i != 2 || count_b(s, i, end) != 1)
			return false;
	}
	return true;
}

/* Twice the mid-ranks, so that they are whole numbers. Values closer than rounding can tell apart are equal. */
static void rank2(const double *y, size_t n, int *rank)
{
	double scale = 0;

	for (size_t i = 0; i < n; i++)
		if (isfinite(y[i]) && fabs(y[i]) > scale)
			scale = fabs(y[i]);
	for (size_t i = 0; i < n; i++) {
		int less = 0, equal = 0;

		for (size_t j = 0; j < n; j++) {
			bool same = y[i] == y[j] || fabs(y[i] - y[j]) <= 1e-9 * scale;

			equal += same;
			less += !same && y[j] < y[i];
		}
		rank[i] = 2 * less + equal + 1;
	}
}

/* The scores whose sum over b is the statistic T. */
static void scores(const struct wring_perm *s, double shift, int *score)
{
	double y[WRING_PERM_MAX], part[WRING_PERM_MAX] = { 0 };
	bool pairs = all_pairs(s);

	for (size_t i = 0; i < s->n; i++)
		y[i] = s->v[i] - (s->b[i] ? shift : 0);
	if (pairs) {
		for (size_t i = 0; i < s->n / 2; i++)
			part[i] = y[2 * i] == y[2 * i + 1] ? 0 : fabs(y[2 * i] - y[2 * i + 1]);
		rank2(part, s->n / 2, score);
		for (size_t i = s->n / 2; i-- > 0;) {
			int rank = score[i];

			score[2 * i] = y[2 * i] > y[2 * i + 1] ? rank : 0;
			score[2 * i + 1] = y[2 * i + 1] > y[2 * i] ? rank : 0;
		}
		return;
	}
	for (size_t i = 0, end; i < s->n; i = end) {
		size_t n = 0;
		double middle;

		end = block_end(s, i);
		for (size_t j = i; j < end; j++)
			if (isfinite(y[j]))
				part[n++] = y[j];
		middle = wring_median(part, n);
		for (size_t j = i; j < end; j++)
			y[j] -= middle;
	}
	rank2(y, s->n, score);
}

struct moments { double t, mean, var; };

static struct moments moments(const struct wring_perm *s, const int *score)
{
	struct moments m = { 0 };

	for (size_t i = 0, end; i < s->n; i = end) {
		double n, k, sum = 0, t = 0, squares = 0;

		end = block_end(s, i);
		n = (double)(end - i);
		k = (double)count_b(s, i, end);
		for (size_t j = i; j < end; j++) {
			sum += score[j];
			t += s->b[j] ? score[j] : 0;
		}
		for (size_t j = i; j < end; j++)
			squares += (score[j] - sum / n) * (score[j] - sum / n);
		m.t += t;
		m.mean += s->mirrored ? sum / 2 : k * sum / n;
		if (s->mirrored)
			m.var += (t - sum / 2) * (t - sum / 2);
		else if (n > 1)
			m.var += k * (n - k) / n * squares / (n - 1);
	}
	return m;
}

/* way[sum] = the share of a block's arrangements in which b's scores have that sum. Returns the largest sum. */
static size_t block_sums(const struct wring_perm *s, const int *score, size_t i, size_t end, double *way)
{
	size_t k = count_b(s, i, end), top = 0, width, t = 0;
	double all = 0;

	for (size_t j = i; j < end; j++) {
		top += (size_t)score[j];
		t += s->b[j] ? (size_t)score[j] : 0;
	}
	width = top + 1;
	memset(way, 0, (s->mirrored ? 1 : k + 1) * width * sizeof(*way));
	if (s->mirrored) {
		way[t] += 0.5;
		way[top - t] += 0.5;
		return top;
	}
	way[0] = 1;
	for (size_t j = i; j < end; j++)
		for (size_t c = k; c > 0; c--)
			for (size_t sum = top + 1; sum-- > (size_t)score[j];)
				way[c * width + sum] += way[(c - 1) * width + sum - (size_t)score[j]];
	for (size_t sum = 0; sum <= top; sum++)
		all += way[k * width + sum];
	for (size_t sum = 0; sum <= top; sum++)
		way[sum] = way[k * width + sum] / all;
	return top;
}

void wring_perm_scores(const struct wring_perm *s, double *ret)
{
	int score[WRING_PERM_MAX];
	struct moments m;

	scores(s, 0, score);
	m = moments(s, score);
	for (size_t i = 0, end; i < s->n; i = end) {
		double mean = 0;

		end = block_end(s, i);
		for (size_t j = i; j < end; j++)
			mean += (double)score[j] / (double)(end - i);
		for (size_t j = i; j < end; j++)
			ret[j] = m.var > 0 ? (score[j] - mean) / sqrt(m.var) : 0;
	}
}

static bool exact(const struct wring_perm *s)
{
	for (size_t i = 0, end; i < s->n; i = end) {
		end = block_end(s, i);
		if (end - i > WRING_PERM_EXACT_BLOCK)
			return false;
	}
	return s->n <= WRING_PERM_EXACT;
}

/* P(T' - mean >= far), or <= -far, or either, over all arrangements: the blocks' distributions convolved. */
static double tail(const struct wring_perm *s, const int *score, double mean, double far, int side)
{
	static const double slack = 1e-6;
	double way[(WRING_PERM_EXACT_BLOCK + 1) * (2 * WRING_PERM_EXACT * WRING_PERM_EXACT_BLOCK + 1)];
	double dist[2][MAX_SUM + 1], *now = dist[0], *next = dist[1], p = 0;
	size_t top = 0;

	now[0] = 1;
	for (size_t i = 0, end; i < s->n; i = end) {
		double *old = now;
		size_t more;

		end = block_end(s, i);
		more = block_sums(s, score, i, end, way);
		memset(next, 0, (top + more + 1) * sizeof(*next));
		for (size_t a = 0; a <= more; a++)
			if (way[a] > 0)
				for (size_t j = 0; j <= top; j++)
					next[a + j] += way[a] * now[j];
		top += more;
		now = next;
		next = old;
	}
	for (size_t j = 0; j <= top; j++) {
		double d = (double)j - mean;

		if (side ? d * side >= far - slack : fabs(d) >= far - slack)
			p += now[j];
	}
	return p < 1 ? p : 1;
}

double wring_perm_p(const struct wring_perm *s, double shift, int side)
{
	int score[WRING_PERM_MAX];
	struct moments m;
	double far;

	scores(s, shift, score);
	m = moments(s, score);
	if (!(m.var > 0))
		return 1;
	far = side ? (m.t - m.mean) * side : fabs(m.t - m.mean);
	if (exact(s))
		return tail(s, score, m.mean, far, side);
	/* Half a rank is the correction for continuity, and ranks are doubled. */
	far = gsl_cdf_ugaussian_Q((far - 1) / sqrt(m.var));
	return side ? far : fmin(1, 2 * far);
}

double wring_perm_z(const struct wring_perm *s, double shift)
{
	int score[WRING_PERM_MAX];
	struct moments m;

	scores(s, shift, score);
	m = moments(s, score);
	return m.var > 0 ? (m.t - m.mean) / sqrt(m.var) : 0;
}

double wring_perm_level(const struct wring_perm *s, double z)
{
	int score[WRING_PERM_MAX];
	struct moments m;

	scores(s, 0, score);
	m = moments(s, score);
	if (!(m.var > 0))
		return 0;
	return exact(s) ? tail(s, score, m.mean, z * sqrt(m.var), 0) : 2 * gsl_cdf_ugaussian_Q(z);
}

double wring_perm_arrangements(const struct wring_perm *s)
{
	double all = 1;

	for (size_t i = 0, end; i < s->n; i = end) {
		end = block_end(s, i);
		all *= s->mirrored ? 2 : gsl_sf_choose((unsigned)(end - i), (unsigned)count_b(s, i, end));
	}
	return all;
}

double wring_perm_floor(const struct wring_perm *s)
{
	return fmin(1, 2 / wring_perm_arrangements(s));
}

/* A shift beyond which b lies on one side of a in every block, and all blocks look alike. */
static double bracket(const struct wring_perm *s)
{
	double widest = 0;

	for (size_t i = 0, end; i < s->n; i = end) {
		double low = INFINITY, high = -INFINITY;

		end = block_end(s, i);
		for (size_t j = i; j < end; j++) {
			if (isfinite(s->v[j])) {
				low = fmin(low, s->v[j]);
				high = fmax(high, s->v[j]);
			}
		}
		if (high - low > widest)
			widest = high - low;
	}
	return widest > 0 ? 4 * widest : 1;
}

/* Where T crosses its mean from above: the middle of where it equals it. T never rises with the shift. */
static double crossing(const struct wring_perm *s, double wide)
{
	double edge[2];

	for (int upper = 0; upper < 2; upper++) {
		double low = -wide, high = wide;

		if (upper ? wring_perm_z(s, high) > -1e-9 : wring_perm_z(s, high) > 1e-9)
			return INFINITY;
		if (upper ? wring_perm_z(s, low) < -1e-9 : wring_perm_z(s, low) < 1e-9)
			return -INFINITY;
		for (int i = 0; i < STEPS; i++) {
			double mid = (low + high) / 2, z = wring_perm_z(s, mid);

			if (upper ? z >= -1e-9 : z > 1e-9)
				low = mid;
			else
				high = mid;
		}
		edge[upper] = (low + high) / 2;
	}
	return (edge[0] + edge[1]) / 2;
}

/* From a shift that is not rejected outwards to one that is. */
static double bound(const struct wring_perm *s, double inside, double outside, double alpha)
{
	if (wring_perm_p(s, inside, 0) <= alpha)	/* equal figures: every shift but this one is rejected */
		return inside;
	if (wring_perm_p(s, outside, 0) > alpha)
		return outside > inside ? INFINITY : -INFINITY;
	for (int i = 0; i < STEPS; i++) {
		double mid = (inside + outside) / 2;

		if (wring_perm_p(s, mid, 0) > alpha)
			inside = mid;
		else
			outside = mid;
	}
	return (inside + outside) / 2;
}

struct wring_shift wring_perm_shift(const struct wring_perm *s, double confidence)
{
	double wide = bracket(s), start, alpha = 1 - confidence + 1e-12;
	struct wring_shift r = { .estimate = crossing(s, wide) };

	if (fabs(r.estimate) < 1e-8 * wide)
		r.estimate = 0;
	start = isfinite(r.estimate) ? r.estimate : copysign(wide, r.estimate);
	r.lower = r.upper = r.estimate;
	if (!isfinite(r.estimate) && wring_perm_p(s, start, 0) <= alpha)
		return r;	/* one arm died out: no finite shift explains it */
	if (r.estimate != -INFINITY)
		r.lower = bound(s, start, -wide, alpha);
	if (r.estimate != INFINITY)
		r.upper = bound(s, start, wide, alpha);
	return r;
}

void wring_perm_deal(const struct wring_perm *s, gsl_rng *rng, bool *b)
{
	memcpy(b, s->b, s->n * sizeof(*b));
	for (size_t i = 0, end; i < s->n; i = end) {
		end = block_end(s, i);
		if (!s->mirrored)
			gsl_ran_shuffle(rng, b + i, end - i, sizeof(*b));
		else if (gsl_rng_uniform_int(rng, 2))
			for (size_t j = i; j < end; j++)
				b[j] = !b[j];
	}
}

double wring_perm_mde(const struct wring_perm *s, int sign, double level, double power, unsigned draws, uint64_t seed)
{
	double noise[WRING_PERM_MAX], wide = bracket(s), shift = crossing(s, wide), ret = INFINITY;
	double *least = calloc(draws + 1, sizeof(*least));
	gsl_rng *rng = wring_rng(seed);
	bool b[WRING_PERM_MAX];
	struct wring_perm t = *s;

	if (!least || !rng || !draws)
		goto out;
	for (size_t i = 0; i < s->n; i++)
		noise[i] = s->v[i] - (s->b[i] && isfinite(shift) ? shift : 0);
	t.v = noise;
	t.b = b;
	wide = bracket(&t);
	for (unsigned d = 0; d < draws; d++) {
		double low = 0, high = wide;

		wring_perm_deal(s, rng, b);
		/* b larger by x is what is left when b is shifted down by -x. */
		if (wring_perm_p(&t, -sign * high, 0) > level) {
			least[d] = INFINITY;
			continue;
		}
		for (int i = 0; i < 12; i++) {
			double mid = (low + high) / 2;

			if (wring_perm_p(&t, -sign * mid, 0) <= level)
				high = mid;
			else
				low = mid;
		}
		least[d] = high;
	}
	wring_sort(least, draws);
	ret = least[(size_t)fmin(draws - 1, ceil(power * draws) - 1)];
out:
	free(least);
	if (rng)
		gsl_rng_free(rng);
	return ret;
}
