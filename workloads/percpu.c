/* SPDX-License-Identifier: GPL-3.0-or-later */
/* percpu: memory that is there once for each possible CPU. The trap: it grows with the machine, so that what is
 * small on four CPUs fills a limit on two hundred. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

#define MIN_ALLOC 4          /* of the percpu allocator; it keeps a pointer for so many bytes */
#define ELEMENT_BYTES 72     /* struct htab_elem, key, pointer to the values, list node */
#define HOLDER_BYTES 16      /* what bpf_mem_alloc keeps beside a percpu object */
#define BUCKET_BYTES 16

struct percpu {
	uint64_t value, entries; /* parameters */
	struct wring_slots slots;
	char *values; /* one a possible CPU */
};

static const struct wring_param params[] = {
	{ "value", WRING_U64, offsetof(struct percpu, value), .def = "256", .min = "8", .max = "4096", .help = "bytes a CPU in an entry" },
	{ "entries", WRING_U64, offsetof(struct percpu, entries), .def = "1000", .min = "1", .max = "65536", .help = "entries in a map" },
	{ 0 } };

static int make_map(const struct percpu *p)
{
	union bpf_attr a;

	memset(&a, 0, sizeof(a));
	a.map_type = BPF_MAP_TYPE_PERCPU_HASH;
	a.key_size = 8;
	a.value_size = (uint32_t)p->value;
	a.max_entries = (uint32_t)p->entries;
	a.map_flags = BPF_F_NO_PREALLOC;
	memcpy(a.map_name, "wring", 6);
	return (int)syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a));
}

static int fill_map(const struct percpu *p, int fd)
{
	union bpf_attr a;

	for (uint64_t key = 0; key < p->entries; key++) {
		memset(&a, 0, sizeof(a));
		a.map_fd = (uint32_t)fd;
		a.key = (uintptr_t)&key;
		a.value = (uintptr_t)p->values;
		if (syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &a, sizeof(a)))
			return -errno;
	}
	return 0;
}

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct percpu *p = wring_wdata(c);
	struct rlimit l = { RLIM_INFINITY, RLIM_INFINITY };
	uint64_t cpus = (uint64_t)sysconf(_SC_NPROCESSORS_CONF), buckets = 1;
	int r = wring_raise_nofile(err), fd;

	if (r)
		return r;
	setrlimit(RLIMIT_MEMLOCK, &l); /* maps were counted there before 5.11 */
	p->value = (p->value + 7) / 8 * 8;
	fd = make_map(p);
	if (fd < 0)
		return wring_err_set(err, -errno, "percpu: a BPF map: %s%s", strerror(errno),
				     errno == EPERM ? " (root can, or CAP_BPF)" : "");
	close(fd);
	p->values = calloc(cpus, p->value);
	if (!p->values)
		return wring_err_set(err, -ENOMEM, "percpu: a value a CPU");
	while (buckets < p->entries)
		buckets *= 2;
	wring_object(c, p->entries * (p->value * cpus + p->value / MIN_ALLOC * sizeof(void *)) +
		     p->entries * (wring_kmalloc_charge(ELEMENT_BYTES) + wring_kmalloc_charge(HOLDER_BYTES)) +
		     wring_kmalloc_charge(buckets * BUCKET_BYTES) +
		     wring_kmalloc_charge(1024) + wring_fd_charge(true), false);
	return 0;
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct percpu *p = wring_wdata(c);
	uint64_t *slot = wring_slot(&p->slots, object);
	int fd, r;

	if (!slot)
		return -ENOMEM;
	fd = make_map(p);
	if (fd < 0)
		return errno == E2BIG ? -ENOMEM : -errno;
	r = fill_map(p, fd);
	if (r)
		close(fd);
	else
		*slot = (uint64_t)fd;
	return r;
}

static int drop(struct wring_wctx *c, uint64_t object)
{
	struct percpu *p = wring_wdata(c);

	return close((int)wring_slot_take(&p->slots, object)) ? -errno : 0;
}

static void teardown(struct wring_wctx *c)
{
	struct percpu *p = wring_wdata(c);

	free(p->values);
	wring_slots_done(&p->slots);
}

static const struct wring_workload percpu = {
	.name = "percpu",
	.summary = "memory for each possible CPU: BPF hash maps with a value a CPU",
	.doc = "bpf(BPF_MAP_CREATE) of BPF_MAP_TYPE_PERCPU_HASH with BPF_F_NO_PREALLOC, and BPF_MAP_UPDATE_ELEM: `percpu` in memory.stat, "
	       "the value's size on every possible CPU and 2 bytes more for each byte of it; beside it, in slab_unreclaimable, 128 "
	       "bytes an entry (kmalloc-cg-96 and -16). A map that allocates its entries beforehand is charged to nobody: it has no "
	       "cgroup until it is made. An object is a map of so many entries and takes a descriptor; updates beyond what the "
	       "kernel has at hand fail with ENOMEM. Freed by a kernel worker after RCU grace periods. Needs root or CAP_BPF.",
	.params = params,
	.size = sizeof(struct percpu),
	.setup = setup,
	.make = make,
	.drop = drop,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(percpu);
