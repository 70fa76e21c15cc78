/* SPDX-License-Identifier: GPL-3.0-or-later */
/* harness/base: units, option tables, errors, files. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "harness/base/err.h"
#include "harness/base/param.h"
#include "harness/base/units.h"
#include "harness/base/util.h"

struct number { const char *text; int r; uint64_t value; };

static const struct number sizes[] = {
	{ "0", 0, 0 },
	{ "4096", 0, 4096 },
	{ "64M", 0, 64 << 20 },
	{ "1.5G", 0, 3ULL << 29 },
	{ "1k", 0, 1024 },
	{ "0.5K", 0, 512 },
	{ "1.0005K", 0, 1024 },
	{ "2T", 0, 2ULL << 40 },
	{ "007", 0, 7 },
	{ "9007199254740993", 0, 9007199254740993 }, /* 2^53 + 1, which no double holds */
	{ "9223372036854775807", 0, INT64_MAX },
	{ "8388607T", 0, 8388607ULL << 40 },
	{ "0.99999999999999999999999999999999999999K", 0, 1023 },
	{ "9223372036854775808", -ERANGE, 0 },
	{ "18446744073709551616", -ERANGE, 0 },
	{ "8388608T", -ERANGE, 0 },
	{ "99999999999999999999999999999999999999T", -ERANGE, 0 },
	{ "", -EINVAL, 0 },
	{ "M", -EINVAL, 0 },
	{ "-1", -EINVAL, 0 },
	{ "+1", -EINVAL, 0 },
	{ " 1", -EINVAL, 0 },
	{ "1 ", -EINVAL, 0 },
	{ "1 M", -EINVAL, 0 },
	{ "1MB", -EINVAL, 0 },
	{ "1Mi", -EINVAL, 0 },
	{ "1P", -EINVAL, 0 },
	{ "1.5", -EINVAL, 0 },
	{ "1.M", -EINVAL, 0 },
	{ ".5M", -EINVAL, 0 },
	{ "1.2.3M", -EINVAL, 0 },
	{ "1,5M", -EINVAL, 0 },
	{ "1e3", -EINVAL, 0 },
	{ "1E3", -EINVAL, 0 },
	{ "0x10", -EINVAL, 0 },
	{ "0X10", -EINVAL, 0 },
	{ "inf", -EINVAL, 0 },
	{ "nan", -EINVAL, 0 },
	{ "64M\n", -EINVAL, 0 },
};

static const struct number durations[] = {
	{ "0s", 0, 0 },
	{ "1ns", 0, 1 },
	{ "1us", 0, 1000 },
	{ "250ms", 0, 250000000 },
	{ "1.5s", 0, 1500000000 },
	{ "2m", 0, 120000000000 },
	{ "1h", 0, 3600000000000 },
	{ "0.1h", 0, 360000000000 },
	{ "1.000000001s", 0, 1000000001 },
	{ "0.0000000019s", 0, 1 },
	{ "9223372036.854775807s", 0, INT64_MAX },
	{ "9223372036.854775808s", -ERANGE, 0 },
	{ "2562048h", -ERANGE, 0 },
	{ "", -EINVAL, 0 },
	{ "5", -EINVAL, 0 },
	{ "s", -EINVAL, 0 },
	{ "-1s", -EINVAL, 0 },
	{ "1.5ns", -EINVAL, 0 },
	{ "1S", -EINVAL, 0 },
	{ "1d", -EINVAL, 0 },
	{ "1s ", -EINVAL, 0 },
	{ "1 s", -EINVAL, 0 },
	{ "1m30s", -EINVAL, 0 },
	{ "1e3ms", -EINVAL, 0 },
	{ "1E3ms", -EINVAL, 0 },
	{ "1.s", -EINVAL, 0 },
};

static void check(const struct number *n, int r, uint64_t value, const struct wring_err *err)
{
	if (r != n->r || (!r && value != n->value))
		fail_msg("'%s': %d, %llu", n->text, r, (unsigned long long)value);
	if (r) {
		assert_int_equal(err->code, r);
		assert_non_null(strstr(err->msg, *n->text == '6' ? "64M" : n->text));
	}
}

static void test_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(sizes); i++) {
		struct wring_err err = { 0 };
		uint64_t v = 0;
		int r = wring_parse_size(sizes[i].text, &v, &err);

		check(&sizes[i], r, v, &err);
	}
}

