/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One scenario from its first cgroup to its last: set-up, phases, tear-down. Whatever happens in between, the tear-down
 * removes what the set-up made. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "harness/agent/agent.h"
#include "harness/api/outcome.h"
#include "harness/base/util.h"

/* Path of a group of the scenario below the tree; "." is the scenario's root. On the heap. */
static char *group_path(const struct wring_session *s, const char *path)
{
	return strcmp(path, ".") ? wring_strf("%s/%s", s->scenario->name, path) : strdup(s->scenario->name);
}

/* The declared group a reference means, and which of its instances: "pool/g3" is number 3 of "pool/g". */
static const struct wring_group *resolve(const struct wring_scenario *sc, const char *path, bool *ret_single)
{
	const struct wring_group *g = wring_scenario_group(sc, path);
	size_t n = strlen(path);
	_cleanup_free_ char *base = NULL;

	*ret_single = !g;
	if (g)
		return g;
	while (n && path[n - 1] >= '0' && path[n - 1] <= '9')
		n--;
	base = wring_strf("%.*s", (int)n, path);
	return base ? wring_scenario_group(sc, base) : NULL;
}

int wring_session_each_dir(struct wring_session *s, const char *path,
			   int (*visit)(void *arg, const char *group, const char *subject, struct wring_err *err),
			   void *arg, struct wring_err *err)
{
	bool single = true;
	const struct wring_group *g = strcmp(path, ".") ? resolve(s->scenario, path, &single) : NULL;
	uint64_t count = g && !single ? g->count : 1;
	int r = 0;

	if (!g && strcmp(path, "."))
		return wring_err_set(err, -ENOENT, "no group '%s'", path);
	for (uint64_t i = 0; i < count && !r && !s->aborted; i++) {
		_cleanup_free_ char *subject = g && !single && g->count > 1 ? wring_strf("%s%llu", path, (unsigned long long)i) : strdup(path);
		_cleanup_free_ char *group = subject ? group_path(s, subject) : NULL;

		r = group ? visit(arg, group, subject, err) : wring_err_set(err, -ENOMEM, "group %s", path);
	}
	return r;
}

static int create_groups(struct wring_session *s, struct wring_err *err)
{
	struct wring_step create = { .n_args = 1 };
	size_t n;
	const struct wring_verb *verbs = wring_verbs(&n);
	int r = wring_group_create(s->agent->tree, s->scenario->name, err);

	while (n && verbs->id != WRING_STEP_CREATE)
		verbs++, n--;
	create.verb = verbs;
	for (size_t i = 0; i < s->scenario->n_groups && !r; i++) {
		create.args[0] = s->scenario->groups[i].path;
		if (!s->scenario->groups[i].deferred)
			r = wring_step_run(s, &create, err);
	}
	return r;
}

static int set_sysctls(struct wring_session *s, struct wring_err *err)
{
	int r = 0;

	for (size_t i = 0; i < s->scenario->sysctls.n && !r; i++)
		r = wring_sysctl_set(s->agent, s->scenario->sysctls.rows[i].key, s->scenario->sysctls.rows[i].value, err);
	return r;
}

static int set_up(struct wring_session *s, struct wring_err *err)
{
	int r = set_sysctls(s, err);

	if (!r)
		r = wring_swap_on(s, err);
	if (!r)
		r = wring_scratch_new(s, err);
	if (!r)
		r = create_groups(s, err);
	if (!r)
		r = wring_loads_new(s, err);
	if (!r)
		r = wring_sampling_new(s, err);
	return r ? r : wring_sampling_start(s, err);
}

/* What was cut short is not measured, also when it was its last step that came back early. */
static int cut_short(const struct wring_session *s, struct wring_err *err)
{
	if (!s->aborted)
		return 0;
	if (wring_agent_interrupted)
		return wring_err_set(err, -EINTR, "interrupted by the user");
	return wring_err_set(err, -ETIMEDOUT, "the scenario's timeout of %llu s ran out",
			     (unsigned long long)(s->scenario->timeout_ns / WRING_NSEC_PER_SEC));
}

