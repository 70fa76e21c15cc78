/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Swap goes on: memory for the sake of freeing memory. A part of the detector `fairness`. */
#pragma once
#include "analyzers/windows.h"

/* Did the run swap between the marks `swapping` and `swapped`? Then it is judged, with the windows beside a flood. */
bool wring_swap_judge(struct wring_view *v, const char *detector, const struct wring_windows *w);
