/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One boot of a guest: build it, start it, record it, and find out how it ended. A guest that panics or hangs is a
 * finding about its kernel; one that was paused, killed or starved from outside is nobody's fault. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "harness/base/util.h"
#include "harness/run/run.h"

#define BOOT_TCG_NS (180 * WRING_NSEC_PER_SEC)
#define BOOT_KVM_NS (30 * WRING_NSEC_PER_SEC)
#define SILENCE_NS (15 * WRING_NSEC_PER_SEC)
/* Below this share of one CPU over the post-mortem, the host did not let the guest run. */
#define STARVED_SHARE 0.02
/* The guest is starved when over such a stretch its CPUs wanted to run for half of it or more and hardly did. */
#define STRETCH_NS (5 * WRING_NSEC_PER_SEC)

/* Is a guest that came to its end still of use? */
static bool must_hold(const struct wring_run_options *o)
{
	return o->dump_dir || o->keep;
}

static int start(struct wring_recorder *r, struct wring_place *p, size_t first, const char *door, struct wring_vm **ret, struct wring_err *err)
{
	const struct wring_run_options *o = r->options;
	_cleanup_close_ int initramfs = -1;
	struct wring_disks disks = { .n = 0 };
	char ram_disks[80] = "";
	int x = wring_disks_new(r->scenarios, &disks, err);

	/* Completions of QEMU's disks follow the host's time, so a deterministic guest keeps them in its own memory. */
	if (!x && o->deterministic && disks.n)
		snprintf(ram_disks, sizeof(ram_disks), " rd_nr=%zu rd_size=%llu", disks.n, (unsigned long long)(wring_disks_largest(&disks) >> 10));
	if (!x)
		x = wring_guest_files(r, p, first, *ram_disks ? &disks : NULL, ram_disks, &initramfs, err);
	if (!x) {
		struct wring_vm_spec spec = {
			.kernel_fd = wring_kernel_image_fd(p->kernel), .initramfs_fd = initramfs,
			.append = o->append ? o->append : "", .cpus = o->cpus, .nodes = o->nodes, .memory_bytes = o->memory_bytes,
			.accel = p->accel, .disks = disks.rows, .n_disks = *ram_disks ? 0 : disks.n, .forwards = wring_servers,
			.n_forwards = wring_scenario_needs(r->scenarios->rows[first], "nbd") ? WRING_N_SERVERS : 0, .deterministic = o->deterministic,
			.seed = o->seed, .hold = must_hold(o), .door = door,
		};

		x = wring_vm_start(&spec, ret, err);
	}
	wring_disks_done(&disks);
	return x;
}

static int begin_boot(struct wring_recorder *r, struct wring_place *p, size_t first, struct wring_err *err)
{
	const struct wring_run_options *o = r->options;
	_cleanup_free_ char *uuid = NULL;
	char started[40], vm[100];
	const char *config = wring_kernel_config(p->kernel);
	int x;

	if (wring_read_line(AT_FDCWD, "/proc/sys/kernel/random/uuid", &uuid))
		return wring_err_set(err, -EIO, "no uuid from /proc/sys/kernel/random/uuid");
	snprintf(vm, sizeof(vm), "cpus=%u nodes=%u memory=%lluM%s", o->cpus, o->nodes, (unsigned long long)(o->memory_bytes >> 20),
		 o->deterministic ? " deterministic" : "");
	x = wring_recorder_boot(r, &(struct wring_boot_meta){
			.uuid = uuid, .where = "vm", .started = wring_rfc3339(wring_realtime_ns(), started, sizeof(started)),
			.append = o->append ? o->append : "", .kernel_sha256 = wring_kernel_sha256(p->kernel),
			.accel = p->accel == WRING_ACCEL_KVM ? "kvm" : "tcg", .vm = vm }, first, err);
	if (!x)
		x = wring_store_fact(r->store, r->boot, "kernel.release", wring_kernel_release(p->kernel), err);
	if (!x && config) {
		const char *hz = strstr(config, "\nCONFIG_HZ=");

		x = wring_store_fact(r->store, r->boot, "kernel.config", config, err);
		if (!x && hz) {
			char text[16];

			snprintf(text, sizeof(text), "%d", atoi(hz + strlen("\nCONFIG_HZ=")));
			x = wring_store_fact(r->store, r->boot, "hz", text, err);
		}
	}
	return x;
}

/* ---- how it went ---- */

enum fate { GOES_ON, ENDED, PANICKED, HUNG, KILLED, PAUSED, STARVED, NO_BOOT, INTERNAL, INTERRUPTED, OVERTIME, IDLE, STUCK, CORRUPT, FAILED };

