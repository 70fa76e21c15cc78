/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wring-load: runs one workload in one process of one or more threads. Lean on purpose: static, no library but libc, so that its own
 * footprint stays out of the figures of the cgroup it starts in. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "harness/base/units.h"
#include "harness/base/util.h"
#include "workloads/load/context.h"

/* Of a thread. Only what is touched is charged. */
#define STACK_BYTES (256 * 1024)

/* What the program was started with. */
struct start {
	const struct wring_workload *workload;
	int page_fd, socket_fd, dir_fd;
	uint64_t index, threads, seed;
	char **params; /* key=value..., up to a NULL */
};

static void tell(const struct wring_team *t, char what)
{
	/* An agent that is gone is heard of by the next read. */
	if (send(t->socket_fd, &what, 1, MSG_NOSIGNAL) != 1)
		return;
}

/* Waits for one byte from the agent; its death (end of file) means stop. */
static char listen_for(const struct wring_team *t, const char *wanted)
{
	char b;
	ssize_t n;

	do
		n = read(t->socket_fd, &b, 1);
	while ((n < 0 && errno == EINTR) || (n == 1 && !strchr(wanted, b)));
	return n == 1 ? b : 's';
}

/* Every thread comes here: the agent is told once all have, and all get its answer. */
static char report(struct wring_wctx *c, char what, const char *wanted)
{
	struct wring_team *t = c->team;
	unsigned round;

	pthread_mutex_lock(&t->lock);
	round = t->round;
	if (++t->arrived == t->n) {
		tell(t, what);
		t->order = listen_for(t, wanted);
		t->arrived = 0;
		t->round++;
		pthread_cond_broadcast(&t->change);
	}
	while (round == t->round)
		pthread_cond_wait(&t->change, &t->lock);
	pthread_mutex_unlock(&t->lock);
	return t->order; /* stays until all have come to the next barrier */
}

/* One thread that fails ends the process. The lock stays taken: what others have to complain of is not heard any more. */
static int complain(struct wring_wctx *c, const struct wring_err *err)
{
	struct wring_team *t = c->team;

	pthread_mutex_lock(&t->lock);
	snprintf(t->first->message, sizeof(t->first->message), "%s", err->msg);
	tell(t, err->code == -EOPNOTSUPP ? 'n' : 'e');
	return 1;
}

/* Fill, then whatever the harness asks for, until it says stop. */
static int run_objects(struct wring_wctx *c, struct wring_err *err)
{
	int r = wring_objects_fill(c, err);
	char order;

	while (!r) {
		order = report(c, 'd', "scrn");
		if (order == 's')
			break;
		if (order == 'c')
			r = wring_objects_churn(c, err);
		else if (order == 'n')
			r = wring_objects_census(c, err);
		else
			wring_objects_release(c);
	}
	wring_objects_release(c);
	return r;
}

static int run_alone(struct wring_wctx *c, struct wring_err *err)
{
	int r = c->workload->run(c, err);

	while (!r && report(c, 'd', "sn") == 'n')
		r = wring_objects_census(c, err);
	return r;
}

static int run(struct wring_wctx *c)
{
	const struct wring_workload *w = c->workload;
	struct wring_err err = { 0 };
	int r = w->setup ? w->setup(c, &err) : 0;

	if (r)
		return complain(c, &err);
	if (report(c, 'r', "gs") == 'g')
		r = w->make ? run_objects(c, &err) : run_alone(c, &err);
	if (w->teardown)
		w->teardown(c);
	return r ? complain(c, &err) : 0;
}

static void *run_thread(void *arg)
{
	if (run(arg))
		_exit(1);
	return NULL;
}

