/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Chunks of samples: written small by each commit, made large when the run has ended. */
#include "results-schema/db.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "harness/base/util.h"

enum {
	CHUNK_LEAST = 64,	/* samples, however many keys */
	CHUNK_VALUES = 1 << 20, /* repacking needs 8 bytes for each */
	POS_BITS = 20,		/* of a col id; also in 0001_initial.sql */
};

static size_t cap_of(size_t n_keys)
{
	size_t cap = CHUNK_VALUES / (n_keys ? n_keys : 1);

	return cap < CHUNK_LEAST ? CHUNK_LEAST : cap > WRING_CHUNK_MAX ? WRING_CHUNK_MAX : cap;
}

/* ---- base values ---- */
char *wring_base_format(const int64_t *v, size_t n)
{
	char *json = malloc(22 * n + 3), *p = json;

	if (!json)
		return NULL;
	*p++ = '[';
	for (size_t i = 0; i < n; i++)
		p += sprintf(p, "%s%" PRId64, i ? "," : "", v[i]);
	strcpy(p, "]");
	return json;
}

int wring_base_parse(const char *json, int64_t *v, size_t n)
{
	const char *p = json;

	if (!p || *p++ != '[')
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		char *end;

		if (i && *p++ != ',')
			return -EBADMSG;
		v[i] = strtoll(p, &end, 10);
		if (end == p)
			return -EBADMSG;
		p = end;
	}
	return strcmp(p, "]") ? -EBADMSG : 0;
}

/* ---- writing ---- */
/* Repacking puts its chunks aside first: see wring_chunk_repack(). */
#define CHUNK_COLUMNS "id, segment, n, t_first, t_last, enc, time"
#define COL_COLUMNS "first, last, lo, hi, enc, v"
#define INSERT_CHUNK "(segment, n, t_first, t_last, enc, time) VALUES (?, ?, ?, ?, ?, ?)"
#define INSERT_COL "(id, first, last, enc, v, lo, hi) VALUES (?, ?, ?, ?, ?, ?, ?)"
struct target {
	const char *insert_chunk, *insert_col;
};
static const struct target in_place = { "INSERT INTO main.chunk " INSERT_CHUNK,
					"INSERT INTO main.col " INSERT_COL };
static const struct target aside = { "INSERT INTO temp.packed_chunk " INSERT_CHUNK,
				     "INSERT INTO temp.packed_col " INSERT_COL };

static int write_column(struct wring_store *st, const struct target *to, int64_t id, int64_t base,
			const int64_t *v, size_t stride, size_t n, struct wring_err *err)
{
	int64_t first = v[0], last = v[(n - 1) * stride], lo = first, hi = first;
	struct wring_packed blob;
	sqlite3_stmt *stmt;

	for (size_t i = 1; i < n; i++) {
		int64_t x = v[i * stride];

		lo = x < lo ? x : lo;
		hi = x > hi ? x : hi;
	}
	if (lo == base && hi == base)
		return 0;
	if (wring_pack_values(st->packer, v, stride, n, &blob) < 0)
		return wring_db_no_memory(st, err);
	stmt = wring_db_query(st, err, to->insert_col, "iiiibii", id, first, last,
			      (int64_t)blob.enc, &blob, lo, hi);
	if (stmt && lo == (first < last ? first : last))
		sqlite3_bind_null(stmt, 6);
	if (stmt && hi == (first > last ? first : last))
		sqlite3_bind_null(stmt, 7);
	return wring_db_step(st, stmt, err);
}

static int write_chunk(struct wring_store *st, const struct target *to, int64_t segment,
		       const int64_t *base, size_t n_keys, const struct wring_stamp *stamps,
		       const int64_t *rows, size_t n, struct wring_err *err)
{
	struct wring_packed blob;
	int64_t chunk;
	int r;

	if (wring_pack_times(st->packer, stamps, n, &blob) < 0)
		return wring_db_no_memory(st, err);
	r = wring_db_run(st, err, to->insert_chunk, "iiiiib", segment, (int64_t)n, stamps[0].t_ns,
			 stamps[n - 1].t_ns, (int64_t)blob.enc, &blob);
	chunk = sqlite3_last_insert_rowid(st->db);
	for (size_t pos = 0; r == 0 && pos < n_keys; pos++)
		r = write_column(st, to, (chunk << POS_BITS) + (int64_t)pos, base[pos], rows + pos,
				 n_keys, n, err);
	return r;
}

