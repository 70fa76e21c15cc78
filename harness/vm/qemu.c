/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "harness/base/util.h"
#include "harness/vm/child.h"
#include "harness/vm/cmdline.h"
#include "harness/vm/inside.h"

#define START_MS 20000  /* until QEMU has made its machine; a busy host is slow at that */

/* ---- the process ---- */

/* What QEMU itself had to say, on the heap (the caller frees it); NULL when nothing. */
static char *all_words(const struct wring_vm *vm)
{
	char path[40], *text;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", vm->stderr_fd);
	if (wring_read_file(AT_FDCWD, path, &text, NULL))
		return NULL;
	if (*text)
		return text;
	free(text);
	return NULL;
}

/* The last thing QEMU said, without its name in front. */
static const char *last_words(const struct wring_vm *vm, char *buf, size_t size)
{
	static const char prefix[] = "qemu-system-x86_64: ";
	_cleanup_free_ char *text = all_words(vm);

	if (!text)
		return "";
	wring_child_last_line(text, buf, size);
	return strncmp(buf, prefix, sizeof(prefix) - 1) ? buf : buf + sizeof(prefix) - 1;
}

bool wring_vm_has_ended(struct wring_vm *vm)
{
	siginfo_t si = { 0 };
	int r;

	if (vm->has_ended)
		return true;
	r = waitid(P_PID, (id_t)vm->pid, &si, WEXITED | WNOHANG);
	if (!r && !si.si_pid)
		return false;
	vm->has_ended = true;
	vm->code = r ? CLD_EXITED : si.si_code; /* r: a caller that ignores SIGCHLD lost the status */
	vm->status = r ? 0 : si.si_status;
	wring_vm_pump(vm);
	wring_qmp_drain(vm->qmp);
	return true;
}

static bool wait_end(struct wring_vm *vm, int timeout_ms)
{
	struct pollfd pfd = { .fd = vm->pidfd, .events = POLLIN };

	poll(&pfd, 1, timeout_ms);
	return wring_vm_has_ended(vm);
}

/* ---- start ---- */

static int make_socket(int *ret_ours, int *ret_theirs)
{
	int fds[2], size = 4 << 20;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -errno;
	/* Room for a recorder that is busy elsewhere. As much as the host's wmem_max grants. */
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	*ret_ours = fds[0];
	*ret_theirs = fds[1];
	return 0;
}

static void close_ends(struct wring_vm_ends *e)
{
	wring_closep(&e->console);
	wring_closep(&e->record);
	wring_closep(&e->qmp);
}

static int make_sockets(struct wring_vm *vm, struct wring_vm_ends *ends, struct wring_err *err)
{
	int qmp_fd = -1, r;

	r = make_socket(&vm->console_fd, &ends->console);
	if (!r)
		r = make_socket(&vm->record_fd, &ends->record);
	if (!r)
		r = make_socket(&qmp_fd, &ends->qmp);
	if (!r)
		r = wring_qmp_new(qmp_fd, &vm->qmp);
	vm->stderr_fd = r ? -1 : memfd_create("qemu-stderr", MFD_CLOEXEC);
	if (!r && vm->stderr_fd < 0)
		r = -errno;
	if (!r)
		fcntl(vm->stderr_fd, F_SETFL, O_APPEND);
	return r ? wring_err_set(err, r, "sockets for QEMU: %s", strerror(-r)) : 0;
}

static int launch(struct wring_vm *vm, const char *qemu, const struct wring_vm_spec *spec,
		  const struct wring_vm_ends *ends, struct wring_err *err)
{
	_cleanup_free_ int *keep = calloc(5 + spec->n_disks, sizeof(*keep));
	char **argv = wring_vm_argv(qemu, spec, ends);
	size_t n = 0;
	pid_t pid = -ENOMEM;

	if (keep && argv) {
		keep[n++] = ends->console;
		keep[n++] = ends->record;
		keep[n++] = ends->qmp;
		keep[n++] = spec->kernel_fd;
		keep[n++] = spec->initramfs_fd;
		for (size_t i = 0; i < spec->n_disks; i++)
			keep[n++] = spec->disks[i].fd;
		pid = wring_child_start(argv, keep, n, vm->stderr_fd);
	}
	wring_vm_argv_free(argv);
	if (pid < 0)
		return wring_err_set(err, pid, "cannot start %s: %s", qemu, strerror(-pid));
	vm->pid = pid;
	vm->pidfd = pidfd_open(pid, 0);
	return vm->pidfd < 0 ? wring_err_set(err, -errno, "pidfd of QEMU: %s", strerror(errno)) : 0;
}

