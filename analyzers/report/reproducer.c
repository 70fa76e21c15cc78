/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A shell script that does what the run did, for somebody who has no wring: cgroupfs writes and plain commands. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "analyzers/report/format.h"
#include "analyzers/report/shell.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"
#include "harness/plan/plan.h"

/* Lines of a comment; what it says cannot end it. */
static void comment(const char *title, const char *text, FILE *out)
{
	_cleanup_free_ char *copy = strdup(text ? text : "");
	char *save = NULL;

	for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		_cleanup_free_ char *clean = wring_text_clean(line, true);

		fprintf(out, "# %s%s\n", title, clean ? clean : "");
		title = "  ";
	}
}

static const char prelude[] =
	"\nset -u\n"
	"[ \"$(id -u)\" = 0 ] || { echo 'run this as root' >&2; exit 2; }\n"
	"BASE=${BASE:-/sys/fs/cgroup}\n"
	"grep -qw memory \"$BASE/cgroup.controllers\" || { echo \"no memory controller of cgroup v2 in $BASE: boot with cgroup_no_v1=memory\" >&2; exit 2; }\n"
	"CG=$BASE/reproducer-$$\n"
	"T=$(mktemp -d) && mount -t tmpfs reproducer \"$T\" || exit 2\n"
	": >\"$T/pins\"\n"
	"restore=\n"
	"\n"
	"cleanup() {\n"
	"\techo 1 >\"$CG/cgroup.kill\"\n"
	"\tn=0\n"
	"\twhile grep -q 'populated 1' \"$CG/cgroup.events\" && [ $n -lt 30 ]; do sleep 1; n=$((n + 1)); done\n"
	"\tfind \"$CG\" -depth -type d -exec rmdir {} +\n"
	"\teval \"$restore\"\n"
	"\tfor m in \"$T\"/mnt-*; do [ -d \"$m\" ] && umount \"$m\"; done\n"
	"\tumount \"$T\"; rmdir \"$T\"\n"
	"}\n"
	"trap cleanup EXIT\n"
	"\n"
	"# The directories of a group with a count.\n"
	"members() { i=0; while [ $i -lt \"$2\" ]; do echo \"$1$i\"; i=$((i + 1)); done; }\n"
	"\n"
	"# What there is at a point in time.\n"
	"mark() {\n"
	"\techo \"== $1\"\n"
	"\tfor g in \"$CG\" $(find \"$CG\" -mindepth 1 -type d | sort | head -n 16); do\n"
	"\t\techo \"${g#\"$BASE/\"}: current $(cat \"$g/memory.current\") of max $(cat \"$g/memory.max\"), $(grep -E '^(high|max|oom_kill) ' \"$g/memory.events\" | tr '\\n' ' ')$(grep -E '^(file|slab_reclaimable|slab_unreclaimable) ' \"$g/memory.stat\" | tr '\\n' ' ')\"\n"
	"\tdone\n"
	"\tgrep nr_dying \"$CG/cgroup.stat\"\n"
	"}\n"
	"\n"
	"# start LOAD GROUP FOLDER: a process inside the group that fills, says so, and holds; or does it over again, while it is to churn.\n"
	"start() {\n"
	"\tmkdir -p \"$3\"\n"
	"\t(\n"
	"\t\techo 0 >\"$CG/$2/cgroup.procs\" || exit\n"
	"\t\ttrap - EXIT\n"
	"\t\tload=$1 kids= # for pins; processes of the load\n"
	"\t\t\"load_$1\" \"$3\"\n"
	"\t\t: >\"$3.full\"\n"
	"\t\twhile :; do if [ -e \"$T/churn-$1\" ]; then kill $kids 2>/dev/null; kids=; \"load_$1\" \"$3\"; else sleep 1; fi; done\n"
	"\t) &\n"
	"\techo \"$! $3\" >>\"$T/started-$1\"\n"
	"}\n"
	"# until_full LOAD: all have filled or are gone.\n"
	"until_full() {\n"
	"\twhile read -r pid folder; do\n"
	"\t\twhile [ ! -e \"$folder.full\" ] && kill -0 \"$pid\" 2>/dev/null; do sleep 1; done\n"
	"\t\t[ -e \"$folder.full\" ] || echo \"load $1, process $pid: it was killed, or failed\"\n"
	"\tdone <\"$T/started-$1\"\n"
	"}\n"
	"stop() {\n"
	"\t[ -e \"$T/started-$1\" ] || return 0\n"
	"\twhile read -r pid _; do kill -9 \"$pid\" 2>/dev/null; wait \"$pid\" 2>/dev/null; done <\"$T/started-$1\"\n"
	"\trm \"$T/started-$1\"\n"
	"}\n"
	"churn() { : >\"$T/churn-$1\"; sleep \"$2\"; rm \"$T/churn-$1\"; }\n"
	"# What wring did and this script does not, or does otherwise.\n"
	"left_out() { echo \"left out: $*\" >&2; }\n"
	"rcu_barrier() {\n"
	"\tif [ -e /sys/module/rcutree/parameters/do_rcu_barrier ]; then echo 1 >/sys/module/rcutree/parameters/do_rcu_barrier; else sleep 5; fi\n"
	"}\n"
	"# drain GROUP: until two writes to memory.reclaim move nothing.\n"
	"drain() {\n"
	"\tstill=0\n"
	"\twhile [ $still -lt 2 ]; do\n"
	"\t\tbefore=$(cat \"$CG/$1/memory.current\")\n"
	"\t\techo \"$before\" 2>/dev/null >\"$CG/$1/memory.reclaim\"\n"
	"\t\t[ $((before - $(cat \"$CG/$1/memory.current\"))) -ge $((64 * 4096 * $(nproc))) ] && still=0 || still=$((still + 1))\n"
	"\tdone 2>/dev/null\n"
	"\trcu_barrier\n"
	"}\n"
	"# sysctl_set FILE VALUE: put back at the end.\n"
	"sysctl_set() {\n"
	"\trestore=\"echo '$(sed 's/.*\\[\\(.*\\)\\].*/\\1/' \"$1\")' >'$1'; $restore\"\n"
	"\techo \"$2\" >\"$1\"\n"
	"}\n";

