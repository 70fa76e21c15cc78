/* SPDX-License-Identifier: GPL-3.0-or-later */
/* inode: creates empty files and closes them. Each leaves a dentry and an inode that reclaim can have back once the inode is
 * clean; unless the file is kept open, and then never, although both count as reclaimable. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

enum kind { KIND_UNPINNED, KIND_PINNED };
enum churn { CHURN_REPLACE, CHURN_STAT, CHURN_ATTRIBUTE };

struct inode {
	unsigned kind, churn; /* parameters */
	uint64_t sync_every;
	bool keep;
	struct wring_slots slots; /* 1 + the number in the file's name, and above its 32 bits the descriptor */
	uint64_t kept;            /* churn=stat, attribute: dropped, for make() to take up again */
	uint64_t attributes;      /* set so far */
	bool releasing, on_tmpfs;
};

static const struct wring_param params[] = {
	{ "kind", WRING_ENUM, offsetof(struct inode, kind), .def = "unpinned", .choices = "unpinned|pinned",
	  .help = "pinned: the files stay open, and nothing of them can be reclaimed" },
	{ "churn", WRING_ENUM, offsetof(struct inode, churn), .def = "replace", .choices = "replace|stat|attribute",
	  .help = "while churning: unlink the oldest file and create one; stat the oldest file; or, with kind=pinned, give it another "
		  "extended attribute of nearly a block" },
	{ "sync-every", WRING_U64, offsetof(struct inode, sync_every), .def = "1000", .max = "100000000",
	  .help = "syncfs() after so many files, so that clean inodes are left; 0: never" },
	{ "keep", WRING_BOOL, offsetof(struct inode, keep), .def = "no", .help = "leave the files on disk at the end" },
	{ 0 } };

static int check(const void *data, struct wring_err *err)
{
	const struct inode *w = data;

	if (w->churn == CHURN_ATTRIBUTE && w->kind != KIND_PINNED)
		return wring_err_set(err, -EINVAL, "churn=attribute needs kind=pinned: it is set on open files");
	return 0;
}

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct inode *w = wring_wdata(c);
	uint64_t bytes = wring_slab_charge("dentry", 192) + wring_inode_charge(wring_dirfd(c));
	long magic;
	int r = w->kind == KIND_PINNED ? wring_raise_nofile(err) : 0;

	if (r)
		return r;
	wring_fs_name(wring_dirfd(c), &magic);
	w->on_tmpfs = magic == TMPFS_MAGIC;
	if (w->kind == KIND_PINNED)
		bytes += wring_fd_charge(false);
	wring_object(c, bytes, w->kind == KIND_UNPINNED && !w->on_tmpfs);
	return 0;
}

static const char *name_of(const struct wring_wctx *c, uint64_t value, char *buf, size_t size)
{
	snprintf(buf, size, "f%u-%u", wring_index(c), (uint32_t)value - 1);
	return buf;
}

static int create(struct wring_wctx *c, struct inode *w, uint64_t object, uint64_t *slot)
{
	char name[32];
	int fd = openat(wring_dirfd(c), name_of(c, object + 1, name, sizeof(name)), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EMFILE)
		return wring_limit(c, EMFILE, WRING_NOFILE_REMEDY);
	if (fd < 0)
		return wring_fails(c, "openat", errno, ENOSPC, "no inodes are left on the filesystem: make it larger, or lower the footprint");
	*slot = (uint32_t)(object + 1);
	if (w->kind == KIND_PINNED)
		*slot |= (uint64_t)fd << 32;
	else
		close(fd);
	if (w->sync_every && (object + 1) % w->sync_every == 0 && syncfs(wring_dirfd(c)))
		wring_failed(c, "syncfs", errno);
	return 0;
}

/* Too large for the inode, and like no other, so that it takes a block of its own. All that is allocated for it is so within a
 * handle of the journal (GFP_NOFS), and is page cache of the disk. */
