/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/windows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "harness/base/util.h"

static bool opens(const struct wring_event *e, const char **ret_beside)
{
	*ret_beside = NULL;
	if (strcmp(e->kind, "mark"))
		return false;
	if (!strcmp(e->subject, "alone"))
		return true;
	if (strncmp(e->subject, "beside", 6) || (e->subject[6] && e->subject[6] != '-'))
		return false;
	*ret_beside = e->subject + 6 + (e->subject[6] == '-');
	return true;
}

int wring_windows_find(struct wring_view *v, struct wring_windows *ret, struct wring_err *err)
{
	const struct wring_events *e = wring_view_events(v);
	struct wring_window *open = NULL;

	*ret = (struct wring_windows){ .rows = calloc(e->n + 1, sizeof(*ret->rows)) };
	if (!ret->rows)
		return wring_err_set(err, -ENOMEM, "windows: out of memory");
	for (size_t i = 0; i < e->n; i++) {
		const char *beside;

		if (strcmp(e->rows[i].kind, "mark"))
			continue;
		if (open) {
			open->to = e->rows[i].t_ns;
			ret->n++;
			open = NULL;
		}
		if (opens(&e->rows[i], &beside)) {
			open = &ret->rows[ret->n];
			*open = (struct wring_window){ .from = e->rows[i].t_ns, .beside = beside };
		}
	}
	return 0;
}

void wring_windows_done(struct wring_windows *w)
{
	free(w->rows);
	*w = (struct wring_windows){ 0 };
}

double wring_window_s(const struct wring_window *w) { return (double)(w->to - w->from) / 1e9; }

int wring_window_grew(struct wring_view *v, const struct wring_window *w, const char *sampler, const char *subject, const char *key,
		      int64_t *ret)
{
	int64_t before, after;

	if (wring_view_at_mark(v, sampler, subject, key, w->from, &before) || wring_view_at_mark(v, sampler, subject, key, w->to, &after))
		return -ENOENT;
	*ret = after - before;
	return 0;
}

bool wring_window_at_limit(struct wring_view *v, const struct wring_window *w, const char *group)
{
	char path[256];
	char *slash = path;
	int64_t n;

	for (snprintf(path, sizeof(path), "%s", group); slash; slash = strrchr(path, '/')) {
		if (slash != path)
			*slash = '\0';
		if ((!wring_window_grew(v, w, "memory.events", path, "max", &n) && n > 0) ||
		    (!wring_window_grew(v, w, "memory.events", path, "high", &n) && n > 0))
			return true;
	}
	return false;
}

const char *wring_load_param(const struct wring_load *l, const char *key, const char *def)
{
	for (size_t i = 0; i < l->params.n; i++)
		if (!strcmp(l->params.rows[i].key, key))
			return l->params.rows[i].value;
	return def;
}
