/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scenario files. With -DWRING_TEST_ALLOC and
 * -Wl,--wrap=malloc,--wrap=calloc,--wrap=reallocarray,--wrap=strdup,--wrap=strndup
 * every single allocation fails once as well. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness/base/util.h"
#include "harness/plan/plan.h"

#define PHASE "[phase p]\ndo = sync\n" /* two lines */

static const char full[] =
	"[scenario]\n"
	"name = slab-at-max ; a comment\n"
	"summary = names fill memory.max; reclaim must make room\n"
	"thread = 2014\n"
	"claim = first line\n"
	"  second ${limit} $$1\n"
	"  # not this\n"
	"\n"
	"\tthird [x]\n"
	"suites = smoke\n"
	" thread-2014\n"
	"needs = memcg scratch\n"
	"detectors = premature-oom accounting kernel-log\n"
	"primary = oom_kills names_per_s\n"
	"timeout = 1.5m\n"
	"carry = a/x.ko ../y.ko\n"
	"[params]\n"
	"limit = 32M\n"
	"limit.help = the group's memory.max\n"
	"limit.long = 1G\n"
	"twice = ${limit}-${limit}\n"
	"none =\n"
	"[sysctl]\n"
	"vm.swappiness = 0\n"
	"[limits]\n"
	"dying-memcg.residue = 3\n"
	"[mount scratch]\n"
	"type = ext4\n"
	"size = 256M\n"
	"[group work]\n"
	"[group work/leaf]\n"
	"count = 4\n"
	"deferred = yes\n"
	"memory.high = ${limit}\n"
	"memory.max = max\n"
	"[load names]\n"
	"workload = dentry\n"
	"group = work/leaf\n"
	"procs = 2\n"
	"cpu-nodes = 0\n"
	"mem-nodes = 0-1,3\n"
	"mem-policy = interleave\n"
	"threads = 256\n"
	"kind = negative\n"
	"args = --a\n"
	"  --b=${none}\n"
	"[sample vmstat]\n"
	"rate = 3\n"
	"[sample memory]\n"
	"groups = . work work/leaf2\n"
	"interval = 1s\n"
	"[sample slab-objects]\n"
	"caches = dentry xfs_inode\n"
	"rate = mark\n"
	"[sample meminfo]\n"
	"[phase fill]\n"
	"repeat = 2\n"
	"do = create work/leaf\n"
	"     start names\n"
	"     wait names 60s\n"
	"     set work/leaf0 io.max 8:0  rbps=1 wbps=2\n"
	"     remount scratch\n"
	"     settle\n"
	"[phase after]\n"
	"do = aftermath work\n";

static struct wring_scenario *parse(const char *name, const char *text)
{
	struct wring_scenario *s = NULL;
	struct wring_err err = { 0 };

	if (wring_scenario_parse(name, text, NULL, 0, &s, &err))
		fail_msg("%s", err.msg);
	return s;
}

static char *print(const struct wring_scenario *s)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	wring_scenario_print(s, f);
	fclose(f);
	return text;
}

static void test_head(void **state)
{
	struct wring_scenario *s = parse("d/file.ini", full);

	(void)state;
	assert_string_equal(s->file, "d/file.ini");
	assert_string_equal(s->name, "slab-at-max");
	assert_string_equal(s->summary, "names fill memory.max; reclaim must make room");
	assert_string_equal(s->thread, "2014");
	assert_string_equal(s->claim, "first line\nsecond 32M $1\nthird [x]");
	assert_null(s->healthy);
	assert_int_equal(s->n_suites, 2);
	assert_string_equal(s->suites[1], "thread-2014");
	assert_int_equal(s->n_needs, 2);
	assert_int_equal(s->n_detectors, 3);
	assert_string_equal(s->detectors[2], "kernel-log");
	assert_int_equal(s->detectors_line, 13);
	assert_int_equal(s->n_primary, 2);
	assert_int_equal(s->timeout_ns, 90000000000);
	assert_string_equal(s->carry[1], "../y.ko");
	wring_scenario_free(s);
}

