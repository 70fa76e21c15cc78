/* SPDX-License-Identifier: GPL-3.0-or-later */
/* anon: anonymous memory in chunks, all of it written. The trap: pages of zeros cost nothing in swap (they are
 * told apart there), so the content decides what swapping them is like. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

enum content { CONTENT_ZERO, CONTENT_RANDOM, CONTENT_COMPRESSIBLE };
enum churn { CHURN_REPLACE, CHURN_WALK, CHURN_RANDOM, CHURN_ZIPF };

struct anon {
	uint64_t chunk, reserve; /* parameters */
	unsigned content, churn;
	char *reserved;           /* where `reserve` is mapped */
	uint64_t first;           /* object that has not been dropped from there */
	struct wring_slots slots; /* addresses */
	uint64_t kept;            /* unless churn=replace: dropped, for make() to take up again */
	uint64_t random;          /* state */
	bool releasing;
	uint64_t *page; /* content=random: what is written, but for its first word */
};

static const struct wring_param params[] = {
	{ "chunk", WRING_SIZE, offsetof(struct anon, chunk), .def = "1M", .min = "4K", .max = "1G", .help = "bytes in one mapping" },
	{ "reserve", WRING_SIZE, offsetof(struct anon, reserve), .def = "0", .max = "64G",
	  .help = "map so much once, before the start, and take chunks from there in turn: then a page is one fault, and no other system "
		  "call is made; 0: each chunk is a mapping of its own" },
	{ "content", WRING_ENUM, offsetof(struct anon, content), .def = "random", .choices = "zero|random|compressible",
	  .help = "what is written; compressible: one random word in eight, the rest zeros" },
	{ "churn", WRING_ENUM, offsetof(struct anon, churn), .def = "replace", .choices = "replace|walk|random|zipf",
	  .help = "while churning: give the oldest chunk back and make a new one; or write to each page of a chunk: one after the other, at "
		  "random, or the one of rank k with a probability of 1/k" },
	{ 0 } };

static int check(const void *data, struct wring_err *err)
{
	const struct anon *a = data;

	if (a->reserve && a->reserve < a->chunk)
		return wring_err_set(err, -EINVAL, "anon: reserve: %" PRIu64 " is less than a chunk: accepted: 0, or at least chunk", a->reserve);
	if (a->reserve && a->churn != CHURN_REPLACE)
		return wring_err_set(err, -EINVAL, "anon: reserve: goes with churn=replace alone");
	return 0;
}

static int map_pages(struct wring_wctx *c, uint64_t bytes, char **ret)
{
	char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int r;

	if (map == MAP_FAILED)
		return wring_failed(c, "mmap", errno);
	/* huge pages are another workload, thp; without them in the kernel it is EINVAL */
	if (madvise(map, bytes, MADV_NOHUGEPAGE) && errno != EINVAL) {
		r = wring_failed(c, "madvise", errno);
		munmap(map, bytes);
		return r;
	}
	*ret = map;
	return 0;
}

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct anon *a = wring_wdata(c);
	int r;

	a->random = wring_seed(c) | 1;
	a->page = malloc(wring_page_size());
	if (!a->page)
		return wring_err_set(err, -ENOMEM, "anon: a page");
	wring_random_page(a->page, wring_seed(c));
	a->chunk = (a->chunk + wring_page_size() - 1) / wring_page_size() * wring_page_size();
	/* and an entry in a page table for each page */
	wring_object(c, a->chunk + a->chunk / wring_page_size() * sizeof(void *), false);
	r = a->reserve ? map_pages(c, a->reserve, &a->reserved) : 0;
	return r ? wring_err_set(err, r, "anon: mapping reserve: %s", strerror(-r)) : 0;
}

/* The pages are fresh: zeros need no more than a touch. Random ones are random within a page, which is all that compression
 * looks at, and each is unique. */
static void write_content(const struct anon *a, char *map, uint64_t seed)
{
	uint64_t state = seed * 0x9e3779b97f4a7c15u | 1;

	for (char *p = map; p < map + a->chunk; p += wring_page_size()) {
		uint64_t *words = (uint64_t *)(void *)p;

		switch (a->content) {
		case CONTENT_ZERO: *(volatile uint64_t *)words = 0; break;
		case CONTENT_RANDOM:
			memcpy(words, a->page, wring_page_size());
			words[0] = wring_random(&state);
			break;
		default:
			for (uint64_t i = 0; i < wring_page_size() / sizeof(*words); i += 8)
				words[i] = wring_random(&state);
		}
	}
}

