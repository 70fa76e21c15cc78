/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ${name} in values. */
#include "harness/plan/internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HELP ".help"
#define LONG ".long"

/* Names may not hold a dot, so that "limit.help" cannot be a parameter's. */
static bool is_param(const char *s)
{
	return wring_plan_is_name(s) && !strchr(s, '.');
}

static bool ends_in(const char *key, const char *suffix)
{
	size_t len = strlen(key), n = strlen(suffix);

	return len > n && !strcmp(key + len - n, suffix);
}

static bool is_help(const char *key)
{
	return ends_in(key, HELP);
}

static bool is_long(const char *key)
{
	return ends_in(key, LONG);
}

static int unknown(const struct plan_ctx *c, int line, const char *what, const char *name, size_t n)
{
	struct plan_names known = { "" };

	for (size_t i = 0; i < n; i++)
		wring_plan_name(&known, c->s->params.rows[i].key);
	return wring_plan_bad(c, line, what, name, "%s",
			      *known.text ? known.text : "no parameter is declared");
}

static int too_long(const struct plan_ctx *c, int line, const char *text)
{
	return wring_plan_bad(c, line, "too long with its parameters", text, "at most 197 bytes");
}

/* Writes the value of the parameter whose "${name}" begins at *in, and moves *in behind it. Only
 * the first n parameters are known. */
static int put_param(const struct plan_ctx *c, int line, const char **in, char *out, size_t room,
		     size_t n)
{
	const char *end = strchr(*in, '}');
	size_t len = end ? (size_t)(end - *in) - 2 : 0;
	char name[WRING_INI_NAME + 1];

	if (!len || len >= sizeof(name))
		return wring_plan_bad(c, line, "'$'", *in, "${NAME}, or $$ for a dollar sign");
	memcpy(name, *in + 2, len);
	name[len] = '\0';
	*in = end + 1;
	for (size_t i = 0; i < n; i++) {
		const struct wring_setting *p = &c->s->params.rows[i];

		if (strcmp(p->key, name))
			continue;
		if (strlen(p->value) >= room)
			return too_long(c, line, p->value);
		strcpy(out, p->value);
		return 0;
	}
	return unknown(c, line, "unknown parameter", name, n);
}

/* The text must survive being written to a file and read again. */
static int check_line(const struct plan_ctx *c, int line, const char *s)
{
	size_t len = strlen(s);

	for (const char *p = s; *p; p++)
		len += *p == '$'; /* printed as $$ */
	if (len >= WRING_INI_LINE)
		return too_long(c, line, s);
	if (*s == '#' || *s == ';')
		return wring_plan_bad(c, line, "line", s, "values that do not begin with # or ;");
	for (const char *p = s; *p; p++)
		if (isblank((unsigned char)*p) && p[1] == ';')
			return wring_plan_bad(c, line, "line", s,
					      "no ';' behind a blank: it begins a comment");
	return 0;
}

static void trim(char *s)
{
	size_t skip = strspn(s, " \t"), len = strlen(s + skip);

	memmove(s, s + skip, len + 1);
	while (len && isblank((unsigned char)s[len - 1]))
		s[--len] = '\0';
}

/* Replaces l's text. The result has no blanks around it and may be empty. */
static int expand(const struct plan_ctx *c, struct wring_ini_line *l, size_t n)
{
	char buf[600], *copy;
	size_t len = 0;
	int r;

	for (const char *p = l->text; *p;) {
		buf[len] = '\0';
		if (*p != '$') {
			buf[len++] = *p++;
		} else if (p[1] == '$') {
			buf[len++] = '$';
			p += 2;
		} else if (p[1] != '{') {
			return wring_plan_bad(c, l->line, "'$'", p,
					      "${NAME}, or $$ for a dollar sign");
		} else {
			r = put_param(c, l->line, &p, buf + len, sizeof(buf) - len, n);
			if (r)
				return r;
			len += strlen(buf + len);
		}
		if (len > sizeof(buf) - 2)
			return too_long(c, l->line, l->text);
	}
	buf[len] = '\0';
	trim(buf);
	r = check_line(c, l->line, buf);
	if (r)
		return r;
	copy = strdup(buf);
	if (!copy)
		return wring_plan_no_memory(c);
	free(l->text);
	l->text = copy;
	return 0;
}

static int expand_entry(const struct plan_ctx *c, struct wring_ini_entry *e)
{
	size_t kept = 0;

	for (size_t i = 0; i < e->n; i++) {
		int r = expand(c, &e->lines[i], c->s->params.n);

		if (r)
			return r;
	}
	for (size_t i = 0; i < e->n; i++) {
		if (*e->lines[i].text)
			e->lines[kept++] = e->lines[i];
		else
			free(e->lines[i].text);
	}
	e->n = kept;
	return 0;
}

