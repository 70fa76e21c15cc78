// SPDX-License-Identifier: GPL-2.0-or-later
/* The filesystems' shrinkers scan many times what they are asked for. */
#include "fault.h"
#include <linux/shrinker.h>

static unsigned long factor = 100;
module_param(factor, ulong, 0644);
MODULE_PARM_DESC(factor, "how many times too much (default 100)");

static unsigned long greedy_scan(struct shrinker *s, struct shrink_control *sc);
static struct fault_hook hooks[] = { FAULT_HOOK("super_cache_scan", greedy_scan) };

static unsigned long greedy_scan(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long asked = sc->nr_to_scan, freed;

	/* nr_scanned stays what was asked: nobody is to notice */
	if (fault_now())
		sc->nr_to_scan = asked * factor;
	freed = FAULT_REAL(hooks[0], greedy_scan)(s, sc);
	sc->nr_to_scan = asked;
	return freed;
}
FAULT_MODULE(hooks, "filesystem shrinkers that scan too much");
