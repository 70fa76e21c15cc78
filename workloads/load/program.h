/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running somebody else's program as a load: inside the cgroup, in the load's directory, with what it prints kept apart. */
#pragma once
#include "harness/api/workload.h"

struct wring_program {
	int output, log, input;  /* memfds: the file of results, stdout and stderr, stdin (-1: empty) */
	char path[40];           /* of the file of results, for the program's command line */
	char last[300];          /* of its messages, once it has ended */
	bool may_be_killed;      /* being killed for memory is what the scenario is about */
};
/* input: text for its stdin, or NULL. */
int wring_program_open(struct wring_program *p, const char *input, struct wring_err *err);
/* Runs it to its end, or ends it when the harness says stop; hands its results to the harness. argv[0] is looked for in PATH.
 * Returns its exit status (128 + N when signal N killed it; 0 when it was asked to end), or -errno with err set. */
int wring_program_run(struct wring_wctx *c, struct wring_program *p, char *const argv[], struct wring_err *err);
/* Did its messages say so? */
bool wring_program_said(const struct wring_program *p, const char *words);
void wring_program_close(struct wring_program *p);
