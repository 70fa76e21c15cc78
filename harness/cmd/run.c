/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "analyzers/judge.h"
#include "analyzers/report/report.h"
#include "harness/base/units.h"
#include "harness/base/util.h"
#include "harness/cmd/cmd.h"
#include "harness/run/run.h"

enum { O_WHERE = 256, O_KERNEL, O_APPEND, O_CPUS, O_NODES, O_MEMORY, O_ACCEL, O_SYSCTL, O_SET, O_REPS, O_SEED, O_TIMEOUT,
       O_LABEL, O_KNOWN, O_JSON, O_DRY, O_DB, O_LONG, O_BUDGET, O_DETERMINISTIC, O_DUMP, O_KEEP, O_GDB };

#define NIGHTLY "@nightly"
#define REPS_NOT_SAID UINT64_MAX

const struct argp_option wring_run_option_table[] = {
	{ "db", O_DB, "FILE", 0, "database (default $WRING_DB, else ./wring.db)", 0 },
	{ "where", O_WHERE, "auto|host|vm", 0, "on this host, or in a QEMU guest (default auto: the host when it can)", 0 },
	{ "kernel", O_KERNEL, "PATH", 0, "bzImage, linux-image .deb, unpacked package or build tree to boot", 0 },
	{ "append", O_APPEND, "CMDLINE", 0, "kernel command line to add (may be repeated)", 0 },
	{ "cpus", O_CPUS, "N", 0, "CPUs of the guest (default 4, deterministic 1)", 0 },
	{ "nodes", O_NODES, "N", 0, "NUMA nodes of the guest (default 2)", 0 },
	{ "memory", O_MEMORY, "SIZE", 0, "memory of the guest (default 2G)", 0 },
	{ "accel", O_ACCEL, "auto|kvm|tcg", 0, "default auto: KVM when it really boots, else TCG", 0 },
	{ "deterministic", O_DETERMINISTIC, NULL, 0, "count guest time in instructions: the same seed is the same run to the nanosecond (TCG, 1 CPU)", 0 },
	{ "sysctl", O_SYSCTL, "KEY=VALUE", 0, "set for every scenario, restored after it (may be repeated)", 0 },
	{ "set", O_SET, "SCENARIO.KEY=VALUE", 0, "change a scenario's parameter (may be repeated)", 0 },
	{ "long", O_LONG, NULL, 0, "scenarios in their long form, as in @nightly", 0 },
	{ "reps", O_REPS, "N", 0, "run everything N times (default 1; @nightly 3, with --budget as often as it allows)", 0 },
	{ "budget", O_BUDGET, "DUR", 0, "begin no scenario any more after this long; those that have run least on this kernel come first", 0 },
	{ "seed", O_SEED, "N", 0, "for everything random (default: from the clock; stored)", 0 },
	{ "timeout", O_TIMEOUT, "DUR", 0, "end each scenario after this long (default: its own)", 0 },
	{ "label", O_LABEL, "TEXT", 0, "stored with the runs, to find them again", 0 },
	{ "known", O_KNOWN, "FILE", 0, "known findings: shown, but set no exit code", 0 },
	{ "json", O_JSON, "FILE", 0, "write the export document of this call", 0 },
	{ "dump-guest", O_DUMP, "DIR", OPTION_ARG_OPTIONAL, "write the memory of a guest that fails, panics or hangs into DIR (default: that of the database), for crash, drgn or gdb", 0 },
	{ "keep-guest", O_KEEP, NULL, 0, "keep a guest that fails, panics or hangs, with doors for monitor, console and gdb, until Ctrl-C", 0 },
	{ "gdb", O_GDB, NULL, 0, "a socket for gdb from the start; time that it stops the guest does not count", 0 },
	{ "dry-run", O_DRY, NULL, 0, "print every cgroup, file write and process it would make", 0 },
	{ "quiet", 'q', NULL, 0, "no progress and no table: the exit code says it, errors are still told", 0 },
	{ "verbose", 'v', NULL, 0, "every event as it comes", 0 },
	WRING_HELP_OPTION, { 0 } };

