/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net-starvation, fairness and protection over small stores. Times are in milliseconds. */
#include "tests/unit/synth.h"

#define I(x) ((int64_t)(x))

/* ---- net-starvation ---- */

static const char plan_net[] =
	"[scenario]\nname = net\ndetectors = net-starvation\n[group busy]\n[group sibling]\n"
	"[load reference]\nworkload = sock-traffic\nproto = unix-stream\nmessage = 1000\nrate = 100\n"
	"[load victim]\nworkload = sock-traffic\ngroup = sibling\nmessage = 1000\nrate = 100\n"
	"[load self]\nworkload = sock-traffic\ngroup = busy\nmessage = 1000\nrate = 100\n"
	"[phase p]\ndo = mark alone\n";

struct net { int64_t ref_alone, ref_beside, alone, beside, self_beside, max_events; };

/* What each load moved in a window of a second alone and one beside. */
static void net_run(struct synth *s, const struct net *n)
{
	size_t ref, victim, self, events;

	synth_open(s, "vm");
	synth_run(s, "net", plan_net);
	ref = synth_source(s, "load", "reference", "", "+moved_bytes");
	victim = synth_source(s, "load", "victim", "", "+moved_bytes");
	self = synth_source(s, "load", "self", "", "+moved_bytes");
	events = synth_source(s, "memory.events", "busy", "", "+high +max");
	for (int i = 0; i < 4; i++) {
		static const char *const marks[] = { "alone", "apart", "beside", "apart" };
		int64_t t = 1000 * (i + 1);

		synth_mark(s, t, marks[i]);
		synth_sample(s, ref, t + 1, I((i > 0) * n->ref_alone + (i > 2) * n->ref_beside));
		synth_sample(s, victim, t + 1, I((i > 0) * n->alone + (i > 2) * n->beside));
		synth_sample(s, self, t + 1, I((i > 0) * n->alone + (i > 2) * n->self_beside));
		synth_sample(s, events, t + 1, I(0), I((i > 2) * n->max_events));
	}
	synth_finish(s, "ok", "");
	synth_judge(s, "net-starvation");
}

static size_t findings(const struct synth *s) { return s->v.results->n_findings; }

static void test_net(void **state)
{
	struct synth s;

	(void)state;
	/* healthy; self is at its limit and starved, which is by design */
	net_run(&s, &(struct net){ 100000, 100000, 100000, 99000, 100, 50 });
	EXPECT(&s, "sibling", "pass");
	assert_int_equal(findings(&s), 1);
	assert_true(synth_metric(&s, "goodput_kept_pct.self") < 1);
	synth_done(&s);
	/* the machine was busy: the reference had as little */
	net_run(&s, &(struct net){ 100000, 5000, 100000, 5000, 5000, 50 });
	EXPECT(&s, "sibling", "pass");
	synth_done(&s);
	net_run(&s, &(struct net){ 100000, 100000, 100000, 20000, 20000, 50 });
	EXPECT(&s, "sibling", "fail");
	synth_done(&s);
	/* self is at no limit: judged like any other */
	net_run(&s, &(struct net){ 100000, 100000, 100000, 100000, 100, 0 });
	EXPECT(&s, "sibling", "pass");
	assert_int_equal(findings(&s), 2);
	assert_string_equal(s.v.results->findings[1].verdict, "fail");
	synth_done(&s);
	/* from the beginning, and even nothing at all */
	net_run(&s, &(struct net){ 100000, 100000, 3000, 3000, 3000, 50 });
	EXPECT(&s, "stalled", "fail");
	synth_done(&s);
	net_run(&s, &(struct net){ 100000, 100000, 0, 0, 0, 50 });
	EXPECT(&s, "stalled", "fail");
	synth_done(&s);
	/* caught up in a window alone with what it missed before: not due then */
	net_run(&s, &(struct net){ 100000, 100000, 500000, 50000, 50000, 50 });
	EXPECT(&s, "sibling", "pass");
	synth_done(&s);
	/* a reference that moved nothing tells nothing */
	net_run(&s, &(struct net){ 0, 0, 100000, 100000, 100000, 50 });
	EXPECT(&s, "sibling", "inconclusive");
	synth_done(&s);
}

