/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wring ab: two arms in random blocks, one verdict. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "analyzers/report/report.h"
#include "analyzers/stats/design.h"
#include "harness/base/units.h"
#include "harness/base/util.h"
#include "harness/cmd/abargs.h"
#include "harness/cmd/cmd.h"

enum { O_A = 512, O_B, O_BLOCKS, O_BOOTS, O_JOBS, O_AA, O_BISECT, O_UNTIL, O_FORMAT, O_RESUME, O_NO_DETERMINISTIC };
enum { MAX_BLOCKS = 64, EXIT_SKIP = 125 };

/* ---- options ---- */

static struct argp_option options[64];

static void make_options(void)
{
	static const struct argp_option own[] = {
		{ "a", O_A, "ARM", 0, "the base: name=base,kernel=PATH,append=..,sysctl.KEY=V,set.SCENARIO.KEY=V,cpus=N,nodes=N,memory=SIZE", 0 },
		{ "b", O_B, "ARM", 0, "what is judged against it", 0 },
		{ "blocks", O_BLOCKS, "N", 0, "blocks of four boots, two of each arm (default 4)", 0 },
		{ "boots", O_BOOTS, "N", 0, "boots of each arm, an even number (default 4 where they are counted in instructions)", 0 },
		{ "until", O_UNTIL, "verdict", 0, "look after 4, 6 and 8 blocks, and stop when there is a verdict", 0 },
		{ "aa", O_AA, NULL, 0, "arm a against itself: how often that alarms, and how far it spreads, is stored and used later", 0 },
		{ "jobs", O_JOBS, "N", 0, "guests at a time (default 1)", 0 },
		{ "bisect", O_BISECT, NULL, 0, "exit code for git bisect run: 1 regression, 0 none, 125 cannot tell", 0 },
		{ "format", O_FORMAT, "text|mail", 0, "mail: 72 columns of ASCII", 0 },
		{ "resume", O_RESUME, NULL, 0, "go on with the last comparison, with the arguments it had", 0 },
		{ "no-deterministic", O_NO_DETERMINISTIC, NULL, 0, "do not count time in instructions under TCG", 0 },
		{ 0 } };
	size_t n = 0;

	for (const struct argp_option *o = own; o->name; o++)
		options[n++] = *o;
	static const char *const not_of_ab[] = { "reps", "budget", "dump-guest", "keep-guest", "gdb", "help" };
	bool is_of_ab;

	/* Runs are repeated by blocks, and boots are as alike as they can be. */
	for (const struct argp_option *o = wring_run_option_table; o->name && n < WRING_ARRAY_SIZE(options) - 2; o++)
	{
		is_of_ab = true;
		for (size_t i = 0; i < WRING_ARRAY_SIZE(not_of_ab); i++)
			is_of_ab &= strcmp(o->name, not_of_ab[i]) != 0;
		if (is_of_ab)
			options[n++] = *o;
	}
	options[n++] = (struct argp_option)WRING_HELP_OPTION;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct wring_ab_args *a = state->input;

	if (a->err.code)
		return 0;
	switch (key) {
	case O_A: a->texts[0] = arg; return 0;
	case O_B: a->texts[1] = arg; return 0;
	case O_BLOCKS: wring_number("blocks", arg, MAX_BLOCKS, &a->blocks, &a->err); return 0;
	case O_BOOTS:
		if (!wring_number("boots", arg, 2 * MAX_BLOCKS, &a->boots, &a->err) && a->boots % 2)
			wring_err_set(&a->err, -EINVAL, "--boots=%s: an even number is accepted: runs come in blocks of two and two", arg);
		return 0;
	case O_JOBS: wring_number("jobs", arg, 64, &a->jobs, &a->err); return 0;
	case O_UNTIL:
		a->looks = true;
		if (strcmp(arg, "verdict"))
			wring_err_set(&a->err, -EINVAL, "--until=%s: verdict is accepted", arg);
		return 0;
	case O_FORMAT:
		a->format = arg;
		if (strcmp(arg, "text") && strcmp(arg, "mail"))
			wring_err_set(&a->err, -EINVAL, "--format=%s: text and mail are accepted", arg);
		return 0;
	case O_AA: a->aa = true; return 0;
	case O_BISECT: a->bisect = true; return 0;
	case O_RESUME: a->resume = true; return 0;
	case O_NO_DETERMINISTIC: a->plain = true; return 0;
	default: break;
	}
	if (!strcmp(options[0].name, "a") && wring_run_option(&a->run, key, arg) == (int)ARGP_ERR_UNKNOWN)
		return ARGP_ERR_UNKNOWN;
	for (const struct argp_option *o = options; o->name && arg; o++)
		if (o->key == key && !strcmp(o->name, "seed"))
			a->has_seed = true;
	a->err = a->run.err;
	return 0;
}

