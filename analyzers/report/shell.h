/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Workloads as a plain shell would do them, for the reproducer. */
#pragma once
#include <stdio.h>
#include "harness/plan/plan.h"

/* The body of a shell function that makes what the load makes, in the folder $1, and returns once it is filled; what it holds it
 * holds while the shell lives, processes as $kids. A workload that no shell can imitate becomes the nearest stressor of stress-ng. */
void wring_shell_load(const struct wring_load *l, FILE *out);
/* Then a line of the script that says so when it runs. */
void wring_shell_note(const struct wring_load *l, FILE *out);
