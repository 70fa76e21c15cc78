/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/klog.h"

#include <ctype.h>
#include <string.h>

/* "<4>": length of a log level; 0 when there is none. */
static size_t level_len(const char *p)
{
	size_t n = 1;

	if (*p != '<')
		return 0;
	while (n < 4 && isdigit((unsigned char)p[n]))
		n++;
	return n > 1 && p[n] == '>' ? n + 1 : 0;
}

/* "[   12.345678]": length, and the time in ns. */
static size_t stamp_len(const char *p, int64_t *ret_t_ns)
{
	const char *start = p;
	int64_t s = 0, frac = 0, unit = 1000000000;

	if (*p++ != '[')
		return 0;
	while (*p == ' ')
		p++;
	if (!isdigit((unsigned char)*p))
		return 0;
	for (; isdigit((unsigned char)*p) && s < 1000000000; p++)
		s = s * 10 + (*p - '0');
	if (*p++ != '.')
		return 0;
	for (; isdigit((unsigned char)*p); p++) {
		if (unit == 1)
			continue;
		frac = frac * 10 + (*p - '0');
		unit /= 10;
	}
	if (*p != ']')
		return 0;
	*ret_t_ns = s * 1000000000 + frac * unit;
	return (size_t)(p + 1 - start);
}

/* "[   T12]" and "[    C0]": the printing task or CPU. */
static size_t caller_len(const char *p)
{
	const char *start = p;

	if (*p++ != '[')
		return 0;
	while (*p == ' ')
		p++;
	if (*p != 'T' && *p != 'C')
		return 0;
	p++;
	if (!isdigit((unsigned char)*p))
		return 0;
	while (isdigit((unsigned char)*p))
		p++;
	return *p == ']' ? (size_t)(p + 1 - start) : 0;
}

/* "Nov 21 05:00:00 host kernel: " of a syslog file. */
static size_t syslog_len(const char *p)
{
	const char *k = strstr(p, " kernel: ");

	if (!k || k - p > 120 || !isupper((unsigned char)p[0]) || !islower((unsigned char)p[1]))
		return 0;
	/* a month, a day and a time, not a sentence about the kernel */
	if (!islower((unsigned char)p[2]) || p[3] != ' ' || !memchr(p, ':', (size_t)(k - p)))
		return 0;
	return (size_t)(k - p) + strlen(" kernel: ");
}

const char *wring_klog_text(const char *line, int64_t *ret_t_ns)
{
	for (;;) {
		size_t n = level_len(line);

		n = n ? n : stamp_len(line, ret_t_ns);
		n = n ? n : caller_len(line);
		n = n ? n : syslog_len(line);
		n = n ? n : strspn(line, " \t\r");
		if (!n)
			return line;
		line += n;
	}
}

void wring_klog_split(const char *record, wring_klog_line_fn *fn, void *arg)
{
	char line[1024];
	size_t n = 0;

	for (const char *p = record; *p;) {
		bool escaped = !strncmp(p, "\\x0a", 4);

		if (escaped || *p == '\n') {
			line[n] = '\0';
			fn(arg, line);
			n = 0;
			p += escaped ? 4 : 1;
			continue;
		}
		/* a console ends its lines with a carriage return, too */
		if (n < sizeof(line) - 1 && *p != '\r')
			line[n++] = *p;
		p++;
	}
	if (!n)
		return;
	line[n] = '\0';
	fn(arg, line);
}
