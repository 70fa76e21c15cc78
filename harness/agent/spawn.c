/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Starting wring-load: each process is a fresh image started inside its cgroup with clone3(CLONE_INTO_CGROUP), so that
 * everything it touches is charged where it belongs. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "harness/agent/agent.h"
#include "harness/base/util.h"

#define SOFT_FILES 1024 /* open files of a program that does not ask for more */

static pid_t clone_into(int cgroup_fd, int *ret_pidfd)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)cgroup_fd,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* In the child, until exec: only system calls. */
static void child(const char *program, char *const argv[], const int keep[3])
{
	static const char zero[] = "0";
	struct rlimit files;
	sigset_t none;
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	/* The agent is exempt from the OOM killer; what it starts must not be. Who has no right to lower it (a user's session
	 * on systemd starts at 200) has none to be exempt either. */
	if (fd >= 0 && write(fd, zero, 1) != 1 && errno != EACCES)
		_exit(126);
	/* Our own soft limit is raised; a program starts with the usual one. */
	if (!getrlimit(RLIMIT_NOFILE, &files) && files.rlim_cur > SOFT_FILES) {
		files.rlim_cur = SOFT_FILES;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* who churns does not listen to its socket */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	for (int i = 0; i < 3; i++)
		fcntl(keep[i], F_SETFD, 0);
	execv(program, argv);
	_exit(127);
}

pid_t wring_spawn(int cgroup_fd, const char *program, char *const argv[], const int keep[3], int *ret_pidfd)
{
	pid_t pid = clone_into(cgroup_fd, ret_pidfd);

	if (!pid)
		child(program, argv, keep);
	return pid;
}

char **wring_spawn_argv(const struct wring_load *l, size_t index, uint64_t seed, const int keep[3], struct wring_err *err)
{
	const struct wring_settings *params = &l->params;
	char **argv = calloc(params->n + 9, sizeof(*argv));
	size_t n = 0;

	if (!argv)
		goto nomem;
	argv[n++] = strdup("wring-load");
	argv[n++] = wring_strf("--page-fd=%d", keep[0]);
	argv[n++] = wring_strf("--socket-fd=%d", keep[1]);
	argv[n++] = wring_strf("--dir-fd=%d", keep[2]);
	argv[n++] = wring_strf("--index=%llu", (unsigned long long)(index * l->threads));
	argv[n++] = wring_strf("--threads=%llu", (unsigned long long)l->threads);
	argv[n++] = wring_strf("--seed=%llu", (unsigned long long)seed);
	argv[n++] = strdup(l->workload);
	for (size_t i = 0; i < params->n; i++)
		if (strcmp(params->rows[i].key, "on"))
			argv[n++] = wring_strf("%s=%s", params->rows[i].key, params->rows[i].value);
	for (size_t i = 0; i < n; i++)
		if (!argv[i])
			goto nomem;
	return argv;
nomem:
	wring_err_set(err, -ENOMEM, "load %s: its arguments", l->name);
	return argv;
}

void wring_spawn_argv_free(char **argv)
{
	for (size_t i = 0; argv && argv[i]; i++)
		free(argv[i]);
	free(argv);
}
