/* SPDX-License-Identifier: GPL-3.0-or-later */
/* slab-balance, isolation, and what removed groups leave in bytes: on stores out of thin air. */
#include "synth.h"

#define I(n) INT64_C(n)
#define K 1024LL

static void census(struct synth *s, int64_t t, const char *load, long long cached, long long gone)
{
	char text[100];

	snprintf(text, sizeof(text), "cached=%lld gone=%lld ns=1000000", cached, gone);
	synth_event(s, t, "census", load, text);
}

static void reclaim(struct synth *s, int64_t t, const char *group, int64_t asked, int64_t before, int64_t after, int error)
{
	char text[200];

	snprintf(text, sizeof(text), "asked_bytes=%lld errno=%d before_bytes=%lld after_bytes=%lld", (long long)asked, error,
		 (long long)before, (long long)after);
	synth_event(s, t, "reclaim", group, text);
}

/* ---- slab-balance ---- */

static const char plan_pool[] =
	"[scenario]\nname = x\ndetectors = slab-balance\n[group pool]\n[group pool/a]\n[group pool/b]\n[group other]\n"
	"[load a]\nworkload = dentry\ngroup = pool/a\n[load b]\nworkload = dentry\ngroup = pool/b\n[phase p]\ndo = mark filled\n";

/* Both in one cgroup, or page cache. */
static const char plan_together[] =
	"[scenario]\nname = x\ndetectors = slab-balance\n[group pool]\n"
	"[load a]\nworkload = dentry\ngroup = pool\n[load b]\nworkload = dentry\ngroup = pool\n[phase p]\ndo = mark filled\n";
static const char plan_pages[] =
	"[scenario]\nname = x\ndetectors = slab-balance\n[group pool]\n[group pool/a]\n[group pool/b]\n"
	"[load a]\nworkload = file\ngroup = pool/a\n[load b]\nworkload = file\ngroup = pool/b\n[phase p]\ndo = mark filled\n";

struct two { long long a, b, a_left, b_left; int64_t asked, cache, held; int rounds; };

/* Two caches, `rounds` reclaims of `asked` beside so much page cache, and what is left of each. */
static void two_in(struct synth *s, const char *plan, const struct two *c)
{
	size_t stat, load;

	synth_open(s, "vm");
	synth_run(s, "x", plan);
	stat = synth_source(s, "memory.stat", "pool", "", "file shmem file_dirty file_writeback");
	load = synth_source(s, "load", "a", "", "held_objects held_bytes");
	synth_mark(s, 100, "start");
	synth_sample(s, stat, 900, c->cache, I(0), I(0), I(0));
	synth_sample(s, load, 900, c->held, I(0));
	census(s, 1000, "a", c->a, 0);
	census(s, 1100, "b", c->b, 0);
	synth_sample(s, stat, 1150, c->cache, I(0), I(0), I(0));
	synth_sample(s, load, 1150, c->held, I(0));
	for (int i = 0; i < c->rounds; i++)
		reclaim(s, 1200 + i, "pool", c->asked, 128 * MIB, 128 * MIB - c->asked, 0);
	census(s, 2000, "a", c->a_left, c->a - c->a_left);
	census(s, 2100, "b", c->b_left, c->b - c->b_left);
	synth_judge(s, "slab-balance");
}

static void two_run(struct synth *s, const struct two *c) { two_in(s, plan_pool, c); }

