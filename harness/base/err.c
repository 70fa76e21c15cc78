/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Errors are one line: text from a file or a kernel may not break that. A message that was cut ends with a
 * whole UTF-8 character, as it goes into JSON. */
static void flatten(char *s, size_t size)
{
	size_t len = strlen(s), tail = 0;

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20)
			s[i] = ' ';
	if (len + 1 < size)
		return;
	while (tail < 4 && tail < len && (s[len - tail - 1] & 0xc0) == 0x80)
		tail++;
	if (tail < len && (unsigned char)s[len - tail - 1] >= 0xc0)
		s[len - tail - 1] = '\0';
}

int wring_err_set(struct wring_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!code)
		code = -EIO;
	if (!err)
		return code;
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	flatten(err->msg, sizeof(err->msg));
	return code;
}

int wring_err_prefix(struct wring_err *err, const char *fmt, ...)
{
	char old[sizeof(err->msg)];
	size_t len;
	va_list ap;

	if (!err)
		return -EIO;
	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	len = strlen(err->msg);
	for (const char *p = ": "; *p && len + 1 < sizeof(err->msg); p++)
		err->msg[len++] = *p;
	for (const char *p = old; *p && len + 1 < sizeof(err->msg); p++)
		err->msg[len++] = *p;
	err->msg[len] = '\0';
	flatten(err->msg, sizeof(err->msg));
	return err->code;
}
