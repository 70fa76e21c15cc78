/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The agent: builds what a scenario asks for, runs it, samples it and streams it out. It runs as PID 1 of a guest
 * or as a child of the recorder on a host; it knows nothing of the store. */
#pragma once
#include <hwloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "harness/agent/cgroup.h"
#include "harness/agent/out.h"
#include "harness/api/loadproto.h"
#include "harness/base/err.h"
#include "harness/plan/plan.h"

struct wring_agent {
	bool guest;
	struct wring_out *out;
	struct wring_tree *tree;
	hwloc_topology_t topology;
	uint64_t seed;
	unsigned ncpu;
	int64_t page_size;
	char *load_program;          /* path of wring-load */
	char *missing;               /* lines WORKLOAD=WHY: the programs that loads would start and that are not here */
	char *workdir;               /* a private tmpfs for mount points and workloads without a filesystem */
	char *journal;               /* host: where old sysctl values are kept until they are restored */
};

struct wring_loadset;
struct wring_sampling;
struct wring_scratch;

/* One scenario being run. */
struct wring_session {
	struct wring_agent *agent;
	const struct wring_scenario *scenario;
	struct wring_loadset *loads;  /* one for each declared load, in order */
	struct wring_scratch *mounts; /* one for each declared mount, in order */
	struct wring_sampling *sampling;
	bool aborted;                 /* the timeout killed the loads: steps give up */
	const char *step;             /* what is being done, for whoever finds it stuck */
	int64_t step_since_ns;
};

/* SIGTERM came. */
extern volatile sig_atomic_t wring_agent_interrupted;

/* Runs one scenario from BEGIN to END. Returns its outcome's name having been sent; -errno only if the way out is gone. */
int wring_session_run(struct wring_agent *a, const struct wring_scenario *s);

/* Every directory of a declared group or of one of its instances: calls visit(arg, full path, subject). "pool/g" with count 4
 * is pool/g0..pool/g3. */
int wring_session_each_dir(struct wring_session *s, const char *path,
			   int (*visit)(void *arg, const char *group, const char *subject, struct wring_err *err),
			   void *arg, struct wring_err *err);

/* ---- steps.c ---- */
int wring_step_run(struct wring_session *s, const struct wring_step *st, struct wring_err *err);

/* ---- load.c ---- */
int wring_loads_new(struct wring_session *s, struct wring_err *err);
void wring_loads_free(struct wring_session *s);       /* kills what still runs */
int wring_load_start(struct wring_session *s, size_t load, struct wring_err *err);
/* Until every process is done, failed or dead. -ETIMEDOUT. */
int wring_load_wait(struct wring_session *s, size_t load, int64_t deadline_ns, struct wring_err *err);
/* For loads that are done filling: churn for so long, or let go of everything; back to done afterwards. */
int wring_load_churn(struct wring_session *s, size_t load, int64_t ns, struct wring_err *err);
/* The same: counts which of its objects are still cached; event and mark `census`. */
int wring_load_census(struct wring_session *s, size_t load, struct wring_err *err);
int wring_load_release(struct wring_session *s, size_t load, struct wring_err *err);
/* Tells the processes to stop and waits until they are gone; kills them at the deadline. */
void wring_load_stop(struct wring_session *s, size_t load, int64_t deadline_ns);
/* The counters of all its threads, and of those before them; valid as long as the loads are. */
const struct wring_load_view *wring_load_view(const struct wring_session *s, size_t load);

/* ---- spawn.c ---- keep: the counters, the socket, the directory. The arguments are on the heap also when err is set. */
char **wring_spawn_argv(const struct wring_load *l, size_t index, uint64_t seed, const int keep[3], struct wring_err *err);
void wring_spawn_argv_free(char **argv);
/* -1 with errno, as clone3(2). */
pid_t wring_spawn(int cgroup_fd, const char *program, char *const argv[], const int keep[3], int *ret_pidfd);

/* A program that it ran was killed for memory, which was not what the scenario is about; its error is that this machine cannot do it. */
bool wring_load_killed(const struct wring_session *s, size_t load);
bool wring_load_unable(const struct wring_session *s, size_t load);

