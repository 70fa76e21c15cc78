/* SPDX-License-Identifier: GPL-3.0-or-later */
/* inode: creates empty files and closes them. Each leaves a dentry and an inode that reclaim can have back once
 * the inode is clean. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"

struct inode {
	uint64_t sync_every;
	bool keep;
};

static const struct wring_param params[] = {
	{ "sync-every", WRING_U64, offsetof(struct inode, sync_every), .def = "1000", .max = "100000000",
	  .help = "syncfs() after so many files, so that clean inodes are left; 0: never" },
	{ "keep", WRING_BOOL, offsetof(struct inode, keep), .def = "no", .help = "leave the files on disk at the end" },
	{ 0 } };

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	(void)err;
	wring_object(c, wring_slab_bytes("dentry", 192) + wring_slab_bytes("ext4_inode_cache", 1100), true);
	return 0;
}

static const char *name_of(uint64_t object, char *buf, size_t size)
{
	snprintf(buf, size, "f%llu", (unsigned long long)object);
	return buf;
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct inode *w = wring_wdata(c);
	char name[32];
	int fd = openat(wring_dirfd(c), name_of(object, name, sizeof(name)), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	if (w->sync_every && (object + 1) % w->sync_every == 0)
		syncfs(wring_dirfd(c));
	return 0;
}

static int drop(struct wring_wctx *c, uint64_t object)
{
	struct inode *w = wring_wdata(c);
	char name[32];

	if (w->keep)
		return 0;
	return unlinkat(wring_dirfd(c), name_of(object, name, sizeof(name)), 0) ? -errno : 0;
}

static const struct wring_workload inode = {
	.name = "inode",
	.summary = "inodes and dentries: creates empty files",
	.doc = "openat(O_CREAT) and close(). Slab caches dentry, ext4_inode_cache (or the filesystem's own), "
	       "ext4_extent_status, jbd2_journal_head. Dirty inodes cannot be reclaimed: sync-every cleans them on the way.",
	.params = params,
	.size = sizeof(struct inode),
	.setup = setup,
	.make = make,
	.drop = drop,
};
WRING_REGISTER_WORKLOAD(inode);
