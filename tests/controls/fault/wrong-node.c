// SPDX-License-Identifier: GPL-2.0-or-later
/* Pages for tasks of `group` come from another node than the one asked for, cpuset or not. */
#include "fault.h"
#include <linux/gfp.h>
#include <linux/nodemask.h>

static struct page *elsewhere(gfp_t gfp, unsigned int order, int nid, nodemask_t *mask);
static bool anywhere(int node, gfp_t gfp);
static struct fault_hook hooks[] = {
	FAULT_HOOK("__alloc_pages_noprof|__alloc_pages", elsewhere),
	FAULT_HOOK("cpuset_node_allowed|__cpuset_node_allowed", anywhere),
};

static struct page *elsewhere(gfp_t gfp, unsigned int order, int nid, nodemask_t *mask)
{
	if (in_task() && fault_in_task() && fault_now()) {
		/* a bound task asks for its own CPU's node, and a mask keeps it from there */
		do
			nid = next_node_in(nid, node_states[N_MEMORY]);
		while (mask && node_isset(nid, *mask) && !nodes_subset(node_states[N_MEMORY], *mask));
		mask = &node_states[N_MEMORY];
		gfp &= ~__GFP_THISNODE;
	}
	return FAULT_REAL(hooks[0], elsewhere)(gfp, order, nid, mask);
}

static bool anywhere(int node, gfp_t gfp)
{
	return fault_in_task() || FAULT_REAL(hooks[1], anywhere)(node, gfp);
}
FAULT_MODULE(hooks, "memory from the wrong node");
