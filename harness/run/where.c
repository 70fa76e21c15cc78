/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where to run: on this host when it can, else in a guest; which kernel, which accelerator, and why. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/utsname.h>

#include "harness/agent/cgroup.h"
#include "harness/base/units.h"
#include "harness/base/util.h"
#include "harness/run/run.h"

/* CPUs of a guest for one of the host's: on a single core the default of 4 must work. */
#define CPUS_PER_CPU 8u
/* A stock kernel with two nodes, our agent and nothing else boots in 96M here; below this it dies before it can say why. */
#define MIN_MEMORY (192ULL << 20)
/* wring-load is static and small, but a process is not nothing: page tables, stacks, the pages of its own text. */
#define MIN_LIMIT (1ULL << 20)

static char *exe_dir(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n <= 0)
		return NULL;
	path[n] = '\0';
	*strrchr(path, '/') = '\0';
	return strdup(path);
}

char *wring_program(const char *name, struct wring_err *err)
{
	_cleanup_free_ char *dir = exe_dir(), *here = dir ? wring_strf("%s/%s", dir, name) : NULL;
	_cleanup_free_ char *installed = wring_strf("%s/%s", WRING_LIBEXECDIR, name);

	if (here && !access(here, X_OK))
		return WRING_TAKE_PTR(here);
	if (installed && !access(installed, X_OK))
		return WRING_TAKE_PTR(installed);
	wring_err_set(err, -ENOENT, "the program %s is neither beside wring (%s) nor in %s: build it with make", name, dir ? dir : "?",
		      WRING_LIBEXECDIR);
	return NULL;
}

char *wring_default_kernel(const char **ret_from)
{
	const char *env = getenv("WRING_KERNEL");
	_cleanup_free_ char *dir = exe_dir(), *built = dir ? wring_strf("%s/kernel", dir) : NULL, *own = NULL;
	struct utsname u;

	if (env && *env) {
		*ret_from = "$WRING_KERNEL";
		return strdup(env);
	}
	if (built && !access(built, R_OK)) {
		*ret_from = "left by ./quickstart";
		return WRING_TAKE_PTR(built);
	}
	uname(&u);
	own = wring_strf("/boot/vmlinuz-%s", u.release);
	if (own && !access(own, R_OK)) {
		*ret_from = "this host's own";
		return WRING_TAKE_PTR(own);
	}
	return NULL;
}

static int find_kernel(const struct wring_run_options *o, struct wring_place *p, struct wring_err *err)
{
	const char *from = "--kernel";
	_cleanup_free_ char *path = o->kernel ? strdup(o->kernel) : wring_default_kernel(&from);
	int r;

	if (!path)
		return wring_err_set(err, -ENOENT, "no kernel to boot: ./quickstart gets one, or: apt-get download linux-image-cloud-amd64's "
				     "image package and --kernel=FILE.deb");
	r = wring_kernel_open(path, &p->kernel, err);
	return r && !o->kernel ? wring_err_prefix(err, "kernel %s (%s)", path, from) : r;
}

static int find_accel(const struct wring_run_options *o, struct wring_place *p, struct wring_err *err)
{
	char why[200] = "";

	if (o->deterministic && o->accel == WRING_ACCEL_KVM)
		return wring_err_set(err, -EINVAL, "--accel=kvm: with --deterministic tcg is accepted: only an emulator counts instructions");
	p->accel_asked = o->accel != WRING_ACCEL_AUTO;
	p->accel = o->deterministic || o->accel == WRING_ACCEL_TCG || !wring_kvm_usable(why, sizeof(why)) ? WRING_ACCEL_TCG : WRING_ACCEL_KVM;
	if (o->accel == WRING_ACCEL_KVM && p->accel != WRING_ACCEL_KVM)
		return wring_err_set(err, -ENODEV, "--accel=kvm: %s: use --accel=auto or tcg", why);
	return 0;
}

static int find_vm(const struct wring_run_options *o, struct wring_place *p, struct wring_err *err)
{
	int r;

	p->where = WRING_WHERE_VM;
	r = wring_qemu_version(NULL, 0, err);
	if (!r)
		r = find_kernel(o, p, err);
	return r ? r : find_accel(o, p, err);
}

static int check_programs(struct wring_err *err)
{
	_cleanup_free_ char *agent = wring_program("wring-agent", err), *load = agent ? wring_program("wring-load", err) : NULL;

	return load ? 0 : -ENOENT;
}

static bool host_can(struct wring_err *why)
{
	struct wring_base base = { 0 };
	int r = wring_base_find(&base, why);

	wring_base_done(&base);
	return !r;
}

