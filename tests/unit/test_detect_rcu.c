/* SPDX-License-Identifier: GPL-3.0-or-later */
/* free-lag, late-oom, and premature-oom over several groups, against stores out of thin air. */
#include "synth.h"

#define I(x) ((int64_t)(x))
#define PHASE "[phase p]\ndo = hold 1s\n"

/* ---- free-lag ---- */

static const char plan_lag[] = "[scenario]\nneeds = memcg\n[group work]\n"
			       "[load items]\nworkload = fd\ngroup = work\n" PHASE;

/* One reclaim of 10M: `late` of it comes back `ms` after it returned, with a sample every `every` ms. */
static void put_reclaim(struct synth *s, size_t mem, size_t stat, int64_t at, int64_t late, int64_t ms, int64_t every,
			const char *text, int64_t steal)
{
	synth_event(s, at - 50, "step", "reclaim", "work 10485760");
	synth_sample(s, mem, at - 40, 20 * MIB);
	synth_sample(s, stat, at - 55, I(1000));
	synth_event(s, at, "reclaim", "work", text);
	for (int64_t t = 1; t < 2000; t += every)
		synth_sample(s, mem, at + t, t < ms ? 10 * MIB + late : 10 * MIB);
	synth_sample(s, stat, at + 1999, 1000 + steal);
	synth_mark(s, at + 2500, "freed");
}

static void lag_run(struct synth *s, const char *plan, int rounds, int64_t late, int64_t ms, int64_t every, const char *text, int64_t steal)
{
	size_t mem, stat;

	synth_open(s, "vm");
	synth_run(s, "rcu-free-lag", plan);
	mem = synth_source(s, "memory", "work", "/sys/fs/cgroup/wring/1/work/memory.current", "current");
	stat = synth_source(s, "memory.stat", "work", "/sys/fs/cgroup/wring/1/work/memory.stat", "+pgsteal");
	for (int i = 0; i < rounds; i++)
		put_reclaim(s, mem, stat, 1000 + i * 5000, late, ms, every, text, (i + 1) * steal);
	synth_judge(s, "free-lag");
}

#define RECLAIMED "asked_bytes=10485760 errno=0 before_bytes=20971520 after_bytes=10485760"
#define EAGAINED "asked_bytes=10485760 errno=11 before_bytes=20971520 after_bytes=10485760"

static void test_lag(void **state)
{
	struct synth s;

	(void)state;
	lag_run(&s, plan_lag, 3, 8 * MIB, 30, 5, RECLAIMED, 0);
	EXPECT(&s, "lag", "pass");
	assert_true(synth_metric(&s, "free_lag_ms") >= 30 && synth_metric(&s, "free_lag_ms") <= 36);
	assert_int_equal((int)synth_metric(&s, "free_at_return_pct"), 20);
	synth_done(&s);
	lag_run(&s, plan_lag, 3, 8 * MIB, 900, 5, RECLAIMED, 0);
	EXPECT(&s, "lag", "fail");
	assert_int_equal((int)synth_find(&s, "lag")->limit, 500);
	synth_done(&s);
	/* nothing came late */
	lag_run(&s, plan_lag, 3, 0, 900, 5, RECLAIMED, 0);
	EXPECT(&s, "lag", "pass");
	assert_true(synth_metric(&s, "free_lag_ms") == 0);
	synth_done(&s);
}

/* Two late acts of twelve: below the upper quartile of the group, and yet no chance. One is. */
/* 8M that come back a little with each sample, over `ms`; their reclaim took so long. */
static void run_drain(int64_t ms, int64_t took_ms, const char *lag, const char *drain)
{
	struct synth s;
	size_t mem;

	synth_open(&s, "vm");
	synth_run(&s, "rcu-free-lag", plan_lag);
	mem = synth_source(&s, "memory", "work", "/sys/fs/cgroup/wring/1/work/memory.current", "current");
	synth_event(&s, 2000 - took_ms, "step", "reclaim", "work 10485760");
	synth_sample(&s, mem, 2000 - took_ms + 1, 20 * MIB);
	synth_event(&s, 2000, "reclaim", "work", RECLAIMED);
	synth_event(&s, 2000, "step", "reclaim", "done ns=1");
	for (int64_t t = 1; t < 3000; t += 5)
		synth_sample(&s, mem, 2000 + t, 10 * MIB + (t < ms ? 8 * MIB * (ms - t) / ms : 0));
	synth_mark(&s, 5500, "freed");
	synth_judge(&s, "free-lag");
	EXPECT(&s, "lag", lag);
	EXPECT(&s, "drain", drain);
	synth_done(&s);
}

