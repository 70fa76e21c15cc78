/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/comparison.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analyzers/stats/design.h"
#include "harness/api/outcome.h"
#include "harness/base/util.h"

static int no_memory(struct wring_err *err)
{
	return wring_err_set(err, -ENOMEM, "comparing: out of memory");
}

/* ---- which runs ---- */

static struct wring_versus_scenario *scenario_of(struct wring_versus *v, const char *name)
{
	struct wring_versus_scenario *rows;

	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->rows[i].name, name))
			return &v->rows[i];
	rows = realloc(v->rows, (v->n + 1) * sizeof(*rows));
	if (!rows)
		return NULL;
	v->rows = rows;
	rows[v->n] = (struct wring_versus_scenario){ .name = name };
	return &rows[v->n++];
}

/* Takes the row over. */
static int add_run(struct wring_versus *v, struct wring_run_row *row, unsigned block, bool b, struct wring_err *err)
{
	struct wring_versus_scenario *s = scenario_of(v, row->scenario);
	struct wring_versus_run *runs = s ? realloc(s->runs, (s->n_runs + 1) * sizeof(*runs)) : NULL;

	if (!runs)
		return no_memory(err);
	s->runs = runs;
	runs[s->n_runs++] = (struct wring_versus_run){ .row = *row, .block = block, .b = b };
	s->name = runs[0].row.scenario;
	memset(row, 0, sizeof(*row));
	return 0;
}

static int add_stored(struct wring_store *st, struct wring_versus *v, int64_t id, unsigned block, bool b, struct wring_err *err)
{
	struct wring_runs one = { 0 };
	char spec[24];
	int r;

	snprintf(spec, sizeof(spec), "%lld", (long long)id);
	r = wring_store_runs(st, spec, &one, err);
	if (!r)
		r = add_run(v, &one.rows[0], block, b, err);
	wring_runs_done(&one);
	return r;
}

static bool is_death(const struct wring_finding_row *f)
{
	return !strcmp(f->detector, "kernel-log") && (!strcmp(f->class, "panic") || !strcmp(f->class, "hang")) &&
	       (!strcmp(f->verdict, "fail") || !strcmp(f->verdict, "known"));
}

static int classify(struct wring_store *st, struct wring_versus_run *run, struct wring_err *err)
{
	struct wring_findings f = { 0 };
	int r = wring_store_findings(st, run->row.id, &f, err), o = wring_outcome_parse(run->row.outcome);

	for (size_t i = 0; i < f.n; i++)
		run->died = run->died || is_death(&f.rows[i]);
	run->usable = run->died || o == WRING_OK || o == WRING_FAIL || o == WRING_NOISY;
	wring_findings_done(&f);
	return r;
}

/* Usable ones first, else in order. What is left out is told. */
static int sort_runs(struct wring_versus *v, struct wring_versus_scenario *s, struct wring_err *err)
{
	struct wring_versus_run *sorted = calloc(s->n_runs + 1, sizeof(*sorted));
	size_t n = 0;
	int r = 0;

	if (!sorted)
		return no_memory(err);
	for (int usable = 1; usable >= 0; usable--)
		for (size_t i = 0; i < s->n_runs; i++)
			if (s->runs[i].usable == (bool)usable)
				sorted[n++] = s->runs[i];
	free(s->runs);
	s->runs = sorted;
	for (size_t i = 0; i < s->n_runs && !r; i++) {
		const struct wring_versus_run *x = &s->runs[i];

		if (x->usable) {
			s->n_usable++;
			*(x->b ? &s->n_b : &s->n_a) += 1;
		} else {
			r = wring_versus_note(s, err, "run %lld of %s is left out, %s: %s", (long long)x->row.id, x->b ? v->name_b : v->name_a, x->row.outcome,
				 x->row.reason);
		}
	}
	s->is_broken = !s->n_a || !s->n_b;
	return r;
}

/* ---- judging ---- */

static int judge(struct wring_versus *v, struct wring_versus_scenario *s, struct wring_err *err)
{
	struct wring_cmp_run *run = calloc(s->n_usable + 1, sizeof(*run));
	struct wring_cmp_metric *in = calloc(s->n_metrics + 1, sizeof(*in));
	struct wring_cmp_result *out = calloc(s->n_metrics + 1, sizeof(*out));
	const struct wring_cmp_opts opts = { .alpha = v->alpha, .seed = v->seed, .confidence = v->looks ? 1 - v->alpha : 0.95 };
	int r = run && in && out ? 0 : no_memory(err);

	for (size_t i = 0; i < s->n_usable && !r; i++)
		run[i] = (struct wring_cmp_run){ s->runs[i].block, s->runs[i].b, s->runs[i].died };
	for (size_t i = 0; i < s->n_metrics && !r; i++)
		in[i] = s->metrics[i].in;
	if (!r)
		r = wring_compare(run, s->n_usable, in, s->n_metrics, &opts, out, &s->total, err);
	for (size_t i = 0; i < s->n_metrics && !r; i++)
		s->metrics[i].r = out[i];
	free(run);
	free(in);
	free(out);
	return r;
}