static const struct argp argp = { options, parse, "SCENARIO|@SUITE|FILE.ini...",
	"Run two arms in random blocks of fresh boots, and judge the difference.\v"
	"wring ab --a kernel=old/bzImage --b kernel=new/bzImage slab-at-max\n"
	"wring ab --b append=cgroup.memory=nokmem high-kmem   against the same without\n"
	"wring ab --aa slab-at-max                            how noisy is it here?\n"
	"wring ab --resume                                    after an interruption\n\n"
	"Values with a comma: --b 'append=\"isolcpus=1,2\"' or isolcpus=1\\,2.\n"
	"Exit codes: 0 no regression, 1 regression, 2 usage error, 3 inconclusive, 4 could not be measured.", NULL, NULL, NULL };

static int read_args(struct wring_ab_args *a, int argc, char **argv)
{
	int code;

	*a = (struct wring_ab_args){ .format = "text", .argc = argc, .argv = argv };
	wring_run_args_init(&a->run);
	code = wring_args(&argp, "ab", argc, argv, a);
	if (!code && a->err.code)
		code = wring_complain(&a->err, WRING_EXIT_USAGE);
	return code;
}

/* ---- --resume ---- */

/* The arguments of the last comparison that is not done. The text stays: the arguments point into it. */
static int stored_args(struct wring_ab_args *a, struct wring_err *err)
{
	static char *argv[300];
	const char *db = wring_db_path(a->run.db);
	struct wring_store *st = NULL;
	struct wring_comparisons all = { 0 };
	size_t last;
	int argc = 1, r = wring_store_open(db, WRING_STORE_READ, &st, err);

	if (!r)
		r = wring_store_comparisons(st, NULL, &all, err);
	for (last = all.n; !r && last > 0 && all.rows[last - 1].done; last--)
		;
	if (!r && !last)
		r = wring_err_set(err, -ENOENT, "--resume: every comparison in %s is complete", db);
	if (!r) {
		static char program[] = "ab";
		char *text = WRING_TAKE_PTR(all.rows[last - 1].argv), *save = NULL;

		argv[0] = program;
		for (char *s = strtok_r(text, "\n", &save); s && argc < 299; s = strtok_r(NULL, "\n", &save))
			argv[argc++] = s;
	}
	wring_comparisons_done(&all);
	wring_store_close(st);
	if (!r) {
		const char *own = a->run.db;

		r = read_args(a, argc, argv);
		a->resume = true;
		a->run.db = own ? own : a->run.db;
	}
	return r;
}

/* ---- the arms ---- */

/* The layout of a kernel's memory depends on its command line's length. */
static void even_out(struct wring_ab_args *a)
{
	char *x = a->arms[0].args.append, *y = a->arms[1].args.append;
	char *shorter = strlen(x) < strlen(y) ? x : y;
	size_t n = strlen(x) < strlen(y) ? strlen(y) : strlen(x), have = strlen(shorter);

	memset(shorter + have, ' ', n - have);
	shorter[n] = '\0';
}