static void head(const struct wring_case *c, const struct wring_scenario *s, FILE *out)
{
	const struct wring_run_row *r = c->run;

	fputs("#!/bin/sh\n# shellcheck disable=SC2034,SC2043\n", out);
	comment("Reproducer of ", r->scenario, out);
	comment("outcome: ", r->outcome, out);
	comment("reason: ", r->reason, out);
	comment("kernel: ", r->release, out);
	comment("command line: ", r->append, out);
	comment("machine: ", *r->vm ? r->vm : r->where, out);
	comment("run: ", r->uuid, out);
	fputs("#\n", out);
	comment("", s->claim, out);
	comment("A sick kernel: ", s->sick, out);
	fputs("#\n", out);
	for (size_t i = 0; i < c->f.n; i++) {
		_cleanup_free_ char *line = strcmp(c->f.rows[i].verdict, "pass") ? wring_finding_line(&c->f.rows[i]) : NULL;

		if (!line)
			continue;
		comment("found by ", c->f.rows[i].detector, out);
		comment("  ", line, out);
	}
	fputs("#\n# As root, on a machine with cgroup v2 that may be thrown away; it cleans up behind itself.\n", out);
}

static void write_to(const char *file, const char *value, FILE *out)
{
	_cleanup_free_ char *f = wring_text_shell(file), *v = wring_text_shell(value);

	fprintf(out, "\techo %s >\"$CG/$g/\"%s\n", v ? v : "''", f ? f : "''");
}

static void sysctl(const char *key, const char *value, FILE *out)
{
	_cleanup_free_ char *path = *key == '/' ? strdup(key) : wring_strf("/proc/sys/%s", key), *f = NULL, *v = wring_text_shell(value);

	for (char *p = path && *key != '/' ? path + strlen("/proc/sys/") : NULL; p && *p; p++)
		if (*p == '.')
			*p = '/';
	f = path ? wring_text_shell(path) : NULL;
	fprintf(out, "sysctl_set %s %s\n", f ? f : "", v ? v : "''");
}

static void mounts(const struct wring_scenario *s, FILE *out)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct wring_mount *m = &s->mounts[i];

		fprintf(out, "mkdir \"$T/mnt-%s\"\n", m->name);
		if (m->bps || m->iops)
			fprintf(out, "left_out 'a disk of %" PRIu64 " bytes and %" PRIu64 " requests a second (0: no limit) at mnt-%s'\n", m->bps, m->iops,
				m->name);
		if (!strcmp(m->type, "tmpfs"))
			fprintf(out, "mount -t tmpfs -o size=%" PRIu64 " scratch \"$T/mnt-%s\" || exit 2\n", m->size_bytes, m->name);
		else
			fprintf(out,
				"DISK=${DISK:-/var/tmp}\ntruncate -s %" PRIu64 " \"$DISK/reproducer-$$-%s.img\" && mkfs.%s -q \"$DISK/reproducer-$$-%s.img\" &&\n"
				"\tmount -o loop \"$DISK/reproducer-$$-%s.img\" \"$T/mnt-%s\" || exit 2\nrm \"$DISK/reproducer-$$-%s.img\"\n",
				m->size_bytes, m->name, m->type, m->name, m->name, m->name, m->name);
	}
}

