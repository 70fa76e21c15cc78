/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Verdicts: each kind of data, and whether the promised rates of error hold. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include "analyzers/stats/compare.h"
#include "analyzers/stats/design.h"
#include "analyzers/stats/rates.h"
#include "harness/base/util.h"

enum { RUNS = 48 };
struct trial {
	struct wring_cmp_run run[RUNS];
	double v[RUNS];
	size_t n;
	struct wring_cmp_metric metric;
	struct wring_cmp_opts opts;
	struct wring_cmp_result r;
	struct wring_cmp_total total;
};

/* Blocks in random order; figures are 100 and rounding's worth of noise, 1 in b for each unit of `gain`. */
static struct trial trial(unsigned blocks, uint64_t seed, double gain, double noise)
{
	struct trial t = { .n = 4 * blocks, .metric = { "time", "s", "lower", "primary" }, .opts = { .seed = seed } };
	gsl_rng *rng = wring_rng(seed);
	bool b[RUNS];

	assert_int_equal(wring_order(seed, blocks, false, b), 0);
	for (size_t i = 0; i < t.n; i++) {
		t.run[i] = (struct wring_cmp_run){ .block = (unsigned)i / 4, .b = b[i] };
		t.v[i] = 100 + (b[i] ? gain : 0) + gsl_ran_gaussian(rng, noise);
	}
	gsl_rng_free(rng);
	return t;
}

static enum wring_cmp_verdict judge(struct trial *t)
{
	struct wring_err err = { 0 };

	t->metric.v = t->v;
	if (wring_compare(t->run, t->n, &t->metric, 1, &t->opts, &t->r, &t->total, &err))
		fail_msg("%s", err.msg);
	assert_true(t->r.reason[0] != 0);
	assert_true(t->r.verdict == t->total.verdict || t->r.verdict == WRING_CMP_INFO);
	return t->r.verdict;
}

static void near(double got, double want, double within)
{
	if (!(fabs(got - want) <= within))
		fail_msg("got %.10g, want %.10g within %g", got, want, within);
}

static void test_both_ways(void **state)
{
	struct trial t = trial(4, 1, 10, 1), u = t;

	(void)state;
	assert_int_equal(judge(&t), WRING_CMP_REGRESSION);
	near(t.r.effect_pct, 10, 1.5);
	assert_true(t.r.ci_lo < t.r.effect_pct && t.r.effect_pct < t.r.ci_hi);
	assert_true(t.r.ci_lo < 10 && 10 < t.r.ci_hi);
	near(t.r.diff, t.r.effect_pct * t.r.median_a / 100, 1e-9);
	near(t.r.p, 2 / 1296.0, 1e-12);
	u.metric.better = "higher";
	assert_int_equal(judge(&u), WRING_CMP_IMPROVEMENT);
	u = t;
	for (size_t i = 0; i < u.n; i++)
		u.run[i].b = !t.run[i].b;
	assert_int_equal(judge(&u), WRING_CMP_IMPROVEMENT);
	near(u.r.p, t.r.p, 1e-12);
	near((1 + u.r.effect_pct / 100) * (1 + t.r.effect_pct / 100), 1, 1e-9);
	u.metric.better = "";
	assert_int_equal(judge(&u), WRING_CMP_INCONCLUSIVE);
	assert_non_null(strstr(u.r.reason, "neither direction"));
	/* What the runs of a block have in common does not matter. */
	u = t = trial(4, 12, 1, 1);
	judge(&t);
	for (size_t i = 0; i < u.n; i++)
		u.v[i] *= 1 + u.run[i].block * u.run[i].block;
	judge(&u);
	near(u.r.p, t.r.p, 1e-12);
	near(u.r.effect_pct, t.r.effect_pct, 1e-6);
	t = trial(4, 1, 10, 1);
	judge(&t);
	/* Runs in any order, with the same answer to the last digit. */
	u = t;
	for (size_t i = 0; i < u.n; i++) {
		u.run[i] = t.run[u.n - 1 - i];
		u.v[i] = t.v[u.n - 1 - i];
	}
	assert_int_equal(judge(&u), WRING_CMP_REGRESSION);
	near(u.r.effect_pct, t.r.effect_pct, 0);
}

