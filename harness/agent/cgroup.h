/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cgroup v2 below one directory of our own. Creation, limits and attributes go through libcgroup; what its version 2.0.2
 * cannot do is plain file I/O, with the reason beside it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "harness/base/err.h"

/* Where this host lets us build: the cgroup2 mount and the directory below it that is ours to use. */
struct wring_base {
	char *mount;      /* "/sys/fs/cgroup" */
	char *path;       /* relative to mount, "" for its root */
	bool delegated;   /* not the root: our own processes must leave it before it may have children with memory */
};
/* -EOPNOTSUPP, -EACCES or -ENOENT with one line that says what is missing and what to do about it. Changes nothing. */
int wring_base_find(struct wring_base *b, struct wring_err *err);
void wring_base_done(struct wring_base *b);

struct wring_tree;
/* Makes base/NAME with the memory controller on, for the scenarios' roots. NAME starts with "wring-". */
int wring_tree_new(const struct wring_base *b, const char *name, struct wring_tree **ret, struct wring_err *err);
/* Kills all in it, removes everything, undoes what was changed in base. NULL-safe. */
void wring_tree_free(struct wring_tree *t);
/* Whether that PID is a wring-agent that runs; a zombie does not, and another program may have the number by now. */
bool wring_agent_is_alive(int pid);
/* Removes what a dead wring left below base: directories wring-PID whose PID is gone. In a delegated base, processes that it
 * had moved to wring-PID-ctl (its recorder, which may be the caller) come back first. */
void wring_base_sweep(const struct wring_base *b);

/* group: "SCENARIO/work/leaf0", below the tree. Parents get +memory in cgroup.subtree_control. */
int wring_group_create(struct wring_tree *t, const char *group, struct wring_err *err);
/* A limit or attribute, "memory.max" = "64M". */
int wring_group_set(struct wring_tree *t, const char *group, const char *file, const char *value, struct wring_err *err);
/* Kills every process in it and below and waits until it is empty. */
int wring_group_kill(struct wring_tree *t, const char *group, int64_t deadline_ns, struct wring_err *err);
/* rmdir, children first; waits out -EBUSY until the deadline. */
int wring_group_remove(struct wring_tree *t, const char *group, int64_t deadline_ns, struct wring_err *err);
int wring_group_freeze(struct wring_tree *t, const char *group, bool on, int64_t deadline_ns, struct wring_err *err);
/* O_PATH-free directory descriptor for clone3(CLONE_INTO_CGROUP) and for reading; the caller closes it. -errno. */
int wring_group_dirfd(struct wring_tree *t, const char *group);
/* First number of a file; -errno when it cannot be read. "max" is INT64_MAX. */
int64_t wring_group_read(struct wring_tree *t, const char *group, const char *file);
/* Value of a key in a "key value" file; -errno. */
int64_t wring_group_read_key(struct wring_tree *t, const char *group, const char *file, const char *key);
/* One write to memory.reclaim; 0 or -errno of the write (-EAGAIN: not all was reclaimed). */
int wring_group_reclaim(struct wring_tree *t, const char *group, uint64_t bytes);
