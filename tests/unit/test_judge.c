/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Outcomes, known findings, exit codes, and what the reports make of them. */
#include "tests/unit/synth.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include "analyzers/report/report.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"

#define I(x) ((int64_t)(x))

static const char plan[] =
	"[scenario]\nname = slab-at-max\ndetectors = accounting kernel-log\n"
	"[group work]\n[load names]\nworkload = dentry\ngroup = work\n[phase p]\ndo = mark filled\n";

/* A run whose counter goes down when bad, and whose log warns when loud. */
static void put_run(struct synth *s, bool bad, bool loud, const char *outcome, const char *reason)
{
	size_t v, load;

	synth_run(s, "slab-at-max", plan);
	v = synth_source(s, "vmstat", "", "", "+pgfault");
	load = synth_source(s, "load", "names", "", "+ops +errors");
	synth_mark(s, 100, "start");
	synth_event(s, 1000, "load", "names", "start procs=1");
	synth_sample(s, v, 1000, I(100));
	synth_sample(s, v, 2000, bad ? I(1) : I(101));
	synth_sample(s, load, 2900, I(5000), I(3));
	synth_event(s, 3000, "load", "names", "exit pid=7 code=0");
	if (loud)
		synth_log(s, 2000, "WARNING: CPU: 1 PID: 2 at mm/vmscan.c:1 x+0x1/0x2");
	synth_finish(s, outcome, reason);
}

static const struct wring_run_row *row(struct synth *s, int64_t id)
{
	char spec[24];

	wring_runs_done(&s->rows);
	snprintf(spec, sizeof(spec), "%lld", (long long)id);
	OK(s, wring_store_runs(s->st, spec, &s->rows, &s->err));
	return &s->rows.rows[0];
}

static void judge(struct synth *s, struct wring_known *known)
{
	OK(s, wring_judge_run(s->st, row(s, s->run), known, &s->err));
	row(s, s->run);
}

static void expect(struct synth *s, const char *outcome, const char *reason)
{
	assert_string_equal(s->rows.rows[0].outcome, outcome);
	assert_string_equal(s->rows.rows[0].reason, reason);
}

static void test_outcomes(void **state)
{
	static const struct {
		bool bad, loud;
		const char *outcome, *reason, *want, *want_reason;
	} rows[] = {
		{ false, false, "ok", "", "ok", "" },
		{ true, false, "ok", "", "fail", "accounting/monotonic" },
		{ true, true, "ok", "", "fail", "accounting/monotonic" },
		{ false, true, "ok", "", "fail", "kernel-log/warning" },
		/* half a run misleads every detector but kernel-log */
		{ true, false, "broken", "guest died", "broken", "guest died" },
		{ true, true, "broken", "guest died", "fail",
		  "kernel-log/warning, was broken: guest died" },
		{ true, true, "skip", "needs xfs", "skip", "needs xfs" },
		{ false, false, "noisy", "spread 40 %", "noisy", "spread 40 %" },
		{ true, false, "noisy", "spread 40 %", "fail",
		  "accounting/monotonic, was noisy: spread 40 %" },
	};

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(rows); i++) {
		struct synth s;

		synth_open(&s, "vm");
		put_run(&s, rows[i].bad, rows[i].loud, rows[i].outcome, rows[i].reason);
		for (int again = 0; again < 3; again++) { /* idempotent */
			struct wring_findings f = { 0 };
			static size_t n_first;

			judge(&s, NULL);
			expect(&s, rows[i].want, rows[i].want_reason);
			OK(&s, wring_store_findings(s.st, s.run, &f, &s.err));
			n_first = again ? n_first : f.n;
			assert_int_equal(f.n, n_first);
			wring_findings_done(&f);
		}
		synth_done(&s);
	}
}

