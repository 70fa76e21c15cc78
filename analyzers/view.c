/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/view.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "harness/base/units.h"
#include "harness/base/util.h"

struct wring_view_series {
	char *sampler, *subject, *key;
	struct wring_series s; /* n == 0: the run has none */
};

static void keep_error(struct wring_results *r, int code, const struct wring_err *err)
{
	if (r->error)
		return;
	r->error = code;
	if (err)
		r->err = *err;
	else
		wring_err_set(&r->err, code, "out of memory while judging");
}

static int64_t fact_number(struct wring_store *st, int64_t boot, const char *key, int64_t def)
{
	_cleanup_free_ char *s = wring_store_get_fact(st, boot, key);
	uint64_t n;

	if (!s || wring_parse_u64(s, 1, 1 << 30, &n, NULL))
		return def;
	return (int64_t)n;
}

int wring_view_init(struct wring_view *v, struct wring_store *st, const struct wring_run_row *row,
		    const struct wring_scenario *scenario, struct wring_err *err)
{
	struct wring_results *r = calloc(1, sizeof(*r));

	if (!r)
		return wring_err_set(err, -ENOMEM, "out of memory while judging");
	*v = (struct wring_view){
		.store = st, .run = row->id, .boot = row->boot, .row = row, .scenario = scenario,
		.page_size = fact_number(st, row->boot, "page.size", 4096),
		.ncpu = fact_number(st, row->boot, "cpu.online", 1), .results = r,
	};
	return 0;
}

static void free_metric(struct wring_metric_row *m)
{
	free((char *)m->name);
	free((char *)m->unit);
	free((char *)m->better);
	free((char *)m->tier);
}

static void free_finding(struct wring_finding_row *f)
{
	free((char *)f->detector);
	free((char *)f->class);
	free((char *)f->unit);
	free((char *)f->evidence);
	free((char *)f->link);
}

static void free_rows(struct wring_results *r)
{
	for (size_t i = 0; i < r->n_metrics; i++)
		free_metric(&r->metrics[i]);
	for (size_t i = 0; i < r->n_findings; i++)
		free_finding(&r->findings[i]);
	free(r->metrics);
	free(r->findings);
}

static void free_series(struct wring_view_series *c)
{
	if (!c)
		return;
	free(c->sampler);
	free(c->subject);
	free(c->key);
	wring_series_done(&c->s);
	free(c);
}

void wring_view_done(struct wring_view *v)
{
	struct wring_results *r = v->results;

	if (!r)
		return;
	free_rows(r);
	for (size_t i = 0; i < r->n_series; i++)
		free_series(r->series[i]);
	free(r->series);
	wring_events_done(&r->events);
	wring_log_done(&r->log);
	wring_sources_done(&r->sources);
	free(r);
	v->results = NULL;
}

/* ---- results ---- */

/* Room for one row more; NULL when memory is exhausted. */
static void *grow(void *rows, size_t n, size_t size)
{
	/* powers of two: no capacity to keep */
	if (n & (n - 1))
		return rows;
	return reallocarray(rows, n ? 2 * n : 1, size);
}

void wring_finding(struct wring_view *v, const char *detector, const char *cls, enum wring_verdict verdict, double value, double limit,
		   const char *unit, const char *evidence, ...)
{
	struct wring_results *r = v->results;
	struct wring_finding_row *rows = grow(r->findings, r->n_findings, sizeof(*rows));
	struct wring_finding_row f = { .verdict = wring_verdict_name(verdict) };
	char *text = NULL;
	va_list ap;

	va_start(ap, evidence);
	if (vasprintf(&text, evidence, ap) < 0)
		text = NULL;
	va_end(ap);
	if (rows)
		r->findings = rows;
	f.detector = strdup(detector);
	f.class = strdup(cls);
	/* the store and the export document know finite numbers only */
	f.value = isfinite(value) ? value : 0;
	f.limit = isfinite(limit) ? limit : 0;
	f.unit = strdup(unit);
	f.evidence = text;
	f.link = strdup("");
	if (rows && f.detector && f.class && f.unit && f.evidence && f.link) {
		r->findings[r->n_findings++] = f;
		return;
	}
	free_finding(&f);
	keep_error(r, -ENOMEM, NULL);
}

/* The scenario says what is primary; where it says nothing, the detector does. */
static const char *tier_of(const struct wring_scenario *s, const char *name, const char *def)
{
	if (!s || !s->n_primary)
		return def;
	for (size_t i = 0; i < s->n_primary; i++)
		if (!strcmp(s->primary[i], name))
			return "primary";
	return strcmp(def, "primary") ? def : "secondary";
}

