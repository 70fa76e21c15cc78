/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Comparing two kernels, against published values; each test names where they stand. Calibration is in test_calibrate.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include <gsl/gsl_cdf.h>
#include "analyzers/stats/design.h"
#include "analyzers/stats/perm.h"
#include "analyzers/stats/rates.h"
#include "harness/base/util.h"

static void near(double got, double want, double within)
{
	if (!(fabs(got - want) <= within))
		fail_msg("got %.10g, want %.10g within %g", got, want, within);
}

/* n_a values of a, then n_b of b, in one block; or the i-th of each in block i. */
struct data { unsigned block[WRING_PERM_MAX]; bool b[WRING_PERM_MAX]; double v[WRING_PERM_MAX]; };

static struct wring_perm pool(struct data *d, const double *a, size_t n_a, const double *b, size_t n_b)
{
	memset(d, 0, sizeof(*d));
	for (size_t i = 0; i < n_a + n_b; i++) {
		d->b[i] = i >= n_a;
		d->v[i] = i < n_a ? a[i] : b[i - n_a];
	}
	return (struct wring_perm){ n_a + n_b, d->block, d->b, d->v, false };
}

static struct wring_perm pairs(struct data *d, const double *a, const double *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		d->block[2 * i] = d->block[2 * i + 1] = (unsigned)i;
		d->b[2 * i] = false;
		d->b[2 * i + 1] = true;
		d->v[2 * i] = a[i];
		d->v[2 * i + 1] = b[i];
	}
	return (struct wring_perm){ 2 * n, d->block, d->b, d->v, false };
}

/* Mann and Whitney (1947), Annals of Mathematical Statistics 18, p. 52: P(U <= u), n = m = 4. */
static void test_mann_whitney_table(void **state)
{
	static const double table[] = { .014, .029, .057, .1, .171, .243, .343, .443, .557 };

	(void)state;
	for (int u = 0; u < 9; u++) {
		/* b at the places of an arrangement with u pairs in which b is above a: b holds ranks 1..4, moved up */
		double a[4], b[4];
		int rank[4] = { 1, 2, 3, 4 }, left = u, taken = 0;
		struct data d;

		for (int i = 3; i >= 0; i--) {
			int up = left < 4 ? left : 4;

			rank[i] += up;
			left -= up;
		}
		for (int r = 1, i = 0, j = 0; r <= 8; r++) {
			if (i < 4 && rank[i] == r)
				b[i++] = r;
			else
				a[j++] = r;
			taken++;
		}
		assert_int_equal(taken, 8);
		struct wring_perm s = pool(&d, a, 4, b, 4);

		near(wring_perm_p(&s, 0, -1), table[u], 6e-4);
	}
}

/* Hollander and Wolfe (1973), p. 69, permeability of the chorioamnion; R's example(wilcox.test): W = 35, p = 0.1272
 * exactly, 0.1103 by the normal approximation without correction. */
static void test_rank_sum(void **state)
{
	static const double x[] = { 0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46 };
	static const double y[] = { 1.15, 0.88, 0.90, 0.74, 1.21 };
	static const double x4[] = { 1, 2, 3, 4 }, y5[] = { 1, 2, 3, 4, 5 };
	struct data d;
	struct wring_perm s = pool(&d, y, 5, x, 10);
	struct wring_shift shift;

	(void)state;
	near(wring_perm_p(&s, 0, 1), 0.1272, 5e-5);
	near(wring_perm_p(&s, 0, 0), 0.2544, 1e-4);
	near(gsl_cdf_ugaussian_Q(wring_perm_z(&s, 0)), 0.1103, 5e-5);
	/* wilcox.test(x, y, conf.int = TRUE): difference in location 0.305, 95 % -0.15 to 0.76 (scipy's, R's documentation) */
	shift = wring_perm_shift(&s, 0.95);
	near(shift.estimate, 0.305, 1e-6);
	near(shift.lower, -0.15, 1e-6);
	near(shift.upper, 0.76, 1e-6);
	/* With ties: scipy's test_mannwhitneyu, from R wilcox.test(1:4, 1:5, exact = FALSE, correct = FALSE): without
	 * correction 0.6178, with it 0.7086. */
	s = pool(&d, x4, 4, y5, 5);
	double sd2 = 4 * 5 / 12.0 * (10 - 4 * 6 / (9.0 * 8));

	near(wring_perm_z(&s, 0), 2 / sqrt(sd2), 1e-9);
	near(2 * gsl_cdf_ugaussian_Q((fabs(wring_perm_z(&s, 0)) * sqrt(sd2) - 0.5) / sqrt(sd2)), 0.7086240584439, 1e-9);
}

