/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/cmdline.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/base/units.h"
#include "harness/base/util.h"

#define MIB (1ULL << 20)

enum {
	MAX_CPUS = 255,   /* of q35 without an interrupt remapper */
	MAX_NODES = 64,
	MAX_SERIAL = 20,  /* VIRTIO_BLK_ID_BYTES */
	MAX_APPEND = 1500, /* COMMAND_LINE_SIZE is 2048 on x86 */
};
/* A section of the kernel's sparse memory. Linux refuses the whole NUMA table when a node ends inside one
 * ("Node alignment ... < min 128MB, rejecting NUMA config"). */
static const uint64_t section_bytes = 128 * MIB;

/* ---- checks ---- */

static int check_memory(const struct wring_vm_spec *s, struct wring_err *err)
{
	uint64_t step = section_bytes * s->nodes, fit = (s->memory_bytes + step - 1) / step * step;
	char have[16], want[16];

	wring_format_size(s->memory_bytes, have, sizeof(have));
	wring_format_size(fit ? fit : step, want, sizeof(want));
	if (s->nodes == 1 && (s->memory_bytes < section_bytes || s->memory_bytes % MIB))
		return wring_err_set(err, -EINVAL, "memory of %s: a guest needs whole MiB, at least 128M", have);
	if (s->nodes > 1 && (!s->memory_bytes || s->memory_bytes % step))
		return wring_err_set(err, -EINVAL, "memory of %s over %u nodes: each node needs a multiple of 128M, "
				     "or Linux ignores the nodes; %s would do", have, s->nodes, want);
	return 0;
}

static int check_disk(const struct wring_vm_disk *d, struct wring_err *err)
{
	size_t n = d->serial ? strlen(d->serial) : 0;
	struct stat st;

	if (!n || n > MAX_SERIAL)
		return wring_err_set(err, -EINVAL, "disk serial '%s': 1 to %d characters", n ? d->serial : "",
				     MAX_SERIAL);
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)d->serial[i]) && !strchr("-_.", d->serial[i]))
			return wring_err_set(err, -EINVAL, "disk serial '%s': letters, digits and -_. only", d->serial);
	if (fstat(d->fd, &st))
		return wring_err_set(err, -errno, "disk %s: descriptor %d: %s", d->serial, d->fd, strerror(errno));
	return 0;
}

static int check_fd(int fd, const char *what, struct wring_err *err)
{
	struct stat st;

	if (fd < 3 || fstat(fd, &st))
		return wring_err_set(err, -EBADF, "%s: descriptor %d is not open", what, fd);
	return st.st_size ? 0 : wring_err_set(err, -EINVAL, "%s is empty", what);
}

int wring_vm_check_machine(const struct wring_vm_spec *s, struct wring_err *err)
{
	if (!s->cpus || s->cpus > MAX_CPUS)
		return wring_err_set(err, -EINVAL, "%u CPUs: a guest has 1 to %d", s->cpus, MAX_CPUS);
	if (!s->nodes || s->nodes > MAX_NODES)
		return wring_err_set(err, -EINVAL, "%u nodes: a guest has 1 to %d", s->nodes, MAX_NODES);
	if (s->append && strlen(s->append) > MAX_APPEND)
		return wring_err_set(err, -EINVAL, "a kernel command line of %zu characters (at most %d)",
				     strlen(s->append), MAX_APPEND);
	return check_memory(s, err);
}

int wring_vm_check(const struct wring_vm_spec *s, struct wring_err *err)
{
	int r = wring_vm_check_machine(s, err);

	if (r)
		return r;
	if (s->accel != WRING_ACCEL_KVM && s->accel != WRING_ACCEL_TCG)
		return wring_err_set(err, -EINVAL, "accelerator: neither kvm nor tcg (auto was not resolved)");
	if (s->deterministic && (s->accel != WRING_ACCEL_TCG || s->n_disks || s->n_forwards))
		return wring_err_set(err, -EINVAL, "a deterministic guest runs under tcg and has neither disks nor a network");
	r = check_fd(s->kernel_fd, "kernel image", err);
	if (!r)
		r = check_fd(s->initramfs_fd, "initramfs", err);
	for (size_t i = 0; i < s->n_disks && !r; i++)
		r = check_disk(&s->disks[i], err);
	return r;
}

/* ---- arguments ---- */

struct args {
	char **v;
	size_t n, size;
	bool is_full; /* memory is exhausted */
};

static __attribute__((format(printf, 2, 3))) void add(struct args *a, const char *fmt, ...)
{
	va_list ap;

	if (a->n + 2 > a->size) {
		size_t size = a->size ? a->size * 2 : 64;
		char **p = realloc(a->v, size * sizeof(*p));

		if (!p) {
			a->is_full = true;
			return;
		}
		a->v = p;
		a->size = size;
	}
	va_start(ap, fmt);
	if (vasprintf(&a->v[a->n], fmt, ap) < 0) {
		a->v[a->n] = NULL;
		a->is_full = true;
	} else {
		a->v[++a->n] = NULL;
	}
	va_end(ap);
}

