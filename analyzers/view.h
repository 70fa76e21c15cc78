/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Behind the view of harness/api/detector.h: cached reads of one run, and the results. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "harness/api/detector.h"
#include "harness/plan/plan.h"

struct wring_view_series; /* one cached key over time */

struct wring_results {
	struct wring_metric_row *metrics;
	size_t n_metrics;
	struct wring_finding_row *findings; /* link "" until known findings are applied */
	size_t n_findings;
	/* Detectors do not handle trouble of the store or of memory: the first one is kept here,
	 * and whoever runs them looks at it afterwards. */
	int error;
	struct wring_err err;

	struct wring_events events;
	struct wring_log log;
	struct wring_sources sources;
	bool has_events, has_log, has_sources;
	struct wring_view_series **series;
	size_t n_series;
};

/* row and scenario must outlive the view. */
int wring_view_init(struct wring_view *v, struct wring_store *st, const struct wring_run_row *row,
		    const struct wring_scenario *scenario, struct wring_err *err);
void wring_view_done(struct wring_view *v);

/* Cached reads; valid until wring_view_done(). NULL when the run has no such series; never an
 * empty one. The lists are empty when there is nothing, or when the store failed. */
const struct wring_series *wring_view_series(struct wring_view *v, const char *sampler,
					     const char *subject, const char *key);
const struct wring_events *wring_view_events(struct wring_view *v);
const struct wring_log *wring_view_log(struct wring_view *v);
const struct wring_sources *wring_view_sources(struct wring_view *v);
/* Is there any source of that sampler and subject? */
bool wring_view_has(struct wring_view *v, const char *sampler, const char *subject);
bool wring_view_has_event(struct wring_view *v, const char *kind, const char *subject);
/* Forgets the findings from that one on that are no failures, and the metrics from that one on. */
void wring_view_keep_failures(struct wring_view *v, size_t finding, size_t metric);

/* Index of the first sample at or after t_ns; s->n when there is none. */
size_t wring_series_find(const struct wring_series *s, int64_t t_ns);
int64_t wring_series_max(const struct wring_series *s, int64_t from, int64_t to, int64_t def);

/* The value sampled for a mark at t_mark: the first sample after it and before the next mark. */
int wring_view_at_mark(struct wring_view *v, const char *sampler, const char *subject,
		       const char *key, int64_t t_mark, int64_t *ret);
/* Bytes of free objects in all slabs of the machine, sampled for a mark at t_mark; 0 where slabinfo was not. */
int64_t wring_view_free_in_slabs(struct wring_view *v, int64_t t_mark);
/* Time of the last mark of that name; -ENOENT. */
int wring_view_last_mark(struct wring_view *v, const char *name, int64_t *ret_t_ns);
/* First and last moment the run knows of: its events, and its samples where it has no events. */
void wring_view_span(struct wring_view *v, int64_t *ret_from, int64_t *ret_to);

/* A number out of an event's text: "asked_bytes=4096 errno=-11", key "errno". */
bool wring_text_i64(const char *text, const char *key, int64_t *ret);
/* A detector's own limit, [limits] detector.key of the scenario, in bytes or as a count. */
int64_t wring_view_limit(struct wring_view *v, const char *name, int64_t def);
/* Is group path `path` the group `top`, or below it? "." is the root of all. */
bool wring_group_within(const char *path, const char *top);
/* Does a scenario that says `path` mean the directory `subject`, alone or as one of a numbered
 * group? */
bool wring_group_means(struct wring_view *v, const char *path, const char *subject);
/* Does the load run in `subject` or below? One that is spread over several directories also counts
 * for each of these. */
bool wring_load_within(struct wring_view *v, const struct wring_load *l, const char *subject);
/* Load samples summed over the loads of `subject`: the largest value in [from, to]; 0 when none. */
int64_t wring_view_load_max(struct wring_view *v, const char *subject, const char *key,
			    int64_t from, int64_t to);
/* The tolerance of anything from memory.stat (and of the per-CPU charge stock): 64 pages a CPU. */
static inline int64_t wring_view_tolerance(const struct wring_view *v)
{
	return 64 * v->page_size * v->ncpu;
}
