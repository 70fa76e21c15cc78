/* SPDX-License-Identifier: GPL-3.0-or-later */
/* file: page cache, in files of one chunk each on the load's filesystem, or in one that grows. Clean pages can
 * always be reclaimed; dirty ones only once they are written, and on tmpfs none. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

#define NODE_PAGES 64

enum kind { KIND_READ, KIND_WRITE, KIND_MMAP, KIND_APPEND, KIND_SHARED };
enum churn { CHURN_REPLACE, CHURN_READ, CHURN_WRITE };

struct file {
	unsigned kind, churn; /* parameters */
	uint64_t chunk;
	bool sync, keep;
	uint64_t *page;
	struct wring_slots slots; /* 1 + the number in a file's name, or 1 + the offset in the file appended to */
	uint64_t kept;            /* unless churn=replace: dropped, for make() to take up again */
	bool releasing;
	bool on_tmpfs, stays_dirty;
	int append_fd;            /* or -1 */
};

static const struct wring_param params[] = {
	{ "kind", WRING_ENUM, offsetof(struct file, kind), .def = "write", .choices = "read|write|mmap|append|shared",
	  .help = "how a chunk comes into the cache: read back from disk, written, written through a mapping, appended to one file, "
		  "or to a file that all loads on the filesystem share, whatever their cgroup; dropping an appended chunk punches a hole" },
	{ "chunk", WRING_SIZE, offsetof(struct file, chunk), .def = "1M", .min = "4K", .max = "1G", .help = "bytes in one file" },
	{ "churn", WRING_ENUM, offsetof(struct file, churn), .def = "replace", .choices = "replace|read|write",
	  .help = "while churning: give the oldest chunk back and make a new one, read it again, or write it again" },
	{ "sync", WRING_BOOL, offsetof(struct file, sync), .def = "no", .help = "fsync() each chunk, so that clean pages are left" },
	{ "keep", WRING_BOOL, offsetof(struct file, keep), .def = "no", .help = "leave the files at the end" },
	{ 0 } };

static bool is_appended(const struct file *f) { return f->kind == KIND_APPEND || f->kind == KIND_SHARED; }

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct file *f = wring_wdata(c);
	uint64_t pages = (f->chunk + wring_page_size() - 1) / wring_page_size(), bytes;
	struct statfs fs;

	f->append_fd = -1;
	if (fstatfs(wring_dirfd(c), &fs))
		return wring_err_set(err, -errno, "file: its filesystem: %s", strerror(errno));
	f->on_tmpfs = fs.f_type == TMPFS_MAGIC;
	if (f->kind == KIND_READ && f->on_tmpfs)
		return wring_err_set(err, -EINVAL, "file: kind=read needs a disk filesystem (`on`)");
	if (f->kind == KIND_SHARED && pages > IOV_MAX)
		return wring_err_set(err, -EINVAL, "file: kind=shared appends a chunk with one system call: chunk=%llu, at most %llu",
				     (unsigned long long)f->chunk, (unsigned long long)IOV_MAX * (unsigned long long)wring_page_size());
	f->stays_dirty = !f->sync && f->kind != KIND_READ && !f->on_tmpfs;
	f->chunk = pages * wring_page_size();
	bytes = f->chunk + (pages + NODE_PAGES - 1) / NODE_PAGES * wring_slab_charge("radix_tree_node", 576);
	if (fs.f_type == EXT4_SUPER_MAGIC && f->kind != KIND_READ)
		bytes += f->chunk / (uint64_t)fs.f_bsize * wring_slab_charge("buffer_head", 104);
	if (!is_appended(f))
		bytes += wring_slab_charge("dentry", 192) + wring_inode_charge(wring_dirfd(c));
	f->page = malloc(wring_page_size());
	if (!f->page)
		return wring_err_set(err, -ENOMEM, "file: a page");
	wring_random_page(f->page, wring_seed(c));
	wring_object(c, bytes, !f->on_tmpfs);
	return 0;
}

/* ---- one chunk: at an offset of an open file ---- */

/* Random within a page, which is all that compression looks at, and each is unique. */
static void next_page(const struct file *f, uint64_t *state)
{
	f->page[0] = wring_random(state);
}

static int write_pages(struct wring_wctx *c, const struct file *f, int fd, uint64_t at, uint64_t *state)
{
	for (uint64_t done = 0; done < f->chunk; done += wring_page_size()) {
		ssize_t n;

		next_page(f, state);
		n = pwrite(fd, f->page, wring_page_size(), (off_t)(at + done));
		if (n != (ssize_t)wring_page_size())
			return wring_fails(c, "pwrite64", n < 0 ? errno : ENOSPC, ENOSPC, WRING_FULL_REMEDY);
	}
	return 0;
}

