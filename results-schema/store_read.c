/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reading half of the store. */
#include "results-schema/store.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "harness/base/util.h"
#include "results-schema/db.h"

/* ---- lists of rows ---- */
/* A new zeroed row at the end of a list; NULL: no memory. Doubles the room at each power of two. */
static void *grow(void **rows, size_t *n, size_t size)
{
	char *p = *rows;

	if (!(*n & (*n - 1))) {
		p = reallocarray(p, *n ? 2 * *n : 1, size);
		if (!p)
			return NULL;
		*rows = p;
	}
	p += (*n)++ * size;
	return memset(p, 0, size);
}

int wring_db_collect(struct wring_store *st, sqlite3_stmt *stmt, void **rows, size_t *n, size_t size, wring_fill_fn fill,
		     struct wring_err *err)
{
	int r;

	while ((r = wring_db_step(st, stmt, err)) > 0) {
		void *row = grow(rows, n, size);

		if (!row || fill(stmt, row) < 0) {
			sqlite3_reset(stmt);
			return wring_db_no_memory(st, err);
		}
	}
	return r;
}

double wring_db_number(sqlite3_stmt *stmt, int col)
{
	return sqlite3_column_type(stmt, col) == SQLITE_NULL ? NAN :
							       sqlite3_column_double(stmt, col);
}

/* ---- runs ---- */
static int fill_run(sqlite3_stmt *stmt, void *row)
{
	struct wring_run_row *run = row;
	char **const texts[] = { &run->uuid,	&run->scenario, &run->label,	     &run->arm,
				 &run->started, &run->outcome,	&run->reason,	     &run->plan,
				 &run->where,	&run->append,	&run->kernel_sha256, &run->accel,
				 &run->vm,	&run->release };
	int r = 0;

	run->id = sqlite3_column_int64(stmt, 0);
	run->boot = sqlite3_column_int64(stmt, 1);
	run->seed = sqlite3_column_int64(stmt, 2);
	run->duration_s = sqlite3_column_double(stmt, 3);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(texts); i++)
		*texts[i] = wring_db_text(stmt, 4 + (int)i, &r);
	return r;
}

#define RUNS \
	"SELECT r.id, r.boot, r.seed, r.duration_s, r.uuid, r.scenario, r.label, r.arm, " \
	"r.started, r.outcome, " \
	"r.reason, r.plan, b.place, b.append, b.kernel_sha256, b.accel, b.vm, coalesce(f.value, " \
	"'') FROM run r " \
	"JOIN boot b ON b.id = r.boot LEFT JOIN fact f ON f.boot = b.id AND f.key = " \
	"'kernel.release' "

static bool is_number(const char *s)
{
	return *s && strlen(s) < 19 && strspn(s, "0123456789") == strlen(s);
}

static int runs_by_name(struct wring_store *st, const char *spec, struct wring_runs *ret,
			struct wring_err *err)
{
	int r = 0;

	if (is_number(spec))
		r = WRING_COLLECT(st,
			    wring_db_query(st, err, RUNS "WHERE r.id = ?", "i",
					   (int64_t)strtoll(spec, NULL, 10)),
			    ret, fill_run, err);
	if (r == 0 && !ret->n && strlen(spec) >= 6)
		r = WRING_COLLECT(st,
			    wring_db_query(st, err,
					   RUNS "WHERE lower(substr(r.uuid, 1, length(?1))) = "
						"lower(?1) ORDER BY r.id",
					   "s", spec),
			    ret, fill_run, err);
	if (r == 0 && ret->n > 1)
		return wring_err_set(err, -EINVAL,
				     "%s: %zu runs begin with '%s': give more of the id", st->path,
				     ret->n, spec);
	if (r == 0 && !ret->n)
		r = WRING_COLLECT(st,
			    wring_db_query(st, err,
					   RUNS "WHERE r.label = ?1 OR f.value = ?1 ORDER BY r.id",
					   "s", spec),
			    ret, fill_run, err);
	if (r == 0 && !ret->n)
		return wring_err_set(
			err, -ENOENT,
			"%s: no run '%s': give an id, a label or a kernel release (wring list runs "
			"shows them)",
			st->path, spec);
	return r;
}

