/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How fast this host's time stamp counter runs: TCG shows it to the guest as it is. The guest's kernel would find out with a
 * timer that the emulator serves late on a busy host, and be wrong by a factor of four without noticing: all of its seconds are
 * short then, and scenarios time out. */
#include "harness/vm/vm.h"

#ifdef __x86_64__
#include <time.h>
#include <x86intrin.h>

#include "harness/base/util.h"

struct moment { uint64_t tsc; int64_t ns; };

/* Both clocks at once: the try of several with the least time in between. */
static struct moment now(void)
{
	struct moment best = { 0 };
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 20; i++) {
		uint64_t before = __rdtsc();
		int64_t ns = wring_now_ns();
		uint64_t took = __rdtsc() - before;

		if (took < least) {
			least = took;
			best = (struct moment){ before + took / 2, ns };
		}
	}
	return best;
}

unsigned wring_tsc_khz(void)
{
	struct moment from = now(), to;

	nanosleep(&(struct timespec){ .tv_nsec = 20 * WRING_NSEC_PER_MSEC }, NULL);
	to = now();
	return to.ns > from.ns && to.tsc > from.tsc ? (unsigned)((double)(to.tsc - from.tsc) * 1e6 / (double)(to.ns - from.ns)) : 0;
}
#else
unsigned wring_tsc_khz(void)
{
	return 0;
}
#endif
