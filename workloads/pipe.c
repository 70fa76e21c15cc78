/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pipe: pipes that are full. The pages are kernel memory in no slab: only `kernel` of memory.stat sees them. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

#define PIPE_BUFFER 40  /* struct pipe_buffer */
#define PIPE_INFO 192   /* struct pipe_inode_info */

struct pipes {
	uint64_t bytes; /* parameter */
	struct wring_slots slots;
	char *page;
};

static const struct wring_param params[] = {
	{ "size", WRING_SIZE, offsetof(struct pipes, bytes), .def = "64K", .min = "4K", .max = "1M",
	  .help = "bytes in a pipe, rounded up by the kernel to a power of two; fs.pipe-max-size and fs.pipe-user-pages-soft bind all "
		  "but root" },
	{ 0 } };

static int open_pipe(struct wring_wctx *c, const struct pipes *p, int fds[2], int *ret_bytes)
{
	int r;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
		return wring_fails(c, "pipe2", errno, EMFILE, WRING_NOFILE_REMEDY);
	*ret_bytes = fcntl(fds[1], F_SETPIPE_SZ, (int)p->bytes);
	if (*ret_bytes >= 0)
		return 0;
	r = wring_fails(c, "fcntl", errno, EPERM, "raise fs.pipe-user-pages-soft or fs.pipe-max-size, run as root, or lower the footprint");
	close(fds[0]);
	close(fds[1]);
	return r;
}

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct pipes *p = wring_wdata(c);
	int fds[2], bytes, r = wring_raise_nofile(err);

	if (r)
		return r;
	p->page = malloc(wring_page_size());
	if (!p->page)
		return wring_err_set(err, -ENOMEM, "pipe: a page");
	memset(p->page, 'p', wring_page_size());
	r = open_pipe(c, p, fds, &bytes);
	if (r)
		return wring_err_set(err, r, "pipe: a pipe of %llu bytes: %s", (unsigned long long)p->bytes, strerror(-r));
	close(fds[0]);
	close(fds[1]);
	p->bytes = (uint64_t)bytes;
	wring_object(c, p->bytes + wring_kmalloc_charge(p->bytes / wring_page_size() * PIPE_BUFFER) + wring_kmalloc_charge(PIPE_INFO) +
		     wring_slab_charge("inode_cache", 600) + 2 * wring_fd_charge(false) + wring_slab_charge("dentry", 192), false);
	return 0;
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct pipes *p = wring_wdata(c);
	uint64_t *slot = wring_slot(&p->slots, object);
	int fds[2], bytes, r;

	if (!slot)
		return -ENOMEM;
	r = open_pipe(c, p, fds, &bytes);
	if (r)
		return r;
	for (uint64_t done = 0; done < p->bytes && !r; done += wring_page_size())
		r = write(fds[1], p->page, wring_page_size()) < 0 ? wring_failed(c, "write", errno) : 0;
	if (r) {
		close(fds[0]);
		close(fds[1]);
		return r;
	}
	*slot = (uint64_t)fds[0] << 32 | (uint32_t)fds[1];
	return 0;
}

static int drop(struct wring_wctx *c, uint64_t object)
{
	struct pipes *p = wring_wdata(c);
	uint64_t fds = wring_slot_take(&p->slots, object);

	return close((int)(fds >> 32)) | close((int)(uint32_t)fds) ? wring_failed(c, "close", errno) : 0;
}

static void teardown(struct wring_wctx *c)
{
	struct pipes *p = wring_wdata(c);

	wring_slots_done(&p->slots);
	free(p->page);
}

static const struct wring_workload pipe_workload = {
	.name = "pipe",
	.summary = "pipe buffers: pipes that are full",
	.doc = "pipe2(), fcntl(F_SETPIPE_SZ) and write() until it is full. The pages are charged as kernel memory and are in no "
	       "other field of memory.stat; beside them a ring (kmalloc-cg-N), an inode (inode_cache), a dentry and two struct "
	       "file. An object is a pipe and takes two descriptors. Trap: fs.pipe-user-pages-soft silently makes an "
	       "unprivileged user's later pipes small; here F_SETPIPE_SZ then fails with EPERM.",
	.params = params,
	.size = sizeof(struct pipes),
	.setup = setup,
	.make = make,
	.drop = drop,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(pipe_workload);