static int choice(struct wring_run_args *a, const char *option, const char *arg, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(arg, names[i]))
			return (int)i;
	return wring_err_set(&a->err, -EINVAL, "--%s=%s: one of %s, %s, %s is accepted", option, arg, names[0], names[1], names[2]);
}

int wring_number(const char *option, const char *arg, uint64_t max, uint64_t *ret, struct wring_err *err)
{
	int r = wring_parse_u64(arg, 1, max, ret, err);

	return r ? wring_err_prefix(err, "--%s", option) : 0;
}

static int push(struct wring_run_args *a, char **list, size_t *n, char *arg)
{
	if (*n == 64)
		return wring_err_set(&a->err, -E2BIG, "too many of '%s' (at most 64)", arg);
	list[(*n)++] = arg;
	return 0;
}

/* Options that only a guest can honour; the first one given decides where `auto` runs. */
static void note_guest_option(struct wring_run_args *a, int key)
{
	static const struct { int key; const char *name; } only_guest[] = {
		{ O_KERNEL, "--kernel" }, { O_APPEND, "--append" }, { O_CPUS, "--cpus" }, { O_NODES, "--nodes" }, { O_MEMORY, "--memory" },
		{ O_ACCEL, "--accel" }, { O_DETERMINISTIC, "--deterministic" }, { O_DUMP, "--dump-guest" }, { O_KEEP, "--keep-guest" }, { O_GDB, "--gdb" },
	};

	for (size_t i = 0; i < WRING_ARRAY_SIZE(only_guest) && !a->o.guest_option; i++)
		if (only_guest[i].key == key)
			a->o.guest_option = only_guest[i].name;
}

