/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The export document; results-schema/export.schema.json describes it. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/report/format.h"
#include "analyzers/report/report.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"

#ifdef PACKAGE_VERSION
static const char version[] = PACKAGE_VERSION;
#else
static const char version[] = "0.1.0"; /* in a build without configure */
#endif

/* All that jansson is handed may be NULL for want of memory; json_*_new functions pass that on, and
 * the document as a whole is checked once. */
static json_t *text(const char *s)
{
	_cleanup_free_ char *clean = wring_text_clean(s, false);

	return clean ? json_string(clean) : NULL;
}

/* Whole numbers without a point: they are exact up to 2^53. JSON has no NaN and no infinity, and
 * the document knows no null here: 0, as wring_finding() stores it. */
static json_t *number(double v)
{
	if (!isfinite(v))
		v = 0;
	if (v == floor(v) && fabs(v) < 9007199254740992.0)
		return json_integer((json_int_t)v);
	return json_real(v);
}

static bool set(json_t *object, const char *key, json_t *value)
{
	/* takes the reference of value, also when it fails */
	return !json_object_set_new(object, key, value);
}

/* A fact's key comes from the agent, so it is cleaned like any text. */
static bool set_text(json_t *object, const char *key, const char *value)
{
	_cleanup_free_ char *clean = wring_text_clean(key, false);

	return clean && set(object, clean, text(value));
}

static json_t *kernel(const struct wring_run_row *r)
{
	json_t *o = json_object();

	if (set_text(o, "release", r->release) && set_text(o, "append", r->append) &&
	    set_text(o, "sha256", r->kernel_sha256))
		return o;
	json_decref(o);
	return NULL;
}

/* Long, or said elsewhere in the document. */
static bool is_left_out(const char *key)
{
	return !strcmp(key, "topology.xml") || !strcmp(key, "kernel.config") ||
	       !strcmp(key, "kernel.release");
}

