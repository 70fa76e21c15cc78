/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/oom-kill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "harness/base/util.h"

static const char *const stage_mark[WRING_OOM_STAGES] = {
	"after-load", "after-barrier", "after-reclaim", "after-remount",
};

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);

	return n >= m && !strcmp(s + n - m, tail);
}

/* The run's subject of a path in the kernel's report. A source's path is that of its file, so its
 * folder ends with what the kernel calls the cgroup; inside a cgroup namespace the kernel says more
 * than the mount shows, so a named group also fits by the end of its own path. */
bool wring_oom_subject(struct wring_view *v, const char *memcg, char *ret, size_t size)
{
	const struct wring_sources *s = wring_view_sources(v);
	size_t best = 0;

	if (!memcg[0] || !strcmp(memcg, "/"))
		return false;
	for (size_t i = 0; i < s->n; i++) {
		const char *path = s->rows[i].path, *slash = strrchr(path, '/');
		_cleanup_free_ char *dir = slash ? strndup(path, (size_t)(slash - path)) : NULL;
		_cleanup_free_ char *tail = wring_strf("/%s", s->rows[i].subject);
		size_t fit = 0;

		if (strncmp(s->rows[i].sampler, "memory", 6) && strcmp(s->rows[i].sampler, "cgroup."
											   "stat"))
			continue;
		if (dir && ends_with(dir, memcg))
			fit = SIZE_MAX;
		else if (tail && strcmp(tail, "/.") && ends_with(memcg, tail))
			fit = strlen(tail);
		if (fit <= best)
			continue;
		best = fit;
		snprintf(ret, size, "%s", s->rows[i].subject);
	}
	return best;
}

/* What the loads of the cgroup held when it was killed in. A sample is never taken at that very
 * moment, so the largest around it counts: in doubt for the kernel. */
static int64_t ledger_at(struct wring_view *v, const char *subject, int64_t t_ns)
{
	int64_t sum = 0;

	for (size_t i = 0; v->scenario && i < v->scenario->n_loads; i++) {
		const struct wring_load *l = &v->scenario->loads[i];
		const struct wring_series *s;
		int64_t held = 0;
		size_t k;

		if (!wring_load_within(v, l, subject))
			continue;
		s = wring_view_series(v, "load", l->name, "held_bytes");
		if (!s)
			continue;
		k = wring_series_find(s, t_ns - WRING_LOG_AHEAD_NS);
		k -= k > 0;
		do
			held = k < s->n ? wring_max64(held, s->v[k]) : held;
		while (k < s->n && s->t_ns[k++] < t_ns);
		sum += wring_pos(held);
	}
	return sum;
}

/* The marks of the first aftermath of that group behind the kill; 0 where there was none. A run may have one for each of its
 * groups, and says whose by the step. */
static bool find_marks(struct wring_view *v, const struct wring_oom_kill *k, int64_t t[WRING_OOM_STAGES])
{
	const struct wring_events *e = wring_view_events(v);
	const char *of = ".";

	memset(t, 0, WRING_OOM_STAGES * sizeof(*t));
	for (size_t i = 0; i < e->n; i++) {
		const struct wring_event *x = &e->rows[i];

		if (!strcmp(x->kind, "step") && !strcmp(x->subject, "aftermath") && strncmp(x->text, "done ", 5))
			of = x->text;
		if (strcmp(x->kind, "mark") || x->t_ns < k->o->t_ns - WRING_LOG_AHEAD_NS ||
		    !(wring_group_within(k->subject, of) || wring_group_means(v, of, k->subject)))
			continue;
		if (!strcmp(x->subject, stage_mark[WRING_AFTER_LOAD]) && t[WRING_AFTER_LOAD])
			break; /* the next aftermath */
		if (strcmp(x->subject, stage_mark[WRING_AFTER_LOAD]) && !t[WRING_AFTER_LOAD])
			continue; /* the end of the one before */
		for (int s = 0; s < WRING_OOM_STAGES; s++)
			if (!strcmp(x->subject, stage_mark[s]) && !t[s])
				t[s] = x->t_ns;
	}
	return t[WRING_AFTER_LOAD];
}

struct state { int64_t current, slab, file; bool has_current, has_stat; };

/* The whole machine, from what any kernel tells of it. */
static struct state machine_at(struct wring_view *v, int64_t t_mark)
{
	struct state s = { 0 };
	int64_t total = 0, free = 0, active = 0, inactive = 0;

