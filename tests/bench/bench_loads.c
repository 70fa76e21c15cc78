/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the workloads cost. On a host: each against bare_load, which makes the same system calls in a loop that does nothing
 * else, and against the stress-ng stressor of its kind. As /init of a guest: what dentry, inode and stress-ng --dentry leave
 * charged to their cgroup. Prints one line of words a result; bench.c makes tables of it:
 *   load ours= bare= ratio= wall_ratio= name=   operations a second of the process's CPU time, from `go` to `done`
 *   peer ours= theirs= name=                    operations a CPU second, all of the processes and their children
 *   left NAME bytes= cpu_us= peak=              after the process has ended
 *   skip NAME reason                                                                                              */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/module.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "harness/api/loadproto.h"
#include "harness/base/err.h"
#include "harness/base/util.h"

enum { MAX_REPS = 51, MAX_ARGS = 20, ANSWER_MS = 60000 };

struct bench {
	const char *load, *bare, *stress, *dir, *tmpfs;
	unsigned reps, peer_reps, runs;
	int page_fd;
	struct wring_load_page *page;
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare);
	return v[n / 2];
}

/* ---- one run ---- */

struct cost { double wall_s, busy_s, cpu_s, objects; }; /* go to done: by the clock, CPU time of the process; all of its life */

static double cpu_seconds(const struct rusage *u)
{
	return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) + (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6;
}