static int parse_own(struct start *s, int argc, char **argv, struct wring_err *err)
{
	static const struct option options[] = {
		{ "page-fd", required_argument, NULL, 'p' }, { "socket-fd", required_argument, NULL, 's' },
		{ "dir-fd", required_argument, NULL, 'd' },  { "index", required_argument, NULL, 'i' },
		{ "threads", required_argument, NULL, 't' }, { "seed", required_argument, NULL, 'S' },
		{ 0 },
	};
	uint64_t v;
	int o, r;

	while ((o = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (o == '?')
			return wring_err_set(err, -EINVAL, "unknown option; this program is started by wring-agent");
		r = wring_parse_u64(optarg, o == 't', o == 'S' ? INT64_MAX : INT32_MAX, &v, err);
		if (r)
			return r;
		switch (o) {
		case 'p': s->page_fd = (int)v; break;
		case 's': s->socket_fd = (int)v; break;
		case 'd': s->dir_fd = (int)v; break;
		case 'i': s->index = v; break;
		case 't': s->threads = v; break;
		case 'S': s->seed = v; break;
		}
	}
	if (s->page_fd < 0)
		return wring_err_set(err, -EINVAL, "this program is started by wring-agent");
	if (optind >= argc || !(s->workload = wring_workload_find(argv[optind])))
		return wring_err_set(err, -ENOENT, "no workload '%s'", optind < argc ? argv[optind] : "");
	s->params = argv + optind + 1;
	return 0;
}

static int set_param(struct wring_wctx *c, const char *name, const char *value, struct wring_err *err)
{
	for (const struct wring_param *p = wring_object_params; c->workload->make && p->name; p++)
		if (!strcmp(p->name, name))
			return wring_params_set(wring_object_params, &c->objects, name, value, err);
	return wring_params_set(c->workload->params, c->data, name, value, err);
}

static int set_params(struct wring_wctx *c, char **params, struct wring_err *err)
{
	int r = wring_params_default(c->workload->params, c->data, err);

	if (!r && c->workload->make)
		r = wring_params_default(wring_object_params, &c->objects, err);
	for (; *params && !r; params++) {
		char *eq = strchr(*params, '=');

		if (!eq)
			return wring_err_set(err, -EINVAL, "'%s' is not key=value", *params);
		*eq = '\0';
		r = set_param(c, *params, eq + 1, err);
		*eq = '='; /* the next thread reads it too */
	}
	return r;
}

/* Threads that share a directory would meet in it. */
static int own_dir(const struct start *s, uint64_t thread, struct wring_err *err)
{
	char name[24];
	int fd;

	if (s->threads == 1)
		return s->dir_fd;
	snprintf(name, sizeof(name), "t%llu", (unsigned long long)thread);
	fd = mkdirat(s->dir_fd, name, 0700) ? -1 : openat(s->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? wring_err_set(err, -errno, "directory of thread %s: %s", name, strerror(errno)) : fd;
}

static int prepare(struct wring_wctx *c, const struct start *s, uint64_t thread, char *pages, struct wring_err *err)
{
	c->workload = s->workload;
	c->page = (struct wring_load_page *)(pages + thread * WRING_LOAD_PAGE);
	c->index = s->index + thread;
	c->seed = s->seed;
	c->data = calloc(1, s->workload->size + 1);
	if (!c->data)
		return wring_err_set(err, -ENOMEM, "workload %s", s->workload->name);
	c->dir_fd = own_dir(s, thread, err);
	return c->dir_fd < 0 ? c->dir_fd : set_params(c, s->params, err);
}

static int start_threads(struct wring_wctx *all, uint64_t n, pthread_t *ids, struct wring_err *err)
{
	pthread_attr_t attr;
	int r = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (uint64_t i = 1; i < n && !r; i++)
		r = pthread_create(&ids[i], &attr, run_thread, &all[i]);
	pthread_attr_destroy(&attr);
	return r ? wring_err_set(err, -r, "starting %llu threads: %s", (unsigned long long)n, strerror(r)) : 0;
}

/* The first thread is the process's own: with one thread there is no other, and the kernel sees none. */
static int run_all(const struct start *s, struct wring_team *team, char *pages)
{
	struct wring_wctx *all = calloc(s->threads, sizeof(*all));
	pthread_t *ids = calloc(s->threads, sizeof(*ids));
	struct wring_err err = { 0 };
	int r = 0;

	if (!all || !ids)
		return 1;
	for (uint64_t i = 0; i < s->threads && !r; i++) {
		all[i].team = team;
		r = prepare(&all[i], s, i, pages, &err);
	}
	if (!r)
		r = start_threads(all, s->threads, ids, &err);
	r = r ? complain(all, &err) : run(all);
	for (uint64_t i = 1; i < s->threads && !r; i++)
		pthread_join(ids[i], NULL);
	for (uint64_t i = 0; i < s->threads && !r; i++) {
		wring_params_done(s->workload->params, all[i].data);
		free(all[i].data);
	}
	free(ids);
	if (!r)
		free(all); /* else somebody may still be using it */
	return r;
}

int main(int argc, char **argv)
{
	struct start s = { .page_fd = -1, .socket_fd = -1, .dir_fd = -1, .threads = 1 };
	struct wring_team team = { .lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER };
	struct wring_err err = { 0 };
	int r = parse_own(&s, argc, argv, &err);
	char *pages = NULL;

	if (!r) {
		pages = mmap(NULL, s.threads * WRING_LOAD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, s.page_fd,
			     (off_t)s.index * WRING_LOAD_PAGE);
		if (pages == MAP_FAILED)
			r = wring_err_set(&err, -errno, "mapping the counters: %s", strerror(errno));
	}
	if (r) {
		fprintf(stderr, "wring-load: %s\n", err.msg);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	team.socket_fd = s.socket_fd;
	team.n = (unsigned)s.threads;
	team.first = (struct wring_load_page *)pages;
	return run_all(&s, &team, pages);
}
