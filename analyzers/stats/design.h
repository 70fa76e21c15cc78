/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Planning a comparison: the order of runs, how many are needed, when to look. */
#pragma once
#include <gsl/gsl_rng.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WRING_BLOCK = 4 };	/* runs in a block: two of each arm */

/* The same numbers on every machine and whatever GSL_RNG_TYPE says. NULL without memory; free with gsl_rng_free(). */
gsl_rng *wring_rng(uint64_t seed);

/* Which of the 4 * blocks runs are of arm b, block after block. Each block is drawn alone, from all six arrangements,
 * or, `mirrored`, from ABBA and BAAB, which cancel a linear drift but need twice the blocks. More blocks with the
 * same seed go on where fewer ended. 0 or -ENOMEM. */
int wring_order(uint64_t seed, unsigned blocks, bool mirrored, bool *is_b);

/* The least p that so many complete blocks can give, and the fewest blocks that can reach a level. */
double wring_blocks_floor(unsigned blocks, bool mirrored);
unsigned wring_blocks_needed(double level, bool mirrored);

/* `--until=verdict`: after 4, 6 and 8 blocks, never at another time, each with a third of the level. */
enum { WRING_LOOKS = 3 };
unsigned wring_next_look(unsigned blocks);	/* the next number of blocks to look at, 0 after the last */
/* The level of one test, when `alpha` is to hold for a call with so many scenarios (and, if so, planned looks). */
double wring_level(double alpha, unsigned scenarios, bool looks);