/* A panic is heard although the scenario never asked, and although the run is broken. */
static void test_panic_unasked(void **state)
{
	static const char deaf[] = "[scenario]\nname = deaf\ndetectors = premature-oom\n[phase "
				   "p]\ndo = mark filled\n";
	struct synth s;

	(void)state;
	synth_open(&s, "vm");
	synth_run(&s, "deaf", deaf);
	synth_mark(&s, 100, "start");
	synth_event(&s, 200, "guest", "panic", "seen by QEMU");
	synth_finish(&s, "broken", "not finished");
	judge(&s, NULL);
	expect(&s, "fail", "kernel-log/panic, was broken: not finished");
	synth_done(&s);
	synth_open(&s, "vm");
	synth_run(&s, "deaf", deaf);
	synth_mark(&s, 100, "start");
	synth_event(&s, 200, "guest", "killed", "by signal 9");
	synth_finish(&s, "broken", "not finished");
	judge(&s, NULL);
	expect(&s, "broken", "not finished");
	synth_done(&s);
}

/* A scenario whose timeout ran out: a load that stood still until then fails it, a metric of it is not kept, and neither is
 * what others say of half a run; not where the host was away. */
static void test_cut(void **state)
{
	static const char plan_cut[] = "[scenario]\nname = cut\ndetectors = accounting standstill\n[group work]\nmemory.max = 16M\n"
				       "[load files]\nworkload = inode\ngroup = work\n[phase p]\ndo = start files\n  wait files 90s\n";
	static const struct { const char *kind, *subject, *want, *reason; } rows[] = {
		{ "mark", "x", "fail", "standstill/stuck, was broken: the timeout ran out" },
		{ "guest", "starved", "broken", "the timeout ran out" },
		{ "guest", "paused", "broken", "the timeout ran out" },
	};

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(rows); i++) {
		struct wring_findings f = { 0 };
		struct wring_metrics m = { 0 };
		size_t load, events;
		struct synth s;

		synth_open(&s, "vm");
		synth_run(&s, "cut", plan_cut);
		load = synth_source(&s, "load", "files", "", "+ops");
		events = synth_source(&s, "memory.events", "work", "", "+max +oom_kill");
		synth_mark(&s, 50, "start");
		synth_event(&s, 100, "load", "files", "start procs=1");
		synth_event(&s, 110, "step", "wait", "files 90s");
		synth_event(&s, 200, rows[i].kind, rows[i].subject, "");
		for (int64_t t = 200; t <= 30000; t += 100) {
			synth_sample(&s, load, t, I(5));
			synth_sample(&s, events, t, t / 100, I(0));
		}
		synth_event(&s, 30000, "warn", "timeout", "the scenario is ended in step 'wait': its loads are killed");
		synth_event(&s, 30010, "load", "files", "exit pid=7 signal=9");
		synth_event(&s, 30020, "step", "wait", "done ns=29910000000");
		synth_finish(&s, "broken", "the timeout ran out");
		for (int again = 0; again < 2; again++) {
			judge(&s, NULL);
			expect(&s, rows[i].want, rows[i].reason);
		}
		OK(&s, wring_store_findings(s.st, s.run, &f, &s.err));
		for (size_t k = 0; k < f.n; k++)
			assert_true(!strcmp(f.rows[k].detector, "kernel-log") || !strcmp(f.rows[k].verdict, "fail"));
		OK(&s, wring_store_metrics(s.st, s.run, &m, &s.err));
		for (size_t k = 0; k < m.n; k++)
			assert_string_not_equal(m.rows[k].name, "standstill_ms");
		wring_findings_done(&f);
		wring_metrics_done(&m);
		synth_done(&s);
	}
}

static void test_unknown_detector(void **state)
{
	struct wring_exit x = { 0 };
	struct synth s;

	(void)state;
	synth_open(&s, "vm");
	synth_run(&s, "new",
		  "[scenario]\nname = new\ndetectors = of-the-future\n[phase p]\ndo = mark "
		  "filled\n");
	synth_mark(&s, 100, "start");
	synth_finish(&s, "ok", "");
	judge(&s, NULL);
	expect(&s, "ok", "");
	OK(&s, wring_exit_add(&x, s.st, &s.rows.rows[0], &s.err));
	assert_int_equal(wring_exit_code(&x), WRING_EXIT_INCONCLUSIVE);
	synth_done(&s);
}

