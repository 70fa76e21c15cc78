/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running plans: chooses where, starts agents, records their streams into the store. */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "harness/base/err.h"
#include "harness/plan/plan.h"
#include "harness/vm/vm.h"
#include "results-schema/store.h"

enum wring_where { WRING_WHERE_AUTO, WRING_WHERE_HOST, WRING_WHERE_VM };

struct wring_known;
struct wring_run_options {
	enum wring_where where;
	const char *kernel;              /* path; NULL: $WRING_KERNEL, build/kernel, the host's own image */
	const char *append;              /* kernel command line, "" */
	const char *guest_option;        /* first option given that only a guest can honour, "--cpus"; NULL: none */
	unsigned cpus, nodes;
	uint64_t memory_bytes;
	enum wring_accel accel;
	bool deterministic;              /* guest time is counted in instructions; TCG, no disks */
	uint64_t seed;
	int64_t deadline_ns;             /* host time from which on no scenario begins any more; 0: none */
	const char *label, *arm;
	const char *dump_dir;            /* a guest that fails, hangs or panics leaves its memory there; NULL: it does not */
	bool keep;                       /* such a guest stays, for a person, until that one is done with it */
	bool gdb;                        /* a socket for gdb from the start; while it stops the guest, nothing is late */
	struct wring_known *known;       /* failures that neither of them is for; may be NULL */
	bool quiet, verbose;
	const char *program;             /* path of wring itself: the other programs are beside it */
};

/* ---- scenarios.c ---- */
struct wring_scenarios { struct wring_scenario **rows; size_t n; };
/* target: a scenario's name, @suite, or a path with a slash or ending in .ini. sets: "SCENARIO.KEY=VALUE"; sysctls: "KEY=VALUE",
 * put into every scenario; is_long: parameters have the values of their long form. -EINVAL or -ENOENT with one line; reports
 * overrides that match no scenario. */
int wring_scenarios_select(char *const *targets, size_t n, char *const *sets, size_t n_sets, char *const *sysctls, size_t n_sysctls,
			   bool is_long, struct wring_scenarios *ret, struct wring_err *err);
/* All built-in ones. */
int wring_scenarios_all(struct wring_scenarios *ret, struct wring_err *err);
/* Those that the store has the fewest measured runs of, on that kernel, come first; else the order stays. */
int wring_scenarios_by_need(struct wring_scenarios *s, struct wring_store *st, const char *release, struct wring_err *err);
void wring_scenarios_done(struct wring_scenarios *s);
/* Samplers, detectors and workloads that a scenario names must exist, and its loads' parameters be accepted. */
int wring_scenario_check(const struct wring_scenario *s, struct wring_err *err);
/* Where a file of the scenario's carry list lies: relative to the scenario's own file. On the heap. */
char *wring_carry_path(const struct wring_scenario *s, const char *file);

/* ---- where.c ---- */
struct wring_place {
	enum wring_where where;
	char *why;                       /* one line for people */
	struct wring_kernel *kernel;     /* vm */
	enum wring_accel accel;          /* vm: KVM may still fall back */
	bool accel_asked;                /* --accel: no falling back */
};
int wring_place_find(const struct wring_run_options *o, struct wring_place *ret, struct wring_err *err);
void wring_place_done(struct wring_place *p);
/* Memory and CPUs that make sense, limits that can be hit, files to carry that are there; called before anything is started. */
int wring_place_check(const struct wring_run_options *o, const struct wring_place *p, const struct wring_scenarios *s, struct wring_err *err);
/* Is every node of the list ("0", "0-1,3") among those that are there? */
bool wring_nodes_exist(const char *list, const char *there);
/* The list of this host's nodes, "0-1"; on the heap. */
char *wring_host_nodes(void);
uint64_t wring_host_memory(void);
/* Could these run with guest time counted in instructions? A disk of a given speed and a network follow the host's time. */
int wring_deterministic_check(const struct wring_scenarios *s, struct wring_err *err);
/* Path of wring-agent or wring-load: beside this program, or installed. On the heap, or NULL with err set. */
char *wring_program(const char *name, struct wring_err *err);
/* Default kernel path on the heap, or NULL. */
char *wring_default_kernel(const char **ret_from);

