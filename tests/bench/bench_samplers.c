/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What sampling costs, against nothing but the reads it cannot do without. Includes the agent's own sampling.c, so that the
 * code measured is the code that runs; the parts of the agent it calls are cut off below. On a host it measures the
 * system-wide files; as /init of a guest also those of cgroups. Prints one line of words a result; bench.c makes tables of it:
 *   cost SAMPLER files= bytes= preads= bare_ns= parse_ns= sample_ns=
 *   share groups= hz= sources= bare_pct= sampling_pct= writer_pct= bare_rounds= rounds= bare_wall_s= wall_s=
 *   native hz= sources= sampling_pct= writer_pct=
 *   skip SAMPLER reason                                                                                              */
#include "harness/agent/sampling.c" /* NOLINT: see above */

#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { ROUNDS = 301, BLOCK_NS = 400 * 1000, MAX_BLOCK = 64, RING_BYTES = 4 << 20, MAX_GROUPS = 100 };

/* ---- what sampling.c wants of the rest of the agent, and never calls here ---- */

volatile sig_atomic_t wring_agent_interrupted;
int hwloc_get_type_depth(hwloc_topology_t t, hwloc_obj_type_t type) { (void)t; (void)type; return HWLOC_TYPE_DEPTH_UNKNOWN; }
hwloc_obj_t hwloc_get_obj_by_depth(hwloc_topology_t t, int d, unsigned i) { (void)t; (void)d; (void)i; return NULL; }
const struct wring_load_view *wring_load_view(const struct wring_session *s, size_t load) { (void)s; (void)load; return NULL; }
int wring_group_dirfd(struct wring_tree *t, const char *group) { (void)t; (void)group; return -ENOENT; }
int wring_group_kill(struct wring_tree *t, const char *group, int64_t deadline_ns, struct wring_err *err)
{
	(void)t; (void)group; (void)deadline_ns; (void)err;
	return 0;
}
int wring_session_each_dir(struct wring_session *s, const char *path,
			   int (*visit)(void *arg, const char *group, const char *subject, struct wring_err *err),
			   void *arg, struct wring_err *err)
{
	(void)s; (void)path; (void)visit; (void)arg; (void)err;
	return 0;
}

/* ---- the floor ---- */

/* The preads that bring the whole of each file, and no other: how many there must be was counted once, by reading to the
 * end; the empty one that says "end of file" is left out. */
struct bare {
	const struct wring_source *source;
	size_t preads[WRING_MAX_FILES], n_preads, bytes;
	char *buf;
	size_t size;
};

static void bare_read(struct bare *b)
{
	for (size_t i = 0; i < b->source->n_files; i++) {
		size_t len = 0;

		for (size_t k = 0; k < b->preads[i]; k++) {
			ssize_t n = pread(b->source->files[i].fd, b->buf + len, b->size - len, (off_t)len);

			if (n <= 0)
				break;
			len += (size_t)n;
		}
	}
}

static void bare_new(struct bare *b, const struct wring_source *s)
{
	*b = (struct bare){ .source = s, .size = s->buf_size, .buf = calloc(1, s->buf_size) };
	for (size_t i = 0; i < s->n_files; i++) {
		size_t len = 0;
		ssize_t n;

		while ((n = pread(s->files[i].fd, b->buf + len, b->size - len, (off_t)len)) > 0) {
			len += (size_t)n;
			b->preads[i]++;
		}
		b->bytes += len;
		b->n_preads += b->preads[i];
	}
}

/* ---- cost of a read ---- */

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

enum side { BARE, PARSE, SAMPLE, SIDES };

static double block(struct wring_sampling *p, struct wring_source *s, struct bare *b, enum side side, unsigned n)
{
	int64_t from = wring_now_ns(), t;

	for (unsigned i = 0; i < n; i++)
		if (side == BARE)
			bare_read(b);
		else if (side == PARSE)
			wring_source_read(s);
		else
			sample_one(p, s);
	t = wring_now_ns() - from;
	wring_out_flush(p->out, wring_now_ns() + WRING_NSEC_PER_SEC);
	return (double)t / n;
}

