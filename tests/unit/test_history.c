/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Histories: published series, noise, and what is worth a report. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <gsl/gsl_randist.h>
#include "analyzers/history.h"
#include "analyzers/stats/design.h"
#include "harness/base/util.h"
#include "tests/unit/nile.h"

static int changes(const double *y, size_t n, const char *better, struct wring_hchange *c)
{
	return wring_series_changes(y, n, "x", "count", better, 7, c);
}

/* The Nile: 28. The series of Apache Otava's test_single_series (tests/analysis_test.py): 10. */
static void test_published(void **state)
{
	static const double otava[] = { 1.02, .95, .99, 1.00, 1.12, 1.00, 1.01, .98, 1.01, .96, .50, .51, .48, .48, .55, .50, .49, .51, .50, .49 };
	struct wring_hchange c[WRING_MAX_CHANGES];

	(void)state;
	assert_int_equal(changes(nile, 100, "higher", c), 1);
	assert_int_equal(c[0].at, 28);
	assert_int_equal(c[0].by, WRING_BY_SLOW);
	assert_true(c[0].worse && !c[0].gone && c[0].pct < -20 && c[0].pct > -30);
	assert_int_equal(changes(nile, 100, "lower", c), 1);
	assert_false(c[0].worse);
	assert_int_equal(changes(otava, 20, "higher", c), 1);
	assert_int_equal(c[0].at, 10);
	assert_true(c[0].worse);
	/* eleven nights are too few for a test: only a last night that stands out is told, as in night 10, and not the one after it */
	assert_int_equal(changes(otava, 11, "higher", c), 1);
	assert_true(c[0].at == 10 && c[0].by == WRING_BY_FENCE);
	assert_int_equal(changes(otava, 10, "higher", c), 0);
}

/* What is significant but does not matter, what was one night, what went back, what comes from 0. */
static void test_gates(void **state)
{
	struct wring_hchange c[WRING_MAX_CHANGES];
	double y[90];

	(void)state;
	for (int i = 0; i < 60; i++)
		y[i] = 1000 + i % 5 + (i < 30 ? 0 : 50); /* 5 %, where 10 % is the least for a count */
	assert_int_equal(changes(y, 60, "lower", c), 0);
	assert_int_equal(wring_series_changes(y, 60, "x", "s", "lower", 7, c), 1); /* 3 % for a time */
	for (int i = 0; i < 60; i++)
		y[i] = 1000 + i % 5 + (i == 40 ? 900 : 0);
	assert_int_equal(changes(y, 60, "lower", c), 0);
	for (int i = 0; i < 90; i++)
		y[i] = 1000 + i % 5 + (i >= 30 && i < 60 ? 500 : 0);
	assert_int_equal(changes(y, 90, "lower", c), 2);
	assert_true(c[0].at == 30 && c[0].worse && c[0].gone);
	assert_true(c[1].at == 60 && !c[1].worse && !c[1].gone);
	for (int i = 0; i < 60; i++)
		y[i] = i < 40 ? 0 : 3;
	assert_int_equal(changes(y, 60, "lower", c), 1);
	assert_true(c[0].at == 40 && isinf(c[0].pct) && c[0].pct > 0 && c[0].before == 0 && c[0].after == 3);
	/* three nights are enough, two are not */
	for (int i = 0; i < 60; i++)
		y[i] = 1000 + i % 7 + (i >= 57 ? 400 : 0);
	assert_int_equal(changes(y, 60, "lower", c), 1);
	assert_true(c[0].at == 57 && c[0].worse);
	assert_int_equal(changes(y, 59, "lower", c), 0);
	for (int i = 0; i < 40; i++)
		y[i] = 1000 + i % 2 + (i >= 36 ? 250 : 0);
	assert_int_equal(changes(y, 40, "lower", c), 1);
	assert_true(c[0].at == 36 && c[0].worse);
	/* a level that never moved */
	for (int i = 0; i < 60; i++)
		y[i] = 42;
	assert_int_equal(changes(y, 60, "lower", c), 0);
	assert_int_equal(changes(y, 0, "lower", c), 0);
	/* short: the last night stands out from those before */
	memcpy(y, (double[]){ 100, 101, 99, 100, 180 }, 5 * sizeof(*y));
	assert_int_equal(changes(y, 5, "lower", c), 1);
	assert_true(c[0].at == 4 && c[0].by == WRING_BY_FENCE);
}

