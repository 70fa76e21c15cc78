// SPDX-License-Identifier: GPL-2.0-or-later
/* Reclaim skips the pages of a cgroup of `group`: whoever shares a limit with it pays. */
#include "fault.h"

static void no_pages(struct lruvec *lruvec, void *sc);
static int no_one(struct lruvec *lruvec, void *sc);
/* shrink_one() is what the multi-generational LRU calls in reclaim of the whole machine, where there is one */
static struct fault_hook hooks[] = { FAULT_HOOK("shrink_lruvec", no_pages), FAULT_HOOK("shrink_one", no_one) };

static void no_pages(struct lruvec *lruvec, void *sc)
{
	if (fault_in_memcg(lruvec_memcg(lruvec)) && fault_now())
		return;
	FAULT_REAL(hooks[0], no_pages)(lruvec, sc);
}

static int no_one(struct lruvec *lruvec, void *sc)
{
	if (fault_in_memcg(lruvec_memcg(lruvec)) && fault_now())
		return 0;
	return FAULT_REAL(hooks[1], no_one)(lruvec, sc);
}

static int __init pages_init(void)
{
	return fault_plant_all(hooks, fault_lookup("shrink_one") ? 2 : 1);
}
module_init(pages_init);
FAULT_ABOUT("pages of a cgroup are never reclaimed");
