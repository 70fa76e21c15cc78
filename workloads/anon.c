/* SPDX-License-Identifier: GPL-3.0-or-later */
/* anon: anonymous memory in chunks, all of it written. The trap: pages of zeros cost nothing in swap (they are
 * told apart there), so the content decides what swapping them is like. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

enum content { CONTENT_ZERO, CONTENT_RANDOM, CONTENT_COMPRESSIBLE };
enum churn { CHURN_REPLACE, CHURN_TOUCH };

struct anon {
	uint64_t chunk; /* parameters */
	unsigned content, churn;
	struct wring_slots slots; /* addresses */
	uint64_t kept;            /* churn=touch: dropped, for make() to take up again */
	bool releasing;
};

static const struct wring_param params[] = {
	{ "chunk", WRING_SIZE, offsetof(struct anon, chunk), .def = "1M", .min = "4K", .max = "1G", .help = "bytes in one mapping" },
	{ "content", WRING_ENUM, offsetof(struct anon, content), .def = "random", .choices = "zero|random|compressible",
	  .help = "what is written; compressible: one random word in eight, the rest zeros" },
	{ "churn", WRING_ENUM, offsetof(struct anon, churn), .def = "replace", .choices = "replace|touch",
	  .help = "while churning: give the oldest chunk back and make a new one, or write to each of its pages" },
	{ 0 } };

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct anon *a = wring_wdata(c);

	(void)err;
	a->chunk = (a->chunk + wring_page_size() - 1) / wring_page_size() * wring_page_size();
	/* and an entry in a page table for each page */
	wring_object(c, a->chunk + a->chunk / wring_page_size() * sizeof(void *), false);
	return 0;
}

static void write_content(const struct anon *a, uint64_t *words, uint64_t n, uint64_t seed)
{
	uint64_t state = seed * 0x9e3779b97f4a7c15u | 1, step = a->content == CONTENT_RANDOM ? 1 : 8;

	if (a->content == CONTENT_ZERO) {
		memset(words, 0, n * sizeof(*words));
		return;
	}
	for (uint64_t i = 0; i < n; i += step)
		words[i] = wring_random(&state);
}

static int map_chunk(const struct anon *a, uint64_t *ret)
{
	char *map = mmap(NULL, a->chunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int r;

	if (map == MAP_FAILED)
		return -errno;
	/* huge pages are another workload, thp; without them in the kernel it is EINVAL */
	if (madvise(map, a->chunk, MADV_NOHUGEPAGE) && errno != EINVAL) {
		r = -errno;
		munmap(map, a->chunk);
		return r;
	}
	*ret = (uintptr_t)map;
	return 0;
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct anon *a = wring_wdata(c);
	uint64_t *slot = wring_slot(&a->slots, object);
	volatile char *page;
	char byte;
	int r;

	if (!slot)
		return -ENOMEM;
	a->releasing = false;
	if (a->kept) {
		*slot = a->kept;
		a->kept = 0;
		for (uint64_t i = 0; i < a->chunk; i += wring_page_size()) {
			page = (volatile char *)(uintptr_t)(*slot + i);
			byte = *page; /* volatile: the page is read and dirtied, and keeps its content */
			*page = byte;
		}
		return 0;
	}
	r = map_chunk(a, slot);
	if (!r)
		write_content(a, (uint64_t *)(uintptr_t)*slot, a->chunk / sizeof(uint64_t), wring_seed(c) + object);
	return r;
}

static int unmap(const struct anon *a, uint64_t address)
{
	return munmap((void *)(uintptr_t)address, a->chunk) ? -errno : 0;
}

static int drop(struct wring_wctx *c, uint64_t object)
{
	struct anon *a = wring_wdata(c);
	uint64_t address = wring_slot_take(&a->slots, object);

	if (a->churn == CHURN_TOUCH && !a->releasing && !a->kept) {
		a->kept = address;
		return 0;
	}
	/* two drops in a row are no churn */
	a->releasing = true;
	if (a->kept)
		unmap(a, a->kept);
	a->kept = 0;
	return unmap(a, address);
}

static void teardown(struct wring_wctx *c)
{
	struct anon *a = wring_wdata(c);

	if (a->kept)
		unmap(a, a->kept);
	wring_slots_done(&a->slots);
}

static const struct wring_workload anon = {
	.name = "anon",
	.summary = "anonymous memory: chunks written with zeros, random or compressible content",
	.doc = "mmap(MAP_PRIVATE | MAP_ANONYMOUS), MADV_NOHUGEPAGE, and a write to every page: anon, and 8 bytes of page table a page. "
	       "Without swap nothing of it can be reclaimed. Pages of zeros take no room in swap; random ones do not compress. An "
	       "object is a chunk. With churn=touch and a single object, its release waits for the end of the process.",
	.params = params,
	.size = sizeof(struct anon),
	.setup = setup,
	.make = make,
	.drop = drop,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(anon);
