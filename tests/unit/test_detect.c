/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each detector over small stores: every class fires where it must and is silent where it must not.
 */
#include "tests/unit/synth.h"

#include "analyzers/klog.h"
#include "analyzers/oom-report.h"
#include "harness/base/util.h"
#include "tests/unit/oom_reports.h"

#define I(x) ((int64_t)(x))

static const char plan_work[] =
	"[scenario]\nname = slab-at-max\ndetectors = premature-oom accounting kernel-log high-overrun\n"
	"[group work]\nmemory.max = 64M\nmemory.high = 32M\n"
	"[load names]\nworkload = dentry\ngroup = work\n"
	"[phase p]\ndo = mark filled\n";

/* ---- the log ---- */

static void test_klog_prefixes(void **state)
{
	static const struct { const char *line, *text; int64_t t;
	} rows[] = {
		{ "[   12.345678] BUG: x", "BUG: x", 12345678000 },
		{ "<4>[    1.5] <TASK>", "<TASK>", 1500000000 },
		/* koverstreet/bcachefs issue 886: CONFIG_PRINTK_CALLER */
		{ "[  844.965403][ T3997] kworker/0:3 invoked oom-killer: x",
		  "kworker/0:3 invoked oom-killer: x", 844965403000 },
		/* oxidecomputer/propolis issue 1153: a syslog file */
		{ "Jun 11 14:12:22 oxcolo kernel: rcu: INFO: x", "rcu: INFO: x", -1 },
		{ "no prefix", "no prefix", -1 },
		{ "[  4711]     0  4711", "[  4711]     0  4711", -1 },
		{ "Tell the kernel: x", "Tell the kernel: x", -1 },
		{ "", "", -1 },
		{ "[", "[", -1 },
		{ "[99999999999999999999.1] x", "[99999999999999999999.1] x", -1 },
	};

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(rows); i++) {
		int64_t t = -1;

		assert_string_equal(wring_klog_text(rows[i].line, &t), rows[i].text);
		assert_true(t == rows[i].t);
	}
}

static void feed(struct wring_oom_reports *r, const char *text)
{
	char *copy = strdup(text), *save = NULL;

	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		wring_oom_feed(r, 1000, l);
	free(copy);
}

static void test_oom_real(void **state)
{
	struct wring_oom_reports r = { 0 };

	(void)state;
	feed(&r, oom_61);
	feed(&r, oom_612);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.unreported, 0);
	for (size_t i = 0; i < 2; i++) {
		const struct wring_oom_report *o = &r.rows[i];

		assert_true(wring_oom_complete(o));
		assert_string_equal(o->task, "init");
		assert_string_equal(o->gfp, "0xcc0(GFP_KERNEL)");
		assert_true(o->may_enter_fs && o->is_memcg && !o->by_write);
		assert_int_equal(o->usage, 20480 * 1024);
		assert_int_equal(o->limit, 20480 * 1024);
		assert_int_equal(o->slab_reclaimable, 0);
		assert_int_equal(o->file, 0);
		assert_int_equal(o->n_victims, 1);
		assert_string_equal(o->oom_memcg, "/wring/work");
		assert_string_equal(o->task_memcg, "/wring/work");
	}
	assert_int_equal(r.rows[0].anon, 20914176);
	assert_int_equal(r.rows[1].anon, 20922368);
	assert_int_equal(r.rows[0].slab_unreclaimable, 344);
	wring_oom_done(&r);
}

/* Lines out of published logs. */
static void test_oom_published(void **state)
{
	struct wring_oom_reports r = { 0 };

	(void)state;
	/* open-telemetry/opentelemetry-operator issue 3479, kernel 6.1.100, with its time stamps;
	 * figures of kubernetes-sigs/aws-efs-csi-driver issue 1218 */
	feed(&r, "[627142.755247] dd invoked oom-killer: "
		 "gfp_mask=0x101cca(GFP_HIGHUSER_MOVABLE|__GFP_WRITE), order=0, "
		 "oom_score_adj=936\n"
		 "[627142.765838] CPU: 1 PID: 3656524 Comm: dd Not tainted 6.1.100+ #1\n"
		 "[627142.798112]  out_of_memory+0x3dc/0x5c0\n"
		 "[17657.186200] memory: usage 262144kB, limit 262144kB, failcnt 37\n"
		 "[17657.186235] Memory cgroup stats for "
		 "/kubepods.slice/cri-containerd-279f.scope:\n"
		 "[17657.186249] anon 257978368\n[17657.186249] file 212992\n[17657.186249] kernel "
		 "10207232\n"
		 "[17657.186249] shmem 73728\n[17657.186249] file_dirty 0\n[17657.186249] "
		 "file_writeback 0\n"
		 "[17657.186249] inactive_file 126976\n[17657.186249] active_file 12288\n"
		 "[17657.186249] slab_reclaimable 1674952\n[17657.186249] slab_unreclaimable "
		 "2132560\n"
		 "[17657.186253] Tasks state (memory values in pages):\n");
	assert_int_equal(r.n, 1);
	assert_string_equal(r.rows[0].gfp, "0x101cca(GFP_HIGHUSER_MOVABLE|__GFP_WRITE)");
	assert_true(r.rows[0].may_enter_fs);
	assert_int_equal(wring_oom_clean_file(&r.rows[0]), 126976 + 12288);
	assert_int_equal(r.rows[0].slab_reclaimable, 1674952);
	/* kata-containers/runtime pull 2775: one record shown by dmesg as several lines */
	wring_oom_feed(&r, 2000, "[Wed Jun 17] x");
	feed(&r, "qemu invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n"
		 "memory: usage 1048576kB, limit 1048576kB, failcnt 153\n"
		 "memory+swap: usage 1048576kB, limit 9007199254740988kB, failcnt 0\n"
		 "kmem: usage 10568kB, limit 9007199254740988kB, failcnt 0\n"
		 "Memory cgroup stats for /kubepods/pod200f55f9-b043-11ea-b578-fa163e82605e:\n");
	wring_oom_feed(&r, 2000,
		       "anon 1062739968\n                           file 0\n"
		       "                           kernel_stack 0\n                           "
		       "slab_reclaimable 847872\n");
	assert_int_equal(r.n, 2);
	assert_int_equal(r.rows[1].usage, 1048576LL * 1024);
	assert_int_equal(r.rows[1].slab_reclaimable, 847872);
	assert_int_equal(r.rows[1].anon, 1062739968);
	/* koverstreet/bcachefs issue 886: not a memcg's */
	feed(&r, "kworker/0:3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=-1, "
		 "oom_score_adj=0\n"
		 "Out of memory: Killed process 3 (x) total-vm:1kB\n");
	assert_false(r.rows[2].is_memcg);
	assert_int_equal(r.global, 1);
	wring_oom_done(&r);
}

static void test_oom_gfp(void **state)
{
	static const struct { const char *gfp; bool fs; } rows[] = {
		{ "0xcc0(GFP_KERNEL)", true }, { "0x400cc0(GFP_KERNEL_ACCOUNT)", true },
		{ "0xc40(GFP_NOFS)", false }, { "0x400c40(GFP_NOFS|__GFP_ACCOUNT)", false },
		{ "0x800(GFP_NOWAIT)", false }, { "0xd0", true }, { "0x50", false },
		{ "0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP)", true }, { "", true },
	};

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(rows); i++) {
		struct wring_oom_reports r = { 0 };
		char line[200];

		snprintf(line, sizeof(line),
			 "a b invoked oom-killer: gfp_mask=%s, order=2, oom_score_adj=0",
			 rows[i].gfp);
		wring_oom_feed(&r, 0, line);
		assert_string_equal(r.rows[0].task, "a b");
		assert_int_equal(r.rows[0].order, 2);
		assert_int_equal(r.rows[0].may_enter_fs, rows[i].fs);
		wring_oom_done(&r);
	}
}

/* oom.group: one report, several victims; then the rate limit leaves a kill without one. */
static void test_oom_victims(void **state)
{
	struct wring_oom_reports r = { 0 };

	(void)state;
	feed(&r, oom_612);
	feed(&r, "Tasks in /wring/work are going to be killed due to memory.oom.group set\n"
		 "Memory cgroup out of memory: Killed process 140 (init) total-vm:263140kB\n"
		 "Memory cgroup out of memory: Killed process 141 (init) total-vm:263140kB\n");
	assert_int_equal(r.rows[0].n_victims, 3);
	assert_int_equal(r.unreported, 0);
	feed(&r, oom_61);
	feed(&r, "Memory cgroup out of memory: Killed process 200 (b) total-vm:263140kB\n");
	assert_int_equal(r.n, 2);
	assert_int_equal(r.unreported, 1);
	wring_oom_done(&r);
}

