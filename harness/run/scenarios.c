/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finding scenarios: built in (embedded at build time), or files of the caller's. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "analyzers/judge.h"
#include "harness/api/sampler.h"
#include "harness/api/workload.h"
#include "harness/base/units.h"
#include "harness/base/util.h"
#include "harness/plan/ini.h"
#include "harness/run/run.h"
#include "results-schema/embed.h"

extern const struct wring_embedded wring_scenario_files[];

struct overrides {
	char *const *sets; size_t n_sets;
	char *const *sysctls; size_t n_sysctls;
	bool *used; /* one a set */
	bool is_long;
};

static int add(struct wring_scenarios *all, struct wring_scenario *s, struct wring_err *err)
{
	struct wring_scenario **rows = realloc(all->rows, (all->n + 1) * sizeof(*rows));

	if (!rows)
		return wring_err_set(err, -ENOMEM, "scenarios");
	all->rows = rows;
	all->rows[all->n++] = s;
	return 0;
}

/* "slab-at-max.limit=64M" for this scenario: key "limit", value "64M". Behind the values of its long form, for the last one wins. */
static size_t sets_for(const struct overrides *o, const struct wring_scenario *plain, struct wring_setting *ret)
{
	const char *name = plain->name;
	size_t n = 0, len = strlen(name);

	for (size_t i = 0; o->is_long && i < plain->param_long.n; i++)
		ret[n++] = (struct wring_setting){ strdup(plain->param_long.rows[i].key), strdup(plain->param_long.rows[i].value), 0 };
	for (size_t i = 0; i < o->n_sets; i++) {
		const char *eq = strchr(o->sets[i], '=');

		if (strncmp(o->sets[i], name, len) || o->sets[i][len] != '.' || !eq || eq < o->sets[i] + len)
			continue;
		ret[n].key = strndup(o->sets[i] + len + 1, (size_t)(eq - o->sets[i]) - len - 1);
		ret[n].value = strdup(eq + 1);
		ret[n++].line = 0;
		o->used[i] = true;
	}
	return n;
}

static int bad_sysctl(const char *arg, const char *accepted, struct wring_err *err)
{
	return wring_err_set(err, -EINVAL, "--sysctl=%s: accepted: %s", arg, accepted);
}

/* The value goes into a scenario's text and is read again by the agent. */
static int check_sysctl(const char *arg, const char *eq, struct wring_err *err)
{
	_cleanup_free_ char *key = eq ? strndup(arg, (size_t)(eq - arg)) : NULL;

	if (!eq || !key || !wring_plan_is_sysctl(key))
		return bad_sysctl(arg, "KEY=VALUE with a key below /proc/sys, as in vm.swappiness=0, or a path below /sys of at most 49 characters", err);
	if (!eq[1] || strspn(eq + 1, " \t") == strlen(eq + 1) || strchr("#;", eq[1]) || strstr(eq, " ;") || strlen(eq) > 100 ||
	    wring_ini_bad_text(eq + 1, strlen(eq + 1)))
		return bad_sysctl(arg, "a value of one line and at most 99 characters, as in vm.swappiness=0", err);
	return 0;
}

/* The last word on a key is the command line's. */
static int set_sysctl(struct wring_settings *all, const char *key, size_t len, const char *value)
{
	char *copy = strdup(value);
	struct wring_setting *rows;

	for (size_t i = 0; i < all->n && copy; i++)
		if (strlen(all->rows[i].key) == len && !strncmp(all->rows[i].key, key, len)) {
			free(all->rows[i].value);
			all->rows[i].value = copy;
			return 0;
		}
	rows = copy ? realloc(all->rows, (all->n + 1) * sizeof(*rows)) : NULL;
	if (!rows) {
		free(copy);
		return -ENOMEM;
	}
	all->rows = rows;
	rows[all->n] = (struct wring_setting){ strndup(key, len), copy, 0 };
	return rows[all->n++].key ? 0 : -ENOMEM;
}