struct watch {
	struct wring_vm *vm;
	int64_t started_ns, boot_limit_ns, silence_cpu_ns, silence_since_ns;
	int64_t stretch_ns, stretch_cpu_ns, stretch_wait_ns; /* since then, and what the vCPUs had at that time */
	int64_t starved_ns, starved_run;                     /* when it was last seen, and noted for which run */
	struct wring_debugged debugged;
	char detail[200];
};

/* The first line of the console that says why the kernel stopped, from `marker` on. */
static bool console_line(struct wring_vm *vm, const char *marker, char *buf, size_t size)
{
	size_t len;
	const char *text = wring_vm_console(vm, &len), *at = text ? memmem(text, len, marker, strlen(marker)) : NULL;

	if (at)
		snprintf(buf, size, "%.*s", (int)strcspn(at, "\r\n"), at);
	return at;
}

static enum fate look_at_exit(struct watch *w, enum wring_vm_state state)
{
	wring_vm_pump(w->vm);
	if (state == WRING_VM_KILLED)
		return KILLED;
	if (console_line(w->vm, "Kernel panic", w->detail, sizeof(w->detail)))
		return PANICKED;
	return ENDED;
}

/* What hung tasks, stalls and hangs of such a guest are worth, the detectors know. */
static void look_at_cpus(struct watch *w, struct wring_recorder *r, int64_t now)
{
	int64_t cpu, wait, took = now - w->stretch_ns;
	char text[100];

	if (took < STRETCH_NS)
		return;
	cpu = wring_vm_cpu_ns(w->vm);
	wait = wring_vm_wait_ns(w->vm);
	if (w->stretch_ns && cpu - w->stretch_cpu_ns < took / 20 && wait - w->stretch_wait_ns > took / 2) {
		w->starved_ns = now;
		if (r->run && w->starved_run != r->run) {
			w->starved_run = r->run;
			snprintf(text, sizeof(text), "in %.1f s its CPUs ran %.2f s and waited %.1f s to run", (double)took / 1e9,
				 (double)(cpu - w->stretch_cpu_ns) / 1e9, (double)(wait - w->stretch_wait_ns) / 1e9);
			wring_recorder_note(r, "guest", "starved", text);
		}
	}
	w->stretch_ns = now;
	w->stretch_cpu_ns = cpu;
	w->stretch_wait_ns = wait;
}

static bool is_starved(const struct watch *w, int64_t now)
{
	return w->starved_ns && now - w->starved_ns < 2 * SILENCE_NS;
}

/* No record for a while although the agent sends a heartbeat five times a second: who is to blame? */
static enum fate look_at_silence(struct watch *w, const struct wring_recorder *r, int64_t now)
{
	enum wring_vm_state state;
	int64_t cpu, silent = now - r->last_record_ns;

	if (silent < 2 * WRING_NSEC_PER_SEC) {
		w->silence_since_ns = 0;
		return GOES_ON;
	}
	if (!w->silence_since_ns) {
		w->silence_since_ns = now;
		w->silence_cpu_ns = wring_vm_cpu_ns(w->vm);
	}
	if (silent < SILENCE_NS)
		return GOES_ON;
	state = wring_vm_state(w->vm, w->detail, sizeof(w->detail));
	if (state == WRING_VM_PAUSED)
		return PAUSED;
	if (state == WRING_VM_INTERNAL)
		return INTERNAL;
	if (state == WRING_VM_EXITED || state == WRING_VM_KILLED)
		return look_at_exit(w, state);
	cpu = wring_vm_cpu_ns(w->vm) - w->silence_cpu_ns;
	/* An idle guest uses no CPU either: only one that answers the post-mortem slowly was starved; a guest that waits on a dead
	 * lock with its CPUs idle still answers sysrq. So the share decides only when the console stays mute, in post_mortem(). */
	snprintf(w->detail, sizeof(w->detail), "no record for %lld s; its CPUs ran %.1f s meanwhile", (long long)(silent / WRING_NSEC_PER_SEC),
		 (double)cpu / 1e9);
	return is_starved(w, now) ? STARVED : HUNG;
}

static enum fate look(struct watch *w, struct wring_recorder *r)
{
	int64_t now = wring_recorder_now(r);