static void test_settings(void **state)
{
	struct wring_scenario *s = parse("f.ini", full);

	(void)state;
	assert_string_equal(wring_setting_get(&s->params, "limit"), "32M");
	assert_string_equal(wring_setting_get(&s->params, "twice"), "32M-32M");
	assert_string_equal(wring_setting_get(&s->params, "none"), "");
	assert_null(wring_setting_get(&s->params, "limit.help"));
	assert_null(wring_setting_get(&s->params, "limit.long"));
	assert_string_equal(wring_setting_get(&s->param_long, "limit"), "1G");
	assert_string_equal(wring_setting_get(&s->param_help, "limit"), "the group's memory.max");
	assert_string_equal(wring_setting_get(&s->sysctls, "vm.swappiness"), "0");
	assert_string_equal(wring_setting_get(&s->limits, "dying-memcg.residue"), "3");
	assert_int_equal(s->limits.rows[0].line, 26);
	assert_int_equal(s->n_mounts, 1);
	assert_string_equal(s->mounts[0].type, "ext4");
	assert_int_equal(s->mounts[0].size_bytes, 256 << 20);
	wring_scenario_free(s);
}

static void test_groups_and_loads(void **state)
{
	struct wring_scenario *s = parse("f.ini", full);
	const struct wring_load *l = &s->loads[0];

	(void)state;
	assert_int_equal(s->n_groups, 2);
	assert_string_equal(s->groups[1].path, "work/leaf");
	assert_int_equal(s->groups[0].count, 1);
	assert_int_equal(s->groups[1].count, 4);
	assert_true(s->groups[1].deferred && !s->groups[0].deferred);
	assert_string_equal(s->groups[1].files.rows[0].key, "memory.high");
	assert_string_equal(s->groups[1].files.rows[0].value, "32M");
	assert_string_equal(s->groups[1].files.rows[1].key, "memory.max");
	assert_string_equal(l->workload, "dentry");
	assert_string_equal(l->group, "work/leaf");
	assert_int_equal(l->procs, 2);
	assert_string_equal(l->mem_nodes, "0-1,3");
	assert_string_equal(l->mem_policy, "interleave");
	assert_int_equal(l->threads, 256);
	assert_int_equal(l->line, 36);
	assert_int_equal(l->workload_line, 37);
	assert_string_equal(wring_setting_get(&l->params, "kind"), "negative");
	assert_string_equal(wring_setting_get(&l->params, "args"), "--a\n--b=");
	wring_scenario_free(s);
}

static void test_samples_and_phases(void **state)
{
	struct wring_scenario *s = parse("f.ini", full);
	const struct wring_step *set = &s->phases[0].steps[3];

	(void)state;
	assert_int_equal(s->n_samples, 4);
	assert_int_equal(s->samples[0].interval_ns, 333333333);
	assert_int_equal(s->samples[0].n_subjects, 0);
	assert_int_equal(s->samples[1].interval_ns, 1000000000);
	assert_int_equal(s->samples[1].n_subjects, 3);
	assert_string_equal(s->samples[1].subjects[0], ".");
	assert_int_equal(s->samples[2].interval_ns, 0);
	assert_true(s->samples[2].caches && !s->samples[1].caches);
	assert_string_equal(s->samples[2].subjects[1], "xfs_inode");
	assert_int_equal(s->samples[3].interval_ns, WRING_INTERVAL_DEFAULT_NS);
	assert_int_equal(s->n_phases, 2);
	assert_int_equal(s->phases[0].repeat, 2);
	assert_int_equal(s->phases[0].n, 6);
	assert_int_equal(set->verb->id, WRING_STEP_SET);
	assert_int_equal(set->n_args, 3);
	assert_string_equal(set->args[2], "8:0  rbps=1 wbps=2");
	assert_int_equal(set->line, 61);
	assert_int_equal(s->phases[0].steps[5].n_args, 0);
	assert_int_equal(s->phases[1].steps[0].verb->id, WRING_STEP_AFTERMATH);
	assert_int_equal(s->phases[1].steps[0].line, 65);
	wring_scenario_free(s);
}

