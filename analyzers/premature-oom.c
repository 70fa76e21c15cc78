/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A memcg was killed in although it held memory that reclaim should have taken first. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "analyzers/oom-report.h"
#include "analyzers/view.h"
#include "harness/base/util.h"

#define NAME "premature-oom"
#define SMALL_LIMIT (16LL << 20)

enum stage { AFTER_LOAD, AFTER_BARRIER, AFTER_RECLAIM, AFTER_REMOUNT, N_STAGES };

static const char *const stage_mark[N_STAGES] = {
	"after-load", "after-barrier", "after-reclaim", "after-remount",
};
/* What the memory was held up by, when it comes free at that stage. */
static const char *const stage_class[N_STAGES] = { "rcu", "rcu", "late", "withheld" };

/* One report judged. */
struct kill {
	const struct wring_oom_report *o;
	char subject[256];    /* of the cgroup at its limit; "" when the run does not sample it */
	int64_t threshold, ledger, clean_file, slab, dirty;
	int64_t reclaimable;  /* clean file + slab - ledger */
	bool has_aftermath;
	int64_t freed[N_STAGES];
	int64_t total_freed;
	int stage;            /* that freed it, or -1 */
	enum wring_verdict verdict;
	const char *cls;
};

static int64_t pos(int64_t v) { return v > 0 ? v : 0; }
static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);

	return n >= m && !strcmp(s + n - m, tail);
}

/* The run's subject of a path in the kernel's report. A source's path is that of its file, so its
 * folder ends with what the kernel calls the cgroup; inside a cgroup namespace the kernel says more
 * than the mount shows, so a named group also fits by the end of its own path. */
static bool find_subject(struct wring_view *v, const char *memcg, char *ret, size_t size)
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
 * moment, so the larger of its neighbours counts: in doubt for the kernel. */
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
		k = wring_series_find(s, t_ns);
		if (k)
			held = s->v[k - 1];
		if (k < s->n)
			held = max64(held, s->v[k]);
		sum += pos(held);
	}
	return sum;
}

/* The marks of the aftermath that followed the kill; 0 where there was none. */
static bool find_marks(struct wring_view *v, int64_t t_ns, int64_t t[N_STAGES])
{
	const struct wring_events *e = wring_view_events(v);

	memset(t, 0, N_STAGES * sizeof(*t));
	for (size_t i = 0; i < e->n; i++) {
		if (strcmp(e->rows[i].kind, "mark") || e->rows[i].t_ns < t_ns)
			continue;
		if (!strcmp(e->rows[i].subject, stage_mark[AFTER_LOAD]) && t[AFTER_LOAD])
			break; /* the next aftermath */
		for (int s = 0; s < N_STAGES; s++)
			if (!strcmp(e->rows[i].subject, stage_mark[s]) && !t[s])
				t[s] = e->rows[i].t_ns;
	}
	return t[AFTER_LOAD];
}

struct state { int64_t current, slab, file; bool has_current, has_stat; };

static struct state state_at(struct wring_view *v, const char *subject, int64_t t_mark)
{
	struct state s = { 0 };

	s.has_current = !wring_view_at_mark(v, "memory", subject, "current", t_mark, &s.current);
	s.has_stat = !wring_view_at_mark(v, "memory.stat", subject, "slab_reclaimable", t_mark,
					 &s.slab) &&
		     !wring_view_at_mark(v, "memory.stat", subject, "file", t_mark, &s.file);
	return s;
}

/* What came free over the stages. Exact current bounds what memory.stat says, and what memory.stat
 * says is of the kinds that were judged reclaimable (the killed task's own memory is not). What the
 * ledger held is let go by the death of its owner, so the slab that goes first is the ledger's. */