static char *reserved(const struct anon *a, uint64_t object) { return a->reserved + object % (a->reserve / a->chunk) * a->chunk; }

/* Chunks move up in the ring by taking turns, but object modulo their number stays the same: a chunk keeps its rank. */
static uint64_t pick(struct anon *a, uint64_t newest)
{
	uint64_t first = a->slots.first, n = newest - first + 1, rank;
	double u = (double)(wring_random(&a->random) >> 11) * 0x1p-53;

	switch (a->churn) {
	case CHURN_RANDOM: rank = (uint64_t)(u * (double)n); break;
	case CHURN_ZIPF: rank = (uint64_t)exp(u * log((double)n + 1)) - 1; break; /* P(k) = log((k + 2) / (k + 1)) / log(n + 1) */
	default: return newest;
	}
	if (rank >= n)
		rank = n - 1;
	return first + (rank + n - first % n) % n;
}

static void touch(const struct anon *a, uint64_t address)
{
	for (uint64_t i = 0; i < a->chunk; i += wring_page_size()) {
		volatile char *page = (volatile char *)(uintptr_t)(address + i);
		char byte = *page; /* volatile: the page is read and dirtied, and keeps its content */

		*page = byte;
	}
}

static int make_reserved(struct wring_wctx *c, const struct anon *a, uint64_t object)
{
	if (object - a->first >= a->reserve / a->chunk)
		return wring_limit(c, ENOMEM, "raise reserve, or lower the footprint");
	write_content(a, reserved(a, object), wring_seed(c) + object);
	return 0;
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct anon *a = wring_wdata(c);
	uint64_t *slot;
	char *map = NULL;
	int r;

	if (a->reserve)
		return make_reserved(c, a, object);
	slot = wring_slot(&a->slots, object);
	if (!slot)
		return -ENOMEM;
	a->releasing = false;
	if (a->kept) {
		*slot = a->kept;
		a->kept = 0;
		touch(a, *wring_slot(&a->slots, pick(a, object)));
		return 0;
	}
	r = map_pages(c, a->chunk, &map);
	*slot = (uintptr_t)map;
	if (!r)
		write_content(a, map, wring_seed(c) + object);
	return r;
}

static int unmap(struct wring_wctx *c, const struct anon *a, uint64_t address)
{
	return munmap((void *)(uintptr_t)address, a->chunk) ? wring_failed(c, "munmap", errno) : 0;
}

static int drop(struct wring_wctx *c, uint64_t object)
{
	struct anon *a = wring_wdata(c);
	uint64_t address;

	if (a->reserve) {
		a->first = object + 1;
		return madvise(reserved(a, object), a->chunk, MADV_DONTNEED) ? wring_failed(c, "madvise", errno) : 0;
	}
	address = wring_slot_take(&a->slots, object);
	if (a->churn != CHURN_REPLACE && !a->releasing && !a->kept) {
		a->kept = address;
		return 0;
	}
	/* two drops in a row are no churn */
	a->releasing = true;
	if (a->kept)
		unmap(c, a, a->kept);
	a->kept = 0;
	return unmap(c, a, address);
}

static void teardown(struct wring_wctx *c)
{
	struct anon *a = wring_wdata(c);

	if (a->kept)
		unmap(c, a, a->kept);
	if (a->reserved)
		munmap(a->reserved, a->reserve);
	wring_slots_done(&a->slots);
	free(a->page);
}

static const struct wring_workload anon = {
	.name = "anon",
	.summary = "anonymous memory: chunks written with zeros, random or compressible content",
	.doc = "mmap(MAP_PRIVATE | MAP_ANONYMOUS), MADV_NOHUGEPAGE, and a write to every page: anon, and 8 bytes of page table a "
	       "page. Without swap nothing of it can be reclaimed. Pages of zeros take no room in swap; random ones do not "
	       "compress. An object is a chunk. While churning, chunks may be touched where they are instead, so that reclaim "
	       "has a working set to find: walk is the worst for an LRU, zipf (exponent 1) has hot chunks; chunk=4K makes it "
	       "pages. Then, with a single object, its release waits for the end of the process. At memory.max the process is "
	       "killed; the event of its end says how much it had made. With a reserve a chunk of one page enters the kernel once.",
	.params = params,
	.size = sizeof(struct anon),
	.check = check,
	.setup = setup,
	.make = make,
	.drop = drop,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(anon);
