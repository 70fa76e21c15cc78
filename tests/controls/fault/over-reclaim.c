// SPDX-License-Identifier: GPL-2.0-or-later
/* A cgroup of `group` at its limit reclaims many times what it needs. */
#include "fault.h"

static unsigned long pages = 1 << 18;
module_param(pages, ulong, 0644);
MODULE_PARM_DESC(pages, "what it asks for instead (default 262144)");

/* 6.1 has no fifth argument: it is handed on unread */
static unsigned long greedy(struct mem_cgroup *memcg, unsigned long nr, gfp_t gfp, unsigned int options, int *swappiness);
static struct fault_hook hooks[] = { FAULT_HOOK("try_to_free_mem_cgroup_pages", greedy) };

static unsigned long greedy(struct mem_cgroup *memcg, unsigned long nr, gfp_t gfp, unsigned int options, int *swappiness)
{
	if (fault_in_memcg(memcg) && fault_now())
		nr = pages;
	return FAULT_REAL(hooks[0], greedy)(memcg, nr, gfp, options, swappiness);
}
FAULT_MODULE(hooks, "reclaim at a limit takes far too much");