static void test_defaults(void **state)
{
	struct wring_scenario *s = parse("dir/rcu-oom.ini", PHASE "[load l]\nworkload = null\n");

	(void)state;
	assert_string_equal(s->name, "rcu-oom");
	assert_int_equal(s->timeout_ns, WRING_TIMEOUT_DEFAULT_NS);
	assert_int_equal(s->phases[0].repeat, 1);
	assert_int_equal(s->loads[0].procs, 1);
	assert_int_equal(s->loads[0].threads, 1);
	assert_null(s->loads[0].mem_policy);
	assert_string_equal(s->loads[0].group, ".");
	assert_null(s->loads[0].cpu_nodes);
	wring_scenario_free(s);
}

static void check_round_trip(const char *text)
{
	struct wring_scenario *s = parse("f.ini", text), *again;
	char *first = print(s), *second;

	again = parse("elsewhere", first);
	second = print(again);
	assert_string_equal(first, second);
	assert_string_equal(s->name, again->name);
	free(first);
	free(second);
	wring_scenario_free(s);
	wring_scenario_free(again);
}

/* Disks are told apart by type and speed; a serial has at most 20 bytes (VIRTIO_BLK_ID_BYTES). */
static void test_mount_serial(void **state)
{
	static const char *const want[] = { "ext4-0", NULL, "ext4-1048576-10000-0", "ext4-1", "ext4-1048576-10000-1", "xfs-0-5-0" };
	struct wring_scenario *s = parse("f.ini", PHASE
		"[mount a]\ntype = ext4\nsize = 2M\n[mount b]\ntype = tmpfs\nsize = 2M\n"
		"[mount c]\ntype = ext4\nsize = 2M\nbps = 1G\niops = 10000\n[mount d]\ntype = ext4\nsize = 2M\n"
		"[mount e]\ntype = ext4\nsize = 2M\nbps = 1G\niops = 10000\n[mount f]\ntype = xfs\nsize = 2M\niops = 5\n");

	(void)state;
	for (size_t i = 0; i < s->n_mounts; i++) {
		char *serial = wring_mount_serial(s, i);

		if (want[i])
			assert_string_equal(serial, want[i]);
		else
			assert_null(serial);
		assert_true(!serial || strlen(serial) <= 20);
		free(serial);
	}
	wring_scenario_free(s);
}

/* Lines as long as they may be, and more once a key and blanks are written beside them. */
static void test_long_round_trip(void **state)
{
	char text[2000], xs[199], ds[199];

	(void)state;
	memset(xs, 'x', sizeof(xs));
	memset(ds, '$', sizeof(ds));
	snprintf(text, sizeof(text),
		 "[scenario]\nclaim=%.192s\n %.197s\n\t%.196s\nsuites=%.191s\n"
		 "[params]\np=%.196s\n[group g]\n[phase p]\ndo=set g a.b %.185s\n set g a.b "
		 "%.187s\n",
		 xs, xs, ds, xs, xs, xs, xs);
	check_round_trip(text);
}

static void test_round_trip(void **state)
{
	static const char *const texts[] = {
		full,
		PHASE,
		"\xef\xbb\xbf" PHASE,
		PHASE "[load l]\nworkload = w\na = $${x}\nb = x;y\nc =\n  [q] ${d}\n  = "
		      "e\nf=:g\n[params]\nd=: \n",
		PHASE "[params]\na =\n[scenario]\nclaim = ${a} b ${a}\n\t${a}\n c$$${a};\n",
		PHASE "[sysctl]\n/sys/kernel/mm/transparent_hugepage/enabled = always\n[mount m]\ntype = ext4\nsize = 2M\nbps = 4M\niops = 9\n",
		PHASE "[sample a]\nrate = 0.0003\n[sample b]\nrate = 999.99\n",
	};

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(texts); i++)
		check_round_trip(texts[i]);
}

static void test_set(void **state)
{
	char key[] = "limit", first[] = "1G", last[] = "64M";
	const struct wring_setting set[] = { { key, first, 0 }, { key, last, 0 } };
	struct wring_scenario *s;
	char *text;

	(void)state;
	assert_int_equal(wring_scenario_parse("f.ini", full, set, 2, &s, NULL), 0);
	assert_string_equal(wring_setting_get(&s->params, "twice"), "64M-64M");
	assert_string_equal(wring_setting_get(&s->groups[1].files, "memory.high"), "64M");
	text = print(s);
	assert_non_null(strstr(text, "\nlimit = 64M\n"));
	assert_null(strstr(text, "32M"));
	assert_null(strstr(text, "${"));
	free(text);
	wring_scenario_free(s);
}

