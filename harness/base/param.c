/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/param.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/units.h"

union value {
	uint64_t u64;
	int64_t ns;
	bool b;
	unsigned choice;
	const char *str;
};

static int choice_index(const char *choices, const char *value, unsigned *ret)
{
	size_t len = strlen(value);
	unsigned i = 0;

	for (const char *p = choices; p; i++) {
		size_t n = strcspn(p, "|");

		if (n == len && !strncmp(p, value, n)) {
			*ret = i;
			return 0;
		}
		p = p[n] ? p + n + 1 : NULL;
	}
	return -EINVAL;
}

static int parse_number(const struct wring_param *p, const char *text, union value *v, struct wring_err *err)
{
	switch (p->type) {
	case WRING_SIZE:
		return wring_parse_size(text, &v->u64, err);
	case WRING_DURATION:
		return wring_parse_duration(text, &v->ns, err);
	default:
		return wring_parse_u64(text, 0, INT64_MAX, &v->u64, err);
	}
}

static int check_bound(const struct wring_param *p, const char *text, const union value *v, struct wring_err *err)
{
	union value lo = { 0 }, hi = { .u64 = INT64_MAX };

	if (p->min)
		parse_number(p, p->min, &lo, NULL);
	if (p->max)
		parse_number(p, p->max, &hi, NULL);
	if (v->u64 < lo.u64 || v->u64 > hi.u64)
		return wring_err_set(err, -ERANGE, "%s is out of range (%s to %s)", text,
				     p->min ? p->min : "0", p->max ? p->max : "no limit");
	return 0;
}

static int parse(const struct wring_param *p, const char *text, union value *v, struct wring_err *err)
{
	int r;

	switch (p->type) {
	case WRING_BOOL:
		return wring_parse_bool(text, &v->b, err);
	case WRING_ENUM:
		r = choice_index(p->choices, text, &v->choice);
		return r ? wring_err_set(err, r, "'%s' is none of %s", text, p->choices) : 0;
	case WRING_STRING:
		v->str = text;
		return 0;
	default:
		r = parse_number(p, text, v, err);
		return r ? r : check_bound(p, text, v, err);
	}
}

static int store(const struct wring_param *p, void *owner, const union value *v)
{
	void *at = (char *)owner + p->offset;
	char *copy;

	switch (p->type) {
	case WRING_BOOL:
		*(bool *)at = v->b;
		return 0;
	case WRING_ENUM:
		*(unsigned *)at = v->choice;
		return 0;
	case WRING_STRING:
		copy = strdup(v->str);
		if (!copy)
			return -ENOMEM;
		free(*(char **)at);
		*(char **)at = copy;
		return 0;
	default:
		*(uint64_t *)at = v->u64;
		return 0;
	}
}

static const struct wring_param *find(const struct wring_param *table, const char *name, struct wring_err *err)
{
	const struct wring_param *p;
	char known[400] = "";

	for (p = table; p && p->name; p++) {
		if (!strcmp(p->name, name))
			return p;
		snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", *known ? ", " : "", p->name);
	}
	wring_err_set(err, -ENOENT, "unknown option '%s' (accepted: %s)", name, *known ? known : "none");
	return NULL;
}

static int set_row(const struct wring_param *p, void *owner, const char *text, struct wring_err *err)
{
	union value v;
	int r = parse(p, text, &v, err);

	if (r)
		return wring_err_prefix(err, "%s", p->name), r;
	r = owner ? store(p, owner, &v) : 0;
	return r ? wring_err_set(err, r, "%s: out of memory", p->name) : 0;
}

int wring_params_default(const struct wring_param *table, void *owner, struct wring_err *err)
{
	for (const struct wring_param *p = table; p && p->name; p++) {
		int r = p->def ? set_row(p, owner, p->def, err) : 0;

		if (r)
			return r;
	}
	return 0;
}

int wring_params_set(const struct wring_param *table, void *owner, const char *name, const char *value,
		     struct wring_err *err)
{
	const struct wring_param *p = find(table, name, err);

	return p ? set_row(p, owner, value, err) : -ENOENT;
}

int wring_params_check(const struct wring_param *table, const char *name, const char *value, struct wring_err *err)
{
	return wring_params_set(table, NULL, name, value, err);
}

void wring_params_done(const struct wring_param *table, void *owner)
{
	for (const struct wring_param *p = table; p && p->name; p++)
		if (p->type == WRING_STRING)
			free(*(char **)((char *)owner + p->offset));
}

void wring_params_help(const struct wring_param *table, FILE *out)
{
	for (const struct wring_param *p = table; p && p->name; p++) {
		char left[80];

		snprintf(left, sizeof(left), "%s=%s", p->name, p->def ? p->def : "");
		fprintf(out, "  %-26s %s", left, p->help);
		if (p->choices)
			fprintf(out, " (%s)", p->choices);
		else if (p->min || p->max)
			fprintf(out, " (%s to %s)", p->min ? p->min : "0", p->max ? p->max : "no limit");
		fputc('\n', out);
	}
}
