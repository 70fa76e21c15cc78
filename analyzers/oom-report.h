/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's reports of OOM kills, out of log lines (mm/oom_kill.c dump_header() and
 * mm/memcontrol.c mem_cgroup_print_oom_meminfo(), as of 6.1, where memory.stat is one record of
 * many lines, and of 6.6 and later, where it is one record a line). Pure: text in, reports out. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wring_oom_report {
	int64_t t_ns;             /* of the line "X invoked oom-killer" */
	char task[64];            /* X */
	char gfp[200];            /* "0xcc0(GFP_KERNEL)" */
	bool may_enter_fs;        /* __GFP_FS is in it, or it could not be read */
	int order;
	bool is_memcg;            /* killed for a limit of a cgroup, not for the whole machine */
	bool is_global;           /* for the whole machine: the numbers are pages, and there is no limit */
	bool by_write;            /* somebody wrote memory.max below the usage */
	bool has_group;           /* memory.oom.group: one report, many victims */
	int64_t usage, limit;     /* bytes of the cgroup at its limit; -1 when not seen */
	/* memory.stat of that cgroup in bytes; -1 when not seen */
	int64_t anon, file, shmem, file_dirty, file_writeback, active_file, inactive_file;
	int64_t slab_reclaimable, slab_unreclaimable, kernel;
	char oom_memcg[512],
		task_memcg[512]; /* paths from the root of the hierarchy; "" when not seen */
	size_t n_victims;
};

struct wring_oom_reports {
	struct wring_oom_report *rows;
	size_t n;
	size_t unreported;        /* memcg kills without a report: the rate limit of printk */
	size_t global;            /* kills for the whole machine */
	bool oom;                 /* memory ran out while parsing */
	bool is_open;             /* the last row still takes lines */
	bool in_stats;            /* ... of its memory.stat */
};

/* One record of the log (prefixes and several lines in it are fine). */
void wring_oom_feed(struct wring_oom_reports *r, int64_t t_ns, const char *record);
void wring_oom_done(struct wring_oom_reports *r);
/* Enough to judge: limit, page cache and slab are known. */
bool wring_oom_complete(const struct wring_oom_report *r);
/* Page cache that needs no I/O to go: neither dirty, nor under writeback, nor shmem, nor
 * unevictable. */
int64_t wring_oom_clean_file(const struct wring_oom_report *r);
