/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fd: what stands behind open descriptors. Many are needed: 16 MB of them are about 40 thousand, so RLIMIT_NOFILE
 * decides how far it goes; epoll items are the exception, since every epoll can watch the same files. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

#define TARGETS 256

enum kind { KIND_EPOLL, KIND_EVENTFD, KIND_TIMERFD, KIND_FILE };

struct fds {
	unsigned kind; /* parameter */
	struct wring_slots slots; /* descriptors; for epoll of the epolls, by object / TARGETS */
	int targets[TARGETS];
};

static const struct wring_param params[] = {
	{ "kind", WRING_ENUM, offsetof(struct fds, kind), .def = "epoll", .choices = "epoll|eventfd|timerfd|file",
	  .help = "items of epolls that all watch the same 256 descriptors; eventfds; timerfds; opens of /dev/null" },
	{ 0 } };

static int setup_epoll(struct wring_wctx *c, struct wring_err *err)
{
	struct fds *f = wring_wdata(c);

	for (int i = 0; i < TARGETS; i++) {
		f->targets[i] = i ? fcntl(f->targets[0], F_DUPFD_CLOEXEC, 0) : eventfd(0, EFD_CLOEXEC);
		if (f->targets[i] < 0)
			return wring_err_set(err, -errno, "fd: files to watch: %s", strerror(errno));
	}
	wring_object(c, wring_slab_charge("eventpoll_epi", 128) + wring_slab_charge("eventpoll_pwq", 72) +
		     wring_fd_charge(true) / TARGETS, false);
	return 0;
}

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct fds *f = wring_wdata(c);
	int r = wring_raise_nofile(err);

	if (r)
		return r;
	if (f->kind == KIND_EPOLL)
		return setup_epoll(c, err);
	wring_object(c, wring_fd_charge(f->kind != KIND_FILE), false);
	return 0;
}

static int make_item(struct wring_wctx *c, struct fds *f, uint64_t object)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = object };
	uint64_t *slot = wring_slot(&f->slots, object / TARGETS);
	int epoll;

	if (!slot)
		return -ENOMEM;
	if (!*slot) {
		epoll = epoll_create1(EPOLL_CLOEXEC);
		if (epoll < 0)
			return wring_fails(c, "epoll_create1", errno, EMFILE, WRING_NOFILE_REMEDY);
		*slot = (uint64_t)epoll;
	}
	if (epoll_ctl((int)*slot, EPOLL_CTL_ADD, f->targets[object % TARGETS], &e))
		return wring_fails(c, "epoll_ctl", errno, ENOSPC, "raise fs.epoll.max_user_watches, or lower the footprint");
	return 0;
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct fds *f = wring_wdata(c);
	const char *call;
	uint64_t *slot;
	int fd;

	if (f->kind == KIND_EPOLL)
		return make_item(c, f, object);
	slot = wring_slot(&f->slots, object);
	if (!slot)
		return -ENOMEM;
	switch (f->kind) {
	case KIND_EVENTFD: call = "eventfd2", fd = eventfd(0, EFD_CLOEXEC); break;
	case KIND_TIMERFD: call = "timerfd_create", fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC); break;
	default: call = "openat", fd = open("/dev/null", O_RDONLY | O_CLOEXEC); break;
	}
	if (fd < 0)
		return wring_fails(c, call, errno, EMFILE, WRING_NOFILE_REMEDY);
	*slot = (uint64_t)fd;
	return 0;
}

static int drop(struct wring_wctx *c, uint64_t object)
{
	struct fds *f = wring_wdata(c);
	uint64_t *slot;

	if (f->kind != KIND_EPOLL)
		return close((int)wring_slot_take(&f->slots, object)) ? wring_failed(c, "close", errno) : 0;
	slot = wring_slot(&f->slots, object / TARGETS);
	if (epoll_ctl((int)*slot, EPOLL_CTL_DEL, f->targets[object % TARGETS], NULL))
		return wring_failed(c, "epoll_ctl", errno);
	if (object % TARGETS < TARGETS - 1)
		return 0;
	return close((int)wring_slot_take(&f->slots, object / TARGETS)) ? wring_failed(c, "close", errno) : 0;
}

static void teardown(struct wring_wctx *c)
{
	struct fds *f = wring_wdata(c);

	for (int i = 0; f->kind == KIND_EPOLL && i < TARGETS; i++)
		close(f->targets[i]);
	wring_slots_done(&f->slots);
}

static const struct wring_workload fd_workload = {
	.name = "fd",
	.summary = "objects behind descriptors: epoll items, eventfds, timerfds, open files",
	.doc = "epoll: epoll_ctl(EPOLL_CTL_ADD) of 256 copies of one descriptor in as many epolls as it takes; caches "
	       "eventpoll_epi and eventpoll_pwq; freed by RCU; the limit is fs.epoll.max_user_watches (ENOSPC). eventfd and "
	       "timerfd: filp and dentry; eventfd_ctx (kmalloc-64) and timerfd_ctx (kmalloc-256) are not charged to anybody. "
	       "file: open() of /dev/null, filp alone. All in slab_unreclaimable but the dentries, which are in slab_reclaimable "
	       "although they cannot be reclaimed. The descriptor table is charged too, 8 bytes an entry, and grows by doubling. "
	       "Needs RLIMIT_NOFILE, which root has raised to fs.nr_open and others to its hard limit; beyond it is EMFILE.",
	.params = params,
	.size = sizeof(struct fds),
	.setup = setup,
	.make = make,
	.drop = drop,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(fd_workload);