int wring_place_find(const struct wring_run_options *o, struct wring_place *ret, struct wring_err *err)
{
	struct wring_err why = { 0 };

	*ret = (struct wring_place){ .where = o->where };
	if (o->where == WRING_WHERE_HOST && o->guest_option)
		return wring_err_set(err, -EINVAL, "--where=host: %s is accepted for a guest only (--where=vm): a host has the kernel, CPUs "
				     "and memory it has", o->guest_option);
	if (check_programs(err))
		return -ENOENT;
	if (o->where == WRING_WHERE_HOST && !host_can(&why))
		return *err = why, wring_err_prefix(err, "--where=host");
	if (o->where == WRING_WHERE_HOST || (o->where == WRING_WHERE_AUTO && !o->guest_option && host_can(&why))) {
		ret->where = WRING_WHERE_HOST;
		ret->why = strdup(o->where == WRING_WHERE_HOST ? "asked for" : "cgroup v2 with the memory controller is here");
		return 0;
	}
	ret->why = o->where == WRING_WHERE_VM ? strdup("asked for") :
		   o->guest_option ? wring_strf("%s was given", o->guest_option) : wring_strf("not on the host: %s", why.msg);
	return find_vm(o, ret, err);
}

void wring_place_done(struct wring_place *p)
{
	wring_kernel_free(p->kernel);
	free(p->why);
	*p = (struct wring_place){ 0 };
}

/* Limits that cannot work are an error of the caller's, found before anything is started. */
static int check_limit(const struct wring_scenario *s, const struct wring_setting *f, uint64_t memory, struct wring_err *err)
{
	bool has_bounds = !strcmp(f->key, "memory.max") || !strcmp(f->key, "memory.high");
	uint64_t bytes;

	if (!has_bounds && strcmp(f->key, "memory.low") && strcmp(f->key, "memory.min") && strcmp(f->key, "memory.swap.max") &&
	    strcmp(f->key, "memory.swap.high"))
		return 0;
	if (!strcmp(f->value, "max"))
		return 0;
	if (wring_parse_size(f->value, &bytes, NULL))
		return wring_err_set(err, -EINVAL, "%s:%d: %s: value '%s': accepted: max, or a size such as 64M", s->file, f->line, f->key, f->value);
	if (has_bounds && bytes < MIN_LIMIT)
		return wring_err_set(err, -ERANGE, "%s:%d: %s: value '%s': accepted: 1M or more: no process could start below it", s->file, f->line,
				     f->key, f->value);
	if (has_bounds && bytes > memory / 2)
		return wring_err_set(err, -ERANGE, "%s:%d: %s: value '%s': accepted: up to half of the memory (%llu MiB): a higher limit would "
				     "never be the one that is hit; raise --memory", s->file, f->line, f->key, f->value,
				     (unsigned long long)(memory >> 20));
	return 0;
}

static int check_limits(const struct wring_scenario *s, uint64_t memory, struct wring_err *err)
{
	int r = 0;

	for (size_t i = 0; i < s->n_groups; i++)
		for (size_t k = 0; k < s->groups[i].files.n && !r; k++)
			r = check_limit(s, &s->groups[i].files.rows[k], memory, err);
	return r;
}

static int check_carried(const struct wring_scenario *s, struct wring_err *err)
{
	for (size_t i = 0; i < s->n_carry; i++) {
		_cleanup_free_ char *path = wring_carry_path(s, s->carry[i]);

		if (!path)
			return wring_err_set(err, -ENOMEM, "carry");
		if (access(path, R_OK))
			return wring_err_set(err, -errno, "%s:%d: carry: value '%s': accepted: files that can be read: %s: %s", s->file, s->carry_line,
					     s->carry[i], path, strerror(errno));
	}
	return 0;
}

static int check_guest(const struct wring_run_options *o, uint64_t host, struct wring_err *err)
{
	const struct wring_vm_spec spec = { .append = o->append, .cpus = o->cpus, .nodes = o->nodes, .memory_bytes = o->memory_bytes };
	unsigned own = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);

	if (o->memory_bytes < MIN_MEMORY)
		return wring_err_set(err, -ERANGE, "--memory=%lluK: a guest needs 192M or more to boot", (unsigned long long)(o->memory_bytes >> 10));
	if (o->memory_bytes > host)
		return wring_err_set(err, -ERANGE, "--memory=%lluM: this machine has %lluM", (unsigned long long)(o->memory_bytes >> 20),
				     (unsigned long long)(host >> 20));
	if (o->cpus > CPUS_PER_CPU * own)
		return wring_err_set(err, -ERANGE, "--cpus=%u: this machine has %u; at most %u, more would measure its scheduler", o->cpus, own,
				     CPUS_PER_CPU * own);
	/* A node without a CPU is fine where one CPU is what was asked for. */
	if (o->nodes > o->cpus && !o->deterministic)
		return wring_err_set(err, -ERANGE, "--nodes=%u: at most as many as --cpus=%u", o->nodes, o->cpus);
	return wring_vm_check_machine(&spec, err) ? err->code : o->dump_dir ? wring_remains_check(o, err) : 0;
}

