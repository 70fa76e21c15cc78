/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Loads: processes of wring-load. Counters live in a page a thread that the agent allocated. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness/agent/agent.h"
#include "harness/api/loadproto.h"
#include "harness/base/util.h"

enum state { NOT_STARTED, STARTING, READY, RUNNING, DONE, FAILED, GONE };

struct process {
	pid_t pid;
	int pidfd, socket;
	enum state state;
	int cgroup;                /* of its group, to see kills for memory */
	int64_t oom_kills;         /* there, when it started */
	bool killed;               /* a program that it ran was */
	uint64_t made_objects, made_bytes; /* by those that were in its place before */
};

struct wring_loadset {
	const struct wring_load *decl;
	struct wring_session *session;
	struct process *procs;
	size_t n, max;             /* started at the last start; room */
	size_t total;              /* ever started: names the directories */
	int page_fd;
	uint8_t *pages;
	int epoll;                 /* sockets (index * 2) and pidfds (index * 2 + 1) of the processes */
	int *held;                 /* descriptors given to us */
	size_t n_held, max_held;
	struct wring_load_view view;
	char error[700];
	bool unable, killed;       /* the error is that this machine cannot do it; a program was killed for memory */
};

/* Of a thread, or the first one of a process. */
static struct wring_load_page *page_at(const struct wring_loadset *l, size_t i)
{
	return (struct wring_load_page *)(l->pages + i * WRING_LOAD_PAGE);
}

static struct wring_load_page *page_of(const struct wring_loadset *l, const struct process *p)
{
	return page_at(l, (size_t)(p - l->procs) * l->decl->threads);
}

/* Objects or bytes, by all threads of a process and of those that were in its place before. */
static uint64_t made(const struct wring_loadset *l, const struct process *p, bool bytes)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < l->decl->threads; i++) {
		const struct wring_load_page *page = page_at(l, (size_t)(p - l->procs) * l->decl->threads + i);

		n += __atomic_load_n(bytes ? &page->made_bytes : &page->made_objects, __ATOMIC_RELAXED);
	}
	return n;
}

const struct wring_load_view *wring_load_view(const struct wring_session *s, size_t load)
{
	return &s->loads[load].view;
}

bool wring_load_killed(const struct wring_session *s, size_t load) { return s->loads && s->loads[load].killed; }
bool wring_load_unable(const struct wring_session *s, size_t load) { return s->loads && s->loads[load].unable; }

/* ---- set-up: everything the run needs is allocated and touched here ---- */

static int prepare(struct wring_session *s, struct wring_loadset *l, const struct wring_load *decl, struct wring_err *err)
{
	const struct wring_group *g = wring_scenario_group(s->scenario, decl->group);
	size_t bytes;

	l->decl = decl;
	l->session = s;
	l->max = decl->procs * (g ? g->count : 1);
	l->procs = calloc(l->max, sizeof(*l->procs));
	l->view.n = l->max * decl->threads;
	bytes = l->view.n * WRING_LOAD_PAGE;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->page_fd = memfd_create("wring-load", MFD_CLOEXEC);
	if (!l->procs || l->epoll < 0 || l->page_fd < 0 || ftruncate(l->page_fd, (off_t)bytes))
		return wring_err_set(err, -ENOMEM, "load %s: room for %zu processes", decl->name, l->max);
	l->pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, l->page_fd, 0);
	if (l->pages == MAP_FAILED) {
		l->pages = NULL;
		return wring_err_set(err, -errno, "load %s: mapping its counters: %s", decl->name, strerror(errno));
	}
	memset(l->pages, 0, bytes);
	l->view.pages = l->pages;
	return 0;
}

int wring_loads_new(struct wring_session *s, struct wring_err *err)
{
	int r = 0;

	s->loads = calloc(s->scenario->n_loads + 1, sizeof(*s->loads));
	if (!s->loads)
		return wring_err_set(err, -ENOMEM, "loads");
	for (size_t i = 0; i < s->scenario->n_loads; i++)
		s->loads[i].page_fd = s->loads[i].epoll = -1;
	for (size_t i = 0; i < s->scenario->n_loads && !r; i++)
		r = prepare(s, &s->loads[i], &s->scenario->loads[i], err);
	return r;
}

/* ---- starting ---- */

static int make_dir(struct wring_loadset *l, const char *mount, struct wring_err *err)
{
	_cleanup_free_ char *path = wring_strf("%s/%s-%zu", wring_scratch_dir(l->session, mount), l->decl->name, l->total);
	int fd;

	if (!path)
		return wring_err_set(err, -ENOMEM, "load %s", l->decl->name);
	if (mkdir(path, 0700) && errno != EEXIST)
		return wring_err_set(err, -errno, "load %s: mkdir of %s: %s", l->decl->name, path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? wring_err_set(err, -errno, "load %s: %s: %s", l->decl->name, path, strerror(errno)) : fd;
}

static int watch(const struct wring_loadset *l, int fd, uint64_t what)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = what };

	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e);
}