static bool has_step(const struct wring_scenario *s, enum wring_verb_id id)
{
	for (size_t i = 0; i < s->n_phases; i++)
		for (size_t k = 0; k < s->phases[i].n; k++)
			if (s->phases[i].steps[k].verb->id == id)
				return true;
	return false;
}

/* What wring gives a guest: a disk to swap to, and zram before it. */
static void needs(const struct wring_scenario *s, FILE *out)
{
	if (wring_scenario_needs(s, "swap"))
		fputs("SWAP=${DISK:-/var/tmp}/reproducer-$$-swap.img\ntruncate -s 512M \"$SWAP\" && swap=$(losetup -f) && losetup \"$swap\" \"$SWAP\" || exit 2\n"
		      "rm \"$SWAP\"\nrestore=\"swapoff $swap; losetup -d $swap; $restore\"\nmkswap \"$swap\" >\"$T/mkswap\" && swapon \"$swap\" || exit 2\n", out);
	if (wring_scenario_needs(s, "zram"))
		fputs("[ -e /sys/block/zram0 ] || modprobe zram || { echo 'no zram' >&2; exit 2; }\necho 32M >/sys/block/zram0/disksize || exit 2\n"
		      "restore=\"swapoff /dev/zram0; echo 1 >/sys/block/zram0/reset; $restore\"\n"
		      "mkswap /dev/zram0 >\"$T/mkswap\" && swapon -p 100 /dev/zram0 || exit 2\n", out);
	if (wring_scenario_needs(s, "nbd"))
		fputs("left_out 'swap over the network: wring swaps to an nbd device whose server is outside of the machine'\n", out);
	if (wring_scenario_needs(s, "fresh-boot"))
		fputs("left_out 'a fresh boot: wring ran this first thing in a guest of its own'\n", out);
}

/* "work", or all directories of a group with a count, for the head of a loop. */
static void directories(const struct wring_scenario *s, const char *path, FILE *out)
{
	const struct wring_group *g = wring_scenario_group(s, path);

	if (g && g->count > 1 && !strcmp(g->path, path))
		fprintf(out, "$(members %s %" PRIu64 ")", path, g->count);
	else
		fputs(path, out);
}

static void create(const struct wring_scenario *s, const struct wring_group *g, FILE *out)
{
	const char *slash = strrchr(g->path, '/');

	fputs("for g in ", out);
	directories(s, g->path, out);
	fprintf(out, "; do\n\techo +memory >\"$CG/%.*scgroup.subtree_control\"\n\tmkdir \"$CG/$g\"\n", slash ? (int)(slash + 1 - g->path) : 0, g->path);
	for (size_t i = 0; i < g->files.n; i++)
		write_to(g->files.rows[i].key, g->files.rows[i].value, out);
	fputs("done\n", out);
}

static bool is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return !strncmp(path, top, n) && path[n] == '/';
}

static void create_all(const struct wring_scenario *s, const char *path, FILE *out)
{
	const struct wring_group *g = wring_scenario_group(s, path);

	for (size_t i = 0; i < s->n_groups; i++)
		if (&s->groups[i] == g || is_below(s->groups[i].path, path))
			create(s, &s->groups[i], out);
}

static void load_functions(const struct wring_scenario *s, FILE *out)
{
	for (size_t i = 0; i < s->n_loads; i++) {
		const struct wring_load *l = &s->loads[i];

		fprintf(out, "\n# %s\nload_%zu() {\n", l->workload, i);
		if (l->cpu_nodes) {
			_cleanup_free_ char *nodes = wring_text_word(l->cpu_nodes);

			fprintf(out, "\t# on the CPUs of the NUMA nodes %s\n\tsh -c 'taskset -pc \"$(cat /sys/devices/system/node/node%d/cpulist)\" $PPID' >/dev/null\n",
				nodes ? nodes : "", atoi(l->cpu_nodes));
		}
		if (l->mem_nodes) {
			_cleanup_free_ char *nodes = wring_text_word(l->mem_nodes);

			fprintf(out, "\tleft_out 'binding this load to the memory of the NUMA nodes %s, as numactl --membind does'\n", nodes ? nodes : "");
		}
		wring_shell_load(l, out);
		fputs("}\n", out);
	}
}