/* The first "3" or "0-7" of a list; returns the rest. */
static const char *next_range(const char *list, unsigned long *ret_from, unsigned long *ret_to)
{
	char *end;

	*ret_from = *ret_to = strtoul(list, &end, 10);
	if (*end == '-')
		*ret_to = strtoul(end + 1, &end, 10);
	return *end == ',' ? end + 1 : "";
}

static bool node_exists(unsigned long node, const char *there)
{
	unsigned long from, to;

	while (*there) {
		there = next_range(there, &from, &to);
		if (node >= from && node <= to)
			return true;
	}
	return false;
}

bool wring_nodes_exist(const char *list, const char *there)
{
	unsigned long from, to;

	while (list && *list) {
		list = next_range(list, &from, &to);
		for (; from <= to; from++)
			if (!node_exists(from, there))
				return false;
	}
	return true;
}

char *wring_host_nodes(void)
{
	char *text = NULL;

	return wring_read_line(AT_FDCWD, "/sys/devices/system/node/online", &text) ? strdup("0") : text;
}

uint64_t wring_host_memory(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int check_nodes(const struct wring_scenario *s, const struct wring_load *l, const char *list, const char *there, bool is_guest,
		       struct wring_err *err)
{
	if (wring_nodes_exist(list, there))
		return 0;
	return wring_err_set(err, -ERANGE, "%s:%d: load %s: node list '%s': there %s%s%s", s->file, l->line, l->name, list,
			     strpbrk(there, ",-") ? "are nodes " : "is node ", there, is_guest ? "; --nodes=N gives the guest more" : " here");
}

static int check_loads(const struct wring_scenario *s, const char *there, bool is_guest, struct wring_err *err)
{
	int r = 0;

	for (size_t i = 0; i < s->n_loads && !r; i++) {
		r = check_nodes(s, &s->loads[i], s->loads[i].cpu_nodes, there, is_guest, err);
		if (!r)
			r = check_nodes(s, &s->loads[i], s->loads[i].mem_nodes, there, is_guest, err);
	}
	return r;
}

int wring_deterministic_check(const struct wring_scenarios *s, struct wring_err *err)
{
	for (size_t i = 0; i < s->n; i++) {
		if (wring_scenario_needs(s->rows[i], "nbd"))
			return wring_err_set(err, -EINVAL, "%s: needs nbd: a network follows the host's time: --no-deterministic", s->rows[i]->file);
		for (size_t k = 0; k < s->rows[i]->n_mounts; k++)
			if (s->rows[i]->mounts[k].bps || s->rows[i]->mounts[k].iops)
				return wring_err_set(err, -EINVAL, "%s:%d: mount %s: a disk of a given speed follows the host's time: --no-deterministic, "
						     "or a mount without bps and iops", s->rows[i]->file, s->rows[i]->mounts[k].line,
						     s->rows[i]->mounts[k].name);
	}
	return 0;
}

int wring_place_check(const struct wring_run_options *o, const struct wring_place *p, const struct wring_scenarios *s, struct wring_err *err)
{
	uint64_t host = wring_host_memory();
	bool is_guest = p->where == WRING_WHERE_VM;
	_cleanup_free_ char *nodes = !is_guest ? wring_host_nodes() : o->nodes < 2 ? strdup("0") : wring_strf("0-%u", o->nodes - 1);
	int r = is_guest ? check_guest(o, host, err) : 0;

	if (!nodes)
		return wring_err_set(err, -ENOMEM, "nodes");
	if (!r && o->deterministic)
		r = wring_deterministic_check(s, err);

	for (size_t i = 0; i < s->n && !r; i++) {
		r = check_limits(s->rows[i], is_guest ? o->memory_bytes : host, err);
		if (!r && is_guest)
			r = check_carried(s->rows[i], err);
		if (!r)
			r = check_loads(s->rows[i], nodes, is_guest, err);
	}
	return r;
}