static int run_phase(struct wring_session *s, const struct wring_phase *p, struct wring_err *err)
{
	int r = 0;

	wring_out_event(s->agent->out, "phase", p->name, "begin");
	for (uint64_t i = 0; i < p->repeat && !r; i++)
		for (size_t k = 0; k < p->n && !r; k++) {
			r = wring_step_run(s, &p->steps[k], err);
			if (s->aborted)
				r = cut_short(s, err);
			else if (r)
				wring_err_prefix(err, "phase %s, line %d", p->name, p->steps[k].line);
		}
	wring_out_event(s->agent->out, "phase", p->name, "end");
	return r;
}

/* For who watches that it returns. */
static void begin(struct wring_session *s, const char *step)
{
	s->step = step;
	s->step_since_ns = wring_now_ns();
}

/* The two marks that every run ends with: all loads ended, all groups removed. */
static void wind_down(struct wring_session *s)
{
	struct wring_err err = { 0 };
	int64_t until = wring_now_ns() + 30 * WRING_NSEC_PER_SEC;

	begin(s, "wind-down");
	for (size_t i = 0; i < s->scenario->n_loads; i++)
		wring_load_stop(s, i, until);
	wring_sampling_mark(s, "end");
	for (size_t i = s->scenario->n_groups; i-- > 0;) {
		const struct wring_group *g = &s->scenario->groups[i];

		for (uint64_t k = 0; k < g->count; k++) {
			_cleanup_free_ char *path = g->count > 1 ? wring_strf("%s/%s%llu", s->scenario->name, g->path, (unsigned long long)k) :
								   wring_strf("%s/%s", s->scenario->name, g->path);

			if (!path || (!wring_group_kill(s->agent->tree, path, until, &err) &&
				      wring_group_remove(s->agent->tree, path, until, &err)))
				wring_out_event(s->agent->out, "warn", "teardown", "%s", err.msg);
		}
	}
	wring_sampling_mark(s, "removed");
}

static void tear_down(struct wring_session *s)
{
	struct wring_err err = { 0 };
	int64_t until = wring_now_ns() + 30 * WRING_NSEC_PER_SEC;

	begin(s, "tear-down");
	wring_sampling_mute(s);
	wring_group_kill(s->agent->tree, s->scenario->name, until, &err);
	wring_loads_free(s);
	if (wring_group_remove(s->agent->tree, s->scenario->name, until, &err))
		wring_out_event(s->agent->out, "warn", "teardown", "%s", err.msg);
	begin(s, "unmounting");
	wring_scratch_free(s);
	begin(s, "swap-off");
	wring_swap_off(s);
	wring_sysctl_restore(s->agent);
}

/* The recorder, which knows them, says which programs are not there: lines WORKLOAD=WHY, or NEED=WHY. */
static bool missing_program(const struct wring_agent *a, const char *who, char *buf, size_t size)
{
	size_t len = strlen(who);

	for (const char *p = a->missing; p && *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (!strncmp(p, who, len) && p[len] == '=') {
			snprintf(buf, size, "needs %.*s", (int)strcspn(p + len + 1, "\n"), p + len + 1);
			return true;
		}
	return false;
}

/* A kernel that came as a bare image has only what is built in: no disks, perhaps not the filesystem. */
static bool missing_disk(const struct wring_session *s, char *buf, size_t size)
{
	for (size_t i = 0; i < s->scenario->n_mounts && s->agent->guest; i++) {
		const struct wring_mount *m = &s->scenario->mounts[i];
		_cleanup_free_ char *serial = wring_mount_serial(s->scenario, i);
		_cleanup_free_ char *dev = serial ? wring_disk_by_serial(serial) : NULL;

		if (!dev && strcmp(m->type, "tmpfs")) {
			snprintf(buf, size, "needs a disk for mount %s, and this kernel shows none: it lacks virtio_blk, or came "
				 "without its modules (give --kernel the .deb or the build tree)", m->name);
			return true;
		}
	}
	return false;
}

/* What this machine must have for the scenario; the reason for a skip, or NULL. */
static const char *unmet_need(const struct wring_session *s, char *buf, size_t size)
{
	if (s->scenario->sysctls.n && !s->agent->guest && geteuid()) {
		snprintf(buf, size, "needs root, to set %s", s->scenario->sysctls.rows[0].key);
		return buf;
	}
	for (size_t i = 0; i < s->scenario->n_mounts && !s->agent->guest; i++)
		if (s->scenario->mounts[i].bps || s->scenario->mounts[i].iops) {
			snprintf(buf, size, "needs a slow disk for mount %s, which only a guest has", s->scenario->mounts[i].name);
			return buf;
		}
	if (missing_disk(s, buf, size))
		return buf;
	for (size_t i = 0; i < s->scenario->n_loads; i++)
		if (missing_program(s->agent, s->scenario->loads[i].workload, buf, size))
			return buf;
	for (size_t i = 0; i < s->scenario->n_needs; i++) {
		const char *need = s->scenario->needs[i];

		if (s->agent->guest && missing_program(s->agent, need, buf, size))
			return buf;
		if (!strcmp(need, "memcg") || !strcmp(need, "scratch"))
			continue;
		if (!strcmp(need, "vm") && s->agent->guest)
			continue;
		/* wring_plan_text() makes it the first of its boot. */
		if ((!strcmp(need, "global-pressure") || !strcmp(need, "fresh-boot")) && s->agent->guest)
			continue;
		if (!strcmp(need, "root") && !geteuid())
			continue;
		if ((!strcmp(need, "swap") || !strcmp(need, "zram") || !strcmp(need, "nbd")) && wring_swap_present(s->agent, need))
			continue;
		snprintf(buf, size, "needs %s, which this %s does not have", need, s->agent->guest ? "guest" : "host");
		return buf;
	}
	return NULL;
}

static int64_t cpu_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * WRING_NSEC_PER_SEC + ts.tv_nsec;
}

