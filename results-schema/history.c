/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "results-schema/history.h"

#include <stdlib.h>
#include <string.h>
#include "harness/base/util.h"
#include "results-schema/db.h"

/* FNV-1a: to tell setups apart, not to resist anybody. */
static uint64_t hash(uint64_t h, const unsigned char *s)
{
	for (; s && *s; s++)
		h = (h ^ *s) * 1099511628211ULL;
	return (h ^ 0xff) * 1099511628211ULL; /* where one text ends */
}

static void run_done(struct wring_history_run *r)
{
	free(r->started);
	free(r->scenario);
	free(r->release);
	free(r->machine);
}

void wring_history_runs_done(struct wring_history_runs *r)
{
	for (size_t i = 0; i < r->n; i++)
		run_done(&r->rows[i]);
	free(r->rows);
	*r = (struct wring_history_runs){ 0 };
}

static int fill(sqlite3_stmt *stmt, struct wring_history_run *run)
{
	int r = 0;

	run->id = sqlite3_column_int64(stmt, 0);
	run->started = wring_db_text(stmt, 1, &r);
	run->scenario = wring_db_text(stmt, 2, &r);
	run->release = wring_db_text(stmt, 3, &r);
	run->machine = wring_db_text(stmt, 4, &r);
	run->setup = 14695981039346656037ULL;
	for (int i = 5; i < 8; i++)
		run->setup = hash(run->setup, sqlite3_column_text(stmt, i));
	return r;
}

#define FACT(key) "coalesce((SELECT value FROM fact f WHERE f.boot = b.id AND f.key = '" key "'), '')"

int wring_store_history(struct wring_store *st, const char *scenario, const char *label, struct wring_history_runs *ret, struct wring_err *err)
{
	size_t room = 0;
	sqlite3_stmt *stmt;
	int r;

	*ret = (struct wring_history_runs){ 0 };
	st->doing = "reading the history";
	/* a guest's memory and CPUs are in b.vm, and its facts would only repeat them with less round numbers */
	stmt = wring_db_query(st, err, "SELECT r.id, r.started, r.scenario, " FACT("kernel.release") ", "
			      "iif(b.place = 'vm', 'vm ' || b.accel || ' ' || b.vm, 'host ' || " FACT("cpu.online") " || ' CPUs ' || "
			      FACT("memory.total_kb") " || ' kB'), r.plan, b.append, " FACT("agent.version")
			      " FROM run r JOIN boot b ON b.id = r.boot WHERE r.outcome IN ('ok', 'fail') AND r.arm IS NULL "
			      "AND (?1 IS NULL OR r.scenario = ?1) AND (?2 IS NULL OR r.label = ?2) ORDER BY r.started, r.id", "nn", scenario, label);
	while ((r = wring_db_step(st, stmt, err)) > 0) {
		if (ret->n == room) {
			struct wring_history_run *rows = reallocarray(ret->rows, room = room ? 2 * room : 64, sizeof(*rows));

			if (!rows) {
				sqlite3_reset(stmt);
				r = wring_db_no_memory(st, err);
				break;
			}
			ret->rows = rows;
		}
		memset(&ret->rows[ret->n], 0, sizeof(*ret->rows));
		if (fill(stmt, &ret->rows[ret->n++])) {
			sqlite3_reset(stmt);
			r = wring_db_no_memory(st, err);
			break;
		}
	}
	if (r < 0)
		wring_history_runs_done(ret);
	return r;
}

int wring_store_history_metrics(struct wring_store *st, int64_t run, bool primary, wring_history_fn *fn, void *arg, struct wring_err *err)
{
	sqlite3_stmt *stmt;
	int r;

	st->doing = "reading the history";
	stmt = wring_db_query(st, err, "SELECT name, unit, value, better, tier FROM metric WHERE run = ?1 AND value IS NOT NULL AND "
			      "(?2 = 0 OR tier = 'primary')", "ii", run, (int64_t)primary);
	while ((r = wring_db_step(st, stmt, err)) > 0) {
		const struct wring_metric_row m = {
			.name = (const char *)sqlite3_column_text(stmt, 0), .unit = (const char *)sqlite3_column_text(stmt, 1),
			.value = sqlite3_column_double(stmt, 2), .better = (const char *)sqlite3_column_text(stmt, 3),
			.tier = (const char *)sqlite3_column_text(stmt, 4),
		};

		r = m.name && m.unit && m.better && m.tier ? fn(arg, &m) : wring_db_no_memory(st, err);
		if (r) {
			sqlite3_reset(stmt);
			break;
		}
	}
	return r;
}
