/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finding scenarios: built in (embedded at build time), or files of the caller's. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "harness/api/detector.h"
#include "harness/api/sampler.h"
#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "harness/run/run.h"
#include "results-schema/embed.h"

extern const struct wring_embedded wring_scenario_files[];

struct overrides {
	char *const *sets; size_t n_sets;
	char *const *sysctls; size_t n_sysctls;
	bool *used; /* one a set */
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

/* "slab-at-max.limit=64M" for this scenario: key "limit", value "64M". */
static size_t sets_for(const struct overrides *o, const char *name, struct wring_setting *ret)
{
	size_t n = 0, len = strlen(name);

	for (size_t i = 0; i < o->n_sets; i++) {
		const char *eq = strchr(o->sets[i], '=');

		if (strncmp(o->sets[i], name, len) || o->sets[i][len] != '.' || !eq)
			continue;
		ret[n].key = strndup(o->sets[i] + len + 1, (size_t)(eq - o->sets[i]) - len - 1);
		ret[n].value = strdup(eq + 1);
		ret[n++].line = 0;
		o->used[i] = true;
	}
	return n;
}

static int add_sysctls(const struct overrides *o, struct wring_scenario *s, struct wring_err *err)
{
	for (size_t i = 0; i < o->n_sysctls; i++) {
		const char *eq = strchr(o->sysctls[i], '=');
		struct wring_setting *rows;

		if (!eq || eq == o->sysctls[i])
			return wring_err_set(err, -EINVAL, "--sysctl=%s: KEY=VALUE is accepted, as in vm.swappiness=0", o->sysctls[i]);
		rows = realloc(s->sysctls.rows, (s->sysctls.n + 1) * sizeof(*rows));
		if (!rows)
			return wring_err_set(err, -ENOMEM, "sysctls");
		s->sysctls.rows = rows;
		rows[s->sysctls.n++] = (struct wring_setting){ strndup(o->sysctls[i], (size_t)(eq - o->sysctls[i])), strdup(eq + 1), 0 };
	}
	return 0;
}

static int parse(const char *file, const char *text, const struct overrides *o, struct wring_scenario **ret, struct wring_err *err)
{
	const char *base = strrchr(file, '/');
	_cleanup_free_ char *name = strdup(base ? base + 1 : file);
	struct wring_setting *sets = calloc(o->n_sets + 1, sizeof(*sets));
	size_t n = 0, len = name ? strlen(name) : 0;
	int r = name && sets ? 0 : wring_err_set(err, -ENOMEM, "scenario %s", file);

	if (len > 4 && !strcmp(name + len - 4, ".ini"))
		name[len - 4] = '\0';
	if (!r)
		n = sets_for(o, name, sets);
	if (!r)
		r = wring_scenario_parse(file, text, sets, n, ret, err);
	if (!r)
		r = add_sysctls(o, *ret, err);
	for (size_t i = 0; i < n; i++) {
		free(sets[i].key);
		free(sets[i].value);
	}
	free(sets);
	return r ? r : wring_scenario_check(*ret, err);
}

static bool in_suite(const struct wring_scenario *s, const char *suite)
{
	if (!strcmp(suite, "full"))
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

static int select_file(const char *path, const struct overrides *o, struct wring_scenarios *ret, struct wring_err *err)
{
	_cleanup_free_ char *text = NULL;
	struct wring_scenario *s = NULL;
	int r = wring_read_file(AT_FDCWD, path, &text, NULL);

	if (r)
		return wring_err_set(err, r, "scenario file %s: %s", path, strerror(-r));
	r = parse(path, text, o, &s, err);
	return r ? r : add(ret, s, err);
}

static int select_builtin(const char *target, const struct overrides *o, struct wring_scenarios *ret, struct wring_err *err)
{
	size_t before = ret->n;

	for (const struct wring_embedded *e = wring_scenario_files; e->name; e++) {
		struct wring_scenario *s = NULL;
		int r = parse(e->name, e->text, o, &s, err);

		if (r)
			return r;
		if (!present(ret, s->name) && (*target == '@' ? in_suite(s, target + 1) : !strcmp(target, s->name)))
			r = add(ret, s, err);
		else
			wring_scenario_free(s);
		if (r)
			return r;
	}
	if (ret->n == before && !present(ret, target))
		return wring_err_set(err, -ENOENT, "no %s '%s': wring list %s shows what there is", *target == '@' ? "suite" : "scenario", target,
				     *target == '@' ? "suites" : "scenarios");
	return 0;
}

int wring_scenarios_select(char *const *targets, size_t n, char *const *sets, size_t n_sets, char *const *sysctls, size_t n_sysctls,
			   struct wring_scenarios *ret, struct wring_err *err)
{
	struct overrides o = { sets, n_sets, sysctls, n_sysctls, calloc(n_sets + 1, sizeof(bool)) };
	int r = o.used ? 0 : wring_err_set(err, -ENOMEM, "scenarios");

	*ret = (struct wring_scenarios){ 0 };
	for (size_t i = 0; i < n && !r; i++) {
		size_t len = strlen(targets[i]);
		bool is_path = strchr(targets[i], '/') || (len > 4 && !strcmp(targets[i] + len - 4, ".ini"));

		r = is_path ? select_file(targets[i], &o, ret, err) : select_builtin(targets[i], &o, ret, err);
	}
	for (size_t i = 0; i < n_sets && !r; i++)
		if (!o.used[i])
			r = wring_err_set(err, -EINVAL, "--set=%s: SCENARIO.KEY=VALUE is accepted, for a scenario that runs", sets[i]);
	free(o.used);
	if (r)
		wring_scenarios_done(ret);
	return r;
}

int wring_scenarios_all(struct wring_scenarios *ret, struct wring_err *err)
{
	char *full[] = { (char[]){ "@full" } };

	return wring_scenarios_select(full, 1, NULL, 0, NULL, 0, ret, err);
}

void wring_scenarios_done(struct wring_scenarios *s)
{
	for (size_t i = 0; i < s->n; i++)
		wring_scenario_free(s->rows[i]);
	free(s->rows);
	*s = (struct wring_scenarios){ 0 };
}

static int check_load(const struct wring_scenario *s, const struct wring_load *l, struct wring_err *err)
{
	const struct wring_workload *w = wring_workload_find(l->workload);

	if (!w)
		return wring_err_set(err, -EINVAL, "%s:%d: no workload '%s': wring list workloads shows what there is", s->file, l->line, l->workload);
	for (size_t i = 0; i < l->params.n; i++) {
		const struct wring_setting *p = &l->params.rows[i];

		if (strcmp(p->key, "on") && wring_params_check(w->params, p->key, p->value, err))
			return wring_err_prefix(err, "%s:%d: workload %s", s->file, p->line, w->name), -EINVAL;
	}
	return 0;
}

static bool has_detector(const char *name)
{
	size_t n;
	const struct wring_detector *const *all = wring_detectors(&n);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(all[i]->name, name))
			return true;
	return false;
}

int wring_scenario_check(const struct wring_scenario *s, struct wring_err *err)
{
	for (size_t i = 0; i < s->n_samples; i++)
		if (!wring_sampler_find(s->samples[i].sampler))
			return wring_err_set(err, -EINVAL, "%s:%d: no sampler '%s': wring list samplers shows what there is", s->file,
					     s->samples[i].line, s->samples[i].sampler);
	for (size_t i = 0; i < s->n_detectors; i++)
		if (!has_detector(s->detectors[i]))
			return wring_err_set(err, -EINVAL, "%s: no detector '%s': wring list detectors shows what there is", s->file, s->detectors[i]);
	for (size_t i = 0; i < s->n_loads; i++) {
		int r = check_load(s, &s->loads[i], err);

		if (r)
			return r;
	}
	return 0;
}
