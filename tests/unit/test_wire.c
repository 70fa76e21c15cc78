/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The record stream. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "harness/base/util.h"
#include "harness/base/wire.h"

/* 150 and the zigzag table: protobuf.dev/programming-guides/encoding. */
static void test_varint(void **state)
{
	static const struct { uint64_t v; size_t n; uint8_t bytes[10];
	} rows[] = {
		{ 0, 1, { 0 } },
		{ 1, 1, { 1 } },
		{ 127, 1, { 0x7f } },
		{ 128, 2, { 0x80, 1 } },
		{ 150, 2, { 0x96, 0x01 } },
		{ 16383, 2, { 0xff, 0x7f } },
		{ 16384, 3, { 0x80, 0x80, 1 } },
		{ 624485,
		  3,
		  { 0xe5, 0x8e,
		    0x26 } }, /* the LEB128 example of the DWARF standard and Wikipedia */
		{ UINT64_MAX, 10, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 } },
	};
	uint8_t buf[10];
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(rows); i++) {
		assert_int_equal(wring_varint_put(buf, rows[i].v), rows[i].n);
		assert_memory_equal(buf, rows[i].bytes, rows[i].n);
		for (size_t n = 0; n < rows[i].n; n++)
			assert_int_equal(wring_varint_get(buf, buf + n, &v), 0);
		assert_int_equal(wring_varint_get(buf, buf + rows[i].n, &v), rows[i].n);
		assert_true(v == rows[i].v);
	}
}

static void test_varint_too_long(void **state)
{
	uint8_t buf[11];
	uint64_t v;

	(void)state;
	memset(buf, 0x80, sizeof(buf));
	buf[10] = 0;
	assert_int_equal(wring_varint_get(buf, buf + sizeof(buf), &v), 0);
}

