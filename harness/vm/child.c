/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/child.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "harness/base/util.h"

static char *in_folders(const char *folders, const char *name)
{
	for (const char *p = folders; p; ) {
		size_t n = strcspn(p, ":");
		char *path = wring_strf("%.*s/%s", (int)n, p, name);

		if (path && n && !access(path, X_OK))
			return path;
		free(path);
		p = p[n] ? p + n + 1 : NULL;
	}
	return NULL;
}

int wring_child_find(const char *name, const char *package, char **ret, struct wring_err *err)
{
	char *path = in_folders(getenv("PATH"), name);

	if (!path) /* a user's PATH lacks the programs of root */
		path = in_folders(getenv("PATH") ? "/usr/sbin:/sbin" : "/usr/sbin:/sbin:/usr/bin:/bin", name);
	if (!path && package)
		return wring_err_set(err, -ENOENT, "%s not found: apt-get install %s", name, package);
	if (!path)
		return wring_err_set(err, -ENOENT, "%s not found", name);
	*ret = path;
	return 0;
}

/* Between fork and exec: async-signal-safe calls only, because another thread may have held any lock. */
static void become(char *const *argv, const int *keep, size_t n_keep, int out_fd, pid_t parent, const sigset_t *mask)
{
	int null;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it died before the line above */
		_exit(126);
	setsid(); /* Ctrl-C belongs to the recorder, which ends the child in its own time */
	null = open("/dev/null", O_RDONLY);
	if (null < 0 || dup2(null, 0) < 0 || dup2(out_fd, 1) < 0 || dup2(out_fd, 2) < 0)
		_exit(126);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	for (size_t i = 0; i < n_keep; i++)
		fcntl(keep[i], F_SETFD, 0);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execv(argv[0], argv);
	_exit(127);
}

pid_t wring_child_start(char *const *argv, const int *keep, size_t n_keep, int out_fd)
{
	pid_t parent = getpid(), pid;
	sigset_t all, old, none;

	/* No handler of the parent's may run in the child. */
	sigfillset(&all);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (!pid)
		become(argv, keep, n_keep, out_fd, parent, &none);
	if (pid < 0)
		pid = -errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

static int read_back(int fd, char **ret)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return wring_read_file(AT_FDCWD, path, ret, NULL);
}

int wring_child_run(char *const *argv, const int *keep, size_t n_keep, char **ret_output)
{
	_cleanup_close_ int out = memfd_create("output", MFD_CLOEXEC);
	int status, r;
	pid_t pid;

	if (ret_output)
		*ret_output = NULL;
	if (out < 0)
		return -errno;
	/* Appending keeps stdout and stderr in order although each writes on its own. */
	fcntl(out, F_SETFL, O_APPEND);
	pid = wring_child_start(argv, keep, n_keep, out);
	if (pid < 0)
		return pid;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (ret_output) {
		r = read_back(out, ret_output);
		if (r)
			return r;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

const char *wring_child_last_line(const char *output, char *buf, size_t size)
{
	const char *end = output + strlen(output), *p;

	while (end > output && isspace((unsigned char)end[-1]))
		end--;
	for (p = end; p > output && p[-1] != '\n'; )
		p--;
	snprintf(buf, size, "%.*s", (int)(end - p), p);
	return buf;
}
