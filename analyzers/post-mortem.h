/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who stood where, out of what sysrq, an NMI and the recorder brought from a guest that did not go on. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "results-schema/store.h"

struct wring_stood {
	char who[100];    /* "CPU 2, migration/2 (pid 26)", "init (pid 1), blocked" */
	char where[600];  /* frames, innermost first, with " < " between them */
	bool is_idle;
};
struct wring_post_mortem {
	struct wring_stood rows[64];
	size_t n, left_out;
	size_t from;      /* wring_post_mortem_of(): where in the text it begins; 0: nowhere */
	bool begun, collects; /* while it is fed */
};
/* Feed it all lines of a console, without their time stamps; what is before the first question or the panic does not count. */
void wring_post_mortem_feed(struct wring_post_mortem *p, const char *line);
/* After the last line: what is idle is left out. */
void wring_post_mortem_end(struct wring_post_mortem *p);
/* All of it, for a whole console. */
void wring_post_mortem_of(const char *console, struct wring_post_mortem *ret);
/* "WHO: FRAME < FRAME | WHO: ...", as much as fits. */
void wring_post_mortem_text(const struct wring_post_mortem *p, char *buf, size_t size);
/* What a guest left behind that failed, hung or panicked, as a sentence on the heap: how to read what it said, and where its memory is.
 * NULL: nothing, or no memory. */
char *wring_remains_text(struct wring_store *st, const struct wring_run_row *run);
