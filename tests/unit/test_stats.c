/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Against published values only; each test names where they stand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <gsl/gsl_cdf.h>
#include "analyzers/stats/order.h"
#include "analyzers/stats/trend.h"
#include "harness/base/util.h"

static void near(double got, double want, double within)
{
	if (!(fabs(got - want) <= within))
		fail_msg("got %.10g, want %.10g within %g", got, want, within);
}

/* Values 1..n in an order with the wanted S: start ascending, undo pairs from the front. */
static void order_with(double *y, size_t n, long s)
{
	long inversions = ((long)(n * (n - 1) / 2) - s) / 2;

	for (size_t i = 0; i < n; i++)
		y[i] = (double)i;
	/* bubble: each swap of neighbours makes one inversion */
	for (size_t pass = 0; pass < n && inversions; pass++)
		for (size_t i = 0; i + 1 < n - pass && inversions; i++) {
			double t = y[i];

			y[i] = y[i + 1];
			y[i + 1] = t;
			inversions--;
		}
}

/* Gilbert, Statistical Methods for Environmental Pollution Monitoring, 1987, table A18 (from Kendall
 * 1975 table 1), as reprinted in EPA QA/G-9 table A-11: probability that S is at least as large. */
static void test_mk_table(void **state)
{
	static const struct { size_t n; long s; double p, within;
	} table[] = {
		{ 4, 0, .625, 5e-4 },	 { 4, 2, .375, 5e-4 },	  { 4, 4, .167, 5e-4 },
		{ 4, 6, .042, 5e-4 },	 { 5, 0, .592, 5e-4 },	  { 5, 2, .408, 5e-4 },
		{ 5, 4, .242, 5e-4 },	 { 5, 6, .117, 5e-4 },	  { 5, 8, .042, 5e-4 },
		{ 5, 10, .0083, 5e-5 },	 { 6, 1, .500, 5e-4 },	  { 6, 3, .360, 5e-4 },
		{ 6, 5, .235, 5e-4 },	 { 6, 7, .136, 5e-4 },	  { 6, 9, .068, 5e-4 },
		{ 6, 11, .028, 5e-4 },	 { 6, 13, .0083, 5e-5 },  { 6, 15, .0014, 5e-5 },
		{ 7, 1, .500, 5e-4 },	 { 7, 3, .386, 5e-4 },	  { 7, 9, .119, 5e-4 },
		{ 7, 15, .015, 5e-4 },	 { 7, 17, .0054, 5e-5 },  { 7, 19, .0014, 5e-5 },
		{ 7, 21, .00020, 5e-6 }, { 8, 0, .548, 5e-4 },	  { 8, 8, .199, 5e-4 },
		{ 8, 16, .031, 5e-4 },	 { 8, 20, .0071, 5e-5 },  { 8, 22, .0028, 5e-5 },
		{ 8, 24, .00087, 5e-6 }, { 8, 26, .00019, 1e-5 }, { 9, 0, .540, 5e-4 },
		{ 9, 16, .060, 5e-4 },	 { 9, 20, .022, 5e-4 },	  { 10, 1, .500, 5e-4 },
		{ 10, 15, .108, 5e-4 },	 { 10, 21, .036, 5e-4 },  { 10, 27, .0083, 5e-5 },
	};

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(table); i++) {
		double y[10];
		struct wring_mk r;

		order_with(y, table[i].n, table[i].s);
		r = wring_mann_kendall(y, table[i].n);
		assert_int_equal(r.s, table[i].s);
		assert_true(r.exact);
		near(r.p_up, table[i].p, table[i].within);
	}
}

/* Critical values of S (help.earthsoft.com, EQuIS Mann-Kendall calculations, small sample method):
 * the smallest S that reaches 99 % confidence in a one-sided test. */
static void test_mk_critical(void **state)
{
	static const struct { size_t n; long s; } critical[] = {
		{ 5, 10 }, { 6, 13 }, { 7, 17 }, { 8, 20 }, { 9, 24 }, { 10, 27 },
	};

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(critical); i++) {
		double y[10];

		order_with(y, critical[i].n, critical[i].s);
		assert_true(wring_mann_kendall(y, critical[i].n).p_up < 0.01);
		order_with(y, critical[i].n, critical[i].s - 2);
		assert_true(wring_mann_kendall(y, critical[i].n).p_up > 0.01);
	}
}

/* Hunter L and canned tuna, Hollander and Wolfe 1973 p. 187, as in R's ?cor.test: T = 26 of 36,
 * exact one-sided p = 0.05972, tau = 0.4444 (tests/Examples/stats-Ex.Rout.save). y in the order of
 * x. */
static void test_mk_hunter(void **state)
{
	static const double x[] = { 44.4, 45.9, 41.9, 53.3, 44.7, 44.1, 50.7, 45.2, 60.1 };
	static const double y[] = { 2.6, 3.1, 2.5, 5.0, 3.6, 4.0, 5.2, 2.8, 3.8 };
	double by_x[9];
	struct wring_mk r;

	(void)state;
	for (size_t i = 0; i < 9; i++) {
		size_t rank = 0;

		for (size_t j = 0; j < 9; j++)
			rank += x[j] < x[i];
		by_x[rank] = y[i];
	}
	r = wring_mann_kendall(by_x, 9);
	assert_int_equal(r.s, 16);
	near((double)r.s / 36, 0.4444444, 1e-6);
	near(r.p_up, 0.05972, 5e-6);
}

/* mathcs.holycross.edu/~little/Montserrat/MannKendallByHand.txt: 14 values, one tie: S = 54,
 * V = 14*13*33/18 - 2*1*9/18, Z = 2.9058, and by the normal table p about .0018 (what is exact is
 * smaller). */
