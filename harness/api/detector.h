/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A detector is pure over the store: the same run gives the same findings, years later too. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include "harness/api/registry.h"
#include "harness/base/err.h"
#include "results-schema/store.h"

enum wring_verdict {
	WRING_PASS, WRING_V_FAIL, WRING_KNOWN, WRING_SUSPECT, WRING_INCONCLUSIVE, WRING_V_SKIP, WRING_VERDICT_MAX
};
const char *wring_verdict_name(enum wring_verdict v);

/* What a detector sees of one run, and where its results go. */
struct wring_view {
	struct wring_store *store;
	int64_t run, boot;
	const struct wring_run_row *row;
	const struct wring_scenario *scenario; /* the plan stored with the run */
	int64_t page_size;                     /* bytes, from the fingerprint; 4096 when unknown */
	int64_t ncpu;                          /* online CPUs, from the fingerprint; 1 when unknown */
	struct wring_results *results;
};

/* evidence: a sentence with the numbers. Memory trouble surfaces when the results are stored. */
void wring_finding(struct wring_view *v, const char *detector, const char *cls, enum wring_verdict verdict,
		   double value, double limit, const char *unit, const char *evidence, ...)
	__attribute__((format(printf, 8, 9)));
/* tier: "primary", "secondary" or "info"; better: "lower", "higher" or "". The scenario's `primary` decides what is primary; the
 * tier given here is the default. Name, unit and direction are also in the detector's table `metrics`. */
void wring_metric(struct wring_view *v, const char *name, const char *unit, double value, const char *better, const char *tier);

/* Value of a key in the first sample at or after t_ns. Returns 0 or -ENOENT. */
int wring_view_at(struct wring_view *v, const char *sampler, const char *subject, const char *key, int64_t t_ns, int64_t *ret);
/* Time of the nth (0..) event of that kind and subject; -ENOENT. */
int wring_view_event_time(struct wring_view *v, const char *kind, const char *subject, size_t nth, int64_t *ret_t_ns);
/* Largest value of a key in [from, to] ns; -ENOENT. */
int wring_view_max(struct wring_view *v, const char *sampler, const char *subject, const char *key, int64_t from, int64_t to, int64_t *ret);

/* A metric as it is known before any run. One of a group or a load has that behind or before its name: free_lag_ms.work,
 * names.ops_per_s; the row for all of them is free_lag_ms, or ops_per_s. */
struct wring_metric_info { const char *name, *unit, *better /* as in wring_metric() */, *doc; };

struct wring_detector {
	const char *name;
	const char *summary;  /* one line */
	const char *doc;      /* what is judged, against which limit, and why that is the kernel's duty */
	const char *limits;   /* keys of its own that [limits] may set, "residue leak"; NULL: none */
	const char *controls; /* which tests prove it: "fires: ...; silent: ..." */
	const struct wring_metric_info *metrics; /* all that it makes; ends with a row without a name. NULL: none */
	/* Also judges a run that its timeout ended, from what was recorded until then; of that only failures count. */
	bool judges_cut;
	/* Adds at least one finding (a pass is one), or returns -errno with err set when the store fails. */
	int (*judge)(struct wring_view *v, struct wring_err *err);
};
#define WRING_REGISTER_DETECTOR(d) WRING_REGISTER(detector, d)
WRING_REGISTRY(detector)