/* ---- fairness ---- */

static const char plan_fair[] =
	"[scenario]\nname = fair\ndetectors = fairness\n[group a]\n[group b]\n[group c]\n"
	"[load reference]\nworkload = sock-traffic\nproto = unix-stream\nrate = 100\n"
	"[load victim-a]\nworkload = shmem\ngroup = a\nrate = 100\n"
	"[load victim-b]\nworkload = shmem\ngroup = b\nrate = 100\n"
	"[load victim-c]\nworkload = shmem\ngroup = c\nrate = 100\n"
	"[phase p]\ndo = mark alone\n";

struct fair { int64_t ref, a, b, c, a_alone, kills, errors, lost; };

static void fair_run(struct synth *s, const struct fair *f)
{
	static const char *const names[] = { "reference", "victim-a", "victim-b", "victim-c" };
	const int64_t beside[] = { f->ref, f->a, f->b, f->c };
	size_t load[4], events, memory;

	synth_open(s, "vm");
	synth_run(s, "fair", plan_fair);
	for (int k = 0; k < 4; k++)
		load[k] = synth_source(s, "load", names[k], "", "+ops +errors");
	events = synth_source(s, "memory.events", "a", "", "+high +max +oom_kill");
	memory = synth_source(s, "memory", "a", "", "current");
	for (int i = 0; i < 4; i++) {
		static const char *const marks[] = { "alone", "apart", "beside-dentry", "apart" };
		int64_t t = 1000 * (i + 1);

		synth_mark(s, t, marks[i]);
		for (int k = 0; k < 4; k++)
			synth_sample(s, load[k], t + 1, I((i > 0) * (k == 1 ? f->a_alone : 100) + (i > 2) * beside[k]), I(i > 2 && k == 1 ? f->errors : 0));
		synth_sample(s, events, t + 1, I(0), I(0), I(i > 2 ? f->kills : 0));
		synth_sample(s, memory, t + 1, 20 * MIB);
		synth_sample(s, memory, t + 500, 20 * MIB - (i == 2) * f->lost);
	}
	synth_finish(s, "ok", "");
	synth_judge(s, "fairness");
}

static size_t failures(const struct synth *s, const char *cls)
{
	size_t n = 0;

	for (size_t i = 0; i < s->v.results->n_findings; i++)
		n += !strcmp(s->v.results->findings[i].class, cls) && !strcmp(s->v.results->findings[i].verdict, "fail");
	return n;
}

static void test_fair(void **state)
{
	struct synth s;

	(void)state;
	fair_run(&s, &(struct fair){ 100, 90, 80, 70, 100, 0, 0, 0 });
	EXPECT_NONE(&s, "fail");
	EXPECT_NONE(&s, "inconclusive");
	synth_done(&s);
	/* one of three */
	fair_run(&s, &(struct fair){ 100, 10, 90, 90, 100, 0, 0, 0 });
	assert_int_equal(failures(&s, "slowdown"), 1);
	synth_done(&s);
	/* all of them, the reference as well: a busy machine */
	fair_run(&s, &(struct fair){ 10, 10, 10, 10, 100, 0, 0, 0 });
	assert_int_equal(failures(&s, "slowdown"), 0);
	EXPECT_NONE(&s, "fail");
	synth_done(&s);
	/* all of them, but not the reference */
	fair_run(&s, &(struct fair){ 100, 10, 10, 10, 100, 0, 0, 0 });
	assert_int_equal(failures(&s, "slowdown"), 1);
	synth_done(&s);
	/* one, alone already */
	fair_run(&s, &(struct fair){ 100, 90, 90, 90, 3, 0, 0, 0 });
	assert_int_equal(failures(&s, "stalled"), 1);
	synth_done(&s);
	fair_run(&s, &(struct fair){ 100, 90, 90, 90, 100, 1, 0, 0 });
	EXPECT(&s, "harm", "fail");
	synth_done(&s);
	fair_run(&s, &(struct fair){ 100, 90, 90, 90, 100, 0, 3, 0 });
	EXPECT(&s, "harm", "fail");
	synth_done(&s);
	/* a tenth, and 64 pages a CPU (1M), are not a loss */
	fair_run(&s, &(struct fair){ 100, 90, 90, 90, 100, 0, 0, 2 * MIB });
	EXPECT_NONE(&s, "fail");
	synth_done(&s);
	fair_run(&s, &(struct fair){ 100, 90, 90, 90, 100, 0, 0, 4 * MIB });
	EXPECT(&s, "loss", "fail");
	synth_done(&s);
}

