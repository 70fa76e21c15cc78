/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The writing half of the store. Samples, events and log lines wait in memory for the next commit, so
 * that the file is locked for one short transaction and not for the length of a run. */
#include "results-schema/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "harness/base/util.h"
#include "results-schema/db.h"

enum { KEYS_MAX = 1 << 20 }; /* positions in a col id */
enum { DOCUMENT_MIN = 2048 };  /* bytes from which a fact is a document */

/* A segment of samples that still grows, or that waits for its last commit. */
struct segment {
	struct segment *next;
	int64_t id, run, source, keyset;
	bool is_current; /* takes new samples */
	bool has_base, base_is_stored;
	size_t n_keys, n, room;
	int64_t *base, *rows;
	struct wring_stamp *stamps;
};

struct line {
	int64_t run, t_ns;
	int level; /* < 0: an event */
	char *kind, *subject, *text;
};

struct wring_pending {
	struct segment *segments;
	struct line *lines;
	size_t n_lines, room;
};

static void segment_free(struct segment *g)
{
	free(g->base);
	free(g->rows);
	free(g->stamps);
	free(g);
}

static void line_done(struct line *l)
{
	free(l->kind);
	free(l->subject);
	free(l->text);
}

void wring_pending_free(struct wring_pending *p)
{
	struct segment *g, *next;

	if (!p)
		return;
	for (g = p->segments; g; g = next) {
		next = g->next;
		segment_free(g);
	}
	for (size_t i = 0; i < p->n_lines; i++)
		line_done(&p->lines[i]);
	free(p->lines);
	free(p);
}

/* The buffers are made by the first writing call. */
static struct wring_pending *pending(struct wring_store *st, const char *doing,
				     struct wring_err *err)
{
	st->doing = doing;
	if (!st->pending && st->is_writer)
		st->pending = calloc(1, sizeof(*st->pending));
	if (!st->pending && st->is_writer)
		wring_db_no_memory(st, err);
	else if (!st->pending)
		wring_err_set(err, -EROFS, "%s: %s: the file was opened for reading", st->path,
			      doing);
	return st->pending;
}

/* One statement that is a transaction of its own. */
static int check_writer(struct wring_store *st, const char *doing, struct wring_err *err)
{
	return pending(st, doing, err) ? 0 : st->is_writer ? -ENOMEM : -EROFS;
}

/* ---- boots ---- */
int wring_store_begin_boot(struct wring_store *st, const struct wring_boot_meta *m,
			   int64_t *ret_boot, struct wring_err *err)
{
	int r = check_writer(st, "adding a boot", err);

	if (r == 0)
		r = wring_db_run(
			st, err,
			"INSERT INTO boot (uuid, place, started, append, kernel_sha256, accel, vm) "
			"VALUES (?, ?, ?, ?, ?, ?, ?)",
			"sssssss", m->uuid, m->where, m->started, m->append, m->kernel_sha256,
			m->accel, m->vm);
	if (r == 0)
		*ret_boot = sqlite3_last_insert_rowid(st->db);
	return r;
}

/* A long text is stored once, however many boots have it: a kernel's configuration is 130 KB. */
static int document_id(struct wring_store *st, const char *text, size_t len, int64_t *ret, struct wring_err *err)
{
	int64_t hash = (int64_t)crc32(0, (const Bytef *)text, (uInt)len);
	struct wring_packed blob;
	sqlite3_stmt *stmt;
	int r;

	if (wring_pack_bytes(st->packer, text, len, &blob) < 0)
		return wring_db_no_memory(st, err);
	stmt = wring_db_query(st, err, "SELECT id FROM document WHERE hash = ? AND size = ? AND text = ?", "iib", hash,
			      (int64_t)len, &blob);
	r = wring_db_step(st, stmt, err);
	if (r > 0)
		*ret = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	if (r)
		return r > 0 ? 0 : r;
	r = wring_db_run(st, err, "INSERT INTO document (hash, size, enc, text) VALUES (?, ?, ?, ?)", "iiib", hash,
			 (int64_t)len, (int64_t)blob.enc, &blob);
	*ret = sqlite3_last_insert_rowid(st->db);
	return r;
}

int wring_store_fact(struct wring_store *st, int64_t boot, const char *key, const char *value,
		     struct wring_err *err)
{
	size_t len = strlen(value);
	int64_t document = 0;
	int r = check_writer(st, "storing a fact", err);