/* The same beyond the exact range is R's wilcox.test with its correction for continuity. */
static void test_large(void **state)
{
	double a[60], b[60];
	struct data d;
	struct wring_perm s;

	(void)state;
	for (int i = 0; i < 60; i++) {
		a[i] = 2 * i;
		b[i] = 2 * i + 21;
	}
	s = pool(&d, a, 60, b, 60);
	/* Lehmann (1975), Nonparametrics, (1.30): U = pairs with b above a, its variance mn(m+n+1)/12. */
	double u = 0;

	for (int i = 0; i < 60; i++)
		for (int j = 0; j < 60; j++)
			u += b[i] > a[j];
	near(wring_perm_p(&s, 0, 1), gsl_cdf_ugaussian_Q((u - 1800 - 0.5) / sqrt(3600 * 121 / 12.0)), 1e-12);
	near(wring_perm_p(&s, 0, 0), 2 * wring_perm_p(&s, 0, 1), 1e-12);
}

/* Hollander and Wolfe (1973), p. 29, Hamilton depression scale; R's example(wilcox.test): V = 40, p-value 0.01953
 * one-sided, 0.03906 two-sided; conf.int = TRUE: (pseudo)median 0.46, 95 % 0.010 to 0.786. */
static void test_signed_rank(void **state)
{
	static const double x[] = { 1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30 };
	static const double y[] = { 0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29 };
	struct data d;
	struct wring_perm s = pairs(&d, y, x, 9);
	struct wring_shift shift = wring_perm_shift(&s, 0.95);

	(void)state;
	near(wring_perm_p(&s, 0, 1), 0.01953, 5e-6);
	near(wring_perm_p(&s, 0, 0), 0.03906, 5e-6);
	near(shift.estimate, 0.46, 1e-6);
	near(shift.lower, 0.010, 1e-6);
	near(shift.upper, 0.786, 1e-6);
	near(wring_perm_floor(&s), 2 / 512.0, 1e-15);
}

/* What theory alone says (stats: 2 / C(2n, n), 2 / 6^b, 2 / 2^n), and that complete separation reaches it. */
static void test_floor(void **state)
{
	static const struct { unsigned blocks; double p, within; } floor_of[] = {
		{ 1, 1.0 / 3, 1e-12 }, { 2, .0556, 5e-5 }, { 3, .00926, 5e-6 }, { 4, .00154, 5e-6 }, { 5, .000257, 5e-7 }, { 6, 4.29e-5, 5e-8 } };

	(void)state;
	for (size_t k = 0; k < WRING_ARRAY_SIZE(floor_of); k++) {
		struct data d;
		size_t n = 4 * floor_of[k].blocks;
		struct wring_perm s = { n, d.block, d.b, d.v, false };

		assert_int_equal(wring_order(7, floor_of[k].blocks, false, d.b), 0);
		for (size_t i = 0; i < n; i++) {
			d.block[i] = (unsigned)i / 4;
			d.v[i] = (d.b[i] ? 100 : 0) + (double)(i * i % 7) + 1000.0 * d.block[i];
		}
		near(wring_perm_p(&s, 0, 0), floor_of[k].p, floor_of[k].within);
		near(wring_blocks_floor(floor_of[k].blocks, false), floor_of[k].p, floor_of[k].within);
		near(wring_perm_arrangements(&s), pow(6, floor_of[k].blocks), 1e-6);
	}
	assert_int_equal(wring_blocks_needed(0.05, false), 3);
	assert_int_equal(wring_blocks_needed(0.05, true), 6);
	assert_int_equal(wring_blocks_needed(0.05 / 32, false), 4);
	assert_int_equal(wring_blocks_needed(0.05 / 194, false), 5);
}

