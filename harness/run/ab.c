/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A slot is one fresh boot of one arm, with a run of each scenario. It enters the comparison when all of it is there: what an
 * interruption cut short is run again. */
#include "harness/run/ab.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "analyzers/stats/design.h"
#include "harness/base/util.h"

/* Far enough apart that no two boots of an arm against itself have the same seed. */
#define AA_SEEDS 1000003u

struct plan {
	bool *is_b, *is_done;
	bool booted[2]; /* some boot of the arm came up */
};

/* ---- one slot ---- */

/* In blocks, the runs of one share a seed. Counted in instructions a run is its seed, so each boot of an arm has its own, and
 * both arms have the same ones; an arm against itself must not, or it would be compared with the very same runs. */
static uint64_t seed_of(const struct wring_ab *ab, const struct plan *p, unsigned slot)
{
	uint64_t nth = 0;

	if (!ab->deterministic)
		return ab->seed + slot / WRING_BLOCK;
	for (unsigned i = 0; i < slot; i++)
		nth += p->is_b[i] == p->is_b[slot];
	return ab->seed + nth + (ab->aa && p->is_b[slot] ? AA_SEEDS : 0);
}

static int judge_runs(struct wring_ab *ab, struct wring_store *st, const int64_t *ids, size_t n, int64_t *ret_boot, struct wring_err *err)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		struct wring_runs one = { 0 };
		char spec[24];

		snprintf(spec, sizeof(spec), "%lld", (long long)ids[i]);
		r = wring_store_runs(st, spec, &one, err);
		if (!r)
			r = wring_judge_run(st, &one.rows[0], ab->known, err);
		if (!r && !i)
			*ret_boot = one.rows[0].boot;
		wring_runs_done(&one);
	}
	return r;
}

static bool came_up(struct wring_store *st, int64_t boot)
{
	_cleanup_free_ char *version = wring_store_get_fact(st, boot, "agent.version");

	return version;
}

static int run_slot(struct wring_ab *ab, struct wring_store *st, const struct plan *p, unsigned slot, bool quiet, struct wring_err *err)
{
	bool b = p->is_b[slot];
	struct wring_arm *arm = ab->arms[b];
	struct wring_run_options o = arm->options;
	int64_t *ids = NULL, boot = 0;
	bool was_kvm;
	size_t n = 0;
	int r;

	o.seed = seed_of(ab, p, slot);
	o.arm = b ? "b" : "a";
	o.quiet = o.quiet || quiet;
	was_kvm = arm->place.where == WRING_WHERE_VM && arm->place.accel == WRING_ACCEL_KVM;
	r = wring_run_all(st, &o, &arm->place, &arm->scenarios, &ids, &n, err);
	if (r)
		wring_err_prefix(err, "arm %s", arm->name);
	if (wring_interrupted)
		r = wring_err_set(err, -EINTR, "interrupted: the same command, or wring ab --resume, goes on where it was");
	/* What was planned for hardware would now be an emulator's. */
	else if (!r && was_kvm && arm->place.accel == WRING_ACCEL_TCG)
		r = wring_err_set(err, -EAGAIN, "KVM opens here but cannot run this kernel: --accel=tcg");
	if (!r)
		r = judge_runs(ab, st, ids, n, &boot, err);
	if (!r && !p->booted[b] && !came_up(st, boot)) {
		ab->dead_boot = boot;
		ab->dead_arm = b;
		r = wring_err_set(err, -ENOEXEC, "arm %s (%s): its kernel does not boot", arm->name, arm->place.kernel ?
				  wring_kernel_release(arm->place.kernel) : "this host");
	}
	if (!r)
		r = wring_store_add_slot(st, ab->comparison, slot, slot / WRING_BLOCK, b, ids, n, err);
	free(ids);
	return r;
}

/* ---- one after the other ---- */

static void tell(const struct wring_ab *ab, const struct plan *p, unsigned slot)
{
	if (ab->tell)
		ab->tell(ab, slot, ab->arms[p->is_b[slot]]);
}

static int run_in_turn(struct wring_ab *ab, struct plan *p, struct wring_err *err)
{
	struct wring_store *st = NULL;
	int r = wring_store_open(ab->db, WRING_STORE_WRITE, &st, err);

	for (unsigned i = 0; i < ab->slots && !r; i++) {
		if (p->is_done[i])
			continue;
		tell(ab, p, i);
		r = run_slot(ab, st, p, i, false, err);
		p->booted[p->is_b[i]] |= !r;
	}
	wring_store_close(st);
	return r;
}

/* ---- side by side ---- */

/* What a child tells its parent. */
struct told { int r, dead_arm; int64_t dead_boot; struct wring_err err; };
struct child { pid_t pid; int fd; unsigned slot; };

