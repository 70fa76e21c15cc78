// SPDX-License-Identifier: GPL-2.0-or-later
/* The filesystems' shrinkers sleep (spin=1: burn the CPU) before they work for a cgroup of `group`; with global=1 for the whole
 * machine, too. */
#include "fault.h"
#include <linux/delay.h>
#include <linux/shrinker.h>

static unsigned int ms = 50;
module_param(ms, uint, 0644);
MODULE_PARM_DESC(ms, "sleep of each call (default 50)");
static bool spin;
module_param(spin, bool, 0644);
MODULE_PARM_DESC(spin, "burn the CPU instead of sleeping");
static bool global;
module_param(global, bool, 0644);
MODULE_PARM_DESC(global, "also in reclaim of the whole machine");

static unsigned long slow_scan(struct shrinker *s, struct shrink_control *sc);
static struct fault_hook hooks[] = { FAULT_HOOK("super_cache_scan", slow_scan) };

static void waste(void)
{
	if (!spin)
		msleep(ms);
	for (unsigned int i = 0; spin && i < ms; i++) {
		mdelay(1);
		cond_resched();
	}
}

static unsigned long slow_scan(struct shrinker *s, struct shrink_control *sc)
{
	bool root = !sc->memcg || !cgroup_parent(sc->memcg->css.cgroup);

	if ((root ? global : fault_in_memcg(sc->memcg)) && fault_now())
		waste();
	return FAULT_REAL(hooks[0], slow_scan)(s, sc);
}
FAULT_MODULE(hooks, "filesystem shrinkers that sleep");
