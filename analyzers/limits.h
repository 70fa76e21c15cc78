/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What limits do to those who meet them, beside kills: helpers of premature-oom, accounting and high-overrun. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
struct wring_view;

/* System calls that fail in a group at memory.max (class errno), or at memory.high below it (errno-high), more often than those of
 * the same load without a limit; metrics errors_at_max and errors_at_high. Nothing where there is no such pair of loads. */
void wring_judge_errnos(struct wring_view *v, const char *detector);
/* Usage that stays above memory.max for more than a second (class above-max). */
void wring_judge_above_max(struct wring_view *v, const char *detector);
/* Usage that stays above memory.high while all loads sleep, between the marks asleep and awake (class asleep), by more than
 * `allowed`. Nothing where the scenario has no such marks. */
void wring_judge_asleep(struct wring_view *v, const char *detector, const char *group, int64_t high, double allowed, bool is_unreclaimable);
