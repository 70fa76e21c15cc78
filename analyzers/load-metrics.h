/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What each load got done: metrics that every run has, whatever its detectors. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "harness/api/detector.h"

/* ops_per_s of all loads together, LOAD.ops_per_s where there are several, LOAD.errors. */
void wring_load_metrics(struct wring_view *v);

/* Calls visit() with the name and the last value, if not 0, of each key of a load's source (load-latency, load-errors). */
void wring_load_each(struct wring_view *v, const char *sampler, const char *load,
		     void (*visit)(struct wring_view *v, void *arg, const char *load, const char *key, int64_t value), void *arg);
/* A quantile of a load's latencies (1: the longest), in ns; "slept.": of what they slept, else "". False: none was sampled. */
bool wring_load_latency_ns(struct wring_view *v, const char *load, const char *what, double q, double *ret);
/* The metrics, as in a detector's table. */
extern const struct wring_metric_info wring_load_metric_infos[];