static int add_sysctls(const struct overrides *o, struct wring_scenario *s, struct wring_err *err)
{
	for (size_t i = 0; i < o->n_sysctls; i++) {
		const char *eq = strchr(o->sysctls[i], '=');
		int r = check_sysctl(o->sysctls[i], eq, err);

		if (r)
			return r;
		if (set_sysctl(&s->sysctls, o->sysctls[i], (size_t)(eq - o->sysctls[i]), eq + 1))
			return wring_err_set(err, -ENOMEM, "sysctls");
	}
	return 0;
}

/* Twice: only the text itself says what the scenario is called, and so which overrides are its own. */
static int parse_with(const char *file, const char *text, const struct overrides *o, const struct wring_scenario *plain,
		      struct wring_scenario **ret, struct wring_err *err)
{
	struct wring_setting *sets = calloc(o->n_sets + plain->param_long.n + 1, sizeof(*sets));
	size_t n = sets ? sets_for(o, plain, sets) : 0;
	int r = sets ? 0 : wring_err_set(err, -ENOMEM, "scenario %s", file);

	if (!r)
		r = wring_scenario_parse(file, text, sets, n, ret, err);
	for (size_t i = 0; i < n; i++) {
		free(sets[i].key);
		free(sets[i].value);
	}
	free(sets);
	return r;
}

static int parse(const char *file, const char *text, const struct overrides *o, struct wring_scenario **ret, struct wring_err *err)
{
	struct wring_scenario *plain = NULL;
	int r = wring_scenario_parse(file, text, NULL, 0, &plain, err);

	*ret = NULL;
	if (!r)
		r = parse_with(file, text, o, plain, ret, err);
	wring_scenario_free(plain);
	if (!r)
		r = add_sysctls(o, *ret, err);
	if (!r)
		r = wring_scenario_check(*ret, err);
	if (r) {
		wring_scenario_free(*ret);
		*ret = NULL;
	}
	return r;
}

static bool in_suite(const struct wring_scenario *s, const char *suite)
{
	if (!strcmp(suite, "full") || !strcmp(suite, "nightly"))
		return true;
	for (size_t i = 0; i < s->n_suites; i++)
		if (!strcmp(s->suites[i], suite))
			return true;
	return false;
}

static bool present(const struct wring_scenarios *all, const char *name)
{
	for (size_t i = 0; i < all->n; i++)
		if (!strcmp(all->rows[i]->name, name))
			return true;
	return false;
}

static int parse_and_add(const char *file, const char *text, const struct overrides *o, struct wring_scenarios *ret, struct wring_err *err)
{
	struct wring_scenario *s;
	int r = parse(file, text, o, &s, err);

	if (!r)
		r = add(ret, s, err);
	if (r)
		wring_scenario_free(s);
	return r;
}

static int select_file(const char *path, const struct overrides *o, struct wring_scenarios *ret, struct wring_err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = wring_read_file(AT_FDCWD, path, &text, &len);

	if (r)
		return wring_err_set(err, r, "scenario file %s: %s", path, strerror(-r));
	if (strlen(text) != len)
		return wring_err_set(err, -EINVAL, "scenario file %s: accepted: text without NUL bytes", path);
	/* A scenario that wring load wrote has no name that would tell anybody anything. */
	return parse_and_add(strncmp(path, "/proc/self/fd/", 14) ? path : "wring load", text, o, ret, err);
}

/* Is this built-in scenario meant by "NAME" or "@SUITE"? -errno when its text is broken. */
static int is_meant(const struct wring_embedded *e, const char *target, const struct wring_scenarios *chosen, struct wring_err *err)
{
	struct wring_scenario *s = NULL;
	int r = wring_scenario_parse(e->name, e->text, NULL, 0, &s, err);

	if (r)
		return r;
	r = !present(chosen, s->name) && (*target == '@' ? in_suite(s, target + 1) : !strcmp(target, s->name));
	wring_scenario_free(s);
	return r;
}

static int select_builtin(const char *target, const struct overrides *o, struct wring_scenarios *ret, struct wring_err *err)
{
	size_t before = ret->n;

	for (const struct wring_embedded *e = wring_scenario_files; e->name; e++) {
		int r = is_meant(e, target, ret, err);

		if (r > 0)
			r = parse_and_add(e->name, e->text, o, ret, err);
		if (r)
			return r;
	}
	if (ret->n == before && !present(ret, target))
		return wring_err_set(err, -ENOENT, "no %s '%s': wring list %s shows what there is", *target == '@' ? "suite" : "scenario", target,
				     *target == '@' ? "suites" : "scenarios");
	return 0;
}

