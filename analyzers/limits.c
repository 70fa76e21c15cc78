/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/limits.h"

#include <errno.h>
#include <string.h>
#include "analyzers/load-metrics.h"
#include "analyzers/twin.h"
#include "harness/base/util.h"

#define ABOVE_NS WRING_NSEC_PER_SEC

/* ---- failures ---- */

struct excess {
	const char *twin;
	int64_t n;       /* more than the twin has */
	char worst[40];  /* the kind of failure with the most */
	int64_t worst_n;
};

static bool is_answer(const char *key)
{
	/* said of a full socket or disk, or of a signal, not of memory */
	static const char *const others[] = { ".EAGAIN", ".EINTR", ".ENOSPC", ".EMFILE", ".EDQUOT" };

	for (size_t i = 0; i < WRING_ARRAY_SIZE(others); i++)
		if (strstr(key, others[i]))
			return false;
	return true;
}

static void compare(struct wring_view *v, void *arg, const char *load, const char *key, int64_t n)
{
	struct excess *x = arg;
	int64_t beside = 0;

	(void)load;
	if (!is_answer(key))
		return;
	wring_view_max(v, "load-errors", x->twin, key, INT64_MIN, INT64_MAX, &beside);
	if (n <= beside)
		return;
	x->n += n - beside;
	if (n - beside <= x->worst_n)
		return;
	x->worst_n = n - beside;
	strncpy(x->worst, key, sizeof(x->worst) - 1);
}

/* Was there page cache to make room with? */
static bool has_cache(struct wring_view *v, const char *group, int64_t max)
{
	int64_t active = 0, inactive = 0;

	wring_view_max(v, "memory.stat", group, "active_file", INT64_MIN, INT64_MAX, &active);
	wring_view_max(v, "memory.stat", group, "inactive_file", INT64_MIN, INT64_MAX, &inactive);
	return active + inactive >= max / 10;
}

void wring_judge_errnos(struct wring_view *v, const char *detector)
{
	static const char *const classes[] = { "errno", "errno-high" }, *const names[] = { "errors_at_max", "errors_at_high" };
	int64_t sum[2] = { 0 };
	size_t n[2] = { 0 };

	for (size_t i = 0; v->scenario && i < v->scenario->n_loads; i++) {
		const struct wring_load *l = &v->scenario->loads[i], *twin;
		int64_t max = wring_planned_limit(v, l->group, "memory.max"), high = wring_planned_limit(v, l->group, "memory.high");
		bool is_high = high && high < max;
		struct excess x = { 0 };

		twin = max && wring_view_has(v, "load-errors", l->name) ? wring_twin(v, l, "") : NULL;
		if (!twin)
			continue;
		x.twin = twin->name;
		wring_load_each(v, "load-errors", l->name, compare, &x);
		n[is_high]++;
		sum[is_high] += x.n;
		if (x.n)
			wring_finding(v, detector, classes[is_high], has_cache(v, l->group, max) ? WRING_V_FAIL : WRING_SUSPECT, (double)x.n, 0,
				      "failures", "%s in %s failed %lld time(s) more than %s without a limit, %lld of them %s, with "
				      "memory.max %lld%s; %s", l->name, l->group, (long long)x.n, twin->name, (long long)x.worst_n, x.worst,
				      (long long)max, is_high ? " and a memory.high below it" : "",
				      has_cache(v, l->group, max) ? "the group had page cache to give" : "it had hardly any page cache");
	}
	for (size_t k = 0; k < WRING_ARRAY_SIZE(n); k++) {
		if (!n[k])
			continue;
		wring_metric(v, names[k], "count", (double)sum[k], "lower", "primary");
		if (!sum[k])
			wring_finding(v, detector, classes[k], WRING_PASS, 0, 0, "failures",
				      "%zu load(s) at the limit failed no more often than their twins without one", n[k]);
	}
}

/* ---- usage above memory.max ---- */

/* Sockets are charged by force (__GFP_NOFAIL or from interrupts), and so are blocks of filesystem metadata, which count as file
 * pages; what is left was charged by somebody who must not be above it. */
