/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Detectors of what limits do to those who meet them, over small stores: high-stall, reclaim-stall, numa-spill, thp-fallback,
 * and the classes errno, above-max and asleep of others. */
#include "tests/unit/synth.h"

#define I(x) ((int64_t)(x))

static void start(struct synth *s, const char *name, const char *plan)
{
	synth_open(s, "vm");
	synth_run(s, name, plan);
	synth_mark(s, 0, "start");
}

/* ---- high-stall ---- */

static const char plan_stall[] =
	"[scenario]\nname = high-no-swap\ndetectors = high-stall\n[group work]\nmemory.high = 32M\n[group free]\n"
	"[load grow]\nworkload = anon\ngroup = work\n[load twin]\nworkload = anon\ngroup = free\nrate = 500\n[phase p]\ndo = mark x\n";

struct stall_case {
	int64_t from_ms, to_ms; /* no step of the load */
	int64_t twin_to_ms;     /* none of the twin since 1000 */
	int64_t cpu_ms;         /* in the kernel, within the stall */
	int64_t away_ms;        /* the sampler, from `from` on */
	bool never, finished;
	const char *cls, *verdict;
};

/* Ten seconds of samples every 100 ms. */
static void run_stall(const struct stall_case *c)
{
	struct synth s;
	size_t grow, twin, cpu;

	start(&s, "high-no-swap", plan_stall);
	grow = synth_source(&s, "load-threads", "grow", "", "+ops.0");
	twin = synth_source(&s, "load-threads", "twin", "", "+ops.0");
	cpu = synth_source(&s, "cpu.stat", "work", "", "+usage_usec +user_usec +system_usec");
	synth_event(&s, 100, "load", "grow", "start procs=1");
	synth_event(&s, 100, "load", "twin", "start procs=1");
	for (int64_t t = 100, n = 0, m = 0; t <= 10000; t += 100) {
		bool asleep = t > c->from_ms && t <= c->to_ms;

		n += !asleep && !c->never;
		m += !(t > 1000 && t <= c->twin_to_ms);
		if (t > c->from_ms && t <= c->from_ms + c->away_ms)
			continue;
		synth_sample(&s, grow, t, n);
		synth_sample(&s, twin, t, m);
		synth_sample(&s, cpu, t, I(0), I(0), asleep ? c->cpu_ms * 1000 * (t - c->from_ms) / (c->to_ms - c->from_ms) :
						     t > c->to_ms ? c->cpu_ms * 1000 : I(0));
	}
	synth_event(&s, 10000, "load", "grow", c->finished ? "exit pid=1 code=0" : "exit pid=1 signal=9");
	synth_event(&s, 10000, "load", "twin", "exit pid=2 signal=9");
	synth_judge(&s, "high-stall");
	EXPECT(&s, c->cls, c->verdict);
	synth_done(&s);
}