static int parse_option(struct wring_run_args *a, int key, char *arg)
{
	static const char *const wheres[] = { "auto", "host", "vm" }, *const accels[] = { "auto", "kvm", "tcg" };
	uint64_t v = 0;
	int r = 0;

	switch (key) {
	case O_WHERE: r = choice(a, "where", arg, wheres, 3); a->o.where = r < 0 ? 0 : (enum wring_where)r; return r < 0 ? r : 0;
	case O_ACCEL: r = choice(a, "accel", arg, accels, 3); a->o.accel = r < 0 ? 0 : (enum wring_accel)r; return r < 0 ? r : 0;
	case O_KERNEL: a->o.kernel = arg; return 0;
	case O_CPUS: r = wring_number("cpus", arg, 255, &v, &a->err); a->o.cpus = (unsigned)v; return r;
	case O_NODES: r = wring_number("nodes", arg, 64, &v, &a->err); a->o.nodes = (unsigned)v; return r;
	case O_REPS: return wring_number("reps", arg, 10000, &a->reps, &a->err);
	case O_SEED: r = wring_parse_u64(arg, 0, INT64_MAX, &a->o.seed, &a->err); break;
	case O_MEMORY: r = wring_parse_size(arg, &a->o.memory_bytes, &a->err); break;
	case O_LONG: a->is_long = true; return 0;
	case O_BUDGET: r = wring_parse_duration(arg, &a->budget_ns, &a->err); break;
	case O_TIMEOUT: r = wring_parse_duration(arg, &a->timeout_ns, &a->err); break;
	case O_SYSCTL: return push(a, a->sysctls, &a->n_sysctls, arg);
	case O_SET: return push(a, a->sets, &a->n_sets, arg);
	case ARGP_KEY_ARG: return push(a, a->targets, &a->n_targets, arg);
	case O_APPEND:
		if (strlen(a->append) + strlen(arg) + 2 > sizeof(a->append))
			return wring_err_set(&a->err, -E2BIG, "--append: longer than %zu characters", sizeof(a->append));
		if (*a->append)
			strcat(a->append, " ");
		strcat(a->append, arg);
		return 0;
	case O_LABEL: a->o.label = arg; return 0;
	case O_KNOWN: a->known = arg; return 0;
	case O_JSON: a->json = arg; return 0;
	case O_DB: a->db = arg; return 0;
	case O_DRY: a->dry = true; return 0;
	case O_DUMP: a->o.dump_dir = arg ? arg : ""; return 0;
	case O_KEEP: a->o.keep = true; return 0;
	case O_GDB: a->o.gdb = true; return 0;
	case O_DETERMINISTIC: a->o.deterministic = true; return 0;
	case 'q': a->o.quiet = true; return 0;
	case 'v': a->o.verbose = true; return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
	return r ? wring_err_prefix(&a->err, "--%s", key == O_SEED ? "seed" : key == O_MEMORY ? "memory" : key == O_BUDGET ? "budget" : "timeout") : 0;
}

int wring_run_option(struct wring_run_args *a, int key, char *arg)
{
	if (a->err.code)
		return 0;
	note_guest_option(a, key);
	return parse_option(a, key, arg) == (int)ARGP_ERR_UNKNOWN ? ARGP_ERR_UNKNOWN : 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	return wring_run_option(state->input, key, arg);
}

void wring_run_args_init(struct wring_run_args *a)
{
	*a = (struct wring_run_args){ .reps = 1, .o = { .nodes = 2, .memory_bytes = 2ULL << 30 } };
	a->o.seed = (uint64_t)time(NULL);
}

static void on_signal(int sig)
{
	(void)sig;
	wring_interrupted = 1;
}

void wring_catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal }, was;

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	if (!sigaction(SIGHUP, NULL, &was) && was.sa_handler != SIG_IGN) /* nohup */
		sigaction(SIGHUP, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static bool is_used_up(const struct wring_run_args *a)
{
	return a->o.deadline_ns && wring_now_ns() >= a->o.deadline_ns;
}

/* --reps: the same plan again; each repetition is runs of its own. A budget is spread fairly: each round begins with what was left
 * out of the one before, or of an earlier call. */
static int run_reps(struct wring_run_args *a, struct wring_store *st, struct wring_place *p, struct wring_scenarios *s, int64_t **ids, size_t *n)
{
	struct utsname host = { 0 };
	int r = 0;

	*ids = NULL;
	*n = 0;
	uname(&host);
	if (a->budget_ns)
		a->o.deadline_ns = wring_now_ns() + a->budget_ns;
	for (uint64_t i = 0; (!a->reps || i < a->reps) && !r && !wring_interrupted && !(i && is_used_up(a)); i++) {
		int64_t *more = NULL, *all;
		size_t k = 0;

		if (a->budget_ns)
			r = wring_scenarios_by_need(s, st, p->where == WRING_WHERE_VM ? wring_kernel_release(p->kernel) : host.release, &a->err);
		if (!r)
			r = wring_run_all(st, &a->o, p, s, &more, &k, &a->err);
		all = realloc(*ids, (*n + k + 1) * sizeof(*all));
		if (all) {
			*ids = all;
			if (k)
				memcpy(all + *n, more, k * sizeof(*all));
			*n += k;
		}
		free(more);
	}
	return r;
}

int wring_run_collect(struct wring_store *st, const int64_t *ids, size_t n, struct wring_runs *ret, struct wring_err *err)
{
	*ret = (struct wring_runs){ .rows = calloc(n + 1, sizeof(*ret->rows)) };
	if (!ret->rows)
		return wring_err_set(err, -ENOMEM, "runs");
	for (size_t i = 0; i < n; i++) {
		struct wring_runs one;
		char spec[32];
		int r;

		snprintf(spec, sizeof(spec), "%lld", (long long)ids[i]);
		r = wring_store_runs(st, spec, &one, err);
		if (r)
			return r;
		ret->rows[ret->n++] = one.rows[0];
		free(one.rows);
	}
	return 0;
}

int wring_write_json(struct wring_store *st, const struct wring_runs *runs, const struct wring_versus *v, const char *path, struct wring_err *err)
{
	struct wring_document d = { "--json", path, NULL, NULL, 0 };
	int r = wring_document_begin(&d, err);

	return wring_document_end(&d, r ? r : wring_export_json(st, runs, v, d.f, err), err);
}

static void tell_left_out(const struct wring_runs *runs)
{
	size_t n = 0;

	for (size_t i = 0; i < runs->n; i++)
		if (!strcmp(runs->rows[i].reason, WRING_LEFT_OUT))
			printf("%s %s", n++ ? "" : "left out of the last round, for the budget was used up:", runs->rows[i].scenario);
	if (n)
		putchar('\n');
}

/* Judges what was run, prints the table, and says what it all comes to. */
static int conclude(struct wring_run_args *a, struct wring_store *st, struct wring_known *known, const int64_t *ids, size_t n)
{
	struct wring_runs runs = { 0 };
	struct wring_exit x = { 0 };
	char gone[2000];
	int r = wring_run_collect(st, ids, n, &runs, &a->err), code = WRING_EXIT_BROKEN;

	for (size_t i = 0; i < runs.n && !r; i++)
		r = wring_judge_run(st, &runs.rows[i], known, &a->err);
	wring_runs_done(&runs);
	if (!r)
		r = wring_run_collect(st, ids, n, &runs, &a->err);
	for (size_t i = 0; i < runs.n && !r; i++)
		r = wring_exit_add(&x, st, &runs.rows[i], &a->err);
	if (!r)
		code = wring_exit_code(&x);
	if (!r && a->json)
		r = wring_write_json(st, &runs, NULL, a->json, &a->err);
	if (!r && !a->o.quiet)
		r = wring_report_table(st, &runs, stdout, &a->err);
	if (!r && !a->o.quiet)
		tell_left_out(&runs);
	if (!r && known && wring_known_gone(known, gone, sizeof(gone)) && !a->o.quiet)
		fputs(gone, stdout);
	wring_runs_done(&runs);
	return r ? wring_complain(&a->err, wring_spoilt(code)) : code;
}

static void announce(const struct wring_place *p, const struct wring_scenarios *s, const char *db)
{
	fprintf(stderr, "wring: %zu scenario%s, ", s->n, s->n == 1 ? "" : "s");
	if (p->where == WRING_WHERE_HOST)
		fprintf(stderr, "on this host");
	else
		fprintf(stderr, "in a guest, Linux %s, %s", wring_kernel_release(p->kernel), p->accel == WRING_ACCEL_KVM ? "KVM" : "TCG");
	fprintf(stderr, ", database %s\nwring: %s\n", db, p->why);
}

static int run_here(struct wring_run_args *a, struct wring_place *p, struct wring_scenarios *s, struct wring_known *known)
{
	struct wring_store *st = NULL;
	const char *db = wring_db_path(a->db);
	int64_t *ids = NULL;
	size_t n = 0;
	bool cut;
	int r, code;

	if (wring_interrupted)
		return wring_usage_error("interrupted before anything was run"), WRING_EXIT_BROKEN;
	r = wring_store_open(db, WRING_STORE_WRITE, &st, &a->err);
	if (r)
		return wring_complain(&a->err, WRING_EXIT_USAGE);
	if (wring_store_note(st) && !a->o.quiet)
		fprintf(stderr, "wring: %s: %s\n", db, wring_store_note(st));
	if (!a->o.quiet)
		announce(p, s, db);
	r = run_reps(a, st, p, s, &ids, &n);
	cut = wring_interrupted;
	if (r)
		wring_complain(&a->err, 0);
	a->err.code = 0;
	/* Nothing was begun: a set-up error, for the caller to mend. */
	if (r && !n)
		code = WRING_EXIT_USAGE;
	else if (r == -ENOSPC || r == -ESTALE)
		code = WRING_EXIT_BROKEN;
	else
		code = conclude(a, st, known, ids, n);
	if (cut)
		wring_usage_error("interrupted: what had not begun was left out");
	if (r || cut)
		code = wring_spoilt(code);
	if (!a->o.quiet)
		printf("exit %d, database %s\n", code, db);
	wring_store_close(st);
	free(ids);
	return code;
}

int wring_run_prepare(struct wring_run_args *a, struct wring_place *p, struct wring_scenarios *s)
{
	int r = wring_scenarios_select(a->targets, a->n_targets, a->sets, a->n_sets, a->sysctls, a->n_sysctls, a->is_long, s, &a->err);

	a->o.append = a->append;
	if (a->o.dump_dir && !*a->o.dump_dir) {
		const char *db = wring_db_path(a->db), *slash = strrchr(db, '/');

		snprintf(a->dump_dir, sizeof(a->dump_dir), "%.*s", slash ? (int)(slash - db + 1) : 1, slash ? db : ".");
		a->o.dump_dir = a->dump_dir;
	}
	if (!r)
		r = wring_place_find(&a->o, p, &a->err);
	if (!a->o.cpus)
		a->o.cpus = a->o.deterministic ? 1 : 4;
	if (!r)
		r = wring_place_check(&a->o, p, s, &a->err);
	for (size_t i = 0; i < s->n && a->timeout_ns; i++)
		s->rows[i]->timeout_ns = (uint64_t)a->timeout_ns;
	return r;
}

static int run_selected(struct wring_run_args *a)
{
	bool is_nightly = false;
	struct wring_scenarios s = { 0 };
	struct wring_place p = { 0 };
	struct wring_known *known = NULL;
	int code = WRING_EXIT_OK, r = a->known ? wring_known_read(a->known, &known, &a->err) : 0;

	for (size_t i = 0; i < a->n_targets; i++)
		is_nightly = is_nightly || !strcmp(a->targets[i], NIGHTLY);
	if (a->reps == REPS_NOT_SAID)
		a->reps = !is_nightly ? 1 : a->budget_ns ? 0 : WRING_NIGHTLY_REPS;
	a->is_long = a->is_long || is_nightly;

	a->o.known = known;
	if (!r && a->json)
		r = wring_can_write("--json", a->json, &a->err);
	if (!r)
		r = wring_run_prepare(a, &p, &s);
	if (!r && a->dry)
		wring_dry_run(&a->o, &p, &s, stdout);
	else if (!r)
		code = run_here(a, &p, &s, known);
	if (r)
		code = wring_complain(&a->err, WRING_EXIT_USAGE);
	wring_known_free(known);
	wring_place_done(&p);
	wring_scenarios_done(&s);
	return code;
}

static int run(int argc, char **argv)
{
	static const struct argp argp = { wring_run_option_table, parse, "SCENARIO|@SUITE|FILE.ini...",
		"Run scenarios and judge each against its invariants.\v"
		"wring run @smoke                         the short suite\n"
		"wring run slab-at-max --nodes=1          one scenario\n"
		"wring run @nightly --budget=8h           long forms, for eight hours\n"
		"wring run @smoke --kernel=arch/x86/boot/bzImage\n"
		"wring run high-kmem --append=cgroup.memory=nokmem   a planted fault", NULL, NULL, NULL };
	struct wring_run_args a;
	int code;

	wring_run_args_init(&a);
	a.reps = REPS_NOT_SAID;
	code = wring_args(&argp, "run", argc, argv, &a);
	if (code)
		return code;
	if (a.err.code)
		return wring_complain(&a.err, WRING_EXIT_USAGE);
	if (a.o.quiet && a.o.verbose)
		return wring_usage_error("run: one of --quiet and --verbose is accepted, not both");
	if (!a.n_targets)
		return wring_usage_error("run: name a scenario, a suite (@smoke) or a file; wring list scenarios shows what there is");
	wring_catch_signals();
	return run_selected(&a);
}

const struct wring_cmd wring_cmd_run = { "run", "TARGET...", "run scenarios or @suites, judge each run against its invariants", run };
