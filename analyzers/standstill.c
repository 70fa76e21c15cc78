/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A limit may kill a task or slow it down. One that does neither, and lets nothing through, has lost it. */
#include <stdio.h>
#include <string.h>
#include "analyzers/twin.h"
#include "harness/base/util.h"

#define NAME "standstill"
#define STILL_MS 10000           /* no slow disk and no busy host takes so long for one operation */
#define GAP_NS (500 * 1000000LL) /* a sampler that was away for so long says nothing about others */

/* From the last step of a load to the moment at which its wait gave it up. */
struct still { int64_t from, to, unseen_ns; };

static double length_ms(const struct still *x) { return (double)(x->to - x->from - x->unseen_ns) / 1e6; }

static bool find_still(struct wring_view *v, const char *load, struct still *x)
{
	static const char *const keys[] = { "errors", "made_bytes", "moved_bytes", "ops" };
	const struct wring_series *s = NULL;

	for (size_t k = 0; k < WRING_ARRAY_SIZE(keys); k++) {
		s = wring_view_series(v, "load", load, keys[k]);
		for (size_t i = s ? wring_series_find(s, x->from) : 0; s && i < s->n && s->t_ns[i] <= x->to; i++)
			if (i && s->v[i] != s->v[i - 1])
				x->from = s->t_ns[i];
	}
	for (size_t i = s ? wring_series_find(s, x->from) : 0; s && i + 1 < s->n && s->t_ns[i + 1] <= x->to; i++)
		if (s->t_ns[i + 1] - s->t_ns[i] > GAP_NS)
			x->unseen_ns += s->t_ns[i + 1] - s->t_ns[i];
	return s;
}

/* Between the two samples. */
static int64_t grew(struct wring_view *v, const char *sampler, const char *group, const char *key, const struct still *x)
{
	const struct wring_series *s = wring_view_series(v, sampler, group, key);
	size_t a = s ? wring_series_find(s, x->from) : 0, b = s ? wring_series_find(s, x->to) : 0;

	return s && a < s->n ? s->v[b < s->n ? b : s->n - 1] - s->v[a] : 0;
}

static void report(struct wring_view *v, const struct wring_load *l, const struct still *x, double limit)
{
	int64_t usage = 0, max = wring_planned_limit(v, l->group, "memory.max");
	int64_t at_max = grew(v, "memory.events", l->group, "max", x), kills = grew(v, "memory.events", l->group, "oom_kill", x);

	wring_view_at(v, "memory", l->group, "current", x->to, &usage);
	wring_finding(v, NAME, "stuck", at_max && !kills ? WRING_V_FAIL : WRING_INCONCLUSIVE, length_ms(x), limit, "ms",
		      "%s got nothing done for %.0f ms until it was given up; meanwhile %s used %.1fM of %.1fM, went to its limit %lld times "
		      "(memory.events max), %lld pages were scanned and %lld reclaimed, %lld tasks were killed%s", l->name, length_ms(x), l->group,
		      (double)usage / (1 << 20), (double)max / (1 << 20), (long long)at_max,
		      (long long)grew(v, "memory.stat", l->group, "pgscan", x), (long long)grew(v, "memory.stat", l->group, "pgsteal", x),
		      (long long)kills, at_max ? "" : ": nothing shows that it waited for memory");
}

static void weigh(struct wring_view *v, const struct wring_load *l, const struct still *x, double limit, double *longest)
{
	*longest = length_ms(x) > *longest ? length_ms(x) : *longest;
	if (length_ms(x) > limit)
		report(v, l, x, limit);
}

/* Each time the load was given up, by a wait or by the timeout of the scenario. */
static void judge_load(struct wring_view *v, const struct wring_load *l, double limit, double *longest)
{
	const struct wring_events *e = wring_view_events(v);
	bool is_awaited;
	int64_t t_start = -1, cut = wring_load_cut(v, l->name, &is_awaited);

	for (size_t i = 0; i < e->n; i++) {
		struct still x = { t_start, e->rows[i].t_ns, 0 };

		if (strcmp(e->rows[i].kind, "load") || strcmp(e->rows[i].subject, l->name))
			continue;
		if (!strncmp(e->rows[i].text, "start", 5))
			t_start = e->rows[i].t_ns;
		if (strncmp(e->rows[i].text, "unfinished", 10) || t_start < 0 || !find_still(v, l->name, &x))
			continue;
		weigh(v, l, &x, limit, longest);
	}
	if (is_awaited && t_start >= 0 && t_start < cut) {
		struct still x = { t_start, cut, 0 };

		if (find_still(v, l->name, &x))
			weigh(v, l, &x, limit, longest);
	}
}

static int judge(struct wring_view *v, struct wring_err *err)
{
	double limit = (double)wring_view_limit(v, NAME ".ms", STILL_MS), longest = 0;

	(void)err;
	for (size_t i = 0; v->scenario && i < v->scenario->n_loads; i++)
		if (wring_planned_limit(v, v->scenario->loads[i].group, "memory.max"))
			judge_load(v, &v->scenario->loads[i], limit, &longest);
	wring_metric(v, "standstill_ms", "ms", longest, "lower", "info");
	if (longest <= limit)
		wring_finding(v, NAME, "stuck", WRING_PASS, longest, limit, "ms", "no load below a memory.max was given up while it stood still");
	return 0;
}

static const struct wring_metric_info metric_infos[] = {
	{ "standstill_ms", "ms", "lower", "time without a step of a load that was given up, before that" },
	{ 0 }
};

static const struct wring_detector standstill = {
	.name = NAME,
	.summary = "a load at memory.max that neither goes on nor is killed",
	.doc =
	"Looks at loads below a memory.max that a `wait` with a deadline gave up, or that were waited for\n"
	"when the scenario's timeout ran out. Class stuck: for more than\n"
	"ms (10000) before that it had not done, made or failed anything, not counting the time in which\n"
	"the sampler itself was away for 500 ms, while its group went to its limit (memory.events max)\n"
	"and nobody was killed; inconclusive when the limit was not met. A charge that can be\n"
	"satisfied by neither reclaim nor a kill has to fail: Linux 4.19 to 5.3 tried again for ever\n"
	"where the filesystem might not be entered (R39). What is slow but moves is no finding.",
	.limits = "ms",
	.controls =
	"fires: oom-in-time with the fault module late-oom never=1; silent: dirty-at-max, nofs-at-max and\n"
	"slab-at-max on a stock kernel",
	.metrics = metric_infos,
	.judges_cut = true,
	.judge = judge,
};
WRING_REGISTER_DETECTOR(standstill);
