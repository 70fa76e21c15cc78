/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The commands. The only layer that prints errors and decides exit codes. */
#pragma once
#include "harness/api/outcome.h"
#include "harness/base/err.h"

struct wring_cmd {
	const char *name, *args, *summary;
	int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns the exit code */
};
extern const struct wring_cmd wring_cmd_run, wring_cmd_check, wring_cmd_list, wring_cmd_show, wring_cmd_export, wring_cmd_doctor,
	wring_cmd_kconfig;

/* Prints "wring: MESSAGE" and returns the code. */
int wring_complain(const struct wring_err *err, int code);
int wring_usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* --db, $WRING_DB, ./wring.db */
const char *wring_db_path(const char *option);