static void test_lag_drain(void **state)
{
	(void)state;
	run_drain(400, 10, "pass", "pass");
	run_drain(900, 600, "pass", "pass"); /* a busy machine: reclaim was as slow */
	run_drain(900, 10, "pass", "fail");  /* a trickle */
}

/* Acts of which so many were late, as a run of any length: one in 16 may be chance. */
static void run_together(int acts, int late, bool is_fail)
{
	struct synth s;
	size_t mem, stat;

	synth_open(&s, "vm");
	synth_run(&s, "rcu-free-lag", plan_lag);
	mem = synth_source(&s, "memory", "work", "/sys/fs/cgroup/wring/1/work/memory.current", "current");
	stat = synth_source(&s, "memory.stat", "work", "/sys/fs/cgroup/wring/1/work/memory.stat", "+pgsteal");
	for (int i = 0; i < acts; i++)
		put_reclaim(&s, mem, stat, 1000 + i * 5000, 8 * MIB, i < late ? 900 : 30, 5, RECLAIMED, 0);
	synth_judge(&s, "free-lag");
	if (is_fail)
		assert_string_equal(s.v.results->findings[2].verdict, "fail"); /* behind lag and drain of its cgroup */
	else
		EXPECT_NONE(&s, "fail");
	synth_done(&s);
}

static void test_lag_together(void **state)
{
	(void)state;
	run_together(12, 1, false);
	run_together(12, 2, true);
	run_together(48, 3, false);
	run_together(48, 4, true);
}

/* The host was away, not the kernel. */
static void test_lag_gap(void **state)
{
	struct synth s;

	(void)state;
	lag_run(&s, plan_lag, 3, 8 * MIB, 900, 890, RECLAIMED, 0);
	EXPECT(&s, "lag", "inconclusive");
	synth_done(&s);
}

static void test_lag_limit(void **state)
{
	static const char metric[] = "[scenario]\nneeds = memcg\n[limits]\nfree-lag.lag-ms = 0\n[group work]\n" PHASE;
	static const char loose[] = "[scenario]\nneeds = memcg\n[limits]\nfree-lag.lag-ms = 1000\n[group work]\n" PHASE;
	struct synth s;

	(void)state;
	lag_run(&s, metric, 3, 8 * MIB, 900, 5, RECLAIMED, 0);
	EXPECT(&s, "lag", "skip");
	synth_done(&s);
	lag_run(&s, loose, 3, 8 * MIB, 900, 5, RECLAIMED, 0);
	EXPECT(&s, "lag", "pass");
	synth_done(&s);
}

/* 10M are 2560 pages. */
static void test_lag_eagain(void **state)
{
	struct synth s;

	(void)state;
	lag_run(&s, plan_lag, 1, 0, 0, 5, EAGAINED, 2560);
	EXPECT(&s, "eagain", "fail");
	synth_done(&s);
	lag_run(&s, plan_lag, 1, 0, 0, 5, EAGAINED, 100);
	EXPECT(&s, "lru-only", "known");
	synth_done(&s);
	lag_run(&s, plan_lag, 1, 0, 0, 5, RECLAIMED, 2560);
	EXPECT(&s, "eagain", "pass");
	synth_done(&s);
}

static void test_lag_release(void **state)
{
	struct synth s;
	size_t mem;

	(void)state;
	synth_open(&s, "vm");
	synth_run(&s, "rcu-free-lag", plan_lag);
	mem = synth_source(&s, "memory", "work", "/sys/fs/cgroup/wring/1/work/memory.current", "current");
	synth_sample(&s, mem, 900, 20 * MIB);
	synth_event(&s, 1000, "step", "release", "items");
	synth_sample(&s, mem, 1010, 20 * MIB);
	synth_event(&s, 1100, "step", "release", "done ns=100000000");
	for (int64_t t = 0; t < 1000; t += 5)
		synth_sample(&s, mem, 1101 + t, t < 800 ? 19 * MIB : MIB);
	synth_mark(&s, 3000, "freed");
	synth_judge(&s, "free-lag");
	EXPECT(&s, "lag", "fail");
	synth_done(&s);
}

