/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/units.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* A decimal number without sign, exponent or blanks, times the factor of the unit behind it, rounded
 * down. Integers only: strtod() would take "1e3", lose bits above 2^53 and follow the locale.
 * -EINVAL, or -ERANGE above INT64_MAX. */
static int parse_scaled(const char *s, const struct unit *units, size_t n, uint64_t *ret)
{
	size_t whole = strspn(s, "0123456789");
	size_t frac = s[whole] == '.' ? strspn(s + whole + 1, "0123456789") : 0;
	const char *name = s + whole + (frac ? frac + 1 : 0);
	uint64_t factor = 0, v = 0, part = 0;

	for (size_t i = 0; i < n; i++)
		if (!strcmp(name, units[i].name))
			factor = units[i].factor;
	if (!whole || !factor || (frac && factor == 1))
		return -EINVAL;
	for (size_t i = 0; i < whole; i++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, s[i] - '0', &v))
			return -ERANGE;
	for (size_t i = frac; i > 0; i--) /* from the right: dividing step by step rounds as one division would */
		part = (part + (uint64_t)(s[whole + i] - '0') * factor) / 10;
	if (__builtin_mul_overflow(v, factor, &v) || __builtin_add_overflow(v, part, &v) || v > INT64_MAX)
		return -ERANGE;
	*ret = v;
	return 0;
}

int wring_parse_size(const char *s, uint64_t *ret_bytes, struct wring_err *err)
{
	static const struct unit units[] = {
		{ "", 1 }, { "K", 1ULL << 10 }, { "M", 1ULL << 20 }, { "G", 1ULL << 30 }, { "T", 1ULL << 40 },
		{ "k", 1ULL << 10 }, { "m", 1ULL << 20 }, { "g", 1ULL << 30 }, { "t", 1ULL << 40 },
	};
	int r = parse_scaled(s, units, sizeof(units) / sizeof(units[0]), ret_bytes);

	if (r == -ERANGE)
		return wring_err_set(err, r, "size '%s' is larger than 8 EiB", s);
	return r ? wring_err_set(err, r, "'%s' is not a size (a number with K, M, G or T, as in 64M)", s) : 0;
}

int wring_parse_duration(const char *s, int64_t *ret_ns, struct wring_err *err)
{
	static const struct unit units[] = {
		{ "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 }, { "m", 60000000000 },
		{ "h", 3600000000000 },
	};
	uint64_t ns;
	int r = parse_scaled(s, units, sizeof(units) / sizeof(units[0]), &ns);

	if (r == -ERANGE)
		return wring_err_set(err, r, "duration '%s' is longer than 290 years", s);
	if (r)
		return wring_err_set(err, r,
				     "'%s' is not a duration (a number with ns, us, ms, s, m or h, as in 30s)", s);
	*ret_ns = (int64_t)ns;
	return 0;
}

int wring_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret, struct wring_err *err)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = isdigit((unsigned char)*s) ? strtoull(s, &end, 10) : 0;
	if (!isdigit((unsigned char)*s) || *end)
		return wring_err_set(err, -EINVAL, "'%s' is not a number (%llu to %llu)", s,
				     (unsigned long long)min, (unsigned long long)max);
	if (errno || v < min || v > max)
		return wring_err_set(err, -ERANGE, "%s is out of range (%llu to %llu)", s,
				     (unsigned long long)min, (unsigned long long)max);
	*ret = v;
	return 0;
}

int wring_parse_bool(const char *s, bool *ret, struct wring_err *err)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(s, words[i])) {
			*ret = i & 1;
			return 0;
		}
	return wring_err_set(err, -EINVAL, "'%s' is not a switch (yes or no)", s);
}

const char *wring_format_size(uint64_t bytes, char *buf, size_t size)
{
	static const char unit[] = " KMGTPE";
	double v = (double)bytes;
	int u = 0;

	for (; v >= 999.5 && u < 6; u++) /* 999.5 would be written with four digits */
		v /= 1024;
	if (u)
		snprintf(buf, size, "%.3g%c", v, unit[u]);
	else
		snprintf(buf, size, "%.0f", v);
	return buf;
}
