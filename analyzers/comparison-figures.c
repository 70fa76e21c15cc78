/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which figures of the runs are held against each other, and with what say. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "analyzers/comparison.h"
#include "harness/base/util.h"

#define LEAST_COUNTED_PCT 0.5

static int no_memory(struct wring_err *err)
{
	return wring_err_set(err, -ENOMEM, "comparing: out of memory");
}

int wring_versus_note(struct wring_versus_scenario *s, struct wring_err *err, const char *fmt, ...)
{
	char **rows = realloc(s->notes, (s->n_notes + 1) * sizeof(*rows)), *text = NULL;
	va_list ap;
	int n;

	if (!rows)
		return no_memory(err);
	s->notes = rows;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return no_memory(err);
	s->notes[s->n_notes++] = text;
	return 0;
}

/* A time, or something for each unit of time. */
static bool is_time(const char *unit)
{
	size_t len = strlen(unit);

	return !strcmp(unit, "s") || !strcmp(unit, "ms") || !strcmp(unit, "us") || !strcmp(unit, "ns") ||
	       (len > 2 && (!strcmp(unit + len - 2, "/s") || !strcmp(unit + len - 2, "*s")));
}

static struct wring_versus_metric *metric_of(struct wring_versus_scenario *s, const char *name, const struct wring_metric_row *row)
{
	struct wring_versus_metric *m;
	double *v;

	for (size_t i = 0; i < s->n_metrics; i++)
		if (!strcmp(s->metrics[i].in.name, name))
			return &s->metrics[i];
	m = realloc(s->metrics, (s->n_metrics + 1) * sizeof(*m));
	v = calloc(s->n_usable + 1, sizeof(*v));
	if (m)
		s->metrics = m;
	if (!m || !v) {
		free(v);
		return NULL;
	}
	m += s->n_metrics;
	*m = (struct wring_versus_metric){ .in = { .name = strdup(name), .unit = strdup(row ? row->unit : "runs"), .v = v,
		.better = strdup(row ? row->better : "lower"), .tier = strdup(row ? row->tier : "primary") }, .is_failure = !row };
	for (size_t i = 0; i < s->n_usable; i++)
		v[i] = row ? NAN : 0;
	s->n_metrics++;
	return m->in.name && m->in.unit && m->in.better && m->in.tier ? m : NULL;
}

void wring_versus_metric_done(struct wring_versus_metric *m)
{
	free((char *)m->in.name);
	free((char *)m->in.unit);
	free((char *)m->in.better);
	free((char *)m->in.tier);
	free((double *)m->in.v);
}

static int add_figures(struct wring_store *st, struct wring_versus_scenario *s, size_t i, struct wring_err *err)
{
	struct wring_metrics m = { 0 };
	struct wring_findings f = { 0 };
	int r = wring_store_metrics(st, s->runs[i].row.id, &m, err);

	if (!r)
		r = wring_store_findings(st, s->runs[i].row.id, &f, err);
	for (size_t k = 0; k < m.n && !r; k++) {
		struct wring_versus_metric *x = metric_of(s, m.rows[k].name, &m.rows[k]);

		if (x)
			((double *)x->in.v)[i] = m.rows[k].value;
		else
			r = no_memory(err);
	}
	/* An invariant that fails in some runs is a figure like any other: how often it may differ by chance is the same question. */
	for (size_t k = 0; k < f.n && !r; k++) {
		_cleanup_free_ char *name = strcmp(f.rows[k].verdict, "fail") ? NULL : wring_strf("fails:%s/%s", f.rows[k].detector, f.rows[k].class);
		struct wring_versus_metric *x = name ? metric_of(s, name, NULL) : NULL;

		if (x)
			((double *)x->in.v)[i] = 1;
		else if (name)
			r = no_memory(err);
	}
	wring_metrics_done(&m);
	wring_findings_done(&f);
	return r;
}

