/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A memcg was killed in although it held memory that reclaim should have taken first. */
#include <errno.h>
#include <string.h>
#include "analyzers/limits.h"
#include "analyzers/oom-kill.h"
#include "harness/base/util.h"

#define NAME "premature-oom"
#define SMALL_LIMIT (16LL << 20)
#define SHARE_PCT 10 /* of the limit: less than that may be left */

/* What the memory was held up by, when it comes free at that stage. */
static const char *const stage_class[WRING_OOM_STAGES] = { "rcu", "rcu", "late", "withheld" };

/* The first stage that frees enough alone; where only the sum does, the one that freed most. */
static int attribute(struct wring_oom_kill *k)
{
	int most = 0;

	for (int s = 0; s < WRING_OOM_STAGES; s++) {
		k->total_freed += k->freed[s];
		if (k->freed[s] > k->freed[most])
			most = s;
	}
	for (int s = 0; s < WRING_OOM_STAGES; s++)
		if (k->freed[s] >= k->threshold)
			return s;
	return k->total_freed >= k->threshold ? most : -1;
}

static void set(struct wring_oom_kill *k, enum wring_verdict verdict, const char *cls)
{
	k->verdict = verdict;
	k->cls = cls;
}

/* What the kill is measured by. */
static void weigh(struct wring_view *v, struct wring_oom_kill *k)
{
	int64_t share = wring_view_limit(v, NAME ".share-pct", SHARE_PCT);

	if (k->o->by_write || !wring_oom_complete(k->o))
		return;
	wring_oom_kill_read(v, k);
	k->threshold = wring_max64((int64_t)((double)k->limit * (double)share / 100), (1 << 20) + (512 << 10) * v->ncpu);
	wring_oom_measure(v, k);
	k->stage = attribute(k);
}

static void judge_kill(struct wring_view *v, struct wring_oom_kill *k, bool dirty_counts)
{
	const struct wring_oom_report *o = k->o;
	bool waits;

	if (o->by_write) {
		set(k, WRING_V_SKIP, "squeezed");
		return;
	}
	if (!wring_oom_complete(o)) {
		set(k, WRING_INCONCLUSIVE, "report");
		return;
	}
	if (dirty_counts)
		k->reclaimable += k->dirty;
	/* dirty inodes are slab, in no field of dirty memory: freed by reclaim, but not before the sync that comes with it */
	waits = !dirty_counts && k->stage == WRING_AFTER_RECLAIM && k->clean_file < k->threshold && wring_oom_on_slow_disk(v, k);
	if (k->limit < wring_view_limit(v, NAME ".small", SMALL_LIMIT))
		set(k, WRING_V_SKIP, "small");
	else if (k->reclaimable + (dirty_counts ? 0 : k->dirty) < k->threshold)
		set(k, WRING_PASS, "deserved");
	else if (!k->has_aftermath)
		set(k, WRING_INCONCLUSIVE, "aftermath");
	else if (k->stage < 0)
		set(k, WRING_PASS, "pinned");
	else if (k->reclaimable < k->threshold)
		set(k, WRING_SUSPECT, "io");
	else if (!o->may_enter_fs)
		set(k, WRING_SUSPECT, "nofs");
	else if (waits)
		set(k, WRING_SUSPECT, "io");
	else
		set(k, WRING_V_FAIL, stage_class[k->stage]);
}

#define MB(x) ((double)(x) / (1 << 20))

