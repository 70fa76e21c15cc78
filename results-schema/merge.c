/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs of one database into another. Rows are bound straight from one connection into the other; only the ids change. */
#include "results-schema/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "harness/base/util.h"
#include "results-schema/db.h"

struct merge {
	struct wring_store *to, *from;
	int64_t *keysets; /* id there -> id here, 0: not yet */
	size_t n_keysets;
};

/* What hangs below a row that was copied: its id there, and here. */
typedef int (*children_fn)(struct merge *m, int64_t from, int64_t to, struct wring_err *err);

/* Each row of `select` (?1 is `from`) into `insert` (?1 is `to`, the columns follow). With children the first column is the id. */
static int copy(struct merge *m, const char *select, int64_t from, const char *insert, int64_t to, children_fn children,
		struct wring_err *err)
{
	sqlite3_stmt *in = wring_db_query(m->from, err, select, "i", from);
	int r;

	while ((r = wring_db_step(m->from, in, err)) > 0) {
		sqlite3_stmt *out = wring_db_query(m->to, err, insert, "i", to);
		int first = children ? 1 : 0, rc = SQLITE_OK;

		for (int c = first; out && rc == SQLITE_OK && c < sqlite3_column_count(in); c++)
			rc = sqlite3_bind_value(out, 2 + c - first, sqlite3_column_value(in, c));
		r = rc == SQLITE_OK ? wring_db_step(m->to, out, err) : wring_db_fail(m->to, rc, err);
		if (!r && children)
			r = children(m, sqlite3_column_int64(in, 0), sqlite3_last_insert_rowid(m->to->db), err);
		if (r)
			break;
	}
	sqlite3_reset(in);
	return r;
}

static int copy_cols(struct merge *m, int64_t from, int64_t to, struct wring_err *err)
{
	return copy(m,
		    "SELECT id & 1048575, first, last, lo, hi, enc, v FROM col WHERE id BETWEEN ?1 << 20 AND (?1 << 20) + 1048575",
		    from, "INSERT INTO col (id, first, last, lo, hi, enc, v) VALUES ((?1 << 20) + ?2, ?3, ?4, ?5, ?6, ?7, ?8)", to, NULL,
		    err);
}

static int copy_chunks(struct merge *m, int64_t from, int64_t to, struct wring_err *err)
{
	return copy(m, "SELECT id, n, t_first, t_last, enc, time FROM chunk WHERE segment = ? ORDER BY id", from,
		    "INSERT INTO chunk (segment, n, t_first, t_last, enc, time) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", to, copy_cols, err);
}

static int add_key(struct wring_key **keys, size_t *n, sqlite3_stmt *in)
{
	struct wring_key *grown = reallocarray(*keys, *n + 1, sizeof(*grown));
	int r = 0;

	if (!grown)
		return -ENOMEM;
	*keys = grown;
	grown[*n] = (struct wring_key){ wring_db_text(in, 0, &r), wring_db_text(in, 1, &r),
					sqlite3_column_int(in, 2) ? WRING_COUNTER : WRING_GAUGE };
	++*n;
	return r;
}

static int keyset_of(struct merge *m, int64_t id, int64_t *ret, struct wring_err *err)
{
	struct wring_key *keys = NULL;
	sqlite3_stmt *in;
	size_t n = 0;
	int r;

	in = wring_db_query(m->from, err,
			    "SELECT k.name, k.unit, k.kind = 'counter' FROM keyset_key p JOIN key k ON k.id = p.key WHERE p.keyset = ? "
			    "ORDER BY p.pos", "i", id);
	while ((r = wring_db_step(m->from, in, err)) > 0)
		if (add_key(&keys, &n, in)) {
			r = wring_db_no_memory(m->from, err);
			break;
		}
	sqlite3_reset(in);
	if (!r)
		r = wring_db_keyset(m->to, keys, n, ret, err);
	for (size_t i = 0; i < n; i++) {
		free((char *)keys[i].name);
		free((char *)keys[i].unit);
	}
	free(keys);
	return r;
}

