// SPDX-License-Identifier: GPL-2.0-or-later
/* The lists of a cgroup that is removed do not go to its parent: nobody shrinks what is on them. */
#include "fault.h"

static void no_reparent(struct mem_cgroup *memcg, struct mem_cgroup *parent);
static struct fault_hook hooks[] = { FAULT_HOOK("memcg_reparent_list_lrus", no_reparent) };

static void no_reparent(struct mem_cgroup *memcg, struct mem_cgroup *parent)
{
	if (!fault_in_memcg(memcg) || !fault_now())
		FAULT_REAL(hooks[0], no_reparent)(memcg, parent);
}
FAULT_MODULE(hooks, "lists of removed cgroups are lost");
