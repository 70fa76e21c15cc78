/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/util.h"

enum {
	HEAD = 1 << 20, /* kept for ever: the boot, and usually the first thing that went wrong */
	MARK = 64,      /* one line of this length stands for what is missing */
	STEP = 512 << 10,
};

static void grow(struct wring_capture *c, size_t len)
{
	size_t want = c->len + len + 1, size = c->size ? c->size : 64 << 10;
	char *p;

	if (want <= c->size)
		return;
	while (size < want && size < WRING_CAPTURE_MAX)
		size *= 2;
	p = realloc(c->text, size);
	if (!p)
		return;
	c->text = p;
	c->size = size;
}

/* Forget the oldest text behind the head, up to the end of a line. */
static void drop(struct wring_capture *c)
{
	size_t from = HEAD, step = STEP;
	const char *nl;
	char mark[MARK], line[MARK];

	if (c->dropped)
		from += MARK;
	nl = memchr(c->text + from + step, '\n', c->len - from - step);
	if (nl && nl - (c->text + from) < 2 * STEP)
		step = (size_t)(nl + 1 - (c->text + from));
	c->dropped += step;
	snprintf(line, sizeof(line), "[wring: %llu bytes of console left out here]",
		 (unsigned long long)c->dropped);
	memset(mark, '\n', MARK);
	memcpy(mark + 1, line, strlen(line));
	/* The first mark takes its room from what is dropped, too. */
	if (from == HEAD) {
		step -= MARK;
		from += MARK;
	}
	memmove(c->text + from, c->text + from + step, c->len - from - step);
	memcpy(c->text + HEAD, mark, MARK);
	c->len -= step;
}

void wring_capture_add(struct wring_capture *c, const char *text, size_t len)
{
	c->total += len;
	while (len) {
		size_t room, n;

		grow(c, len);
		room = c->size > c->len ? c->size - c->len - 1 : 0;
		if (!room && c->size < WRING_CAPTURE_MAX)
			return;
		if (!room) {
			drop(c);
			continue;
		}
		n = len < room ? len : room;
		memcpy(c->text + c->len, text, n);
		c->len += n;
		c->text[c->len] = '\0';
		text += n;
		len -= n;
	}
}

void wring_capture_done(struct wring_capture *c)
{
	free(c->text);
	*c = (struct wring_capture){ 0 };
}
