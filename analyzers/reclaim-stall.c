/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reclaim takes time from those it works for; it must not take it by the second, nor stop while there is something to take. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/load-metrics.h"
#include "analyzers/twin.h"
#include "harness/base/util.h"

#define NAME "reclaim-stall"
#define P99_MS 200
#define MAX_MS 2000
#define BLOCKED_MS 1000
#define WORK_PCT 500
#define ENOUGH_CLEAN (64LL << 20)
enum { MAX_SHRINKERS = 64 };
#define GAP_NS (200 * 1000000LL)

/* ---- shrinkers ---- */

struct scans {
	struct { char name[40]; double ms; } each[MAX_SHRINKERS];
	size_t n, slowest;
};

/* key: "super_cache_scan.us_le.4096", and how many scans took no longer and more than half of it */
static void add_scans(struct wring_view *v, void *arg, const char *load, const char *key, int64_t n)
{
	const char *dot = strstr(key, ".us_le.");
	struct scans *x = arg;
	double ms = dot ? strtod(dot + strlen(".us_le."), NULL) / 1e3 : 0;
	size_t i = 0;

	(void)v;
	(void)load;
	if (!dot || n <= 0 || (size_t)(dot - key) >= sizeof(x->each[0].name))
		return;
	while (i < x->n && (strncmp(x->each[i].name, key, (size_t)(dot - key)) || x->each[i].name[dot - key]))
		i++;
	if (i == MAX_SHRINKERS)
		return;
	if (i == x->n)
		snprintf(x->each[x->n++].name, sizeof(x->each[0].name), "%.*s", (int)(dot - key), key);
	x->each[i].ms = ms > x->each[i].ms ? ms : x->each[i].ms;
	if (x->each[i].ms > x->each[x->slowest].ms)
		x->slowest = i;
}

/* Whose scans, and for how long at the most: figures, and who is to be looked at where something fails. A scan is also as slow as the
 * machine, so that it is not judged. */
static void tell_scans(struct wring_view *v, struct scans *x)
{
	*x = (struct scans){ .n = 0 };
	wring_load_each(v, "shrinkers", "", add_scans, x);
	for (size_t i = 0; i < x->n; i++) {
		_cleanup_free_ char *name = wring_strf("scan_max_ms.%s", x->each[i].name);

		if (name)
			wring_metric(v, name, "ms", x->each[i].ms, "lower", "info");
	}
}

/* ---- a probe and its twin ---- */

/* What the twin waits is noise of the machine, and as much again may come on top of it. */
static void judge_quantile(struct wring_view *v, const char *cls, const char *load, const char *twin, double q, int64_t base,
			   const struct scans *scans)
{
	_cleanup_free_ char *name = wring_strf("stall_%s_ms.%s", q < 1 ? "p99" : "max", load);
	double ns, beside, ms, limit = (double)base;

	if (!wring_load_latency_ns(v, load, "slept.", q, &ns) || !wring_load_latency_ns(v, twin, "slept.", q, &beside)) {
		wring_finding(v, NAME, cls, WRING_INCONCLUSIVE, 0, limit, "ms",
			      "not known what %s and %s slept (sampler load-latency, slept = yes)", load, twin);
		return;
	}
	ms = ns > beside ? (ns - beside) / 1e6 : 0;
	limit += beside / 1e6;
	if (name)
		wring_metric(v, name, "ms", ms, "lower", q < 1 ? "primary" : "secondary");
	wring_finding(v, NAME, cls, ms > limit ? WRING_V_FAIL : WRING_PASS, ms, limit, "ms",
		      "%s slept for %.4g ms (%s), %.4g ms more than %s, the same probe outside the cgroup%s%s", load, ns / 1e6,
		      q < 1 ? "99th percentile" : "longest", ms, twin, scans->n ? "; the longest scan was one of " : "", scans->each[scans->slowest].name);
}

/* ---- the work ---- */

/* Growth of a counter; 0 where it was not sampled. */
static int64_t counted(struct wring_view *v, const char *sampler, const char *subject, const char *key, int64_t from, int64_t to)
{
	int64_t a, b;

	return wring_view_at(v, sampler, subject, key, from, &a) || wring_view_at(v, sampler, subject, key, to, &b) ? 0 : b - a;
}

/* What an object of the load cost its group in CPU time, whoever there spent it. */
static double us_each(struct wring_view *v, const struct wring_load *l, int64_t from, int64_t to)
{
	int64_t us = counted(v, "cpu.stat", l->group, "usage_usec", from, to), made = counted(v, "load", l->name, "made_objects", from, to);

	return (double)us / (double)(made > 0 ? made : 1);
}

