/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Comparisons: which runs belong together, in which order, and what came of them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/util.h"
#include "results-schema/db.h"

int wring_store_begin_comparison(struct wring_store *st, const struct wring_comparison *c, int64_t *ret, struct wring_err *err)
{
	_cleanup_free_ char *uuid = NULL;
	char started[40];
	int r;

	if (wring_read_line(AT_FDCWD, "/proc/sys/kernel/random/uuid", &uuid))
		return wring_err_set(err, -EIO, "no uuid from /proc/sys/kernel/random/uuid");
	r = wring_db_begin(st, "adding a comparison", err);
	if (r < 0)
		return r;
	r = wring_db_run(st, err,
			 "INSERT INTO comparison (uuid, started, argv, fingerprint, name_a, name_b, about_a, about_b, seed, slots, place, "
			 "deterministic, aa, looks, done) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)", "ssssssssiisiii",
			 uuid, wring_rfc3339(wring_realtime_ns(), started, sizeof(started)), c->argv, c->fingerprint, c->name_a, c->name_b,
			 c->about_a, c->about_b, c->seed, c->slots, c->place, (int64_t)c->deterministic, (int64_t)c->aa, (int64_t)c->looks);
	if (!r)
		*ret = sqlite3_last_insert_rowid(st->db);
	return wring_db_end(st, r, err);
}

static int fill_comparison(sqlite3_stmt *stmt, void *row)
{
	struct wring_comparison *c = row;
	char **const texts[] = { &c->uuid, &c->started, &c->argv, &c->fingerprint, &c->name_a, &c->name_b, &c->about_a, &c->about_b,
				 &c->place };
	int r = 0;

	c->id = sqlite3_column_int64(stmt, 0);
	c->seed = sqlite3_column_int64(stmt, 1);
	c->slots = sqlite3_column_int64(stmt, 2);
	c->deterministic = sqlite3_column_int(stmt, 3);
	c->aa = sqlite3_column_int(stmt, 4);
	c->looks = sqlite3_column_int(stmt, 5);
	c->done = sqlite3_column_int(stmt, 6);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(texts); i++)
		*texts[i] = wring_db_text(stmt, 7 + (int)i, &r);
	return r;
}

#define COMPARISONS \
	"SELECT id, seed, slots, deterministic, aa, looks, done, uuid, started, argv, fingerprint, name_a, name_b, about_a, about_b, place " \
	"FROM comparison "

int wring_store_comparisons(struct wring_store *st, const char *spec, struct wring_comparisons *ret, struct wring_err *err)
{
	bool is_number = spec && *spec && strspn(spec, "0123456789") == strlen(spec) && strlen(spec) < 19;
	sqlite3_stmt *stmt;
	int r;

	*ret = (struct wring_comparisons){ 0 };
	st->doing = "reading comparisons";
	if (!spec)
		stmt = wring_db_query(st, err, COMPARISONS "ORDER BY id", "");
	else if (!strcmp(spec, "last"))
		stmt = wring_db_query(st, err, COMPARISONS "ORDER BY id DESC LIMIT 1", "");
	else if (is_number)
		stmt = wring_db_query(st, err, COMPARISONS "WHERE id = ?", "i", (int64_t)strtoll(spec, NULL, 10));
	else
		stmt = wring_db_query(st, err, COMPARISONS "WHERE length(?1) >= 6 AND substr(uuid, 1, length(?1)) = lower(?1) ORDER BY id", "s",
				      spec);
	r = WRING_COLLECT(st, stmt, ret, fill_comparison, err);
	if (!r && spec && !ret->n)
		r = wring_err_set(err, -ENOENT, "%s: no comparison '%s': accepted: last, an id, or 6 or more characters of a uuid", st->path, spec);
	if (!r && spec && ret->n > 1)
		r = wring_err_set(err, -EINVAL, "%s: %zu comparisons begin with '%s': give more of the id", st->path, ret->n, spec);
	if (r)
		wring_comparisons_done(ret);
	return r;
}

void wring_comparisons_done(struct wring_comparisons *c)
{
	for (size_t i = 0; i < c->n; i++) {
		struct wring_comparison *x = &c->rows[i];
		char *const texts[] = { x->uuid, x->started, x->argv, x->fingerprint, x->name_a, x->name_b, x->about_a, x->about_b, x->place };

		for (size_t k = 0; k < WRING_ARRAY_SIZE(texts); k++)
			free(texts[k]);
	}
	free(c->rows);
	*c = (struct wring_comparisons){ 0 };
}

