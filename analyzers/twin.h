/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Twins: the same load without the limit, in the same run, is what a load is measured against. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "analyzers/view.h"

/* The smallest of that limit ("memory.max") planned for the group or one above it; 0: none. */
int64_t wring_planned_limit(const struct wring_view *v, const char *group, const char *file);
/* A load of the same workload in a group without memory.max and memory.high, with the same parameters but for those in
 * `except` ("rate footprint"; "*": any); NULL: there is none. */
const struct wring_load *wring_twin(const struct wring_view *v, const struct wring_load *l, const char *except);
/* First start of the load, -1 when it did not start, and the end of the last of its processes; the signal that ended it, or 0.
 * Without an end: INT64_MAX. */
int64_t wring_load_started(struct wring_view *v, const char *load);
int64_t wring_load_ended(struct wring_view *v, const char *load, int64_t *ret_signal);
/* When the scenario's timeout ran out, -1 when it did not, and whether the load was being waited for. What ends later was ended by that. */
int64_t wring_load_cut(struct wring_view *v, const char *load, bool *ret_is_awaited);
