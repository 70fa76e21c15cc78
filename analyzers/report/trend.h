/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Histories for a terminal. */
#pragma once
#include <stdbool.h>
#include <stdio.h>
#include "analyzers/history.h"

/* The series (all: also those without a change), each with its course in small, then the events. */
int wring_report_trend(const struct wring_history *h, bool all, bool utf8, FILE *out, struct wring_err *err);
/* "+4.5 %", "new", "gone". */
const char *wring_trend_percent(const struct wring_hchange *c, char *buf, size_t size);
/* How it was found and whether it can be relied on. */
const char *wring_trend_how(const struct wring_hchange *c);