static const char plan_swap[] = "[scenario]\nname = swap\ndetectors = fairness\n[group a]\n[load x]\nworkload = anon\ngroup = a\n"
				"[phase p]\ndo = mark swapping\n";

/* A sample a second for 30 s; nothing is swapped from second `from` to second `to`, and no sample is taken if `is_away`. */
static void swap_run(struct synth *s, int from, int to, bool is_away, int64_t kills, int64_t free_kb)
{
	size_t vmstat, meminfo, events;
	int64_t pages = 0;

	synth_open(s, "vm");
	synth_run(s, "swap", plan_swap);
	vmstat = synth_source(s, "vmstat", "", "", "+pswpin +pswpout");
	meminfo = synth_source(s, "meminfo", "", "", "SwapTotal SwapFree");
	events = synth_source(s, "memory.events", "a", "", "+high +max +oom_kill");
	synth_mark(s, 1000, "swapping");
	for (int t = 4; t <= 124; t++) {
		bool stalls = t > 4 * from && t <= 4 * to;

		pages += !stalls * 100;
		if (!stalls || !is_away)
			synth_sample(s, vmstat, 250 * t + 1, pages, pages);
		synth_sample(s, meminfo, 250 * t + 1, I(100000), free_kb);
		synth_sample(s, events, 250 * t + 1, I(0), I(0), kills);
	}
	synth_mark(s, 31001, "swapped");
	synth_finish(s, "ok", "");
	synth_judge(s, "fairness");
}

static void test_swap(void **state)
{
	struct synth s;

	(void)state;
	swap_run(&s, 5, 14, false, 0, 50000);
	EXPECT(&s, "swap-stall", "pass");
	EXPECT(&s, "swap-kill", "pass");
	synth_done(&s);
	swap_run(&s, 5, 17, false, 0, 50000);
	EXPECT(&s, "swap-stall", "fail");
	synth_done(&s);
	/* the sampler was away, so nobody knows */
	swap_run(&s, 5, 17, true, 0, 50000);
	EXPECT(&s, "swap-stall", "pass");
	synth_done(&s);
	swap_run(&s, 0, 0, false, 1, 50000);
	EXPECT(&s, "swap-kill", "fail");
	synth_done(&s);
	/* swap was full */
	swap_run(&s, 0, 0, false, 1, 1000);
	EXPECT(&s, "swap-kill", "pass");
	synth_done(&s);
}

/* ---- swap beside a flood ---- */

static const char plan_flood[] = "[scenario]\nname = flood\ndetectors = fairness\n[group a]\n[load x]\nworkload = anon\ngroup = a\n"
				 "[load flood]\nworkload = sock-receive\ngroup = a\n[phase p]\ndo = mark swapping\n";

struct flooded {
	int stall_from, stall_to;         /* seconds: no page goes out */
	enum { NOTHING, TAKEN, WRITTEN, NO_NEED } ahead; /* what becomes of pages that were written ahead */
	int64_t mb_per_s;                 /* of the flood */
	int low_from, low_to;             /* seconds: free memory is below the low watermark of 1000 pages */
	int64_t reserve_drops, own_drops; /* packets */
	int watched_to;                   /* seconds; 0: 32 */
};

