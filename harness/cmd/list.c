/* SPDX-License-Identifier: GPL-3.0-or-later */
/* list and show. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/report/report.h"
#include "analyzers/report/text.h"
#include "harness/api/detector.h"
#include "harness/api/sampler.h"
#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "harness/cmd/cmd.h"
#include "harness/run/run.h"

enum { O_DB = 256 };

struct args {
	const char *db, *what;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case O_DB: a->db = arg; return 0;
	case ARGP_KEY_ARG:
		if (a->what)
			exit(wring_usage_error("'%s': one argument is accepted", arg));
		a->what = arg;
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

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
		printf("%-20s %s\n%-20s ", all[i]->name, all[i]->summary, "");
		for (const char *p = all[i]->controls ? all[i]->controls : ""; *p; p++)
			putchar(*p == '\n' ? ' ' : *p);
		putchar('\n');
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
	printf("@full                all of them\n");
	for (size_t i = 0; i < s.n; i++)
		for (size_t k = 0; k < s.rows[i]->n_suites; k++)
			if (!seen_before(&s, i, k))
				print_suite(&s, s.rows[i]->suites[k]);
	wring_scenarios_done(&s);
	return WRING_EXIT_OK;
}

static int list_metrics(const char *db)
{
	struct wring_scenarios s;
	struct wring_err err = { 0 };

	(void)db;
	if (wring_scenarios_all(&s, &err))
		return wring_complain(&err, WRING_EXIT_USAGE);
	for (size_t i = 0; i < s.n; i++)
		for (size_t k = 0; k < s.rows[i]->n_primary; k++)
			printf("%-20s primary of %s\n", s.rows[i]->primary[k], s.rows[i]->name);
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
	{ "db", O_DB, "FILE", 0, "database (default $WRING_DB, else ./wring.db)", 0 }, WRING_HELP_OPTION, { 0 } };

static int list(int argc, char **argv)
{
	static const struct argp argp = { db_option, parse, "[scenarios|suites|workloads|samplers|detectors|metrics|runs]",
		"What there is (default: scenarios).", NULL, NULL, NULL };
	struct args a = { 0 };
	int code = wring_args(&argp, "list", argc, argv, &a);

	if (code)
		return code;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(lists); i++)
		if (!strcmp(a.what ? a.what : "scenarios", lists[i].name))
			return lists[i].list(a.db);
	return wring_usage_error("list: '%s': one of scenarios, suites, workloads, samplers, detectors, metrics, runs is accepted", a.what);
}

/* ---- show ---- */

static void paragraph(const char *title, const char *text)
{
	if (text && *text)
		printf("\n%s\n  ", title);
	for (const char *p = text; p && *p; p++) {
		putchar(*p);
		if (*p == '\n')
			fputs("  ", stdout);
	}
	if (text && *text)
		putchar('\n');
}

static void words(const char *title, char *const *list, size_t n)
{
	if (n)
		printf("\n%s\n ", title);
	for (size_t i = 0; i < n; i++)
		printf(" %s", list[i]);
	if (n)
		putchar('\n');
}

static void show_scenario(const struct wring_scenario *s)
{
	printf("%s: %s\n", s->name, s->summary ? s->summary : "");
	paragraph("Claim", s->claim);
	paragraph("A healthy kernel", s->healthy);
	paragraph("A sick kernel", s->sick);
	words("Suites", s->suites, s->n_suites);
	words("Needs", s->needs, s->n_needs);
	words("Detectors (wring show NAME tells what each may call a failure)", s->detectors, s->n_detectors);
	words("Primary metrics", s->primary, s->n_primary);
	if (s->params.n)
		printf("\nParameters (--set=%s.NAME=VALUE)\n", s->name);
	for (size_t i = 0; i < s->params.n; i++) {
		const char *help = wring_setting_get(&s->param_help, s->params.rows[i].key);

		printf("  %s=%s  %s\n", s->params.rows[i].key, s->params.rows[i].value, help ? help : "");
	}
	printf("\nAs it runs\n");
	wring_scenario_print(s, stdout);
}

static void heading(const char *name, const char *summary, bool again)
{
	printf("%s%s: %s\n", again ? "\n" : "", name, summary);
}

/* A name may mean several things: dying-memcg is a scenario and the detector that judges it. */
static bool show_plugins(const char *what, bool found)
{
	size_t n;
	const struct wring_detector *const *d = wring_detectors(&n);
	const struct wring_workload *w = wring_workload_find(what);
	const struct wring_sampler *s = wring_sampler_find(what);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(d[i]->name, what)) {
			heading(d[i]->name, d[i]->summary, found);
			paragraph("What is judged", d[i]->doc);
			paragraph("Limits ([limits] NAME.KEY)", d[i]->limits);
			paragraph("Controls", d[i]->controls);
			found = true;
		}
	if (w) {
		heading(w->name, w->summary, found);
		paragraph("What it does", w->doc);
		printf("\nParameters\n");
		wring_workload_help(w, stdout);
		found = true;
	}
	if (s) {
		heading(s->name, s->summary, found);
		for (size_t i = 0; i < WRING_MAX_FILES && s->files[i]; i++)
			printf("  reads %s\n", s->files[i]);
		found = true;
	}
	return found;
}

static int show_run(const char *db, const char *spec)
{
	struct wring_store *st = NULL;
	struct wring_runs runs = { 0 };
	struct wring_err err = { 0 };
	int r = wring_store_open(wring_db_path(db), WRING_STORE_READ, &st, &err);

	if (!r)
		r = wring_store_runs(st, spec, &runs, &err);
	for (size_t i = 0; i < runs.n && !r; i++)
		r = wring_report_run(st, &runs.rows[i], stdout, &err);
	wring_runs_done(&runs);
	wring_store_close(st);
	if (r)
		return wring_usage_error("'%s' is no scenario, detector, workload or sampler, and no run: %s", spec, err.msg);
	return WRING_EXIT_OK;
}

static int show(int argc, char **argv)
{
	static const struct argp argp = { db_option, parse, "NAME|RUN",
		"What a scenario, workload, sampler or detector does, or what a stored run found.", NULL, NULL, NULL };
	struct args a = { 0 };
	struct wring_scenarios s;
	struct wring_err err = { 0 };
	bool found = false;
	int code = wring_args(&argp, "show", argc, argv, &a);

	if (code)
		return code;
	if (!a.what)
		return wring_usage_error("show: name a scenario, workload, sampler, detector or run");
	if (wring_scenarios_all(&s, &err))
		return wring_complain(&err, WRING_EXIT_USAGE);
	for (size_t i = 0; i < s.n; i++)
		if (!strcmp(s.rows[i]->name, a.what)) {
			show_scenario(s.rows[i]);
			found = true;
		}
	wring_scenarios_done(&s);
	return show_plugins(a.what, found) ? WRING_EXIT_OK : show_run(a.db, a.what);
}

const struct wring_cmd wring_cmd_list = { "list", "[WHAT]", "scenarios, suites, workloads, samplers, detectors, metrics, runs", list };
const struct wring_cmd wring_cmd_show = { "show", "NAME|RUN", "what it does, parameters, what a healthy kernel does", show };
