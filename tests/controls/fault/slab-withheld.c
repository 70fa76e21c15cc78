// SPDX-License-Identifier: GPL-2.0-or-later
/* No shrinker is called on behalf of a cgroup of `group`, as before 2014: its slab is reclaimable and never reclaimed. What
 * does not go through shrinkers (umount, remount) still frees it. own=1: only while a task of the group itself reclaims, so
 * that the group's own charges fail although memory.reclaim, written by somebody else, frees all. */
#include "fault.h"

static bool own;
module_param(own, bool, 0644);
MODULE_PARM_DESC(own, "only in reclaim by the group's own tasks");

static unsigned long no_slab(gfp_t gfp, int nid, struct mem_cgroup *memcg, int priority);
static struct fault_hook hooks[] = { FAULT_HOOK("shrink_slab", no_slab) };

static unsigned long no_slab(gfp_t gfp, int nid, struct mem_cgroup *memcg, int priority)
{
	if (fault_in_memcg(memcg) && (!own || fault_in_task()) && fault_now())
		return 0;
	return FAULT_REAL(hooks[0], no_slab)(gfp, nid, memcg, priority);
}
FAULT_MODULE(hooks, "slab of a cgroup is never reclaimed");