/* ---- programs.c ---- that the scenarios' loads start, and the one that a guest with the need `nbd` swaps to */
#define WRING_NBD_SERVER "nbdkit" /* its package has the same name */
#define WRING_N_SERVERS 2
extern const struct wring_vm_forward wring_servers[WRING_N_SERVERS];
/* Into a guest, only where one is used: their libraries are large. What is missing is a skip, not an error. */
int wring_programs_add(struct wring_initramfs *i, const struct wring_scenarios *s, struct wring_err *err);
/* For the agent, which skips a scenario whose programs are not there but does not know them: lines missing.WORKLOAD=WHY, and of the
 * need `nbd` missing.nbd=WHY. */
void wring_programs_missing(const struct wring_scenarios *s, FILE *f);

/* ---- record.c ---- one agent's stream into the store */
struct wring_recorder {
	struct wring_store *store;
	const struct wring_run_options *options;
	const struct wring_scenarios *scenarios;
	int64_t boot, run;               /* run is 0 between scenarios */
	size_t current;                  /* index of the scenario that runs or ran last; n before the first */
	size_t done;                     /* scenarios that ended, in the plan's order */
	size_t first;                    /* index of the first scenario of this boot */
	bool hello, bye;
	bool stops;                      /* reading stops behind a scenario that ended, until `ended` is 0 again */
	int64_t ended;                   /* that run */
	bool enough;                     /* the deadline came first: what has not begun is left out */
	int64_t seen_ns, away_ns;        /* wring_recorder_now() */
	int64_t last_record_ns;          /* when the last frame came, by that clock, as all that is called host */
	int64_t t_ns, begin_t_ns;        /* agent time of the last frame and of BEGIN */
	int64_t begin_host_ns, idle_host_ns; /* of the run, and since when there is none */
	char error[600];                 /* the agent could not go on */
	char stuck[200];                 /* the agent says that a step does not come back from the kernel */
	int64_t *run_ids; size_t n_runs; /* every run begun, in order */
	uint8_t *buf; size_t len, size;
	struct wring_record_source *sources; size_t n_sources, n_values;
	int64_t last_commit_ns;
	struct wring_progress *progress;
};
int wring_recorder_init(struct wring_recorder *r, struct wring_store *store, const struct wring_run_options *o,
			const struct wring_scenarios *s, struct wring_err *err);
void wring_recorder_done(struct wring_recorder *r);
/* A clock that stands while we do: stopped by a signal or a debugger, held up by a disk or by a host that has no CPU for us. What we could
 * not see meanwhile is nobody's silence. */
int64_t wring_recorder_now(struct wring_recorder *r);
int wring_recorder_boot(struct wring_recorder *r, const struct wring_boot_meta *m, size_t first, struct wring_err *err);
/* Reads what fd has, stores it, commits twice a second. Returns 1 at end of file or when there is enough, 0, or -errno (-EBADMSG: the stream is not ours;
 * -ENOSPC: the disk is full). */
int wring_recorder_read(struct wring_recorder *r, int fd, struct wring_err *err);
/* What the agent should have done long ago although it gives signs of life, in words; else NULL. */
const char *wring_recorder_overdue(struct wring_recorder *r);
int wring_recorder_tick(struct wring_recorder *r, struct wring_err *err);
/* The recorder's own observation about the guest or agent, at the time of the last frame. */
void wring_recorder_note(struct wring_recorder *r, const char *kind, const char *subject, const char *text);
/* The scenario that is running ends here, whatever the agent would say; begins it first if it had not begun. */
int wring_recorder_end(struct wring_recorder *r, const char *outcome, const char *reason, struct wring_err *err);

/* ---- boot.c, host.c ---- run the scenarios from `first` on, in one boot; returns 0 when the recorder's state says how far it got, or
 * -errno when nothing could be started (set-up error) */
int wring_boot_guest(struct wring_recorder *r, struct wring_place *p, size_t first, struct wring_err *err);
int wring_boot_host(struct wring_recorder *r, size_t first, struct wring_err *err);

