/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening, migrating and closing the store's file. */
#include "results-schema/db.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "harness/base/util.h"

enum {
	APPLICATION_ID = 1465011783, /* also in 0001_initial.sql */
	BUSY_MS = 10000,
};

/* ---- migrations ---- */
static int newest_version(const struct wring_embedded *migrations)
{
	int v, newest = 0;

	for (; migrations->name; migrations++)
		if (sscanf(migrations->name, "%d_", &v) == 1 && v > newest)
			newest = v;
	return newest;
}

static const char *views_text(const struct wring_embedded *migrations)
{
	for (; migrations->name; migrations++)
		if (!strcmp(migrations->name, "views.sql"))
			return migrations->text;
	return "";
}

/* FNV-1a: tells one text from the next edit of it. */
static void text_hash(const char *text, char buf[static 17])
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3u;
	snprintf(buf, 17, "%016" PRIx64, h);
}

/* A migration cannot rename a table while a view calls a function (wring_unpack) that only the shell
 * extension has, so the views go first. */
static int drop_views(struct wring_store *st, struct wring_err *err)
{
	for (;;) {
		_cleanup_free_ char *sql = NULL;
		sqlite3_stmt *stmt = wring_db_query(st, err,
						    "SELECT 'DROP VIEW \"' || name || '\"' FROM "
						    "sqlite_schema WHERE type = 'view' LIMIT 1",
						    "");
		int r = wring_db_step(st, stmt, err);

		if (r <= 0)
			return r;
		sql = wring_db_text(stmt, 0, &r);
		sqlite3_reset(stmt);
		if (!sql)
			return wring_db_no_memory(st, err);
		r = wring_db_exec(st, sql, err);
		if (r < 0)
			return r;
	}
}

static int remake_views(struct wring_store *st, const char *text, const char *hash,
			struct wring_err *err)
{
	int r = drop_views(st, err);

	if (r == 0)
		r = wring_db_exec(st, text, err);
	if (r == 0)
		r = wring_db_run(st, err, "INSERT OR REPLACE INTO meta VALUES ('views', ?)", "s",
				 hash);
	return r;
}

static int views_are_current(struct wring_store *st, const char *hash, bool *ret,
			     struct wring_err *err)
{
	sqlite3_stmt *stmt = wring_db_query(
		st, err, "SELECT 1 FROM meta WHERE key = 'views' AND value = ?", "s", hash);
	int r = wring_db_step(st, stmt, err);

	*ret = r > 0;
	sqlite3_reset(stmt);
	return r < 0 ? r : 0;
}

/* Inside a transaction, from version `from`. */
static int apply(struct wring_store *st, const struct wring_embedded *migrations, int from,
		 struct wring_err *err)
{
	int v, r = drop_views(st, err);
	char sql[64];

	for (int next = from + 1; r == 0 && next <= newest_version(migrations); next++)
		for (const struct wring_embedded *m = migrations; r == 0 && m->name; m++)
			if (sscanf(m->name, "%d_", &v) == 1 && v == next) {
				r = wring_db_exec(st, m->text, err);
				if (r < 0)
					wring_err_prefix(err, "migration %s", m->name);
			}
	if (r < 0)
		return r;
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", newest_version(migrations));
	return wring_db_exec(st, sql, err);
}

static int fail_newer(struct wring_store *st, int64_t version, int known, struct wring_err *err)
{
	return wring_err_set(err, -ENOTSUP,
			     "%s was written by a newer wring (schema %" PRId64
			     ", this one knows %d): "
			     "use that version, or another --db",
			     st->path, version, known);
}

/* Brings an open database up to the list; *ret_from is the version it had. */
static int migrate(struct wring_store *st, const struct wring_embedded *migrations, int *ret_from, struct wring_err *err)
{
	int newest = newest_version(migrations);
	char hash[17];
	int64_t version;
	bool is_current = false;
	int r;

	text_hash(views_text(migrations), hash);
	r = wring_db_int(st, "PRAGMA user_version", &version, err);
	*ret_from = (int)version;
	if (r == 0 && version == newest)
		r = views_are_current(st, hash, &is_current, err);
	if (r < 0 || is_current)
		return r;
	r = wring_db_begin(st, "preparing the database", err);
	if (r < 0)
		return r;
	/* Another process may have been faster. */
	r = wring_db_int(st, "PRAGMA user_version", &version, err);
	*ret_from = (int)version;
	if (r == 0 && version > newest)
		r = fail_newer(st, version, newest, err);
	if (r == 0 && version < newest)
		r = apply(st, migrations, (int)version, err);
	if (r == 0)
		r = remake_views(st, views_text(migrations), hash, err);
	return wring_db_end(st, r, err);
}

/* ---- opening ---- */
static int on_wal(void *data, sqlite3 *db, const char *name, int pages)
{
	struct wring_store *st = data;

	(void)db, (void)name;
	st->wal_pages = pages;
	return SQLITE_OK;
}

