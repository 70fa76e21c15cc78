/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "workloads/load/context.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/base/units.h"
#include "harness/base/util.h"

void *wring_wdata(struct wring_wctx *c) { return c->data; }
int wring_dirfd(const struct wring_wctx *c) { return c->dir_fd; }
unsigned wring_index(const struct wring_wctx *c) { return (unsigned)c->index; }
uint64_t wring_seed(const struct wring_wctx *c) { return c->seed * 0x9e3779b97f4a7c15u + c->index; }

/* A page has one writer, and the agent only samples: no lock prefix is needed, only stores that do not tear. */
#define ADD(field, n) \
	__atomic_store_n(&c->page->field, __atomic_load_n(&c->page->field, __ATOMIC_RELAXED) + (n), __ATOMIC_RELAXED)

bool wring_should_stop(struct wring_wctx *c) { return __atomic_load_n(&c->page->stop, __ATOMIC_RELAXED); }
void wring_ops(struct wring_wctx *c, uint64_t n) { ADD(ops, n); }

int wring_failed(struct wring_wctx *c, const char *call, int error)
{
	struct wring_load_failure *f = c->page->failures, *end = f + WRING_FAILURES;

	ADD(errors, 1);
	c->counted = true;
	while (f < end && f->error && (f->error != (uint32_t)error || strncmp(f->call, call, sizeof(f->call) - 1)))
		f++;
	if (f == end)
		return -error;
	if (!f->error) {
		strncpy(f->call, call, sizeof(f->call) - 1);
		__atomic_store_n(&f->error, (uint32_t)error, __ATOMIC_RELEASE); /* the name is whole before the row is seen */
	}
	__atomic_store_n(&f->count, f->count + 1, __ATOMIC_RELAXED);
	return -error;
}

int wring_limit(struct wring_wctx *c, int error, const char *remedy)
{
	c->counted = true;
	c->remedy = remedy;
	return -error;
}

static void keep_max(uint64_t *max, uint64_t v)
{
	if (v > *max)
		__atomic_store_n(max, v, __ATOMIC_RELAXED);
}

void wring_latencies(struct wring_wctx *c, int64_t ns, uint64_t n)
{
	uint64_t v = ns > 0 ? (uint64_t)ns : 0;

	ADD(latency[wring_latency_bucket(v)], (uint32_t)n);
	keep_max(&c->page->latency_max_ns, v);
}

void wring_latency(struct wring_wctx *c, int64_t ns) { wring_latencies(c, ns, 1); }

void wring_slept(struct wring_wctx *c, int64_t ns)
{
	uint64_t v = ns > 0 ? (uint64_t)ns : 0;

	ADD(slept[wring_latency_bucket(v)], 1);
	keep_max(&c->page->slept_max_ns, v);
}

void wring_moved(struct wring_wctx *c, uint64_t bytes) { ADD(moved_bytes, bytes); }
void wring_dropped(struct wring_wctx *c, uint64_t n) { ADD(dropped, n); }
void wring_dirty(struct wring_wctx *c, int64_t bytes) { ADD(dirty_bytes, bytes); }
void wring_inflight(struct wring_wctx *c, int64_t bytes) { ADD(inflight_bytes, bytes); }

void wring_made(struct wring_wctx *c, uint64_t objects, uint64_t bytes)
{
	ADD(made_objects, objects);
	ADD(made_bytes, bytes);
}

void wring_held(struct wring_wctx *c, int64_t objects, int64_t bytes)
{
	ADD(held_objects, objects);
	ADD(held_bytes, bytes);
}

void wring_left(struct wring_wctx *c, int64_t objects, int64_t bytes)
{
	ADD(left_objects, objects);
	ADD(left_bytes, bytes);
}

int wring_give(struct wring_wctx *c, char what, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = &what, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &fd, sizeof(int));
	return sendmsg(c->team->socket_fd, &msg, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

int wring_give_fd(struct wring_wctx *c, int fd) { return wring_give(c, 'f', fd); }

const struct wring_workload *wring_workload_find(const char *name)
{
	size_t n;
	const struct wring_workload *const *all = wring_workloads(&n);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(all[i]->name, name))
			return all[i];
	return NULL;
}

void wring_object(struct wring_wctx *c, uint64_t bytes, bool reclaimable)
{
	c->objects.bytes = bytes ? bytes : 1;
	c->objects.reclaimable = reclaimable;
}

static bool is_param(const struct wring_param *table, const char *name)
{
	for (const struct wring_param *p = table; p && p->name; p++)
		if (!strcmp(p->name, name))
			return true;
	return false;
}

int wring_workload_check(const struct wring_workload *w, const char *name, const char *value, struct wring_err *err)
{
	if (w->make && is_param(wring_object_params, name))
		return wring_params_check(wring_object_params, name, value, err);
	return wring_params_check(w->params, name, value, err);
}

int wring_workload_check_all(const struct wring_workload *w, const char *const *given, size_t n, struct wring_err *err)
{
	void *data = calloc(1, w->size + 1);
	int r = data ? wring_params_default(w->params, data, err) : wring_err_set(err, -ENOMEM, "workload %s", w->name);

	for (size_t i = 0; i + 1 < n && !r; i += 2)
		if (is_param(w->params, given[i]))
			r = wring_params_set(w->params, data, given[i], given[i + 1], err);
	if (!r && w->check)
		r = w->check(data, err);
	if (data)
		wring_params_done(w->params, data);
	free(data);
	return r;
}

void wring_workload_help(const struct wring_workload *w, FILE *out)
{
	wring_params_help(w->params, out);
	if (w->make)
		wring_params_help(wring_object_params, out);
}
