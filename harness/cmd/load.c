/* SPDX-License-Identifier: GPL-3.0-or-later */
/* load: one workload under ad-hoc limits. It writes a scenario and hands it to run, so that everything else is the same:
 * where it runs, what is stored, how it is judged. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "analyzers/report/report.h"
#include "harness/api/workload.h"
#include "harness/base/units.h"
#include "harness/base/util.h"
#include "harness/cmd/cmd.h"

enum { O_HIGH = 256, O_MAX, O_LOW, O_MIN, O_SWAP_MAX, O_NODES, O_MEM_NODES, O_DURATION, O_PROCS, O_THREADS, O_GROUPS, O_FS, O_LIST, O_RUN };

/* The options that are handed to run as they are. */
#define RUN_OPTION(name, arg) { name, O_RUN, arg, 0, "as in wring run", 1 }
static const struct argp_option options[] = {
	{ "high", O_HIGH, "SIZE", 0, "memory.high of each cgroup", 0 },
	{ "max", O_MAX, "SIZE", 0, "memory.max of each cgroup", 0 },
	{ "low", O_LOW, "SIZE", 0, "memory.low of each cgroup", 0 },
	{ "min", O_MIN, "SIZE", 0, "memory.min of each cgroup", 0 },
	{ "swap-max", O_SWAP_MAX, "SIZE", 0, "memory.swap.max of each cgroup", 0 },
	{ "nodes", O_NODES, "LIST", 0, "run on the CPUs of these NUMA nodes, as in 0-1", 0 },
	{ "mem-nodes", O_MEM_NODES, "LIST", 0, "take memory from these NUMA nodes only", 0 },
	{ "duration", O_DURATION, "DUR", 0, "churn so long once it has filled (default 10s)", 0 },
	{ "procs", O_PROCS, "N", 0, "processes in each cgroup (default 1)", 0 },
	{ "threads", O_THREADS, "N", 0, "threads in each process (default 1)", 0 },
	{ "groups", O_GROUPS, "N", 0, "cgroups side by side, each with the limits (default 1)", 0 },
	{ "fs", O_FS, "ext4|xfs|tmpfs", 0, "filesystem it works on (default ext4)", 0 },
	{ "list", O_LIST, NULL, 0, "the workloads there are", 0 },
	RUN_OPTION("db", "FILE"), RUN_OPTION("where", "auto|host|vm"), RUN_OPTION("kernel", "PATH"), RUN_OPTION("append", "CMDLINE"),
	RUN_OPTION("cpus", "N"), RUN_OPTION("memory", "SIZE"), RUN_OPTION("accel", "auto|kvm|tcg"), RUN_OPTION("sysctl", "KEY=VALUE"),
	RUN_OPTION("seed", "N"), RUN_OPTION("label", "TEXT"), RUN_OPTION("json", "FILE"), RUN_OPTION("dry-run", NULL),
	RUN_OPTION("quiet", NULL), RUN_OPTION("verbose", NULL),
	WRING_HELP_OPTION, { 0 } };

struct args {
	const char *workload, *files[5], *nodes, *mem_nodes, *fs;
	char *params[32];
	size_t n_params;
	int64_t duration_ns;
	uint64_t procs, threads, groups;
	bool list;
	char *run[64];
	int n_run;
	struct wring_err err;
};

