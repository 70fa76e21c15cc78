/* SPDX-License-Identifier: GPL-3.0-or-later */
/* vma: mappings with no memory in them. A page of a large map that gets another protection splits it: two more. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

#define PER_REGION 4096
#define OWN 64 /* mappings of the program itself, at most */

struct vma {
	struct wring_slots slots; /* addresses of regions, by object / PER_REGION */
	uint64_t live, max;
};

static const struct wring_param params[] = { { 0 } };

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct vma *v = wring_wdata(c);

	(void)err;
	v->max = (wring_number_at("/proc/sys/vm/max_map_count", 65530) - OWN) / 2;
	wring_object(c, 2 * (wring_slab_charge("vm_area_struct", 160) + wring_slab_charge("vma_lock", 40)), false);
	return 0;
}

/* Every second page, and one page at the end that stays as it is. */
static void *page_of(const struct wring_slots *s, uint64_t object)
{
	uint64_t base = s->ring[object / PER_REGION & (s->size - 1)];

	return (void *)(uintptr_t)(base + (2 * (object % PER_REGION) + 1) * wring_page_size());
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct vma *v = wring_wdata(c);
	uint64_t *slot = wring_slot(&v->slots, object / PER_REGION);
	void *map;

	if (!slot)
		return -ENOMEM;
	if (v->live >= v->max)
		return -ENOSPC; /* vm.max_map_count, which mprotect() tells as ENOMEM */
	if (!*slot) {
		map = mmap(NULL, (2 * PER_REGION + 1) * wring_page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (map == MAP_FAILED)
			return -errno;
		*slot = (uintptr_t)map;
	}
	if (mprotect(page_of(&v->slots, object), wring_page_size(), PROT_READ))
		return -errno;
	v->live++;
	return 0;
}

static int drop(struct wring_wctx *c, uint64_t object)
{
	struct vma *v = wring_wdata(c);
	int r = mprotect(page_of(&v->slots, object), wring_page_size(), PROT_NONE) ? -errno : 0;

	if (r)
		return r;
	v->live--;
	if (object % PER_REGION == PER_REGION - 1)
		munmap((void *)(uintptr_t)wring_slot_take(&v->slots, object / PER_REGION), (2 * PER_REGION + 1) * wring_page_size());
	return 0;
}

static void teardown(struct wring_wctx *c)
{
	struct vma *v = wring_wdata(c);

	wring_slots_done(&v->slots);
}

static const struct wring_workload vma = {
	.name = "vma",
	.summary = "mappings: one large map split by protections",
	.doc = "mprotect() of every second page of a PROT_NONE map; an object is one such page, which makes two mappings more. "
	       "Caches vm_area_struct and vma_lock (6.4 to 6.14; in vm_area_struct before and after), slab_unreclaimable; "
	       "maple_node grows with them and is charged to nobody. The limit is vm.max_map_count, 65530 mappings in one "
	       "process: about 15 MB, told as ENOSPC. Use procs for more. Freed by RCU.",
	.params = params,
	.size = sizeof(struct vma),
	.setup = setup,
	.make = make,
	.drop = drop,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(vma);
