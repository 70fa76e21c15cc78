/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as text of the report: they stay text, in elements and in attributes, and a shell reads a word back as one word. */
#include <string.h>

#include "analyzers/report/html.h"
#include "tests/fuzz/fuzz.h"

/* What a browser needs to see of a reference to take it for the character and nothing else. */
static const char *const references[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&#39;" };

static size_t utf8_len(const unsigned char *s)
{
	size_t n = *s < 0x80 ? 1 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;

	FUZZ_CHECK(*s < 0x80 || (*s >= 0xc2 && *s < 0xf5));
	for (size_t i = 1; i < n; i++)
		FUZZ_CHECK((s[i] & 0xc0) == 0x80);
	return n;
}

static void check_text(const char *p, const char *end)
{
	while (p < end) {
		size_t n = utf8_len((const unsigned char *)p), k = 0;

		FUZZ_CHECK(!strchr("<>\"'", *p));
		FUZZ_CHECK((unsigned char)*p >= ' ' || *p == '\t' || *p == '\n');
		FUZZ_CHECK(*p != 0x7f);
		if (*p == '&') {
			while (k < 5 && strncmp(p, references[k], strlen(references[k])))
				k++;
			FUZZ_CHECK(k < 5);
		}
		p += n;
	}
}

static void check_html(const char *text)
{
	static const char before[] = "<p title=\"", between[] = "\">", after[] = "</p>";
	char *buf = NULL;
	const char *mid;
	size_t len = 0;
	FILE *out = open_memstream(&buf, &len);

	FUZZ_CHECK(out);
	wring_html(out, "<p title=\"%s\">%s</p>", text, text);
	FUZZ_CHECK(!fclose(out));
	FUZZ_CHECK(!strncmp(buf, before, strlen(before)));
	mid = strstr(buf, between);
	FUZZ_CHECK(mid);
	check_text(buf + strlen(before), mid);
	FUZZ_CHECK(len >= strlen(after) && !strcmp(buf + len - strlen(after), after));
	check_text(mid + strlen(between), buf + len - strlen(after));
	free(buf);
}

/* One word: plain characters, or quoted with every quote of its own outside of the quotes. */
static void check_shell(const char *text)
{
	char *word = wring_html_shell(text);

	FUZZ_CHECK(word && *word);
	if (*word == '\'') {
		const char *p = word;

		while (*p) {
			FUZZ_CHECK(*p == '\'');
			p += 1 + strcspn(p + 1, "'");
			FUZZ_CHECK(*p == '\'');
			p++;
			if (!strncmp(p, "\\'", 2))
				p += 2;
		}
	} else {
		FUZZ_CHECK(!strpbrk(word, " \t\n$`\\\"'<>|&;()*?[]#~!{}"));
	}
	free(word);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);

	FUZZ_CHECK(text);
	check_html(text);
	check_shell(text);
	free(text);
	return 0;
}