/* All arrangements of up to three blocks, one by one, scored anew each time. */
static void test_brute_force(void **state)
{
	static const double v[] = { 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, INFINITY };
	static const bool b[] = { 0, 0, 1, 1, 1, 0, 1, 0, 0, 1, 0, 1 };
	static const unsigned block[] = { 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2 };

	(void)state;
	for (size_t n = 4; n <= 12; n += 4) {
		struct wring_perm s = { n, block, b, v, false }, t = s;
		double score[12], seen = 0, hits = 0, upper = 0, all = 0, squares = 0;
		bool other[12];

		wring_perm_scores(&s, score);
		for (size_t i = 0; i < n; i++)
			seen += b[i] ? score[i] : 0;
		near(seen, wring_perm_z(&s, 0), 1e-12);
		t.b = other;
		for (unsigned mask = 0; mask < 1u << n; mask++) {
			double sum = 0;
			bool fair = true;

			for (size_t i = 0; i < n; i += 4)
				fair = fair && __builtin_popcount(mask >> i & 15) == 2;
			if (!fair)
				continue;
			for (size_t i = 0; i < n; i++)
				sum += mask >> i & 1 ? score[i] : 0;
			for (size_t i = 0; i < n; i++)
				other[i] = mask >> i & 1;
			near(sum, wring_perm_z(&t, 0), 1e-12);
			all++;
			squares += sum * sum;
			hits += fabs(sum) >= fabs(seen) - 1e-9;
			upper += sum >= seen - 1e-9;
		}
		assert_int_equal((int)all, (int)pow(6, (double)n / 4));
		near(squares / all, 1, 1e-9);
		near(wring_perm_p(&s, 0, 0), hits / all, 1e-12);
		near(wring_perm_p(&s, 0, 1), upper / all, 1e-12);
		near(wring_perm_level(&s, fabs(seen)), hits / all, 1e-12);
	}
}

/* Only the two orders that could have been drawn count. */
static void test_mirrored(void **state)
{
	struct data d;
	struct wring_perm s = { 24, d.block, d.b, d.v, true };

	(void)state;
	assert_int_equal(wring_order(3, 6, true, d.b), 0);
	for (size_t i = 0; i < 24; i++) {
		d.block[i] = (unsigned)i / 4;
		d.v[i] = d.b[i] ? 2 : 1;
		assert_true(i % 4 > 1 || d.b[i] == d.b[i / 4 * 4 + 3 - i % 4]);
	}
	near(wring_perm_p(&s, 0, 0), 2 / 64.0, 1e-12);
	near(wring_perm_floor(&s), 2 / 64.0, 1e-12);
}

/* Data of Westfall and Wolfinger in Pesarin and Salmaso, Permutation Tests for Complex Data (2010), ch. 5.5. No exact maxT
 * values for it are in print; the documentation of statlab/permute has .0876 .0626 .0236 from 5,000 random arrangements,
 * for the least p instead of the largest |T| and with p two-sided as twice one-sided, hence the wide tolerance. Exactly:
 * all 11,440 arrangements, each subset of the metrics by itself. The scores are the figures, the statistic their mean. */