/* Runs of one kernel share their key sets: each is looked up once. The first failure ends the merging, so that no
 * rollback can take back what the map remembers. */
static int map_keyset(struct merge *m, int64_t id, int64_t *ret, struct wring_err *err)
{
	int r;

	if (id < 0 || id > 1 << 24)
		return wring_err_set(err, -EBADMSG, "%s is damaged: there is a key set %lld", m->from->path, (long long)id);
	if ((size_t)id >= m->n_keysets) {
		size_t n = 2 * (size_t)id + 16;
		int64_t *grown = reallocarray(m->keysets, n, sizeof(*grown));

		if (!grown)
			return wring_db_no_memory(m->to, err);
		memset(grown + m->n_keysets, 0, (n - m->n_keysets) * sizeof(*grown));
		m->keysets = grown;
		m->n_keysets = n;
	}
	r = m->keysets[id] ? 0 : keyset_of(m, id, &m->keysets[id], err);
	*ret = m->keysets[id];
	return r;
}

static int copy_segments(struct merge *m, int64_t from, int64_t to, struct wring_err *err)
{
	sqlite3_stmt *in = wring_db_query(m->from, err, "SELECT id, keyset, base FROM segment WHERE source = ? ORDER BY id", "i", from);
	int r;

	while ((r = wring_db_step(m->from, in, err)) > 0) {
		_cleanup_free_ char *base = NULL;
		int64_t keyset = 0;

		r = map_keyset(m, sqlite3_column_int64(in, 1), &keyset, err);
		if (!r)
			base = wring_db_text(in, 2, &r);
		if (!r)
			r = wring_db_run(m->to, err, "INSERT INTO segment (source, keyset, base) VALUES (?, ?, ?)", "iin", to, keyset,
					 base);
		if (!r)
			r = copy_chunks(m, sqlite3_column_int64(in, 0), sqlite3_last_insert_rowid(m->to->db), err);
		if (r)
			break;
	}
	sqlite3_reset(in);
	return r;
}

static int copy_run_parts(struct merge *m, int64_t from, int64_t to, struct wring_err *err)
{
	int r = copy(m, "SELECT id, number, sampler, subject, path FROM source WHERE run = ? ORDER BY id", from,
		     "INSERT INTO source (run, number, sampler, subject, path) VALUES (?1, ?2, ?3, ?4, ?5)", to, copy_segments, err);

	if (!r)
		r = copy(m, "SELECT t_ns, kind, subject, text FROM event WHERE run = ? ORDER BY id", from,
			 "INSERT INTO event (run, t_ns, kind, subject, text) VALUES (?1, ?2, ?3, ?4, ?5)", to, NULL, err);
	if (!r)
		r = copy(m, "SELECT t_ns, level, text FROM log WHERE run = ? ORDER BY id", from,
			 "INSERT INTO log (run, t_ns, level, text) VALUES (?1, ?2, ?3, ?4)", to, NULL, err);
	if (!r)
		r = copy(m, "SELECT seq, name, unit, value, better, tier FROM metric WHERE run = ?", from,
			 "INSERT INTO metric (run, seq, name, unit, value, better, tier) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", to, NULL, err);
	if (!r)
		r = copy(m,
			 "SELECT seq, detector, class, verdict, value, \"limit\", unit, evidence, link FROM finding WHERE run = ?", from,
			 "INSERT INTO finding (run, seq, detector, class, verdict, value, \"limit\", unit, evidence, link) "
			 "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)", to, NULL, err);
	return r;
}

/* ---- boots ---- */
static int copy_boot_parts(struct merge *m, int64_t from, int64_t to, struct wring_err *err)
{
	struct wring_pairs facts;
	char *console = NULL;
	size_t len;
	int r = wring_store_facts(m->from, from, &facts, err);

	/* through the front door: long facts are documents that boots share */
	for (size_t i = 0; !r && i < facts.n; i++)
		r = wring_store_fact(m->to, to, facts.rows[i].key, facts.rows[i].value, err);
	wring_pairs_done(&facts);
	if (!r)
		r = wring_store_get_console(m->from, from, &console, &len, err);
	if (!r && console)
		r = wring_store_console(m->to, to, console, len, err);
	free(console);
	return r;
}

