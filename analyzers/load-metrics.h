/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What each load got done: metrics that every run has, whatever its detectors. */
#pragma once
struct wring_view;

/* ops_per_s of all loads together, LOAD.ops_per_s where there are several, LOAD.errors. */
void wring_load_metrics(struct wring_view *v);
