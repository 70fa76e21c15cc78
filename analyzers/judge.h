/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Judging stored runs: detectors -> findings -> outcome -> exit code. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "harness/api/detector.h"
#include "harness/api/outcome.h"
#include "harness/base/err.h"
#include "results-schema/store.h"

/* Known findings: an INI file, one section a finding:
 *   [NAME]  scenario = ..  detector = ..  class = ..  kernel = 6.1.*  reason = ..  link = ..  (kernel and link may be missing) */
struct wring_known;
int wring_known_read(const char *path, struct wring_known **ret, struct wring_err *err);
void wring_known_free(struct wring_known *k);

/* The detector whose name these len bytes are, or NULL. */
const struct wring_detector *wring_detector_find(const char *name, size_t len);

/* Runs the scenario's detectors over one stored run whose recorder has finished, applies `known` (may be NULL),
 * stores metrics and findings and sets the outcome: a run that was ok or fail before becomes fail when a finding fails,
 * else ok; broken and skip stay as they are, except that a finding of kernel-log (the guest panicked) makes it fail.
 * Idempotent. A pruned run (wring db prune) stays as it is. */
int wring_judge_run(struct wring_store *st, const struct wring_run_row *run, struct wring_known *known, struct wring_err *err);
/* Known entries that matched no finding in the runs judged so far although their scenario ran to its end; lines for people. */
size_t wring_known_gone(const struct wring_known *k, char *buf, size_t size);

/* Exit code over runs by the precedence of the design: 1 for any new failure, else 4 for anything broken, else 3
 * for noisy, suspect, inconclusive or nothing judged, else 0. Add runs one by one. */
struct wring_exit { bool fail, broken, unsure; size_t judged; };
int wring_exit_add(struct wring_exit *x, struct wring_store *st, const struct wring_run_row *run, struct wring_err *err);
int wring_exit_code(const struct wring_exit *x);