static void test_same_and_not_known(void **state)
{
	struct trial t = trial(6, 2, 0, 0.5), u;

	(void)state;
	assert_int_equal(judge(&t), WRING_CMP_SAME);
	assert_true(t.r.mde_pct < 3 && t.r.mde_pct > 0.1);
	/* Ten times the noise: nothing seen, nothing excluded, and it says what would have been seen. */
	u = trial(6, 2, 0, 5);
	assert_int_equal(judge(&u), WRING_CMP_INCONCLUSIVE);
	assert_true(u.r.mde_pct > 3 && isfinite(u.r.mde_pct));
	assert_non_null(strstr(u.r.reason, "would have shown"));
	/* A difference beyond doubt that does not matter is no regression. */
	u = trial(6, 2, 1, 0.1);
	assert_int_equal(judge(&u), WRING_CMP_SAME);
	assert_true(u.r.p < 0.001);
	/* Noise known from comparisons of the kernel with itself raises what matters. */
	u = trial(4, 1, 10, 1);
	u.metric.noise_pct = 20;
	assert_int_not_equal(judge(&u), WRING_CMP_REGRESSION);
	near(u.r.min_pct, 40, 0);
	u.metric.noise_pct = 0;
	u.metric.min_abs = 50;
	assert_int_not_equal(judge(&u), WRING_CMP_REGRESSION);
}

static void test_too_few(void **state)
{
	struct trial t = trial(2, 3, 50, 1), u = trial(3, 3, 50, 1);

	(void)state;
	assert_int_equal(judge(&t), WRING_CMP_INCONCLUSIVE);
	near(t.r.p_floor, 2 / 36.0, 1e-12);
	assert_non_null(strstr(t.r.reason, "2 blocks cannot reach 5 %: the least p is 0.056; 3 blocks can"));
	assert_true(isinf(t.r.ci_lo) || t.r.ci_lo == -100);
	assert_true(isinf(t.r.mde_pct));
	assert_int_equal(judge(&u), WRING_CMP_REGRESSION);
	for (size_t i = 0; i < t.n; i++)	/* the same figure everywhere is not "same" either */
		t.v[i] = 7;
	assert_int_equal(judge(&t), WRING_CMP_INCONCLUSIVE);
	/* Twelve scenarios in one call. */
	u.opts.alpha = wring_level(0.05, 12, false);
	assert_int_equal(judge(&u), WRING_CMP_INCONCLUSIVE);
	assert_non_null(strstr(u.r.reason, "4 blocks can"));
	t.n = 0;
	assert_int_equal(judge(&t), WRING_CMP_INCONCLUSIVE);
}

static void test_deaths(void **state)
{
	struct trial t = trial(4, 4, 0, 1), u;
	int n = 0;

	(void)state;
	for (size_t i = 0; i < t.n; i++) {
		t.run[i].died = t.run[i].b;
		t.v[i] = t.run[i].died ? NAN : t.v[i];
	}
	u = t;
	assert_int_equal(judge(&t), WRING_CMP_REGRESSION);
	assert_int_equal(t.r.died_b, 8);
	assert_true(isinf(t.r.median_b) && isinf(t.r.effect_pct));
	assert_non_null(strstr(t.r.reason, "died: 0 of 8 runs of a, 8 of 8 of b"));
	for (size_t i = 0; i < u.n; i++)
		u.run[i].died = !u.run[i].b;
	for (size_t i = 0; i < u.n; i++)
		u.v[i] = 100;
	u.metric.better = "higher";
	assert_int_equal(judge(&u), WRING_CMP_IMPROVEMENT);
	/* One death is not proof, and not the same either. */
	u = trial(4, 4, 0, 0.1);
	for (size_t i = 0; i < u.n && !n; i++)
		n += u.run[i].died = u.run[i].b;
	assert_int_equal(judge(&u), WRING_CMP_INCONCLUSIVE);
}