/* ---- output.c ---- a program's results, which are sent on; fd is closed. Says whether the kills mean that they do not count. */
bool wring_output_take(struct wring_out *out, const struct wring_load *l, pid_t pid, int fd, int64_t oom_kills);
/* Processes of a cgroup that were killed for memory since it is there. */
int64_t wring_oom_kills(int cgroup);

/* ---- bind.c ---- binds the calling thread to the nodes a load wants, for a child to inherit; and back */
int wring_bind_nodes(struct wring_agent *a, const struct wring_load *l, struct wring_err *err);
void wring_unbind_nodes(struct wring_agent *a, const struct wring_load *l);

/* ---- scratch.c ---- */
int wring_scratch_new(struct wring_session *s, struct wring_err *err);
void wring_scratch_free(struct wring_session *s);
/* Directory of a mount by name, or of the first mount, or the agent's own tmpfs when the scenario has none. */
const char *wring_scratch_dir(const struct wring_session *s, const char *mount);
/* sync(2), and an empty journal on the scenario's own filesystems. */
void wring_scratch_quiesce(struct wring_session *s);
int wring_scratch_remount(struct wring_session *s, const char *mount, struct wring_err *err);

/* /dev/X of the guest's disk with that serial, on the heap; NULL. */
char *wring_disk_by_serial(const char *serial);

/* ---- swap.c ---- what the needs swap, zram and nbd stand for; on a host, the swap that is on already */
bool wring_swap_present(const struct wring_agent *a, const char *need);
int wring_swap_on(struct wring_session *s, struct wring_err *err);
void wring_swap_off(struct wring_session *s);

/* ---- nbd.c ---- a network block device, /dev/nbd0, whose server is at WRING_VM_SERVER */
#define WRING_NBD_DEV "nbd0"
bool wring_nbd_present(void);
/* ret_bytes: its size. */
int wring_nbd_on(int64_t *ret_bytes, struct wring_err *err);
/* Tells how many packets its socket refused (event `swap`). */
void wring_nbd_off(struct wring_out *out);

/* ---- sampling.c ---- */
int wring_sampling_new(struct wring_session *s, struct wring_err *err);
int wring_sampling_start(struct wring_session *s, struct wring_err *err);
/* Event `mark` and one sample of everything, now. */
void wring_sampling_mark(struct wring_session *s, const char *name);
/* Only the heartbeat and the kernel log from here on: what is sampled is about to go. */
void wring_sampling_mute(struct wring_session *s);
void wring_sampling_free(struct wring_session *s);

/* ---- idle.c ---- how long the CPU is idle in between; false where that is not told: on hosts, and with several CPUs */
bool wring_idle_begin(const struct wring_agent *a);
int64_t wring_idle_end(void);

/* ---- facts.c ---- the fingerprint of this boot, as INFO records */
void wring_facts_send(struct wring_agent *a);
/* A warning when latencies would mostly be the clock's: when it is not read through the vDSO. */
void wring_clock_warn(struct wring_agent *a);

/* ---- sysctl.c ---- "vm.swappiness": sets it, remembers the old value; restores all */
int wring_sysctl_set(struct wring_agent *a, const char *key, const char *value, struct wring_err *err);
void wring_sysctl_restore(struct wring_agent *a);
/* Host: puts back what a dead wring left changed (journals in /run/wring). */
void wring_sysctl_repair(void);

/* ---- workdir.c ---- */
int wring_workdir_new(struct wring_agent *a, struct wring_err *err);
void wring_workdir_free(struct wring_agent *a);
/* Removes everything below an open directory, which it closes. */
void wring_workdir_empty(int dirfd);
/* Host, without root: removes what a dead wring left in $TMPDIR. */
void wring_workdir_sweep(void);

/* ---- guest.c ---- PID 1: filesystems, modules (files in /modules, in the order of /modules/order), the record port */
int wring_guest_setup(int *ret_record_fd, struct wring_err *err);
void wring_guest_power_off(void) __attribute__((noreturn));
