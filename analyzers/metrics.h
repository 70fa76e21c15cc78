/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Metrics as they are known before any run: from the tables of the detectors and of the loads. */
#pragma once
#include "harness/api/detector.h"

/* The row for a metric of that name, or of one that has a group or a load with it. ret_from: the detector, or "loads"; may be NULL. */
const struct wring_metric_info *wring_metric_find(const char *name, const char **ret_from);
/* Every row there is. */
void wring_metric_each(void (*visit)(void *arg, const struct wring_metric_info *m, const char *from), void *arg);
