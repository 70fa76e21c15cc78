/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keeping house: dropping samples of old runs, and reading everything once. */
#include "results-schema/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "harness/base/util.h"
#include "results-schema/db.h"

/* ---- prune ---- */
bool wring_store_is_pruned(struct wring_store *st, const char *uuid)
{
	sqlite3_stmt *stmt = wring_db_query(st, NULL, "SELECT 1 FROM meta WHERE key = 'pruned.' || ?", "s", uuid);
	int r = wring_db_step(st, stmt, NULL);

	sqlite3_reset(stmt);
	return r > 0;
}

static int prune_run(struct wring_store *st, const struct wring_run_row *run, struct wring_err *err)
{
	/* segments, chunks and columns go with their source; a console with the last of its boot's runs */
	static const char *const drops[] = {
		"DELETE FROM source WHERE run = ?",
		"DELETE FROM log WHERE run = ?",
		"DELETE FROM event WHERE run = ? AND kind = 'output'",
		"DELETE FROM console WHERE boot = (SELECT boot FROM run WHERE id = ?1) AND NOT EXISTS (SELECT 1 FROM run JOIN source "
		"ON source.run = run.id WHERE run.boot = console.boot)",
	};
	int r = wring_db_begin(st, "pruning", err);

	if (r)
		return r;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(drops) && !r; i++)
		r = wring_db_run(st, err, drops[i], "i", run->id);
	if (!r)
		r = wring_db_run(st, err, "INSERT OR REPLACE INTO meta VALUES ('pruned.' || ?, ?)", "ss", run->uuid, run->started);
	return wring_db_end(st, r, err);
}

int wring_store_prune(struct wring_store *st, const struct wring_prune *p, size_t *ret_runs, struct wring_err *err)
{
	struct wring_runs runs;
	char yesterday[40];
	int r = wring_store_runs(st, NULL, &runs, err);

	*ret_runs = 0;
	wring_rfc3339(wring_realtime_ns() - 86400 * WRING_NSEC_PER_SEC, yesterday, sizeof(yesterday));
	for (size_t i = 0; !r && i < runs.n; i++) {
		const struct wring_run_row *run = &runs.rows[i];

		/* RFC 3339 in UTC: the order of the text is that of time. One that has not ended may be running: a scenario takes a day at most */
		if (strcmp(run->started, p->before) >= 0 || (run->duration_s <= 0 && strcmp(run->started, yesterday) >= 0) || (p->keep_failed && !strcmp(run->outcome, "fail")) ||
		    wring_store_is_pruned(st, run->uuid))
			continue;
		r = p->dry_run ? 0 : prune_run(st, run, err);
		*ret_runs += !r;
	}
	wring_runs_done(&runs);
	return r;
}

/* ---- check ---- */
struct teller { void (*tell)(void *data, const char *line); void *data; struct wring_check *c; };

static void say(const struct teller *t, const char *line)
{
	t->c->problems++;
	t->tell(t->data, line);
}

/* Each row of a pragma is a problem; SQLite says "ok" when there is none. */
static int by_sqlite(struct wring_store *st, const char *pragma, const struct teller *t, struct wring_err *err)
{
	sqlite3_stmt *stmt = wring_db_query(st, err, pragma, "");
	int r;

	while ((r = wring_db_step(st, stmt, err)) > 0) {
		const char *text = (const char *)sqlite3_column_text(stmt, 0);
		_cleanup_free_ char *line = text && strcmp(text, "ok") ? wring_strf("%s: %s", pragma + strlen("PRAGMA "), text) : NULL;

		for (char *p = line; p && *p; p++)
			if (*p == '\n')
				*p = ' ';
		if (line)
			say(t, line);
	}
	return r;
}

struct values { struct wring_stamp t[WRING_CHUNK_MAX]; int64_t v[WRING_CHUNK_MAX]; };

