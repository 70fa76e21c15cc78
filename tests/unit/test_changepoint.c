/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Change points, on published series and with published run lengths. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <gsl/gsl_randist.h>
#include "analyzers/stats/changepoint.h"
#include "analyzers/stats/design.h"
#include "harness/base/util.h"
#include "tests/unit/nile.h"

static size_t changes(const double *y, size_t n, const struct wring_change_opts *o, struct wring_change *c)
{
	size_t found;

	assert_int_equal(wring_changes(y, n, o, c, 8, &found), 0);
	return found;
}

/* The Nile's change after 1898, when the dam was begun, is the textbook example (Cobb; Zeileis et al. 2003; the Turing
 * benchmark's annotators: index 28). */
static void test_nile(void **state)
{
	struct wring_change c[8];
	double center, sigma;
	size_t alarm;
	int side;

	(void)state;
	assert_int_equal(changes(nile, 100, NULL, c), 1);
	assert_int_equal(c[0].at, 28);
	assert_true(c[0].before > 1050 && c[0].after < 900 && c[0].p <= 0.005);
	/* Which years come first makes no difference to what is found. */
	double back[100];

	for (int i = 0; i < 100; i++)
		back[i] = nile[99 - i];
	assert_int_equal(changes(back, 100, NULL, c), 1);
	assert_int_equal(c[0].at, 72);
	wring_cusum_base(nile, 28, &center, &sigma);
	alarm = wring_cusum(nile, 100, center, sigma, 0.5, 9, &side);
	assert_true(alarm >= 28 && alarm < 40 && side == -1);
}

/* From the tests of Apache Otava (5 and 8) and of MongoDB's signal processing (1000). */
static void test_other_tools(void **state)
{
	static const double otava[] = { .3, 2.4, 1.5, -.9, -.5, 99.7, 98.3, 99.1, 149, 149.7, 149.5, 149.1, 148.8, 150 };
	struct wring_change c[8];
	double steps[2000] = { 0 };

	(void)state;
	assert_int_equal(changes(otava, 14, &(struct wring_change_opts){ .alpha = .05, .min_segment = 3 }, c), 2);
	assert_int_equal(c[0].at, 5);
	assert_int_equal(c[1].at, 8);
	for (int i = 1000; i < 2000; i++)
		steps[i] = 1;
	assert_int_equal(changes(steps, 2000, NULL, c), 1);
	assert_int_equal(c[0].at, 1000);
	assert_true(c[0].before == 0 && c[0].after == 1);
	/* One night out of line is no change, nor is nothing at all. */
	memset(steps, 0, sizeof(steps));
	steps[50] = 9;
	assert_int_equal(changes(steps, 100, NULL, c), 0);
	assert_int_equal(changes(steps, 0, NULL, c), 0);
	assert_int_equal(changes(steps, 9, NULL, c), 0);
}

/* The Turing Change Point Dataset (van den Burg and Williams 2020), quality_control_1, _2 and _5, rounded to 1/100: a change at 146 in
 * noise with a trend, one at 97 (the file begins with the eleventh value), and none. Trends are not levels: beside the change of the first there
 * may be others. The margin is that benchmark's. */
static void test_quality_control(void **state)
{
	static const struct { const char *name; size_t n, at; bool alone; } all[] = { { "1", 313, 146, false }, { "2", 272, 87, true }, { "5", 325, 0, true } };

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(all); i++) {
		const char *top = getenv("top_srcdir");
		struct wring_change c[8];
		char path[4096];
		double y[400];
		size_t n = 0, found, hits = 0;
		FILE *f;

		snprintf(path, sizeof(path), "%s/tests/fixtures/tcpd/quality_control_%s.txt", top ? top : ".", all[i].name);
		f = fopen(path, "r");
		assert_non_null(f);
		while (n < 400 && fscanf(f, "%lf", &y[n]) == 1)
			n++;
		fclose(f);
		assert_int_equal(n, all[i].n);
		found = changes(y, n, NULL, c);
		for (size_t k = 0; k < found && k < 8; k++) {
			print_message("quality_control_%s: %zu, from %.2f to %.2f, p %.3f\n", all[i].name, c[k].at, c[k].before, c[k].after, c[k].p);
			hits += c[k].at + 5 >= all[i].at && c[k].at <= all[i].at + 5;
		}
		assert_int_equal(hits, all[i].at > 0);
		assert_true(!all[i].alone || found == hits);
	}
}

/* How often a series without a change has one: alpha, also when each night is like the night before. */
static void test_false_changes(void **state)
{
	static const double like[] = { 0, 0.3, 0.6 };
	const struct wring_change_opts o = { .alpha = .05, .permutations = 199 };

	(void)state;
	for (size_t k = 0; k < WRING_ARRAY_SIZE(like); k++) {
		gsl_rng *rng = wring_rng(9 + k);
		int alarms = 0, n = 400;

		for (int i = 0; i < n; i++) {
			struct wring_change c[8];
			double y[120], last = gsl_ran_gaussian(rng, 1 / sqrt(1 - like[k] * like[k]));

			for (int j = 0; j < 120; j++)
				y[j] = last = like[k] * last + gsl_ran_gaussian(rng, 1);
			alarms += changes(y, 120, &o, c) > 0;
		}
		gsl_rng_free(rng);
		print_message("neighbours correlated %.1f: %d of %d series have a change\n", like[k], alarms, n);
		assert_true(alarms <= n * .05 + 3.29 * sqrt(n * .05 * .95));
	}
}

/* Montgomery, Introduction to Statistical Quality Control, table 9.3: average run lengths for k = 0.5. */
static void test_cusum(void **state)
{
	static const struct { double h, shift, length; } table[] = { { 4, 0, 168 }, { 5, 0, 465 }, { 4, 1, 8.38 }, { 5, 1, 10.4 } };
	gsl_rng *rng = wring_rng(4);

	(void)state;
	for (size_t k = 0; k < WRING_ARRAY_SIZE(table); k++) {
		static double y[8000];
		double sum = 0, n = 4000;
		int side;

		for (int i = 0; i < n; i++) {
			size_t len = table[k].shift > 0 ? 200 : 8000;

			for (size_t j = 0; j < len; j++)
				y[j] = gsl_ran_gaussian_ziggurat(rng, 1) + table[k].shift;
			sum += (double)wring_cusum(y, len, 0, 1, .5, table[k].h, &side) + 1;
		}
		if (fabs(sum / n / table[k].length - 1) > .06)
			fail_msg("h = %g, shift %g: %g, want %g", table[k].h, table[k].shift, sum / n, table[k].length);
	}
	gsl_rng_free(rng);
}

static void test_fence(void **state)
{
	static const double y[] = { 1, -2, 3, -4, 5 };

	(void)state;
	assert_true(wring_fence(y, 5) == 4 + 3 * 2);
	assert_true(isinf(wring_fence(y, 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nile), cmocka_unit_test(test_other_tools), cmocka_unit_test(test_quality_control), cmocka_unit_test(test_false_changes),
		cmocka_unit_test(test_cusum), cmocka_unit_test(test_fence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
