/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parsed scenario itself: names, look-ups, freeing. */
#include "harness/plan/internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/util.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

int wring_plan_bad(const struct plan_ctx *c, int line, const char *what, const char *value,
		   const char *accepted, ...)
{
	const char *title = c->section ? c->section->title : "";
	char text[420], where[16] = "";
	va_list ap;

	va_start(ap, accepted);
	vsnprintf(text, sizeof(text), accepted, ap);
	va_end(ap);
	if (line) /* not for --set */
		snprintf(where, sizeof(where), ":%d", line);
	return wring_err_set(c->err, -EINVAL, "%s%s: %s%s%s%s: value '%.100s': accepted: %s",
			     c->s->file, where, *title ? "[" : "", title, *title ? "] " : "", what,
			     value, text);
}

int wring_plan_no_memory(const struct plan_ctx *c)
{
	return wring_err_set(c->err, -ENOMEM, "%s: out of memory",
			     c->s && c->s->file ? c->s->file : "scenario");
}

void wring_plan_name(struct plan_names *n, const char *word)
{
	size_t len = strlen(n->text);

	snprintf(n->text + len, sizeof(n->text) - len, "%s%s", len ? " " : "", word);
}

static bool is_name(const char *s, size_t len)
{
	return len && len <= 64 && *s != '.' && *s != '-' && strspn(s, NAME_CHARS) >= len;
}

bool wring_plan_is_name(const char *s)
{
	return is_name(s, strlen(s));
}

bool wring_plan_is_path(const char *s)
{
	for (;;) {
		size_t len = strcspn(s, "/");

		if (!is_name(s, len))
			return false;
		if (!s[len])
			return true;
		s += len + 1;
	}
}

bool wring_plan_is_file(const char *s)
{
	return wring_plan_is_name(s) && strchr(s, '.');
}

/* Dots become slashes below /proc/sys, so no part may be empty. */
bool wring_scenario_needs(const struct wring_scenario *s, const char *need)
{
	for (size_t i = 0; i < s->n_needs; i++)
		if (!strcmp(s->needs[i], need))
			return true;
	return false;
}

char *wring_mount_serial(const struct wring_scenario *s, size_t mount)
{
	const struct wring_mount *m = &s->mounts[mount];
	size_t nth = 0;

	if (!strcmp(m->type, "tmpfs"))
		return NULL;
	for (size_t i = 0; i < mount; i++)
		nth += !strcmp(s->mounts[i].type, m->type) && s->mounts[i].bps == m->bps && s->mounts[i].iops == m->iops;
	if (!m->bps && !m->iops)
		return wring_strf("%s-%zu", m->type, nth);
	return wring_strf("%s-%llu-%llu-%zu", m->type, (unsigned long long)(m->bps >> 10), (unsigned long long)m->iops, nth);
}

bool wring_plan_is_sysctl(const char *s)
{
	size_t len = strlen(s);

	if (!strncmp(s, "/sys/", 5))
		return len < 50 && strspn(s, NAME_CHARS "/") == len && !strstr(s, "..");
	return len && len < 128 && isalnum((unsigned char)*s) && strspn(s, NAME_CHARS) == len &&
	       strchr(s, '.') && !strstr(s, "..") && s[len - 1] != '.';
}

int wring_settings_add(struct wring_settings *s, const char *key, const char *value, int line)
{
	struct wring_setting *row = wring_ini_push(&s->rows, &s->n, sizeof(*row));

	if (!row)
		return -ENOMEM;
	row->line = line;
	row->key = strdup(key);
	row->value = strdup(value);
	return row->key && row->value ? 0 : -ENOMEM;
}

const char *wring_setting_get(const struct wring_settings *s, const char *key)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->rows[i].key, key))
			return s->rows[i].value;
	return NULL;
}

/* "3" below count, written as the directories are: without leading zeros. */
static bool is_index(const char *s, uint64_t count)
{
	size_t len = strlen(s);

	return len && len <= 5 && strspn(s, "0123456789") == len && (len == 1 || *s != '0') &&
	       strtoull(s, NULL, 10) < count;
}

const struct wring_load *wring_scenario_load(const struct wring_scenario *s, const char *name)
{
	for (size_t i = 0; s && i < s->n_loads; i++)
		if (!strcmp(s->loads[i].name, name))
			return &s->loads[i];
	return NULL;
}

const struct wring_group *wring_scenario_group(const struct wring_scenario *s, const char *path)
{
	for (size_t i = 0; i < s->n_groups; i++) {
		const struct wring_group *g = &s->groups[i];
		size_t len = strlen(g->path);

		if (!strncmp(path, g->path, len) &&
		    (!path[len] || (g->count > 1 && is_index(path + len, g->count))))
			return g;
	}
	return NULL;
}

static void settings_done(struct wring_settings *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->rows[i].key);
		free(s->rows[i].value);
	}
	free(s->rows);
}

static void words_done(char **words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(words[i]);
	free(words);
}

static void load_done(struct wring_load *l)
{
	free(l->name);
	free(l->workload);
	free(l->group);
	free(l->cpu_nodes);
	free(l->mem_nodes);
	free(l->mem_policy);
	settings_done(&l->params);
}

static void phase_done(struct wring_phase *p)
{
	for (size_t i = 0; i < p->n; i++)
		for (size_t j = 0; j < p->steps[i].n_args; j++)
			free(p->steps[i].args[j]);
	free(p->steps);
	free(p->name);
}

static void sections_done(struct wring_scenario *s)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		free(s->mounts[i].name);
		free(s->mounts[i].type);
	}
	for (size_t i = 0; i < s->n_groups; i++) {
		free(s->groups[i].path);
		settings_done(&s->groups[i].files);
	}
	for (size_t i = 0; i < s->n_loads; i++)
		load_done(&s->loads[i]);
	for (size_t i = 0; i < s->n_samples; i++) {
		free(s->samples[i].sampler);
		words_done(s->samples[i].subjects, s->samples[i].n_subjects);
	}
	for (size_t i = 0; i < s->n_phases; i++)
		phase_done(&s->phases[i]);
	free(s->mounts);
	free(s->groups);
	free(s->loads);
	free(s->samples);
	free(s->phases);
}

void wring_scenario_free(struct wring_scenario *s)
{
	if (!s)
		return;
	sections_done(s);
	words_done(s->suites, s->n_suites);
	words_done(s->needs, s->n_needs);
	words_done(s->detectors, s->n_detectors);
	words_done(s->primary, s->n_primary);
	words_done(s->carry, s->n_carry);
	settings_done(&s->params);
	settings_done(&s->param_help);
	settings_done(&s->param_long);
	settings_done(&s->limits);
	settings_done(&s->sysctls);
	free(s->name);
	free(s->file);
	free(s->summary);
	free(s->claim);
	free(s->healthy);
	free(s->sick);
	free(s->thread);
	free(s);
}
