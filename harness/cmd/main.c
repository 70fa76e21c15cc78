/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "harness/base/util.h"
#include "harness/cmd/cmd.h"

static const struct wring_cmd *const commands[] = {
	&wring_cmd_run, &wring_cmd_ab, &wring_cmd_load, &wring_cmd_compare, &wring_cmd_check, &wring_cmd_list, &wring_cmd_show,
	&wring_cmd_report, &wring_cmd_trend, &wring_cmd_export, &wring_cmd_db, &wring_cmd_doctor, &wring_cmd_kconfig,
	&wring_cmd_manual,
};

static bool has_complained;

int wring_complain(const struct wring_err *err, int code)
{
	struct wring_err one = *err;

	has_complained = true;
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

int wring_spoilt(int code)
{
	return code == WRING_EXIT_FAIL || code == WRING_EXIT_USAGE ? code : WRING_EXIT_BROKEN;
}

int wring_finish(int code)
{
	if (!fflush(stdout) && !ferror(stdout))
		return code;
	if (!has_complained)
		wring_usage_error("writing to standard output: %s", strerror(errno));
	return wring_spoilt(code);
}

/* As whoever started us may have left it: nothing we open may become our output, and we must be told how our children ended. A file that
 * may not grow (ulimit -f) is an error like a full disk. */
static void settle_in(void)
{
	int fd = open("/dev/null", O_RDONLY);

	while (fd >= 0 && fd <= STDERR_FILENO) /* what is written to it fails, and that is told */
		fd = open("/dev/null", O_RDONLY);
	if (fd >= 0)
		close(fd);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGXFSZ, SIG_IGN);
}

int main(int argc, char **argv)
{
	settle_in();
	setlocale(LC_CTYPE, ""); /* for tables; numbers stay as they are */
	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
		help(argc < 2 ? stderr : stdout);
		return wring_finish(argc < 2 ? WRING_EXIT_USAGE : WRING_EXIT_OK);
	}
	if (!strcmp(argv[1], "--version")) {
		puts(PACKAGE_STRING);
		return wring_finish(WRING_EXIT_OK);
	}
	for (size_t i = 0; i < WRING_ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[1], commands[i]->name))
			return wring_finish(commands[i]->run(argc - 1, argv + 1));
	return wring_usage_error("no command '%s': wring --help lists them", argv[1]);
}