static void report_kill(struct wring_view *v, const struct wring_oom_kill *k, size_t same)
{
	const struct wring_oom_report *o = k->o;

	if (!strcmp(k->cls, "squeezed")) {
		wring_finding(v, NAME, k->cls, k->verdict, 0, 0, "bytes",
			      "%zu kill(s) in %s because memory.max was written below the usage, "
			      "which kills by design",
			      same, o->oom_memcg);
		return;
	}
	if (!strcmp(k->cls, "report")) {
		wring_finding(v, NAME, k->cls, k->verdict, (double)same, 0, "kills",
			      "%zu OOM report(s) in the kernel log miss the limit or memory.stat: "
			      "not judged",
			      same);
		return;
	}
	wring_finding(v, NAME, k->cls, k->verdict,
		      (double)(k->stage >= 0 ? wring_min64(k->reclaimable + k->dirty, k->total_freed)
					     : k->reclaimable),
		      (double)k->threshold, "bytes",
		      "%s killed in %s at %.1fM of %.1fM (%s, order %d): clean page cache %.1fM, "
		      "reclaimable slab %.1fM, of which held by the load %.1fM, dirty or under "
		      "writeback %.1fM; limit for what may be left %.1fM; came free: by the end "
		      "of the load %.1fM, over an RCU barrier %.1fM, over memory.reclaim %.1fM, "
		      "over a remount %.1fM%s; %zu kill(s) like this",
		      o->task, !o->is_memcg ? "the whole machine" : o->oom_memcg[0] ? o->oom_memcg : "an unnamed cgroup", MB(k->usage),
		      MB(k->limit), o->gfp[0] ? o->gfp : "no gfp mask", o->order, MB(k->clean_file),
		      MB(k->slab), MB(wring_min64(k->ledger, k->slab)), MB(k->dirty), MB(k->threshold),
		      MB(k->freed[WRING_AFTER_LOAD]), MB(k->freed[WRING_AFTER_BARRIER]),
		      MB(k->freed[WRING_AFTER_RECLAIM]), MB(k->freed[WRING_AFTER_REMOUNT]),
		      k->has_aftermath ? ""
				       : " (not seen: no mark after-load with memory.current after "
					 "it)",
		      same);
}

/* Kills as the kernel counted them: memory.events of the topmost groups sampled. */
static int64_t counted_kills(struct wring_view *v)
{
	const struct wring_sources *s = wring_view_sources(v);
	int64_t sum = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct wring_series *k;
		bool covered = strcmp(s->rows[i].sampler, "memory.events");

		for (size_t j = 0; j < s->n && !covered; j++)
			covered = i != j && !strcmp(s->rows[j].sampler, "memory.events") &&
				  strcmp(s->rows[i].subject, s->rows[j].subject) &&
				  wring_group_within(s->rows[i].subject, s->rows[j].subject);
		if (covered)
			continue;
		k = wring_view_series(v, "memory.events", s->rows[i].subject, "oom_kill");
		/* the scenario's groups are made for this run, and so count from 0 */
		if (k)
			sum += wring_series_max(k, INT64_MIN, INT64_MAX, 0);
	}
	return sum;
}

/* Kills as memory.events counts them, and victims as the log names them. */
struct tally { int64_t kills; size_t victims; };

/* Tasks that had to reclaim for themselves; what kswapd could not do in time. */
static void stalls(struct wring_view *v)
{
	static const char *const keys[] = { "allocstall_dma", "allocstall_dma32", "allocstall_normal", "allocstall_movable" };
	int64_t sum = 0;
	bool any = false;

	for (size_t i = 0; i < WRING_ARRAY_SIZE(keys); i++) {
		const struct wring_series *s = wring_view_series(v, "vmstat", "", keys[i]);

		if (!s)
			continue;
		any = true;
		sum += s->v[s->n - 1] - s->v[0];
	}
	if (any && wring_scenario_needs(v->scenario, "global-pressure"))
		wring_metric(v, "allocstalls", "count", (double)sum, "lower", "secondary");
}

static void metrics(struct wring_view *v, const struct tally *t, const struct wring_oom_kill *worst,
		    size_t global)
{
	int64_t kills = wring_max64(t->kills, (int64_t)t->victims);
	int64_t errors = wring_view_load_max(v, ".", "errors", INT64_MIN, INT64_MAX);

	wring_metric(v, "oom_kills", "count", (double)kills, "lower", "primary");
	wring_metric(v, "load_errors", "count", (double)errors, "lower", "secondary");
	if (global)
		wring_metric(v, "global_oom_kills", "count", (double)global, "lower", "info");
	stalls(v);
	if (!worst)
		return;
	wring_metric(v, "kill_reclaimable_bytes", "bytes", (double)worst->reclaimable, "lower",
		     "secondary");
	wring_metric(v, "kill_freed_bytes", "bytes", (double)worst->total_freed, "lower", "info");
	wring_metric(v, "kill_limit_bytes", "bytes", (double)worst->limit, "", "info");
}

