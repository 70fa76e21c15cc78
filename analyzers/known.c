/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/known.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/judge.h"
#include "harness/base/util.h"
#include "harness/plan/ini.h"

struct wring_known {
	struct wring_known_entry *rows;
	size_t n;
};

static void entry_done(struct wring_known_entry *e)
{
	free(e->name);
	free(e->scenario);
	free(e->detector);
	free(e->class);
	free(e->kernel);
	free(e->reason);
	free(e->link);
}

void wring_known_free(struct wring_known *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->n; i++)
		entry_done(&k->rows[i]);
	free(k->rows);
	free(k);
}

/* The field of that key, or NULL. */
static char **field(struct wring_known_entry *e, const char *key)
{
	const struct { const char *key; char **v; } fields[] = {
		{ "scenario", &e->scenario }, { "detector", &e->detector }, { "class", &e->class },
		{ "kernel", &e->kernel }, { "reason", &e->reason }, { "link", &e->link },
	};

	for (size_t i = 0; i < WRING_ARRAY_SIZE(fields); i++)
		if (!strcmp(fields[i].key, key))
			return fields[i].v;
	return NULL;
}

static int read_section(const char *path, const struct wring_ini_section *s,
			struct wring_known_entry *e, struct wring_err *err)
{
	static const char *const required[] = { "scenario", "detector", "class", "reason" };

	e->name = strdup(s->title);
	if (!e->name)
		return wring_err_set(err, -ENOMEM, "%s: out of memory", path);
	for (size_t i = 0; i < s->n; i++) {
		char **v = field(e, s->entries[i].key);

		if (!v)
			return wring_err_set(err, -EINVAL,
					     "%s:%d: unknown key '%s': accepted are scenario, "
					     "detector, class, kernel, reason, link",
					     path, s->entries[i].line, s->entries[i].key);
		free(*v); /* a key said twice: the later one */
		*v = wring_ini_join(&s->entries[i], " ");
		if (!*v)
			return wring_err_set(err, -ENOMEM, "%s: out of memory", path);
	}
	for (size_t i = 0; i < WRING_ARRAY_SIZE(required); i++) {
		char **v = field(e, required[i]);

		if (!*v || !**v)
			return wring_err_set(err, -EINVAL,
					     "%s:%d: [%s] has no %s: needed are scenario, "
					     "detector, class and reason",
					     path, s->line, s->title, required[i]);
	}
	if (!e->link && !(e->link = strdup("")))
		return wring_err_set(err, -ENOMEM, "%s: out of memory", path);
	return 0;
}

int wring_known_read(const char *path, struct wring_known **ret, struct wring_err *err)
{
	_cleanup_free_ char *text = NULL;
	struct wring_known *k = calloc(1, sizeof(*k));
	struct wring_ini ini = { 0 };
	int r;

	if (!k)
		return wring_err_set(err, -ENOMEM, "%s: out of memory", path);
	r = wring_read_file(AT_FDCWD, path, &text, NULL);
	if (r)
		wring_err_set(err, r, "reading known findings from %s: %s", path, strerror(-r));
	else
		r = wring_ini_parse(&ini, path, text, err);
	for (size_t i = 0; !r && i < ini.n; i++) {
		struct wring_known_entry *e = wring_ini_push(&k->rows, &k->n, sizeof(*e));

		r = e ? read_section(path, &ini.sections[i], e, err) :
			wring_err_set(err, -ENOMEM, "%s: out of memory", path);
	}
	wring_ini_done(&ini);
	if (r)
		wring_known_free(k);
	else
		*ret = k;
	return r;
}

static bool is_about(const struct wring_known_entry *e, const struct wring_run_row *run)
{
	return !strcmp(e->scenario, run->scenario) && (!e->kernel || !fnmatch(e->kernel, run->release, 0));
}

const struct wring_known_entry *wring_known_match(struct wring_known *k, const struct wring_run_row *run,
						  const char *detector, const char *cls)
{
	for (size_t i = 0; k && i < k->n; i++) {
		struct wring_known_entry *e = &k->rows[i];

		if (!is_about(e, run) || strcmp(e->detector, detector) || strcmp(e->class, cls))
			continue;
		e->is_met = true;
		return e;
	}
	return NULL;
}

void wring_known_ran(struct wring_known *k, const struct wring_run_row *run)
{
	for (size_t i = 0; k && i < k->n; i++)
		if (is_about(&k->rows[i], run))
			k->rows[i].has_run = true;
}

size_t wring_known_gone(const struct wring_known *k, char *buf, size_t size)
{
	size_t n = 0, len = 0;

	if (size)
		buf[0] = '\0';
	for (size_t i = 0; k && i < k->n; i++) {
		const struct wring_known_entry *e = &k->rows[i];

		if (e->is_met || !e->has_run)
			continue;
		n++;
		if (len < size)
			len += (size_t)snprintf(buf + len, size - len,
						"%s: %s no longer finds %s in %s (known: %s)\n",
						e->name, e->detector, e->class, e->scenario,
						e->reason);
	}
	return n;
}