/* Alone until 10 s, beside a flood until 20 s, and until 32 s alone again. */
static void flood_run(struct synth *s, const struct flooded *f)
{
	size_t vmstat, meminfo, load, netstat;
	int64_t pages = 0, stolen = 0, written = 0, bytes = 0;
	char text[40];

	synth_open(s, "vm");
	OK(s, wring_store_fact(s->st, s->boot, "watermark.low_pages", "1000", &s->err));
	synth_run(s, "flood", plan_flood);
	vmstat = synth_source(s, "vmstat", "", "", "+pswpin +pswpout +pgsteal_anon nr_written nr_writeback nr_free_pages");
	meminfo = synth_source(s, "meminfo", "", "", "SwapTotal SwapFree");
	load = synth_source(s, "load", "flood", "", "+moved_bytes");
	netstat = synth_source(s, "netstat", "", "", "+TcpExt.PFMemallocDrop");
	for (int t = 4; t <= 4 * 32; t++) {
		bool stalls = t > 4 * f->stall_from && t <= 4 * f->stall_to;

		if (t == 4 || t == 40 || t == 80 || t == 4 * (f->watched_to ? f->watched_to : 32))
			synth_mark(s, 250 * t, t == 4 ? "swapping" : t == 40 ? "beside" : t == 80 ? "apart" : "swapped");
		pages += !stalls * 100;
		stolen += (!stalls || f->ahead == TAKEN) * 100;
		written += (!stalls || f->ahead == WRITTEN) * 100;
		bytes += t > 40 && t <= 80 ? f->mb_per_s * MIB / 4 : 0;
		synth_sample(s, vmstat, 250 * t + 1, I(4 * t), pages, stolen, written, f->ahead == NO_NEED ? I(0) : I(8), t > 4 * f->low_from && t <= 4 * f->low_to ? I(999) : I(1000));
		synth_sample(s, meminfo, 250 * t + 1, I(100000), I(50000));
		synth_sample(s, load, 250 * t + 1, bytes);
		synth_sample(s, netstat, 250 * t + 1, t > 50 ? f->reserve_drops : I(0));
	}
	snprintf(text, sizeof(text), "dropped=%lld", (long long)f->own_drops);
	synth_event(s, 32100, "swap", "nbd0", text);
	synth_finish(s, "ok", "");
	synth_judge(s, "fairness");
}

static void test_flood(void **state)
{
	struct synth s;

	(void)state;
	flood_run(&s, &(struct flooded){ .mb_per_s = 10, .reserve_drops = 7 });
	EXPECT(&s, "swap-stall", "pass");
	EXPECT(&s, "flood-stall", "pass");
	EXPECT(&s, "below-low", "pass");
	EXPECT(&s, "reserve", "pass");
	assert_true(synth_metric(&s, "flood_bytes_per_s") == 10 * MIB);
	assert_true(synth_metric(&s, "reserve_drops") == 7);
	synth_done(&s);
	/* 5 s and what it took alone, which is a sample of 250 ms */
	flood_run(&s, &(struct flooded){ 12, 17, NOTHING, 10 });
	EXPECT(&s, "flood-stall", "pass");
	synth_done(&s);
	flood_run(&s, &(struct flooded){ 12, 18, NOTHING, 10 });
	EXPECT(&s, "swap-stall", "pass");
	EXPECT(&s, "flood-stall", "fail");
	assert_true(synth_metric(&s, "flood_swap_stall_s") == 6);
	synth_done(&s);
	for (int ahead = TAKEN; ahead <= NO_NEED; ahead++) {
		flood_run(&s, &(struct flooded){ 12, 18, ahead, 10 });
		EXPECT(&s, "flood-stall", "pass");
		synth_done(&s);
	}
	/* as slow before the flood */
	flood_run(&s, &(struct flooded){ 4, 12, NOTHING, 10 });
	EXPECT(&s, "flood-stall", "pass");
	synth_done(&s);
	/* no flood came */
	flood_run(&s, &(struct flooded){ 12, 18, NOTHING, 0 });
	EXPECT(&s, "flood-stall", "inconclusive");
	synth_done(&s);
	flood_run(&s, &(struct flooded){ .mb_per_s = 10, .low_from = 15, .low_to = 29 });
	EXPECT(&s, "below-low", "pass");
	synth_done(&s);
	flood_run(&s, &(struct flooded){ .mb_per_s = 10, .low_from = 15, .low_to = 31 });
	EXPECT(&s, "below-low", "fail");
	synth_done(&s);
	/* nobody looked for long enough */
	flood_run(&s, &(struct flooded){ .mb_per_s = 10, .low_from = 15, .low_to = 33, .watched_to = 29 });
	EXPECT(&s, "below-low", "inconclusive");
	synth_done(&s);
	flood_run(&s, &(struct flooded){ .mb_per_s = 10, .reserve_drops = 7, .own_drops = 6 });
	EXPECT(&s, "reserve", "pass");
	synth_done(&s);
	flood_run(&s, &(struct flooded){ .mb_per_s = 10, .reserve_drops = 7, .own_drops = 7 });
	EXPECT(&s, "reserve", "suspect");
	synth_done(&s);
	flood_run(&s, &(struct flooded){ .mb_per_s = 10, .own_drops = 7 });
	EXPECT(&s, "reserve", "pass");
	synth_done(&s);
}