int wring_scenarios_select(char *const *targets, size_t n, char *const *sets, size_t n_sets, char *const *sysctls, size_t n_sysctls,
			   bool is_long, struct wring_scenarios *ret, struct wring_err *err)
{
	struct overrides o = { sets, n_sets, sysctls, n_sysctls, calloc(n_sets + 1, sizeof(bool)), is_long };
	int r = o.used ? 0 : wring_err_set(err, -ENOMEM, "scenarios");

	*ret = (struct wring_scenarios){ 0 };
	for (size_t i = 0; i < n && !r; i++) {
		size_t len = strlen(targets[i]);
		bool is_path = strchr(targets[i], '/') || (len > 4 && !strcmp(targets[i] + len - 4, ".ini"));

		r = is_path ? select_file(targets[i], &o, ret, err) : select_builtin(targets[i], &o, ret, err);
	}
	for (size_t i = 0; i < n_sets && !r; i++)
		if (!o.used[i])
			r = wring_err_set(err, -EINVAL, "--set=%s: accepted: SCENARIO.KEY=VALUE, for a scenario that runs", sets[i]);
	free(o.used);
	if (r)
		wring_scenarios_done(ret);
	return r;
}

int wring_scenarios_all(struct wring_scenarios *ret, struct wring_err *err)
{
	char *full[] = { (char[]){ "@full" } };

	return wring_scenarios_select(full, 1, NULL, 0, NULL, 0, false, ret, err);
}

int wring_scenarios_by_need(struct wring_scenarios *s, struct wring_store *st, const char *release, struct wring_err *err)
{
	struct wring_runs runs;
	size_t *had;
	int r = wring_store_runs(st, NULL, &runs, err);

	if (r)
		return r;
	had = calloc(s->n + 1, sizeof(*had));
	for (size_t i = 0; had && i < s->n; i++)
		for (size_t k = 0; k < runs.n; k++)
			had[i] += !strcmp(runs.rows[k].scenario, s->rows[i]->name) && !strcmp(runs.rows[k].release, release) &&
				  strcmp(runs.rows[k].outcome, "skip");
	for (size_t i = 1; had && i < s->n; i++) /* a few dozen: insertion keeps the order of equals */
		for (size_t k = i; k && had[k] < had[k - 1]; k--) {
			struct wring_scenario *row = s->rows[k];
			size_t n = had[k];

			s->rows[k] = s->rows[k - 1];
			had[k] = had[k - 1];
			s->rows[k - 1] = row;
			had[k - 1] = n;
		}
	wring_runs_done(&runs);
	if (!had)
		return wring_err_set(err, -ENOMEM, "scenarios");
	free(had);
	return 0;
}

void wring_scenarios_done(struct wring_scenarios *s)
{
	for (size_t i = 0; i < s->n; i++)
		wring_scenario_free(s->rows[i]);
	free(s->rows);
	*s = (struct wring_scenarios){ 0 };
}

static int check_together(const struct wring_scenario *s, const struct wring_load *l, const struct wring_workload *w, struct wring_err *err)
{
	const char **given = calloc(2 * l->params.n + 1, sizeof(*given));
	int r;

	if (!given)
		return wring_err_set(err, -ENOMEM, "load %s", l->name);
	for (size_t i = 0; i < l->params.n; i++) {
		given[2 * i] = l->params.rows[i].key;
		given[2 * i + 1] = l->params.rows[i].value;
	}
	r = wring_workload_check_all(w, given, 2 * l->params.n, err);
	free(given);
	return r ? (wring_err_prefix(err, "%s:%d: workload %s", s->file, l->line, w->name), -EINVAL) : 0;
}

