/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a console said: the beginning and the end of it, whatever the length. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct wring_capture {
	char *text;        /* NUL-terminated once anything came */
	size_t len, size;
	uint64_t total;    /* bytes seen, with those dropped */
	uint64_t dropped;
};
#define WRING_CAPTURE_MAX (4u << 20)

/* Without memory for it the text is counted but not kept. */
void wring_capture_add(struct wring_capture *c, const char *text, size_t len);
void wring_capture_done(struct wring_capture *c);
