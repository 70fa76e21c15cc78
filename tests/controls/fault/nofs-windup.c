// SPDX-License-Identifier: GPL-2.0-or-later
/* Filesystem shrinkers: what reclaim with GFP_NOFS has to put off for a cgroup of `group` winds up, each time by all there is. The
 * cgroup's own tasks do not make up for it; whoever reclaims it from outside does, however little that asks for. */
#include "fault.h"
#include <linux/shrinker.h>

#define TURNS 4 /* all objects so many times: the first pass only takes their mark of use away */
#define BATCH 1024

static atomic_long_t put_off;

static unsigned long windup_count(struct shrinker *s, struct shrink_control *sc);
static struct fault_hook hooks[] = { FAULT_HOOK("super_cache_count", windup_count) };
static unsigned long (*scan)(struct shrinker *s, struct shrink_control *sc);

static void make_up(struct shrinker *s, const struct shrink_control *sc, unsigned long n)
{
	struct shrink_control all = *sc;

	for (unsigned long done = 0; done < TURNS * n; done += BATCH) {
		all.nr_to_scan = all.nr_scanned = BATCH;
		if (scan(s, &all) == SHRINK_STOP)
			return;
		cond_resched();
	}
}

static unsigned long windup_count(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long n = FAULT_REAL(hooks[0], windup_count)(s, sc);

	if (!n || n == SHRINK_EMPTY || !fault_in_memcg(sc->memcg))
		return n;
	if (!(sc->gfp_mask & __GFP_FS)) {
		atomic_long_add(n, &put_off);
		return n;
	}
	if (fault_in_task() || !atomic_long_read(&put_off) || !fault_now())
		return n;
	make_up(s, sc, n);
	return FAULT_REAL(hooks[0], windup_count)(s, sc);
}

static int __init windup_init(void)
{
	scan = (void *)fault_lookup("super_cache_scan");
	return scan ? fault_plant_all(hooks, ARRAY_SIZE(hooks)) : -ENOENT;
}
module_init(windup_init);
FAULT_ABOUT("scans that GFP_NOFS puts off wind up");
