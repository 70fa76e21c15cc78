/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The store: what goes in comes out, whatever happens in between. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "harness/base/util.h"
#include "results-schema/db.h"
#include "results-schema/store.h"

/* ---- helpers ---- */
struct fixture {
	char dir[64], path[80];
	struct wring_err err;
};

static uint64_t seed = 88172645463325252u;

static uint64_t rnd(void) /* xorshift64: the same numbers in every run */
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/wring-store-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/t.db", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *cmd = wring_strf("rm -rf '%s'", f->dir);
	int r = system(cmd);

	free(f);
	return r;
}

static void check(int r, const struct wring_err *err)
{
	if (r < 0)
		fail_msg("%d: %s", r, err->msg);
}

static struct wring_store *open_store(struct fixture *f, enum wring_store_mode mode)
{
	struct wring_store *st;

	check(wring_store_open(f->path, mode, &st, &f->err), &f->err);
	return st;
}

static void assert_says(const struct wring_err *err, const char *text)
{
	if (!strstr(err->msg, text) || strchr(err->msg, '\n'))
		fail_msg("'%s' is not in one line: %s", text, err->msg);
}

static int64_t add_boot(struct wring_store *st, const char *uuid)
{
	struct wring_boot_meta m = { uuid, "vm",  "2025-01-02T03:04:05.678Z", "quiet",
				     "",   "tcg", "cpus=4 nodes=2 memory=2G" };
	struct wring_err err;
	int64_t boot;

	check(wring_store_begin_boot(st, &m, &boot, &err), &err);
	return boot;
}

static int64_t add_run(struct wring_store *st, int64_t boot, const char *uuid, const char *label)
{
	struct wring_run_meta m = { .uuid = uuid,
				    .scenario = "slab-at-max",
				    .label = label,
				    .started = "2025-01-02T03:04:05.678Z",
				    .plan = "[scenario]\nname = slab-at-max\n",
				    .seed = INT64_MIN };
	struct wring_err err;
	int64_t run;

	check(wring_store_begin_run(st, boot, &m, &run, &err), &err);
	return run;
}

static int64_t pragma(struct wring_store *st, const char *sql)
{
	int64_t v;

	assert_int_equal(wring_db_int(st, sql, &v, NULL), 0);
	return v;
}