static void test_westfall_young(void **state)
{
	static const double y[3][16] = {
		{ 14.4, 14.6, 13.8, 10.1, 11.1, 12.4, 12.7, 11.8, 18.3, 18, 20.8, 18.3, 14.8, 13.8, 11.5, 10.9 },
		{ 7, 7.09, 7.06, 4.26, 5.49, 6.13, 6.69, 5.44, 1.28, 1.5, 1.51, 1.14, 2.74, 7.08, 6.37, 6.26 },
		{ 4.3, 3.88, 5.34, 4.26, 4.52, 5.69, 4.45, 3.94, .67, .67, .72, .67, .67, 3.43, 5.64, 3.47 } };
	static const double want[3] = { .0876, .0626, .0236 };
	unsigned block[16] = { 0 };
	bool b[16];
	double score[48], p[3], one[3];
	struct wring_perm s = { 16, block, b, NULL, false };

	(void)state;
	for (int k = 0; k < 3; k++) {
		double mean = 0, squares = 0;

		for (int i = 0; i < 16; i++)
			mean += y[k][i] / 16;
		for (int i = 0; i < 16; i++)
			squares += (y[k][i] - mean) * (y[k][i] - mean);
		for (int i = 0; i < 16; i++) {
			b[i] = i >= 7;
			score[k * 16 + i] = (y[k][i] - mean) / sqrt(7 * 9 / 16.0 * squares / 15);
		}
	}
	assert_int_equal(wring_westfall_young(&s, score, 3, 1, .05, p, NULL), 0);
	/* The definition: no metric is called unless every set of metrics that has it is, by that set's largest |T|. */
	double all = 0, reached[8] = { 0 }, slow[3] = { 0 };

	for (int observed = 1; observed >= 0; observed--) {
		static double largest[8];

		for (unsigned mask = observed ? 0xff80 : 0; mask <= (observed ? 0xff80 : 0xffff); mask++) {
			double t[3] = { 0 };

			if (__builtin_popcount(mask) != 9)
				continue;
			for (int i = 0; i < 48; i++)
				t[i / 16] += mask >> i % 16 & 1 ? score[i] : 0;
			all += !observed;
			for (int set = 1; set < 8; set++) {
				double top = 0;

				for (int k = 0; k < 3; k++)
					top = set >> k & 1 ? fmax(top, fabs(t[k])) : top;
				if (observed)
					largest[set] = top;
				else
					reached[set] += top >= largest[set] - 1e-9;
			}
		}
	}
	assert_int_equal((int)all, 11440);
	for (int set = 1; set < 8; set++)
		for (int k = 0; k < 3; k++)
			if (set >> k & 1)
				slow[k] = fmax(slow[k], reached[set] / all);
	for (int k = 0; k < 3; k++) {
		near(p[k], slow[k], 1e-12);
		near(p[k], want[k], .015);
		assert_int_equal(wring_westfall_young(&s, score + k * 16, 1, 1, .05, &one[k], NULL), 0);
		assert_true(p[k] >= one[k] - 1e-12);
	}
	near(p[0], one[0], 1e-12);	/* the last step has nothing to pay for */
	/* Three times the same metric costs nothing: what Bonferroni and Holm would not see. */
	memcpy(score + 16, score, 16 * sizeof(*score));
	memcpy(score + 32, score, 16 * sizeof(*score));
	assert_int_equal(wring_westfall_young(&s, score, 3, 1, .05, p, NULL), 0);
	for (int k = 0; k < 3; k++)
		near(p[k], one[0], 1e-12);
}

/* More arrangements than are visited: drawn ones, of which what was seen is one, so that p is never 0 (Phipson and Smyth,
 * 2010, Permutation p-values should never be zero). */
static void test_monte_carlo(void **state)
{
	struct data d;
	struct wring_perm s = { 48, d.block, d.b, d.v, false };
	double score[48], p, again, critical;

	(void)state;
	assert_int_equal(wring_order(11, 12, false, d.b), 0);
	for (unsigned i = 0; i < 48; i++) {
		d.block[i] = i / 4;
		d.v[i] = (d.b[i] ? 50 : 0) + i * 37 % 19;
	}
	wring_perm_scores(&s, score);
	assert_int_equal(wring_westfall_young(&s, score, 1, 5, .05, &p, &critical), 0);
	near(p, 1.0 / (WRING_PERM_DRAWS + 1), 1e-9);
	near(critical, 1.96, .03);
	for (unsigned i = 0; i < 48; i++)
		d.v[i] = (d.b[i] ? 3 : 0) + i * 37 % 19;
	wring_perm_scores(&s, score);
	assert_int_equal(wring_westfall_young(&s, score, 1, 5, .05, &p, NULL), 0);
	assert_int_equal(wring_westfall_young(&s, score, 1, 5, .05, &again, NULL), 0);
	assert_true(p == again);
	near(p, wring_perm_p(&s, 0, 0), 4 * sqrt(p * (1 - p) / WRING_PERM_DRAWS));
}

/* Benjamini and Hochberg (1995), table 1, and the adjusted values of R's p.adjust (statsmodels has them in its tests). */
static void test_bh(void **state)
{
	static const double p[] = { .0001, .0004, .0019, .0095, .0201, .0278, .0298, .0344, .0459, .3240, .4262, .5719, .6528, .7590, 1 };
	static const double want[] = { .0015, .003, .0095, .035625, .0603, .06385714285714285, .06385714285714285, .0645, .0765,
		.486, .5811818181818182, .714875, .7532307692307693, .8132142857142857, 1 };
	double got[15], back[15], turned[15];

	(void)state;
	wring_bh(p, 15, got);
	for (int i = 0; i < 15; i++) {
		near(got[i], want[i], 1e-12);
		turned[i] = p[14 - i];
	}
	wring_bh(turned, 15, back);
	for (int i = 0; i < 15; i++)
		near(back[14 - i], want[i], 1e-12);
}

