/* SPDX-License-Identifier: GPL-3.0-or-later */
/* latency-probe: small operations at a fixed rate, each timed. The schedule is open: an operation counts from when it was
 * due, so one that hangs for a second shows as a second for all that had to wait behind it, and not as one bad sample. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

#define FILE_NAME "probe"

enum kind { KIND_FAULT, KIND_OPEN, KIND_SOCKET, KIND_PIPE, KINDS };

struct probe {
	unsigned kind; /* parameters; KINDS: all */
	uint64_t rate, pages;
	int64_t duration_ns;
	bool slept;
	size_t page;
	int pair[2];
	int schedstat_fd; /* slept: of this thread */
	struct clocks { int64_t now_ns, cpu_ns, queued_ns; } begin;
	int64_t owed_ns, owed_due_ns; /* what the last operation waited asleep, and when that was due */
};

static const struct wring_param params[] = {
	{ "kind", WRING_ENUM, offsetof(struct probe, kind), .def = "fault", .choices = "fault|open|socket|pipe|all",
	  .help = "what is done: map, touch and unmap pages; open and close a file; a byte there and back over a UNIX socket; make and "
		  "close a pipe; these in turn, which puts them into one histogram" },
	{ "rate", WRING_U64, offsetof(struct probe, rate), .def = "1000", .min = "1", .max = "1000000", .help = "operations a second" },
	{ "duration", WRING_DURATION, offsetof(struct probe, duration_ns), .def = "10s", .max = "24h",
	  .help = "how long; 0s: until it is stopped" },
	{ "slept", WRING_BOOL, offsetof(struct probe, slept), .def = "no",
	  .help = "tell as well how long each would have waited if only sleep took time: without its own CPU time, and that in which it "
		  "waited for a CPU" },
	{ "pages", WRING_U64, offsetof(struct probe, pages), .def = "1", .min = "1", .max = "4096", .help = "pages that a fault touches" },
	{ 0 } };

static int fault(struct wring_wctx *c, const struct probe *p)
{
	size_t size = p->pages * p->page;
	volatile char *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED)
		return wring_failed(c, "mmap", errno);
	for (size_t i = 0; i < size; i += p->page)
		m[i] = 1;
	return munmap((void *)m, size) ? wring_failed(c, "munmap", errno) : 0;
}

static int open_close(struct wring_wctx *c, const struct probe *p)
{
	int fd = openat(wring_dirfd(c), FILE_NAME, O_RDONLY | O_CLOEXEC);

	(void)p;
	if (fd < 0)
		return wring_failed(c, "openat", errno);
	return close(fd) ? wring_failed(c, "close", errno) : 0;
}

static int one_way(struct wring_wctx *c, int from, int to)
{
	char byte = 'p';

	if (send(from, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
		return wring_failed(c, "send", errno);
	return recv(to, &byte, 1, MSG_DONTWAIT) != 1 ? wring_failed(c, "recv", errno) : 0;
}

static int round_trip(struct wring_wctx *c, const struct probe *p)
{
	int r = one_way(c, p->pair[0], p->pair[1]);

	return r ? r : one_way(c, p->pair[1], p->pair[0]);
}

static int make_pipe(struct wring_wctx *c, const struct probe *p)
{
	int fds[2];

	(void)p;
	if (pipe2(fds, O_CLOEXEC))
		return wring_failed(c, "pipe2", errno);
	return close(fds[0]) | close(fds[1]) ? wring_failed(c, "close", errno) : 0;
}

static int operate(struct wring_wctx *c, const struct probe *p, uint64_t n)
{
	static int (*const operations[KINDS])(struct wring_wctx *, const struct probe *) = {
		[KIND_FAULT] = fault, [KIND_OPEN] = open_close, [KIND_SOCKET] = round_trip, [KIND_PIPE] = make_pipe,
	};

	return operations[p->kind == KINDS ? n % KINDS : p->kind](c, p);
}

/* ---- what of it was sleep ---- */

/* The second number: ns in which the thread could have run and had no CPU. The file is read in place; false: it cannot be. */
static bool read_queued(int fd, int64_t *ret)
{
	char text[96];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return sscanf(text, "%*u %" SCNd64, ret) == 1;
}

static void read_clocks(const struct probe *p, struct clocks *ret)
{
	struct timespec cpu = { 0 };

	read_queued(p->schedstat_fd, &ret->queued_ns);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
	ret->cpu_ns = cpu.tv_sec * WRING_NSEC_PER_SEC + cpu.tv_nsec;
}

/* Sleep passes on to those that were due meanwhile, as in a queue in which nothing else takes time. */
static int64_t still_owed(const struct probe *p, int64_t due)
{
	int64_t left = p->owed_ns - (due - p->owed_due_ns);

	return left > 0 ? left : 0;
}

static void tell_slept(struct wring_wctx *c, struct probe *p, int64_t due, int64_t now)
{
	struct clocks end = { 0 };
	int64_t slept;

	read_clocks(p, &end); /* behind `now`: what is ours in between is taken for work */
	slept = now - p->begin.now_ns - (end.cpu_ns - p->begin.cpu_ns) - (end.queued_ns - p->begin.queued_ns);
	p->owed_ns = still_owed(p, due) + (slept > 0 ? slept : 0);
	p->owed_due_ns = due;
	wring_slept(c, p->owed_ns);
}

/* Those that were due before the end, never done, and behind a sleep. */
static void tell_undone(struct wring_wctx *c, const struct probe *p, int64_t start, uint64_t n, int64_t end)
{
	int64_t now = wring_now_ns(), until = now < end ? now : end, due, owed;

	while ((due = start + wring_due(n++, p->rate)) < until && (owed = still_owed(p, due)))
		wring_slept(c, owed);
}

/* Read once before the start: its buffer stays with the open file. */
static int open_schedstat(struct probe *p, struct wring_err *err)
{
	int64_t ns;

	p->schedstat_fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	if (p->schedstat_fd < 0 || !read_queued(p->schedstat_fd, &ns))
		return wring_err_set(err, -EOPNOTSUPP, "latency-probe: slept=yes needs /proc/thread-self/schedstat (CONFIG_SCHED_INFO)");
	return 0;
}

/* ---- */

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct probe *p = wring_wdata(c);
	uint64_t pages = p->pages;
	int fd, r = 0;

	p->pair[0] = p->pair[1] = p->schedstat_fd = -1;
	p->page = wring_page_size();
	fd = openat(wring_dirfd(c), FILE_NAME, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return wring_err_set(err, -errno, "latency-probe: making the file to open: %s", strerror(errno));
	close(fd);
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, p->pair))
		return wring_err_set(err, -errno, "latency-probe: a pair of sockets: %s", strerror(errno));
	if (p->slept && (r = open_schedstat(p, err)))
		return r;
	/* Once each before the start: what is needed but once is there, and what cannot work here says so. With a single page, as the
	 * reclaim that more may take is what is timed. */
	p->pages = 1;
	for (uint64_t n = 0; n < KINDS && !r; n++)
		r = operate(c, p, n);
	p->pages = pages;
	return r ? wring_err_set(err, r, "latency-probe: trying out its operations: %s", strerror(-r)) : 0;
}