static void assert_whole(struct wring_store *st)
{
	sqlite3_stmt *stmt;

	assert_int_equal(sqlite3_prepare_v2(st->db, "PRAGMA integrity_check", -1, &stmt, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "ok");
	sqlite3_finalize(stmt);
	assert_int_equal(pragma(st, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
	/* Columns of chunks that are gone. */
	assert_int_equal(
		pragma(st, "SELECT count(*) FROM col WHERE id >> 20 NOT IN (SELECT id FROM chunk)"),
		0);
}

static bool exists(const char *path, const char *suffix)
{
	_cleanup_free_ char *name = wring_strf("%s%s", path, suffix);

	return access(name, F_OK) == 0;
}

static void assert_single_file(struct fixture *f)
{
	assert_true(exists(f->path, ""));
	assert_false(exists(f->path, "-wal"));
	assert_false(exists(f->path, "-shm"));
}

static void add_source(struct wring_store *st, int64_t run, int64_t source, const char *sampler)
{
	struct wring_err err;

	check(wring_store_source(st, run, source, sampler, "", "/proc/x", &err), &err);
}

static void set_keys(struct wring_store *st, int64_t run, int64_t source, const char *prefix,
		     size_t n)
{
	struct wring_key *keys = calloc(n + 1, sizeof(*keys));
	struct wring_err err;

	for (size_t i = 0; i < n; i++)
		keys[i] = (struct wring_key) { wring_strf("%s%zu", prefix, i), i & 1 ? "pages" : "",
					       i & 1 ? WRING_GAUGE : WRING_COUNTER };
	check(wring_store_keys(st, run, source, keys, n, &err), &err);
	for (size_t i = 0; i < n; i++)
		free((char *)keys[i].name);
	free(keys);
}

/* ---- the blobs ---- */
static void assert_packs_to(const int64_t *v, size_t n, const char *bytes, size_t len)
{
	struct wring_packer *pk = wring_packer_new();
	struct wring_packed blob;

	assert_int_equal(wring_pack_values(pk, v, 1, n, &blob), 0);
	assert_int_equal(blob.enc, WRING_ENC_PLAIN);
	assert_int_equal(blob.len, len);
	assert_memory_equal(blob.p, bytes, len);
	wring_packer_free(pk);
}

/* protobuf.dev/programming-guides/encoding: varint 150 is 96 01; ZigZag maps 0 -1 1 -2 to 0 1 2 3, 0x7fffffff to
 * 0xfffffffe, -0x80000000 to 0xffffffff. */
static void test_published_bytes(void **state)
{
	(void)state;
	assert_packs_to((int64_t[]) { 0, 75 }, 2, "\x96\x01", 2);
	assert_packs_to((int64_t[]) { 0, -1 }, 2, "\x01", 1);
	assert_packs_to((int64_t[]) { 0, 1 }, 2, "\x02", 1);
	assert_packs_to((int64_t[]) { 0, -2 }, 2, "\x03", 1);
	assert_packs_to((int64_t[]) { 0, 0x7fffffff }, 2, "\xfe\xff\xff\xff\x0f", 5);
	assert_packs_to((int64_t[]) { 0, -0x80000000LL }, 2, "\xff\xff\xff\xff\x0f", 5);
	assert_packs_to((int64_t[]) { 9, 9, 9, 9 }, 4, "\x00\x02",
			2); /* ours: a run of three zeros */
	assert_packs_to((int64_t[]) { 9 }, 1, "", 0);
}

enum shape { CONSTANT, COUNTER, WALK, EXTREMES, NOISE, SPARSE, SHAPES };

static int64_t next_value(enum shape shape, int64_t last)
{
	switch (shape) {
	case COUNTER: return last + (int64_t)(rnd() % 5000);
	case WALK: return last + (int64_t)(rnd() % 121) - 60;
	case EXTREMES: return rnd() % 3 == 0 ? INT64_MIN : rnd() % 2 ? INT64_MAX : 0;
	case NOISE: return (int64_t)rnd();
	case SPARSE: return rnd() % 50 ? last : last - 1;
	default: return last;
	}
}

static void test_blobs_round_trip(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 31, 200, WRING_CHUNK_MAX };
	struct wring_packer *pk = wring_packer_new();

	(void)state;
	for (size_t i = 0; i < 4 * SHAPES * WRING_ARRAY_SIZE(sizes); i++) {
		size_t n = sizes[i / 4 / SHAPES], stride = 1 + i % 3;
		int64_t *v = calloc(n * stride, sizeof(*v)), *got = calloc(n * stride, sizeof(*v));
		struct wring_packed blob;
		void *copy;

		for (size_t k = 0; k < n; k++)
			v[k * stride] =
				next_value((enum shape)(i % SHAPES),
					   k ? v[(k - 1) * stride] : (int64_t)(rnd() % 9) - 4);
		assert_int_equal(wring_pack_values(pk, v, stride, n, &blob), 0);
		copy = malloc(blob.len + 1);
		memcpy(copy, blob.p, blob.len);
		blob.p = copy;
		assert_int_equal(wring_unpack_values(pk, &blob, v[0], got, stride, n), 0);
		assert_memory_equal(v, got, n * stride * sizeof(*v));
		/* one value fewer or more is not what was packed */
		if (n > 2)
			assert_int_equal(wring_unpack_values(pk, &blob, v[0], got, stride, n - 1),
					 -EBADMSG);
		got = realloc(got, (n + 1) * stride * sizeof(*v));
		assert_int_equal(wring_unpack_values(pk, &blob, v[0], got, stride, n + 1),
				 -EBADMSG);
		free(copy);
		free(got);
		free(v);
	}
	wring_packer_free(pk);
}

static void test_times_round_trip(void **state)
{
	static struct wring_stamp t[WRING_CHUNK_MAX], got[WRING_CHUNK_MAX];
	struct wring_packer *pk = wring_packer_new();
	struct wring_packed blob;

	(void)state;
	for (size_t round = 0; round < 4; round++) {
		size_t n = round == 3 ? 1 : WRING_CHUNK_MAX;
		void *copy;

		for (size_t i = 0; i < n; i++)
			t[i] = round == 0 ? (struct wring_stamp) { (int64_t)i * 1000, 7 } :
			       round == 1 ? (struct wring_stamp) { (int64_t)i * 100000000 +
									   (int64_t)(rnd() % 99999),
								   (int64_t)(rnd() % 99999) } :
					    (struct wring_stamp) { (int64_t)rnd(), (int64_t)rnd() };
		assert_int_equal(wring_pack_times(pk, t, n, &blob), 0);
		if (round == 0)
			assert_true(blob.len < 20);
		copy = malloc(blob.len + 1);
		memcpy(copy, blob.p, blob.len);
		blob.p = copy;
		assert_int_equal(wring_unpack_times(pk, &blob, t[0].t_ns, got, n), 0);
		assert_memory_equal(t, got, n * sizeof(*t));
		free(copy);
	}
	wring_packer_free(pk);
}

/* Under ASan: heap copies of the exact size, so that one byte too far is seen. */
static void test_decoders_trust_nothing(void **state)
{
	static struct wring_stamp stamps[64];
	struct wring_packer *pk = wring_packer_new();
	int64_t v[64] = { 0 }, out[64];
	size_t n_good = 0;

	(void)state;
	for (size_t i = 0; i < 64; i++)
		v[i] = (int64_t)(rnd() % 7);
	for (size_t i = 0; i < 40000; i++) {
		size_t len = rnd() % 48, n = 1 + rnd() % 64;
		struct wring_packed blob;
		uint8_t *p;

		if (i % 2) { /* a good blob with one wrong byte */
			assert_int_equal(wring_pack_values(pk, v, 1, 64, &blob), 0);
			len = rnd() % 8 ? blob.len : rnd() % (blob.len + 1);
		}
		p = malloc(len);
		for (size_t k = 0; k < len; k++)
			p[k] = i % 2 ? ((const uint8_t *)blob.p)[k] : (uint8_t)(rnd() >> 32);
		if (len)
			p[rnd() % len] ^= (uint8_t)(1 << rnd() % 8);
		if (!(i % 2))
			blob.enc = (int)(rnd() % 4);
		if (blob.enc == WRING_ENC_ZSTD && len >= 4 && i % 4 == 0)
			memcpy(p, "\x28\xb5\x2f\xfd", 4); /* past zstd's first test */
		blob = (struct wring_packed) { p, len, blob.enc };
		n_good += wring_unpack_values(pk, &blob, 0, out, 1, n) == 0;
		n_good += wring_unpack_times(pk, &blob, 0, stamps, n) == 0;
		wring_unpack_bytes(pk, &blob, (char *)out, sizeof(out));
		free(p);
	}
	assert_true(n_good < 40000);
	wring_packer_free(pk);
}

static void test_base_text(void **state)
{
	static const char *const bad[] = { "",	     "[",	"[1",	"[1,2",	 "[1;2]",
					   "[1,2]x", "[1,2,3]", "1,2]", "[a,b]", "[,]" };
	int64_t v[] = { INT64_MIN, INT64_MAX }, got[2];
	_cleanup_free_ char *json = wring_base_format(v, 2), *none = wring_base_format(v, 0);

	(void)state;
	assert_string_equal(json, "[-9223372036854775808,9223372036854775807]");
	assert_int_equal(wring_base_parse(json, got, 2), 0);
	assert_memory_equal(v, got, sizeof(v));
	assert_string_equal(none, "[]");
	assert_int_equal(wring_base_parse(none, got, 0), 0);
	assert_int_equal(wring_base_parse(NULL, got, 2), -EBADMSG);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(bad); i++)
		assert_int_equal(wring_base_parse(bad[i], got, 2), -EBADMSG);
}

/* ---- rows ---- */
static void test_boots_and_runs(void **state)
{
	struct fixture *f = *state;
	struct wring_store *st = open_store(f, WRING_STORE_WRITE);
	int64_t boot, first, second;
	struct wring_runs runs;
	struct wring_findings findings;
	const struct wring_finding_row d = { "kernel-log", "clean", "pass", 0, 0, "", "nothing", "" };

	assert_null(wring_store_note(st));
	assert_int_equal(wring_store_runs(st, NULL, &runs, &f->err), 0);
	assert_int_equal(runs.n, 0);
	assert_int_equal(wring_store_runs(st, "last", &runs, &f->err), -ENOENT);
	boot = add_boot(st, "b-1");
	first = add_run(st, boot, "a1b2c3d4-0001", "before");
	second = add_run(st, boot, "a1b2c3d4-0002", "after");
	check(wring_store_fact(st, boot, "kernel.release", "5.0", &f->err), &f->err);
	check(wring_store_fact(st, boot, "kernel.release", "6.12.9", &f->err), &f->err);
	check(wring_store_finish_run(st, second, "ok", "", 12.5, &f->err), &f->err);

	assert_int_equal(wring_store_runs(st, "", &runs, &f->err), 0);
	assert_int_equal(runs.n, 2);
	assert_int_equal(runs.rows[0].id, first);
	assert_string_equal(runs.rows[0].outcome, "broken");
	assert_string_equal(runs.rows[0].reason, "not finished");
	assert_null(runs.rows[0].arm);
	assert_true(runs.rows[0].seed == INT64_MIN);
	assert_string_equal(runs.rows[0].plan, "[scenario]\nname = slab-at-max\n");
	assert_string_equal(runs.rows[1].outcome, "ok");
	assert_string_equal(runs.rows[1].release, "6.12.9");
	assert_string_equal(runs.rows[1].where, "vm");
	assert_string_equal(runs.rows[1].vm, "cpus=4 nodes=2 memory=2G");
	assert_true(runs.rows[1].duration_s == 12.5);
	wring_runs_done(&runs);

	static const struct {
		const char *spec;
		size_t n;
		int64_t id;
	} specs[] = { { "last", 1, 2 },		 { "1", 1, 1 },	     { "2", 1, 2 },
		      { "a1b2c3d4-0001", 1, 1 }, { "before", 1, 1 }, { "6.12.9", 2, 1 },
		      { "A1B2C3D4-0002", 1, 2 } };
	for (size_t i = 0; i < WRING_ARRAY_SIZE(specs); i++) {
		check(wring_store_runs(st, specs[i].spec, &runs, &f->err), &f->err);
		assert_int_equal(runs.n, specs[i].n);
		assert_int_equal(runs.rows[0].id, specs[i].id);
		wring_runs_done(&runs);
	}
	assert_int_equal(wring_store_runs(st, "a1b2c3", &runs, &f->err), -EINVAL);
	assert_says(&f->err, "2 runs begin with");
	assert_int_equal(wring_store_runs(st, "3", &runs, &f->err), -ENOENT);
	assert_says(&f->err, "no run '3'");
	assert_int_equal(wring_store_runs(st, "a1b2", &runs, &f->err), -ENOENT);
	assert_int_equal(wring_store_judge(st, first, &(struct wring_judged){ "broken", "not finished", "great", "" }, NULL, 0, NULL, 0, &f->err), -EINVAL);
	check(wring_store_judge(st, first, &(struct wring_judged){ "broken", "not finished", "noisy", "spread 40 %" }, NULL, 0, &d, 1, &f->err), &f->err);
	/* one that read it before that comes too late, with its findings as well */
	check(wring_store_judge(st, first, &(struct wring_judged){ "broken", "not finished", "fail", "" }, NULL, 0, NULL, 0, &f->err), &f->err);
	check(wring_store_runs(st, "1", &runs, &f->err), &f->err);
	assert_string_equal(runs.rows[0].outcome, "noisy");
	wring_runs_done(&runs);
	check(wring_store_findings(st, first, &findings, &f->err), &f->err);
	assert_int_equal(findings.n, 1);
	wring_findings_done(&findings);
	wring_store_close(st);
	assert_single_file(f);
}

static void test_facts_console_results(void **state)
{
	struct fixture *f = *state;
	struct wring_store *st = open_store(f, WRING_STORE_WRITE);
	int64_t boot = add_boot(st, "b-1"), run = add_run(st, boot, "r-1", "");
	const struct wring_metric_row m[] = { { "oom_kills", "count", 0, "lower", "primary" },
					      { "lag", "ns", NAN, "", "info" } };
	const struct wring_finding_row d[] = { { "premature-oom", "rcu", "fail", 1e300, INFINITY,
						 "kills", "it's 3 > 0", "" } };
	struct wring_findings findings;
	struct wring_metrics metrics;
	struct wring_pairs facts;
	size_t len, size = 300000;
	char *text = malloc(size), *got;

	check(wring_store_fact(st, boot, "page.size", "4096", &f->err), &f->err);
	check(wring_store_fact(st, boot, "hz", "250", &f->err), &f->err);
	check(wring_store_facts(st, boot, &facts, &f->err), &f->err);
	assert_int_equal(facts.n, 2);
	assert_string_equal(facts.rows[0].key, "hz");
	wring_pairs_done(&facts);
	got = wring_store_get_fact(st, boot, "page.size");
	assert_string_equal(got, "4096");
	free(got);
	assert_null(wring_store_get_fact(st, boot, "nope"));

	check(wring_store_get_console(st, boot, &got, &len, &f->err), &f->err);
	assert_null(got);
	for (size_t i = 0; i < size; i++)
		text[i] = "[ 0.0] Linux\n"[i % 13];
	for (size_t n = size;; n = n > 9 ? 5 : 0) { /* packed, plain, empty */
		check(wring_store_console(st, boot, text, n, &f->err), &f->err);
		check(wring_store_get_console(st, boot, &got, &len, &f->err), &f->err);
		assert_int_equal(len, n);
		assert_memory_equal(got, text, n);
		assert_int_equal(got[n], 0);
		free(got);
		if (!n)
			break;
	}
	free(text);

	for (int i = 0; i < 2; i++) /* judged twice: replaced */
		check(wring_store_judge(st, run, NULL, m, 2, d, 1, &f->err), &f->err);
	check(wring_store_metrics(st, run, &metrics, &f->err), &f->err);
	check(wring_store_findings(st, run, &findings, &f->err), &f->err);
	assert_int_equal(metrics.n, 2);
	assert_string_equal(metrics.rows[0].name, "oom_kills");
	assert_true(isnan(metrics.rows[1].value));
	assert_int_equal(findings.n, 1);
	assert_string_equal(findings.rows[0].evidence, "it's 3 > 0");
	assert_true(isinf(findings.rows[0].limit) && findings.rows[0].value == 1e300);
	wring_metrics_done(&metrics);
	wring_findings_done(&findings);

	const struct wring_metric_row wrong = { "x", "", 0, "sideways", "info" };
	assert_int_equal(wring_store_judge(st, run, NULL, &wrong, 1, NULL, 0, &f->err), -EINVAL);
	check(wring_store_metrics(st, run, &metrics, &f->err), &f->err);
	assert_int_equal(metrics.n, 2); /* as before */
	wring_metrics_done(&metrics);
	wring_store_close(st);
}

static void test_events_and_log(void **state)
{
	struct fixture *f = *state;
	struct wring_store *st = open_store(f, WRING_STORE_WRITE);
	int64_t run = add_run(st, add_boot(st, "b"), "r", "");
	struct wring_events events;
	struct wring_log log;

	check(wring_store_event(st, run, 30, "mark", "end", "", &f->err), &f->err);
	check(wring_store_event(st, run, 10, "mark", "start", "", &f->err), &f->err);
	check(wring_store_event(st, run, 10, "phase", "load", "begin", &f->err), &f->err);
	check(wring_store_log(st, run, 20, 4, "Out of memory: \"x\"", &f->err), &f->err);
	check(wring_store_commit(st, &f->err), &f->err);
	check(wring_store_events(st, run, NULL, NULL, &events, &f->err), &f->err);
	assert_int_equal(events.n, 3);
	assert_string_equal(events.rows[0].subject, "start");
	assert_string_equal(events.rows[1].kind, "phase");
	assert_int_equal(events.rows[2].t_ns, 30);
	wring_events_done(&events);
	check(wring_store_events(st, run, "mark", NULL, &events, &f->err), &f->err);
	assert_int_equal(events.n, 2);
	wring_events_done(&events);
	check(wring_store_events(st, run, "mark", "end", &events, &f->err), &f->err);
	assert_int_equal(events.n, 1);
	wring_events_done(&events);
	check(wring_store_get_log(st, run, &log, &f->err), &f->err);
	assert_int_equal(log.n, 1);
	assert_int_equal(log.rows[0].level, 4);
	wring_log_done(&log);
	wring_store_close(st);
}

/* ---- samples ---- */
enum { MANY_KEYS = 17, SAMPLES = 9000 };

struct truth {
	size_t n;
	int64_t t[SAMPLES], v[SAMPLES][MANY_KEYS];
};

/* The first key is a COUNTER, the second a WALK, ... */
static void make_truth(struct truth *tr, size_t n)
{
	tr->n = n;
	for (size_t i = 0; i < n; i++) {
		/* a gap of a minute now and then, and a clock that jitters */
		tr->t[i] = (i ? tr->t[i - 1] : 5000000000) + 100000000 + (int64_t)(rnd() % 50000) +
			   (i % 97 == 96 ? 60000000000 : 0);
		for (size_t k = 0; k < MANY_KEYS; k++)
			tr->v[i][k] = next_value((enum shape)(k % SHAPES),
						 i ? tr->v[i - 1][k] : (int64_t)(k * 1000) - 3000);
	}
}

static void assert_series(struct wring_store *st, int64_t run, const char *sampler,
			  const char *prefix, const struct truth *tr, size_t from, size_t to)
{
	struct wring_series s;
	struct wring_err err;

	for (size_t k = 0; k < MANY_KEYS; k++) {
		_cleanup_free_ char *key = wring_strf("%s%zu", prefix, k);

		check(wring_store_series(st, run, sampler, "", key, &s, &err), &err);
		assert_int_equal(s.n, to - from);
		for (size_t i = from; i < to; i++)
			if (s.t_ns[i - from] != tr->t[i] || s.v[i - from] != tr->v[i][k])
				fail_msg("%s sample %zu: %" PRId64 " is not %" PRId64, key, i,
					 s.v[i - from], tr->v[i][k]);
		wring_series_done(&s);
	}
}

static void add_samples(struct wring_store *st, int64_t run, int64_t source, const struct truth *tr,
			size_t from, size_t to, size_t per_commit)
{
	struct wring_err err;

	for (size_t i = from; i < to; i++) {
		check(wring_store_sample(st, run, source, tr->t[i], (int64_t)(i * 7 % 1000),
					 tr->v[i], MANY_KEYS, &err),
		      &err);
		if (i % per_commit == per_commit - 1)
			check(wring_store_commit(st, &err), &err);
	}
}

static void test_samples_round_trip(void **state)
{
	static const size_t sizes[] = { 0, 1, 2, 63, 200, SAMPLES }, batches[] = { 1, 7, 10000 };
	struct fixture *f = *state;
	struct truth *tr = malloc(sizeof(*tr));
	struct wring_store *st = open_store(f, WRING_STORE_WRITE), *reader;
	int64_t boot = add_boot(st, "b"), run = 0;

	for (size_t i = 0; i < WRING_ARRAY_SIZE(sizes) * WRING_ARRAY_SIZE(batches); i++) {
		size_t n = sizes[i / 3];
		_cleanup_free_ char *uuid = wring_strf("r-%zu", i);

		if (n == SAMPLES && i % 3 == 0)
			continue; /* 9000 commits: nothing new */
		make_truth(tr, n);
		run = add_run(st, boot, uuid, "");
		add_source(st, run, 7, "vmstat");
		set_keys(st, run, 7, "key", MANY_KEYS);
		add_samples(st, run, 7, tr, 0, n, batches[i % 3]);
		check(wring_store_commit(st, &f->err), &f->err);
		assert_series(st, run, "vmstat", "key", tr, 0, n);
		check(wring_store_finish_run(st, run, "ok", "", 1, &f->err), &f->err);
		assert_series(st, run, "vmstat", "key", tr, 0, n);
		assert_int_equal(
			pragma(st, "SELECT count(*) FROM chunk c JOIN segment g ON g.id = "
				   "c.segment JOIN source s "
				   "ON s.id = g.source WHERE s.run = (SELECT max(id) FROM run)"),
			(n + WRING_CHUNK_MAX - 1) / WRING_CHUNK_MAX);
	}
	assert_int_equal(pragma(st, "SELECT count(*) FROM keyset"), 1); /* shared by all runs */
	assert_int_equal(pragma(st, "SELECT count(*) FROM key"), MANY_KEYS);
	assert_whole(st);
	wring_store_close(st);
	assert_single_file(f);
	reader = open_store(f, WRING_STORE_READ);
	assert_series(reader, run, "vmstat", "key", tr, 0, tr->n);
	assert_int_equal(wring_store_sample(reader, run, 7, 0, 0, NULL, 0, &f->err), -EROFS);
	assert_int_equal(wring_store_judge(reader, run, NULL, NULL, 0, NULL, 0, &f->err), -EROFS);
	wring_store_close(reader);
	assert_single_file(f);
	free(tr);
}

/* A slab cache appears: other keys from there on, then the old ones again. */
static void test_keys_change(void **state)
{
	struct fixture *f = *state;
	struct truth *tr = malloc(sizeof(*tr));
	struct wring_store *st = open_store(f, WRING_STORE_WRITE);
	int64_t run = add_run(st, add_boot(st, "b"), "r", "");
	struct wring_names names;
	struct wring_series s;

	make_truth(tr, 100);
	add_source(st, run, 1, "slabinfo");
	set_keys(st, run, 1, "old", MANY_KEYS);
	add_samples(st, run, 1, tr, 0, 35,
		    10); /* the last five are not committed when the keys change */
	set_keys(st, run, 1, "new", MANY_KEYS);
	add_samples(st, run, 1, tr, 35, 70, 10);
	set_keys(st, run, 1, "new", MANY_KEYS); /* the same again: no new segment */
	add_samples(st, run, 1, tr, 70, 80, 10);
	set_keys(st, run, 1, "old", MANY_KEYS);
	add_samples(st, run, 1, tr, 80, 100, 10);
	check(wring_store_commit(st, &f->err), &f->err);
	for (int i = 0; i < 2; i++) {
		assert_series(st, run, "slabinfo", "new", tr, 35, 80);
		check(wring_store_series(st, run, "slabinfo", "", "old3", &s, &f->err), &f->err);
		assert_int_equal(s.n, 55);
		assert_int_equal(s.t_ns[35], tr->t[80]);
		assert_true(s.v[54] == tr->v[99][3]);
		wring_series_done(&s);
		check(wring_store_finish_run(st, run, "ok", "", 1, &f->err), &f->err);
	}
	assert_int_equal(pragma(st, "SELECT count(*) FROM segment"), 3);
	assert_int_equal(pragma(st, "SELECT count(*) FROM chunk"), 3);
	assert_int_equal(pragma(st, "SELECT count(*) FROM keyset"), 2);
	check(wring_store_source_keys(st, run, 1, &names, &f->err), &f->err);
	assert_int_equal(names.n, 2 * MANY_KEYS);
	assert_string_equal(names.rows[0], "old0");
	assert_string_equal(names.rows[MANY_KEYS], "new0");
	assert_int_equal(names.kinds[0], WRING_COUNTER);
	assert_int_equal(names.kinds[1], WRING_GAUGE);
	wring_names_done(&names);

	assert_int_equal(wring_store_series(st, run, "vmstat", "", "old0", &s, &f->err), -ENOENT);
	assert_says(&f->err, "no sampler 'vmstat'");
	assert_int_equal(wring_store_series(st, run, "slabinfo", "a", "old0", &s, &f->err),
			 -ENOENT);
	assert_says(&f->err, "no subject 'a'");
	assert_int_equal(wring_store_series(st, run, "slabinfo", "", "nope", &s, &f->err), -ENOENT);
	assert_says(&f->err, "no key 'nope'");
	assert_whole(st);
	wring_store_close(st);
	free(tr);
}

static void test_odd_sources(void **state)
{
	const struct wring_key twins[] = { { "dup", "", WRING_GAUGE }, { "dup", "", WRING_GAUGE } };
	struct fixture *f = *state;
	struct wring_store *st = open_store(f, WRING_STORE_WRITE);
	int64_t run = add_run(st, add_boot(st, "b"), "r", ""), v[2] = { 1, 2 };
	struct wring_sources sources;
	struct wring_series s;

	add_source(st, run, 3, "a");
	assert_int_equal(wring_store_source(st, run, 3, "b", "", "", &f->err), -EINVAL); /* taken */
	assert_int_equal(wring_store_keys(st, run, 4, twins, 2, &f->err), -ENOENT);
	assert_says(&f->err, "has no source 4");
	assert_int_equal(wring_store_sample(st, run, 3, 0, 0, v, 2, &f->err), -ENOENT);
	check(wring_store_keys(st, run, 3, twins, 2, &f->err), &f->err);
	assert_int_equal(wring_store_sample(st, run, 3, 0, 0, v, 1, &f->err), -EINVAL);
	check(wring_store_series(st, run, "a", "", "dup", &s, &f->err), &f->err);
	assert_int_equal(s.n, 0);
	wring_series_done(&s);
	check(wring_store_sample(st, run, 3, 5, 0, v, 2, &f->err), &f->err);
	check(wring_store_commit(st, &f->err), &f->err);
	check(wring_store_series(st, run, "a", "", "dup", &s, &f->err), &f->err);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.v[0], 1);
	wring_series_done(&s);

	/* no keys at all, and a second source of the same name that overlaps the first in time */
	add_source(st, run, 9, "a");
	check(wring_store_keys(st, run, 9, NULL, 0, &f->err), &f->err);
	check(wring_store_sample(st, run, 9, 3, 0, NULL, 0, &f->err), &f->err);
	check(wring_store_commit(st, &f->err), &f->err);
	check(wring_store_keys(st, run, 9, twins, 2, &f->err), &f->err);
	check(wring_store_sample(st, run, 9, 4, 0, v, 2, &f->err), &f->err);
	check(wring_store_finish_run(st, run, "ok", "", 0, &f->err), &f->err);
	check(wring_store_series(st, run, "a", "", "dup", &s, &f->err), &f->err);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.t_ns[0], 4);
	assert_int_equal(s.t_ns[1], 5);
	wring_series_done(&s);
	check(wring_store_sources(st, run, &sources, &f->err), &f->err);
	assert_int_equal(sources.n, 2);
	assert_int_equal(sources.rows[1].id, 9);
	wring_sources_done(&sources);
	assert_whole(st);
	wring_store_close(st);
}