int wring_store_runs(struct wring_store *st, const char *spec, struct wring_runs *ret,
		     struct wring_err *err)
{
	int r;

	*ret = (struct wring_runs) { 0 };
	st->doing = "reading runs";
	if (!spec || !*spec) {
		r = WRING_COLLECT(st, wring_db_query(st, err, RUNS "ORDER BY r.id", ""), ret, fill_run,
			    err);
	} else if (!strcmp(spec, "last")) {
		r = WRING_COLLECT(st, wring_db_query(st, err, RUNS "ORDER BY r.id DESC LIMIT 1", ""), ret,
			    fill_run, err);
		if (r == 0 && !ret->n)
			r = wring_err_set(err, -ENOENT, "%s has no runs yet", st->path);
	} else {
		r = runs_by_name(st, spec, ret, err);
	}
	if (r < 0)
		wring_runs_done(ret);
	return r;
}

void wring_runs_done(struct wring_runs *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct wring_run_row *run = &r->rows[i];

		free(run->uuid);
		free(run->scenario);
		free(run->label);
		free(run->arm);
		free(run->started);
		free(run->outcome);
		free(run->reason);
		free(run->plan);
		free(run->where);
		free(run->append);
		free(run->kernel_sha256);
		free(run->accel);
		free(run->vm);
		free(run->release);
	}
	free(r->rows);
	*r = (struct wring_runs) { 0 };
}

/* ---- facts and console ---- */
static int fill_pair(sqlite3_stmt *stmt, void *row)
{
	struct wring_pair *pair = row;
	int r = 0;

	pair->key = wring_db_text(stmt, 0, &r);
	pair->value = sqlite3_column_type(stmt, 2) == SQLITE_NULL ? wring_db_text(stmt, 1, &r) : NULL;
	return r;
}

/* Columns: size, enc, text. */
static int unpack_text(struct wring_store *st, sqlite3_stmt *stmt, char **ret, size_t *ret_len,
		       struct wring_err *err)
{
	struct wring_packed blob = wring_db_blob(stmt, 1, 2);
	int64_t size = sqlite3_column_int64(stmt, 0);
	char *text = size >= 0 && size <= 1 << 30 ? malloc((size_t)size + 1) : NULL;

	if (!text)
		return wring_db_no_memory(st, err);
	if (wring_unpack_bytes(st->packer, &blob, text, (size_t)size) < 0) {
		free(text);
		return wring_err_set(err, -EBADMSG, "%s is damaged: a text cannot be unpacked",
				     st->path);
	}
	text[size] = '\0';
	*ret = text;
	if (ret_len)
		*ret_len = (size_t)size;
	return 0;
}

char *wring_store_get_fact(struct wring_store *st, int64_t boot, const char *key)
{
	sqlite3_stmt *stmt = wring_db_query(
		st, NULL, "SELECT d.size, d.enc, d.text, f.value FROM fact f LEFT JOIN document d ON d.id = f.document "
		"WHERE f.boot = ? AND f.key = ?", "is", boot, key);
	char *value = NULL;
	int r = wring_db_step(st, stmt, NULL);

	if (r > 0 && sqlite3_column_type(stmt, 0) != SQLITE_NULL)
		unpack_text(st, stmt, &value, NULL, NULL);
	else if (r > 0)
		value = wring_db_text(stmt, 3, &r);
	sqlite3_reset(stmt);
	return value;
}

int wring_store_facts(struct wring_store *st, int64_t boot, struct wring_pairs *ret,
		      struct wring_err *err)
{
	int r;

	*ret = (struct wring_pairs) { 0 };
	st->doing = "reading facts";
	r = WRING_COLLECT(st,
		    wring_db_query(st, err,
				   "SELECT key, value, document FROM fact WHERE boot = ? ORDER BY key", "i",
				   boot),
		    ret, fill_pair, err);
	for (size_t i = 0; i < ret->n && r >= 0; i++)
		if (!ret->rows[i].value && !(ret->rows[i].value = wring_store_get_fact(st, boot, ret->rows[i].key)))
			r = wring_err_set(err, -EBADMSG, "%s is damaged: the fact %s cannot be read", st->path, ret->rows[i].key);
	if (r < 0)
		wring_pairs_done(ret);
	return r;
}

