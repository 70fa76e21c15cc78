/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Child programs: found, started with only the descriptors they need, and never outliving this process. */
#pragma once
#include <stddef.h>
#include <sys/types.h>
#include "harness/base/err.h"

/* Full path of a program: PATH, then the sbin folders an ordinary user's PATH lacks. -ENOENT when there is none;
 * the message then names `package` (may be NULL). The caller frees *ret. */
int wring_child_find(const char *name, const char *package, char **ret, struct wring_err *err);

/* Starts argv[0] (a path) in a session of its own, stdin on /dev/null, stdout and stderr on out_fd, `keep` open under
 * their numbers and nothing else. It gets SIGKILL when the calling *thread* ends. Returns the pid or -errno. */
pid_t wring_child_start(char *const *argv, const int *keep, size_t n_keep, int out_fd);

/* Runs argv to its end. Returns its exit status (0..255), -EINTR when a signal killed it, or another -errno.
 * What it printed goes to *ret_output (may be NULL), which the caller frees. */
int wring_child_run(char *const *argv, const int *keep, size_t n_keep, char **ret_output);

/* The last line of a program's output that is not blank, without its newline; "" when there is none. */
const char *wring_child_last_line(const char *output, char *buf, size_t size);
