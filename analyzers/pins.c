/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pins and known changes of histories. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "analyzers/history.h"
#include "harness/base/util.h"
#include "harness/plan/ini.h"

#define KEYS "scenario, metric, since, kind, reason, link"

long wring_day(const char *date)
{
	struct tm tm = { 0 };
	const char *end = strptime(date, "%Y-%m-%d", &tm);

	return end && (!*end || *end == 'T') ? (long)(timegm(&tm) / 86400) : -1;
}

static int set(const char *path, const struct wring_ini_entry *e, struct wring_pin *p, struct wring_err *err)
{
	_cleanup_free_ char *value = wring_ini_join(e, " ");
	char **field = !strcmp(e->key, "scenario") ? &p->scenario : !strcmp(e->key, "metric") ? &p->metric : !strcmp(e->key, "since") ? &p->since :
		!strcmp(e->key, "reason") ? &p->reason : !strcmp(e->key, "link") ? &p->link : NULL;

	if (!value)
		return wring_err_set(err, -ENOMEM, "%s: out of memory", path);
	if (!strcmp(e->key, "kind")) {
		if (strcmp(value, "pin") && strcmp(value, "known"))
			return wring_err_set(err, -EINVAL, "%s:%d: kind: value '%s': accepted: known, pin", path, e->line, value);
		p->pin = !strcmp(value, "pin");
		return 0;
	}
	if (!field)
		return wring_err_set(err, -EINVAL, "%s:%d: unknown key '%s': accepted are " KEYS, path, e->line, e->key);
	if (!strcmp(e->key, "since") && (strlen(value) != 10 || wring_day(value) < 0))
		return wring_err_set(err, -EINVAL, "%s:%d: since: value '%s': accepted: a date as in 2026-11-21", path, e->line, value);
	free(*field);
	*field = WRING_TAKE_PTR(value);
	return 0;
}

static int read_section(const char *path, const struct wring_ini_section *s, struct wring_pin *p, struct wring_err *err)
{
	int r = 0;

	p->name = strdup(s->title);
	for (size_t i = 0; i < s->n && !r; i++)
		r = set(path, &s->entries[i], p, err);
	if (r)
		return r;
	if (!p->scenario || !*p->scenario || !p->metric || !*p->metric || !p->reason || !*p->reason)
		return wring_err_set(err, -EINVAL, "%s:%d: [%s]: needed are scenario, metric and reason", path, s->line, s->title);
	if (p->pin && !p->since)
		return wring_err_set(err, -EINVAL, "%s:%d: [%s]: a pin needs since, the night where history begins anew", path, s->line, s->title);
	if (!p->link)
		p->link = strdup("");
	return p->name && p->link ? 0 : wring_err_set(err, -ENOMEM, "%s: out of memory", path);
}

int wring_pins_read(const char *path, struct wring_pins *ret, struct wring_err *err)
{
	_cleanup_free_ char *text = NULL;
	struct wring_ini ini = { 0 };
	int r = wring_read_file(AT_FDCWD, path, &text, NULL);

	*ret = (struct wring_pins){ 0 };
	if (r)
		wring_err_set(err, r, "reading known changes from %s: %s", path, strerror(-r));
	else
		r = wring_ini_parse(&ini, path, text, err);
	for (size_t i = 0; !r && i < ini.n; i++) {
		struct wring_pin *p = wring_ini_push(&ret->rows, &ret->n, sizeof(*p));

		r = p ? read_section(path, &ini.sections[i], p, err) : wring_err_set(err, -ENOMEM, "%s: out of memory", path);
	}
	wring_ini_done(&ini);
	if (r)
		wring_pins_done(ret);
	return r;
}

void wring_pins_done(struct wring_pins *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->rows[i].name);
		free(p->rows[i].scenario);
		free(p->rows[i].metric);
		free(p->rows[i].since);
		free(p->rows[i].reason);
		free(p->rows[i].link);
	}
	free(p->rows);
	*p = (struct wring_pins){ 0 };
}

const struct wring_pin *wring_pin_find(const struct wring_pins *p, bool pin, const char *scenario, const char *metric, const char *night)
{
	const struct wring_pin *last = NULL;

	for (size_t i = 0; p && i < p->n; i++) {
		const struct wring_pin *one = &p->rows[i];

		if (one->pin != pin || strcmp(one->scenario, scenario) || (strcmp(one->metric, "*") && strcmp(one->metric, metric)))
			continue;
		/* a night more or less: the metrics of one change need not all be seen in the same */
		if (!pin && (!one->since || labs(wring_day(one->since) - wring_day(night)) <= 1))
			return one;
		if (pin && (!last || strcmp(one->since, last->since) > 0))
			last = one;
	}
	return last;
}
