/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A workload makes one kind of memory. One file in workloads/ defines one const struct; its options, help and
 * stored parameters come from the table. It runs in wring-load, a fresh process inside its cgroup, one
 * per process of the load, and never sees samplers, cgroups or the store. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "harness/api/registry.h"
#include "harness/base/err.h"
#include "harness/base/param.h"

struct wring_wctx;

struct wring_workload {
	const char *name, *summary;
	const char *doc;                  /* system calls, caches, bytes an object, traps */
	const struct wring_param *params; /* offsets are into the workload's own struct */
	size_t size;                      /* of that struct; zeroed, then filled with the defaults */
	/* A program that it starts, found in PATH, and the Debian package that has it. Taken into a guest; NULL: none. */
	const char *program, *package;
	/* Of all options together, before anything is started; may be NULL. */
	int (*check)(const void *data, struct wring_err *err);
	/* Whatever cannot be done on this machine (-EOPNOTSUPP of setup or run) makes the run a skip. */
	int (*setup)(struct wring_wctx *c, struct wring_err *err);    /* before the start barrier; may be NULL */
	/* Either objects, numbered from 0: the runner fills up to the footprint, churns (drops the oldest, makes a new one) at the
	 * rate, and releases, all when the harness says so. Both return 0 or -errno of the system call. */
	int (*make)(struct wring_wctx *c, uint64_t object);
	int (*drop)(struct wring_wctx *c, uint64_t object);           /* NULL: nothing is held */
	/* Is the object still cached? 1, 0, or -errno; asking must not disturb it (openat2(2) with RESOLVE_CACHED, mincore(2)).
	 * The step `census` asks for every object made and not dropped. NULL: cannot be told. */
	int (*cached)(struct wring_wctx *c, uint64_t object);
	/* or all by itself, until done or wring_should_stop(). */
	int (*run)(struct wring_wctx *c, struct wring_err *err);
	void (*teardown)(struct wring_wctx *c);                       /* may be NULL */
};
#define WRING_REGISTER_WORKLOAD(w) WRING_REGISTER(workload, w)
WRING_REGISTRY(workload)
const struct wring_workload *wring_workload_find(const char *name);

/* Its own options, then those that every workload of objects has (workloads/load/objects.c): footprint, objects, rate. */
int wring_workload_check(const struct wring_workload *w, const char *name, const char *value, struct wring_err *err);
/* All that were given, NAME, VALUE, ... , and what they are together. */
int wring_workload_check_all(const struct wring_workload *w, const char *const *given, size_t n, struct wring_err *err);
void wring_workload_help(const struct wring_workload *w, FILE *out);

/* What a workload may use of its surroundings. */
/* In setup(): bytes that one object charges, and whether they can be reclaimed while it lives (then it is not in the ledger). */
void wring_object(struct wring_wctx *c, uint64_t bytes, bool reclaimable);
void *wring_wdata(struct wring_wctx *c);        /* its own struct */
int wring_dirfd(const struct wring_wctx *c);    /* an empty directory of this process on the load's filesystem */
unsigned wring_index(const struct wring_wctx *c); /* 0.. among the load's processes */
uint64_t wring_seed(const struct wring_wctx *c);  /* differs between processes, the same for the same run seed */
bool wring_should_stop(struct wring_wctx *c);   /* the harness wants the run to end */
void wring_ops(struct wring_wctx *c, uint64_t n);
/* A system call failed in a way the kernel under test is answerable for (ENOMEM, EIO, ...): counted by call and errno.
 * call: its name, at most 15 characters. Returns -error, for make() and drop() to return; a failure of theirs that was not
 * counted so is counted under the workload's name. */
int wring_failed(struct wring_wctx *c, const char *call, int error);
/* Not the kernel's failure but a limit of the set-up (descriptors, pids, room on the disk): nothing is counted, the fill ends at
 * once, and its error says how far it came and the remedy, a string constant. Returns -error too. */
int wring_limit(struct wring_wctx *c, int error, const char *remedy);
/* One operation took so long. The runner times make() by itself; a workload with `run` says what it wants to be known. */
void wring_latency(struct wring_wctx *c, int64_t ns);
/* So many did, at once. */
void wring_latencies(struct wring_wctx *c, int64_t ns, uint64_t n);
/* Of one operation, the time in which it waited for something other than a CPU. */
void wring_slept(struct wring_wctx *c, int64_t ns);
/* Payload that arrived where it was meant to (goodput), and units that were lost on the way. */
void wring_moved(struct wring_wctx *c, uint64_t bytes);
void wring_dropped(struct wring_wctx *c, uint64_t n);
void wring_made(struct wring_wctx *c, uint64_t objects, uint64_t bytes);
/* The ledger: what is deliberately pinned from now on; negative numbers let go. */
void wring_held(struct wring_wctx *c, int64_t objects, int64_t bytes);
/* The ledger too: written and not yet known to be on the device; handed to the kernel and not yet received. Negative: no more. */
void wring_dirty(struct wring_wctx *c, int64_t bytes);
void wring_inflight(struct wring_wctx *c, int64_t bytes);
/* The same for what stays when the process is gone (files on tmpfs, descriptors given away). */
void wring_left(struct wring_wctx *c, int64_t objects, int64_t bytes);
/* Give a descriptor to the harness, which keeps it open, outside the cgroup, until the scenario's end. */
int wring_give_fd(struct wring_wctx *c, int fd);