/* Other printers get in between, lines get lost. */
static void test_oom_interleaved(void **state)
{
	struct wring_oom_reports r = { 0 };

	(void)state;
	feed(&r, "x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n"
		 "EXT4-fs (vdb): mounted filesystem\nmemory: usage 100kB, limit 200kB, failcnt 1\n"
		 "Memory cgroup stats for \n"
		 "random: crng init done\n/wring/work:\nanon 1\nEXT4-fs: anon\nfile 2\nfile "
		 "3\nslab_reclaimable 4\n"
		 "slab_reclaimable 99999999999999999999\nfile_dirty -5\n"
		 "Memory cgroup out of memory: Killed process 1 (x) total-vm:1kB\n");
	assert_int_equal(r.n, 1);
	assert_true(wring_oom_complete(&r.rows[0]));
	assert_int_equal(r.rows[0].file, 2);
	assert_int_equal(r.rows[0].slab_reclaimable, 4);
	assert_int_equal(r.rows[0].file_dirty, -1);
	assert_true(r.rows[0].is_memcg);
	/* the report's head was lost */
	feed(&r, "Memory cgroup out of memory: Killed process 2 (x) total-vm:1kB\n");
	assert_int_equal(r.unreported, 1);
	wring_oom_done(&r);
}

/* Mutated reports: nothing may crash, and no number may come out negative. */
static void test_oom_fuzz(void **state)
{
	static const char *const seeds[] = { oom_61, oom_612, panic_612 };
	uint64_t x = 0x9e3779b97f4a7c15;

	(void)state;
	for (int round = 0; round < 4000; round++) {
		struct wring_oom_reports r = { 0 };
		char *buf = strdup(seeds[round % 3]);
		size_t len = strlen(buf), hits = 1 + (size_t)round % 40;

		for (size_t i = 0; i < hits; i++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			switch (x >> 61) {
			case 0: buf[x % len] = (char)(x >> 32); break;
			case 1: buf[x % len] = '\n'; break;
			case 2:
				memmove(buf + x % len, buf + (x >> 20) % len,
					len - (x % len > (x >> 20) % len ? x % len
									 : (x >> 20) % len));
				break;
			case 3:
				memset(buf + x % len, '9',
				       (x >> 40) % 30 < len - x % len ? (x >> 40) % 30 : 0);
				break;
			default: buf[x % len] ^= (char)(1 << (x >> 33) % 7); break;
			}
		}
		for (size_t i = 0; i < len; i++)
			if (!buf[i])
				buf[i] = ' ';
		if (round % 2)
			feed(&r, buf);
		else
			wring_oom_feed(&r, 0, buf);
		for (size_t i = 0; i < r.n; i++) {
			assert_true(wring_oom_clean_file(&r.rows[i]) >= 0);
			assert_true(r.rows[i].limit >= -1);
		}
		wring_oom_done(&r);
		free(buf);
	}
}

/* ---- premature-oom ---- */

struct stage { int64_t current, slab, file; };
struct oom_case {
	const char *gfp;
	int64_t limit_mib, slab, file, dirty, held;
	struct stage at[4]; /* after-load, after-barrier, after-reclaim, after-remount */
	bool no_aftermath, is_61;
	int64_t counted;
};

static void put_report(struct synth *s, const struct oom_case *c, int64_t t_ms)
{
	const char *nl = c->is_61 ? "\\x0a" : "\n";
	char text[2048];

	snprintf(text, sizeof(text),
		 "wring-load invoked oom-killer: gfp_mask=%s, order=0, oom_score_adj=0\n"
		 "memory: usage %lldkB, limit %lldkB, failcnt 37\n"
		 "swap: usage 0kB, limit 0kB, failcnt 0\n"
		 "Memory cgroup stats for /wring/1/work:\n"
		 "anon 262144%sfile %lld%skernel 1048576%sshmem 0%sfile_dirty %lld%sfile_writeback "
		 "0%sinactive_file %lld%sactive_file 0%sslab_reclaimable %lld%sslab_unreclaimable 4096\n"
		 "Tasks state (memory values in pages):\n"
		 "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0-1,"
		 "oom_memcg=/wring/1/work,task_memcg=/wring/1/work,task=wring-load,pid=77,uid=0\n"
		 "Memory cgroup out of memory: Killed process 77 (wring-load) total-vm:3140kB, "
		 "anon-rss:256kB\n",
		 c->gfp ? c->gfp : "0x400cc0(GFP_KERNEL_ACCOUNT)", (long long)c->limit_mib * 1024,
		 (long long)c->limit_mib * 1024, nl, (long long)(c->file + c->dirty), nl, nl, nl,
		 (long long)c->dirty, nl, nl, (long long)(c->file + c->dirty), nl, nl,
		 (long long)c->slab, nl);
	synth_log(s, t_ms, text);
}

static void oom_run(struct synth *s, const struct oom_case *c)
{
	static const char *const marks[] = { "after-load", "after-barrier", "after-reclaim",
					     "after-remount" };
	size_t mem, stat, load, events;

	synth_open(s, "vm");
	synth_run(s, "slab-at-max", plan_work);
	mem = synth_source(s, "memory", "work", "/sys/fs/cgroup/wring/1/work/memory.current",
			   "current peak");
	stat = synth_source(s, "memory.stat", "work", "/sys/fs/cgroup/wring/1/work/memory.stat",
			    "slab_reclaimable file");
	events = synth_source(s, "memory.events", "work",
			      "/sys/fs/cgroup/wring/1/work/memory.events", "+max +oom_kill");
	load = synth_source(s, "load", "names", "", "+ops +errors held_bytes +made_bytes");
	synth_mark(s, 100, "start");
	synth_sample(s, events, 101, I(0), I(0));
	synth_sample(s, load, 4900, I(100), I(0), c->held, I(0));
	if (c->limit_mib)
		put_report(s, c, 5000);
	synth_sample(s, load, 5100, I(100), I(2), c->held, I(0));
	for (int i = 0; i < 4 && !c->no_aftermath; i++) {
		synth_mark(s, 6000 + i * 1000, marks[i]);
		synth_sample(s, mem, 6001 + i * 1000, c->at[i].current, 64 * MIB);
		synth_sample(s, stat, 6002 + i * 1000, c->at[i].slab, c->at[i].file);
	}
	synth_sample(s, events, 11000, I(50), c->counted ? c->counted : I(c->limit_mib != 0));
	synth_judge(s, "premature-oom");
}

/* A 64M group killed with 60M of dentries: threshold max(6.4M, 1M + 4 x 512K). */
#define FULL .limit_mib = 64, .slab = 60 * MIB

static void test_oom_rcu(void **state)
{
	static const struct oom_case c = { FULL, .at = { { 61 * MIB, 60 * MIB, 0 },
							 { 2 * MIB, 1 * MIB, 0 },
							 { 1 * MIB, 0, 0 },
							 { 1 * MIB, 0, 0 } } };
	static const struct oom_case early = { FULL, .is_61 = true,
					       .at = { { 2 * MIB, 1 * MIB, 0 },
						       { 2 * MIB, 1 * MIB, 0 },
						       { 1 * MIB, 0, 0 },
						       { 1 * MIB, 0, 0 } } };
	struct synth s;

	(void)state;
	oom_run(&s, &c);
	EXPECT(&s, "rcu", "fail");
	assert_true(synth_find(&s, "rcu")->value >= 59 * MIB);
	assert_int_equal((int64_t)synth_find(&s, "rcu")->limit, 64 * MIB / 10);
	assert_int_equal(s.v.results->n_findings, 1);
	assert_true(synth_metric(&s, "oom_kills") == 1);
	assert_true(synth_metric(&s, "load_errors") == 2);
	assert_true(synth_metric(&s, "kill_reclaimable_bytes") == 60 * MIB);
	synth_done(&s);
	oom_run(&s, &early);
	EXPECT(&s, "rcu", "fail");
	synth_done(&s);
}