static void option(struct args *a, const char *name, const char *value)
{
	add(a, "-%s", name);
	add(a, "%s", value);
}

static void add_machine(struct args *a, const struct wring_vm_spec *s)
{
	option(a, "name", "wring,debug-threads=on");
	/* smm off: SeaBIOS then need not set it up. vmport and hpet: devices nothing here uses. */
	option(a, "machine", "q35,smm=off,vmport=off,hpet=off,graphics=off");
	option(a, "display", "none");
	add(a, "-nodefaults");
	add(a, "-no-user-config");
	add(a, "-no-reboot");
	if (s->hold)
		add(a, "-no-shutdown");
	add(a, "-accel");
	if (s->accel == WRING_ACCEL_KVM) {
		add(a, "kvm");
		option(a, "cpu", "host");
		return;
	}
	/* All CPUs on one thread. With a thread each, a CPU may run a breakpoint of the kernel's own text patching after it is
	 * gone (static keys: "Oops: int3" in sched_clock_cpu(), about one boot in ten with QEMU 7.2). */
	add(a, "tcg,thread=single");
	/* The first model that QEMU emulates without a warning, 6.1 and 6.12 boot without a complaint, and that has
	 * nothing costly: "max" takes twice as long for a page fault, newer ones lack features TCG does not know. No
	 * rdrand or rdseed, which a seed does not reach. The vendor is AMD so that Linux does not isolate page tables
	 * against Meltdown: each switch of them flushes TCG's TLB (getppid 0.5 us, as Intel 12 us). */
	option(a, "cpu", "Nehalem-v1,vendor=AuthenticAMD");
}

static void add_deterministic(struct args *a, const struct wring_vm_spec *s)
{
	if (!s->deterministic)
		return;
	option(a, "icount", "shift=0,sleep=off,align=off");
	option(a, "rtc", "base=2024-01-01T00:00:00,clock=vm");
	add(a, "-seed");
	add(a, "%u", (unsigned)(s->seed ^ s->seed >> 32)); /* QEMU's seed has 32 bits */
}

/* The first CPU of a node: with fewer CPUs than nodes it is the last nodes that have none. */
static unsigned first_cpu(const struct wring_vm_spec *s, unsigned node)
{
	return (node * s->cpus + s->nodes - 1) / s->nodes;
}

static void add_nodes(struct args *a, const struct wring_vm_spec *s)
{
	uint64_t each = s->memory_bytes / s->nodes / MIB;
	/* A socket over two nodes makes Linux warn ("llc-sibling ... not on the same node"). */
	unsigned sockets = s->cpus % s->nodes ? s->cpus : s->nodes;

	add(a, "-smp");
	add(a, "%u,sockets=%u,cores=%u,threads=1", s->cpus, sockets, s->cpus / sockets);
	add(a, "-m");
	add(a, "%lluM", (unsigned long long)(s->memory_bytes / MIB));
	for (unsigned n = 0; n < s->nodes; n++) {
		unsigned from = first_cpu(s, n), to = first_cpu(s, n + 1);

		add(a, "-object");
		add(a, "memory-backend-ram,id=mem%u,size=%lluM", n, (unsigned long long)each);
		add(a, "-numa");
		if (from < to)
			add(a, "node,nodeid=%u,memdev=mem%u,cpus=%u-%u", n, n, from, to - 1);
		else
			add(a, "node,nodeid=%u,memdev=mem%u", n, n);
	}
}

/* With ioeventfd the main loop serves a queue when the host gets to it; without, the vCPU does, at a fixed
 * instruction. That alone decides whether two boots of 6.12 are the same. */
static void add_sockets(struct args *a, const struct wring_vm_spec *s, const struct wring_vm_ends *e)
{
	add(a, "-chardev");
	add(a, "socket,id=console,fd=%d", e->console);
	option(a, "serial", "chardev:console");
	add(a, "-chardev");
	add(a, "socket,id=record,fd=%d", e->record);
	option(a, "device", s->deterministic ? "virtio-serial-pci,max_ports=2,ioeventfd=off" :
					       "virtio-serial-pci,max_ports=2");
	option(a, "device", "virtserialport,chardev=record,name=wring");
	add(a, "-chardev");
	add(a, "socket,id=qmp,fd=%d", e->qmp);
	option(a, "mon", "chardev=qmp,mode=control");
}

/* For a dump: where the kernel puts its vmcoreinfo, without which few programs understand one. It does so by a driver (qemu_fw_cfg). */
static void add_doors(struct args *a, const struct wring_vm_spec *s)
{
	if (s->hold)
		option(a, "device", "vmcoreinfo");
	if (!s->door)
		return;
	add(a, "-monitor");
	add(a, "unix:%s/" WRING_DOOR_MONITOR ",server=on,wait=off", s->door);
	add(a, "-qmp");
	add(a, "unix:%s/" WRING_DOOR_QMP ",server=on,wait=off", s->door);
}

