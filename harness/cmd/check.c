/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check: judge stored runs again. */
#include <errno.h>
#include <string.h>

#include "analyzers/judge.h"
#include "analyzers/report/report.h"
#include "harness/base/util.h"
#include "harness/cmd/cmd.h"

enum { O_KNOWN = WRING_O_DB + 1, O_JSON };

struct args {
	struct wring_words runs;
	const char *known, *json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case O_KNOWN: a->known = arg; return 0;
	case O_JSON: a->json = arg; return 0;
	default: return wring_parse_words(key, arg, &a->runs);
	}
}

static int judge_all(struct args *a, struct wring_store *st, struct wring_known *known, struct wring_err *err)
{
	struct wring_runs runs, after;
	struct wring_exit x = { 0 };
	char gone[2000];
	int r = wring_select_runs(st, a->runs.words, a->runs.n, &runs, err), code = WRING_EXIT_BROKEN;

	for (size_t i = 0; i < runs.n && !r; i++)
		r = wring_judge_run(st, &runs.rows[i], known, err);
	wring_runs_done(&runs);
	if (!r)
		r = wring_select_runs(st, a->runs.words, a->runs.n, &after, err);
	if (r)
		return wring_complain(err, r == -ENOENT || r == -EINVAL ? WRING_EXIT_USAGE : WRING_EXIT_BROKEN);
	for (size_t i = 0; i < after.n && !r; i++)
		r = wring_exit_add(&x, st, &after.rows[i], err);
	if (!r)
		code = wring_exit_code(&x);
	if (!r && a->json)
		r = wring_write_json(st, &after, NULL, a->json, err);
	if (!r)
		r = wring_report_table(st, &after, stdout, err);
	if (!r && known && wring_known_gone(known, gone, sizeof(gone)))
		fputs(gone, stdout);
	wring_runs_done(&after);
	return r ? wring_complain(err, wring_spoilt(code)) : code;
}

static int check(int argc, char **argv)
{
	static const struct argp_option options[] = {
		WRING_DB_OPTION,
		{ "known", O_KNOWN, "FILE", 0, "known findings: shown, but set no exit code", 0 },
		{ "json", O_JSON, "FILE", 0, "write the export document", 0 },
		WRING_HELP_OPTION, { 0 } };
	static const struct argp argp = { options, parse, "[RUN...]",
		"Judge stored runs again, with the detectors of this version.\vRUN is an id, a uuid, a label, a kernel release or 'last'; none means all.",
		NULL, NULL, NULL };
	struct args a = { .runs.what = "runs" };
	struct wring_store *st = NULL;
	struct wring_known *known = NULL;
	struct wring_err err = { 0 };
	int code = wring_args(&argp, "check", argc, argv, &a);

	if (code)
		return code;
	code = WRING_EXIT_USAGE;
	if ((a.json && wring_can_write("--json", a.json, &err)) || (a.known && wring_known_read(a.known, &known, &err)) ||
	    wring_store_open(wring_db_path(a.runs.db), WRING_STORE_CHANGE, &st, &err))
		wring_complain(&err, 0);
	else
		code = judge_all(&a, st, known, &err);
	wring_known_free(known);
	wring_store_close(st);
	return code;
}

const struct wring_cmd wring_cmd_check = { "check", "[RUN...]", "judge stored runs again", check };