static void test_oom_late(void **state)
{
	static const struct oom_case c = { FULL, .at = { { 61 * MIB, 60 * MIB, 0 },
							 { 61 * MIB, 60 * MIB, 0 },
							 { 2 * MIB, 1 * MIB, 0 },
							 { 1 * MIB, 0, 0 } } };
	/* page cache, not slab */
	static const struct oom_case cache = { .limit_mib = 64,
					       .file = 40 * MIB,
					       .at = { { 41 * MIB, 0, 40 * MIB },
						       { 41 * MIB, 0, 40 * MIB },
						       { 1 * MIB, 0, 0 },
						       { 1 * MIB, 0, 0 } } };
	struct synth s;

	(void)state;
	oom_run(&s, &c);
	EXPECT(&s, "late", "fail");
	synth_done(&s);
	oom_run(&s, &cache);
	EXPECT(&s, "late", "fail");
	synth_done(&s);
}

static void test_oom_withheld(void **state)
{
	static const struct oom_case c = { FULL, .at = { { 61 * MIB, 60 * MIB, 0 },
							 { 61 * MIB, 60 * MIB, 0 },
							 { 61 * MIB, 60 * MIB, 0 },
							 { 1 * MIB, 0, 0 } } };
	struct synth s;

	(void)state;
	oom_run(&s, &c);
	EXPECT(&s, "withheld", "fail");
	synth_done(&s);
}

/* Small steps that only add up: the largest one names the class. */
static void test_oom_sum(void **state)
{
	static const struct oom_case c = { .limit_mib = 64,
					   .slab = 9 * MIB,
					   .at = { { 10 * MIB, 9 * MIB, 0 },
						   { 7 * MIB, 6 * MIB, 0 },
						   { 2 * MIB, 1 * MIB, 0 },
						   { 1 * MIB, 0, 0 } } };
	struct synth s;

	(void)state;
	oom_run(&s, &c);
	EXPECT(&s, "late", "fail");
	synth_done(&s);
}

static void test_oom_silent(void **state)
{
	/* anonymous memory: nothing to reclaim, whatever its exit frees */
	static const struct oom_case anon = { .limit_mib = 64,
					      .slab = 3 * MIB,
					      .at = { { 4 * MIB, 3 * MIB, 0 },
						      { 1 * MIB, 0, 0 },
						      { 1 * MIB, 0, 0 },
						      { 1 * MIB, 0, 0 } } };
	/* pinned from outside: nothing comes free */
	static const struct oom_case pinned = { FULL, .at = { { 61 * MIB, 60 * MIB, 0 },
							      { 61 * MIB, 60 * MIB, 0 },
							      { 60 * MIB, 59 * MIB, 0 },
							      { 60 * MIB, 59 * MIB, 0 } } };
	/* pinned by the load, and let go at its death: the ledger says so */
	static const struct oom_case ledger = { FULL, .held = 58 * MIB,
						.at = { { 61 * MIB, 60 * MIB, 0 },
							{ 61 * MIB, 60 * MIB, 0 },
							{ 1 * MIB, 0, 0 },
							{ 1 * MIB, 0, 0 } } };
	/* half is held, and only the held half comes free */
	static const struct oom_case half = { FULL, .held = 30 * MIB,
					      .at = { { 61 * MIB, 60 * MIB, 0 },
						      { 61 * MIB, 60 * MIB, 0 },
						      { 32 * MIB, 31 * MIB, 0 },
						      { 32 * MIB, 31 * MIB, 0 } } };
	/* usage falls although neither slab nor page cache does: that is not what was judged
	 * reclaimable */
	static const struct oom_case other = { FULL, .at = { { 64 * MIB, 60 * MIB, 0 },
							     { 30 * MIB, 60 * MIB, 0 },
							     { 30 * MIB, 60 * MIB, 0 },
							     { 30 * MIB, 60 * MIB, 0 } } };
	static const struct oom_case none = { 0 };
	static const struct { const struct oom_case *c; const char *cls;
	} rows[] = {
		{ &anon, "deserved" }, { &pinned, "pinned" }, { &ledger, "deserved" },
		{ &half, "pinned" },   { &other, "pinned" },  { &none, "none" },
	};

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(rows); i++) {
		struct synth s;

		oom_run(&s, rows[i].c);
		EXPECT(&s, rows[i].cls, "pass");
		assert_int_equal(s.v.results->n_findings, 1);
		synth_done(&s);
	}
}

static void test_oom_not_judged(void **state)
{
	static const struct stage freed[4] = { { 61 * MIB, 60 * MIB, 0 },
					       { 2 * MIB, 1 * MIB, 0 },
					       { 1 * MIB, 0, 0 },
					       { 1 * MIB, 0, 0 } };
	struct oom_case nofs = { FULL, .gfp = "0x400c40(GFP_NOFS|__GFP_ACCOUNT)" };
	struct oom_case small = { .limit_mib = 8, .slab = 7 * MIB };
	struct oom_case blind = { FULL, .no_aftermath = true };
	struct oom_case rated = { FULL, .counted = 12 };
	struct oom_case dirty = { .limit_mib = 64,
				  .dirty = 50 * MIB,
				  .at = { { 51 * MIB, 0, 50 * MIB },
					  { 51 * MIB, 0, 50 * MIB },
					  { 1 * MIB, 0, 0 },
					  { 1 * MIB, 0, 0 } } };
	const struct { struct oom_case *c; const char *cls, *verdict;
	} rows[] = {
		{ &nofs, "nofs", "suspect" },
		{ &small, "small", "skip" },
		{ &blind, "aftermath", "inconclusive" },
		{ &rated, "unreported", "inconclusive" },
		{ &dirty, "io", "suspect" },
	};

	(void)state;
	memcpy(nofs.at, freed, sizeof(freed));
	memcpy(small.at, freed, sizeof(freed));
	memcpy(rated.at, freed, sizeof(freed));
	for (size_t i = 0; i < WRING_ARRAY_SIZE(rows); i++) {
		struct synth s;

		oom_run(&s, rows[i].c);
		EXPECT(&s, rows[i].cls, rows[i].verdict);
		if (rows[i].c != &rated)
			EXPECT_NONE(&s, "fail");
		synth_done(&s);
	}
}

/* Real reports of anonymous memory at 20M: deserved, with nothing sampled but the log. */
static void test_oom_real_judged(void **state)
{
	struct synth s;

	(void)state;
	synth_open(&s, "vm");
	synth_run(&s, "slab-at-max", plan_work);
	synth_mark(&s, 100, "start");
	synth_log(&s, 2000, oom_61);
	synth_log(&s, 3000, oom_612);
	synth_judge(&s, "premature-oom");
	EXPECT(&s, "deserved", "pass");
	assert_true(synth_metric(&s, "oom_kills") == 2);
	synth_done(&s);
	/* on a host, another's cgroup is nobody's business */
	synth_open(&s, "host");
	synth_run(&s, "slab-at-max", plan_work);
	synth_log(&s, 2000, oom_61);
	synth_judge(&s, "premature-oom");
	EXPECT(&s, "none", "pass");
	synth_done(&s);
}

/* A mark whose samples got lost must not borrow those of the next one. */
static void test_oom_lost_samples(void **state)
{
	static const struct oom_case c = { FULL, .no_aftermath = true };
	struct synth s;
	size_t mem;

	(void)state;
	oom_run(&s, &c);
	EXPECT(&s, "aftermath", "inconclusive");
	wring_view_done(&s.v);
	wring_scenario_free(s.scenario);
	wring_runs_done(&s.rows);
	mem = 0; /* the source of memory.current is the first */
	synth_mark(&s, 6000, "after-load");
	synth_mark(&s, 7000, "after-barrier");
	synth_sample(&s, mem, 7001, 61 * MIB, 64 * MIB);
	synth_mark(&s, 8000, "after-reclaim");
	synth_sample(&s, mem, 8001, MIB, 64 * MIB);
	synth_judge(&s, "premature-oom");
	EXPECT(&s, "aftermath", "inconclusive");
	synth_done(&s);
}

