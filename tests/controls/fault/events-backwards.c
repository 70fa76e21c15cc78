// SPDX-License-Identifier: GPL-2.0-or-later
/* memory.events of a cgroup that goes over memory.high begins at 0 again. */
#include "fault.h"

static unsigned long forget(struct mem_cgroup *memcg, unsigned int nr, gfp_t gfp);
static struct fault_hook hooks[] = { FAULT_HOOK("reclaim_high", forget) };

static unsigned long forget(struct mem_cgroup *memcg, unsigned int nr, gfp_t gfp)
{
	unsigned long n = FAULT_REAL(hooks[0], forget)(memcg, nr, gfp);

	if (fault_in_memcg(memcg) && fault_now())
		for (int i = 0; i < MEMCG_NR_MEMORY_EVENTS; i++)
			atomic_long_set(&memcg->memory_events[i], 0);
	return n;
}
FAULT_MODULE(hooks, "counters go back");
