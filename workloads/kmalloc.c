/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kmalloc: plain kernel allocations that user space can hold: System V messages and semaphores, extended
 * attributes, keys. The trap: messages and semaphores outlive the process, so they are made in an IPC
 * namespace of its own, which goes with it even when it is killed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

#define MESSAGE_BYTES 2000
#define MESSAGE_HEADER 48     /* struct msg_msg */
#define QUEUE_BYTES 256       /* struct msg_queue */
#define SEMAPHORES 250
#define SEMAPHORE_BYTES 64    /* struct sem, a cache line each */
#define XATTR_BYTES 4000
#define XATTR_HEADER 40       /* struct simple_xattr */
#define XATTRS_PER_FILE 64
#define KEY_BYTES 4000

enum kind { KIND_MSGSND, KIND_XATTR, KIND_SEMGET, KIND_KEYCTL };

struct kmalloc {
	unsigned kind; /* parameters */
	bool namespace;
	struct wring_slots slots; /* queue, set, or key */
	uint64_t messages;        /* in a queue */
	uint64_t xattr_file;      /* the first that still exists */
	uint64_t xattr_next;
};

struct message {
	long type;
	char text[MESSAGE_BYTES];
};

static const struct wring_param params[] = {
	{ "kind", WRING_ENUM, offsetof(struct kmalloc, kind), .def = "msgsnd", .choices = "msgsnd|xattr|semget|keyctl",
	  .help = "queues full of 2000-byte messages; 4000-byte attributes of tmpfs files; sets of 250 semaphores; keys of 4000 bytes, "
		  "which are charged to nobody" },
	{ "namespace", WRING_BOOL, offsetof(struct kmalloc, namespace), .def = "yes",
	  .help = "msgsnd, semget: in an IPC namespace of its own, with the default limits, not those of kernel.msgmni and the like; "
		  "no: a killed process leaves its queues" },
	{ 0 } };

static int setup_ipc(struct wring_wctx *c, struct wring_err *err)
{
	struct kmalloc *k = wring_wdata(c);
	struct msginfo info;

	if (k->namespace && unshare(CLONE_NEWIPC))
		return wring_err_set(err, -errno, "kmalloc: an IPC namespace: %s (root can; or namespace=no)", strerror(errno));
	if (k->kind == KIND_SEMGET) {
		wring_object(c, wring_kmalloc_charge((SEMAPHORES + 3) * SEMAPHORE_BYTES), false);
		return 0;
	}
	if (msgctl(0, IPC_INFO, (struct msqid_ds *)(void *)&info) < 0)
		return wring_err_set(err, -errno, "kmalloc: limits of message queues: %s", strerror(errno));
	if (info.msgmax < MESSAGE_BYTES || info.msgmnb < MESSAGE_BYTES)
		return wring_err_set(err, -ENOSPC, "kmalloc: kernel.msgmax is %d and kernel.msgmnb %d, at least %d are needed", info.msgmax,
				     info.msgmnb, MESSAGE_BYTES);
	k->messages = (uint64_t)info.msgmnb / MESSAGE_BYTES;
	wring_object(c, k->messages * wring_kmalloc_charge(MESSAGE_HEADER + MESSAGE_BYTES) + wring_kmalloc_charge(QUEUE_BYTES), false);
	return 0;
}

static int setup_xattr(struct wring_wctx *c, struct wring_err *err)
{
	struct statfs fs;

	if (fstatfs(wring_dirfd(c), &fs))
		return wring_err_set(err, -errno, "kmalloc: its filesystem: %s", strerror(errno));
	if (fs.f_type != TMPFS_MAGIC)
		return wring_err_set(err, -EINVAL, "kmalloc: kind=xattr needs a tmpfs (`on`); others keep attributes on disk");
	wring_object(c, wring_kmalloc_charge(XATTR_HEADER + XATTR_BYTES) + wring_kmalloc_charge(sizeof("trusted.w00")) +
		     (wring_slab_charge("shmem_inode_cache", 776) + wring_slab_charge("dentry", 192)) / XATTRS_PER_FILE, false);
	return 0;
}

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct kmalloc *k = wring_wdata(c);

	if (k->kind == KIND_XATTR)
		return setup_xattr(c, err);
	if (k->kind != KIND_KEYCTL)
		return setup_ipc(c, err);
	if (syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1) < 0)
		return wring_err_set(err, -errno, "kmalloc: a keyring: %s", strerror(errno));
	/* nobody is charged, so nothing of it is in the ledger */
	wring_object(c, wring_kmalloc_charge(KEY_BYTES) + wring_slab_charge("key_jar", 256) - 2 * sizeof(void *), true);
	return 0;
}

static int fill_queue(struct wring_wctx *c, int queue, uint64_t messages, uint64_t seed)
{
	struct message m = { .type = 1 };

	memset(m.text, (int)(seed & 0xff), sizeof(m.text));
	for (uint64_t i = 0; i < messages; i++)
		if (msgsnd(queue, &m, sizeof(m.text), IPC_NOWAIT)) {
			int r = wring_fails(c, "msgsnd", errno, EAGAIN, "kernel.msgmnb has become smaller than it was at the start");

			msgctl(queue, IPC_RMID, NULL);
			return r;
		}
	return 0;
}

static void name_file(const struct wring_wctx *c, uint64_t n, char *buf, size_t size)
{
	snprintf(buf, size, "x%u-%llu", wring_index(c), (unsigned long long)n);
}

