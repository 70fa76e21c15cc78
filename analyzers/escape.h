/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Kernel memory that is not charged to anybody. */
#pragma once
#include <stdbool.h>

struct wring_view;
/* Adds a finding of class escape; false with the reason when it cannot be judged. */
bool wring_judge_escape(struct wring_view *v, const char *detector, const char **ret_why);
