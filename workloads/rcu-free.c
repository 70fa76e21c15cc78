/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rcu-free: bursts of objects that are made and freed at once, by call_rcu(): for the time of a grace period they
 * are charged although nobody has them, and reclaim finds nothing to take. Nothing is held. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

#define TARGETS 256
#define NAME_LENGTH 200
#define NAME_HEADER 24 /* struct external_name */
#define SEMAPHORE_BYTES 64 /* struct sem, a cache line */
#define SEM_ARRAY 3        /* struct sem_array, in such lines */
#define SETS 30000         /* at once; an IPC namespace has room for 32000 (SEMMNI) */

enum kind { KIND_EPOLL, KIND_RENAME, KIND_FD, KIND_SEMAPHORE };

struct rcu_free {
	unsigned kind; /* parameters */
	uint64_t burst, size;
	int targets[TARGETS];
	int *fds;
	uint64_t renames;
};

static const struct wring_param params[] = {
	{ "kind", WRING_ENUM, offsetof(struct rcu_free, kind), .def = "epoll", .choices = "epoll|dentry-rename|fd|semaphore",
	  .help = "items added to epolls and removed; a file renamed again and again, which frees a dentry and a long name each time; "
		  "pipes opened and closed, which frees their inodes; semaphore sets of `size` bytes made and removed" },
	{ "burst", WRING_U64, offsetof(struct rcu_free, burst), .def = "1000", .min = "1", .max = "1000000",
	  .help = "objects made and then freed in one go (semaphore: 30000 at a time)" },
	{ "size", WRING_SIZE, offsetof(struct rcu_free, size), .def = "256", .min = "256", .max = "1M",
	  .help = "semaphore: bytes of one object, so that the same bytes can be few large objects or many small ones" },
	{ 0 } };

static const char *name_of(const struct wring_wctx *c, uint64_t n, char *buf)
{
	int length = snprintf(buf, NAME_LENGTH + 1, "r%u-%llu-", wring_index(c), (unsigned long long)n);

	memset(buf + length, 'n', (size_t)(NAME_LENGTH - length));
	buf[NAME_LENGTH] = '\0';
	return buf;
}

static int setup_epoll(struct rcu_free *w)
{
	for (int i = 0; i < TARGETS; i++) {
		w->targets[i] = i ? fcntl(w->targets[0], F_DUPFD_CLOEXEC, 0) : eventfd(0, EFD_CLOEXEC);
		if (w->targets[i] < 0)
			return -errno;
	}
	return 0;
}