static int start_one(struct wring_loadset *l, const char *group, struct wring_err *err)
{
	struct wring_agent *a = l->session->agent;
	_cleanup_close_ int cg = wring_group_dirfd(a->tree, group), theirs = -1, dir = -1;
	struct process *p = &l->procs[l->n];
	int pair[2], keep[3], r;
	char **argv;

	if (cg < 0)
		return wring_err_set(err, cg, "load %s: cgroup %s: %s", l->decl->name, group, strerror(-cg));
	dir = make_dir(l, wring_setting_get(&l->decl->params, "on"), err);
	if (dir < 0)
		return dir;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return wring_err_set(err, -errno, "load %s: socketpair: %s", l->decl->name, strerror(errno));
	theirs = pair[1];
	keep[0] = l->page_fd;
	keep[1] = theirs;
	keep[2] = dir;
	*p = (struct process){ .pidfd = -1, .socket = pair[0], .state = STARTING, .cgroup = -1,
			       .made_objects = made(l, p, false), .made_bytes = made(l, p, true) };
	err->code = 0;
	/* One seed a start; the index makes it each thread's own. */
	argv = wring_spawn_argv(l->decl, l->n, a->seed + 1000003 * (l->total - l->n), keep, err);
	r = err->code ? err->code : wring_bind_nodes(a, l->decl, err);
	if (!r) {
		p->pid = wring_spawn(cg, a->load_program, argv, keep, &p->pidfd);
		if (p->pid < 0)
			r = wring_err_set(err, -errno, "load %s: clone3 into cgroup %s: %s", l->decl->name, group, strerror(errno));
	}
	wring_unbind_nodes(a, l->decl);
	wring_spawn_argv_free(argv);
	if (r) {
		close(pair[0]);
		return r;
	}
	p->oom_kills = wring_oom_kills(cg);
	p->cgroup = WRING_TAKE_FD(cg);
	l->n++;
	l->total++;
	if (watch(l, p->socket, 2 * (uint64_t)(p - l->procs)) || watch(l, p->pidfd, 2 * (uint64_t)(p - l->procs) + 1))
		return wring_err_set(err, -errno, "load %s: watching its processes: %s", l->decl->name, strerror(errno));
	return 0;
}

static int start_in(void *arg, const char *group, const char *subject, struct wring_err *err)
{
	struct wring_loadset *l = arg;
	int r = 0;

	(void)subject;
	for (uint64_t i = 0; i < l->decl->procs && !r; i++)
		r = start_one(l, group, err);
	return r;
}

/* ---- following ---- */

static void reap(struct wring_loadset *l, struct process *p)
{
	siginfo_t si = { 0 };

	if (p->pid <= 0 || waitid(P_PIDFD, (id_t)p->pidfd, &si, WEXITED | WNOHANG) || !si.si_pid)
		return;
	if (si.si_code == CLD_EXITED)
		wring_out_event(l->session->agent->out, "load", l->decl->name, "exit pid=%d code=%d", p->pid, si.si_status);
	else /* it cannot say any more how far it came */
		wring_out_event(l->session->agent->out, "load", l->decl->name, "exit pid=%d signal=%d made_objects=%llu made_bytes=%llu",
				p->pid, si.si_status, (unsigned long long)(made(l, p, false) - p->made_objects),
				(unsigned long long)(made(l, p, true) - p->made_bytes));
	if (si.si_code == CLD_EXITED && si.si_status == 127 && !*l->error)
		snprintf(l->error, sizeof(l->error), "load %s: %s could not be started", l->decl->name, l->session->agent->load_program);
	/* What it held went with it; the rest stays, and who is started in its place counts on from there. */
	for (uint64_t i = 0; i < l->decl->threads; i++) {
		struct wring_load_page *page = page_at(l, (size_t)(p - l->procs) * l->decl->threads + i);

		__atomic_store_n(&page->held_objects, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&page->held_bytes, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&page->dirty_bytes, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&page->inflight_bytes, 0, __ATOMIC_RELAXED);
	}
	close(p->pidfd);
	close(p->socket);
	close(p->cgroup);
	p->pidfd = p->socket = -1;
	p->pid = 0;
	p->state = GONE;
}

static int fd_of(struct msghdr *msg)
{
	struct cmsghdr *cm = CMSG_FIRSTHDR(msg);
	int fd = -1;

	if (cm && cm->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(cm), sizeof(fd));
	return fd;
}