static void check_bad_set(const char *key, const char *value, const char *msg)
{
	const struct wring_setting set = { (char *)key, (char *)value, 0 };
	struct wring_scenario *s;
	struct wring_err err = { 0 };

	assert_int_equal(wring_scenario_parse("f.ini", full, &set, 1, &s, &err), -EINVAL);
	assert_null(s);
	assert_string_equal(err.msg, msg);
}

static void test_bad_set(void **state)
{
	(void)state;
	check_bad_set("limt", "1", "f.ini: --set: value 'limt': accepted: limit twice none");
	check_bad_set("limit", "a\nb",
		      "f.ini: --set: value 'limit': accepted: UTF-8 text, but there is "
		      "a control character");
	check_bad_set("limit", "\xff",
		      "f.ini: --set: value 'limit': accepted: UTF-8 text, but there is "
		      "a byte that is not UTF-8");
	check_bad_set("limit", "a ;b",
		      "f.ini:18: [params] line: value 'a ;b': accepted: no ';' behind a blank: "
		      "it begins a comment");
	check_bad_set(
		"limit", "$x",
		"f.ini:18: [params] '$': value '$x': accepted: ${NAME}, or $$ for a dollar sign");
}

/* The text, and what its message says: the line, the value, and a part of what is accepted. */
static const struct bad_text {
	const char *text;
	int line;
	const char *value, *accepted;
} bad_texts[] = {
	/* syntax */
	{ "", 1, "phase", "at least one [phase NAME]" },
	{ "key = 1\n", 1, "key", "[scenario] first" },
	{ PHASE "rubbish\n", 3, "rubbish", "KEY = VALUE" },
	{ PHASE "a: b\n", 3, "a: b", "KEY = VALUE" },
	{ PHASE ".section = 1\n", 3, ".section = 1", "KEY = VALUE" },
	{ "  [phase p]\n", 1, "  [phase p]", "first column" },
	{ "[phase p]\n  do = sync\n", 2, "  do = sync", "first column" },
	{ "[phase p\n", 1, "[phase p", "[NAME]" },
	{ "[phase p] x\n", 1, "[phase p] x", "nothing behind" },
	{ "[phase p q]\n", 1, "phase p q", "[TYPE NAME]" },
	{ "[ ]\n", 1, "", "[TYPE]" },
	{ "[]\n", 1, "[]", "[NAME]" },
	{ "[phase \xc3\xa9]\n", 1, "[phase \xc3\xa9]", "letters, digits" },
	{ "[group aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n", 1, "[group aaaaa",
	  "49" },
	{ PHASE "[load l]\nworkload = "
		"w\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa = 1\n",
	  5, "aaaaaaa", "at most 49" },
	{ PHASE "[scenario]\nclaim = a\rb\n", 4, "a control character", "UTF-8 text" },
	{ PHASE "[scenario]\nclaim = a\x7f\n", 4, "a control character", "UTF-8 text" },
	{ PHASE "[scenario]\nclaim = \xc0\x80\n", 4, "a byte that is not UTF-8", "UTF-8 text" },
	{ PHASE "[scenario]\n\n# \xed\xa0\x80\n", 5, "a byte that is not UTF-8", "UTF-8 text" },
	{ PHASE "[phase  p ]\n", 3, "phase p", "first is on line 1" },
	{ PHASE "do = sync\n", 3, "do", "first is on line 2" },
	{ PHASE "[phase]\n", 3, "phase", "[phase NAME]" },
	{ PHASE "[scenario x]\n", 3, "scenario x", "[scenario] [params]" },
	{ PHASE "[grup a]\n", 3, "grup a", "[mount NAME] [group NAME]" },
	/* keys */
	{ PHASE "[scenario]\nnam = x\n", 4, "nam", "name summary thread claim" },
	{ PHASE "[mount m]\ntype = ext4\nsize = 2M\nopts = x\n", 6, "opts", "type size" },
	{ PHASE "[mount m]\ntype = ext4\n", 3, "size", "size = VALUE" },
	{ PHASE "[mount m]\ntype = ntfs\nsize = 2M\n", 4, "ntfs", "ext4, xfs or tmpfs" },
	{ PHASE "[mount m]\ntype = xfs\nsize = 2X\n", 5, "2X", "1M to 1T" },
	{ PHASE "[mount m]\ntype = xfs\nsize = 2M\nbps = 9\n", 6, "9", "64K to 1G" },
	{ PHASE "[mount m]\ntype = xfs\nsize = 2M\niops = 0\n", 6, "0", "1 to 10000" },
	{ PHASE "[sysctl]\n/sys/../x = 1\n", 4, "/sys/../x", "a name such as vm.swappiness" },
	{ PHASE "[sysctl]\n/proc/x = 1\n", 4, "/proc/x", "a name such as vm.swappiness" },
	{ PHASE "[mount m]\ntype = xfs\nsize = 2T\n", 5, "2T", "1M to 1T" },
	{ PHASE "[mount a/b]\n", 3, "a/b", "letters" },
	{ PHASE "[group a]\nfoo = 1\n", 4, "foo", "count deferred, or a cgroup file" },
	{ PHASE "[load a]\nprocs = 2\n", 3, "workload", "workload = VALUE" },
	{ PHASE "[sample a]\nhz = 2\n", 4, "hz", "groups caches rate interval" },
	{ PHASE "[sample a]\ngroups = .\ncaches =\n", 5, "", "one of groups and caches" },
	{ PHASE "[sample a]\ncaches = dentry\ngroups = .\n", 5, ".", "one of groups and caches" },
	{ "[phase p]\nrepeat = 2\n", 1, "do", "do = VALUE" },
	{ "[phase p]\ndo =\n", 2, "", "at least one step" },
	{ "[phase p]\nwhen = 2\n", 2, "when", "repeat do" },
	{ PHASE "[scenario]\nname =\n", 4, "", "a value" },
	{ PHASE "[scenario]\nname = a b\n", 4, "a b", "a name of" },
	{ PHASE "[scenario]\nsummary = a\n  b\n", 5, "b", "one line" },
	{ PHASE "[scenario]\nclaim = # x\n", 4, "# x", "begin with #" },
	{ PHASE "[scenario]\nclaim =;x\n", 4, ";x", "begin with # or ;" },
	{ PHASE "[scenario]\nneeds = a b\n  a\n", 5, "a", "each word once" },
	{ PHASE "[scenario]\nneeds = a #b\n", 4, "#b", "not begin with #" },
	{ PHASE "[scenario]\nprimary = a b c d e f\n", 4, "f", "at most 5" },
	{ PHASE "[scenario]\ncarry = a/x b/x\n", 4, "b/x", "different names" },
	{ PHASE "[scenario]\ncarry = a/\n", 4, "a/", "files named by" },
	{ PHASE "[scenario]\ntimeout = 60\n", 4, "60", "1s to 24h" },
	{ PHASE "[scenario]\ntimeout = 25h\n", 4, "25h", "1s to 24h" },
	{ PHASE "[sysctl]\nswappiness = 1\n", 4, "swappiness", "vm.swappiness" },
	{ PHASE "[sysctl]\nvm..x = 1\n", 4, "vm..x", "vm.swappiness" },
	{ PHASE "[limits]\nresidue = 1\n", 4, "residue", "DETECTOR.KEY" },
	/* bounds */
	{ PHASE "[group a]\ncount = 0\n", 4, "0", "1 to 10000" },
	{ PHASE "[group a]\ncount = 10001\n", 4, "10001", "1 to 10000" },
	{ PHASE "[group a]\ncount = 18446744073709551617\n", 4, "18446744073709551617",
	  "1 to 10000" },
	{ PHASE "[group a]\ndeferred = maybe\n", 4, "maybe", "yes or no" },
	{ PHASE "[load a]\nworkload = w\nprocs = 1025\n", 5, "1025", "1 to 1024" },
	{ PHASE "[load a]\nworkload = w\nthreads = 257\n", 5, "257", "1 to 256" },
	{ PHASE "[load a]\nworkload = w\nthreads = 0\n", 5, "0", "1 to 256" },
	{ PHASE "[load a]\nworkload = w\nmem-nodes = 0\nmem-policy = local\n", 6, "local", "bind, interleave or preferred" },
	{ PHASE "[load a]\nworkload = w\nmem-policy = bind\n", 3, "bind", "with mem-nodes" },
	{ PHASE "[load a]\nworkload = w\ncpu-nodes = 1-0\n", 5, "1-0", "NUMA nodes" },
	{ PHASE "[load a]\nworkload = w\nmem-nodes = 1,\n", 5, "1,", "NUMA nodes" },
	{ PHASE "[load a]\nworkload = w\nmem-nodes = 1024\n", 5, "1024", "NUMA nodes" },
	{ "[phase p]\nrepeat = 100001\n", 2, "100001", "1 to 100000" },
	{ PHASE "[sample a]\nrate = 0\n", 4, "0", "to 1000, or mark" },
	{ PHASE "[sample a]\nrate = 1001\n", 4, "1001", "to 1000, or mark" },
	{ PHASE "[sample a]\nrate = -1\n", 4, "-1", "to 1000, or mark" },
	{ PHASE "[sample a]\nrate = 1e2\n", 4, "1e2", "to 1000, or mark" },
	{ PHASE "[sample a]\ninterval = 2h\n", 4, "2h", "1ms to 1h" },
	{ PHASE "[sample a]\ninterval = 1s\nrate = 1\n", 5, "1", "one of rate and interval" },
	/* parameters */
	{ PHASE "[params]\na = 1\nb = ${c}\n", 5, "c", "accepted: a" },
	{ PHASE "[params]\na = ${a}\n", 4, "a", "no parameter is declared" },
	{ PHASE "[params]\na.b = 1\n", 4, "a.b", "NAME, NAME.help or NAME.long" },
	{ PHASE "[params]\na.help = 1\n", 4, "a", "no parameter is declared" },
	{ PHASE "[params]\na.long = 1\n", 4, "a", "no parameter is declared" },
	{ PHASE "[params]\na = 1\nb = 2\nb.long = ${a}\n", 6, "${a}", "without '$'" },
	{ PHASE "[params]\na = 1\na.long = 1\n  2\n", 6, "2", "one line" },
	{ PHASE "[params]\na = 1\n  2\n", 5, "2", "one line" },
	{ PHASE "[scenario]\nclaim = x\n  y ${\n", 5, "${", "${NAME}" },
	{ PHASE "[scenario]\nclaim = $ 1\n", 4, "$ 1", "$$ for a dollar" },
	{ PHASE "[params]\na =\n[scenario]\nclaim = x ${a};\n", 6, "x ;", "begins a comment" },
	/* groups */
	{ PHASE "[group ../a]\n", 3, "../a", "not beginning with '.'" },
	{ PHASE "[group a/../b]\n", 3, "a/../b", "not beginning with '.'" },
	{ PHASE "[group /a]\n", 3, "/a", "a path of names" },
	{ PHASE "[group a/]\n", 3, "a/", "a path of names" },
	{ PHASE "[group .]\n", 3, ".", "a path of names" },
	{ PHASE "[group a/b]\n", 3, "a/b", "[group a] above it" },
	{ PHASE "[group a/b]\n[group a]\n", 3, "a/b", "[group a] above it" },
	{ PHASE "[group a]\ndeferred = yes\n[group a/b]\n", 5, "a/b", "deferred = yes" },
	{ PHASE "[group a]\ncount = 2\n[group a/b]\n", 5, "a/b", "such as a0" },
	{ PHASE "[group a]\ncount = 4\n[group a3]\n", 5, "a3", "another name" },
	{ PHASE "[group a3]\n[group a]\ncount = 4\n", 4, "a", "another name" },
	{ PHASE "[group a]\ncount = 11\n[group a1]\ncount = 2\n", 5, "a1", "another name" },
	{ PHASE "[load l]\nworkload = w\ngroup = x\n", 3, "x", "accepted: ." },
	{ PHASE "[group a]\ncount = 3\n[load l]\nworkload = w\ngroup = a3\n", 5, "a3", ". a" },
	{ PHASE "[group a]\ncount = 3\n[load l]\nworkload = w\ngroup = a01\n", 5, "a01", ". a" },
	{ PHASE "[group a]\n[group a/b]\n[load l]\nworkload = w\ngroup = a\n", 5, "a",
	  "without groups below" },
	{ PHASE "[sample s]\ngroups = . b\n", 3, "b", "accepted: ." },
	/* steps */
	{ "[phase p]\ndo = fly\n", 2, "fly", "mark hold create" },
	{ "[phase p]\ndo = sync\n  mark\n", 3, "mark", "mark NAME" },
	{ "[phase p]\ndo = mark a b\n", 2, "mark a b", "mark NAME" },
	{ "[phase p]\ndo = mark a/b\n", 2, "a/b", "a name of" },
	{ "[phase p]\ndo = mark end\n", 2, "end", "other than start, end" },
	{ "[phase p]\ndo = sync x\n", 2, "sync x", "accepted: sync" },
	{ "[phase p]\ndo = hold 5\n", 2, "5", "a duration" },
	{ "[phase p]\ndo = hold 0s\n", 2, "0s", "a duration" },
	{ "[phase p]\ndo = kill x\n", 2, "x", "accepted: ." },
	{ "[phase p]\ndo = kill ../x\n", 2, "../x", "a group's path" },
	{ "[phase p]\ndo = remove .\n", 2, ".", "a group's path" },
	{ "[phase p]\ndo = reclaim . 5x\n", 2, "5x", "a size" },
	{ "[phase p]\ndo = reclaim . 0\n", 2, "0", "above 0" },
	{ "[phase p]\ndo = set . memory.max\n", 2, "set . memory.max", "set GROUP FILE VALUE" },
	{ "[phase p]\ndo = set . ../x 1\n", 2, "../x", "a cgroup file" },
	{ "[phase p]\ndo = start l\n", 2, "l", "no [load NAME]" },
	{ "[phase p]\ndo = remount m\n", 2, "m", "no [mount NAME]" },
	{ "[phase p]\ndo = sysctl swappiness 1\n", 2, "swappiness", "vm.swappiness" },
	{ "[phase p]\ndo = sysrq tt\n", 2, "tt", "one letter" },
	{ "[phase p]\ndo = module a.ko b\n", 2, "b", "KEY=VALUE" },
	{ "[phase p]\ndo = module a.ko =1\n", 2, "=1", "KEY=VALUE" },
	{ "[load l]\nworkload = w\n[phase p]\ndo = start l l l l l l l\n", 4, "start l l",
	  "start LOAD..." },
	{ "[load l]\nworkload = w\n[phase p]\ndo = wait l l\n", 4, "l", "a duration" },
	{ "[load l]\nworkload = w\n[phase p]\ndo = stop k\n", 4, "k", "accepted: l" },
};

