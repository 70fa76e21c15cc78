/* SPDX-License-Identifier: GPL-3.0-or-later */
/* file: page cache, in files of one chunk each on the load's filesystem, or in one that grows. Clean pages can
 * always be reclaimed; dirty ones only once they are written, and on tmpfs none. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

#define NODE_PAGES 64

enum kind { KIND_READ, KIND_WRITE, KIND_MMAP, KIND_APPEND };

struct file {
	unsigned kind; /* parameters */
	uint64_t chunk;
	bool sync;
	uint64_t *page;
	int append_fd;
};

static const struct wring_param params[] = {
	{ "kind", WRING_ENUM, offsetof(struct file, kind), .def = "write", .choices = "read|write|mmap|append",
	  .help = "how a chunk comes into the cache: read back from disk, written, written through a mapping, or appended to one file, "
		  "where dropping a chunk punches a hole" },
	{ "chunk", WRING_SIZE, offsetof(struct file, chunk), .def = "1M", .min = "4K", .max = "1G", .help = "bytes in one file" },
	{ "sync", WRING_BOOL, offsetof(struct file, sync), .def = "no", .help = "fsync() each chunk, so that clean pages are left" },
	{ 0 } };

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct file *f = wring_wdata(c);
	uint64_t pages = (f->chunk + wring_page_size() - 1) / wring_page_size(), bytes;
	struct statfs fs;

	f->append_fd = -1;
	if (fstatfs(wring_dirfd(c), &fs))
		return wring_err_set(err, -errno, "file: its filesystem: %s", strerror(errno));
	if (f->kind == KIND_READ && fs.f_type == TMPFS_MAGIC)
		return wring_err_set(err, -EINVAL, "file: kind=read needs a disk filesystem (`on`)");
	f->chunk = pages * wring_page_size();
	bytes = f->chunk + (pages + NODE_PAGES - 1) / NODE_PAGES * wring_slab_charge("radix_tree_node", 576);
	if (fs.f_type == EXT4_SUPER_MAGIC && f->kind != KIND_READ)
		bytes += f->chunk / (uint64_t)fs.f_bsize * wring_slab_charge("buffer_head", 104);
	if (f->kind != KIND_APPEND)
		bytes += wring_slab_charge("dentry", 192) +
			 wring_slab_charge(fs.f_type == TMPFS_MAGIC ? "shmem_inode_cache" : "ext4_inode_cache", 1100);
	f->page = malloc(wring_page_size());
	if (!f->page)
		return wring_err_set(err, -ENOMEM, "file: a page");
	wring_object(c, bytes, fs.f_type != TMPFS_MAGIC);
	return 0;
}

static void next_page(const struct file *f, uint64_t *state)
{
	for (uint64_t i = 0; i < wring_page_size() / sizeof(*f->page); i++)
		f->page[i] = wring_random(state);
}

static int write_chunk(const struct file *f, int fd, uint64_t at, uint64_t seed)
{
	uint64_t state = seed * 0x9e3779b97f4a7c15u | 1;

	for (uint64_t done = 0; done < f->chunk; done += wring_page_size()) {
		ssize_t n;

		next_page(f, &state);
		n = pwrite(fd, f->page, wring_page_size(), (off_t)(at + done));
		if (n != (ssize_t)wring_page_size())
			return n < 0 ? -errno : -ENOSPC;
	}
	return f->sync || f->kind == KIND_READ ? fsync(fd) ? -errno : 0 : 0;
}

static int read_chunk(const struct file *f, int fd)
{
	int r = -posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);

	for (uint64_t done = 0; done < f->chunk && !r; done += wring_page_size()) {
		ssize_t n = pread(fd, f->page, wring_page_size(), (off_t)done);

		if (n != (ssize_t)wring_page_size())
			r = n < 0 ? -errno : -EIO;
	}
	return r;
}

static int map_chunk(const struct file *f, int fd, uint64_t seed)
{
	uint64_t state = seed * 0x9e3779b97f4a7c15u | 1;
	char *map;
	int r = -posix_fallocate(fd, 0, (off_t)f->chunk); /* or a full disk would be SIGBUS */

	if (r)
		return r;
	map = mmap(NULL, f->chunk, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	for (uint64_t done = 0; done < f->chunk; done += wring_page_size()) {
		next_page(f, &state);
		memcpy(map + done, f->page, wring_page_size());
	}
	munmap(map, f->chunk);
	return f->sync && fsync(fd) ? -errno : 0;
}

static const char *name_of(uint64_t object, char *buf, size_t size)
{
	snprintf(buf, size, "f%llu", (unsigned long long)object);
	return buf;
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct file *f = wring_wdata(c);
	uint64_t seed = wring_seed(c) + object;
	char name[32];
	int fd, r;

	if (f->kind == KIND_APPEND) {
		if (f->append_fd < 0)
			f->append_fd = openat(wring_dirfd(c), "appended", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		return f->append_fd < 0 ? -errno : write_chunk(f, f->append_fd, object * f->chunk, seed);
	}
	fd = openat(wring_dirfd(c), name_of(object, name, sizeof(name)), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = f->kind == KIND_MMAP ? map_chunk(f, fd, seed) : write_chunk(f, fd, 0, seed);
	if (!r && f->kind == KIND_READ)
		r = read_chunk(f, fd);
	close(fd);
	if (r)
		unlinkat(wring_dirfd(c), name, 0);
	return r;
}

static int drop(struct wring_wctx *c, uint64_t object)
{
	struct file *f = wring_wdata(c);
	char name[32];

	if (f->kind != KIND_APPEND)
		return unlinkat(wring_dirfd(c), name_of(object, name, sizeof(name)), 0) ? -errno : 0;
	return fallocate(f->append_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(object * f->chunk), (off_t)f->chunk) ?
	       -errno : 0;
}

static void teardown(struct wring_wctx *c)
{
	struct file *f = wring_wdata(c);

	if (f->append_fd >= 0) {
		close(f->append_fd);
		unlinkat(wring_dirfd(c), "appended", 0);
	}
	free(f->page);
}

static const struct wring_workload file = {
	.name = "file",
	.summary = "page cache: chunks of files read, written, mapped or appended",
	.doc = "write: pwrite(); mmap: stores to a MAP_SHARED mapping, unmapped again; read: written, fsync(), POSIX_FADV_DONTNEED and "
	       "pread() again; append: pwrite() at the end of one file. `file`, and file_dirty until it is written back; in "
	       "slab_reclaimable 584 bytes for 64 pages (radix_tree_node), a buffer_head a block (ext4, not when read; a "
	       "small ext4 has blocks of 1 KB), inodes and "
	       "dentries. Reclaim may have clean pages at any time, dirty ones after writeback; on tmpfs they are shmem and stay. "
	       "The disk must have room for the footprint (ENOSPC).",
	.params = params,
	.size = sizeof(struct file),
	.setup = setup,
	.make = make,
	.drop = drop,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(file);