static const char *const file_names[] = { "memory.high", "memory.max", "memory.low", "memory.min", "memory.swap.max" };

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

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	if (a->err.code)
		return 0;
	switch (key) {
	case O_HIGH: case O_MAX: case O_LOW: case O_MIN: case O_SWAP_MAX: parse_size_option(a, key, arg); return 0;
	case O_NODES: a->nodes = arg; return 0;
	case O_MEM_NODES: a->mem_nodes = arg; return 0;
	case O_FS: a->fs = arg; return 0;
	case O_LIST: a->list = true; return 0;
	case O_DURATION:
		if (wring_parse_duration(arg, &a->duration_ns, &a->err))
			wring_err_prefix(&a->err, "load: --duration");
		return 0;
	case O_PROCS: case O_GROUPS:
		if (wring_parse_u64(arg, 1, 1024, key == O_PROCS ? &a->procs : &a->groups, &a->err))
			wring_err_prefix(&a->err, "load: --%s", key == O_PROCS ? "procs" : "groups");
		return 0;
	case O_THREADS:
		if (wring_parse_u64(arg, 1, 256, &a->threads, &a->err))
			wring_err_prefix(&a->err, "load: --threads");
		return 0;
	case ARGP_KEY_ARG:
		if (a->workload)
			add_param(a, arg);
		else
			a->workload = arg;
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

/* argp cannot tell which of the options it hands on it saw, and argv still has them as they were written. */
static const struct argp_option *find_run_option(const char *arg)
{
	size_t len = strcspn(arg, "=");

	for (const struct argp_option *o = options; len > 2 && o->name; o++)
		if (o->key == O_RUN && strlen(o->name) == len - 2 && !strncmp(arg, "--", 2) && !strncmp(arg + 2, o->name, len - 2))
			return o;
	return NULL;
}

/* Sorts the arguments: ours stay, run's and what stands behind "--" go where they belong. Returns the new argc. */
static int sort_arguments(struct args *a, int argc, char **argv)
{
	int n = 1, i = 1;

	for (; i < argc && strcmp(argv[i], "--"); i++) {
		const struct argp_option *o = a->n_run < (int)WRING_ARRAY_SIZE(a->run) - 2 ? find_run_option(argv[i]) : NULL;

		if (!o) {
			argv[n++] = argv[i];
			continue;
		}
		a->run[a->n_run++] = argv[i];
		if (o->arg && !strchr(argv[i], '=') && i + 1 < argc)
			a->run[a->n_run++] = argv[++i];
	}
	for (i++; i < argc; i++)
		add_param(a, argv[i]);
	argv[n] = NULL;
	return n;
}

static int check_params(struct args *a, const struct wring_workload *w)
{
	for (size_t i = 0; i < a->n_params; i++) {
		const char *eq = strchr(a->params[i], '=');
		_cleanup_free_ char *key = eq ? strndup(a->params[i], (size_t)(eq - a->params[i])) : NULL;

		if (!key)
			return wring_err_set(&a->err, -EINVAL, "load: '%s': key=value is accepted, as in footprint=64M", a->params[i]);
		if (wring_workload_check(w, key, eq + 1, &a->err))
			return wring_err_prefix(&a->err, "load: workload %s", w->name), a->err.code;
	}
	return 0;
}

static void print_samples(FILE *f)
{
	static const char *const of_group[] = { "memory", "memory.stat", "memory.events", "memory.pressure", "memory.numa_stat" };

	for (size_t i = 0; i < WRING_ARRAY_SIZE(of_group); i++)
		fprintf(f, "[sample %s]\ngroups = . work\nrate = %s\n", of_group[i], i == 4 ? "2" : "10");
	fprintf(f, "[sample cgroup.stat]\ngroups = .\nrate = 2\n[sample load]\nrate = 10\n[sample load-latency]\nrate = 2\n"
		   "[sample load-errors]\nrate = 2\n[sample vmstat]\nrate = 5\n[sample pressure]\nrate = 5\n[sample node-meminfo]\nrate = 2\n[sample slabinfo]\nrate = mark\n");
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
	fprintf(f, "[load %s]\nworkload = %s\ngroup = work\nprocs = %llu\nthreads = %llu\n", w->name, w->name, (unsigned long long)a->procs,
		(unsigned long long)a->threads);
	if (a->nodes)
		fprintf(f, "cpu-nodes = %s\n", a->nodes);
	if (a->mem_nodes)
		fprintf(f, "mem-nodes = %s\n", a->mem_nodes);
	for (size_t i = 0; i < a->n_params; i++) {
		const char *eq = strchr(a->params[i], '=');

		fprintf(f, "%.*s = %s\n", (int)(eq - a->params[i]), a->params[i], eq + 1);
	}
	print_samples(f);
	fprintf(f, "[phase fill]\ndo = start %s\n  wait %s 240s\n  mark filled\n", w->name, w->name);
	if (w->make && a->duration_ns)
		fprintf(f, "[phase churn]\ndo = churn %s %lldms\n  mark churned\n", w->name, (long long)(a->duration_ns / WRING_NSEC_PER_MSEC));
	fprintf(f, "[phase aftermath]\ndo = settle work\n  mark settled\n  aftermath work\n");
}

static const char *run_value(const struct args *a, const char *option)
{
	size_t len = strlen(option);

	for (int i = 0; i < a->n_run; i++)
		if (!strncmp(a->run[i], option, len))
			return a->run[i][len] == '=' ? a->run[i] + len + 1 : a->run[i + 1];
	return NULL;
}

static bool run_flag(const struct args *a, const char *option)
{
	for (int i = 0; i < a->n_run; i++)
		if (!strcmp(a->run[i], option))
			return true;
	return false;
}

/* What it did, in numbers, under the table of run. */
static void summary(const struct args *a)
{
	struct wring_store *st = NULL;
	struct wring_runs runs = { 0 };

	if (!wring_store_open(wring_db_path(run_value(a, "--db")), WRING_STORE_READ, &st, NULL) && !wring_store_runs(st, "last", &runs, NULL) && runs.n)
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
	if (code != WRING_EXIT_USAGE && !run_flag(a, "--quiet") && !run_flag(a, "--dry-run"))
		summary(a);
	return code;
}

static int list_workloads(void)
{
	char what[] = "workloads", name[] = "list", *argv[] = { name, what, NULL };

	return wring_cmd_list.run(2, argv);
}

static int load(int argc, char **argv)
{
	static const struct argp argp = { options, parse, "WORKLOAD [-- KEY=VALUE...]",
		"Run one workload under ad-hoc limits: it fills its footprint, then churns for the duration.\v"
		"wring load dentry --high=64M --max=128M --nodes=1 --duration=30s\n"
		"wring load pipe --max=64M -- footprint=32M rate=1000\n"
		"wring load --list            the workloads\n"
		"wring show WORKLOAD          what it makes, and its options", NULL, NULL, NULL };
	struct args a = { .duration_ns = 10 * WRING_NSEC_PER_SEC, .procs = 1, .threads = 1, .groups = 1, .fs = "ext4" };
	const struct wring_workload *w;
	int code;

	argc = sort_arguments(&a, argc, argv);
	code = wring_args(&argp, "load", argc, argv, &a);
	if (code)
		return code;
	if (a.list)
		return list_workloads();
	if (!a.err.code && !a.workload)
		return wring_usage_error("load: name a workload; wring load --list shows what there is");
	w = a.err.code ? NULL : wring_workload_find(a.workload);
	if (!a.err.code && !w)
		return wring_usage_error("load: no workload '%s': wring load --list shows what there is", a.workload);
	if (a.err.code || check_params(&a, w))
		return wring_complain(&a.err, WRING_EXIT_USAGE);
	return hand_to_run(&a, w);
}

const struct wring_cmd wring_cmd_load = { "load", "WORKLOAD", "one workload under ad-hoc limits", load };