static void test_oom_squeezed(void **state)
{
	struct synth s;

	(void)state;
	synth_open(&s, "vm");
	synth_run(&s, "slab-at-max", plan_work);
	/* OpenRC/openrc issue 407 */
	synth_log(&s, 2000,
		  "openrc-run.sh invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, "
		  "oom_score_adj=0\n"
		  " mem_cgroup_out_of_memory+0xc9/0xe0\n memory_max_write+0x116/0x1d0\n "
		  "cgroup_file_write+0xaa/0x180\n"
		  "memory: usage 65536kB, limit 32768kB, failcnt 37\nMemory cgroup stats for "
		  "/wring/1/work:\n"
		  "anon 0\nfile 0\nslab_reclaimable 60000000\n"
		  "Memory cgroup out of memory: Killed process 77 (x) total-vm:3140kB\n");
	synth_judge(&s, "premature-oom");
	EXPECT(&s, "squeezed", "skip");
	synth_done(&s);
}

/* ---- dying-memcg ---- */

static const char plan_dying[] =
	"[scenario]\nname = dying-memcg\ndetectors = dying-memcg\n[limits]\ndying-memcg.residue = 1\n"
	"[group pool]\n[group pool/g]\ncount = 4\ndeferred = yes\n"
	"[load pins]\nworkload = pin\ngroup = pool/g\n[phase p]\ndo = mark filled\n";

/* y: dying groups after the drain of each block. */
static void dying_run(struct synth *s, const int64_t *y, size_t n, int64_t held,
		      const char *subject)
{
	size_t stat, load, mem;

	synth_open(s, "vm");
	synth_run(s, "dying-memcg", plan_dying);
	stat = synth_source(s, "cgroup.stat", subject, "", "nr_descendants nr_dying_descendants");
	mem = synth_source(s, "memory.stat", subject, "", "percpu slab");
	load = synth_source(s, "load", "pins", "", "held_objects held_bytes");
	synth_mark(s, 100, "start");
	synth_sample(s, stat, 101, I(1), I(0));
	for (size_t i = 0; i < n; i++) {
		int64_t t = 1000 + (int64_t)i * 1000;

		for (int g = 0; g < 8; g++) {
			synth_event(s, t, "group", "pool/g0", "created");
			synth_event(s, t + 100, "group", "pool/g0", "removed");
		}
		synth_sample(s, stat, t + 200, I(1), y[i] + 8);
		synth_sample(s, mem, t + 210, (y[i] + 8) * 3000, I(80000));
		synth_mark(s, t + 500, "drained");
		synth_sample(s, stat, t + 501, I(1), y[i]);
		synth_sample(s, load, t + 502, held, I(0));
		synth_mark(s, t + 600, "cycle");
		synth_sample(s, stat, t + 601, I(1), y[i]);
		synth_sample(s, load, t + 602, held, I(0));
	}
	synth_judge(s, "dying-memcg");
}

static void test_dying_silent(void **state)
{
	static const int64_t flat[8] = { 0, 0, 0, 0, 0, 0, 0, 0 },
			     noisy[8] = { 1, 0, 1, 0, 0, 1, 0, 1 };
	struct synth s;

	(void)state;
	dying_run(&s, flat, 8, 0, "pool");
	EXPECT(&s, "residue", "pass");
	EXPECT(&s, "leak", "pass");
	assert_true(synth_metric(&s, "dying_peak") == 8);
	assert_true(synth_metric(&s, "dying_after_drain") == 0);
	assert_true(synth_metric(&s, "dying_percpu_bytes_each") == 3000);
	assert_true(synth_metric(&s, "dying_slab_bytes_each") == 10000);
	synth_done(&s);
	dying_run(&s, noisy, 8, 0, "."); /* the parent is not sampled: the root is */
	EXPECT(&s, "residue", "pass");
	EXPECT(&s, "leak", "pass");
	synth_done(&s);
}

static void test_dying_residue(void **state)
{
	static const int64_t step[8] = { 4, 4, 4, 4, 4, 4, 4, 4 };
	struct synth s;

	(void)state;
	dying_run(&s, step, 8, 0, "pool");
	EXPECT(&s, "residue", "fail");
	EXPECT(&s, "leak", "pass");
	assert_true(synth_find(&s, "residue")->value == 4 && synth_find(&s, "residue")->limit == 1);
	synth_done(&s);
	dying_run(&s, step, 8, 3, "pool"); /* the ledger holds three */
	EXPECT(&s, "residue", "pass");
	synth_done(&s);
}

static void test_dying_leak(void **state)
{
	static const int64_t leak[8] = { 8, 16, 24, 32, 40, 48, 56, 64 };
	static const int64_t late[8] = {
		0, 1, 2, 3, 4, 30, 60, 90
	}; /* rises, but not with the dose */
	static const int64_t few[3] = { 8, 16, 24 };
	struct synth s;

	(void)state;
	dying_run(&s, leak, 8, 0, "pool");
	EXPECT(&s, "leak", "fail");
	EXPECT(&s, "residue", "fail");
	synth_done(&s);
	dying_run(&s, late, 8, 0, "pool");
	EXPECT(&s, "leak", "suspect");
	synth_done(&s);
	dying_run(&s, few, 3, 0, "pool");
	EXPECT(&s, "leak", "skip");
	EXPECT(&s, "residue", "fail");
	synth_done(&s);
}

static void test_dying_inconclusive(void **state)
{
	struct synth s;

	(void)state;
	dying_run(&s, NULL, 0, 0, "pool");
	EXPECT(&s, "residue", "inconclusive");
	synth_done(&s);
	dying_run(&s, NULL, 0, 0, "elsewhere");
	EXPECT(&s, "residue", "inconclusive");
	synth_done(&s);
}

/* ---- high-overrun ---- */

struct high_case {
	int64_t peak_over, events, made, sock, slab,
		anon; /* bytes over 32M; slab and anon at the top */
	int64_t above_s;
	const char *limit_late;
	bool no_peak, no_barrier, no_rate, no_thp;
};

static void high_run(struct synth *s, const struct high_case *c)
{
	size_t mem, stat, events, load;

	synth_open(s, "vm");
	if (c->no_thp)
		OK(s, wring_store_fact(s->st, s->boot, "thp.enabled", "always madvise [never]",
				       &s->err));
	synth_run(s, "high-kmem", plan_work);
	mem = synth_source(s, "memory", "work", "", c->no_peak ? "current" : "current peak");
	stat = synth_source(s, "memory.stat", "work", "",
			    "anon active_file inactive_file slab_reclaimable sock");
	events = synth_source(s, "memory.events", "work", "", "+high +max");
	synth_event(s, 50, "limit", "work", "memory.high=33554432");
	synth_event(s, 60, "limit", "work", "memory.swap.max=0");
	synth_mark(s, 100, "start");
	synth_event(s, 200, "load", "names", "start procs=1");
	if (c->limit_late)
		synth_event(s, 300, "limit", "work", c->limit_late);
	synth_sample(s, events, 101, I(0), I(0));
	if (c->no_peak)
		synth_sample(s, mem, 400, 20 * MIB),
			synth_sample(s, mem, 1000, 32 * MIB + c->peak_over);
	else
		synth_sample(s, mem, 400, 20 * MIB, 20 * MIB),
		synth_sample(s, mem, 1000, 32 * MIB + c->peak_over, 32 * MIB + c->peak_over);
	synth_sample(s, stat, 1001, c->anon, I(0), I(0), c->slab, c->sock);
	if (c->no_peak)
		synth_sample(s, mem, 1000 + c->above_s * 1000, 10 * MIB);
	else
		synth_sample(s, mem, 1000 + c->above_s * 1000, 10 * MIB, 32 * MIB + c->peak_over);
	if (!c->no_rate) {
		load = synth_source(s, "load", "names", "", "+made_bytes held_bytes");
		synth_sample(s, load, 300, I(0), I(0));
		synth_sample(s, load, 800, c->made, I(0));
	}
	synth_sample(s, events, 3000, c->events, I(0));
	if (!c->no_barrier) {
		synth_event(s, 4000, "step", "rcu-barrier", "");
		synth_event(s, 4050, "step", "rcu-barrier", "done ns=50000000");
	}
	synth_judge(s, "high-overrun");
}