void wring_metric(struct wring_view *v, const char *name, const char *unit, double value, const char *better, const char *tier)
{
	struct wring_results *r = v->results;
	struct wring_metric_row *rows, m;

	if (!isfinite(value))
		return;
	rows = grow(r->metrics, r->n_metrics, sizeof(*rows));
	if (rows)
		r->metrics = rows;
	m = (struct wring_metric_row){
		.name = strdup(name),
		.unit = strdup(unit),
		.value = value,
		.better = strdup(better),
		.tier = strdup(tier_of(v->scenario, name, tier)),
	};
	if (rows && m.name && m.unit && m.better && m.tier) {
		r->metrics[r->n_metrics++] = m;
		return;
	}
	free_metric(&m);
	keep_error(r, -ENOMEM, NULL);
}

void wring_view_keep_failures(struct wring_view *v, size_t finding, size_t metric)
{
	struct wring_results *r = v->results;
	size_t n = finding;

	for (size_t i = finding; i < r->n_findings; i++) {
		if (strcmp(r->findings[i].verdict, wring_verdict_name(WRING_V_FAIL)))
			free_finding(&r->findings[i]);
		else
			r->findings[n++] = r->findings[i];
	}
	r->n_findings = n;
	while (r->n_metrics > metric)
		free_metric(&r->metrics[--r->n_metrics]);
}

/* ---- cached reads ---- */

const struct wring_events *wring_view_events(struct wring_view *v)
{
	struct wring_results *r = v->results;
	struct wring_err err = { 0 };
	int e;

	if (!r->has_events) {
		r->has_events = true;
		e = wring_store_events(v->store, v->run, NULL, NULL, &r->events, &err);
		if (e && e != -ENOENT)
			keep_error(r, e, &err);
	}
	return &r->events;
}

const struct wring_log *wring_view_log(struct wring_view *v)
{
	struct wring_results *r = v->results;
	struct wring_err err = { 0 };
	int e;

	if (!r->has_log) {
		r->has_log = true;
		e = wring_store_get_log(v->store, v->run, &r->log, &err);
		if (e && e != -ENOENT)
			keep_error(r, e, &err);
	}
	return &r->log;
}

const struct wring_sources *wring_view_sources(struct wring_view *v)
{
	struct wring_results *r = v->results;
	struct wring_err err = { 0 };
	int e;

	if (!r->has_sources) {
		r->has_sources = true;
		e = wring_store_sources(v->store, v->run, &r->sources, &err);
		if (e && e != -ENOENT)
			keep_error(r, e, &err);
	}
	return &r->sources;
}

static struct wring_view_series *read_series(struct wring_view *v, const char *sampler, const char *subject, const char *key)
{
	struct wring_results *r = v->results;
	struct wring_view_series **rows = grow(r->series, r->n_series, sizeof(*rows));
	struct wring_view_series *c = calloc(1, sizeof(*c));
	struct wring_err err = { 0 };
	int e;

	if (rows)
		r->series = rows;
	if (c)
		*c = (struct wring_view_series){
			.sampler = strdup(sampler), .subject = strdup(subject), .key = strdup(key),
		};
	if (!rows || !c || !c->sampler || !c->subject || !c->key) {
		free_series(c);
		keep_error(r, -ENOMEM, NULL);
		return NULL;
	}
	/* callers keep pointers to it while more are read */
	r->series[r->n_series++] = c;
	e = wring_store_series(v->store, v->run, sampler, subject, key, &c->s, &err);
	if (e) {
		c->s = (struct wring_series){ 0 };
		if (e != -ENOENT)
			keep_error(r, e, &err);
	}
	return c;
}

const struct wring_series *wring_view_series(struct wring_view *v, const char *sampler, const char *subject, const char *key)
{
	const struct wring_results *r = v->results;
	struct wring_view_series *c = NULL;

	for (size_t i = 0; i < r->n_series && !c; i++) {
		struct wring_view_series *o = r->series[i];

		if (!strcmp(o->key, key) && !strcmp(o->sampler, sampler) && !strcmp(o->subject, subject))
			c = o;
	}
	if (!c)
		c = read_series(v, sampler, subject, key);
	return c && c->s.n ? &c->s : NULL;
}

bool wring_view_has(struct wring_view *v, const char *sampler, const char *subject)
{
	const struct wring_sources *s = wring_view_sources(v);

	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->rows[i].sampler, sampler) && !strcmp(s->rows[i].subject, subject))
			return true;
	return false;
}

bool wring_view_has_event(struct wring_view *v, const char *kind, const char *subject)
{
	int64_t t;

	return !wring_view_event_time(v, kind, subject, 0, &t);
}

/* ---- values at times ---- */

size_t wring_series_find(const struct wring_series *s, int64_t t_ns)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->t_ns[mid] < t_ns)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int64_t wring_series_max(const struct wring_series *s, int64_t from, int64_t to, int64_t def)
{
	bool any = false;
	int64_t max = def;

	for (size_t i = wring_series_find(s, from); i < s->n && s->t_ns[i] <= to; i++) {
		if (!any || s->v[i] > max)
			max = s->v[i];
		any = true;
	}
	return max;
}

int wring_view_at(struct wring_view *v, const char *sampler, const char *subject, const char *key,
		  int64_t t_ns, int64_t *ret)
{
	const struct wring_series *s = wring_view_series(v, sampler, subject, key);
	size_t i;

	if (!s || (i = wring_series_find(s, t_ns)) == s->n)
		return -ENOENT;
	*ret = s->v[i];
	return 0;
}

