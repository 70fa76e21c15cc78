/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/load-metrics.h"

#include <string.h>
#include "analyzers/view.h"
#include "harness/base/util.h"

/* From the first start of a load to the last exit of one of its processes. load NULL: of any. */
static double busy_s(struct wring_view *v, const char *load)
{
	const struct wring_events *e = wring_view_events(v);
	int64_t start = -1, end = -1;

	for (size_t i = 0; i < e->n; i++) {
		if (strcmp(e->rows[i].kind, "load") || (load && strcmp(e->rows[i].subject, load)))
			continue;
		if (!strncmp(e->rows[i].text, "start", 5) && start < 0)
			start = e->rows[i].t_ns;
		else if (!strncmp(e->rows[i].text, "exit", 4))
			end = e->rows[i].t_ns;
	}
	return start >= 0 && end > start ? (double)(end - start) / 1e9 : 0;
}

static void metrics_of(struct wring_view *v, const char *load, int64_t *total)
{
	_cleanup_free_ char *rate = wring_strf("%s.ops_per_s", load),
			    *errors = wring_strf("%s.errors", load);
	double busy = busy_s(v, load);
	int64_t n;

	if (!rate || !errors)
		return;
	if (!wring_view_max(v, "load", load, "ops", INT64_MIN, INT64_MAX, &n)) {
		*total += n;
		if (n && busy > 0 && v->scenario->n_loads > 1)
			wring_metric(v, rate, "1/s", (double)n / busy, "higher", "secondary");
	}
	if (!wring_view_max(v, "load", load, "errors", INT64_MIN, INT64_MAX, &n))
		wring_metric(v, errors, "count", (double)n, "lower", "info");
}

void wring_load_metrics(struct wring_view *v)
{
	double busy = busy_s(v, NULL);
	int64_t total = 0;

	for (size_t i = 0; v->scenario && i < v->scenario->n_loads; i++)
		metrics_of(v, v->scenario->loads[i].name, &total);
	if (total && busy > 0)
		wring_metric(v, "ops_per_s", "1/s", (double)total / busy, "higher", "secondary");
}
