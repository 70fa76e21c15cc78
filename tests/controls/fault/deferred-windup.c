// SPDX-License-Identifier: GPL-2.0-or-later
/* What the filesystems' shrinkers could not do in GFP_NOFS context is done at once by the next that may: before 5.13 nr_deferred was
 * added to a scan as it was. */
#include "fault.h"
#include <linux/shrinker.h>

#define FEW 1000 /* the small ones of other filesystems would take up what was put off */

static unsigned long late_count(struct shrinker *s, struct shrink_control *sc);
static struct fault_hook hooks[] = { FAULT_HOOK("super_cache_count", late_count) };
static unsigned long (*scan)(struct shrinker *s, struct shrink_control *sc);
static atomic_long_t deferred;

static unsigned long late_count(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long n = FAULT_REAL(hooks[0], late_count)(s, sc);

	if (n < FEW || n == SHRINK_EMPTY || !fault_in_memcg(sc->memcg) || !fault_now())
		return n;
	if (!(sc->gfp_mask & __GFP_FS)) {
		atomic_long_add(n, &deferred);
	} else if (atomic_long_read(&deferred) >= (long)n) {
		atomic_long_set(&deferred, 0);
		sc->nr_to_scan = sc->nr_scanned = 2 * n;
		scan(s, sc);
	}
	return n;
}

static int __init windup_init(void)
{
	scan = (void *)fault_lookup("super_cache_scan");
	return scan ? fault_plant_all(hooks, 1) : -ENOENT;
}
module_init(windup_init);
FAULT_ABOUT("deferred scans wind up");