int wring_store_drop_comparison(struct wring_store *st, int64_t comparison, struct wring_err *err)
{
	int r = wring_db_begin(st, "dropping a comparison", err);

	if (!r)
		r = wring_db_run(st, err, "DELETE FROM comparison WHERE id = ?", "i", comparison);
	return wring_db_end(st, r, err);
}

int wring_store_set_slots(struct wring_store *st, int64_t comparison, int64_t slots, struct wring_err *err)
{
	int r = wring_db_begin(st, "lengthening a comparison", err);

	if (!r)
		r = wring_db_run(st, err, "UPDATE comparison SET slots = ? WHERE id = ?", "ii", slots, comparison);
	return wring_db_end(st, r, err);
}

int wring_store_add_slot(struct wring_store *st, int64_t comparison, int64_t slot, int64_t block, bool b, const int64_t *runs, size_t n,
			 struct wring_err *err)
{
	int r = wring_db_begin(st, "adding runs to a comparison", err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n && !r; i++)
		r = wring_db_run(st, err, "INSERT INTO comparison_run (comparison, slot, block, b, run) VALUES (?, ?, ?, ?, ?)", "iiiii",
				 comparison, slot, block, (int64_t)b, runs[i]);
	return wring_db_end(st, r, err);
}

static int fill_slot(sqlite3_stmt *stmt, void *row)
{
	struct wring_slot *s = row;

	s->slot = sqlite3_column_int64(stmt, 0);
	s->block = sqlite3_column_int64(stmt, 1);
	s->b = sqlite3_column_int(stmt, 2);
	s->run = sqlite3_column_int64(stmt, 3);
	return 0;
}

int wring_store_slots(struct wring_store *st, int64_t comparison, struct wring_slots *ret, struct wring_err *err)
{
	*ret = (struct wring_slots){ 0 };
	st->doing = "reading the runs of a comparison";
	return WRING_COLLECT(st, wring_db_query(st, err, "SELECT slot, block, b, run FROM comparison_run WHERE comparison = ? ORDER BY slot, run",
						"i", comparison), ret, fill_slot, err);
}

void wring_cmp_slots_done(struct wring_slots *s)
{
	free(s->rows);
	*s = (struct wring_slots){ 0 };
}

int wring_store_judge_comparison(struct wring_store *st, int64_t comparison, bool done, const struct wring_compared_row *rows, size_t n,
				 struct wring_err *err)
{
	int r = wring_db_begin(st, "storing a comparison's verdict", err);

	if (r < 0)
		return r;
	r = wring_db_run(st, err, "UPDATE comparison SET done = max(done, ?) WHERE id = ?", "ii", (int64_t)done, comparison);
	if (!r)
		r = wring_db_run(st, err, "DELETE FROM comparison_metric WHERE comparison = ?", "i", comparison);
	for (size_t i = 0; i < n && !r; i++)
		r = wring_db_run(st, err, "INSERT INTO comparison_metric (comparison, scenario, metric, tier, effect_pct, p_adj, verdict) "
				 "VALUES (?, ?, ?, ?, ?, ?, ?)", "isssdds", comparison, rows[i].scenario, rows[i].metric, rows[i].tier,
				 rows[i].effect_pct, rows[i].p_adj, rows[i].verdict);
	return wring_db_end(st, r, err);
}

static int fill_past(sqlite3_stmt *stmt, void *row)
{
	struct wring_aa_past *p = row;
	int r = 0;

	p->verdict = wring_db_text(stmt, 0, &r);
	p->effect_pct = wring_db_number(stmt, 1);
	return r;
}

int wring_store_aa(struct wring_store *st, const char *scenario, const char *metric, const char *place, bool deterministic, int64_t except,
		   struct wring_aa_pasts *ret, struct wring_err *err)
{
	*ret = (struct wring_aa_pasts){ 0 };
	st->doing = "reading the A/A record";
	return WRING_COLLECT(st, wring_db_query(st, err,
		"SELECT m.verdict, m.effect_pct FROM comparison_metric m JOIN comparison c ON c.id = m.comparison WHERE c.aa AND c.done "
		"AND m.scenario = ? AND m.metric = ? AND c.place = ? AND c.deterministic = ? AND c.id <> ? ORDER BY c.id", "sssii", scenario,
		metric, place, (int64_t)deterministic, except), ret, fill_past, err);
}

void wring_aa_pasts_done(struct wring_aa_pasts *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->rows[i].verdict);
	free(p->rows);
	*p = (struct wring_aa_pasts){ 0 };
}