/* ---- size ---- */
enum { VMSTAT_KEYS = 190, SETS = 200, RUNS = 10 };

/* Like /proc/vmstat at 10 Hz under reclaim: 12 busy counters, 14 gauges, 14 rare counters, 150 that never move. */
static void vmstat_like(int64_t *v)
{
	for (size_t k = 0; k < 40; k++)
		if (k < 12)
			v[k] += (int64_t)(rnd() % 900);
		else if (k < 26)
			v[k] += (int64_t)(rnd() % 101) - 50;
		else if (rnd() % 4 == 0)
			v[k] += 1 + (int64_t)(rnd() % 8);
}

static int64_t file_size(struct fixture *f)
{
	struct stat sb;

	assert_int_equal(stat(f->path, &sb), 0);
	return sb.st_size;
}

static void add_vmstat_run(struct wring_store *st, int64_t boot, const char *uuid)
{
	int64_t run = add_run(st, boot, uuid, ""), v[VMSTAT_KEYS], t = 0;
	struct wring_err err;

	for (size_t k = 0; k < VMSTAT_KEYS; k++)
		v[k] = k % 3 ? (int64_t)(rnd() % 100000) : 0;
	add_source(st, run, 1, "vmstat");
	set_keys(st, run, 1, "some_longer_name_", VMSTAT_KEYS);
	for (size_t i = 0; i < SETS; i++) {
		t += 100000000 + (int64_t)(rnd() % 60000) - 30000;
		vmstat_like(v);
		check(wring_store_sample(st, run, 1, t, 90000 + (int64_t)(rnd() % 20000), v,
					 VMSTAT_KEYS, &err),
		      &err);
		if (i % 10 == 9)
			check(wring_store_commit(st, &err), &err);
	}
	check(wring_store_finish_run(st, run, "ok", "", 20, &err), &err);
}

