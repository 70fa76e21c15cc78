/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/twin.h"

#include <string.h>
#include "harness/base/units.h"
#include "harness/base/util.h"

int64_t wring_planned_limit(const struct wring_view *v, const char *group, const char *file)
{
	int64_t least = 0;

	for (size_t i = 0; v->scenario && group && i < v->scenario->n_groups; i++) {
		const struct wring_group *g = &v->scenario->groups[i];
		const char *value = wring_setting_get(&g->files, file);
		uint64_t n;

		/* "max" is no size, and no limit */
		if (!value || !wring_group_within(group, g->path) || wring_parse_size(value, &n, NULL) || n >= 1ULL << 60)
			continue;
		if (!least || (int64_t)n < least)
			least = (int64_t)n;
	}
	return least;
}

static bool has_params_of(const struct wring_load *a, const struct wring_load *b, const char *except)
{
	for (size_t i = 0; i < a->params.n; i++) {
		const char *other = wring_setting_get(&b->params, a->params.rows[i].key);

		if (!wring_has_word(except, a->params.rows[i].key) && (!other || strcmp(other, a->params.rows[i].value)))
			return false;
	}
	return true;
}

const struct wring_load *wring_twin(const struct wring_view *v, const struct wring_load *l, const char *except)
{
	for (size_t i = 0; i < v->scenario->n_loads; i++) {
		const struct wring_load *t = &v->scenario->loads[i];

		if (t == l || strcmp(t->workload, l->workload) || wring_planned_limit(v, t->group, "memory.max") ||
		    wring_planned_limit(v, t->group, "memory.high"))
			continue;
		if (!strcmp(except, "*") || (has_params_of(l, t, except) && has_params_of(t, l, except)))
			return t;
	}
	return NULL;
}

int64_t wring_load_started(struct wring_view *v, const char *load)
{
	const struct wring_events *e = wring_view_events(v);

	for (size_t i = 0; i < e->n; i++)
		if (!strcmp(e->rows[i].kind, "load") && !strcmp(e->rows[i].subject, load) && !strncmp(e->rows[i].text, "start", 5))
			return e->rows[i].t_ns;
	return -1;
}

int64_t wring_load_ended(struct wring_view *v, const char *load, int64_t *ret_signal)
{
	const struct wring_events *e = wring_view_events(v);
	int64_t end = INT64_MAX;

	*ret_signal = 0;
	for (size_t i = 0; i < e->n; i++) {
		if (strcmp(e->rows[i].kind, "load") || strcmp(e->rows[i].subject, load) || strncmp(e->rows[i].text, "exit", 4))
			continue;
		end = e->rows[i].t_ns;
		wring_text_i64(e->rows[i].text, "signal", ret_signal);
	}
	return end;
}

int64_t wring_load_cut(struct wring_view *v, const char *load, bool *ret_is_awaited)
{
	const struct wring_events *e = wring_view_events(v);
	size_t i, n = strlen(load);

	*ret_is_awaited = false;
	for (i = 0; i < e->n && (strcmp(e->rows[i].kind, "warn") || strcmp(e->rows[i].subject, "timeout")); i++)
		;
	if (i == e->n)
		return -1;
	for (size_t k = i; k--;)
		if (!strcmp(e->rows[k].kind, "step")) {
			const char *arg = e->rows[k].text;

			*ret_is_awaited = !strcmp(e->rows[k].subject, "wait") && !strncmp(arg, load, n) && (!arg[n] || arg[n] == ' ');
			break;
		}
	return e->rows[i].t_ns;
}