/* Reclaim that works does not sleep. It is paid by those who make objects in the group, and may take a multiple of what the same
 * loads cost beside it, at the same time on the same machine. */
static void judge_work(struct wring_view *v, const struct wring_load *probe, const struct wring_load *twin)
{
	int64_t limit = wring_view_limit(v, NAME ".work-pct", WORK_PCT), signal;

	for (size_t i = 0; i < v->scenario->n_loads; i++) {
		const struct wring_load *l = &v->scenario->loads[i], *other = l == probe ? NULL : wring_twin(v, l, "");
		_cleanup_free_ char *name = wring_strf("reclaim_work_pct.%s", l->name);
		int64_t from, to, a, b;
		double us, beside;

		if (!name || !other || strcmp(l->group, probe->group) || strcmp(other->group, twin->group))
			continue;
		a = wring_load_started(v, l->name);
		b = wring_load_started(v, other->name);
		from = a > b ? a : b;
		a = wring_load_ended(v, l->name, &signal);
		b = wring_load_ended(v, other->name, &signal);
		to = a < b ? a : b;
		us = us_each(v, l, from, to);
		beside = us_each(v, other, from, to);
		if (us <= 0 || beside <= 0) {
			wring_finding(v, NAME, "work", WRING_INCONCLUSIVE, 0, (double)limit, "%",
				      "no CPU time of %s and %s (sampler cpu.stat)", l->group, other->group);
			continue;
		}
		wring_metric(v, name, "%", 100 * us / beside, "lower", "secondary");
		wring_finding(v, NAME, "work", 100 * us / beside > (double)limit ? WRING_V_FAIL : WRING_PASS, 100 * us / beside, (double)limit,
			      "%", "an object of %s cost %s %.4g us of CPU time, one of %s, outside the limit, %.4g us", l->name, l->group, us,
			      other->name, beside);
	}
}

static size_t judge_probes(struct wring_view *v, const struct scans *scans)
{
	size_t n = 0;

	for (size_t i = 0; v->scenario && i < v->scenario->n_loads; i++) {
		const struct wring_load *l = &v->scenario->loads[i], *twin;

		if (strcmp(l->workload, "latency-probe") ||
		    !(wring_planned_limit(v, l->group, "memory.max") || wring_planned_limit(v, l->group, "memory.high")))
			continue;
		twin = wring_twin(v, l, "");
		n++;
		if (!twin) {
			wring_finding(v, NAME, "latency", WRING_INCONCLUSIVE, 0, 0, "ms", "no twin of %s outside the cgroup", l->name);
			continue;
		}
		judge_quantile(v, "latency", l->name, twin->name, 0.99, wring_view_limit(v, NAME ".p99-ms", P99_MS), scans);
		judge_quantile(v, "latency-max", l->name, twin->name, 1, wring_view_limit(v, NAME ".max-ms", MAX_MS), scans);
		judge_work(v, l, twin);
	}
	return n;
}

/* ---- kswapd ---- */

struct sleep {
	int64_t from, to;    /* first and last sample of it */
	int64_t clean, stolen, direct, left;
};

static double sleep_ms(const struct sleep *s) { return (double)(s->to - s->from) / 1e6; }

/* Page cache of the node that could be had at once, in bytes. */
static int64_t clean_at(struct wring_view *v, const char *node, int64_t t_ns)
{
	static const struct { const char *key; int sign; } parts[] = {
		{ "nr_active_file", 1 }, { "nr_inactive_file", 1 }, { "nr_dirty", -1 }, { "nr_writeback", -1 },
	};
	int64_t sum = 0, n;

	for (size_t i = 0; i < WRING_ARRAY_SIZE(parts); i++)
		if (!wring_view_at(v, "node-vmstat", node, parts[i].key, t_ns, &n))
			sum += parts[i].sign * n;
	return sum * v->page_size;
}

static int64_t growth(struct wring_view *v, const char *key, int64_t from, int64_t to)
{
	const struct wring_series *s = wring_view_series(v, "vmstat", "", key);
	size_t a = s ? wring_series_find(s, from) : 0, b = s ? wring_series_find(s, to) : 0;

	if (!s || a == s->n)
		return 0;
	return s->v[b == s->n ? b - 1 : b] - s->v[a];
}

/* From the first to the last sample of a stretch: nothing of what was before or came later. */
static int64_t within(struct wring_view *v, const char *sampler, const char *subject, const char *key, const struct sleep *x, int64_t def)
{
	const struct wring_series *s = wring_view_series(v, sampler, subject, key);
	size_t a = s ? wring_series_find(s, x->from) : 0, b = s ? wring_series_find(s, x->to + 1) : 0;

	return s && a + 1 < b ? s->v[b - 1] - s->v[a] : def;
}