static int open_arms(struct wring_ab_args *a)
{
	static const char *const names[] = { "a", "b" }, *const flags[] = { "--a", "--b" };
	int r = 0;

	for (int i = 0; i < 2 && !r; i++) {
		const char *text = a->texts[a->aa ? 0 : i];

		r = wring_arm_parse(&a->arms[i], flags[i], text ? text : "", &a->run, names[i], &a->err);
		if (!r && a->aa && i)
			strncat(a->arms[1].name, "'", sizeof(a->arms[1].name) - strlen(a->arms[1].name) - 1);
		/* Fresh boots are what a comparison is made of; --where=host is for who asks. */
		if (!r && a->arms[i].args.o.where == WRING_WHERE_AUTO)
			a->arms[i].args.o.where = WRING_WHERE_VM;
		if (!r)
			r = wring_arm_open(&a->arms[i], &a->err);
	}
	return r;
}

static void close_arms(struct wring_ab_args *a)
{
	for (int i = 0; i < 2; i++) {
		wring_arm_done(&a->arms[i]);
		memset(&a->arms[i], 0, sizeof(a->arms[i]));
	}
}

/* Under TCG guest time is counted in instructions unless somebody does not want that; then everything is looked at again, because
 * CPUs and disks are others. */
static int prepare(struct wring_ab_args *a)
{
	int r = open_arms(a);
	bool tcg = true, host = false;

	for (int i = 0; i < 2 && !r; i++) {
		tcg = tcg && a->arms[i].arm.place.where == WRING_WHERE_VM && a->arms[i].arm.place.accel == WRING_ACCEL_TCG;
		host = host || a->arms[i].arm.place.where == WRING_WHERE_HOST;
	}
	if (!r && a->run.o.deterministic && a->plain)
		r = wring_err_set(&a->err, -EINVAL, "one of --deterministic and --no-deterministic is accepted, not both");
	if (!r && host && a->jobs > 1)
		r = wring_err_set(&a->err, -EINVAL, "--jobs=%llu: with --where=host 1 is accepted: the runs would disturb each other",
				  (unsigned long long)a->jobs);
	if (!r && tcg && !a->plain && !a->run.o.deterministic && !wring_deterministic_check(&a->arms[0].arm.scenarios, NULL)) {
		close_arms(a);
		a->run.o.deterministic = true;
		a->run.o.accel = WRING_ACCEL_TCG;
		r = open_arms(a);
	}
	if (!r && a->run.o.deterministic)
		even_out(a);
	return r;
}

static int check_arms(struct wring_ab_args *a)
{
	_cleanup_free_ char *x = wring_arm_text(&a->arms[0]), *y = wring_arm_text(&a->arms[1]);

	if (!x || !y)
		return wring_err_set(&a->err, -ENOMEM, "arms");
	if (!a->aa && !strcmp(x, y))
		return wring_err_set(&a->err, -EINVAL, "the arms are equal in everything (kernel image, command line, sysctls, topology, parameters): "
				     "give --b something else, or --aa to compare an arm with itself");
	if (!a->aa && !strcmp(a->arms[0].name, a->arms[1].name))
		return wring_err_set(&a->err, -EINVAL, "both arms are called '%s': name=.. gives another name", a->arms[0].name);
	return 0;
}

static void announce(const struct wring_ab_args *a, const char *db)
{
	const struct wring_place *p = &a->arms[0].arm.place;
	double floor = wring_blocks_floor(a->ab.slots / WRING_BLOCK, false), alpha = wring_level(0.05, (unsigned)a->arms[0].arm.scenarios.n, a->looks);

	fprintf(stderr, "wring: %zu scenario%s, %u boots, %s, database %s\n", a->arms[0].arm.scenarios.n, a->arms[0].arm.scenarios.n == 1 ? "" : "s",
		a->ab.slots, p->where == WRING_WHERE_HOST ? "on this host" : p->accel == WRING_ACCEL_KVM ? "KVM" :
		a->run.o.deterministic ? "TCG, counted in instructions" : "TCG", db);
	if (!a->run.o.deterministic && floor > alpha)
		fprintf(stderr, "wring: %u block%s cannot reach %.2g %%: the least p is %.2g; --blocks=%u can\n", a->ab.slots / WRING_BLOCK,
			a->ab.slots == WRING_BLOCK ? "" : "s", 100 * alpha, floor, wring_blocks_needed(alpha, false));
}

/* ---- the comparison ---- */