static void test_zigzag(void **state)
{
	static const struct { int64_t v; uint64_t z;
	} rows[] = {
		{ 0, 0 },
		{ -1, 1 },
		{ 1, 2 },
		{ -2, 3 },
		{ 2147483647, 4294967294 },
		{ -2147483648LL, 4294967295 },
		{ INT64_MAX, UINT64_MAX - 1 },
		{ INT64_MIN, UINT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(rows); i++) {
		assert_true(wring_zigzag(rows[i].v) == rows[i].z);
		assert_true(wring_unzigzag(rows[i].z) == rows[i].v);
	}
}

/* The check value of CRC-32/ISO-HDLC, and the frame's checksum computed by hand. */
static void test_checksum(void **state)
{
	static const uint8_t expected[] = {
		0x57, 0x52, 0x4e, 0x47, 0x0b, 0x01, 0x00, 0x00, 0x02,
		0x00, 0x00, 0x00, 0,	0,    0,    0,	  0x96, 0x01,
	};
	uint8_t buf[64], both[14];
	struct wring_wbuf b = { .p = buf, .size = sizeof(buf) };
	uint32_t crc;

	(void)state;
	assert_int_equal(crc32(0, (const Bytef *)"123456789", 9), 0xcbf43926);
	wring_frame_begin(&b, WRING_REC_ALIVE);
	wring_put_u64(&b, 150);
	assert_int_equal(wring_frame_end(&b), sizeof(expected));
	assert_memory_equal(buf, expected, 12);
	assert_memory_equal(buf + 16, expected + 16, 2);
	memcpy(both, expected, 12);
	memcpy(both + 12, expected + 16, 2);
	crc = (uint32_t)crc32(0, both, sizeof(both));
	for (int i = 0; i < 4; i++)
		assert_int_equal(buf[12 + i], crc >> (8 * i) & 0xff);
}

static size_t make_frame(uint8_t *buf, size_t size)
{
	struct wring_wbuf b = { .p = buf, .size = size };

	wring_frame_begin(&b, WRING_REC_SOURCE);
	wring_put_u64(&b, 7);
	wring_put_str(&b, "memory");
	wring_put_strn(&b, "work/leaf-cut", 9);
	wring_put_strn(&b, NULL, 0);
	wring_put_s64(&b, -3);
	return wring_frame_end(&b);
}

static void check_str(struct wring_rbuf *r, const char *expected)
{
	size_t len;
	const char *s = wring_get_str(r, &len);

	assert_int_equal(len, strlen(expected));
	assert_memory_equal(s, expected, len);
}

static void test_frame(void **state)
{
	uint8_t buf[256];
	size_t first = make_frame(buf, sizeof(buf)),
	       second = make_frame(buf + first, sizeof(buf) - first);
	enum wring_record type;
	struct wring_rbuf r;

	(void)state;
	assert_int_equal(first, second);
	for (size_t at = 0; at < first + second; at += first) {
		assert_int_equal(wring_frame_next(buf + at, first + second - at, &type, &r, NULL),
				 first);
		assert_int_equal(type, WRING_REC_SOURCE);
		assert_int_equal(wring_get_u64(&r), 7);
		check_str(&r, "memory");
		check_str(&r, "work/leaf");
		check_str(&r, "");
		assert_int_equal(wring_get_s64(&r), -3);
		assert_false(r.bad);
		assert_ptr_equal(r.p, r.end);
		assert_int_equal(wring_get_u64(&r), 0);
		assert_true(r.bad);
	}
	assert_int_equal(wring_frame_next(buf, 0, &type, &r, NULL), 0);
}

static void test_empty_frame(void **state)
{
	uint8_t buf[WRING_WIRE_HEADER];
	struct wring_wbuf b = { .p = buf, .size = sizeof(buf) };
	enum wring_record type;
	struct wring_rbuf r;

	(void)state;
	wring_frame_begin(&b, WRING_REC_BYE);
	wring_put_strn(&b, NULL, 0);
	assert_true(b.full);
	wring_frame_begin(&b, WRING_REC_BYE);
	assert_int_equal(wring_frame_end(&b), WRING_WIRE_HEADER);
	assert_int_equal(wring_frame_next(buf, sizeof(buf), &type, &r, NULL), WRING_WIRE_HEADER);
	assert_ptr_equal(r.p, r.end);
}

/* Every prefix asks for more; every changed byte is noticed. */
static void test_damage(void **state)
{
	uint8_t buf[256];
	size_t len = make_frame(buf, sizeof(buf));
	enum wring_record type;
	struct wring_rbuf r;

	(void)state;
	for (size_t n = 0; n < len; n++) {
		uint8_t *copy = malloc(n ? n : 1); /* of the exact size, for ASan */

		memcpy(copy, buf, n);
		assert_int_equal(wring_frame_next(copy, n, &type, &r, NULL), 0);
		free(copy);
	}
	for (size_t i = 0; i < len * 8; i++) {
		struct wring_err err = { 0 };
		int64_t n;

		buf[i / 8] ^= 1 << i % 8;
		n = wring_frame_next(buf, len, &type, &r, &err);
		buf[i / 8] ^= 1 << i % 8;
		if (n == 0)
			assert_in_range(i / 8, 8, 11); /* a larger length: more bytes are needed */
		else
			assert_true(n == -EBADMSG && !strncmp(err.msg, "record stream: ", 15));
	}
}

static void check_refused(uint8_t *buf, size_t len, const char *msg)
{
	enum wring_record type;
	struct wring_rbuf r;
	struct wring_err err = { 0 };

	assert_int_equal(wring_frame_next(buf, len, &type, &r, &err), -EBADMSG);
	assert_string_equal(err.msg, msg);
}

static void test_messages(void **state)
{
	uint8_t buf[256];
	size_t len = make_frame(buf, sizeof(buf));

	(void)state;
	buf[16] ^= 1;
	check_refused(buf, len, "record stream: checksum of a type 5 frame is wrong");
	buf[10] = 0x20;
	check_refused(buf, len, "record stream: a frame of 2097172 bytes (at most 1048576)");
	buf[5] = 2;
	check_refused(buf, len, "record stream: version 2, this program reads 1");
	buf[0] = 'X';
	check_refused(buf, len, "record stream: no frame where one should start");
}

/* Whatever does not fit makes no frame, and nothing is written outside. */
static void test_full(void **state)
{
	uint8_t buf[256];
	size_t len = make_frame(buf, sizeof(buf));

	(void)state;
	for (size_t n = 0; n < len; n++) {
		uint8_t *small = malloc(n ? n : 1);

		assert_int_equal(make_frame(small, n), 0);
		free(small);
	}
}

static void test_largest(void **state)
{
	size_t size = WRING_WIRE_MAX + 64;
	uint8_t *buf = malloc(size);
	char *text = calloc(1, WRING_WIRE_MAX + 1);
	struct wring_wbuf b = { .p = buf, .size = size };
	enum wring_record type;
	struct wring_rbuf r;

	(void)state;
	for (size_t over = 0; over < 2; over++) {
		wring_frame_begin(&b, WRING_REC_LOG);
		wring_put_strn(&b, text,
			       WRING_WIRE_MAX - 3 + over); /* its length takes three bytes */
		assert_int_equal(wring_frame_end(&b),
				 over ? 0 : WRING_WIRE_HEADER + WRING_WIRE_MAX);
	}
	wring_frame_begin(&b, WRING_REC_LOG);
	wring_put_strn(&b, text, WRING_WIRE_MAX - 3);
	assert_int_equal(wring_frame_end(&b), WRING_WIRE_HEADER + WRING_WIRE_MAX);
	assert_int_equal(wring_frame_next(buf, size, &type, &r, NULL),
			 WRING_WIRE_HEADER + WRING_WIRE_MAX);
	free(text);
	free(buf);
}

static void test_bad_payload(void **state)
{
	static const uint8_t lying[] = { 5, 'a', 'b' }, huge[] = { 0xff, 0xff, 0xff, 0xff,
								   0xff, 0xff, 0xff, 0xff,
								   0xff, 1,    'a' };
	struct wring_rbuf r = { .p = lying, .end = lying + sizeof(lying) };
	size_t len = 9;

	(void)state;
	assert_string_equal(wring_get_str(&r, &len), "");
	assert_int_equal(len, 0);
	assert_true(r.bad);
	assert_int_equal(wring_get_u64(&r), 0); /* stays bad */
	assert_int_equal(wring_get_s64(&r), 0);
	r = (struct wring_rbuf){ .p = huge, .end = huge + sizeof(huge) };
	assert_string_equal(wring_get_str(&r, &len), "");
	assert_true(r.bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_varint),	    cmocka_unit_test(test_varint_too_long),
		cmocka_unit_test(test_zigzag),	    cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_frame),	    cmocka_unit_test(test_empty_frame),
		cmocka_unit_test(test_damage),	    cmocka_unit_test(test_messages),
		cmocka_unit_test(test_full),	    cmocka_unit_test(test_largest),
		cmocka_unit_test(test_bad_payload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