static int64_t forced_at(struct wring_view *v, const char *group, int64_t t_ns)
{
	static const char *const keys[] = { "sock", "file_dirty", "file_writeback" };
	int64_t sum = 0, n;

	for (size_t i = 0; i < WRING_ARRAY_SIZE(keys); i++)
		if (!wring_view_at(v, "memory.stat", group, keys[i], t_ns, &n))
			sum += n;
	return sum;
}

/* memory.max written while more was in use: reclaim gives up after a while, by design. */
static bool was_cut(struct wring_view *v, const char *group)
{
	const struct wring_events *e = wring_view_events(v);
	int64_t start;

	if (wring_view_event_time(v, "mark", "start", 0, &start))
		return false;
	for (size_t i = 0; i < e->n; i++)
		if (!strcmp(e->rows[i].kind, "limit") && !strcmp(e->rows[i].subject, group) &&
		    !strncmp(e->rows[i].text, "memory.max=", 11) && e->rows[i].t_ns > start)
			return true;
	return false;
}

static void judge_group(struct wring_view *v, const char *detector, const char *group, int64_t max)
{
	const struct wring_series *s = wring_view_series(v, "memory", group, "current");
	int64_t longest = 0, least = 0, forced, at = 0;

	for (size_t i = 0, first = 0, floor = 0; s && i < s->n; i++) {
		if (s->v[i] <= max) {
			first = i + 1;
			continue;
		}
		if (first == i || s->v[i] < s->v[floor])
			floor = i; /* the smallest usage of this stretch */
		if (s->t_ns[i] - s->t_ns[first] <= longest)
			continue;
		longest = s->t_ns[i] - s->t_ns[first];
		least = s->v[floor] - max;
		at = s->t_ns[floor];
	}
	if (longest <= ABOVE_NS)
		return;
	forced = forced_at(v, group, at) + wring_view_tolerance(v);
	wring_finding(v, detector, "above-max", least > forced ? WRING_V_FAIL : WRING_PASS, (double)least, (double)forced, "bytes",
		      "%s stayed above memory.max %lld for %.3g s, by %lld bytes at least; those who may force a charge (sockets, metadata, "
		      "per-CPU stocks) explain %lld", group, (long long)max, (double)longest / 1e9, (long long)least, (long long)forced);
}

void wring_judge_above_max(struct wring_view *v, const char *detector)
{
	for (size_t i = 0; v->scenario && i < v->scenario->n_groups; i++) {
		const struct wring_group *g = &v->scenario->groups[i];
		int64_t max = wring_planned_limit(v, g->path, "memory.max");

		for (uint64_t k = 0; max && k < g->count; k++) {
			_cleanup_free_ char *dir = g->count > 1 ? wring_strf("%s%llu", g->path, (unsigned long long)k) : strdup(g->path);

			if (dir && !was_cut(v, dir))
				judge_group(v, detector, dir, max);
		}
	}
}

/* ---- usage above memory.high while everybody sleeps ---- */

void wring_judge_asleep(struct wring_view *v, const char *detector, const char *group, int64_t high, double allowed, bool is_unreclaimable)
{
	const struct wring_series *s = wring_view_series(v, "memory", group, "current");
	int64_t from, to, least = INT64_MAX, excess;

	if (wring_view_last_mark(v, "asleep", &from) || wring_view_last_mark(v, "awake", &to) || !s)
		return;
	for (size_t i = wring_series_find(s, from); i < s->n && s->t_ns[i] <= to; i++)
		least = s->v[i] < least ? s->v[i] : least;
	if (least == INT64_MAX) {
		wring_finding(v, detector, "asleep", WRING_INCONCLUSIVE, 0, allowed, "bytes", "no sample of %s while its tasks slept", group);
		return;
	}
	excess = least > high ? least - high : 0;
	wring_metric(v, "asleep_over_high_bytes", "bytes", (double)excess, "lower", "primary");
	wring_finding(v, detector, "asleep",
		      (double)excess <= allowed ? WRING_PASS : is_unreclaimable ? WRING_V_SKIP : WRING_V_FAIL, (double)excess, allowed, "bytes",
		      "for %.3g s, while all tasks of %s slept, it was at least %lld bytes above memory.high %lld%s", (double)(to - from) / 1e9,
		      group, (long long)excess, (long long)high, is_unreclaimable ? ", with next to nothing to reclaim" : "");
}