static void measure(struct wring_sampling *p, struct wring_source *s)
{
	static double ns[SIDES][ROUNDS];
	struct bare b;
	double one;
	unsigned n;

	bare_new(&b, s);
	one = block(p, s, &b, BARE, 4);
	n = one > BLOCK_NS ? 1 : (unsigned)(BLOCK_NS / one);
	n = n > MAX_BLOCK ? MAX_BLOCK : n;
	/* Who goes first changes, and the first read after another file's is nobody's: it only warms. */
	for (size_t i = 0; i < ROUNDS; i++)
		for (size_t k = 0; k < SIDES; k++) {
			enum side side = (enum side)((i + k) % SIDES);

			block(p, s, &b, side, 1);
			ns[side][i] = block(p, s, &b, side, n);
		}
	printf("cost %s files=%zu bytes=%zu preads=%zu bare_ns=%.0f parse_ns=%.0f sample_ns=%.0f\n", s->sampler->name, s->n_files,
	       b.bytes, b.n_preads, median(ns[BARE], ROUNDS), median(ns[PARSE], ROUNDS), median(ns[SAMPLE], ROUNDS));
	fflush(stdout);
	free(b.buf);
}

static void not_there(void *arg, const char *file, int error)
{
	(void)arg; (void)file; (void)error;
}

static void cost(struct wring_sampling *p, const char *name, const char *subject, int dirfd)
{
	const struct wring_sampler *sampler = wring_sampler_find(name);
	struct wring_source s;
	struct wring_err err;

	if (!sampler || wring_source_open(&s, sampler, subject, dirfd, not_there, NULL, &err)) {
		printf("skip %s %s\n", name, sampler ? err.msg : "no such sampler");
		return;
	}
	if (!s.sampler->costly || s.n)
		measure(p, &s);
	wring_source_close(&s);
}

static void *drain(void *arg)
{
	static char buf[1 << 16];
	int fd = *(const int *)arg;

	while (read(fd, buf, sizeof(buf)) > 0)
		;
	return NULL;
}

static void costs(int groupfd)
{
	static const char *const system_wide[] = { "vmstat", "meminfo", "pressure", "slabinfo" };
	static const char *const per_group[] = { "memory", "memory.stat", "memory.numa_stat", "memory.events", "memory.pressure",
						 "cgroup.stat" };
	struct wring_sampling p = { .frame = calloc(1, FRAME_BYTES), .kmsg_fd = -1 };
	struct wring_err err;
	pthread_t thread;
	int fds[2];

	if (pipe(fds) || wring_out_new(fds[1], RING_BYTES, &p.out, &err) || wring_thread_start(&thread, drain, &fds[0]))
		exit(1);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(system_wide); i++)
		cost(&p, system_wide[i], "", AT_FDCWD);
	cost(&p, "slab-objects", "dentry", AT_FDCWD);
	cost(&p, "node-vmstat", "node0", AT_FDCWD);
	cost(&p, "node-meminfo", "node0", AT_FDCWD);
	for (size_t i = 0; groupfd >= 0 && i < WRING_ARRAY_SIZE(per_group); i++)
		cost(&p, per_group[i], "g0", groupfd);
	wring_out_free(p.out, wring_now_ns() + WRING_NSEC_PER_SEC);
	close(fds[1]);
	pthread_join(thread, NULL);
	free(p.frame);
}

/* ---- CPU share ---- */

static int64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * WRING_NSEC_PER_SEC + ts.tv_nsec;
}

struct floor {
	struct bare *rows;
	size_t n;
	int64_t interval_ns, cpu_ns;
	uint64_t rounds;
	bool stop;
};

/* The same reads at the same pace, and nothing else. */
static void *floor_thread(void *arg)
{
	struct floor *f = arg;
	int64_t from = clock_ns(CLOCK_THREAD_CPUTIME_ID), next = wring_now_ns();

	while (!__atomic_load_n(&f->stop, __ATOMIC_ACQUIRE)) {
		struct timespec ts;
		int64_t now = wring_now_ns();

		for (size_t i = 0; i < f->n; i++)
			bare_read(&f->rows[i]);
		f->rounds++;
		next = (now - next < f->interval_ns ? next : now) + f->interval_ns;
		ts.tv_sec = next / WRING_NSEC_PER_SEC;
		ts.tv_nsec = next % WRING_NSEC_PER_SEC;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	}
	f->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - from;
	return NULL;
}