/* Constant noise of 20 %, so that the least effect is no help: alarms stay at what docs/statistics.md says of the level 0.005, and
 * autocorrelation raises them only so far. */
static void test_noise(void **state)
{
	static const struct { double like, most; } kinds[] = { { 0, .01 }, { 0.3, .02 }, { 0.6, .02 }, { 0.8, .03 } };

	(void)state;
	for (size_t k = 0; k < WRING_ARRAY_SIZE(kinds); k++) {
		gsl_rng *rng = wring_rng(20 + k);
		int alarms = 0, n = 500;

		for (int i = 0; i < n; i++) {
			struct wring_hchange c[WRING_MAX_CHANGES];
			double y[120], last = gsl_ran_gaussian(rng, 1 / sqrt(1 - kinds[k].like * kinds[k].like));

			for (int j = 0; j < 120; j++) {
				last = kinds[k].like * last + gsl_ran_gaussian(rng, 1);
				y[j] = 1000 + 200 * last;
			}
			alarms += changes(y, 120, "lower", c) > 0;
		}
		gsl_rng_free(rng);
		print_message("neighbours correlated %.1f: %d of %d series alarm\n", kinds[k].like, alarms, n);
		assert_true(alarms <= n * kinds[k].most);
	}
}

/* ---- a database ---- */

static void add_run(struct wring_store *st, int night, int nth, const char *plan, double a, double b)
{
	static int number;
	char uuid[40], started[40];
	struct wring_boot_meta boot = { .uuid = uuid, .where = "vm", .started = started, .append = "", .kernel_sha256 = "", .accel = "tcg",
		.vm = "cpus=4" };
	struct wring_run_meta run = { .uuid = uuid, .scenario = "s", .label = "", .started = started, .plan = plan, .seed = 1 };
	const struct wring_metric_row m[] = { { "a", "s", a, "lower", "primary" }, { "b", "s", b, "lower", "secondary" } };
	struct wring_err err;
	int64_t id;

	snprintf(uuid, sizeof(uuid), "%08d-0000-4000-8000-000000000000", ++number);
	snprintf(started, sizeof(started), "2026-%02d-%02dT01:%02d:00Z", 1 + night / 28, 1 + night % 28, nth);
	assert_int_equal(wring_store_begin_boot(st, &boot, &id, &err), 0);
	assert_int_equal(wring_store_fact(st, id, "kernel.release", night < 20 ? "6.1" : "6.2", &err), 0);
	assert_int_equal(wring_store_begin_run(st, id, &run, &id, &err), 0);
	assert_int_equal(wring_store_judge(st, id, NULL, m, 2, NULL, 0, &err), 0);
	assert_int_equal(wring_store_finish_run(st, id, "ok", "", 1, &err), 0);
}

static struct wring_store *new_store(char *path)
{
	struct wring_store *st;
	struct wring_err err;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	assert_int_equal(wring_store_open(path, WRING_STORE_WRITE, &st, &err), 0);
	return st;
}

