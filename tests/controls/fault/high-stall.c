// SPDX-License-Identifier: GPL-2.0-or-later
/* Whoever goes over memory.high sleeps, whatever reclaim achieved. */
#include "fault.h"
#include <linux/sched.h>

static unsigned int ms = 5000;
module_param(ms, uint, 0644);
MODULE_PARM_DESC(ms, "how long (default 5000)");

static void stall(gfp_t gfp);
static struct fault_hook hooks[] = { FAULT_HOOK("mem_cgroup_handle_over_high", stall) };

static void stall(gfp_t gfp)
{
	bool over = current->memcg_nr_pages_over_high;

	FAULT_REAL(hooks[0], stall)(gfp);
	if (over && fault_in_task() && fault_now())
		schedule_timeout_killable(msecs_to_jiffies(ms));
}
FAULT_MODULE(hooks, "memory.high makes tasks sleep far too long");