static void test_metric_tiers(void **state)
{
	struct wring_metrics m = { 0 };
	struct synth s;
	bool seen = false;

	(void)state;
	synth_open(&s, "vm");
	put_run(&s, false, false, "ok", "");
	judge(&s, NULL);
	OK(&s, wring_store_metrics(s.st, s.run, &m, &s.err));
	for (size_t i = 0; i < m.n; i++) {
		if (strcmp(m.rows[i].name, "ops_per_s"))
			continue;
		assert_true(m.rows[i].value == 2500);
		assert_string_equal(m.rows[i].tier, "secondary");
		seen = true;
	}
	assert_true(seen);
	wring_metrics_done(&m);
	synth_done(&s);
}

/* ---- known findings ---- */

static void write_known(char *path, size_t size, const char *text)
{
	FILE *f;

	snprintf(path, size, "/tmp/wring-known-%d", getpid());
	f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
}

static const char known_text[] =
	"[parts]\nscenario = slab-at-max\ndetector = accounting\nclass = parts\nreason = rounding\n"
	"# what we live with\n[counter]\nscenario = slab-at-max\ndetector = accounting\nclass = monotonic\n"
	"reason = the counter is reset by design\nlink = https://lore.kernel.org/r/x\n"
	"[warning]\nscenario = slab-at-max\ndetector = kernel-log\nclass = warning\nreason = old driver\n"
	"[elsewhere]\nscenario = other\ndetector = kernel-log\nclass = bug\nreason = never ran\n";

static void test_known(void **state)
{
	struct wring_known *k = NULL;
	struct wring_findings f = { 0 };
	struct wring_exit x = { 0 };
	char path[64], gone[600];
	struct synth s;
	bool seen = false;

	(void)state;
	write_known(path, sizeof(path), known_text);
	synth_open(&s, "vm");
	OK(&s, wring_known_read(path, &k, &s.err));
	assert_int_equal(wring_known_gone(k, gone, sizeof(gone)), 0); /* nothing ran yet */
	put_run(&s, true, false, "ok", "");
	judge(&s, k);
	expect(&s, "ok", "");
	OK(&s, wring_store_findings(s.st, s.run, &f, &s.err));
	for (size_t i = 0; i < f.n; i++) {
		if (strcmp(f.rows[i].class, "monotonic"))
			continue;
		assert_string_equal(f.rows[i].verdict, "known");
		assert_string_equal(f.rows[i].link, "https://lore.kernel.org/r/x");
		assert_non_null(strstr(f.rows[i].evidence, "known: the counter is reset by "
							   "design: "));
		seen = true;
	}
	assert_true(seen);
	wring_findings_done(&f);
	OK(&s, wring_exit_add(&x, s.st, &s.rows.rows[0], &s.err));
	assert_int_equal(wring_exit_code(&x), WRING_EXIT_OK);
	/* the warning did not come back, nor did another class; the other scenario did not run */
	assert_int_equal(wring_known_gone(k, gone, sizeof(gone)), 2);
	assert_string_equal(gone, "parts: accounting no longer finds parts in slab-at-max "
				  "(known: rounding)\nwarning: kernel-log no longer finds "
				  "warning in slab-at-max (known: old driver)\n");
	assert_int_equal(wring_known_gone(k, gone, 8), 2);
	assert_int_equal(strlen(gone), 7);
	/* without the file it is a failure again */
	judge(&s, NULL);
	expect(&s, "fail", "accounting/monotonic");
	wring_known_free(k);
	synth_done(&s);
	unlink(path);
}

/* A guest that dies of what is known is neither a failure nor broken. */
static void test_known_panic(void **state)
{
	struct wring_known *k = NULL;
	struct wring_exit x = { 0 };
	char path[64];
	struct synth s;

	(void)state;
	write_known(path, sizeof(path),
		    "[p]\nscenario = slab-at-max\ndetector = kernel-log\nclass = panic\nreason = "
		    "r\n");
	synth_open(&s, "vm");
	OK(&s, wring_known_read(path, &k, &s.err));
	synth_run(&s, "slab-at-max", plan);
	synth_mark(&s, 100, "start");
	synth_event(&s, 200, "guest", "panic", "seen by QEMU");
	synth_finish(&s, "broken", "the guest panicked");
	judge(&s, k);
	expect(&s, "broken", "the guest panicked");
	OK(&s, wring_exit_add(&x, s.st, &s.rows.rows[0], &s.err));
	assert_int_equal(wring_exit_code(&x), WRING_EXIT_OK);
	wring_known_free(k);
	synth_done(&s);
	unlink(path);
}

