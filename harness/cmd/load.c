/* SPDX-License-Identifier: GPL-3.0-or-later */
/* load: one workload under ad-hoc limits. It writes a scenario and hands it to run, so that everything else is the same:
 * where it runs, what is stored, how it is judged. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "analyzers/report/report.h"
#include "harness/agent/cgroup.h"
#include "harness/api/workload.h"
#include "harness/base/units.h"
#include "harness/base/util.h"
#include "harness/cmd/cmd.h"
#include "harness/run/run.h"
#include "harness/vm/child.h"
#include "workloads/load/context.h"

enum { O_HIGH = 1000, O_MAX, O_LOW, O_MIN, O_SWAP_MAX, O_NODES, O_MEM_NODES, O_MEM_POLICY, O_DURATION, O_PROCS, O_THREADS, O_GROUPS,
       O_FS, O_OOM_OK, O_GUEST_NODES, O_LIST };

/* Behind these in the table are those of run. */
static const struct argp_option own_options[] = {
	{ "high", O_HIGH, "SIZE", 0, "memory.high of each cgroup", 0 },
	{ "max", O_MAX, "SIZE", 0, "memory.max of each cgroup", 0 },
	{ "low", O_LOW, "SIZE", 0, "memory.low of each cgroup", 0 },
	{ "min", O_MIN, "SIZE", 0, "memory.min of each cgroup", 0 },
	{ "swap-max", O_SWAP_MAX, "SIZE", 0, "memory.swap.max of each cgroup", 0 },
	{ "nodes", O_NODES, "LIST", 0, "run on the CPUs of these NUMA nodes, as in 0-1", 0 },
	{ "mem-nodes", O_MEM_NODES, "LIST", 0, "take memory from these NUMA nodes", 0 },
	{ "mem-policy", O_MEM_POLICY, "bind|interleave|preferred", 0, "how --mem-nodes is meant (default bind)", 0 },
	{ "duration", O_DURATION, "DUR", 0, "churn so long once it has filled (default 10s)", 0 },
	{ "procs", O_PROCS, "N", 0, "processes in each cgroup (default 1)", 0 },
	{ "threads", O_THREADS, "N", 0, "threads in each process (default 1)", 0 },
	{ "groups", O_GROUPS, "N", 0, "cgroups side by side, each with the limits (default 1)", 0 },
	{ "fs", O_FS, "ext4|xfs|tmpfs", 0, "filesystem it works on (default ext4)", 0 },
	{ "oom-ok", O_OOM_OK, NULL, 0, "a footprint that cannot fit, so that the OOM killer must come, is meant", 0 },
	{ "list", O_LIST, NULL, 0, "the workloads there are", 0 },
	{ "guest-nodes", O_GUEST_NODES, "N", 0, "NUMA nodes of the guest (default 2)", 1 },
	{ 0 } };
/* --nodes is --guest-nodes here, and the scenario that load writes has no parameters to set and no long form. */
static const char *const not_of_run[] = { "nodes", "set", "long", "budget", "help" };

static struct argp_option options[64];

struct args {
	const char *workload, *files[5], *nodes, *mem_nodes, *mem_policy, *fs, *db, *where;
	char *params[32];
	size_t n_params;
	int64_t duration_ns;
	uint64_t procs, threads, groups, guest_nodes, guest_cpus, guest_memory;
	bool list, oom_ok, quiet, dry_run, has_guest_option;
	char *run[64]; /* on the heap */
	int n_run;
	struct wring_err err;
};

static const char *const file_names[] = { "memory.high", "memory.max", "memory.low", "memory.min", "memory.swap.max" };

static bool is_of_run(const struct argp_option *o)
{
	for (size_t i = 0; i < WRING_ARRAY_SIZE(not_of_run); i++)
		if (!strcmp(o->name, not_of_run[i]))
			return false;
	return true;
}

