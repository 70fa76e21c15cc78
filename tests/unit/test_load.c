/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What becomes of a load's counters: samples of them, and metrics of the samples. */
#include "tests/unit/synth.h"

#include <errno.h>
#include <math.h>
#include "analyzers/load-metrics.h"
#include "harness/api/loadproto.h"
#include "harness/base/util.h"
#include "harness/samplers/source.h"

#define PLAN "[group g]\n[load work]\nworkload = null\n[phase p]\ndo = start work\n\twait work\n"
#define PLAN2 "[group g]\n[load work]\nworkload = null\n[load rest]\nworkload = null\n[phase p]\ndo = start work\n\twait work\n"

/* ---- buckets ---- */

/* What HdrHistogram promises for a number of equal parts in each power of two: values in one bucket differ by at most a part. */
static void test_buckets(void **state)
{
	(void)state;
	for (unsigned b = 0; b + 1 < WRING_LATENCY_BUCKETS; b++) {
		uint64_t from = wring_latency_floor(b), to = wring_latency_floor(b + 1);

		assert_true(to > from);
		assert_int_equal(wring_latency_bucket(from), b);
		assert_int_equal(wring_latency_bucket(to - 1), b);
		assert_true(!b || (to - from) * 16 <= from);
	}
	assert_int_equal(wring_latency_bucket(0), 0);
	assert_int_equal(wring_latency_bucket(UINT64_MAX), WRING_LATENCY_BUCKETS - 1);
	assert_int_equal(wring_latency_floor(WRING_LATENCY_BUCKETS - 1), 1ull << WRING_LATENCY_LAST);
}

/* ---- samplers ---- */

struct threads {
	struct wring_load_view view;
	struct wring_load_page *pages[3];
};

static void threads_open(struct threads *t)
{
	char *p = calloc(WRING_ARRAY_SIZE(t->pages), WRING_LOAD_PAGE);

	assert_non_null(p);
	t->view = (struct wring_load_view){ p, WRING_ARRAY_SIZE(t->pages) };
	for (size_t i = 0; i < WRING_ARRAY_SIZE(t->pages); i++)
		t->pages[i] = (struct wring_load_page *)(p + i * WRING_LOAD_PAGE);
}

static void source_open(struct wring_source *s, const char *sampler, const struct threads *t)
{
	struct wring_err err = { 0 };
	const struct wring_sampler *sm = wring_sampler_find(sampler);

	assert_non_null(sm);
	assert_int_equal(wring_source_open_load(s, sm, "work", &t->view, &err), 0);
	assert_true(s->fresh);
	s->fresh = false;
}

static int64_t value(const struct wring_source *s, const char *key)
{
	const char *k = NULL;

	for (size_t i = 0; i < s->n; i++) {
		k = wring_source_key(s, k);
		if (!strcmp(k, key))
			return s->values[i];
	}
	return -1;
}

static void set_failure(struct wring_load_page *p, unsigned row, const char *call, uint32_t error, uint32_t count)
{
	snprintf(p->failures[row].call, sizeof(p->failures[row].call), "%s", call);
	p->failures[row].error = error;
	p->failures[row].count = count;
}

static void test_sums(void **state)
{
	struct threads t;
	struct wring_source all, each;

	(void)state;
	threads_open(&t);
	source_open(&all, "load", &t);
	source_open(&each, "load-threads", &t);
	assert_int_equal(each.n, 3);
	for (unsigned i = 0; i < 3; i++) {
		t.pages[i]->ops = 10 + i;
		t.pages[i]->held_bytes = 1000;
		t.pages[i]->left_bytes = 1;
		t.pages[i]->moved_bytes = 1ull << 40;
		t.pages[i]->inflight_bytes = i ? -5 : 20;
	}
	assert_int_equal(wring_source_read(&all), 0);
	assert_int_equal(wring_source_read(&each), 0);
	assert_false(all.fresh || each.fresh);
	assert_int_equal(value(&all, "ops"), 33);
	assert_int_equal(value(&all, "held_bytes"), 3003);
	assert_int_equal(value(&all, "moved_bytes"), 3ll << 40);
	assert_int_equal(value(&all, "inflight_bytes"), 10);
	assert_int_equal(value(&each, "ops.0"), 10);
	assert_int_equal(value(&each, "ops.2"), 12);
	assert_int_equal(all.sampler->kind("ops"), WRING_COUNTER);
	assert_int_equal(all.sampler->kind("moved_bytes"), WRING_COUNTER);
	assert_int_equal(all.sampler->kind("inflight_bytes"), WRING_GAUGE);
	assert_int_equal(all.sampler->kind("held_objects"), WRING_GAUGE);
	wring_source_close(&all);
	wring_source_close(&each);
	free((void *)t.view.pages);
}

