/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fork: processes or threads that sleep. What one of them costs depends on the program, so one is made and measured
 * before the start. The trap: the task and its stack are given back by RCU, after wait() or join() returned. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "harness/api/workload.h"
#include "harness/base/units.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

#define KERNEL_STACK_PAGES 4

#define PIDS_REMEDY "pids.max of the cgroup, kernel.pid_max, kernel.threads-max or the limit of processes (ulimit -u) is reached: " \
	"raise it, or lower the footprint"

enum kind { KIND_PROCESS, KIND_THREAD };

struct forks {
	unsigned kind; /* parameters */
	uint64_t stack, touched;
	struct wring_slots slots; /* pids, or pointers to struct sleeper */
};

struct sleeper {
	pthread_t thread;
	void *stack;
	uint32_t stop; /* a futex */
};

static const struct wring_param params[] = {
	{ "kind", WRING_ENUM, offsetof(struct forks, kind), .def = "process", .choices = "process|thread", .help = "what sleeps" },
	{ "stack", WRING_SIZE, offsetof(struct forks, stack), .def = "64K", .min = "16K", .max = "8M",
	  .help = "a thread's stack" },
	{ "touched", WRING_SIZE, offsetof(struct forks, touched), .def = "4K", .min = "4K", .max = "8M",
	  .help = "what is written of a thread's stack, and so charged" },
	{ 0 } };

static int start_process(uint64_t *ret)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
		for (;;)
			pause();
	}
	*ret = (uint64_t)pid;
	return 0;
}

