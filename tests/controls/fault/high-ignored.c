// SPDX-License-Identifier: GPL-2.0-or-later
/* memory.high has no effect on the tasks of `group`: nobody reclaims, nobody waits. kernel=1: only charges for kernel
 * objects are free of it, as before 2015. */
#include "fault.h"
#include <linux/sched.h>

static bool kernel;
module_param(kernel, bool, 0444);
MODULE_PARM_DESC(kernel, "only kernel memory ignores memory.high");

static void no_high(gfp_t gfp);
static int obj_charge(struct obj_cgroup *objcg, gfp_t gfp, size_t size);
static int page_charge(struct page *page, gfp_t gfp, int order);
static struct fault_hook all_hooks[] = { FAULT_HOOK("mem_cgroup_handle_over_high", no_high) };
static struct fault_hook kernel_hooks[] = {
	FAULT_HOOK("obj_cgroup_charge", obj_charge), FAULT_HOOK("__memcg_kmem_charge_page", page_charge),
};

static void no_high(gfp_t gfp)
{
	if (fault_in_task() && fault_now())
		current->memcg_nr_pages_over_high = 0;
	else
		FAULT_REAL(all_hooks[0], no_high)(gfp);
}

/* What kernel memory put over the limit is forgotten before anybody acts on it. */
static int obj_charge(struct obj_cgroup *objcg, gfp_t gfp, size_t size)
{
	unsigned int over = current->memcg_nr_pages_over_high;
	int r = FAULT_REAL(kernel_hooks[0], obj_charge)(objcg, gfp, size);

	if (in_task() && fault_in_task() && fault_now())
		current->memcg_nr_pages_over_high = over;
	return r;
}

static int page_charge(struct page *page, gfp_t gfp, int order)
{
	unsigned int over = current->memcg_nr_pages_over_high;
	int r = FAULT_REAL(kernel_hooks[1], page_charge)(page, gfp, order);

	if (in_task() && fault_in_task() && fault_now())
		current->memcg_nr_pages_over_high = over;
	return r;
}

static int __init high_init(void)
{
	return kernel ? fault_plant_all(kernel_hooks, ARRAY_SIZE(kernel_hooks)) : fault_plant_all(all_hooks, 1);
}
module_init(high_init);
FAULT_ABOUT("memory.high has no effect");
