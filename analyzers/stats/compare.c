/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/stats/compare.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/stats/design.h"
#include "analyzers/stats/order.h"
#include "analyzers/stats/perm.h"
#include "analyzers/stats/rates.h"

/* The runs that one metric is judged by, block after block. */
struct sample {
	size_t n, run[WRING_PERM_MAX];
	unsigned block[WRING_PERM_MAX];
	bool b[WRING_PERM_MAX];
	double v[WRING_PERM_MAX];	/* logarithms, if `ratio` */
	bool ratio, constant;
	double range;			/* of the finite figures themselves */
	size_t missing_a, missing_b;
	struct wring_perm perm;
	struct wring_shift shift;
};

const char *wring_cmp_name(enum wring_cmp_verdict v)
{
	static const char *const name[] = { "inconclusive", "same", "improvement", "regression", "info" };

	return name[v];
}

static void __attribute__((format(printf, 2, 3))) say(struct wring_cmp_result *r, const char *fmt, ...)
{
	size_t used = strlen(r->reason);
	va_list ap;

	if (used)
		used += (size_t)snprintf(r->reason + used, sizeof(r->reason) - used, "; ");
	if (used >= sizeof(r->reason))
		return;
	va_start(ap, fmt);
	vsnprintf(r->reason + used, sizeof(r->reason) - used, fmt, ap);
	va_end(ap);
}

/* A block that lacks an arm says nothing about the difference. What is left of an interrupted block does: given how
 * many of its runs were of each arm, every order of them was as likely as any other. */
static void drop_one_armed(struct sample *s)
{
	size_t kept = 0;

	for (size_t i = 0, end; i < s->n; i = end) {
		size_t b = 0;

		for (end = i; end < s->n && s->block[end] == s->block[i]; end++)
			b += s->b[end];
		if (!b || b == end - i)
			continue;
		for (size_t j = i; j < end; j++, kept++) {
			s->run[kept] = s->run[j];
			s->block[kept] = s->block[j];
			s->b[kept] = s->b[j];
			s->v[kept] = s->v[j];
		}
	}
	s->n = kept;
}

static void sort_by_block(struct sample *s, const struct wring_cmp_run *run, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		size_t i = s->n++;

		for (; i > 0 && run[s->run[i - 1]].block > run[k].block; i--)
			s->run[i] = s->run[i - 1];
		s->run[i] = k;
	}
	for (size_t i = 0; i < n; i++) {
		s->block[i] = run[s->run[i]].block;
		s->b[i] = run[s->run[i]].b;
		s->v[i] = 0;
	}
	drop_one_armed(s);
}

static void take(struct sample *s, const struct sample *all, const struct wring_cmp_run *run,
		 const struct wring_cmp_metric *m, struct wring_cmp_result *r)
{
	double v[2][WRING_PERM_MAX], low = INFINITY, high = -INFINITY;
	bool positive = true, zero = false;

	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < all->n; i++) {
		const struct wring_cmp_run *from = &run[all->run[i]];
		double x = m->v[all->run[i]];

		if (from->died && *m->better)
			x = strcmp(m->better, "higher") ? INFINITY : -INFINITY;
		if (isnan(x)) {
			*(from->b ? &s->missing_b : &s->missing_a) += 1;
			continue;
		}
		s->run[s->n] = all->run[i];
		s->block[s->n] = from->block;
		s->b[s->n] = from->b;
		s->v[s->n++] = x;
	}
	drop_one_armed(s);
	for (size_t i = 0; i < s->n; i++) {
		v[s->b[i]][s->b[i] ? r->n_b++ : r->n_a++] = s->v[i];
		if (!isfinite(s->v[i])) {
			*(s->b[i] ? &r->died_b : &r->died_a) += 1;
			continue;
		}
		low = fmin(low, s->v[i]);
		high = fmax(high, s->v[i]);
		positive = positive && s->v[i] > 0;
		zero = zero || s->v[i] == 0;
	}
	s->range = high >= low ? high - low : 0;
	s->constant = !(s->range > 0) && !r->died_a && !r->died_b;
	s->ratio = positive;
	r->zeros = zero && s->range > 0;
	r->median_a = r->n_a ? wring_median(v[0], r->n_a) : NAN;
	r->median_b = r->n_b ? wring_median(v[1], r->n_b) : NAN;
	for (size_t i = 0; i < s->n; i++)
		if (s->ratio && isfinite(s->v[i]))
			s->v[i] = log(s->v[i]);
}