static int read_columns(struct wring_store *st, int64_t chunk, size_t n, struct values *v, const struct teller *t, struct wring_err *err)
{
	sqlite3_stmt *stmt = wring_db_query(
		st, err, "SELECT first, last, enc, v FROM col WHERE id BETWEEN ?1 << 20 AND (?1 << 20) + 1048575", "i", chunk);
	int r;

	while ((r = wring_db_step(st, stmt, err)) > 0) {
		struct wring_packed blob = wring_db_blob(stmt, 2, 3);
		_cleanup_free_ char *line = NULL;

		if (!wring_unpack_values(st->packer, &blob, sqlite3_column_int64(stmt, 0), v->v, 1, n) &&
		    v->v[n - 1] == sqlite3_column_int64(stmt, 1))
			continue;
		line = wring_strf("samples: chunk %" PRId64 ": a column cannot be unpacked", chunk);
		say(t, line ? line : "samples: a column cannot be unpacked");
	}
	return r;
}

static int read_samples(struct wring_store *st, struct values *v, const struct teller *t, struct wring_err *err)
{
	sqlite3_stmt *stmt = wring_db_query(st, err, "SELECT id, n, t_first, t_last, enc, time FROM chunk", "");
	int r;

	while ((r = wring_db_step(st, stmt, err)) > 0) {
		int64_t id = sqlite3_column_int64(stmt, 0), n = sqlite3_column_int64(stmt, 1);
		struct wring_packed blob = wring_db_blob(stmt, 4, 5);
		_cleanup_free_ char *line = NULL;

		if (n >= 1 && n <= WRING_CHUNK_MAX &&
		    !wring_unpack_times(st->packer, &blob, sqlite3_column_int64(stmt, 2), v->t, (size_t)n) &&
		    v->t[n - 1].t_ns == sqlite3_column_int64(stmt, 3)) {
			t->c->samples += n;
			r = read_columns(st, id, (size_t)n, v, t, err);
			if (r)
				break;
			continue;
		}
		line = wring_strf("samples: chunk %" PRId64 " cannot be unpacked", id);
		say(t, line ? line : "samples: a chunk cannot be unpacked");
	}
	sqlite3_reset(stmt);
	return r;
}

/* Documents are unpacked on the way. */
static int read_boots(struct wring_store *st, const struct wring_runs *runs, const struct teller *t, struct wring_err *err)
{
	int64_t last = -1;

	for (size_t i = 0; i < runs->n; i++) {
		struct wring_pairs facts;
		struct wring_err why = { 0 };
		char *console = NULL;
		int r;

		if (runs->rows[i].boot == last)
			continue;
		last = runs->rows[i].boot;
		r = wring_store_facts(st, last, &facts, &why);
		wring_pairs_done(&facts);
		if (!r)
			r = wring_store_get_console(st, last, &console, NULL, &why);
		free(console);
		if (r == -ENOMEM)
			return wring_db_no_memory(st, err);
		if (r)
			say(t, why.msg);
	}
	return 0;
}

int wring_store_check(struct wring_store *st, void (*tell)(void *data, const char *line), void *data, struct wring_check *ret,
		      struct wring_err *err)
{
	const struct teller t = { tell, data, ret };
	_cleanup_free_ struct values *v = malloc(sizeof(*v));
	struct wring_runs runs = { 0 };
	int64_t n = 0, pages = 0, size = 0;
	int r = v ? 0 : wring_db_no_memory(st, err);

	*ret = (struct wring_check){ 0 };
	st->doing = "checking";
	if (!r)
		r = by_sqlite(st, "PRAGMA integrity_check", &t, err);
	if (!r)
		r = by_sqlite(st, "PRAGMA foreign_key_check", &t, err);
	if (!r)
		r = read_samples(st, v, &t, err);
	if (!r)
		r = wring_store_runs(st, NULL, &runs, err);
	if (!r)
		r = read_boots(st, &runs, &t, err);
	ret->runs = runs.n;
	for (size_t i = 0; i < runs.n; i++)
		ret->pruned += wring_store_is_pruned(st, runs.rows[i].uuid);
	wring_runs_done(&runs);
	if (!r)
		r = wring_db_int(st, "SELECT count(*) FROM run WHERE duration_s IS NULL", &n, err);
	ret->unfinished = (size_t)n;
	if (!r)
		r = wring_db_int(st, "PRAGMA page_count", &pages, err);
	if (!r)
		r = wring_db_int(st, "PRAGMA page_size", &size, err);
	ret->bytes = pages * size;
	return r;
}
