/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/stats/design.h"

#include <errno.h>
#include <math.h>

gsl_rng *wring_rng(uint64_t seed)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);

	if (rng)
		gsl_rng_set(rng, (unsigned long)(uint32_t)(seed ^ seed >> 32));	/* it takes 32 bits */
	return rng;
}

int wring_order(uint64_t seed, unsigned blocks, bool mirrored, bool *is_b)
{
	static const char six[6][WRING_BLOCK + 1] = { "ABBA", "BAAB", "AABB", "ABAB", "BABA", "BBAA" };
	gsl_rng *rng = wring_rng(seed);

	if (!rng)
		return -ENOMEM;
	for (unsigned i = 0; i < blocks; i++) {
		const char *order = six[gsl_rng_uniform_int(rng, mirrored ? 2 : 6)];

		for (unsigned j = 0; j < WRING_BLOCK; j++)
			is_b[i * WRING_BLOCK + j] = order[j] == 'B';
	}
	gsl_rng_free(rng);
	return 0;
}

double wring_blocks_floor(unsigned blocks, bool mirrored)
{
	return fmin(1, 2 / pow(mirrored ? 2 : 6, blocks));
}

unsigned wring_blocks_needed(double level, bool mirrored)
{
	unsigned n = 1;

	while (n < 1000 && wring_blocks_floor(n, mirrored) > level)
		n++;
	return n;
}

unsigned wring_next_look(unsigned blocks)
{
	static const unsigned look[WRING_LOOKS] = { 4, 6, 8 };

	for (int i = 0; i < WRING_LOOKS; i++)
		if (look[i] > blocks)
			return look[i];
	return 0;
}

double wring_level(double alpha, unsigned scenarios, bool looks)
{
	return alpha / (scenarios ? scenarios : 1) / (looks ? WRING_LOOKS : 1);
}
