/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Westfall and Young (1993), algorithm 4.1 with the largest |T| in place of the least p: every metric is dealt the
 * same arrangements, so that what they have in common is not paid for twice. */
#include <errno.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/stats/design.h"
#include "analyzers/stats/perm.h"

enum { BINS = 4096 };
static const double widest = 16;	/* |T| has variance 1 */

struct visit {
	const struct wring_perm *s;
	const double *score;
	size_t m;
	double *t;		/* sums so far, one row a depth */
	double *seen;		/* |T| as observed, */
	size_t *order;		/* and the metrics from the largest to the least of them */
	double *reached;	/* arrangements whose running maximum is at least that */
	double bins[BINS];	/* of the maximum over all metrics */
	double visits;
};

static void count(struct visit *v, const double *t)
{
	double top = 0;
	size_t bin;

	for (size_t i = v->m; i-- > 0;) {
		size_t k = v->order[i];

		top = fmax(top, fabs(t[k]));
		v->reached[i] += top >= v->seen[k] - 1e-9;
	}
	bin = (size_t)(top * (BINS / widest));
	v->bins[bin < BINS ? bin : BINS - 1]++;
	v->visits++;
}

static void add(const struct visit *v, double *t, size_t run)
{
	for (size_t k = 0; k < v->m; k++)
		t[k] += v->score[k * v->s->n + run];
}

static void whole_block(struct visit *v, size_t i, const double *t);

/* Run i is a b, or is not; left_b of the runs up to end still are. */
static void one_run(struct visit *v, size_t i, size_t end, size_t left_b, const double *t)
{
	double *next = v->t + (i + 1) * v->m;

	if (i == end) {
		whole_block(v, end, t);
		return;
	}
	if (left_b) {
		memcpy(next, t, v->m * sizeof(*t));
		add(v, next, i);
		one_run(v, i + 1, end, left_b - 1, next);
	}
	if (end - i > left_b) {
		memcpy(next, t, v->m * sizeof(*t));
		one_run(v, i + 1, end, left_b, next);
	}
}

static void whole_block(struct visit *v, size_t i, const double *t)
{
	const struct wring_perm *s = v->s;
	size_t end = i, left_b = 0;

	if (i == s->n) {
		count(v, t);
		return;
	}
	for (; end < s->n && s->block[end] == s->block[i]; end++)
		left_b += s->b[end];
	if (!s->mirrored) {
		one_run(v, i, end, left_b, t);
		return;
	}
	for (int flip = 0; flip < 2; flip++) {
		double *next = v->t + end * v->m;

		memcpy(next, t, v->m * sizeof(*t));
		for (size_t j = i; j < end; j++)
			if (s->b[j] != (bool)flip)
				add(v, next, j);
		whole_block(v, end, next);
	}
}

static int draw(struct visit *v, uint64_t seed)
{
	const struct wring_perm *s = v->s;
	bool *b = malloc(s->n * sizeof(*b));
	gsl_rng *rng = wring_rng(seed);

	if (!b || !rng) {
		free(b);
		if (rng)
			gsl_rng_free(rng);
		return -ENOMEM;
	}
	for (int d = 0; d < WRING_PERM_DRAWS; d++) {
		wring_perm_deal(s, rng, b);
		memset(v->t, 0, v->m * sizeof(*v->t));
		for (size_t j = 0; j < s->n; j++)
			if (b[j])
				add(v, v->t, j);
		count(v, v->t);
	}
	free(b);
	gsl_rng_free(rng);
	/* What was observed is one of the arrangements: else p could be 0, and would be too small. */
	memset(v->t, 0, v->m * sizeof(*v->t));
	for (size_t j = 0; j < s->n; j++)
		if (s->b[j])
			add(v, v->t, j);
	count(v, v->t);
	return 0;
}

int wring_westfall_young(const struct wring_perm *s, const double *score, size_t m, uint64_t seed, double level,
			 double *p_adj, double *critical)
{
	struct visit v = { .s = s, .score = score, .m = m };
	double above = 0, worst = 0;
	int rc = -ENOMEM;

	v.t = calloc((s->n + 1) * m + 1, sizeof(*v.t));
	v.seen = calloc(m + 1, sizeof(*v.seen));
	v.order = calloc(m + 1, sizeof(*v.order));
	v.reached = calloc(m + 1, sizeof(*v.reached));
	if (!v.t || !v.seen || !v.order || !v.reached)
		goto out;
	for (size_t k = 0; k < m; k++) {
		size_t i = k;
		double t = 0;

		for (size_t j = 0; j < s->n; j++)
			t += s->b[j] ? score[k * s->n + j] : 0;
		v.seen[k] = fabs(t);
		for (; i > 0 && v.seen[v.order[i - 1]] < v.seen[k]; i--)
			v.order[i] = v.order[i - 1];
		v.order[i] = k;
	}
	rc = 0;
	if (wring_perm_arrangements(s) <= WRING_PERM_VISITS)
		whole_block(&v, 0, v.t);
	else
		rc = draw(&v, seed);
	if (rc)
		goto out;
	for (size_t i = 0; i < m; i++) {
		worst = fmax(worst, v.reached[i] / v.visits);
		p_adj[v.order[i]] = worst;
	}
	if (critical) {
		*critical = INFINITY;
		for (size_t bin = BINS; bin-- > 0 && (above += v.bins[bin]) <= level * v.visits * (1 + 1e-9);)
			if (v.bins[bin] > 0)
				*critical = (double)bin * widest / BINS;
	}
out:
	free(v.t);
	free(v.seen);
	free(v.order);
	free(v.reached);
	return rc;
}
