/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The commands. The only layer that prints errors and decides exit codes. */
#pragma once
#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

#include "analyzers/comparison.h"
#include "harness/api/outcome.h"
#include "harness/base/err.h"
#include "harness/run/run.h"

struct wring_cmd {
	const char *name, *args, *summary; /* no summary: not listed */
	int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns the exit code */
};
extern const struct wring_cmd wring_cmd_run, wring_cmd_check, wring_cmd_list, wring_cmd_show, wring_cmd_export, wring_cmd_doctor,
	wring_cmd_kconfig, wring_cmd_load, wring_cmd_manual, wring_cmd_report, wring_cmd_db, wring_cmd_trend, wring_cmd_ab, wring_cmd_compare;

/* The options of run: load takes them too, and hands them on; ab reads them for each arm. */
extern const struct argp_option wring_run_option_table[];
struct wring_run_args {
	struct wring_run_options o; /* cpus 0: not said */
	const char *db, *known, *json;
	char dump_dir[4096];
	char *targets[64], *sets[64], *sysctls[64], append[2048];
	size_t n_targets, n_sets, n_sysctls;
	uint64_t reps; /* 0: as often as the budget allows */
	int64_t timeout_ns, budget_ns;
	bool dry, is_long;
	struct wring_err err;
};
void wring_run_args_init(struct wring_run_args *a);
/* ARGP_ERR_UNKNOWN, or 0 with the error, if any, in a->err. */
int wring_run_option(struct wring_run_args *a, int key, char *arg);
/* A number of 1 to max; a mistake is said of --option. */
int wring_number(const char *option, const char *arg, uint64_t max, uint64_t *ret, struct wring_err *err);
/* The scenarios, and where they run. */
int wring_run_prepare(struct wring_run_args *a, struct wring_place *p, struct wring_scenarios *s);
void wring_catch_signals(void);
/* The rows of these runs as they are now. */
int wring_run_collect(struct wring_store *st, const int64_t *ids, size_t n, struct wring_runs *ret, struct wring_err *err);
/* The export document of a comparison and its runs. */
int wring_versus_json(struct wring_store *st, const struct wring_versus *v, const char *path, struct wring_err *err);
int wring_write_json(struct wring_store *st, const struct wring_runs *runs, const struct wring_versus *v, const char *path, struct wring_err *err);

/* Prints "wring: MESSAGE" and returns the code. */
int wring_complain(const struct wring_err *err, int code);
/* The exit code of a verdict that could not be told: a failure stays one. */
int wring_spoilt(int code);
/* The exit code, unless a result that nobody could read is none: a full disk behind `wring list > FILE`. */
int wring_finish(int code);
int wring_usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* argp_parse() of a command's arguments, name "run". Returns 0, or the exit code once the one line that says what is wrong is
 * out; does not return from --help, which every table of options lists with WRING_HELP_OPTION. */
#define WRING_HELP_OPTION { "help", '?', NULL, 0, "this list", -1 }
int wring_args(const struct argp *argp, const char *name, int argc, char **argv, void *input);
/* What commands that read a database have in common: --db, and words (runs, metrics, files), of which `what` says what they are. Used as
 * a parser of its own, or called by one that has more options, whose numbers are then above WRING_O_DB. */
enum { WRING_O_DB = 256 };
#define WRING_DB_OPTION { "db", WRING_O_DB, "FILE", 0, "database (default $WRING_DB, else ./wring.db)", 0 }
struct wring_words {
	const char *db, *what;
	size_t most, n; /* most 0: as many as there is room for */
	char *words[256];
};
error_t wring_parse_words(int key, char *arg, struct wring_words *w);
error_t wring_parse_only_words(int key, char *arg, struct argp_state *state);
/* Can this file be written? Asked before anything starts, and nothing is left behind by asking. option: "--json". */
int wring_can_write(const char *option, const char *path, struct wring_err *err);
/* A file that is replaced at once, never seen half-written; a link stays a link, a device a device. What is printed to f between begin
 * and end is in memory; end writes it, unless r says that it went wrong, and returns r or the new mistake. */
struct wring_document {
	const char *option, *path;
	FILE *f;
	char *text;
	size_t len;
};
int wring_document_begin(struct wring_document *d, struct wring_err *err);
int wring_document_end(struct wring_document *d, int r, struct wring_err *err);
struct wring_store;
struct wring_runs;
/* The runs that the arguments name, each once; all when there are none. */
int wring_select_runs(struct wring_store *st, char *const *specs, size_t n, struct wring_runs *ret, struct wring_err *err);
/* --db, $WRING_DB, ./wring.db */
const char *wring_db_path(const char *option);
/* Lines about the controls of a detector that were run, and when. */
void wring_print_controls(const char *detector, const char *indent);
/* @nightly without --reps and --budget. */
#define WRING_NIGHTLY_REPS 3