	if (wring_interrupted) {
		*w->detail = '\0';
		return INTERRUPTED;
	}
	if (r->options->gdb && wring_remains_held(&w->debugged, r, w->vm, &w->started_ns))
		return GOES_ON;
	look_at_cpus(w, r, now);
	if (!r->hello) {
		enum wring_vm_state state = WRING_VM_RUNNING;

		if (now - w->started_ns > WRING_NSEC_PER_SEC && !w->silence_since_ns) {
			w->silence_since_ns = now;
			state = wring_vm_state(w->vm, w->detail, sizeof(w->detail));
		} else if (w->silence_since_ns && now - w->silence_since_ns > WRING_NSEC_PER_SEC) {
			w->silence_since_ns = 0;
		}
		if (state == WRING_VM_INTERNAL)
			return INTERNAL;
		if (state == WRING_VM_EXITED || state == WRING_VM_KILLED)
			return look_at_exit(w, state);
		if (now - w->started_ns < w->boot_limit_ns)
			return GOES_ON;
		return wring_vm_state(w->vm, w->detail, sizeof(w->detail)) == WRING_VM_PAUSED ? PAUSED : NO_BOOT;
	}
	if (r->run && *r->stuck) {
		snprintf(w->detail, sizeof(w->detail), "%s", r->stuck);
		return is_starved(w, now) ? STARVED : STUCK;
	}
	if (wring_recorder_overdue(r)) {
		*w->detail = '\0';
		return is_starved(w, now) ? STARVED : r->run ? OVERTIME : IDLE;
	}
	return look_at_silence(w, r, now);
}

/* Returns what wring_recorder_read() does. */
static int read_records(struct watch *w, struct wring_recorder *r, int fd, bool *ret_failed, struct wring_err *err)
{
	int x = wring_recorder_read(r, fd, err);

	while (!x && r->stops && r->ended && !*ret_failed) {
		x = wring_remains_judge(r, w->vm, ret_failed, err);
		if (!x && !*ret_failed)
			x = wring_recorder_read(r, fd, err);
	}
	return x;
}

static int follow(struct watch *w, struct wring_recorder *r, enum fate *ret, struct wring_err *err)
{
	struct pollfd fds[] = {
		{ .fd = wring_vm_record_fd(w->vm), .events = POLLIN },
		{ .fd = wring_vm_console_fd(w->vm), .events = POLLIN },
		{ .fd = wring_vm_pidfd(w->vm), .events = POLLIN },
	};
	enum fate fate = GOES_ON;
	int x = 0;

	while (fate == GOES_ON && !x) {
		bool is_off = r->stops && wring_vm_is_off(w->vm), failed = false;

		poll(fds, WRING_ARRAY_SIZE(fds), 100);
		if (fds[1].revents)
			wring_vm_pump(w->vm);
		if (fds[0].revents) {
			x = read_records(w, r, fds[0].fd, &failed, err);
			if (x > 0) {
				fds[0].fd = -1;
				x = 0;
				if (r->enough)
					break;
			} else if (x == -EBADMSG) {
				snprintf(w->detail, sizeof(w->detail), "%.*s", (int)sizeof(w->detail) - 1, err->msg);
				fate = CORRUPT;
				x = 0;
				break;
			}
			if (failed) {
				fate = FAILED;
				break;
			}
		} else if (fds[2].revents || is_off) {
			/* Everything it had sent has been read. */
			fate = look_at_exit(w, wring_vm_state(w->vm, w->detail, sizeof(w->detail)));
			break;
		}
		if (!x)
			x = wring_recorder_tick(r, err);
		if (!x && !fds[2].revents)
			fate = look(w, r);
	}
	*ret = fate;
	return x;
}

/* What to write down. */
static const struct { enum fate fate; const char *subject, *reason; } words[] = {
	{ PANICKED, "panic", "the guest's kernel panicked" },
	{ HUNG, "hang", "the guest's kernel hung" },
	{ OVERTIME, "hang", "the scenario did not end, long after its timeout" },
	{ IDLE, "hang", "the agent begins no scenario" },
	{ STUCK, "hang", "the guest's kernel does not let go of a task" },
	{ CORRUPT, "corrupt", "the guest's record stream is damaged" },
	{ KILLED, "killed", "QEMU was killed from outside" },
	{ PAUSED, "paused", "the guest was paused from outside" },
	{ STARVED, "starved", "the host did not let the guest's CPUs run" },
	{ NO_BOOT, "noboot", "the guest did not boot in time" },
	{ INTERNAL, "internal", "QEMU cannot run this kernel with this accelerator" },
	{ INTERRUPTED, "interrupted", "interrupted by the user" },
	{ ENDED, "exited", "the guest ended before its plan did" },
};

static enum fate post_mortem(struct watch *w, enum fate fate, bool may_look)
{
	int64_t cpu = wring_vm_cpu_ns(w->vm), since = wring_now_ns();
	char state[100];

