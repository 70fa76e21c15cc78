/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stress-ng: any of its stressors, as a load. It inherits the cgroup; its YAML is parsed by analyzers/stress-ng.c. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/program.h"

#define PROGRAM "stress-ng"
#define MAX_ARGS 48

struct stress {
	char *stressor, *args;
	uint64_t instances, ops;
	int64_t duration_ns;
	bool may_be_killed;
};

static const struct wring_param params[] = {
	{ "stressor", WRING_STRING, offsetof(struct stress, stressor), .def = "", .help = "its name, as in dentry (required)" },
	{ "instances", WRING_U64, offsetof(struct stress, instances), .def = "1", .min = "1", .max = "1024", .help = "of the stressor, in each process of the load" },
	{ "ops", WRING_U64, offsetof(struct stress, ops), .def = "0", .help = "end after so many bogo operations; 0: by duration" },
	{ "duration", WRING_DURATION, offsetof(struct stress, duration_ns), .def = "0s", .max = "24h", .help = "end after that time, in whole seconds; 0s: by ops, or 10s" },
	{ "args", WRING_STRING, offsetof(struct stress, args), .def = "", .help = "more of its options, as in --vm-bytes 64m" },
	{ "may-be-killed", WRING_BOOL, offsetof(struct stress, may_be_killed), .def = "no", .help = "an OOM kill is what is tested, and does not make the run noisy" },
	{ 0 } };

/* Stressors whose name is refused as a stressor and as an option. */
static const struct { const char *name, *why; } refused[] = {
	{ "iomix", "it empties the caches of the whole machine (/proc/sys/vm/drop_caches)" },
	{ "thrash", "it empties the caches of the whole machine (/proc/sys/vm/drop_caches)" },
	{ "mmapfork", "its size is a share of the machine's free memory, whatever the cgroup allows" },
	{ "resources", "its size is a share of the machine's free memory, whatever the cgroup allows" },
	{ "cpu-online", "it takes the machine's CPUs offline" },
	{ "memhotplug", "it takes the machine's memory offline" },
	{ "swap", "it adds swap to the whole machine" },
	{ "reboot", "it calls reboot(2)" },
	{ "watchdog", "a hardware watchdog that it leaves armed restarts the machine" },
	{ "softlockup", "its soft lockups would be taken for the kernel's" },
	{ "apparmor", "it changes the machine's security policy" },
	{ "dev", "it opens every device, the port that carries our records among them" },
	{ "bad-ioctl", "stress-ng itself calls it pathological" }, { "bind-mount", "stress-ng itself calls it pathological" },
	{ "mlockmany", "stress-ng itself calls it pathological" }, { "oom-pipe", "stress-ng itself calls it pathological" },
	{ "smi", "stress-ng itself calls it pathological" }, { "sysinval", "stress-ng itself calls it pathological" },
};

/* Options of no stressor that change neither what runs nor how it is measured. */
static const char *const general[] = {
	"--dentries", "--no-madvise", "--no-rand-seed", "--page-in", "--seed", "--minimize", "--backoff", "--taskset", "--sched",
	"--sched-prio", "--ionice-class", "--ionice-level", "--timer-slack", "--verify",
};

static int check_stressor(const char *name, struct wring_err *err)
{
	if (!*name)
		return wring_err_set(err, -EINVAL, "stressor: a name is needed, as in stressor=dentry");
	for (const char *p = name; *p; p++)
		if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && (*p != '-' || p == name))
			return wring_err_set(err, -EINVAL, "stressor: value '%s': accepted: one name, as in dentry", name);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(refused); i++)
		if (!strcmp(name, refused[i].name))
			return wring_err_set(err, -EINVAL, "stressor: value '%s': refused: %s", name, refused[i].why);
	return 0;
}

static bool is_general(const char *option, size_t len)
{
	for (size_t i = 0; i < WRING_ARRAY_SIZE(general); i++)
		if (strlen(general[i]) == len && !strncmp(general[i], option, len))
			return true;
	return false;
}

/* getopt takes abbreviations too. */
static const char *why_refused(const char *option, size_t len)
{
	for (size_t i = 0; i < WRING_ARRAY_SIZE(refused); i++) {
		size_t n = strlen(refused[i].name);

		if (!strncmp(option + 2, refused[i].name, len - 2 < n ? len - 2 : n) && (len - 2 <= n || option[2 + n] == '-'))
			return refused[i].why;
	}
	return NULL;
}

static int check_word(const char *stressor, const char *word, struct wring_err *err)
{
	size_t len = strcspn(word, "="), n = strlen(stressor);
	const char *why = NULL;

	if (word[strlen(word) - 1] == '%')
		return wring_err_set(err, -EINVAL, "args: '%s': refused: a percentage is of the machine's memory, not of the cgroup's: give bytes", word);
	if (*word != '-' || isdigit((unsigned char)word[1]))
		return 0;
	if (strncmp(word, "--", 2) || len < 3)
		return wring_err_set(err, -EINVAL, "args: '%s': accepted: long options, as in --%s-ops", word, stressor);
	if (is_general(word, len))
		return 0;
	if (strncmp(word + 2, stressor, n) || word[2 + n] != '-')
		return wring_err_set(err, -EINVAL, "args: '%s': accepted: --%s-..., --seed, --sched, --taskset, --verify, --page-in, --minimize, --dentries; the rest "
				     "would run something else, or change how it is measured", word, stressor);
	why = why_refused(word, len);
	return why ? wring_err_set(err, -EINVAL, "args: '%s': refused: %s", word, why) : 0;
}

