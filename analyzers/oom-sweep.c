/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Kills beside each other: of loads at different limits, and of loads on different disks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/oom-kill.h"
#include "harness/base/units.h"
#include "harness/base/util.h"

/* ---- dirty memory, and the disk it waits for ---- */

static const struct wring_mount *mount_of(struct wring_view *v, const struct wring_load *l)
{
	const char *on = wring_setting_get(&l->params, "on");

	for (size_t i = 0; i < v->scenario->n_mounts; i++)
		if (!on || !strcmp(v->scenario->mounts[i].name, on))
			return &v->scenario->mounts[i];
	return NULL;
}

/* The load's disk: 0 not one that can be told, 1 memory, -1 made slow on purpose. */
static int medium_of(struct wring_view *v, const struct wring_load *l)
{
	const struct wring_mount *m = mount_of(v, l);

	if (m && (m->bps || m->iops))
		return -1;
	return m && !strcmp(v->row->where, "vm"); /* a guest's disks are memory of the host */
}

/* Were pages written back in the second before the kill? */
static bool has_written(struct wring_view *v, int64_t t_ns)
{
	const struct wring_series *s = wring_view_series(v, "vmstat", "", "nr_written");
	size_t from = s ? wring_series_find(s, t_ns - WRING_NSEC_PER_SEC) : 0, to = s ? wring_series_find(s, t_ns) : 0;

	if (!s)
		return false;
	/* from the last sample before that second to the first behind the kill */
	return s->v[to < s->n ? to : s->n - 1] > s->v[from ? from - 1 : 0];
}

bool wring_oom_on_slow_disk(struct wring_view *v, const struct wring_oom_kill *k)
{
	for (size_t i = 0; v->scenario && i < v->scenario->n_loads; i++)
		if (k->subject[0] && wring_load_within(v, &v->scenario->loads[i], k->subject) &&
		    medium_of(v, &v->scenario->loads[i]) < 0)
			return true;
	return false;
}

/* A group may have several loads, one after the other: only that which ran was killed. */
static bool was_running(struct wring_view *v, const struct wring_load *l, int64_t t_ns)
{
	const struct wring_events *e = wring_view_events(v);
	bool runs = false;

	for (size_t i = 0; i < e->n; i++) {
		const struct wring_event *x = &e->rows[i];

		if (strcmp(x->kind, "load") || strcmp(x->subject, l->name))
			continue;
		if (!strncmp(x->text, "start", 5) && x->t_ns <= t_ns + WRING_LOG_AHEAD_NS)
			runs = true;
		else if (!strncmp(x->text, "exit", 4) && x->t_ns < t_ns - WRING_LOG_AHEAD_NS)
			runs = false;
	}
	return runs;
}

/* The same work, on a disk in memory, and killed at the same limit. */
static bool has_killed_twin(struct wring_view *v, const struct wring_oom_kill *kills, size_t n, const struct wring_oom_kill *k,
			    const struct wring_load *l)
{
	for (size_t i = 0; i < v->scenario->n_loads; i++) {
		const struct wring_load *t = &v->scenario->loads[i];

		if (strcmp(t->workload, l->workload) || medium_of(v, t) <= 0)
			continue;
		for (size_t j = 0; j < n; j++)
			if (kills[j].limit == k->limit && kills[j].subject[0] && wring_load_within(v, t, kills[j].subject) &&
			    was_running(v, t, kills[j].o->t_ns))
				return true;
	}
	return false;
}

bool wring_oom_dirty_counts(struct wring_view *v, const struct wring_oom_kill *kills, size_t n, const struct wring_oom_kill *k)
{
	if (!v->scenario || !k->subject[0] || !has_written(v, k->o->t_ns))
		return false;
	for (size_t i = 0; i < v->scenario->n_loads; i++)
		if (wring_load_within(v, &v->scenario->loads[i], k->subject) && was_running(v, &v->scenario->loads[i], k->o->t_ns) &&
		    has_killed_twin(v, kills, n, k, &v->scenario->loads[i]))
			return true;
	return false;
}

/* ---- limits ---- */

struct level {
	int64_t limit;
	size_t starts, killed, any; /* killed with reclaimable memory, and at all */
	double share;   /* killed, made to fall with the limit */
};

static bool is_premature(const struct wring_oom_kill *k)
{
	return k->threshold && k->reclaimable >= k->threshold && strcmp(k->cls, "pinned") && strcmp(k->cls, "deserved");
}

static int64_t limit_of(struct wring_view *v, const struct wring_load *l)
{
	const struct wring_group *g = wring_scenario_group(v->scenario, l->group ? l->group : ".");
	const char *max = g ? wring_setting_get(&g->files, "memory.max") : NULL;
	uint64_t bytes;

	return max && !wring_parse_size(max, &bytes, NULL) && bytes <= INT64_MAX ? (int64_t)bytes : 0;
}