static void start(const struct wring_scenario *s, const char *name, FILE *out)
{
	const struct wring_load *l = wring_scenario_load(s, name);
	const char *on = l ? wring_setting_get(&l->params, "on") : NULL;
	_cleanup_free_ char *mount = on ? wring_text_word(on) : s->n_mounts ? strdup(s->mounts[0].name) : NULL;
	size_t i;

	if (!l)
		return;
	i = (size_t)(l - s->loads);
	fputs("for g in ", out);
	directories(s, l->group, out);
	fprintf(out, "; do\n\tn=0\n\twhile [ $n -lt %" PRIu64 " ]; do\n\t\tstart %zu \"$g\" \"$T/%s%s%s/%zu-$(echo \"$g\" | tr / _)-$n-$(ls \"$T\" | wc -l)\"\n"
		"\t\tn=$((n + 1))\n\tdone\ndone\n", l->procs * l->threads, i, mount ? "mnt-" : "", mount ? mount : "", mount ? "" : ".", i);
}

static void remount(const struct wring_scenario *s, const char *name, FILE *out)
{
	for (size_t i = 0; i < s->n_mounts; i++)
		if (!name || !strcmp(s->mounts[i].name, name))
			fprintf(out, "mount -o remount \"$T/mnt-%s\"\n", s->mounts[i].name);
}

static void each(const struct wring_scenario *s, const char *group, const char *command, FILE *out)
{
	fputs("for g in ", out);
	directories(s, group, out);
	fprintf(out, "; do %s; done\n", command);
}

static double seconds(const char *duration)
{
	char *unit;
	double v = strtod(duration, &unit);

	return !strcmp(unit, "ms") ? v / 1000 : !strcmp(unit, "m") ? v * 60 : !strcmp(unit, "h") ? v * 3600 : v;
}

static void aftermath(const struct wring_scenario *s, const char *group, FILE *out)
{
	for (size_t i = 0; i < s->n_loads; i++)
		if (!strcmp(group, ".") || !strcmp(s->loads[i].group, group) || is_below(s->loads[i].group, group))
			fprintf(out, "stop %zu\n", i);
	fputs("mark after-load\nrcu_barrier; mark after-barrier\n", out);
	each(s, group, "drain \"$g\"", out);
	fputs("mark after-reclaim\n", out);
	remount(s, NULL, out);
	fputs("rcu_barrier; mark after-remount\n", out);
}

static void set_file(const struct wring_scenario *s, const struct wring_step *step, FILE *out)
{
	fputs("for g in ", out);
	directories(s, step->args[0], out);
	fputs("; do\n", out);
	write_to(step->args[1], step->args[2], out);
	fputs("done\n", out);
}

static void module(const struct wring_step *step, FILE *out)
{
	fputs("insmod", out);
	for (size_t i = 0; i < step->n_args; i++) {
		_cleanup_free_ char *word = wring_text_shell(step->args[i]);

		fprintf(out, " %s", word ? word : "");
	}
	fputc('\n', out);
}