static int set_attribute(struct wring_wctx *c, struct inode *w, int fd)
{
	char value[3072] = { 0 };
	struct statvfs fs;
	size_t size = sizeof(value);

	if (!fstatvfs(fd, &fs) && fs.f_bsize < 4096)
		size = 768; /* a block of 1K, with its headers */
	snprintf(value, sizeof(value), "%llu", (unsigned long long)++w->attributes);
	/* set again, it would be written to the block that it has; a freed one is not used again before the next commit */
	if (fremovexattr(fd, "user.wring") && errno != ENODATA)
		return wring_failed(c, "fremovexattr", errno);
	if (fsetxattr(fd, "user.wring", value, size, 0))
		return wring_fails(c, "fsetxattr", errno, ENOSPC, "no blocks are left on the filesystem: make it larger");
	return 0;
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct inode *w = wring_wdata(c);
	uint64_t *slot = wring_slot(&w->slots, object);
	struct stat st;
	char name[32];

	if (!slot)
		return -ENOMEM;
	w->releasing = false;
	if (!w->kept)
		return create(c, w, object, slot);
	/* taken up even if it fails: the file is there */
	if (w->churn == CHURN_ATTRIBUTE) {
		*slot = w->kept;
		w->kept = 0;
		return set_attribute(c, w, (int)(*slot >> 32));
	}
	if (fstatat(wring_dirfd(c), name_of(c, w->kept, name, sizeof(name)), &st, AT_SYMLINK_NOFOLLOW))
		return wring_failed(c, "newfstatat", errno);
	*slot = w->kept;
	w->kept = 0;
	return 0;
}

static int let_go(struct wring_wctx *c, struct inode *w, uint64_t value)
{
	char name[32];

	if (w->kind == KIND_PINNED)
		close((int)(value >> 32));
	if (w->keep) {
		if (w->on_tmpfs)
			wring_left(c, 1, (int64_t)(wring_slab_charge("dentry", 192) + wring_inode_charge(wring_dirfd(c))));
		return 0;
	}
	return unlinkat(wring_dirfd(c), name_of(c, value, name, sizeof(name)), 0) ? wring_failed(c, "unlinkat", errno) : 0;
}

static int drop(struct wring_wctx *c, uint64_t object)
{
	struct inode *w = wring_wdata(c);
	uint64_t value = wring_slot_take(&w->slots, object);

	if (w->churn != CHURN_REPLACE && !w->releasing && !w->kept) {
		w->kept = value;
		return 0;
	}
	/* two drops in a row are no churn */
	w->releasing = true;
	if (w->kept)
		let_go(c, w, w->kept);
	w->kept = 0;
	return let_go(c, w, value);
}

static int cached(struct wring_wctx *c, uint64_t object)
{
	struct inode *w = wring_wdata(c);
	char name[32];
	int r = wring_name_cached(wring_dirfd(c), name_of(c, *wring_slot(&w->slots, object), name, sizeof(name)));

	return r < 0 ? r : r == WRING_NAME_POSITIVE;
}

static void teardown(struct wring_wctx *c)
{
	struct inode *w = wring_wdata(c);

	if (w->kept)
		let_go(c, w, w->kept);
	wring_slots_done(&w->slots);
}

static const struct wring_workload inode = {
	.name = "inode",
	.summary = "inodes and dentries: creates empty files, and stats or unlinks them",
	.doc = "openat(O_CREAT) and close(). Slab caches dentry, ext4_inode_cache (or the filesystem's own), and, not in its "
	       "estimate, ext4_extent_status and jbd2_journal_head; all in slab_reclaimable, but tmpfs has its shmem_inode_cache "
	       "in slab_unreclaimable. The disk's blocks of inodes and directories are page cache. Dirty inodes cannot be "
	       "reclaimed: sync-every cleans them on the way. With kind=pinned, and on tmpfs, they cannot be reclaimed at all, "
	       "whatever they count as; a pinned one takes a descriptor. Churning is a storm of unlink() and create, or, with "
	       "churn=stat, of fstatat(), which reads back what was reclaimed, or, with churn=attribute, of fsetxattr(), whose blocks are "
	       "page cache allocated under GFP_NOFS; release is a storm of unlink(). The census asks "
	       "openat2(RESOLVE_CACHED) for the name, which counts as a use. With churn=stat or attribute and a single file, its release "
	       "waits for the end of the process.",
	.params = params,
	.size = sizeof(struct inode),
	.check = check,
	.setup = setup,
	.make = make,
	.drop = drop,
	.cached = cached,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(inode);