static void test_zeros(void **state)
{
	struct trial t = trial(4, 5, 0, 1), u = t;

	(void)state;
	for (size_t i = 0; i < t.n; i++)
		t.v[i] = t.run[i].b ? 12000 + (double)i : 0;
	assert_int_equal(judge(&t), WRING_CMP_REGRESSION);
	assert_true(isnan(t.r.effect_pct) && t.r.diff > 11000);
	assert_non_null(strstr(t.r.reason, "new: 0 in 8 of 8 runs of a, 0 of 8 of b"));
	for (size_t i = 0; i < u.n; i++)
		u.v[i] = t.run[i].b ? 0 : 12000 + (double)i;
	assert_int_equal(judge(&u), WRING_CMP_IMPROVEMENT);
	near(u.r.effect_pct, -100, 0.1);
	assert_non_null(strstr(u.r.reason, "gone"));
	/* Fewer than what matters. */
	t.metric.min_abs = 100000;
	assert_int_equal(judge(&t), WRING_CMP_SAME);
	/* 0 everywhere: the same, and what it cannot exclude (the rule of three: 1 - .05^(1/8)). */
	memset(u.v, 0, sizeof(u.v));
	assert_int_equal(judge(&u), WRING_CMP_SAME);
	assert_non_null(strstr(u.r.reason, "fewer than 31 % of runs"));
	/* A rare event: mostly ties, which shrink the interval to nothing. Never "same". */
	u.v[1] = 5;
	assert_int_equal(judge(&u), WRING_CMP_INCONCLUSIVE);
	assert_true(u.r.zeros);
	for (size_t i = 0; i < u.n; i++)
		u.v[i] = i == 1 ? 0 : 100;
	assert_int_equal(judge(&u), WRING_CMP_INCONCLUSIVE);
	near(u.r.ci_lo, 0, 1e-3);
	near(u.r.ci_hi, 0, 1e-3);
	/* Ties apart: 100 against 110, always. */
	for (size_t i = 0; i < u.n; i++)
		u.v[i] = u.run[i].b ? 110 : 100;
	assert_int_equal(judge(&u), WRING_CMP_REGRESSION);
	near(u.r.ci_lo, 10, 1e-3);
	near(u.r.ci_hi, 10, 1e-3);
}

static void test_two_modes(void **state)
{
	struct trial t = trial(4, 6, 0, 1);
	int flagged = 0;

	(void)state;
	for (size_t i = 0; i < t.n; i++)
		t.v[i] += i * 7 % 3 == 0 ? 40 : 0;
	assert_int_equal(judge(&t), WRING_CMP_INCONCLUSIVE);
	assert_true(t.r.two_modes);
	assert_non_null(strstr(t.r.reason, "two modes"));
	/* Neither a regression, nor a step between blocks, nor plain noise is that. */
	t = trial(4, 6, 40, 1);
	assert_int_equal(judge(&t), WRING_CMP_REGRESSION);
	assert_false(t.r.two_modes);
	t = trial(4, 6, 0, 1);
	for (size_t i = 8; i < t.n; i++)
		t.v[i] += 40;
	judge(&t);
	assert_false(t.r.two_modes);
	for (unsigned k = 0; k < 300; k++) {
		t = trial(4, k, 0, 1);
		t.opts.draws = 1;
		judge(&t);
		flagged += t.r.two_modes;
	}
	assert_true(flagged <= 3);
}

static void test_gaps(void **state)
{
	struct trial t = trial(4, 7, 10, 1), u = t;
	struct wring_cmp_run more[600] = { 0 };
	struct wring_err err = { 0 };

	(void)state;
	/* Interrupted in the last block: what is left of it counts, if it has both arms. */
	for (t.n = 16; t.n > 12; t.n--) {
		bool both = false;

		for (size_t i = 13; i < t.n; i++)
			both = both || t.run[i].b != t.run[12].b;
		assert_int_equal(judge(&t), WRING_CMP_REGRESSION);
		assert_int_equal(t.total.complete, t.n == 16 ? 4 : 3);
		assert_int_equal(t.total.unused, both ? 0 : t.n - 12);
		assert_true(t.r.p <= 2 / 216.0 + 1e-12);
	}
	/* A metric that one kernel does not have; a run without the figure. */
	for (size_t i = 0; i < u.n; i++)
		u.v[i] = u.run[i].b ? NAN : 5;
	assert_int_equal(judge(&u), WRING_CMP_INCONCLUSIVE);
	assert_non_null(strstr(u.r.reason, "no value in kernel b"));
	u = trial(4, 7, 10, 1);
	u.v[5] = NAN;
	assert_int_equal(judge(&u), WRING_CMP_REGRESSION);
	assert_int_equal(u.r.n_a + u.r.n_b, 15);
	u = trial(6, 2, 0, 0.5);
	u.v[5] = NAN;
	assert_int_equal(judge(&u), WRING_CMP_INCONCLUSIVE);
	assert_non_null(strstr(u.r.reason, "without a value"));
	assert_int_equal(wring_compare(more, 600, &u.metric, 1, NULL, &u.r, &u.total, &err), -E2BIG);
	assert_non_null(strstr(err.msg, "600"));
}

