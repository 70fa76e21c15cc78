/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fingerprint of a boot: whatever makes two boots of "the same kernel" differ. Without lru_gen, THP, preemption and
 * topology beside the figures, comparing Debian's 6.1 with its 6.12 compares mostly those. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "harness/agent/agent.h"
#include "harness/base/util.h"

static const struct { const char *key, *path; } files[] = {
	{ "kernel.cmdline", "/proc/cmdline" },
	{ "lru_gen", "/sys/kernel/mm/lru_gen/enabled" },
	{ "thp.enabled", "/sys/kernel/mm/transparent_hugepage/enabled" },
	{ "thp.defrag", "/sys/kernel/mm/transparent_hugepage/defrag" },
	{ "thp.shmem", "/sys/kernel/mm/transparent_hugepage/shmem_enabled" },
	{ "clocksource", "/sys/devices/system/clocksource/clocksource0/current_clocksource" },
	{ "clocksource.available", "/sys/devices/system/clocksource/clocksource0/available_clocksource" },
	{ "zswap", "/sys/module/zswap/parameters/enabled" },
	{ "numa_balancing", "/proc/sys/kernel/numa_balancing" },
	{ "rcu.qhimark", "/sys/module/rcutree/parameters/qhimark" },
	{ "rcu.blimit", "/sys/module/rcutree/parameters/blimit" },
	{ "rcu.jiffies_till_first_fqs", "/sys/module/rcutree/parameters/jiffies_till_first_fqs" },
	{ "rcu.stall_timeout", "/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout" },
	{ "rcu.lazy", "/sys/module/rcutree/parameters/enable_rcu_lazy" },
	{ "cgroup.controllers", "/sys/fs/cgroup/cgroup.controllers" },
	{ "node.online", "/sys/devices/system/node/online" },
	{ "tainted", "/proc/sys/kernel/tainted" },
};

static const char *const sysctls[] = {
	"vm/swappiness", "vm/vfs_cache_pressure", "vm/min_free_kbytes", "vm/watermark_scale_factor", "vm/overcommit_memory",
	"vm/dirty_ratio", "vm/dirty_background_ratio", "vm/dirty_expire_centisecs", "vm/stat_interval", "vm/oom_kill_allocating_task",
	"vm/panic_on_oom", "kernel/hung_task_timeout_secs", "kernel/panic_on_oops", "kernel/threads-max",
};

static void send_file(struct wring_agent *a, const char *key, const char *path)
{
	_cleanup_free_ char *text = NULL;

	wring_out_info(a->out, key, wring_read_line(AT_FDCWD, path, &text) ? "absent" : text);
}

static void send_number(struct wring_agent *a, const char *key, long long v)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", v);
	wring_out_info(a->out, key, text);
}

/* PREEMPT_DYNAMIC is in the version string whatever mode it is in; debugfs or the config says which. */
static void send_kernel(struct wring_agent *a)
{
	struct utsname u;
	_cleanup_free_ char *mode = NULL;

	uname(&u);
	wring_out_info(a->out, "kernel.release", u.release);
	wring_out_info(a->out, "kernel.version", u.version);
	wring_out_info(a->out, "machine", u.machine);
	if (wring_read_line(AT_FDCWD, "/sys/kernel/debug/sched/preempt", &mode))
		wring_out_info(a->out, "preempt", strstr(u.version, "PREEMPT") ? strstr(u.version, "PREEMPT") : "not in the version string");
	else
		wring_out_info(a->out, "preempt", mode);
	/* The tick is not exported; the user-space clock tick is not it. The recorder adds hz from the configuration. */
}

static void send_topology(struct wring_agent *a)
{
	char line[1024], *xml;
	int len;

	send_number(a, "node.count", hwloc_get_nbobjs_by_type(a->topology, HWLOC_OBJ_NUMANODE));
	if (hwloc_topology_export_synthetic(a->topology, line, sizeof(line), 0) > 0)
		wring_out_info(a->out, "topology.synthetic", line);
	if (!hwloc_topology_export_xmlbuffer(a->topology, &xml, &len, 0)) {
		wring_out_info(a->out, "topology.xml", xml);
		hwloc_free_xmlbuffer(a->topology, xml);
	}
}