static void test_bytes_per_set(void **state)
{
	struct fixture *f = *state;
	struct wring_store *st = open_store(f, WRING_STORE_WRITE);
	int64_t boot = add_boot(st, "b"), before;
	double bytes;

	add_vmstat_run(st, boot, "r-0");
	wring_store_close(st);
	before = file_size(f);
	st = open_store(f, WRING_STORE_WRITE);
	for (int i = 1; i <= RUNS; i++) {
		_cleanup_free_ char *uuid = wring_strf("r-%d", i);

		add_vmstat_run(st, boot, uuid);
	}
	assert_whole(st);
	wring_store_close(st);
	bytes = (double)(file_size(f) - before) / (RUNS * SETS);
	print_message("    %.1f bytes of file per sample set (%d keys, 40 of them move; %d runs of "
		      "%d sets)\n",
		      bytes, VMSTAT_KEYS, RUNS, SETS);
	assert_true(bytes < 64);
}

/* ---- files that are not ours, or not whole ---- */
static void assert_refused(struct fixture *f, enum wring_store_mode mode, int code,
			   const char *says)
{
	struct wring_store *st;
	int r = wring_store_open(f->path, mode, &st, &f->err);

	if (r != code)
		fail_msg("%d is not %d: %s", r, code, r < 0 ? f->err.msg : "opened");
	assert_says(&f->err, says);
	assert_says(&f->err, f->path);
}