/* What run learns to do, load can do too. */
static void make_options(void)
{
	size_t n = 0;

	for (const struct argp_option *o = own_options; o->name; o++)
		options[n++] = *o;
	for (const struct argp_option *o = wring_run_option_table; o->name && n < WRING_ARRAY_SIZE(options) - 2; o++)
		if (is_of_run(o)) {
			options[n] = *o;
			if (!strcmp(o->name, "reps")) /* it knows no suites, and no budget */
				options[n].doc = "run it N times (default 1)";
			options[n++].group = 1;
		}
	options[n] = (struct argp_option)WRING_HELP_OPTION;
}

static int parse_size_option(struct args *a, int key, const char *arg)
{
	uint64_t bytes;

	a->files[key - O_HIGH] = arg;
	if (!strcmp(arg, "max") || !wring_parse_size(arg, &bytes, &a->err))
		return 0;
	return wring_err_prefix(&a->err, "load: --%s", options[key - O_HIGH].name);
}

static void add_param(struct args *a, char *arg)
{
	if (a->n_params == WRING_ARRAY_SIZE(a->params))
		wring_err_set(&a->err, -E2BIG, "load: more than %zu options of the workload", a->n_params);
	else
		a->params[a->n_params++] = arg;
}

static int choice(struct args *a, const char *option, const char *arg, const char *const *accepted, const char **ret)
{
	for (size_t i = 0; i < 3; i++)
		if (!strcmp(arg, accepted[i]))
			return *ret = accepted[i], 0;
	return wring_err_set(&a->err, -EINVAL, "load: --%s=%s: one of %s, %s, %s is accepted", option, arg, accepted[0], accepted[1], accepted[2]);
}

/* An option of run: noted where load must know it, and handed on. */
static int hand_on(struct args *a, const char *name, const char *arg)
{
	static const char *const of_guest[] = { "kernel", "append", "cpus", "memory", "accel", "nodes", "dump-guest", "keep-guest", "gdb" };

	if (a->n_run == (int)WRING_ARRAY_SIZE(a->run))
		return wring_err_set(&a->err, -E2BIG, "load: more than %zu options", WRING_ARRAY_SIZE(a->run));
	a->run[a->n_run] = arg ? wring_strf("--%s=%s", name, arg) : wring_strf("--%s", name);
	if (!a->run[a->n_run++])
		return wring_err_set(&a->err, -ENOMEM, "load: no memory for its options");
	for (size_t i = 0; i < WRING_ARRAY_SIZE(of_guest); i++)
		a->has_guest_option |= !strcmp(name, of_guest[i]);
	a->quiet |= !strcmp(name, "quiet");
	a->dry_run |= !strcmp(name, "dry-run");
	if (!strcmp(name, "db"))
		a->db = arg;
	if (!strcmp(name, "where"))
		a->where = arg;
	/* what is wrong with these, run says */
	if (!strcmp(name, "memory"))
		wring_parse_size(arg, &a->guest_memory, NULL);
	if (!strcmp(name, "cpus"))
		wring_parse_u64(arg, 1, 255, &a->guest_cpus, NULL);
	return 0;
}

