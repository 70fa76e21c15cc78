/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of known findings; judge.h has what others use. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "results-schema/store.h"

struct wring_known;
struct wring_known_entry {
	char *name;                        /* of the section */
	char *scenario, *detector, *class; /* what it matches */
	char *kernel;                      /* pattern of releases, as in fnmatch(3); NULL: any */
	char *reason, *link;               /* link "" when there is none */
	bool is_met;                       /* a finding matched */
	bool has_run;                      /* its scenario ran to its end */
};
/* The entry for a finding, marked as met; NULL when it is not known. k may be NULL. */
const struct wring_known_entry *wring_known_match(struct wring_known *k, const struct wring_run_row *run,
						  const char *detector, const char *cls);
/* The scenario ran to its end: what was not met by now may be gone. */
void wring_known_ran(struct wring_known *k, const struct wring_run_row *run);
