/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one place where text becomes HTML. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/report/html.h"
#include "analyzers/report/text.h"
#include "results-schema/embed.h"

extern const struct wring_embedded wring_html_assets[];

/* Code point of valid UTF-8 at s. */
static unsigned long code_point(const unsigned char *s, size_t *len)
{
	unsigned long c = *s < 0x80 ? *s : *s < 0xe0 ? *s & 0x1f : *s < 0xf0 ? *s & 0x0f : *s & 0x07;

	*len = *s < 0x80 ? 1 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;
	for (size_t i = 1; i < *len; i++)
		c = c << 6 | (s[i] & 0x3f);
	return c;
}

/* What no document may hold, and what turns the text around it: a reader would see other words than are there. */
static bool is_forbidden(unsigned long c)
{
	return (c < 0x20 && c != '\t' && c != '\n') || (c >= 0x7f && c < 0xa0) || (c >= 0x200e && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

static void escape(FILE *out, const char *text)
{
	char *clean = wring_text_clean(text, false);

	for (const unsigned char *s = (unsigned char *)clean; s && *s;) {
		size_t len;
		unsigned long c = code_point(s, &len);

		if (is_forbidden(c))
			fputs("\xef\xbf\xbd", out);
		else if (c == '&')
			fputs("&amp;", out);
		else if (c == '<')
			fputs("&lt;", out);
		else if (c == '>')
			fputs("&gt;", out);
		else if (c == '"')
			fputs("&quot;", out);
		else if (c == '\'')
			fputs("&#39;", out);
		else
			fwrite(s, 1, len, out);
		s += len;
	}
	free(clean);
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the attribute of wring_html() has them checked where they are written */

/* One conversion; the compiler has checked that the arguments fit. Returns what is behind it. */
static const char *convert(FILE *out, const char *fmt, va_list *ap)
{
	char spec[16] = "";
	size_t len = strcspn(fmt + 1, "sdufgc%") + 2;
	char last = fmt[len - 1];

	if (len >= sizeof(spec) || !last)
		abort(); /* a format of ours that this cannot do */
	memcpy(spec, fmt, len);
	if (last == '%')
		fputc('%', out);
	else if (last == 's')
		escape(out, va_arg(*ap, const char *));
	else if (last == 'f' || last == 'g')
		fprintf(out, spec, va_arg(*ap, double));
	else if (strstr(spec, "ll"))
		fprintf(out, spec, va_arg(*ap, long long));
	else if (strchr(spec, 'z'))
		fprintf(out, spec, va_arg(*ap, size_t));
	else
		fprintf(out, spec, va_arg(*ap, int));
	return fmt + len;
}

void wring_html(FILE *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	while (*fmt) {
		size_t plain = strcspn(fmt, "%");

		fwrite(fmt, 1, plain, out);
		fmt += plain;
		if (*fmt)
			fmt = convert(out, fmt, &ap);
	}
	va_end(ap);
}

char *wring_html_shell(const char *s)
{
	char *clean = wring_text_clean(s, true), *ret = malloc(strlen(clean ? clean : "") * 4 + 3), *p = ret;

	if (!clean || !ret) {
		free(clean);
		free(ret);
		return NULL;
	}
	if (*clean && strspn(clean, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,@+%") == strlen(clean)) {
		free(ret);
		return clean;
	}
	*p++ = '\'';
	for (const char *c = clean; *c; c++)
		p = *c == '\'' ? stpcpy(p, "'\\''") : (*p = *c, p + 1);
	*p++ = '\'';
	*p = '\0';
	free(clean);
	return ret;
}

const char *wring_html_asset(const char *name)
{
	for (const struct wring_embedded *a = wring_html_assets; a->name; a++)
		if (!strcmp(a->name, name) && *a->text)
			return a->text;
	return NULL;
}
