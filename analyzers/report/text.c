/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/report/text.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "harness/base/units.h"
#include "harness/base/util.h"

enum { DEFAULT_COLUMNS = 100, MIN_COLUMNS = 40 };

static bool is_control(const unsigned char *s, size_t n)
{
	/* C0, DEL, and C1 as UTF-8 */
	return *s < 0x20 || *s == 0x7f || (n == 2 && *s == 0xc2 && s[1] < 0xa0);
}

char *wring_text_clean(const char *text, bool plain)
{
	const unsigned char *s = (const unsigned char *)(text ? text : "");
	char *ret = malloc(strlen((const char *)s) * 3 + 1), *p = ret;

	if (!ret)
		return NULL;
	while (*s) {
		size_t n = wring_utf8_len(s, SIZE_MAX);

		if (!n) {
			p = stpcpy(p, "\xef\xbf\xbd");
			s++;
		} else if (plain && is_control(s, n)) {
			*p++ = ' ';
			s += n;
		} else {
			memcpy(p, s, n);
			p += n;
			s += n;
		}
	}
	*p = '\0';
	return ret;
}

/* Columns a word takes: one for each character, which is near enough. */
static size_t columns_of(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

void wring_text_wrap(FILE *out, const char *text, size_t indent, size_t width)
{
	char *clean = wring_text_clean(text, true);
	const char *s = clean ? clean : "";
	size_t at = 0;

	while (*(s += strspn(s, " "))) {
		size_t len = strcspn(s, " "), cols = columns_of(s, len);

		if (at && at + 1 + cols > width) {
			fputc('\n', out);
			at = 0;
		}
		if (!at)
			at = (size_t)fprintf(out, "%*s", (int)indent, "");
		else
			at += fputc(' ', out) == ' ';
		fwrite(s, 1, len, out);
		at += cols;
		s += len;
	}
	fputc('\n', out);
	free(clean);
}

const char *wring_text_value(double value, const char *unit, char *buf, size_t size)
{
	size_t len = strlen(unit);
	char number[16];

	if (value == 1 && len > 2 && unit[len - 1] == 's' && strcmp(unit, "bytes"))
		snprintf(buf, size, "1 %.*s", (int)len - 1, unit);
	else if (!strcmp(unit, "bytes") && value >= 0 && value < 9e18)
		snprintf(buf, size, "%s",
			 wring_format_size((uint64_t)value, number, sizeof(number)));
	else if (fabs(value) < 1e15 && (value == floor(value) || fabs(value) >= 1e4))
		snprintf(buf, size, "%.0f%s%s", value, *unit ? " " : "", unit);
	else
		snprintf(buf, size, "%.4g%s%s", value, *unit ? " " : "", unit);
	if (strlen(buf) + 1 == size) /* a long unit may have been cut within a character */
		for (char *end = buf + size - 1; end > buf && end[-1] & 0x80; end--)
			end[-1] = '\0';
	return buf;
}

const char *wring_text_number(double value, char *buf, size_t size)
{
	if (!isfinite(value))
		value = 0;
	if (value == floor(value) && fabs(value) < 9007199254740992.0)
		snprintf(buf, size, "%.0f", value == 0 ? 0 : value); /* no -0 */
	else
		snprintf(buf, size, "%.15g", value);
	return buf;
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("._-/", c));
}

char *wring_text_word(const char *s)
{
	char *ret = strdup(s && *s ? s : "none");

	for (char *p = ret; p && *p; p++)
		if (!is_word(*p))
			*p = '_';
	return ret;
}

char *wring_text_ascii(const char *s)
{
	char *ret = wring_text_clean(s, true), *to = ret;

	for (const char *p = ret; p && *p; p++)
		if (!((unsigned char)*p & 0x80))
			*to++ = *p;
		else if (((unsigned char)*p & 0xc0) == 0xc0)
			*to++ = '?';
	if (to)
		*to = '\0';
	return ret;
}

char *wring_text_shell(const char *s)
{
	_cleanup_free_ char *clean = wring_text_clean(s, true);
	char *ret = clean ? malloc(4 * strlen(clean) + 3) : NULL, *p = ret;
	bool plain = clean && *clean;

	if (!ret)
		return NULL;
	for (const char *c = clean; *c; c++)
		plain = plain && (is_word(*c) || strchr("=:,+@%", *c));
	if (plain)
		return strcpy(ret, clean);
	*p++ = '\'';
	for (const char *c = clean; *c; c++) {
		if (*c == '\'')
			p = stpcpy(p, "'\\''");
		else
			*p++ = *c;
	}
	strcpy(p, "'");
	return ret;
}

size_t wring_text_columns(FILE *out)
{
	struct winsize w;
	int fd = fileno(out);

	if (fd < 0 || !isatty(fd) || ioctl(fd, TIOCGWINSZ, &w) || !w.ws_col)
		return DEFAULT_COLUMNS;
	return w.ws_col < MIN_COLUMNS ? MIN_COLUMNS : w.ws_col;
}
