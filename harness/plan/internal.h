/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shared by the files that read a scenario; nobody else includes it. */
#pragma once
#include "harness/plan/ini.h"
#include "harness/plan/plan.h"

/* A scenario being read. */
struct plan_ctx {
	struct wring_scenario *s;
	struct wring_err *err;
	const struct wring_ini_section *section; /* for messages, may be NULL */
};

/* "FILE:LINE: [SECTION] WHAT: value 'VALUE': accepted: ...", and -EINVAL. */
int wring_plan_bad(const struct plan_ctx *c, int line, const char *what, const char *value,
		   const char *accepted, ...) __attribute__((format(printf, 5, 6)));
int wring_plan_no_memory(const struct plan_ctx *c);

/* Appends " WORD" or "WORD" to a list for a message; what does not fit is left out. */
struct plan_names { char text[400]; };
void wring_plan_name(struct plan_names *n, const char *word);

/* Puts [params] into the scenario, changed by set, and replaces ${name} in all values of ini. */
int wring_plan_params(struct plan_ctx *c, struct wring_ini *ini, const struct wring_setting *set,
		      size_t n_set);

/* One line of a phase. */
int wring_plan_step(struct plan_ctx *c, const struct wring_ini_line *l, struct wring_step *ret);
/* What no single line shows: references between sections. */
int wring_plan_check(struct plan_ctx *c);

int wring_settings_add(struct wring_settings *s, const char *key, const char *value, int line);
bool wring_plan_is_name(const char *s);       /* [A-Za-z0-9_][A-Za-z0-9._-]*, at most 64 bytes */
bool wring_plan_is_path(const char *s);       /* names joined by '/' */
bool wring_plan_is_file(const char *s);       /* a cgroup file: a name with a dot */
