// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory is freed but stays charged. what=kernel: pages of kernel objects; what=sock: socket buffers. how=lost: the whole
 * uncharge is forgotten, so memory.current and memory.stat both stay; how=counter: only memory.current stays, so its parts
 * no longer add up; how=parent: the parent is uncharged twice, so it has less than its children. */
#include "fault.h"
#include <linux/page_counter.h>

static char *what = "kernel";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "kernel (default) or sock");
static char *how = "lost";
module_param(how, charp, 0444);
MODULE_PARM_DESC(how, "lost (default), counter or parent");

static void lose_pages(struct obj_cgroup *objcg, unsigned int nr);
static void lose_sock(struct mem_cgroup *memcg, unsigned int nr);
static struct fault_hook kernel_hook[] = { FAULT_HOOK("obj_cgroup_uncharge_pages", lose_pages) };
static struct fault_hook sock_hook[] = { FAULT_HOOK("mem_cgroup_uncharge_skmem", lose_sock) };
static void (*charge)(struct page_counter *counter, unsigned long nr);
static void (*cancel)(struct page_counter *counter, unsigned long nr);

/* Returns whether the uncharge is to happen. */
static bool lose(struct mem_cgroup *memcg, unsigned int nr)
{
	if (!fault_in_memcg(memcg) || !fault_now())
		return true;
	if (!strcmp(how, "counter"))
		charge(&memcg->memory, nr);
	else if (!strcmp(how, "parent") && memcg->memory.parent && memcg->memory.parent->parent)
		cancel(memcg->memory.parent, nr);
	else
		return false;
	return true;
}

static void lose_pages(struct obj_cgroup *objcg, unsigned int nr)
{
	bool go;

	rcu_read_lock();
	go = lose(obj_cgroup_memcg(objcg), nr);
	rcu_read_unlock();
	if (go)
		FAULT_REAL(kernel_hook[0], lose_pages)(objcg, nr);
}

static void lose_sock(struct mem_cgroup *memcg, unsigned int nr)
{
	if (lose(memcg, nr))
		FAULT_REAL(sock_hook[0], lose_sock)(memcg, nr);
}

static int __init lost_init(void)
{
	charge = (void *)fault_lookup("page_counter_charge");
	cancel = (void *)fault_lookup("page_counter_cancel");
	if (!charge || !cancel)
		return -ENOENT;
	return fault_plant_all(!strcmp(what, "sock") ? sock_hook : kernel_hook, 1);
}
module_init(lost_init);
FAULT_ABOUT("uncharges are lost");
