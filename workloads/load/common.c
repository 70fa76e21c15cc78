/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "workloads/load/common.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "harness/api/loadproto.h"
#include "harness/base/units.h"
#include "harness/base/util.h"

uint64_t *wring_slot(struct wring_slots *s, uint64_t object)
{
	uint64_t size = s->size ? s->size : 512, *ring;

	while (object - s->first >= size)
		size *= 2;
	if (size != s->size) {
		ring = calloc(size, sizeof(*ring));
		if (!ring)
			return NULL;
		for (uint64_t i = s->first; s->size && i < s->first + s->size; i++)
			ring[i & (size - 1)] = s->ring[i & (s->size - 1)];
		free(s->ring);
		s->ring = ring;
		s->size = size;
	}
	return &s->ring[object & (s->size - 1)];
}

uint64_t wring_slot_take(struct wring_slots *s, uint64_t object)
{
	uint64_t *slot = &s->ring[object & (s->size - 1)], value = *slot;

	*slot = 0;
	s->first = object + 1;
	return value;
}

void wring_slots_done(struct wring_slots *s)
{
	free(s->ring);
	memset(s, 0, sizeof(*s));
}

uint64_t wring_number_at(const char *path, uint64_t fallback)
{
	_cleanup_free_ char *text = NULL;
	uint64_t v;

	return wring_read_line(AT_FDCWD, path, &text) || wring_parse_u64(text, 0, INT64_MAX, &v, NULL) ? fallback : v;
}

uint64_t wring_slab_charge(const char *cache, uint64_t fallback)
{
	char path[128];
	uint64_t size;

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/slab_size", cache);
	size = wring_number_at(path, fallback);
	return size ? size + sizeof(void *) : 0;
}

uint64_t wring_kmalloc_charge(uint64_t bytes)
{
	uint64_t size = 8;

	while (size < bytes)
		size *= 2;
	if (size > 2 * wring_page_size())
		return size;
	if (bytes > 64 && bytes <= 96)
		size = 96;
	if (bytes > 128 && bytes <= 192)
		size = 192;
	return size + sizeof(void *);
}

uint64_t wring_fd_charge(bool has_dentry)
{
	return wring_slab_charge("filp", 256) + (has_dentry ? wring_slab_charge("dentry", 192) : 0) + sizeof(void *);
}

static const struct {
	long magic;
	const char *name, *inodes;
	uint64_t bytes;
} filesystems[] = {
	{ TMPFS_MAGIC, "tmpfs", "shmem_inode_cache", 776 },
	{ EXT4_SUPER_MAGIC, "ext4", "ext4_inode_cache", 1096 },
	{ XFS_SUPER_MAGIC, "xfs", "xfs_inode", 1024 },
	{ BTRFS_SUPER_MAGIC, "btrfs", "btrfs_inode", 1100 },
	{ RAMFS_MAGIC, "ramfs", "inode_cache", 600 },
	{ OVERLAYFS_SUPER_MAGIC, "overlay", "ovl_inode", 700 },
	{ 0, "unknown", "inode_cache", 600 },
};

static size_t filesystem(int fd)
{
	struct statfs fs;
	size_t i = 0;

	if (fstatfs(fd, &fs))
		fs.f_type = 0;
	while (filesystems[i].magic && filesystems[i].magic != (long)fs.f_type)
		i++;
	return i;
}

const char *wring_fs_name(int fd, long *ret_magic)
{
	size_t i = filesystem(fd);

	if (ret_magic)
		*ret_magic = filesystems[i].magic;
	return filesystems[i].name;
}

uint64_t wring_inode_charge(int fd)
{
	size_t i = filesystem(fd);

	return wring_slab_charge(filesystems[i].inodes, filesystems[i].bytes);
}

int wring_fails(struct wring_wctx *c, const char *call, int error, int limit, const char *remedy)
{
	return error == limit ? wring_limit(c, error, remedy) : wring_failed(c, call, error);
}

int wring_name_cached(int dir_fd, const char *name)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_CACHED };
	int fd = (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));

	if (fd >= 0) {
		close(fd);
		return WRING_NAME_POSITIVE;
	}
	return errno == ENOENT ? WRING_NAME_NEGATIVE : errno == EAGAIN ? WRING_NAME_GONE : -errno;
}

int wring_raise_nofile(struct wring_err *err)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l))
		return wring_err_set(err, -errno, "the limit of open files: %s", strerror(errno));
	l.rlim_max = wring_number_at("/proc/sys/fs/nr_open", l.rlim_max);
	l.rlim_cur = l.rlim_max;
	if (!setrlimit(RLIMIT_NOFILE, &l))
		return 0;
	if (getrlimit(RLIMIT_NOFILE, &l))
		return wring_err_set(err, -errno, "the limit of open files: %s", strerror(errno));
	l.rlim_cur = l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l))
		return wring_err_set(err, -errno, "raising the limit of open files: %s", strerror(errno));
	return 0;
}

uint64_t wring_page_size(void) { return (uint64_t)sysconf(_SC_PAGESIZE); }

uint64_t wring_pmd_size(void)
{
	return wring_number_at("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", wring_page_size() * wring_page_size() / 8);
}

uint64_t wring_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

void wring_random_page(uint64_t *page, uint64_t seed)
{
	uint64_t state = seed * 0x9e3779b97f4a7c15u | 1;

	for (uint64_t i = 0; i < wring_page_size() / sizeof(*page); i++)
		page[i] = wring_random(&state);
}

int64_t wring_due(uint64_t n, uint64_t rate)
{
	return (int64_t)(n / rate * WRING_NSEC_PER_SEC + n % rate * WRING_NSEC_PER_SEC / rate);
}

void wring_undone(struct wring_wctx *c, int64_t start_ns, uint64_t rate, uint64_t first, uint64_t step, int64_t end_ns)
{
	int64_t now = wring_now_ns(), until = now < end_ns ? now : end_ns, wait;

	while ((wait = now - start_ns - wring_due(first, rate)) > now - until) {
		uint64_t n = 1, more = 1;

		/* There may be millions, and the process is to end: those behind that fall into the same bucket, in leaps. */
		while (more) {
			int64_t next = now - start_ns - wring_due(first + (n + more - 1) * step, rate);

			if (next > now - until && wring_latency_bucket((uint64_t)next) == wring_latency_bucket((uint64_t)wait)) {
				n += more;
				more *= 2;
			} else {
				more /= 2;
			}
		}
		wring_latencies(c, wait, n);
		wring_dropped(c, n);
		first += n * step;
	}
}

bool wring_sleep_until(struct wring_wctx *c, int64_t ns)
{
	while (!wring_should_stop(c)) {
		int64_t now = wring_now_ns(), until = now + 20 * WRING_NSEC_PER_MSEC;
		struct timespec ts;

		if (now >= ns)
			return true;
		if (until > ns)
			until = ns;
		ts.tv_sec = until / WRING_NSEC_PER_SEC;
		ts.tv_nsec = until % WRING_NSEC_PER_SEC;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	}
	return false;
}