void wring_pairs_done(struct wring_pairs *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->rows[i].key);
		free(p->rows[i].value);
	}
	free(p->rows);
	*p = (struct wring_pairs) { 0 };
}

int wring_store_get_console(struct wring_store *st, int64_t boot, char **ret, size_t *ret_len,
			    struct wring_err *err)
{
	sqlite3_stmt *stmt;
	int r;

	*ret = NULL;
	if (ret_len)
		*ret_len = 0;
	st->doing = "reading a console";
	stmt = wring_db_query(st, err, "SELECT size, enc, text FROM console WHERE boot = ?", "i",
			      boot);
	r = wring_db_step(st, stmt, err);
	if (r > 0)
		r = unpack_text(st, stmt, ret, ret_len, err);
	sqlite3_reset(stmt);
	return r;
}

/* ---- events and log ---- */
static int fill_event(sqlite3_stmt *stmt, void *row)
{
	struct wring_event *e = row;
	int r = 0;

	e->t_ns = sqlite3_column_int64(stmt, 0);
	e->kind = wring_db_text(stmt, 1, &r);
	e->subject = wring_db_text(stmt, 2, &r);
	e->text = wring_db_text(stmt, 3, &r);
	return r;
}

int wring_store_events(struct wring_store *st, int64_t run, const char *kind, const char *subject,
		       struct wring_events *ret, struct wring_err *err)
{
	int r;

	*ret = (struct wring_events) { 0 };
	st->doing = "reading events";
	r = WRING_COLLECT(st,
		    wring_db_query(st, err,
				   "SELECT t_ns, kind, subject, text FROM event WHERE run = ?1 AND "
				   "(?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR subject = ?3) "
				   "ORDER BY t_ns, id",
				   "inn", run, kind, subject),
		    ret, fill_event, err);
	if (r < 0)
		wring_events_done(ret);
	return r;
}

void wring_events_done(struct wring_events *e)
{
	for (size_t i = 0; i < e->n; i++) {
		free(e->rows[i].kind);
		free(e->rows[i].subject);
		free(e->rows[i].text);
	}
	free(e->rows);
	*e = (struct wring_events) { 0 };
}

static int fill_log(sqlite3_stmt *stmt, void *row)
{
	struct wring_log_line *l = row;
	int r = 0;

	l->t_ns = sqlite3_column_int64(stmt, 0);
	l->level = sqlite3_column_int(stmt, 1);
	l->text = wring_db_text(stmt, 2, &r);
	return r;
}

int wring_store_get_log(struct wring_store *st, int64_t run, struct wring_log *ret,
			struct wring_err *err)
{
	int r;

	*ret = (struct wring_log) { 0 };
	st->doing = "reading the kernel log";
	r = WRING_COLLECT(
		st,
		wring_db_query(st, err,
			       "SELECT t_ns, level, text FROM log WHERE run = ? ORDER BY t_ns, id",
			       "i", run),
		ret, fill_log, err);
	if (r < 0)
		wring_log_done(ret);
	return r;
}

void wring_log_done(struct wring_log *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->rows[i].text);
	free(l->rows);
	*l = (struct wring_log) { 0 };
}

/* ---- sources and their keys ---- */
static int fill_source(sqlite3_stmt *stmt, void *row)
{
	struct wring_source_row *s = row;
	int r = 0;

	s->id = sqlite3_column_int64(stmt, 0);
	s->sampler = wring_db_text(stmt, 1, &r);
	s->subject = wring_db_text(stmt, 2, &r);
	s->path = wring_db_text(stmt, 3, &r);
	return r;
}

int wring_store_sources(struct wring_store *st, int64_t run, struct wring_sources *ret,
			struct wring_err *err)
{
	int r;