/* For a file that nobody can be writing: SQLite then needs no files beside it. */
static char *immutable_uri(const char *path)
{
	char *uri = malloc(3 * strlen(path) + sizeof("file:?immutable=1")), *p = uri;

	if (!uri)
		return NULL;
	p += sprintf(p, "file:");
	for (; *path; path++)
		p += strchr("%?#", *path) ? sprintf(p, "%%%02X", (unsigned char)*path) :
					    sprintf(p, "%c", *path);
	strcpy(p, "?immutable=1");
	return uri;
}

/* A log beside the file holds what a writer has committed but not yet copied into it. */
static bool has_log(const char *path)
{
	_cleanup_free_ char *wal = wring_strf("%s-wal", path);
	struct stat sb;

	return wal && stat(wal, &sb) == 0 && sb.st_size > 0;
}

static int connect_to(struct wring_store *st, const char *name, int flags, struct wring_err *err)
{
	int rc;

	sqlite3_close(st->db);
	st->db = NULL;
	rc = sqlite3_open_v2(name, &st->db, flags | SQLITE_OPEN_EXRESCODE, NULL);
	if (rc != SQLITE_OK)
		return st->db ? wring_db_fail(st, rc, err) : wring_db_no_memory(st, err);
	sqlite3_busy_timeout(st->db, BUSY_MS);
	return 0;
}

static int connect_immutable(struct wring_store *st, struct wring_err *err)
{
	_cleanup_free_ char *uri = immutable_uri(st->path);

	return uri ? connect_to(st, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err) :
		     wring_db_no_memory(st, err);
}

static int connect_reader(struct wring_store *st, struct wring_err *err)
{
	bool is_writable = faccessat(AT_FDCWD, st->path, W_OK, AT_EACCESS) == 0;
	int64_t ignored;
	int r;

	if (!is_writable && !has_log(st->path))
		return connect_immutable(st, err);
	/* Open for writing but never written to: so the last to close leaves one file behind. */
	r = connect_to(st, st->path, is_writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY,
		       err);
	if (r == 0)
		r = wring_db_int(st, "PRAGMA schema_version", &ignored, err);
	if (r == 0 || (st->last_rc != SQLITE_CANTOPEN && st->last_rc != SQLITE_READONLY))
		return r;
	/* SQLite could not make its files in a read-only folder. */
	if (!has_log(st->path))
		return connect_immutable(st, err);
	return wring_err_set(
		err, r,
		"%s: its newest part is in %s-wal, which cannot be read in a read-only folder: "
		"copy both files to another folder",
		st->path, st->path);
}