/* 10M let go of, of which so much comes back, at once, within a second. */
static void run_owed(const char *plan, int64_t comes, bool has_ledger, const char *verdict)
{
	struct synth s;
	size_t mem, load;

	synth_open(&s, "vm");
	synth_run(&s, "rcu-free-lag", plan);
	mem = synth_source(&s, "memory", "work", "/sys/fs/cgroup/wring/1/work/memory.current", "current");
	load = synth_source(&s, "load", "items", "", "held_bytes");
	for (int64_t t = 800; t < 2200; t += 5) {
		synth_sample(&s, mem, t, t < 1100 ? 12 * MIB : 12 * MIB - comes);
		if (has_ledger)
			synth_sample(&s, load, t, t < 1050 ? 10 * MIB : I(0));
	}
	synth_event(&s, 1000, "step", "release", "items");
	synth_event(&s, 1100, "step", "release", "done ns=100000000");
	synth_mark(&s, 2100, "freed");
	synth_judge(&s, "free-lag");
	EXPECT(&s, "lag", verdict);
	synth_done(&s);
}

static void test_lag_owed(void **state)
{
	static const char shared[] = "[scenario]\nneeds = memcg\n[group work]\n[load items]\nworkload = fd\ngroup = work\n"
				     "[load more]\nworkload = fd\ngroup = work\n" PHASE;

	(void)state;
	run_owed(plan_lag, 10 * MIB, true, "pass");
	run_owed(plan_lag, 10 * MIB - 900000, true, "pass"); /* within 64 pages for each of 4 CPUs */
	run_owed(plan_lag, 4 * MIB, true, "fail");
	run_owed(plan_lag, 0, true, "fail");
	run_owed(plan_lag, 0, false, "inconclusive");
	run_owed(shared, 0, true, "inconclusive"); /* the other may have taken as much */
}

/* vm.drop_caches, of the whole machine: pages. */
static void test_lag_dropped(void **state)
{
	static const char plan[] = "[scenario]\nneeds = memcg\n[group work]\n" PHASE;
	struct synth s;
	size_t vm;

	(void)state;
	for (int sick = 0; sick < 2; sick++) {
		synth_open(&s, "vm");
		synth_run(&s, "rcu-kswapd", plan);
		vm = synth_source(&s, "vmstat", "", "/proc/vmstat", "nr_slab_reclaimable");
		synth_sample(&s, vm, 900, I(50000));
		synth_event(&s, 1000, "step", "sysctl", "vm.drop_caches 2");
		synth_sample(&s, vm, 1001, I(50000));
		synth_event(&s, 1100, "step", "sysctl", "done ns=100000000");
		for (int64_t t = 0; t < 1000; t += 5)
			synth_sample(&s, vm, 1101 + t, t < (sick ? 900 : 20) ? I(45000) : I(1000));
		synth_mark(&s, 3000, "dropped");
		synth_judge(&s, "free-lag");
		EXPECT(&s, "lag", sick ? "fail" : "pass");
		synth_done(&s);
	}
}

/* Another sysctl frees nothing, and a run may have no act at all. */
static void test_lag_none(void **state)
{
	struct synth s;

	(void)state;
	synth_open(&s, "vm");
	synth_run(&s, "rcu-kswapd", plan_lag);
	synth_event(&s, 1000, "step", "sysctl", "vm.swappiness 2");
	synth_event(&s, 1100, "step", "sysctl", "done ns=100000000");
	synth_judge(&s, "free-lag");
	EXPECT(&s, "lag", "inconclusive");
	synth_done(&s);
}

/* ---- late-oom ---- */

static const char plan_oom[] = "[scenario]\nneeds = memcg\n[group free]\n[group work]\nmemory.max = 64M\n"
			       "[load twin]\nworkload = anon\ngroup = free\n"
			       "[load hog]\nworkload = anon\ngroup = work\n" PHASE;

