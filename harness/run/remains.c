/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A guest that failed, hung or panicked, for a person to look at: its memory in a file, and doors into it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "analyzers/judge.h"
#include "harness/base/util.h"
#include "harness/run/run.h"

/* Of a disk that takes a dump so much stays free, for the database may be on it. */
#define SPARE_BYTES (512ULL << 20)

int wring_remains_check(const struct wring_run_options *o, struct wring_err *err)
{
	uint64_t need = o->memory_bytes + SPARE_BYTES, have;
	struct statvfs st;

	if (access(o->dump_dir, W_OK | X_OK) || statvfs(o->dump_dir, &st))
		return wring_err_set(err, -errno, "--dump-guest=%s: a folder that can be written is accepted: %s", o->dump_dir, strerror(errno));
	have = (uint64_t)st.f_bavail * st.f_frsize;
	if (have < need)
		return wring_err_set(err, -ENOSPC, "--dump-guest=%s: a dump takes up to %lluM, and %lluM of the disk stay free: it has %lluM: name "
				     "another folder, or a smaller --memory", o->dump_dir, (unsigned long long)(o->memory_bytes >> 20), SPARE_BYTES >> 20,
				     (unsigned long long)(have >> 20));
	return 0;
}

/* ---- while it runs ---- */

static const char *vmlinux_of(const struct wring_place *p)
{
	const char *vmlinux = wring_kernel_vmlinux(p->kernel);

	return vmlinux ? vmlinux : "vmlinux";
}

int wring_remains_begin(const struct wring_recorder *r, const struct wring_place *p, const struct wring_door *d, struct wring_vm *vm, struct wring_err *err)
{
	_cleanup_free_ char *path = wring_strf("%s/" WRING_DOOR_GDB, d->dir);
	int x = path ? wring_vm_gdb(vm, path, err) : wring_err_set(err, -ENOMEM, "out of memory");

	if (!x)
		wring_progress_tell(r->progress, "gdb %s -ex 'target remote %s'", vmlinux_of(p), path);
	return x;
}

bool wring_remains_held(struct wring_debugged *d, struct wring_recorder *r, struct wring_vm *vm, int64_t *started_ns)
{
	int64_t now = wring_now_ns(), passed = now - d->asked_ns;

	if (passed < WRING_NSEC_PER_SEC)
		return d->held;
	d->held = wring_vm_state(vm, NULL, 0) == WRING_VM_PAUSED;
	if (d->held && d->asked_ns) {
		*started_ns += passed;
		r->begin_host_ns += passed;
		r->last_record_ns = now;
	}
	d->asked_ns = now;
	return d->held;
}

int wring_remains_judge(struct wring_recorder *r, struct wring_vm *vm, bool *ret_failed, struct wring_err *err)
{
	struct wring_runs runs = { 0 };
	char spec[24];
	int x;

	snprintf(spec, sizeof(spec), "%lld", (long long)r->ended);
	r->ended = 0;
	wring_vm_stop(vm, true); /* or the next scenario, or the power-off, goes over it */
	x = wring_store_runs(r->store, spec, &runs, err);
	if (!x)
		x = wring_judge_run(r->store, &runs.rows[0], r->options->known, err);
	wring_runs_done(&runs);
	if (!x)
		x = wring_store_runs(r->store, spec, &runs, err);
	*ret_failed = !x && !strcmp(runs.rows[0].outcome, "fail");
	wring_runs_done(&runs);
	if (!*ret_failed)
		wring_vm_stop(vm, false);
	return x;
}

/* ---- the dump ---- */

static int newest_run(const struct wring_recorder *r, struct wring_runs *ret)
{
	struct wring_err err;
	char spec[24];

	snprintf(spec, sizeof(spec), "%lld", r->n_runs ? (long long)r->run_ids[r->n_runs - 1] : 0);
	return wring_store_runs(r->store, spec, ret, &err);
}

/* The name comes when the file is whole, where the filesystem can do that: what kills us leaves nothing. */
static int write_dump(struct wring_vm *vm, const char *dir, const char *path, struct wring_err *err)
{
	_cleanup_close_ int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char own[40];
	bool is_named = fd < 0;
	int r;

	if (is_named)
		fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return wring_err_set(err, -errno, "%s", strerror(errno));
	r = wring_vm_dump(vm, fd, err);
	snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
	if (!r && !is_named && linkat(AT_FDCWD, own, AT_FDCWD, path, AT_SYMLINK_FOLLOW))
		r = wring_err_set(err, -errno, "%s", strerror(errno));
	if (r && is_named)
		unlink(path);
	return r;
}