/* A shift of the sample as a percentage of a, and in the metric's unit. */
static double percent(const struct sample *s, const struct wring_cmp_result *r, double d)
{
	if (s->ratio)
		return 100 * expm1(d);
	return isfinite(r->median_a) && r->median_a ? 100 * d / fabs(r->median_a) : NAN;
}

static double units(const struct sample *s, const struct wring_cmp_result *r, double d)
{
	if (!s->ratio || !isfinite(r->median_a))
		return s->ratio ? NAN : d;
	return r->median_a * expm1(d);
}

static bool matters(const struct sample *s, const struct wring_cmp_metric *m, const struct wring_cmp_result *r, double d)
{
	double pct = percent(s, r, d), diff = units(s, r, d);

	return d && !(fabs(pct) < r->min_pct) && !(fabs(diff) < m->min_abs);
}

double wring_cmp_least(const char *name, const char *unit)
{
	size_t len = strlen(unit);
	bool time = !strcmp(unit, "s") || !strcmp(unit, "ms") || !strcmp(unit, "us") || !strcmp(unit, "ns");
	bool rate = len > 2 && !strcmp(unit + len - 2, "/s");

	return (time || rate) && !strstr(name, "p99") ? 3 : 10;
}

static double least_that_matters(const struct wring_cmp_metric *m)
{
	return fmax(m->min_effect_pct > 0 ? m->min_effect_pct : wring_cmp_least(m->name, m->unit), 2 * m->noise_pct);
}

/* Two groups of at least a fifth of ten or more runs, with a hole between them that is wider than either, and neither the
 * kernel nor the block decides which one a run falls into. (Ashman's D after the best cut, which is what one finds in
 * books, also calls one normal distribution two.) */
static void look_for_modes(const struct sample *s, struct wring_cmp_result *r)
{
	double sorted[WRING_PERM_MAX], hole = 0, cut = 0;
	size_t n = 0, at = 0, high[2] = { 0 }, split = 0;

	for (size_t i = 0; i < s->n; i++)
		if (isfinite(s->v[i]))
			sorted[n++] = s->v[i];
	if (n < 10)
		return;
	wring_sort(sorted, n);
	for (size_t i = (n + 4) / 5; i + (n + 4) / 5 <= n; i++) {
		if (sorted[i] - sorted[i - 1] > hole) {
			hole = sorted[i] - sorted[i - 1];
			at = i;
			cut = sorted[i];
		}
	}
	if (!at || hole <= sorted[at - 1] - sorted[0] || hole <= sorted[n - 1] - sorted[at])
		return;
	for (size_t i = 0; i < s->n; i++) {
		high[s->b[i]] += s->v[i] >= cut;
		for (size_t j = i + 1; j < s->n && s->block[j] == s->block[i]; j++)
			split += s->b[i] == s->b[j] && (s->v[i] >= cut) != (s->v[j] >= cut);
	}
	if (!split)
		return;
	r->two_modes = true;
	say(r, "two modes: the higher one in %zu of %zu runs of a, %zu of %zu of b (Fisher p %.2g)", high[0], r->n_a, high[1],
	    r->n_b, wring_fisher((unsigned)high[0], (unsigned)r->n_a, (unsigned)high[1], (unsigned)r->n_b));
}

