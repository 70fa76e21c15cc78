/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/metrics.h"
#include "analyzers/report/text.h"
#include "harness/api/detector.h"
#include "harness/api/sampler.h"
#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "harness/cmd/cmd.h"
#include "harness/run/run.h"

struct row { const char *name, *summary; };

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->name, ((const struct row *)b)->name);
}

static void print_rows(struct row *rows, size_t n)
{
	qsort(rows, n, sizeof(*rows), by_name);
	for (size_t i = 0; i < n; i++)
		printf("%-20s %s\n", rows[i].name, rows[i].summary ? rows[i].summary : "");
}

#define LIST_REGISTRY(kind) \
	static int list_##kind##s(const char *db) \
	{ \
		size_t n; \
		const struct wring_##kind *const *all = wring_##kind##s(&n); \
		struct row *rows = calloc(n + 1, sizeof(*rows)); \
		\
		(void)db; \
		for (size_t i = 0; rows && i < n; i++) \
			rows[i] = (struct row){ all[i]->name, all[i]->summary }; \
		if (rows) \
			print_rows(rows, n); \
		free(rows); \
		return WRING_EXIT_OK; \
	}
LIST_REGISTRY(workload)
LIST_REGISTRY(sampler)

/* With the tests that prove it, on lines of their own. */
static int list_detectors(const char *db)
{
	size_t n;
	const struct wring_detector *const *all = wring_detectors(&n);

	(void)db;
	for (size_t i = 0; i < n; i++) {
		printf("%-20s %s\n", all[i]->name, all[i]->summary);
		wring_print_controls(all[i]->name, "    ");
	}
	return WRING_EXIT_OK;
}

static int list_scenarios(const char *db)
{
	struct wring_scenarios s;
	struct wring_err err = { 0 };
	struct row *rows;

	(void)db;
	if (wring_scenarios_all(&s, &err))
		return wring_complain(&err, WRING_EXIT_USAGE);
	rows = calloc(s.n + 1, sizeof(*rows));
	for (size_t i = 0; rows && i < s.n; i++)
		rows[i] = (struct row){ s.rows[i]->name, s.rows[i]->summary };
	if (rows)
		print_rows(rows, s.n);
	free(rows);
	wring_scenarios_done(&s);
	return WRING_EXIT_OK;
}

static bool seen_before(const struct wring_scenarios *s, size_t i, size_t k)
{
	for (size_t a = 0; a <= i; a++)
		for (size_t b = 0; b < (a == i ? k : s->rows[a]->n_suites); b++)
			if (!strcmp(s->rows[a]->suites[b], s->rows[i]->suites[k]))
				return true;
	return false;
}

static void print_suite(const struct wring_scenarios *s, const char *suite)
{
	printf("@%-19s", suite);
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->rows[i]->n_suites; k++)
			if (!suite[0] || !strcmp(s->rows[i]->suites[k], suite))
				printf(" %s", s->rows[i]->name);
	putchar('\n');
}

static int list_suites(const char *db)
{
	struct wring_scenarios s;
	struct wring_err err = { 0 };

	(void)db;
	if (wring_scenarios_all(&s, &err))
		return wring_complain(&err, WRING_EXIT_USAGE);
	printf("@full                all of them, in their short form\n@nightly             all of them, in their long form, %d times or as --budget allows\n", WRING_NIGHTLY_REPS);
	for (size_t i = 0; i < s.n; i++)
		for (size_t k = 0; k < s.rows[i]->n_suites; k++)
			if (!seen_before(&s, i, k))
				print_suite(&s, s.rows[i]->suites[k]);
	wring_scenarios_done(&s);
	return WRING_EXIT_OK;
}

struct metric_list {
	const struct wring_metric_info *rows[300];
	const char *from[300];
	size_t n;
};

