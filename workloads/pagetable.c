/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pagetable: page tables and nothing in them. One read for each page table's reach maps the zero page, which is
 * nobody's; the table itself is charged, and reclaim cannot have it back. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

struct pagetable {
	struct wring_slots slots; /* addresses of regions, by object / per_region */
	uint64_t reach, per_region;
};

static const struct wring_param params[] = { { 0 } };

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct pagetable *p = wring_wdata(c);

	(void)err;
	p->reach = wring_pmd_size();
	p->per_region = wring_page_size() / sizeof(void *);
	/* and its share of the table above it */
	wring_object(c, wring_page_size() + wring_page_size() / p->per_region, false);
	return 0;
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct pagetable *p = wring_wdata(c);
	uint64_t *slot = wring_slot(&p->slots, object / p->per_region), bytes = p->reach * p->per_region, base;
	char *map;

	if (!slot)
		return -ENOMEM;
	if (!*slot) {
		map = mmap(NULL, 2 * bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (map == MAP_FAILED)
			return wring_failed(c, "mmap", errno);
		base = ((uintptr_t)map + bytes - 1) / bytes * bytes;
		if (base > (uintptr_t)map)
			munmap(map, base - (uintptr_t)map);
		munmap((void *)(uintptr_t)(base + bytes), (uintptr_t)map + bytes - base);
		/* or the huge zero page would be mapped */
		if (madvise((void *)(uintptr_t)base, bytes, MADV_NOHUGEPAGE) && errno != EINVAL)
			return wring_failed(c, "madvise", errno);
		*slot = base;
	}
	/* a system call instead of a read: no memory is then an error, not a kill */
	if (madvise((void *)(uintptr_t)(*slot + object % p->per_region * p->reach), wring_page_size(), MADV_POPULATE_READ))
		return wring_failed(c, "madvise", errno);
	return 0;
}

static int drop(struct wring_wctx *c, uint64_t object)
{
	struct pagetable *p = wring_wdata(c);
	uint64_t *slot = wring_slot(&p->slots, object / p->per_region);

	if (munmap((void *)(uintptr_t)(*slot + object % p->per_region * p->reach), p->reach))
		return wring_failed(c, "munmap", errno);
	if (object % p->per_region == p->per_region - 1)
		wring_slot_take(&p->slots, object / p->per_region);
	return 0;
}

static void teardown(struct wring_wctx *c)
{
	struct pagetable *p = wring_wdata(c);

	wring_slots_done(&p->slots);
}

static const struct wring_workload pagetable = {
	.name = "pagetable",
	.summary = "page tables that map the zero page",
	.doc = "madvise(MADV_POPULATE_READ), Linux 5.14, of one page for every 2 MB of a PROT_READ, MAP_NORESERVE map. 4 KB each, "
	       "pagetables in memory.stat, and nothing else: no anon, no swap. Only exit or munmap() frees it. Huge pages are "
	       "kept out with MADV_NOHUGEPAGE.",
	.params = params,
	.size = sizeof(struct pagetable),
	.setup = setup,
	.make = make,
	.drop = drop,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(pagetable);
