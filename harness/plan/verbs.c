/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a phase can do: the table, and reading one line of `do`. */
#include "harness/plan/internal.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "harness/base/units.h"
#include "harness/base/util.h"

#define MAX_HOLD_NS (24 * 3600 * WRING_NSEC_PER_SEC)

static const struct wring_verb verbs[] = {
	{ "mark", WRING_STEP_MARK, 1, 1, "NAME",
	  "write a mark; every source is sampled right after it", "n" },
	{ "hold", WRING_STEP_HOLD, 1, 1, "DURATION", "let it run that long", "d" },
	{ "create", WRING_STEP_CREATE, 1, 1, "GROUP", "create a deferred or removed group", "G" },
	{ "remove", WRING_STEP_REMOVE, 1, 1, "GROUP", "remove a group's directories", "G" },
	{ "kill", WRING_STEP_KILL, 1, 1, "GROUP", "kill all processes of a group", "g" },
	{ "freeze", WRING_STEP_FREEZE, 1, 1, "GROUP", "stop all processes of a group", "g" },
	{ "thaw", WRING_STEP_THAW, 1, 1, "GROUP", "let them go on", "g" },
	{ "set", WRING_STEP_SET, 3, 3, "GROUP FILE VALUE", "write a cgroup file", "gfr" },
	{ "start", WRING_STEP_START, 1, WRING_MAX_ARGS, "LOAD...", "start loads at the same moment",
	  "l" },
	{ "wait", WRING_STEP_WAIT, 1, 2, "LOAD [DEADLINE]", "wait until a load ends by itself",
	  "ld" },
	{ "churn", WRING_STEP_CHURN, 2, 2, "LOAD DURATION",
	  "a filled load drops its oldest objects and makes new ones, for that long", "ld" },
	{ "release", WRING_STEP_RELEASE, 1, 1, "LOAD", "a filled load lets go of all it holds, and lives on", "l" },
	{ "census", WRING_STEP_CENSUS, 1, 1, "LOAD", "count which objects of a filled load are still cached; writes the mark census", "l" },
	{ "stop", WRING_STEP_STOP, 1, 1, "LOAD", "ask a load to end, and wait", "l" },
	{ "reclaim", WRING_STEP_RECLAIM, 2, 2, "GROUP SIZE", "write SIZE to memory.reclaim", "gs" },
	{ "drain", WRING_STEP_DRAIN, 1, 1, "GROUP",
	  "reclaim until nothing moves; writes the mark drained", "g" },
	{ "rcu-barrier", WRING_STEP_RCU_BARRIER, 0, 0, "", "wait until all RCU callbacks have run",
	  "" },
	{ "sync", WRING_STEP_SYNC, 0, 0, "", "write dirty pages to disk", "" },
	{ "remount", WRING_STEP_REMOUNT, 1, 1, "MOUNT", "remount, which empties its dentry cache",
	  "m" },
	{ "settle", WRING_STEP_SETTLE, 0, 1, "[GROUP]",
	  "wait until the kernel's statistics are flushed", "g" },
	{ "aftermath", WRING_STEP_AFTERMATH, 1, 1, "GROUP",
	  "what stays of ended loads: writes the marks after-load, after-barrier, after-reclaim, "
	  "after-remount",
	  "g" },
	{ "sysctl", WRING_STEP_SYSCTL, 2, 2, "KEY VALUE", "change a sysctl; restored at the end",
	  "kr" },
	{ "sysrq", WRING_STEP_SYSRQ, 1, 1, "LETTER", "write a letter to /proc/sysrq-trigger", "c" },
	{ "module", WRING_STEP_MODULE, 1, WRING_MAX_ARGS, "FILE [KEY=VALUE...]",
	  "load a kernel module, in a guest", "tp" },
};

const struct wring_verb *wring_verbs(size_t *n)
{
	*n = WRING_ARRAY_SIZE(verbs);
	return verbs;
}