	if (r >= 0 && len >= DOCUMENT_MIN)
		r = document_id(st, value, len, &document, err);
	return r < 0 ? r :
		       wring_db_run(st, err, "INSERT OR REPLACE INTO fact VALUES (?, ?, ?, nullif(?, 0))", "issi",
				    boot, key, document ? "" : value, document);
}

int wring_store_console(struct wring_store *st, int64_t boot, const void *text, size_t len,
			struct wring_err *err)
{
	struct wring_packed blob;
	int r = check_writer(st, "storing the console", err);

	if (r < 0)
		return r;
	if (wring_pack_bytes(st->packer, text, len, &blob) < 0)
		return wring_db_no_memory(st, err);
	return wring_db_run(
		st, err,
		"INSERT OR REPLACE INTO console (boot, size, enc, text) VALUES (?, ?, ?, ?)",
		"iiib", boot, (int64_t)len, (int64_t)blob.enc, &blob);
}

/* ---- runs ---- */
int wring_store_begin_run(struct wring_store *st, int64_t boot, const struct wring_run_meta *m,
			  int64_t *ret_run, struct wring_err *err)
{
	int r = check_writer(st, "adding a run", err);

	if (r == 0)
		r = wring_db_run(st, err,
				 "INSERT INTO run (uuid, boot, scenario, label, arm, started, "
				 "seed, outcome, reason, "
				 "plan) VALUES (?, ?, ?, ?, ?, ?, ?, 'broken', 'not finished', ?)",
				 "sissnsis", m->uuid, boot, m->scenario, m->label, m->arm,
				 m->started, m->seed, m->plan);
	if (r == 0)
		*ret_run = sqlite3_last_insert_rowid(st->db);
	return r;
}

static int check_changed(struct wring_store *st, int64_t run, struct wring_err *err)
{
	if (sqlite3_changes(st->db))
		return 0;
	return wring_err_set(err, -ENOENT, "%s: %s: there is no run %" PRId64, st->path, st->doing,
			     run);
}

static void forget_run(struct wring_pending *p, int64_t run)
{
	struct segment **at = &p->segments, *g;

	while ((g = *at)) {
		if (g->run == run) {
			*at = g->next;
			segment_free(g);
		} else {
			at = &g->next;
		}
	}
}

int wring_store_finish_run(struct wring_store *st, int64_t run, const char *outcome,
			   const char *reason, double duration_s, struct wring_err *err)
{
	int r = wring_store_commit(st, err);

	if (r == 0)
		r = wring_db_begin(st, "finishing a run", err);
	if (r < 0)
		return r;
	r = wring_db_run(st, err,
			 "UPDATE run SET outcome = ?, reason = ?, duration_s = ? WHERE id = ?",
			 "ssdi", outcome, reason, duration_s, run);
	if (r == 0)
		r = check_changed(st, run, err);
	if (r == 0)
		r = wring_chunk_repack(st, run, err);
	r = wring_db_end(st, r, err);
	if (r < 0)
		return r;
	forget_run(st->pending, run);
	/* No phase is under way: the moment to sync, so that a power loss costs no finished run. If it fails,
	 * the log keeps what it has. */
	sqlite3_wal_checkpoint_v2(st->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return 0;
}

/* ---- sources and key sets ---- */
int wring_store_source(struct wring_store *st, int64_t run, int64_t source, const char *sampler,
		       const char *subject, const char *path, struct wring_err *err)
{
	int r = check_writer(st, "adding a source", err);

	return r < 0 ? r :
		       wring_db_run(st, err,
				    "INSERT INTO source (run, number, sampler, subject, path) "
				    "VALUES (?, ?, ?, ?, ?)",
				    "iisss", run, source, sampler, subject, path);
}

static const char *kind_name(enum wring_kind kind)
{
	return kind == WRING_COUNTER ? "counter" : "gauge";
}

static uint64_t hash_text(uint64_t h, const char *s)
{
	do
		h = (h ^ (uint8_t)*s) * 0x100000001b3u;
	while (*s++);
	return h;
}

/* FNV-1a over the names, units and kinds. */
static uint64_t hash_keys(const struct wring_key *keys, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++) {
		h = hash_text(h, keys[i].name);
		h = hash_text(h, keys[i].unit ? keys[i].unit : "");
		h = hash_text(h, kind_name(keys[i].kind));
	}
	return h;
}

static bool text_is(sqlite3_stmt *stmt, int col, const char *s)
{
	const char *text = (const char *)sqlite3_column_text(stmt, col);

	return text && !strcmp(text, s ? s : "");
}