static void one_step(const struct wring_scenario *s, const struct wring_step *step, FILE *out)
{
	const char *arg = step->n_args ? step->args[0] : ".";
	const struct wring_load *l = wring_scenario_load(s, arg);
	size_t load = l ? (size_t)(l - s->loads) : 0; /* of steps that name one */

	switch (step->verb->id) {
	case WRING_STEP_MARK: fprintf(out, "mark %s\n", arg); break;
	case WRING_STEP_HOLD: fprintf(out, "sleep %.3f\n", seconds(arg)); break;
	case WRING_STEP_CREATE: create_all(s, arg, out); break;
	case WRING_STEP_REMOVE: each(s, arg, "find \"$CG/$g\" -depth -type d -exec rmdir {} +", out); break;
	case WRING_STEP_KILL: each(s, arg, "echo 1 >\"$CG/$g/cgroup.kill\"; while grep -q 'populated 1' \"$CG/$g/cgroup.events\"; do sleep 1; done", out); break;
	case WRING_STEP_FREEZE: each(s, arg, "echo 1 >\"$CG/$g/cgroup.freeze\"", out); break;
	case WRING_STEP_THAW: each(s, arg, "echo 0 >\"$CG/$g/cgroup.freeze\"", out); break;
	case WRING_STEP_SET: set_file(s, step, out); break;
	case WRING_STEP_START:
		for (size_t i = 0; i < step->n_args; i++)
			start(s, step->args[i], out);
		break;
	case WRING_STEP_WAIT: fprintf(out, "until_full %zu\n", load); break;
	case WRING_STEP_CHURN: fprintf(out, "churn %zu %.3f\n", load, seconds(step->args[1])); break;
	case WRING_STEP_RELEASE:
	case WRING_STEP_STOP: fprintf(out, "stop %zu\n", load); break;
	case WRING_STEP_CENSUS: fputs("mark census\n", out); break;
	case WRING_STEP_RECLAIM: {
		_cleanup_free_ char *size = wring_text_word(step->args[1]), *command = wring_strf("echo %s >\"$CG/$g/memory.reclaim\"", size ? size : "");

		each(s, arg, command ? command : ":", out);
		break;
	}
	case WRING_STEP_DRAIN:
		each(s, arg, "drain \"$g\"", out);
		fputs("mark drained\n", out);
		break;
	case WRING_STEP_RCU_BARRIER: fputs("rcu_barrier\n", out); break;
	case WRING_STEP_SYNC: fputs("sync\n", out); break;
	case WRING_STEP_REMOUNT: remount(s, arg, out); break;
	case WRING_STEP_SETTLE: fputs("sleep 4 # two flushes of the statistics\n", out); break;
	case WRING_STEP_AFTERMATH: aftermath(s, arg, out); break;
	case WRING_STEP_SYSCTL: sysctl(arg, step->args[1], out); break;
	case WRING_STEP_SYSRQ: fprintf(out, "echo %c >/proc/sysrq-trigger\n", *arg); break;
	case WRING_STEP_MODULE: module(step, out); break;
	}
}

static void phases(const struct wring_scenario *s, FILE *out)
{
	for (size_t i = 0; i < s->n_phases; i++) {
		const struct wring_phase *p = &s->phases[i];

		fprintf(out, "\n# ---- %s ----\n", p->name);
		if (p->repeat > 1)
			fprintf(out, "turn=0\nwhile [ $turn -lt %" PRIu64 " ]; do\n", p->repeat);
		for (size_t k = 0; k < p->n; k++)
			one_step(s, &p->steps[k], out);
		if (p->repeat > 1)
			fputs("turn=$((turn + 1))\ndone\n", out);
	}
}

static int run(const struct wring_case *c, size_t i, FILE *out, void *data)
{
	struct wring_scenario *s = NULL;
	int r = wring_scenario_parse("plan", c->run->plan, NULL, 0, &s, data);

	(void)i;
	if (r)
		return r;
	head(c, s, out);
	fputs(prelude, out);
	load_functions(s, out);
	fputs("\n", out);
	for (size_t k = 0; k < s->n_loads; k++)
		wring_shell_note(&s->loads[k], out);
	if (has_step(s, WRING_STEP_CENSUS))
		fputs("left_out 'asking at census which names are still cached, openat2(RESOLVE_CACHED)'\n", out);
	fputs("mkdir \"$CG\" && echo +memory >\"$BASE/cgroup.subtree_control\" || exit 2\n", out);
	mounts(s, out);
	needs(s, out);
	for (size_t k = 0; k < s->sysctls.n; k++)
		sysctl(s->sysctls.rows[k].key, s->sysctls.rows[k].value, out);
	for (size_t k = 0; k < s->n_groups; k++)
		if (!s->groups[k].deferred)
			create(s, &s->groups[k], out);
	fputs("mark start\n", out);
	phases(s, out);
	fputs("\nmark end\nexit 0\n", out);
	wring_scenario_free(s);
	return 0;
}

static int write_reproducer(struct wring_store *st, const struct wring_runs *runs, const struct wring_format_options *o, FILE *out,
			    struct wring_err *err)
{
	int r;

	(void)o;
	r = wring_case_each(st, runs, out, run, err, err);
	return r ? r : wring_written(out, err);
}

static const struct wring_format reproducer = {
	.name = "reproducer", .summary = "a shell script that does what one run did, without wring", .use = WRING_FOR_REPORT, .one_run = true,
	.write = write_reproducer,
};
WRING_REGISTER_FORMAT(reproducer);