static int setup_rename(const struct wring_wctx *c)
{
	char name[NAME_LENGTH + 1];
	int fd = openat(wring_dirfd(c), name_of(c, 0, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : close(fd);
}

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct rcu_free *w = wring_wdata(c);
	uint64_t bytes, fds = w->kind == KIND_EPOLL ? w->burst / TARGETS + 1 : w->kind == KIND_SEMAPHORE ? SETS : 2 * w->burst;
	int r = wring_raise_nofile(err);

	if (r)
		return r;
	w->fds = malloc(fds * sizeof(*w->fds));
	if (!w->fds)
		return wring_err_set(err, -ENOMEM, "rcu-free: a burst of %llu", (unsigned long long)w->burst);
	if (w->kind == KIND_EPOLL) {
		bytes = wring_slab_charge("eventpoll_epi", 128) + wring_slab_charge("eventpoll_pwq", 72);
		r = setup_epoll(w);
	} else if (w->kind == KIND_RENAME) {
		bytes = wring_slab_charge("dentry", 192) + wring_kmalloc_charge(NAME_HEADER + NAME_LENGTH + 1);
		r = setup_rename(c);
	} else if (w->kind == KIND_SEMAPHORE) {
		bytes = wring_kmalloc_charge(w->size);
		r = unshare(CLONE_NEWIPC) ? -errno : 0;
	} else {
		bytes = wring_slab_charge("inode_cache", 600);
	}
	if (r)
		return wring_err_set(err, r, "rcu-free: what it works on: %s", strerror(-r));
	wring_object(c, bytes * w->burst, true);
	return 0;
}

static int burst_epoll(struct wring_wctx *c, const struct rcu_free *w)
{
	struct epoll_event e = { .events = EPOLLIN };
	uint64_t epolls = 0;
	int r = 0;

	for (uint64_t i = 0; i < w->burst && !r; i++) {
		if (i % TARGETS == 0) {
			w->fds[epolls] = epoll_create1(EPOLL_CLOEXEC);
			if (w->fds[epolls] < 0) {
				r = wring_fails(c, "epoll_create1", errno, EMFILE, WRING_NOFILE_REMEDY);
				break;
			}
			epolls++;
		}
		if (epoll_ctl(w->fds[epolls - 1], EPOLL_CTL_ADD, w->targets[i % TARGETS], &e))
			r = wring_fails(c, "epoll_ctl", errno, ENOSPC, "raise fs.epoll.max_user_watches, or lower the burst");
	}
	for (uint64_t i = 0; i < epolls; i++) {
		for (int k = 0; k < TARGETS; k++)
			if (epoll_ctl(w->fds[i], EPOLL_CTL_DEL, w->targets[k], NULL))
				break;
		close(w->fds[i]);
	}
	return r;
}

static int burst_rename(struct wring_wctx *c, struct rcu_free *w)
{
	char from[NAME_LENGTH + 1], to[NAME_LENGTH + 1];

	for (uint64_t i = 0; i < w->burst; i++) {
		if (renameat(wring_dirfd(c), name_of(c, w->renames, from), wring_dirfd(c), name_of(c, w->renames + 1, to)))
			return wring_fails(c, "renameat", errno, ENOSPC, WRING_FULL_REMEDY);
		w->renames++;
	}
	return 0;
}

static int burst_fd(struct wring_wctx *c, const struct rcu_free *w)
{
	uint64_t n = 0;
	int r = 0;

	for (; n < w->burst && !r; n++)
		if (pipe2(w->fds + 2 * n, O_CLOEXEC))
			r = wring_fails(c, "pipe2", errno, EMFILE, WRING_NOFILE_REMEDY);
	for (uint64_t i = 0; i < 2 * (r ? n - 1 : n); i++)
		close(w->fds[i]);
	return r;
}

static int burst_semaphore(struct wring_wctx *c, const struct rcu_free *w)
{
	int n_sems = (int)(w->size / SEMAPHORE_BYTES) - SEM_ARRAY, r = 0;

	for (uint64_t left = w->burst, n; left && !r; left -= n) {
		uint64_t want = left < SETS ? left : SETS;

		for (n = 0; n < want && !r; n += !r) {
			w->fds[n] = semget(IPC_PRIVATE, n_sems, 0600);
			if (w->fds[n] < 0)
				r = wring_fails(c, "semget", errno, ENOSPC, "the IPC namespace is full: lower size or burst");
		}
		for (uint64_t i = 0; i < n; i++)
			if (semctl(w->fds[i], 0, IPC_RMID) && !r)
				r = wring_failed(c, "semctl", errno);
	}
	return r;
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct rcu_free *w = wring_wdata(c);

	(void)object;
	switch (w->kind) {
	case KIND_EPOLL: return burst_epoll(c, w);
	case KIND_RENAME: return burst_rename(c, w);
	case KIND_SEMAPHORE: return burst_semaphore(c, w);
	default: return burst_fd(c, w);
	}
}

static void teardown(struct wring_wctx *c)
{
	struct rcu_free *w = wring_wdata(c);
	char name[NAME_LENGTH + 1];

	if (w->kind == KIND_RENAME)
		unlinkat(wring_dirfd(c), name_of(c, w->renames, name), 0);
	for (int i = 0; w->kind == KIND_EPOLL && i < TARGETS; i++)
		close(w->targets[i]);
	free(w->fds);
}

static const struct wring_workload rcu_free = {
	.name = "rcu-free",
	.summary = "bursts of objects freed by RCU: what is charged is nobody's until a grace period ends",
	.doc = "epoll: EPOLL_CTL_ADD and EPOLL_CTL_DEL, eventpoll_epi by kfree_rcu() (call_rcu() before 6.9); eventpoll_pwq at "
	       "once. dentry-rename: renameat() to a new name of 200 characters; dentry by call_rcu(), the old name "
	       "(kmalloc-rcl-256) by kfree_rcu(); on tmpfs and disk filesystems. fd: pipe2() and close(), inode_cache by "
	       "call_rcu(); struct file is not freed by RCU since 6.7. semaphore: semget() and IPC_RMID of sets in an IPC "
	       "namespace of its own, whose one allocation of `size` bytes (kmalloc-cg-N, whole pages above 8 KB) goes by "
	       "call_rcu(): burst=1000000 size=256 is many small objects, burst=250 size=1M the same bytes in few large ones. An "
	       "object is a burst, nothing of it is held, and the footprint is what is freed in all. Two descriptors an object "
	       "for fd (RLIMIT_NOFILE); for epoll fs.epoll.max_user_watches bounds the burst.",
	.params = params,
	.size = sizeof(struct rcu_free),
	.setup = setup,
	.make = make,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(rcu_free);