/* ---- protection ---- */

static const char plan_kept[] = "[scenario]\nname = kept\ndetectors = protection\n[group box]\n[group box/kept]\n[group box/other]\n"
				"[load x]\nworkload = file\ngroup = box/other\n[phase p]\ndo = mark beside\n";

struct kept { const char *limit; int64_t before, least, taken, other_file; };

static void kept_run(struct synth *s, const struct kept *k)
{
	size_t box, kept, other, stat;

	synth_open(s, "vm");
	synth_run(s, "kept", plan_kept);
	box = synth_source(s, "memory.stat", "box", "", "+pgsteal");
	kept = synth_source(s, "memory", "box/kept", "", "current");
	other = synth_source(s, "memory", "box/other", "", "current");
	stat = synth_source(s, "memory.stat", "box/other", "", "file file_dirty file_writeback shmem");
	synth_event(s, 500, "limit", "box/kept", k->limit);
	synth_mark(s, 1000, "beside");
	synth_sample(s, box, 1001, I(0));
	synth_sample(s, kept, 1001, k->before);
	synth_sample(s, other, 1001, 60 * MIB);
	synth_sample(s, stat, 1001, k->other_file, I(0), I(0), I(0));
	synth_sample(s, kept, 1500, k->least);
	synth_sample(s, stat, 1501, k->other_file, I(0), I(0), I(0));
	synth_sample(s, other, 1900, 30 * MIB);
	synth_mark(s, 2000, "apart");
	synth_sample(s, box, 2001, k->taken / 4096);
	synth_sample(s, kept, 2001, k->least);
	synth_finish(s, "ok", "");
	synth_judge(s, "protection");
}

static void test_kept(void **state)
{
	struct synth s;

	(void)state;
	kept_run(&s, &(struct kept){ "memory.low=41943040", 30 * MIB, 30 * MIB, 100 * MIB, 50 * MIB });
	EXPECT(&s, "low", "pass");
	assert_true(synth_metric(&s, "unprotected_lost_pct.box/other") == 50);
	synth_done(&s);
	kept_run(&s, &(struct kept){ "memory.low=41943040", 30 * MIB, 20 * MIB, 100 * MIB, 50 * MIB });
	EXPECT(&s, "low", "fail");
	synth_done(&s);
	/* only what is below memory.low is protected */
	kept_run(&s, &(struct kept){ "memory.low=20971520", 30 * MIB, 20 * MIB, 100 * MIB, 50 * MIB });
	EXPECT(&s, "low", "pass");
	synth_done(&s);
	/* nobody had anything else to give */
	kept_run(&s, &(struct kept){ "memory.low=41943040", 30 * MIB, 20 * MIB, 100 * MIB, 0 });
	EXPECT(&s, "low", "inconclusive");
	synth_done(&s);
	/* memory.min holds even then; max protects all */
	kept_run(&s, &(struct kept){ "memory.min=max", 30 * MIB, 20 * MIB, 100 * MIB, 0 });
	EXPECT(&s, "min", "fail");
	synth_done(&s);
	/* nothing was asked of anybody */
	kept_run(&s, &(struct kept){ "memory.min=41943040", 30 * MIB, 30 * MIB, 1 * MIB, 50 * MIB });
	EXPECT(&s, "min", "inconclusive");
	synth_done(&s);
	kept_run(&s, &(struct kept){ "memory.min=41943040", 1 * MIB, 0, 100 * MIB, 50 * MIB });
	EXPECT(&s, "min", "inconclusive");
	synth_done(&s);
}

