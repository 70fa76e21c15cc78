/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A format of stored runs: one file here, one const struct, registered like any plug-in. `wring export` and `wring report`
 * offer what is registered for them. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "harness/api/registry.h"
#include "results-schema/store.h"

enum wring_format_use { WRING_FOR_EXPORT = 1, WRING_FOR_REPORT = 2 };

struct wring_format_options {
	const char *origin; /* kcidb: the CI system that reports; NULL: wring */
	const char *build;  /* kcidb: id of a build that somebody else reports; NULL: one is made up from the kernel */
};
struct wring_format {
	const char *name;
	const char *summary; /* for --help */
	int use;             /* of enum wring_format_use */
	bool one_run;        /* tells of one run, and has to be given it */
	/* Returns 0, or -errno with err set. */
	int (*write)(struct wring_store *st, const struct wring_runs *runs, const struct wring_format_options *o, FILE *out,
		     struct wring_err *err);
};
#define WRING_REGISTER_FORMAT(f) WRING_REGISTER(format, f)
WRING_REGISTRY(format)

/* NULL: there is none of that name and use. */
const struct wring_format *wring_format_find(const char *name, int use);
/* "csv, json, ktap": on the heap, NULL for want of memory. `separator` is ", " or "|". */
char *wring_format_names(int use, const char *separator);

/* ---- what every format is made of ---- */
/* Words of verdicts and outcomes differ between formats; their meaning does not. Known, suspect, inconclusive and skipped
 * findings and noisy runs say nothing for or against the kernel that would set an exit code of 1: SKIP, with the reason. */
enum wring_result { WRING_RESULT_PASS, WRING_RESULT_FAIL, WRING_RESULT_SKIP, WRING_RESULT_ERROR };
enum wring_result wring_run_result(const struct wring_run_row *run);
enum wring_result wring_finding_result(const struct wring_finding_row *f);

struct wring_case {
	const struct wring_run_row *run;
	struct wring_metrics m; /* only finite ones */
	struct wring_findings f;
	char *remains; /* what its guest left behind, where that failed, hung or panicked; NULL: nothing */
	size_t nth; /* 1: the first run of its scenario in this list */
};
/* 1 for the first finding of this detector and class in the run, 2 for the next. */
size_t wring_case_finding_nth(const struct wring_case *c, size_t i);
/* Is it broken, or failed although no finding says so? Then formats that look at findings only need a case for the outcome. */
bool wring_case_is_unexplained(const struct wring_case *c);
/* Calls `one` for each run with its case, until it returns other than 0. */
int wring_case_each(struct wring_store *st, const struct wring_runs *runs, FILE *out,
		    int (*one)(const struct wring_case *c, size_t i, FILE *out, void *data), void *data, struct wring_err *err);
/* Its reason; of a run that was ok, what that means: perhaps nothing was judged. f NULL: not read. */
const char *wring_why(const struct wring_run_row *run, const struct wring_findings *f);
/* "oom_kills 3 kills" of all metrics, one a line behind `prefix`, each word without blanks. */
void wring_case_metrics(const struct wring_case *c, const char *prefix, FILE *out);
/* One line: "suspect: 3 against 0 kills: EVIDENCE", valid UTF-8 without control characters. On the heap or NULL. */
char *wring_finding_line(const struct wring_finding_row *f);

/* What was written has arrived: 0, or -EIO. */
int wring_written(FILE *out, struct wring_err *err);