static int parse_number(struct args *a, int key, const char *arg)
{
	static const struct { int key; const char *name; size_t at; uint64_t max; } numbers[] = {
		{ O_PROCS, "procs", offsetof(struct args, procs), 1024 }, { O_THREADS, "threads", offsetof(struct args, threads), 256 },
		{ O_GROUPS, "groups", offsetof(struct args, groups), 1024 },
		{ O_GUEST_NODES, "guest-nodes", offsetof(struct args, guest_nodes), 64 },
	};

	for (size_t i = 0; i < WRING_ARRAY_SIZE(numbers); i++)
		if (numbers[i].key == key && wring_parse_u64(arg, 1, numbers[i].max, (uint64_t *)(void *)((char *)a + numbers[i].at), &a->err))
			return wring_err_prefix(&a->err, "load: --%s", numbers[i].name), -EINVAL;
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const char *const policies[] = { "bind", "interleave", "preferred" }, *const filesystems[] = { "ext4", "xfs", "tmpfs" };
	struct args *a = state->input;

	if (a->err.code)
		return 0;
	switch (key) {
	case O_HIGH: case O_MAX: case O_LOW: case O_MIN: case O_SWAP_MAX: parse_size_option(a, key, arg); return 0;
	case O_NODES: a->nodes = arg; return 0;
	case O_MEM_NODES: a->mem_nodes = arg; return 0;
	case O_MEM_POLICY: choice(a, "mem-policy", arg, policies, &a->mem_policy); return 0;
	case O_FS: choice(a, "fs", arg, filesystems, &a->fs); return 0;
	case O_OOM_OK: a->oom_ok = true; return 0;
	case O_LIST: a->list = true; return 0;
	case O_DURATION:
		if (wring_parse_duration(arg, &a->duration_ns, &a->err))
			wring_err_prefix(&a->err, "load: --duration");
		else if (a->duration_ns && (a->duration_ns < WRING_NSEC_PER_MSEC || a->duration_ns > 23 * 3600 * WRING_NSEC_PER_SEC))
			wring_err_set(&a->err, -ERANGE, "load: --duration=%s: accepted: 0s, or 1ms to 23h", arg);
		return 0;
	case O_PROCS: case O_THREADS: case O_GROUPS: parse_number(a, key, arg); return 0;
	case O_GUEST_NODES:
		if (!parse_number(a, key, arg))
			hand_on(a, "nodes", arg);
		return 0;
	case ARGP_KEY_ARG:
		if (a->workload)
			add_param(a, arg);
		else
			a->workload = arg;
		return 0;
	}
	for (const struct argp_option *o = options; o->name; o++)
		if (o->key == key)
			return hand_on(a, o->name, arg), 0;
	return ARGP_ERR_UNKNOWN;
}

static int check_params(struct args *a, const struct wring_workload *w)
{
	for (size_t i = 0; i < a->n_params; i++) {
		const char *eq = strchr(a->params[i], '=');
		bool is_option = !strncmp(a->params[i], "--", 2);
		_cleanup_free_ char *key = eq ? strndup(a->params[i], (size_t)(eq - a->params[i])) : NULL;

		if (is_option)
			return wring_err_set(&a->err, -EINVAL, "load: '%s': options stand before the --, behind it key=value is accepted", a->params[i]);
		if (!key)
			return wring_err_set(&a->err, -EINVAL, "load: '%s': key=value is accepted, as in footprint=64M", a->params[i]);
		if (wring_workload_check(w, key, eq + 1, &a->err))
			return wring_err_prefix(&a->err, "load: workload %s", w->name), a->err.code;
	}
	return 0;
}

/* The value of a workload's parameter of this call. */
static const char *param_value(const struct args *a, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = a->n_params; i-- > 0;)
		if (!strncmp(a->params[i], key, len) && a->params[i][len] == '=')
			return a->params[i] + len + 1;
	return NULL;
}

/* What it makes stays charged while it lives. What can be asked whether it is still cached is cache, which on a disk filesystem the
 * kernel may have back; tmpfs has no other place for it. */
static bool is_held(const struct args *a, const struct wring_workload *w)
{
	return w->make && w->drop && (!w->cached || !strcmp(a->fs, "tmpfs"));
}

static const char *default_footprint(void)
{
	const struct wring_param *p = wring_object_params;

	while (strcmp(p->name, "footprint"))
		p++;
	return p->def;
}

