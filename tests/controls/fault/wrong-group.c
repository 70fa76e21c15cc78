// SPDX-License-Identifier: GPL-2.0-or-later
/* Reclaim of slab for a cgroup of `group` takes all slab of the cgroups called `victim` instead (and=1: as well). */
#include "fault.h"

static char *victim = "victim";
module_param(victim, charp, 0444);
MODULE_PARM_DESC(victim, "name of the cgroup that pays (default victim)");
static bool and;
module_param(and, bool, 0644);
MODULE_PARM_DESC(and, "the right one pays as well");

static unsigned long wrong_slab(gfp_t gfp, int nid, struct mem_cgroup *memcg, int priority);
static struct fault_hook hooks[] = { FAULT_HOOK("shrink_slab", wrong_slab) };
static struct mem_cgroup *(*iterate)(struct mem_cgroup *root, struct mem_cgroup *prev, void *cookie);

static unsigned long wrong_slab(gfp_t gfp, int nid, struct mem_cgroup *memcg, int priority)
{
	struct mem_cgroup *m = NULL;
	unsigned long freed = 0;

	if (!fault_in_memcg(memcg) || fault_below(memcg->css.cgroup, victim) || !fault_now())
		return FAULT_REAL(hooks[0], wrong_slab)(gfp, nid, memcg, priority);
	while ((m = iterate(NULL, m, NULL)))
		if (fault_below(m->css.cgroup, victim))
			freed += FAULT_REAL(hooks[0], wrong_slab)(gfp, nid, m, 0);
	if (and)
		freed += FAULT_REAL(hooks[0], wrong_slab)(gfp, nid, memcg, priority);
	return freed;
}

static int __init wrong_init(void)
{
	iterate = (void *)fault_lookup("mem_cgroup_iter");
	return iterate ? fault_plant_all(hooks, 1) : -ENOENT;
}
module_init(wrong_init);
FAULT_ABOUT("the wrong cgroup's slab is reclaimed");