/* The words of args into argv[*n]..., pointers into text, which is cut up. */
static int split(char *text, char **argv, size_t *n, struct wring_err *err)
{
	char *save = NULL;

	for (char *w = strtok_r(text, " \t\n", &save); w; w = strtok_r(NULL, " \t\n", &save)) {
		if (*n == MAX_ARGS - 1)
			return wring_err_set(err, -E2BIG, "args: more than %d words", MAX_ARGS - 20);
		argv[(*n)++] = w;
	}
	return 0;
}

static int check(const void *data, struct wring_err *err)
{
	const struct stress *s = data;
	_cleanup_free_ char *args = strdup(s->args);
	char *words[MAX_ARGS];
	size_t n = 18;
	int r = check_stressor(s->stressor, err);

	if (!r)
		r = args ? split(args, words, &n, err) : wring_err_set(err, -ENOMEM, "args");
	for (size_t i = 18; i < n && !r; i++)
		r = check_word(s->stressor, words[i], err);
	return r;
}

/* --oomable: without it a killed stressor is silently started again. As root it also starts with oom_score_adj -1000 otherwise.
 * Not -q: it would take the metrics out of the YAML. */
static int run(struct wring_wctx *c, struct wring_err *err)
{
	struct stress *s = wring_wdata(c);
	struct wring_program p = { .may_be_killed = s->may_be_killed };
	int64_t ns = s->duration_ns || s->ops ? s->duration_ns : 10 * WRING_NSEC_PER_SEC;
	_cleanup_free_ char *option = wring_strf("--%s", s->stressor), *ops = wring_strf("--%s-ops", s->stressor),
			    *count = wring_strf("%llu", (unsigned long long)s->instances), *max = wring_strf("%llu", (unsigned long long)s->ops),
			    *seed = wring_strf("%llu", (unsigned long long)wring_seed(c)),
			    *timeout = wring_strf("%llds", (long long)((ns + WRING_NSEC_PER_SEC - 1) / WRING_NSEC_PER_SEC));
	static char oomable[] = "--oomable", brief[] = "--log-brief", metrics[] = "--metrics", yaml[] = "--yaml", temp[] = "--temp-path",
		    here[] = ".", seed_option[] = "--seed", timeout_option[] = "--timeout", program[] = PROGRAM;
	char *argv[MAX_ARGS] = { program, oomable, brief, metrics, yaml, p.path, temp, here, seed_option, seed, timeout_option, timeout,
				 option, count };
	size_t n = 14;
	int r;

	if (!option || !ops || !count || !max || !seed || !timeout)
		return wring_err_set(err, -ENOMEM, PROGRAM);
	if (s->ops) {
		argv[n++] = ops;
		argv[n++] = max;
	}
	r = split(s->args, argv, &n, err);
	argv[n] = NULL;
	if (!r)
		r = wring_program_open(&p, NULL, err);
	if (!r)
		r = wring_program_run(c, &p, argv, err);
	if (!r && wring_program_said(&p, "No stress workers invoked"))
		r = 4; /* it found out before it started a worker, and calls that 0 */
	wring_program_close(&p);
	if (r == 3 || r == 4)
		return wring_err_set(err, -EOPNOTSUPP, PROGRAM " says that %s %s here: %s", s->stressor,
				     r == 3 ? "gets no resources" : "is not implemented", p.last);
	if (r > 0)
		return wring_err_set(err, -EIO, PROGRAM " --%s ended with %d: %s", s->stressor, r, p.last);
	return r;
}

static const struct wring_workload stress_ng = {
	.name = PROGRAM,
	.summary = "any stressor of stress-ng",
	.doc = "Starts stress-ng inside the cgroup, its files in the load's directory (on = MOUNT). What it got done is known when it has\n"
	       "ended: LOAD.ops_per_s are its bogo operations (man stress-ng: not a benchmark; good to compare the same stressor with itself),\n"
	       "and its own figures have their own names. Until then ops is 0, and what it holds is never in the ledger: detectors that subtract\n"
	       "what is held do not know it. Give sizes in bytes (--vm-bytes 64m): percentages are of the machine's memory and refused, and\n"
	       "bigheap, brk, stack and env grow until something stops them, so give their group a memory.max. A stressor that is killed for\n"
	       "memory is not started again (--oomable), and the run is noisy unless may-be-killed says that this is what it is about.\n"
	       "Exit 3 or 4 of stress-ng (no resources, not implemented) is a skip. Refused are iomix, thrash, mmapfork, resources, cpu-online,\n"
	       "memhotplug, swap, reboot, watchdog, softlockup, apparmor, dev and what stress-ng calls pathological: they reach outside the\n"
	       "cgroup. A guest gets the program and its libraries from the host (35 MB).",
	.params = params,
	.size = sizeof(struct stress),
	.program = PROGRAM,
	.package = "stress-ng",
	.check = check,
	.run = run,
};
WRING_REGISTER_WORKLOAD(stress_ng);