static void test_high_stall(void **state)
{
	static const struct stall_case rows[] = {
		{ 4000, 6000, .cls = "stall", .verdict = "pass" },                    /* one sleep of the kernel's */
		{ 4000, 9000, .cls = "stall", .verdict = "fail" },
		{ 4000, 9000, .cpu_ms = 4000, .cls = "stall", .verdict = "pass" },    /* it worked */
		{ 4000, 9000, .twin_to_ms = 5000, .cls = "stall", .verdict = "pass" },/* so did nobody else */
		{ 4000, 9000, .away_ms = 4000, .cls = "stall", .verdict = "pass" },   /* nobody looked */
		{ 4000, 20000, .cls = "stall", .verdict = "fail" },                   /* killed in it */
		{ 4000, 20000, .finished = true, .cls = "stall", .verdict = "pass" }, /* it was done */
		{ 0, 0, .never = true, .cls = "stuck", .verdict = "fail" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run_stall(&rows[i]);
}

/* ---- reclaim-stall ---- */

static const char plan_probe[] =
	"[scenario]\nname = shrinker-latency\ndetectors = reclaim-stall\n[group work]\nmemory.max = 64M\n[group beside]\n"
	"[load probe]\nworkload = latency-probe\ngroup = work\n[load twin]\nworkload = latency-probe\ngroup = beside\n"
	"[phase p]\ndo = mark x\n";

/* 98 operations that sleep for 1 ms, two for so many ms. */
static void run_probe(int64_t slow_ms, int64_t twin_ms, const char *verdict, const char *max_verdict)
{
	struct synth s;
	size_t probe, twin;

	start(&s, "shrinker-latency", plan_probe);
	/* floors of buckets: 2^20 ns; and 2^k for the slow ones */
	probe = synth_source(&s, "load-latency", "probe", "", slow_ms > 2000 ? "+slept.ge.1048576 +slept.ge.2147483648 slept.max_ns" :
							     slow_ms > 200 ? "+slept.ge.1048576 +slept.ge.268435456 slept.max_ns" :
									     "+slept.ge.1048576 +slept.ge.67108864 slept.max_ns");
	twin = synth_source(&s, "load-latency", "twin", "", twin_ms > 2000 ? "+slept.ge.1048576 +slept.ge.2147483648 slept.max_ns" :
							   "+slept.ge.1048576 +slept.ge.67108864 slept.max_ns");
	synth_sample(&s, probe, 1000, I(98), I(2), slow_ms * MS);
	synth_sample(&s, twin, 1000, I(98), I(2), twin_ms * MS);
	synth_judge(&s, "reclaim-stall");
	EXPECT(&s, "latency", verdict);
	EXPECT(&s, "latency-max", max_verdict);
	synth_done(&s);
}

static void test_probe(void **state)
{
	(void)state;
	run_probe(70, 70, "pass", "pass");
	run_probe(280, 70, "pass", "pass"); /* 0.2 s more than the twin, and what the twin waits, are allowed */
	run_probe(2300, 70, "fail", "fail");
	run_probe(2300, 2300, "pass", "pass"); /* the whole machine was slow */
}

/* Whose scan was the longest is in the evidence, and the longest of each a figure. */
static void test_scans(void **state)
{
	struct synth s;
	size_t probe, twin, scans;

	(void)state;
	start(&s, "shrinker-latency", plan_probe);
	probe = synth_source(&s, "load-latency", "probe", "", "+slept.ge.2147483648 slept.max_ns");
	twin = synth_source(&s, "load-latency", "twin", "", "+slept.ge.1048576 slept.max_ns");
	scans = synth_source(&s, "shrinkers", "", "", "+a_scan.us_le.4 +super_cache_scan.us_le.64 +super_cache_scan.us_le.4194304 +b_scan.us_le.512");
	synth_sample(&s, probe, 1000, I(100), 2300 * MS);
	synth_sample(&s, twin, 1000, I(100), MS);
	synth_sample(&s, scans, 1000, I(9), I(8), I(1), I(2));
	synth_judge(&s, "reclaim-stall");
	EXPECT(&s, "latency", "fail");
	assert_non_null(strstr(synth_find(&s, "latency")->evidence, "the longest scan was one of super_cache_scan"));
	assert_true(synth_metric(&s, "scan_max_ms.super_cache_scan") == 4194.304);
	assert_true(synth_metric(&s, "scan_max_ms.b_scan") == 0.512);
	synth_done(&s);
}

/* How long operations take is not judged: they may have worked, or waited for a CPU. */
static void test_probe_that_does_not_tell(void **state)
{
	struct synth s;
	size_t probe, twin;

	(void)state;
	start(&s, "shrinker-latency", plan_probe);
	probe = synth_source(&s, "load-latency", "probe", "", "+ge.1048576 +ge.2147483648 max_ns");
	twin = synth_source(&s, "load-latency", "twin", "", "+ge.1048576 max_ns");
	synth_sample(&s, probe, 1000, I(98), I(2), 2300 * MS);
	synth_sample(&s, twin, 1000, I(100), MS);
	synth_judge(&s, "reclaim-stall");
	EXPECT(&s, "latency", "inconclusive");
	EXPECT(&s, "latency-max", "inconclusive");
	assert_null(synth_find(&s, "work"));
	synth_done(&s);
}

static const char plan_work[] =
	"[scenario]\nname = shrinker-latency\ndetectors = reclaim-stall\n[group work]\nmemory.max = 64M\n[group beside]\n"
	"[load probe]\nworkload = latency-probe\ngroup = work\n[load twin]\nworkload = latency-probe\ngroup = beside\n"
	"[load more]\nworkload = dentry\ngroup = work\n[load more-twin]\nworkload = dentry\ngroup = beside\n"
	"[phase p]\ndo = mark x\n";

/* A thousand names beside for 100 us each; so many in the group, for so many us in all. What came before both ran does not count. */
static void run_work(int64_t made, int64_t us, const char *verdict)
{
	struct synth s;
	size_t in, beside, more, twin;

	start(&s, "shrinker-latency", plan_work);
	in = synth_source(&s, "cpu.stat", "work", "", "+usage_usec");
	beside = synth_source(&s, "cpu.stat", "beside", "", "+usage_usec");
	more = synth_source(&s, "load", "more", "", "+made_objects");
	twin = synth_source(&s, "load", "more-twin", "", "+made_objects");
	synth_event(&s, 900, "load", "more", "start procs=1");
	synth_event(&s, 1000, "load", "more-twin", "start procs=1");
	for (int64_t t = 500; t <= 6000; t += 500) {
		bool done = t >= 5000;

		synth_sample(&s, in, t, 7000000 + (done ? us : 0));
		synth_sample(&s, beside, t, I(done ? 100000 : 0));
		synth_sample(&s, more, t, I(t > 500 ? 5 : 0) + (done ? made : 0));
		synth_sample(&s, twin, t, I(done ? 1000 : 0));
	}
	synth_event(&s, 5000, "load", "more", "exit pid=7 code=0");
	synth_event(&s, 5100, "load", "more-twin", "exit pid=8 code=0");
	synth_judge(&s, "reclaim-stall");
	EXPECT(&s, "work", verdict);
	synth_done(&s);
}

static void test_work(void **state)
{
	(void)state;
	run_work(1000, 120000, "pass");
	run_work(500, 225000, "pass"); /* half as many, each for 4.5 times as much */
	run_work(500, 300000, "fail");
	run_work(0, 900000, "fail"); /* all of it for nothing */
	run_work(1000, 0, "inconclusive");
}

struct kswapd_case {
	int64_t blocked_ms, clean_mib, stolen_mib;
	int64_t left_mib, written_mib; /* of the node itself, meanwhile */
	bool gap, has_node;
	const char *verdict;
};

static void run_kswapd(const struct kswapd_case *c)
{
	struct synth s;
	size_t state, node, vm;
	int64_t pages = MIB / 4096;

	start(&s, "kswapd-blocked",
	      "[scenario]\nname = kswapd-blocked\ndetectors = reclaim-stall\n[group g]\n[load l]\nworkload = anon\ngroup = g\n"
	      "[phase p]\ndo = mark x\n");
	state = synth_source(&s, "kswapd", "node0", "", "blocked running +cpu_ticks");
	node = synth_source(&s, "node-vmstat", "node0", "", c->has_node ?
			    "nr_active_file nr_inactive_file nr_dirty nr_writeback nr_written" : "nr_active_file nr_inactive_file nr_dirty nr_writeback x");
	vm = synth_source(&s, "vmstat", "", "", "+pgsteal_kswapd +pgsteal_direct +pgscan_kswapd +allocstall_normal +pgpgin");
	for (int64_t t = 100; t <= 10000; t += 50) {
		bool blocked = t >= 3000 && t < 3000 + c->blocked_ms;

		synth_sample(&s, vm, t, t < 3500 ? I(1000) : 1000 + c->stolen_mib * pages, I(0), I(5000 + t), I(0), I(77));
		synth_sample(&s, node, t, I(0), (c->clean_mib + 8 - (t < 4500 ? 0 : c->left_mib)) * pages, 4 * pages, 4 * pages,
			     t < 4500 ? I(0) : c->written_mib * pages);
		if (!c->gap || t % 500 == 0)
			synth_sample(&s, state, t, I(blocked), I(0), I(0));
	}
	synth_judge(&s, "reclaim-stall");
	EXPECT(&s, "kswapd", c->verdict);
	synth_done(&s);
}

static void test_kswapd(void **state)
{
	static const struct kswapd_case rows[] = {
		{ 500, 512, 0, .verdict = "pass" },
		{ 5000, 512, 0, .verdict = "fail" },
		{ 5000, 16, 0, .verdict = "pass" },                  /* there was nothing better to do */
		{ 5000, 512, 100, .verdict = "suspect" },            /* another node's may have stolen that */
		{ 5000, 512, 100, .has_node = true, .verdict = "fail" }, /* and has: nothing left this node */
		{ 5000, 512, 100, .has_node = true, .left_mib = 20, .verdict = "suspect" },
		{ 5000, 512, 100, .has_node = true, .written_mib = 20, .verdict = "suspect" }, /* may have taken the place of what was stolen */
		{ 5000, 512, 0, .gap = true, .verdict = "pass" },    /* seen twice a second: it may have been awake in between */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run_kswapd(&rows[i]);
}

/* ---- numa-spill ---- */

static void run_numa(int64_t remote_mib, int64_t twin_remote_mib, int64_t partial_objects, const char *verdict)
{
	struct synth s;
	size_t a, b, slab;

	start(&s, "numa-at-limit",
	      "[scenario]\nname = numa-at-limit\ndetectors = numa-spill\n[group limited]\nmemory.max = 64M\ncpuset.mems = 0\n"
	      "[group free]\ncpuset.mems = 0\n[load l]\nworkload = anon\ngroup = limited\n[phase p]\ndo = mark x\n");
	a = synth_source(&s, "memory.numa_stat", "limited", "", "anon.N0 anon.N1 slab_reclaimable.N0 slab_reclaimable.N1");
	b = synth_source(&s, "memory.numa_stat", "free", "", "anon.N0 anon.N1 slab_reclaimable.N0 slab_reclaimable.N1");
	slab = synth_source(&s, "slabinfo", "", "", "dentry.active_objs dentry.num_objs dentry.objsize dentry.num_slabs");
	synth_sample(&s, a, 1, I(0), I(0), I(0), I(0));
	synth_sample(&s, b, 1, I(0), I(0), I(0), I(0));
	synth_sample(&s, slab, 1, I(1000), 1000 + partial_objects, I(MIB / 4), I(10));
	synth_mark(&s, 1000, "filled");
	synth_sample(&s, a, 1001, 20 * MIB, I(0), 20 * MIB, remote_mib * MIB);
	synth_sample(&s, b, 1001, 20 * MIB, I(0), 20 * MIB, twin_remote_mib * MIB);
	synth_judge(&s, "numa-spill");
	EXPECT(&s, "spill", verdict);
	synth_done(&s);
}

static void test_numa(void **state)
{
	(void)state;
	run_numa(1, 0, 0, "pass");     /* 97.6 % */
	run_numa(10, 0, 0, "fail");    /* 80 % */
	run_numa(10, 10, 0, "pass");   /* not the limit's doing */
	run_numa(10, 0, 40, "pass");   /* 10M of free objects were there before */
}

/* ---- thp-fallback ---- */

static void run_thp(int64_t failed, int64_t twin_got, int64_t clean_mib, int64_t kills, const char *defrag,
		    const char *verdict)
{
	char plan[800];
	struct synth s;
	size_t a, b, stat, events;

	snprintf(plan, sizeof(plan),
		 "[scenario]\nname = thp-at-limit\ndetectors = thp-fallback\n[sysctl]\n/sys/kernel/mm/transparent_hugepage/defrag = %s\n"
		 "[group limited]\nmemory.max = 128M\n[group free]\n[load huge]\nworkload = thp\ngroup = limited\n"
		 "[load huge-free]\nworkload = thp\ngroup = free\n[phase p]\ndo = mark x\n", defrag);
	start(&s, "thp-at-limit", plan);
	a = synth_source(&s, "load", "huge", "", "+made_objects +errors +dropped");
	b = synth_source(&s, "load", "huge-free", "", "+made_objects +errors +dropped");
	stat = synth_source(&s, "memory.stat", "limited", "", "active_file inactive_file file_dirty");
	events = synth_source(&s, "memory.events", "limited", "", "+oom_kill");
	synth_event(&s, 100, "load", "huge", "start procs=1");
	synth_sample(&s, stat, 200, I(0), clean_mib * MIB, I(0));
	synth_sample(&s, a, 1000, I(32), I(0), failed);
	synth_sample(&s, b, 1000, twin_got, 32 - twin_got, I(0)); /* failures count as small pages do */
	synth_sample(&s, events, 1000, kills);
	synth_judge(&s, "thp-fallback");
	EXPECT(&s, "fallback", verdict);
	EXPECT(&s, "kill", kills ? "fail" : "pass");
	synth_done(&s);
}

static void test_thp(void **state)
{
	(void)state;
	run_thp(0, 32, 96, 0, "madvise", "pass");
	run_thp(3, 32, 96, 0, "madvise", "pass"); /* 90.6 % */
	run_thp(12, 32, 96, 0, "madvise", "fail");
	run_thp(12, 22, 96, 0, "always", "pass");
	run_thp(32, 32, 96, 0, "defer+madvise", "fail");
	run_thp(32, 32, 96, 1, "never", "skip");   /* promises nothing; nobody may be killed all the same */
	run_thp(32, 32, 16, 0, "madvise", "skip"); /* nothing to make room with */
	run_thp(32, 0, 96, 0, "madvise", "skip");  /* nobody has any */
}

/* ---- errno, of premature-oom ---- */

static const char plan_errno[] =
	"[scenario]\nname = nowait-at-max\ndetectors = premature-oom\n[group max]\nmemory.max = 24M\n"
	"[group high]\nmemory.high = 22M\nmemory.max = 24M\n[group free]\n"
	"[load a]\nworkload = inode\ngroup = max\nobjects = 10\n[load b]\nworkload = inode\ngroup = high\nobjects = 10\n"
	"[load c]\nworkload = inode\ngroup = free\nobjects = 10\n[load d]\nworkload = inode\ngroup = free\nobjects = 99\n"
	"[phase p]\ndo = mark x\n";

static void run_errno(int64_t at_max, int64_t at_high, int64_t without, int64_t full, int64_t cache_mib, const char *max, const char *high)
{
	struct synth s;
	static const char *const loads[] = { "a", "b", "c" };
	const int64_t failed[] = { at_max, at_high, without };
	size_t stat;

	start(&s, "nowait-at-max", plan_errno);
	for (size_t i = 0; i < 3; i++)
		synth_sample(&s, synth_source(&s, "load-errors", loads[i], "", "+openat.ENOMEM +send.EAGAIN"), 1000, failed[i], full);
	for (size_t i = 0; i < 2; i++) {
		stat = synth_source(&s, "memory.stat", i ? "high" : "max", "", "active_file inactive_file");
		synth_sample(&s, stat, 1000, I(0), cache_mib * MIB);
	}
	synth_judge(&s, "premature-oom");
	EXPECT(&s, "errno", max);
	EXPECT(&s, "errno-high", high);
	assert_true(synth_metric(&s, "errors_at_max") == (double)(at_max > without ? at_max - without : 0));
	synth_done(&s);
}

static void test_errno(void **state)
{
	(void)state;
	run_errno(0, 0, 0, 50, 20, "pass", "pass"); /* a full socket is nobody's fault */
	run_errno(3, 0, 0, 0, 20, "fail", "pass");
	run_errno(0, 3, 0, 0, 20, "pass", "fail");
	run_errno(3, 3, 3, 0, 20, "pass", "pass");  /* without a limit, too */
	run_errno(3, 0, 0, 0, 1, "suspect", "pass");
}

/* ---- above-max, of accounting ---- */

static void run_above(int64_t over_mib, int64_t ms, int64_t sock_mib, bool cut, const char *verdict)
{
	struct synth s;
	size_t memory, stat;

	start(&s, "x", "[scenario]\nname = x\ndetectors = accounting\n[group work]\nmemory.max = 64M\n"
		       "[load l]\nworkload = dentry\ngroup = work\n[phase p]\ndo = mark x\n");
	memory = synth_source(&s, "memory", "work", "", "current peak");
	stat = synth_source(&s, "memory.stat", "work", "", "sock file_dirty file_writeback");
	if (cut)
		synth_event(&s, 500, "limit", "work", "memory.max=67108864");
	for (int64_t t = 100; t <= 6000; t += 100) {
		bool over = t >= 2000 && t <= 2000 + ms;

		synth_sample(&s, memory, t, (64 + (over ? over_mib : 0)) * MIB, (64 + over_mib) * MIB);
		synth_sample(&s, stat, t, sock_mib * MIB, I(0), I(0));
	}
	synth_judge(&s, "accounting");
	if (verdict)
		EXPECT(&s, "above-max", verdict);
	else
		assert_null(synth_find(&s, "above-max"));
	synth_done(&s);
}

static void test_above_max(void **state)
{
	(void)state;
	run_above(16, 800, 0, false, NULL); /* a moment */
	run_above(16, 3000, 0, false, "fail");
	run_above(16, 3000, 20, false, "pass"); /* sockets may */
	run_above(1, 3000, 0, false, "pass");   /* within the per-CPU stocks */
	run_above(16, 3000, 0, true, NULL);     /* the limit was cut below the usage */
}

/* ---- asleep, and what may lag, of high-overrun ---- */

static void run_asleep(int64_t excess_kib, int64_t file_mib, const char *verdict)
{
	struct synth s;
	size_t memory, stat;

	start(&s, "high-asleep",
	      "[scenario]\nname = high-asleep\ndetectors = high-overrun\n[group work]\nmemory.high = 32M\n"
	      "[load l]\nworkload = long-syscall\ngroup = work\nthreads = 2\n[phase p]\ndo = mark x\n");
	memory = synth_source(&s, "memory", "work", "", "current peak");
	stat = synth_source(&s, "memory.stat", "work", "", "anon active_file inactive_file slab_reclaimable kernel slab");
	synth_event(&s, 10, "limit", "work", "memory.high=33554432");
	synth_event(&s, 100, "load", "l", "start procs=1");
	for (int64_t t = 50; t <= 6000; t += 50) {
		if (t == 2000)
			synth_mark(&s, t, "asleep");
		if (t == 5000)
			synth_mark(&s, t, "awake");
		synth_sample(&s, memory, t, 32 * MIB + excess_kib * 1024, 32 * MIB + excess_kib * 1024);
		synth_sample(&s, stat, t, I(0), I(0), file_mib * MIB, I(0), I(0), I(0));
	}
	synth_judge(&s, "high-overrun");
	EXPECT(&s, "asleep", verdict);
	synth_done(&s);
}

static void test_asleep(void **state)
{
	(void)state;
	/* allowed: 1.25 % of 32M and two threads of 128 pages: 1433.6 KiB */
	run_asleep(1400, 20, "pass");
	run_asleep(1500, 20, "fail");
	run_asleep(1500, 0, "skip"); /* nothing to reclaim */
}

/* What a killed task still charges on its way out of a system call is not held against memory.high; what it charged before is. */
static void run_killed(const char *kill, const char *verdict)
{
	struct synth s;
	size_t memory, stat;

	start(&s, "high-long-syscall",
	      "[scenario]\nname = high-long-syscall\ndetectors = high-overrun\n[group work]\nmemory.high = 32M\n[group other]\n"
	      "[load l]\nworkload = long-syscall\ngroup = work\n[phase p]\ndo = mark x\n");
	memory = synth_source(&s, "memory", "work", "", "current peak");
	stat = synth_source(&s, "memory.stat", "work", "", "anon active_file inactive_file slab_reclaimable kernel slab");
	synth_event(&s, 10, "limit", "work", "memory.high=33554432");
	synth_event(&s, 100, "load", "l", "start procs=1");
	synth_event(&s, 3000, "step", "kill", kill);
	for (int64_t t = 50; t <= 4000; t += 50) {
		int64_t bytes = t <= 3000 ? 32 * MIB : 98 * MIB;

		synth_sample(&s, memory, t, bytes, bytes);
		synth_sample(&s, stat, t, I(0), I(0), 20 * MIB, I(0), I(0), I(0));
	}
	synth_judge(&s, "high-overrun");
	EXPECT(&s, "overrun", verdict);
	synth_done(&s);
}

static void test_killed(void **state)
{
	(void)state;
	run_killed("work", "pass");
	run_killed("other", "fail");
}

/* 64M of page cache in one jump and a barrier of a second: freed pages of page cache do not wait for RCU, so they explain nothing. */
static void test_lag_is_kernel_memory(void **state)
{
	static const struct { int64_t kernel_mib; const char *verdict; } rows[] = { { 0, "fail" }, { 60, "pass" } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct synth s;
		size_t memory, stat, load;

		start(&s, "x", "[scenario]\nname = x\ndetectors = high-overrun\n[group work]\nmemory.high = 32M\n"
			       "[load l]\nworkload = long-syscall\ngroup = work\n[phase p]\ndo = mark x\n");
		memory = synth_source(&s, "memory", "work", "", "current peak");
		stat = synth_source(&s, "memory.stat", "work", "", "anon active_file inactive_file slab_reclaimable kernel slab");
		load = synth_source(&s, "load", "l", "", "+made_bytes");
		synth_event(&s, 10, "limit", "work", "memory.high=33554432");
		synth_event(&s, 100, "load", "l", "start procs=1");
		synth_event(&s, 4900, "step", "rcu-barrier", "done ns=1000000000");
		for (int64_t t = 50; t <= 5000; t += 50) {
			synth_sample(&s, memory, t, 72 * MIB, 72 * MIB);
			synth_sample(&s, stat, t, I(0), I(0), 60 * MIB, I(0), rows[i].kernel_mib * MIB, rows[i].kernel_mib * MIB);
			synth_sample(&s, load, t, t < 2000 ? I(0) : 64 * MIB);
		}
		synth_judge(&s, "high-overrun");
		if (rows[i].kernel_mib)
			EXPECT_NONE(&s, "fail");
		else
			EXPECT(&s, "overrun", "fail");
		synth_done(&s);
	}
}

/* ---- standstill ---- */

static const char plan_still[] =
	"[scenario]\nname = dirty-at-max\ndetectors = standstill\n[group work]\nmemory.max = 16M\n[load files]\nworkload = inode\n"
	"group = work\n[phase p]\ndo = mark x\n";

/* Given up after 20 s, `last_ms` after the start with its last step; `max` times at the limit in each of the last seconds.
 * cut: the step that ran when the scenario's timeout came instead. */
static void run_still_until(int64_t last_ms, int64_t max, int64_t kills, bool is_away, const char *cut, const char *verdict)
{
	struct synth s;
	size_t load, events, usage;

	start(&s, "dirty-at-max", plan_still);
	load = synth_source(&s, "load", "files", "", "+ops +errors +made_bytes +moved_bytes");
	events = synth_source(&s, "memory.events", "work", "", "+max +oom_kill");
	usage = synth_source(&s, "memory", "work", "", "current");
	synth_event(&s, 100, "load", "files", "start procs=1");
	for (int64_t t = 100; t <= 20000; t += 100) {
		int64_t n = t < last_ms ? t : last_ms;

		if (is_away && t > last_ms && t < 19000)
			continue;
		synth_sample(&s, load, t, n, I(0), 4096 * n, I(0));
		synth_sample(&s, events, t, t / 1000 * max, t > 18000 ? kills : I(0));
		synth_sample(&s, usage, t, 16 * MIB);
	}
	if (!cut) {
		synth_event(&s, 20000, "load", "files", "unfinished after ns=19900000000");
	} else {
		synth_event(&s, 200, "step", "wait", cut);
		synth_event(&s, 20000, "warn", "timeout", "the scenario is ended");
		synth_event(&s, 20010, "load", "files", "exit pid=7 signal=9");
	}
	synth_judge(&s, "standstill");
	EXPECT(&s, "stuck", verdict);
	synth_done(&s);
}

static void run_still(int64_t last_ms, int64_t max, int64_t kills, bool is_away, const char *verdict)
{
	run_still_until(last_ms, max, kills, is_away, NULL, verdict);
}

static void test_standstill(void **state)
{
	(void)state;
	run_still(2000, 16, 0, false, "fail");
	run_still(2000, 0, 0, false, "inconclusive");  /* what it waited for is not known */
	run_still(2000, 16, 1, false, "inconclusive"); /* somebody was killed */
	run_still(12000, 16, 0, false, "pass");        /* slow, for all we know */
	run_still(2000, 16, 0, true, "pass");          /* nobody ran */
	run_still_until(2000, 16, 0, false, "files 90s", "fail");
	run_still_until(2000, 16, 0, false, "files2 90s", "pass"); /* another was waited for: this one may have been done */
	run_still_until(2000, 16, 1, false, "files", "inconclusive");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_high_stall), cmocka_unit_test(test_probe),	   cmocka_unit_test(test_kswapd),
		cmocka_unit_test(test_numa),	   cmocka_unit_test(test_thp),		   cmocka_unit_test(test_errno),
		cmocka_unit_test(test_above_max),  cmocka_unit_test(test_asleep),	   cmocka_unit_test(test_killed),
		cmocka_unit_test(test_standstill),
		cmocka_unit_test(test_lag_is_kernel_memory), cmocka_unit_test(test_scans), cmocka_unit_test(test_probe_that_does_not_tell), cmocka_unit_test(test_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