/* The twin makes 64M in 640 ms; the hog is killed `ms` after its start, or given up on. */
static void oom_in(struct synth *s, const char *plan, int64_t ms, const char *end, int64_t away)
{
	size_t twin, hog;

	synth_open(s, "vm");
	synth_run(s, "oom-in-time", plan);
	twin = synth_source(s, "load", "twin", "", "+made_bytes");
	hog = synth_source(s, "load", "hog", "", "+made_bytes");
	synth_event(s, 1000, "load", "twin", "start procs=1");
	for (int i = 0; i <= 64; i++)
		synth_sample(s, twin, 1000 + i * 10, i * MIB);
	for (int i = 0; i < 3; i++) {
		int64_t t0 = 10000 + i * 50000;

		synth_event(s, t0, "load", "hog", "start procs=1");
		for (int64_t t = 0; t <= ms; t += 100)
			if (t <= 500 || t > 500 + away)
				synth_sample(s, hog, t0 + t, 60 * MIB);
		if (*end)
			synth_event(s, t0 + ms, "load", "hog", end);
	}
	synth_judge(s, "late-oom");
}

static void test_late(void **state)
{
	struct synth s;

	(void)state;
	oom_in(&s, plan_oom, 1000, "exit pid=7 signal=9", 0);
	EXPECT(&s, "late", "pass");
	/* 3 x 640 ms + 2000 ms */
	assert_int_equal((int)synth_find(&s, "late")->limit, 3920);
	assert_int_equal((int)synth_metric(&s, "time_to_oom_ms"), 1000);
	synth_done(&s);
	oom_in(&s, plan_oom, 6000, "exit pid=7 signal=9", 0);
	EXPECT(&s, "late", "fail");
	synth_done(&s);
	/* the host took 5 of the 6 seconds */
	oom_in(&s, plan_oom, 6000, "exit pid=7 signal=9", 5000);
	EXPECT(&s, "late", "pass");
	synth_done(&s);
}

static void test_late_never(void **state)
{
	struct synth s;

	(void)state;
	oom_in(&s, plan_oom, 30000, "unfinished after ns=30000000000", 0);
	EXPECT(&s, "never", "fail");
	synth_done(&s);
	/* given up on too early to know */
	oom_in(&s, plan_oom, 3000, "unfinished after ns=3000000000", 0);
	EXPECT(&s, "never", "inconclusive");
	synth_done(&s);
	oom_in(&s, plan_oom, 3000, "exit pid=7 code=0", 0);
	EXPECT(&s, "survived", "inconclusive");
	synth_done(&s);
}

/* The timeout of the scenario ran out `ms` after the third start. It kills what is left: no OOM kill. */
static void cut_in(struct synth *s, int64_t ms, const char *step)
{
	size_t twin;

	synth_open(s, "vm");
	synth_run(s, "oom-in-time", plan_oom);
	twin = synth_source(s, "load", "twin", "", "+made_bytes");
	synth_event(s, 1000, "load", "twin", "start procs=1");
	for (int i = 0; i <= 64; i++)
		synth_sample(s, twin, 1000 + i * 10, i * MIB);
	synth_event(s, 10000, "load", "hog", "start procs=1");
	synth_event(s, 11000, "load", "hog", "exit pid=7 signal=9");
	synth_event(s, 20000, "load", "hog", "start procs=1");
	synth_event(s, 20010, "step", "wait", step);
	synth_event(s, 20000 + ms, "warn", "timeout", "the scenario is ended in step 'wait': its loads are killed");
	synth_event(s, 20100 + ms, "load", "hog", "exit pid=8 signal=9");
	synth_judge(s, "late-oom");
}

static void test_late_cut(void **state)
{
	struct synth s;

	(void)state;
	cut_in(&s, 8000, "hog 30s");
	EXPECT(&s, "never", "fail");
	assert_int_equal((int)synth_find(&s, "never")->value, 8000);
	assert_int_equal((int)synth_metric(&s, "time_to_oom_ms"), 1000);
	EXPECT(&s, "late", "pass");
	synth_done(&s);
	cut_in(&s, 3000, "hog 30s");
	EXPECT(&s, "never", "inconclusive");
	synth_done(&s);
	/* nobody waited for its kill */
	cut_in(&s, 8000, "twin 30s");
	assert_null(synth_find(&s, "never"));
	EXPECT(&s, "late", "pass");
	synth_done(&s);
}