static void write_bytes(struct fixture *f, const char *text, size_t len)
{
	int fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_int_equal(wring_write_all(fd, text, len), 0);
	close(fd);
}

static void test_wrong_files(void **state)
{
	struct fixture *f = *state;
	char junk[8192];
	sqlite3 *db;

	assert_refused(f, WRING_STORE_READ, -ENOENT, "no database");
	assert_false(exists(f->path, ""));
	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = (char)rnd();
	write_bytes(f, junk, sizeof(junk));
	for (int mode = WRING_STORE_READ; mode <= WRING_STORE_WRITE; mode++)
		assert_refused(f, (enum wring_store_mode)mode, -EBADMSG, "is not a database");
	write_bytes(f, "[scenario]\n", 11);
	assert_refused(f, WRING_STORE_WRITE, -EBADMSG, "is not a database");
	write_bytes(f, "", 0);
	assert_refused(f, WRING_STORE_READ, -EINVAL, "is empty");

	unlink(f->path);
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE cookies (x)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	for (int mode = WRING_STORE_READ; mode <= WRING_STORE_WRITE; mode++)
		assert_refused(f, (enum wring_store_mode)mode, -EINVAL, "not one of wring's");
	unlink(f->path);
	strcpy(f->path, f->dir);
	assert_refused(f, WRING_STORE_WRITE, -EINVAL, "is no regular file");
	strcat(f->path, "/none/t.db");
	assert_refused(f, WRING_STORE_WRITE, -ENOENT, "");
}

static void test_empty_file_is_taken(void **state)
{
	struct fixture *f = *state;

	write_bytes(f, "", 0); /* as mktemp leaves it */
	wring_store_close(open_store(f, WRING_STORE_WRITE));
	wring_store_close(open_store(f, WRING_STORE_READ));
	assert_single_file(f);
}

static void test_newer_schema(void **state)
{
	struct fixture *f = *state;
	struct wring_store *st = open_store(f, WRING_STORE_WRITE);

	check(wring_db_exec(st, "PRAGMA user_version = 7", &f->err), &f->err);
	wring_store_close(st);
	for (int mode = WRING_STORE_READ; mode <= WRING_STORE_WRITE; mode++)
		assert_refused(f, (enum wring_store_mode)mode, -ENOTSUP,
			       "was written by a newer wring (schema 7, this one knows 2): use "
			       "that version, or another --db");
}