static int run(struct wring_wctx *c, struct wring_err *err)
{
	struct probe *p = wring_wdata(c);
	int64_t start = wring_now_ns(), end = p->duration_ns ? start + p->duration_ns : INT64_MAX, now = start, due;
	uint64_t n = 0;

	if (prctl(PR_SET_TIMERSLACK, 1)) /* else timers are rounded to 50 us, which would be in every sample */
		return wring_err_set(err, -errno, "latency-probe: exact timers: %s", strerror(errno));
	while (now < end && (due = start + wring_due(n, p->rate)) < end && wring_sleep_until(c, due)) {
		int r;

		if (p->slept) {
			read_clocks(p, &p->begin);
			p->begin.now_ns = wring_now_ns();
		}
		r = operate(c, p, n++);
		now = wring_now_ns();
		wring_latency(c, now - due);
		if (p->slept)
			tell_slept(c, p, due, now);
		if (!r)
			wring_ops(c, 1);
	}
	wring_undone(c, start, p->rate, n, 1, end);
	if (p->slept)
		tell_undone(c, p, start, n, end);
	return 0;
}

static void teardown(struct wring_wctx *c)
{
	const struct probe *p = wring_wdata(c);

	for (int i = 0; i < 2; i++)
		if (p->pair[i] >= 0)
			close(p->pair[i]);
	if (p->schedstat_fd >= 0)
		close(p->schedstat_fd);
	unlinkat(wring_dirfd(c), FILE_NAME, 0);
}

static const struct wring_workload latency_probe = {
	.name = "latency-probe",
	.summary = "small operations at a fixed rate, each timed from when it was due",
	.doc = "fault: mmap(), a store to each page, munmap(); anon, and a page table where there was none. open: openat() and close() of "
	       "an empty file in its own directory; filp, and the dentry and inode if reclaim took them. socket: a byte over a UNIX "
	       "datagram pair and back; skbuff_head_cache and kmalloc-cg. pipe: pipe2() and close(); inode_cache, filp, kmalloc-cg. "
	       "Nothing is held, so its cgroup stays at the size of the program. Latency is from when the operation was due to its end "
	       "and includes being woken; put the same probe outside the limited cgroup to know what the machine itself takes. What "
	       "was due and never done before the end is in `dropped`, and in the latencies with the time it had waited: latencies = "
	       "rate x duration = ops + errors + dropped. A rate beyond what the CPU can do shows as ever longer latencies. With slept=yes (two more system calls before and after each "
	       "operation) also how long it waited asleep: on a lock, a disk or a timer.",
	.params = params,
	.size = sizeof(struct probe),
	.setup = setup,
	.run = run,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(latency_probe);