static int make_xattr(struct wring_wctx *c, uint64_t object)
{
	struct kmalloc *k = wring_wdata(c);
	char file[32], name[32], value[XATTR_BYTES];
	_cleanup_close_ int fd = -1;

	name_file(c, object / XATTRS_PER_FILE, file, sizeof(file));
	snprintf(name, sizeof(name), "trusted.w%02llu", (unsigned long long)(object % XATTRS_PER_FILE));
	fd = openat(wring_dirfd(c), file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return wring_fails(c, "openat", errno, ENOSPC, WRING_FULL_REMEDY);
	k->xattr_next = object / XATTRS_PER_FILE + 1;
	memset(value, 'x', sizeof(value));
	if (fsetxattr(fd, name, value, sizeof(value), XATTR_CREATE))
		return wring_fails(c, "fsetxattr", errno, ENOSPC, "attributes fill the tmpfs: make it larger, or lower the footprint");
	return 0;
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct kmalloc *k = wring_wdata(c);
	char name[48], payload[KEY_BYTES];
	const char *call = k->kind == KIND_KEYCTL ? "add_key" : k->kind == KIND_SEMGET ? "semget" : "msgget";
	uint64_t *slot;
	long id;
	int r;

	if (k->kind == KIND_XATTR)
		return make_xattr(c, object);
	slot = wring_slot(&k->slots, object);
	if (!slot)
		return -ENOMEM;
	if (k->kind == KIND_KEYCTL) {
		snprintf(name, sizeof(name), "wring:%u-%llu", wring_index(c), (unsigned long long)object);
		memset(payload, 'k', sizeof(payload));
		id = syscall(SYS_add_key, "user", name, payload, sizeof(payload), KEY_SPEC_PROCESS_KEYRING);
	} else {
		id = k->kind == KIND_SEMGET ? semget(IPC_PRIVATE, SEMAPHORES, 0600) : msgget(IPC_PRIVATE, 0600);
	}
	if (id < 0 && k->kind == KIND_KEYCTL)
		return wring_fails(c, call, errno, EDQUOT, "raise kernel.keys.root_maxbytes and kernel.keys.root_maxkeys (maxbytes and "
				   "maxkeys for who is not root), or lower the footprint");
	if (id < 0)
		return wring_fails(c, call, errno, ENOSPC, "the IPC namespace is full (32000 queues or sets by default): use more processes, "
				   "with namespace=no raise kernel.msgmni or kernel.sem, or lower the footprint");
	r = k->kind == KIND_MSGSND ? fill_queue(c, (int)id, k->messages, wring_seed(c) + object) : 0;
	if (!r)
		*slot = (uint64_t)id;
	return r;
}

static int drop_xattr(struct wring_wctx *c, uint64_t object)
{
	struct kmalloc *k = wring_wdata(c);
	char file[32], name[32];
	_cleanup_close_ int fd = -1;

	name_file(c, object / XATTRS_PER_FILE, file, sizeof(file));
	snprintf(name, sizeof(name), "trusted.w%02llu", (unsigned long long)(object % XATTRS_PER_FILE));
	fd = openat(wring_dirfd(c), file, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || fremovexattr(fd, name))
		return wring_failed(c, fd < 0 ? "openat" : "fremovexattr", errno);
	if (object % XATTRS_PER_FILE < XATTRS_PER_FILE - 1)
		return 0;
	k->xattr_file = object / XATTRS_PER_FILE + 1;
	return unlinkat(wring_dirfd(c), file, 0) ? wring_failed(c, "unlinkat", errno) : 0;
}

static int drop(struct wring_wctx *c, uint64_t object)
{
	struct kmalloc *k = wring_wdata(c);
	const char *call;
	int id, r;

	if (k->kind == KIND_XATTR)
		return drop_xattr(c, object);
	id = (int)wring_slot_take(&k->slots, object);
	switch (k->kind) {
	case KIND_MSGSND: call = "msgctl", r = msgctl(id, IPC_RMID, NULL); break;
	case KIND_SEMGET: call = "semctl", r = semctl(id, 0, IPC_RMID); break;
	default: call = "keyctl", r = (int)syscall(SYS_keyctl, KEYCTL_UNLINK, id, KEY_SPEC_PROCESS_KEYRING); break;
	}
	return r < 0 ? wring_failed(c, call, errno) : 0;
}

static void teardown(struct wring_wctx *c)
{
	struct kmalloc *k = wring_wdata(c);
	char file[32];

	for (uint64_t i = k->xattr_file; i < k->xattr_next; i++) {
		name_file(c, i, file, sizeof(file));
		unlinkat(wring_dirfd(c), file, 0);
	}
	wring_slots_done(&k->slots);
}

static const struct wring_workload kmalloc = {
	.name = "kmalloc",
	.summary = "kmalloc memory: System V messages, semaphores, attributes; keys, which nobody is charged with",
	.doc = "msgsnd: msgget() and msgsnd() of 2000 bytes until kernel.msgmnb is reached; caches msg_msg-2k (kmalloc-cg-2k "
	       "before 6.11), slab_unreclaimable. xattr: fsetxattr(trusted.) of 4000 bytes on tmpfs files, kmalloc-cg-4k, "
	       "slab_unreclaimable; not charged to anybody on 6.1; it stays until the file goes, also when the process is "
	       "killed. semget: 250 semaphores, whole pages that count in slab_unreclaimable. keyctl: add_key() of 4000 bytes, "
	       "kmalloc-4k, in no cgroup's charge, so that no limit contains it; root may have 25 MB of them "
	       "(kernel.keys.root_maxbytes; EDQUOT), and freed keys are collected later. An object is a queue, an attribute, a "
	       "set, a key. Trap: queues and sets outlive the process, so they are made in a new IPC namespace, which has its "
	       "default limits.",
	.params = params,
	.size = sizeof(struct kmalloc),
	.setup = setup,
	.make = make,
	.drop = drop,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(kmalloc);