struct share { double bare_pct, sampling_pct, writer_pct, bare_rounds, rounds, bare_wall_s, wall_s; };

static int open_groups(struct wring_sampling *p, unsigned groups, unsigned hz)
{
	static const char *const names[] = { "memory", "memory.stat", "memory.events", "memory.pressure" };
	struct wring_err err;
	char path[64], subject[16];

	p->sources = calloc(groups * WRING_ARRAY_SIZE(names), sizeof(*p->sources));
	for (unsigned g = 0; g < groups; g++) {
		int fd;

		snprintf(subject, sizeof(subject), "g%u", g);
		snprintf(path, sizeof(path), "/sys/fs/cgroup/b/%s", subject);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		for (size_t i = 0; i < WRING_ARRAY_SIZE(names); i++) {
			struct wring_source *s = &p->sources[p->n];

			if (fd < 0 || wring_source_open(s, wring_sampler_find(names[i]), subject, fd, not_there, NULL, &err))
				return -1;
			s->id = (int64_t)p->n++;
			s->interval_ns = WRING_NSEC_PER_SEC / hz;
		}
		close(fd);
	}
	return 0;
}

static void sleep_ns(int64_t ns)
{
	struct timespec ts = { .tv_sec = ns / WRING_NSEC_PER_SEC, .tv_nsec = ns % WRING_NSEC_PER_SEC };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

static void share_floor(struct wring_sampling *p, unsigned hz, int64_t window_ns, struct share *ret)
{
	struct floor f = { .interval_ns = WRING_NSEC_PER_SEC / hz, .n = p->n, .rows = calloc(p->n, sizeof(*f.rows)) };
	int64_t from;
	pthread_t thread;

	for (size_t i = 0; i < p->n; i++)
		bare_new(&f.rows[i], &p->sources[i]);
	from = wring_now_ns();
	if (!wring_thread_start(&thread, floor_thread, &f)) {
		struct sched_param prio = { .sched_priority = 1 };

		pthread_setschedparam(thread, SCHED_FIFO, &prio);
		sleep_ns(window_ns);
		__atomic_store_n(&f.stop, true, __ATOMIC_RELEASE);
		pthread_join(thread, NULL);
	}
	from = wring_now_ns() - from;
	ret->bare_pct += 100.0 * (double)f.cpu_ns / (double)from;
	ret->bare_wall_s += (double)from / 1e9;
	ret->bare_rounds += (double)f.rounds;
	for (size_t i = 0; i < p->n; i++)
		free(f.rows[i].buf);
	free(f.rows);
}

/* The agent's thread as it runs there: rounds, heartbeat and all, into the record port. */
static void share_ours(struct wring_session *session, int64_t window_ns, struct share *ret)
{
	struct wring_sampling *p = session->sampling;
	int64_t from, wall, cpu, all, reads = 0;
	clockid_t id;
	struct wring_err err;

	for (size_t i = 0; i < p->n; i++) {
		p->sources[i].due_ns = 0;
		reads -= (int64_t)p->sources[i].reads;
	}
	p->stop = false;
	from = wring_now_ns();
	all = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	if (wring_sampling_start(session, &err) || pthread_getcpuclockid(p->thread, &id))
		return;
	cpu = clock_ns(id);
	sleep_ns(window_ns);
	cpu = clock_ns(id) - cpu;
	all = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - all;
	wall = wring_now_ns() - from;
	__atomic_store_n(&p->stop, true, __ATOMIC_RELEASE);
	pthread_join(p->thread, NULL);
	p->running = false;
	for (size_t i = 0; i < p->n; i++)
		reads += (int64_t)p->sources[i].reads;
	ret->sampling_pct += 100.0 * (double)cpu / (double)wall;
	ret->writer_pct += 100.0 * (double)(all - cpu) / (double)wall;
	ret->rounds += (double)reads / (double)p->n;
	ret->wall_s += (double)wall / 1e9;
}

static void share(int record_fd, unsigned groups, unsigned hz)
{
	struct wring_scenario scenario = { .name = (char *)"bench", .timeout_ns = 3600ULL * WRING_NSEC_PER_SEC };
	struct wring_agent agent = { .guest = true };
	struct wring_session session = { .agent = &agent, .scenario = &scenario };
	struct wring_sampling *p = calloc(1, sizeof(*p));
	struct share total = { 0 };
	struct wring_err err;
	enum { WINDOWS = 3 };

	session.sampling = p;
	p->session = &session;
	p->frame = calloc(1, FRAME_BYTES);
	p->kmsg_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (p->kmsg_fd >= 0)
		lseek(p->kmsg_fd, 0, SEEK_END);
	pthread_mutex_init(&p->lock, NULL);
	if (wring_out_new(record_fd, RING_BYTES, &p->out, &err) || open_groups(p, groups, hz)) {
		printf("skip share groups=%u\n", groups);
		return;
	}
	agent.out = p->out;
	for (int i = 0; i < WINDOWS; i++) {
		share_floor(p, hz, WRING_NSEC_PER_SEC, &total);
		share_ours(&session, WRING_NSEC_PER_SEC, &total);
		wring_out_flush(p->out, wring_now_ns() + WRING_NSEC_PER_SEC);
	}
	printf("share groups=%u hz=%u sources=%zu bare_pct=%.3f sampling_pct=%.3f writer_pct=%.3f bare_rounds=%.0f rounds=%.0f bare_wall_s=%.3f wall_s=%.3f\n",
	       groups, hz, p->n, total.bare_pct / WINDOWS, total.sampling_pct / WINDOWS, total.writer_pct / WINDOWS,
	       total.bare_rounds, total.rounds, total.bare_wall_s, total.wall_s);
	fflush(stdout);
	wring_sampling_free(&session);
	wring_out_free(agent.out, wring_now_ns() + WRING_NSEC_PER_SEC);
}

/* What the agent does of slab-at-max, here and now, all of it at 10 Hz. The files of a cgroup are not to be had on every host;
 * in their place stand files that cost more (part 1b): meminfo for the short ones, vmstat for memory.stat. */
static const char *const stand_ins[] = {
	"meminfo", "meminfo", "meminfo", "meminfo", "meminfo", /* memory (2 groups), memory.events, memory.pressure, cgroup.stat */
	"vmstat", "vmstat",                                    /* memory.stat (2 groups) */
	"vmstat", "pressure", "node-vmstat", "node-meminfo", "slab-objects",
};

static void native(void)
{
	enum { HZ = 10, WINDOW_S = 8 };
	struct wring_scenario scenario = { .name = (char *)"bench", .timeout_ns = 3600ULL * WRING_NSEC_PER_SEC };
	struct wring_agent agent = { 0 };
	struct wring_session session = { .agent = &agent, .scenario = &scenario };
	struct wring_sampling *p = calloc(1, sizeof(*p));
	struct share total = { 0 };
	struct wring_err err;
	int fds[2];
	pid_t reader;

	if (pipe2(fds, O_CLOEXEC))
		exit(1);
	fflush(stdout);
	reader = fork(); /* the recorder is another process */
	if (!reader) {
		close(fds[1]);
		drain(&fds[0]);
		_exit(0);
	}
	session.sampling = p;
	p->session = &session;
	p->frame = calloc(1, FRAME_BYTES);
	p->kmsg_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (p->kmsg_fd >= 0)
		lseek(p->kmsg_fd, 0, SEEK_END);
	pthread_mutex_init(&p->lock, NULL);
	p->sources = calloc(WRING_ARRAY_SIZE(stand_ins), sizeof(*p->sources));
	if (wring_out_new(fds[1], RING_BYTES, &p->out, &err))
		exit(1);
	agent.out = p->out;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(stand_ins); i++) {
		struct wring_source *s = &p->sources[p->n];
		const char *subject = !strncmp(stand_ins[i], "node-", 5) ? "node0" : !strcmp(stand_ins[i], "slab-objects") ? "dentry" : "";

		if (wring_source_open(s, wring_sampler_find(stand_ins[i]), subject, AT_FDCWD, not_there, NULL, &err)) {
			printf("skip native %s\n", err.msg);
			wring_source_close(s);
			continue;
		}
		s->id = (int64_t)p->n++;
		s->interval_ns = WRING_NSEC_PER_SEC / HZ;
	}
	share_ours(&session, WINDOW_S * WRING_NSEC_PER_SEC, &total);
	printf("native hz=%d sources=%zu sampling_pct=%.3f writer_pct=%.3f rounds=%.0f wall_s=%.3f\n", HZ, p->n, total.sampling_pct,
	       total.writer_pct, total.rounds, total.wall_s);
	wring_sampling_free(&session);
	wring_out_free(agent.out, wring_now_ns() + WRING_NSEC_PER_SEC);
	close(fds[1]);
	waitpid(reader, NULL, 0);
}

