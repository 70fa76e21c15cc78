/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `make bench`: ratios, not a test. Runs bench_samplers here and in a guest, `wring run` against a bare boot of the same
 * machine, counts what a run left in its database, and prints one table a part. Missing a goal is printed; only what could
 * not be run at all is an error. How to read it: docs/bench.md. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "harness/base/units.h"
#include "harness/base/util.h"
#include "harness/base/wire.h"
#include "harness/vm/vm.h"

enum { MAX_REPS = 31, LINE = 1024, SCENARIOS = 3, RUN_CPUS = 4, RUN_NODES = 2, GUEST_CPUS = 2 };
#define RUN_MEMORY (2048ULL << 20)
#define GOAL_READ 1.10
#define GOAL_BYTES 64
#define GOAL_START 1.3
#define GOAL_WHOLE 12.0
#define GOAL_RATE 0.95
#define GOAL_PEER 1.0
#define GOAL_LEFT 5.0
#define GOAL_CPU 1 /* % of one CPU */
#define INIT_SAYS "bare init"

static const char *const scenarios[SCENARIOS] = { "slab-at-max", "dying-memcg", "high-kmem" };

struct bench {
	const char *build, *wring, *agent, *load, *samplers, *loads, *bare, *init, *kernel_path, *parts;
	enum wring_accel accel;
	size_t reps;
	struct wring_kernel *kernel;
	char tmp[64];
	unsigned missed, not_run;
};

static double median(double *v, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t k = i; k && v[k - 1] > v[k]; k--) {
			double t = v[k];

			v[k] = v[k - 1];
			v[k - 1] = t;
		}
	return n ? n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2 : 0;
}

/* ---- tables ---- */

static void heading(const char *title)
{
	printf("\n%s\n%-36s %12s %12s %8s %8s\n", title, "what", "ours", "floor", "ratio", "goal");
}

static const char *amount(char *buf, size_t size, double v, const char *unit)
{
	if (v < 0)
		return "-";
	snprintf(buf, size, v < 10 ? "%.3f %s" : v < 1000 ? "%.2f %s" : "%.0f %s", v, unit);
	return buf;
}

/* floor, goal < 0: there is none. A goal without a floor is one for `ours` itself. */
static void row(struct bench *b, const char *what, double ours, double floor, const char *unit, double goal)
{
	char a[32], f[32], ratio[32] = "-", g[32] = "-";
	double judged = floor < 0 ? ours : (double)(int64_t)(100 * ours / floor + 0.5) / 100; /* as it is printed */
	const char *verdict = goal < 0 ? "" : judged <= goal ? "ok" : "missed";

	if (floor >= 0)
		snprintf(ratio, sizeof(ratio), "%.2f", judged);
	if (goal >= 0)
		snprintf(g, sizeof(g), floor < 0 ? "%.0f" : "%.2f", goal);
	b->missed += goal >= 0 && judged > goal;
	printf("%-36s %12s %12s %8s %8s %s\n", what, amount(a, sizeof(a), ours, unit), amount(f, sizeof(f), floor, unit), ratio, g, verdict);
	fflush(stdout);
}

/* More is better. ratio: the median of the pairs, or what the two make. */
static void rate_row(struct bench *b, const char *what, double ours, double floor, double ratio, const char *unit, double goal)
{
	char a[32], f[32];
	double judged = (double)(int64_t)(100 * ratio + 0.5) / 100; /* as it is printed */

	b->missed += judged < goal;
	printf("%-36s %12s %12s %8.2f %8.2f %s\n", what, amount(a, sizeof(a), ours, unit), amount(f, sizeof(f), floor, unit), judged, goal,
	       judged >= goal ? "ok" : "missed");
	fflush(stdout);
}

static void could_not(struct bench *b, const char *what, const char *why)
{
	printf("%-36s could not be run: %s\n", what, why);
	fflush(stdout);
	b->not_run++;
}

/* ---- what bench_samplers says ---- */

/* "name=12.5" somewhere in a line. */
static double number_of(const char *line, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = line; (p = strstr(p, name)); p += n)
		if (p > line && p[-1] == ' ' && p[n] == '=')
			return strtod(p + n + 1, NULL);
	return 0;
}

static void cost_line(struct bench *b, const char *line)
{
	double bare = number_of(line, "bare_ns") / 1e3, parse = number_of(line, "parse_ns") / 1e3;
	char name[64], what[128];

	sscanf(line, "cost %63s", name);
	snprintf(what, sizeof(what), "%s, %.0f B in %.0f read%s", name, number_of(line, "bytes"), number_of(line, "preads"),
		 number_of(line, "preads") > 1 ? "s" : "");
	row(b, what, number_of(line, "sample_ns") / 1e3, bare, "us", GOAL_READ);
	if (strchr(b->parts, 'v'))
		row(b, "  of which reading and parsing", parse, bare, "us", -1);
}