static void test_database(void **state)
{
	char path[] = "/tmp/wring-test-history-XXXXXX", pins_path[] = "/tmp/wring-test-pins-XXXXXX";
	struct wring_store *st = new_store(path);
	struct wring_history_opts o = { 0 };
	struct wring_history h;
	struct wring_pins pins;
	struct wring_err err;
	FILE *f;

	(void)state;
	for (int i = 0; i < 40; i++)
		for (int k = 0; k < 3; k++) /* the median of three boots: the third is off */
			add_run(st, i, k, "p", k == 2 ? 900 : 10 + 0.01 * (i % 4) + (i >= 20 ? 5 : 0), 7 + 0.01 * (i % 3) + (i >= 21 ? 7 : 0));
	assert_int_equal(wring_history_read(st, &o, &h, &err), 0);
	assert_int_equal(h.n, 1); /* primary only */
	assert_int_equal(h.series[0].n, 40);
	assert_int_equal(h.series[0].nights[0].runs, 3);
	assert_true(h.series[0].nights[0].value == 10 && h.series[0].n_changes == 1 && h.series[0].changes[0].at == 20);
	assert_string_equal(h.series[0].nights[20].date, "2026-01-21");
	wring_history_done(&h);

	/* a night apart: one event, the primary metric first */
	o.all = true;
	assert_int_equal(wring_history_read(st, &o, &h, &err), 0);
	assert_int_equal(h.n, 2);
	assert_int_equal(h.n_events, 1);
	assert_int_equal(h.events[0].n, 2);
	assert_string_equal(h.series[h.events[0].series[0]].name, "a");
	assert_true(h.events[0].worse && !h.events[0].known && !h.events[0].is_new);
	wring_history_done(&h);

	/* explained; and a pin, from which on there is no change */
	close(mkstemp(pins_path));
	f = fopen(pins_path, "w");
	fputs("[one]\nscenario = s\nmetric = *\nsince = 2026-01-21\nreason = a slower disk\n", f);
	fclose(f);
	assert_int_equal(wring_pins_read(pins_path, &pins, &err), 0);
	o.pins = &pins;
	assert_int_equal(wring_history_read(st, &o, &h, &err), 0);
	assert_true(h.n_events == 1 && h.events[0].known && !h.events[0].worse);
	wring_history_done(&h);
	pins.rows[0].pin = true;
	assert_int_equal(wring_history_read(st, &o, &h, &err), 0);
	assert_true(h.series[0].from == 20 && h.series[0].n_changes == 0);
	wring_history_done(&h);
	wring_pins_done(&pins);

	/* another plan begins anew; plans that take turns are series of their own */
	o = (struct wring_history_opts){ 0 };
	for (int i = 40; i < 60; i++)
		add_run(st, i, 0, "q", 30, 1);
	assert_int_equal(wring_history_read(st, &o, &h, &err), 0);
	assert_true(h.n == 1 && h.series[0].n == 60 && h.series[0].from == 40 && h.series[0].n_changes == 0);
	wring_history_done(&h);
	add_run(st, 60, 0, "p", 15, 1);
	assert_int_equal(wring_history_read(st, &o, &h, &err), 0);
	assert_int_equal(h.n, 2);
	wring_history_done(&h);
	o.nights = 5;
	assert_int_equal(wring_history_read(st, &o, &h, &err), 0);
	assert_true(h.series[0].n == 5 && h.series[1].n == 5);
	wring_history_done(&h);
	wring_store_close(st);
	unlink(path);
	unlink(pins_path);
}

static void test_pins(void **state)
{
	static const char *const bad[] = { "[x]\nscenario = s\n", "[x]\nscenario = s\nmetric = m\nreason = r\nkind = pin\n",
		"[x]\nscenario = s\nmetric = m\nreason = r\nsince = yesterday\n", "[x]\nscenario = s\nmetric = m\nreason = r\nkind = odd\n",
		"[x]\nscenario = s\nmetric = m\nreason = r\ncolour = red\n" };

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(bad); i++) {
		char path[] = "/tmp/wring-test-pins-XXXXXX";
		struct wring_pins pins;
		struct wring_err err;
		int fd = mkstemp(path);

		assert_int_equal(write(fd, bad[i], strlen(bad[i])), (ssize_t)strlen(bad[i]));
		close(fd);
		assert_true(wring_pins_read(path, &pins, &err) < 0);
		assert_non_null(strstr(err.msg, path));
		unlink(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published), cmocka_unit_test(test_gates), cmocka_unit_test(test_noise), cmocka_unit_test(test_database),
		cmocka_unit_test(test_pins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
