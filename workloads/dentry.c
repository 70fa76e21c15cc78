/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dentry: looks up names that do not exist. Each leaves a negative dentry, which nobody holds: memory that
 * reclaim can always have back, after one RCU grace period. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"

/* Names that do not fit in the dentry (fs/dcache.c, DNAME_INLINE_LEN: 40 bytes, fewer on older kernels) live in
 * a kmalloc object behind a 24-byte header. */
#define INLINE_NAME 39
#define NAME_HEADER 24

struct dentry {
	uint64_t name_length;
};

static const struct wring_param params[] = {
	{ "name-length", WRING_U64, offsetof(struct dentry, name_length), .def = "200", .min = "24", .max = "255",
	  .help = "characters in a name; from 40 up it is allocated apart" },
	{ 0 } };

static void make_name(struct wring_wctx *c, char *name, size_t length, uint64_t i)
{
	size_t n = (size_t)snprintf(name, length + 1, "%016llx%06llx", (unsigned long long)wring_seed(c),
				    (unsigned long long)i);

	memset(name + n, 'n', length - n);
	name[length] = '\0';
}

static uint64_t kmalloc_bytes(uint64_t bytes)
{
	uint64_t size = 8;

	while (size < bytes)
		size *= 2;
	return bytes > 64 && bytes <= 96 ? 96 : bytes > 128 && bytes <= 192 ? 192 : size;
}

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct dentry *d = wring_wdata(c);
	struct stat st;

	if (fstat(wring_dirfd(c), &st))
		return wring_err_set(err, -errno, "dentry: its directory: %s", strerror(errno));
	wring_object(c, wring_slab_bytes("dentry", 192) +
		     (d->name_length > INLINE_NAME ? kmalloc_bytes(NAME_HEADER + d->name_length + 1) : 0), true);
	return 0;
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct dentry *d = wring_wdata(c);
	struct stat st;
	char name[256];

	make_name(c, name, d->name_length, object);
	if (!fstatat(wring_dirfd(c), name, &st, AT_SYMLINK_NOFOLLOW))
		return -EEXIST;
	return errno == ENOENT ? 0 : -errno;
}

static const struct wring_workload dentry = {
	.name = "dentry",
	.summary = "negative dentries: lookups of names that do not exist",
	.doc = "fstatat() of unique missing names. Slab caches dentry and, for names of 40 bytes and more, kmalloc-rcl-N; both "
	       "are in slab_reclaimable. Nothing is held. tmpfs, ramfs, proc and sysfs keep no negative dentries: use a disk "
	       "filesystem. At a memory.max the lookup fails with ENOMEM or the process is killed only if reclaim failed it.",
	.params = params,
	.size = sizeof(struct dentry),
	.setup = setup,
	.make = make,
};
WRING_REGISTER_WORKLOAD(dentry);