static struct wring_embedded *with_migration(const char *text)
{
	static struct wring_embedded list[16];
	size_t n = 0;

	for (; wring_migrations[n].name; n++)
		list[n] = wring_migrations[n];
	list[n] = (struct wring_embedded) { "0003_test.sql", text };
	list[n + 1] = (struct wring_embedded) { 0 };
	return list;
}

static void test_migration(void **state)
{
	struct fixture *f = *state;
	struct wring_store *st = open_store(f, WRING_STORE_WRITE);
	int64_t run = add_run(st, add_boot(st, "b"), "r", "kept");
	struct wring_runs runs;

	wring_store_close(st);
	/* A step that fails leaves the old schema, views and all. */
	assert_int_equal(wring_db_open(f->path, WRING_STORE_WRITE,
				       with_migration("ALTER TABLE run ADD x TEXT; oops"), &st,
				       &f->err),
			 -EINVAL);
	assert_says(&f->err, "migration 0003_test.sql");
	st = open_store(f, WRING_STORE_READ);
	assert_int_equal(pragma(st, "PRAGMA user_version"), 2);
	assert_int_equal(
		pragma(st, "SELECT count(*) FROM pragma_table_info('run') WHERE name = 'x'"), 0);
	assert_int_equal(pragma(st, "SELECT count(*) FROM runs"), 1);
	wring_store_close(st);
	/* A renamed column: SQLite looks through all views then, and one calls a function that is not here. */
	check(wring_db_open(f->path, WRING_STORE_READ,
			    with_migration("ALTER TABLE source RENAME path TO file;"), &st,
			    &f->err),
	      &f->err);
	assert_string_equal(wring_store_note(st), "migrated from schema 2 to 3");
	assert_int_equal(pragma(st, "PRAGMA user_version"), 3);
	check(wring_store_runs(st, "kept", &runs, &f->err), &f->err);
	assert_int_equal(runs.rows[0].id, run);
	wring_runs_done(&runs);
	wring_store_close(st);
	check(wring_db_open(f->path, WRING_STORE_WRITE, with_migration(""), &st, &f->err), &f->err);
	assert_null(wring_store_note(st)); /* nothing left to do */
	assert_int_equal(pragma(st, "SELECT count(*) FROM runs"), 1);
	wring_store_close(st);
	assert_refused(f, WRING_STORE_WRITE, -ENOTSUP, "schema 3, this one knows 2");
}

