/* SPDX-License-Identifier: GPL-3.0-or-later */
/* percpu: memory that is there once for each possible CPU. The trap: it grows with the machine, so that what is
 * small on four CPUs fills a limit on two hundred. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

#define MIN_ALLOC 4          /* of the percpu allocator; it keeps a pointer for so many bytes */
#define ELEMENT_BYTES 72     /* struct htab_elem, key, pointer to the values, list node */
#define HOLDER_BYTES 16      /* what bpf_mem_alloc keeps beside a percpu object */
#define BUCKET_BYTES 16

#define MEASURED 64          /* cgroups made to see what one costs: memory.current moves in steps of 64 pages */

enum kind { KIND_BPF, KIND_CGROUP };

struct percpu {
	unsigned kind; /* parameters */
	uint64_t value, entries;
	struct wring_slots slots;
	char *values;  /* one a possible CPU */
	int parent_fd; /* the cgroup above that of this process */
};

static const struct wring_param params[] = {
	{ "kind", WRING_ENUM, offsetof(struct percpu, kind), .def = "bpf", .choices = "bpf|cgroup",
	  .help = "BPF hash maps with a value a CPU; or empty cgroups, made beside that of the load and charged to the one above" },
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

static int fill_map(struct wring_wctx *c, const struct percpu *p, int fd)
{
	union bpf_attr a;

	for (uint64_t key = 0; key < p->entries; key++) {
		memset(&a, 0, sizeof(a));
		a.map_fd = (uint32_t)fd;
		a.key = (uintptr_t)&key;
		a.value = (uintptr_t)p->values;
		if (syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &a, sizeof(a)))
			return wring_failed(c, "bpf-update", errno);
	}
	return 0;
}

/* ---- cgroups ---- */

static const char *name_of(const struct wring_wctx *c, uint64_t object, char *buf, size_t size)
{
	snprintf(buf, size, "percpu-%d-%u-%llu", getpid(), wring_index(c), (unsigned long long)object);
	return buf;
}

/* The directory above our own on the cgroup2 mount. */
static int open_parent(struct wring_err *err)
{
	_cleanup_free_ char *mounts = NULL, *own = NULL, *path = NULL, *on = NULL;
	char *line, *save = NULL, dir[512] = "", type[64];
	int fd, r = wring_read_file(AT_FDCWD, "/proc/self/mounts", &mounts, NULL);

	if (!r)
		r = wring_read_file(AT_FDCWD, "/proc/self/cgroup", &own, NULL);
	if (r)
		return wring_err_set(err, r, "percpu: /proc/self: %s", strerror(-r));
	for (line = strtok_r(mounts, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "%*s %511s %63s", dir, type) == 2 && !strcmp(type, "cgroup2"))
			break;
	line = strstr(own, "0::/");
	if (!*dir || !line)
		return wring_err_set(err, -ENOENT, "percpu: no cgroup2 filesystem is mounted");
	line[strcspn(line, "\n")] = '\0';
	*strrchr(line, '/') = '\0';
	path = wring_strf("%s%s", dir, strlen(line) > 3 ? line + 3 : "");
	fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd < 0)
		return wring_err_set(err, -errno, "percpu: %s: %s", path, strerror(errno));
	if (wring_read_file(fd, "cgroup.subtree_control", &on, NULL) || !strstr(on, "memory") || faccessat(fd, "memory.current", R_OK, 0)) {
		close(fd);
		return wring_err_set(err, -EOPNOTSUPP, "percpu: the cgroups of kind=cgroup are charged to the one above the load's, and %s is "
				     "not one with the memory controller: give the load a group below another, such as work/load", path);
	}
	return fd;
}