static void test_late_without_twin(void **state)
{
	static const char alone[] = "[scenario]\nneeds = memcg\n[group work]\nmemory.max = 64M\n[load hog]\nworkload = anon\n"
				    "group = work\n[load twin]\nworkload = null\n" PHASE;
	/* limited from above */
	static const char nested[] = "[scenario]\nneeds = memcg\n[group up]\nmemory.max = 64M\n[group up/work]\n[load hog]\n"
				     "workload = anon\ngroup = up/work\n[load twin]\nworkload = anon\n" PHASE;
	struct synth s;

	(void)state;
	oom_in(&s, alone, 1000, "exit pid=7 signal=9", 0);
	EXPECT(&s, "twin", "inconclusive");
	synth_done(&s);
	oom_in(&s, nested, 1000, "exit pid=7 signal=9", 0);
	EXPECT(&s, "late", "pass");
	synth_done(&s);
}

/* ---- premature-oom: groups, disks, the machine ---- */

/* A kill in `group` at its limit. Numbers in bytes. */
static void put_kill_anon(struct synth *s, int64_t t_ms, const char *group, int64_t limit, int64_t anon, int64_t slab, int64_t file,
			  int64_t dirty)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "wring-load invoked oom-killer: gfp_mask=0x400cc0(GFP_KERNEL_ACCOUNT), order=0, oom_score_adj=0\n"
		 "memory: usage %lldkB, limit %lldkB, failcnt 37\n"
		 "Memory cgroup stats for /wring/1/%s:\nanon %lld\nfile %lld\nkernel 1048576\nshmem 0\nfile_dirty %lld\n"
		 "file_writeback 0\ninactive_file %lld\nactive_file 0\nslab_reclaimable %lld\nslab_unreclaimable 4096\n"
		 "Tasks state (memory values in pages):\n"
		 "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0-1,oom_memcg=/wring/1/%s,"
		 "task_memcg=/wring/1/%s,task=wring-load,pid=77,uid=0\n"
		 "Memory cgroup out of memory: Killed process 77 (wring-load) total-vm:3140kB, anon-rss:256kB\n",
		 (long long)limit / 1024, (long long)limit / 1024, group, (long long)anon, (long long)file, (long long)dirty, (long long)file,
		 (long long)slab, group, group);
	synth_log(s, t_ms, text);
}

static void put_kill(struct synth *s, int64_t t_ms, const char *group, int64_t limit, int64_t slab, int64_t file, int64_t dirty)
{
	put_kill_anon(s, t_ms, group, limit, 262144, slab, file, dirty);
}

struct group { size_t mem, stat, events; };

static struct group put_group(struct synth *s, const char *name)
{
	char path[128];
	struct group g;

	snprintf(path, sizeof(path), "/sys/fs/cgroup/wring/1/%s/memory.current", name);
	g.mem = synth_source(s, "memory", name, path, "current");
	g.stat = synth_source(s, "memory.stat", name, path, "slab_reclaimable file");
	return g;
}

/* The step with its four marks: usage after the load, behind the barrier, the reclaim, the remount. */
static void put_aftermath(struct synth *s, const struct group *g, const char *name, int64_t t, const int64_t slab[4], int64_t file, int64_t file_after)
{
	static const char *const marks[] = { "after-load", "after-barrier", "after-reclaim", "after-remount" };

	synth_event(s, t, "step", "aftermath", name);
	for (int i = 0; i < 4; i++) {
		int64_t f = i < 2 ? file : file_after;

		synth_mark(s, t + 10 + i * 100, marks[i]);
		synth_sample(s, g->mem, t + 11 + i * 100, slab[i] + f + MIB);
		synth_sample(s, g->stat, t + 12 + i * 100, slab[i], f);
	}
	synth_event(s, t + 500, "step", "aftermath", "done ns=500000000");
}

static const char plan_sweep[] =
	"[scenario]\nneeds = memcg\n[limits]\npremature-oom.surviving = 48M\n[group a]\nmemory.max = 8M\n[group b]\nmemory.max = 16M\n"
	"[group c]\nmemory.max = 64M\n[load na]\nworkload = dentry\ngroup = a\n[load nb]\nworkload = dentry\ngroup = b\n"
	"[load nc]\nworkload = dentry\ngroup = c\n" PHASE;

