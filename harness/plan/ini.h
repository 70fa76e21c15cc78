/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The text of a scenario file as sections, keys and lines, each with its line number. Knows the
 * syntax and nothing about scenarios; files of known findings and of pins have the same. */
#pragma once
#include <stddef.h>
#include "harness/base/err.h"

/* Longest line in bytes. Debian's inih cuts longer ones in two without a word. */
#define WRING_INI_LINE 198
/* Longest key, and longest text between [ and ]: inih cuts both without a word. */
#define WRING_INI_NAME 49

struct wring_ini_line { char *text; int line; };
struct wring_ini_entry {
	char *key;
	struct wring_ini_line *lines; /* empty ones are left out, so n may be 0 */
	size_t n;
	int line;
};
struct wring_ini_section {
	char *title;     /* what stands between the brackets: "group work" */
	char *type;      /* "group" */
	const char *arg; /* in title: "work", or NULL */
	struct wring_ini_entry *entries;
	size_t n;
	int line;
};
struct wring_ini { struct wring_ini_section *sections; size_t n; };

/* Returns 0, -EINVAL with "NAME:LINE: ..." or -ENOMEM. On failure *ini is to be freed as well. */
int wring_ini_parse(struct wring_ini *ini, const char *name, const char *text,
		    struct wring_err *err);
void wring_ini_done(struct wring_ini *ini);
/* What makes this text unfit for a line of a file (control characters, broken UTF-8), or NULL. */
const char *wring_ini_bad_text(const char *s, size_t len);
/* All lines of a value with `by` between them, on the heap; "" without lines, NULL when memory is exhausted. */
char *wring_ini_join(const struct wring_ini_entry *e, const char *by);
/* A new zeroed element at the end of an array, or NULL. array points to the array's pointer. */
void *wring_ini_push(void *array, size_t *n, size_t size);