/* *ret is 0 when there is none. */
static int boot_here(struct merge *m, int64_t from, int64_t *ret, struct wring_err *err)
{
	sqlite3_stmt *in = wring_db_query(m->from, err, "SELECT uuid FROM boot WHERE id = ?", "i", from), *out;
	_cleanup_free_ char *uuid = NULL;
	int r = wring_db_step(m->from, in, err), none = 0;

	*ret = 0;
	if (r > 0)
		uuid = wring_db_text(in, 0, &none);
	sqlite3_reset(in);
	if (r < 0 || !uuid)
		return r < 0 ? r : wring_db_no_memory(m->from, err);
	out = wring_db_query(m->to, err, "SELECT id FROM boot WHERE uuid = ?", "s", uuid);
	r = wring_db_step(m->to, out, err);
	if (r > 0)
		*ret = sqlite3_column_int64(out, 0);
	sqlite3_reset(out);
	return r < 0 ? r : 0;
}

static int map_boot(struct merge *m, int64_t from, int64_t *ret, struct wring_err *err)
{
	int r = boot_here(m, from, ret, err);

	if (r || *ret)
		return r;
	r = copy(m, "SELECT id, uuid, place, started, append, kernel_sha256, accel, vm FROM boot WHERE id = ?", from,
		 "INSERT INTO boot (uuid, place, started, append, kernel_sha256, accel, vm) VALUES (?2, ?3, ?4, ?5, ?6, ?7, ?8)", 0,
		 copy_boot_parts, err);
	return r ? r : boot_here(m, from, ret, err);
}

/* ---- runs ---- */
static int merge_run(struct merge *m, int64_t id, int64_t boot_there, const char *uuid, struct wring_err *err)
{
	int64_t boot;
	int r = wring_db_begin(m->to, "merging", err);

	if (r)
		return r;
	r = map_boot(m, boot_there, &boot, err);
	if (!r)
		r = copy(m,
			 "SELECT id, uuid, scenario, label, arm, started, duration_s, seed, outcome, reason, plan FROM run WHERE id = ?", id,
			 "INSERT INTO run (boot, uuid, scenario, label, arm, started, duration_s, seed, outcome, reason, plan) "
			 "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)", boot, copy_run_parts, err);
	if (!r && wring_store_is_pruned(m->from, uuid))
		r = wring_db_run(m->to, err, "INSERT OR REPLACE INTO meta VALUES ('pruned.' || ?, 'merged')", "s", uuid);
	return wring_db_end(m->to, r, err);
}

static int has_run(struct wring_store *st, const char *uuid, struct wring_err *err)
{
	sqlite3_stmt *stmt = wring_db_query(st, err, "SELECT 1 FROM run WHERE uuid = ?", "s", uuid);
	int r = wring_db_step(st, stmt, err);

	sqlite3_reset(stmt);
	return r;
}

int wring_store_merge(struct wring_store *st, struct wring_store *from, struct wring_merged *ret, struct wring_err *err)
{
	struct merge m = { .to = st, .from = from };
	struct wring_runs runs;
	int r;

	*ret = (struct wring_merged){ 0 };
	from->doing = "merging";
	r = wring_store_runs(from, NULL, &runs, err);
	for (size_t i = 0; !r && i < runs.n; i++) {
		r = has_run(st, runs.rows[i].uuid, err);
		if (r > 0)
			ret->known++;
		if (!r) {
			r = merge_run(&m, runs.rows[i].id, runs.rows[i].boot, runs.rows[i].uuid, err);
			ret->added += !r;
		}
		r = r < 0 ? r : 0;
	}
	wring_runs_done(&runs);
	free(m.keysets);
	return r;
}
