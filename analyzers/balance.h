/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Page cache and slab that compete below one limit: half of the detector slab-balance. */
#pragma once
#include "analyzers/census.h"

/* Adds findings in the detector's name; returns how many. */
size_t wring_balance_judge(struct wring_view *v, const struct wring_caches *c, const char *detector);
/* What a slow disk adds to a reclaim, where the scenario has one and the same on a fast one. */
void wring_stall_metric(struct wring_view *v);
