/* SPDX-License-Identifier: GPL-3.0-or-later */
/* long-syscall: one system call that allocates a lot and comes back to user mode only when it is done. The trap: what is
 * charged is seen in no counter of this load until then, and a signal does not end it before, except one that kills. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define FILE_NAME "long"
#define PARTS 1024 /* UIO_MAXIOV: of one call */

enum kind { KIND_READV, KIND_SENDMMSG, KIND_PIPE, KIND_POPULATE };

struct long_syscall {
	unsigned kind; /* parameters */
	uint64_t batch, buffer, calls;
	size_t part;   /* bytes */
	char *data;    /* of one part: all the same memory */
	char *map;     /* of the last call */
	struct iovec *iov;
	struct mmsghdr *messages;
	int fd, peer;
};

static const struct wring_param params[] = {
	{ "kind", WRING_ENUM, offsetof(struct long_syscall, kind), .def = "readv", .choices = "readv|sendmmsg|pipe|populate",
	  .help = "page cache, which can be reclaimed; messages in a UNIX stream, or a pipe, which cannot; anonymous "
		  "memory" },
	{ "batch", WRING_SIZE, offsetof(struct long_syscall, batch), .def = "64M", .min = "1M", .max = "1G", .help = "bytes of one call" },
	{ "buffer", WRING_SIZE, offsetof(struct long_syscall, buffer), .def = "0", .max = "512M",
	  .help = "sendmmsg, pipe: room for so much, after which the call sleeps, for ever; 0: for all of it" },
	{ "calls", WRING_U64, offsetof(struct long_syscall, calls), .def = "1", .min = "1", .max = "1000000", .help = "calls" },
	{ 0 } };

static int open_file(struct wring_wctx *c, struct long_syscall *l)
{
	/* A hole: read as any other file, and no time is lost on a disk. */
	l->fd = openat(wring_dirfd(c), FILE_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return l->fd < 0 || ftruncate(l->fd, (off_t)l->batch) ? -errno : 0;
}

static void close_fds(struct long_syscall *l)
{
	if (l->fd >= 0)
		close(l->fd);
	if (l->peer >= 0)
		close(l->peer);
	l->fd = l->peer = -1;
}

static int open_pair(struct long_syscall *l)
{
	int pair[2], room = (int)((l->buffer ? l->buffer : 2 * l->batch) / 2); /* the kernel doubles it */

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	l->fd = pair[0];
	l->peer = pair[1];
	return setsockopt(l->fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) ? -errno : 0;
}

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct long_syscall *l = wring_wdata(c);
	int r = 0;

	l->fd = l->peer = -1;
	l->part = l->batch / PARTS;
	l->batch = l->part * PARTS;
	l->data = calloc(1, l->part);
	l->iov = calloc(PARTS, sizeof(*l->iov));
	l->messages = calloc(PARTS, sizeof(*l->messages));
	if (!l->data || !l->iov || !l->messages)
		return wring_err_set(err, -ENOMEM, "long-syscall: out of memory");
	memset(l->data, 'l', l->part);
	for (size_t i = 0; i < PARTS; i++) {
		l->iov[i] = (struct iovec){ l->data, l->part };
		l->messages[i].msg_hdr.msg_iov = &l->iov[i];
		l->messages[i].msg_hdr.msg_iovlen = 1;
	}
	if (l->kind == KIND_READV)
		r = open_file(c, l);
	return r ? wring_err_set(err, r, "long-syscall: the file to read: %s", strerror(-r)) : 0;
}

static int call_readv(struct wring_wctx *c, struct long_syscall *l)
{
	if (posix_fadvise(l->fd, 0, 0, POSIX_FADV_DONTNEED))
		return wring_failed(c, "fadvise", EIO);
	return preadv(l->fd, l->iov, PARTS, 0) != (ssize_t)l->batch ? wring_failed(c, "preadv", errno) : 0;
}

static int call_sendmmsg(struct wring_wctx *c, struct long_syscall *l)
{
	int r, n;

	close_fds(l);
	r = open_pair(l);
	if (r)
		return r;
	n = sendmmsg(l->fd, l->messages, PARTS, MSG_NOSIGNAL);
	if (n != PARTS)
		return wring_failed(c, "sendmmsg", errno);
	return 0;
}

static int call_pipe(struct wring_wctx *c, struct long_syscall *l)
{
	int pair[2];

	close_fds(l);
	if (pipe2(pair, O_CLOEXEC))
		return wring_failed(c, "pipe2", errno);
	l->peer = pair[0];
	l->fd = pair[1];
	if (fcntl(l->fd, F_SETPIPE_SZ, (int)(l->buffer ? l->buffer : l->batch)) < 0)
		return wring_failed(c, "fcntl", errno);
	return writev(l->fd, l->iov, PARTS) != (ssize_t)l->batch ? wring_failed(c, "writev", errno) : 0;
}

static int call_populate(struct wring_wctx *c, struct long_syscall *l)
{
	char *map = mmap(NULL, l->batch, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return wring_failed(c, "mmap", errno);
	/* huge pages are another workload */
	if (madvise(map, l->batch, MADV_NOHUGEPAGE) && errno != EINVAL)
		return -errno;
	if (l->map)
		munmap(l->map, l->batch);
	l->map = map;
	return madvise(map, l->batch, MADV_POPULATE_WRITE) ? wring_failed(c, "madvise", errno) : 0;
}

static int run(struct wring_wctx *c, struct wring_err *err)
{
	static int (*const calls[])(struct wring_wctx *, struct long_syscall *) = {
		[KIND_READV] = call_readv, [KIND_SENDMMSG] = call_sendmmsg, [KIND_PIPE] = call_pipe, [KIND_POPULATE] = call_populate,
	};
	struct long_syscall *l = wring_wdata(c);

	for (uint64_t i = 0; i < l->calls && !wring_should_stop(c); i++) {
		int64_t start = wring_now_ns();
		int r = calls[l->kind](c, l);

		wring_latency(c, wring_now_ns() - start);
		if (r)
			return wring_err_set(err, r, "long-syscall: call %llu: %s", (unsigned long long)i, strerror(-r));
		wring_ops(c, 1);
		wring_made(c, 1, l->batch);
	}
	return 0;
}

static void teardown(struct wring_wctx *c)
{
	struct long_syscall *l = wring_wdata(c);

	close_fds(l);
	if (l->kind == KIND_READV)
		unlinkat(wring_dirfd(c), FILE_NAME, 0);
	free(l->data);
	free(l->iov);
	free(l->messages);
}

static const struct wring_workload long_syscall = {
	.name = "long-syscall",
	.summary = "one system call that allocates very much before it comes back",
	.doc = "readv: preadv() of a sparse file in 1024 parts: clean page cache, which can be reclaimed. sendmmsg: 1024 messages to a "
	       "UNIX stream that nobody reads: `kernel`, most of it pages beyond slab, which cannot be reclaimed; it needs "
	       "SO_SNDBUFFORCE (CAP_NET_ADMIN). pipe: writev() of 1024 parts into a pipe that is as large (CAP_SYS_RESOURCE): single pages, "
	       "`kernel` too. With a buffer smaller than the batch the call sleeps in the kernel until it is killed. "
	       "populate: madvise(MADV_POPULATE_WRITE), 5.14: anonymous memory without a return to user mode for any of its pages. "
	       "Whatever the kernel does only when a task returns to user mode is not done meanwhile. ops, made and latency come when "
	       "the call has ended.",
	.params = params,
	.size = sizeof(struct long_syscall),
	.setup = setup,
	.run = run,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(long_syscall);