static void test_comparison(void **state)
{
	static char texts[][24] = { "--b=x\nslab-at-max\n", "print", "base", "new", "6.12", "6.12, x", "tcg" };
	struct fixture *f = *state;
	struct wring_store *st = open_store(f, WRING_STORE_WRITE);
	const int64_t boot = add_boot(st, "b");
	const int64_t runs[] = { add_run(st, boot, "r1", "l"), add_run(st, boot, "r2", "l") };
	const struct wring_compared_row rows[] = { { "s", "ops_per_s", "primary", "regression", -3.5, 0.01 },
						   { "s", "oom_kills", "primary", "same", NAN, 1 } };
	struct wring_comparisons all;
	struct wring_slots slots;
	struct wring_aa_pasts past;
	int64_t id;

	check(wring_store_begin_comparison(st, &(struct wring_comparison){
		.argv = texts[0], .fingerprint = texts[1], .name_a = texts[2], .name_b = texts[3], .about_a = texts[4], .about_b = texts[5],
		.place = texts[6], .seed = 71, .slots = 12, .deterministic = true, .aa = true }, &id, &f->err), &f->err);
	check(wring_store_add_slot(st, id, 3, 0, true, runs, 2, &f->err), &f->err);
	/* a slot is there once */
	assert_true(wring_store_add_slot(st, id, 3, 0, true, runs, 1, &f->err) < 0);
	check(wring_store_slots(st, id, &slots, &f->err), &f->err);
	assert_int_equal(slots.n, 2);
	assert_int_equal(slots.rows[1].run, runs[1]);
	assert_int_equal(slots.rows[1].slot, 3);
	assert_true(slots.rows[1].b);
	wring_cmp_slots_done(&slots);
	assert_int_equal(pragma(st, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
	check(wring_store_set_slots(st, id, 16, &f->err), &f->err);
	check(wring_store_comparisons(st, "last", &all, &f->err), &f->err);
	assert_int_equal(all.n, 1);
	assert_int_equal(all.rows[0].seed, 71);
	assert_int_equal(all.rows[0].slots, 16);
	assert_true(all.rows[0].deterministic && all.rows[0].aa && !all.rows[0].looks && !all.rows[0].done);
	assert_string_equal(all.rows[0].argv, texts[0]);
	assert_string_equal(all.rows[0].about_b, "6.12, x");
	wring_comparisons_done(&all);
	/* an A/A record counts when it is complete, where it was made, and not for the comparison itself */
	check(wring_store_judge_comparison(st, id, false, rows, 2, &f->err), &f->err);
	check(wring_store_aa(st, "s", "ops_per_s", "tcg", true, 0, &past, &f->err), &f->err);
	assert_int_equal(past.n, 0);
	check(wring_store_judge_comparison(st, id, true, rows, 2, &f->err), &f->err);
	check(wring_store_aa(st, "s", "ops_per_s", "tcg", true, 0, &past, &f->err), &f->err);
	assert_int_equal(past.n, 1);
	assert_string_equal(past.rows[0].verdict, "regression");
	assert_true(past.rows[0].effect_pct == -3.5);
	wring_aa_pasts_done(&past);
	check(wring_store_aa(st, "s", "ops_per_s", "tcg", true, id, &past, &f->err), &f->err);
	assert_int_equal(past.n, 0);
	check(wring_store_aa(st, "s", "ops_per_s", "tcg", false, 0, &past, &f->err), &f->err);
	assert_int_equal(past.n, 0);
	check(wring_store_aa(st, "s", "oom_kills", "tcg", true, 0, &past, &f->err), &f->err);
	assert_true(isnan(past.rows[0].effect_pct));
	wring_aa_pasts_done(&past);
	assert_int_equal(wring_store_comparisons(st, "nope", &all, &f->err), -ENOENT);
	assert_says(&f->err, "no comparison 'nope'");
	check(wring_store_drop_comparison(st, id, &f->err), &f->err);
	assert_int_equal(wring_store_comparisons(st, "last", &all, &f->err), -ENOENT);
	wring_store_close(st);
}

static void fill(struct fixture *f)
{
	struct wring_store *st = open_store(f, WRING_STORE_WRITE);
	int64_t run = add_run(st, add_boot(st, "b"), "r", "");
	struct truth *tr = malloc(sizeof(*tr));

	make_truth(tr, 3000);
	add_source(st, run, 1, "vmstat");
	set_keys(st, run, 1, "key", MANY_KEYS);
	add_samples(st, run, 1, tr, 0, tr->n, 50);
	check(wring_store_finish_run(st, run, "ok", "", 1, &f->err), &f->err);
	wring_store_close(st);
	free(tr);
}

static void test_truncated(void **state)
{
	struct fixture *f = *state;

	fill(f);
	assert_int_equal(truncate(f->path, file_size(f) / 2 / 4096 * 4096), 0);
	for (int mode = WRING_STORE_READ; mode <= WRING_STORE_WRITE; mode++)
		assert_refused(f, (enum wring_store_mode)mode, -EBADMSG, "is damaged");
	assert_int_equal(truncate(f->path, 50), 0);
	assert_refused(f, WRING_STORE_READ, -EBADMSG, "is ");
}

/* Some page is overwritten: each reading either works or says so. */
static void test_corrupt(void **state)
{
	struct fixture *f = *state;
	char junk[512];
	size_t n_told = 0;
	int64_t pages;

	fill(f);
	pages = file_size(f) / 4096;
	for (int64_t page = 1; page < pages; page++) {
		struct wring_store *st;
		struct wring_series s;
		int fd, r;

		unlink(f->path);
		fill(f);
		fd = open(f->path, O_RDWR);
		for (size_t i = 0; i < sizeof(junk); i++)
			junk[i] = (char)rnd();
		assert_int_equal(pwrite(fd, junk, sizeof(junk), page * 4096), sizeof(junk));
		close(fd);
		r = wring_store_open(f->path, WRING_STORE_READ, &st, &f->err);
		for (int k = 0; r == 0 && k < MANY_KEYS; k++) {
			_cleanup_free_ char *key = wring_strf("key%d", k);

			r = wring_store_series(st, 1, "vmstat", "", key, &s, &f->err);
			if (r == 0)
				wring_series_done(&s);
		}
		if (r < 0) {
			n_told++;
			assert_true(r == -EBADMSG || r == -ENOENT || r == -EINVAL);
			assert_null(strchr(f->err.msg, '\n'));
		}
		if (st)
			wring_store_close(st);
		if (page > 40)
			break;
	}
	assert_true(n_told > 0);
}

/* ---- death, locks, full disks ---- */
static void child_writes(struct fixture *f, const struct truth *tr)
{
	struct wring_store *st = open_store(f, WRING_STORE_WRITE);
	int64_t run = add_run(st, add_boot(st, "b"), "r", "");
	struct wring_err err;

	add_source(st, run, 1, "vmstat");
	set_keys(st, run, 1, "key", MANY_KEYS);
	add_samples(st, run, 1, tr, 0, tr->n, 10);
	wring_store_event(st, run, 1, "mark", "start", "", &err);
	wring_store_commit(st, &err);
	wring_store_sample(st, run, 1, 1, 1, tr->v[0], MANY_KEYS, &err); /* never committed */
	kill(getpid(), SIGKILL);
}

static void test_killed(void **state)
{
	struct fixture *f = *state;
	struct truth *tr = malloc(sizeof(*tr));
	struct wring_store *st;
	struct wring_runs runs;
	int status;
	pid_t pid;

	make_truth(tr, 205);
	pid = fork();
	if (!pid) {
		child_writes(f, tr);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_true(exists(f->path, "-wal"));
	st = open_store(f, WRING_STORE_READ);
	check(wring_store_runs(st, "last", &runs, &f->err), &f->err);
	assert_string_equal(runs.rows[0].outcome, "broken");
	assert_string_equal(runs.rows[0].reason, "not finished");
	wring_runs_done(&runs);
	assert_series(st, 1, "vmstat", "key", tr, 0, 205);
	assert_whole(st);
	wring_store_close(st);
	assert_single_file(f);
	/* It can be finished, and packed, by another process. */
	st = open_store(f, WRING_STORE_WRITE);
	check(wring_store_finish_run(st, 1, "broken", "killed", 1, &f->err), &f->err);
	assert_series(st, 1, "vmstat", "key", tr, 0, 205);
	assert_int_equal(pragma(st, "SELECT count(*) FROM chunk"), 1);
	wring_store_close(st);
	free(tr);
}

static void test_reader_beside_writer(void **state)
{
	struct fixture *f = *state;
	struct truth *tr = malloc(sizeof(*tr));
	struct wring_store *st = open_store(f, WRING_STORE_WRITE), *reader, *other;
	int64_t run = add_run(st, add_boot(st, "b"), "r", "");

	make_truth(tr, 100);
	add_source(st, run, 1, "vmstat");
	set_keys(st, run, 1, "key", MANY_KEYS);
	add_samples(st, run, 1, tr, 0, 50, 50);
	reader = open_store(f, WRING_STORE_READ);
	assert_series(reader, run, "vmstat", "key", tr, 0, 50);
	add_samples(st, run, 1, tr, 50, 100, 50);
	assert_series(reader, run, "vmstat", "key", tr, 0, 100);

	other = open_store(f, WRING_STORE_WRITE); /* a second recorder takes turns */
	add_run(other, add_boot(other, "b2"), "r2", "");
	check(wring_db_begin(other, "holding the lock", &f->err), &f->err);
	check(wring_db_exec(st, "PRAGMA busy_timeout = 20", &f->err), &f->err);
	assert_int_equal(wring_store_judge(st, run, NULL, NULL, 0, NULL, 0, &f->err), -EBUSY);
	assert_says(&f->err, "locked");
	check(wring_store_sample(st, run, 1, tr->t[99] + 1, 0, tr->v[0], MANY_KEYS, &f->err),
	      &f->err);
	assert_int_equal(wring_store_commit(st, &f->err), -EBUSY);
	wring_db_rollback(other);
	check(wring_store_commit(st, &f->err), &f->err); /* nothing was lost */
	assert_int_equal(pragma(reader, "SELECT sum(n) FROM chunk"), 101);
	wring_store_close(other);
	wring_store_close(st);
	wring_store_close(reader);
	assert_single_file(f);
	free(tr);
}

/* Returns an exit code: asserts do not work in a child. */
static int read_as_nobody(const char *path)
{
	struct wring_store *st;
	struct wring_series s;
	struct wring_err err;

	if (geteuid() == 0 && (setegid(65534) < 0 || seteuid(65534) < 0))
		return 2;
	if (wring_store_open(path, WRING_STORE_READ, &st, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 3;
	}
	if (wring_store_series(st, 1, "vmstat", "", "key1", &s, &err) < 0 || s.n != 3000)
		return 4;
	wring_series_done(&s);
	wring_store_close(st);
	if (wring_store_open(path, WRING_STORE_WRITE, &st, &err) != -EROFS && err.code != -EACCES) {
		fprintf(stderr, "%s\n", err.msg);
		return 5;
	}
	return 0;
}

static void test_read_only(void **state)
{
	static const mode_t modes[][2] = { { 0555, 0444 }, { 0777, 0444 }, { 0555, 0666 } };
	struct fixture *f = *state;
	int status;
	pid_t pid;

	fill(f);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(modes); i++) {
		assert_int_equal(chmod(f->path, modes[i][1]), 0);
		assert_int_equal(chmod(f->dir, modes[i][0]), 0);
		pid = fork();
		if (!pid)
			_exit(read_as_nobody(f->path));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_single_file(f);
	}
	assert_int_equal(chmod(f->dir, 0755), 0);
}

static void test_disk_full(void **state)
{
	struct fixture *f = *state;
	struct truth *tr = malloc(sizeof(*tr));
	struct wring_store *st = open_store(f, WRING_STORE_WRITE);
	int64_t run = add_run(st, add_boot(st, "b"), "r", "");
	_cleanup_free_ char *sql = NULL;
	int r = 0;
	size_t i = 0;

	make_truth(tr, SAMPLES);
	add_source(st, run, 1, "vmstat");
	set_keys(st, run, 1, "key", MANY_KEYS);
	sql = wring_strf("PRAGMA max_page_count = %" PRId64, pragma(st, "PRAGMA page_count") + 20);
	check(wring_db_exec(st, sql, &f->err), &f->err);
	for (; r == 0 && i < SAMPLES; i += 100) {
		add_samples(st, run, 1, tr, i, i + 100, SIZE_MAX);
		r = wring_store_commit(st, &f->err);
	}
	assert_int_equal(r, -ENOSPC);
	assert_says(&f->err, "the disk is full");
	assert_int_equal(wring_store_commit(st, &f->err),
			 -ENOSPC); /* and again, until there is room */
	assert_series(st, run, "vmstat", "key", tr, 0, i - 100);
	assert_whole(st);
	check(wring_db_exec(st, "PRAGMA max_page_count = 1000000", &f->err), &f->err);
	check(wring_store_commit(st, &f->err), &f->err);
	assert_series(st, run, "vmstat", "key", tr, 0, i);
	check(wring_store_finish_run(st, run, "ok", "", 1, &f->err), &f->err);
	assert_series(st, run, "vmstat", "key", tr, 0, i);
	wring_store_close(st);
	assert_single_file(f);
	free(tr);
}

/* 0 fine, 77 could not be tried. */
static int fill_tmpfs(const char *dir)
{
	struct truth *tr = malloc(sizeof(*tr));
	struct fixture f = { 0 };
	struct wring_store *st;
	struct wring_series s;
	int64_t run;
	size_t i = 0;
	int r = 0;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", dir, "tmpfs", 0, "size=2M") < 0)
		return 77;
	snprintf(f.path, sizeof(f.path), "%s/t.db", dir);
	make_truth(tr, SAMPLES);
	st = open_store(&f, WRING_STORE_WRITE);
	run = add_run(st, add_boot(st, "b"), "r", "");
	add_source(st, run, 1, "vmstat");
	set_keys(st, run, 1, "key", MANY_KEYS);
	for (; r == 0 && i < SAMPLES; i += 100) {
		add_samples(st, run, 1, tr, i, i + 100, SIZE_MAX);
		r = wring_store_commit(st, &f.err);
	}
	if (r != -ENOSPC || !strstr(f.err.msg, "the disk is full"))
		return 1;
	r = wring_store_finish_run(st, run, "ok", "", 1, &f.err);
	if (r != -ENOSPC)
		return 2;
	wring_store_close(st); /* cannot even copy the log into the file */
	st = NULL;
	if (wring_store_open(f.path, WRING_STORE_READ, &st, &f.err) < 0) {
		fprintf(stderr, "%s\n", f.err.msg);
		return 3;
	}
	assert_whole(st);
	if (wring_store_series(st, run, "vmstat", "", "key1", &s, &f.err) < 0 || s.n != i - 100)
		return 4;
	for (size_t k = 0; k < s.n; k++)
		if (s.v[k] != tr->v[k][1])
			return 5;
	wring_series_done(&s);
	wring_store_close(st);
	free(tr);
	return 0;
}

static void test_disk_full_for_real(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	pid = fork();
	if (!pid)
		_exit(fill_tmpfs(f->dir));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

/* Repacking dies in the middle: the small chunks are still there. */
static void test_finish_interrupted(void **state)
{
	struct fixture *f = *state;
	struct truth *tr = malloc(sizeof(*tr));
	struct wring_store *st = open_store(f, WRING_STORE_WRITE);
	int64_t run = add_run(st, add_boot(st, "b"), "r", "");

	make_truth(tr, 300);
	add_source(st, run, 1, "vmstat");
	set_keys(st, run, 1, "key", MANY_KEYS);
	add_samples(st, run, 1, tr, 0, 300, 10);
	check(wring_db_exec(
		      st,
		      "CREATE TEMP TRIGGER stop BEFORE DELETE ON chunk WHEN old.id = 20 BEGIN "
		      "SELECT raise(ABORT, 'stopped'); END",
		      &f->err),
	      &f->err);
	assert_int_equal(wring_store_finish_run(st, run, "ok", "", 1, &f->err), -EINVAL);
	assert_int_equal(pragma(st, "SELECT count(*) FROM chunk"), 30);
	assert_int_equal(pragma(st, "SELECT count(*) FROM run WHERE outcome = 'broken'"), 1);
	assert_series(st, run, "vmstat", "key", tr, 0, 300);
	assert_whole(st);
	check(wring_db_exec(st, "DROP TRIGGER stop", &f->err), &f->err);
	check(wring_store_finish_run(st, run, "ok", "", 1, &f->err), &f->err);
	assert_int_equal(pragma(st, "SELECT count(*) FROM chunk"), 1);
	assert_series(st, run, "vmstat", "key", tr, 0, 300);
	check(wring_db_exec(st, "DELETE FROM run", &f->err), &f->err); /* takes all of it along */
	assert_int_equal(
		pragma(st, "SELECT (SELECT count(*) FROM col) + (SELECT count(*) FROM source)"), 0);
	assert_whole(st);
	wring_store_close(st);
	free(tr);
}

static void test_views(void **state)
{
	struct fixture *f = *state;
	struct wring_store *st;

	fill(f);
	st = open_store(f, WRING_STORE_WRITE);
	assert_int_equal(
		pragma(st, "SELECT count(*) FROM runs WHERE place = 'vm' AND outcome = 'ok'"), 1);
	assert_int_equal(pragma(st, "SELECT count(*) FROM span WHERE sampler = 'vmstat'"),
			 MANY_KEYS);
	assert_int_equal(pragma(st, "SELECT first = last AND first = min AND first = max AND n = "
				    "3000 FROM span WHERE key = 'key0'"),
			 1);
	assert_int_equal(pragma(st, "SELECT first < last AND first = min AND last = max FROM span "
				    "WHERE key = 'key1'"),
			 1);
	assert_int_equal(pragma(st, "SELECT min FROM span WHERE key = 'key3'") == INT64_MIN, 1);
	/* edited views are made again by the next writer */
	check(wring_db_exec(st, "DROP VIEW span; UPDATE meta SET value = 'old' WHERE key = 'views'",
			    &f->err),
	      &f->err);
	wring_store_close(st);
	st = open_store(f, WRING_STORE_WRITE);
	assert_null(wring_store_note(st));
	assert_int_equal(pragma(st, "SELECT count(*) FROM span"), MANY_KEYS);
	wring_store_close(st);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_bytes),
		cmocka_unit_test(test_blobs_round_trip),
		cmocka_unit_test(test_times_round_trip),
		cmocka_unit_test(test_decoders_trust_nothing),
		cmocka_unit_test(test_base_text),
		TEST(test_boots_and_runs),
		TEST(test_facts_console_results),
		TEST(test_events_and_log),
		TEST(test_samples_round_trip),
		TEST(test_keys_change),
		TEST(test_odd_sources),
		TEST(test_bytes_per_set),
		TEST(test_wrong_files),
		TEST(test_empty_file_is_taken),
		TEST(test_newer_schema),
		TEST(test_migration),
		TEST(test_comparison),
		TEST(test_truncated),
		TEST(test_corrupt),
		TEST(test_killed),
		TEST(test_reader_beside_writer),
		TEST(test_read_only),
		TEST(test_disk_full),
		TEST(test_disk_full_for_real),
		TEST(test_finish_interrupted),
		TEST(test_views),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