	*ret = (struct wring_sources) { 0 };
	st->doing = "reading sources";
	r = WRING_COLLECT(st,
		    wring_db_query(st, err,
				   "SELECT number, sampler, subject, path FROM source WHERE run = "
				   "? ORDER BY number",
				   "i", run),
		    ret, fill_source, err);
	if (r < 0)
		wring_sources_done(ret);
	return r;
}

void wring_sources_done(struct wring_sources *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->rows[i].sampler);
		free(s->rows[i].subject);
		free(s->rows[i].path);
	}
	free(s->rows);
	*s = (struct wring_sources) { 0 };
}

int wring_store_source_keys(struct wring_store *st, int64_t run, int64_t source,
			    struct wring_names *ret, struct wring_err *err)
{
	sqlite3_stmt *stmt;
	size_t n_kinds = 0;
	int r;

	*ret = (struct wring_names) { 0 };
	st->doing = "reading keys";
	/* In the order in which the keys appeared. */
	stmt = wring_db_query(
		st, err,
		"SELECT k.name, k.kind = 'counter' FROM source s JOIN segment g ON g.source = s.id "
		"JOIN keyset_key p ON p.keyset = g.keyset JOIN key k ON k.id = p.key WHERE s.run = "
		"? AND s.number = ? "
		"GROUP BY k.name ORDER BY min((g.id << 20) + p.pos)",
		"ii", run, source);
	while ((r = wring_db_step(st, stmt, err)) > 0) {
		void *rows = ret->rows, *kinds = ret->kinds;
		char **name = grow(&rows, &ret->n, sizeof(*name));
		enum wring_kind *kind = grow(&kinds, &n_kinds, sizeof(*kind));

		ret->rows = rows;
		ret->kinds = kinds;
		if (name)
			*name = wring_db_text(stmt, 0, &r);
		if (kind)
			*kind = sqlite3_column_int(stmt, 1) ? WRING_COUNTER : WRING_GAUGE;
		if (!name || !kind || !*name) {
			sqlite3_reset(stmt);
			r = wring_db_no_memory(st, err);
			break;
		}
	}
	if (r < 0)
		wring_names_done(ret);
	return r;
}

void wring_names_done(struct wring_names *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->rows[i]);
	free(s->rows);
	free(s->kinds);
	*s = (struct wring_names) { 0 };
}

/* ---- series ---- */
struct reading {
	struct wring_stamp stamps[WRING_CHUNK_MAX];
	int64_t v[WRING_CHUNK_MAX];
};

static int append_series(struct wring_series *s, const struct reading *rd, size_t n)
{
	int64_t *t = reallocarray(s->t_ns, s->n + n, sizeof(*t)), *v;

	if (!t)
		return -ENOMEM;
	s->t_ns = t;
	v = reallocarray(s->v, s->n + n, sizeof(*v));
	if (!v)
		return -ENOMEM;
	s->v = v;
	for (size_t i = 0; i < n; i++)
		t[s->n + i] = rd->stamps[i].t_ns;
	memcpy(v + s->n, rd->v, n * sizeof(*v));
	s->n += n;
	return 0;
}

/* The row: n, t_first, enc, time of the chunk; first, enc, v of the column or NULLs. */
static int read_chunk(struct wring_store *st, sqlite3_stmt *stmt, int64_t base, struct reading *rd,
		      size_t *ret_n)
{
	struct wring_packed time = wring_db_blob(stmt, 2, 3), column = wring_db_blob(stmt, 5, 6);
	int64_t n = sqlite3_column_int64(stmt, 0);
	int r;

	if (n < 1 || n > WRING_CHUNK_MAX)
		return -EBADMSG;
	*ret_n = (size_t)n;
	r = wring_unpack_times(st->packer, &time, sqlite3_column_int64(stmt, 1), rd->stamps,
			       *ret_n);
	if (r < 0)
		return r;
	if (sqlite3_column_type(stmt, 4) != SQLITE_NULL)
		return wring_unpack_values(st->packer, &column, sqlite3_column_int64(stmt, 4),
					   rd->v, 1, *ret_n);
	for (size_t i = 0; i < *ret_n; i++)
		rd->v[i] = base;
	return 0;
}

