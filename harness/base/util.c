/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/util.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

static int64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * WRING_NSEC_PER_SEC + ts.tv_nsec;
}

int64_t wring_now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
int64_t wring_realtime_ns(void) { return clock_ns(CLOCK_REALTIME); }

const char *wring_rfc3339(int64_t ns, char *buf, size_t size)
{
	int64_t rest = ns % WRING_NSEC_PER_SEC;
	time_t s = ns / WRING_NSEC_PER_SEC;
	struct tm tm;
	char day[24];

	if (rest < 0) { /* before 1970: a clock that was never set */
		rest += WRING_NSEC_PER_SEC;
		s--;
	}
	gmtime_r(&s, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf, size, "%s.%03dZ", day, (int)(rest / WRING_NSEC_PER_MSEC));
	return buf;
}

bool wring_has_word(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = words; (p = strstr(p, word)); p++)
		if ((p == words || isspace((unsigned char)p[-1])) && (!p[n] || isspace((unsigned char)p[n])))
			return true;
	return false;
}

size_t wring_utf8_len(const unsigned char *s, size_t len)
{
	size_t n = 1;

	if (*s < 0x80)
		return 1;
	if (*s < 0xc2 || *s > 0xf4)
		return 0;
	n += 1 + (*s >= 0xe0) + (*s >= 0xf0);
	/* overlong forms, surrogates, beyond U+10FFFF */
	if (n > len || (*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) ||
	    (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f))
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

char *wring_strf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : s;
}

#define MAX_FILE (256u << 20)

int wring_read_file(int dirfd, const char *path, char **ret, size_t *ret_len)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *buf = NULL;
	size_t len = 0, size = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n;

		if (len > MAX_FILE) /* a device that never ends, /dev/zero */
			return -EFBIG;
		if (size - len < 4096) {
			char *p = realloc(buf, size = size ? size * 2 : 8192);

			if (!p)
				return -ENOMEM;
			buf = p;
		}
		n = read(fd, buf + len, size - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += n;
	}
	buf[len] = '\0';
	if (ret_len)
		*ret_len = len;
	*ret = WRING_TAKE_PTR(buf);
	return 0;
}

int wring_read_line(int dirfd, const char *path, char **ret)
{
	int r = wring_read_file(dirfd, path, ret, NULL);

	if (!r)
		(*ret)[strcspn(*ret, "\n")] = '\0';
	return r;
}

int wring_write_file(int dirfd, const char *path, const char *text)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	do
		n = write(fd, text, strlen(text));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int wring_write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= n;
	}
	return 0;
}
