/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The frame decoder on any bytes, and all getters on any payload: nothing is read outside, all
 * loops end. */
#include <string.h>

#include "harness/base/wire.h"
#include "tests/fuzz/fuzz.h"

/* A copy of the exact size, so that ASan sees the first byte too far. */
static uint8_t *copy(const uint8_t *data, size_t size)
{
	uint8_t *p = malloc(size ? size : 1);

	FUZZ_CHECK(p);
	if (size)
		memcpy(p, data, size);
	return p;
}

/* The first bytes choose the getters. */
static void read_payload(struct wring_rbuf r, const uint8_t *choice, size_t n)
{
	const uint8_t *start = r.p;
	uint64_t sum = 0;

	for (size_t i = 0; i < 4096 && r.p < r.end && !r.bad; i++) {
		size_t len = 0;
		const char *s;

		switch (n ? choice[i % n] % 3 : i % 3) {
		case 0:
			sum += wring_get_u64(&r);
			break;
		case 1:
			sum += (uint64_t)wring_get_s64(&r);
			break;
		default:
			s = wring_get_str(&r, &len);
			for (size_t k = 0; k < len; k++)
				sum += (uint8_t)s[k];
		}
		FUZZ_CHECK(r.p >= start && r.p <= r.end);
	}
	if (r.bad)
		FUZZ_CHECK(!wring_get_u64(&r) && !wring_get_s64(&r));
	(void)*(volatile uint64_t *)&sum;
}

static void read_frames(const uint8_t *p, size_t size)
{
	size_t at = 0;

	while (at < size) {
		enum wring_record type;
		struct wring_rbuf r;
		struct wring_err err = { 0 };
		int64_t n = wring_frame_next(p + at, size - at, &type, &r, &err);

		FUZZ_CHECK(n <= (int64_t)(size - at));
		if (n < 0)
			FUZZ_CHECK(*err.msg);
		if (n <= 0)
			return;
		FUZZ_CHECK(n == WRING_WIRE_HEADER + (r.end - r.p));
		read_payload(r, NULL, 0);
		at += (size_t)n;
	}
}

/* The input as one frame's payload: comes back as it was. */
static void check_frame(const uint8_t *data, size_t size)
{
	size_t room = size + 64, len = 0, frame;
	uint8_t *buf = malloc(room);
	struct wring_wbuf b = { .p = buf, .size = room };
	struct wring_rbuf r;
	enum wring_record type;
	const char *s;

	FUZZ_CHECK(buf);
	wring_frame_begin(&b, WRING_REC_LOG);
	wring_put_strn(&b, (const char *)data, size);
	frame = wring_frame_end(&b);
	FUZZ_CHECK(frame || size + 10 > WRING_WIRE_MAX);
	if (frame) {
		FUZZ_CHECK(wring_frame_next(buf, frame, &type, &r, NULL) == (int64_t)frame);
		s = wring_get_str(&r, &len);
		FUZZ_CHECK(type == WRING_REC_LOG && !r.bad && len == size);
		FUZZ_CHECK(!size || !memcmp(s, data, size));
		if (size) { /* any one changed byte is noticed, or more bytes are asked for */
			buf[data[0] % frame] ^= 1 + data[size - 1] % 255;
			FUZZ_CHECK(wring_frame_next(buf, frame, &type, &r, NULL) <= 0);
		}
	}
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *p = copy(data, size);

	read_frames(p, size);
	read_payload((struct wring_rbuf){ .p = p, .end = p + size }, p, size < 8 ? size : 8);
	check_frame(data, size);
	free(p);
	return 0;
}