/* 1 when the key set has exactly these keys, else 0. */
static int keyset_is(struct wring_store *st, int64_t keyset, const struct wring_key *keys, size_t n,
		     struct wring_err *err)
{
	sqlite3_stmt *stmt = wring_db_query(
		st, err,
		"SELECT k.name, k.unit, k.kind FROM keyset_key p JOIN key k ON k.id = p.key "
		"WHERE p.keyset = ? ORDER BY p.pos",
		"i", keyset);
	size_t i = 0;
	int r;

	while ((r = wring_db_step(st, stmt, err)) > 0) {
		if (i >= n || !text_is(stmt, 0, keys[i].name) || !text_is(stmt, 1, keys[i].unit) ||
		    !text_is(stmt, 2, kind_name(keys[i].kind)))
			break;
		i++;
	}
	sqlite3_reset(stmt);
	return r < 0 ? r : r == 0 && i == n;
}

static int add_keyset(struct wring_store *st, uint64_t hash, const struct wring_key *keys, size_t n,
		      int64_t *ret, struct wring_err *err)
{
	int r = wring_db_run(st, err, "INSERT INTO keyset (hash, n) VALUES (?, ?)", "ii",
			     (int64_t)hash, (int64_t)n);

	*ret = sqlite3_last_insert_rowid(st->db);
	for (size_t i = 0; r == 0 && i < n; i++) {
		const char *unit = keys[i].unit, *kind = kind_name(keys[i].kind);

		r = wring_db_run(st, err,
				 "INSERT OR IGNORE INTO key (name, unit, kind) VALUES (?, ?, ?)",
				 "sss", keys[i].name, unit, kind);
		if (r == 0)
			r = wring_db_run(st, err,
					 "INSERT INTO keyset_key SELECT ?, ?, id FROM key WHERE "
					 "name = ? AND unit = ? "
					 "AND kind = ?",
					 "iisss", *ret, (int64_t)i, keys[i].name, unit, kind);
	}
	return r;
}

/* Finds or makes the key set; two with the same hash live at hash and hash + 1. */
int wring_db_keyset(struct wring_store *st, const struct wring_key *keys, size_t n, int64_t *ret, struct wring_err *err)
{
	for (uint64_t hash = hash_keys(keys, n);; hash++) {
		sqlite3_stmt *stmt = wring_db_query(st, err, "SELECT id FROM keyset WHERE hash = ?",
						    "i", (int64_t)hash);
		int r = wring_db_step(st, stmt, err);

		if (r < 0)
			return r;
		if (r == 0)
			return add_keyset(st, hash, keys, n, ret, err);
		*ret = sqlite3_column_int64(stmt, 0);
		sqlite3_reset(stmt);
		r = keyset_is(st, *ret, keys, n, err);
		if (r)
			return r < 0 ? r : 0;
	}
}

static struct segment *find_segment(struct wring_pending *p, int64_t run, int64_t source)
{
	struct segment *g = p->segments;

	while (g && !(g->is_current && g->run == run && g->source == source))
		g = g->next;
	return g;
}

static int insert_segment(struct wring_store *st, struct segment *g, struct wring_err *err)
{
	int r = wring_db_run(st, err,
			     "INSERT INTO segment (source, keyset) SELECT id, ? FROM source WHERE "
			     "run = ? AND number = ?",
			     "iii", g->keyset, g->run, g->source);

	if (r == 0 && !sqlite3_changes(st->db))
		return wring_err_set(err, -ENOENT, "%s: %s: run %" PRId64 " has no source %" PRId64,
				     st->path, st->doing, g->run, g->source);
	g->id = sqlite3_last_insert_rowid(st->db);
	return r;
}

/* Appended at the end: a commit writes segments in the order in which they were made. */
static void add_segment(struct wring_pending *p, struct segment *g)
{
	struct segment **at = &p->segments, *old = find_segment(p, g->run, g->source);

	if (old)
		old->is_current = false;
	while (*at)
		at = &(*at)->next;
	*at = g;
	g->is_current = true;
}