static void test_mk_by_hand(void **state)
{
	static const double y[] = {
		12.9, 14.8, 13.2, 15.7, 13.8, 15.6, 12.9, 11.0, 17.3, 15.9, 19.0, 18.3, 20.1, 21.7,
	};
	struct wring_mk r = wring_mann_kendall(y, 14);

	(void)state;
	assert_int_equal(r.s, 54);
	near(r.var, 14 * 13 * 33 / 18.0 - 1, 1e-9);
	near(r.z, 2.9058, 5e-5);
	near(gsl_cdf_ugaussian_Q(r.z), 0.0018, 5e-5);
	assert_true(r.exact && r.p_up < 0.0018);
}

/* Wisconsin Administrative Code NR 746 table A (Mann-Kendall by hand, declining test): five
 * concentrations 100 50 85 75 50 give S = -5, with one tie. */
static void test_mk_declining(void **state)
{
	static const double y[] = { 100, 50, 85, 75, 50 };
	struct wring_mk r = wring_mann_kendall(y, 5);

	(void)state;
	assert_int_equal(r.s, -5);
	assert_true(r.p_up > 0.5);
}

/* All orders of a small multiset, counted one by one: what the q-multinomial has to give. */
static void test_mk_ties_by_enumeration(void **state)
{
	static const int perms[6][4] = {
		/* of the multiset 1 1 2 2 */
		{ 1, 1, 2, 2 }, { 1, 2, 1, 2 }, { 1, 2, 2, 1 },
		{ 2, 1, 1, 2 }, { 2, 1, 2, 1 }, { 2, 2, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		double y[4], at_least = 0;
		struct wring_mk r, o;

		for (size_t k = 0; k < 4; k++)
			y[k] = perms[i][k];
		r = wring_mann_kendall(y, 4);
		for (size_t j = 0; j < 6; j++) {
			for (size_t k = 0; k < 4; k++)
				y[k] = perms[j][k];
			o = wring_mann_kendall(y, 4);
			at_least += o.s >= r.s;
		}
		near(r.p_up, at_least / 6, 1e-12);
	}
}

static void test_mk_flat(void **state)
{
	static const double y[25] = { 0 };

	(void)state;
	near(wring_mann_kendall(y, 8).p_up, 1, 0);
	near(wring_mann_kendall(y, 25).p_up, 0.5, 1e-12);
	near(wring_mann_kendall(y, 1).p_up, 1, 0);
	near(wring_mann_kendall(y, 0).p_up, 1, 0);
}

/* Beyond the exact range the normal approximation is near it: n = 21 against exact values of a
 * neighbouring n is no oracle, but a strict rise must be significant and a strict fall not. */
static void test_mk_large(void **state)
{
	double y[40];

	(void)state;
	for (size_t i = 0; i < 40; i++)
		y[i] = (double)i;
	assert_false(wring_mann_kendall(y, 40).exact);
	assert_true(wring_mann_kendall(y, 40).p_up < 1e-9);
	for (size_t i = 0; i < 40; i++)
		y[i] = -(double)i;
	assert_true(wring_mann_kendall(y, 40).p_up > 1 - 1e-9);
}

/* Sen, JASA 63 (1968), p. 1388: slope 4, 93 % limits 3.71 and 4.38 (26/7 and 35/8). Also in scipy's
 * test_theilslopes. */
static void test_theil_sen(void **state)
{
	static const double x[] = { 1, 2, 3, 4, 10, 12, 18 }, y[] = { 9, 15, 19, 20, 45, 55, 78 };
	struct wring_theil r;

	(void)state;
	assert_int_equal(wring_theil_sen(x, y, 7, 0.93, &r), 0);
	near(r.slope, 4, 1e-12);
	near(r.lower, 3.71, 5e-3);
	near(r.upper, 4.38, 5e-3);
}

static void test_theil_sen_small(void **state)
{
	static const double x[] = { 1, 1, 1 }, y[] = { 1, 2, 3 };
	struct wring_theil r;

	(void)state;
	assert_int_equal(wring_theil_sen(x, y, 3, 0.99, &r), -22);
	assert_int_equal(wring_theil_sen(NULL, y, 3, 0.99, &r), 0);
	near(r.slope, 1, 0);
	assert_true(isinf(r.lower) && r.lower < 0); /* three points bound nothing */
	assert_int_equal(wring_theil_sen(NULL, y, 0, 0.99, &r), -22);
}

/* NIST StRD, univariate summary statistics, data set NumAcc1: 10000001 10000003 10000002, whose
 * middle value is its certified mean 10000002; and R's quantile(1:10, .9) = 9.1 (type 7). */
static void test_order(void **state)
{
	double acc[] = { 10000001, 10000003, 10000002 }, ten[] = { 10, 9, 8, 7, 6, 5, 4, 3, 2, 1 };
	double ties[] = { 3, 1, 3, 2, 1 };

	(void)state;
	near(wring_median(acc, 3), 10000002, 0);
	near(wring_quantile(ten, 10, 0.9), 9.1, 1e-12);
	near(wring_median(ten, 10), 5.5, 0);
	near(wring_quantile(NULL, 0, 0.9), 0, 0);
	assert_int_equal(wring_distinct(ties, 5), 3);
	assert_int_equal(wring_distinct(NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mk_table), cmocka_unit_test(test_mk_critical),
		cmocka_unit_test(test_mk_hunter), cmocka_unit_test(test_mk_by_hand),
		cmocka_unit_test(test_mk_declining), cmocka_unit_test(test_mk_ties_by_enumeration),
		cmocka_unit_test(test_mk_flat), cmocka_unit_test(test_mk_large),
		cmocka_unit_test(test_theil_sen), cmocka_unit_test(test_theil_sen_small),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
