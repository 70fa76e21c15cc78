/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Removed memory cgroups that stay behind although nothing they held is left. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "analyzers/stats/order.h"
#include "analyzers/stats/trend.h"
#include "analyzers/view.h"
#include "harness/base/util.h"

#define NAME "dying-memcg"
#define COUNTER "nr_dying_descendants"
enum { MIN_BLOCKS = 7, MIN_DISTINCT = 5 }; /* 6 blocks cannot reach p < .001: 1/6! */
#define MAX_P 0.001
#define CONFIDENCE 0.99
#define MIN_DOSE 1.5
#define MAX_DOSE 2.5
#define STRANDED_PCT 10

static size_t depth(const char *path)
{
	size_t n = strcmp(path, ".") != 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* Where the removed groups are counted: the deepest group sampled that the deferred groups were
 * children of, else the scenario's root. */
static void find_subject(struct wring_view *v, char *ret, size_t size)
{
	const struct wring_scenario *s = v->scenario;

	snprintf(ret, size, ".");
	for (size_t i = 0; s && i < s->n_groups; i++) {
		const char *path = s->groups[i].path, *slash = strrchr(path, '/');
		char parent[256];

		if (!s->groups[i].deferred || !slash || (size_t)(slash - path) >= sizeof(parent))
			continue;
		memcpy(parent, path, (size_t)(slash - path));
		parent[slash - path] = '\0';
		if (depth(parent) > depth(ret) &&
		    wring_view_series(v, "cgroup.stat", parent, COUNTER))
			snprintf(ret, size, "%s", parent);
	}
}

/* ---- residue ---- */

/* The last mark after a drain: "cycle" marks are written right after one, too. */
static int last_drained(struct wring_view *v, int64_t *ret_t_ns)
{
	int64_t a, b;
	int ra = wring_view_last_mark(v, "drained", &a), rb = wring_view_last_mark(v, "cycle", &b);

	if (ra && rb)
		return -ENOENT;
	*ret_t_ns = ra || (!rb && b > a) ? b : a;
	return 0;
}

static int64_t held_now(struct wring_view *v, const char *key, int64_t t_mark)
{
	int64_t sum = 0, n;

	for (size_t i = 0; v->scenario && i < v->scenario->n_loads; i++)
		if (!wring_view_at_mark(v, "load", v->scenario->loads[i].name, key, t_mark, &n))
			sum += n > 0 ? n : 0;
	return sum;
}

static int judge_residue(struct wring_view *v, const char *subject)
{
	int64_t t_start, t_end, before = 0, after, held, allowed;

	if (last_drained(v, &t_end)) {
		wring_finding(v, NAME, "residue", WRING_INCONCLUSIVE, 0, 0, "memcgs",
			      "the run never got to a mark `drained` or `cycle`: what stays "
			      "after a drain is not known");
		return 0;
	}
	if (wring_view_at_mark(v, "cgroup.stat", subject, COUNTER, t_end, &after)) {
		wring_finding(v, NAME, "residue", WRING_INCONCLUSIVE, 0, 0, "memcgs",
			      "no sample of cgroup.stat " COUNTER " in %s after the last drain",
			      subject);
		return 0;
	}
	if (!wring_view_event_time(v, "mark", "start", 0, &t_start))
		wring_view_at_mark(v, "cgroup.stat", subject, COUNTER, t_start, &before);
	held = held_now(v, "held_objects", t_end);
	allowed = wring_view_limit(v, NAME ".residue", 0) + held;
	wring_metric(v, "dying_after_drain", "count", (double)after, "lower", "primary");
	wring_metric(v, "dying_residue", "count", (double)(after - before), "lower", "secondary");
	wring_finding(v, NAME, "residue", after - before > allowed ? WRING_V_FAIL : WRING_PASS,
		      (double)(after - before), (double)allowed, "memcgs",
		      "%lld dying memcgs under %s after the last drain, %lld at the start; "
		      "allowed are %lld, of which the loads hold %lld",
		      (long long)after, subject, (long long)before, (long long)allowed,
		      (long long)held);
	return 0;
}

/* ---- leak ---- */

/* What may grow with every block of cycles. Where bytes are counted for the whole machine there is noise that no cgroup makes, so that
 * only a rise that is large as well is suspect. */
struct leak_kind {
	const char *class, *metric, *sampler, *key, *held, *unit, *limit;
	int64_t scale;       /* of the sampled number */
	int64_t each, floor; /* for each group created, in thousandths; at least; < 0: pages a CPU */
	bool is_of_group, is_noisy;
	bool is_slab; /* what is free in slabs is no leak: the next object takes it */
};
static const struct leak_kind kinds[] = {
	{ "leak", "dying_per_block", "cgroup.stat", COUNTER, "held_objects", "memcgs", NAME ".leak", 1, 10, 1, true, false, false },
	{ "leak-kernel", "kernel_per_block", "memory.stat", "kernel", "held_bytes", "bytes", NAME ".leak-kernel", 1, 0, -128, true, true, false },
	{ "leak-slab", "slab_per_block", "meminfo", "Slab", "held_bytes", "bytes", NAME ".leak-slab", 1024, 1024000, -256, false, true, true },
	{ "leak-percpu", "percpu_per_block", "meminfo", "Percpu", "held_bytes", "bytes", NAME ".leak-percpu", 1024, 512000, -16, false, true, false },
};

/* What stayed after the drain of each block of cycles, without what the loads say they hold. Returns their number, or
 * -ENOMEM. */
static int block_values(struct wring_view *v, const struct leak_kind *kind, const char *subject, double **ret)
{
	const struct wring_events *e = wring_view_events(v);
	_cleanup_free_ double *y = calloc(e->n ? e->n : 1, sizeof(*y));
	int n = 0;

	if (!y)
		return -ENOMEM;
	for (size_t i = 0; i < e->n; i++) {
		int64_t value;

		if (!strcmp(e->rows[i].kind, "mark") && !strcmp(e->rows[i].subject, "cycle") &&
		    !wring_view_at_mark(v, kind->sampler, kind->is_of_group ? subject : "", kind->key, e->rows[i].t_ns, &value))
			y[n++] = (double)(value * kind->scale - held_now(v, kind->held, e->rows[i].t_ns) -
					  (kind->is_slab ? wring_view_free_in_slabs(v, e->rows[i].t_ns) : 0));
	}
	*ret = WRING_TAKE_PTR(y);
	return n;
}

static size_t count_created(struct wring_view *v, const char *subject)
{
	const struct wring_events *e = wring_view_events(v);
	size_t n = 0;

	for (size_t i = 0; i < e->n; i++)
		n += !strcmp(e->rows[i].kind, "group") && !strncmp(e->rows[i].text, "created", 7) &&
		     strcmp(e->rows[i].subject, subject) &&
		     wring_group_within(e->rows[i].subject, subject);
	return n;
}

/* Growth over the whole run against growth over its first half: twice the dose, about twice the
 * effect. A step, a burst or a plateau is no leak. */
static double dose(const double *y, size_t n)
{
	size_t half = (n - 1) / 2;
	double first = y[half] - y[0];

	/* an even number of blocks has no middle: scale to the steps made */
	if (first <= 0)
		return 0;
	return (y[n - 1] - y[0]) / first * (double)(2 * half) / (double)(n - 1);
}

struct leak {
	struct wring_mk mk;
	struct wring_theil slope;
	double growth, floor, dose;
	size_t n, distinct;
	bool is_rising, is_large, is_varied, is_dosed;
};

static double floor_of(struct wring_view *v, const struct leak_kind *kind, const char *subject)
{
	double by_groups = (double)count_created(v, subject) * (double)kind->each / 1000;
	double least = (double)wring_view_limit(v, kind->limit, kind->floor < 0 ? -kind->floor * v->page_size * v->ncpu : kind->floor);

	return by_groups > least ? by_groups : least;
}

static int measure_leak(struct wring_view *v, const struct leak_kind *kind, const char *subject, double *y, size_t n, struct leak *l)
{
	l->n = n;
	l->mk = wring_mann_kendall(y, n);
	if (wring_theil_sen(NULL, y, n, CONFIDENCE, &l->slope))
		return -ENOMEM;
	l->growth = l->slope.lower * (double)(n - 1);
	l->floor = floor_of(v, kind, subject);
	l->dose = dose(y, n);
	l->distinct = wring_distinct(y, n); /* sorts: y is spent */
	l->is_rising = l->mk.p_up < MAX_P;
	l->is_large = l->growth >= l->floor;
	l->is_varied = l->distinct >= MIN_DISTINCT;
	l->is_dosed = l->dose >= MIN_DOSE && l->dose <= MAX_DOSE;
	return 0;
}

static void report_leak(struct wring_view *v, const struct leak_kind *kind, const char *subject, const struct leak *l)
{
	enum wring_verdict verdict = WRING_PASS;

	if (l->is_rising && l->is_large && l->is_varied && l->is_dosed)
		verdict = WRING_V_FAIL;
	else if (kind->is_noisy ? l->is_rising && l->is_large : l->is_rising || l->is_large)
		verdict = WRING_SUSPECT;
	wring_metric(v, kind->metric, kind->scale == 1 && kind->is_of_group && !kind->is_noisy ? "count" : "bytes", l->slope.slope, "lower",
		     "secondary");
	wring_finding(v, NAME, kind->class, verdict, fmax(l->growth, 0), l->floor, kind->unit,
		      "%s %s under %s after the drain of %zu blocks: Mann-Kendall p %.2g "
		      "(%s %g), slope %.3g a block with a lower 99 %% bound that makes %.3g over "
		      "the run (%s floor %.3g), %zu different values (%s %d), growth of the run "
		      "over that of its first half %.2f (%s %.1f to %.1f)",
		      kind->sampler, kind->key, kind->is_of_group ? subject : "no group in particular", l->n, l->mk.p_up,
		      l->is_rising ? "<" : "not <", MAX_P,
		      l->slope.slope, l->growth, l->is_large ? ">=" : "below the", l->floor,
		      l->distinct, l->is_varied ? ">=" : "fewer than", MIN_DISTINCT, l->dose,
		      l->is_dosed ? "within" : "not within", MIN_DOSE, MAX_DOSE);
}

static int judge_leak(struct wring_view *v, const struct leak_kind *kind, const char *subject)
{
	_cleanup_free_ double *y = NULL;
	struct leak l;
	int n = block_values(v, kind, subject, &y);

	if (n < 0)
		return n;
	if (n < MIN_BLOCKS) {
		/* a scenario without cycles has no slope to judge: nothing to report */
		if (n && !kind->is_noisy)
			wring_finding(v, NAME, kind->class, WRING_V_SKIP, n, MIN_BLOCKS, "blocks",
				      "%d block(s) of cycles cannot show a leak at p < %g", n,
				      MAX_P);
		return 0;
	}
	if (measure_leak(v, kind, subject, y, (size_t)n, &l))
		return -ENOMEM;
	report_leak(v, kind, subject, &l);
	return 0;
}

/* ---- stranded ---- */

/* What removed groups leave to their parent must be reclaimable there. Judged once there was so much that what a CPU may keep to
 * itself does not count. */
static void judge_stranded(struct wring_view *v, const char *subject)
{
	const struct wring_series *s = wring_view_series(v, "memory.stat", subject, "slab_reclaimable");
	int64_t t_start, t_end, before = 0, after, peak, allowed;

	if (!s || last_drained(v, &t_end) || wring_view_at_mark(v, "memory.stat", subject, "slab_reclaimable", t_end, &after))
		return;
	if (!wring_view_event_time(v, "mark", "start", 0, &t_start))
		wring_view_at_mark(v, "memory.stat", subject, "slab_reclaimable", t_start, &before);
	peak = wring_series_max(s, INT64_MIN, t_end, 0) - before;
	if (peak < 8 * wring_view_tolerance(v))
		return;
	allowed = peak * wring_view_limit(v, NAME ".stranded-pct", STRANDED_PCT) / 100 + wring_view_tolerance(v) + held_now(v, "held_bytes", t_end);
	wring_metric(v, "stranded_bytes", "bytes", (double)(after - before), "lower", "primary");
	wring_finding(v, NAME, "stranded", after - before > allowed ? WRING_V_FAIL : WRING_PASS, (double)(after - before), (double)allowed, "bytes",
		      "%lld bytes of reclaimable slab under %s after the last drain, %lld at the start and %lld more at most: what removed "
		      "groups made must be reclaimable through their parent (allowed are %lld)", (long long)after, subject, (long long)before,
		      (long long)peak, (long long)allowed);
}

/* ---- before the drain: by design, so only metrics ---- */

static void peak_metrics(struct wring_view *v, const char *subject, const struct wring_series *s)
{
	int64_t peak = 0, t_peak = 0, bytes;

	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i] <= peak)
			continue;
		peak = s->v[i];
		t_peak = s->t_ns[i];
	}
	wring_metric(v, "dying_peak", "count", (double)peak, "lower", "secondary");
	if (!peak)
		return;
	if (!wring_view_at(v, "memory.stat", subject, "percpu", t_peak, &bytes))
		wring_metric(v, "dying_percpu_bytes_each", "bytes", (double)bytes / (double)peak,
			     "lower", "info");
	if (!wring_view_at(v, "memory.stat", subject, "slab", t_peak, &bytes))
		wring_metric(v, "dying_slab_bytes_each", "bytes", (double)bytes / (double)peak,
			     "lower", "info");
}