static void test_duration(void **state)
{
	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(durations); i++) {
		struct wring_err err = { 0 };
		int64_t v = 0;
		int r = wring_parse_duration(durations[i].text, &v, &err);

		check(&durations[i], r, (uint64_t)v, &err);
	}
}

static void test_u64(void **state)
{
	struct wring_err err = { 0 };
	uint64_t v = 0;

	(void)state;
	assert_int_equal(wring_parse_u64("18446744073709551615", 0, UINT64_MAX, &v, &err), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(wring_parse_u64("18446744073709551616", 0, UINT64_MAX, &v, &err), -ERANGE);
	assert_int_equal(wring_parse_u64("1", 1, 4, &v, &err), 0);
	assert_int_equal(wring_parse_u64("4", 1, 4, &v, &err), 0);
	assert_int_equal(wring_parse_u64("5", 1, 4, &v, &err), -ERANGE);
	assert_string_equal(err.msg, "5 is out of range (1 to 4)");
	assert_int_equal(wring_parse_u64("0", 1, 4, &v, &err), -ERANGE);
	assert_int_equal(wring_parse_u64("2x", 1, 4, &v, &err), -EINVAL);
	assert_string_equal(err.msg, "'2x' is not a number (1 to 4)");
	assert_int_equal(wring_parse_u64("", 1, 4, &v, NULL), -EINVAL);
	assert_int_equal(wring_parse_u64("-1", 0, UINT64_MAX, &v, NULL), -EINVAL);
	assert_int_equal(wring_parse_u64(" 1", 0, 4, &v, NULL), -EINVAL);
	assert_int_equal(v, 4);
}

static void test_bool(void **state)
{
	static const char *const yes[] = { "yes", "true", "on", "1" }, *const no[] = { "no",
										       "false",
										       "off", "0" };
	bool b;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(wring_parse_bool(yes[i], &b, NULL), 0);
		assert_true(b);
		assert_int_equal(wring_parse_bool(no[i], &b, NULL), 0);
		assert_false(b);
	}
	assert_int_equal(wring_parse_bool("Yes", &b, NULL), -EINVAL);
	assert_int_equal(wring_parse_bool("", &b, NULL), -EINVAL);
}

static void test_format_size(void **state)
{
	static const struct { uint64_t bytes; const char *text;
	} rows[] = {
		{ 0, "0" },
		{ 800, "800" },
		{ 999, "999" },
		{ 1000, "0.977K" },
		{ 1024, "1K" },
		{ 1536, "1.5K" },
		{ 64 << 20, "64M" },
		{ 3ULL << 29, "1.5G" },
		{ 1023 << 10, "0.999M" },
		{ (1 << 20) - 1, "1M" },
		{ 123456789, "118M" },
		{ UINT64_MAX, "16E" },
	};
	char buf[16];

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(rows); i++)
		assert_string_equal(wring_format_size(rows[i].bytes, buf, sizeof(buf)),
				    rows[i].text);
}

struct owner {
	uint64_t n, size;
	int64_t ns;
	bool b;
	unsigned choice;
	char *s;
};

static const struct wring_param table[] = {
	{ "n", WRING_U64, offsetof(struct owner, n), .def = "3", .min = "1", .max = "10",
	  .help = "a number" },
	{ "size", WRING_SIZE, offsetof(struct owner, size), .def = "4K", .min = "1K",
	  .help = "a size" },
	{ "time", WRING_DURATION, offsetof(struct owner, ns), .def = "1s", .max = "1m",
	  .help = "a duration" },
	{ "flag", WRING_BOOL, offsetof(struct owner, b), .def = "yes", .help = "a switch" },
	{ "kind", WRING_ENUM, offsetof(struct owner, choice), .def = "b", .choices = "a|b|cc",
	  .help = "one of" },
	{ "text", WRING_STRING, offsetof(struct owner, s), .def = "hello", .help = "any text" },
	{ 0 },
};

static void test_params(void **state)
{
	struct owner o = { 0 };

	(void)state;
	assert_int_equal(wring_params_default(table, &o, NULL), 0);
	assert_int_equal(o.n, 3);
	assert_int_equal(o.size, 4096);
	assert_int_equal(o.ns, 1000000000);
	assert_true(o.b);
	assert_int_equal(o.choice, 1);
	assert_string_equal(o.s, "hello");
	assert_int_equal(wring_params_set(table, &o, "kind", "cc", NULL), 0);
	assert_int_equal(wring_params_set(table, &o, "text", "", NULL), 0);
	assert_int_equal(wring_params_set(table, &o, "time", "1m", NULL), 0);
	assert_int_equal(o.choice, 2);
	assert_string_equal(o.s, "");
	assert_int_equal(o.ns, 60000000000);
	wring_params_done(table, &o);
}