int wring_view_max(struct wring_view *v, const char *sampler, const char *subject, const char *key,
		   int64_t from, int64_t to, int64_t *ret)
{
	const struct wring_series *s = wring_view_series(v, sampler, subject, key);
	size_t i;

	if (!s || (i = wring_series_find(s, from)) == s->n || s->t_ns[i] > to)
		return -ENOENT;
	*ret = wring_series_max(s, from, to, s->v[i]);
	return 0;
}

int wring_view_event_time(struct wring_view *v, const char *kind, const char *subject, size_t nth,
			  int64_t *ret_t_ns)
{
	const struct wring_events *e = wring_view_events(v);

	for (size_t i = 0; i < e->n; i++) {
		if (strcmp(e->rows[i].kind, kind) || strcmp(e->rows[i].subject, subject))
			continue;
		if (nth--)
			continue;
		*ret_t_ns = e->rows[i].t_ns;
		return 0;
	}
	return -ENOENT;
}

int wring_view_last_mark(struct wring_view *v, const char *name, int64_t *ret_t_ns)
{
	size_t n = 0;

	while (!wring_view_event_time(v, "mark", name, n, ret_t_ns))
		n++;
	return n ? 0 : -ENOENT;
}

int wring_view_at_mark(struct wring_view *v, const char *sampler, const char *subject,
		       const char *key, int64_t t_mark, int64_t *ret)
{
	const struct wring_series *s = wring_view_series(v, sampler, subject, key);
	const struct wring_events *e = wring_view_events(v);
	int64_t until = INT64_MAX;
	size_t i;

	if (!s || (i = wring_series_find(s, t_mark)) == s->n)
		return -ENOENT;
	for (size_t k = 0; k < e->n && until == INT64_MAX; k++)
		if (e->rows[k].t_ns > t_mark && !strcmp(e->rows[k].kind, "mark"))
			until = e->rows[k].t_ns;
	if (s->t_ns[i] >= until)
		return -ENOENT;
	*ret = s->v[i];
	return 0;
}

void wring_view_span(struct wring_view *v, int64_t *ret_from, int64_t *ret_to)
{
	const struct wring_events *e = wring_view_events(v);

	*ret_from = e->n ? e->rows[0].t_ns : INT64_MIN;
	*ret_to = e->n ? e->rows[e->n - 1].t_ns : INT64_MAX;
}

/* ---- texts, limits, groups ---- */

bool wring_text_i64(const char *text, const char *key, int64_t *ret)
{
	size_t len = strlen(key);
	const char *p = text;
	char *end;

	while ((p = strstr(p, key))) {
		if ((p == text || p[-1] == ' ') && p[len] == '=') {
			errno = 0;
			*ret = strtoll(p + len + 1, &end, 10);
			return end != p + len + 1 && !errno;
		}
		p += len;
	}
	return false;
}

int64_t wring_view_limit(struct wring_view *v, const char *name, int64_t def)
{
	const char *s = v->scenario ? wring_setting_get(&v->scenario->limits, name) : NULL;
	uint64_t n;

	if (!s || wring_parse_size(s, &n, NULL) || n > INT64_MAX)
		return def;
	return (int64_t)n;
}

bool wring_group_within(const char *path, const char *top)
{
	size_t len = strlen(top);

	if (!strcmp(top, "."))
		return true;
	return !strncmp(path, top, len) && (!path[len] || path[len] == '/');
}

/* Is `subject` one of the directories path0, path1, ... of a group with a count? */
static bool is_instance(const char *subject, const char *path)
{
	size_t len = strlen(path);

	if (strncmp(subject, path, len) || !isdigit((unsigned char)subject[len]))
		return false;
	return !subject[len + strspn(subject + len, "0123456789")];
}

bool wring_group_means(struct wring_view *v, const char *path, const char *subject)
{
	const struct wring_group *g = v->scenario ? wring_scenario_group(v->scenario, path) : NULL;

	if (!strcmp(path, subject))
		return true;
	return g && g->count > 1 && !strcmp(g->path, path) && is_instance(subject, path);
}

bool wring_load_within(struct wring_view *v, const struct wring_load *l, const char *subject)
{
	const char *path = l->group ? l->group : ".";

	return wring_group_within(path, subject) || wring_group_means(v, path, subject);
}

int64_t wring_view_load_max(struct wring_view *v, const char *subject, const char *key,
			    int64_t from, int64_t to)
{
	int64_t sum = 0;

	for (size_t i = 0; v->scenario && i < v->scenario->n_loads; i++) {
		const struct wring_load *l = &v->scenario->loads[i];
		const struct wring_series *s;

		if (!wring_load_within(v, l, subject))
			continue;
		s = wring_view_series(v, "load", l->name, key);
		if (s)
			sum += wring_series_max(s, from, to, 0);
	}
	return sum;
}