/* ---- remains.c ---- */
/* Would a dump fit? */
int wring_remains_check(const struct wring_run_options *o, struct wring_err *err);
/* --gdb: opens the door, and tells where it is. */
int wring_remains_begin(const struct wring_recorder *r, const struct wring_place *p, const struct wring_door *d, struct wring_vm *vm, struct wring_err *err);
/* Does a debugger hold the guest? That time counts for nothing: the clocks of the recorder, and *started_ns, go on by it. */
struct wring_debugged { int64_t asked_ns; bool held; };
bool wring_remains_held(struct wring_debugged *d, struct wring_recorder *r, struct wring_vm *vm, int64_t *started_ns);
/* Judges the run that ended just now. A guest whose run failed is left stopped. */
int wring_remains_judge(struct wring_recorder *r, struct wring_vm *vm, bool *ret_failed, struct wring_err *err);
/* For the newest run: --dump-guest, and --keep-guest, which returns when the person is done. */
void wring_remains_dump(struct wring_recorder *r, struct wring_vm *vm);
void wring_remains_keep(struct wring_recorder *r, const struct wring_place *p, const struct wring_door *d, struct wring_vm *vm);

/* ---- disks.c ---- */
/* One disk for the nth mount of a type and speed that any scenario has, as large as the largest. */
struct wring_disks {
	struct wring_vm_disk rows[16];
	char *serials[16];
	uint64_t bytes[16];
	size_t n;
};
int wring_disks_new(const struct wring_scenarios *s, struct wring_disks *d, struct wring_err *err);
void wring_disks_done(struct wring_disks *d);
uint64_t wring_disks_largest(const struct wring_disks *d);
/* Into an initramfs, for disks in the guest's memory: /disks/SERIAL, without what is zero. */
int wring_disks_add(const struct wring_disks *d, struct wring_initramfs *i, struct wring_err *err);
bool wring_any_need(const struct wring_scenarios *s, const char *need);

/* ---- files.c ---- the initramfs of a boot that begins with scenario `first`; ram: disks it keeps in its memory, or NULL */
int wring_guest_files(const struct wring_recorder *r, const struct wring_place *p, size_t first, const struct wring_disks *ram,
		      const char *ram_disks, int *ret_fd, struct wring_err *err);

/* ---- run.c ---- */
extern volatile sig_atomic_t wring_interrupted;
/* Everything, boot after boot, until each scenario has an outcome; what the deadline leaves out is a skip with this reason.
 * ret_runs: ids on the heap. */
#define WRING_LEFT_OUT "left out: the budget was used up"
int wring_run_all(struct wring_store *st, const struct wring_run_options *o, struct wring_place *p,
		  const struct wring_scenarios *s, int64_t **ret_runs, size_t *ret_n, struct wring_err *err);
/* The plan text an agent gets for the scenarios from `first` to the next that needs a boot of its own. On the heap. */
char *wring_plan_text(const struct wring_run_options *o, const struct wring_scenarios *s, size_t first, size_t *ret_len);
/* Every cgroup, file write, process and QEMU it would make. */
void wring_dry_run(const struct wring_run_options *o, const struct wring_place *p, const struct wring_scenarios *s, FILE *out);

/* ---- progress.c ---- what a person sees while it runs */
struct wring_progress;
struct wring_gauge; /* a number on display; lives until the next scenario begins */
struct wring_progress *wring_progress_new(const struct wring_run_options *o, size_t n_scenarios);
void wring_progress_free(struct wring_progress *p);
void wring_progress_line(struct wring_progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same also with --quiet: what was asked for. */
void wring_progress_tell(struct wring_progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* what: "the guest boots", shown until the first scenario begins. */
void wring_progress_boot(struct wring_progress *p, const char *what);
void wring_progress_begin(struct wring_progress *p, const struct wring_scenario *s);
void wring_progress_event(struct wring_progress *p, const char *kind, const char *subject, const char *text);
/* NULL: this key is not shown. */
struct wring_gauge *wring_progress_watch(struct wring_progress *p, const char *sampler, const char *subject, const char *key);
void wring_gauge_set(struct wring_gauge *g, int64_t value, int64_t t_ns);
void wring_progress_end(struct wring_progress *p, const char *outcome, const char *reason);
/* heard_ns: host time of the last record. Draws when it is time to. */
void wring_progress_tick(struct wring_progress *p, int64_t heard_ns);