/* Judges what is there. *ret_blocks: how many blocks to have for the next planned look, 0: this was the last. */
static int conclude(struct wring_ab_args *a, struct wring_store *st, unsigned *ret_blocks)
{
	struct wring_comparisons c = { 0 };
	struct wring_versus v = { 0 };
	char id[24];
	int code = WRING_EXIT_BROKEN, r;

	snprintf(id, sizeof(id), "%lld", (long long)a->ab.comparison);
	r = wring_store_comparisons(st, id, &c, &a->err);
	if (!r)
		r = wring_versus_load(st, &c.rows[0], &v, &a->err);
	*ret_blocks = !r && a->looks && wring_versus_verdict(&v) == WRING_CMP_INCONCLUSIVE ? wring_next_look(a->ab.slots / WRING_BLOCK) : 0;
	if (!r && *ret_blocks)
		r = wring_store_set_slots(st, a->ab.comparison, *ret_blocks * WRING_BLOCK, &a->err);
	if (!r)
		r = wring_versus_store(st, &v, !*ret_blocks, &a->err);
	if (!r)
		code = wring_versus_exit(&v);
	if (!r && !*ret_blocks && a->run.json)
		r = wring_versus_json(st, &v, a->run.json, &a->err);
	if (!r && !*ret_blocks && !a->run.o.quiet)
		r = wring_report_versus(&v, !strcmp(a->format, "mail"), stdout, &a->err);
	wring_versus_done(&v);
	wring_comparisons_done(&c);
	return r ? wring_complain(&a->err, wring_spoilt(code)) : code;
}

static int with_store(struct wring_ab_args *a, int (*what)(struct wring_ab_args *a, struct wring_store *st))
{
	struct wring_store *st = NULL;
	int r = wring_store_open(a->ab.db, WRING_STORE_WRITE, &st, &a->err);

	if (!r)
		r = what(a, st);
	wring_store_close(st);
	return r;
}

static int drop(struct wring_ab_args *a, struct wring_store *st)
{
	return wring_store_drop_comparison(st, a->ab.comparison, &a->err);
}

static int drop_dead(struct wring_ab_args *a, struct wring_store *st)
{
	wring_ab_show_console(st, a->ab.dead_boot);
	/* It would not boot the next time either. */
	return drop(a, st);
}

static int run_all(struct wring_ab_args *a)
{
	unsigned next = 0;
	int r, code;

	do {
		struct wring_store *st = NULL;

		r = wring_ab_run(&a->ab, &a->err);
		if (r == -ENOEXEC) {
			wring_complain(&a->err, WRING_EXIT_BROKEN);
			with_store(a, drop_dead);
			return WRING_EXIT_BROKEN;
		}
		if (r)
			return r == -EAGAIN ? r : wring_complain(&a->err, WRING_EXIT_BROKEN);
		r = wring_store_open(a->ab.db, WRING_STORE_WRITE, &st, &a->err);
		if (r)
			return wring_complain(&a->err, WRING_EXIT_BROKEN);
		code = conclude(a, st, &next);
		wring_store_close(st);
		if (next)
			a->ab.slots = next * WRING_BLOCK;
	} while (next);
	return code;
}

static int dry_run(struct wring_ab_args *a)
{
	bool *is_b = calloc(a->ab.slots + 1, sizeof(*is_b));
	int r = is_b ? wring_order(a->ab.seed, a->ab.slots / WRING_BLOCK, false, is_b) : -ENOMEM;

	printf("order ");
	for (unsigned i = 0; i < a->ab.slots && !r; i++)
		printf("%s%c", i % WRING_BLOCK ? "" : " ", is_b[i] ? 'B' : 'A');
	printf("  (seed %llu)\n", (unsigned long long)a->ab.seed);
	free(is_b);
	for (int i = 0; i < 2 && !r; i++) {
		printf("\n## arm %s\n", a->arms[i].name);
		wring_dry_run(&a->arms[i].arm.options, &a->arms[i].arm.place, &a->arms[i].arm.scenarios, stdout);
	}
	return r;
}

static void tell(const struct wring_ab *ab, unsigned slot, const struct wring_arm *arm)
{
	fprintf(stderr, "wring: boot %u of %u: %s\n", slot + 1, ab->slots, arm->name);
}