static void measure(struct wring_view *v, struct kill *k)
{
	int64_t t[N_STAGES], owed = k->ledger, slab_drop;
	struct state was, is;

	if (!k->subject[0] || !find_marks(v, k->o->t_ns, t))
		return;
	was = state_at(v, k->subject, t[AFTER_LOAD]);
	if (!was.has_current)
		return;
	k->has_aftermath = true;
	/* nobody asked for reclaim in between: frees that were on their way already */
	if (was.has_stat) {
		slab_drop = min64(pos(k->slab - was.slab), pos(k->o->usage - was.current));
		k->freed[AFTER_LOAD] = pos(slab_drop - owed);
		owed = pos(owed - slab_drop);
	}
	for (int s = AFTER_BARRIER; s < N_STAGES; s++) {
		int64_t drop;

		if (!t[s])
			continue;
		is = state_at(v, k->subject, t[s]);
		if (!is.has_current)
			continue;
		drop = pos(was.current - is.current);
		if (was.has_stat && is.has_stat) {
			slab_drop = pos(was.slab - is.slab);
			drop = min64(drop, slab_drop + pos(was.file - is.file));
		} else {
			slab_drop = drop;
		}
		k->freed[s] = pos(drop - min64(owed, slab_drop));
		owed = pos(owed - slab_drop);
		was = is;
	}
}

/* The first stage that frees enough alone; where only the sum does, the one that freed most. */
static int attribute(struct kill *k)
{
	int most = 0;

	for (int s = 0; s < N_STAGES; s++) {
		k->total_freed += k->freed[s];
		if (k->freed[s] > k->freed[most])
			most = s;
	}
	for (int s = 0; s < N_STAGES; s++)
		if (k->freed[s] >= k->threshold)
			return s;
	return k->total_freed >= k->threshold ? most : -1;
}

static void set(struct kill *k, enum wring_verdict verdict, const char *cls)
{
	k->verdict = verdict;
	k->cls = cls;
}

static void judge_kill(struct wring_view *v, struct kill *k)
{
	const struct wring_oom_report *o = k->o;

	if (o->by_write) {
		set(k, WRING_V_SKIP, "squeezed");
		return;
	}
	if (!wring_oom_complete(o)) {
		set(k, WRING_INCONCLUSIVE, "report");
		return;
	}
	k->threshold = max64(o->limit / 10, (1 << 20) + (512 << 10) * v->ncpu);
	k->ledger = ledger_at(v, k->subject[0] ? k->subject : ".", o->t_ns);
	k->clean_file = wring_oom_clean_file(o);
	k->slab = o->slab_reclaimable;
	k->dirty = pos(o->file_dirty) + pos(o->file_writeback);
	k->reclaimable = k->clean_file + pos(k->slab - k->ledger);
	measure(v, k);
	k->stage = attribute(k);
	if (o->limit < SMALL_LIMIT)
		set(k, WRING_V_SKIP, "small");
	else if (k->reclaimable + k->dirty < k->threshold)
		set(k, WRING_PASS, "deserved");
	else if (!k->has_aftermath)
		set(k, WRING_INCONCLUSIVE, "aftermath");
	else if (k->stage < 0)
		set(k, WRING_PASS, "pinned");
	else if (k->reclaimable < k->threshold)
		set(k, WRING_SUSPECT, "io");
	else if (!o->may_enter_fs)
		set(k, WRING_SUSPECT, "nofs");
	else
		set(k, WRING_V_FAIL, stage_class[k->stage]);
}

#define MB(x) ((double)(x) / (1 << 20))

static void report_kill(struct wring_view *v, const struct kill *k, size_t same)
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
		      (double)(k->stage >= 0 ? min64(k->reclaimable + k->dirty, k->total_freed)
					     : k->reclaimable),
		      (double)k->threshold, "bytes",
		      "%s killed in %s at %.1fM of %.1fM (%s, order %d): clean page cache %.1fM, "
		      "reclaimable slab %.1fM, of which held by the load %.1fM, dirty or under "
		      "writeback %.1fM; limit for what may be left %.1fM; came free: by the end "
		      "of the load %.1fM, over an RCU barrier %.1fM, over memory.reclaim %.1fM, "
		      "over a remount %.1fM%s; %zu kill(s) like this",
		      o->task, o->oom_memcg[0] ? o->oom_memcg : "an unnamed cgroup", MB(o->usage),
		      MB(o->limit), o->gfp[0] ? o->gfp : "no gfp mask", o->order, MB(k->clean_file),
		      MB(k->slab), MB(min64(k->ledger, k->slab)), MB(k->dirty), MB(k->threshold),
		      MB(k->freed[AFTER_LOAD]), MB(k->freed[AFTER_BARRIER]),
		      MB(k->freed[AFTER_RECLAIM]), MB(k->freed[AFTER_REMOUNT]),
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