/* ---- being /init ---- */

/* A process that sits in its cgroup with some anonymous memory, some of a file and what a process costs. */
static void populate(unsigned g, size_t anon, size_t file)
{
	char path[80], pid[16];
	pid_t child = fork();
	char *p;
	int fd;

	if (child)
		return;
	snprintf(path, sizeof(path), "/sys/fs/cgroup/b/g%u/cgroup.procs", g);
	snprintf(pid, sizeof(pid), "%d", getpid());
	if (wring_write_file(AT_FDCWD, path, pid))
		_exit(1);
	p = mmap(NULL, anon, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p != MAP_FAILED)
		memset(p, 1, anon);
	snprintf(path, sizeof(path), "/tmp/file%u", g);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	for (size_t at = 0; p != MAP_FAILED && at < file; at += 65536)
		if (write(fd, p, 65536) < 0)
			break;
	for (;;)
		pause();
}

static int make_groups(void)
{
	char path[64];

	if (wring_write_file(AT_FDCWD, "/sys/fs/cgroup/cgroup.subtree_control", "+memory") || mkdir("/sys/fs/cgroup/b", 0755) ||
	    wring_write_file(AT_FDCWD, "/sys/fs/cgroup/b/cgroup.subtree_control", "+memory"))
		return -1;
	for (unsigned g = 0; g < MAX_GROUPS; g++) {
		snprintf(path, sizeof(path), "/sys/fs/cgroup/b/g%u", g);
		if (mkdir(path, 0755))
			return -1;
		populate(g, g ? 512 << 10 : 8 << 20, g ? 256 << 10 : 4 << 20);
	}
	sleep_ns(3 * WRING_NSEC_PER_SEC);
	return open("/sys/fs/cgroup/b/g0", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void guest(void)
{
	static const unsigned groups[] = { 1, 10, 100 }, hz[] = { 100, 10 };
	static const struct { const char *type, *dir; } mounts[] = {
		{ "proc", "/proc" }, { "sysfs", "/sys" }, { "devtmpfs", "/dev" }, { "cgroup2", "/sys/fs/cgroup" }, { "tmpfs", "/tmp" },
	};
	int groupfd, port = -1;

	for (size_t i = 0; i < WRING_ARRAY_SIZE(mounts); i++)
		mount(mounts[i].type, mounts[i].dir, mounts[i].type, 0, NULL);
	groupfd = make_groups();
	if (groupfd < 0)
		printf("skip cgroups %s\n", strerror(errno));
	for (int i = 0; i < 1000 && port < 0; i++) {
		port = open("/dev/vport0p1", O_RDWR | O_CLOEXEC);
		if (port < 0)
			sleep_ns(5 * WRING_NSEC_PER_MSEC);
	}
	mlockall(MCL_CURRENT | MCL_FUTURE);
	costs(groupfd);
	for (size_t h = 0; groupfd >= 0 && port >= 0 && h < WRING_ARRAY_SIZE(hz); h++)
		for (size_t g = 0; g < WRING_ARRAY_SIZE(groups); g++)
			share(port, groups[g], hz[h]);
	if (port < 0)
		printf("skip share no record port\n");
	printf("done\n");
	fflush(stdout);
	reboot(RB_POWER_OFF);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (getpid() == 1)
		guest();
	else if (argc > 1 && !strcmp(argv[1], "--native"))
		native();
	else
		costs(-1);
	return 0;
}
