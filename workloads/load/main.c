/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wring-load: runs one workload in one process. Lean on purpose: static, no library but libc, so that its own
 * footprint stays out of the figures of the cgroup it starts in. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "harness/base/units.h"
#include "harness/base/util.h"
#include "workloads/load/context.h"

static int tell(struct wring_wctx *c, char what)
{
	return send(c->socket_fd, &what, 1, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* Waits for one byte from the agent; its death (end of file) means stop. */
static char listen_for(struct wring_wctx *c, const char *wanted)
{
	char b;
	ssize_t n;

	do
		n = read(c->socket_fd, &b, 1);
	while ((n < 0 && errno == EINTR) || (n == 1 && !strchr(wanted, b)));
	return n == 1 ? b : 's';
}

static int complain(struct wring_wctx *c, const struct wring_err *err)
{
	snprintf(c->page->message, sizeof(c->page->message), "%s", err->msg);
	tell(c, 'e');
	return 1;
}

/* Fill, then whatever the harness asks for, until it says stop. */
static int run_objects(struct wring_wctx *c, struct wring_err *err)
{
	int r = wring_objects_fill(c, err);
	char order;

	while (!r) {
		tell(c, 'd');
		order = listen_for(c, "scr");
		if (order == 's')
			break;
		if (order == 'c')
			r = wring_objects_churn(c, err);
		else
			wring_objects_release(c);
	}
	wring_objects_release(c);
	return r;
}

static int run_alone(struct wring_wctx *c, struct wring_err *err)
{
	int r = c->workload->run(c, err);

	if (!r) {
		tell(c, 'd');
		listen_for(c, "s");
	}
	return r;
}

static int run(struct wring_wctx *c)
{
	const struct wring_workload *w = c->workload;
	struct wring_err err = { 0 };
	int r = w->setup ? w->setup(c, &err) : 0;

	if (r)
		return complain(c, &err);
	tell(c, 'r');
	if (listen_for(c, "gs") == 'g')
		r = w->make ? run_objects(c, &err) : run_alone(c, &err);
	if (w->teardown)
		w->teardown(c);
	return r ? complain(c, &err) : 0;
}

static int parse_own(struct wring_wctx *c, int argc, char **argv, struct wring_err *err)
{
	static const struct option options[] = {
		{ "page-fd", required_argument, NULL, 'p' }, { "socket-fd", required_argument, NULL, 's' },
		{ "dir-fd", required_argument, NULL, 'd' },  { "index", required_argument, NULL, 'i' },
		{ "seed", required_argument, NULL, 'S' },    { 0 },
	};
	uint64_t v;
	int o, r;

	while ((o = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (o == '?')
			return wring_err_set(err, -EINVAL, "unknown option; this program is started by wring-agent");
		r = wring_parse_u64(optarg, 0, o == 'S' ? INT64_MAX : 1 << 20, &v, err);
		if (r)
			return r;
		switch (o) {
		case 'p': c->page_fd = (int)v; break;
		case 's': c->socket_fd = (int)v; break;
		case 'd': c->dir_fd = (int)v; break;
		case 'i': c->index = v; break;
		case 'S': c->seed = v; break;
		}
	}
	return 0;
}

static int set_param(struct wring_wctx *c, const char *name, const char *value, struct wring_err *err)
{
	for (const struct wring_param *p = wring_object_params; c->workload->make && p->name; p++)
		if (!strcmp(p->name, name))
			return wring_params_set(wring_object_params, &c->objects, name, value, err);
	return wring_params_set(c->workload->params, c->data, name, value, err);
}

static int parse(struct wring_wctx *c, int argc, char **argv, struct wring_err *err)
{
	int r = parse_own(c, argc, argv, err);

	if (r)
		return r;
	if (optind >= argc || !(c->workload = wring_workload_find(argv[optind])))
		return wring_err_set(err, -ENOENT, "no workload '%s'", optind < argc ? argv[optind] : "");
	c->data = calloc(1, c->workload->size + 1);
	if (!c->data)
		return wring_err_set(err, -ENOMEM, "workload %s", c->workload->name);
	r = wring_params_default(c->workload->params, c->data, err);
	if (!r && c->workload->make)
		r = wring_params_default(wring_object_params, &c->objects, err);
	for (int i = optind + 1; i < argc && !r; i++) {
		char *eq = strchr(argv[i], '=');

		if (!eq)
			return wring_err_set(err, -EINVAL, "'%s' is not key=value", argv[i]);
		*eq = '\0';
		r = set_param(c, argv[i], eq + 1, err);
	}
	return r;
}

int main(int argc, char **argv)
{
	struct wring_wctx c = { .page_fd = -1, .socket_fd = -1, .dir_fd = -1 };
	struct wring_err err = { 0 };
	int r = parse(&c, argc, argv, &err);

	if (!r && c.page_fd >= 0) {
		c.page = mmap(NULL, WRING_LOAD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, c.page_fd,
			      (off_t)c.index * WRING_LOAD_PAGE);
		if (c.page == MAP_FAILED)
			r = wring_err_set(&err, -errno, "mapping the counters: %s", strerror(errno));
	} else if (!r) {
		r = wring_err_set(&err, -EINVAL, "this program is started by wring-agent");
	}
	if (r) {
		fprintf(stderr, "wring-load: %s\n", err.msg);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	r = run(&c);
	wring_params_done(c.workload->params, c.data);
	free(c.data);
	return r;
}
