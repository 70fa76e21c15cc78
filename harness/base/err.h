/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One error, told once: what, where, which value, what to do. Libraries fill it, commands print it.
 * Caller-owned and of fixed size, so it also works when memory is exhausted. */
#pragma once

#include <stdarg.h>
struct wring_err {
	int code;       /* 0 or a negative errno */
	char msg[600];  /* one line, no newline at the end */
};

/* Set the message and return `code` (a negative errno; 0 is turned into -EIO). err may be NULL. */
int wring_err_set(struct wring_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Put context in front of the message: "reading plan: ..."; returns err's code. */
int wring_err_prefix(struct wring_err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