static int map_pages(struct wring_wctx *c, const struct file *f, int fd, uint64_t *state)
{
	char *map;
	int r = posix_fallocate(fd, 0, (off_t)f->chunk); /* or a full disk would be SIGBUS */

	if (r)
		return wring_fails(c, "fallocate", r, ENOSPC, WRING_FULL_REMEDY);
	map = mmap(NULL, f->chunk, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return wring_failed(c, "mmap", errno);
	for (uint64_t done = 0; done < f->chunk; done += wring_page_size()) {
		next_page(f, state);
		memcpy(map + done, f->page, wring_page_size());
	}
	munmap(map, f->chunk);
	return 0;
}

/* All pages with the same content, so that one call with the file's lock held appends them in one piece. */
static int append_pages(struct wring_wctx *c, const struct file *f, int fd, uint64_t *ret_at, uint64_t *state)
{
	size_t n = f->chunk / wring_page_size();
	struct iovec *iov = calloc(n, sizeof(*iov));
	ssize_t written;

	if (!iov)
		return -ENOMEM;
	next_page(f, state);
	for (size_t i = 0; i < n; i++)
		iov[i] = (struct iovec){ f->page, wring_page_size() };
	written = writev(fd, iov, (int)n);
	free(iov);
	if (written != (ssize_t)f->chunk)
		return wring_fails(c, "writev", written < 0 ? errno : ENOSPC, ENOSPC, WRING_FULL_REMEDY);
	*ret_at = (uint64_t)lseek(fd, 0, SEEK_CUR) - f->chunk;
	return 0;
}

static int read_pages(struct wring_wctx *c, const struct file *f, int fd, uint64_t at)
{
	for (uint64_t done = 0; done < f->chunk; done += wring_page_size()) {
		ssize_t n = pread(fd, f->page, wring_page_size(), (off_t)(at + done));

		if (n != (ssize_t)wring_page_size())
			return wring_failed(c, "pread64", n < 0 ? errno : EIO);
	}
	return 0;
}

/* New content for the chunk at *at; for kind=shared, *at is told. */
static int write_chunk(struct wring_wctx *c, const struct file *f, int fd, uint64_t *at, bool is_new, uint64_t seed)
{
	uint64_t state = seed * 0x9e3779b97f4a7c15u | 1;
	bool was_dirty = f->stays_dirty && !is_new;
	int r;

	if (!f->on_tmpfs && !was_dirty)
		wring_dirty(c, (int64_t)f->chunk);
	if (f->kind == KIND_MMAP)
		r = map_pages(c, f, fd, &state);
	else if (f->kind == KIND_SHARED && is_new)
		r = append_pages(c, f, fd, at, &state);
	else
		r = write_pages(c, f, fd, *at, &state);
	if (!r && (f->sync || f->kind == KIND_READ) && fsync(fd))
		r = wring_failed(c, "fsync", errno);
	if (!f->on_tmpfs && !was_dirty && (r || !f->stays_dirty))
		wring_dirty(c, -(int64_t)f->chunk);
	return r;
}

/* ---- objects ---- */

static const char *name_of(const struct wring_wctx *c, const struct file *f, uint64_t value, char *buf, size_t size)
{
	if (f->kind == KIND_SHARED)
		snprintf(buf, size, "../shared");
	else if (f->kind == KIND_APPEND)
		snprintf(buf, size, "appended%u", wring_index(c));
	else
		snprintf(buf, size, "f%u-%llu", wring_index(c), (unsigned long long)(value - 1));
	return buf;
}

static int open_chunk(struct wring_wctx *c, struct file *f, uint64_t value)
{
	char name[40];
	int fd = f->append_fd;

	if (fd < 0)
		fd = openat(wring_dirfd(c), name_of(c, f, value, name, sizeof(name)),
			    O_RDWR | O_CREAT | O_CLOEXEC | (f->kind == KIND_SHARED ? O_APPEND : 0), 0600);
	if (fd < 0)
		return wring_fails(c, "openat", errno, ENOSPC, WRING_FULL_REMEDY);
	if (is_appended(f))
		f->append_fd = fd;
	return fd;
}

static void close_chunk(const struct file *f, int fd)
{
	if (fd != f->append_fd)
		close(fd);
}

static uint64_t offset_of(const struct file *f, uint64_t value) { return is_appended(f) ? value - 1 : 0; }

static int make_new(struct wring_wctx *c, struct file *f, uint64_t object, uint64_t *slot)
{
	uint64_t value = f->kind == KIND_APPEND ? object * f->chunk + 1 : object + 1, at;
	int fd = open_chunk(c, f, value), r;
	char name[40];

	if (fd < 0)
		return fd;
	at = offset_of(f, value);
	r = write_chunk(c, f, fd, &at, true, wring_seed(c) + object);
	if (!r && f->kind == KIND_READ) {
		r = -posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		if (!r)
			r = read_pages(c, f, fd, at);
	}
	close_chunk(f, fd);
	if (!r)
		*slot = is_appended(f) ? at + 1 : value;
	else if (!is_appended(f))
		unlinkat(wring_dirfd(c), name_of(c, f, value, name, sizeof(name)), 0);
	return r;
}

/* O_APPEND makes Linux ignore the offset of pwrite(), so it is off meanwhile. */
static int use_again(struct wring_wctx *c, struct file *f, uint64_t seed)
{
	uint64_t at = offset_of(f, f->kept);
	int fd = open_chunk(c, f, f->kept), r;

	if (fd < 0)
		return fd;
	if (f->churn == CHURN_READ) {
		r = read_pages(c, f, fd, at);
	} else {
		if (f->kind == KIND_SHARED)
			fcntl(fd, F_SETFL, 0);
		r = write_chunk(c, f, fd, &at, false, seed);
		if (f->kind == KIND_SHARED)
			fcntl(fd, F_SETFL, O_APPEND);
	}
	close_chunk(f, fd);
	return r;
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct file *f = wring_wdata(c);
	uint64_t *slot = wring_slot(&f->slots, object);
	int r;

	if (!slot)
		return -ENOMEM;
	f->releasing = false;
	if (!f->kept)
		return make_new(c, f, object, slot);
	r = use_again(c, f, wring_seed(c) + object);
	if (!r) {
		*slot = f->kept;
		f->kept = 0;
	}
	return r;
}

static int let_go(struct wring_wctx *c, const struct file *f, uint64_t value)
{
	char name[40];

	if (f->keep) {
		if (f->on_tmpfs)
			wring_left(c, 1, (int64_t)f->chunk);
		return 0;
	}
	if (f->stays_dirty)
		wring_dirty(c, -(int64_t)f->chunk);
	if (!is_appended(f))
		return unlinkat(wring_dirfd(c), name_of(c, f, value, name, sizeof(name)), 0) ? wring_failed(c, "unlinkat", errno) : 0;
	return fallocate(f->append_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset_of(f, value), (off_t)f->chunk) ?
	       wring_failed(c, "fallocate", errno) : 0;
}

static int drop(struct wring_wctx *c, uint64_t object)
{
	struct file *f = wring_wdata(c);
	uint64_t value = wring_slot_take(&f->slots, object);

	if (f->churn != CHURN_REPLACE && !f->releasing && !f->kept) {
		f->kept = value;
		return 0;
	}
	/* two drops in a row are no churn */
	f->releasing = true;
	if (f->kept)
		let_go(c, f, f->kept);
	f->kept = 0;
	return let_go(c, f, value);
}

static int cached(struct wring_wctx *c, uint64_t object)
{
	struct file *f = wring_wdata(c);
	uint64_t value = *wring_slot(&f->slots, object), pages = f->chunk / wring_page_size(), there = 0;
	_cleanup_free_ unsigned char *in_core = malloc(pages);
	int fd = open_chunk(c, f, value), r = 0;
	void *map;

	if (fd < 0 || !in_core)
		return fd < 0 ? fd : -ENOMEM;
	map = mmap(NULL, f->chunk, PROT_READ, MAP_SHARED, fd, (off_t)offset_of(f, value));
	if (map == MAP_FAILED || mincore(map, f->chunk, in_core))
		r = -errno;
	if (map != MAP_FAILED)
		munmap(map, f->chunk);
	close_chunk(f, fd);
	for (uint64_t i = 0; i < pages && !r; i++)
		there += in_core[i] & 1;
	return r ? r : 2 * there >= pages;
}

static void teardown(struct wring_wctx *c)
{
	struct file *f = wring_wdata(c);
	char name[40];

	if (f->kept)
		let_go(c, f, f->kept);
	if (f->append_fd >= 0) {
		close(f->append_fd);
		if (!f->keep)
			unlinkat(wring_dirfd(c), name_of(c, f, 0, name, sizeof(name)), 0);
	}
	wring_slots_done(&f->slots);
	free(f->page);
}

static const struct wring_workload file = {
	.name = "file",
	.summary = "page cache: chunks of files read, written, mapped or appended",
	.doc = "write: pwrite(); mmap: stores to a MAP_SHARED mapping, unmapped again; read: written, fsync(), "
	       "POSIX_FADV_DONTNEED and pread() again; append: pwrite() at the end of one file; shared: writev(O_APPEND) to the "
	       "file `shared` in the root of the mount, together with every other load that does so: the way to dying memcgs. "
	       "`file`, and file_dirty until it is written back; in slab_reclaimable 584 bytes for 64 pages (radix_tree_node), a "
	       "buffer_head a block (ext4, not when read; a small ext4 has blocks of 1 KB), inodes and dentries. Reclaim may "
	       "have clean pages at any time, dirty ones after writeback; on tmpfs they are shmem and stay. What was written and "
	       "not synced is in the ledger as dirty until it is dropped. While churning a chunk may be read or written again "
	       "instead of replaced; then, with a single chunk, its release waits for the end of the process. The census calls a "
	       "chunk cached when mincore() sees half of it or more; it opens the file, which brings a name back that was "
	       "reclaimed, but no page. The disk must have room for the footprint (ENOSPC), and sync=no at memory.max needs "
	       "writeback to keep up.",
	.params = params,
	.size = sizeof(struct file),
	.setup = setup,
	.make = make,
	.drop = drop,
	.cached = cached,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(file);
