/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stored results for people and machines. */
#pragma once
#include <stdio.h>
#include "analyzers/comparison.h"
#include "results-schema/store.h"

/* The table at the end of a run: one row a run (scenario, outcome, what decided it), then the findings that are not a
 * pass, each with its numbers; libsmartcols; width from the terminal, or 100 columns when out is not one. */
int wring_report_table(struct wring_store *st, const struct wring_runs *runs, FILE *out, struct wring_err *err);
/* All there is to say about one run, for `wring show RUN`: facts, metrics, findings, events. */
int wring_report_run(struct wring_store *st, const struct wring_run_row *run, FILE *out, struct wring_err *err);
/* Only its metrics. */
int wring_report_metrics(struct wring_store *st, const struct wring_run_row *run, FILE *out, struct wring_err *err);
/* A comparison. mail: 72 columns of ASCII. */
int wring_report_versus(const struct wring_versus *v, bool mail, FILE *out, struct wring_err *err);
/* The export document (results-schema/export.schema.json). Text that is no valid UTF-8 is made so. v: the comparison to tell of;
 * NULL: every stored one that has one of these runs. */
int wring_export_json(struct wring_store *st, const struct wring_runs *runs, const struct wring_versus *v, FILE *out, struct wring_err *err);