/* r: of the steps. What was measured counts for the detectors; what a killed program says of itself does not. */
static enum wring_outcome outcome_of(const struct wring_session *s, int r, struct wring_err *err)
{
	const struct wring_scenario *sc = s->scenario;

	for (size_t i = 0; i < sc->n_loads; i++) {
		if (r && wring_load_unable(s, i))
			return WRING_SKIP;
		if (!r && wring_load_killed(s, i)) {
			wring_err_set(err, 0, "load %s: killed for memory in group %s while %s ran: its figures do not count", sc->loads[i].name,
				      sc->loads[i].group, sc->loads[i].workload);
			return WRING_NOISY;
		}
	}
	return r ? WRING_BROKEN : WRING_OK;
}

int wring_session_run(struct wring_agent *a, const struct wring_scenario *sc)
{
	struct wring_session s = { .agent = a, .scenario = sc };
	struct wring_err err = { 0 };
	enum wring_outcome outcome;
	char buf[200];
	const char *need;
	int64_t all, steps, wall;
	int r;

	wring_out_begin(a->out, sc->name);
	need = unmet_need(&s, buf, sizeof(buf));
	if (need) {
		wring_out_end(a->out, wring_outcome_name(WRING_SKIP), need);
		return wring_out_broken(a->out) ? -EPIPE : 0;
	}
	wring_clock_warn(a);
	r = set_up(&s, &err);
	all = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
	steps = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
	wall = wring_now_ns();
	/* Ticks come at the same instruction in each boot of a deterministic guest, and the scheduler and RCU go by them: where in a tick
	 * a scenario starts is for the seed to say. */
	if (a->guest)
		usleep((useconds_t)(a->seed * UINT64_C(0x9e3779b97f4a7c15) >> 32) % 10000);
	if (!r)
		wring_sampling_mark(&s, "start");
	for (size_t i = 0; i < sc->n_phases && !r; i++)
		r = run_phase(&s, &sc->phases[i], &err);
	if (!r)
		wind_down(&s);
	outcome = outcome_of(&s, r, &err);
	/* Between the first mark and the last: sampling and sending; and the steps, where reclaim is done in our name. */
	steps = cpu_ns(CLOCK_THREAD_CPUTIME_ID) - steps;
	all = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - all;
	wring_out_event(a->out, "harness", "cpu", "ns=%lld steps_ns=%lld wall_ns=%lld", (long long)(all - steps), (long long)steps,
			(long long)(wring_now_ns() - wall));
	/* The sampler goes on while things are torn down: the heartbeat and the kernel log come from it. */
	tear_down(&s);
	wring_sampling_free(&s);
	wring_out_end(a->out, wring_outcome_name(outcome), outcome == WRING_OK ? "" : err.msg);
	wring_out_flush(a->out, wring_now_ns() + 5 * WRING_NSEC_PER_SEC);
	return wring_out_broken(a->out) ? -EPIPE : 0;
}