static void test_known_errors(void **state)
{
	static const struct { const char *text, *says; } rows[] = {
		{ "[a]\nscenario = x\n", ":1: [a] has no detector" },
		{ "[a]\nscenario = x\ndetector = y\nclass = z\n", "has no reason" },
		{ "[a]\nscenari = x\n", ":2: unknown key 'scenari'" },
		{ "scenario = x\n", ":1:" },
	};

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(rows); i++) {
		struct wring_known *k = NULL;
		struct wring_err err;
		char path[64];

		write_known(path, sizeof(path), rows[i].text);
		assert_int_equal(wring_known_read(path, &k, &err), -EINVAL);
		if (!strstr(err.msg, rows[i].says))
			fail_msg("%s", err.msg);
		unlink(path);
		assert_int_equal(wring_known_read(path, &k, &err), -ENOENT);
	}
	wring_known_free(NULL);
	assert_int_equal(wring_known_gone(NULL, NULL, 0), 0);
}

/* ---- exit codes ---- */

static void test_exit(void **state)
{
	static const struct { struct wring_exit x; int code;
	} rows[] = {
		{ { .judged = 1 }, 0 },
		{ { .judged = 0 }, 3 },
		{ { .judged = 1, .unsure = true }, 3 },
		{ { .judged = 1, .unsure = true, .broken = true }, 4 },
		{ { .broken = true }, 4 },
		{ { .judged = 1, .fail = true }, 1 },
		{ { .fail = true, .broken = true, .unsure = true }, 1 },
	};
	struct wring_exit x = { 0 };
	struct synth s;

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(rows); i++)
		assert_int_equal(wring_exit_code(&rows[i].x), rows[i].code);
	synth_open(&s, "vm");
	put_run(&s, false, false, "skip", "needs xfs");
	judge(&s, NULL);
	OK(&s, wring_exit_add(&x, s.st, &s.rows.rows[0], &s.err));
	assert_int_equal(wring_exit_code(&x), 3); /* nothing judged */
	put_run(&s, false, false, "ok", "");
	judge(&s, NULL);
	OK(&s, wring_exit_add(&x, s.st, &s.rows.rows[0], &s.err));
	assert_int_equal(wring_exit_code(&x), 0);
	put_run(&s, false, false, "noisy", "spread");
	judge(&s, NULL);
	OK(&s, wring_exit_add(&x, s.st, &s.rows.rows[0], &s.err));
	assert_int_equal(wring_exit_code(&x), 3);
	put_run(&s, false, false, "broken", "x");
	judge(&s, NULL);
	OK(&s, wring_exit_add(&x, s.st, &s.rows.rows[0], &s.err));
	assert_int_equal(wring_exit_code(&x), 4);
	put_run(&s, true, false, "ok", "");
	row(&s, s.run);
	{ /* a row read before the judging still gives the judged outcome */
		struct wring_runs old = s.rows;

		s.rows = (struct wring_runs){ 0 };
		judge(&s, NULL);
		assert_string_equal(old.rows[0].outcome, "ok");
		OK(&s, wring_exit_add(&x, s.st, &old.rows[0], &s.err));
		wring_runs_done(&old);
	}
	assert_int_equal(wring_exit_code(&x), 1);
	synth_done(&s);
}

/* ---- reports ---- */

static char *print(struct synth *s, int (*fn)(struct wring_store *, const struct wring_runs *,
					      FILE *, struct wring_err *))
{
	char *buf = NULL;
	size_t len;
	FILE *f = open_memstream(&buf, &len);

	wring_runs_done(&s->rows);
	OK(s, wring_store_runs(s->st, NULL, &s->rows, &s->err));
	OK(s, fn(s->st, &s->rows, f, &s->err));
	fclose(f);
	return buf;
}

