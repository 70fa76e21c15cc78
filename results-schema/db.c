/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "results-schema/db.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "harness/base/util.h"

/* 1 GiB, well over an hour of forty sources at 10 Hz. Only the end of a run copies the log into the file, because
 * that syncs; past this, one sync in the middle of a phase is the lesser evil. */
static const int wal_limit_pages = 262144;

/* ---- errors ---- */
/* The first complaint of a quick check, or SQLite's own words. */
static int fail_corrupt(struct wring_store *st, struct wring_err *err)
{
	sqlite3_stmt *stmt = NULL;
	const char *found = NULL;
	int r;

	if (sqlite3_prepare_v2(st->db, "PRAGMA quick_check(1)", -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		found = (const char *)sqlite3_column_text(stmt, 0);
	if (!found || !strcmp(found, "ok"))
		found = "malformed pages";
	r = wring_err_set(err, -EBADMSG,
			  "%s is damaged (%.200s): restore a copy, or rescue what is left with "
			  "'sqlite3 %s .recover'",
			  st->path, found, st->path);
	for (char *p = err ? err->msg : NULL; p && *p;
	     p++) /* quick_check puts headings on lines of their own */
		if (*p == '\n')
			*p = ' ';
	sqlite3_finalize(stmt);
	return r;
}

static int fail_full(struct wring_store *st, struct wring_err *err)
{
	return wring_err_set(err, -ENOSPC,
			     "%s: %s: the disk is full: free some space, or name a file elsewhere "
			     "with --db",
			     st->path, st->doing);
}

static int fail_read_only(struct wring_store *st, struct wring_err *err)
{
	return wring_err_set(
		err, -EROFS,
		"%s: %s: the file or its folder is read-only: copy it, or name another "
		"file with --db",
		st->path, st->doing);
}

static int fail_io(struct wring_store *st, struct wring_err *err)
{
	int e = sqlite3_system_errno(st->db);

	if (e == ENOSPC || e == EDQUOT || e == EFBIG)
		return fail_full(st, err);
	if (e == EROFS)
		return fail_read_only(st, err);
	return wring_err_set(err, e ? -e : -EIO, "%s: %s: %s", st->path, st->doing,
			     e ? strerror(e) : sqlite3_errmsg(st->db));
}

static int explain(struct wring_store *st, int rc, struct wring_err *err)
{
	switch (rc & 0xff) {
	case SQLITE_FULL: return fail_full(st, err);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return wring_err_set(
			err, -EBUSY,
			"%s: %s: another process holds the file locked: wait for it, or "
			"name another file with --db",
			st->path, st->doing);
	case SQLITE_READONLY:
	case SQLITE_PERM: return fail_read_only(st, err);
	case SQLITE_CORRUPT: return fail_corrupt(st, err);
	case SQLITE_NOTADB:
		return wring_err_set(err, -EBADMSG,
				     "%s is not a database: name another file with --db", st->path);
	case SQLITE_NOMEM: return wring_db_no_memory(st, err);
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR: return fail_io(st, err);
	default: /* a constraint: the caller's data */
		return wring_err_set(err, -EINVAL, "%s: %s: %s", st->path, st->doing,
				     sqlite3_errmsg(st->db));
	}
}

int wring_db_fail(struct wring_store *st, int rc, struct wring_err *err)
{
	st->last_rc = rc & 0xff;
	st->last_code = explain(st, rc, err);
	return st->last_code;
}

int wring_db_no_memory(struct wring_store *st, struct wring_err *err)
{
	return wring_err_set(err, -ENOMEM, "%s: %s: out of memory", st->path, st->doing);
}

int wring_db_bad_blob(struct wring_store *st, int64_t chunk, int r, struct wring_err *err)
{
	if (r == -ENOMEM)
		return wring_db_no_memory(st, err);
	return wring_err_set(err, -EBADMSG,
			     "%s is damaged: the samples of chunk %lld cannot be unpacked",
			     st->path, (long long)chunk);
}

/* ---- statements ---- */
int wring_db_exec(struct wring_store *st, const char *sql, struct wring_err *err)
{
	int rc = sqlite3_exec(st->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : wring_db_fail(st, rc, err);
}

int wring_db_int(struct wring_store *st, const char *sql, int64_t *ret, struct wring_err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(st->db, sql, -1, &stmt, NULL);

	*ret = 0;
	if (rc == SQLITE_OK) {
		rc = sqlite3_step(stmt);
		if (rc == SQLITE_ROW)
			*ret = sqlite3_column_int64(stmt, 0);
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
		int r = wring_db_fail(st, rc, err);

		sqlite3_finalize(stmt);
		return r;
	}
	sqlite3_finalize(stmt);
	return 0;
}

static sqlite3_stmt *prepare(struct wring_store *st, const char *sql, struct wring_err *err)
{
	size_t i = 0;
	int rc;

	while (i < WRING_DB_STMTS - 1 && st->stmts[i].sql && strcmp(st->stmts[i].sql, sql))
		i++;
	if (st->stmts[i].sql &&
	    strcmp(st->stmts[i].sql, sql)) { /* full: the last place changes hands */
		sqlite3_finalize(st->stmts[i].stmt);
		st->stmts[i].sql = NULL;
	}
	if (st->stmts[i].sql)
		return st->stmts[i].stmt;
	rc = sqlite3_prepare_v3(st->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st->stmts[i].stmt,
				NULL);
	if (rc != SQLITE_OK) {
		wring_db_fail(st, rc, err);
		return NULL;
	}
	st->stmts[i].sql = sql;
	return st->stmts[i].stmt;
}

static int bind_one(sqlite3_stmt *stmt, int i, char type, va_list ap)
{
	const struct wring_packed *b;
	const char *s;
	double d;

	switch (type) {
	case 'i': return sqlite3_bind_int64(stmt, i, va_arg(ap, int64_t));
	case 'd':
		d = va_arg(ap, double);
		return isnan(d) ? sqlite3_bind_null(stmt, i) : sqlite3_bind_double(stmt, i, d);
	case 's':
		s = va_arg(ap, const char *);
		return sqlite3_bind_text(stmt, i, s ? s : "", -1, SQLITE_STATIC);
	case 'n': return sqlite3_bind_text(stmt, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
	case 'b':
		b = va_arg(ap, const struct wring_packed *);
		return sqlite3_bind_blob64(stmt, i, b->len ? b->p : "", b->len, SQLITE_STATIC);
	default: return SQLITE_MISUSE;
	}
}

static sqlite3_stmt *query(struct wring_store *st, struct wring_err *err, const char *sql,
			   const char *types, va_list ap)
{
	sqlite3_stmt *stmt = prepare(st, sql, err);
	va_list args;
	int rc = SQLITE_OK;

	if (!stmt)
		return NULL;
	sqlite3_reset(stmt); /* its error, if any, was told before */
	va_copy(args, ap);
	for (int i = 0; types[i] && rc == SQLITE_OK; i++)
		rc = bind_one(stmt, i + 1, types[i], args);
	va_end(args);
	if (rc != SQLITE_OK) {
		wring_db_fail(st, rc, err);
		return NULL;
	}
	return stmt;
}

sqlite3_stmt *wring_db_query(struct wring_store *st, struct wring_err *err, const char *sql,
			     const char *types, ...)
{
	sqlite3_stmt *stmt;
	va_list ap;

	va_start(ap, types);
	stmt = query(st, err, sql, types, ap);
	va_end(ap);
	return stmt;
}

int wring_db_step(struct wring_store *st, sqlite3_stmt *stmt, struct wring_err *err)
{
	int r, rc;

	if (!stmt)
		return st->last_code;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		return 1;
	r = rc == SQLITE_DONE ? 0 : wring_db_fail(st, rc, err);
	sqlite3_reset(stmt); /* or it would hold a read lock */
	return r;
}

int wring_db_run(struct wring_store *st, struct wring_err *err, const char *sql, const char *types,
		 ...)
{
	sqlite3_stmt *stmt;
	va_list ap;
	int r;

	va_start(ap, types);
	stmt = query(st, err, sql, types, ap);
	va_end(ap);
	r = wring_db_step(st, stmt, err);
	sqlite3_reset(stmt);
	return r > 0 ? 0 : r;
}

char *wring_db_text(sqlite3_stmt *stmt, int col, int *r)
{
	const char *s = (const char *)sqlite3_column_text(stmt, col);
	char *copy;

	if (!s && sqlite3_column_type(stmt, col) == SQLITE_NULL)
		return NULL;
	copy = s ? strdup(s) : NULL;
	if (!copy)
		*r = -ENOMEM;
	return copy;
}

struct wring_packed wring_db_blob(sqlite3_stmt *stmt, int enc_col, int blob_col)
{
	const void *p = sqlite3_column_blob(stmt, blob_col); /* NULL for an empty one */

	return (struct wring_packed) { .p = p ? p : "",
				       .len = (size_t)sqlite3_column_bytes(stmt, blob_col),
				       .enc = sqlite3_column_int(stmt, enc_col) };
}

/* ---- transactions ---- */
int wring_db_begin(struct wring_store *st, const char *doing, struct wring_err *err)
{
	st->doing = doing;
	if (!st->is_writer)
		return fail_read_only(st, err);
	/* IMMEDIATE: a lock that comes later, in the middle, could not be waited for. */
	return wring_db_run(st, err, "BEGIN IMMEDIATE", "");
}

/* Nobody would find what goes into a file that has lost its name. */
static int check_place(struct wring_store *st, struct wring_err *err)
{
	int has_moved = 0;

	sqlite3_file_control(st->db, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
	return has_moved ? wring_err_set(err, -ESTALE, "%s: %s: the file was removed or replaced meanwhile: what was stored is lost",
					 st->path, st->doing) : 0;
}

static int commit(struct wring_store *st, struct wring_err *err)
{
	int r = wring_db_run(st, err, "COMMIT", "");

	if (r < 0)
		wring_db_rollback(st);
	else
		r = check_place(st, err);
	if (r < 0)
		return r;
	if (st->wal_pages > wal_limit_pages)
		sqlite3_wal_checkpoint_v2(st->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return r;
}

void wring_db_rollback(struct wring_store *st)
{
	/* SQLite has rolled back by itself after the worst errors. */
	if (!sqlite3_get_autocommit(st->db))
		sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
}

int wring_db_end(struct wring_store *st, int r, struct wring_err *err)
{
	if (r == 0)
		return commit(st, err);
	wring_db_rollback(st);
	return r;
}