static void test_balance_small(void **state)
{
	static const struct { struct two c; const char *class, *word; } rows[] = {
		{ { 500, 40000, 500, 39000, 256 * K, 64 * MIB, 0, 16 }, "small-first", "pass" },
		{ { 500, 40000, 0, 39000, 256 * K, 64 * MIB, 0, 16 }, "small-first", "fail" },
		/* within ten points of the large one */
		{ { 500, 40000, 460, 39900, 256 * K, 64 * MIB, 0, 16 }, "small-first", "pass" },
		/* less than 64 requests of clean cache: not light */
		{ { 500, 40000, 0, 39000, 256 * K, 12 * MIB, 0, 16 }, "small-first", "inconclusive" },
		/* 4 * 2 * 32 pages are 1 MiB */
		{ { 500, 40000, 0, 39000, 256 * K, 64 * MIB, 0, 3 }, "small-first", "inconclusive" },
		{ { 500, 40000, 500, 39000, 256 * K, 64 * MIB, 0, 16 }, "windup", "pass" },
		{ { 40000, 40000, 100, 100, 256 * K, 64 * MIB, 0, 8 }, "windup", "fail" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct synth s;

		two_run(&s, &rows[i].c);
		EXPECT(&s, rows[i].class, rows[i].word);
		synth_done(&s);
	}
}

static void test_balance_heavy(void **state)
{
	static const struct { struct two c; const char *word; } rows[] = {
		{ { 1000, 9000, 0, 0, 256 * MIB, 0, 0, 1 }, "pass" },
		{ { 1000, 9000, 50, 450, 256 * MIB, 0, 0, 1 }, "pass" }, /* 5 % */
		{ { 1000, 9000, 51, 0, 256 * MIB, 0, 0, 1 }, "fail" },
		{ { 1000, 9000, 0, 9000, 256 * MIB, 0, 0, 1 }, "fail" },
		{ { 1000, 9000, 400, 0, 256 * MIB, 0, 400, 1 }, "pass" }, /* in the ledger */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct synth s;

		two_run(&s, &rows[i].c);
		EXPECT(&s, "left", rows[i].word);
		assert_null(synth_find(&s, "small-first"));
		synth_done(&s);
	}
}

static void test_balance_unfair(void **state)
{
	static const struct { const char *plan; struct two c; const char *word; } rows[] = {
		{ plan_together, { 10000, 10000, 5000, 5500, 8 * MIB, 32 * MIB, 0, 2 }, "pass" },
		{ plan_together, { 10000, 10000, 0, 5000, 8 * MIB, 32 * MIB, 0, 2 }, "pass" },  /* exactly twice */
		{ plan_together, { 10000, 10000, 0, 5100, 8 * MIB, 32 * MIB, 0, 2 }, "fail" },
		{ plan_together, { 10000, 10000, 0, 10000, 8 * MIB, 32 * MIB, 0, 2 }, "fail" }, /* one was passed over */
		{ plan_together, { 10000, 10000, 8100, 10000, 8 * MIB, 32 * MIB, 0, 2 }, NULL }, /* too little to tell */
		{ plan_together, { 10000, 5000, 0, 5000, 8 * MIB, 32 * MIB, 0, 2 }, NULL },      /* not equal */
		/* of two cgroups: whose turn it was when pages ran out loses, unless all is asked for */
		{ plan_pool, { 10000, 10000, 0, 10000, 8 * MIB, 32 * MIB, 0, 2 }, NULL },
		{ plan_pool, { 10000, 10000, 0, 10000, 256 * MIB, 32 * MIB, 0, 1 }, "fail" },
		/* pages: eight turns each */
		{ plan_pages, { 128, 128, 60, 128, 1 * MIB, 32 * MIB, 0, 15 }, NULL },
		{ plan_pages, { 128, 128, 60, 128, 1 * MIB, 32 * MIB, 0, 16 }, "fail" },
		{ plan_pages, { 128, 128, 60, 80, 1 * MIB, 32 * MIB, 0, 16 }, "pass" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct synth s;

		two_in(&s, rows[i].plan, &rows[i].c);
		if (rows[i].word)
			EXPECT(&s, "unfair", rows[i].word);
		else
			assert_null(synth_find(&s, "unfair"));
		synth_done(&s);
	}
}

/* A load in several directories: each is a cache of its own. */
static void test_balance_spread(void **state)
{
	struct synth s;

	(void)state;
	synth_open(&s, "vm");
	synth_run(&s, "x", "[scenario]\nname = x\ndetectors = slab-balance\n[group pool]\n[group pool/c]\ncount = 2\n"
			   "[load n]\nworkload = dentry\ngroup = pool/c\n[phase p]\ndo = mark filled\n");
	for (int k = 0; k < 2; k++) {
		synth_event(&s, 1000 + 1000 * k, "census", "n", k ? "group=pool/c0 cached=0 gone=100" : "group=pool/c0 cached=100 gone=0");
		synth_event(&s, 1000 + 1000 * k, "census", "n", "group=pool/c1 cached=100 gone=0");
		census(&s, 1000 + 1000 * k, "n", k ? 100 : 200, k ? 100 : 0);
		if (!k)
			reclaim(&s, 1500, "pool", 64 * MIB, 32 * MIB, 16 * MIB, 11);
	}
	synth_judge(&s, "slab-balance");
	EXPECT(&s, "left", "fail");
	assert_true(synth_find(&s, "left")->value == 100);
	EXPECT(&s, "unfair", "fail");
	assert_true(synth_metric(&s, "left_pct.n") == 50);
	synth_done(&s);
}

static const char plan_limit[] =
	"[scenario]\nname = x\ndetectors = slab-balance\n[group work]\nmemory.max = 64M\n[load tree]\nworkload = inode\ngroup = work\n"
	"[phase p]\ndo = mark filled\n";

/* Page cache and slab, in MiB, once a second between two censuses. */
static void limit_run(struct synth *s, const int *file, const int *slab, size_t n, long long left)
{
	size_t stat;

	synth_open(s, "vm");
	synth_run(s, "x", plan_limit);
	stat = synth_source(s, "memory.stat", "work", "", "file slab_reclaimable");
	synth_sample(s, stat, 400, file[0] * MIB, slab[0] * MIB);
	census(s, 500, "tree", 3000, 0);
	for (size_t i = 0; i < n; i++)
		synth_sample(s, stat, 1000 * (int64_t)(i + 1), file[i] * MIB, slab[i] * MIB);
	census(s, 1000 * (int64_t)n + 500, "tree", left, 3000 - left);
	synth_judge(s, "slab-balance");
}

static void test_balance_limit(void **state)
{
	static const int flat[4] = { 20, 58, 58, 58 }, tree[4] = { 5, 5, 5, 5 }, saw[4] = { 58, 20, 58, 58 };
	static const int names[4] = { 58, 20, 1, 1 }, fill[4] = { 5, 42, 62, 10 }, stay[4] = { 5, 42, 62, 60 };
	struct synth s;

	(void)state;
	limit_run(&s, flat, tree, 4, 2900);
	EXPECT(&s, "swept", "pass");
	EXPECT(&s, "sawtooth", "pass");
	synth_done(&s);
	limit_run(&s, flat, tree, 4, 100);
	EXPECT(&s, "swept", "fail");
	synth_done(&s);
	limit_run(&s, saw, tree, 4, 3000);
	EXPECT(&s, "sawtooth", "fail");
	synth_done(&s);
	limit_run(&s, names, stay, 4, 0); /* names pushed the pages out, and the inodes went with them */
	EXPECT(&s, "sawtooth", "pass");
	EXPECT(&s, "crushed", "fail");
	synth_done(&s);
	limit_run(&s, names, fill, 4, 0);
	EXPECT(&s, "slab-wiped", "fail");
	EXPECT(&s, "crushed", "fail");
	synth_done(&s);
}

/* ---- isolation ---- */

struct iso { long long left; int max_met, own_met, kswapd; bool reclaim_above, reclaim_other; };

static void iso_run(struct synth *s, const struct iso *c)
{
	size_t victim, work, vm;

	synth_open(s, "vm");
	synth_run(s, "x", "[scenario]\nname = x\ndetectors = isolation\n[group work]\n[group victim]\n"
			  "[load names]\nworkload = dentry\ngroup = victim\n[phase p]\ndo = mark filled\n");
	victim = synth_source(s, "memory.events.local", "victim", "", "+max +high");
	work = synth_source(s, "memory.events", "work", "", "+max +high");
	synth_source(s, "memory.events", "victim", "", "+max +high");
	vm = synth_source(s, "vmstat", "", "", "+pgscan_kswapd");
	census(s, 1000, "names", 10000, 0);
	synth_sample(s, victim, 1100, I(0), I(0));
	synth_sample(s, work, 1100, I(0), I(0));
	synth_sample(s, vm, 1100, I(7));
	if (c->reclaim_above)
		reclaim(s, 1200, ".", MIB, 64 * MIB, 63 * MIB, 0);
	if (c->reclaim_other)
		reclaim(s, 1200, "work", MIB, 64 * MIB, 63 * MIB, 0);
	synth_sample(s, victim, 1900, (int64_t)c->own_met, I(0));
	synth_sample(s, work, 1900, (int64_t)c->max_met, I(0));
	synth_sample(s, vm, 1900, INT64_C(7) + c->kswapd);
	census(s, 2000, "names", c->left, 10000 - c->left);
	synth_judge(s, "isolation");
}

static void test_isolation(void **state)
{
	static const struct { struct iso c; const char *word; } rows[] = {
		{ { 10000, 5, 0, 0, false, false }, "pass" },
		{ { 9900, 5, 0, 0, false, false }, "pass" }, /* one per cent */
		{ { 9899, 5, 0, 0, false, false }, "fail" },
		{ { 0, 0, 0, 0, false, true }, "fail" },
		{ { 0, 5, 0, 9, false, false }, "inconclusive" },  /* kswapd ran */
		{ { 0, 5, 3, 0, false, false }, "inconclusive" },  /* its own limit */
		{ { 0, 5, 0, 0, true, false }, "inconclusive" },   /* reclaimed from above */
		{ { 10000, 0, 0, 0, false, false }, "inconclusive" }, /* no pressure anywhere */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct synth s;

		iso_run(&s, &rows[i].c);
		EXPECT(&s, "loss", rows[i].word);
		synth_done(&s);
	}
}

/* Names that another group's load made: 5 MiB of them, and so much is charged to who uses them. */
static void owner_run(struct synth *s, int64_t grown, long long gone)
{
	size_t stat, load;

	synth_open(s, "vm");
	synth_run(s, "x", "[scenario]\nname = x\ndetectors = isolation\n[group owner]\n[group user]\n"
			  "[load owns]\nworkload = dentry\nshared = yes\ngroup = owner\n"
			  "[load uses]\nworkload = dentry\nshared = yes\ngroup = user\n[phase p]\ndo = mark filled\n");
	stat = synth_source(s, "memory.stat", "user", "", "slab_reclaimable");
	load = synth_source(s, "load", "uses", "", "+made_bytes");
	synth_event(s, 100, "load", "owns", "start procs=1");
	synth_event(s, 500, "load", "uses", "start procs=1");
	synth_sample(s, stat, 600, I(0));
	synth_sample(s, load, 900, 5 * MIB);
	census(s, 1000, "uses", 11000 - gone, gone);
	synth_sample(s, stat, 1100, grown);
	synth_judge(s, "isolation");
}

static void test_isolation_owner(void **state)
{
	struct synth s;

	(void)state;
	owner_run(&s, 64 * K, 0);
	EXPECT(&s, "owner", "pass");
	synth_done(&s);
	owner_run(&s, 5 * MIB, 0);
	EXPECT(&s, "owner", "fail");
	synth_done(&s);
	owner_run(&s, 5 * MIB, 10); /* some had gone: it made those itself */
	assert_null(synth_find(&s, "owner"));
	synth_done(&s);
}

/* ---- dying-memcg: what is left in bytes ---- */

static void leave_run(struct synth *s, int64_t kernel_a_block, int64_t slab_kb, int64_t percpu_kb, int64_t peak, int64_t left, int64_t free_kb)
{
	size_t stat, kernel, mem, info;

	synth_open(s, "vm");
	synth_run(s, "x", "[scenario]\nname = x\ndetectors = dying-memcg\n[group pool]\n[group pool/g]\ncount = 4\ndeferred = yes\n"
			  "[phase p]\ndo = mark filled\n");
	stat = synth_source(s, "cgroup.stat", "pool", "", "nr_dying_descendants");
	kernel = synth_source(s, "memory.stat", "pool", "", "kernel slab_reclaimable");
	mem = synth_source(s, "meminfo", "", "", "Slab Percpu");
	info = synth_source(s, "slabinfo", "", "", "dentry.active_objs dentry.num_objs dentry.objsize");
	synth_mark(s, 100, "start");
	synth_sample(s, kernel, 101, I(0), I(0));
	for (int i = 0; i < 9; i++) {
		int64_t t = 1000 + i * 1000;

		synth_event(s, t, "group", "pool/g0", "created");
		synth_sample(s, kernel, t + 100, I(0), peak);
		synth_mark(s, t + 500, "cycle");
		synth_sample(s, stat, t + 501, I(0));
		synth_sample(s, kernel, t + 501, kernel_a_block * i, left);
		synth_sample(s, mem, t + 501, 90000 + slab_kb * i, 5000 + percpu_kb * i);
		synth_sample(s, info, t + 501, I(1000), 1000 + free_kb * i, I(1024));
	}
	synth_judge(s, "dying-memcg");
}

static void test_dying_bytes(void **state)
{
	struct synth s;

	(void)state;
	leave_run(&s, 0, 0, 0, 0, 0, 0);
	EXPECT(&s, "leak-kernel", "pass");
	EXPECT(&s, "leak-slab", "pass");
	EXPECT(&s, "leak-percpu", "pass");
	assert_null(synth_find(&s, "stranded"));
	synth_done(&s);
	leave_run(&s, MIB, 1024, 64, 0, 0, 0);
	EXPECT(&s, "leak-kernel", "fail");
	EXPECT(&s, "leak-slab", "fail");
	EXPECT(&s, "leak-percpu", "fail");
	synth_done(&s);
	leave_run(&s, 0, 1024, 0, 0, 0, 1000); /* room in the slabs, which the next object takes */
	EXPECT(&s, "leak-slab", "pass");
	synth_done(&s);
	leave_run(&s, 64 * K, 64, 8, 0, 0, 0); /* it rises, but no more than counters err */
	EXPECT(&s, "leak-kernel", "pass");
	EXPECT(&s, "leak-slab", "pass");
	EXPECT(&s, "leak-percpu", "pass");
	synth_done(&s);
	leave_run(&s, 0, 0, 0, 20 * MIB, 2 * MIB, 0);
	EXPECT(&s, "stranded", "pass");
	synth_done(&s);
	leave_run(&s, 0, 0, 0, 20 * MIB, 20 * MIB, 0);
	EXPECT(&s, "stranded", "fail");
	synth_done(&s);
	leave_run(&s, 0, 0, 0, 7 * MIB, 7 * MIB, 0); /* too little to tell */
	assert_null(synth_find(&s, "stranded"));
	synth_done(&s);
}

static void test_empty(void **state)
{
	static const char *const names[] = { "slab-balance", "isolation" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct synth s;

		synth_open(&s, "vm");
		synth_run(&s, "x", plan_pool);
		synth_event(&s, 100, "census", "nobody", "cached=1 gone=1");
		synth_event(&s, 100, "census", "a", "cached=x");
		synth_event(&s, 100, "census", "a", "group= cached=1 gone=1");
		census(&s, 200, "a", 0, 0);
		synth_judge(&s, names[i]);
		EXPECT_NONE(&s, "fail");
		EXPECT_NONE(&s, "pass");
		synth_done(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_balance_small),
		cmocka_unit_test(test_balance_heavy),
		cmocka_unit_test(test_balance_unfair),
		cmocka_unit_test(test_balance_spread),
		cmocka_unit_test(test_balance_limit),
		cmocka_unit_test(test_isolation),
		cmocka_unit_test(test_isolation_owner),
		cmocka_unit_test(test_dying_bytes),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
