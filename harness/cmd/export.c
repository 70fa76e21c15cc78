/* SPDX-License-Identifier: GPL-3.0-or-later */
/* export and report: stored runs in the formats of analyzers/report. */
#include <stdlib.h>
#include <string.h>

#include "analyzers/report/format.h"
#include "harness/base/util.h"
#include "harness/cmd/cmd.h"

enum { O_FORMAT = WRING_O_DB + 1, O_ORIGIN, O_BUILD };

struct args {
	struct wring_words runs;
	const char *format, *output;
	struct wring_format_options options;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case O_FORMAT: a->format = arg; return 0;
	case O_ORIGIN: a->options.origin = arg; return 0;
	case O_BUILD: a->options.build = arg; return 0;
	case 'o': a->output = arg; return 0;
	default: return wring_parse_words(key, arg, &a->runs);
	}
}

static int write_to(struct wring_store *st, const struct wring_runs *runs, const struct wring_format *f, const struct args *a, struct wring_err *err)
{
	struct wring_document d = { "--output", a->output, NULL, NULL, 0 };
	int r;

	if (!a->output)
		return f->write(st, runs, &a->options, stdout, err);
	r = wring_document_begin(&d, err);
	return wring_document_end(&d, r ? r : f->write(st, runs, &a->options, d.f, err), err);
}

static bool is_origin(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s);
}

static int write_runs(struct args *a, const struct wring_format *f)
{
	struct wring_store *st = NULL;
	struct wring_runs runs = { 0 };
	struct wring_err err = { 0 };
	int r = a->output ? wring_can_write("--output", a->output, &err) : 0, code = WRING_EXIT_OK;

	if (!r)
		r = wring_store_open(wring_db_path(a->runs.db), WRING_STORE_READ, &st, &err);
	if (!r)
		r = wring_select_runs(st, a->runs.words, a->runs.n, &runs, &err);
	if (!r && f->one_run && runs.n != 1)
		r = wring_err_set(&err, -EINVAL, "--format=%s: %zu runs: name one, as in wring report last --format=%s", f->name, runs.n, f->name);
	if (r)
		code = wring_complain(&err, WRING_EXIT_USAGE);
	else if (write_to(st, &runs, f, a, &err))
		code = wring_complain(&err, WRING_EXIT_BROKEN);
	wring_runs_done(&runs);
	wring_store_close(st);
	return code;
}

/* The names of the formats are those that are registered: into the help, and into the error. */
static int with_formats(const char *name, const char *doc, const char *def, int use, struct argp_option *options, int argc, char **argv)
{
	_cleanup_free_ char *names = wring_format_names(use, "|"), *list = wring_format_names(use, ", ");
	struct argp argp = { options, parse, "[RUN...]", doc, NULL, NULL, NULL };
	struct args a = { .runs.what = "runs", .format = def };
	const struct wring_format *f;
	int code;

	for (struct argp_option *o = options; names && o->name; o++)
		if (o->key == O_FORMAT)
			o->arg = names;
	code = wring_args(&argp, name, argc, argv, &a);
	if (code)
		return code;
	f = wring_format_find(a.format, use);
	if (!f)
		return wring_usage_error("--format=%s: one of %s is accepted", a.format, list ? list : "");
	if (a.options.origin && !is_origin(a.options.origin))
		return wring_usage_error("--origin=%s: lower-case letters, digits and '_' are accepted", a.options.origin);
	if (a.options.build && (strcspn(a.options.build, ":") == strlen(a.options.build) || *a.options.build == ':'))
		return wring_usage_error("--build=%s: ORIGIN:ID is accepted, as in maestro:6543", a.options.build);
	return write_runs(&a, f);
}

static int export(int argc, char **argv)
{
	struct argp_option options[] = {
		WRING_DB_OPTION,
		{ "format", O_FORMAT, "FORMAT", 0, "default json; docs/export.md and wring-export(5) describe them", 0 },
		{ "output", 'o', "FILE", 0, "instead of standard output; it is replaced at once, never seen half-written", 0 },
		{ "origin", O_ORIGIN, "NAME", 0, "kcidb: the CI system that reports (default wring)", 0 },
		{ "build", O_BUILD, "ID", 0, "kcidb: the build that was tested, reported by somebody else", 0 },
		WRING_HELP_OPTION, { 0 } };

	return with_formats("export", "Stored runs for machines.\vRUN is an id, a uuid, a label, a kernel release or 'last'; none means all.",
			    "json", WRING_FOR_EXPORT, options, argc, argv);
}

static int report(int argc, char **argv)
{
	struct argp_option options[] = {
		WRING_DB_OPTION,
		{ "format", O_FORMAT, "FORMAT", 0, "default text; wring-export(5) describes them", 0 },
		{ "output", 'o', "FILE", 0, "instead of standard output; it is replaced at once, never seen half-written", 0 },
		WRING_HELP_OPTION, { 0 } };

	return with_formats("report", "Stored runs for people.\vRUN is an id, a uuid, a label, a kernel release or 'last'; none means all.",
			    "text", WRING_FOR_REPORT, options, argc, argv);
}

const struct wring_cmd wring_cmd_export = { "export", "[RUN...]", "stored runs for machines: JSON, KTAP, JUnit, KCIDB, LAVA, CSV, OpenMetrics", export };
const struct wring_cmd wring_cmd_report = { "report", "[RUN...]", "stored runs for people: a terminal, a mail, HTML, Markdown, a shell script", report };