static void learn_vcpus(struct wring_vm *vm)
{
	json_t *cpus = NULL, *cpu;
	size_t i;

	if (wring_qmp_execute(vm->qmp, "query-cpus-fast", NULL, WRING_VM_ANSWER_MS, &cpus, NULL))
		return;
	json_array_foreach(cpus, i, cpu) {
		pid_t tid = (pid_t)json_integer_value(json_object_get(cpu, "thread-id"));
		bool is_known = false;

		/* In a single thread all vCPUs share one. */
		for (unsigned n = 0; n < vm->n_vcpus; n++)
			is_known |= vm->vcpus[n] == tid;
		if (tid > 0 && !is_known && vm->n_vcpus < WRING_VM_MAX_VCPUS)
			vm->vcpus[vm->n_vcpus++] = tid;
	}
	json_decref(cpus);
}

static int greet(struct wring_vm *vm, struct wring_err *err)
{
	char line[400];
	int r = wring_qmp_hello(vm->qmp, START_MS, err);

	if (!r) {
		learn_vcpus(vm);
		return 0;
	}
	if (r == -EPIPE && wait_end(vm, 2000)) {
		const char *said = last_words(vm, line, sizeof(line));

		return wring_err_set(err, -EIO, "QEMU did not start (%s %d)%s%s",
				     vm->code == CLD_EXITED ? "exit status" : "signal", vm->status,
				     *said ? ": " : "", said);
	}
	return r;
}

int wring_vm_start(const struct wring_vm_spec *spec, struct wring_vm **ret, struct wring_err *err)
{
	struct wring_vm_ends ends = { -1, -1, -1 };
	_cleanup_free_ char *qemu = NULL;
	struct wring_vm *vm;
	int r = wring_vm_check(spec, err);

	if (!r)
		r = wring_child_find("qemu-system-x86_64", "qemu-system-x86", &qemu, err);
	if (r)
		return r;
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		return wring_err_set(err, -ENOMEM, "out of memory");
	vm->pidfd = vm->record_fd = vm->console_fd = vm->stderr_fd = -1;
	vm->holds = spec->hold;
	r = make_sockets(vm, &ends, err);
	if (!r)
		r = launch(vm, qemu, spec, &ends, err);
	close_ends(&ends); /* so that the end of QEMU is the end of its streams */
	if (!r)
		r = greet(vm, err);
	if (r)
		wring_vm_free(vm);
	else
		*ret = vm;
	return r;
}