static void add_disks(struct args *a, const struct wring_vm_spec *s)
{
	for (size_t i = 0; i < s->n_disks; i++) {
		/* The image is in memory and ends with the run: a flush has nothing to make durable. */
		add(a, "-blockdev");
		add(a, "driver=file,node-name=file%zu,filename=/proc/self/fd/%d,locking=off,aio=threads,"
		    "cache.no-flush=on,discard=unmap", i, s->disks[i].fd);
		add(a, "-blockdev");
		add(a, "driver=raw,node-name=disk%zu,file=file%zu,cache.no-flush=on,discard=unmap", i, i);
		if (s->disks[i].bps || s->disks[i].iops) {
			add(a, "-object");
			add(a, "throttle-group,id=speed%zu,x-bps-total=%llu,x-iops-total=%llu", i, (unsigned long long)s->disks[i].bps,
			    (unsigned long long)s->disks[i].iops);
			add(a, "-blockdev");
			add(a, "driver=throttle,node-name=slow%zu,throttle-group=speed%zu,file=disk%zu", i, i, i);
		}
		add(a, "-device");
		add(a, "virtio-blk-pci,drive=%s%zu,serial=%s", s->disks[i].bps || s->disks[i].iops ? "slow" : "disk", i, s->disks[i].serial);
	}
}

/* QEMU's own TCP/IP: it answers for the guest's peers itself, and with restrict=on for nothing but these. A command, not a
 * character device: to that one QEMU writes with all its vCPUs stopped for as long as the other end does not read. romfile: the
 * boot ROM is in a package of its own. */
static void add_network(struct args *a, const struct wring_vm_spec *s)
{
	_cleanup_free_ char *all = strdup("");

	for (size_t i = 0; i < s->n_forwards && all; i++) {
		char *more = wring_strf("%s,guestfwd=tcp:" WRING_VM_SERVER ":%u-cmd:%s", all, s->forwards[i].port, s->forwards[i].command);

		free(all);
		all = more;
	}
	a->is_full |= !all;
	add(a, "-netdev");
	add(a, "user,id=net,restrict=on,ipv6=off%s", all ? all : "");
	option(a, "device", "virtio-net-pci,netdev=net,romfile=");
}

/* The console is quiet while booting and complete from init on: each character is an exit from translated code, and
 * stacks of RCU stalls and hung tasks are printed at level 6.
 * panic=-1: a panic resets, and -no-reboot turns that into the end of QEMU.
 * panic_print: a panic tells the stacks of all CPUs and, from 6.11 on, of blocked tasks, for nobody can ask afterwards.
 * cryptomgr: its self-tests go on beside the first scenario, for half a second of an emulator's.
 * An oops does not panic: the task dies, the log tells, and the agent can still send what it has.
 * TCG alone: vCPUs share one TSC but do not promise so, and a starved host makes the timer check panic, and the calibration of
 * the TSC wrong. */
static void add_kernel(struct args *a, const struct wring_vm_spec *s)
{
	bool has_more = s->append && *s->append;
	unsigned khz = s->accel == WRING_ACCEL_TCG && !s->deterministic ? wring_tsc_khz() : 0;
	char tsc[40] = "";

	if (khz)
		snprintf(tsc, sizeof(tsc), " tsc_early_khz=%u", khz);

	add(a, "-kernel");
	add(a, "/proc/self/fd/%d", s->kernel_fd);
	add(a, "-initrd");
	add(a, "/proc/self/fd/%d", s->initramfs_fd);
	add(a, "-append");
	add(a, "console=ttyS0 loglevel=4 sysctl.kernel.printk=7 printk.devkmsg=on panic=-1 sysrq_always_enabled "
	    "unknown_nmi_panic=1 panic_print=0xc0 psi=1 cgroup_no_v1=all cryptomgr.notests rdinit=/init%s%s%s%s%s",
	    s->accel == WRING_ACCEL_TCG ? " no_timer_check tsc=reliable" : "", tsc, s->door ? " nokaslr" : "", has_more ? " " : "",
	    has_more ? s->append : "");
}

char **wring_vm_argv(const char *qemu, const struct wring_vm_spec *s, const struct wring_vm_ends *ends)
{
	struct args a = { 0 };

	add(&a, "%s", qemu);
	add_machine(&a, s);
	add_deterministic(&a, s);
	add_nodes(&a, s);
	add_sockets(&a, s, ends);
	add_doors(&a, s);
	add_disks(&a, s);
	if (s->n_forwards)
		add_network(&a, s);
	add_kernel(&a, s);
	if (!a.is_full)
		return a.v;
	wring_vm_argv_free(a.v);
	return NULL;
}

void wring_vm_argv_free(char **argv)
{
	for (size_t i = 0; argv && argv[i]; i++)
		free(argv[i]);
	free(argv);
}
