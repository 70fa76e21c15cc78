/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Option tables. One row is the parser, the --help line, the manual entry and the stored value. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "harness/base/err.h"

enum wring_param_type {
	WRING_U64,      /* uint64_t */
	WRING_SIZE,     /* uint64_t, bytes */
	WRING_DURATION, /* int64_t, ns */
	WRING_BOOL,     /* bool */
	WRING_ENUM,     /* unsigned: index into `choices` ("a|b|c") */
	WRING_STRING,   /* char *, on the heap */
};

struct wring_param {
	const char *name;
	enum wring_param_type type;
	size_t offset;           /* in the owner's struct */
	const char *def;         /* default, as text */
	const char *min, *max;   /* bounds as text, or NULL */
	const char *choices;     /* WRING_ENUM only */
	const char *help;
};

/* Tables end with a row whose name is NULL. */
int wring_params_default(const struct wring_param *table, void *owner, struct wring_err *err);
/* -ENOENT with the list of what is accepted when there is no such name. */
int wring_params_set(const struct wring_param *table, void *owner, const char *name,
		     const char *value, struct wring_err *err);
void wring_params_done(const struct wring_param *table, void *owner);
/* The same checks without an owner. */
int wring_params_check(const struct wring_param *table, const char *name, const char *value,
		       struct wring_err *err);
/* One line a row: name=default  help. */
void wring_params_help(const struct wring_param *table, FILE *out);