/* One finding for each class met, told by its worst kill. Returns the worst that was judged. */
static const struct wring_oom_kill *report_all(struct wring_view *v, const struct wring_oom_kill *kills, size_t n)
{
	const struct wring_oom_kill *worst = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct wring_oom_kill *w = &kills[i];
		size_t same = 0;
		bool first = true;

		for (size_t j = 0; j < n; j++) {
			if (strcmp(kills[j].cls, kills[i].cls))
				continue;
			same++;
			first = first && j >= i;
			if (kills[j].reclaimable > w->reclaimable)
				w = &kills[j];
		}
		if (first)
			report_kill(v, w, same);
		if (wring_oom_complete(w->o) && (!worst || w->reclaimable > worst->reclaimable))
			worst = w;
	}
	return worst;
}

/* A kill for the whole machine is the run's where the machine is. */
static bool is_ours(const struct wring_view *v, const struct wring_oom_report *o)
{
	return o->is_global && !strcmp(v->row->where, "vm");
}

static int judge_reports(struct wring_view *v, const struct wring_oom_reports *r)
{
	_cleanup_free_ struct wring_oom_kill *kills = calloc(r->n ? r->n : 1, sizeof(*kills));
	struct tally t = { .kills = counted_kills(v), .victims = r->unreported };
	const struct wring_oom_kill *worst;
	size_t n = 0;

	if (!kills)
		return -ENOMEM;
	for (size_t i = 0; i < r->n; i++) {
		struct wring_oom_kill *k = &kills[n];

		if (!r->rows[i].is_memcg && !is_ours(v, &r->rows[i]))
			continue;
		*k = (struct wring_oom_kill){ .o = &r->rows[i], .stage = -1 };
		/* a host has other cgroups than ours */
		if (!wring_oom_subject(v, k->o->oom_memcg, k->subject, sizeof(k->subject)) &&
		    k->o->oom_memcg[0] && !strcmp(v->row->where, "host"))
			continue;
		t.victims += k->o->n_victims; /* memory.events counts those of the whole machine, too */
		weigh(v, k);
		n++;
	}
	for (size_t i = 0; i < n; i++)
		kills[i].dirty_counts = wring_oom_dirty_counts(v, kills, n, &kills[i]);
	for (size_t i = 0; i < n; i++)
		judge_kill(v, &kills[i], kills[i].dirty_counts);
	worst = report_all(v, kills, n);
	metrics(v, &t, worst, r->global);
	wring_oom_sweep(v, NAME, kills, n);
	if (r->unreported || t.kills > (int64_t)t.victims)
		wring_finding(v, NAME, "unreported", WRING_INCONCLUSIVE,
			      (double)wring_max64(t.kills, (int64_t)t.victims), (double)n, "kills",
			      "memory.events counts %lld kill(s), the log shows %zu victim(s), "
			      "%zu of them without a report (the kernel limits their rate): what "
			      "these groups held is not known",
			      (long long)t.kills, t.victims, r->unreported);
	else if (!n)
		wring_finding(v, NAME, "none", WRING_PASS, 0, 0, "kills",
			      "no OOM kill in the run's cgroups");
	return 0;
}

static int judge(struct wring_view *v, struct wring_err *err)
{
	const struct wring_log *log = wring_view_log(v);
	struct wring_oom_reports r = { 0 };
	int e;

	for (size_t i = 0; i < log->n; i++)
		wring_oom_feed(&r, log->rows[i].t_ns, log->rows[i].text);
	e = r.oom ? -ENOMEM : judge_reports(v, &r);
	wring_oom_done(&r);
	wring_judge_errnos(v, NAME);
	return e ? wring_err_set(err, e, NAME ": out of memory") : 0;
}