static void take_fd(struct wring_loadset *l, int fd, bool is_truncated)
{
	if (fd >= 0 && l->n_held == l->max_held) {
		size_t max = l->max_held ? 2 * l->max_held : 4096;
		int *p = realloc(l->held, max * sizeof(*p));

		if (p) {
			l->held = p;
			l->max_held = max;
		}
	}
	if (fd >= 0 && l->n_held < l->max_held) {
		l->held[l->n_held++] = fd;
		return;
	}
	if (fd >= 0)
		close(fd);
	if (!*l->error)
		snprintf(l->error, sizeof(l->error), "load %s: descriptor number %zu that it gave away could not be kept: out of %s",
			 l->decl->name, l->n_held + 1, is_truncated ? "open files: raise the limit" : "memory");
}

static void take_output(struct wring_loadset *l, struct process *p, int fd, bool may_be_killed)
{
	p->killed = wring_output_take(l->session->agent->out, l->decl, p->pid, fd, wring_oom_kills(p->cgroup) - p->oom_kills);
	l->killed = l->killed || (p->killed && !may_be_killed);
}

/* False at the end of the stream, and when there is nothing. */
static bool hear(struct wring_loadset *l, struct process *p)
{
	char b, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &b, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(p->socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (!n) /* its death is told by the pidfd */
		epoll_ctl(l->epoll, EPOLL_CTL_DEL, p->socket, NULL);
	if (n <= 0)
		return n < 0 && errno == EINTR;
	if (b == 'r')
		p->state = READY;
	else if (b == 'd')
		p->state = DONE;
	else if (b == 'f')
		take_fd(l, fd_of(&msg), msg.msg_flags & MSG_CTRUNC);
	else if (b == 'o' || b == 'O')
		take_output(l, p, fd_of(&msg), b == 'O');
	else if ((b == 'e' || b == 'n') && p->killed)
		p->state = DONE; /* that is why it failed */
	else if (b == 'e' || b == 'n') {
		p->state = FAILED;
		l->unable = b == 'n';
		snprintf(l->error, sizeof(l->error), "load %s: %s", l->decl->name, page_of(l, p)->message);
	}
	return true;
}

static bool any_below(const struct wring_loadset *l, enum state wanted)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->procs[i].state < wanted)
			return true;
	return false;
}

/* Until every process has come to `wanted` or beyond. */
static int follow(struct wring_loadset *l, enum state wanted, int64_t deadline_ns)
{
	while (any_below(l, wanted)) {
		struct epoll_event events[64];
		int64_t left = deadline_ns - wring_now_ns();
		int n;

		if (left <= 0)
			return -ETIMEDOUT;
		n = epoll_wait(l->epoll, events, WRING_ARRAY_SIZE(events),
			       left / WRING_NSEC_PER_MSEC < 200 ? 1 + (int)(left / WRING_NSEC_PER_MSEC) : 200);
		for (int i = 0; i < n; i++) {
			struct process *p = &l->procs[events[i].data.u64 / 2];

			if (p->state == GONE)
				continue;
			/* What it said before it died counts: listen to the end first. */
			while (hear(l, p))
				;
			if (events[i].data.u64 & 1)
				reap(l, p);
		}
	}
	return 0;
}

static void tell(struct wring_loadset *l, char what, enum state next)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->procs[i].state != GONE && send(l->procs[i].socket, &what, 1, MSG_NOSIGNAL) == 1 && next)
			l->procs[i].state = next;
}

static void set_all(const struct wring_loadset *l, size_t at, uint32_t v)
{
	for (size_t i = 0; i < l->view.n; i++)
		__atomic_store_n((uint32_t *)(l->pages + i * WRING_LOAD_PAGE + at), v, __ATOMIC_RELAXED);
}

int wring_load_start(struct wring_session *s, size_t load, struct wring_err *err)
{
	struct wring_loadset *l = &s->loads[load];
	int r;

	if (l->n)
		wring_load_stop(s, load, wring_now_ns() + 10 * WRING_NSEC_PER_SEC);
	l->n = 0;
	set_all(l, offsetof(struct wring_load_page, stop), 0);
	r = wring_session_each_dir(s, l->decl->group, start_in, l, err);
	if (!r)
		wring_out_event(s->agent->out, "load", l->decl->name, "start procs=%zu", l->n);
	if (!r && follow(l, READY, wring_now_ns() + 60 * WRING_NSEC_PER_SEC))
		r = wring_err_set(err, -ETIMEDOUT, "load %s: not ready after 60 s", l->decl->name);
	if (!r && *l->error)
		r = wring_err_set(err, -EIO, "%s", l->error);
	if (!r)
		tell(l, 'g', RUNNING);
	return r;
}

int wring_load_wait(struct wring_session *s, size_t load, int64_t deadline_ns, struct wring_err *err)
{
	struct wring_loadset *l = &s->loads[load];
	int r = follow(l, DONE, deadline_ns);

	if (r)
		return wring_err_set(err, r, "load %s: not done in time", l->decl->name);
	return *l->error ? wring_err_set(err, -EIO, "%s", l->error) : 0;
}

