/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One session on this host: the agent as a child, its records over a socket. It ends by itself when we die; when it
 * dies, what it left is removed here. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "harness/agent/agent.h"
#include "harness/base/util.h"
#include "harness/run/run.h"

#define STOP_NS (60 * WRING_NSEC_PER_SEC)
#define SILENCE_NS (30 * WRING_NSEC_PER_SEC)
/* A process that SIGKILL does not end sleeps in the kernel: we go without it. */
#define KILLED_NS (15 * WRING_NSEC_PER_SEC)

struct child {
	pid_t pid;
	int pidfd, fd;
	bool told, stuck;
	int64_t told_ns;
};

static int plan_fd(const struct wring_recorder *r, size_t first, struct wring_err *err)
{
	size_t len;
	_cleanup_free_ char *plan = wring_plan_text(r->options, r->scenarios, first, &len);
	int fd = plan ? memfd_create("wring-plan", 0) : -1;

	if (fd < 0 || wring_write_all(fd, plan, len))
		return wring_err_set(err, -ENOMEM, "plan");
	return fd;
}

static int start(const struct wring_recorder *r, size_t first, struct child *c, struct wring_err *err)
{
	_cleanup_free_ char *agent = wring_program("wring-agent", err), *load = agent ? wring_program("wring-load", err) : NULL;
	_cleanup_free_ char *a1 = NULL, *a2 = NULL, *a3 = NULL;
	_cleanup_close_ int plan = -1;
	int pair[2];

	if (!load)
		return err->code;
	plan = plan_fd(r, first, err);
	if (plan < 0)
		return plan;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return wring_err_set(err, -errno, "socketpair: %s", strerror(errno));
	fcntl(pair[0], F_SETFD, FD_CLOEXEC);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	a1 = wring_strf("--plan-fd=%d", plan);
	a2 = wring_strf("--out-fd=%d", pair[1]);
	a3 = wring_strf("--load-program=%s", load);
	c->pid = a1 && a2 && a3 ? fork() : -1;
	if (!c->pid) {
		execl(agent, "wring-agent", a1, a2, a3, (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	c->fd = pair[0];
	if (c->pid < 0)
		return wring_err_set(err, -EAGAIN, "starting %s: %s", agent, strerror(errno));
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	return 0;
}

/* Why the agent went, for the run it left unfinished. */
static int write_down(struct wring_recorder *r, const struct child *c, int status, struct wring_err *err)
{
	char reason[700];

	if (r->done >= r->scenarios->n || r->enough)
		return 0;
	if (c->stuck) {
		snprintf(reason, sizeof(reason), "the kernel does not let go of wring-agent (pid %d)%s%s", c->pid, *r->stuck ? ": " : "", r->stuck);
		if (!*r->stuck)
			wring_recorder_note(r, "guest", "hang", reason);
	} else if (*r->error)
		snprintf(reason, sizeof(reason), "%s", r->error);
	else if (wring_interrupted)
		snprintf(reason, sizeof(reason), "interrupted by the user");
	else if (WIFSIGNALED(status))
		snprintf(reason, sizeof(reason), "wring-agent was killed by signal %d", WTERMSIG(status));
	else
		snprintf(reason, sizeof(reason), "wring-agent ended before its plan did (exit %d)", WEXITSTATUS(status));
	return wring_recorder_end(r, "broken", reason, err);
}

static void stop_agent(struct child *c)
{
	int64_t now = wring_now_ns();

	if (!c->told) {
		kill(c->pid, SIGTERM);
		c->told = true;
		c->told_ns = now;
	} else if (now - c->told_ns > STOP_NS) {
		kill(c->pid, SIGKILL);
	}
}

static int follow(struct wring_recorder *r, struct child *c, struct wring_err *err)
{
	struct pollfd fds[] = { { .fd = c->fd, .events = POLLIN }, { .fd = c->pidfd, .events = POLLIN } };
	const char *overdue;
	int x = 0;

	for (;;) {
		poll(fds, 2, 100);
		if (fds[0].revents) {
			int y = wring_recorder_read(r, c->fd, err);

			if (y == -EBADMSG)
				snprintf(r->error, sizeof(r->error), "%.*s", (int)sizeof(r->error) - 1, err->msg);
			else if (y < 0 && !x)
				x = y;
			if (y > 0 || y == -EBADMSG)
				fds[0].fd = -1;
		} else if (fds[1].revents) {
			return x;
		}
		c->stuck = c->told && wring_now_ns() - c->told_ns > STOP_NS + KILLED_NS;
		if (c->stuck)
			return x;
		if (!x)
			x = wring_recorder_tick(r, err);
		/* A stream that cannot be stored is no reason to leave a loaded host behind: the agent tidies up first. */
		overdue = wring_recorder_overdue(r);
		if (overdue && !*r->error)
			snprintf(r->error, sizeof(r->error), "%s", overdue);
		if (x || c->told || overdue || fds[0].fd < 0 || *r->stuck || wring_interrupted || wring_recorder_now(r) - r->last_record_ns > SILENCE_NS)
			stop_agent(c);
	}
}

int wring_boot_host(struct wring_recorder *r, size_t first, struct wring_err *err)
{
	struct child c = { .fd = -1, .pidfd = -1 };
	_cleanup_free_ char *uuid = NULL;
	struct wring_base base = { 0 };
	char started[40];
	int x, status = 0;

	if (wring_read_line(AT_FDCWD, "/proc/sys/kernel/random/uuid", &uuid))
		return wring_err_set(err, -EIO, "no uuid from /proc/sys/kernel/random/uuid");
	x = wring_recorder_boot(r, &(struct wring_boot_meta){ .uuid = uuid, .where = "host",
			.started = wring_rfc3339(wring_realtime_ns(), started, sizeof(started)),
			.append = "", .kernel_sha256 = "", .accel = "", .vm = "" }, first, err);
	/* Before the agent moves us to a cgroup of its own. */
	wring_base_find(&base, NULL);
	/* The recorder is outside the stressed cgroup; exempt it from the global OOM killer too, where we may. */
	wring_write_file(AT_FDCWD, "/proc/self/oom_score_adj", "-1000");
	if (mlockall(MCL_CURRENT))
		wring_progress_line(r->progress, "the recorder is not locked in memory: %s", strerror(errno));
	if (!x)
		x = start(r, first, &c, err);
	if (!x)
		x = follow(r, &c, err);
	if (c.pid > 0)
		waitpid(c.pid, &status, c.stuck ? WNOHANG : 0);
	if (c.fd >= 0)
		close(c.fd);
	if (c.pidfd >= 0)
		close(c.pidfd);
	munlockall();
	if (base.path) {
		wring_base_sweep(&base);
		wring_sysctl_repair();
		wring_workdir_sweep();
	}
	wring_base_done(&base);
	return x ? x : write_down(r, &c, status, err);
}
