/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thp: huge pages of anonymous memory. The trap: half of one given back frees nothing until reclaim splits it;
 * memory.stat `anon` goes down at once, memory.current does not. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

#define ENABLED "/sys/kernel/mm/transparent_hugepage/enabled"
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum kind { KIND_FAULT, KIND_PARTIAL, KIND_UNMAP, KIND_COLLAPSE };

struct thp {
	unsigned kind; /* parameters */
	bool small;
	uint64_t bytes;
	struct wring_slots slots; /* addresses */
};

static const struct wring_param params[] = {
	{ "kind", WRING_ENUM, offsetof(struct thp, kind), .def = "fault", .choices = "fault|partial|unmap|collapse",
	  .help = "one write that faults a huge page in; the same, and half of it given back; the same, and all but its first small page "
		  "unmapped; or small pages collapsed into one" },
	{ "small", WRING_BOOL, offsetof(struct thp, small), .def = "no",
	  .help = "a fault that gets a small page instead: an object as well, and counted in `dropped`; no: a failure, tried again" },
	{ 0 } };

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct thp *t = wring_wdata(c);
	_cleanup_free_ char *enabled = NULL;
	int r = wring_read_line(AT_FDCWD, ENABLED, &enabled);

	if (r)
		return wring_err_set(err, r, "thp: this kernel has no transparent huge pages: " ENABLED ": %s", strerror(-r));
	if (t->kind != KIND_COLLAPSE && !t->small && strstr(enabled, "[never]"))
		return wring_err_set(err, -EINVAL, "thp: " ENABLED " is never; madvise or always is needed");
	t->bytes = wring_pmd_size();
	/* and the page table that is put by for the day it is split */
	wring_object(c, t->bytes + wring_page_size(), false);
	return 0;
}

static int map_aligned(struct wring_wctx *c, uint64_t bytes, char **ret)
{
	char *map = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *base;

	if (map == MAP_FAILED)
		return wring_failed(c, "mmap", errno);
	base = map + (bytes - (uintptr_t)map % bytes) % bytes;
	if (base > map)
		munmap(map, (size_t)(base - map));
	munmap(base + bytes, (size_t)(map + bytes - base));
	*ret = base;
	return 0;
}

static int make_huge(struct wring_wctx *c, const struct thp *t, char *map)
{
	unsigned char is_there = 0;

	if (madvise(map, t->bytes, t->kind == KIND_COLLAPSE ? MADV_NOHUGEPAGE : MADV_HUGEPAGE))
		return wring_failed(c, "madvise", errno);
	for (uint64_t i = 0; i < t->bytes; i += t->kind == KIND_COLLAPSE ? wring_page_size() : t->bytes)
		*(volatile char *)(map + i) = 't';
	/* one small page instead: counted as a failure, so that it does not pass for the footprint */
	if (t->kind != KIND_COLLAPSE && mincore(map + t->bytes - wring_page_size(), wring_page_size(), &is_there))
		return wring_failed(c, "mincore", errno);
	if (t->kind != KIND_COLLAPSE && !(is_there & 1)) {
		if (!t->small)
			return wring_failed(c, "huge-fault", ENOMEM);
		wring_dropped(c, 1);
	}
	if (t->kind == KIND_FAULT)
		return 0;
	if (t->kind == KIND_COLLAPSE)
		return madvise(map, t->bytes, MADV_HUGEPAGE) || madvise(map, t->bytes, MADV_COLLAPSE) ?
		       wring_failed(c, "madvise", errno) : 0;
	/* and khugepaged must not make it whole again */
	if (madvise(map, t->bytes, MADV_NOHUGEPAGE))
		return wring_failed(c, "madvise", errno);
	if (t->kind == KIND_UNMAP)
		return munmap(map + wring_page_size(), t->bytes - wring_page_size()) ? wring_failed(c, "munmap", errno) : 0;
	return madvise(map + t->bytes / 2, t->bytes / 2, MADV_DONTNEED) ? wring_failed(c, "madvise", errno) : 0;
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct thp *t = wring_wdata(c);
	uint64_t *slot = wring_slot(&t->slots, object);
	char *map = NULL;
	int r;

	if (!slot)
		return -ENOMEM;
	r = map_aligned(c, t->bytes, &map);
	if (r)
		return r;
	r = make_huge(c, t, map);
	if (r)
		munmap(map, t->bytes);
	else
		*slot = (uintptr_t)map;
	return r;
}

static int drop(struct wring_wctx *c, uint64_t object)
{
	struct thp *t = wring_wdata(c);
	uint64_t bytes = t->kind == KIND_UNMAP ? wring_page_size() : t->bytes;

	return munmap((void *)(uintptr_t)wring_slot_take(&t->slots, object), bytes) ? wring_failed(c, "munmap", errno) : 0;
}

static void teardown(struct wring_wctx *c)
{
	struct thp *t = wring_wdata(c);

	wring_slots_done(&t->slots);
}

static const struct wring_workload thp = {
	.name = "thp",
	.summary = "transparent huge pages: faulted in, partly given back or unmapped, or collapsed",
	.doc = "mmap() at a multiple of 2 MB, MADV_HUGEPAGE and one write; partial: then MADV_DONTNEED of the second half, "
	       "unmap: then munmap() of all but the first small page; both put the huge page on the deferred split list: anon "
	       "falls by half, or to 4 KB, memory.current not until reclaim splits it; collapse: 512 small pages and "
	       "MADV_COLLAPSE (6.1; otherwise EINVAL). anon and anon_thp; thp_fault_alloc, thp_collapse_alloc, "
	       "thp_fault_fallback and thp_fault_fallback_charge tell how it went: when none can be had, a fault makes one small "
	       "page and says nothing; here that is seen with mincore() and counted as ENOMEM of `huge-fault`.",
	.params = params,
	.size = sizeof(struct thp),
	.setup = setup,
	.make = make,
	.drop = drop,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(thp);
