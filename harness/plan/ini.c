/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/plan/ini.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "harness/base/util.h"

/* inih says nothing about a section without keys, so the reader puts this key behind every section
 * line. No file can contain it: keys begin with a letter or digit. */
#define SECTION_KEY ".section"
#define KEY_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

struct reader {
	const char *name, *next;
	struct wring_ini *ini;
	struct wring_err *err;
	int line;
	int r;              /* the first error */
	bool has_key;       /* there is a key that an indented line can continue */
	bool is_more;       /* the current line is such a line */
	bool is_section;    /* the section key comes next */
};

void *wring_ini_push(void *array, size_t *n, size_t size)
{
	char *p;

	memcpy(&p, array, sizeof(p)); /* a pointer to whatever type */
	if (!(*n & (*n - 1))) {       /* 0 or a power of two: full */
		char *more = reallocarray(p, *n ? *n * 2 : 1, size);

		if (!more)
			return NULL;
		p = more;
		memcpy(array, &p, sizeof(p));
	}
	p += *n * size;
	memset(p, 0, size);
	++*n;
	return p;
}

const char *wring_ini_bad_text(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text, *end = s + len;

	while (s < end) {
		size_t n = wring_utf8_len(s, (size_t)(end - s));

		if (!n)
			return "a byte that is not UTF-8";
		if ((*s < 0x20 && *s != '\t') || *s == 0x7f)
			return "a control character";
		s += n;
	}
	return NULL;
}

static int bad(struct reader *rd, const char *what, const char *value, size_t len,
	       const char *accepted)
{
	if (!rd->r)
		rd->r = wring_err_set(rd->err, -EINVAL, "%s:%d: %s: value '%.*s': accepted: %s",
				      rd->name, rd->line, what, len > 100 ? 100 : (int)len, value,
				      accepted);
	return rd->r;
}

static int no_memory(struct reader *rd)
{
	if (!rd->r)
		rd->r = wring_err_set(rd->err, -ENOMEM, "%s:%d: out of memory", rd->name, rd->line);
	return rd->r;
}

/* s begins with '['. inih would take "[a] rubbish" and cut a long name. */
static int check_section(struct reader *rd, const char *s, size_t len)
{
	const char *close = memchr(s, ']', len), *rest;

	if (!close || (size_t)(close - s) > WRING_INI_NAME || close == s + 1)
		return bad(rd, "section", s, len, "[NAME] of at most 49 characters");
	for (const char *p = s + 1; p < close; p++)
		if (!strchr(KEY_CHARS "/ ", *p))
			return bad(rd, "section", s, len,
				   "letters, digits, '.', '_', '-', '/' between [ and ]");
	rest = close + 1;
	while (rest < s + len && isblank((unsigned char)*rest))
		rest++;
	if (rest < s + len && *rest != ';')
		return bad(rd, "section", s, len, "nothing behind the ]");
	rd->is_section = true;
	rd->has_key = false;
	return 0;
}

static int check_key(struct reader *rd, const char *s, size_t len)
{
	size_t key = strspn(s, *s == '/' ? KEY_CHARS "/" : KEY_CHARS), n = key; /* a path below /sys, in [sysctl] */

	while (n < len && isblank((unsigned char)s[n]))
		n++;
	if (!key || !(isalnum((unsigned char)*s) || *s == '/') || n == len || s[n] != '=')
		return bad(rd, "line", s, len,
			   "[SECTION], KEY = VALUE, or an indented line that goes on");
	if (key > WRING_INI_NAME)
		return bad(rd, "key", s, key, "at most 49 characters");
	rd->has_key = true;
	return 0;
}

/* Refuses what inih would silently misread. */
static int check_line(struct reader *rd, const char *s, size_t len)
{
	const char *why = wring_ini_bad_text(s, len);
	size_t blanks = 0;

	rd->is_more = false;
	if (why)
		return bad(rd, "line", why, strlen(why),
			   "UTF-8 text without control characters but tabs");
	if (len > WRING_INI_LINE)
		return bad(rd, "line too long", s, len,
			   "lines of at most 198 bytes; indent a line to go on");
	while (blanks < len && isblank((unsigned char)s[blanks]))
		blanks++;
	if (blanks == len || strchr("#;", s[blanks]))
		return 0;
	if (blanks && !rd->has_key)
		return bad(rd, "indented line", s, len, "a line that begins in the first column");
	rd->is_more = blanks;
	if (blanks)
		return 0;
	return *s == '[' ? check_section(rd, s, len) : check_key(rd, s, len);
}

/* fgets() for inih. */
static char *read_line(char *buf, int size, void *stream)
{
	struct reader *rd = stream;
	size_t len;

	if (rd->r)
		return NULL;
	if (rd->is_section && size > (int)sizeof(SECTION_KEY)) {
		rd->is_section = false;
		return strcpy(buf, SECTION_KEY "=");
	}
	if (!*rd->next)
		return NULL;
	len = strcspn(rd->next, "\n");
	rd->line++;
	if (check_line(rd, rd->next, len))
		return NULL;
	if (len >= (size_t)size) { /* an inih built with a smaller buffer */
		bad(rd, "line too long", rd->next, len, "shorter lines");
		return NULL;
	}
	memcpy(buf, rd->next, len);
	buf[len] = '\0';
	rd->next += len + (rd->next[len] == '\n');
	return buf;
}

