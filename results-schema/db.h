/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of the store: the SQLite handle, its statements and its errors. Only results-schema/ and the
 * store's own test include this. */
#pragma once
#include <sqlite3.h>
#include <stdbool.h>
#include "results-schema/embed.h"
#include "results-schema/pack.h"
#include "results-schema/store.h"

enum { WRING_DB_STMTS = 96 };

struct wring_store {
	sqlite3 *db;
	char *path;
	char *note;         /* for wring_store_note(), or NULL */
	const char *doing;  /* for messages: "storing samples" */
	bool is_writer, may_create;
	int wal_pages;
	int last_rc, last_code; /* of the latest failure: SQLite's and ours */
	struct { const char *sql; sqlite3_stmt *stmt; } stmts[WRING_DB_STMTS];
	struct wring_packer *packer;
	struct wring_pending *pending; /* store.c: what the next commit writes */
};

/* Numbered files in order, and views.sql. */
extern const struct wring_embedded wring_migrations[];

/* wring_store_open() with another list of migrations: for tests of the migrations themselves. */
int wring_db_open(const char *path, enum wring_store_mode mode, const struct wring_embedded *migrations,
		  struct wring_store **ret, struct wring_err *err);

/* Turn the last SQLite error of the handle into a code and a line for the user. */
int wring_db_fail(struct wring_store *st, int rc, struct wring_err *err);
int wring_db_exec(struct wring_store *st, const char *sql, struct wring_err *err);
/* First column of the first row; 0 when there is no row. */
int wring_db_int(struct wring_store *st, const char *sql, int64_t *ret, struct wring_err *err);

/* A cached statement with its parameters bound: i int64_t, d double (NaN is NULL), s text (NULL is ''),
 * n text or NULL, b const struct wring_packed *. sql must be a literal: the cache keeps the pointer.
 * What is bound must stay until the statement is reset. NULL on failure, which wring_db_step()
 * passes on: only it has to be checked. */
sqlite3_stmt *wring_db_query(struct wring_store *st, struct wring_err *err, const char *sql,
			     const char *types, ...);
/* 1: a row; 0: no more, and the statement is reset; -errno. Leave a loop early with sqlite3_reset(). */
int wring_db_step(struct wring_store *st, sqlite3_stmt *stmt, struct wring_err *err);
/* wring_db_query() and one step, for a statement without rows. */
int wring_db_run(struct wring_store *st, struct wring_err *err, const char *sql, const char *types, ...);

/* One writing transaction. After a failed commit nothing of it is left. */
int wring_db_begin(struct wring_store *st, const char *doing, struct wring_err *err);
void wring_db_rollback(struct wring_store *st);
/* Commits when r is 0, else rolls back and returns r. */
int wring_db_end(struct wring_store *st, int r, struct wring_err *err);

/* Heap copy of a column; NULL and -ENOMEM are told apart by *r. */
char *wring_db_text(sqlite3_stmt *stmt, int col, int *r);
/* NaN for NULL. */
double wring_db_number(sqlite3_stmt *stmt, int col);
/* All rows of a statement into a list, which the caller frees also after a failure. fill: a zeroed row from the statement; 0 or
 * -ENOMEM. */
typedef int (*wring_fill_fn)(sqlite3_stmt *stmt, void *row);
int wring_db_collect(struct wring_store *st, sqlite3_stmt *stmt, void **rows, size_t *n, size_t size, wring_fill_fn fill,
		     struct wring_err *err);
/* `list` is a struct with `rows` and `n`. */
#define WRING_COLLECT(st, stmt, list, fill, err) \
	({ \
		void *_rows = (list)->rows; \
		int _r = wring_db_collect(st, stmt, &_rows, &(list)->n, sizeof(*(list)->rows), fill, err); \
		(list)->rows = _rows; \
		_r; \
	})
/* Points into the row. */
struct wring_packed wring_db_blob(sqlite3_stmt *stmt, int enc_col, int blob_col);

/* chunk.c: segments of samples. */
/* `rows` is a matrix of n rows of n_keys values. */
int wring_chunk_write(struct wring_store *st, int64_t segment, const int64_t *base, size_t n_keys,
		      const struct wring_stamp *stamps, const int64_t *rows, size_t n, struct wring_err *err);
/* JSON array of values, on the heap; NULL: no memory. */
char *wring_base_format(const int64_t *v, size_t n);
/* -EBADMSG unless it holds exactly n integers. */
int wring_base_parse(const char *json, int64_t *v, size_t n);
/* Few large chunks in place of the many small ones; inside the caller's transaction. */
int wring_chunk_repack(struct wring_store *st, int64_t run, struct wring_err *err);
int wring_db_no_memory(struct wring_store *st, struct wring_err *err);
int wring_db_bad_blob(struct wring_store *st, int64_t chunk, int r, struct wring_err *err);

/* store.c: finds or makes the key set; inside the caller's transaction. */
int wring_db_keyset(struct wring_store *st, const struct wring_key *keys, size_t n, int64_t *ret, struct wring_err *err);

void wring_pending_free(struct wring_pending *p);