/* A footprint that can only end with the OOM killer is refused unless it is meant. */
static int check_footprint(struct args *a, const struct wring_workload *w, uint64_t memory, const char *whose)
{
	const char *text = param_value(a, "footprint"), *objects = param_value(a, "objects");
	uint64_t footprint, in_all, max;
	char one[24], all[24], has[24];

	if (!is_held(a, w) || a->oom_ok || (objects && strcmp(objects, "0")) ||
	    wring_parse_size(text ? text : default_footprint(), &footprint, NULL))
		return 0;
	/* a footprint is each thread's */
	if (__builtin_mul_overflow(footprint, a->procs * (a->threads ? a->threads : 1) * a->groups, &in_all))
		in_all = UINT64_MAX;
	footprint = in_all / a->groups;
	wring_format_size(footprint, one, sizeof(one));
	if (a->files[O_MAX - O_HIGH] && !wring_parse_size(a->files[O_MAX - O_HIGH], &max, NULL)) {
		if (footprint > max)
			return wring_err_set(&a->err, -ERANGE, "load: %s keeps what it makes: %s in a cgroup with --max=%s will be OOM-killed: "
					     "-- footprint=SIZE makes it less, --oom-ok says it is meant", w->name, one, a->files[O_MAX - O_HIGH]);
		return 0;
	}
	if (in_all > memory)
		return wring_err_set(&a->err, -ERANGE, "load: %s keeps what it makes: %s is more than the %s that %s has: "
				     "-- footprint=SIZE makes it less, --max=SIZE limits it, --oom-ok says it is meant", w->name,
				     wring_format_size(in_all, all, sizeof(all)),
				     wring_format_size(memory, has, sizeof(has)), whose);
	return 0;
}

static int check_node_list(struct args *a, const char *option, const char *list, const char *there, bool is_host)
{
	if (!list || wring_nodes_exist(list, there))
		return 0;
	return wring_err_set(&a->err, -ERANGE, "load: --%s=%s: %s %s %s%s", option, list, is_host ? "this host has" : "the guest has",
			     strpbrk(there, ",-") ? "nodes" : "node", there, is_host ? "" : "; --guest-nodes=N gives it more");
}

static bool runs_on_host(const struct args *a)
{
	struct wring_base base = { 0 };
	bool can;

	if (a->where && strcmp(a->where, "auto"))
		return !strcmp(a->where, "host");
	can = !a->has_guest_option && !wring_base_find(&base, NULL);
	wring_base_done(&base);
	return can;
}

/* All that would only show once a guest has booted. */
static int check_place(struct args *a, const struct wring_workload *w)
{
	bool is_host = runs_on_host(a);
	_cleanup_free_ char *there = is_host ? wring_host_nodes() : a->guest_nodes < 2 ? strdup("0") :
				     wring_strf("0-%u", (unsigned)a->guest_nodes - 1);

	if (!there)
		return wring_err_set(&a->err, -ENOMEM, "load: nodes");
	if (!is_host && a->guest_nodes > a->guest_cpus)
		return wring_err_set(&a->err, -ERANGE, "load: --guest-nodes=%llu: at most as many as --cpus=%llu", (unsigned long long)a->guest_nodes,
				     (unsigned long long)a->guest_cpus);
	if (a->mem_policy && !a->mem_nodes)
		return wring_err_set(&a->err, -EINVAL, "load: --mem-policy=%s: --mem-nodes=LIST must say which nodes", a->mem_policy);
	if (check_node_list(a, "nodes", a->nodes, there, is_host) || check_node_list(a, "mem-nodes", a->mem_nodes, there, is_host))
		return a->err.code;
	return check_footprint(a, w, is_host ? wring_host_memory() : a->guest_memory, is_host ? "this host" : "the guest");
}

/* In a suite a missing program is a skip; here it is all that was asked for. */
static int check_program(struct args *a, const struct wring_workload *w)
{
	_cleanup_free_ char *path = NULL;

	if (!w->program || !wring_child_find(w->program, w->package, &path, &a->err))
		return 0;
	return wring_err_prefix(&a->err, "load");
}

static void print_samples(FILE *f)
{
	static const char *const of_group[] = { "memory", "memory.stat", "memory.events", "memory.pressure", "memory.numa_stat" };

	for (size_t i = 0; i < WRING_ARRAY_SIZE(of_group); i++)
		fprintf(f, "[sample %s]\ngroups = . work\nrate = %s\n", of_group[i], i == 4 ? "2" : "10");
	fprintf(f, "[sample cgroup.stat]\ngroups = .\nrate = 2\n[sample load]\nrate = 10\n[sample load-latency]\nrate = 2\n[sample load-errors]\nrate = 2\n[sample vmstat]\nrate = 5\n[sample pressure]\nrate = 5\n"
		   "[sample node-meminfo]\nrate = 2\n[sample slabinfo]\nrate = mark\n");
}