static const struct wring_verb *find_verb(const struct plan_ctx *c, int line, const char *name)
{
	struct plan_names known = { "" };

	for (size_t i = 0; i < WRING_ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	for (size_t i = 0; i < WRING_ARRAY_SIZE(verbs); i++)
		wring_plan_name(&known, verbs[i].name);
	wring_plan_bad(c, line, "unknown step", name, "%s", known.text);
	return NULL;
}

/* What this kind accepts, or NULL when the argument is that. References are checked later. */
static const char *refused(char kind, const char *arg)
{
	int64_t ns;
	uint64_t bytes;
	bool ok;

	switch (kind) {
	case 'g':
		ok = !strcmp(arg, ".") || wring_plan_is_path(arg);
		return ok ? NULL : "a group's path, or '.'";
	case 'G':
		return wring_plan_is_path(arg) ? NULL : "a group's path";
	case 'd':
		ok = !wring_parse_duration(arg, &ns, NULL) && ns > 0 && ns <= MAX_HOLD_NS;
		return ok ? NULL : "a duration up to 24h, such as 250ms, 30s or 2m";
	case 's':
		ok = !wring_parse_size(arg, &bytes, NULL) && bytes;
		return ok ? NULL : "a size above 0, such as 64M";
	case 'f':
		return wring_plan_is_file(arg) ? NULL : "a cgroup file, such as memory.max";
	case 'k':
		return wring_plan_is_sysctl(arg) ? NULL : "a sysctl, such as vm.swappiness";
	case 'p':
		return isalpha((unsigned char)*arg) && strchr(arg, '=') ? NULL : "KEY=VALUE, a parameter of the module";
	case 'c':
		return isalnum((unsigned char)*arg) && !arg[1] ? NULL : "one letter or digit";
	case 'n':
		if (!strcmp(arg, "start") || !strcmp(arg, "end") || !strcmp(arg, "removed"))
			return "a name other than start, end and removed, which every run writes";
		/* fall through */
	case 'l': case 'm':
		ok = wring_plan_is_name(arg);
		return ok ? NULL : "a name of letters, digits, '.', '_' and '-'";
	default:
		return NULL;
	}
}

/* The next argument: a word, or for kind r all that is left. NULL at the end of the line. */
static const char *next_arg(const char **text, char kind, size_t *ret_len)
{
	const char *arg = *text + strspn(*text, " \t");

	*ret_len = kind == 'r' ? strlen(arg) : strcspn(arg, " \t");
	*text = arg + *ret_len;
	return *arg ? arg : NULL;
}

static int add_arg(struct plan_ctx *c, struct wring_step *step, int line, const char *arg,
		   size_t len, char kind)
{
	const char *accepted;
	char *copy = strndup(arg, len);

	if (!copy)
		return wring_plan_no_memory(c);
	step->args[step->n_args++] = copy;
	accepted = refused(kind, copy);
	return accepted ? wring_plan_bad(c, line, step->verb->name, copy, "%s", accepted) : 0;
}

static int read_args(struct plan_ctx *c, const struct wring_ini_line *l, const char *text,
		     struct wring_step *step)
{
	const struct wring_verb *v = step->verb;
	size_t kinds = strlen(v->kinds), len;

	for (;;) {
		size_t k = step->n_args < kinds ? step->n_args : kinds - 1;
		char kind = kinds ? v->kinds[k] : 't';
		const char *arg = next_arg(&text, kind, &len);
		int r;

		if (!arg && step->n_args >= v->min_args)
			return 0;
		if (!arg || step->n_args == v->max_args)
			return wring_plan_bad(
				c, l->line, arg ? "too many arguments" : "too few arguments",
				l->text, "%s%s%s", v->name, *v->args ? " " : "", v->args);
		r = add_arg(c, step, l->line, arg, len, kind);
		if (r)
			return r;
	}
}

int wring_plan_step(struct plan_ctx *c, const struct wring_ini_line *l, struct wring_step *ret)
{
	const char *text = l->text, *arg;
	size_t len;
	char name[WRING_INI_LINE + 1];

	arg = next_arg(&text, 't', &len);
	snprintf(name, sizeof(name), "%.*s", (int)len, arg ? arg : "");
	ret->line = l->line;
	ret->verb = find_verb(c, l->line, name);
	return ret->verb ? read_args(c, l, text, ret) : -EINVAL;
}