/* Two starts in each group; `killed` in units of them. RCU gives all back. */
static void sweep(struct synth *s, const int killed[3])
{
	static const char *const names[] = { "a", "b", "c" };
	static const int64_t limits[] = { 8 * MIB, 16 * MIB, 64 * MIB };
	struct group g[3];

	synth_open(s, "vm");
	synth_run(s, "rcu-oom", plan_sweep);
	for (int i = 0; i < 3; i++)
		g[i] = put_group(s, names[i]);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 3; i++) {
			const int64_t left[4] = { MIB, MIB, 0, 0 };
			int64_t t = 1000 + round * 60000 + i * 10000;
			char load[8];

			snprintf(load, sizeof(load), "n%s", names[i]);
			synth_event(s, t, "load", load, "start procs=1");
			if (round < killed[i])
				put_kill(s, t + 500, names[i], limits[i], limits[i] * 9 / 10, 0, 0);
			synth_event(s, t + 600, "load", load, round < killed[i] ? "exit pid=7 signal=9" : "exit pid=7 code=0");
			put_aftermath(s, &g[i], names[i], t + 1000, left, 0, 0);
		}
	synth_judge(s, "premature-oom");
}

static void test_sweep(void **state)
{
	static const int none[] = { 0, 0, 0 }, small[] = { 2, 0, 0 }, half[] = { 2, 1, 0 }, all[] = { 2, 2, 2 }, odd[] = { 0, 2, 0 };
	struct synth s;

	(void)state;
	sweep(&s, none);
	EXPECT(&s, "none", "pass");
	EXPECT(&s, "threshold", "pass");
	assert_true(synth_metric(&s, "smallest_surviving_limit_bytes") == 8 * MIB);
	synth_done(&s);
	sweep(&s, small);
	EXPECT(&s, "small", "skip");
	EXPECT(&s, "threshold", "pass");
	EXPECT_NONE(&s, "fail");
	assert_true(synth_metric(&s, "smallest_surviving_limit_bytes") == 16 * MIB);
	assert_true(synth_metric(&s, "na.killed_pct") == 100);
	assert_true(synth_metric(&s, "nc.killed_pct") == 0);
	synth_done(&s);
	/* half of the runs survive 16M, the others need 64M */
	sweep(&s, half);
	EXPECT(&s, "rcu", "fail");
	EXPECT(&s, "threshold", "pass");
	assert_true(synth_metric(&s, "smallest_surviving_limit_bytes") == 40 * MIB);
	synth_done(&s);
	sweep(&s, all);
	EXPECT(&s, "threshold", "fail");
	assert_true(synth_metric(&s, "smallest_surviving_limit_bytes") == 128 * MIB);
	synth_done(&s);
	/* more memory does not kill: 2 of the 4 below 64M */
	sweep(&s, odd);
	assert_true(synth_metric(&s, "smallest_surviving_limit_bytes") == 36 * MIB);
	synth_done(&s);
}

/* The kill in `a` has the aftermath of `a`, though that of `b` came first. */
static void test_own_aftermath(void **state)
{
	const int64_t stays[4] = { 15 * MIB, 15 * MIB, 15 * MIB, 15 * MIB }, goes[4] = { 15 * MIB, MIB, MIB, MIB };
	static const char plan[] = "[scenario]\nneeds = memcg\n[group a]\nmemory.max = 16M\n[group b]\nmemory.max = 16M\n" PHASE;
	struct group a, b;
	struct synth s;

	(void)state;
	synth_open(&s, "vm");
	synth_run(&s, "rcu-oom", plan);
	a = put_group(&s, "a");
	b = put_group(&s, "b");
	put_kill(&s, 1000, "a", 16 * MIB, 15 * MIB, 0, 0);
	put_kill(&s, 1100, "b", 16 * MIB, 15 * MIB, 0, 0);
	put_aftermath(&s, &b, "b", 2000, stays, 0, 0);
	put_aftermath(&s, &a, "a", 4000, goes, 0, 0);
	synth_judge(&s, "premature-oom");
	EXPECT(&s, "rcu", "fail");
	EXPECT(&s, "pinned", "pass");
	synth_done(&s);
}