static void test_high(void **state)
{
	/* allowed: 0.4M of high, 0.5M of batches, 20M/s for 50 ms = 1M */
	static const struct high_case ok = { .peak_over = 19 * MIB / 10,
					     .events = 7,
					     .made = 10 * MIB,
					     .slab = 30 * MIB,
					     .above_s = 1 };
	static const struct high_case over = {
		.peak_over = 3 * MIB, .events = 7, .made = 10 * MIB, .slab = 30 * MIB, .above_s = 1
	};
	static const struct high_case ignored = {
		.peak_over = 30 * MIB, .made = 10 * MIB, .slab = 60 * MIB, .above_s = 1
	};
	static const struct high_case sampled = { .peak_over = 3 * MIB,
						  .events = 7,
						  .made = 10 * MIB,
						  .slab = 30 * MIB,
						  .above_s = 1,
						  .no_peak = true };
	static const struct high_case sampled_ok = { .peak_over = MIB,
						     .events = 7,
						     .made = 10 * MIB,
						     .slab = 30 * MIB,
						     .above_s = 1,
						     .no_peak = true };
	static const struct high_case lag = { .peak_over = 3 * MIB,
					      .events = 7,
					      .made = 10 * MIB,
					      .slab = 30 * MIB,
					      .above_s = 1,
					      .no_barrier = true };
	static const struct high_case rate = {
		.peak_over = 3 * MIB, .events = 7, .slab = 30 * MIB, .above_s = 1, .no_rate = true
	};
	static const struct high_case sock = { .peak_over = 3 * MIB,
					       .events = 7,
					       .made = 10 * MIB,
					       .slab = 30 * MIB,
					       .sock = 2 * MIB,
					       .above_s = 1 };
	/* anonymous memory without swap: one second above gives (12288 * 32M^2)^(1/3) = 2.3M */
	static const struct high_case curve = {
		.peak_over = 5 * MIB, .events = 7, .made = 10 * MIB, .anon = 50 * MIB, .above_s = 1
	};
	/* a minute: an eighth of the limit, 4M, in 5.3 s, as far as sleeps get longer, then 512K in 2 s make 17.7M */
	static const struct high_case line = {
		.peak_over = 20 * MIB, .events = 7, .made = 10 * MIB, .anon = 50 * MIB, .above_s = 60
	};
	static const struct high_case over_line = {
		.peak_over = 24 * MIB, .events = 7, .made = 10 * MIB, .anon = 50 * MIB, .above_s = 60
	};
	static const struct high_case no_curve = {
		.peak_over = 5 * MIB, .events = 7, .made = 10 * MIB, .slab = 50 * MIB, .above_s = 1
	};
	/* one huge page in flight, unless THP is off */
	static const struct high_case huge = { .peak_over = 3 * MIB,
					       .events = 7,
					       .made = 10 * MIB,
					       .anon = 3 * MIB,
					       .slab = 30 * MIB,
					       .above_s = 1 };
	static const struct high_case no_huge = { .peak_over = 3 * MIB,
						  .events = 7,
						  .made = 10 * MIB,
						  .anon = 3 * MIB,
						  .slab = 30 * MIB,
						  .above_s = 1,
						  .no_thp = true };
	static const struct high_case late = { .peak_over = 3 * MIB,
					       .events = 7,
					       .made = 10 * MIB,
					       .slab = 30 * MIB,
					       .above_s = 1,
					       .limit_late = "memory.high=32M" };
	static const struct { const struct high_case *c; const char *cls, *verdict;
	} rows[] = {
		{ &ok, "overrun", "pass" },	      { &over, "overrun", "fail" },
		{ &ignored, "ignored", "fail" },      { &sampled, "sampled", "inconclusive" },
		{ &sampled_ok, "overrun", "pass" },   { &lag, "lag", "inconclusive" },
		{ &rate, "rate", "inconclusive" },    { &sock, "sock", "skip" },
		{ &curve, "overrun", "pass" },	      { &no_curve, "overrun", "fail" },
		{ &huge, "overrun", "pass" },	      { &no_huge, "overrun", "fail" },
		{ &late, "sampled", "inconclusive" }, { &line, "overrun", "pass" },
		{ &over_line, "overrun", "fail" },
	};

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(rows); i++) {
		struct synth s;

		high_run(&s, rows[i].c);
		EXPECT(&s, rows[i].cls, rows[i].verdict);
		assert_int_equal(s.v.results->n_findings, 1);
		assert_true(synth_metric(&s, "peak_over_high_bytes") ==
			    (double)rows[i].c->peak_over);
		assert_true(synth_metric(&s, "time_above_high_s") == rows[i].c->above_s);
		synth_done(&s);
	}
}

/* The lag out of the series after a reclaim, where there was no barrier. */
static void test_high_reclaim_lag(void **state)
{
	struct synth s;
	size_t mem, load;

	(void)state;
	synth_open(&s, "vm");
	synth_run(&s, "high-kmem", plan_work);
	mem = synth_source(&s, "memory", "work", "", "current peak");
	load = synth_source(&s, "load", "names", "", "+made_bytes");
	synth_event(&s, 50, "limit", "work", "memory.high=33554432");
	synth_event(&s, 60, "load", "names", "start procs=1");
	synth_sample(&s, load, 100, I(0));
	synth_sample(&s, load, 1100, 10 * MIB);
	synth_event(&s, 2000, "reclaim", "work",
		    "asked_bytes=8388608 errno=0 before_bytes=33554432 after_bytes=33000000");
	synth_sample(&s, mem, 2010, 32 * MIB, 35 * MIB);
	synth_sample(&s, mem, 2100, 30 * MIB, 35 * MIB);
	synth_sample(&s, mem, 2300, 24 * MIB, 35 * MIB); /* back after 300 ms: 3M of allocation, and
							    a huge page: anon is not known */
	synth_judge(&s, "high-overrun");
	EXPECT(&s, "overrun", "pass");
	assert_true(synth_find(&s, "overrun")->limit > 5.3 * MIB &&
		    synth_find(&s, "overrun")->limit < 5.5 * MIB);
	synth_done(&s);
	synth_open(&s, "vm");
	synth_run(&s, "high-kmem", plan_work);
	synth_event(&s, 50, "limit", "work", "memory.high=max");
	synth_judge(&s, "high-overrun");
	EXPECT(&s, "overrun", "inconclusive");
	synth_done(&s);
}

/* ---- accounting ---- */

static void parts_run(struct synth *s, int64_t current, int64_t kernel, int64_t swapcached)
{
	size_t mem, stat;

	synth_open(s, "vm");
	synth_run(s, "high-kmem", plan_work);
	mem = synth_source(s, "memory", "work", "", "current");
	stat = synth_source(s, "memory.stat", "work", "", "anon file kernel sock swapcached");
	synth_event(s, 900, "step", "freeze", "work");
	synth_event(s, 910, "step", "freeze", "done ns=1000");
	synth_mark(s, 1000, "frozen");
	synth_sample(s, mem, 1001, current);
	synth_sample(s, stat, 1002, 5 * MIB, 3 * MIB, kernel, I(0), swapcached);
	synth_sample(s, mem, 1200, current);
	synth_sample(s, stat, 1202, 5 * MIB, 3 * MIB, kernel, I(0), swapcached);
	synth_mark(s, 1500, "after-load"); /* what agrees when all is gone agrees too late */
	synth_sample(s, mem, 1501, I(0));
	synth_sample(s, stat, 1502, I(0), I(0), I(0), I(0), I(0));
	synth_judge(s, "accounting");
}

static void test_parts(void **state)
{
	struct synth s;

	(void)state;
	parts_run(&s, 20 * MIB, 12 * MIB, 0);
	EXPECT(&s, "parts", "pass");
	synth_done(&s);
	parts_run(&s, 20 * MIB + MIB, 12 * MIB,
		  0); /* charge stocks: 64 pages on 4 CPUs are 1M, in current alone ... */
	EXPECT(&s, "parts", "pass");
	assert_true(synth_find(&s, "parts")->value == 0);
	synth_done(&s);
	parts_run(&s, 22 * MIB - 4096, 12 * MIB, 0); /* and as much again of statistics that are late */
	EXPECT(&s, "parts", "pass");
	synth_done(&s);
	parts_run(&s, 22 * MIB + 4096, 12 * MIB, 0);
	EXPECT(&s, "parts", "fail");
	synth_done(&s);
	parts_run(&s, 19 * MIB - 4096, 12 * MIB, 0); /* which is all that parts may be larger by */
	EXPECT(&s, "parts", "fail");
	synth_done(&s);
	parts_run(&s, 30 * MIB, 12 * MIB, 0);
	EXPECT(&s, "parts", "fail");
	synth_done(&s);
	parts_run(&s, 30 * MIB, 12 * MIB, 9 * MIB); /* swap cache may be in neither part */
	EXPECT(&s, "parts", "pass");
	synth_done(&s);
	parts_run(&s, 10 * MIB, 12 * MIB, 9 * MIB); /* ... but explains nothing that is too small */
	EXPECT(&s, "parts", "fail");
	synth_done(&s);
}