/* A process of its own, with a connection of its own: SQLite must not be carried over a fork, so the parent has none open. */
static int start_child(struct wring_ab *ab, struct plan *p, unsigned slot, struct child *c, struct wring_err *err)
{
	pid_t parent = getpid();
	int fds[2];

	if (pipe(fds))
		return wring_err_set(err, -errno, "a pipe: %s", strerror(errno));
	fflush(NULL);
	tell(ab, p, slot);
	*c = (struct child){ .pid = fork(), .fd = fds[0], .slot = slot };
	if (c->pid < 0) {
		close(fds[0]);
		close(fds[1]);
		return wring_err_set(err, -errno, "a process for boot %u: %s", slot + 1, strerror(errno));
	}
	if (!c->pid) {
		struct wring_store *st = NULL;
		struct told t = { 0 };

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		t.r = wring_store_open(ab->db, WRING_STORE_WRITE, &st, &t.err);
		if (!t.r)
			t.r = run_slot(ab, st, p, slot, true, &t.err);
		wring_store_close(st);
		t.dead_arm = ab->dead_arm;
		t.dead_boot = ab->dead_boot;
		_exit(wring_write_all(fds[1], &t, sizeof(t)) ? 1 : 0);
	}
	close(fds[1]);
	return 0;
}

static int end_child(struct wring_ab *ab, struct plan *p, struct child *c, struct wring_err *err)
{
	struct told t = { 0 };
	struct pollfd pfd = { .fd = c->fd, .events = POLLIN };
	ssize_t n;

	while (poll(&pfd, 1, 100) <= 0)
		if (wring_interrupted) /* perhaps we alone were told */
			kill(c->pid, SIGTERM);
	n = read(c->fd, &t, sizeof(t));
	close(c->fd);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
	if (n != (ssize_t)sizeof(t))
		return wring_err_set(err, -ECHILD, "the process of boot %u died: the same command goes on where it was", c->slot + 1);
	if (t.r == -ENOEXEC) {
		ab->dead_arm = t.dead_arm;
		ab->dead_boot = t.dead_boot;
	}
	p->booted[p->is_b[c->slot]] |= !t.r;
	if (t.r)
		*err = t.err;
	return t.r;
}

/* No block begins before the last one ended: its runs share what the machine was doing. Instructions do not care. */
static int run_side_by_side(struct wring_ab *ab, struct plan *p, struct wring_err *err)
{
	struct child *running = calloc(ab->jobs, sizeof(*running));
	unsigned n = 0, block = 0;
	int r = running ? 0 : wring_err_set(err, -ENOMEM, "processes");

	for (unsigned i = 0; i < ab->slots && !r; i++) {
		bool next_block = !ab->deterministic && i / WRING_BLOCK != block;

		if (p->is_done[i])
			continue;
		while (n && !r && (n == ab->jobs || next_block)) {
			r = end_child(ab, p, &running[0], err);
			memmove(running, running + 1, --n * sizeof(*running));
		}
		block = i / WRING_BLOCK;
		if (!r && wring_interrupted)
			r = wring_err_set(err, -EINTR, "interrupted: the same command, or wring ab --resume, goes on where it was");
		if (!r)
			r = start_child(ab, p, i, &running[n], err);
		n += !r;
	}
	for (unsigned k = 0; k < n; k++) {
		struct wring_err later = { 0 };
		int x = end_child(ab, p, &running[k], r ? &later : err);

		r = r ? r : x;
	}
	free(running);
	return r;
}

/* ---- all of it ---- */

static int read_done(struct wring_ab *ab, struct plan *p, struct wring_err *err)
{
	struct wring_store *st = NULL;
	struct wring_slots slots = { 0 };
	int r = wring_store_open(ab->db, WRING_STORE_READ, &st, err);

	if (!r)
		r = wring_store_slots(st, ab->comparison, &slots, err);
	for (size_t i = 0; i < slots.n; i++)
		if (slots.rows[i].slot < (int64_t)ab->slots) {
			p->is_done[slots.rows[i].slot] = true;
			p->booted[slots.rows[i].b] = true;
		}
	wring_cmp_slots_done(&slots);
	wring_store_close(st);
	return r;
}

int wring_ab_run(struct wring_ab *ab, struct wring_err *err)
{
	struct plan p = { calloc(ab->slots + 1, sizeof(bool)), calloc(ab->slots + 1, sizeof(bool)), { false, false } };
	int r = p.is_b && p.is_done ? wring_order(ab->seed, ab->slots / WRING_BLOCK, false, p.is_b) : -ENOMEM;

	if (r)
		wring_err_set(err, r, "the order of the runs");
	else
		r = read_done(ab, &p, err);
	if (!r)
		r = ab->jobs > 1 ? run_side_by_side(ab, &p, err) : run_in_turn(ab, &p, err);
	free(p.is_b);
	free(p.is_done);
	return r;
}
