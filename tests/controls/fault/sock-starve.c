// SPDX-License-Identifier: GPL-2.0-or-later
/* Sockets of `group` get no memory. */
#include "fault.h"

static bool no_charge(struct mem_cgroup *memcg, unsigned int nr, gfp_t gfp);
static struct fault_hook hooks[] = { FAULT_HOOK("mem_cgroup_charge_skmem", no_charge) };

static bool no_charge(struct mem_cgroup *memcg, unsigned int nr, gfp_t gfp)
{
	/* who cannot fail does not read the answer, and would uncharge what was never charged */
	if (!(gfp & __GFP_NOFAIL) && fault_in_memcg(memcg) && fault_now())
		return false;
	return FAULT_REAL(hooks[0], no_charge)(memcg, nr, gfp);
}
FAULT_MODULE(hooks, "sockets get no memory");