/* An order that ends with the processes being done again, after `ns` if it is one to go on until told to hold. */
static int order(struct wring_session *s, size_t load, char what, int64_t ns, struct wring_err *err)
{
	struct wring_loadset *l = &s->loads[load];
	int64_t until = wring_now_ns() + ns;

	if (any_below(l, DONE))
		return wring_err_set(err, -EBUSY, "load %s: it has not finished filling: wait for it first", l->decl->name);
	set_all(l, offsetof(struct wring_load_page, hold), 0);
	tell(l, what, RUNNING);
	/* Deaths and errors are heard of meanwhile; nobody says done before the end was said. */
	if (ns)
		follow(l, DONE, until);
	set_all(l, offsetof(struct wring_load_page, hold), 1);
	if (follow(l, DONE, wring_now_ns() + (int64_t)s->scenario->timeout_ns))
		return wring_err_set(err, -ETIMEDOUT, "load %s: not done in time", l->decl->name);
	return *l->error ? wring_err_set(err, -EIO, "%s", l->error) : 0;
}

int wring_load_churn(struct wring_session *s, size_t load, int64_t ns, struct wring_err *err)
{
	return order(s, load, 'c', ns, err);
}

int wring_load_release(struct wring_session *s, size_t load, struct wring_err *err)
{
	return order(s, load, 'r', 0, err);
}

int wring_load_census(struct wring_session *s, size_t load, struct wring_err *err)
{
	const struct wring_loadset *l = &s->loads[load];
	size_t per_dir = l->decl->procs * l->decl->threads;
	int64_t t = wring_now_ns(), ns;
	uint64_t cached = 0, gone = 0;
	int r;

	for (size_t i = 0; i < l->view.n; i++)
		page_at(l, i)->cached_objects = page_at(l, i)->gone_objects = 0; /* of who is no more */
	r = order(s, load, 'n', 0, err);
	if (r)
		return r;
	ns = wring_now_ns() - t;
	for (size_t dir = 0; dir * per_dir < l->view.n; dir++) {
		uint64_t c = 0, g = 0;

		for (size_t i = dir * per_dir; i < (dir + 1) * per_dir; i++) {
			c += page_at(l, i)->cached_objects;
			g += page_at(l, i)->gone_objects;
		}
		if (per_dir < l->view.n)
			wring_out_event(s->agent->out, "census", l->decl->name, "group=%s%zu cached=%llu gone=%llu", l->decl->group, dir,
					(unsigned long long)c, (unsigned long long)g);
		cached += c;
		gone += g;
	}
	wring_out_event(s->agent->out, "census", l->decl->name, "cached=%llu gone=%llu ns=%lld", (unsigned long long)cached,
			(unsigned long long)gone, (long long)ns);
	wring_sampling_mark(s, "census");
	return 0;
}

/* Children of processes that were killed come to us (PR_SET_CHILD_SUBREAPER); as zombies they would keep their memory charged.
 * The loads' own processes are reaped where they are followed. */
static void reap_orphans(const struct wring_session *s)
{
	siginfo_t si = { 0 };

	while (!waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) && si.si_pid) {
		for (size_t i = 0; i < s->scenario->n_loads; i++)
			for (size_t k = 0; k < s->loads[i].n; k++)
				if (s->loads[i].procs[k].pid == si.si_pid)
					return;
		waitpid(si.si_pid, NULL, 0);
		si.si_pid = 0;
	}
}

void wring_load_stop(struct wring_session *s, size_t load, int64_t deadline_ns)
{
	struct wring_loadset *l = &s->loads[load];

	set_all(l, offsetof(struct wring_load_page, stop), 1);
	tell(l, 's', 0);
	if (follow(l, GONE, deadline_ns)) {
		for (size_t i = 0; i < l->n; i++)
			if (l->procs[i].pid > 0)
				kill(l->procs[i].pid, SIGKILL);
		follow(l, GONE, wring_now_ns() + 10 * WRING_NSEC_PER_SEC);
	}
	reap_orphans(s);
}

void wring_loads_free(struct wring_session *s)
{
	for (size_t i = 0; s->loads && i < s->scenario->n_loads; i++) {
		struct wring_loadset *l = &s->loads[i];

		wring_load_stop(s, i, wring_now_ns() + 5 * WRING_NSEC_PER_SEC);
		for (size_t k = 0; k < l->n_held; k++)
			close(l->held[k]);
		if (l->pages)
			munmap(l->pages, l->view.n * WRING_LOAD_PAGE);
		if (l->page_fd >= 0)
			close(l->page_fd);
		if (l->epoll >= 0)
			close(l->epoll);
		free(l->procs);
		free(l->held);
	}
	free(s->loads);
	s->loads = NULL;
}