static int read_segment(struct wring_store *st, int64_t segment, int64_t pos, int64_t base,
			struct reading *rd, struct wring_series *ret, struct wring_err *err)
{
	sqlite3_stmt *stmt = wring_db_query(
		st, err,
		"SELECT c.n, c.t_first, c.enc, c.time, o.first, o.enc, o.v, c.id FROM chunk c "
		"LEFT JOIN col o ON o.id = (c.id << 20) + ?2 WHERE c.segment = ?1 ORDER BY c.id",
		"ii", segment, pos);
	size_t n;
	int r;

	while ((r = wring_db_step(st, stmt, err)) > 0) {
		r = read_chunk(st, stmt, base, rd, &n);
		if (r == 0)
			r = append_series(ret, rd, n);
		if (r < 0) {
			wring_db_bad_blob(st, sqlite3_column_int64(stmt, 7), r, err);
			sqlite3_reset(stmt);
			return r;
		}
	}
	return r;
}

struct point {
	int64_t t_ns, v;
	size_t i;
};

static int compare_points(const void *a, const void *b)
{
	const struct point *x = a, *y = b;

	if (x->t_ns != y->t_ns)
		return x->t_ns < y->t_ns ? -1 : 1;
	return x->i < y->i ? -1 : 1;
}

/* Two sources of one name (a group that was removed and made again) may overlap at the seam. */
static int sort_series(struct wring_series *s)
{
	_cleanup_free_ struct point *points = NULL;
	size_t i = 1;

	while (i < s->n && s->t_ns[i - 1] <= s->t_ns[i])
		i++;
	if (i >= s->n)
		return 0;
	points = calloc(s->n, sizeof(*points));
	if (!points)
		return -ENOMEM;
	for (i = 0; i < s->n; i++)
		points[i] = (struct point) { s->t_ns[i], s->v[i], i };
	qsort(points, s->n, sizeof(*points), compare_points);
	for (i = 0; i < s->n; i++) {
		s->t_ns[i] = points[i].t_ns;
		s->v[i] = points[i].v;
	}
	return 0;
}

/* Which of the three names is unknown? */
static int fail_no_series(struct wring_store *st, int64_t run, const char *sampler,
			  const char *subject, const char *key, struct wring_err *err)
{
	sqlite3_stmt *stmt = wring_db_query(
		st, err,
		"SELECT count(*), sum(subject = ?3) FROM source WHERE run = ?1 AND sampler = ?2",
		"iss", run, sampler, subject);
	int64_t with_sampler, with_subject;
	int r = wring_db_step(st, stmt, err);

	if (r < 0)
		return r;
	with_sampler = sqlite3_column_int64(stmt, 0);
	with_subject = sqlite3_column_int64(stmt, 1);
	sqlite3_reset(stmt);
	if (!with_sampler)
		return wring_err_set(err, -ENOENT, "run %" PRId64 " has no sampler '%s'", run,
				     sampler);
	if (!with_subject)
		return wring_err_set(err, -ENOENT,
				     "run %" PRId64 ": sampler %s has no subject '%s'", run,
				     sampler, subject);
	return wring_err_set(err, -ENOENT, "run %" PRId64 ": sampler %s '%s' has no key '%s'", run,
			     sampler, subject, key);
}

static int read_series(struct wring_store *st, sqlite3_stmt *stmt, struct wring_series *ret,
		       size_t *ret_segments, struct wring_err *err)
{
	_cleanup_free_ struct reading *rd = malloc(sizeof(*rd));
	int r;

	if (!rd) {
		sqlite3_reset(stmt);
		return wring_db_no_memory(st, err);
	}
	while ((r = wring_db_step(st, stmt, err)) > 0) {
		++*ret_segments;
		r = read_segment(st, sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1),
				 sqlite3_column_int64(stmt, 2), rd, ret, err);
		if (r < 0)
			break;
	}
	sqlite3_reset(stmt);
	if (r == 0 && sort_series(ret) < 0)
		r = wring_db_no_memory(st, err);
	return r;
}

