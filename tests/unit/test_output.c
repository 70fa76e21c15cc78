/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Outputs recorded from stress-ng 0.15.06 and fio 3.33 (tests/fixtures), and what becomes of them in a run. */
#include "tests/unit/synth.h"

#include <errno.h>
#include <fcntl.h>
#include "analyzers/output.h"
#include "harness/base/util.h"

static char *fixture(const char *name)
{
	const char *top = getenv("top_srcdir");
	_cleanup_free_ char *path = wring_strf("%s/tests/fixtures/%s", top ? top : ".", name);
	char *text = NULL;

	assert_int_equal(wring_read_file(AT_FDCWD, path, &text, NULL), 0);
	return text;
}

static double figure(const struct wring_figures *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->rows[i].name, name))
			return f->rows[i].how == WRING_MEAN ? f->rows[i].value / f->rows[i].n : f->rows[i].value;
	return -1;
}

static void near(double value, double wanted) { assert_true(value > wanted * 0.999999 && value < wanted * 1.000001); }

static void test_stress_ng(void **state)
{
	_cleanup_free_ char *dentry = fixture("stress-ng-0.15.06/dentry.yaml"), *two = fixture("stress-ng-0.15.06/two.yaml");
	struct wring_figures f = { .n = 0 };

	(void)state;
	assert_int_equal(wring_stress_ng_parse(dentry, strlen(dentry), &f), 0);
	near(f.ops_per_s, 2455.562269);
	near(figure(&f, "bogo_ops"), 2490);
	near(figure(&f, "system_time"), 0.914498);
	near(figure(&f, "max_rss"), 2708 * 1024.);
	near(figure(&f, "nanosecs_per_file_creation"), 728124.266410);
	/* a second process: rates and counts add up, times are means */
	assert_int_equal(wring_stress_ng_parse(dentry, strlen(dentry), &f), 0);
	near(f.ops_per_s, 2 * 2455.562269);
	near(figure(&f, "bogo_ops"), 2 * 2490);
	near(figure(&f, "nanosecs_per_file_creation"), 728124.266410);
	f = (struct wring_figures){ .n = 0 };
	assert_int_equal(wring_stress_ng_parse(two, strlen(two), &f), 0);
	near(f.ops_per_s, 192405.930166 + 127.017638);
	near(figure(&f, "mb_per_sec_pipe_write_rate"), 94.035258);
}

static void test_stress_ng_killed(void **state)
{
	_cleanup_free_ char *child = fixture("stress-ng-0.15.06/killed-child.yaml"), *worker = fixture("stress-ng-0.15.06/killed-worker.yaml");
	struct wring_figures f = { .n = 0 };

	(void)state;
	/* stress-ng ended with 0 and says nothing of it: only the kernel's count tells */
	assert_int_equal(wring_stress_ng_parse(child, strlen(child), &f), 0);
	near(f.ops_per_s, 37612.567343);
	f = (struct wring_figures){ .n = 0 };
	assert_int_equal(wring_stress_ng_parse(worker, strlen(worker), &f), 0);
	assert_true(f.ops_per_s == 0);
	assert_int_equal(wring_stress_ng_parse("", 0, &f), -EINVAL);
	assert_int_equal(wring_stress_ng_parse("---\nmetrics:\n", 13, &f), -EINVAL);
	assert_int_equal(wring_stress_ng_parse(worker, 300, &f), -EINVAL);
}

static void test_fio(void **state)
{
	_cleanup_free_ char *wall = fixture("fio-3.33/stonewall.json"), *group = fixture("fio-3.33/group.json"), *bad = fixture("fio-3.33/bad-option.txt"),
			    *noisy = wring_strf("fio: file hash not empty on exit\n%s\ntrailing", wall);
	struct wring_figures f = { .n = 0 };

	(void)state;
	assert_int_equal(wring_fio_parse(wall, strlen(wall), &f), 0);
	/* 1024 at 128000/s, then 1024 at 256000/s: 2048 in 12 ms */
	near(f.ops_per_s, 2048 / 0.012);
	near(figure(&f, "write_latency_p99_ns"), 6304);
	near(figure(&f, "read_latency_max_ns"), 1885201);
	near(figure(&f, "read_bytes_per_s"), 1048576000);
	assert_true(figure(&f, "failed_jobs") == 0 && figure(&f, "trim_bytes_per_s") < 0);
	f = (struct wring_figures){ .n = 0 };
	assert_int_equal(wring_fio_parse(group, strlen(group), &f), 0);
	near(f.ops_per_s, 19578.947368 + 20842.105263);
	near(figure(&f, "read_latency_p99_ns"), 1073152);
	f = (struct wring_figures){ .n = 0 };
	assert_int_equal(wring_fio_parse(noisy, strlen(noisy), &f), 0);
	near(f.ops_per_s, 2048 / 0.012);
	assert_int_equal(wring_fio_parse(bad, strlen(bad), &f), -EINVAL);
	assert_int_equal(wring_fio_parse(wall, strlen(wall) / 2, &f), -EINVAL);
}

static double metric(struct synth *s, const char *name)
{
	struct wring_metrics m = { 0 };
	double value = -1;

	OK(s, wring_store_metrics(s->st, s->run, &m, &s->err));
	for (size_t i = 0; i < m.n; i++)
		if (!strcmp(m.rows[i].name, name))
			value = m.rows[i].value;
	wring_metrics_done(&m);
	return value;
}

/* In parts of 1000 bytes, of three processes in turn; the third was killed. */
static void test_run(void **state)
{
	static const char plan[] = "[scenario]\nname = x\ndetectors = accounting\n[load a]\nworkload = fio\n[load b]\nworkload = null\n"
				   "[phase p]\ndo = mark filled\n";
	_cleanup_free_ char *wall = fixture("fio-3.33/stonewall.json"), *text = wring_strf("program=fio exit=0\n%s", wall);
	struct synth synth, *s = &synth;

	(void)state;
	synth_open(s, "vm");
	synth_run(s, "x", plan);
	synth_mark(s, 100, "start");
	synth_event(s, 1000, "load", "a", "start procs=3");
	for (size_t at = 0; at < strlen(text); at += 1000)
		for (int pid = 7; pid < 10; pid++) {
			_cleanup_free_ char *part = wring_strf("pid=%d\n%.1000s", pid, text + at);

			synth_event(s, 2000, "output", "a", part);
		}
	synth_event(s, 3000, "load", "a", "killed pid=9 oom_kills=1");
	synth_event(s, 3000, "load", "a", "exit pid=7 code=0");
	synth_finish(s, "ok", "");
	wring_runs_done(&s->rows);
	OK(s, wring_store_runs(s->st, "last", &s->rows, &s->err));
	OK(s, wring_judge_run(s->st, &s->rows.rows[0], NULL, &s->err));
	near(metric(s, "a.ops_per_s"), 2 * 2048 / 0.012);
	near(metric(s, "ops_per_s"), 2 * 2048 / 0.012);
	near(metric(s, "a.read_latency_max_ns"), 1885201);
	synth_done(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stress_ng),
		cmocka_unit_test(test_stress_ng_killed),
		cmocka_unit_test(test_fio),
		cmocka_unit_test(test_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