static int end_process(uint64_t pid)
{
	if (kill((pid_t)pid, SIGKILL))
		return -errno;
	while (waitpid((pid_t)pid, NULL, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static void *sleep_in_thread(void *arg)
{
	struct sleeper *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &s->stop, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	return NULL;
}

static int start_thread(const struct forks *f, uint64_t *ret)
{
	struct sleeper *s = calloc(1, sizeof(*s));
	pthread_attr_t attr;
	int r;

	if (!s)
		return -ENOMEM;
	/* its own stack, since libc would keep those of ended threads */
	s->stack = mmap(NULL, f->stack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (s->stack == MAP_FAILED) {
		r = -errno;
		free(s);
		return r;
	}
	madvise(s->stack, f->stack, MADV_NOHUGEPAGE);
	for (uint64_t i = wring_page_size(); i <= f->touched; i += wring_page_size())
		((volatile char *)s->stack)[f->stack - i] = 's';
	pthread_attr_init(&attr);
	r = -pthread_attr_setstack(&attr, s->stack, f->stack);
	if (!r)
		r = -pthread_create(&s->thread, &attr, sleep_in_thread, s);
	pthread_attr_destroy(&attr);
	if (r) {
		munmap(s->stack, f->stack);
		free(s);
		return r;
	}
	*ret = (uintptr_t)s;
	return 0;
}

static int end_thread(const struct forks *f, uint64_t sleeper)
{
	struct sleeper *s = (struct sleeper *)(uintptr_t)sleeper;
	int r;

	__atomic_store_n(&s->stop, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &s->stop, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	r = -pthread_join(s->thread, NULL);
	munmap(s->stack, f->stack);
	free(s);
	return r;
}

/* kB of a line "Name:  N kB", as bytes. */
static uint64_t field(const char *text, const char *name)
{
	const char *at = text ? strstr(text, name) : NULL;

	return at ? strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

static uint64_t process_memory(uint64_t pid)
{
	char path[64];
	_cleanup_free_ char *status = NULL, *rollup = NULL, *maps = NULL;
	uint64_t n_maps = 0;

	snprintf(path, sizeof(path), "/proc/%llu/status", (unsigned long long)pid);
	wring_read_file(AT_FDCWD, path, &status, NULL);
	snprintf(path, sizeof(path), "/proc/%llu/smaps_rollup", (unsigned long long)pid);
	wring_read_file(AT_FDCWD, path, &rollup, NULL);
	snprintf(path, sizeof(path), "/proc/%llu/maps", (unsigned long long)pid);
	wring_read_file(AT_FDCWD, path, &maps, NULL);
	for (const char *p = maps; p && (p = strchr(p, '\n')); p++)
		n_maps++;
	return field(status, "\nVmPTE:") + wring_page_size() + field(rollup, "\nPrivate_Dirty:") +
	       n_maps * (wring_slab_charge("vm_area_struct", 160) + wring_slab_charge("vma_lock", 0) +
			 wring_slab_charge("anon_vma_chain", 64) + wring_slab_charge("anon_vma", 104) / 2) +
	       wring_slab_charge("mm_struct", 1408) + wring_slab_charge("signal_cache", 1152) + wring_slab_charge("sighand_cache", 2112) +
	       wring_slab_charge("files_cache", 704) + wring_slab_charge("fs_cache", 64);
}

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct forks *f = wring_wdata(c);
	uint64_t bytes = wring_slab_charge("task_struct", 6000) + KERNEL_STACK_PAGES * wring_page_size() +
			 wring_slab_charge("cred_jar", 192) + wring_slab_charge("pid", 144), pid;
	int r;

	if (f->kind == KIND_THREAD) {
		f->touched = (f->touched + wring_page_size() - 1) / wring_page_size() * wring_page_size();
		if (f->touched > f->stack)
			return wring_err_set(err, -EINVAL, "fork: touched=%llu is more than stack=%llu", (unsigned long long)f->touched,
					     (unsigned long long)f->stack);
		/* of its stack, and the mapping, with that of its neighbour */
		bytes += f->touched + 2 * (wring_slab_charge("vm_area_struct", 160) + wring_slab_charge("vma_lock", 0));
		wring_object(c, bytes, false);
		return 0;
	}
	r = start_process(&pid);
	if (r)
		return wring_err_set(err, r, "fork: a process to measure: %s%s", strerror(-r), r == -EAGAIN ? " (" PIDS_REMEDY ")" : "");
	usleep(20000); /* it sleeps by then */
	bytes += process_memory(pid);
	end_process(pid);
	wring_object(c, bytes, false);
	return 0;
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct forks *f = wring_wdata(c);
	uint64_t *slot = wring_slot(&f->slots, object);
	int r;

	if (!slot)
		return -ENOMEM;
	if (f->kind == KIND_THREAD)
		r = start_thread(f, slot);
	else
		r = start_process(slot);
	return r ? wring_fails(c, f->kind == KIND_THREAD ? "clone3" : "fork", -r, EAGAIN, PIDS_REMEDY) : 0;
}

static int drop(struct wring_wctx *c, uint64_t object)
{
	struct forks *f = wring_wdata(c);
	uint64_t value = wring_slot_take(&f->slots, object);

	int r = f->kind == KIND_THREAD ? end_thread(f, value) : end_process(value);

	return r ? wring_failed(c, f->kind == KIND_THREAD ? "futex" : "wait4", -r) : 0;
}

static void teardown(struct wring_wctx *c)
{
	struct forks *f = wring_wdata(c);

	wring_slots_done(&f->slots);
}

static const struct wring_workload fork_workload = {
	.name = "fork",
	.summary = "tasks: processes or threads that sleep",
	.doc = "process: fork() and pause(), SIGKILL and waitpid(); thread: pthread_create() on a stack of its own and a futex. "
	       "kernel_stack (16 KB), pagetables, anon (pages copied on write), and in slab_unreclaimable task_struct, "
	       "signal_cache, sighand_cache, files_cache, mm_struct, vm_area_struct, anon_vma_chain, pid, cred_jar. Limits: "
	       "pids.max, kernel.pid_max, kernel.threads-max (EAGAIN), vm.max_map_count for threads. Tasks and stacks are freed "
	       "by RCU, and the kernel keeps two stacks a CPU. Children end with their parent (PR_SET_PDEATHSIG). A thread's own "
	       "stack is `anon`, as much of it as `touched` says.",
	.params = params,
	.size = sizeof(struct forks),
	.setup = setup,
	.make = make,
	.drop = drop,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(fork_workload);