static int export_json(struct wring_store *st, const struct wring_runs *runs, FILE *out, struct wring_err *err)
{
	return wring_export_json(st, runs, NULL, out, err);
}

static void test_json(void **state)
{
	const struct wring_metric_row m[] = {
		{ "ok", "count", 3, "lower", "primary" }, { "half", "s", 0.5, "higher", "info" },
	};
	const struct wring_finding_row f[] = {
		{ "accounting", "parts", "fail", 1e300, 4096, "bytes",
		  "bad \xff\xfe byte, \x01 control, \xed\xa0\x80 surrogate, \xc0\x80 overlong, "
		  "\xe2\x82 cut, \xe2\x82\xac good, \"quoted\" \\",
		  "" },
		{ "kernel-log", "bug", "known", 1, 0, "lines", "e", "https://x" },
	};
	json_error_t error;
	json_t *doc, *run, *finding;
	struct synth s;
	char *text;

	(void)state;
	synth_open(&s, "vm");
	put_run(&s, false, false, "ok", "");
	OK(&s, wring_store_judge(s.st, s.run, NULL, m, 2, f, 2, &s.err));
	text = print(&s, export_json);
	doc = json_loads(text, 0, &error);
	assert_non_null(doc);
	assert_int_equal(json_integer_value(json_object_get(doc, "schema")), 1);
	assert_int_equal(json_array_size(json_object_get(doc, "comparisons")), 0);
	run = json_array_get(json_object_get(doc, "runs"), 0);
	assert_string_equal(json_string_value(json_object_get(run, "scenario")), "slab-at-max");
	assert_true(json_is_null(json_object_get(run, "arm")));
	assert_true(json_number_value(json_object_get(run, "duration_s")) == 12.5);
	assert_string_equal(json_string_value(json_object_get(json_object_get(run, "kernel"), "rele"
											      "as"
											      "e")),
			    "6.12.0-test");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(run, "machine"), "cpu.online")),
		"4");
	assert_int_equal(json_array_size(json_object_get(run, "metrics")), 2);
	finding = json_array_get(json_object_get(run, "findings"), 0);
	assert_string_equal(json_string_value(json_object_get(finding, "evidence")),
			    "bad \xef\xbf\xbd\xef\xbf\xbd byte, \x01 control, "
			    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd surrogate, "
			    "\xef\xbf\xbd\xef\xbf\xbd overlong, \xef\xbf\xbd\xef\xbf\xbd cut, "
			    "\xe2\x82\xac good, \"quoted\" \\");
	assert_null(json_object_get(finding, "link"));
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(json_object_get(run, "findings"), 1), "link")),
			    "https://x");
	if (getenv("WRING_TEST_JSON")) {
		FILE *out = fopen(getenv("WRING_TEST_JSON"), "w");

		fputs(text, out);
		fclose(out);
	}
	json_decref(doc);
	free(text);
	synth_done(&s);
}

/* What is no number never gets in: neither as a metric nor as a finding's value. */
static void test_no_numbers(void **state)
{
	struct synth s;

	(void)state;
	synth_open(&s, "vm");
	put_run(&s, false, false, "ok", "");
	row(&s, s.run);
	OK(&s, wring_scenario_parse("t.ini", plan, NULL, 0, &s.scenario, &s.err));
	OK(&s, wring_view_init(&s.v, s.st, &s.rows.rows[0], s.scenario, &s.err));
	wring_metric(&s.v, "bad", "s", NAN, "lower", "info");
	wring_metric(&s.v, "worse", "s", INFINITY, "lower", "info");
	wring_metric(&s.v, "good", "s", 1, "lower", "info");
	wring_finding(&s.v, "x", "y", WRING_PASS, NAN, -INFINITY, "s", "%s", "text");
	assert_int_equal(s.v.results->n_metrics, 1);
	assert_int_equal(s.v.results->n_findings, 1);
	assert_true(s.v.results->findings[0].value == 0 && s.v.results->findings[0].limit == 0);
	synth_done(&s);
}

