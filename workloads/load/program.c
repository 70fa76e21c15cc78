/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "workloads/load/program.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/wait.h>

#include "harness/base/util.h"
#include "workloads/load/context.h"

#define MAX_OUTPUT (256 << 10)
/* After it was asked to end, and after it was killed. */
#define PATIENCE_NS (10 * WRING_NSEC_PER_SEC)

int wring_program_open(struct wring_program *p, const char *input, struct wring_err *err)
{
	p->output = memfd_create("output", MFD_CLOEXEC);
	p->log = memfd_create("log", MFD_CLOEXEC);
	p->input = input ? memfd_create("input", MFD_CLOEXEC) : -1;
	if (p->output < 0 || p->log < 0 || (input && p->input < 0))
		return wring_err_set(err, -errno, "room for the output of a program: %s", strerror(errno));
	if (input && (wring_write_all(p->input, input, strlen(input)) || lseek(p->input, 0, SEEK_SET)))
		return wring_err_set(err, -EIO, "the input of a program: %s", strerror(errno));
	/* By our own number: whatever descriptors the program closes, this path stays. */
	snprintf(p->path, sizeof(p->path), "/proc/%d/fd/%d", getpid(), p->output);
	return 0;
}

void wring_program_close(struct wring_program *p)
{
	wring_closep(&p->output);
	wring_closep(&p->log);
	wring_closep(&p->input);
}

/* Between fork and exec. */
static void become(const struct wring_wctx *c, const struct wring_program *p, char *const argv[], const sigset_t *mask)
{
	int in = p->input >= 0 ? p->input : open("/dev/null", O_RDONLY);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (in < 0 || dup2(in, 0) < 0 || dup2(p->log, 1) < 0 || dup2(p->log, 2) < 0 || fchdir(c->dir_fd))
		_exit(126);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	dprintf(2, "%s cannot be started: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* Every child that ended, orphans of the program too: as zombies they would keep their memory charged. */
static bool reap(pid_t leader, int *status)
{
	bool ended = false;
	int s;

	for (pid_t pid; (pid = waitpid(-1, &s, WNOHANG)) > 0;)
		if (pid == leader) {
			ended = true;
			*status = s;
		}
	return ended;
}

static void tick(void)
{
	const struct timespec timeout = { .tv_nsec = 100 * WRING_NSEC_PER_MSEC };
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigtimedwait(&chld, NULL, &timeout);
}

static int follow(struct wring_wctx *c, pid_t leader)
{
	int64_t asked = 0;
	int status = 0;

	while (!reap(leader, &status)) {
		if (!asked && wring_should_stop(c)) {
			kill(leader, SIGINT); /* both programs then end in order and write their results */
			asked = wring_now_ns();
		} else if (asked && wring_now_ns() - asked > PATIENCE_NS) {
			kill(leader, SIGKILL);
		}
		tick();
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* A leader that was killed leaves workers behind, which come to us. */
static void kill_orphans(void)
{
	int64_t until = wring_now_ns() + PATIENCE_NS;

	while (wring_now_ns() < until) {
		_cleanup_free_ char *pids = NULL;
		char path[64];
		int status;

		reap(0, &status);
		snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
		if (wring_read_file(AT_FDCWD, path, &pids, NULL) || !*pids)
			return;
		for (char *p = pids, *end; strtol(p, &end, 10) > 0; p = end)
			kill((pid_t)strtol(p, NULL, 10), SIGKILL);
		tick();
	}
}

/* Up to three lines. */
static void last_lines(struct wring_program *p)
{
	char text[1024] = "", *line = text;
	off_t size = lseek(p->log, 0, SEEK_END);
	ssize_t n = pread(p->log, text, sizeof(text) - 1, size > (off_t)sizeof(text) - 1 ? size - (off_t)sizeof(text) + 1 : 0);

	while (n > 0 && isspace((unsigned char)text[n - 1]))
		text[--n] = '\0';
	for (int lines = 0; n > 0; n--)
		if (text[n - 1] == '\n') {
			if (++lines == 3) {
				line = text + n;
				break;
			}
			text[n - 1] = ';';
		}
	snprintf(p->last, sizeof(p->last), "%.*s", (int)sizeof(p->last) - 1, line);
}

bool wring_program_said(const struct wring_program *p, const char *words)
{
	off_t size = lseek(p->log, 0, SEEK_END);
	char *text = size > 0 ? mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, p->log, 0) : MAP_FAILED;
	bool said = text != MAP_FAILED && memmem(text, (size_t)size, words, strlen(words));

	if (text != MAP_FAILED)
		munmap(text, (size_t)size);
	return said;
}

/* The results behind a line that says whose they are, so that the harness hands on a file and understands nothing of it. */
static int hand_over(struct wring_wctx *c, const struct wring_program *p, const char *name, int status, struct wring_err *err)
{
	_cleanup_close_ int fd = memfd_create("results", MFD_CLOEXEC);
	off_t at = 0;
	int r;

	if (fd < 0)
		return wring_err_set(err, -errno, "the results of %s: %s", name, strerror(errno));
	dprintf(fd, "program=%s exit=%d\n", name, status);
	while (at < MAX_OUTPUT && sendfile(fd, p->output, &at, (size_t)(MAX_OUTPUT - at)) > 0)
		;
	r = wring_give(c, p->may_be_killed ? 'O' : 'o', fd);
	return r ? wring_err_set(err, r, "handing over the results of %s: %s", name, strerror(-r)) : 0;
}

int wring_program_run(struct wring_wctx *c, struct wring_program *p, char *const argv[], struct wring_err *err)
{
	sigset_t chld, mask;
	pid_t pid;
	int status, r;

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, &mask);
	pid = fork();
	if (!pid)
		become(c, p, argv, &mask);
	if (pid < 0)
		return wring_err_set(err, -errno, "starting %s: %s", argv[0], strerror(errno));
	status = follow(c, pid);
	kill_orphans();
	last_lines(p);
	r = hand_over(c, p, argv[0], status, err);
	return r ? r : wring_should_stop(c) ? 0 : status; /* fio calls it 128 when it was asked to end */
}
