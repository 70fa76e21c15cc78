/* SPDX-License-Identifier: GPL-3.0-or-later */
/* vma: mappings with no memory in them. A page of a large map that gets another protection splits it: two more. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

#define PER_REGION 4096

#define FULL_REMEDY "raise vm.max_map_count, use more processes, or lower the footprint"

struct vma {
	struct wring_slots slots; /* addresses of regions, by object / PER_REGION */
	uint64_t max, counted; /* 1 + the object for which the mappings were counted last */
};

static const struct wring_param params[] = { { 0 } };

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct vma *v = wring_wdata(c);

	(void)err;
	v->max = wring_number_at("/proc/sys/vm/max_map_count", 65530);
	wring_object(c, 2 * (wring_slab_charge("vm_area_struct", 160) + wring_slab_charge("vma_lock", 0)), false);
	return 0;
}

/* Every second page, and one page at the end that stays as it is. */
static void *page_of(const struct wring_slots *s, uint64_t object)
{
	uint64_t base = s->ring[object / PER_REGION & (s->size - 1)];

	return (void *)(uintptr_t)(base + (2 * (object % PER_REGION) + 1) * wring_page_size());
}

/* mprotect() says ENOMEM for no memory and for no mapping left to this process, which other threads have their share of. */
static bool is_full(struct vma *v, uint64_t object)
{
	_cleanup_close_ int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	uint64_t lines = 0;
	char buf[4096];
	ssize_t n;

	if (v->counted == object + 1)
		return false; /* tried again after it was no memory */
	v->counted = object + 1;
	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++)
			lines += buf[i] == '\n';
	return lines + 4 >= v->max;
}

static int no_mapping(struct wring_wctx *c, const char *call, uint64_t object)
{
	int error = errno;

	if (error == ENOMEM && is_full(wring_wdata(c), object))
		return wring_limit(c, error, FULL_REMEDY);
	return wring_failed(c, call, error);
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct vma *v = wring_wdata(c);
	uint64_t *slot = wring_slot(&v->slots, object / PER_REGION);
	void *map;

	if (!slot)
		return -ENOMEM;
	if (!*slot) {
		map = mmap(NULL, (2 * PER_REGION + 1) * wring_page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (map == MAP_FAILED)
			return no_mapping(c, "mmap", object);
		*slot = (uintptr_t)map;
	}
	if (!mprotect(page_of(&v->slots, object), wring_page_size(), PROT_READ))
		return 0;
	return no_mapping(c, "mprotect", object);
}

static int drop(struct wring_wctx *c, uint64_t object)
{
	struct vma *v = wring_wdata(c);

	if (mprotect(page_of(&v->slots, object), wring_page_size(), PROT_NONE))
		return wring_failed(c, "mprotect", errno);
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
	       "process: about 15 MB; its threads share them. Use procs for more. Freed by RCU.",
	.params = params,
	.size = sizeof(struct vma),
	.setup = setup,
	.make = make,
	.drop = drop,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(vma);