/* A key stays where it is when others come, whichever thread has them first. */
static void test_errors(void **state)
{
	struct threads t;
	struct wring_source s;

	(void)state;
	threads_open(&t);
	source_open(&s, "load-errors", &t);
	assert_int_equal(s.n, 0);
	set_failure(t.pages[2], 0, "openat", ENOMEM, 3);
	assert_int_equal(wring_source_read(&s), 0);
	assert_true(s.fresh);
	assert_int_equal(s.n, 1);
	s.fresh = false;
	set_failure(t.pages[0], 0, "mmap", EAGAIN, 1);
	set_failure(t.pages[0], 1, "openat", ENOMEM, 4);
	set_failure(t.pages[1], 0, "fifteen-letters", 524, 2); /* ENOTSUPP, which has no name outside the kernel */
	assert_int_equal(wring_source_read(&s), 0);
	assert_true(s.fresh);
	assert_int_equal(s.n, 3);
	assert_string_equal(wring_source_key(&s, NULL), "openat.ENOMEM");
	assert_int_equal(s.values[0], 7);
	assert_int_equal(value(&s, "mmap.EAGAIN"), 1);
	assert_int_equal(value(&s, "fifteen-letters.524"), 2);
	s.fresh = false;
	assert_int_equal(wring_source_read(&s), 0);
	assert_false(s.fresh);
	assert_int_equal(s.values[0], 7);
	wring_source_close(&s);
	free((void *)t.view.pages);
}

static void test_latency(void **state)
{
	struct threads t;
	struct wring_source s;
	int64_t all = 0;

	(void)state;
	threads_open(&t);
	source_open(&s, "load-latency", &t);
	assert_int_equal(s.n, 1);
	t.pages[0]->latency[wring_latency_bucket(4000000)]++;
	t.pages[1]->latency[wring_latency_bucket(4000001)]++;
	t.pages[1]->latency[wring_latency_bucket(100)]++;
	t.pages[2]->latency_max_ns = 4000001;
	assert_int_equal(wring_source_read(&s), 0);
	assert_true(s.fresh);
	assert_int_equal(value(&s, "max_ns"), 4000001);
	assert_int_equal(value(&s, "ge.0"), 1);
	assert_int_equal(value(&s, "ge.3932160"), 2); /* 30/16 of 2^21 */
	for (size_t i = 1; i < s.n; i++)
		all += s.values[i];
	assert_int_equal(all, 3);
	assert_int_equal(s.n, 1 + 1 + 16);
	wring_source_close(&s);
	free((void *)t.view.pages);
}

/* ---- metrics ---- */

static void put_latencies(struct synth *s, const uint64_t *counts, uint64_t max_ns)
{
	struct wring_key keys[WRING_LATENCY_BUCKETS + 1] = { { "max_ns", "", WRING_COUNTER } };
	int64_t values[WRING_LATENCY_BUCKETS + 1] = { (int64_t)max_ns };
	size_t n = 1;

	/* downwards: the order of keys means nothing */
	for (unsigned b = WRING_LATENCY_BUCKETS; b--;)
		if (counts[b]) {
			keys[n] = (struct wring_key){ wring_strf("ge.%llu", (unsigned long long)wring_latency_floor(b)), "", WRING_COUNTER };
			values[n++] = (int64_t)counts[b];
		}
	OK(s, wring_store_source(s->st, s->run, s->next_source, "load-latency", "work", "", &s->err));
	OK(s, wring_store_keys(s->st, s->run, s->next_source, keys, n, &s->err));
	OK(s, wring_store_sample(s->st, s->run, s->next_source++, 2000 * MS, 1000, values, n, &s->err));
	while (n-- > 1)
		free((char *)keys[n].name);
}

static bool within(double got, double wanted)
{
	if (fabs(got - wanted) > wanted / 16)
		print_message("%g, wanted %g\n", got, wanted);
	return fabs(got - wanted) <= wanted / 16;
}

static void judge(struct synth *s)
{
	synth_finish(s, "ok", "");
	synth_judge(s, "kernel-log");
	wring_load_metrics(&s->v);
	OK(s, s->v.results->error);
}

/* The data of HdrHistogram's own HistogramDataAccessTest: 10000 times 1 ms and once 100 s. */
static void test_hdr(void **state)
{
	uint64_t counts[WRING_LATENCY_BUCKETS] = { 0 };
	struct synth s;

	(void)state;
	counts[wring_latency_bucket(1000000)] = 10000;
	counts[wring_latency_bucket(100000000000)] = 1;
	synth_open(&s, "vm");
	synth_run(&s, "test", PLAN);
	put_latencies(&s, counts, 100000000000);
	judge(&s);
	assert_true(within(synth_metric(&s, "latency_p50_ns"), 1e6));
	assert_true(within(synth_metric(&s, "latency_p99_ns"), 1e6));
	assert_true(within(synth_metric(&s, "latency_p999_ns"), 1e6));
	assert_true(synth_metric(&s, "latency_max_ns") == 1e11);
	synth_done(&s);
}