static int rank(enum wring_cmp_verdict v)
{
	static const enum wring_cmp_verdict order[] = { WRING_CMP_REGRESSION, WRING_CMP_INCONCLUSIVE, WRING_CMP_IMPROVEMENT, WRING_CMP_SAME };
	int i = 0;

	while (i < 3 && order[i] != v)
		i++;
	return i;
}

/* Over the primary metrics, but for failures that a has as well. */
static void sum_up(struct wring_versus_scenario *s)
{
	size_t judged = 0;

	s->verdict = WRING_CMP_SAME;
	for (size_t i = 0; i < s->n_metrics; i++) {
		const struct wring_versus_metric *m = &s->metrics[i];

		if (strcmp(m->in.tier, "primary") || (m->pre_existing && m->r.verdict != WRING_CMP_REGRESSION))
			continue;
		judged++;
		if (rank(m->r.verdict) < rank(s->verdict))
			s->verdict = m->r.verdict;
	}
	if (!judged || s->is_broken)
		s->verdict = WRING_CMP_INCONCLUSIVE;
}

static int one_scenario(struct wring_store *st, struct wring_versus *v, struct wring_versus_scenario *s, struct wring_err *err)
{
	int r = 0;

	for (size_t i = 0; i < s->n_runs && !r; i++)
		r = classify(st, &s->runs[i], err);
	if (!r)
		r = sort_runs(v, s, err);
	if (!r)
		r = wring_versus_figures(st, v, s, err);
	if (!r)
		r = judge(v, s, err);
	if (!r)
		sum_up(s);
	return r;
}

/* Where the runs were made: one answer, or none. */
static const char *place_of(const struct wring_versus *v)
{
	const char *place = NULL;

	for (size_t i = 0; i < v->n; i++)
		for (size_t k = 0; k < v->rows[i].n_runs; k++) {
			const struct wring_run_row *r = &v->rows[i].runs[k].row;
			const char *own = strcmp(r->where, "vm") ? "host" : r->accel;

			if (place && strcmp(place, own))
				return !strcmp(place, "tcg") || !strcmp(own, "tcg") ? "tcg" : "";
			place = own;
		}
	return place ? place : "";
}

static int judge_all(struct wring_store *st, struct wring_versus *v, struct wring_err *err)
{
	int r = 0;

	v->place = strdup(place_of(v));
	v->alpha = wring_level(0.05, v->n ? (unsigned)v->n : 1, v->looks);
	if (!v->place)
		return no_memory(err);
	for (size_t i = 0; i < v->n && !r; i++)
		r = one_scenario(st, v, &v->rows[i], err);
	return r;
}

int wring_versus_load(struct wring_store *st, const struct wring_comparison *c, struct wring_versus *ret, struct wring_err *err)
{
	struct wring_slots slots = { 0 };
	int r = wring_store_slots(st, c->id, &slots, err);

	*ret = (struct wring_versus){ .name_a = strdup(c->name_a), .name_b = strdup(c->name_b), .about_a = strdup(c->about_a),
				      .about_b = strdup(c->about_b), .seed = (uint64_t)c->seed, .comparison = c->id, .interleaved = true,
				      .deterministic = c->deterministic, .aa = c->aa, .looks = c->looks, .planned = (size_t)c->slots };
	if (!r && !(ret->name_a && ret->name_b && ret->about_a && ret->about_b))
		r = no_memory(err);
	/* Guest time that is counted in instructions does not drift: there is nothing for blocks to take out. */
	for (size_t i = 0; i < slots.n && !r; i++)
		r = add_stored(st, ret, slots.rows[i].run, c->deterministic ? 0 : (unsigned)slots.rows[i].block, slots.rows[i].b, err);
	wring_cmp_slots_done(&slots);
	if (!r)
		r = judge_all(st, ret, err);
	if (r)
		wring_versus_done(ret);
	return r;
}

/* The comparison that all of the runs belong to, or NULL. */
static const struct wring_comparison *common(struct wring_store *st, const struct wring_comparisons *all, const struct wring_runs *a,
					     const struct wring_runs *b, struct wring_slots *ret)
{
	struct wring_err err;

	for (size_t i = all->n; i-- > 0;) {
		size_t found = 0;

		if (wring_store_slots(st, all->rows[i].id, ret, &err))
			return NULL;
		for (size_t k = 0; k < ret->n; k++) {
			const struct wring_runs *side = ret->rows[k].b ? b : a;

			for (size_t j = 0; j < side->n; j++)
				found += side->rows[j].id == ret->rows[k].run;
		}
		if (found == a->n + b->n)
			return &all->rows[i];
		wring_cmp_slots_done(ret);
	}
	return NULL;
}