static uint64_t number_in(int dir_fd, const char *file, const char *key)
{
	_cleanup_free_ char *text = NULL;
	const char *at;

	if (wring_read_file(dir_fd, file, &text, NULL))
		return 0;
	at = strstr(text, key);
	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/* One at a time, or two would see each other's. Those that were removed are waited for: they are still charged. */
static int measure(struct wring_wctx *c, const struct percpu *p, uint64_t *ret, struct wring_err *err)
{
	uint64_t before, dying, made = 0;
	struct timespec pause = { .tv_nsec = 10 * WRING_NSEC_PER_MSEC };
	int64_t until;
	char name[80];
	int r = 0;

	flock(p->parent_fd, LOCK_EX);
	before = number_in(p->parent_fd, "memory.current", "");
	dying = number_in(p->parent_fd, "cgroup.stat", "nr_dying_descendants ");
	for (; made < MEASURED && !r; made += !r)
		if (mkdirat(p->parent_fd, name_of(c, made, name, sizeof(name)), 0755))
			r = wring_err_set(err, -errno, "percpu: cgroup %s: %s", name, strerror(errno));
	*ret = (number_in(p->parent_fd, "memory.current", "") - before) / MEASURED;
	for (uint64_t i = 0; i < made; i++)
		unlinkat(p->parent_fd, name_of(c, i, name, sizeof(name)), AT_REMOVEDIR);
	for (until = wring_now_ns() + 10 * WRING_NSEC_PER_SEC;
	     number_in(p->parent_fd, "cgroup.stat", "nr_dying_descendants ") > dying && wring_now_ns() < until;)
		nanosleep(&pause, NULL);
	flock(p->parent_fd, LOCK_UN);
	if (!r && (int64_t)*ret < (int64_t)wring_page_size())
		r = wring_err_set(err, -EOPNOTSUPP, "percpu: %d cgroups added nothing to memory.current of the cgroup above: this kernel charges "
				  "them to nobody; use kind=bpf", MEASURED);
	return r;
}

static int setup_cgroup(struct wring_wctx *c, struct wring_err *err)
{
	struct percpu *p = wring_wdata(c);
	uint64_t bytes = 0;
	int r;

	p->parent_fd = open_parent(err);
	if (p->parent_fd < 0)
		return p->parent_fd;
	r = measure(c, p, &bytes, err);
	if (!r)
		wring_object(c, bytes, false);
	return r;
}

static int make_cgroup(struct wring_wctx *c, const struct percpu *p, uint64_t object)
{
	char name[80];

	if (!mkdirat(p->parent_fd, name_of(c, object, name, sizeof(name)), 0755))
		return 0;
	if (errno == ENOSPC)
		return wring_limit(c, ENOSPC, "the kernel has ids for 65535 memory cgroups: lower the footprint");
	return wring_fails(c, "mkdirat", errno, EAGAIN, "raise cgroup.max.descendants of the cgroups above, or lower the footprint");
}

/* ---- both ---- */

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct percpu *p = wring_wdata(c);
	struct rlimit l = { RLIM_INFINITY, RLIM_INFINITY };
	uint64_t cpus = (uint64_t)sysconf(_SC_NPROCESSORS_CONF), buckets = 1;
	int r = wring_raise_nofile(err), fd;

	p->parent_fd = -1;
	if (r)
		return r;
	if (p->kind == KIND_CGROUP)
		return setup_cgroup(c, err);
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
	uint64_t *slot;
	int fd, r;

	if (p->kind == KIND_CGROUP)
		return make_cgroup(c, p, object);
	slot = wring_slot(&p->slots, object);
	if (!slot)
		return -ENOMEM;
	fd = make_map(p);
	if (fd < 0)
		return wring_fails(c, "bpf-create", errno == E2BIG ? ENOMEM : errno, EMFILE, WRING_NOFILE_REMEDY);
	r = fill_map(c, p, fd);
	if (r)
		close(fd);
	else
		*slot = (uint64_t)fd;
	return r;
}

static int drop(struct wring_wctx *c, uint64_t object)
{
	struct percpu *p = wring_wdata(c);
	char name[80];

	if (p->kind == KIND_CGROUP)
		return unlinkat(p->parent_fd, name_of(c, object, name, sizeof(name)), AT_REMOVEDIR) ? wring_failed(c, "unlinkat", errno) : 0;
	return close((int)wring_slot_take(&p->slots, object)) ? wring_failed(c, "close", errno) : 0;
}

static void teardown(struct wring_wctx *c)
{
	struct percpu *p = wring_wdata(c);

	if (p->parent_fd >= 0)
		close(p->parent_fd);
	free(p->values);
	wring_slots_done(&p->slots);
}

static const struct wring_workload percpu = {
	.name = "percpu",
	.summary = "memory for each possible CPU: BPF hash maps with a value a CPU, or cgroups",
	.doc = "bpf: bpf(BPF_MAP_CREATE) of BPF_MAP_TYPE_PERCPU_HASH with BPF_F_NO_PREALLOC, and BPF_MAP_UPDATE_ELEM: `percpu` "
	       "in memory.stat, the value's size on every possible CPU and 2 bytes more for each byte of it; beside it, in "
	       "slab_unreclaimable, 128 bytes an entry (kmalloc-cg-96 and -16). A map that allocates its entries beforehand is "
	       "charged to nobody: it has no cgroup until it is made. An object is a map of so many entries and takes a "
	       "descriptor; updates beyond what the kernel has at hand fail with ENOMEM. Freed by a kernel worker after RCU "
	       "grace periods. Needs root or CAP_BPF. cgroup: mkdir() of empty cgroups beside that of the load, so that they are "
	       "charged to the one above it: give the load a group below another. One costs its statistics for each CPU "
	       "(`percpu`) and each node, and kernfs nodes (slab_unreclaimable); what, is measured before the start with 64 of "
	       "them. After rmdir() they are charged until RCU and a kernel worker have freed them.",
	.params = params,
	.size = sizeof(struct percpu),
	.setup = setup,
	.make = make,
	.drop = drop,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(percpu);