int wring_chunk_write(struct wring_store *st, int64_t segment, const int64_t *base, size_t n_keys,
		      const struct wring_stamp *stamps, const int64_t *rows, size_t n,
		      struct wring_err *err)
{
	size_t cap = cap_of(n_keys);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i += cap)
		r = write_chunk(st, &in_place, segment, base, n_keys, stamps + i, rows + i * n_keys,
				n - i < cap ? n - i : cap, err);
	return r;
}

/* ---- repacking ---- */
struct matrix {
	int64_t segment;
	size_t n_keys, n, cap;
	int64_t *base, *rows;
	struct wring_stamp *stamps;
};

static void matrix_done(struct matrix *m)
{
	free(m->base);
	free(m->rows);
	free(m->stamps);
}

static int read_columns(struct wring_store *st, int64_t chunk, struct matrix *m, size_t n,
			struct wring_err *err)
{
	sqlite3_stmt *stmt = wring_db_query(
		st, err,
		"SELECT id & 1048575, first, enc, v FROM col WHERE id BETWEEN ?1 << 20 "
		"AND (?1 << 20) + 1048575",
		"i", chunk);
	int64_t *rows = m->rows + m->n * m->n_keys;
	int r;

	for (size_t i = 0; i < n; i++)
		memcpy(rows + i * m->n_keys, m->base, m->n_keys * sizeof(*rows));
	while ((r = wring_db_step(st, stmt, err)) > 0) {
		struct wring_packed blob = wring_db_blob(stmt, 2, 3);
		size_t pos = (size_t)sqlite3_column_int64(stmt, 0);

		r = pos < m->n_keys ?
			    wring_unpack_values(st->packer, &blob, sqlite3_column_int64(stmt, 1),
						rows + pos, m->n_keys, n) :
			    -EBADMSG;
		if (r < 0) {
			sqlite3_reset(stmt);
			return wring_db_bad_blob(st, chunk, r, err);
		}
	}
	return r;
}

static int flush_matrix(struct wring_store *st, struct matrix *m, struct wring_err *err)
{
	int r = m->n ? write_chunk(st, &aside, m->segment, m->base, m->n_keys, m->stamps, m->rows,
				   m->n, err) :
		       0;

	m->n = 0;
	return r;
}

/* The row of `stmt` is a chunk. */
static int add_chunk(struct wring_store *st, sqlite3_stmt *stmt, struct matrix *m,
		     struct wring_err *err)
{
	int64_t chunk = sqlite3_column_int64(stmt, 0), n = sqlite3_column_int64(stmt, 1);
	struct wring_packed blob = wring_db_blob(stmt, 3, 4);
	int r;

	if (n < 1 || n > (int64_t)m->cap)
		return wring_db_bad_blob(st, chunk, -EBADMSG, err);
	if (m->n + (size_t)n > m->cap) {
		r = flush_matrix(st, m, err);
		if (r < 0)
			return r;
	}
	r = wring_unpack_times(st->packer, &blob, sqlite3_column_int64(stmt, 2), m->stamps + m->n,
			       (size_t)n);
	if (r < 0)
		return wring_db_bad_blob(st, chunk, r, err);
	r = read_columns(st, chunk, m, (size_t)n, err);
	m->n += (size_t)n;
	return r;
}

static int repack_chunks(struct wring_store *st, struct matrix *m, struct wring_err *err)
{
	sqlite3_stmt *stmt =
		wring_db_query(st, err,
			       "SELECT id, n, t_first, enc, time FROM main.chunk WHERE segment = ? "
			       "ORDER BY id",
			       "i", m->segment);
	int r;

	while ((r = wring_db_step(st, stmt, err)) > 0) {
		r = add_chunk(st, stmt, m, err);
		if (r < 0)
			break;
	}
	sqlite3_reset(stmt);
	return r < 0 ? r : flush_matrix(st, m, err);
}