static unsigned block_of(const struct wring_slots *s, int64_t run)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->rows[i].run == run)
			return (unsigned)s->rows[i].block;
	return 0;
}

static bool all_deterministic(const struct wring_runs *runs)
{
	for (size_t i = 0; i < runs->n; i++)
		if (!strstr(runs->rows[i].vm, " deterministic"))
			return false;
	return true;
}

int wring_versus_runs(struct wring_store *st, const struct wring_runs *a, const char *name_a, const struct wring_runs *b, const char *name_b,
		      struct wring_versus *ret, struct wring_err *err)
{
	const struct wring_runs *sides[] = { a, b };
	struct wring_comparisons all = { 0 };
	struct wring_slots slots = { 0 };
	const struct wring_comparison *c;
	int r = wring_store_comparisons(st, NULL, &all, err);

	c = r ? NULL : common(st, &all, a, b, &slots);
	*ret = (struct wring_versus){ .name_a = strdup(name_a), .name_b = strdup(name_b), .about_a = strdup(a->n ? a->rows[0].release : ""),
				      .about_b = strdup(b->n ? b->rows[0].release : ""), .seed = c ? (uint64_t)c->seed : 1, .interleaved = c,
				      .deterministic = all_deterministic(a) && all_deterministic(b) };
	if (!r && !(ret->name_a && ret->name_b && ret->about_a && ret->about_b))
		r = no_memory(err);
	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < sides[side]->n && !r; i++)
			r = add_stored(st, ret, sides[side]->rows[i].id, c && !c->deterministic ? block_of(&slots, sides[side]->rows[i].id) : 0,
				       side, err);
	wring_cmp_slots_done(&slots);
	wring_comparisons_done(&all);
	if (!r)
		r = judge_all(st, ret, err);
	if (r)
		wring_versus_done(ret);
	return r;
}

int wring_versus_store(struct wring_store *st, const struct wring_versus *v, bool done, struct wring_err *err)
{
	struct wring_compared_row *rows;
	size_t n = 0;
	int r;

	for (size_t i = 0; i < v->n; i++)
		n += v->rows[i].n_metrics;
	rows = calloc(n + 1, sizeof(*rows));
	if (!rows)
		return no_memory(err);
	n = 0;
	for (size_t i = 0; i < v->n; i++)
		for (size_t k = 0; k < v->rows[i].n_metrics; k++) {
			const struct wring_versus_metric *m = &v->rows[i].metrics[k];

			rows[n++] = (struct wring_compared_row){ v->rows[i].name, m->in.name, m->in.tier, wring_cmp_name(m->r.verdict),
								 isfinite(m->r.effect_pct) ? m->r.effect_pct : NAN, m->r.p_adj };
		}
	r = wring_store_judge_comparison(st, v->comparison, done, rows, n, err);
	free(rows);
	return r;
}

static void scenario_done(struct wring_versus_scenario *s)
{
	for (size_t i = 0; i < s->n_metrics; i++)
		wring_versus_metric_done(&s->metrics[i]);
	for (size_t i = 0; i < s->n_notes; i++)
		free(s->notes[i]);
	for (size_t i = 0; i < s->n_runs; i++) {
		struct wring_run_row *row = malloc(sizeof(*row));
		struct wring_runs one = { row, 1 };

		if (!row)
			continue;
		*row = s->runs[i].row;
		wring_runs_done(&one);
	}
	free(s->metrics);
	free(s->notes);
	free(s->runs);
}

void wring_versus_done(struct wring_versus *v)
{
	char *const texts[] = { v->name_a, v->name_b, v->about_a, v->about_b, v->place };

	for (size_t i = 0; i < v->n; i++)
		scenario_done(&v->rows[i]);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(texts); i++)
		free(texts[i]);
	free(v->rows);
	*v = (struct wring_versus){ 0 };
}

enum wring_cmp_verdict wring_versus_verdict(const struct wring_versus *v)
{
	enum wring_cmp_verdict all = WRING_CMP_SAME;

	for (size_t i = 0; i < v->n; i++)
		if (rank(v->rows[i].verdict) < rank(all))
			all = v->rows[i].verdict;
	return v->n ? all : WRING_CMP_INCONCLUSIVE;
}

int wring_versus_exit(const struct wring_versus *v)
{
	enum wring_cmp_verdict all = wring_versus_verdict(v);

	if (all == WRING_CMP_REGRESSION)
		return WRING_EXIT_FAIL;
	for (size_t i = 0; i < v->n; i++)
		if (v->rows[i].is_broken)
			return WRING_EXIT_BROKEN;
	return all == WRING_CMP_INCONCLUSIVE ? WRING_EXIT_INCONCLUSIVE : WRING_EXIT_OK;
}
