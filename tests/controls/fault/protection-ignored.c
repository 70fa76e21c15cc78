// SPDX-License-Identifier: GPL-2.0-or-later
/* memory.low and memory.min of `group` protect nothing. */
#include "fault.h"
#include <linux/page_counter.h>

static void unprotect(struct mem_cgroup *root, struct mem_cgroup *memcg);
static struct fault_hook hooks[] = { FAULT_HOOK("mem_cgroup_calculate_protection", unprotect) };

static void unprotect(struct mem_cgroup *root, struct mem_cgroup *memcg)
{
	FAULT_REAL(hooks[0], unprotect)(root, memcg);
	if (!fault_in_memcg(memcg) || !fault_now())
		return;
	WRITE_ONCE(memcg->memory.emin, 0);
	WRITE_ONCE(memcg->memory.elow, 0);
}
FAULT_MODULE(hooks, "memory.low and memory.min have no effect");