static void dump(struct wring_recorder *r, struct wring_vm *vm, const struct wring_run_row *run)
{
	const char *dir = r->options->dump_dir;
	_cleanup_free_ char *folder = realpath(dir, NULL), *path = wring_strf("%s/wring-%.8s.vmcore", folder ? folder : dir, run->uuid);
	_cleanup_free_ char *text = NULL;
	struct wring_err err = { 0 };
	struct stat st;
	int x;

	if (!path)
		return;
	wring_progress_line(r->progress, "%s: writing the guest's memory into %s", run->scenario, path);
	x = wring_remains_check(r->options, &err);
	if (!x)
		x = write_dump(vm, dir, path, &err);
	if (!x && stat(path, &st))
		st.st_blocks = 0;
	text = x ? wring_strf("no dump in %s: %s", path, err.msg) : strdup(path);
	if (!text)
		return;
	if (x)
		wring_progress_tell(r->progress, "%s: %s", run->scenario, text);
	else
		wring_progress_line(r->progress, "%s: %s has %lld MiB", run->scenario, path, (long long)st.st_blocks >> 11);
	wring_store_event(r->store, run->id, r->t_ns, "guest", x ? "no-dump" : "dump", text, &err);
	wring_store_commit(r->store, &err);
}

void wring_remains_dump(struct wring_recorder *r, struct wring_vm *vm)
{
	struct wring_runs runs = { 0 };

	if (!newest_run(r, &runs))
		dump(r, vm, &runs.rows[0]);
	wring_runs_done(&runs);
}

/* ---- doors ---- */

/* What the agent still sends is nobody's any more, but must not block it. */
static void drain(int fd)
{
	char buf[16384];

	while (read(fd, buf, sizeof(buf)) > 0)
		;
}

static void keep(const struct wring_recorder *r, const struct wring_place *p, const struct wring_door *d, struct wring_vm *vm,
		 const struct wring_run_row *run)
{
	_cleanup_free_ char *gdb = wring_strf("%s/" WRING_DOOR_GDB, d->dir), *console = wring_strf("%s/" WRING_DOOR_CONSOLE, d->dir);
	struct pollfd fds[] = { { .fd = wring_vm_pidfd(vm), .events = POLLIN }, { .fd = wring_vm_record_fd(vm), .events = POLLIN } };
	enum wring_vm_state state = wring_vm_state(vm, NULL, 0);
	struct wring_err err = { 0 };

	if (!gdb || !console || state == WRING_VM_KILLED || (state == WRING_VM_EXITED && !wring_vm_is_off(vm)))
		return;
	if ((!r->options->gdb && wring_vm_gdb(vm, gdb, &err)) || wring_vm_hand_over_console(vm, console, &err))
		wring_progress_tell(r->progress, "%s: %s", run->scenario, err.msg);
	wring_progress_tell(r->progress, "%s: the guest is kept, %s, until Ctrl-C, or until it ends ('quit' in its monitor):\n"
			    "  monitor  socat - UNIX:%s/" WRING_DOOR_MONITOR "\n"
			    "  QMP      socat - UNIX:%s/" WRING_DOOR_QMP "\n"
			    "  console  socat - UNIX:%s      (sysrq: 'chardev-send-break console' in the monitor, then the letter here)\n"
			    "  gdb      gdb %s -ex 'target remote %s'",
			    run->scenario, state == WRING_VM_RUNNING ? "running" : "stopped", d->dir, d->dir, console, vmlinux_of(p), gdb);
	while (!wring_interrupted && !fds[0].revents) {
		poll(fds, WRING_ARRAY_SIZE(fds), 200);
		if (fds[1].revents & POLLIN)
			drain(fds[1].fd);
		else if (fds[1].revents)
			fds[1].fd = -1;
	}
}

void wring_remains_keep(struct wring_recorder *r, const struct wring_place *p, const struct wring_door *d, struct wring_vm *vm)
{
	struct wring_runs runs = { 0 };

	if (!newest_run(r, &runs))
		keep(r, p, d, vm, &runs.rows[0]);
	wring_runs_done(&runs);
}
