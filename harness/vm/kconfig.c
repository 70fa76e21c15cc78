/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/vm.h"

#include <string.h>

#include "harness/base/util.h"

struct option {
	const char *name;
	bool required;     /* without it nothing, or nothing in a guest, can be measured */
	bool gone;         /* newer kernels always have it and no longer ask: absent is then as good as set */
	bool module;       /* =m is as good as =y */
	const char *why;
};

static const struct option options[] = {
	{ .name = "CGROUPS", .required = true, .why = "every workload runs in a control group" },
	{ .name = "MEMCG", .required = true, .why = "the memory controller" },
	{ .name = "MEMCG_KMEM", .gone = true, .why = "slab charged to its group (part of MEMCG since 6.11)" },
	{ .name = "NUMA", .required = true, .why = "per-node reclaim and kswapd" },
	{ .name = "ACPI_NUMA", .required = true, .why = "the guest learns its nodes from ACPI" },
	{ .name = "SMP", .required = true, .why = "more than one CPU" },
	{ .name = "SWAP", .required = true, .why = "anonymous memory can be reclaimed at all" },
	{ .name = "PSI", .required = true, .why = "memory.pressure" },
	{ .name = "VM_EVENT_COUNTERS", .required = true, .why = "/proc/vmstat" },
	{ .name = "PROC_FS", .required = true, .why = "/proc" },
	{ .name = "SYSFS", .required = true, .why = "/sys" },
	{ .name = "SYSCTL", .required = true, .why = "/proc/sys" },
	{ .name = "TMPFS", .required = true, .why = "shmem workloads" },
	{ .name = "BINFMT_ELF", .required = true, .why = "the agent is an ELF program" },
	{ .name = "BLK_DEV_INITRD", .required = true, .why = "the guest boots from an initramfs" },
	{ .name = "DEVTMPFS", .required = true, .why = "/dev in the guest" },
	{ .name = "PRINTK", .required = true, .why = "the kernel log is evidence" },
	{ .name = "PCI", .required = true, .why = "the bus of the guest's virtio devices" },
	{ .name = "VIRTIO_PCI", .required = true, .module = true, .why = "virtio devices" },
	{ .name = "VIRTIO_CONSOLE", .required = true, .module = true, .why = "the record stream" },
	{ .name = "VIRTIO_BLK", .required = true, .module = true, .why = "disks" },
	{ .name = "EXT4_FS", .required = true, .module = true, .why = "file, dentry and inode workloads" },
	{ .name = "SERIAL_8250", .required = true, .why = "the serial port" },
	{ .name = "SERIAL_8250_CONSOLE", .required = true, .why = "panics are read from the console" },
	{ .name = "MAGIC_SYSRQ", .required = true, .why = "stacks of a guest that hangs" },
	{ .name = "MAGIC_SYSRQ_SERIAL", .required = true, .why = "the same, asked for over the serial line" },
	{ .name = "FW_CFG_SYSFS", .module = true, .why = "--dump-guest: vmcoreinfo in the dump, for drgn and makedumpfile" },
	{ .name = "KEXEC", .why = "the same" },
	{ .name = "CGROUP_PIDS", .why = "a bound on runaway workloads" },
	{ .name = "CPUSETS", .why = "binding groups to nodes" },
	{ .name = "BLK_CGROUP", .why = "io.stat, and writeback charged to its group" },
	{ .name = "CGROUP_WRITEBACK", .why = "dirty throttling per group" },
	{ .name = "SLUB_DEBUG", .why = "/proc/slabinfo and /sys/kernel/slab" },
	{ .name = "SHRINKER_DEBUG", .why = "per-shrinker counts in debugfs" },
	{ .name = "DEBUG_FS", .why = "the same, and fault injection" },
	{ .name = "LRU_GEN", .why = "multi-generational LRU" },
	{ .name = "TRANSPARENT_HUGEPAGE", .why = "thp-at-limit" },
	{ .name = "COMPACTION", .why = "thp-at-limit" },
	{ .name = "PROC_PAGE_MONITOR", .why = "/proc/kpagecgroup: who holds a page" },
	{ .name = "ZRAM", .module = true, .why = "swap without a disk" },
	{ .name = "VIRTIO_NET", .module = true, .why = "swap-over-nbd" },
	{ .name = "BLK_DEV_NBD", .module = true, .why = "swap-over-nbd" },
	{ .name = "BLK_DEV_RAM", .module = true, .why = "a disk without the host's timing (--deterministic)" },
	{ .name = "XFS_FS", .module = true, .why = "a second filesystem's shrinkers" },
	{ .name = "NET", .why = "network workloads" },
	{ .name = "INET", .why = "network workloads" },
	{ .name = "FTRACE", .why = "tracepoints" },
	{ .name = "KPROBES", .why = "the fault module finds what it patches" },
	{ .name = "LIVEPATCH", .why = "the fault module" },
	{ .name = "MODULES", .why = "the fault module" },
	{ .name = "KALLSYMS", .why = "stacks with names" },
	{ .name = "TASK_DELAY_ACCT", .why = "time tasks spent in reclaim" },
	{ .name = "TASKSTATS", .why = "the same" },
	{ .name = "DETECT_HUNG_TASK", .why = "a blocked task tells its stack" },
	{ .name = "SOFTLOCKUP_DETECTOR", .why = "a CPU that does not schedule is reported" },
	{ .name = "WQ_WATCHDOG", .why = "a workqueue that stands still is reported" },
};

/* The value of CONFIG_name in .config text: 'y', 'm', another first character, or 0 when it is not set. */
static char value_of(const char *config, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = config; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (!strncmp(p, "CONFIG_", 7) && !strncmp(p + 7, name, n) && p[7 + n] == '=')
			return p[8 + n];
	}
	return 0;
}

/* An option that a kernel no longer has is not even mentioned as "is not set". */
static bool is_mentioned(const char *config, const char *name)
{
	_cleanup_free_ char *line = wring_strf("# CONFIG_%s is not set", name);

	return line && strstr(config, line);
}

static bool is_missing(const char *config, const struct option *o)
{
	char v = value_of(config, o->name);

	if (v == 'y' || (v == 'm' && o->module))
		return false;
	return !o->gone || is_mentioned(config, o->name);
}

static void print_fragment(FILE *out)
{
	for (int required = 1; required >= 0; required--) {
		fprintf(out, "# %s\n", required ? "required" : "wanted: scenarios or evidence are lost without");
		for (size_t i = 0; i < WRING_ARRAY_SIZE(options); i++)
			if (options[i].required == required)
				fprintf(out, "# %s\nCONFIG_%s=y\n", options[i].why, options[i].name);
	}
}

int wring_kconfig(const char *config, FILE *out)
{
	int missing = 0;

	print_fragment(out);
	for (size_t i = 0; config && i < WRING_ARRAY_SIZE(options); i++) {
		const struct option *o = &options[i];

		if (!is_missing(config, o))
			continue;
		missing += o->required;
		fprintf(out, "missing: CONFIG_%s (%s): %s%s\n", o->name, o->required ? "required" : "wanted", o->why,
			!o->module && value_of(config, o->name) == 'm' ? "; as a module it comes too late" : "");
	}
	return missing;
}