/* The fingerprint. */
static json_t *machine(struct wring_store *st, const struct wring_run_row *r, struct wring_err *err,
		       int *error)
{
	struct wring_pairs facts = { 0 };
	json_t *o = json_object();
	bool ok;

	*error = wring_store_facts(st, r->boot, &facts, err);
	ok = !*error && set_text(o, "accel", r->accel) && set_text(o, "vm", r->vm);
	for (size_t i = 0; ok && i < facts.n; i++)
		if (!is_left_out(facts.rows[i].key))
			ok = set_text(o, facts.rows[i].key, facts.rows[i].value);
	wring_pairs_done(&facts);
	if (ok)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *metric(const struct wring_metric_row *m)
{
	json_t *o = json_object();

	if (set(o, "name", text(m->name)) && set(o, "unit", text(m->unit)) &&
	    set(o, "value", number(m->value)) && set(o, "better", text(m->better)) &&
	    set(o, "tier", text(m->tier)))
		return o;
	json_decref(o);
	return NULL;
}

static json_t *metrics(struct wring_store *st, const struct wring_run_row *r, struct wring_err *err,
		       int *error)
{
	struct wring_metrics m = { 0 };
	json_t *a = json_array();
	bool ok;

	*error = wring_store_metrics(st, r->id, &m, err);
	ok = !*error && a;
	for (size_t i = 0; ok && i < m.n; i++)
		if (isfinite(m.rows[i].value)) /* a metric without a number says nothing */
			ok = !json_array_append_new(a, metric(&m.rows[i]));
	wring_metrics_done(&m);
	if (ok)
		return a;
	json_decref(a);
	return NULL;
}

static json_t *finding(const struct wring_finding_row *f)
{
	json_t *o = json_object();
	bool ok = set(o, "detector", text(f->detector)) && set(o, "class", text(f->class)) &&
		  set(o, "verdict", text(f->verdict)) && set(o, "value", number(f->value)) &&
		  set(o, "limit", number(f->limit)) && set(o, "unit", text(f->unit)) &&
		  set(o, "evidence", text(f->evidence));

	if (ok && f->link && *f->link)
		ok = set(o, "link", text(f->link));
	if (ok)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *findings(struct wring_store *st, const struct wring_run_row *r,
			struct wring_err *err, int *error)
{
	struct wring_findings f = { 0 };
	json_t *a = json_array();
	bool ok;

	*error = wring_store_findings(st, r->id, &f, err);
	ok = !*error && a;
	for (size_t i = 0; ok && i < f.n; i++)
		ok = !json_array_append_new(a, finding(&f.rows[i]));
	wring_findings_done(&f);
	if (ok)
		return a;
	json_decref(a);
	return NULL;
}

static json_t *run(struct wring_store *st, const struct wring_run_row *r, struct wring_err *err,
		   int *error)
{
	json_t *o = json_object();
	bool ok = set(o, "id", text(r->uuid)) && set(o, "scenario", text(r->scenario)) &&
		  set(o, "label", text(r->label)) &&
		  set(o, "arm", r->arm ? text(r->arm) : json_null()) &&
		  set(o, "where", text(r->where)) && set(o, "outcome", text(r->outcome)) &&
		  set(o, "reason", text(r->reason)) && set(o, "kernel", kernel(r)) &&
		  set(o, "machine", machine(st, r, err, error)) &&
		  set(o, "started", text(r->started)) &&
		  set(o, "duration_s", number(r->duration_s)) &&
		  set(o, "seed", json_integer(r->seed)) &&
		  set(o, "metrics", metrics(st, r, err, error)) &&
		  set(o, "findings", findings(st, r, err, error));

	if (ok)
		return o;
	json_decref(o);
	return NULL;
}

/* ---- comparisons ---- */

/* What has no number, or an infinite one, is null here. */
static json_t *number_or_null(double v)
{
	return isfinite(v) ? number(v) : json_null();
}

static json_t *figures(const struct wring_versus_scenario *s, const struct wring_versus_metric *m, bool b)
{
	json_t *a = json_array();

	for (size_t i = 0; a && i < s->n_usable; i++)
		if (s->runs[i].b == b && json_array_append_new(a, number_or_null(s->runs[i].died ? NAN : m->in.v[i]))) {
			json_decref(a);
			a = NULL;
		}
	return a;
}

static json_t *compared(const struct wring_versus_scenario *s, const struct wring_versus_metric *m)
{
	json_t *o = json_object(), *ci = json_array();
	bool ok = ci && !json_array_append_new(ci, number_or_null(m->r.ci_lo)) && !json_array_append_new(ci, number_or_null(m->r.ci_hi)) &&
		  set(o, "name", text(m->in.name)) && set(o, "unit", text(m->in.unit)) && set(o, "tier", text(m->in.tier)) &&
		  set(o, "a", figures(s, m, false)) && set(o, "b", figures(s, m, true)) &&
		  set(o, "effect_pct", number_or_null(m->r.effect_pct)) && set(o, "ci_pct", json_incref(ci)) &&
		  set(o, "p", number_or_null(m->r.p)) && set(o, "p_adj", number_or_null(m->r.p_adj)) &&
		  set(o, "mde_pct", number_or_null(m->r.mde_pct)) && set(o, "verdict", text(wring_cmp_name(m->r.verdict))) &&
		  set(o, "reason", text(m->r.reason));

	json_decref(ci);
	if (ok)
		return o;
	json_decref(o);
	return NULL;
}

static bool add_comparison(json_t *list, const struct wring_versus *v, const struct wring_versus_scenario *s)
{
	json_t *o = json_object(), *m = json_array();
	bool ok = o && m;

	/* A metric for information is not compared: its values are with the runs. */
	for (size_t i = 0; i < s->n_metrics && ok; i++)
		ok = !strcmp(s->metrics[i].in.tier, "info") || !json_array_append_new(m, compared(s, &s->metrics[i]));
	ok = ok && set(o, "scenario", text(s->name)) && set(o, "a", text(v->name_a)) && set(o, "b", text(v->name_b)) &&
	     set(o, "blocks", json_integer(v->interleaved ? (json_int_t)s->total.blocks : 0)) && set(o, "seed", json_integer((json_int_t)v->seed)) &&
	     set(o, "interleaved", json_boolean(v->interleaved)) && set(o, "deterministic", json_boolean(v->deterministic)) &&
	     set(o, "aa", json_boolean(v->aa)) && set(o, "metrics", json_incref(m)) && set(o, "verdict", text(wring_cmp_name(s->verdict)));
	json_decref(m);
	if (ok)
		return !json_array_append_new(list, o);
	json_decref(o);
	return false;
}

static bool has_any(const struct wring_slots *s, const struct wring_runs *runs)
{
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < runs->n; k++)
			if (runs->rows[k].id == s->rows[i].run)
				return true;
	return false;
}

static json_t *comparisons(struct wring_store *st, const struct wring_runs *runs, const struct wring_versus *given, struct wring_err *err, int *error)
{
	struct wring_comparisons all = { 0 };
	json_t *list = json_array();
	bool ok = list;

	for (size_t i = 0; given && ok && i < given->n; i++)
		ok = add_comparison(list, given, &given->rows[i]);
	if (!given)
		*error = wring_store_comparisons(st, NULL, &all, err);
	for (size_t i = 0; i < all.n && ok && !*error; i++) {
		struct wring_slots slots = { 0 };
		struct wring_versus v = { 0 };

		*error = wring_store_slots(st, all.rows[i].id, &slots, err);
		if (!*error && has_any(&slots, runs))
			*error = wring_versus_load(st, &all.rows[i], &v, err);
		for (size_t k = 0; k < v.n && ok && !*error; k++)
			ok = add_comparison(list, &v, &v.rows[k]);
		wring_versus_done(&v);
		wring_cmp_slots_done(&slots);
	}
	wring_comparisons_done(&all);
	if (ok && !*error)
		return list;
	json_decref(list);
	return NULL;
}

int wring_export_json(struct wring_store *st, const struct wring_runs *list, const struct wring_versus *v, FILE *out, struct wring_err *err)
{
	json_t *doc = json_object(), *runs = json_array();
	bool ok = set(doc, "schema", json_integer(1)) && set(doc, "wring", json_string(version));
	int r = 0;

	for (size_t i = 0; ok && i < list->n; i++)
		ok = !json_array_append_new(runs, run(st, &list->rows[i], err, &r));
	if (ok)
		ok = set(doc, "runs", json_incref(runs)) && set(doc, "comparisons", comparisons(st, list, v, err, &r));
	if (!ok && !r)
		r = wring_err_set(err, -ENOMEM, "export: out of memory");
	/* 15 digits: 0.1 stays 0.1 */
	if (!r && (json_dumpf(doc, out, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) ||
		   fputc('\n', out) == EOF || fflush(out)))
		r = wring_err_set(err, -EIO, "export: writing failed: %s", strerror(errno));
	json_decref(runs);
	json_decref(doc);
	return r;
}

static int write_json(struct wring_store *st, const struct wring_runs *runs, const struct wring_format_options *o, FILE *out,
		      struct wring_err *err)
{
	(void)o;
	return wring_export_json(st, runs, NULL, out, err);
}

static const struct wring_format json = {
	.name = "json", .summary = "the export document (results-schema/export.schema.json)", .use = WRING_FOR_EXPORT, .write = write_json,
};
WRING_REGISTER_FORMAT(json);