static double ms_a_round(const char *line, const char *pct, const char *wall, const char *rounds)
{
	return 10 * number_of(line, pct) * number_of(line, wall) / number_of(line, rounds);
}

static void share_line(struct bench *b, const char *line)
{
	double groups = number_of(line, "groups"), hz = number_of(line, "hz"), rounds = number_of(line, "rounds");
	double want = hz * number_of(line, "wall_s");
	bool full = rounds < 0.95 * want;
	char what[128];

	snprintf(what, sizeof(what), "%.0f cgroup%s at %.0f Hz", groups, groups > 1 ? "s" : "", hz);
	/* A share says nothing about a thread that did not get round in time. */
	if (full) {
		printf("%-36s %11.2f%% %11.2f%%  one CPU is not enough: %.0f of %.0f rounds came\n", what, number_of(line, "sampling_pct"),
		       number_of(line, "bare_pct"), rounds, want);
		row(b, "  CPU time a round", ms_a_round(line, "sampling_pct", "wall_s", "rounds"),
		    ms_a_round(line, "bare_pct", "bare_wall_s", "bare_rounds"), "ms", -1);
	} else {
		row(b, what, number_of(line, "sampling_pct"), number_of(line, "bare_pct"), "%", -1);
	}
	row(b, "  and its writer", number_of(line, "writer_pct"), -1, "%", -1);
}

static bool sampler_lines(struct bench *b, char *text, const char *want, void (*show)(struct bench *b, const char *line))
{
	bool any = false;

	for (char *p = text, *end; p && *p; p = end) {
		char line[LINE], *at;

		end = strchr(p, '\n');
		snprintf(line, sizeof(line), "%.*s", end ? (int)(end - p) : (int)strlen(p), p);
		end = end ? end + 1 : NULL;
		line[strcspn(line, "\r")] = '\0';
		at = strstr(line, want);
		if (at) {
			show(b, at);
			any = true;
		} else if (!strncmp(line, "skip ", 5) && (*want == 'c') == !strstr(line, "share")) {
			printf("%s\n", line);
		}
	}
	return any;
}

static char *output_of(const char *program)
{
	FILE *f = popen(program, "re");
	char *text = NULL;
	size_t size = 0;

	if (!f)
		return NULL;
	if (getdelim(&text, &size, '\0', f) < 0) {
		free(text);
		text = NULL;
	}
	pclose(f);
	return text;
}

static void host_costs(struct bench *b)
{
	_cleanup_free_ char *text = output_of(b->samplers);

	heading("1a. One sample against the bare reads it needs, on this host");
	if (!text || !sampler_lines(b, text, "cost ", cost_line))
		could_not(b, "bench_samplers", "it printed nothing");
}

/* ---- workloads ---- */

static void each_line(struct bench *b, char *text, const char *want, void (*show)(struct bench *b, const char *line))
{
	char *save = NULL, *copy = text ? strdup(text) : NULL, skip[32];
	bool any = false;

	snprintf(skip, sizeof(skip), "skip %s", want);
	for (char *line = copy ? strtok_r(copy, "\r\n", &save) : NULL; line; line = strtok_r(NULL, "\r\n", &save))
		if (!strncmp(line, want, strlen(want))) {
			any = true;
			show(b, line);
		} else if (!strncmp(line, skip, strlen(skip))) {
			any = true;
			could_not(b, want, line + strlen(skip));
		}
	if (!any)
		could_not(b, want, "it printed nothing");
	free(copy);
}

static const char *name_in(const char *line)
{
	const char *name = strstr(line, "name=");

	return name ? name + 5 : line;
}

static void load_line(struct bench *b, const char *line)
{
	double ours = number_of(line, "ours"), bare = number_of(line, "bare");

	rate_row(b, name_in(line), ours / 1e3, bare / 1e3, number_of(line, "ratio"), "k/s", GOAL_RATE);
	if (strchr(b->parts, 'v'))
		printf("  %-34s %12s %12s %8.2f\n", "by the clock", "-", "-", number_of(line, "wall_ratio"));
}

static void peer_line(struct bench *b, const char *line)
{
	double ours = number_of(line, "ours"), theirs = number_of(line, "theirs");

	rate_row(b, name_in(line), ours / 1e3, theirs / 1e3, ours / theirs, "k/s", GOAL_PEER);
}

