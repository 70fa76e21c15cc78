// SPDX-License-Identifier: GPL-2.0-or-later
/* The OOM killer of memory cgroups takes its time. never=1: it says that it killed, and did not. */
#include "fault.h"
#include <linux/sched.h>

static unsigned int ms = 5000;
module_param(ms, uint, 0644);
MODULE_PARM_DESC(ms, "how long (default 5000)");
static bool never;
module_param(never, bool, 0644);
MODULE_PARM_DESC(never, "nobody is killed");

static bool late(struct mem_cgroup *memcg, gfp_t gfp, int order);
static struct fault_hook hooks[] = { FAULT_HOOK("mem_cgroup_out_of_memory", late) };

static bool late(struct mem_cgroup *memcg, gfp_t gfp, int order)
{
	if (fault_in_memcg(memcg) && fault_now()) {
		schedule_timeout_killable(msecs_to_jiffies(ms));
		if (never)
			return true;
	}
	return FAULT_REAL(hooks[0], late)(memcg, gfp, order);
}
FAULT_MODULE(hooks, "OOM kills come late");
