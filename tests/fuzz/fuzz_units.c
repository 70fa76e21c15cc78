/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sizes, durations, numbers and switches from any string. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "harness/base/units.h"
#include "tests/fuzz/fuzz.h"

static void check_size(const char *s)
{
	uint64_t v = 0, again = 0;
	char buf[32];
	struct wring_err err = { 0 };
	int r = wring_parse_size(s, &v, &err);

	FUZZ_CHECK(r ? (r == -EINVAL || r == -ERANGE) && *err.msg : v <= INT64_MAX);
	if (r)
		return;
	FUZZ_CHECK(*s >= '0' && *s <= '9');
	snprintf(buf, sizeof(buf), "%" PRIu64, v);
	FUZZ_CHECK(!wring_parse_size(buf, &again, NULL) && again == v);
	FUZZ_CHECK(strlen(wring_format_size(v, buf, sizeof(buf))) <= 6);
}

static void check_duration(const char *s)
{
	int64_t v = 0, again = 0;
	char buf[32];
	struct wring_err err = { 0 };
	int r = wring_parse_duration(s, &v, &err);

	FUZZ_CHECK(r ? (r == -EINVAL || r == -ERANGE) && *err.msg : v >= 0);
	if (r)
		return;
	FUZZ_CHECK(*s >= '0' && *s <= '9');
	snprintf(buf, sizeof(buf), "%" PRId64 "ns", v);
	FUZZ_CHECK(!wring_parse_duration(buf, &again, NULL) && again == v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = strndup((const char *)data, size), buf[32];
	uint64_t v;
	bool b;

	FUZZ_CHECK(s);
	check_size(s);
	check_duration(s);
	if (!wring_parse_u64(s, 3, 1000, &v, NULL))
		FUZZ_CHECK(v >= 3 && v <= 1000);
	if (!wring_parse_bool(s, &b, NULL))
		FUZZ_CHECK(strlen(s) <= 5);
	v = 0;
	memcpy(&v, data, size < sizeof(v) ? size : sizeof(v));
	FUZZ_CHECK(strlen(wring_format_size(v, buf, sizeof(buf))) <= 6);
	free(s);
	return 0;
}