int wring_store_keys(struct wring_store *st, int64_t run, int64_t source,
		     const struct wring_key *keys, size_t n, struct wring_err *err)
{
	struct segment *old, *g;
	int r = check_writer(st, "setting the keys of a source", err);

	if (r < 0)
		return r;
	if (n > KEYS_MAX)
		return wring_err_set(err, -E2BIG, "%s: %s: %zu keys, at most %d", st->path,
				     st->doing, n, KEYS_MAX);
	g = calloc(1, sizeof(*g));
	if (g)
		g->base = calloc(n + 1, sizeof(*g->base));
	if (!g || !g->base) {
		free(g);
		return wring_db_no_memory(st, err);
	}
	*g = (struct segment) { .run = run, .source = source, .n_keys = n, .base = g->base };
	old = find_segment(st->pending, run, source);
	r = wring_db_begin(st, st->doing, err);
	if (r == 0) {
		r = wring_db_keyset(st, keys, n, &g->keyset, err);
		if (r == 0 && !(old && old->keyset == g->keyset))
			r = insert_segment(st, g, err);
		r = wring_db_end(st, r, err);
	}
	if (r == 0 && g->id)
		add_segment(st->pending, g);
	else
		segment_free(g); /* a failure, or the same keys as before */
	return r;
}

