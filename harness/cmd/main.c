/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config.h"
#include "harness/base/util.h"
#include "harness/cmd/cmd.h"

static const struct wring_cmd *const commands[] = {
	&wring_cmd_run, &wring_cmd_ab, &wring_cmd_load, &wring_cmd_compare, &wring_cmd_check, &wring_cmd_list, &wring_cmd_show,
	&wring_cmd_report, &wring_cmd_trend, &wring_cmd_export, &wring_cmd_db, &wring_cmd_doctor, &wring_cmd_kconfig,
	&wring_cmd_manual,
};

int wring_complain(const struct wring_err *err, int code)
{
	struct wring_err one = *err;

	/* what came from the command line may hold anything; this stays one line */
	for (char *p = one.msg; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	fprintf(stderr, "wring: %s\n", one.msg);
	return code;
}

int wring_usage_error(const char *fmt, ...)
{
	struct wring_err err = { 0 };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err.msg, sizeof(err.msg), fmt, ap);
	va_end(ap);
	return wring_complain(&err, WRING_EXIT_USAGE);
}

/* Only this tells: /proc and root's permissions are not what access(2) says. */
static int try_to_create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (fd < 0)
		return -errno;
	close(fd);
	unlink(path);
	return 0;
}

int wring_can_write(const char *option, const char *path, struct wring_err *err)
{
	struct stat st;
	int r;

	if (!*path)
		r = -ENOENT;
	else if (!stat(path, &st))
		r = S_ISDIR(st.st_mode) ? -EISDIR : faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) ? -errno : 0;
	else
		r = try_to_create(path);
	return r ? wring_err_set(err, r, "%s=%s: %s: name a file that can be written", option, path, strerror(-r)) : 0;
}

const char *wring_db_path(const char *option)
{
	const char *env = getenv("WRING_DB");

	return option ? option : env && *env ? env : "wring.db";
}

static void help(FILE *out)
{
	fputs("Usage: wring COMMAND [ARGUMENT...]\n"
	      "Squeezes Linux memory reclaim until its faults show.\n\n", out);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(commands); i++)
		if (commands[i]->summary)
			fprintf(out, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\nwring COMMAND --help and man wring tell more. To begin with:\n"
	      "  wring doctor           what this machine can run\n"
	      "  wring run @smoke       run the short suite and judge the kernel\n"
	      "  wring list scenarios   what there is\n\n"
	      "Exit codes: 0 judged and fine, 1 an invariant failed or a regression was found, 2 usage error (nothing was run),\n"
	      "3 inconclusive, 4 could not be measured.\n", out);
}

/* A result that nobody could read is none: a full disk behind `wring list > FILE`. */
static int finish(int code)
{
	if (!fflush(stdout) && !ferror(stdout))
		return code;
	wring_usage_error("writing to standard output: %s", strerror(errno));
	return code == WRING_EXIT_OK || code == WRING_EXIT_INCONCLUSIVE ? WRING_EXIT_BROKEN : code;
}

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, ""); /* for tables; numbers stay as they are */
	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
		help(argc < 2 ? stderr : stdout);
		return argc < 2 ? WRING_EXIT_USAGE : WRING_EXIT_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		puts(PACKAGE_STRING);
		return WRING_EXIT_OK;
	}
	for (size_t i = 0; i < WRING_ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[1], commands[i]->name))
			return finish(commands[i]->run(argc - 1, argv + 1));
	return wring_usage_error("no command '%s': wring --help lists them", argv[1]);
}