static void check_bad(const struct bad_text *b)
{
	struct wring_scenario *s;
	struct wring_err err = { 0 };
	char where[40], value[120];
	int r = wring_scenario_parse("f.ini", b->text, NULL, 0, &s, &err);

	snprintf(where, sizeof(where), "f.ini:%d: ", b->line);
	snprintf(value, sizeof(value), "value '%s", b->value);
	if (r != -EINVAL || s || strncmp(err.msg, where, strlen(where)) ||
	    !strstr(err.msg, value) || !strstr(err.msg, b->accepted) ||
	    !strstr(err.msg, "': accepted: ") || strchr(err.msg, '\n'))
		fail_msg("%d '%s' for\n%s\nwanted %s ... %s ... %s", r, err.msg, b->text, where,
			 value, b->accepted);
}

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(bad_texts); i++)
		check_bad(&bad_texts[i]);
}

/* Debian's inih cuts a line at 199 bytes and takes the rest for another line. */
static void test_long_line(void **state)
{
	char text[400], xs[200];
	struct wring_scenario *s;
	struct wring_err err = { 0 };

	(void)state;
	memset(xs, 'x', sizeof(xs));
	snprintf(text, sizeof(text), PHASE "[scenario]\nclaim = %.190s\n", xs); /* 198 */
	s = parse("f.ini", text);
	assert_int_equal(strlen(s->claim), 190);
	wring_scenario_free(s);
	snprintf(text, sizeof(text), PHASE "[scenario]\nclaim = %.191s\n", xs);
	assert_int_equal(wring_scenario_parse("f.ini", text, NULL, 0, &s, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "f.ini:4: line too long: value 'claim = xxx"));
	snprintf(text, sizeof(text), "[params]\na = %.190s\nb = ${a}\nc = ${a}${b}\n", xs);
	assert_int_equal(wring_scenario_parse("f.ini", text, NULL, 0, &s, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "f.ini:4: [params] too long with its parameters"));
}