static void send_swaps(struct wring_agent *a)
{
	_cleanup_free_ char *text = NULL;
	char *nl;

	if (wring_read_file(AT_FDCWD, "/proc/swaps", &text, NULL))
		return;
	nl = strchr(text, '\n');
	wring_out_info(a->out, "swaps", nl && nl[1] ? nl + 1 : "none");
}

static void send_mounts(struct wring_agent *a)
{
	_cleanup_free_ char *text = NULL;

	if (!wring_read_file(AT_FDCWD, "/proc/self/mounts", &text, NULL))
		wring_out_info(a->out, "mounts", text);
}

/* Free memory that all zones together have when none is below its low watermark, where kswapd is woken. */
static void send_watermark(struct wring_agent *a)
{
	_cleanup_free_ char *text = NULL;
	long long low, sum = 0;

	if (wring_read_file(AT_FDCWD, "/proc/zoneinfo", &text, NULL))
		return;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, " low %lld", &low) == 1)
			sum += low;
	}
	send_number(a, "watermark.low_pages", sum);
}

/* Merged caches have names that lie: links in /sys/kernel/slab. */
static void send_slab(struct wring_agent *a)
{
	DIR *d = opendir("/sys/kernel/slab");
	struct dirent *e;
	long long links = 0, all = 0;

	while (d && (e = readdir(d))) {
		links += e->d_type == DT_LNK;
		all++;
	}
	if (d)
		closedir(d);
	send_number(a, "slab.caches", all);
	send_number(a, "slab.merged", links);
}

/* The time of one call: the least of several rounds, as whatever comes in between only adds. */
static int64_t cost_ns(void (*call)(void))
{
	int64_t least = INT64_MAX;

	for (unsigned round = 0; round < 9; round++) {
		int64_t t = wring_now_ns();

		for (unsigned i = 0; i < 200; i++)
			call();
		t = (wring_now_ns() - t) / 200;
		least = t < least ? t : least;
	}
	return least;
}

static void read_clock(void) { wring_now_ns(); }
static void call_kernel(void) { syscall(SYS_getppid); }

void wring_clock_warn(struct wring_agent *a)
{
	int64_t clock = cost_ns(read_clock), syscall_ns = cost_ns(call_kernel);
	_cleanup_free_ char *now = NULL, *all = NULL;

	if (clock <= syscall_ns)
		return;
	wring_read_line(AT_FDCWD, "/sys/devices/system/clocksource/clocksource0/current_clocksource", &now);
	wring_read_line(AT_FDCWD, "/sys/devices/system/clocksource/clocksource0/available_clocksource", &all);
	wring_out_event(a->out, "warn", "clocksource", "reading the clock (%s) takes %lld ns, a system call %lld ns: latencies are mostly the "
			"clock's. Choose one that is read without a system call (tsc, kvm-clock; available: %s) with clocksource=NAME, or "
			"tsc=reliable if the kernel distrusts it, on the kernel's command line", now ? now : "?", (long long)clock,
			(long long)syscall_ns, all ? all : "?");
}

void wring_facts_send(struct wring_agent *a)
{
	_cleanup_free_ char *meminfo = NULL;
	char *total;

	send_kernel(a);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(files); i++)
		send_file(a, files[i].key, files[i].path);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(sysctls); i++) {
		_cleanup_free_ char *path = wring_strf("/proc/sys/%s", sysctls[i]), *key = wring_strf("sysctl.%s", sysctls[i]);

		for (char *p = key; p && *p; p++)
			if (*p == '/')
				*p = '.';
		if (path && key)
			send_file(a, key, path);
	}
	send_number(a, "cpu.online", a->ncpu);
	send_number(a, "page.size", a->page_size);
	if (!wring_read_file(AT_FDCWD, "/proc/meminfo", &meminfo, NULL) && (total = strstr(meminfo, "MemTotal:")))
		send_number(a, "memory.total_kb", strtoll(total + strlen("MemTotal:"), NULL, 10));
	wring_out_info(a->out, "shrinker_debugfs", access("/sys/kernel/debug/shrinker", F_OK) ? "absent" : "present");
	wring_out_info(a->out, "rcu.barrier", access("/sys/module/rcutree/parameters/do_rcu_barrier", W_OK) ? "membarrier" : "do_rcu_barrier");
	send_topology(a);
	send_swaps(a);
	send_mounts(a);
	send_watermark(a);
	send_slab(a);
}
