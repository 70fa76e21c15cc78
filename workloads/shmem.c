/* SPDX-License-Identifier: GPL-3.0-or-later */
/* shmem: memfds that are written. The trap: it counts in `file` of memory.stat like page cache, and without swap
 * none of it can be reclaimed. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

#define NODE_PAGES 64 /* of a file that one radix_tree_node holds */

struct shmem {
	uint64_t chunk; /* parameter */
	struct wring_slots slots; /* descriptors */
	uint64_t *page;
};

static const struct wring_param params[] = {
	{ "chunk", WRING_SIZE, offsetof(struct shmem, chunk), .def = "1M", .min = "4K", .max = "1G", .help = "bytes in one memfd" },
	{ 0 } };

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct shmem *s = wring_wdata(c);
	uint64_t pages = (s->chunk + wring_page_size() - 1) / wring_page_size(), nodes = (pages + NODE_PAGES - 1) / NODE_PAGES;
	int r = wring_raise_nofile(err);

	if (r)
		return r;
	s->chunk = pages * wring_page_size();
	s->page = malloc(wring_page_size());
	if (!s->page)
		return wring_err_set(err, -ENOMEM, "shmem: a page");
	wring_random_page(s->page, wring_seed(c));
	if (nodes > 1)
		nodes += (nodes + NODE_PAGES - 1) / NODE_PAGES;
	wring_object(c, s->chunk + nodes * wring_slab_charge("radix_tree_node", 576) + wring_slab_charge("shmem_inode_cache", 776) +
		     wring_fd_charge(true), false);
	return 0;
}

static int fill(const struct shmem *s, int fd, uint64_t seed)
{
	uint64_t state = seed * 0x9e3779b97f4a7c15u | 1;
	int r = 0;

	for (uint64_t done = 0; done < s->chunk && !r; done += wring_page_size()) {
		s->page[0] = wring_random(&state); /* random within a page, and each is unique */
		r = wring_write_all(fd, s->page, wring_page_size());
	}
	return r;
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct shmem *s = wring_wdata(c);
	uint64_t *slot = wring_slot(&s->slots, object);
	int fd, r;

	if (!slot)
		return -ENOMEM;
	fd = memfd_create("wring", MFD_CLOEXEC);
	if (fd < 0)
		return wring_fails(c, "memfd_create", errno, EMFILE, WRING_NOFILE_REMEDY);
	r = fill(s, fd, wring_seed(c) + object);
	if (r) {
		close(fd);
		return wring_failed(c, "write", -r);
	}
	*slot = (uint64_t)fd;
	return 0;
}

static int drop(struct wring_wctx *c, uint64_t object)
{
	struct shmem *s = wring_wdata(c);

	return close((int)wring_slot_take(&s->slots, object)) ? wring_failed(c, "close", errno) : 0;
}

static void teardown(struct wring_wctx *c)
{
	struct shmem *s = wring_wdata(c);

	wring_slots_done(&s->slots);
	free(s->page);
}

static const struct wring_workload shmem = {
	.name = "shmem",
	.summary = "shared memory: memfds full of random bytes",
	.doc = "memfd_create() and write(): shmem, which is also in `file`, and radix_tree_node (one for 64 pages) and a dentry "
	       "in slab_reclaimable, an inode (shmem_inode_cache) in slab_unreclaimable. An object is one memfd and takes a "
	       "descriptor. Without swap none of it can be reclaimed although `file` counts it. Pages belong to who wrote them "
	       "first, not to who opened the file.",
	.params = params,
	.size = sizeof(struct shmem),
	.setup = setup,
	.make = make,
	.drop = drop,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(shmem);
