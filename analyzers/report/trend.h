/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Histories for a terminal. */
#pragma once
#include <stdbool.h>
#include <stdio.h>
#include "analyzers/history.h"

/* The series (all: also those without a change), each with its course in small, then the events. */
int wring_report_trend(const struct wring_history *h, bool all, bool utf8, FILE *out, struct wring_err *err);
/* The course of the last `width` nights, changes as '|'. On the heap; NULL: no memory. */
char *wring_trend_spark(const struct wring_hseries *s, size_t width, bool utf8);
/* "+4.5 %", "new", "gone". */
const char *wring_trend_percent(const struct wring_hchange *c, char *buf, size_t size);
/* How it was found and whether it can be relied on. */
const char *wring_trend_how(const struct wring_hchange *c);