static void test_seeds_and_pools(void **state)
{
	struct trial t = trial(2, 8, 0, 0);

	(void)state;
	/* The same eight seeds on both kernels, each seed a block: huge differences between seeds do not matter. */
	t.n = 16;
	for (unsigned i = 0; i < 16; i++) {
		t.run[i] = (struct wring_cmp_run){ .block = i / 2, .b = i % 2 };
		t.v[i] = 1000 * (1 + i / 2) * (i % 2 ? 1.05 + 0.001 * i : 1);
	}
	assert_int_equal(judge(&t), WRING_CMP_REGRESSION);
	near(t.r.p, 2 / 256.0, 1e-12);
	/* Four of each that were not interleaved. */
	t.n = 8;
	for (unsigned i = 0; i < 8; i++) {
		t.run[i] = (struct wring_cmp_run){ .block = 0, .b = i % 2 };
		t.v[i] = (i % 2 ? 110 : 100) + i;
	}
	assert_int_equal(judge(&t), WRING_CMP_REGRESSION);
	near(t.r.p, 2 / 70.0, 1e-12);
}

static void test_tiers(void **state)
{
	struct trial t = trial(4, 9, 10, 1);
	struct wring_cmp_metric m[5] = { t.metric, t.metric, t.metric, t.metric, t.metric };
	struct wring_cmp_result r[5];
	double flat[RUNS];

	(void)state;
	for (size_t i = 0; i < RUNS; i++)
		flat[i] = 100 + (double)(i % 5) / 100;
	m[0].tier = "info";
	m[1].tier = "secondary";
	m[2].name = "flat";
	for (int k = 0; k < 5; k++)
		m[k].v = k == 2 || k == 4 ? flat : t.v;
	m[4].tier = "secondary";
	assert_int_equal(wring_compare(t.run, t.n, m, 5, &t.opts, r, &t.total, NULL), 0);
	assert_int_equal(r[0].verdict, WRING_CMP_INFO);
	assert_int_equal(r[1].verdict, WRING_CMP_REGRESSION);
	near(r[1].p_adj, 2 * r[1].p, 1e-12);
	assert_int_equal(r[2].verdict, WRING_CMP_SAME);
	assert_int_equal(r[3].verdict, WRING_CMP_REGRESSION);
	assert_true(r[3].p_adj >= r[3].p && r[3].p_adj <= 2 * r[3].p + 1e-12);
	assert_int_equal(t.total.verdict, WRING_CMP_REGRESSION);
	/* Hints decide nothing. */
	assert_int_equal(wring_compare(t.run, t.n, m, 3, &t.opts, r, &t.total, NULL), 0);
	assert_int_equal(t.total.verdict, WRING_CMP_SAME);
	assert_int_equal(wring_compare(t.run, t.n, m, 2, &t.opts, r, &t.total, NULL), 0);
	assert_int_equal(t.total.verdict, WRING_CMP_INCONCLUSIVE);
	assert_string_equal(wring_cmp_name(t.total.verdict), "inconclusive");
}

/* ---- rates of error: the same kernel twice, 1,000 calls for each kind of noise, three metrics that have it in common ---- */

enum { CALLS = 1000, METRICS = 3, ALL = 5 };	/* the last two secondary */

static double draw(gsl_rng *rng, int kind, size_t i, size_t n, double *memory)
{
	double z = gsl_ran_gaussian(rng, 1), place = (double)i / (double)n;

	switch (kind) {
	case 0: return 100 + z;					/* normal */
	case 1: return 100 * exp(z);				/* lognormal */
	case 2: return 100 + z + (gsl_rng_uniform(rng) < 0.4 ? 30 : 0);	/* two modes */
	case 3: return gsl_rng_uniform(rng) < 0.7 ? 0 : floor(fabs(z) * 50);	/* mostly 0 */
	case 4: return 10 + floor(z);				/* mostly ties */
	case 5: return 100 + (*memory = 0.6 * *memory + z);	/* each run like the one before */
	case 6: return 100 + z + 4 * place;			/* drift */
	default: return 100 + z + (place > 0.4 ? 5 : 0);	/* a step */
	}
}