static int check_load(const struct wring_scenario *s, const struct wring_load *l, struct wring_err *err)
{
	const struct wring_workload *w = wring_workload_find(l->workload);

	if (!w)
		return wring_err_set(err, -EINVAL, "%s:%d: no workload '%s': wring list workloads shows what there is", s->file, l->workload_line,
				     l->workload);
	for (size_t i = 0; i < l->params.n; i++) {
		const struct wring_setting *p = &l->params.rows[i];

		if (strcmp(p->key, "on") && wring_workload_check(w, p->key, p->value, err))
			return wring_err_prefix(err, "%s:%d: workload %s", s->file, p->line, w->name), -EINVAL;
	}
	return check_together(s, l, w, err);
}

/* [limits] DETECTOR.KEY = NUMBER */
static int check_limit(const struct wring_scenario *s, const struct wring_setting *l, struct wring_err *err)
{
	const char *dot = strchr(l->key, '.');
	const struct wring_detector *d = wring_detector_find(l->key, (size_t)(dot - l->key));
	uint64_t v;

	if (!d)
		return wring_err_set(err, -EINVAL, "%s:%d: [limits] %s: no such detector: wring list detectors shows what there is", s->file,
				     l->line, l->key);
	if (!d->limits || !wring_has_word(d->limits, dot + 1))
		return wring_err_set(err, -EINVAL, "%s:%d: [limits] %s: no such limit: accepted of %s: %s", s->file, l->line, l->key, d->name,
				     d->limits ? d->limits : "none");
	if (wring_parse_size(l->value, &v, NULL))
		return wring_err_set(err, -EINVAL, "%s:%d: [limits] %s: value '%s': accepted: a number, or a size such as 64M", s->file,
				     l->line, l->key, l->value);
	return 0;
}

static int check_needs(const struct wring_scenario *s, struct wring_err *err)
{
	for (size_t i = 0; i < s->n_needs; i++)
		if (!wring_has_word(WRING_NEEDS, s->needs[i]))
			return wring_err_set(err, -EINVAL, "%s:%d: needs: value '%s': accepted: " WRING_NEEDS, s->file, s->needs_line, s->needs[i]);
	return 0;
}

/* Sampler and subjects must fit: a sampler of groups without groups would read nothing. */
static int check_sample(const struct wring_scenario *s, const struct wring_sample *sa, struct wring_err *err)
{
	const struct wring_sampler *sm = wring_sampler_find(sa->sampler);
	const char *accepted = NULL;

	if (!sm)
		return wring_err_set(err, -EINVAL, "%s:%d: no sampler '%s': wring list samplers shows what there is", s->file, sa->line,
				     sa->sampler);
	if (sm->scope == WRING_PER_GROUP && (!sa->n_subjects || sa->caches))
		accepted = "with groups = GROUP...";
	else if (sm->scope == WRING_PER_CACHE && (!sa->n_subjects || !sa->caches))
		accepted = "with caches = CACHE...";
	else if (sm->scope != WRING_PER_GROUP && sm->scope != WRING_PER_CACHE && sa->n_subjects)
		accepted = "without groups and caches";
	return accepted ? wring_err_set(err, -EINVAL, "%s:%d: sampler '%s': accepted: %s", s->file, sa->line, sa->sampler, accepted) : 0;
}

int wring_scenario_check(const struct wring_scenario *s, struct wring_err *err)
{
	int r = check_needs(s, err);

	for (size_t i = 0; i < s->n_samples && !r; i++)
		r = check_sample(s, &s->samples[i], err);
	for (size_t i = 0; i < s->n_detectors && !r; i++)
		if (!wring_detector_find(s->detectors[i], strlen(s->detectors[i])))
			r = wring_err_set(err, -EINVAL, "%s:%d: no detector '%s': wring list detectors shows what there is", s->file,
					  s->detectors_line, s->detectors[i]);
	for (size_t i = 0; i < s->limits.n && !r; i++)
		r = check_limit(s, &s->limits.rows[i], err);
	for (size_t i = 0; i < s->n_loads && !r; i++)
		r = check_load(s, &s->loads[i], err);
	return r;
}

char *wring_carry_path(const struct wring_scenario *s, const char *file)
{
	const char *dir = strrchr(s->file, '/');

	return *file == '/' || !dir ? strdup(file) : wring_strf("%.*s/%s", (int)(dir - s->file), s->file, file);
}
