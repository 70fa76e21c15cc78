/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Kernel memory that is not charged to anybody: accounting's class escape. */
#include "analyzers/escape.h"

#include <string.h>
#include "analyzers/view.h"
#include "harness/base/util.h"

#define MB(x) ((double)(x) / (1 << 20))

static int64_t slab_growth(struct wring_view *v, bool *ret_known)
{
	static const char *const keys[] = { "nr_slab_reclaimable", "nr_slab_unreclaimable" };
	int64_t sum = 0;

	*ret_known = true;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(keys); i++) {
		const struct wring_series *s = wring_view_series(v, "vmstat", "", keys[i]);

		if (!s)
			*ret_known = false;
		else
			sum += wring_series_max(s, INT64_MIN, INT64_MAX, s->v[0]) - s->v[0];
	}
	return sum * v->page_size;
}

/* Largest value over the run, summed over the topmost groups that are sampled. */
static bool top_max(struct wring_view *v, const char *sampler, const char *key, int64_t *ret)
{
	const struct wring_sources *s = wring_view_sources(v);
	bool any = false;
	int64_t n;

	*ret = 0;
	for (size_t i = 0; i < s->n; i++) {
		bool covered = strcmp(s->rows[i].sampler, sampler);

		for (size_t k = 0; k < s->n && !covered; k++)
			covered = !strcmp(s->rows[k].sampler, sampler) &&
				  strcmp(s->rows[k].subject, s->rows[i].subject) &&
				  wring_group_within(s->rows[i].subject, s->rows[k].subject);
		if (covered ||
		    wring_view_max(v, sampler, s->rows[i].subject, key, INT64_MIN, INT64_MAX, &n))
			continue;
		*ret += n;
		any = true;
	}
	return any;
}

bool wring_judge_escape(struct wring_view *v, const char *detector, const char **ret_why)
{
	int64_t made = wring_view_load_max(v, ".", "made_bytes", INT64_MIN, INT64_MAX);
	int64_t floor = 8 * wring_view_tolerance(v), growth, kernel, current;
	bool known, escapes;

	growth = slab_growth(v, &known);
	*ret_why = NULL;
	if (!known)
		*ret_why = "vmstat nr_slab_* was not sampled";
	else if (!top_max(v, "memory.stat", "kernel", &kernel))
		*ret_why = "memory.stat `kernel` was not sampled, or this kernel has no such line";
	else if (!top_max(v, "memory", "current", &current))
		*ret_why = "memory.current was not sampled";
	else if (made < floor)
		*ret_why = "the loads made too little to tell it from noise (load.made_bytes)";
	if (*ret_why)
		return false;
	/* tiny: against what the slab grew by */
	escapes = growth >= made / 2 && kernel < growth / 100 && current < growth / 10;
	wring_finding(v, detector, "escape", escapes ? WRING_V_FAIL : WRING_PASS,
		      (double)(escapes ? growth : 0), (double)(made / 2), "bytes",
		      "the loads made %.1fM; the machine's slab grew by up to %.1fM, the cgroups "
		      "were charged for kernel memory of up to %.2fM and memory.current of up to "
		      "%.2fM",
		      MB(made), MB(growth), MB(kernel), MB(current));
	return true;
}