static void test_bad_params(void **state)
{
	static const struct { const char *name, *value; int r; const char *msg;
	} rows[] = {
		{ "nn", "1", -ENOENT,
		  "unknown option 'nn' (accepted: n, size, time, flag, kind, text)" },
		{ "n", "0", -ERANGE, "n: 0 is out of range (1 to 10)" },
		{ "n", "11", -ERANGE, "n: 11 is out of range (1 to 10)" },
		{ "n", "x", -EINVAL, "n: 'x' is not a number (0 to 9223372036854775807)" },
		{ "size", "1023", -ERANGE, "size: 1023 is out of range (1K to no limit)" },
		{ "time", "61s", -ERANGE, "time: 61s is out of range (0 to 1m)" },
		{ "time", "5", -EINVAL,
		  "time: '5' is not a duration (a number with ns, us, ms, s, m or h, as in 30s)" },
		{ "flag", "maybe", -EINVAL, "flag: 'maybe' is not a switch (yes or no)" },
		{ "kind", "c", -EINVAL, "kind: 'c' is none of a|b|cc" },
		{ "kind", "", -EINVAL, "kind: '' is none of a|b|cc" },
		{ "kind", "a|b", -EINVAL, "kind: 'a|b' is none of a|b|cc" },
	};

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(rows); i++) {
		struct owner o = { 0 }, untouched = { 0 };
		struct wring_err err = { 0 };

		assert_int_equal(wring_params_set(table, &o, rows[i].name, rows[i].value, &err),
				 rows[i].r);
		assert_string_equal(err.msg, rows[i].msg);
		assert_memory_equal(&o, &untouched, sizeof(o));
		assert_int_equal(wring_params_check(table, rows[i].name, rows[i].value, NULL),
				 rows[i].r);
	}
	assert_int_equal(wring_params_check(NULL, "a", "b", NULL), -ENOENT);
	assert_int_equal(wring_params_check(table, "text", "x", NULL), 0);
}

static void test_params_help(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	wring_params_help(table, f);
	fclose(f);
	assert_non_null(strstr(text, "  n=3                        a number (1 to 10)\n"));
	assert_non_null(strstr(text, "one of (a|b|cc)\n"));
	assert_non_null(strstr(text, "a size (1K to no limit)\n"));
	free(text);
}

static void test_err(void **state)
{
	struct wring_err err = { 0 };

	(void)state;
	assert_int_equal(wring_err_set(&err, -ENOENT, "no %s\nhere", "x"), -ENOENT);
	assert_int_equal(err.code, -ENOENT);
	assert_string_equal(err.msg, "no x here");
	assert_int_equal(wring_err_prefix(&err, "reading %d", 7), -ENOENT);
	assert_string_equal(err.msg, "reading 7: no x here");
	assert_int_equal(wring_err_set(&err, 0, "x"), -EIO);
	assert_int_equal(wring_err_set(NULL, -EINVAL, "x"), -EINVAL);
	assert_int_equal(wring_err_prefix(NULL, "x"), -EIO);
}

/* A cut message still ends with a NUL, and not within a character. */
static void test_long_err(void **state)
{
	char text[700];
	struct wring_err err = { 0 };

	(void)state;
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	wring_err_set(&err, -EIO, "%s", text);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	wring_err_prefix(&err, "before");
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_memory_equal(err.msg, "before: aaa", 11);
	wring_err_prefix(&err, "%s", text);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	memcpy(text + sizeof(err.msg) - 2, "\xc3\xa9", 2);
	wring_err_set(&err, -EIO, "%s", text);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 2);
	memcpy(text + sizeof(err.msg) - 4, "\xf0\x9f\x98\x80", 4);
	wring_err_set(&err, -EIO, "%s", text);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 4);
}

static void test_time(void **state)
{
	char buf[32];

	(void)state;
	assert_string_equal(wring_rfc3339(0, buf, sizeof(buf)), "1970-01-01T00:00:00.000Z");
	assert_string_equal(wring_rfc3339(1234567890123456789, buf, sizeof(buf)),
			    "2009-02-13T23:31:30.123Z");
	assert_string_equal(wring_rfc3339(-1000000, buf, sizeof(buf)), "1969-12-31T23:59:59.999Z");
	assert_string_equal(wring_rfc3339(INT64_MAX, buf, sizeof(buf)), "2262-04-11T23:47:16.854Z");
	assert_true(wring_now_ns() <= wring_now_ns());
	assert_true(wring_realtime_ns() > 1600000000 * WRING_NSEC_PER_SEC);
}

