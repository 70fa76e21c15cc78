// SPDX-License-Identifier: GPL-2.0-or-later
/* One more shrinker, called in reclaim of the whole machine: it has much to offer, takes its time, and frees nothing. */
#include "fault.h"
#include <linux/delay.h>
#include <linux/shrinker.h>

static unsigned int ms;
module_param(ms, uint, 0644);
MODULE_PARM_DESC(ms, "sleep of each call (default 0)");
static unsigned long objects = 1 << 20;
module_param(objects, ulong, 0644);
MODULE_PARM_DESC(objects, "what it says it could free (default 1048576)");

static unsigned long count(struct shrinker *s, struct shrink_control *sc)
{
	return objects;
}

static unsigned long scan(struct shrinker *s, struct shrink_control *sc)
{
	if (ms && fault_now())
		msleep(ms);
	return 0;
}

static int __init useless_init(void)
{
#ifdef HAVE_SHRINKER_ALLOC
	struct shrinker *s = shrinker_alloc(0, "wring-useless");

	if (!s)
		return -ENOMEM;
	s->count_objects = count;
	s->scan_objects = scan;
	shrinker_register(s);
	return 0;
#else
	static struct shrinker s = { .count_objects = count, .scan_objects = scan, .seeks = DEFAULT_SEEKS };

	return register_shrinker(&s, "wring-useless");
#endif
}
module_init(useless_init);
FAULT_ABOUT("a shrinker that never frees");
