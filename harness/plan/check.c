/* SPDX-License-Identifier: GPL-3.0-or-later */
/* References between sections: groups, loads, mounts, and directories that would be made twice. */
#include "harness/plan/internal.h"

#include <stdlib.h>
#include <string.h>

static int bad_group(const struct plan_ctx *c, int line, const char *what, const char *value)
{
	struct plan_names known = { "" };

	wring_plan_name(&known, ".");
	for (size_t i = 0; i < c->s->n_groups; i++)
		wring_plan_name(&known, c->s->groups[i].path);
	return wring_plan_bad(c, line, what, value, "%s", known.text);
}

static int check_group_ref(const struct plan_ctx *c, int line, const char *what, const char *path)
{
	if (!strcmp(path, ".") || wring_scenario_group(c->s, path))
		return 0;
	return bad_group(c, line, what, path);
}

/* b's directories among those of a: "x" four times makes x3, and so does a group called x3. */
static bool collide(const struct wring_group *a, const struct wring_group *b)
{
	size_t len = strlen(a->path);
	const char *rest = b->path + len;
	uint64_t least;

	if (a->count < 2 || strncmp(a->path, b->path, len) || !*rest || strlen(rest) > 5 ||
	    rest[strspn(rest, "0123456789")] || (*rest == '0' && (rest[1] || b->count > 1)))
		return false;
	/* b's first directory, which is rest, or rest followed by 0 */
	least = strtoull(rest, NULL, 10) * (b->count > 1 ? 10 : 1);
	return least < a->count;
}

static int check_unique(const struct plan_ctx *c, size_t n)
{
	const struct wring_group *g = &c->s->groups[n];

	for (size_t i = 0; i < n; i++) {
		const struct wring_group *other = &c->s->groups[i];

		if (collide(g, other) || collide(other, g))
			return wring_plan_bad(c, g->line, "group", g->path,
					      "another name: the numbered "
					      "directories of '%s' (line %d) meet this one's",
					      other->path, other->line);
	}
	return 0;
}

/* Groups are created in order, each in a directory that is there. */
static int check_parent(const struct plan_ctx *c, size_t n)
{
	const struct wring_group *g = &c->s->groups[n], *parent;
	const char *slash = strrchr(g->path, '/');
	char path[WRING_INI_NAME + 1] = "";

	if (!slash)
		return 0;
	memcpy(path, g->path, (size_t)(slash - g->path));
	parent = wring_scenario_group(c->s, path);
	if (!parent || parent >= g)
		return wring_plan_bad(c, g->line, "group", g->path,
				      "a parent group [group %s] above it", path);
	if (parent->count > 1 && !strcmp(parent->path, path))
		return wring_plan_bad(c, g->line, "group", g->path,
				      "one directory of the numbered group '%s', "
				      "such as %s0",
				      path, path);
	if (parent->deferred && !g->deferred)
		return wring_plan_bad(c, g->line, "group", g->path,
				      "deferred = yes, as in its parent '%s'", parent->path);
	return 0;
}

/* cgroup v2: a group that hands controllers down has no processes of its own. */
static int check_leaf(const struct plan_ctx *c, const struct wring_load *l)
{
	const struct wring_group *g = wring_scenario_group(c->s, l->group);
	size_t len = strlen(l->group);

	for (size_t i = 0; g && i < c->s->n_groups; i++) {
		const char *slash = strrchr(c->s->groups[i].path, '/');
		char path[WRING_INI_NAME + 1] = "";

		if (!slash)
			continue;
		memcpy(path, c->s->groups[i].path, (size_t)(slash - c->s->groups[i].path));
		if (wring_scenario_group(c->s, path) == g &&
		    (!strcmp(l->group, g->path) || !strncmp(path, l->group, len + 1)))
			return wring_plan_bad(c, l->line, "group of the load", l->group,
					      "a group without groups "
					      "below it: cgroup v2 allows processes only there");
	}
	return 0;
}

static int check_name_ref(const struct plan_ctx *c, const struct wring_step *st, const char *arg,
			  char kind)
{
	const struct wring_scenario *s = c->s;
	struct plan_names known = { "" };

	for (size_t i = 0; kind == 'l' && i < s->n_loads; i++) {
		if (!strcmp(s->loads[i].name, arg))
			return 0;
		wring_plan_name(&known, s->loads[i].name);
	}
	for (size_t i = 0; kind == 'm' && i < s->n_mounts; i++) {
		if (!strcmp(s->mounts[i].name, arg))
			return 0;
		wring_plan_name(&known, s->mounts[i].name);
	}
	if (!*known.text)
		wring_plan_name(&known, kind == 'l' ? "no [load NAME] is declared"
						    : "no [mount NAME] is declared");
	return wring_plan_bad(c, st->line, st->verb->name, arg, "%s", known.text);
}

static int check_step(const struct plan_ctx *c, const struct wring_step *st)
{
	size_t kinds = strlen(st->verb->kinds);
	int r = 0;

	for (size_t i = 0; i < st->n_args && !r; i++) {
		char kind = st->verb->kinds[i < kinds ? i : kinds - 1];

		if (kind == 'g' || kind == 'G')
			r = check_group_ref(c, st->line, st->verb->name, st->args[i]);
		else if (kind == 'l' || kind == 'm')
			r = check_name_ref(c, st, st->args[i], kind);
	}
	return r;
}

static int check_phases(const struct plan_ctx *c)
{
	for (size_t i = 0; i < c->s->n_phases; i++)
		for (size_t j = 0; j < c->s->phases[i].n; j++) {
			int r = check_step(c, &c->s->phases[i].steps[j]);

			if (r)
				return r;
		}
	return 0;
}

static int check_samples(const struct plan_ctx *c)
{
	for (size_t i = 0; i < c->s->n_samples; i++) {
		const struct wring_sample *sa = &c->s->samples[i];

		for (size_t j = 0; j < sa->n_subjects && !sa->caches; j++) {
			int r = check_group_ref(c, sa->line, "groups of the sample",
						sa->subjects[j]);

			if (r)
				return r;
		}
	}
	return 0;
}

int wring_plan_check(struct plan_ctx *c)
{
	int r = 0;

	c->section = NULL;
	for (size_t i = 0; i < c->s->n_groups && !r; i++) {
		r = check_unique(c, i);
		if (!r)
			r = check_parent(c, i);
	}
	for (size_t i = 0; i < c->s->n_loads && !r; i++) {
		r = check_group_ref(c, c->s->loads[i].line, "group of the load",
				    c->s->loads[i].group);
		if (!r)
			r = check_leaf(c, &c->s->loads[i]);
		if (!r && c->s->loads[i].mem_policy && !c->s->loads[i].mem_nodes)
			r = wring_plan_bad(c, c->s->loads[i].line, "mem-policy", c->s->loads[i].mem_policy,
					   "with mem-nodes, the nodes it is about");
	}
	if (!r)
		r = check_samples(c);
	return r ? r : check_phases(c);
}
