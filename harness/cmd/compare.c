/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wring compare: the judgement of wring ab, on what is stored. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "analyzers/report/report.h"
#include "harness/base/util.h"
#include "harness/cmd/cmd.h"

enum { O_JSON = WRING_O_DB + 1, O_FORMAT };

struct args {
	struct wring_words sides;
	const char *json, *format;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case O_JSON: a->json = arg; return 0;
	case O_FORMAT: a->format = arg; return 0;
	default: return wring_parse_words(key, arg, &a->sides);
	}
}

static int check_sides(const struct args *a, const struct wring_runs *x, const struct wring_runs *y, struct wring_err *err)
{
	for (size_t i = 0; i < x->n; i++)
		for (size_t k = 0; k < y->n; k++)
			if (x->rows[i].id == y->rows[k].id)
				return wring_err_set(err, -EINVAL, "run %lld is on both sides ('%s' and '%s'): give each side runs of its own",
						     (long long)x->rows[i].id, a->sides.words[0], a->sides.words[1]);
	return 0;
}

static int load(const struct args *a, struct wring_store *st, struct wring_versus *v, struct wring_err *err)
{
	struct wring_runs x = { 0 }, y = { 0 };
	struct wring_comparisons c = { 0 };
	int r;

	if (a->sides.n == 1) {
		r = wring_store_comparisons(st, a->sides.words[0], &c, err);
		if (!r)
			r = wring_versus_load(st, &c.rows[0], v, err);
		wring_comparisons_done(&c);
		return r;
	}
	r = wring_store_runs(st, a->sides.words[0], &x, err);
	if (!r)
		r = wring_store_runs(st, a->sides.words[1], &y, err);
	if (!r)
		r = check_sides(a, &x, &y, err);
	if (!r)
		r = wring_versus_runs(st, &x, a->sides.words[0], &y, a->sides.words[1], v, err);
	wring_runs_done(&x);
	wring_runs_done(&y);
	return r;
}

static int compare(int argc, char **argv)
{
	static const struct argp_option options[] = {
		WRING_DB_OPTION,
		{ "json", O_JSON, "FILE", 0, "write the export document", 0 },
		{ "format", O_FORMAT, "text|mail", 0, "mail: 72 columns of ASCII", 0 },
		WRING_HELP_OPTION, { 0 } };
	static const struct argp argp = { options, parse, "A B|AB",
		"Judge stored runs against each other.\v"
		"A and B are run ids, uuids, labels or kernel releases; AB is a comparison that wring ab made: its id, uuid, or 'last'.\n"
		"Runs that were not run in turn are judged with a warning: a drift of the machine looks like a difference.",
		NULL, NULL, NULL };
	struct args a = { .sides = { .what = "sides", .most = 2 }, .format = "text" };
	struct wring_store *st = NULL;
	struct wring_versus v = { 0 };
	struct wring_err err = { 0 };
	int code = wring_args(&argp, "compare", argc, argv, &a), r = 0;

	if (code)
		return code;
	if (!a.sides.n)
		return wring_usage_error("compare: two sides (run ids, labels or kernel releases), or one comparison, are accepted");
	if (strcmp(a.format, "text") && strcmp(a.format, "mail"))
		return wring_usage_error("--format=%s: text and mail are accepted", a.format);
	if (a.json)
		r = wring_can_write("--json", a.json, &err);
	if (!r)
		r = wring_store_open(wring_db_path(a.sides.db), WRING_STORE_READ, &st, &err);
	if (!r)
		r = load(&a, st, &v, &err);
	if (r) {
		wring_store_close(st);
		return wring_complain(&err, WRING_EXIT_USAGE);
	}
	code = wring_versus_exit(&v);
	if (a.json)
		r = wring_versus_json(st, &v, a.json, &err);
	if (!r)
		r = wring_report_versus(&v, !strcmp(a.format, "mail"), stdout, &err);
	if (r)
		wring_complain(&err, code = wring_spoilt(code));
	wring_versus_done(&v);
	wring_store_close(st);
	return code;
}

const struct wring_cmd wring_cmd_compare = { "compare", "A B", "judge stored runs against each other", compare };
