/* SPDX-License-Identifier: GPL-3.0-or-later */
/* db: merge, check and prune databases. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/base/units.h"
#include "harness/base/util.h"
#include "harness/cmd/cmd.h"
#include "results-schema/store.h"

enum { O_DAYS = WRING_O_DB + 1, O_KEEP_FAILED, O_DRY_RUN };

struct args {
	struct wring_words w;
	char **files; /* the words behind the verb */
	size_t n;
	const char *db, *verb;
	uint64_t days;
	bool has_days, keep_failed, dry_run;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;
	struct wring_err err = { 0 };

	switch (key) {
	case O_DAYS:
		if (wring_parse_u64(arg, 0, 36500, &a->days, &err))
			exit(wring_usage_error("--days: %s", err.msg));
		a->has_days = true;
		return 0;
	case O_KEEP_FAILED: a->keep_failed = true; return 0;
	case O_DRY_RUN: a->dry_run = true; return 0;
	default: return wring_parse_words(key, arg, &a->w);
	}
}

static int usage_or_broken(int r)
{
	return r == -EIO || r == -ENOSPC || r == -ENOMEM || r == -EBADMSG ? WRING_EXIT_BROKEN : WRING_EXIT_USAGE;
}

/* All are opened before the first run is copied: a name that is wrong changes nothing. */
static int merge(const struct args *a)
{
	struct wring_store *from[WRING_ARRAY_SIZE(a->w.words)] = { NULL }, *st = NULL;
	struct wring_err err = { 0 };
	struct stat mine, other;
	bool exists = !stat(wring_db_path(a->db), &mine), opened;
	int r = 0;

	if (!a->n)
		return wring_usage_error("db merge: name the databases whose runs are copied: wring db merge FILE... --db=INTO");
	for (size_t i = 0; i < a->n && !r; i++) {
		if (exists && !stat(a->files[i], &other) && other.st_ino == mine.st_ino && other.st_dev == mine.st_dev)
			r = wring_err_set(&err, -EINVAL, "%s is the database to merge into: name another with --db", a->files[i]);
		else
			r = wring_store_open(a->files[i], WRING_STORE_READ, &from[i], &err);
	}
	if (!r)
		r = wring_store_open(wring_db_path(a->db), WRING_STORE_WRITE, &st, &err);
	opened = !r;
	for (size_t i = 0; i < a->n && !r; i++) {
		struct wring_merged m;

		r = wring_store_merge(st, from[i], &m, &err);
		if (!r)
			printf("%s: %zu added, %zu there already\n", a->files[i], m.added, m.known);
	}
	for (size_t i = 0; i < a->n; i++)
		wring_store_close(from[i]);
	wring_store_close(st);
	return r ? wring_complain(&err, opened ? usage_or_broken(r) : WRING_EXIT_USAGE) : WRING_EXIT_OK;
}

static void tell(void *data, const char *line)
{
	(void)data;
	for (const char *p = line; *p; p++) /* a damaged file may say anything */
		putchar((unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p);
	putchar('\n');
}

static int check(const struct args *a)
{
	struct wring_store *st = NULL;
	struct wring_err err = { 0 };
	struct wring_check c = { 0 };
	char size[16];
	int r;

	if (a->n)
		return wring_usage_error("db check: '%s': the database is named with --db", a->files[0]);
	if (wring_store_open(wring_db_path(a->db), WRING_STORE_READ, &st, &err))
		return wring_complain(&err, WRING_EXIT_USAGE);
	r = wring_store_check(st, tell, NULL, &c, &err);
	wring_store_close(st);
	if (r)
		return wring_complain(&err, WRING_EXIT_BROKEN);
	printf("%s: %zu runs (%zu not finished, %zu pruned), %lld samples, %s: %s\n", wring_db_path(a->db), c.runs, c.unfinished, c.pruned,
	       (long long)c.samples, wring_format_size((uint64_t)c.bytes, size, sizeof(size)),
	       c.problems ? "damaged; what can be read, wring db merge copies" : "sound");
	return c.problems ? WRING_EXIT_BROKEN : WRING_EXIT_OK;
}

static int prune(const struct args *a)
{
	char before[40];
	struct wring_prune p = { before, a->keep_failed, a->dry_run };
	struct wring_store *st = NULL;
	struct wring_err err = { 0 };
	size_t n;
	int r;

	if (a->n)
		return wring_usage_error("db prune: '%s': the database is named with --db", a->files[0]);
	if (!a->has_days)
		return wring_usage_error("db prune: --days=N says how long samples are kept");
	wring_rfc3339(wring_realtime_ns() - (int64_t)a->days * 86400 * WRING_NSEC_PER_SEC, before, sizeof(before));
	if (wring_store_open(wring_db_path(a->db), a->dry_run ? WRING_STORE_READ : WRING_STORE_CHANGE, &st, &err))
		return wring_complain(&err, WRING_EXIT_USAGE);
	r = wring_store_prune(st, &p, &n, &err);
	wring_store_close(st);
	if (r)
		return wring_complain(&err, usage_or_broken(r));
	printf("%s: samples of %zu runs from before %s %s\n", wring_db_path(a->db), n, before, a->dry_run ? "would be dropped" : "dropped");
	return WRING_EXIT_OK;
}

static const struct { const char *name; int (*run)(const struct args *a); } verbs[] = {
	{ "merge", merge }, { "check", check }, { "prune", prune },
};

static int db(int argc, char **argv)
{
	static const struct argp_option options[] = {
		WRING_DB_OPTION,
		{ "days", O_DAYS, "N", 0, "prune: keep the samples of runs of the last N days", 0 },
		{ "keep-failed", O_KEEP_FAILED, NULL, 0, "prune: and of all runs that failed", 0 },
		{ "dry-run", O_DRY_RUN, NULL, 0, "prune: only say how many", 0 },
		WRING_HELP_OPTION, { 0 } };
	static const struct argp argp = { options, parse, "merge|check|prune [FILE...]",
		"Databases: merge copies the runs of other files that are not there yet, check reads everything once, prune drops samples and "
		"logs of old runs and keeps what was found.", NULL, NULL, NULL };
	struct args a = { .w.what = "databases" };
	int code = wring_args(&argp, "db", argc, argv, &a);

	if (code)
		return code;
	a.db = a.w.db;
	a.verb = a.w.words[0];
	a.files = a.w.words + 1;
	a.n = a.w.n ? a.w.n - 1 : 0;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(verbs); i++)
		if (a.verb && !strcmp(a.verb, verbs[i].name)) {
			if ((a.has_days || a.keep_failed || a.dry_run) && verbs[i].run != prune)
				return wring_usage_error("db %s: --days, --keep-failed and --dry-run are for prune", a.verb);
			return verbs[i].run(&a);
		}
	return wring_usage_error("db: '%s': one of merge, check, prune is accepted", a.verb ? a.verb : "");
}

const struct wring_cmd wring_cmd_db = { "db", "merge|check|prune", "merge, check and prune databases", db };