static const struct wring_metric_info metric_infos[] = {
	{ "oom_kills", "count", "lower", "processes of the scenario that were killed for memory" },
	{ "load_errors", "count", "lower", "system calls of the loads that failed" },
	{ "global_oom_kills", "count", "lower", "kills because the machine ran out, not a cgroup" },
	{ "kill_reclaimable_bytes", "bytes", "lower", "clean page cache and slab in the cgroup at its worst kill" },
	{ "kill_freed_bytes", "bytes", "lower", "of these, what came free afterwards" },
	{ "kill_limit_bytes", "bytes", "", "the limit at that kill" },
	{ "errors_at_max", "count", "lower", "system calls that failed at memory.max, above those of the twin without a limit" },
	{ "errors_at_high", "count", "lower", "the same in a group with a memory.high below" },
	{ "allocstalls", "count", "lower", "allocations that had to reclaim by themselves" },
	{ "killed_pct", "%", "lower", "share of a load's starts in which somebody was killed" },
	{ "smallest_surviving_limit_bytes", "bytes", "lower", "mean of the smallest limit without a kill" },
	{ 0 }
};

static const struct wring_detector premature_oom = {
	.name = NAME,
	.summary = "an OOM kill although the cgroup still held memory that can be reclaimed",
	.doc =
	"Each OOM report of the run's cgroups is read from the kernel log. Reclaimable at the\n"
	"kill is the clean page cache (active_file + inactive_file - file_dirty -\n"
	"file_writeback, no shmem) plus slab_reclaimable minus what the loads say they hold\n"
	"(load.held_bytes). It fails when that is at least max(share-pct (10) % of the limit, 1M +\n"
	"512K for each CPU) and as much is then seen to come free in the group's next step\n"
	"`aftermath`, measured by memory.current and bounded by what memory.stat says of slab and\n"
	"page cache. The class is the first stage that frees it: rcu (by the end of the load or over\n"
	"an RCU barrier: the frees were queued, nobody waited for them), late (memory.reclaim takes\n"
	"it), withheld (only a remount takes it: shrinkers did nothing). Objects that nothing frees\n"
	"are pinned: no failure. Suspect, not failed: an allocation without __GFP_FS (class nofs),\n"
	"memory that was dirty or under writeback, or slab on a slow disk that was free only after a\n"
	"sync (class io). Dirty memory counts in full if the disk wrote pages in the second before\n"
	"(vmstat nr_written) and a load of the same workload on a disk in memory was killed at the\n"
	"same limit. A limit below `small` (16M) gives a metric only; a kill by writing memory.max\n"
	"below the usage is by design; a kill without a report is inconclusive. In a guest, kills for\n"
	"the whole machine are judged alike, by meminfo and vmstat.\n"
	"Groups with different limits: LOAD.killed_pct is the share of a load's starts in which\n"
	"somebody was killed, and smallest_surviving_limit_bytes the mean of the smallest limit without\n"
	"a kill (each limit weighed by the share that it is the first to save, kills made to fall\n"
	"with the limit), so that one kill more moves it a little. Class threshold, where the\n"
	"scenario sets `surviving`: it fails above that. Class errno: a load at memory.max has system calls fail\n"
	"more often than the same load, with the same seed, in a group without a limit; errno-high: the same\n"
	"in a group with a memory.high below memory.max, which is there to keep room for those who cannot\n"
	"wait (2015 3c 3d, 2014 2i); suspect where there was no page cache.\n"
	"A limit is a promise that the group may use that much: caches must go before tasks do\n"
	"(threads 2014 2a, 2019 0b and 0i, 2020 1a, 1g and 1j; R14 R15 R16 R23 R34 R39).",
	.limits = "share-pct small surviving",
	.controls =
	"fires: vfs_cache_pressure=0 in slab-at-max and pinned-objects (withheld), rcu-holdoff.ko in\n"
	"rcu-oom (rcu, threshold) and rcu-node (rcu), reclaim-refused.ko in dirty-at-max (late),\n"
	"nofs-fails.ko in nowait-at-max and nofs-at-max (errno);\n"
	"silent: pinned-objects (held by open files), oom-in-time (anonymous memory beyond the limit)\n"
	"and the others on a stock kernel",
	.metrics = metric_infos,
	.judge = judge,
};
WRING_REGISTER_DETECTOR(premature_oom);
