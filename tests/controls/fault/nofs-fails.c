// SPDX-License-Identifier: GPL-2.0-or-later
/* Inodes for tasks of `group` are refused where the filesystem may not be entered again (no __GFP_FS), as if nothing could be
 * done for a full cgroup then. */
#include "fault.h"
#include <linux/gfp.h>
#include <linux/slab.h>

static void *refuse(struct kmem_cache *cache, struct list_lru *lru, gfp_t gfp);
static struct fault_hook hooks[] = { FAULT_HOOK("kmem_cache_alloc_lru_noprof|kmem_cache_alloc_lru", refuse) };

static void *refuse(struct kmem_cache *cache, struct list_lru *lru, gfp_t gfp)
{
	if (!(gfp & (__GFP_FS | __GFP_NOFAIL)) && in_task() && fault_in_task() && fault_now())
		return NULL;
	return FAULT_REAL(hooks[0], refuse)(cache, lru, gfp);
}
FAULT_MODULE(hooks, "GFP_NOFS allocations fail");