static void test_files(void **state)
{
	char path[] = "/tmp/wring-test-XXXXXX";
	_cleanup_close_ int fd = mkstemp(path);
	_cleanup_free_ char *big = malloc(100000), *text = NULL, *line = NULL, *maps = NULL;
	size_t len;

	(void)state;
	memset(big, 'x', 100000);
	assert_int_equal(wring_write_all(fd, big, 100000), 0);
	assert_int_equal(wring_read_file(AT_FDCWD, path, &text, &len), 0);
	assert_int_equal(len, 100000);
	assert_memory_equal(text, big, len);
	assert_int_equal(text[len], 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(wring_write_file(AT_FDCWD, path, "one\ntwo\n"), 0);
	assert_int_equal(wring_read_line(AT_FDCWD, path, &line), 0);
	assert_string_equal(line, "one");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(wring_write_file(AT_FDCWD, path, "x"), -ENOENT);
	assert_int_equal(wring_read_line(AT_FDCWD, path, &line), -ENOENT);
	assert_int_equal(wring_read_file(AT_FDCWD, "/proc/self/maps", &maps, &len), 0);
	assert_true(len > 0 && strlen(maps) == len);
	assert_int_equal(wring_write_all(-1, "x", 1), -EBADF);
	assert_int_equal(wring_write_all(-1, "x", 0), 0);
}

static void test_strf(void **state)
{
	_cleanup_free_ char *s = wring_strf("%s-%d", "a", 5);
	char *p = s;
	int fd = 3;

	(void)state;
	assert_string_equal(WRING_TAKE_PTR(p), "a-5");
	assert_null(p);
	assert_int_equal(WRING_TAKE_FD(fd), 3);
	assert_int_equal(fd, -1);
}

static void test_words(void **state)
{
	(void)state;
	assert_true(wring_has_word("cpuset cpu io\n", "io") && wring_has_word("cpuset cpu io\n", "cpuset") && wring_has_word("cpuset cpu io", "cpu"));
	assert_false(wring_has_word("cpuset io", "cpu") || wring_has_word("rdma hugetlb", "tlb") || wring_has_word("", "io"));
}

/* The examples of RFC 3629, sections 7 and 10, and what section 4 rules out. */
static void test_utf8(void **state)
{
	static const struct { const char *bytes; size_t len; } cases[] = {
		{ "\x41", 1 }, { "\xe2\x89\xa2", 3 }, { "\xce\x91", 2 }, { "\xed\x95\x9c", 3 }, { "\xe6\x97\xa5", 3 }, { "\xf0\xa3\x8e\xb4", 4 },
		{ "\xef\xbb\xbf", 3 }, { "\xc0\x80", 0 }, { "\xc0\xae", 0 }, { "\xed\xa1\x8c", 0 }, { "\xed\xbe\xb4", 0 }, { "\xe0\x9f\xbf", 0 },
		{ "\xf0\x8f\xbf\xbf", 0 }, { "\xf4\x90\x80\x80", 0 }, { "\xf5\x80\x80\x80", 0 }, { "\x80", 0 }, { "\xe2\x89", 0 }, { "\xff", 0 },
	};

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(cases); i++) {
		const unsigned char *s = (const unsigned char *)cases[i].bytes;

		assert_int_equal(wring_utf8_len(s, SIZE_MAX), cases[i].len);
		assert_int_equal(wring_utf8_len(s, strlen(cases[i].bytes)), cases[i].len);
		assert_int_equal(wring_utf8_len(s, 1), cases[i].len == 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),	    cmocka_unit_test(test_duration),
		cmocka_unit_test(test_u64),	    cmocka_unit_test(test_bool),
		cmocka_unit_test(test_format_size), cmocka_unit_test(test_params),
		cmocka_unit_test(test_bad_params),  cmocka_unit_test(test_params_help),
		cmocka_unit_test(test_err),	    cmocka_unit_test(test_long_err),
		cmocka_unit_test(test_time),	    cmocka_unit_test(test_files),
		cmocka_unit_test(test_strf),	    cmocka_unit_test(test_words),
		cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
