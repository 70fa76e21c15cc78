// SPDX-License-Identifier: GPL-2.0-or-later
/* Filesystem caches of fewer than a batch of objects are scanned whenever they are counted, however light the pressure: what
 * 172b06c32b94 did to them. */
#include "fault.h"
#include <linux/shrinker.h>

static unsigned int few = 1024;
module_param(few, uint, 0644);
MODULE_PARM_DESC(few, "caches with fewer objects (default 1024)");

static unsigned long eager_count(struct shrinker *s, struct shrink_control *sc);
static struct fault_hook hooks[] = { FAULT_HOOK("super_cache_count", eager_count) };
static unsigned long (*scan)(struct shrinker *s, struct shrink_control *sc);

static unsigned long eager_count(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long n = FAULT_REAL(hooks[0], eager_count)(s, sc);

	if (n && n != SHRINK_EMPTY && n < few && fault_in_memcg(sc->memcg) && fault_now()) {
		sc->nr_to_scan = sc->nr_scanned = n;
		scan(s, sc);
	}
	return n;
}

static int __init small_init(void)
{
	scan = (void *)fault_lookup("super_cache_scan");
	return scan ? fault_plant_all(hooks, 1) : -ENOENT;
}
module_init(small_init);
FAULT_ABOUT("small caches are scanned first");
