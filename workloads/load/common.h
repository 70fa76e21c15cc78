/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What several workloads need: where the live objects are kept, and what an object is charged with. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "harness/api/workload.h"
#include "harness/base/err.h"

/* Values of the objects that live, oldest..next-1, in a ring that grows. Zeroed is empty. */
struct wring_slots {
	uint64_t *ring, size, first;
};
/* Where the value of an object is; NULL: no memory. Zero until it is written. */
uint64_t *wring_slot(struct wring_slots *s, uint64_t object);
/* The value of the oldest, which leaves the ring. */
uint64_t wring_slot_take(struct wring_slots *s, uint64_t object);
void wring_slots_done(struct wring_slots *s);

/* What memcg charges for one object of a slab cache: its size there and the pointer to its obj_cgroup. `fallback` is the size where
 * sysfs does not say; 0: a cache that not every kernel has, and then nothing. */
uint64_t wring_slab_charge(const char *cache, uint64_t fallback);
/* The same for kmalloc(bytes, GFP_KERNEL_ACCOUNT); whole pages above two of them. */
uint64_t wring_kmalloc_charge(uint64_t bytes);
/* The same for a new file, without its inode: struct file, its dentry if it has its own, its place in the descriptor table. */
uint64_t wring_fd_charge(bool has_dentry);

/* Its inode, in the cache of the filesystem behind fd. */
uint64_t wring_inode_charge(int fd);

/* What a failed system call returns: a limit of the set-up when its errno is `limit`, else the kernel's failure, counted. */
int wring_fails(struct wring_wctx *c, const char *call, int error, int limit, const char *remedy);

/* "ext4" and the like; the magic number too, if asked. */
const char *wring_fs_name(int fd, long *ret_magic);

/* A name in the dentry cache, looked up without disturbing it (a positive one counts as used once more); or -errno. */
enum wring_name { WRING_NAME_GONE, WRING_NAME_NEGATIVE, WRING_NAME_POSITIVE };
int wring_name_cached(int dir_fd, const char *name);

#define WRING_NOFILE_REMEDY "raise the limit of open files: ulimit -n, LimitNOFILE= or fs.nr_open; or lower the footprint"
#define WRING_FULL_REMEDY "the filesystem is full: make it larger, or lower the footprint"
/* As many open files as this process may have: fs.nr_open for who is allowed to, else the hard limit. */
int wring_raise_nofile(struct wring_err *err);
uint64_t wring_page_size(void);
/* Bytes that a page table of the lowest level maps, which is a huge page. */
uint64_t wring_pmd_size(void);
/* A number in a file of /proc or /sys. */
uint64_t wring_number_at(const char *path, uint64_t fallback);
/* xorshift; the state must not be 0. */
uint64_t wring_random(uint64_t *state);
/* Fills a page: once, before the start, since it takes as long as a system call. */
void wring_random_page(uint64_t *page, uint64_t seed);

/* An open schedule of so many operations a second: when, after its start, operation n is due, without adding up roundings. */
int64_t wring_due(uint64_t n, uint64_t rate);
/* The end of such a schedule: operations first, first + step, ... that were due before now and before end_ns and are not done are
 * dropped, and each has a latency of as long as it waited; without them the worst would be missing. */
void wring_undone(struct wring_wctx *c, int64_t start_ns, uint64_t rate, uint64_t first, uint64_t step, int64_t end_ns);
/* Sleeps until then (CLOCK_MONOTONIC). False: the harness wants the run to end, which it notices within 20 ms. */
bool wring_sleep_until(struct wring_wctx *c, int64_t ns);