/* 5M of slab at the end, and now and then as much less than that as is late. */
static void kinds_run(struct synth *s, int64_t kernel, int64_t early_ms, int64_t early)
{
	size_t stat;

	synth_open(s, "vm");
	synth_run(s, "high-kmem", plan_work);
	stat = synth_source(s, "memory.stat", "work", "", "kernel slab_reclaimable slab_unreclaimable pagetables percpu");
	for (int64_t t = 0; t <= 5000; t += 500)
		synth_sample(s, stat, t, t == early_ms ? early : kernel, 4 * MIB, 1 * MIB, I(8192), I(16384));
	synth_judge(s, "accounting");
}

static void test_kinds(void **state)
{
	struct synth s;

	(void)state;
	kinds_run(&s, 5 * MIB + 24576, 0, 0);
	EXPECT(&s, "kinds", "pass");
	synth_done(&s);
	kinds_run(&s, 4 * MIB, 0, 0); /* 1M: 2M are allowed on 4 CPUs */
	EXPECT(&s, "kinds", "pass");
	synth_done(&s);
	kinds_run(&s, 2 * MIB, 1000, 6 * MIB); /* what agreed long ago does not count */
	EXPECT(&s, "kinds", "fail");
	synth_done(&s);
	kinds_run(&s, 2 * MIB, 4000, 6 * MIB); /* late by a second */
	EXPECT(&s, "kinds", "pass");
	synth_done(&s);
}

static void tree_run(struct synth *s, int64_t parent, int64_t child_before, int64_t child_after)
{
	static const char plan[] = "[scenario]\nname = x\n[group a]\n[group a/b]\n[group "
				   "a/b/c]\n[phase p]\ndo = mark filled\n";
	size_t a, b, c;

	synth_open(s, "vm");
	synth_run(s, "x", plan);
	a = synth_source(s, "memory", "a", "", "current");
	b = synth_source(s, "memory", "a/b", "", "current");
	c = synth_source(s, "memory", "a/b/c", "", "current");
	synth_sample(s, b, 990, child_before);
	synth_sample(s, c, 991, child_before);
	synth_mark(s, 1000, "end");
	synth_sample(s, a, 1001, parent);
	synth_sample(s, b, 1002, child_after);
	synth_sample(s, c, 1003, child_after);
	synth_judge(s, "accounting");
}

static void test_hierarchy(void **state)
{
	struct synth s;

	(void)state;
	tree_run(&s, 20 * MIB, 20 * MIB, 20 * MIB); /* a grandchild is not counted twice */
	EXPECT(&s, "hierarchy", "pass");
	synth_done(&s);
	tree_run(&s, 10 * MIB, 20 * MIB, 20 * MIB);
	EXPECT(&s, "hierarchy", "fail");
	synth_done(&s);
	tree_run(&s, 10 * MIB, 9 * MIB, 20 * MIB); /* grew between them */
	EXPECT(&s, "hierarchy", "pass");
	synth_done(&s);
	tree_run(&s, 10 * MIB, 20 * MIB, 9 * MIB); /* shrank between the samples */
	EXPECT(&s, "hierarchy", "pass");
	synth_done(&s);
}

static void test_monotonic(void **state)
{
	struct synth s;
	size_t v, stat, load;

	(void)state;
	for (int i = 0; i < 3; i++) {
		synth_open(&s, "vm");
		synth_run(&s, "slab-at-max", plan_work);
		v = synth_source(&s, "vmstat", "", "", "+pgfault +workingset_nodes nr_dirty");
		stat = synth_source(&s, "memory.stat", "work", "", "+pgscan anon");
		load = synth_source(&s, "load", "names", "", "+ops");
		synth_sample(&s, v, 1000, I(100), I(50), I(9));
		synth_sample(&s, v, 2000, i == 1 ? I(99) : I(101), I(20), I(3));
		synth_sample(&s, stat, 1000, I(500), I(0));
		synth_event(&s, 1500, "group", i == 2 ? "elsewhere" : "work",
			    "created"); /* counts anew */
		synth_sample(&s, stat, 2000, I(2), I(0));
		synth_sample(&s, load, 1000, I(10));
		synth_sample(&s, load, 2000, I(1)); /* not the kernel's */
		synth_judge(&s, "accounting");
		EXPECT(&s, "monotonic", i ? "fail" : "pass");
		if (i == 1)
			assert_non_null(strstr(synth_find(&s, "monotonic")->evidence, "vmstat  "
										      "pgfault, by "
										      "1 at 2.000 "
										      "s"));
		if (i == 2)
			assert_non_null(strstr(synth_find(&s, "monotonic")->evidence, "memory.stat "
										      "work "
										      "pgscan, by "
										      "498"));
		EXPECT(&s, "escape", "skip");
		synth_done(&s);
	}
}

static void test_negative_stat(void **state)
{
	struct synth s;
	size_t stat;

	(void)state;
	synth_open(&s, "vm");
	synth_run(&s, "slab-at-max", plan_work);
	stat = synth_source(&s, "memory.stat", "work", "", "anon file");
	synth_sample(&s, stat, 1000, I(0), I(1));
	synth_sample(&s, stat, 2000, I(-4096), I(1));
	synth_judge(&s, "accounting");
	EXPECT(&s, "monotonic", "fail");
	synth_done(&s);
}

/* waiting: unreclaimable slab that nobody drained. */
static void leftover_run(struct synth *s, int64_t current, int64_t slab, int64_t kernel,
			 int64_t dying, bool drained, int64_t waiting)
{
	size_t mem, stat, cg;

	synth_open(s, "vm");
	synth_run(s, "slab-at-max", plan_work);
	mem = synth_source(s, "memory", ".", "", "current");
	stat = synth_source(s, "memory.stat", ".", "", "anon file kernel sock slab_reclaimable slab_unreclaimable");
	cg = synth_source(s, "cgroup.stat", ".", "", "nr_dying_descendants");
	synth_mark(s, 100, "start");
	synth_sample(s, mem, 101, MIB);
	synth_sample(s, stat, 102, I(0), I(0), MIB, I(0), I(0), I(0));
	synth_event(s, 200, "load", "names", "start procs=1");
	if (drained)
		synth_mark(s, 800, "drained");
	synth_mark(s, 1000, "removed");
	synth_sample(s, mem, 1001, MIB + current);
	synth_sample(s, stat, 1002, I(0), I(0), MIB + kernel, I(0), slab, waiting);
	synth_sample(s, cg, 1003, dying);
	synth_judge(s, "accounting");
}

static void test_leftover(void **state)
{
	struct synth s;

	(void)state;
	leftover_run(&s, 0, 0, 0, 0, true, 0);
	EXPECT(&s, "leftover", "pass");
	synth_done(&s);
	leftover_run(&s, 20 * MIB, 20 * MIB, 20 * MIB, 0, true, 0); /* cache */
	EXPECT(&s, "leftover", "pass");
	synth_done(&s);
	leftover_run(&s, 21 * MIB, 20 * MIB, 20 * MIB, 0, true, 0); /* 64 pages in the stock of each of 4 CPUs */
	EXPECT(&s, "leftover", "pass");
	assert_true(synth_find(&s, "leftover")->value == 0);
	synth_done(&s);
	leftover_run(&s, 24 * MIB, 20 * MIB, 20 * MIB, 0, true, 0); /* charged, and in no statistics */
	EXPECT(&s, "leftover", "fail");
	synth_done(&s);
	leftover_run(&s, 20 * MIB, 0, 20 * MIB, 300, true, 0); /* percpu memory of dying groups */
	EXPECT(&s, "leftover", "pass");
	synth_done(&s);
	leftover_run(&s, 20 * MIB, 0, 20 * MIB, 0, true, 0); /* nobody's */
	EXPECT(&s, "leftover", "fail");
	synth_done(&s);
	leftover_run(&s, 20 * MIB, 0, 20 * MIB, 0, false, 20 * MIB); /* not drained: it may wait for RCU */
	EXPECT(&s, "leftover", "pass");
	synth_done(&s);
	leftover_run(&s, 20 * MIB, 0, 20 * MIB, 0, false, 0);
	EXPECT(&s, "leftover", "fail");
	synth_done(&s);
}

