/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Permutation test of aligned ranks within blocks. Exact by the order having been drawn at random, whatever the
 * noise looks like. One block of n + m runs makes it the rank sum test of Wilcoxon, Mann and Whitney; blocks of
 * one run an arm (the same seed on both kernels) make it Wilcoxon's signed rank test. docs/statistics.md. */
#pragma once
#include <gsl/gsl_rng.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	WRING_PERM_MAX = 512,		/* runs, both arms */
	WRING_PERM_EXACT = 96,		/* up to so many runs, */
	WRING_PERM_EXACT_BLOCK = 24,	/* and so many in a block, p is exact; else by the normal approximation */
	WRING_PERM_DRAWS = 99999,	/* arrangements drawn where there are too many to visit */
	WRING_PERM_VISITS = 2000000,
};

struct wring_perm {
	size_t n;
	const unsigned *block;	/* runs of one block are neighbours; each block has both arms */
	const bool *b;
	const double *v;	/* INFINITY or -INFINITY for a run that died; no NaN */
	bool mirrored;		/* orders were drawn from ABBA and BAAB only */
};

/* Would b, had every value been `shift` less, come from where a comes from? side: 1 for b being larger, -1 for
 * smaller, 0 for either. wring_perm_z() is the same as a normal deviate, 0 where nothing varies. */
double wring_perm_p(const struct wring_perm *s, double shift, int side);
double wring_perm_z(const struct wring_perm *s, double shift);
/* In how many ways the arms could have been dealt out, and the least two-sided p that allows. */
double wring_perm_arrangements(const struct wring_perm *s);
double wring_perm_floor(const struct wring_perm *s);

/* Deal the arms out anew, as they were dealt out. */
void wring_perm_deal(const struct wring_perm *s, gsl_rng *rng, bool *b);

/* The shift from a to b (Hodges and Lehmann), and the shifts that the test does not reject. Infinite where there
 * are too few runs for the confidence, or too many that died. */
struct wring_shift { double estimate, lower, upper; };
struct wring_shift wring_perm_shift(const struct wring_perm *s, double confidence);

/* The least shift (sign: the direction, 1 or -1) that the test would find, p <= level, with the given power, had
 * this noise been dealt out to the arms by chance. Seeded. INFINITY: none. */
double wring_perm_mde(const struct wring_perm *s, int sign, double level, double power, unsigned draws, uint64_t seed);

/* Scores with mean 0 in each block and variance 1 over all arrangements; all 0 where nothing varies. */
void wring_perm_scores(const struct wring_perm *s, double *score);
/* Westfall and Young's step-down maxT for m metrics of the same runs: score[metric * s->n + run], s->v not used.
 * All arrangements are visited, or WRING_PERM_DRAWS of them drawn with (count + 1) / (draws + 1). `critical`, if
 * not NULL: what the largest of all |T| exceeds with a probability of at most `level`. 0 or -ENOMEM. */
int wring_westfall_young(const struct wring_perm *s, const double *score, size_t m, uint64_t seed, double level,
			 double *p_adj, double *critical);
/* P(|T| >= z) of one metric. */
double wring_perm_level(const struct wring_perm *s, double z);