static void loads(struct bench *b)
{
	char disk[256], tmpfs[] = "/dev/shm/wring-bench-XXXXXX";
	_cleanup_free_ char *command = NULL, *text = NULL;

	snprintf(disk, sizeof(disk), "%s/bench-XXXXXX", b->build);
	if (!mkdtemp(disk) || !mkdtemp(tmpfs)) {
		could_not(b, "loads", "no directory for them in the build folder and in /dev/shm");
		return;
	}
	command = wring_strf("%s --load=%s --bare=%s --dir=%s --tmpfs=%s", b->loads, b->load, b->bare, disk, tmpfs);
	text = output_of(command);
	rmdir(disk);
	rmdir(tmpfs);
	heading("5a. Workloads against a bare loop of the same system calls, operations a second of CPU time, on this host");
	each_line(b, text, "load", load_line);
	heading("5b. Workloads against stress-ng (floor), operations a CPU second, all processes, on this host");
	each_line(b, text, "peer", peer_line);
}

/* ---- guests ---- */

struct boot { double init_ms, off_ms; char *console; };

static double ms_since(int64_t from_ns)
{
	return (double)(wring_now_ns() - from_ns) / 1e6;
}

static bool keep_record(struct wring_vm *vm)
{
	char buf[65536];
	ssize_t n = read(wring_vm_record_fd(vm), buf, sizeof(buf));

	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Until it powers off. The clock runs from before QEMU is started; init_ms is when its init had said its first word. */
static int boot_guest(struct bench *b, int initramfs, unsigned cpus, unsigned limit_s, struct boot *ret, struct wring_err *err)
{
	struct wring_vm_disk disk = { .serial = "ext4-0", .fd = -1 };
	struct wring_vm_spec spec = { .kernel_fd = wring_kernel_image_fd(b->kernel), .initramfs_fd = initramfs, .append = "", .cpus = cpus,
				      .nodes = RUN_NODES, .memory_bytes = RUN_MEMORY, .accel = b->accel, .disks = &disk, .n_disks = 1 };
	struct wring_vm *vm = NULL;
	int r = wring_disk_image("ext4", 256 << 20, &disk.fd, err);
	int64_t from = wring_now_ns(), until = from + (int64_t)limit_s * WRING_NSEC_PER_SEC;

	*ret = (struct boot){ 0 };
	if (!r)
		r = wring_vm_start(&spec, &vm, err);
	wring_closep(&disk.fd);
	if (r)
		return r;
	struct pollfd fds[] = {
		{ .fd = wring_vm_pidfd(vm), .events = POLLIN },
		{ .fd = wring_vm_console_fd(vm), .events = POLLIN },
		{ .fd = wring_vm_record_fd(vm), .events = POLLIN },
	};
	while (!fds[0].revents && wring_now_ns() < until) {
		poll(fds, WRING_ARRAY_SIZE(fds), 100);
		if (fds[1].revents) {
			wring_vm_pump(vm);
			if (!ret->init_ms && strstr(wring_vm_console(vm, NULL), INIT_SAYS))
				ret->init_ms = ms_since(from);
			if (fds[1].revents & POLLHUP)
				fds[1].fd = -1;
		}
		if (fds[2].revents && !keep_record(vm))
			fds[2].fd = -1;
	}
	ret->off_ms = ms_since(from);
	wring_vm_pump(vm);
	ret->console = strdup(wring_vm_console(vm, NULL));
	if (!fds[0].revents)
		r = wring_err_set(err, -ETIMEDOUT, "the guest did not power off within %u s", limit_s);
	wring_vm_free(vm);
	return r;
}

static int make_initramfs(struct bench *b, const char *init, bool modules, int *ret_fd, struct wring_err *err)
{
	static const char *const names[] = { "virtio_pci", "virtio_console" };
	struct wring_modules mods = { 0 };
	struct wring_initramfs *i = NULL;
	int r = wring_initramfs_new(&i, err);

	if (!r)
		r = wring_initramfs_add_program(i, init, "/init", err);
	if (!r && modules)
		r = wring_kernel_modules(b->kernel, names, WRING_ARRAY_SIZE(names), &mods, err);
	if (!r && mods.n)
		printf("note: this kernel has the record port as a module; the CPU share is measured where it is built in\n");
	wring_modules_done(&mods);
	if (!r)
		r = wring_initramfs_finish(i, ret_fd, err);
	wring_initramfs_free(i);
	return r;
}

static void guest_costs(struct bench *b)
{
	_cleanup_close_ int initramfs = -1;
	struct boot boot = { 0 };
	struct wring_err err = { 0 };
	int r = make_initramfs(b, b->samplers, true, &initramfs, &err);

	if (!r)
		r = boot_guest(b, initramfs, GUEST_CPUS, 400, &boot, &err);
	if (r && !boot.console) {
		could_not(b, "the guest", err.msg);
		return;
	}
	heading("1b. The same in a guest, with the files of a cgroup");
	if (!sampler_lines(b, boot.console, "cost ", cost_line))
		could_not(b, "bench_samplers", r ? err.msg : "it printed nothing");
	heading("2. CPU share of sampling memory, memory.stat, memory.events, memory.pressure of cgroups, in a guest");
	if (!sampler_lines(b, boot.console, "share ", share_line))
		could_not(b, "CPU share", r ? err.msg : "no record port");
	free(boot.console);
}

/* ---- wring run ---- */

static double recorder_cpu_s, recorder_wall_s; /* of the last one, between its first mark and its last */

static double cpu_of(pid_t pid)
{
	_cleanup_free_ char *path = wring_strf("/proc/%d/stat", (int)pid), *text = NULL;
	unsigned long long user = 0, system = 0;
	char *at;

	if (wring_read_file(AT_FDCWD, path, &text, NULL) || !(at = strrchr(text, ')')))
		return 0;
	sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

struct whole { double first_ms, all_ms; int code; };
/* What is in the database after the first call, and after the last. */
struct content { double bytes, sets; };

/* The mark `start` is printed when it arrives; the samples it comes with were taken before the next thing happens, and the
 * sampling thread took its first ones earlier. */
static int run_wring(struct bench *b, const char *db, struct whole *ret, struct wring_err *err)
{
	_cleanup_free_ char *kernel = wring_strf("--kernel=%s", b->kernel_path), *dbopt = wring_strf("--db=%s", db);
	const char *accel = b->accel == WRING_ACCEL_KVM ? "--accel=kvm" : "--accel=tcg";
	const char *const argv[] = { b->wring, "run", scenarios[0], scenarios[1], scenarios[2], "--where=vm", accel, kernel, dbopt, "--verbose", NULL };
	int64_t from = wring_now_ns();
	double cpu_first = 0;
	char line[4096];
	int fds[2], status;
	pid_t pid;
	FILE *f;

	*ret = (struct whole){ 0 };
	if (pipe2(fds, O_CLOEXEC))
		return wring_err_set(err, -errno, "pipe: %s", strerror(errno));
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDERR_FILENO);
		dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
		execv(b->wring, (char *const *)argv);
		_exit(127);
	}
	close(fds[1]);
	f = fdopen(fds[0], "re");
	if (pid < 0 || !f)
		return wring_err_set(err, -EAGAIN, "starting wring");
	*line = '\0';
	while (fgets(line, sizeof(line), f)) {
		double cpu, now;

		if (!strstr(line, " mark "))
			continue;
		cpu = cpu_of(pid);
		now = ms_since(from) / 1e3;
		if (!ret->first_ms) {
			ret->first_ms = ms_since(from);
			cpu_first = cpu;
		}
		recorder_cpu_s = cpu - cpu_first;
		recorder_wall_s = now - ret->first_ms / 1e3;
	}
	fclose(f);
	waitpid(pid, &status, 0);
	ret->all_ms = ms_since(from);
	ret->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
	if (!ret->first_ms || ret->code == 2 || ret->code >= 126)
		return wring_err_set(err, -EIO, "wring run: exit %d: %s", ret->code, line);
	return 0;
}