static void describe(const struct sample *s, struct wring_cmp_result *r)
{
	unsigned zero[2] = { 0 };

	if (r->died_a || r->died_b)
		say(r, "died: %zu of %zu runs of a, %zu of %zu of b", r->died_a, r->n_a, r->died_b, r->n_b);
	if (s->missing_a || s->missing_b)
		say(r, "without a value: %zu runs of a, %zu of b", s->missing_a, s->missing_b);
	if (r->zeros) {
		for (size_t i = 0; i < s->n; i++)
			zero[s->b[i]] += s->v[i] == 0;
		say(r, "%s0 in %u of %zu runs of a, %u of %zu of b (Fisher p %.2g)",
		    zero[0] == r->n_a ? "new: " : zero[1] == r->n_b ? "gone: " : "", zero[0], r->n_a, zero[1], r->n_b,
		    wring_fisher(zero[0], (unsigned)r->n_a, zero[1], (unsigned)r->n_b));
	} else {
		look_for_modes(s, r);
	}
}

static void estimate(struct sample *s, const struct wring_cmp_metric *m, const struct wring_cmp_opts *o, struct wring_cmp_result *r)
{
	s->perm = (struct wring_perm){ s->n, s->block, s->b, s->v, o->mirrored };
	r->min_pct = least_that_matters(m);
	r->effect_pct = r->ci_lo = r->ci_hi = r->diff = r->diff_lo = r->diff_hi = r->mde_pct = NAN;
	r->p = r->p_adj = r->p_floor = 1;
	if (!s->n)
		return;
	r->p_floor = wring_perm_floor(&s->perm);
	if (s->constant) {
		double width = r->p_floor <= 1 - o->confidence + 1e-12 ? 0 : INFINITY;

		s->shift = (struct wring_shift){ 0, -width, width };
	} else {
		s->shift = wring_perm_shift(&s->perm, o->confidence);
		r->p = r->p_adj = wring_perm_p(&s->perm, 0, 0);
	}
	r->effect_pct = percent(s, r, s->shift.estimate);
	r->ci_lo = percent(s, r, s->shift.lower);
	r->ci_hi = percent(s, r, s->shift.upper);
	r->diff = units(s, r, s->shift.estimate);
	r->diff_lo = units(s, r, s->shift.lower);
	r->diff_hi = units(s, r, s->shift.upper);
}

static void too_few(const struct sample *s, const struct wring_cmp_opts *o, double level, struct wring_cmp_result *r)
{
	size_t blocks = 0;
	bool fours = true;

	for (size_t i = 0, end; i < s->n; i = end, blocks++) {
		for (end = i; end < s->n && s->block[end] == s->block[i]; end++)
			;
		fours = fours && end - i == WRING_BLOCK;
	}
	if (fours)
		say(r, "%zu block%s cannot reach %.2g %%: the least p is %.2g; %u blocks can", blocks, blocks == 1 ? "" : "s",
		    100 * level, r->p_floor, wring_blocks_needed(level, o->mirrored));
	else
		say(r, "%zu runs of a and %zu of b cannot reach %.2g %%: the least p is %.2g; more runs can", r->n_a, r->n_b,
		    100 * level, r->p_floor);
}