/* R: fisher.test(TeaTasting), Agresti (1990) p. 61: 0.4857 two-sided; fisher.test(Convictions) 0.0005367; and the rule of
 * three's exact form for the intervals, with R's binom.test(682, 925): 0.7076683 to 0.7654066. */
static void test_rates(void **state)
{
	struct wring_interval i;

	(void)state;
	near(wring_fisher(3, 4, 1, 4), .4857, 5e-5);
	near(wring_fisher(2, 17, 10, 13), .0005367, 5e-8);
	near(wring_fisher(0, 10, 4, 10), .087, 5e-4);
	near(wring_fisher(0, 10, 5, 10), .033, 5e-4);
	i = wring_binomial_interval(682, 925, .95);
	near(i.lower, .7076683, 5e-8);
	near(i.upper, .7654066, 5e-8);
	near(wring_binomial_interval(0, 59, .90).upper, 1 - pow(.05, 1 / 59.0), 1e-12);
	near(wring_binomial_interval(0, 300, .90).upper, .01, 1e-4);
	near(wring_binomial_interval(20, 20, .90).lower, pow(.05, 1 / 20.0), 1e-12);
}

static void test_aa(void **state)
{
	struct wring_aa_row row[60] = { 0 };
	struct wring_aa r;

	(void)state;
	for (int i = 0; i < 60; i++)
		row[i].effect_pct = i % 2 ? 1 : -1;
	r = wring_aa_record(row, 60);
	near(r.rate_ci.upper, 1 - pow(.025, 1 / 60.0), 1e-12);
	near(r.spread_pct, 1.4826, 1e-12);
	near(r.lopsided_p, 1, 0);
	row[0] = (struct wring_aa_row){ .regression = true, .effect_pct = INFINITY };
	r = wring_aa_record(row, 60);
	assert_int_equal(r.alarms, 1);
	assert_int_equal(r.with_effect, 59);
	near(r.rate_ci.lower, .0004, 5e-5);
	near(r.rate_ci.upper, .089, 5e-4);
	for (int i = 0; i < 9; i++)	/* nine alarms, never an improvement */
		row[i].regression = true;
	near(wring_aa_record(row, 60).lopsided_p, 2 / 512.0, 1e-12);
	r = wring_aa_record(row, 0);
	near(r.rate_ci.upper, 1, 0);
}

static void test_order(void **state)
{
	bool drawn[4 * 6000], again[400], other[400];
	int seen[16] = { 0 };

	(void)state;
	assert_int_equal(wring_order(71, 6000, false, drawn), 0);
	assert_int_equal(wring_order(71, 100, false, again), 0);
	assert_int_equal(wring_order(71ull << 32 | 72, 100, false, other), 0);
	assert_memory_equal(drawn, again, sizeof(again));
	assert_memory_not_equal(drawn, other, sizeof(other));
	for (int i = 0; i < 6000; i++)
		seen[drawn[4 * i] | drawn[4 * i + 1] << 1 | drawn[4 * i + 2] << 2 | drawn[4 * i + 3] << 3]++;
	for (int m = 0; m < 16; m++) {	/* 1000 each, four standard deviations */
		if (__builtin_popcount((unsigned)m) == 2)
			near(seen[m], 1000, 4 * sqrt(1000 * 5 / 6.0));
		else
			assert_int_equal(seen[m], 0);
	}
	assert_int_equal(wring_next_look(0), 4);
	assert_int_equal(wring_next_look(4), 6);
	assert_int_equal(wring_next_look(7), 8);
	assert_int_equal(wring_next_look(8), 0);
	near(wring_level(.05, 4, true), .05 / 12, 1e-15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mann_whitney_table), cmocka_unit_test(test_rank_sum), cmocka_unit_test(test_large),
		cmocka_unit_test(test_signed_rank), cmocka_unit_test(test_floor), cmocka_unit_test(test_brute_force),
		cmocka_unit_test(test_mirrored), cmocka_unit_test(test_westfall_young), cmocka_unit_test(test_monte_carlo),
		cmocka_unit_test(test_bh), cmocka_unit_test(test_rates), cmocka_unit_test(test_aa), cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
