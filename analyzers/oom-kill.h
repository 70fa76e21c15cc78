/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One OOM kill, and what the run says about it: the group, what it deliberately held, what came free afterwards. */
#pragma once
#include "analyzers/oom-report.h"
#include "analyzers/view.h"

/* The kernel log has a clock of its own, which was seen 40 ms ahead of the agent's at the end of a load. An aftermath takes longer
 * than this, and so does the next load until its kill. */
#define WRING_LOG_AHEAD_NS (100 * WRING_NSEC_PER_MSEC)

/* Of the step `aftermath`: each stage ends with a mark. */
enum wring_oom_stage { WRING_AFTER_LOAD, WRING_AFTER_BARRIER, WRING_AFTER_RECLAIM, WRING_AFTER_REMOUNT, WRING_OOM_STAGES };

struct wring_oom_kill {
	const struct wring_oom_report *o;
	char subject[256];    /* of the cgroup at its limit; "" when the run does not sample it, or the machine was the limit */
	int64_t usage, limit, threshold, ledger, clean_file, slab, dirty; /* bytes */
	int64_t reclaimable;  /* clean file + slab - ledger; with what was dirty, where that counts */
	bool dirty_counts;
	bool has_aftermath;
	int64_t freed[WRING_OOM_STAGES];
	int64_t total_freed;
	int stage;            /* that freed it, or -1 */
	enum wring_verdict verdict;
	const char *cls;
};

static inline int64_t wring_pos(int64_t v) { return v > 0 ? v : 0; }
static inline int64_t wring_min64(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t wring_max64(int64_t a, int64_t b) { return a > b ? a : b; }

/* Bytes at the kill, the group, and what its loads held. */
void wring_oom_kill_read(struct wring_view *v, struct wring_oom_kill *k);
/* The run's subject of a path in the kernel's report. */
bool wring_oom_subject(struct wring_view *v, const char *memcg, char *ret, size_t size);
/* What came free, stage by stage. */
void wring_oom_measure(struct wring_view *v, struct wring_oom_kill *k);

/* Does dirty memory speak against the kernel? Only if the disk went on, and a load like this on a disk in memory was killed too. */
bool wring_oom_dirty_counts(struct wring_view *v, const struct wring_oom_kill *kills, size_t n, const struct wring_oom_kill *k);
bool wring_oom_on_slow_disk(struct wring_view *v, const struct wring_oom_kill *k);

/* Several groups with different limits: what share of the loads was killed, and the smallest limit that survives. */
void wring_oom_sweep(struct wring_view *v, const char *detector, const struct wring_oom_kill *kills, size_t n);