static int connect_store(struct wring_store *st, struct wring_err *err)
{
	struct stat sb;
	int r;

	if (stat(st->path, &sb) < 0) {
		if (errno != ENOENT)
			return wring_err_set(err, -errno, "%s: %s", st->path, strerror(errno));
		if (!st->may_create)
			return wring_err_set(
				err, -ENOENT,
				"no database %s: make one with 'wring run', or name another "
				"with --db",
				st->path);
	} else if (!S_ISREG(sb.st_mode)) {
		return wring_err_set(err, -EINVAL, "%s is no regular file: name one with --db",
				     st->path);
	}
	if (!st->is_writer)
		return connect_reader(st, err);
	r = connect_to(st, st->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
	if (r == 0 && sqlite3_db_readonly(st->db, "main") ==
			      1) /* SQLite makes do with that, until the first write */
		r = wring_db_fail(st, SQLITE_READONLY, err);
	return r;
}

/* *ret_version is 0 for an empty file, which only one that may create it may take. */
static int identify(struct wring_store *st, int newest, int64_t *ret_version, struct wring_err *err)
{
	int64_t id, objects;
	int r = wring_db_int(st, "PRAGMA application_id", &id, err);

	if (r == 0)
		r = wring_db_int(st, "PRAGMA user_version", ret_version, err);
	if (r == 0)
		r = wring_db_int(st, "SELECT count(*) FROM sqlite_schema", &objects, err);
	if (r < 0)
		return r;
	if (id != APPLICATION_ID && (id || *ret_version || objects))
		return wring_err_set(
			err, -EINVAL,
			"%s is a database, but not one of wring's: name another file with "
			"--db",
			st->path);
	if (id != APPLICATION_ID && !st->may_create)
		return wring_err_set(
			err, -EINVAL,
			"%s is empty: make a database with 'wring run', or name another with "
			"--db",
			st->path);
	return *ret_version > newest ? fail_newer(st, *ret_version, newest, err) : 0;
}

/* Two that create the same file at once: SQLite does not wait here by itself. */
static int use_log(struct wring_store *st, struct wring_err *err)
{
	int r = 0;

	for (int i = 0; i < 100; i++) {
		r = wring_db_exec(st, "PRAGMA journal_mode = WAL", err);
		if (r != -EBUSY)
			break;
		nanosleep(&(struct timespec) { .tv_nsec = 20 * WRING_NSEC_PER_MSEC }, NULL);
	}
	return r;
}

static int prepare_writer(struct wring_store *st, int64_t version, struct wring_err *err)
{
	int r = 0;

	if (!version) /* before the first page: repacking frees pages, and closing gives them back */
		r = wring_db_exec(st, "PRAGMA auto_vacuum = INCREMENTAL", err);
	if (r == 0)
		r = use_log(st, err);
	/* NORMAL: only a checkpoint syncs, and checkpoints are made at the end of a run and at close. */
	if (r == 0)
		r = wring_db_exec(st,
				  "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;"
				  "PRAGMA secure_delete = OFF; PRAGMA wal_autocheckpoint = 0",
				  err);
	sqlite3_wal_hook(st->db, on_wal, st);
	return r;
}

/* A lock that another program keeps, a disk that is full: better known now than after the first run. */
static int try_to_write(struct wring_store *st, struct wring_err *err)
{
	int r = wring_db_begin(st, "opening", err);

	if (r == 0)
		wring_db_rollback(st);
	return r;
}

static int open_once(const char *path, enum wring_store_mode mode, const struct wring_embedded *migrations,
		     int64_t *ret_version, struct wring_store **ret, struct wring_err *err)
{
	struct wring_store *st = calloc(1, sizeof(*st));
	bool is_writer = mode != WRING_STORE_READ;
	int from, r;

	*ret = NULL;
	*ret_version = 0;
	if (!st)
		return wring_err_set(err, -ENOMEM, "%s: out of memory", path);
	st->is_writer = is_writer;
	st->may_create = mode == WRING_STORE_WRITE;
	st->doing = "opening";
	st->path = strdup(path);
	st->packer = wring_packer_new();
	r = st->path && st->packer ? connect_store(st, err) :
				     wring_err_set(err, -ENOMEM, "%s: out of memory", path);
	if (r == 0)
		r = identify(st, newest_version(migrations), ret_version, err);
	if (r == 0 && is_writer)
		r = prepare_writer(st, *ret_version, err);
	if (r == 0 && is_writer)
		r = migrate(st, migrations, &from, err);
	if (r == 0 && is_writer)
		r = try_to_write(st, err);
	if (r == 0 && !is_writer)
		r = wring_db_exec(st, "PRAGMA query_only = ON", err);
	if (r < 0) {
		st->is_writer = false; /* closing leaves a refused file alone */
		wring_store_close(st);
		return r;
	}
	*ret = st;
	return 0;
}

int wring_db_open(const char *path, enum wring_store_mode mode,
		  const struct wring_embedded *migrations, struct wring_store **ret,
		  struct wring_err *err)
{
	int newest = newest_version(migrations);
	int64_t ignored, version;
	int r = open_once(path, mode, migrations, &version, ret, err);

	if (r == 0 && mode == WRING_STORE_READ && version < newest) {
		struct wring_store *writer;

		wring_store_close(*ret);
		r = open_once(path, WRING_STORE_CHANGE, migrations, &ignored, &writer, err);
		if (r < 0)
			return wring_err_prefix(err, "bringing schema %d up to %d", (int)version,
						newest);
		wring_store_close(writer);
		r = open_once(path, WRING_STORE_READ, migrations, &ignored, ret, err);
	}
	if (r == 0 && version && version < newest)
		(*ret)->note = wring_strf("migrated from schema %d to %d", (int)version, newest);
	return r;
}

int wring_store_open(const char *path, enum wring_store_mode mode, struct wring_store **ret,
		     struct wring_err *err)
{
	return wring_db_open(path, mode, wring_migrations, ret, err);
}

const char *wring_store_note(const struct wring_store *st)
{
	return st->note;
}

/* ---- closing ---- */
/* Pages that repacking freed, when they are worth moving others for. */
static void give_back(struct wring_store *st)
{
	int64_t n_free = 0, n_pages = 0;

	wring_db_int(st, "PRAGMA freelist_count", &n_free, NULL);
	wring_db_int(st, "PRAGMA page_count", &n_pages, NULL);
	if (n_free > n_pages / 8)
		wring_db_exec(st, "PRAGMA incremental_vacuum", NULL);
}

void wring_store_close(struct wring_store *st)
{
	if (!st)
		return;
	wring_pending_free(st->pending);
	for (size_t i = 0; i < WRING_DB_STMTS; i++)
		sqlite3_finalize(st->stmts[i].stmt);
	if (st->db && st->is_writer) {
		sqlite3_busy_timeout(st->db, 200); /* another that still reads will do it instead */
		wring_db_rollback(st);
		give_back(st);
		sqlite3_wal_checkpoint_v2(st->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	}
	sqlite3_close(st->db);
	wring_packer_free(st->packer);
	free(st->note);
	free(st->path);
	free(st);
}