static void test_table(void **state)
{
	struct synth s;
	char *text;

	(void)state;
	synth_open(&s, "vm");
	put_run(&s, true, true, "ok", "");
	judge(&s, NULL);
	put_run(&s, false, false, "broken",
		"the guest was killed from outside, which takes a reason that is longer than any "
		"line of a terminal of one hundred columns can be");
	judge(&s, NULL);
	text = print(&s, wring_report_table);
	assert_non_null(strstr(text, "SCENARIO"));
	assert_non_null(strstr(text, "accounting/monotonic: fail, 1 key against 0 keys"));
	assert_non_null(strstr(text, "kernel-log/warning: fail"));
	assert_null(strstr(text, "escape: pass"));
	for (char *l = text, *end; *l; l = end + 1) {
		end = strchr(l, '\n');
		assert_true(end - l <= 100);
	}
	if (getenv("WRING_TEST_SHOW"))
		print_message("%s", text);
	free(text);
	{
		char *buf = NULL;
		size_t len;
		FILE *f = open_memstream(&buf, &len);

		OK(&s, wring_report_run(s.st, &s.rows.rows[0], f, &s.err));
		fclose(f);
		assert_non_null(strstr(buf, "ops_per_s"));
		assert_non_null(strstr(buf, "page.size"));
		assert_non_null(strstr(buf, "start procs=1"));
		if (getenv("WRING_TEST_SHOW"))
			print_message("%s", buf);
		free(buf);
	}
	synth_done(&s);
}

static void test_text(void **state)
{
	char buf[48], *clean, *out = NULL;
	size_t len;
	FILE *f;

	(void)state;
	assert_string_equal(wring_text_value(1048576, "bytes", buf, sizeof(buf)), "1M");
	assert_string_equal(wring_text_value(3, "kills", buf, sizeof(buf)), "3 kills");
	assert_string_equal(wring_text_value(0.25, "s", buf, sizeof(buf)), "0.25 s");
	assert_string_equal(wring_text_value(-5, "bytes", buf, sizeof(buf)), "-5 bytes");
	clean = wring_text_clean("a\033[31mb\nc\xc2\x9b", true);
	assert_string_equal(clean, "a [31mb c ");
	free(clean);
	clean = wring_text_clean(NULL, false);
	assert_string_equal(clean, "");
	free(clean);
	f = open_memstream(&out, &len);
	wring_text_wrap(f, "one two  three averyveryverylongword end", 2, 12);
	fclose(f);
	assert_string_equal(out, "  one two\n  three\n  averyveryverylongword\n  end\n");
	free(out);
}

/* POSIX.1-2017, 2.2.2: within single quotes only a single quote is not itself. */
static void test_words(void **state)
{
	static const struct { const char *in, *shell, *word; } rows[] = {
		{ "vm.swappiness=1", "vm.swappiness=1", "vm.swappiness_1" },
		{ "", "''", "none" },
		{ "it's $HOME", "'it'\\''s $HOME'", "it_s__HOME" },
		{ "a\nb\x1b", "'a b '", "a_b_" },
		{ "*", "'*'", "_" },
	};
	char number[32];

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *shell = wring_text_shell(rows[i].in), *word = wring_text_word(rows[i].in);

		assert_string_equal(shell, rows[i].shell);
		assert_string_equal(word, rows[i].word);
	}
	assert_string_equal(wring_text_number(0.1, number, sizeof(number)), "0.1");
	assert_string_equal(wring_text_number(-0.0, number, sizeof(number)), "0");
	assert_string_equal(wring_text_number(9007199254740991.0, number, sizeof(number)), "9007199254740991");
	assert_string_equal(wring_text_number(NAN, number, sizeof(number)), "0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_panic_unasked),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_unknown_detector),
		cmocka_unit_test(test_metric_tiers),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_known_panic),
		cmocka_unit_test(test_known_errors),
		cmocka_unit_test(test_exit),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_no_numbers),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