static double ask(sqlite3 *sql, const char *text)
{
	sqlite3_stmt *st = NULL;
	double v = -1;

	if (!sqlite3_prepare_v2(sql, text, -1, &st, NULL) && sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_double(st, 0);
	sqlite3_finalize(st);
	return v;
}

static struct content content_of(const char *db)
{
	struct content c = { 0 };
	sqlite3 *sql = NULL;
	struct stat st;

	if (!stat(db, &st) && !sqlite3_open_v2(db, &sql, SQLITE_OPEN_READONLY, NULL))
		c = (struct content){ (double)st.st_size, ask(sql, "SELECT sum(n) FROM chunk") };
	sqlite3_close(sql);
	return c;
}

static void starts(struct bench *b, const char *db, struct content *ret_first)
{
	double init[MAX_REPS], off[MAX_REPS], first[MAX_REPS], all[MAX_REPS];
	_cleanup_close_ int initramfs = -1;
	struct wring_err err = { 0 };
	size_t n = 0;
	int r = make_initramfs(b, b->init, false, &initramfs, &err);

	for (; n < b->reps && !r; n++) {
		struct boot boot;
		struct whole whole;

		r = boot_guest(b, initramfs, RUN_CPUS, 120, &boot, &err);
		free(boot.console);
		if (!r)
			r = run_wring(b, db, &whole, &err);
		if (r)
			break;
		init[n] = boot.init_ms;
		off[n] = boot.off_ms;
		first[n] = whole.first_ms;
		all[n] = whole.all_ms / 1e3;
		if (!n)
			*ret_first = content_of(db);
	}
	heading("4. From the start of `wring run` against a bare boot (same QEMU command line, an init that powers off at once)");
	if (r)
		could_not(b, "starts", err.msg);
	if (!n)
		return;
	row(b, "bare boot until its init runs", median(init, n), -1, "ms", -1);
	row(b, "start to first sample", median(first, n), median(off, n), "ms", GOAL_START);
	row(b, "run of the three scenarios, judged", median(all, n), median(off, n) / 1e3, "s", GOAL_WHOLE);
	printf("medians of %zu, taken in turn\n", n);
}

/* ---- where the time to the first sample goes ---- */

static char *plan_of(const char *db)
{
	sqlite3 *sql = NULL;
	sqlite3_stmt *st = NULL;
	char *plan = NULL;

	if (!sqlite3_open_v2(db, &sql, SQLITE_OPEN_READONLY, NULL) &&
	    !sqlite3_prepare_v2(sql, "SELECT plan FROM run WHERE scenario = ?", -1, &st, NULL) &&
	    !sqlite3_bind_text(st, 1, scenarios[0], -1, SQLITE_STATIC) && sqlite3_step(st) == SQLITE_ROW)
		plan = wring_strf("%%%% settings\nseed=1\n%%%% scenario %s\n%s", scenarios[0], (const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	sqlite3_close(sql);
	return plan;
}

static int agent_initramfs(struct bench *b, const char *init, const char *plan, const char *more, int *ret_fd, struct wring_err *err)
{
	static const char *const names[] = { "virtio_pci", "virtio_console", "virtio_blk", "ext4" };
	struct wring_modules mods = { 0 };
	struct wring_initramfs *i = NULL;
	_cleanup_free_ char *order = strdup("");
	int r = wring_initramfs_new(&i, err);

	if (!r)
		r = wring_initramfs_add_program(i, init, "/init", err);
	if (!r && more)
		r = wring_initramfs_add_program(i, more, more, err);
	if (!r)
		r = wring_initramfs_add_program(i, b->load, "/wring-load", err);
	if (!r)
		r = wring_initramfs_add_data(i, "/plan", 0644, plan, strlen(plan), err);
	if (!r)
		r = wring_kernel_modules(b->kernel, names, WRING_ARRAY_SIZE(names), &mods, err);
	for (size_t m = 0; m < mods.n && !r; m++) {
		_cleanup_free_ char *path = wring_strf("/modules/%s", mods.rows[m].file), *old = order;

		order = wring_strf("%s%s\n", old, mods.rows[m].file);
		r = wring_initramfs_add_data(i, path, 0644, mods.rows[m].data, mods.rows[m].len, err);
	}
	wring_modules_done(&mods);
	if (!r)
		r = wring_initramfs_add_data(i, "/modules/order", 0644, order, strlen(order), err);
	if (!r)
		r = wring_initramfs_finish(i, ret_fd, err);
	wring_initramfs_free(i);
	return r;
}

enum stage { PREPARED, QEMU, HELLO, FACTS, BEGIN, SOURCES, FIRST, STAGES };
static const char *const stage_names[STAGES] = {
	"kernel, initramfs and disk made", "QEMU started", "the agent's hello (kernel, modules)", "first fact (topology)", "scenario begins (facts)",
	"first source (scratch, groups)", "first sample",
};

static void note_stage(double *at, enum stage s, int64_t from)
{
	if (!at[s])
		at[s] = ms_since(from);
}

static bool note_frames(uint8_t *buf, size_t *len, double *at, int64_t from)
{
	struct wring_err err;
	struct wring_rbuf payload;
	enum wring_record type;
	int64_t used;

	while ((used = wring_frame_next(buf, *len, &type, &payload, &err)) > 0) {
		static const enum stage of[WRING_REC_MAX] = { [WRING_REC_HELLO] = HELLO, [WRING_REC_INFO] = FACTS, [WRING_REC_BEGIN] = BEGIN,
							      [WRING_REC_SOURCE] = SOURCES, [WRING_REC_SAMPLE] = FIRST };

		if (type < WRING_REC_MAX && of[type])
			note_stage(at, of[type], from);
		*len -= (size_t)used;
		memmove(buf, buf + used, *len);
	}
	return used >= 0 && !at[FIRST];
}

static int one_profile(struct bench *b, const char *plan, double *at, struct wring_err *err)
{
	static uint8_t buf[4 << 20];
	int64_t from = wring_now_ns();
	_cleanup_close_ int initramfs = -1;
	struct wring_vm_disk disk = { .serial = "ext4-0", .fd = -1 };
	struct wring_vm *vm = NULL;
	struct wring_kernel *kernel = NULL;
	size_t len = 0;
	int r = wring_kernel_open(b->kernel_path, &kernel, err);

	memset(at, 0, STAGES * sizeof(*at));
	if (!r)
		r = agent_initramfs(b, b->agent, plan, NULL, &initramfs, err);
	if (!r)
		r = wring_disk_image("ext4", 256 << 20, &disk.fd, err);
	note_stage(at, PREPARED, from);
	if (!r) {
		struct wring_vm_spec spec = { .kernel_fd = wring_kernel_image_fd(kernel), .initramfs_fd = initramfs, .append = "", .cpus = RUN_CPUS,
					      .nodes = RUN_NODES, .memory_bytes = RUN_MEMORY, .accel = b->accel, .disks = &disk, .n_disks = 1 };

		r = wring_vm_start(&spec, &vm, err);
		note_stage(at, QEMU, from);
	}
	for (bool on = !r; on && ms_since(from) < 60000;) {
		struct pollfd p[] = { { .fd = wring_vm_record_fd(vm), .events = POLLIN }, { .fd = wring_vm_pidfd(vm), .events = POLLIN } };
		ssize_t n;

		poll(p, 2, 1000);
		n = read(p[0].fd, buf + len, sizeof(buf) - len);
		if (n > 0) {
			len += (size_t)n;
			on = note_frames(buf, &len, at, from);
		} else if (p[1].revents) {
			break;
		}
	}
	if (!r && !at[FIRST])
		r = wring_err_set(err, -EIO, "no sample came");
	wring_closep(&disk.fd);
	wring_vm_free(vm);
	wring_kernel_free(kernel);
	return r;
}

static void profile(struct bench *b, const char *db)
{
	static double at[STAGES][MAX_REPS];
	_cleanup_free_ char *plan = plan_of(db);
	struct wring_err err = { 0 };
	double before = 0;
	size_t n = 0;
	int r = plan ? 0 : wring_err_set(&err, -ENOENT, "no plan in %s", db);

	for (; n < b->reps && !r; n++) {
		double one[STAGES];

		r = one_profile(b, plan, one, &err);
		for (size_t s = 0; s < STAGES; s++)
			at[s][n] = one[s];
	}
	printf("\nWhere the time to the first sample goes (arrival at the recorder; medians of %zu)\n%-36s %12s %12s\n", n, "until", "at", "took");
	if (r) {
		could_not(b, "profile", err.msg);
		return;
	}
	for (size_t s = 0; s < STAGES; s++) {
		double t = median(at[s], n);

		printf("%-36s %9.0f ms %9.0f ms\n", stage_names[s], t, t - before);
		before = t;
	}
}

/* ---- what stays charged ---- */

static double theirs_left; /* bytes a CPU second */

static void left_line(struct bench *b, const char *line)
{
	double bytes = number_of(line, "bytes"), cpu_s = number_of(line, "cpu_us") / 1e6, each = cpu_s > 0 ? bytes / cpu_s / 1e6 : 0;
	char what[64], name[32];

	sscanf(line, "left %31s", name);
	snprintf(what, sizeof(what), "%s: %.1f of %.1f MB in %.2f s", name, bytes / 1e6, number_of(line, "peak") / 1e6, cpu_s);
	if (!strcmp(name, "stress-ng")) {
		theirs_left = each;
		row(b, what, each, -1, "MB/s", -1);
	} else if (theirs_left > 0) {
		rate_row(b, what, each, theirs_left, each / theirs_left, "MB/s", GOAL_LEFT);
	}
}

static void left(struct bench *b)
{
	_cleanup_close_ int initramfs = -1;
	struct boot boot = { 0 };
	struct wring_err err = { 0 };
	int r = agent_initramfs(b, b->loads, "", "/usr/bin/stress-ng", &initramfs, &err);

	if (!r)
		r = boot_guest(b, initramfs, GUEST_CPUS, 300, &boot, &err);
	heading("6. Bytes still charged after the end, of the most there were, a second of CPU time, in a guest; floor: stress-ng --dentry");
	if (r)
		could_not(b, "left", err.msg);
	else
		each_line(b, boot.console, "left", left_line);
	if (strchr(b->parts, 'v') && boot.console)
		fputs(boot.console, stdout);
	free(boot.console);
}

/* ---- the harness itself ---- */

static void native_line(struct bench *b, const char *line)
{
	double sampling = number_of(line, "sampling_pct"), writer = number_of(line, "writer_pct");

	row(b, "agent's threads on this host, 10 Hz", sampling + writer, -1, "%", GOAL_CPU);
	row(b, "  of which sampling", sampling, -1, "%", -1);
}

static void own_cost(struct bench *b, const char *db)
{
	_cleanup_free_ char *command = wring_strf("%s --native", b->samplers), *text = output_of(command);
	sqlite3 *sql = NULL;
	double cpu = -1, wall = -1;

	heading("7. CPU of the harness while it samples, share of one CPU");
	each_line(b, text, "native", native_line);
	if (recorder_wall_s > 0)
		row(b, "recorder (wring run), on this host", 100 * recorder_cpu_s / recorder_wall_s, -1, "%", GOAL_CPU);
	if (!sqlite3_open_v2(db, &sql, SQLITE_OPEN_READONLY, NULL)) {
		cpu = ask(sql, "SELECT sum(substr(text, instr(text, 'ns=') + 3)) FROM event WHERE kind = 'harness'");
		wall = ask(sql, "SELECT sum(substr(text, instr(text, 'wall_ns=') + 8)) FROM event WHERE kind = 'harness'");
	}
	sqlite3_close(sql);
	if (cpu > 0 && wall > 0)
		row(b, "agent's threads in the guest", 100 * cpu / wall, -1, "%", -1);
}

/* ---- bytes ---- */

/* A sample set is one sample of one source: all its values at one time. */
static void per_sampler(struct bench *b, sqlite3 *sql)
{
	static const char query[] =
		"SELECT s.sampler, sum(c.n), sum(length(c.time) + 30 + coalesce((SELECT sum(length(o.v) + 16) FROM col o "
		"WHERE o.id BETWEEN c.id << 20 AND (c.id << 20) + 1048575), 0)), "
		"(SELECT sum(length(g2.base) + 12) FROM segment g2 JOIN source s2 ON s2.id = g2.source WHERE s2.sampler = s.sampler), "
		"max(k.n) FROM chunk c JOIN segment g ON g.id = c.segment JOIN source s ON s.id = g.source JOIN keyset k ON k.id = g.keyset "
		"GROUP BY s.sampler ORDER BY s.sampler";
	sqlite3_stmt *st = NULL;

	(void)b;
	printf("\n%-24s %8s %8s %12s %12s %16s\n", "sampler (payload only)", "keys", "sets", "series B/set", "bases B/set", "raw 8 B a value");
	if (!sqlite3_prepare_v2(sql, query, -1, &st, NULL))
		while (sqlite3_step(st) == SQLITE_ROW) {
			double n = sqlite3_column_double(st, 1);

			printf("%-24s %8d %8.0f %12.1f %12.1f %16d\n", (const char *)sqlite3_column_text(st, 0), sqlite3_column_int(st, 4), n,
			       sqlite3_column_double(st, 2) / n, sqlite3_column_double(st, 3) / n, 8 * sqlite3_column_int(st, 4));
		}
	sqlite3_finalize(st);
}

static void bytes(struct bench *b, const char *db, const struct content *first)
{
	static const struct { const char *what, *names; } groups[] = {
		{ "samples: chunk, col", "'chunk', 'col', 'chunk_segment'" },
		{ "samples: first values, sources", "'segment', 'segment_source', 'source', 'source_name', 'sqlite_autoindex_source_1'" },
		{ "key names (once a kernel)", "'key', 'keyset', 'keyset_key', 'sqlite_autoindex_key_1', 'sqlite_autoindex_keyset_1'" },
		{ "events, kernel log", "'event', 'event_time', 'log', 'log_time'" },
		{ "facts, console, plans, findings",
		  "'boot', 'sqlite_autoindex_boot_1', 'fact', 'console', 'run', 'run_boot', 'sqlite_autoindex_run_1', 'metric', 'finding', 'meta'" },
		{ "schema", "'sqlite_schema'" },
	};
	struct content last = content_of(db);
	double sets = last.sets, samples = 0, blobs;
	sqlite3 *sql = NULL;

	heading("3. Bytes stored per sample set (one sample of one source)");
	if (sets <= 0 || sqlite3_open_v2(db, &sql, SQLITE_OPEN_READONLY, NULL)) {
		could_not(b, "bytes", "no samples in the database");
		sqlite3_close(sql);
		return;
	}
	blobs = ask(sql, "SELECT coalesce((SELECT sum(length(text)) FROM console), 0) + (SELECT sum(length(plan)) FROM run) + "
			 "(SELECT coalesce(sum(length(value)), 0) FROM fact WHERE key = 'kernel.config')");
	if (first->sets > 0)
		row(b, "whole file, after the first call", first->bytes / first->sets, -1, "B", -1);
	if (last.sets > first->sets)
		row(b, "growth with each further call", (last.bytes - first->bytes) / (last.sets - first->sets), -1, "B", -1);
	row(b, "whole file", last.bytes / sets, -1, "B", GOAL_BYTES);
	row(b, "without console, plans, config", (last.bytes - blobs) / sets, -1, "B", GOAL_BYTES);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(groups); i++) {
		_cleanup_free_ char *query = wring_strf("SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name IN (%s)", groups[i].names);
		double n = query ? ask(sql, query) : -1;

		if (n < 0)
			continue;
		if (i < 2)
			samples += n;
		row(b, groups[i].what, n / sets, -1, "B", -1);
	}
	if (samples > 0)
		row(b, "samples alone (the first two)", samples / sets, -1, "B", GOAL_BYTES);
	printf("%.0f sample sets of %.0f runs, %.0f calls; file of %.0f bytes, %.0f of them console, plans and kernel configuration\n", sets,
	       ask(sql, "SELECT count(*) FROM run"), ask(sql, "SELECT count(*) FROM boot"), last.bytes, blobs);
	per_sampler(b, sql);
	sqlite3_close(sql);
}

/* ---- main ---- */

static void context(const struct bench *b)
{
	struct utsname u;

	uname(&u);
	printf("host: Linux %s, %ld CPUs", u.release, sysconf(_SC_NPROCESSORS_ONLN));
	if (b->kernel)
		printf("; guest: Linux %s, %s, %d CPUs (parts 1 and 2: %d), %d nodes, 2G", wring_kernel_release(b->kernel),
		       b->accel == WRING_ACCEL_KVM ? "KVM" : "TCG", RUN_CPUS, GUEST_CPUS, RUN_NODES);
	printf("\n");
}

static bool wants(const struct bench *b, char part)
{
	return strchr(b->parts, part);
}

static void guest_parts(struct bench *b)
{
	_cleanup_free_ char *db = wring_strf("%s/bench.db", b->tmp);
	struct content first = { 0 };
	struct wring_err err = { 0 };
	struct whole whole;

	if (wants(b, '1') || wants(b, '2'))
		guest_costs(b);
	if (wants(b, '4')) {
		starts(b, db, &first);
		profile(b, db);
	} else if ((wants(b, '3') || wants(b, '7')) && run_wring(b, db, &whole, &err)) {
		could_not(b, "wring run", err.msg);
	}
	if (wants(b, '3'))
		bytes(b, db, &first);
	if (wants(b, '6'))
		left(b);
	if (wants(b, '7'))
		own_cost(b, db);
	if (!wants(b, 'k'))
		unlink(db);
}

static int usage(void)
{
	fprintf(stderr, "usage: bench --build=DIR [--kernel=PATH] [--accel=tcg|kvm] [--reps=N] [--parts=1234567[v]]\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "build", required_argument, NULL, 'b' }, { "kernel", required_argument, NULL, 'k' },
						 { "accel", required_argument, NULL, 'a' }, { "reps", required_argument, NULL, 'r' },
						 { "parts", required_argument, NULL, 'p' }, { 0 } };
	struct bench b = { .parts = "1234567", .accel = WRING_ACCEL_TCG, .reps = 3, .tmp = "/tmp/wring-bench-XXXXXX" };
	const char *build = NULL;
	struct wring_err err = { 0 };
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 'b': build = optarg; break;
		case 'k': b.kernel_path = optarg; break;
		case 'a': b.accel = strcmp(optarg, "kvm") ? WRING_ACCEL_TCG : WRING_ACCEL_KVM; break;
		case 'r': b.reps = (size_t)atoi(optarg); break;
		case 'p': b.parts = optarg; break;
		default: return usage();
		}
	if (!build || !b.reps || b.reps > MAX_REPS)
		return usage();
	signal(SIGPIPE, SIG_IGN);
	b.build = build;
	b.loads = wring_strf("%s/tests/bench/bench_loads", build);
	b.bare = wring_strf("%s/tests/bench/bare_load", build);
	b.wring = wring_strf("%s/wring", build);
	b.agent = wring_strf("%s/wring-agent", build);
	b.load = wring_strf("%s/wring-load", build);
	b.samplers = wring_strf("%s/tests/bench/bench_samplers", build);
	b.init = wring_strf("%s/tests/bench/bare_init", build);
	if (b.kernel_path && access(b.kernel_path, R_OK))
		b.kernel_path = NULL;
	if (b.kernel_path && wring_kernel_open(b.kernel_path, &b.kernel, &err)) {
		fprintf(stderr, "bench: %s\n", err.msg);
		return 1;
	}
	if (!mkdtemp(b.tmp)) {
		fprintf(stderr, "bench: %s: %s\n", b.tmp, strerror(errno));
		return 1;
	}
	context(&b);
	if (wants(&b, '1'))
		host_costs(&b);
	if (wants(&b, '5'))
		loads(&b);
	if (b.kernel)
		guest_parts(&b);
	else
		could_not(&b, "all that needs a guest", "no kernel; set WRING_KERNEL, or run ./quickstart once");
	rmdir(b.tmp);
	printf("\n%u goal%s missed, %u part%s not run\n", b.missed, b.missed == 1 ? "" : "s", b.not_run, b.not_run == 1 ? "" : "s");
	wring_kernel_free(b.kernel);
	return b.not_run ? 1 : 0;
}
