/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Options, in front of argp: what argp says about a wrong one takes two lines and does not name what is accepted, and it
 * takes abbreviations, which the next new option would break. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/util.h"
#include "harness/cmd/cmd.h"

static const struct argp_option *find_long(const struct argp_option *o, const char *name, size_t len)
{
	for (; o && (o->name || o->key); o++)
		if (o->name && strlen(o->name) == len && !strncmp(o->name, name, len))
			return o;
	return NULL;
}

static const struct argp_option *find_short(const struct argp_option *o, char key)
{
	for (; o && (o->name || o->key); o++)
		if (o->key == key)
			return o;
	return NULL;
}

static int no_option(const char *name, const char *what, size_t len)
{
	return wring_usage_error("%s: no option '%.*s': wring %s --help lists them", name, (int)len, what, name);
}

static int no_value(const char *name, const struct argp_option *o, bool is_long)
{
	if (is_long)
		return wring_usage_error("%s: --%s needs a value: --%s=%s", name, o->name, o->name, o->arg);
	return wring_usage_error("%s: -%c needs a value: -%c %s", name, o->key, o->key, o->arg);
}

/* arg is "--NAME" or "--NAME=VALUE". *ret_next: the next argument is its value. */
static int check_long(const struct argp *argp, const char *name, const char *arg, bool *ret_next)
{
	size_t len = strcspn(arg + 2, "=");
	const struct argp_option *o = find_long(argp->options, arg + 2, len);

	if (!o)
		return no_option(name, arg, len + 2);
	if (!o->arg && arg[len + 2])
		return wring_usage_error("%s: --%s takes no value, not '%s'", name, o->name, arg + len + 3);
	*ret_next = o->arg && !(o->flags & OPTION_ARG_OPTIONAL) && !arg[len + 2];
	return 0;
}

/* arg is "-q", "-qv", "-oFILE" or "-o". */
static int check_short(const struct argp *argp, const char *name, const char *arg, bool *ret_next)
{
	for (const char *p = arg + 1; *p; p++) {
		const struct argp_option *o = find_short(argp->options, *p);
		char one[] = { '-', *p, '\0' };

		if (!o)
			return no_option(name, one, 2);
		if (!o->arg)
			continue;
		*ret_next = !p[1];
		return 0;
	}
	return 0;
}

static const struct argp_option *option_of(const struct argp *argp, const char *arg)
{
	return arg[1] == '-' ? find_long(argp->options, arg + 2, strlen(arg + 2)) : find_short(argp->options, arg[strlen(arg) - 1]);
}

int wring_args(const struct argp *argp, const char *name, int argc, char **argv, void *input)
{
	_cleanup_free_ char *full = wring_strf("wring %s", name);
	int code = 0;

	for (int i = 1; i < argc && !code && strcmp(argv[i], "--"); i++) {
		const char *arg = argv[i];
		bool next = false;

		if (*arg != '-' || !arg[1])
			continue;
		if (!strcmp(arg, "--help") || !strcmp(arg, "-?")) {
			argp_help(argp, stdout, ARGP_HELP_USAGE | ARGP_HELP_PRE_DOC | ARGP_HELP_LONG | ARGP_HELP_POST_DOC, full ? full : argv[0]);
			exit(wring_finish(WRING_EXIT_OK));
		}
		code = arg[1] == '-' ? check_long(argp, name, arg, &next) : check_short(argp, name, arg, &next);
		if (!code && next && ++i == argc)
			code = no_value(name, option_of(argp, arg), arg[1] == '-');
	}
	if (!code && argp_parse(argp, argc, argv, ARGP_NO_HELP | ARGP_NO_ERRS, NULL, input))
		code = wring_usage_error("%s: these arguments make no sense: wring %s --help lists what is accepted", name, name);
	return code;
}

error_t wring_parse_words(int key, char *arg, struct wring_words *w)
{
	size_t most = w->most ? w->most : WRING_ARRAY_SIZE(w->words);

	switch (key) {
	case WRING_O_DB: w->db = arg; return 0;
	case ARGP_KEY_ARG:
		if (w->n == most && most == 1)
			exit(wring_usage_error("'%s': one argument is accepted", arg));
		if (w->n == most)
			exit(wring_usage_error("'%s': at most %zu %s are accepted", arg, most, w->what));
		w->words[w->n++] = arg;
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

error_t wring_parse_only_words(int key, char *arg, struct argp_state *state)
{
	return wring_parse_words(key, arg, state->input);
}