/* A program that runs for a time is told ours, unless its own options say how long. */
static bool gets_duration(const struct args *a, const struct wring_workload *w)
{
	bool has = false;

	for (size_t i = 0; i < a->n_params; i++)
		if (!strncmp(a->params[i], "duration=", 9) || !strncmp(a->params[i], "ops=", 4))
			return false;
	for (const struct wring_param *p = w->params; w->program && p && p->name; p++)
		has = has || !strcmp(p->name, "duration");
	return has;
}

static void print_scenario(const struct args *a, const struct wring_workload *w, FILE *f)
{
	fprintf(f, "[scenario]\nname = load-%s\nsummary = %s\nneeds = memcg scratch\ndetectors = premature-oom accounting kernel-log", w->name,
		w->summary);
	fprintf(f, "%s\nprimary = ops_per_s oom_kills\ntimeout = %llds\n", a->files[0] ? " high-overrun" : "",
		(long long)(a->duration_ns / WRING_NSEC_PER_SEC + 300));
	fprintf(f, "[mount scratch]\ntype = %s\nsize = 1G\n[group work]\n", a->fs);
	if (a->groups > 1)
		fprintf(f, "count = %llu\n", (unsigned long long)a->groups);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(a->files); i++)
		if (a->files[i])
			fprintf(f, "%s = %s\n", file_names[i], a->files[i]);
	fprintf(f, "[load %s]\nworkload = %s\ngroup = work\nprocs = %llu\n", w->name, w->name, (unsigned long long)a->procs);
	if (a->threads)
		fprintf(f, "threads = %llu\n", (unsigned long long)a->threads);
	if (a->nodes)
		fprintf(f, "cpu-nodes = %s\n", a->nodes);
	if (a->mem_nodes)
		fprintf(f, "mem-nodes = %s\n", a->mem_nodes);
	if (a->mem_policy)
		fprintf(f, "mem-policy = %s\n", a->mem_policy);
	for (size_t i = 0; i < a->n_params; i++) {
		const char *eq = strchr(a->params[i], '=');

		fprintf(f, "%.*s = ", (int)(eq - a->params[i]), a->params[i]);
		for (const char *p = eq + 1; *p; p++)
			fputs(*p == '\n' ? "\n  " : (char[]){ *p, '\0' }, f);
		fputc('\n', f);
	}
	if (gets_duration(a, w))
		fprintf(f, "duration = %lldms\n", (long long)(a->duration_ns / WRING_NSEC_PER_MSEC));
	print_samples(f);
	fprintf(f, "[phase fill]\ndo = start %s\n  wait %s %llds\n  mark filled\n", w->name, w->name, (long long)(w->make ? 240 : 240 + a->duration_ns / WRING_NSEC_PER_SEC));
	if (w->make && a->duration_ns)
		fprintf(f, "[phase churn]\ndo = churn %s %lldms\n  mark churned\n", w->name, (long long)(a->duration_ns / WRING_NSEC_PER_MSEC));
	fprintf(f, "[phase aftermath]\ndo = settle work\n  mark settled\n  aftermath work\n");
}

/* What it did, in numbers, under the table of run. */
static void summary(const struct args *a)
{
	struct wring_store *st = NULL;
	struct wring_runs runs = { 0 };

	if (!wring_store_open(wring_db_path(a->db), WRING_STORE_READ, &st, NULL) && !wring_store_runs(st, "last", &runs, NULL) && runs.n)
		wring_report_metrics(st, &runs.rows[0], stdout, NULL);
	wring_runs_done(&runs);
	wring_store_close(st);
}