/* 10000 names below memory.low and as many beside, of which so many are left. */
static void run_names(const char *limit, int64_t before, int64_t left, int64_t left_beside, int64_t other_file, const char *cls, const char *verdict)
{
	static const char plan[] = "[scenario]\nname = kept\ndetectors = protection\n[group box]\n[group box/kept]\n[group box/other]\n"
				   "[load names]\nworkload = dentry\ngroup = box/kept\n[load more]\nworkload = dentry\ngroup = box/other\n"
				   "[phase p]\ndo = mark beside\n";
	size_t box, kept, other, stat;
	struct synth s;
	char text[64];

	synth_open(&s, "vm");
	synth_run(&s, "kept", plan);
	box = synth_source(&s, "memory.stat", "box", "", "+pgsteal");
	kept = synth_source(&s, "memory", "box/kept", "", "current");
	other = synth_source(&s, "memory", "box/other", "", "current");
	stat = synth_source(&s, "memory.stat", "box/other", "", "file file_dirty file_writeback shmem");
	synth_event(&s, 500, "limit", "box/kept", limit);
	synth_event(&s, 800, "census", "names", "cached=10000 gone=0 ns=1000");
	synth_event(&s, 900, "census", "more", "cached=10000 gone=0 ns=1000");
	synth_mark(&s, 1000, "beside");
	synth_sample(&s, box, 1001, I(0));
	synth_sample(&s, kept, 1001, before);
	synth_sample(&s, other, 1001, 60 * MIB);
	synth_sample(&s, stat, 1001, other_file, I(0), I(0), I(0));
	synth_sample(&s, stat, 1999, other_file, I(0), I(0), I(0));
	synth_mark(&s, 2000, "apart");
	synth_sample(&s, box, 2001, 100 * MIB / 4096);
	synth_sample(&s, kept, 2001, before);
	synth_sample(&s, stat, 2001, other_file, I(0), I(0), I(0));
	snprintf(text, sizeof(text), "cached=%lld gone=%lld ns=1000", (long long)left, (long long)(10000 - left));
	synth_event(&s, 2100, "census", "names", text);
	snprintf(text, sizeof(text), "cached=%lld gone=%lld ns=1000", (long long)left_beside, (long long)(10000 - left_beside));
	synth_event(&s, 2200, "census", "more", text);
	synth_finish(&s, "ok", "");
	synth_judge(&s, "protection");
	if (verdict)
		EXPECT(&s, cls, verdict);
	else
		assert_null(synth_find(&s, cls));
	synth_done(&s);
}

static void test_kept_names(void **state)
{
	(void)state;
	run_names("memory.low=41943040", 30 * MIB, 9500, 2000, 50 * MIB, "low-slab", "pass");
	run_names("memory.low=41943040", 30 * MIB, 5000, 2000, 50 * MIB, "low-slab", "fail");
	run_names("memory.min=41943040", 30 * MIB, 5000, 2000, 0, "min-slab", "fail");
	run_names("memory.low=41943040", 30 * MIB, 5000, 2000, 0, "low-slab", "inconclusive");          /* the others had nothing left */
	run_names("memory.low=41943040", 30 * MIB, 10000, 9000, 50 * MIB, "low-slab", "inconclusive"); /* nobody asked the shrinkers */
	run_names("memory.low=20971520", 30 * MIB, 5000, 2000, 50 * MIB, "low-slab", NULL);            /* which of it is protected is open */
}

/* A run that broke off before its first sample is judged too. */
static void test_empty(void **state)
{
	static const char *const all[] = { "net-starvation", "fairness", "protection" };
	struct synth s;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		synth_open(&s, "vm");
		synth_run(&s, "net", plan_net);
		synth_finish(&s, "broken", "broke off");
		synth_judge(&s, all[i]);
		assert_true(s.v.results->n_findings > 0);
		EXPECT_NONE(&s, "fail");
		EXPECT_NONE(&s, "pass");
		synth_done(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_net), cmocka_unit_test(test_fair), cmocka_unit_test(test_swap), cmocka_unit_test(test_flood),
		cmocka_unit_test(test_kept), cmocka_unit_test(test_kept_names), cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