/* level: what p_adj is held against; alone: what p would have to be for that. */
static void judge(const struct sample *s, const struct wring_cmp_metric *m, const struct wring_cmp_opts *o, double level,
		  double alone, struct wring_cmp_result *r)
{
	int worse = !strcmp(m->better, "lower") ? 1 : !strcmp(m->better, "higher") ? -1 : 0;
	double d = s->shift.estimate, mde;
	bool reach = r->p_floor <= level * (1 + 1e-9), found = r->p_adj <= level * (1 + 1e-9);
	bool deaths = r->died_a != r->died_b, outside = s->shift.lower > 0 || s->shift.upper < 0;
	int sign = s->n && wring_perm_z(&s->perm, 0) > 0 ? 1 : -1;

	r->verdict = WRING_CMP_INCONCLUSIVE;
	if (!s->n) {
		say(r, "no value in %s", s->missing_a > s->missing_b ? "kernel a" : s->missing_b > s->missing_a ? "kernel b" : "any block with both kernels");
		return;
	}
	mde = s->constant ? (reach ? 0 : INFINITY) : wring_perm_mde(&s->perm, worse ? worse : 1, alone, o->power, o->draws, o->seed);
	mde *= worse ? worse : 1;
	r->mde_pct = mde ? fabs(percent(s, r, mde)) : 0;
	describe(s, r);
	if (found && worse && (deaths || (outside && matters(s, m, r, d)))) {
		r->verdict = sign == worse ? WRING_CMP_REGRESSION : WRING_CMP_IMPROVEMENT;
		if (isfinite(r->effect_pct))
			say(r, "%+.3g %%, at least %.3g %% matter; p %.2g", r->effect_pct, r->min_pct, r->p_adj);
		else
			say(r, "%s, p %.2g", sign == worse ? "worse" : "better", r->p_adj);
		return;
	}
	if (!reach) {
		too_few(s, o, level, r);
		return;
	}
	if (!matters(s, m, r, s->shift.lower) && !matters(s, m, r, s->shift.upper) && !matters(s, m, r, mde) &&
	    !r->died_a && !r->died_b && s->missing_a == s->missing_b &&
	    (!(r->two_modes || r->zeros) || s->range < fmax(m->min_abs, r->min_pct / 100 * fabs(r->median_a)))) {
		r->verdict = WRING_CMP_SAME;
		if (s->constant)
			say(r, "the same figure in all %zu runs; what happens in fewer than %.2g %% of runs would not show",
			    s->n, 100 * wring_binomial_interval(0, (unsigned)r->n_b, 0.9).upper);
		else if (isfinite(r->mde_pct))
			say(r, "within %.3g %%, and a change of %.3g %% would have shown", r->min_pct, r->mde_pct);
		else
			say(r, "within %.3g %s", m->min_abs, m->unit);
		return;
	}
	if (found && !worse)
		say(r, "differs, p %.2g, but neither direction is better", r->p_adj);
	else if (found)
		say(r, "differs, p %.2g, but perhaps by less than the %.3g %% that matter", r->p_adj, r->min_pct);
	else if (isinf(mde))
		say(r, "no difference found, and no shift of any size would have shown");
	else if (isnan(r->mde_pct))
		say(r, "no difference found; one of %.3g %s would have shown", fabs(mde), m->unit);
	else
		say(r, "no difference found; one of %.3g %% would have shown, %.3g %% matter", r->mde_pct, r->min_pct);
}

static void sum_up(const struct sample *all, const struct wring_cmp_metric *metric, size_t n, const struct wring_cmp_result *r,
		   const struct wring_cmp_opts *o, struct wring_cmp_total *t)
{
	struct wring_perm p = { all->n, all->block, all->b, all->v, o->mirrored };
	size_t kinds[WRING_CMP_INFO + 1] = { 0 }, largest = 0, judged = 0, first = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0, end; i < all->n; i = end) {
			for (end = i; end < all->n && all->block[end] == all->block[i]; end++)
				;
			if (pass == 0 && end - i > largest)
				largest = end - i;
			t->blocks += pass == 1;
			t->complete += pass == 1 && end - i == largest;
		}
	}
	t->p_floor = all->n ? wring_perm_floor(&p) : 1;
	for (size_t k = 0; k < n; k++) {
		if (strcmp(metric[k].tier, "primary"))
			continue;
		kinds[r[k].verdict]++;
		judged++;
	}
	t->verdict = kinds[WRING_CMP_REGRESSION] ? WRING_CMP_REGRESSION :
		     kinds[WRING_CMP_INCONCLUSIVE] || !judged ? WRING_CMP_INCONCLUSIVE :
		     kinds[WRING_CMP_IMPROVEMENT] ? WRING_CMP_IMPROVEMENT : WRING_CMP_SAME;
	while (first < n && (strcmp(metric[first].tier, "primary") || r[first].verdict != t->verdict))
		first++;
	if (!judged)
		snprintf(t->reason, sizeof(t->reason), "no primary metric");
	else
		snprintf(t->reason, sizeof(t->reason), "%s: %.*s", metric[first].name, 180, r[first].reason);
}

static struct wring_cmp_opts defaults(const struct wring_cmp_opts *o)
{
	struct wring_cmp_opts d = o ? *o : (struct wring_cmp_opts){ 0 };