static int judge(struct wring_view *v, struct wring_err *err)
{
	const struct wring_series *s;
	char subject[256];
	int r;

	find_subject(v, subject, sizeof(subject));
	s = wring_view_series(v, "cgroup.stat", subject, COUNTER);
	if (!s) {
		wring_finding(v, NAME, "residue", WRING_INCONCLUSIVE, 0, 0, "memcgs",
			      "the run has no samples of cgroup.stat " COUNTER " in %s", subject);
		return 0;
	}
	peak_metrics(v, subject, s);
	r = judge_residue(v, subject);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(kinds) && !r; i++)
		r = judge_leak(v, &kinds[i], subject);
	judge_stranded(v, subject);
	return r ? wring_err_set(err, r, NAME ": out of memory") : 0;
}

static const struct wring_metric_info metric_infos[] = {
	{ "dying_after_drain", "count", "lower", "dying cgroups left after the last drain" },
	{ "dying_residue", "count", "lower", "of these, how many more than at the start" },
	{ "dying_per_block", "count", "lower", "slope of dying cgroups over the blocks of cycles" },
	{ "dying_peak", "count", "lower", "most dying cgroups at once, before the drain" },
	{ "dying_percpu_bytes_each", "bytes", "lower", "per-CPU memory of one of them, at that moment" },
	{ "dying_slab_bytes_each", "bytes", "lower", "slab of one of them, at that moment" },
	{ "kernel_per_block", "bytes", "lower", "slope of the group's kernel memory over the blocks of cycles" },
	{ "slab_per_block", "bytes", "lower", "slope of the machine's slab over them, without what is free in its slabs" },
	{ "percpu_per_block", "bytes", "lower", "slope of the machine's per-CPU memory over them" },
	{ "stranded_bytes", "bytes", "lower", "reclaimable slab that is still charged after the last drain" },
	{ 0 }
};