static void test_false_alarms(void **state)
{
	static const char *const kind[] = { "normal", "lognormal", "two modes", "zeros", "ties", "autocorrelated", "drift", "step" };
	const double most = CALLS * 0.05 + 3.29 * sqrt(CALLS * 0.05 * 0.95);	/* 99.9 % */

	(void)state;
	for (int k = 0; k < (int)WRING_ARRAY_SIZE(kind); k++) {
		int alarms = 0, hints = 0, worse = 0, single = 0;

		for (unsigned call = 0; call < CALLS; call++) {
			struct trial t = trial(3, call * 8 + (unsigned)k, 0, 0);
			gsl_rng *rng = wring_rng(1000000 + call * 8 + (unsigned)k);
			double v[ALL][RUNS], memory = 0;
			struct wring_cmp_metric m[ALL];
			struct wring_cmp_result r[ALL];
			bool hint = false;

			for (size_t i = 0; i < t.n; i++) {
				double common = draw(rng, k, i, t.n, &memory);

				for (int j = 0; j < ALL; j++)
					v[j][i] = j % METRICS ? draw(rng, k, i, t.n, &memory) + common : common;
			}
			for (int j = 0; j < ALL; j++) {
				m[j] = t.metric;
				m[j].min_effect_pct = 1e-9;	/* the test alone */
				m[j].tier = j < METRICS ? "primary" : "secondary";
				m[j].v = v[j];
			}
			t.opts.draws = 1;
			assert_int_equal(wring_compare(t.run, t.n, m, ALL, &t.opts, r, &t.total, NULL), 0);
			worse += t.total.verdict == WRING_CMP_REGRESSION;
			for (int j = 0; j < METRICS; j++)
				if (r[j].verdict >= WRING_CMP_IMPROVEMENT) {
					alarms++;
					break;
				}
			for (int j = METRICS; j < ALL; j++)
				hint = hint || r[j].verdict >= WRING_CMP_IMPROVEMENT;
			hints += hint;
			single += r[0].p <= 0.05;
			gsl_rng_free(rng);
		}
		print_message("%-15s %d of %d calls alarm, %d with a hint, %d below 0.05 alone\n", kind[k], alarms, CALLS, hints, single);
		if (alarms > most || single > most)
			fail_msg("%s: %d of %d calls alarm, %d below 0.05 alone; at most %.0f may", kind[k], alarms, CALLS, single, most);
		/* All hints being false, the false discovery rate is the rate of calls with any. */
		assert_true(hints <= CALLS * 0.1 + 3.29 * sqrt(CALLS * 0.1 * 0.9));
		/* As many for the worse as for the better; and not because nothing is ever called. */
		assert_true(wring_fisher((unsigned)worse, (unsigned)alarms, (unsigned)(alarms + 1) / 2, (unsigned)alarms) > 0.001);
		assert_true(k == 3 || k == 4 || single > 20);
	}
}

/* 5 % at 1 % noise with three blocks; and a change of just what matters is called the same in at most 5 % of calls. */
static void test_power(void **state)
{
	int found = 0, same = 0, seen = 0;

	(void)state;
	for (unsigned call = 0; call < 200; call++) {
		struct trial t = trial(3, call, 5, 1), u = trial(6, call, 3, 1);

		found += judge(&t) == WRING_CMP_REGRESSION;
		same += judge(&u) == WRING_CMP_SAME;
	}
	print_message("5 %% at 1 %% noise: %d of 200 found; 3 %% called the same: %d of 200\n", found, same);
	assert_true(found >= 180);
	assert_true(same <= 0.05 * 200 + 3.29 * sqrt(200 * 0.05 * 0.95));
	/* What is said to be seen with 80 % power is: plant it in other data of the same kind. */
	struct trial t = trial(4, 77, 0, 1);
	double sum = 0;

	for (unsigned call = 0; call < 40; call++) {
		t = trial(4, 500 + call, 0, 1);
		judge(&t);
		sum += t.r.mde_pct / 40;
	}
	for (unsigned call = 0; call < 200; call++) {
		t = trial(4, 1000 + call, sum, 1);
		t.metric.min_effect_pct = 1e-9;
		t.opts.draws = 1;
		seen += judge(&t) == WRING_CMP_REGRESSION;
	}
	print_message("planted %.2f %%: %d of 200 seen\n", sum, seen);
	assert_true(fabs(seen / 200.0 - 0.8) < 0.12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways), cmocka_unit_test(test_same_and_not_known), cmocka_unit_test(test_too_few),
		cmocka_unit_test(test_deaths), cmocka_unit_test(test_zeros), cmocka_unit_test(test_two_modes),
		cmocka_unit_test(test_gaps), cmocka_unit_test(test_seeds_and_pools), cmocka_unit_test(test_tiers),
		cmocka_unit_test(test_power), cmocka_unit_test(test_false_alarms),
	};

	if (getenv("WRING_QUICK"))	/* tests/meta/mutants.bats */
		return _cmocka_run_group_tests("quick", tests, WRING_ARRAY_SIZE(tests) - 2, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
