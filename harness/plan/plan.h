/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scenario files. A scenario is one text file (inih's INI dialect) that says what is built, run, sampled and
 * judged; docs/scenario-format.md describes it. Parsed scenarios do not change afterwards. The same code
 * reads the file on the command line's side and the resolved text (wring_scenario_print()) in the agent. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "harness/base/err.h"

#define WRING_MAX_ARGS 6

struct wring_setting { char *key, *value; int line; };
struct wring_settings { struct wring_setting *rows; size_t n; };

struct wring_group {
	char *path;                  /* below the scenario's own root: "work", "work/leaf"; with count > 1 the
	                              * directories are path0, path1, ... Only its last part is ever numbered: a
	                              * child of a numbered group names one directory ("work0/leaf"). Parents
	                              * come before their children. */
	uint64_t count;
	struct wring_settings files; /* cgroup files to write, in order: memory.max = 64M */
	bool deferred;               /* created by the step `create`, not at the start */
	int line;
};
struct wring_load {
	char *name, *workload, *group, *cpu_nodes, *mem_nodes; /* node lists "0" "0-1", NULL: anywhere */
	char *mem_policy;            /* of mem_nodes: bind interleave preferred; NULL: bind */
	                             /* group may be "." (the root, also the default) or one directory "work3" */
	uint64_t procs;              /* one process in each of the group's directories times procs */
	uint64_t threads;            /* in each process */
	struct wring_settings params; /* a value of several lines is joined by '\n' */
	int line, workload_line;
};
struct wring_mount {
	char *name, *type;               /* ext4 xfs tmpfs */
	uint64_t size_bytes, bps, iops;  /* of a slow disk: bytes and requests a second; 0: as fast as it is */
	int line;
};
struct wring_sample {
	char *sampler;
	char **subjects; size_t n_subjects; /* groups or single directories, "." for the root group */
	bool caches;                 /* the subjects are slab caches, not groups */
	uint64_t interval_ns;               /* 0: only at marks */
	int line;
};
struct wring_step {
	const struct wring_verb *verb;
	char *args[WRING_MAX_ARGS]; size_t n_args;
	int line;
};
struct wring_phase { char *name; uint64_t repeat; struct wring_step *steps; size_t n; int line; };

struct wring_scenario {
	char *name, *file;
	char *summary, *claim, *healthy, *sick, *thread; /* NULL when not said; multi-line text joined by '\n' */
	char **suites; size_t n_suites;
	char **needs; size_t n_needs;
	char **detectors; size_t n_detectors;
	char **primary; size_t n_primary;    /* names of primary metrics, at most 5 */
	uint64_t timeout_ns;
	struct wring_settings params;        /* ${key} in any value is replaced by these; --set changes them */
	struct wring_settings param_help;    /* same keys */
	struct wring_settings param_long;    /* values of the long form, of some of them */
	struct wring_settings limits;        /* [limits] detector.key = value: a detector's own limits */
	struct wring_settings sysctls;       /* [sysctl] */
	struct wring_mount *mounts; size_t n_mounts;
	struct wring_group *groups; size_t n_groups;
	struct wring_load *loads; size_t n_loads;
	struct wring_sample *samples; size_t n_samples;
	struct wring_phase *phases; size_t n_phases;
	char **carry; size_t n_carry;        /* host files taken into a guest, as /carry/BASENAME */
	int suites_line, needs_line, detectors_line, primary_line, carry_line; /* 0 when not said */
};

enum wring_verb_id {
	WRING_STEP_MARK, WRING_STEP_HOLD, WRING_STEP_CREATE, WRING_STEP_REMOVE, WRING_STEP_KILL, WRING_STEP_FREEZE,
	WRING_STEP_THAW, WRING_STEP_SET, WRING_STEP_START, WRING_STEP_WAIT, WRING_STEP_CHURN, WRING_STEP_RELEASE, WRING_STEP_CENSUS,
	WRING_STEP_STOP, WRING_STEP_RECLAIM,
	WRING_STEP_DRAIN, WRING_STEP_RCU_BARRIER, WRING_STEP_SYNC, WRING_STEP_REMOUNT, WRING_STEP_SETTLE,
	WRING_STEP_AFTERMATH, WRING_STEP_SYSCTL, WRING_STEP_SYSRQ, WRING_STEP_MODULE,
};
struct wring_verb {
	const char *name; enum wring_verb_id id;
	size_t min_args, max_args;
	const char *args, *help;
	/* One letter an argument, the last one also for those behind it: g group, G group but not ".", l load,
	 * m mount, d duration, s size, n name, f cgroup file, k sysctl key, c one letter or digit, t text without
	 * blanks, r the rest of the line. */
	const char *kinds;
};
const struct wring_verb *wring_verbs(size_t *n);

#define WRING_TIMEOUT_DEFAULT_NS (60 * 1000000000ULL)
#define WRING_INTERVAL_DEFAULT_NS (100 * 1000000ULL)

/* text: the file's content; name: where it came from, for messages ("file:line: ..."); set: "KEY=VALUE" params that
 * replace defaults (an unknown KEY is an error). Returns -EINVAL with one line naming file, line, value and what is
 * accepted. */
int wring_scenario_parse(const char *name, const char *text, const struct wring_setting *set, size_t n_set,
			 struct wring_scenario **ret, struct wring_err *err);
void wring_scenario_free(struct wring_scenario *s);
/* Resolved text: parameters replaced, defaults written out; parses back to the same scenario. */
void wring_scenario_print(const struct wring_scenario *s, FILE *out);
/* The serial of a mount's disk in a guest, at most 20 bytes: the nth of its type and speed. NULL: it has no disk. On the heap. */
char *wring_mount_serial(const struct wring_scenario *s, size_t mount);
/* vm.swappiness: a name with dots below /proc/sys; or the path of a file below /sys. */
bool wring_plan_is_sysctl(const char *s);
/* What a scenario may say under `needs`; the agent (harness/agent/session.c) knows whether it is there. */
#define WRING_NEEDS "memcg scratch vm root fresh-boot global-pressure swap zram nbd tracefs"
bool wring_scenario_needs(const struct wring_scenario *s, const char *need);
/* A value of settings, or NULL. */
const char *wring_setting_get(const struct wring_settings *s, const char *key);
/* The load of that name, or NULL; also of no scenario. */
const struct wring_load *wring_scenario_load(const struct wring_scenario *s, const char *name);
/* The group a load, sample or step means: "leaf" for all directories of it, "leaf3" for one of a group with
 * count > 1. NULL for "." and for what is not declared. */
const struct wring_group *wring_scenario_group(const struct wring_scenario *s, const char *path);
