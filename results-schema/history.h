/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures over nights: what a trend is made of, read run by run so that memory does not grow with the database. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "results-schema/store.h"

struct wring_history_run {
	int64_t id;
	char *started, *scenario, *release;
	char *machine;   /* "vm tcg cpus=4 nodes=2 memory=2G", "host 16 CPUs 65536000 kB": what figures depend on */
	uint64_t setup;  /* a hash of what was measured: the plan with its parameters, the command line, wring's version */
};
struct wring_history_runs { struct wring_history_run *rows; size_t n; };
/* Runs that were measured (ok or fail) and were no part of a comparison, oldest first. scenario and label may be NULL: any. */
int wring_store_history(struct wring_store *st, const char *scenario, const char *label, struct wring_history_runs *ret, struct wring_err *err);
void wring_history_runs_done(struct wring_history_runs *r);

/* fn for each metric of a run that is a number; m lives until fn returns. primary: only these. Returns what fn returned if not 0. */
typedef int wring_history_fn(void *arg, const struct wring_metric_row *m);
int wring_store_history_metrics(struct wring_store *st, int64_t run, bool primary, wring_history_fn *fn, void *arg, struct wring_err *err);