/* Starts of the load, and in how many of them somebody was killed at its limit before it ended. */
static void count(struct wring_view *v, const struct wring_load *l, const struct wring_oom_kill *kills, size_t n, struct level *ret)
{
	const struct wring_events *e = wring_view_events(v);
	int64_t from = INT64_MAX, until = 0;

	for (size_t i = 0; i <= e->n; i++) {
		bool is_own = i < e->n && !strcmp(e->rows[i].kind, "load") && !strcmp(e->rows[i].subject, l->name);
		bool is_start = is_own && !strncmp(e->rows[i].text, "start", 5), any = false, premature = false;

		if (is_own && !is_start)
			until = e->rows[i].t_ns; /* the last of its processes ends it */
		if (!is_start && i < e->n)
			continue;
		for (size_t k = 0; k < n && from != INT64_MAX; k++)
			if (kills[k].o->t_ns >= from && kills[k].o->t_ns - WRING_LOG_AHEAD_NS <= until && kills[k].subject[0] &&
			    wring_load_within(v, l, kills[k].subject)) {
				any = true;
				premature |= is_premature(&kills[k]);
			}
		ret->killed += premature;
		ret->any += any;
		ret->starts += is_start;
		from = is_start ? e->rows[i].t_ns : from;
		until = INT64_MAX;
	}
}

static int by_limit(const void *a, const void *b)
{
	const struct level *x = a, *y = b;

	return (x->limit > y->limit) - (x->limit < y->limit);
}

/* Levels with the same limit become one. */
static size_t merge(struct level *rows, size_t n)
{
	size_t out = 0;

	qsort(rows, n, sizeof(*rows), by_limit);
	for (size_t i = 0; i < n; i++) {
		if (out && rows[out - 1].limit == rows[i].limit) {
			rows[out - 1].starts += rows[i].starts;
			rows[out - 1].killed += rows[i].killed;
		} else {
			rows[out++] = rows[i];
		}
	}
	return out;
}

/* Pool adjacent violators: more memory does not make a kill likelier, so what says otherwise is chance. */
static void make_falling(struct level *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t starts = 0, killed = 0, k = i + 1;

		rows[i].share = (double)rows[i].killed / (double)rows[i].starts;
		while (k--) {
			starts += rows[k].starts;
			killed += rows[k].killed;
			if (k && rows[k - 1].share < (double)killed / (double)starts)
				continue;
			for (size_t j = k; j <= i; j++)
				rows[j].share = (double)killed / (double)starts;
			break;
		}
	}
}

/* The mean of the smallest limit that survives: each limit counts by the share that it is the first to save. One at which
 * nobody is killed gives that limit, and one more kill moves it by its share, not by a whole step. Where even the largest limit
 * kills, the next would be twice as large. */
static double surviving(struct level *rows, size_t n)
{
	double sum = 0, above = 1;

	make_falling(rows, n);
	for (size_t i = 0; i < n; i++) {
		sum += (above - rows[i].share) * (double)rows[i].limit;
		above = rows[i].share;
	}
	return sum + above * 2 * (double)rows[n - 1].limit;
}

/* Only loads of a workload that runs at several limits say where it survives. */
static bool is_swept(struct wring_view *v, const struct wring_load *l)
{
	for (size_t i = 0; i < v->scenario->n_loads; i++) {
		const struct wring_load *o = &v->scenario->loads[i];

		if (!strcmp(o->workload, l->workload) && limit_of(v, o) && limit_of(v, o) != limit_of(v, l))
			return true;
	}
	return false;
}

void wring_oom_sweep(struct wring_view *v, const char *detector, const struct wring_oom_kill *kills, size_t n)
{
	size_t n_loads = v->scenario ? v->scenario->n_loads : 0, levels = 0;
	_cleanup_free_ struct level *rows = calloc(n_loads ? n_loads : 1, sizeof(*rows));
	_cleanup_free_ char *key = wring_strf("%s.surviving", detector);
	int64_t limit = key ? wring_view_limit(v, key, 0) : 0;
	char text[512] = "";
	double least;

	for (size_t i = 0; rows && i < n_loads; i++) {
		const struct wring_load *l = &v->scenario->loads[i];
		_cleanup_free_ char *share = wring_strf("%s.killed_pct", l->name);
		struct level *row = &rows[levels];

		*row = (struct level){ .limit = limit_of(v, l) };
		if (!row->limit || !share)
			continue;
		count(v, l, kills, n, row);
		if (!row->starts)
			continue;
		wring_metric(v, share, "%", 100.0 * (double)row->any / (double)row->starts, "lower", "info");
		levels += is_swept(v, l);
	}
	levels = rows ? merge(rows, levels) : 0;
	if (levels < 2)
		return;
	least = surviving(rows, levels);
	wring_metric(v, "smallest_surviving_limit_bytes", "bytes", least, "lower", "secondary");
	for (size_t i = 0; i < levels; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%lldM %zu of %zu", i ? ", " : "",
			 (long long)(rows[i].limit >> 20), rows[i].killed, rows[i].starts);
	if (limit)
		wring_finding(v, detector, "threshold", least > (double)limit ? WRING_V_FAIL : WRING_PASS, least, (double)limit, "bytes",
			      "the smallest limit that survives is %.1fM on the average; killed with reclaimable memory at %s",
			      least / (1 << 20), text);
}
