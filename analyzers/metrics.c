/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/metrics.h"

#include <stdbool.h>
#include <string.h>

#include "analyzers/load-metrics.h"

void wring_metric_each(void (*visit)(void *arg, const struct wring_metric_info *m, const char *from), void *arg)
{
	size_t n;
	const struct wring_detector *const *all = wring_detectors(&n);

	for (size_t i = 0; i < n; i++)
		for (const struct wring_metric_info *m = all[i]->metrics; m && m->name; m++)
			visit(arg, m, all[i]->name);
	for (const struct wring_metric_info *m = wring_load_metric_infos; m->name; m++)
		visit(arg, m, "loads");
}

struct search {
	const char *name, *from;
	const struct wring_metric_info *found;
};

/* Is it one or several of the parts between dots? */
static bool has_parts(const char *name, const char *parts)
{
	size_t len = strlen(parts);

	for (const char *p = strstr(name, parts); p; p = strstr(p + 1, parts))
		if ((p == name || p[-1] == '.') && (!p[len] || p[len] == '.'))
			return true;
	return false;
}

static void compare(void *arg, const struct wring_metric_info *m, const char *from)
{
	struct search *s = arg;
	if (strcmp(m->name, s->name) && (s->found || !has_parts(s->name, m->name)))
		return;
	s->found = m;
	s->from = from;
}

const struct wring_metric_info *wring_metric_find(const char *name, const char **ret_from)
{
	struct search s = { .name = name };

	wring_metric_each(compare, &s);
	if (ret_from)
		*ret_from = s.from;
	return s.found;
}