/* Others filled the group again before the aftermath; but right after the kill it was nearly empty. */
static void test_refilled(void **state)
{
	static const char plan[] = "[scenario]\nneeds = memcg\n[group a]\nmemory.max = 16M\n" PHASE;
	const int64_t slab[4] = { 15 * MIB, 15 * MIB, MIB, MIB };
	struct group a;
	struct synth s;

	(void)state;
	for (int dips = 0; dips < 2; dips++) {
		synth_open(&s, "vm");
		synth_run(&s, "rcu-oom", plan);
		a = put_group(&s, "a");
		put_kill(&s, 1000, "a", 16 * MIB, 15 * MIB, 0, 0);
		synth_sample(&s, a.mem, 1050, dips ? 3 * MIB : 15 * MIB);
		put_aftermath(&s, &a, "a", 2000, slab, 0, 0);
		synth_judge(&s, "premature-oom");
		EXPECT(&s, dips ? "rcu" : "late", "fail");
		synth_done(&s);
	}
}

static const char plan_disks[] =
	"[scenario]\nneeds = memcg scratch vm\n[mount slow]\ntype = ext4\nsize = 64M\nbps = 1M\n[mount fast]\ntype = ext4\nsize = 64M\n"
	"[group slow]\nmemory.max = 16M\n[group fast]\nmemory.max = 16M\n[load s]\nworkload = file\non = slow\ngroup = slow\n"
	"[load f]\nworkload = file\non = fast\ngroup = fast\n[load i]\nworkload = inode\non = fast\ngroup = fast\n" PHASE;

enum twin { TWIN_NONE, TWIN_KILLED, TWIN_ENDED /* it is another load of its group that was killed */ };

/* A kill with 15M of dirty pages on the slow disk, and perhaps one on the fast disk; the disk wrote or did not. */
static void disks(struct synth *s, enum twin twin, bool wrote, int64_t slab)
{
	const int64_t none[4] = { slab, slab, 0, 0 };
	struct group slow, fast;
	int64_t dirty = slab ? 0 : 15 * MIB;
	size_t vm;

	synth_open(s, "vm");
	synth_run(s, "dirty-at-max", plan_disks);
	slow = put_group(s, "slow");
	fast = put_group(s, "fast");
	vm = synth_source(s, "vmstat", "", "/proc/vmstat", "+nr_written");
	synth_event(s, 600, "load", "s", "start procs=1");
	synth_event(s, 600, "load", "f", "start procs=1");
	if (twin == TWIN_ENDED) {
		synth_event(s, 1000, "load", "f", "exit pid=7 code=0");
		synth_event(s, 1100, "load", "i", "start procs=1");
	}
	synth_sample(s, vm, 500, I(1000));
	put_kill(s, 2000, "slow", 16 * MIB, slab, dirty, dirty);
	synth_sample(s, vm, 2001, wrote ? I(1200) : I(1000));
	if (twin)
		put_kill(s, 2010, "fast", 16 * MIB, slab, dirty, dirty);
	synth_sample(s, vm, 2020, wrote ? I(1200) : I(1000));
	put_aftermath(s, &slow, "slow", 3000, none, dirty, 0);
	put_aftermath(s, &fast, "fast", 5000, none, dirty, 0);
	synth_judge(s, "premature-oom");
}

static void test_dirty(void **state)
{
	struct synth s;

	(void)state;
	disks(&s, TWIN_NONE, true, 0);
	EXPECT(&s, "io", "suspect");
	EXPECT_NONE(&s, "fail");
	synth_done(&s);
	disks(&s, TWIN_KILLED, true, 0);
	EXPECT(&s, "late", "fail");
	synth_done(&s);
	disks(&s, TWIN_ENDED, true, 0);
	EXPECT(&s, "io", "suspect");
	synth_done(&s);
	/* the disk stood still */
	disks(&s, TWIN_KILLED, false, 0);
	EXPECT(&s, "io", "suspect");
	EXPECT_NONE(&s, "fail");
	synth_done(&s);
	/* dirty inodes: slab that only a sync frees */
	disks(&s, TWIN_NONE, true, 15 * MIB);
	EXPECT(&s, "io", "suspect");
	EXPECT_NONE(&s, "fail");
	synth_done(&s);
	disks(&s, TWIN_KILLED, true, 15 * MIB);
	EXPECT(&s, "late", "fail");
	synth_done(&s);
}