static void add_metric(void *arg, const struct wring_metric_info *m, const char *from)
{
	struct metric_list *l = arg;
	size_t at = l->n;

	if (l->n == WRING_ARRAY_SIZE(l->rows))
		return;
	for (; at && strcmp(m->name, l->rows[at - 1]->name) < 0; at--) {
		l->rows[at] = l->rows[at - 1];
		l->from[at] = l->from[at - 1];
	}
	l->rows[at] = m;
	l->from[at] = from;
	l->n++;
}

/* Below each metric the scenarios that are compared by it. */
static int list_metrics(const char *db)
{
	struct metric_list l = { .n = 0 };
	struct wring_scenarios s;
	struct wring_err err = { 0 };

	(void)db;
	if (wring_scenarios_all(&s, &err))
		return wring_complain(&err, WRING_EXIT_USAGE);
	wring_metric_each(add_metric, &l);
	for (size_t i = 0; i < l.n; i++) {
		const struct wring_metric_info *m = l.rows[i];
		const char *lead = "    primary of";

		printf("%-24s %-8s %-7s %s (%s)\n", m->name, m->unit, *m->better ? m->better : "-", m->doc, l.from[i]);
		for (size_t k = 0; k < s.n; k++)
			for (size_t p = 0; p < s.rows[k]->n_primary; p++)
				if (wring_metric_find(s.rows[k]->primary[p], NULL) == m) {
					printf("%s %s", lead, s.rows[k]->name);
					if (strcmp(s.rows[k]->primary[p], m->name))
						printf(" (%s)", s.rows[k]->primary[p]);
					lead = ",";
				}
		if (*lead == ',')
			putchar('\n');
	}
	wring_scenarios_done(&s);
	return WRING_EXIT_OK;
}

/* The release is what a guest said. */
static void print_run(const struct wring_run_row *r)
{
	_cleanup_free_ char *release = wring_text_clean(r->release, true), *label = wring_text_clean(r->label, true);

	printf("%-5lld %s  %-16s %-8s %-28s %s\n", (long long)r->id, r->started, r->scenario, r->outcome, release ? release : "",
	       label ? label : "");
}

static int list_runs(const char *db)
{
	struct wring_store *st = NULL;
	struct wring_runs runs = { 0 };
	struct wring_err err = { 0 };
	int r = wring_store_open(wring_db_path(db), WRING_STORE_READ, &st, &err);

	if (!r)
		r = wring_store_runs(st, NULL, &runs, &err);
	for (size_t i = 0; i < runs.n && !r; i++)
		print_run(&runs.rows[i]);
	wring_runs_done(&runs);
	wring_store_close(st);
	return r ? wring_complain(&err, WRING_EXIT_USAGE) : WRING_EXIT_OK;
}

static const struct { const char *name; int (*list)(const char *db); } lists[] = {
	{ "scenarios", list_scenarios }, { "suites", list_suites }, { "workloads", list_workloads }, { "samplers", list_samplers },
	{ "detectors", list_detectors }, { "metrics", list_metrics }, { "runs", list_runs },
};

static const struct argp_option db_option[] = {
	WRING_DB_OPTION, WRING_HELP_OPTION, { 0 } };

static int list(int argc, char **argv)
{
	static const struct argp argp = { db_option, wring_parse_only_words, "[scenarios|suites|workloads|samplers|detectors|metrics|runs]",
		"What there is (default: scenarios).", NULL, NULL, NULL };
	struct wring_words a = { .most = 1 };
	int code = wring_args(&argp, "list", argc, argv, &a);

	if (code)
		return code;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(lists); i++)
		if (!strcmp(a.n ? a.words[0] : "scenarios", lists[i].name))
			return lists[i].list(a.db);
	return wring_usage_error("list: '%s': one of scenarios, suites, workloads, samplers, detectors, metrics, runs is accepted", a.words[0]);
}

const struct wring_cmd wring_cmd_list = { "list", "[WHAT]", "scenarios, suites, workloads, samplers, detectors, metrics, runs", list };