/* Bytes that left the page cache of the node during the sleep, at the most: by how much it shrank, and what was read and written
 * meanwhile may have taken their place. -1: not seen. */
static int64_t left_node(struct wring_view *v, const char *node, const struct sleep *x)
{
	int64_t active = within(v, "node-vmstat", node, "nr_active_file", x, INT64_MIN);
	int64_t inactive = within(v, "node-vmstat", node, "nr_inactive_file", x, INT64_MIN);
	int64_t written = within(v, "node-vmstat", node, "nr_written", x, INT64_MIN);
	int64_t read_kb = within(v, "vmstat", "", "pgpgin", x, INT64_MIN), shrank;

	if (active == INT64_MIN || inactive == INT64_MIN || written == INT64_MIN || read_kb == INT64_MIN)
		return -1;
	shrank = -(active + inactive);
	return (shrank > 0 ? shrank : 0) * v->page_size + written * v->page_size + read_kb * 1024;
}

/* The longest sleep while there was plenty to take; without one, the longest of all. */
static void find_sleep(struct wring_view *v, const char *node, const struct wring_series *s, struct sleep *ret, double *ret_share)
{
	int64_t asleep = 0, seen = 0;

	*ret = (struct sleep){ 0 };
	for (size_t i = 0, first = 0; i < s->n; i++) {
		int64_t dt = i ? s->t_ns[i] - s->t_ns[i - 1] : 0;
		struct sleep x;

		if (!i || !s->v[i] || !s->v[i - 1] || dt > GAP_NS)
			first = i; /* awake in between, for all we know */
		if (dt <= GAP_NS) {
			seen += dt;
			asleep += s->v[i] ? dt : 0;
		}
		x = (struct sleep){ .from = s->t_ns[first], .to = s->t_ns[i] };
		if (!s->v[i] || sleep_ms(&x) <= sleep_ms(ret))
			continue;
		/* what there still was after a second, not what others took later */
		x.clean = clean_at(v, node, x.from + 1000000LL * BLOCKED_MS < x.to ? x.from + 1000000LL * BLOCKED_MS : x.to);
		if (x.clean >= ENOUGH_CLEAN || ret->clean < ENOUGH_CLEAN)
			*ret = x;
	}
	ret->left = left_node(v, node, ret);
	ret->stolen = growth(v, "pgsteal_kswapd", ret->from, ret->to) * v->page_size;
	ret->direct = growth(v, "pgsteal_direct", ret->from, ret->to) * v->page_size;
	*ret_share = seen ? 100.0 * (double)asleep / (double)seen : 0;
}

/* Other nodes' kswapds count in the same counter: what they stole meanwhile leaves a doubt, unless as good as nothing left this node. */
static enum wring_verdict verdict_of(const struct wring_view *v, const struct sleep *x, int64_t limit)
{
	if (sleep_ms(x) <= (double)limit || x->clean < ENOUGH_CLEAN)
		return WRING_PASS;
	return x->stolen > wring_view_tolerance(v) && (x->left < 0 || x->left > wring_view_tolerance(v)) ? WRING_SUSPECT : WRING_V_FAIL;
}

/* The stack that the sampler told during that sleep. */
static const char *stack_of(struct wring_view *v, const char *node, const struct sleep *x)
{
	const struct wring_events *e = wring_view_events(v);

	for (size_t i = 0; i < e->n; i++)
		if (!strcmp(e->rows[i].kind, "stack") && !strcmp(e->rows[i].subject, node) && e->rows[i].t_ns >= x->from &&
		    e->rows[i].t_ns <= x->to + GAP_NS)
			return e->rows[i].text;
	return "not known";
}

