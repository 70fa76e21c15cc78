/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dentry: names in the dentry cache and nothing else. Negative ones come from looking up what does not exist, positive ones from
 * many links to one file, so that there is no inode for each. Nobody holds them: memory that reclaim can always have back,
 * after one RCU grace period. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

/* Names that do not fit in the dentry (DNAME_INLINE_LEN: 40 bytes, 32 in 6.1) live in a kmalloc object
 * behind a 24-byte header. */
#define INLINE_NAME 39
#define NAME_HEADER 24

enum kind { KIND_NEGATIVE, KIND_POSITIVE };

struct dentry {
	unsigned kind; /* parameters */
	uint64_t name_length;
	bool shared;
	char target[32]; /* kind=positive: what the names are links to; empty: none yet */
};

static const struct wring_param params[] = {
	{ "kind", WRING_ENUM, offsetof(struct dentry, kind), .def = "negative", .choices = "negative|positive",
	  .help = "lookups of names that do not exist, or links to one file" },
	{ "name-length", WRING_U64, offsetof(struct dentry, name_length), .def = "200", .min = "24", .max = "255",
	  .help = "characters in a name; from 40 up it is allocated apart" },
	{ "shared", WRING_BOOL, offsetof(struct dentry, shared), .def = "no",
	  .help = "the same negative names for all loads on the filesystem: who comes first is charged, the others use them" },
	{ 0 } };

#define SEED_DIGITS 16
#define OBJECT_DIGITS 8

static void put_hex(char *at, unsigned digits, uint64_t v)
{
	for (; digits--; v >>= 4)
		at[digits] = "0123456789abcdef"[v & 15];
}

enum { NAME_SIZE = sizeof("../") + 255 };

/* By hand: formatting takes a tenth of the time of the lookup. */
static void make_name(struct wring_wctx *c, char *name, uint64_t i)
{
	const struct dentry *d = wring_wdata(c);

	if (d->shared)
		name = stpcpy(name, "../");
	put_hex(name, SEED_DIGITS, d->shared ? 0 : wring_seed(c));
	put_hex(name + SEED_DIGITS, OBJECT_DIGITS, i);
	memset(name + SEED_DIGITS + OBJECT_DIGITS, 'n', d->name_length - SEED_DIGITS - OBJECT_DIGITS);
	name[d->name_length] = '\0';
}

/* Whether a failed lookup leaves anything behind is the filesystem's choice, so it is tried. Reclaim may take the one name away
 * between the two calls, but not every time. */
static int check_negative(struct wring_wctx *c, struct wring_err *err)
{
	struct stat st;
	char name[32];
	int r = WRING_NAME_GONE;

	for (int i = 0; i < 5 && r == WRING_NAME_GONE; i++) {
		snprintf(name, sizeof(name), "probe%u-%d", wring_index(c), i);
		if (!fstatat(wring_dirfd(c), name, &st, AT_SYMLINK_NOFOLLOW) || errno != ENOENT)
			return wring_err_set(err, -EIO, "dentry: looking up a missing name: %s", errno ? strerror(errno) : "found");
		r = wring_name_cached(wring_dirfd(c), name);
	}
	if (r == WRING_NAME_GONE)
		return wring_err_set(err, -EOPNOTSUPP, "dentry: this filesystem (%s) keeps no negative dentries: use ext4 or xfs",
				     wring_fs_name(wring_dirfd(c), NULL));
	return 0; /* a kernel before 5.12 cannot tell */
}

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct dentry *d = wring_wdata(c);
	bool is_pinned = d->kind == KIND_POSITIVE;
	long magic;
	int r = d->kind == KIND_NEGATIVE ? check_negative(c, err) : 0;

	if (r)
		return r;
	if (d->shared && d->kind != KIND_NEGATIVE)
		return wring_err_set(err, -EINVAL, "dentry: shared=yes: only negative names can be shared, not kind=positive");
	wring_fs_name(wring_dirfd(c), &magic);
	is_pinned = is_pinned && (magic == TMPFS_MAGIC || magic == RAMFS_MAGIC);
	wring_object(c, wring_slab_charge("dentry", 192) +
		     (d->name_length > INLINE_NAME ? wring_kmalloc_charge(NAME_HEADER + d->name_length + 1) : 0), !is_pinned);
	return 0;
}

/* A file has room for so many links (65000 on ext4): then comes the next file. */
static int make_link(struct wring_wctx *c, struct dentry *d, const char *name)
{
	int fd;

	for (;;) {
		if (*d->target) {
			if (!linkat(wring_dirfd(c), d->target, wring_dirfd(c), name, 0))
				return 0;
			if (errno != EMLINK)
				return wring_fails(c, "linkat", errno, ENOSPC, WRING_FULL_REMEDY);
			unlinkat(wring_dirfd(c), d->target, 0);
		}
		snprintf(d->target, sizeof(d->target), "target%u", wring_index(c));
		fd = openat(wring_dirfd(c), d->target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0) {
			*d->target = '\0';
			return wring_fails(c, "openat", errno, ENOSPC, WRING_FULL_REMEDY);
		}
		close(fd);
	}
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct dentry *d = wring_wdata(c);
	struct stat st;
	char name[NAME_SIZE];

	make_name(c, name, object);
	if (d->kind == KIND_POSITIVE)
		return make_link(c, d, name);
	if (!fstatat(wring_dirfd(c), name, &st, AT_SYMLINK_NOFOLLOW))
		return -EEXIST;
	return errno == ENOENT ? 0 : wring_failed(c, "newfstatat", errno);
}

/* What stays of a name that is unlinked is a negative dentry: as large as it was. */
static int drop(struct wring_wctx *c, uint64_t object)
{
	struct dentry *d = wring_wdata(c);
	char name[NAME_SIZE];

	if (d->kind == KIND_NEGATIVE)
		return 0;
	make_name(c, name, object);
	return unlinkat(wring_dirfd(c), name, 0) ? wring_failed(c, "unlinkat", errno) : 0;
}

static int cached(struct wring_wctx *c, uint64_t object)
{
	char name[NAME_SIZE];
	int r;

	make_name(c, name, object);
	r = wring_name_cached(wring_dirfd(c), name);
	return r < 0 ? r : r != WRING_NAME_GONE;
}

static void teardown(struct wring_wctx *c)
{
	struct dentry *d = wring_wdata(c);

	if (*d->target)
		unlinkat(wring_dirfd(c), d->target, 0);
}

static const struct wring_workload dentry = {
	.name = "dentry",
	.summary = "dentries: lookups of names that do not exist, or links to one file",
	.doc = "negative: fstatat() of unique missing names. tmpfs, ramfs, proc and sysfs keep no negative dentries, which is "
	       "found out before the start: use ext4 or xfs. positive: linkat() to one file (the next one when it has its "
	       "65000), dropped with unlinkat(), which leaves a negative dentry. Slab caches dentry and, for names of 40 bytes "
	       "(32 in 6.1) and more, kmalloc-rcl-N: 200 and 264 bytes; both are in slab_reclaimable, and freed by RCU. The "
	       "directory of positive names is page cache of the disk, so `file` grows too: by up to twice the length of the "
	       "name. Nothing is held, but for positive ones on tmpfs, which stay until they are unlinked. The census asks "
	       "openat2(RESOLVE_CACHED); a positive name counts as used once more. At a memory.max the call fails with ENOMEM or "
	       "the process is killed only if reclaim failed it.",
	.params = params,
	.size = sizeof(struct dentry),
	.setup = setup,
	.make = make,
	.drop = drop,
	.cached = cached,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(dentry);