static void escape_run(struct synth *s, int64_t made, int64_t slab_growth, int64_t kernel,
		       int64_t current)
{
	size_t v, mem, stat, load;

	synth_open(s, "vm");
	synth_run(s, "slab-at-max", plan_work);
	v = synth_source(s, "vmstat", "", "", "nr_slab_reclaimable nr_slab_unreclaimable");
	mem = synth_source(s, "memory", "work", "", "current");
	stat = synth_source(s, "memory.stat", "work", "", "kernel");
	load = synth_source(s, "load", "names", "", "+made_bytes");
	synth_sample(s, v, 100, I(1000), I(1000));
	synth_sample(s, v, 2000, I(1000) + slab_growth / 4096, I(1000));
	synth_sample(s, v, 3000, I(1000), I(1000)); /* gone again */
	synth_sample(s, mem, 2000, current);
	synth_sample(s, stat, 2000, kernel);
	synth_sample(s, load, 2000, made);
	synth_judge(s, "accounting");
}

static void test_escape(void **state)
{
	struct synth s;

	(void)state;
	escape_run(&s, 96 * MIB, 90 * MIB, 0, MIB); /* cgroup.memory=nokmem */
	EXPECT(&s, "escape", "fail");
	synth_done(&s);
	escape_run(&s, 96 * MIB, 31 * MIB, 31 * MIB, 32 * MIB); /* charged and limited */
	EXPECT(&s, "escape", "pass");
	synth_done(&s);
	escape_run(&s, 96 * MIB, 90 * MIB, 90 * MIB, 91 * MIB); /* charged, not limited */
	EXPECT(&s, "escape", "pass");
	synth_done(&s);
	escape_run(&s, 96 * MIB, 90 * MIB, 5 * MIB, 6 * MIB); /* most of it reclaimed at once */
	EXPECT(&s, "escape", "pass");
	synth_done(&s);
	escape_run(&s, MIB, 90 * MIB, 0, MIB); /* too little made to tell */
	EXPECT(&s, "escape", "inconclusive");
	synth_done(&s);
}

/* ---- kernel-log ---- */

static void log_run(struct synth *s, const char *line)
{
	synth_open(s, "vm");
	synth_run(s, "slab-at-max", plan_work);
	synth_mark(s, 100, "start");
	synth_log(s, 2000, line);
}

static void test_log_classes(void **state)
{
	static const struct { const char *line, *cls, *verdict;
	} rows[] = {
		{ "BUG: kernel NULL pointer dereference, address: 0000000000000008", "bug",
		  "fail" },
		{ "kernel BUG at lib/list_debug.c:53!", "bug", "fail" },
		{ "BUG: Bad page state in process x  pfn:1234", "bug", "fail" },
		/* sonic-net/sonic-buildimage issue 6866 */
		{ "list_del corruption. prev->next should be ffff9e136bd57418, but was "
		  "677ac660ffffffff",
		  "corruption", "fail" },
		{ "refcount_t: underflow; use-after-free.", "corruption", "fail" },
		/* openzfs/zfs issue 11582 */
		{ "WARNING: CPU: 10 PID: 53557 at lib/list_debug.c:53 __list_del_entry+0x63/0xd0",
		  "warning", "fail" },
		{ "Oops: 0002 [#1] PREEMPT SMP NOPTI", "oops", "fail" },
		{ "general protection fault, probably for non-canonical address 0xdead: 0000 [#1] "
		  "SMP",
		  "oops", "fail" },
		{ "BUG: KASAN: slab-use-after-free in list_lru_add+0x1/0x2", "sanitizer", "fail" },
		{ "UBSAN: array-index-out-of-bounds in mm/vmscan.c:1:2", "sanitizer", "fail" },
		/* cloud-hypervisor/cloud-hypervisor issue 4536 */
		{ "watchdog: BUG: soft lockup - CPU#0 stuck for 79s! [systemd:1]", "lockup",
		  "fail" },
		{ "watchdog: Watchdog detected hard LOCKUP on cpu 3", "lockup", "fail" },
		/* oxidecomputer/propolis issue 1153, kernelkit/infix issue 1273, openzfs/zfs issue
		   557 */
		{ "rcu: INFO: rcu_preempt self-detected stall on CPU", "rcu-stall", "fail" },
		{ "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", "rcu-stall", "fail" },
		{ "INFO: rcu_sched_state detected stall on CPU 0 (t=105060 jiffies)", "rcu-stall",
		  "fail" },
		{ "INFO: task kworker/0:1:12 blocked for more than 20 seconds.", "hung-task",
		  "fail" },
		{ "x: page allocation failure: order:0, mode:0xcc0(GFP_KERNEL), nodemask=(null)",
		  "alloc-failure", "suspect" },
		{ "Kernel panic - not syncing: Fatal exception", "panic", "fail" },
		{ "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100", "init",
		  "inconclusive" },
		/* legal, or somebody else's */
		{ "irq/5-600c0004.: page allocation failure: order:0, mode:0x820(GFP_ATOMIC), "
		  "nodemask=(null)",
		  "clean", "pass" },
		{ "x: page allocation failure: order:9, mode:0xcc0(GFP_KERNEL)", "clean", "pass" },
		{ "fault: loading out-of-tree module taints kernel.", "clean", "pass" },
		{ "clocksource: timekeeping watchdog on CPU1: Marking clocksource 'tsc' as "
		  "unstable",
		  "clean", "pass" },
		{ "traps: fio[123] general protection fault ip:4242 sp:4242 error:0 in "
		  "fio[400000+1000]",
		  "clean", "pass" },
		{ "Spectre V2 : WARNING: Unprivileged eBPF is enabled", "clean", "pass" },
		{ "rcu: INFO: something about rcu without it", "clean", "pass" },
	};

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(rows); i++) {
		struct synth s;

		log_run(&s, rows[i].line);
		synth_judge(&s, "kernel-log");
		EXPECT(&s, rows[i].cls, rows[i].verdict);
		assert_int_equal(s.v.results->n_findings, 1);
		synth_done(&s);
	}
	for (size_t i = 0; i < 2; i++) { /* expected OOM reports */
		struct synth s;

		log_run(&s, i ? oom_61 : oom_612);
		synth_judge(&s, "kernel-log");
		EXPECT(&s, "clean", "pass");
		synth_done(&s);
	}
}

/* A lockup on a guest that the host did not run is nobody's fault. */
static void test_log_starved(void **state)
{
	static const char *const words[] = { "starved", "paused" };
	struct synth s;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		log_run(&s, "watchdog: BUG: soft lockup - CPU#0 stuck for 79s! [systemd:1]\nBUG: "
			    "real\n");
		synth_event(&s, 3000, "guest", words[i], "no CPU time in 30 s");
		synth_judge(&s, "kernel-log");
		EXPECT(&s, "lockup", "inconclusive");
		EXPECT(&s, "bug", "fail"); /* that one needs no time */
		synth_done(&s);
	}
	log_run(&s, "nothing");
	synth_event(&s, 3000, "guest", "hang", "no record for 60 s");
	synth_event(&s, 3000, "guest", "starved", "no CPU time in 30 s");
	synth_judge(&s, "kernel-log");
	EXPECT(&s, "hang", "inconclusive");
	synth_done(&s);
}

