/* SPDX-License-Identifier: GPL-3.0-or-later */
/* show: everything about one scenario, workload, sampler, detector or stored run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/judge.h"
#include "analyzers/metrics.h"
#include "analyzers/report/report.h"
#include "harness/api/sampler.h"
#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "harness/cmd/cmd.h"
#include "harness/run/run.h"

static void indented(const char *text, const char *by)
{
	fputs(by, stdout);
	for (const char *p = text; *p; p++) {
		putchar(*p);
		if (*p == '\n')
			fputs(by, stdout);
	}
	putchar('\n');
}

static void paragraph(const char *title, const char *text)
{
	if (!text || !*text)
		return;
	printf("\n%s\n", title);
	indented(text, "  ");
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

static void show_loads(const struct wring_scenario *s)
{
	if (s->n_loads)
		printf("\nLoad\n");
	for (size_t i = 0; i < s->n_loads; i++) {
		const struct wring_load *l = &s->loads[i];

		printf("  %s: %s in %s", l->name, l->workload, l->group);
		if (l->procs > 1)
			printf(", %llu processes", (unsigned long long)l->procs);
		if (l->threads > 1)
			printf(", %llu threads", (unsigned long long)l->threads);
		for (size_t k = 0; k < l->params.n; k++)
			printf("%s %s=%.*s", k ? "" : ":", l->params.rows[k].key, (int)strcspn(l->params.rows[k].value, "\n"), l->params.rows[k].value);
		putchar('\n');
	}
}

static void show_phases(const struct wring_scenario *s)
{
	printf("\nPhases\n");
	for (size_t i = 0; i < s->n_phases; i++) {
		const struct wring_phase *p = &s->phases[i];

		printf("  %s", p->name);
		if (p->repeat > 1)
			printf(" (%llu times)", (unsigned long long)p->repeat);
		for (size_t k = 0; k < p->n; k++) {
			printf("%s %s", k ? "," : ":", p->steps[k].verb->name);
			for (size_t a = 0; a < p->steps[k].n_args; a++)
				printf(" %s", p->steps[k].args[a]);
		}
		putchar('\n');
	}
}

static void show_samples(const struct wring_scenario *s)
{
	if (s->n_samples)
		printf("\nWhat is sampled\n");
	for (size_t i = 0; i < s->n_samples; i++) {
		const struct wring_sample *sa = &s->samples[i];

		printf("  %s", sa->sampler);
		for (size_t k = 0; k < sa->n_subjects; k++)
			printf("%s %s", k ? "" : " of", sa->subjects[k]);
		if (sa->interval_ns)
			printf(", %g times a second\n", 1e9 / (double)sa->interval_ns);
		else
			printf(", at marks\n");
	}
}

static void show_primary(const struct wring_scenario *s)
{
	if (s->n_primary)
		printf("\nPrimary metrics (what two kernels are compared by)\n");
	for (size_t i = 0; i < s->n_primary; i++) {
		const char *from;
		const struct wring_metric_info *m = wring_metric_find(s->primary[i], &from);

		if (m)
			printf("  %s [%s, %s is better]: %s (%s)\n", s->primary[i], m->unit, *m->better ? m->better : "neither", m->doc, from);
		else
			printf("  %s: no detector of this wring makes it\n", s->primary[i]);
	}
}

/* The keys of a detector's limits, with what the scenario says of them. */
static void show_limits(const struct wring_scenario *s, const struct wring_detector *d)
{
	_cleanup_free_ char *keys = strdup(d->limits ? d->limits : "");
	char *save = NULL;

	for (char *key = keys ? strtok_r(keys, " ", &save) : NULL; key; key = strtok_r(NULL, " ", &save)) {
		_cleanup_free_ char *full = wring_strf("%s.%s", d->name, key);
		const char *value = full ? wring_setting_get(&s->limits, full) : NULL;

		printf("    limit %s.%s = %s\n", d->name, key, value ? value : "as above");
	}
}

static void show_detectors(const struct wring_scenario *s)
{
	if (s->n_detectors)
		printf("\nDetectors, and what each may call a failure\n");
	for (size_t i = 0; i < s->n_detectors; i++) {
		const struct wring_detector *d = wring_detector_find(s->detectors[i], strlen(s->detectors[i]));

		if (!d)
			continue;
		printf("  %s: %s\n", d->name, d->summary);
		indented(d->doc, "    ");
		show_limits(s, d);
	}
}