static void test_bad_name(void **state)
{
	struct wring_scenario *s;
	struct wring_err err = { 0 };

	(void)state;
	assert_int_equal(wring_scenario_parse("<stdin>", PHASE, NULL, 0, &s, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "<stdin>:1: name: value '<stdin>'"));
	assert_int_equal(wring_scenario_parse(".ini", PHASE, NULL, 0, &s, NULL), -EINVAL);
}

static void test_group_lookup(void **state)
{
	struct wring_scenario *s =
		parse("f.ini", PHASE "[group a]\ncount = 12\n[group a3/b]\n[group ab]\n");

	(void)state;
	assert_ptr_equal(wring_scenario_group(s, "a"), &s->groups[0]);
	assert_ptr_equal(wring_scenario_group(s, "a11"), &s->groups[0]);
	assert_null(wring_scenario_group(s, "a12"));
	assert_null(wring_scenario_group(s, "a1/b"));
	assert_ptr_equal(wring_scenario_group(s, "a3/b"), &s->groups[1]);
	assert_ptr_equal(wring_scenario_group(s, "ab"), &s->groups[2]);
	assert_null(wring_scenario_group(s, "ab0"));
	assert_null(wring_scenario_group(s, "."));
	assert_null(wring_scenario_group(s, ""));
	wring_scenario_free(s);
	wring_scenario_free(NULL);
}