/* Quantiles of the exponential distribution: -mean * ln(1 - q). */
static void test_exponential(void **state)
{
	uint64_t counts[WRING_LATENCY_BUCKETS] = { 0 }, max = 0;
	const double mean = 50000, n = 200000;
	struct synth s;

	(void)state;
	for (double i = 0.5; i < n; i++) {
		uint64_t ns = (uint64_t)(-mean * log(1 - i / n));

		counts[wring_latency_bucket(ns)]++;
		max = ns > max ? ns : max;
	}
	synth_open(&s, "vm");
	synth_run(&s, "test", PLAN2);
	put_latencies(&s, counts, max);
	judge(&s);
	assert_true(within(synth_metric(&s, "work.latency_p50_ns"), mean * log(2)));
	assert_true(within(synth_metric(&s, "work.latency_p99_ns"), mean * log(100)));
	assert_true(within(synth_metric(&s, "work.latency_p999_ns"), mean * log(1000)));
	assert_true(synth_metric(&s, "work.latency_max_ns") == (double)max);
	synth_done(&s);
}

static void test_goodput(void **state)
{
	struct synth s;
	size_t load, errors;

	(void)state;
	synth_open(&s, "vm");
	synth_run(&s, "test", PLAN);
	load = synth_source(&s, "load", "work", "", "+ops +errors +moved_bytes +dropped");
	errors = synth_source(&s, "load-errors", "work", "", "+sendto.ENOBUFS +openat.EIO");
	synth_event(&s, 1000, "load", "work", "start procs=1");
	synth_sample(&s, load, 2000, INT64_C(4), INT64_C(3), INT64_C(1000), INT64_C(7));
	synth_sample(&s, load, 5000, INT64_C(8), INT64_C(5), 40 * MIB, INT64_C(9));
	synth_sample(&s, errors, 5000, INT64_C(5), INT64_C(0));
	synth_event(&s, 5000, "load", "work", "exit pid=5 code=0");
	judge(&s);
	assert_true(synth_metric(&s, "work.goodput") == 10.0 * MIB);
	assert_true(synth_metric(&s, "work.dropped") == 9);
	assert_true(synth_metric(&s, "work.errors") == 5);
	assert_true(synth_metric(&s, "work.errors.sendto.ENOBUFS") == 5);
	for (size_t i = 0; i < s.v.results->n_metrics; i++) {
		assert_null(strstr(s.v.results->metrics[i].name, "latency"));
		assert_null(strstr(s.v.results->metrics[i].name, "EIO"));
	}
	synth_done(&s);
}

/* A run of one census or two; times in ms. What is done of the reclaim, and when: in all 100 ms of work for 50 objects. */
static double work_of(bool two, int requested, int idle, const char *between, const char *request)
{
	struct synth s;
	char text[60];
	double ret = -1;

	synth_open(&s, "vm");
	synth_run(&s, "test", PLAN);
	if (two)
		synth_event(&s, 900, "census", "work", "cached=50 gone=7 ns=1000000");
	synth_event(&s, 990, "step", "sync", "");
	synth_event(&s, 1000, "step", "sync", "done ns=5");
	synth_event(&s, 1001, "step", !strncmp(request, "vm.", 3) ? "sysctl" : "reclaim", request);
	synth_event(&s, 1000 + requested, "step", "reclaim", "done ns=3");
	if (*between) {
		synth_event(&s, 1000 + requested, "step", between, "");
		synth_event(&s, 1000 + requested, "step", between, "done ns=0");
	}
	synth_event(&s, 1000 + requested, "step", "rcu-barrier", "");
	snprintf(text, sizeof(text), "done ns=%d000000 idle_ns=%d000000", 100 + idle - requested, idle);
	synth_event(&s, 1150 + idle, "step", "rcu-barrier", text);
	/* another barrier frees nothing, and another reclaim behind the last census does not count */
	synth_event(&s, 1250, "step", "rcu-barrier", "");
	synth_event(&s, 1300, "step", "rcu-barrier", "done ns=4 idle_ns=0");
	synth_event(&s, 1400, "census", "work", two ? "cached=0 gone=57 ns=1000000" : "cached=0 gone=50 ns=1000000");
	synth_event(&s, 1401, "step", "reclaim", "work 1M");
	synth_event(&s, 1500, "step", "reclaim", "done ns=3");
	synth_event(&s, 1500, "step", "rcu-barrier", "");
	synth_event(&s, 1600, "step", "rcu-barrier", "done ns=4 idle_ns=0");
	judge(&s);
	for (size_t i = 0; i < s.v.results->n_metrics; i++)
		if (!strcmp(s.v.results->metrics[i].name, "reclaim_work_ns"))
			ret = s.v.results->metrics[i].value;
	synth_done(&s);
	return ret;
}

/* However much of the work was done when the request returned, and however long the barrier slept. */
static void test_reclaim_work(void **state)
{
	(void)state;
	assert_true(work_of(false, 99, 0, "", "work 1M") == 2e6);
	assert_true(work_of(false, 40, 70, "", "work 1M") == 2e6);
	assert_true(work_of(true, 60, 3, "", "vm.drop_caches 2") == 2e6);
	assert_true(work_of(true, 60, 3, "", "vm.swappiness 0") == -1);
	/* what else was done in between is not reclaim */
	assert_true(work_of(true, 60, 3, "start", "work 1M") == -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets), cmocka_unit_test(test_sums), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_latency), cmocka_unit_test(test_hdr),  cmocka_unit_test(test_exponential),
		cmocka_unit_test(test_goodput), cmocka_unit_test(test_reclaim_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