/* The guest panics: the record stream ends, the console goes on. */
static const char sysrq_612[] =
	"[    2.338298] sysrq: Show backtrace of all active CPUs\r\n"
	"[    2.341086] NMI backtrace for cpu 1\r\n"
	"[    2.341463] CPU: 1 UID: 0 PID: 90 Comm: wring-load Tainted: G           OE      6.12.117+deb12-cloud-amd64 #1  Debian\r\n"
	"[    2.341883] Call Trace:\r\n"
	"[    2.342028]  <IRQ>\r\n"
	"[    2.345706]  dump_stack_lvl+0x64/0x80\r\n"
	"[    2.345878]  __handle_sysrq+0xa7/0x1a0\r\n"
	"[    2.346465]  </IRQ>\r\n"
	"[    2.346482]  <TASK>\r\n"
	"[    2.346496] RIP: 0010:shrink_slab+0x4e/0x3a0\r\n"
	"[    2.346515] RSP: 0018:ffffcd22803d7ed8 EFLAGS: 00000206\r\n"
	"[    2.346551]  ? __pfx_schedule_timeout+0x10/0x10\r\n"
	"[    2.346551]  do_shrink_slab+0x1/0x2\r\n"
	"[    2.379432] NMI backtrace for cpu 2\r\n"
	"[    2.387102] CPU: 2 UID: 0 PID: 0 Comm: swapper/2 Tainted: G           OE      6.12.117+deb12-cloud-amd64 #1  Debian\r\n"
	"[    2.387568] RIP: 0010:pv_native_safe_halt+0xf/0x20\r\n"
	"[    2.393748]  <TASK>\r\n"
	"[    2.393847]  default_idle+0x9/0x20\r\n"
	"[    2.455245] sysrq: Show Blocked State\r\n"
	"[    2.455584] task:init            state:D stack:0     pid:1     tgid:1     ppid:0      flags:0x00004002\r\n"
	"[    2.457198]  __schedule+0x4e0/0xbf0\r\n"
	"[    2.457356]  schedule+0x27/0xc0\r\n"
	"[    2.459843]  schedule_timeout+0x15d/0x170\r\n"
	"[    2.459973]  __wait_for_common+0x93/0x1e0\r\n"
	"[    2.460184]  ? __pfx_stuck_init+0x10/0x10 [stuck]\r\n"
	"[    2.460309]  stuck_init+0x21/0xff0 [stuck]\r\n"
	"[    2.628369] sysrq: Show State\r\n"
	"[    2.628622] task:kthreadd        state:S stack:0     pid:2     tgid:2     ppid:0      flags:0x00004000\r\n"
	"[    2.628700]  __schedule+0x4e0/0xbf0\r\n"
	"[    2.628800]  kthreadd+0x1/0x2\r\n";

static void test_log_panic(void **state)
{
	struct synth s;

	(void)state;
	log_run(&s, "nothing");
	synth_event(&s, 2500, "guest", "panic", "QEMU saw a panic");
	OK(&s, wring_store_console(s.st, s.boot, panic_612, strlen(panic_612), &s.err));
	synth_judge(&s, "kernel-log");
	EXPECT(&s, "panic", "fail");
	assert_int_equal(s.v.results->n_findings, 1); /* one panic, told once */
	assert_non_null(strstr(synth_find(&s, "panic")->evidence, "mount_root_generic+0x1ac/"
								  "0x350"));
	synth_done(&s);
	/* no console: what the recorder saw */
	log_run(&s, "nothing");
	synth_event(&s, 2500, "guest", "panic", "QEMU saw a panic");
	synth_judge(&s, "kernel-log");
	EXPECT(&s, "panic", "fail");
	synth_done(&s);
	/* a hang: the stack is what the NMI made it print */
	log_run(&s, "nothing");
	synth_event(&s, 2500, "guest", "hang", "no record for 60 s");
	OK(&s, wring_store_console(s.st, s.boot,
				   "[    2.1] NMI backtrace for cpu 1\r\n[    2.1] CPU: 1 PID: 9 "
				   "Comm: names\r\n"
				   "[    2.1] RIP: 0010:shrink_lruvec+0x10/0x100\r\n[    2.1]  "
				   "shrink_node+0x1/0x2\r\n",
				   133, &s.err));
	synth_judge(&s, "kernel-log");
	EXPECT(&s, "hang", "fail");
	assert_non_null(strstr(synth_find(&s, "hang")->evidence, "shrink_lruvec+0x10"));
	synth_done(&s);
	/* sysrq l, w and t of 6.12: who is interrupted, not how the question came; who is blocked, not who sleeps; no idle CPU */
	log_run(&s, "nothing");
	synth_event(&s, 2500, "guest", "hang", "no record for 60 s");
	OK(&s, wring_store_console(s.st, s.boot, sysrq_612, strlen(sysrq_612), &s.err));
	synth_judge(&s, "kernel-log");
	EXPECT(&s, "hang", "fail");
	assert_string_equal(strstr(synth_find(&s, "hang")->evidence, " | "),
			    " | CPU 1, wring-load (pid 90): shrink_slab+0x4e/0x3a0 < do_shrink_slab+0x1/0x2"
			    " | init (pid 1), blocked: __wait_for_common+0x93/0x1e0 < stuck_init+0x21/0xff0 [stuck]");
	synth_done(&s);
}

/* One console for all runs of a boot: each gets its own part. */
static void test_log_console_of_run(void **state)
{
	static const char console[] = "[    0.500000] BUG: at boot\r\n[    2.000000] WARNING: CPU: "
				      "1 PID: 2 at first run\r\n"
				      "[    6.000000] WARNING: CPU: 1 PID: 2 at second run\r\n[    "
				      "7.000000] WARNING: CPU: 1 PID: 3 seen in both\r\n";
	struct synth s;
	int64_t first;

	(void)state;
	synth_open(&s, "vm");
	synth_run(&s, "slab-at-max", plan_work);
	first = s.run;
	synth_mark(&s, 1000, "start");
	synth_mark(&s, 3000, "end");
	synth_finish(&s, "ok", "");
	synth_run(&s, "slab-at-max", plan_work);
	synth_mark(&s, 5000, "start");
	synth_mark(&s, 5500, "end");
	synth_log(&s, 7000, "WARNING: CPU: 1 PID: 3 seen in both");
	OK(&s, wring_store_console(s.st, s.boot, console, strlen(console), &s.err));
	synth_judge(&s, "kernel-log");
	EXPECT(&s, "warning", "fail");
	assert_true(synth_find(&s, "warning")->value ==
		    2); /* its own, and that of log and console once */
	assert_null(synth_find(&s, "bug"));
	wring_view_done(&s.v);
	wring_scenario_free(s.scenario);
	wring_runs_done(&s.rows);
	s.run = first;
	synth_judge(&s, "kernel-log");
	assert_true(synth_find(&s, "warning")->value == 1);
	assert_non_null(strstr(synth_find(&s, "warning")->evidence, "at first run"));
	synth_done(&s);
}

/* ---- all of them: the same view gives the same findings, nothing recorded crashes nobody ---- */

static void test_empty_runs(void **state)
{
	const struct wring_detector *const *all;
	size_t n;

	(void)state;
	all = wring_detectors(&n);
	assert_true(n >= 5);
	for (size_t i = 0; i < n; i++) {
		struct synth s;

		assert_true(*all[i]->summary && *all[i]->doc && *all[i]->controls);
		synth_open(&s, "vm");
		synth_run(&s, "slab-at-max", plan_work);
		synth_judge(&s, all[i]->name);
		assert_true(s.v.results->n_findings >= 1);
		EXPECT_NONE(&s, "fail");
		synth_done(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_klog_prefixes),
		cmocka_unit_test(test_oom_real),
		cmocka_unit_test(test_oom_published),
		cmocka_unit_test(test_oom_gfp),
		cmocka_unit_test(test_oom_victims),
		cmocka_unit_test(test_oom_interleaved),
		cmocka_unit_test(test_oom_fuzz),
		cmocka_unit_test(test_oom_rcu),
		cmocka_unit_test(test_oom_late),
		cmocka_unit_test(test_oom_withheld),
		cmocka_unit_test(test_oom_sum),
		cmocka_unit_test(test_oom_silent),
		cmocka_unit_test(test_oom_not_judged),
		cmocka_unit_test(test_oom_real_judged),
		cmocka_unit_test(test_oom_lost_samples), cmocka_unit_test(test_oom_squeezed),
		cmocka_unit_test(test_dying_silent),
		cmocka_unit_test(test_dying_residue),
		cmocka_unit_test(test_dying_leak),
		cmocka_unit_test(test_dying_inconclusive),
		cmocka_unit_test(test_high),
		cmocka_unit_test(test_high_reclaim_lag),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_hierarchy),
		cmocka_unit_test(test_monotonic),
		cmocka_unit_test(test_negative_stat),
		cmocka_unit_test(test_leftover),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_log_classes),
		cmocka_unit_test(test_log_starved),
		cmocka_unit_test(test_log_panic),
		cmocka_unit_test(test_log_console_of_run),
		cmocka_unit_test(test_empty_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