static size_t judge_kswapd(struct wring_view *v)
{
	int64_t limit = wring_view_limit(v, NAME ".blocked-ms", BLOCKED_MS), from, to;
	double longest = 0, most = 0, share;
	size_t n = 0;

	for (unsigned i = 0; i < 1024; i++) {
		_cleanup_free_ char *node = wring_strf("node%u", i);
		const struct wring_series *s = node ? wring_view_series(v, "kswapd", node, "blocked") : NULL;
		struct sleep x;

		if (!s)
			continue;
		n++;
		find_sleep(v, node, s, &x, &share);
		longest = sleep_ms(&x) > longest ? sleep_ms(&x) : longest;
		most = share > most ? share : most;
		wring_finding(v, NAME, "kswapd", verdict_of(v, &x, limit), sleep_ms(&x), (double)limit, "ms",
			      "kswapd of %s slept uninterruptibly for %.0f ms with %lld bytes of clean page cache on its node; all kswapds "
			      "stole %lld bytes meanwhile, direct reclaim %lld, and at most %lld left the page cache of this node; %.1f %% of the "
			      "time it slept so; stack: %s", node, sleep_ms(&x), (long long)x.clean, (long long)x.stolen, (long long)x.direct,
			      (long long)x.left, share, x.from ? stack_of(v, node, &x) : "none");
	}
	if (!n)
		return 0;
	wring_view_span(v, &from, &to);
	wring_metric(v, "kswapd_blocked_pct", "%", most, "lower", "primary");
	wring_metric(v, "kswapd_blocked_max_ms", "ms", longest, "lower", "primary");
	wring_metric(v, "kswapd_steal_bytes", "bytes", (double)(growth(v, "pgsteal_kswapd", from, to) * v->page_size), "", "info");
	wring_metric(v, "allocstall", "count",
		     (double)(growth(v, "allocstall_normal", from, to) + growth(v, "allocstall_movable", from, to) +
			      growth(v, "allocstall_dma32", from, to)), "lower", "secondary");
	if (!growth(v, "pgscan_kswapd", from, to) && longest <= (double)limit)
		wring_finding(v, NAME, "kswapd", WRING_INCONCLUSIVE, 0, (double)limit, "ms", "kswapd had nothing to do in this run");
	return n;
}

static int judge(struct wring_view *v, struct wring_err *err)
{
	struct scans scans;
	size_t n;

	(void)err;
	tell_scans(v, &scans);
	n = judge_probes(v, &scans) + judge_kswapd(v);
	if (!n)
		wring_finding(v, NAME, "latency", WRING_INCONCLUSIVE, 0, 0, "ms",
			      "neither a latency-probe in a limited group nor a sample of kswapd");
	return 0;
}

static const struct wring_metric_info metric_infos[] = {
	{ "stall_p99_ms", "ms", "lower", "99 % of the probe's operations slept at most this much longer than its twin's outside the group" },
	{ "stall_max_ms", "ms", "lower", "the same of the longest" },
	{ "reclaim_work_pct", "%", "lower", "CPU time an object costs in the limited group, of what it costs beside it" },
	{ "scan_max_ms", "ms", "lower", "longest scan of a shrinker, at the most (the next power of two, in us), where the kernel traces events" },
	{ "kswapd_blocked_pct", "%", "lower", "share of the time that kswapd was blocked" },
	{ "kswapd_blocked_max_ms", "ms", "lower", "longest time that it was blocked" },
	{ "kswapd_steal_bytes", "bytes", "", "what kswapd freed meanwhile" },
	{ "allocstall", "count", "lower", "times a task had to reclaim by itself" },
	{ 0 }
};

static const struct wring_detector reclaim_stall = {
	.name = NAME,
	.summary = "tasks, or kswapd, that wait far too long for reclaim",
	.doc =
	"Class latency and latency-max: what the operations of each load latency-probe in a group with a\n"
	"limit slept (slept = yes: they waited neither for a CPU nor did they run), the 99th percentile and\n"
	"the longest, minus those of the same probe in a group without a limit in the same run, against\n"
	"p99-ms (200) and max-ms (2000) plus what the twin itself slept. Work is not sleep, and takes as\n"
	"long as the machine is slow or busy: class work compares, over the same time, the CPU time that\n"
	"each object of a load in the probe's group costs it with that of a load with the same options\n"
	"beside, against work-pct (500: it is made\n"
	"by a system call, and reclaim may look at it several times before it is freed). Class kswapd: the longest time a node's kswapd\n"
	"was seen in uninterruptible sleep (sampler kswapd; a gap of 200 ms between samples ends\n"
	"it), against blocked-ms (1000); it fails only where after a second the node still had 64M\n"
	"of clean page cache (node-vmstat) and no kswapd stole anything meanwhile, or as good as\n"
	"nothing left the page cache of that node (64 pages a CPU, counting what was read and written\n"
	"back meanwhile as if it had replaced as much); suspect where neither is sure. kswapd is there so that others need not reclaim: a shrinker or a\n"
	"disk that it waits for makes all of them wait (thread 2019, 0g 0h 0j; R02 R05 R26 R42).",
	.limits = "p99-ms max-ms work-pct blocked-ms",
	.controls =
	"fires: shrinker-latency with the fault module slow-dcache (spin=1: work), kswapd-blocked with\n"
	"kswapd-stuck; silent: both on a stock kernel",
	.metrics = metric_infos,
	.judge = judge,
};
WRING_REGISTER_DETECTOR(reclaim_stall);
