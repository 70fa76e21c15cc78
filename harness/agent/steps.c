/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a scenario's steps do. Each is announced, timed and, where the kernel's answer is asynchronous, waits for the
 * condition with a deadline; none sleeps for a fixed time to let something happen. */
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "harness/agent/agent.h"
#include "harness/base/units.h"
#include "harness/base/util.h"

/* mm/memcontrol.c: FLUSH_TIME, MEMCG_CHARGE_BATCH. */
#define FLUSH_NS (2 * WRING_NSEC_PER_SEC)
#define BATCH_PAGES 64
#define STEP_NS (30 * WRING_NSEC_PER_SEC)

static int64_t deadline(int64_t ns) { return wring_now_ns() + ns; }

static void nap(int64_t ns)
{
	struct timespec ts = { .tv_nsec = ns };

	nanosleep(&ts, NULL);
}

static int64_t batch_bytes(const struct wring_session *s)
{
	return BATCH_PAGES * s->agent->page_size * s->agent->ncpu;
}

/* rcu_barrier() in the kernel where it can be asked for; else a grace period, which is weaker. */
static void rcu_barrier(void)
{
	if (wring_write_file(AT_FDCWD, "/sys/module/rcutree/parameters/do_rcu_barrier", "1"))
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

static size_t load_index(const struct wring_session *s, const char *name)
{
	return (size_t)(wring_scenario_load(s->scenario, name) - s->scenario->loads);
}

/* ---- groups ---- */

static int create_one(void *arg, const char *group, const char *subject, struct wring_err *err)
{
	struct wring_session *s = arg;

	int r = wring_group_create(s->agent->tree, group, err);

	if (!r)
		wring_out_event(s->agent->out, "group", subject, "created");
	return r;
}

static int limit_one(struct wring_session *s, const struct wring_group *g, const char *group, const char *subject,
		     struct wring_err *err)
{
	for (size_t i = 0; i < g->files.n; i++) {
		const struct wring_setting *f = &g->files.rows[i];
		const char *value = f->value;
		char in_bytes[32];
		uint64_t bytes;
		int r;

		/* Written and recorded in bytes: the kernel takes 64M, but not 1.5G. */
		if (!strncmp(f->key, "memory.", 7) && !wring_parse_size(f->value, &bytes, NULL)) {
			snprintf(in_bytes, sizeof(in_bytes), "%llu", (unsigned long long)bytes);
			value = in_bytes;
		}
		r = wring_group_set(s->agent->tree, group, f->key, value, err);
		if (r)
			return r;
		wring_out_event(s->agent->out, "limit", subject, "%s=%.100s", f->key, value);
	}
	return 0;
}

struct limits_arg {
	struct wring_session *s;
	const struct wring_group *g;
};

static int limit_dir(void *arg, const char *group, const char *subject, struct wring_err *err)
{
	struct limits_arg *a = arg;

	return limit_one(a->s, a->g, group, subject, err);
}

static int step_create(struct wring_session *s, const struct wring_step *st, struct wring_err *err)
{
	struct limits_arg a = { s, wring_scenario_group(s->scenario, st->args[0]) };
	int r = wring_session_each_dir(s, st->args[0], create_one, s, err);

	return r ? r : wring_session_each_dir(s, st->args[0], limit_dir, &a, err);
}

static int remove_one(void *arg, const char *group, const char *subject, struct wring_err *err)
{
	struct wring_session *s = arg;
	int r = wring_group_remove(s->agent->tree, group, deadline(STEP_NS), err);

	if (!r)
		wring_out_event(s->agent->out, "group", subject, "removed");
	return r;
}

static int step_remove(struct wring_session *s, const struct wring_step *st, struct wring_err *err)
{
	return wring_session_each_dir(s, st->args[0], remove_one, s, err);
}

static int kill_one(void *arg, const char *group, const char *subject, struct wring_err *err)
{
	struct wring_session *s = arg;

	(void)subject;
	return wring_group_kill(s->agent->tree, group, deadline(STEP_NS), err);
}

/* Loads whose processes were killed are reaped here, so that their cgroups can be removed. */
static int step_kill(struct wring_session *s, const struct wring_step *st, struct wring_err *err)
{
	int r = wring_session_each_dir(s, st->args[0], kill_one, s, err);

	for (size_t i = 0; i < s->scenario->n_loads; i++)
		if (!strcmp(s->scenario->loads[i].group, st->args[0]))
			wring_load_stop(s, i, deadline(STEP_NS));
	return r;
}

static int freeze_one(void *arg, const char *group, const char *subject, struct wring_err *err)
{
	struct wring_session *s = arg;

	(void)subject;
	return wring_group_freeze(s->agent->tree, group, true, deadline(STEP_NS), err);
}

static int thaw_one(void *arg, const char *group, const char *subject, struct wring_err *err)
{
	struct wring_session *s = arg;

	(void)subject;
	return wring_group_freeze(s->agent->tree, group, false, deadline(STEP_NS), err);
}

static int step_set(struct wring_session *s, const struct wring_step *st, struct wring_err *err)
{
	struct wring_setting row = { st->args[1], st->args[2], 0 };
	struct wring_group g = { .files = { &row, 1 } };
	struct limits_arg a = { s, &g };

	return wring_session_each_dir(s, st->args[0], limit_dir, &a, err);
}

/* ---- reclaim ---- */

struct reclaim_arg {
	struct wring_session *s;
	uint64_t bytes;
};

static int reclaim_one(void *arg, const char *group, const char *subject, struct wring_err *err)
{
	struct reclaim_arg *a = arg;
	struct wring_tree *t = a->s->agent->tree;
	int64_t before = wring_group_read(t, group, "memory.current"), after;
	int r = wring_group_reclaim(t, group, a->bytes);

	if (r == -ENOENT)
		return wring_err_set(err, r, "this kernel has no memory.reclaim");
	after = wring_group_read(t, group, "memory.current");
	wring_out_event(a->s->agent->out, "reclaim", subject, "asked_bytes=%llu errno=%d before_bytes=%lld after_bytes=%lld",
			(unsigned long long)a->bytes, -r, (long long)before, (long long)after);
	return 0;
}

/* Everything that can go: memory.reclaim until two writes in a row move usage by less than a charge batch, whatever errno
 * says; then an RCU barrier, because what the shrinkers freed comes back only after a grace period. */
static int squeeze(struct wring_session *s, const char *group, const char *subject)
{
	struct wring_tree *t = s->agent->tree;
	unsigned writes = 0, still = 0;
	int r = 0;
	int64_t until = deadline(STEP_NS), now = 0;

	while (still < 2 && !s->aborted && wring_now_ns() < until) {
		int64_t before = wring_group_read(t, group, "memory.current");

		if (before < 0)
			return (int)before;
		r = wring_group_reclaim(t, group, before > s->agent->page_size ? (uint64_t)before : (uint64_t)s->agent->page_size);
		if (r == -ENOENT)
			return r;
		rcu_barrier();
		writes++;
		now = wring_group_read(t, group, "memory.current");
		still = before - now < batch_bytes(s) ? still + 1 : 0;
	}
	wring_out_event(s->agent->out, "drain", subject, "writes=%u current_bytes=%lld errno=%d", writes, (long long)now, -r);
	return 0;
}

/* The writeback structure of a removed cgroup (cgwb) keeps its memcg for as long as inodes are attached to it. Those are moved
 * away when the memcg goes offline, but not while they are dirty: then only when the *next* memcg goes offline
 * (cleanup_offline_cgwbs_workfn() in mm/backing-dev.c). After a sync, a cgroup that comes and goes is that next one. */
static void nudge_writeback(struct wring_session *s)
{
	_cleanup_free_ char *group = wring_strf("%s/nudge", s->scenario->name);

	if (group && !wring_group_create(s->agent->tree, group, NULL))
		wring_group_remove(s->agent->tree, group, deadline(WRING_NSEC_PER_SEC), NULL);
}

/* Two flush periods are the deadline for the last references to go; an empty list of the dying ends the wait. */
static void wait_dying(struct wring_session *s, const char *group)
{
	int64_t until = deadline(2 * FLUSH_NS), nudge = 0;

	while (wring_now_ns() < until && !s->aborted &&
	       wring_group_read_key(s->agent->tree, group, "cgroup.stat", "nr_dying_descendants") > 0) {
		if (wring_now_ns() > nudge) {
			nudge_writeback(s);
			nudge = deadline(WRING_NSEC_PER_SEC);
		}
		nap(10 * WRING_NSEC_PER_MSEC);
	}
}

static int drain_one(void *arg, const char *group, const char *subject, struct wring_err *err)
{
	struct wring_session *s = arg;
	int r;

	wring_scratch_quiesce(s);
	r = squeeze(s, group, subject);
	if (r)
		return wring_err_set(err, r, "draining cgroup %s through memory.reclaim: %s", subject, strerror(-r));
	wait_dying(s, group);
	return 0;
}

static int step_drain(struct wring_session *s, const struct wring_step *st, struct wring_err *err)
{
	int r = wring_session_each_dir(s, st->args[0], drain_one, s, err);

	if (!r)
		wring_sampling_mark(s, "drained");
	return r;
}

/* rstat: a read may be stale by 64 pages a CPU until the periodic flush. Settled: the parts agree with the exact
 * counter; two flush periods are the deadline. */
static int settle_one(void *arg, const char *group, const char *subject, struct wring_err *err)
{
	static const char *const parts[] = { "anon", "file", "kernel", "sock" };
	struct wring_session *s = arg;
	int64_t until = deadline(2 * FLUSH_NS), off = 0;

	(void)subject;
	(void)err;
	do {
		int64_t sum = 0;

		for (size_t i = 0; i < WRING_ARRAY_SIZE(parts); i++) {
			int64_t v = wring_group_read_key(s->agent->tree, group, "memory.stat", parts[i]);

			sum += v > 0 ? v : 0;
		}
		off = wring_group_read(s->agent->tree, group, "memory.current") - sum;
		/* What is left apart may sit in the CPUs' charge stocks, for as long as they like. */
		if (llabs(off) <= batch_bytes(s))
			return 0;
		nap(50 * WRING_NSEC_PER_MSEC);
	} while (wring_now_ns() < until && !s->aborted);
	return 0;
}

static bool is_below(const char *path, const char *group)
{
	size_t n = strlen(group);

	return !strcmp(group, ".") || (!strncmp(path, group, n) && (!path[n] || path[n] == '/'));
}

/* What was still to be had when somebody was killed, stage by stage; see the marks in docs/records.md. */
static int step_aftermath(struct wring_session *s, const struct wring_step *st, struct wring_err *err)
{
	int r;

	for (size_t i = 0; i < s->scenario->n_loads; i++)
		if (is_below(s->scenario->loads[i].group, st->args[0]))
			wring_load_stop(s, i, deadline(STEP_NS));
	wring_sampling_mark(s, "after-load");
	rcu_barrier();
	wring_sampling_mark(s, "after-barrier");
	r = wring_session_each_dir(s, st->args[0], drain_one, s, err);
	wring_sampling_mark(s, "after-reclaim");
	for (size_t i = 0; i < s->scenario->n_mounts && !r; i++)
		r = wring_scratch_remount(s, s->scenario->mounts[i].name, err);
	rcu_barrier();
	wring_sampling_mark(s, "after-remount");
	return r;
}

/* ---- loads and the rest ---- */

static int step_start(struct wring_session *s, const struct wring_step *st, struct wring_err *err)
{
	int r = 0;

	for (size_t i = 0; i < st->n_args && !r; i++)
		r = wring_load_start(s, load_index(s, st->args[i]), err);
	return r;
}

static int step_wait(struct wring_session *s, const struct wring_step *st, struct wring_err *err)
{
	int64_t ns = (int64_t)s->scenario->timeout_ns;

	int r;

	if (st->n_args > 1)
		wring_parse_duration(st->args[1], &ns, NULL);
	r = wring_load_wait(s, load_index(s, st->args[0]), deadline(ns), err);
	if (r != -ETIMEDOUT || st->n_args < 2 || s->aborted)
		return r;
	/* A load that is throttled for as long as it was given has been measured all the same. */
	wring_out_event(s->agent->out, "load", st->args[0], "unfinished after ns=%lld", (long long)ns);
	return 0;
}

static int step_hold(struct wring_session *s, const struct wring_step *st)
{
	int64_t ns = 0, until;

	wring_parse_duration(st->args[0], &ns, NULL);
	for (until = deadline(ns); wring_now_ns() < until && !s->aborted;) {
		int64_t left = until - wring_now_ns();

		nap(left < 100 * WRING_NSEC_PER_MSEC ? (left > 0 ? left : 1) : 100 * WRING_NSEC_PER_MSEC);
	}
	return 0;
}

static int step_sysrq(const struct wring_session *s, const char *letter, struct wring_err *err)
{
	int r;

	if (!s->agent->guest)
		return wring_err_set(err, -EPERM, "sysrq is for guests only");
	r = wring_write_file(AT_FDCWD, "/proc/sysrq-trigger", letter);
	return r ? wring_err_set(err, r, "sysrq %s: %s", letter, strerror(-r)) : 0;
}

static int step_module(const struct wring_session *s, const struct wring_step *st, struct wring_err *err)
{
	const char *file = st->args[0], *base = strrchr(file, '/');
	char params[256] = "";
	_cleanup_free_ char *path = wring_strf("/carry/%s", base ? base + 1 : file);
	_cleanup_close_ int fd = -1;

	if (!s->agent->guest)
		return wring_err_set(err, -EPERM, "modules are loaded in guests only");
	fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return wring_err_set(err, -errno, "module %s: %s (is it in the scenario's carry list?)", path, strerror(errno));
	for (size_t i = 1; i < st->n_args; i++)
		snprintf(params + strlen(params), sizeof(params) - strlen(params), "%s%s", i > 1 ? " " : "", st->args[i]);
	if (syscall(SYS_finit_module, fd, params, 0))
		return wring_err_set(err, -errno, "module %s: %s", path, strerror(errno));
	return 0;
}

static int run(struct wring_session *s, const struct wring_step *st, struct wring_err *err)
{
	struct reclaim_arg ra = { .s = s };
	int64_t ns = 0;

	switch (st->verb->id) {
	case WRING_STEP_MARK:
		wring_sampling_mark(s, st->args[0]);
		return 0;
	case WRING_STEP_HOLD:
		return step_hold(s, st);
	case WRING_STEP_CREATE:
		return step_create(s, st, err);
	case WRING_STEP_REMOVE:
		return step_remove(s, st, err);
	case WRING_STEP_KILL:
		return step_kill(s, st, err);
	case WRING_STEP_FREEZE:
		return wring_session_each_dir(s, st->args[0], freeze_one, s, err);
	case WRING_STEP_THAW:
		return wring_session_each_dir(s, st->args[0], thaw_one, s, err);
	case WRING_STEP_SET:
		return step_set(s, st, err);
	case WRING_STEP_START:
		return step_start(s, st, err);
	case WRING_STEP_WAIT:
		return step_wait(s, st, err);
	case WRING_STEP_CHURN:
		wring_parse_duration(st->args[1], &ns, NULL);
		return wring_load_churn(s, load_index(s, st->args[0]), ns, err);
	case WRING_STEP_RELEASE:
		return wring_load_release(s, load_index(s, st->args[0]), err);
	case WRING_STEP_CENSUS:
		return wring_load_census(s, load_index(s, st->args[0]), err);
	case WRING_STEP_STOP:
		wring_load_stop(s, load_index(s, st->args[0]), deadline(STEP_NS));
		return 0;
	case WRING_STEP_RECLAIM:
		wring_parse_size(st->args[1], &ra.bytes, NULL);
		return wring_session_each_dir(s, st->args[0], reclaim_one, &ra, err);
	case WRING_STEP_DRAIN:
		return step_drain(s, st, err);
	case WRING_STEP_RCU_BARRIER:
		rcu_barrier();
		return 0;
	case WRING_STEP_SYNC:
		sync();
		return 0;
	case WRING_STEP_REMOUNT:
		return wring_scratch_remount(s, st->args[0], err);
	case WRING_STEP_SETTLE:
		return wring_session_each_dir(s, st->n_args ? st->args[0] : ".", settle_one, s, err);
	case WRING_STEP_AFTERMATH:
		return step_aftermath(s, st, err);
	case WRING_STEP_SYSCTL:
		return wring_sysctl_set(s->agent, st->args[0], st->args[1], err);
	case WRING_STEP_SYSRQ:
		return step_sysrq(s, st->args[0], err);
	case WRING_STEP_MODULE:
		return step_module(s, st, err);
	}
	return wring_err_set(err, -ENOSYS, "step '%s' is not implemented", st->verb->name);
}

int wring_step_run(struct wring_session *s, const struct wring_step *st, struct wring_err *err)
{
	char args[256] = "", idle[40] = "";
	bool watches = st->verb->id == WRING_STEP_RCU_BARRIER && wring_idle_begin(s->agent);
	int64_t t = wring_now_ns(), took;
	int r;

	for (size_t i = 0; i < st->n_args; i++)
		snprintf(args + strlen(args), sizeof(args) - strlen(args), "%s%s", i ? " " : "", st->args[i]);
	wring_out_event(s->agent->out, "step", st->verb->name, "%s", args);
	s->step = st->verb->name;
	s->step_since_ns = t;
	r = run(s, st, err);
	took = wring_now_ns() - t;
	if (watches)
		snprintf(idle, sizeof(idle), " idle_ns=%lld", (long long)wring_idle_end());
	wring_out_event(s->agent->out, "step", st->verb->name, "done ns=%lld%s%s%s", (long long)took, idle, r ? " error=" : "",
			r ? err->msg : "");
	return r;
}
