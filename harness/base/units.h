/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sizes, durations and numbers as people write them. All parsers take the whole string or fail with
 * -EINVAL (not a number, unknown unit) or -ERANGE, and say in err what is accepted. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "harness/base/err.h"

/* "64M", "1.5G", "4096": bytes; K M G T are powers of 1024. */
int wring_parse_size(const char *s, uint64_t *ret_bytes, struct wring_err *err);
/* "250ms", "1.5s", "2m", "1h"; a unit is required. */
int wring_parse_duration(const char *s, int64_t *ret_ns, struct wring_err *err);
/* Decimal without sign, between min and max inclusive. */
int wring_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret, struct wring_err *err);
/* yes/no, true/false, on/off, 1/0. */
int wring_parse_bool(const char *s, bool *ret, struct wring_err *err);
/* "64M", "1.5G", "800"; at most 3 significant digits. buf holds at least 16 bytes. */
const char *wring_format_size(uint64_t bytes, char *buf, size_t size);