static void metrics(struct wring_view *v, const struct tally *t, const struct kill *worst,
		    size_t global)
{
	int64_t kills = max64(t->kills, (int64_t)t->victims);
	int64_t errors = wring_view_load_max(v, ".", "errors", INT64_MIN, INT64_MAX);

	wring_metric(v, "oom_kills", "count", (double)kills, "lower", "primary");
	wring_metric(v, "load_errors", "count", (double)errors, "lower", "secondary");
	if (global)
		wring_metric(v, "global_oom_kills", "count", (double)global, "lower", "info");
	if (!worst)
		return;
	wring_metric(v, "kill_reclaimable_bytes", "bytes", (double)worst->reclaimable, "lower",
		     "secondary");
	wring_metric(v, "kill_freed_bytes", "bytes", (double)worst->total_freed, "lower", "info");
	wring_metric(v, "kill_limit_bytes", "bytes", (double)worst->o->limit, "", "info");
}

/* One finding for each class met, told by its worst kill. Returns the worst that was judged. */
static const struct kill *report_all(struct wring_view *v, const struct kill *kills, size_t n)
{
	const struct kill *worst = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct kill *w = &kills[i];
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

static int judge_reports(struct wring_view *v, const struct wring_oom_reports *r)
{
	_cleanup_free_ struct kill *kills = calloc(r->n ? r->n : 1, sizeof(*kills));
	struct tally t = { .kills = counted_kills(v), .victims = r->unreported };
	const struct kill *worst;
	size_t n = 0;

	if (!kills)
		return -ENOMEM;
	for (size_t i = 0; i < r->n; i++) {
		struct kill *k = &kills[n];

		if (!r->rows[i].is_memcg)
			continue;
		*k = (struct kill){ .o = &r->rows[i], .stage = -1 };
		/* a host has other cgroups than ours */
		if (!find_subject(v, k->o->oom_memcg, k->subject, sizeof(k->subject)) &&
		    k->o->oom_memcg[0] && !strcmp(v->row->where, "host"))
			continue;
		t.victims += k->o->n_victims;
		judge_kill(v, k);
		n++;
	}
	worst = report_all(v, kills, n);
	metrics(v, &t, worst, r->global);
	if (r->unreported || t.kills > (int64_t)t.victims)
		wring_finding(v, NAME, "unreported", WRING_INCONCLUSIVE,
			      (double)max64(t.kills, (int64_t)t.victims), (double)n, "kills",
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
	return e ? wring_err_set(err, e, NAME ": out of memory") : 0;
}

static const struct wring_detector premature_oom = {
	.name = NAME,
	.summary = "an OOM kill although the cgroup still held memory that can be reclaimed",
	.doc =
	"Each OOM report of the run's cgroups is read from the kernel log. Reclaimable at the\n"
	"kill is the clean page cache (active_file + inactive_file - file_dirty -\n"
	"file_writeback, no shmem) plus slab_reclaimable minus what the loads say they hold\n"
	"(load.held_bytes). It fails when that is at least max(10 % of the limit, 1M + 512K for\n"
	"each CPU) and as much is then seen to come free in the step `aftermath`, measured by\n"
	"memory.current and bounded by what memory.stat says of slab and page cache. The class\n"
	"is the first stage that frees it: rcu (by the end of the load or over an RCU barrier:\n"
	"the frees were queued, nobody waited for them), late (memory.reclaim takes it),\n"
	"withheld (only a remount takes it: shrinkers did nothing). Objects that nothing frees\n"
	"are pinned: no failure. Suspect, not failed: an allocation without __GFP_FS (class\n"
	"nofs), memory that was dirty or under writeback (class io). A limit below 16M gives a\n"
	"metric only; a kill by writing memory.max below the usage is by design; a kill without\n"
	"a report is inconclusive. A limit is a promise that the group may use that much:\n"
	"caches must go before tasks do (threads 2014 2a, 2019 0b and 0i, 2020 1a and 1g; R14\n"
	"R15 R16 R23 R34 R39).",
	.controls =
	"fires: vfs_cache_pressure=0 at the limit (withheld), slow RCU by\n"
	"jiffies_till_first_fqs (rcu); silent: dentries pinned by open files, anonymous memory\n"
	"beyond the limit",
	.judge = judge,
};
WRING_REGISTER_DETECTOR(premature_oom);