int wring_store_series(struct wring_store *st, int64_t run, const char *sampler,
		       const char *subject, const char *key, struct wring_series *ret,
		       struct wring_err *err)
{
	size_t n_segments = 0;
	int r;

	*ret = (struct wring_series) { 0 };
	st->doing = "reading samples";
	/* Of two keys with one name (it happens in slabinfo) the first counts. */
	r = read_series(st,
			wring_db_query(st, err,
				       "SELECT g.id, min(p.pos), json_extract(g.base, '$[' || "
				       "min(p.pos) || ']') FROM source s "
				       "JOIN segment g ON g.source = s.id JOIN keyset_key p ON "
				       "p.keyset = g.keyset JOIN key k ON k.id = p.key "
				       "WHERE s.run = ? AND s.sampler = ? AND s.subject = ? AND "
				       "k.name = ? GROUP BY g.id ORDER BY g.id",
				       "isss", run, sampler, subject, key),
			ret, &n_segments, err);
	if (r == 0 && !n_segments)
		r = fail_no_series(st, run, sampler, subject, key, err);
	if (r < 0)
		wring_series_done(ret);
	return r;
}

void wring_series_done(struct wring_series *s)
{
	free(s->t_ns);
	free(s->v);
	*s = (struct wring_series) { 0 };
}

/* ---- metrics and findings ---- */
static int fill_metric(sqlite3_stmt *stmt, void *row)
{
	struct wring_metric_row *m = row;
	int r = 0;

	m->name = wring_db_text(stmt, 0, &r);
	m->unit = wring_db_text(stmt, 1, &r);
	m->value = wring_db_number(stmt, 2);
	m->better = wring_db_text(stmt, 3, &r);
	m->tier = wring_db_text(stmt, 4, &r);
	return r;
}

int wring_store_metrics(struct wring_store *st, int64_t run, struct wring_metrics *ret,
			struct wring_err *err)
{
	int r;

	*ret = (struct wring_metrics) { 0 };
	st->doing = "reading metrics";
	r = WRING_COLLECT(st,
		    wring_db_query(st, err,
				   "SELECT name, unit, value, better, tier FROM metric WHERE run = "
				   "? ORDER BY seq",
				   "i", run),
		    ret, fill_metric, err);
	if (r < 0)
		wring_metrics_done(ret);
	return r;
}

void wring_metrics_done(struct wring_metrics *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free((char *)m->rows[i].name);
		free((char *)m->rows[i].unit);
		free((char *)m->rows[i].better);
		free((char *)m->rows[i].tier);
	}
	free(m->rows);
	*m = (struct wring_metrics) { 0 };
}

static int fill_finding(sqlite3_stmt *stmt, void *row)
{
	struct wring_finding_row *f = row;
	int r = 0;

	f->detector = wring_db_text(stmt, 0, &r);
	f->class = wring_db_text(stmt, 1, &r);
	f->verdict = wring_db_text(stmt, 2, &r);
	f->value = wring_db_number(stmt, 3);
	f->limit = wring_db_number(stmt, 4);
	f->unit = wring_db_text(stmt, 5, &r);
	f->evidence = wring_db_text(stmt, 6, &r);
	f->link = wring_db_text(stmt, 7, &r);
	return r;
}

int wring_store_findings(struct wring_store *st, int64_t run, struct wring_findings *ret,
			 struct wring_err *err)
{
	int r;

	*ret = (struct wring_findings) { 0 };
	st->doing = "reading findings";
	r = WRING_COLLECT(
		st,
		wring_db_query(
			st, err,
			"SELECT detector, class, verdict, value, \"limit\", unit, evidence, link "
			"FROM finding WHERE run = ? ORDER BY seq",
			"i", run),
		ret, fill_finding, err);
	if (r < 0)
		wring_findings_done(ret);
	return r;
}

void wring_findings_done(struct wring_findings *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free((char *)f->rows[i].detector);
		free((char *)f->rows[i].class);
		free((char *)f->rows[i].verdict);
		free((char *)f->rows[i].unit);
		free((char *)f->rows[i].evidence);
		free((char *)f->rows[i].link);
	}
	free(f->rows);
	*f = (struct wring_findings) { 0 };
}