static const struct wring_setting *find_set(const struct wring_setting *set, size_t n,
					    const char *key)
{
	while (n--) /* the last one wins */
		if (!strcmp(set[n].key, key))
			return &set[n];
	return NULL;
}

static int add_param(struct plan_ctx *c, const struct wring_ini_entry *e,
		     const struct wring_setting *set)
{
	const char *text = set ? set->value : e->n ? e->lines->text : "";
	struct wring_ini_line l = { .text = strdup(text), .line = e->line };
	int r;

	if (!l.text)
		return wring_plan_no_memory(c);
	r = expand(c, &l, c->s->params.n); /* those above it */
	if (!r && wring_settings_add(&c->s->params, e->key, l.text, e->line))
		r = wring_plan_no_memory(c);
	free(l.text);
	return r;
}

static int check_param(const struct plan_ctx *c, const struct wring_ini_entry *e)
{
	if (!is_param(e->key))
		return wring_plan_bad(c, e->line, "parameter", e->key,
				      "NAME, NAME.help or NAME.long, without other dots");
	if (e->n > 1)
		return wring_plan_bad(c, e->lines[1].line, e->key, e->lines[1].text,
				      "a value of one line");
	return 0;
}

static int add_params(struct plan_ctx *c, const struct wring_ini_section *sec,
		      const struct wring_setting *set, size_t n_set)
{
	for (size_t i = 0; i < sec->n; i++) {
		const struct wring_ini_entry *e = &sec->entries[i];
		int r;

		if (is_help(e->key) || is_long(e->key))
			continue;
		r = check_param(c, e);
		if (!r)
			r = add_param(c, e, find_set(set, n_set, e->key));
		if (r)
			return r;
	}
	return 0;
}

/* What comes from the command line did not go through the reader. */
static int check_set(const struct plan_ctx *c, const struct wring_setting *set, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *why = wring_ini_bad_text(set[i].value, strlen(set[i].value));

		if (why)
			return wring_plan_bad(c, 0, "--set", set[i].key,
					      "UTF-8 text, but there is %s", why);
		if (!wring_setting_get(&c->s->params, set[i].key))
			return unknown(c, 0, "--set", set[i].key, c->s->params.n);
	}
	return 0;
}

/* NAME.help, a text, and NAME.long, the value of the long form: of parameters that are there. */
static int add_about(struct plan_ctx *c, const struct wring_ini_entry *e)
{
	const char *suffix = is_help(e->key) ? HELP : LONG, *text = e->n ? e->lines->text : "";
	char name[WRING_INI_NAME + 1];

	snprintf(name, sizeof(name), "%.*s", (int)(strlen(e->key) - strlen(suffix)), e->key);
	if (!wring_setting_get(&c->s->params, name))
		return unknown(c, e->line, is_help(e->key) ? "help for an unknown parameter" : "long form of an unknown parameter",
			       name, c->s->params.n);
	if (e->n > 1 || (is_help(e->key) && !e->n))
		return wring_plan_bad(c, e->n ? e->lines[1].line : e->line, e->key, e->n ? e->lines[1].text : "",
				      "text of one line");
	/* It takes the place of the value, before that is expanded; another round here would be one too many. */
	if (is_long(e->key) && strchr(text, '$'))
		return wring_plan_bad(c, e->line, e->key, text, "a value without '$'");
	if (wring_settings_add(is_help(e->key) ? &c->s->param_help : &c->s->param_long, name, text, e->line))
		return wring_plan_no_memory(c);
	return 0;
}

static int add_abouts(struct plan_ctx *c, const struct wring_ini_section *sec)
{
	int r = 0;

	for (size_t i = 0; i < sec->n && !r; i++)
		if (is_help(sec->entries[i].key) || is_long(sec->entries[i].key))
			r = add_about(c, &sec->entries[i]);
	return r;
}

int wring_plan_params(struct plan_ctx *c, struct wring_ini *ini, const struct wring_setting *set,
		      size_t n_set)
{
	struct wring_ini_section *params = NULL;
	int r = 0;

	for (size_t i = 0; i < ini->n && !params; i++)
		if (!strcmp(ini->sections[i].title, "params"))
			c->section = params = &ini->sections[i];
	if (params)
		r = add_params(c, params, set, n_set);
	c->section = NULL;
	if (!r)
		r = check_set(c, set, n_set);
	for (size_t i = 0; i < ini->n && !r; i++) {
		c->section = &ini->sections[i];
		for (size_t j = 0; j < ini->sections[i].n && !r; j++)
			if (c->section != params || is_help(ini->sections[i].entries[j].key))
				r = expand_entry(c, &ini->sections[i].entries[j]);
	}
	c->section = params;
	return r || !params ? r : add_abouts(c, params);
}