void wring_vm_free(struct wring_vm *vm)
{
	if (!vm)
		return;
	if (vm->pid > 0 && !wring_vm_has_ended(vm)) {
		kill(vm->pid, SIGKILL);
		while (waitpid(vm->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	wring_qmp_free(vm->qmp);
	wring_closep(&vm->pidfd);
	wring_closep(&vm->record_fd);
	wring_closep(&vm->console_fd);
	wring_closep(&vm->stderr_fd);
	wring_capture_done(&vm->console);
	free(vm);
}

int wring_vm_record_fd(const struct wring_vm *vm) { return vm->record_fd; }
int wring_vm_console_fd(const struct wring_vm *vm) { return vm->console_fd; }
pid_t wring_vm_pid(const struct wring_vm *vm) { return vm->pid; }
int wring_vm_pidfd(const struct wring_vm *vm) { return vm->pidfd; }

/* ---- console ---- */

void wring_vm_pump(struct wring_vm *vm)
{
	char buf[16384];
	ssize_t n;

	while ((n = recv(vm->console_fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			wring_capture_add(&vm->console, buf, (size_t)n);
}

const char *wring_vm_console(const struct wring_vm *vm, size_t *ret_len)
{
	if (ret_len)
		*ret_len = vm->console.len;
	return vm->console.text ? vm->console.text : "";
}

/* ---- state ---- */

/* 'R', 'S', 'T' ...: the third field of /proc/PID/stat, behind a name that may hold anything. */
static char process_state(pid_t pid)
{
	_cleanup_free_ char *text = NULL;
	char path[40];
	const char *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (wring_read_file(AT_FDCWD, path, &text, NULL))
		return 0;
	p = strrchr(text, ')');
	return p && p[1] == ' ' ? p[2] : 0;
}

/* QEMU handles SIGTERM, SIGINT and SIGHUP and then exits with 0, but it says so. */
static bool was_told_to_end(const struct wring_vm *vm, char *detail, size_t size)
{
	static const char words[] = "terminating on signal ";
	const char *reason = wring_qmp_shutdown_reason(vm->qmp);
	_cleanup_free_ char *text = all_words(vm);
	const char *p = text ? strstr(text, words) : NULL;

	if (p)
		snprintf(detail, size, "signal %d", atoi(p + sizeof(words) - 1));
	else if (!strncmp(reason, "host-", 5))
		snprintf(detail, size, "%s", reason);
	else
		return false;
	return true;
}

static enum wring_vm_state ended_state(const struct wring_vm *vm, char *detail, size_t size)
{
	char line[200];

	if (vm->code != CLD_EXITED && !vm->was_stuck) {
		snprintf(detail, size, "signal %d", vm->status);
		return WRING_VM_KILLED;
	}
	if (was_told_to_end(vm, detail, size))
		return WRING_VM_KILLED;
	if (vm->code == CLD_EXITED && vm->status)
		snprintf(detail, size, "exit status %d: %s", vm->status, last_words(vm, line, sizeof(line)));
	else
		snprintf(detail, size, "%s", wring_qmp_shutdown_reason(vm->qmp));
	return WRING_VM_EXITED;
}

static enum wring_vm_state state_of_status(const char *status, char *detail, size_t size)
{
	snprintf(detail, size, "%s", status);
	if (!strcmp(status, "internal-error"))
		return WRING_VM_INTERNAL;
	/* "shutdown": on its way out; "guest-panicked": pvpanic only, which is not there. */
	if (!strcmp(status, "running") || !strcmp(status, "shutdown") || !strcmp(status, "guest-panicked"))
		return WRING_VM_RUNNING;
	return WRING_VM_PAUSED;
}

bool wring_vm_is_off(struct wring_vm *vm)
{
	if (!vm->has_ended)
		wring_qmp_drain(vm->qmp);
	return *wring_qmp_shutdown_reason(vm->qmp);
}

/* Everything but QMP; returns false when only QMP can tell more. */
static bool outer_state(struct wring_vm *vm, enum wring_vm_state *ret, char *detail, size_t size)
{
	char p;

	if (wring_vm_has_ended(vm)) {
		*ret = ended_state(vm, detail, size);
		return true;
	}
	if (vm->holds && wring_vm_is_off(vm)) {
		snprintf(detail, size, "%s", wring_qmp_shutdown_reason(vm->qmp));
		*ret = WRING_VM_EXITED;
		return true;
	}
	p = process_state(vm->pid);
	if (p == 'T' || p == 't') {
		snprintf(detail, size, p == 'T' ? "QEMU stopped by a signal" : "QEMU stopped by a debugger");
		*ret = WRING_VM_PAUSED;
		return true;
	}
	return false;
}

/* A command that arrives while QEMU 7.2 shuts down can keep its monitor_cleanup() waiting for ever (seen in 2 of 30
 * deterministic boots). The machine is off then, and says so in an event that came before. */
static void end_if_stuck(struct wring_vm *vm)
{
	wring_qmp_drain(vm->qmp);
	if (!*wring_qmp_shutdown_reason(vm->qmp) || wring_vm_has_ended(vm) || process_state(vm->pid) == 'T')
		return;
	vm->was_stuck = true;
	kill(vm->pid, SIGKILL);
	wait_end(vm, 200);
}

enum wring_vm_state wring_vm_state(struct wring_vm *vm, char *detail, size_t size)
{
	enum wring_vm_state state;
	char none[1];
	json_t *value;
	const char *status;
	int r;

	if (!detail || !size) {
		detail = none;
		size = sizeof(none);
	}
	if (outer_state(vm, &state, detail, size))
		return state;
	r = wring_qmp_execute(vm->qmp, "query-status", NULL, WRING_VM_ANSWER_MS, &value, NULL);
	if (!r) {
		status = json_string_value(json_object_get(value, "status"));
		state = state_of_status(status ? status : "unknown", detail, size);
		json_decref(value);
		return state;
	}
	/* It ended or was stopped while being asked. The socket closes a moment before the process can be reaped. */
	if (r == -EPIPE)
		wait_end(vm, 200);
	else
		end_if_stuck(vm);
	if (outer_state(vm, &state, detail, size))
		return state;
	snprintf(detail, size, "QEMU does not answer");
	return WRING_VM_RUNNING;
}

/* The numbers of schedstat are time on a CPU and time waiting for one, in ns. */
static int64_t thread_ns(pid_t pid, pid_t tid, bool waiting)
{
	_cleanup_free_ char *text = NULL;
	char path[64], *rest;
	int64_t cpu;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, tid);
	if (wring_read_file(AT_FDCWD, path, &text, NULL))
		return 0;
	cpu = strtoll(text, &rest, 10);
	return waiting ? strtoll(rest, NULL, 10) : cpu;
}

int64_t wring_vm_cpu_ns(struct wring_vm *vm)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < vm->n_vcpus && !vm->has_ended; i++)
		sum += thread_ns(vm->pid, vm->vcpus[i], false);
	/* Never backwards, also when the threads are gone. */
	if (sum > vm->cpu_ns)
		vm->cpu_ns = sum;
	return vm->cpu_ns;
}

int64_t wring_vm_wait_ns(struct wring_vm *vm)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < vm->n_vcpus && !vm->has_ended; i++)
		sum += thread_ns(vm->pid, vm->vcpus[i], true);
	return sum;
}