static void show_params(const struct wring_scenario *s)
{
	if (s->params.n)
		printf("\nParameters (--set=%s.NAME=VALUE; the long form is that of @nightly and --long)\n", s->name);
	for (size_t i = 0; i < s->params.n; i++) {
		const char *help = wring_setting_get(&s->param_help, s->params.rows[i].key);
		const char *is_long = wring_setting_get(&s->param_long, s->params.rows[i].key);

		printf("  %s=%s", s->params.rows[i].key, s->params.rows[i].value);
		if (is_long)
			printf(" (long: %s)", is_long);
		printf("  %s\n", help ? help : "");
	}
}

static void show_scenario(const struct wring_scenario *s)
{
	printf("%s: %s\n", s->name, s->summary ? s->summary : "");
	if (s->thread)
		printf("\nThread\n  %s (docs/scenarios/thread-%s.md)\n", s->thread, s->thread);
	paragraph("Claim", s->claim);
	paragraph("A healthy kernel", s->healthy);
	paragraph("A sick kernel", s->sick);
	words("Suites (and @full, @nightly)", s->suites, s->n_suites);
	words("Needs", s->needs, s->n_needs);
	show_loads(s);
	show_phases(s);
	show_samples(s);
	show_primary(s);
	show_detectors(s);
	show_params(s);
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
	const struct wring_detector *d = wring_detector_find(what, strlen(what));
	const struct wring_workload *w = wring_workload_find(what);
	const struct wring_sampler *s = wring_sampler_find(what);

	if (d) {
		heading(d->name, d->summary, found);
		paragraph("What is judged", d->doc);
		paragraph("Limits ([limits] NAME.KEY)", d->limits);
		if (d->metrics)
			printf("\nMetrics\n");
		for (const struct wring_metric_info *m = d->metrics; m && m->name; m++)
			printf("  %s [%s%s%s]: %s\n", m->name, m->unit, *m->better ? ", better: " : "", m->better, m->doc);
		paragraph("Controls", d->controls);
		printf("\nControls that were run (make check-long)\n");
		wring_print_controls(d->name, "  ");
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
	int r = wring_store_open(wring_db_path(db), WRING_STORE_READ, &st, &err), code = WRING_EXIT_OK;

	if (!r)
		r = wring_store_runs(st, spec, &runs, &err);
	if (r)
		code = wring_usage_error("'%s' is no scenario, detector, workload or sampler, and no run: %s", spec, err.msg);
	for (size_t i = 0; i < runs.n && !r; i++) {
		r = wring_report_run(st, &runs.rows[i], stdout, &err);
		if (r)
			code = wring_complain(&err, WRING_EXIT_BROKEN);
	}
	wring_runs_done(&runs);
	wring_store_close(st);
	return code;
}

static const struct argp_option db_option[] = {
	WRING_DB_OPTION, WRING_HELP_OPTION, { 0 } };

static int show(int argc, char **argv)
{
	static const struct argp argp = { db_option, wring_parse_only_words, "NAME|RUN",
		"What a scenario, workload, sampler or detector does, or what a stored run found.", NULL, NULL, NULL };
	struct wring_words a = { .most = 1 };
	struct wring_scenarios s;
	struct wring_err err = { 0 };
	bool found = false;
	int code = wring_args(&argp, "show", argc, argv, &a);

	if (code)
		return code;
	if (!a.words[0])
		return wring_usage_error("show: name a scenario, workload, sampler, detector or run");
	if (wring_scenarios_all(&s, &err))
		return wring_complain(&err, WRING_EXIT_USAGE);
	for (size_t i = 0; i < s.n; i++)
		if (!strcmp(s.rows[i]->name, a.words[0])) {
			show_scenario(s.rows[i]);
			found = true;
		}
	wring_scenarios_done(&s);
	return show_plugins(a.words[0], found) ? WRING_EXIT_OK : show_run(a.db, a.words[0]);
}

const struct wring_cmd wring_cmd_show = { "show", "NAME|RUN", "what it does, parameters, what a healthy kernel does", show };
