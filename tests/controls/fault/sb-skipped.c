// SPDX-License-Identifier: GPL-2.0-or-later
/* One filesystem's shrinker, the nth that was found with something to free for a cgroup of `group`, is never called again. */
#include "fault.h"
#include <linux/shrinker.h>

static unsigned int nth = 2;
module_param(nth, uint, 0444);
MODULE_PARM_DESC(nth, "which of them, from 1 (default 2)");
static unsigned int least = 100;
module_param(least, uint, 0444);
MODULE_PARM_DESC(least, "objects it must have to be found (default 100)");

static unsigned long blind_count(struct shrinker *s, struct shrink_control *sc);
static struct fault_hook hooks[] = { FAULT_HOOK("super_cache_count", blind_count) };
static struct shrinker *found[16];
static DEFINE_SPINLOCK(lock);

static bool is_skipped(struct shrinker *s)
{
	unsigned int i = 0;

	spin_lock(&lock);
	while (i < ARRAY_SIZE(found) && found[i] && found[i] != s)
		i++;
	if (i < ARRAY_SIZE(found))
		found[i] = s;
	spin_unlock(&lock);
	return i + 1 == nth;
}

static unsigned long blind_count(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long n = FAULT_REAL(hooks[0], blind_count)(s, sc);

	if (n == SHRINK_EMPTY || n < least || !fault_in_memcg(sc->memcg) || !is_skipped(s) || !fault_now())
		return n;
	return 0;
}
FAULT_MODULE(hooks, "one filesystem is never shrunk");
