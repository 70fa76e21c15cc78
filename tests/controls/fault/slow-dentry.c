// SPDX-License-Identifier: GPL-2.0-or-later
/* Reclaim of dentries costs more, by a share of what it costs anyway (permille) or by so many turns of a loop for each hundred
 * dentries (loops): a known effect for A/B tests. Both arms load it, one with 0: the hook itself is not free. */
#include "fault.h"
#include <linux/sched/clock.h>
#include <linux/shrinker.h>

static unsigned int permille, loops;
module_param(permille, uint, 0644);
MODULE_PARM_DESC(permille, "added to the time of each batch (default 0)");
module_param(loops, uint, 0644);
MODULE_PARM_DESC(loops, "added for each hundred dentries (default 0)");

static long slow_prune(struct super_block *sb, struct shrink_control *sc);
static struct fault_hook hooks[] = { FAULT_HOOK("prune_dcache_sb", slow_prune) };

static long slow_prune(struct super_block *sb, struct shrink_control *sc)
{
	u64 start = local_clock(), until;
	long freed = FAULT_REAL(hooks[0], slow_prune)(sb, sc);

	until = local_clock();
	until += div_u64((until - start) * permille, 1000);
	while (permille && local_clock() < until)
		cpu_relax();
	for (unsigned long i = freed > 0 ? (unsigned long)freed * loops / 100 : 0; i; i--)
		barrier();
	return freed;
}
FAULT_MODULE(hooks, "reclaimed dentries cost more");