/* A failure of all runs says nothing about the difference. */
static int settle_failures(const struct wring_versus *v, struct wring_versus_scenario *s, struct wring_err *err)
{
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < s->n_metrics; i++) {
		struct wring_versus_metric *m = &s->metrics[i];
		size_t fails[2] = { 0 };

		for (size_t k = 0; m->is_failure && k < s->n_usable; k++)
			fails[s->runs[k].b] += m->in.v[k] > 0;
		m->pre_existing = m->is_failure && (double)fails[1] * (double)s->n_a <= (double)fails[0] * (double)s->n_b;
		if (m->is_failure && !r && m->pre_existing)
			r = wring_versus_note(s, err, "%s: %zu of %zu runs of %s, %zu of %zu of %s: pre-existing, sets no code", m->in.name, fails[0], s->n_a,
				 v->name_a, fails[1], s->n_b, v->name_b);
		if (m->is_failure && fails[0] + fails[1] == s->n_usable)
			wring_versus_metric_done(m);
		else
			s->metrics[kept++] = *m;
	}
	s->n_metrics = kept;
	return r;
}

static int look_at_aa(struct wring_store *st, const struct wring_versus *v, struct wring_versus_scenario *s, struct wring_err *err)
{
	int r = 0;

	for (size_t i = 0; i < s->n_metrics && !r; i++) {
		struct wring_versus_metric *m = &s->metrics[i];
		struct wring_aa_pasts past;
		struct wring_aa_row *rows;

		r = wring_store_aa(st, s->name, m->in.name, v->place, v->deterministic, v->comparison, &past, err);
		rows = r ? NULL : calloc(past.n + 1, sizeof(*rows));
		for (size_t k = 0; rows && k < past.n; k++)
			rows[k] = (struct wring_aa_row){ !strcmp(past.rows[k].verdict, "regression"), !strcmp(past.rows[k].verdict, "improvement"),
							 past.rows[k].effect_pct };
		if (rows && past.n)
			m->aa = wring_aa_record(rows, past.n);
		/* A comparison that makes the record is not judged by it. */
		if (m->aa.with_effect && !v->aa)
			m->in.noise_pct = m->aa.spread_pct;
		if (!r && !rows)
			r = no_memory(err);
		free(rows);
		wring_aa_pasts_done(&past);
	}
	return r;
}

/* Under TCG time goes by as the host pleases, unless it is counted in instructions. */
static const char *why_not_judged(const struct wring_versus *v, const struct wring_versus_metric *m)
{
	if (strcmp(v->place, "tcg") || v->deterministic || v->aa || !is_time(m->in.unit))
		return NULL;
	return "it is work done by an emulator, not the speed of hardware (--deterministic counts it)";
}

static int set_work_aside(const struct wring_versus *v, struct wring_versus_scenario *s, struct wring_err *err)
{
	int r = 0;

	for (size_t i = 0; i < s->n_metrics && !r; i++) {
		struct wring_versus_metric *m = &s->metrics[i];
		const char *why = why_not_judged(v, m);

		m->is_work = why;
		if (!why || strcmp(m->in.tier, "primary"))
			continue;
		free((char *)m->in.tier);
		m->in.tier = strdup("secondary");
		r = m->in.tier ? wring_versus_note(s, err, "%s sets no code: %s", m->in.name, why) : no_memory(err);
	}
	return r;
}

/* Counted in instructions, a smaller change can be seen, and is worth it. An unaffected phase moves by up to 0.4 % when the kernel
 * image is another. */
static void set_least(const struct wring_versus *v, struct wring_versus_scenario *s)
{
	for (size_t i = 0; v->deterministic && i < s->n_metrics; i++)
		if (is_time(s->metrics[i].in.unit))
			s->metrics[i].in.min_effect_pct = LEAST_COUNTED_PCT;
}

int wring_versus_figures(struct wring_store *st, const struct wring_versus *v, struct wring_versus_scenario *s, struct wring_err *err)
{
	int r = 0;

	for (size_t i = 0; i < s->n_usable && !r; i++)
		r = add_figures(st, s, i, err);
	if (!r)
		r = settle_failures(v, s, err);
	if (!r)
		r = look_at_aa(st, v, s, err);
	if (!r)
		r = set_work_aside(v, s, err);
	set_least(v, s);
	return r;
}