	d.alpha = d.alpha > 0 ? d.alpha : 0.05;
	d.fdr = d.fdr > 0 ? d.fdr : 0.1;
	d.confidence = d.confidence > 0 ? d.confidence : 0.95;
	d.power = d.power > 0 ? d.power : 0.8;
	d.draws = d.draws ? d.draws : 100;
	return d;
}

int wring_compare(const struct wring_cmp_run *run, size_t n_runs, const struct wring_cmp_metric *metric, size_t n_metrics,
		  const struct wring_cmp_opts *opts, struct wring_cmp_result *results, struct wring_cmp_total *total,
		  struct wring_err *err)
{
	struct wring_cmp_opts o = defaults(opts);
	struct sample all = { 0 }, *s = calloc(n_metrics + 1, sizeof(*s));
	double *score = calloc(n_metrics * WRING_PERM_MAX + 1, sizeof(*score)), *p = calloc(3 * n_metrics + 1, sizeof(*p));
	double own[WRING_PERM_MAX], critical = INFINITY;
	size_t n_primary = 0, n_secondary = 0, k_primary = 0, k_secondary = 0;
	int rc = 0;

	memset(total, 0, sizeof(*total));
	memset(results, 0, n_metrics * sizeof(*results));
	if (!s || !score || !p) {
		rc = wring_err_set(err, -ENOMEM, "comparing %zu metrics: out of memory", n_metrics);
		goto out;
	}
	if (n_runs > WRING_PERM_MAX) {
		rc = wring_err_set(err, -E2BIG, "comparing %zu runs: at most %d are accepted; choose fewer", n_runs, WRING_PERM_MAX);
		goto out;
	}
	sort_by_block(&all, run, n_runs);
	total->runs = all.n;
	total->unused = n_runs - all.n;
	for (size_t k = 0; k < n_metrics; k++) {
		take(&s[k], &all, run, &metric[k], &results[k]);
		estimate(&s[k], &metric[k], &o, &results[k]);
		if (!strcmp(metric[k].tier, "secondary"))
			p[n_metrics + n_secondary++] = results[k].p;
		if (strcmp(metric[k].tier, "primary"))
			continue;
		wring_perm_scores(&s[k].perm, own);
		for (size_t i = 0, j = 0; i < s[k].n; i++) {
			while (all.run[j] != s[k].run[i])
				j++;
			score[n_primary * all.n + j] = own[i];
		}
		n_primary++;
	}
	all.perm = (struct wring_perm){ all.n, all.block, all.b, all.v, o.mirrored };
	p[0] = 0;	/* a single one has nothing to be adjusted for */
	if (n_primary > 1)
		rc = wring_westfall_young(&all.perm, score, n_primary, o.seed, o.alpha, p, &critical);
	if (rc) {
		rc = wring_err_set(err, rc, "comparing %zu metrics: out of memory", n_metrics);
		goto out;
	}
	wring_bh(p + n_metrics, n_secondary, p + 2 * n_metrics);
	for (size_t k = 0; k < n_metrics; k++) {
		struct wring_cmp_result *r = &results[k];

		if (!strcmp(metric[k].tier, "primary")) {
			double alone = n_primary == 1 ? o.alpha : s[k].n ? wring_perm_level(&s[k].perm, critical) : 0;

			/* The most extreme arrangement always counts, however much the figures seen are tied. */
			if (r->p_floor <= o.alpha)
				alone = fmax(alone, r->p_floor);
			r->p_adj = fmax(r->p, p[k_primary++]);
			judge(&s[k], &metric[k], &o, o.alpha, fmin(alone, o.alpha) * (1 + 1e-9), r);
		} else if (!strcmp(metric[k].tier, "secondary")) {
			r->p_adj = p[2 * n_metrics + k_secondary++];
			judge(&s[k], &metric[k], &o, o.fdr, o.fdr / (double)n_secondary, r);
		} else {
			r->verdict = WRING_CMP_INFO;
			describe(&s[k], r);
			say(r, "for information");
		}
	}
	sum_up(&all, metric, n_metrics, results, &o, total);
out:
	free(s);
	free(score);
	free(p);
	return rc;
}