static void test_verbs(void **state)
{
	size_t n;
	const struct wring_verb *v = wring_verbs(&n);

	(void)state;
	assert_int_equal(n, WRING_STEP_MODULE + 1);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(v[i].id, i);
		assert_true(v[i].min_args <= v[i].max_args && v[i].max_args <= WRING_MAX_ARGS);
		assert_true(strspn(v[i].kinds, "gGlmdsnfkctrp") == strlen(v[i].kinds));
		assert_true(!v[i].max_args == !*v[i].kinds);
		assert_true(*v[i].help != '\0');
	}
}

#ifdef WRING_TEST_ALLOC
static long until_failure = -1;

static int fails(void)
{
	return until_failure >= 0 && !until_failure--;
}
#define WRAP(ret, name, params, args) \
	ret __real_##name params; \
	ret __wrap_##name params; \
	ret __wrap_##name params { return fails() ? NULL : __real_##name args; }
WRAP(void *, malloc, (size_t n), (n))
WRAP(void *, calloc, (size_t n, size_t m), (n, m))
WRAP(void *, reallocarray, (void *p, size_t n, size_t m), (p, n, m))
WRAP(char *, strdup, (const char *s), (s))
WRAP(char *, strndup, (const char *s, size_t n), (s, n))

static void test_no_memory(void **state)
{
	long n = 0;

	(void)state;
	for (int r = -ENOMEM; r; n++) {
		struct wring_scenario *s;
		struct wring_err err = { 0 };

		until_failure = n;
		r = wring_scenario_parse("f.ini", full, NULL, 0, &s, &err);
		until_failure = -1;
		assert_true(!r == !!s);
		assert_true(!r || (r == -ENOMEM && strstr(err.msg, "out of memory")));
		wring_scenario_free(s);
	}
	assert_true(n > 150);
	printf("%ld allocations failed one by one\n", n - 1);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_groups_and_loads),
		cmocka_unit_test(test_samples_and_phases),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_mount_serial),
		cmocka_unit_test(test_long_round_trip),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_bad_set),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_bad_name),
		cmocka_unit_test(test_group_lookup),
		cmocka_unit_test(test_verbs),
#ifdef WRING_TEST_ALLOC
		cmocka_unit_test(test_no_memory),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
