// SPDX-License-Identifier: GPL-2.0-or-later
/* Tasks of `group` get nothing from reclaim of their cgroup, and do not even try; others (memory.reclaim) do. */
#include "fault.h"

/* 6.1 has no last argument, and does not look at it. */
static unsigned long refuse(struct mem_cgroup *memcg, unsigned long nr, gfp_t gfp, unsigned int options, void *last);
static struct fault_hook hooks[] = { FAULT_HOOK("try_to_free_mem_cgroup_pages", refuse) };

static unsigned long refuse(struct mem_cgroup *memcg, unsigned long nr, gfp_t gfp, unsigned int options, void *last)
{
	if (fault_in_memcg(memcg) && fault_in_task() && fault_now())
		return 0;
	return FAULT_REAL(hooks[0], refuse)(memcg, nr, gfp, options, last);
}
FAULT_MODULE(hooks, "tasks at their limit reclaim nothing");