static const struct wring_detector dying_memcg = {
	.name = NAME,
	.summary = "removed memory cgroups that stay behind after their memory was drained",
	.doc =
	"Counts nr_dying_descendants of the group that the removed groups were children of.\n"
	"Before a drain it is a metric: page cache, shmem, swap entries, sockets and moved\n"
	"threads pin a memcg by design. The drain is sync, memory.reclaim until nothing moves,\n"
	"an RCU barrier and two flush periods. Class residue: more are left at the last mark\n"
	"`drained` or `cycle` than at `start` plus [limits] dying-memcg.residue (0) plus what\n"
	"the loads say they hold (load.held_objects). Class leak: over the marks `cycle`, one\n"
	"after each block of cycles, all of: Mann-Kendall p < .001, a lower 99 % bound of the\n"
	"Theil-Sen slope that makes at least max(1 % of the groups created, [limits]\n"
	"dying-memcg.leak (1)) over the run, 5 different values, and a growth 1.5 to 2.5 times\n"
	"that of the first half; suspect when it rises or is large but not all hold. Classes\n"
	"leak-kernel (memory.stat kernel of the group), leak-slab and leak-percpu (of the machine): the\n"
	"same of bytes, with floors of 128 pages a CPU, 256 or 1 KB a group created, and 16 pages a CPU\n"
	"or 512 bytes a group; suspect only when both rising and large. Class stranded: after the last\n"
	"drain more than stranded-pct (10) % of the reclaimable slab there was (8 times 64 pages a CPU\n"
	"at least) is still charged: lists of a removed group must have gone to its parent. Each memcg\n"
	"that stays costs percpu memory and time in every walk of the tree, and ids run out\n"
	"(threads 2019 0l, 2014 2e 2f 2g 2h; R06 R08 R09 R10 R12 R52).",
	.limits = "residue leak leak-kernel leak-slab leak-percpu stranded-pct",
	.controls =
	"fires: a tmpfs file or memfd held open from outside in each cycle; memcg-churn with the faults\n"
	"css-leak and kmem-leak, offline-reparent with reparent-lost (tests/e2e/long/controls-2014.bats); silent: the\n"
	"same without a holder or a fault",
	.metrics = metric_infos,
	.judge = judge,
};
WRING_REGISTER_DETECTOR(dying_memcg);
