/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stretches of a run that are compared with each other: one begins with a mark `alone`, `beside` or `beside-WHAT`, and ends
 * with the next mark, which is usually `apart`. A load called `reference` is disturbed by nothing but the machine being busy. */
#pragma once
#include "analyzers/view.h"

#define WRING_REFERENCE "reference"

struct wring_window {
	int64_t from, to;
	const char *beside; /* "" or WHAT of beside-WHAT; NULL: alone. Of the view's events */
};
struct wring_windows { struct wring_window *rows; size_t n; };

int wring_windows_find(struct wring_view *v, struct wring_windows *ret, struct wring_err *err);
void wring_windows_done(struct wring_windows *w);
double wring_window_s(const struct wring_window *w);
/* By how much a counter grew from the one mark to the other; -ENOENT. */
int wring_window_grew(struct wring_view *v, const struct wring_window *w, const char *sampler, const char *subject,
		      const char *key, int64_t *ret);
/* Was the group, or one above it, at a limit of its own meanwhile? Then what becomes of its loads is by design. */
bool wring_window_at_limit(struct wring_view *v, const struct wring_window *w, const char *group);
/* A parameter of a load, as the plan has it; def when the plan does not say. */
const char *wring_load_param(const struct wring_load *l, const char *key, const char *def);