	s.has_current = !wring_view_at_mark(v, "meminfo", "", "MemTotal", t_mark, &total) &&
			!wring_view_at_mark(v, "meminfo", "", "MemFree", t_mark, &free);
	s.has_stat = !wring_view_at_mark(v, "vmstat", "", "nr_slab_reclaimable", t_mark, &s.slab) &&
		     !wring_view_at_mark(v, "vmstat", "", "nr_active_file", t_mark, &active) &&
		     !wring_view_at_mark(v, "vmstat", "", "nr_inactive_file", t_mark, &inactive);
	s.current = (total - free) * 1024;
	s.slab *= v->page_size;
	s.file = (active + inactive) * v->page_size;
	return s;
}

static struct state state_at(struct wring_view *v, const struct wring_oom_kill *k, int64_t t_mark)
{
	struct state s = { 0 };

	if (!k->o->is_memcg)
		return machine_at(v, t_mark);
	s.has_current = !wring_view_at_mark(v, "memory", k->subject, "current", t_mark, &s.current);
	s.has_stat = !wring_view_at_mark(v, "memory.stat", k->subject, "slab_reclaimable", t_mark, &s.slab) &&
		     !wring_view_at_mark(v, "memory.stat", k->subject, "file", t_mark, &s.file);
	return s;
}

/* Tasks that are left fill the group again before anybody measures. What its usage fell by meanwhile, beyond the dead task's own
 * memory, came free without anybody outside asking for it. */
static int64_t dip(struct wring_view *v, const struct wring_oom_kill *k, int64_t until)
{
	const struct wring_series *s = k->o->is_memcg ? wring_view_series(v, "memory", k->subject, "current") : NULL;
	int64_t min = k->usage;

	for (size_t i = s ? wring_series_find(s, k->o->t_ns) : 0; s && i < s->n && s->t_ns[i] < until; i++)
		min = wring_min64(min, s->v[i]);
	return wring_min64(k->usage - min - wring_pos(k->o->anon) - wring_pos(k->o->file), k->slab);
}

/* What came free over the stages. Exact current bounds what memory.stat says, and what memory.stat
 * says is of the kinds that were judged reclaimable (the killed task's own memory is not). What the
 * ledger held is let go by the death of its owner, so the slab that goes first is the ledger's. */
void wring_oom_measure(struct wring_view *v, struct wring_oom_kill *k)
{
	int64_t t[WRING_OOM_STAGES], owed = k->ledger, slab_drop;
	struct state was, is;

	if ((k->o->is_memcg && !k->subject[0]) || !find_marks(v, k, t))
		return;
	was = state_at(v, k, t[WRING_AFTER_LOAD]);
	if (!was.has_current)
		return;
	k->has_aftermath = true;
	/* nobody asked for reclaim in between: frees that were on their way already */
	if (was.has_stat) {
		slab_drop = wring_min64(wring_pos(k->slab - was.slab), wring_pos(k->usage - was.current));
		k->freed[WRING_AFTER_LOAD] = wring_pos(slab_drop - owed);
		owed = wring_pos(owed - slab_drop);
	}
	k->freed[WRING_AFTER_LOAD] = wring_max64(k->freed[WRING_AFTER_LOAD], dip(v, k, t[WRING_AFTER_LOAD]) - k->ledger);
	for (int s = WRING_AFTER_BARRIER; s < WRING_OOM_STAGES; s++) {
		int64_t drop;

		if (!t[s])
			continue;
		is = state_at(v, k, t[s]);
		if (!is.has_current)
			continue;
		drop = wring_pos(was.current - is.current);
		if (was.has_stat && is.has_stat) {
			slab_drop = wring_pos(was.slab - is.slab);
			drop = wring_min64(drop, slab_drop + wring_pos(was.file - is.file));
		} else {
			slab_drop = drop;
		}
		k->freed[s] = wring_pos(drop - wring_min64(owed, slab_drop));
		owed = wring_pos(owed - slab_drop);
		was = is;
	}
}

void wring_oom_kill_read(struct wring_view *v, struct wring_oom_kill *k)
{
	const struct wring_oom_report *o = k->o;
	_cleanup_free_ char *total = o->is_memcg ? NULL : wring_store_get_fact(v->store, v->boot, "memory.total_kb");
	int64_t unit = o->is_memcg ? 1 : v->page_size; /* the report of the whole machine counts pages */

	k->limit = total ? 1024 * strtoll(total, NULL, 10) : o->limit;
	k->usage = total ? k->limit : o->usage;
	k->clean_file = wring_oom_clean_file(o) * unit;
	k->slab = o->slab_reclaimable * unit;
	k->dirty = (wring_pos(o->file_dirty) + wring_pos(o->file_writeback)) * unit;
	/* what is held as anonymous or shared memory is in the report under that name, and says nothing about slab */
	k->ledger = wring_pos(ledger_at(v, k->subject[0] ? k->subject : ".", o->t_ns) -
			      (wring_pos(o->anon) + wring_pos(o->shmem)) * unit);
	k->reclaimable = k->clean_file + wring_pos(k->slab - k->ledger);
}