	if (fate != HUNG && fate != OVERTIME && fate != IDLE && fate != STUCK && fate != NO_BOOT)
		return fate;
	if (wring_vm_post_mortem(w->vm, 20000, !may_look) || fate == NO_BOOT)
		return fate;
	/* Not even an NMI: a kernel that is deaf still burns its CPUs; a guest that got no CPU proves nothing. */
	if ((double)(wring_vm_cpu_ns(w->vm) - cpu) < STARVED_SHARE * (double)(wring_now_ns() - since))
		return wring_vm_state(w->vm, state, sizeof(state)) == WRING_VM_PAUSED ? PAUSED : STARVED;
	return fate;
}

/* Is there something to look at? */
static bool leaves_remains(enum fate fate)
{
	return fate == PANICKED || fate == HUNG || fate == OVERTIME || fate == STUCK || fate == NO_BOOT || fate == FAILED;
}

static int write_console(struct watch *w, struct wring_recorder *r, const struct wring_kernel *kernel, enum fate fate, struct wring_err *err)
{
	size_t len;
	const char *text = wring_vm_console(w->vm, &len);
	_cleanup_free_ char *more = leaves_remains(fate) && len ? wring_kernel_symbolise(kernel, text) : NULL;

	return !len ? 0 : wring_store_console(r->store, r->boot, more ? more : text, more ? strlen(more) : len, err);
}

static int write_down(struct watch *w, struct wring_recorder *r, const struct wring_kernel *kernel, enum fate fate, struct wring_err *err)
{
	_cleanup_free_ char *reason = NULL;
	size_t i = 0;
	int x = write_console(w, r, kernel, fate, err);

	while (i + 1 < WRING_ARRAY_SIZE(words) && words[i].fate != fate)
		i++;
	if (x || fate == FAILED || r->enough || r->done >= r->scenarios->n || (fate == ENDED && r->bye && !*r->error))
		return x ? x : wring_store_commit(r->store, err);
	if (*r->error && fate == ENDED)
		reason = strdup(r->error);
	else
		reason = wring_strf("%s%s%s", words[i].reason, *w->detail ? ": " : "", w->detail);
	if (!reason)
		return wring_err_set(err, -ENOMEM, "reason");
	/* A stuck task was told of by the agent itself, with its stack. */
	if (r->run && fate != STUCK)
		wring_recorder_note(r, "guest", words[i].subject, *w->detail ? w->detail : words[i].reason);
	return wring_recorder_end(r, "broken", reason, err);
}

/* KVM that opens and takes ioctls but cannot run this kernel: nobody asked for it, so TCG does it. */
static bool should_fall_back(const struct wring_recorder *r, const struct wring_place *p, int x, enum fate fate)
{
	return p->accel == WRING_ACCEL_KVM && !p->accel_asked && !r->hello &&
	       (x || fate == INTERNAL || fate == NO_BOOT || fate == PANICKED || fate == KILLED || fate == ENDED);
}

int wring_boot_guest(struct wring_recorder *r, struct wring_place *p, size_t first, struct wring_err *err)
{
	const struct wring_run_options *o = r->options;
	struct watch w = { 0 };
	struct wring_door door = { 0 };
	enum fate fate = GOES_ON;
	int x = begin_boot(r, p, first, err);

	if (!x && (o->keep || o->gdb))
		x = wring_door_open(&door, err);
	if (x)
		return x;
	r->stops = must_hold(o);
	x = start(r, p, first, door.dir, &w.vm, err);
	w.started_ns = r->last_record_ns = wring_recorder_now(r);
	w.boot_limit_ns = p->accel == WRING_ACCEL_KVM && !p->accel_asked ? BOOT_KVM_NS : BOOT_TCG_NS;
	if (!x && o->gdb)
		x = wring_remains_begin(r, p, &door, w.vm, err);
	if (!x)
		x = follow(&w, r, &fate, err);
	if (should_fall_back(r, p, x, fate)) {
		wring_progress_line(r->progress, "KVM opens here but cannot run this kernel: going on with TCG");
		p->accel = WRING_ACCEL_TCG;
		wring_vm_free(w.vm);
		wring_door_close(&door);
		return wring_boot_guest(r, p, first, err);
	}
	if (!x) {
		/* Before anybody asks the kernel for its stacks, and perhaps makes it panic, if it is known whose it is. */
		bool is_early = r->run || fate == FAILED;

		if (is_early && o->dump_dir && leaves_remains(fate))
			wring_remains_dump(r, w.vm);
		fate = post_mortem(&w, fate, o->keep);
		x = write_down(&w, r, p->kernel, fate, err);
		if (!x && !is_early && o->dump_dir && leaves_remains(fate))
			wring_remains_dump(r, w.vm);
	}
	if (!x && o->keep && leaves_remains(fate))
		wring_remains_keep(r, p, &door, w.vm);
	wring_vm_free(w.vm);
	wring_door_close(&door);
	return x;
}