/* The victim's own anonymous memory is in the ledger, and no reason to think that slab is held. */
static void test_anon_ledger(void **state)
{
	static const char plan[] = "[scenario]\nneeds = memcg\n[group a]\nmemory.max = 16M\n[load hog]\nworkload = anon\ngroup = a\n" PHASE;
	const int64_t slab[4] = { 7 * MIB, 7 * MIB, 7 * MIB, MIB };
	struct group a;
	struct synth s;
	size_t load;

	(void)state;
	synth_open(&s, "vm");
	synth_run(&s, "pinned-objects", plan);
	a = put_group(&s, "a");
	load = synth_source(&s, "load", "hog", "", "held_bytes");
	synth_sample(&s, load, 900, 8 * MIB);
	put_kill_anon(&s, 1000, "a", 16 * MIB, 8 * MIB, 7 * MIB, 0, 0);
	synth_sample(&s, load, 1010, I(0));
	put_aftermath(&s, &a, "a", 2000, slab, 0, 0);
	synth_judge(&s, "premature-oom");
	EXPECT(&s, "withheld", "fail");
	synth_done(&s);
}

/* The form is that of mm/show_mem.c; numbers in pages. */
static void machine(struct synth *s, const char *where, int64_t slab_after)
{
	static const char *const marks[] = { "after-load", "after-barrier", "after-reclaim", "after-remount" };
	size_t vm, mem;

	synth_open(s, where);
	OK(s, wring_store_fact(s->st, s->boot, "memory.total_kb", "2097152", &s->err));
	synth_run(s, "rcu-kswapd", "[scenario]\nneeds = memcg\n[group work]\n" PHASE);
	vm = synth_source(s, "vmstat", "", "/proc/vmstat", "nr_slab_reclaimable nr_active_file nr_inactive_file");
	mem = synth_source(s, "meminfo", "", "/proc/meminfo", "MemTotal MemFree");
	synth_log(s, 1000,
		  "wring-load invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0, oom_score_adj=0\n"
		  "Mem-Info:\nactive_anon:300000 inactive_anon:50 isolated_anon:0\n active_file:10 inactive_file:20 isolated_file:0\n"
		  " unevictable:0 dirty:0 writeback:0\n slab_reclaimable:100000 slab_unreclaimable:5000\n"
		  " mapped:11 shmem:0 pagetables:1200\nNode 0 active_anon:600000kB slab_reclaimable:1kB\n"
		  "30 total pagecache pages\n"
		  "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0-1,global_oom,task_memcg=/x,"
		  "task=wring-load,pid=9,uid=0\nOut of memory: Killed process 9 (wring-load) total-vm:1kB, anon-rss:1kB");
	for (int i = 0; i < 4; i++) {
		int64_t slab = i ? slab_after : 100000;

		synth_mark(s, 2000 + i * 100, marks[i]);
		synth_sample(s, vm, 2001 + i * 100, slab, I(10), I(20));
		synth_sample(s, mem, 2002 + i * 100, I(2097152), 1500000 - slab * 4);
	}
	synth_judge(s, "premature-oom");
}

static void test_machine(void **state)
{
	struct synth s;

	(void)state;
	machine(&s, "vm", 1000);
	EXPECT(&s, "rcu", "fail");
	assert_true(synth_metric(&s, "global_oom_kills") == 1);
	synth_done(&s);
	machine(&s, "vm", 100000);
	EXPECT(&s, "pinned", "pass");
	synth_done(&s);
	/* a host has others who use its memory */
	machine(&s, "host", 1000);
	EXPECT_NONE(&s, "fail");
	synth_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lag), cmocka_unit_test(test_lag_gap), cmocka_unit_test(test_lag_drain), cmocka_unit_test(test_lag_together), cmocka_unit_test(test_lag_limit),
		cmocka_unit_test(test_lag_eagain), cmocka_unit_test(test_lag_release), cmocka_unit_test(test_lag_dropped),
		cmocka_unit_test(test_lag_none), cmocka_unit_test(test_lag_owed), cmocka_unit_test(test_late), cmocka_unit_test(test_late_never), cmocka_unit_test(test_late_cut),
		cmocka_unit_test(test_late_without_twin), cmocka_unit_test(test_sweep), cmocka_unit_test(test_own_aftermath),
		cmocka_unit_test(test_refilled), cmocka_unit_test(test_dirty), cmocka_unit_test(test_anon_ledger), cmocka_unit_test(test_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