static double clock_s(clockid_t id)
{
	struct timespec ts = { 0 };

	clock_gettime(id, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* The next byte that is not about a descriptor given away; 0: it died, or says nothing. */
static char hear(int socket)
{
	struct pollfd p = { .fd = socket, .events = POLLIN };
	char b;

	do
		if (poll(&p, 1, ANSWER_MS) <= 0 || read(socket, &b, 1) != 1)
			return 0;
	while (b == 'f');
	return b;
}

static const char *fd_arg(char *buf, const char *name, int fd)
{
	snprintf(buf, 32, "%s%d", name, fd);
	return buf;
}

struct kind {
	const char *name, *words, *unit; /* words: workload and its parameters */
	long objects, units;             /* units: operations in an object */
	const char *bare;                /* NULL: its name */
	bool tmpfs;                      /* a disk would decide */
	long total;                      /* churns until so many were made */
};

static void exec_kind(struct bench *b, const struct kind *k, bool bare, int socket, int dir)
{
	char page[32], sock[32], where[32], objects[32], words[256], *save = NULL;
	const char *argv[MAX_ARGS];
	size_t n = 0;

	fcntl(b->page_fd, F_SETFD, 0);
	fcntl(socket, F_SETFD, 0);
	fcntl(dir, F_SETFD, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(objects, sizeof(objects), bare ? "%ld" : "objects=%ld", k->objects);
	if (bare) {
		execl(b->bare, "bare_load", fd_arg(sock, "", socket), fd_arg(where, "", dir), k->bare ? k->bare : k->name, objects, NULL);
		_exit(127);
	}
	argv[n++] = "wring-load";
	argv[n++] = fd_arg(page, "--page-fd=", b->page_fd);
	argv[n++] = fd_arg(sock, "--socket-fd=", socket);
	argv[n++] = fd_arg(where, "--dir-fd=", dir);
	argv[n++] = "--index=0";
	argv[n++] = "--seed=1";
	snprintf(words, sizeof(words), "%s", k->words);
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	argv[n++] = objects;
	argv[n] = NULL;
	execv(b->load, (char *const *)argv);
	_exit(127);
}

/* A directory of its own for each run: nobody finds the names of another one. */
static int new_dir(struct bench *b, bool tmpfs, char *path, size_t size)
{
	snprintf(path, size, "%s/run%u", tmpfs ? b->tmpfs : b->dir, b->runs++);
	return mkdir(path, 0700) ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void remove_dir(const char *path)
{
	char *const argv[] = { (char *)"rm", (char *)"-rf", (char *)path, NULL };
	pid_t pid = fork();

	if (!pid) {
		execvp("rm", argv);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

/* Drops the oldest and makes a new one until `total` were made. */
static bool churn(struct bench *b, const struct kind *k, int socket)
{
	if (write(socket, "c", 1) != 1)
		return false;
	while (__atomic_load_n(&b->page->made_objects, __ATOMIC_RELAXED) < (uint64_t)k->total) {
		struct pollfd p = { .fd = socket, .events = POLLIN };

		if (poll(&p, 1, 1)) /* it says nothing unless something is wrong */
			return false;
	}
	__atomic_store_n(&b->page->stop, 1, __ATOMIC_RELAXED);
	return true;
}

static int run_kind(struct bench *b, const struct kind *k, bool bare, struct cost *ret, struct wring_err *err)
{
	char path[256], said = 0;
	_cleanup_close_ int dir = new_dir(b, k->tmpfs, path, sizeof(path)), ours = -1;
	struct rusage usage;
	clockid_t clock;
	int pair[2], status;
	pid_t pid;

	if (dir < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return wring_err_set(err, -errno, "%s: %s", path, strerror(errno));
	ours = pair[0];
	memset(b->page, 0, sizeof(*b->page));
	pid = fork();
	if (!pid)
		exec_kind(b, k, bare, pair[1], dir);
	close(pair[1]);
	if (hear(ours) == 'r' && !clock_getcpuclockid(pid, &clock)) {
		double busy = clock_s(clock), from = clock_s(CLOCK_MONOTONIC);

		if (write(ours, "g", 1) == 1)
			said = hear(ours);
		ret->wall_s = clock_s(CLOCK_MONOTONIC) - from;
		ret->busy_s = clock_s(clock) - busy;
	}
	if (said == 'd' && k->total > k->objects && !churn(b, k, ours))
		said = 0;
	if (said != 'd' || write(ours, "s", 1) != 1)
		kill(pid, SIGKILL);
	wait4(pid, &status, 0, &usage);
	ret->cpu_s = cpu_seconds(&usage);
	ret->objects = (double)b->page->made_objects;
	remove_dir(path);
	if (said != 'd')
		return wring_err_set(err, -EIO, "%s: %s", bare ? "bare loop" : "wring-load", *b->page->message ? b->page->message : "it died");
	if (!bare && b->page->errors)
		return wring_err_set(err, -EIO, "wring-load: %llu operations failed", (unsigned long long)b->page->errors);
	return 0;
}

/* ---- against the bare loop ---- */

static const struct kind kinds[] = {
	{ "dentry", "dentry", "lookups", 30000, 1, NULL, false, 0 },
	{ "inode", "inode sync-every=0", "files on tmpfs", 20000, 1, NULL, true, 0 },
	{ "kmalloc-msgsnd", "kmalloc kind=msgsnd", "messages", 4000, 8, NULL, false, 0 },
	{ "kmalloc-semget", "kmalloc kind=semget", "sets", 10000, 1, NULL, false, 0 },
	{ "fd-epoll", "fd kind=epoll", "items", 50000, 1, NULL, false, 0 },
	{ "fd-eventfd", "fd kind=eventfd", "eventfds", 15000, 1, NULL, false, 0 },
	{ "fd-timerfd", "fd kind=timerfd", "timerfds", 15000, 1, NULL, false, 0 },
	{ "fd-file", "fd kind=file", "files", 15000, 1, NULL, false, 0 },
	{ "pipe", "pipe", "pages", 1000, 16, NULL, false, 0 },
	{ "sock-unix", "sock-unix", "pairs", 300, 1, NULL, false, 0 },
	{ "sock-udp", "sock-udp", "sockets", 200, 1, NULL, false, 0 },
	{ "sock-tcp", "sock-tcp", "connections", 3, 1, NULL, false, 0 },
	{ "anon", "anon", "pages, random", 128, 256, NULL, false, 0 },
	{ "anon", "anon content=zero", "pages of zeros", 128, 256, "anon-zero", false, 0 },
	{ "file", "file", "pages on tmpfs", 128, 256, NULL, true, 0 },
	{ "shmem", "shmem", "pages", 128, 256, NULL, false, 0 },
	{ "thp", "thp", "huge pages", 128, 1, NULL, false, 0 },
	{ "vma", "vma", "splits", 30000, 1, NULL, false, 0 },
	{ "pagetable", "pagetable", "tables", 20000, 1, NULL, false, 0 },
	{ "rcu-free-epoll", "rcu-free kind=epoll", "items", 60, 1000, NULL, false, 0 },
	{ "rcu-free-rename", "rcu-free kind=dentry-rename", "names on tmpfs", 20, 1000, NULL, true, 0 },
	{ "fork", "fork", "processes", 500, 1, NULL, false, 0 },
};

static void against_bare(struct bench *b, const struct kind *k)
{
	double ours[MAX_REPS], bare[MAX_REPS], ratio[MAX_REPS], wall[MAX_REPS];
	struct wring_err err = { 0 };

	/* The first pair only warms; who goes first changes. */
	for (unsigned i = 0; i <= b->reps; i++) {
		struct cost cost[2];
		unsigned at = i ? i - 1 : 0;

		for (unsigned side = 0; side < 2; side++)
			if (run_kind(b, k, (i + side) % 2, &cost[(i + side) % 2], &err)) {
				printf("skip load %s: %s\n", k->name, err.msg);
				return;
			}
		ours[at] = (double)(k->objects * k->units) / cost[0].busy_s;
		bare[at] = (double)(k->objects * k->units) / cost[1].busy_s;
		wall[at] = cost[1].wall_s / cost[0].wall_s;
		ratio[at] = ours[at] / bare[at];
	}
	printf("load ours=%.1f bare=%.1f ratio=%.4f wall_ratio=%.4f name=%s: %s\n", median(ours, b->reps), median(bare, b->reps),
	       median(ratio, b->reps), median(wall, b->reps), k->name, k->unit);
	fflush(stdout);
}

/* ---- against stress-ng ---- */

/* What one operation of theirs is was counted with strace -c (stress-ng 0.15.06); docs/bench.md says what it is. */
struct peer {
	const char *name;
	struct kind ours;
	const char *args, *ops; /* of stress-ng, but the number of operations; and its option for that */
	long n;
};

static const struct peer peers[] = {
	{ "inode:dentry files", { "", "inode sync-every=0", "", 2048, 1, NULL, true, 20000 }, "--dentry 1", "--dentry-ops", 8192 },
	{ "dentry:dentry names", { "", "dentry", "", 100000, 1, NULL, false, 0 }, "--dentry 1", "--dentry-ops", 8192 },
	{ "sock-unix:sockpair messages", { "", "sock-unix message=64", "", 100, 0, NULL, false, 1000 }, "--sockpair 1", "--sockpair-ops", 20000 },
	{ "sock-udp:udp datagrams", { "", "sock-udp message=520", "", 100, 0, NULL, false, 1000 }, "--udp 1", "--udp-ops", 100000 },
	{ "kmalloc:msg messages", { "", "kmalloc kind=msgsnd", "", 100, 8, NULL, false, 20000 }, "--msg 1 --msg-bytes 2000", "--msg-ops", 200000 },
	{ "fork:fork processes", { "", "fork", "", 10, 1, NULL, false, 1000 }, "--fork 1", "--fork-ops", 1000 },
	{ "anon:vm MB", { "", "anon", "", 64, 1, NULL, false, 1000 }, "--vm 1 --vm-bytes 64M --vm-method write64", "--vm-ops", 1000 },
};

/* Datagrams sent in this network namespace so far. */
static double datagrams(void)
{
	_cleanup_free_ char *text = NULL;
	double out = 0;
	char *at;

	if (wring_read_file(AT_FDCWD, "/proc/net/snmp", &text, NULL) || !(at = strstr(text, "\nUdp: ")) || !(at = strstr(at + 1, "\nUdp: ")))
		return 0;
	sscanf(at, "\nUdp: %*s %*s %*s %lf", &out);
	return out;
}

/* How many messages of 64 bytes a pair takes, both directions. */
static long messages_a_pair(void)
{
	char text[64] = { 0 };
	int fds[2];
	long n = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return 1;
	for (int i = 0; i < 2; i++)
		while (send(fds[i], text, sizeof(text), MSG_DONTWAIT) > 0)
			n++;
	close(fds[0]);
	close(fds[1]);
	return n;
}

static int run_stress(struct bench *b, const struct peer *p, long ops, double *ret_cpu_s)
{
	char path[256], words[256], n[32], *save = NULL;
	const char *argv[MAX_ARGS] = { "stress-ng", "-q", "--temp-path", path };
	_cleanup_close_ int dir = new_dir(b, true, path, sizeof(path));
	struct rusage usage;
	int status, argc = 4;
	pid_t pid;

	snprintf(words, sizeof(words), "%s", p->args);
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	snprintf(n, sizeof(n), "%ld", ops);
	argv[argc++] = p->ops;
	argv[argc++] = n;
	argv[argc] = NULL;
	pid = dir < 0 ? -1 : fork();
	if (!pid) {
		execvp(b->stress, (char *const *)argv);
		_exit(127);
	}
	wait4(pid, &status, 0, &usage);
	*ret_cpu_s = cpu_seconds(&usage);
	remove_dir(path);
	return pid > 0 && WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

/* Starting a program is no operation: the CPU time of one operation is taken off that of many. */
static int cost_of_ours(struct bench *b, const struct peer *p, double *ret_rate, struct wring_err *err)
{
	struct kind many = p->ours, one = p->ours;
	double sent = datagrams(), units;
	struct cost all = { 0 }, start = { 0 };
	int r;

	one.objects = one.total = 1;
	r = run_kind(b, &one, false, &start, err);
	sent = datagrams() - sent;
	units = datagrams();
	if (!r)
		r = run_kind(b, &many, false, &all, err);
	if (strstr(many.words, "udp"))
		units = datagrams() - units - sent;
	else
		units = (all.objects - 1) * (double)(many.units ? many.units : messages_a_pair());
	*ret_rate = units / (all.cpu_s - start.cpu_s);
	return r;
}

static int cost_of_theirs(struct bench *b, const struct peer *p, double *ret_rate, struct wring_err *err)
{
	double start, all, sent = datagrams(), units;
	int r = run_stress(b, p, 1, &start);

	sent = datagrams() - sent;
	units = datagrams();
	if (!r)
		r = run_stress(b, p, p->n, &all);
	if (r)
		return wring_err_set(err, r, "%s: it failed, or is not there", b->stress);
	units = strstr(p->args, "--udp") ? datagrams() - units - sent : (double)(p->n - 1);
	*ret_rate = units / (all - start);
	return 0;
}

static void against_peer(struct bench *b, const struct peer *p)
{
	double ours[MAX_REPS], theirs[MAX_REPS];
	struct wring_err err = { 0 };

	for (unsigned i = 0; i < b->peer_reps; i++)
		if (cost_of_ours(b, p, &ours[i], &err) || cost_of_theirs(b, p, &theirs[i], &err)) {
			printf("skip peer %s: %s\n", p->name, err.msg);
			return;
		}
	printf("peer ours=%.1f theirs=%.1f name=%s\n", median(ours, b->peer_reps), median(theirs, b->peer_reps), p->name);
	fflush(stdout);
}

/* A network of our own: nobody else's datagrams are counted, and no port is taken. */
static void own_network(void)
{
	_cleanup_close_ int fd = unshare(CLONE_NEWNET) ? -1 : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		printf("note: no network namespace of its own (%s); datagrams of others are counted too\n", strerror(errno));
}

static void host(struct bench *b, const char *only)
{
	own_network();
	/* stress-ng asks for huge pages at random */
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(kinds); i++)
		if (!only || strstr(kinds[i].name, only))
			against_bare(b, &kinds[i]);
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(peers); i++)
		if (!only || strstr(peers[i].name, only))
			against_peer(b, &peers[i]);
}

/* ---- in a guest: what stays charged ---- */

static const struct { const char *name; struct kind ours; long ops; } leavers[] = {
	{ "stress-ng", { 0 }, 8192 },
	{ "dentry", { "", "dentry", "", 20000, 1, NULL, false, 0 }, 0 },
	{ "inode", { "", "inode keep=yes", "", 8192, 1, NULL, false, 0 }, 0 },
};

static double number_in(const char *group, const char *file, const char *key)
{
	_cleanup_free_ char *path = wring_strf("/sys/fs/cgroup/%s/%s", group, file), *text = NULL;
	char *at;

	if (wring_read_file(AT_FDCWD, path, &text, NULL))
		return 0;
	at = *key ? strstr(text, key) : text;
	return at ? strtod(at + strlen(key), NULL) : 0;
}

static void leave(struct bench *b, size_t i)
{
	const char *name = leavers[i].name;
	_cleanup_free_ char *group = wring_strf("/sys/fs/cgroup/%s", name), *procs = wring_strf("%s/cgroup.procs", group);
	struct peer dentry = { .args = "--dentry 1", .ops = "--dentry-ops" };
	struct wring_err err = { 0 };
	struct cost cost;
	double cpu_s;
	pid_t pid;
	int status;

	mkdir(group, 0755);
	b->runs = (unsigned)i; /* nothing is removed here: with its directory a name would go */
	pid = fork();
	if (!pid) {
		wring_write_file(AT_FDCWD, procs, "0");
		if (leavers[i].ops ? run_stress(b, &dentry, leavers[i].ops, &cpu_s) : run_kind(b, &leavers[i].ours, false, &cost, &err)) {
			printf("skip left %s: %s\n", name, err.msg);
			_exit(1);
		}
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (!status)
		printf("left %s bytes=%.0f cpu_us=%.0f peak=%.0f\n", name, number_in(name, "memory.current", ""),
		       number_in(name, "cpu.stat", "usage_usec "), number_in(name, "memory.peak", ""));
}

static void load_modules(void)
{
	_cleanup_free_ char *order = NULL;
	char *save = NULL;

	wring_read_file(AT_FDCWD, "/modules/order", &order, NULL);
	for (char *f = order ? strtok_r(order, "\n", &save) : NULL; f; f = strtok_r(NULL, "\n", &save)) {
		_cleanup_free_ char *path = wring_strf("/modules/%s", f);
		_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (syscall(SYS_finit_module, fd, "", strstr(f, ".ko.") ? MODULE_INIT_COMPRESSED_FILE : 0) && errno != EEXIST)
			printf("skip left module %s: %s\n", f, strerror(errno));
	}
}

static void guest(struct bench *b)
{
	static const struct { const char *type, *dir, *what; } mounts[] = {
		{ "proc", "/proc", "proc" }, { "sysfs", "/sys", "sysfs" }, { "devtmpfs", "/dev", "dev" }, { "cgroup2", "/sys/fs/cgroup", "cg" },
		{ "tmpfs", "/tmp", "tmp" }, { "ext4", "/mnt", "/dev/vda" },
	};

	mkdir("/mnt", 0755);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(mounts); i++) {
		if (!strcmp(mounts[i].type, "ext4"))
			load_modules();
		mkdir(mounts[i].dir, 0755);
		if (mount(mounts[i].what, mounts[i].dir, mounts[i].type, 0, NULL))
			printf("note: %s: %s\n", mounts[i].dir, strerror(errno));
	}
	if (wring_write_file(AT_FDCWD, "/sys/fs/cgroup/cgroup.subtree_control", "+memory +cpu"))
		printf("skip left memory controller\n");
	b->dir = b->tmpfs = "/mnt";
	b->load = "/wring-load";
	b->stress = "/usr/bin/stress-ng";
	for (size_t i = 0; i < WRING_ARRAY_SIZE(leavers); i++)
		leave(b, i);
	printf("done\n");
	fflush(stdout);
	reboot(RB_POWER_OFF);
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "load", required_argument, NULL, 'l' }, { "bare", required_argument, NULL, 'b' },
						 { "dir", required_argument, NULL, 'd' }, { "tmpfs", required_argument, NULL, 't' }, { "reps", required_argument, NULL, 'r' },
						 { "only", required_argument, NULL, 'o' }, { 0 } };
	struct bench b = { .stress = "stress-ng", .reps = 7, .peer_reps = 1 };
	const char *only = NULL;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 'l': b.load = optarg; break;
		case 'b': b.bare = optarg; break;
		case 'd': b.dir = optarg; break;
		case 't': b.tmpfs = optarg; break;
		case 'r': b.reps = (unsigned)atoi(optarg); break;
		case 'o': only = optarg; break;
		default: return 2;
		}
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	b.page_fd = memfd_create("bench", MFD_CLOEXEC);
	if (b.page_fd < 0 || ftruncate(b.page_fd, WRING_LOAD_PAGE))
		return 1;
	b.page = mmap(NULL, WRING_LOAD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, b.page_fd, 0);
	if (b.page == MAP_FAILED)
		return 1;
	if (getpid() == 1)
		guest(&b);
	if (!b.load || !b.bare || !b.dir || !b.tmpfs || !b.reps || b.reps > MAX_REPS)
		return 2;
	host(&b, only);
	return 0;
}