/* ---- samples, events, log ---- */
static int make_room(struct segment *g)
{
	size_t room = g->room ? 2 * g->room : 16;
	struct wring_stamp *stamps;
	int64_t *rows;

	if (g->n < g->room)
		return 0;
	stamps = reallocarray(g->stamps, room, sizeof(*stamps));
	if (!stamps)
		return -ENOMEM;
	g->stamps = stamps;
	rows = reallocarray(g->rows, room * g->n_keys + 1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	g->rows = rows;
	g->room = room;
	return 0;
}

int wring_store_sample(struct wring_store *st, int64_t run, int64_t source, int64_t t_ns,
		       int64_t duration_ns, const int64_t *values, size_t n, struct wring_err *err)
{
	struct segment *g;
	int r = check_writer(st, "storing samples", err);

	if (r < 0)
		return r;
	g = find_segment(st->pending, run, source);
	if (!g)
		return wring_err_set(err, -ENOENT,
				     "%s: %s: source %" PRId64 " of run %" PRId64 " has no keys",
				     st->path, st->doing, source, run);
	if (n != g->n_keys)
		return wring_err_set(err, -EINVAL,
				     "%s: %s: %zu values for the %zu keys of source %" PRId64,
				     st->path, st->doing, n, g->n_keys, source);
	if (make_room(g) < 0)
		return wring_db_no_memory(st, err);
	if (!g->has_base && n)
		memcpy(g->base, values, n * sizeof(*values));
	g->has_base = true;
	g->stamps[g->n] = (struct wring_stamp) { t_ns, duration_ns };
	if (n)
		memcpy(g->rows + g->n * n, values, n * sizeof(*values));
	g->n++;
	return 0;
}

/* Takes over the line. */
static int add_line(struct wring_store *st, struct line l, struct wring_err *err)
{
	struct wring_pending *p = st->pending;
	bool is_whole = l.text && (l.level >= 0 || (l.kind && l.subject));

	if (is_whole && p->n_lines == p->room) {
		struct line *grown = reallocarray(p->lines, 2 * p->room + 64, sizeof(*grown));

		is_whole = grown;
		if (grown) {
			p->lines = grown;
			p->room = 2 * p->room + 64;
		}
	}
	if (!is_whole) {
		line_done(&l);
		return wring_db_no_memory(st, err);
	}
	p->lines[p->n_lines++] = l;
	return 0;
}

int wring_store_event(struct wring_store *st, int64_t run, int64_t t_ns, const char *kind,
		      const char *subject, const char *text, struct wring_err *err)
{
	int r = check_writer(st, "storing an event", err);

	return r < 0 ? r :
		       add_line(st,
				(struct line) { run, t_ns, -1, strdup(kind),
						strdup(subject ? subject : ""),
						strdup(text ? text : "") },
				err);
}

int wring_store_log(struct wring_store *st, int64_t run, int64_t t_ns, int level, const char *text,
		    struct wring_err *err)
{
	int r = check_writer(st, "storing the kernel log", err);

	return r < 0 ? r :
		       add_line(st,
				(struct line) { run, t_ns, level < 0 ? 0 : level, NULL, NULL,
						strdup(text) },
				err);
}

/* ---- commit ---- */
static int flush_segment(struct wring_store *st, struct segment *g, struct wring_err *err)
{
	_cleanup_free_ char *base = NULL;
	int r = 0;

	if (!g->base_is_stored) {
		base = wring_base_format(g->base, g->n_keys);
		if (!base)
			return wring_db_no_memory(st, err);
		r = wring_db_run(st, err, "UPDATE segment SET base = ? WHERE id = ?", "si", base,
				 g->id);
	}
	return r < 0 ? r :
		       wring_chunk_write(st, g->id, g->base, g->n_keys, g->stamps, g->rows, g->n,
					 err);
}

static int flush_line(struct wring_store *st, const struct line *l, struct wring_err *err)
{
	if (l->level >= 0)
		return wring_db_run(st, err,
				    "INSERT INTO log (run, t_ns, level, text) VALUES (?, ?, ?, ?)",
				    "iiis", l->run, l->t_ns, (int64_t)l->level, l->text);
	return wring_db_run(
		st, err,
		"INSERT INTO event (run, t_ns, kind, subject, text) VALUES (?, ?, ?, ?, ?)",
		"iisss", l->run, l->t_ns, l->kind, l->subject, l->text);
}

static int flush(struct wring_store *st, struct wring_pending *p, struct wring_err *err)
{
	int r = 0;

	for (struct segment *g = p->segments; r == 0 && g; g = g->next)
		if (g->n)
			r = flush_segment(st, g, err);
	for (size_t i = 0; r == 0 && i < p->n_lines; i++)
		r = flush_line(st, &p->lines[i], err);
	return r;
}

/* All of it is in the file now. */
static void forget_pending(struct wring_pending *p)
{
	struct segment **at = &p->segments, *g;

	while ((g = *at)) {
		g->base_is_stored |= g->n > 0;
		g->n = 0;
		if (g->is_current) {
			at = &g->next;
			continue;
		}
		*at = g->next;
		segment_free(g);
	}
	for (size_t i = 0; i < p->n_lines; i++)
		line_done(&p->lines[i]);
	p->n_lines = 0;
}

static bool has_pending(const struct wring_pending *p)
{
	const struct segment *g = p->segments;

	while (g && !g->n)
		g = g->next;
	return g || p->n_lines;
}

/* A commit that fails keeps everything, so that it can be tried again. */
int wring_store_commit(struct wring_store *st, struct wring_err *err)
{
	int r = check_writer(st, "storing samples", err);

	if (r < 0 || !has_pending(st->pending))
		return r;
	r = wring_db_begin(st, "storing samples", err);
	if (r < 0)
		return r;
	r = wring_db_end(st, flush(st, st->pending, err), err);
	if (r == 0)
		forget_pending(st->pending);
	return r;
}

/* ---- results ---- */
static int insert_metrics(struct wring_store *st, int64_t run, const struct wring_metric_row *m,
			  size_t n, struct wring_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = wring_db_run(st, err,
				 "INSERT INTO metric (run, seq, name, unit, value, better, tier) "
				 "VALUES (?, ?, ?, ?, ?, ?, ?)",
				 "iissdss", run, (int64_t)i, m[i].name, m[i].unit, m[i].value,
				 m[i].better, m[i].tier);
	return r;
}

static int insert_findings(struct wring_store *st, int64_t run, const struct wring_finding_row *f,
			   size_t n, struct wring_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = wring_db_run(st, err,
				 "INSERT INTO finding (run, seq, detector, class, verdict, value, "
				 "\"limit\", unit, evidence, "
				 "link) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
				 "iisssddsss", run, (int64_t)i, f[i].detector, f[i].class,
				 f[i].verdict, f[i].value, f[i].limit, f[i].unit, f[i].evidence,
				 f[i].link);
	return r;
}

int wring_store_judge(struct wring_store *st, int64_t run, const struct wring_judged *j, const struct wring_metric_row *m,
		      size_t n_metrics, const struct wring_finding_row *f, size_t n_findings,
		      struct wring_err *err)
{
	int r = wring_db_begin(st, "storing what the detectors found", err);

	if (r < 0)
		return r;
	if (j) {
		r = wring_db_run(st, err, "UPDATE run SET outcome = ?, reason = ? WHERE id = ? AND outcome = ? AND reason = ?", "ssiss",
				 j->outcome, j->reason, run, j->was, j->was_reason);
		if (r == 0 && !sqlite3_changes(st->db))
			return wring_db_end(st, 0, err);
	}
	if (r == 0)
		r = wring_db_run(st, err, "DELETE FROM metric WHERE run = ?", "i", run);
	if (r == 0)
		r = wring_db_run(st, err, "DELETE FROM finding WHERE run = ?", "i", run);
	if (r == 0)
		r = insert_metrics(st, run, m, n_metrics, err);
	if (r == 0)
		r = insert_findings(st, run, f, n_findings, err);
	return wring_db_end(st, r, err);
}
