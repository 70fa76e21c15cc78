/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/cmd/arm.h"

#include <errno.h>
#include <string.h>

#include "harness/base/util.h"

#define KEYS "name, kernel, append, cpus, nodes, memory, accel, sysctl.KEY, set.SCENARIO.KEY"

/* The first field of *p, in place, without its quotes; NULL at the end. -EINVAL for a quote that does not end. */
static int next_field(char **p, char **ret)
{
	char *from = *p, *to = *p;
	bool quoted = false;

	*ret = **p ? *p : NULL;
	for (; *from && (quoted || *from != ','); from++) {
		if (*from == '"') {
			quoted = !quoted;
			continue;
		}
		if (*from == '\\' && from[1])
			from++;
		*to++ = *from;
	}
	*p = *from ? from + 1 : from;
	*to = '\0';
	return quoted ? -EINVAL : 0;
}

static int run_option(struct wring_arm_args *a, const char *name, char *value)
{
	for (const struct argp_option *o = wring_run_option_table; o->name; o++)
		if (!strcmp(o->name, name)) {
			wring_run_option(&a->args, o->key, value);
			return a->args.err.code;
		}
	return -ENOENT;
}

static int set_field(struct wring_arm_args *a, char *field, struct wring_err *err)
{
	static const char *const own[] = { "kernel", "append", "cpus", "nodes", "memory", "accel" };
	char *eq = strchr(field, '='), *value = eq ? eq + 1 : NULL;
	int r = -ENOENT;

	if (!eq)
		return wring_err_set(err, -EINVAL, "'%s' is no KEY=VALUE: accepted: " KEYS, field);
	if (!strncmp(field, "sysctl.", 7) && eq > field + 7)
		r = run_option(a, "sysctl", field + 7);
	else if (!strncmp(field, "set.", 4) && eq > field + 4)
		r = run_option(a, "set", field + 4);
	*eq = r == -ENOENT ? '\0' : '=';
	if (!strcmp(field, "name")) {
		if (!*value || strlen(value) >= sizeof(a->name))
			return wring_err_set(err, -EINVAL, "name=%s: 1 to %zu characters are accepted", value, sizeof(a->name) - 1);
		snprintf(a->name, sizeof(a->name), "%s", value);
		return 0;
	}
	for (size_t i = 0; i < WRING_ARRAY_SIZE(own); i++)
		if (!strcmp(field, own[i]))
			r = run_option(a, field, value);
	if (r == -ENOENT)
		return wring_err_set(err, -EINVAL, "no key '%s': accepted: " KEYS, field);
	if (r)
		*err = a->args.err;
	return r;
}

int wring_arm_parse(struct wring_arm_args *a, const char *option, const char *text, const struct wring_run_args *base, const char *def_name,
		    struct wring_err *err)
{
	char *rest, *field;
	int r = 0;

	*a = (struct wring_arm_args){ .args = *base, .text = strdup(text), .copy = strdup(text) };
	snprintf(a->name, sizeof(a->name), "%s", def_name);
	if (!a->text || !a->copy)
		return wring_err_set(err, -ENOMEM, "%s", option);
	rest = a->copy;
	while (!r) {
		r = next_field(&rest, &field);
		if (r)
			wring_err_set(err, r, "a quote that does not end in '%s'", text);
		else if (!field)
			break;
		else
			r = set_field(a, field, err);
	}
	return r ? wring_err_prefix(err, "%s=%s", option, text) : 0;
}

int wring_arm_open(struct wring_arm_args *a, struct wring_err *err)
{
	int r = wring_run_prepare(&a->args, &a->arm.place, &a->arm.scenarios);

	a->arm.name = a->name;
	a->arm.options = a->args.o;
	a->arm.options.append = a->args.append;
	if (r) {
		*err = a->args.err;
		wring_err_prefix(err, "arm %s", a->name);
	}
	return r;
}

char *wring_arm_text(const struct wring_arm_args *a)
{
	const struct wring_run_options *o = &a->arm.options;
	const struct wring_place *p = &a->arm.place;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	if (p->where == WRING_WHERE_VM)
		fprintf(f, "kernel=%s append=%s cpus=%u nodes=%u memory=%llu accel=%d\n", wring_kernel_sha256(p->kernel), o->append, o->cpus, o->nodes,
			(unsigned long long)o->memory_bytes, p->accel);
	for (size_t i = 0; i < a->arm.scenarios.n; i++)
		wring_scenario_print(a->arm.scenarios.rows[i], f);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

char *wring_arm_about(const struct wring_arm_args *a)
{
	const char *release = a->arm.place.kernel ? wring_kernel_release(a->arm.place.kernel) : "this host";

	return *a->text ? wring_strf("%s, %s", release, a->text) : strdup(release);
}

void wring_arm_done(struct wring_arm_args *a)
{
	wring_place_done(&a->arm.place);
	wring_scenarios_done(&a->arm.scenarios);
	free(a->text);
	free(a->copy);
}