/* The scenario is a file without a place: run opens it through /proc. */
static int hand_to_run(struct args *a, const struct wring_workload *w)
{
	_cleanup_close_ int fd = memfd_create("wring-load", MFD_CLOEXEC);
	_cleanup_free_ char *path = wring_strf("/proc/self/fd/%d", fd);
	char name[] = "run";
	int copy = fd < 0 ? -1 : dup(fd);
	FILE *f = copy < 0 ? NULL : fdopen(copy, "w");
	char *argv[WRING_ARRAY_SIZE(a->run) + 3] = { name };
	int argc = 1, code;

	if (!f || !path) {
		wring_err_set(&a->err, -ENOMEM, "load: no memory for its scenario");
		return wring_complain(&a->err, WRING_EXIT_BROKEN);
	}
	print_scenario(a, w, f);
	fclose(f);
	argv[argc++] = path;
	for (int i = 0; i < a->n_run; i++)
		argv[argc++] = a->run[i];
	code = wring_cmd_run.run(argc, argv);
	if (code != WRING_EXIT_USAGE && !a->quiet && !a->dry_run)
		summary(a);
	return code;
}

static int list_workloads(void)
{
	char what[] = "workloads", name[] = "list", *argv[] = { name, what, NULL };

	return wring_cmd_list.run(2, argv);
}

static const struct argp argp = { options, parse, "WORKLOAD [-- KEY=VALUE...]",
	"Run one workload under ad-hoc limits: it fills its footprint, then churns for the duration.\v"
	"wring load dentry --high=64M --max=128M --nodes=1 --duration=30s\n"
	"wring load pipe --max=64M -- footprint=32M rate=1000\n"
	"wring load --list            the workloads\n"
	"wring load WORKLOAD --help   its own options too", NULL, NULL, NULL };

/* wring load NAME --help: the workload that is named before a "--", or NULL when no help is asked for. */
static const struct wring_workload *asks_for_help(int argc, char **argv)
{
	const struct wring_workload *w = NULL;
	bool asks = false;

	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		asks |= !strcmp(argv[i], "--help") || !strcmp(argv[i], "-?");
		w = w ? w : wring_workload_find(argv[i]);
	}
	return asks ? w : NULL;
}

static int help(const struct wring_workload *w)
{
	char name[] = "wring load";

	argp_help(&argp, stdout, ARGP_HELP_USAGE | ARGP_HELP_PRE_DOC | ARGP_HELP_LONG, name);
	printf("\n%s: %s\n\n Options of %s, behind --:\n\n", w->name, w->summary, w->name);
	wring_workload_help(w, stdout);
	return WRING_EXIT_OK;
}

static int load_one(struct args *a)
{
	const struct wring_workload *w;

	if (!a->err.code && !a->workload)
		return wring_usage_error("load: name a workload; wring load --list shows what there is");
	w = a->err.code ? NULL : wring_workload_find(a->workload);
	if (!a->err.code && !w)
		return wring_usage_error("load: no workload '%s': wring load --list shows what there is", a->workload);
	if (a->err.code || check_params(a, w) || check_place(a, w) || check_program(a, w))
		return wring_complain(&a->err, WRING_EXIT_USAGE);
	return hand_to_run(a, w);
}

static int load(int argc, char **argv)
{
	struct args a = { .duration_ns = 10 * WRING_NSEC_PER_SEC, .procs = 1, .groups = 1, .fs = "ext4", .guest_nodes = 2, .guest_cpus = 4,
			  .guest_memory = 2ULL << 30 };
	const struct wring_workload *w = asks_for_help(argc, argv);
	int code;

	make_options();
	if (w)
		return help(w);
	code = wring_args(&argp, "load", argc, argv, &a);
	if (!code)
		code = a.list ? list_workloads() : load_one(&a);
	for (int i = 0; i < a.n_run; i++)
		free(a.run[i]);
	return code;
}

const struct wring_cmd wring_cmd_load = { "load", "WORKLOAD", "one workload under ad-hoc limits", load };
