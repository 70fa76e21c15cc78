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
	uint64_t files, sync_every; /* parameters */
	bool keep;
	uint64_t object_bytes, made;
};

static const struct wring_param params[] = {
	{ "files", WRING_U64, offsetof(struct inode, files), .def = "10000", .min = "1", .max = "100000000",
	  .help = "files to create" },
	{ "sync-every", WRING_U64, offsetof(struct inode, sync_every), .def = "1000", .max = "100000000",
	  .help = "syncfs() after so many files, so that clean inodes are left; 0: never" },
	{ "keep", WRING_BOOL, offsetof(struct inode, keep), .def = "no", .help = "leave the files on disk at the end" },
	{ 0 } };

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct inode *w = wring_wdata(c);

	(void)err;
	w->object_bytes = wring_slab_bytes("dentry", 192) + wring_slab_bytes("ext4_inode_cache", 1100);
	return 0;
}

static int run(struct wring_wctx *c, struct wring_err *err)
{
	struct inode *w = wring_wdata(c);
	char name[32];

	for (uint64_t i = 0; i < w->files && !wring_should_stop(c); i++) {
		int fd;

		snprintf(name, sizeof(name), "f%llu", (unsigned long long)i);
		fd = openat(wring_dirfd(c), name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		wring_ops(c, 1);
		if (fd < 0 && (errno == ENOSPC || errno == EEXIST))
			return wring_err_set(err, -errno, "inode: creating file %s: %s", name, strerror(errno));
		if (fd < 0) {
			wring_failed(c, errno);
			continue;
		}
		close(fd);
		w->made = i + 1;
		wring_made(c, 1, w->object_bytes);
		if (w->sync_every && w->made % w->sync_every == 0)
			syncfs(wring_dirfd(c));
	}
	return 0;
}

static void teardown(struct wring_wctx *c)
{
	struct inode *w = wring_wdata(c);
	char name[32];

	for (uint64_t i = 0; i < w->made && !w->keep; i++) {
		snprintf(name, sizeof(name), "f%llu", (unsigned long long)i);
		unlinkat(wring_dirfd(c), name, 0);
	}
}

static const struct wring_workload inode = {
	.name = "inode",
	.summary = "inodes and dentries: creates empty files",
	.doc = "openat(O_CREAT) and close(). Slab caches dentry, ext4_inode_cache (or the filesystem's own), "
	       "ext4_extent_status, jbd2_journal_head. Dirty inodes cannot be reclaimed: sync-every cleans them on the way.",
	.params = params,
	.size = sizeof(struct inode),
	.setup = setup,
	.run = run,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(inode);