static const struct wring_ini_section *find_section(const struct wring_ini *ini, const char *title)
{
	for (size_t i = 0; i < ini->n; i++)
		if (!strcmp(ini->sections[i].title, title))
			return &ini->sections[i];
	return NULL;
}

/* "group  work " is the section "group work". */
static int set_title(struct reader *rd, struct wring_ini_section *sec, const char *text)
{
	size_t type, arg, len;

	text += strspn(text, " ");
	type = strcspn(text, " ");
	arg = type + strspn(text + type, " ");
	len = strcspn(text + arg, " ");
	if (!type || text[arg + len + strspn(text + arg + len, " ")])
		return bad(rd, "section", text, strlen(text), "[TYPE] or [TYPE NAME]");
	sec->type = strndup(text, type);
	sec->title = malloc(type + len + 2);
	if (!sec->type || !sec->title)
		return no_memory(rd);
	memcpy(sec->title, text, type);
	sec->title[type] = len ? ' ' : '\0';
	memcpy(sec->title + type + 1, text + arg, len);
	if (len) {
		sec->title[type + 1 + len] = '\0';
		sec->arg = sec->title + type + 1;
	}
	return 0;
}

static int add_section(struct reader *rd, const char *text)
{
	struct wring_ini_section sec = { .line = rd->line }, *slot;
	const struct wring_ini_section *old;
	int r = set_title(rd, &sec, text);

	old = r ? NULL : find_section(rd->ini, sec.title);
	if (old)
		r = wring_err_set(rd->err, -EINVAL,
				  "%s:%d: section given twice: value '%s': accepted: one "
				  "section of this name, the first is on line %d",
				  rd->name, rd->line, sec.title, old->line);
	slot = r ? NULL : wring_ini_push(&rd->ini->sections, &rd->ini->n, sizeof(*slot));
	if (!slot) {
		free(sec.title);
		free(sec.type);
		return r ? (rd->r = r) : no_memory(rd);
	}
	*slot = sec;
	return 0;
}

static int add_line(struct reader *rd, struct wring_ini_entry *e, const char *text)
{
	struct wring_ini_line *l;

	if (!*text)
		return 0;
	l = wring_ini_push(&e->lines, &e->n, sizeof(*l));
	if (!l)
		return no_memory(rd);
	l->line = rd->line;
	l->text = strdup(text);
	return l->text ? 0 : no_memory(rd);
}

static int add_entry(struct reader *rd, struct wring_ini_section *sec, const char *key,
		     const char *value)
{
	struct wring_ini_entry *e;

	for (size_t i = 0; i < sec->n; i++)
		if (!strcmp(sec->entries[i].key, key))
			return rd->r = wring_err_set(
				       rd->err, -EINVAL,
				       "%s:%d: [%s] key given twice: value '%s': "
				       "accepted: one such key, the first is on line %d",
				       rd->name, rd->line, sec->title, key, sec->entries[i].line);
	e = wring_ini_push(&sec->entries, &sec->n, sizeof(*e));
	if (!e)
		return no_memory(rd);
	e->line = rd->line;
	e->key = strdup(key);
	return e->key ? add_line(rd, e, value) : no_memory(rd);
}

/* inih's handler: 0 is failure. */
static int on_pair(void *user, const char *section, const char *key, const char *value)
{
	struct reader *rd = user;
	struct wring_ini *ini = rd->ini;
	struct wring_ini_section *sec = ini->n ? &ini->sections[ini->n - 1] : NULL;

	if (rd->r)
		return 0;
	if (!strcmp(key, SECTION_KEY))
		return !add_section(rd, section);
	if (!sec)
		return !bad(rd, "key outside of a section", key, strlen(key), "[scenario] first");
	if (rd->is_more && sec->n)
		return !add_line(rd, &sec->entries[sec->n - 1], value);
	return !add_entry(rd, sec, key, value);
}

int wring_ini_parse(struct wring_ini *ini, const char *name, const char *text,
		    struct wring_err *err)
{
	struct reader rd = { .name = name, .next = text, .ini = ini, .err = err };
	int r;

	memset(ini, 0, sizeof(*ini));
	if (!strncmp(text, "\xef\xbb\xbf", 3)) /* a byte order mark */
		rd.next += 3;
	r = ini_parse_stream(read_line, &rd, on_pair, &rd);
	if (!rd.r && r < 0)
		no_memory(&rd);
	if (!rd.r && r)
		bad(&rd, "line", "", 0, "[SECTION] or KEY = VALUE");
	return rd.r;
}

static void entry_done(struct wring_ini_entry *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->lines[i].text);
	free(e->lines);
	free(e->key);
}

void wring_ini_done(struct wring_ini *ini)
{
	for (size_t i = 0; i < ini->n; i++) {
		struct wring_ini_section *sec = &ini->sections[i];

		for (size_t j = 0; j < sec->n; j++)
			entry_done(&sec->entries[j]);
		free(sec->entries);
		free(sec->title);
		free(sec->type);
	}
	free(ini->sections);
	memset(ini, 0, sizeof(*ini));
}

char *wring_ini_join(const struct wring_ini_entry *e, const char *by)
{
	size_t len = 1;
	char *text, *p;

	for (size_t i = 0; i < e->n; i++)
		len += strlen(e->lines[i].text) + strlen(by);
	text = p = malloc(len);
	if (!text)
		return NULL;
	*p = '\0';
	for (size_t i = 0; i < e->n; i++)
		p = stpcpy(stpcpy(p, i ? by : ""), e->lines[i].text);
	return text;
}