static void set_size(struct wring_ab_args *a)
{
	unsigned boots = a->boots ? (unsigned)a->boots : a->blocks ? 2 * (unsigned)a->blocks : a->run.o.deterministic ? 4 : 8;

	a->ab = (struct wring_ab){ .db = wring_db_path(a->run.db), .arms = { &a->arms[0].arm, &a->arms[1].arm }, .known = a->ab.known,
				   .tell = a->run.o.quiet ? NULL : tell, .seed = a->run.o.seed, .deterministic = a->run.o.deterministic, .aa = a->aa,
				   .jobs = a->jobs ? (unsigned)a->jobs : 1, .slots = a->looks ? WRING_BLOCK * wring_next_look(0) : 2 * boots };
	for (int i = 0; i < 2; i++) {
		a->arms[i].arm.options = a->arms[i].args.o;
		a->arms[i].arm.options.append = a->arms[i].args.append;
	}
}

static int compare(struct wring_ab_args *a)
{
	int r = prepare(a), code;

	if (!r)
		r = check_arms(a);
	if (!r)
		set_size(a);
	if (!r && a->run.dry)
		return dry_run(a) ? wring_complain(&a->err, WRING_EXIT_USAGE) : WRING_EXIT_OK;
	if (!r)
		r = with_store(a, wring_ab_begin);
	if (r)
		return wring_complain(&a->err, WRING_EXIT_USAGE);
	if (!a->run.o.quiet)
		announce(a, a->ab.db);
	code = run_all(a);
	if (code != -EAGAIN)
		return code;
	/* KVM was a promise that this machine does not keep. */
	with_store(a, drop);
	close_arms(a);
	a->err = (struct wring_err){ 0 };
	a->run.o.accel = WRING_ACCEL_TCG;
	return compare(a);
}

static int checked(struct wring_ab_args *a)
{
	int r = 0, code;

	if (a->run.o.quiet && a->run.o.verbose)
		return wring_usage_error("ab: one of --quiet and --verbose is accepted, not both");
	if (!a->run.n_targets)
		return wring_usage_error("ab: name a scenario, a suite (@smoke) or a file; wring list scenarios shows what there is");
	if (a->aa ? !!a->texts[1] : !a->texts[1])
		return wring_usage_error(a->aa ? "ab: --aa compares arm a with itself: no --b is accepted" :
					 "ab: --b=ARM is missing: what is to be judged; --aa compares an arm with itself");
	if (a->blocks && a->boots)
		return wring_usage_error("ab: one of --blocks and --boots is accepted, not both");
	if (a->looks && (a->blocks || a->boots))
		return wring_usage_error("ab: --until=verdict has its own numbers of blocks (4, 6, 8): no --blocks and --boots are accepted");
	if (a->run.known)
		r = wring_known_read(a->run.known, &a->ab.known, &a->err);
	if (!r && a->run.json)
		r = wring_can_write("--json", a->run.json, &a->err);
	code = r ? wring_complain(&a->err, WRING_EXIT_USAGE) : compare(a);
	wring_known_free(a->ab.known);
	return code;
}

static int ab(int argc, char **argv)
{
	static struct wring_ab_args a;
	int code;

	make_options();
	code = read_args(&a, argc, argv);
	if (!code && a.resume && !a.run.n_targets) {
		code = stored_args(&a, &a.err);
		if (code < 0)
			code = wring_complain(&a.err, WRING_EXIT_USAGE);
	}
	if (code)
		return a.bisect ? EXIT_SKIP : code;
	wring_catch_signals();
	code = checked(&a);
	close_arms(&a);
	if (!a.run.o.quiet && !a.run.dry && code != WRING_EXIT_USAGE)
		printf("exit %d, comparison %lld, database %s\n", code, (long long)a.ab.comparison, a.ab.db);
	/* git bisect run takes 2 to 4 for "bad". */
	return a.bisect && code > WRING_EXIT_FAIL ? EXIT_SKIP : code;
}

const struct wring_cmd wring_cmd_ab = { "ab", "--a ARM --b ARM TARGET...", "run two arms in random blocks, judge the difference", ab };