static int repack_segment(struct wring_store *st, int64_t segment, size_t n_keys, size_t n_samples,
			  const char *base, struct wring_err *err)
{
	struct matrix m = { .segment = segment, .n_keys = n_keys, .cap = cap_of(n_keys) };
	int r;

	if (n_samples < m.cap)
		m.cap = n_samples;
	m.base = calloc(n_keys + 1, sizeof(*m.base)); /* + 1: a source may have no keys */
	m.rows = calloc(m.cap * n_keys + 1, sizeof(*m.rows));
	m.stamps = calloc(m.cap, sizeof(*m.stamps));
	if (!m.base || !m.rows || !m.stamps)
		r = wring_db_no_memory(st, err);
	else if (wring_base_parse(base, m.base, n_keys) < 0)
		r = wring_err_set(err, -EBADMSG,
				  "%s is damaged: the first values of segment %" PRId64
				  " are unreadable",
				  st->path, segment);
	else
		r = repack_chunks(st, &m, err);
	matrix_done(&m);
	return r;
}

static int repack_segments(struct wring_store *st, int64_t run, struct wring_err *err)
{
	sqlite3_stmt *stmt = wring_db_query(
		st, err,
		"SELECT g.id, k.n, sum(c.n), g.base FROM source s "
		"JOIN segment g ON g.source = s.id JOIN keyset k ON k.id = g.keyset "
		"JOIN main.chunk c ON c.segment = g.id WHERE s.run = ? GROUP BY g.id",
		"i", run);
	int r;

	while ((r = wring_db_step(st, stmt, err)) > 0) {
		int64_t segment = sqlite3_column_int64(stmt, 0),
			n_keys = sqlite3_column_int64(stmt, 1),
			n_samples = sqlite3_column_int64(stmt, 2);

		if (n_keys < 0 || n_keys >> POS_BITS || n_samples < 1)
			r = wring_err_set(err, -EBADMSG,
					  "%s is damaged: segment %" PRId64 " is impossible",
					  st->path, segment);
		else
			r = repack_segment(st, segment, (size_t)n_keys, (size_t)n_samples,
					   (const char *)sqlite3_column_text(stmt, 3), err);
		if (r < 0)
			break;
	}
	sqlite3_reset(stmt);
	return r;
}

/* Large chunks go aside, then the small ones go, then the large ones come in. Side by side, the small ones would
 * leave a half empty page behind for each run: a third more of file for a short one. */
int wring_chunk_repack(struct wring_store *st, int64_t run, struct wring_err *err)
{
	int64_t newest;
	int r = wring_db_exec(
		st,
		"CREATE TEMP TABLE IF NOT EXISTS packed_chunk (id INTEGER PRIMARY KEY, segment, n, "
		"t_first, t_last, enc, time);"
		"CREATE TEMP TABLE IF NOT EXISTS packed_col (id INTEGER PRIMARY KEY, " COL_COLUMNS
		");",
		err);

	if (r == 0)
		r = repack_segments(st, run, err);
	if (r == 0)
		r = wring_db_run(st, err,
				 "DELETE FROM main.chunk WHERE segment IN (SELECT g.id FROM source "
				 "s JOIN segment g "
				 "ON g.source = s.id WHERE s.run = ?)",
				 "i", run);
	if (r == 0)
		r = wring_db_int(st, "SELECT max(id) FROM main.chunk", &newest, err);
	if (r == 0)
		r = wring_db_run(st, err,
				 "INSERT INTO main.chunk (" CHUNK_COLUMNS
				 ") SELECT id + ?, segment, n, t_first, t_last, "
				 "enc, time FROM temp.packed_chunk ORDER BY id",
				 "i", newest);
	if (r == 0)
		r = wring_db_run(st, err,
				 "INSERT INTO main.col (id, " COL_COLUMNS
				 ") SELECT id + (? << 20), " COL_COLUMNS
				 " FROM temp.packed_col ORDER BY id",
				 "i", newest);
	if (r == 0)
		r = wring_db_exec(st, "DELETE FROM temp.packed_chunk; DELETE FROM temp.packed_col",
				  err);
	return r;
}
