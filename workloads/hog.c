/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hog: a CPU that is busy and takes no memory. In the kernel it passes no quiescent state of RCU by itself, so that grace
 * periods wait for the next tick; in user mode every tick is one. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

#define TURNS 200000

enum kind { KIND_USER, KIND_KERNEL };

struct hog {
	unsigned kind; /* parameters */
	uint64_t length;
	int64_t duration_ns;
	struct pollfd *polls;
	int fd;
};

static const struct wring_param params[] = {
	{ "kind", WRING_ENUM, offsetof(struct hog, kind), .def = "user", .choices = "user|kernel",
	  .help = "where the time goes: a loop of its own, or poll(2) of many descriptors that are never ready" },
	{ "length", WRING_U64, offsetof(struct hog, length), .def = "50000", .min = "1", .max = "1000000",
	  .help = "kernel: descriptors a call looks at; the more the longer it takes" },
	{ "duration", WRING_DURATION, offsetof(struct hog, duration_ns), .def = "0s", .max = "24h",
	  .help = "how long; 0s: until it is stopped" },
	{ 0 } };

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct hog *h = wring_wdata(c);
	int r;

	h->fd = -1;
	if (h->kind == KIND_USER)
		return 0;
	r = wring_raise_nofile(err); /* poll() takes no more than that */
	if (r)
		return r;
	h->fd = eventfd(0, EFD_CLOEXEC);
	h->polls = calloc(h->length, sizeof(*h->polls));
	if (h->fd < 0 || !h->polls)
		return wring_err_set(err, h->fd < 0 ? -errno : -ENOMEM, "hog: %llu descriptors to poll", (unsigned long long)h->length);
	for (uint64_t i = 0; i < h->length; i++)
		h->polls[i] = (struct pollfd){ .fd = h->fd, .events = POLLIN };
	return 0;
}

static int run(struct wring_wctx *c, struct wring_err *err)
{
	struct hog *h = wring_wdata(c);
	int64_t until = h->duration_ns ? wring_now_ns() + h->duration_ns : INT64_MAX;

	while (wring_now_ns() < until && !wring_should_stop(c)) {
		if (h->kind == KIND_KERNEL && poll(h->polls, h->length, 0) < 0)
			return wring_err_set(err, -errno, "hog: poll of %llu descriptors: %s", (unsigned long long)h->length, strerror(errno));
		for (volatile unsigned i = 0; h->kind == KIND_USER && i < TURNS; i++)
			;
		wring_ops(c, 1);
	}
	return 0;
}

static void teardown(struct wring_wctx *c)
{
	struct hog *h = wring_wdata(c);

	if (h->fd >= 0)
		close(h->fd);
	free(h->polls);
}

static const struct wring_workload hog = {
	.name = "hog",
	.summary = "a busy CPU that takes no memory",
	.doc = "user: a loop of 200000 turns an operation. kernel: an operation is poll(2) of `length` times the same descriptor, which "
	       "is never ready; poll(2) looks at all of them without giving way. Anonymous memory for its table, 8 bytes a descriptor; "
	       "during the call as much again in kmalloc pages that nobody is charged with. Bind it with cpu-nodes.",
	.params = params,
	.size = sizeof(struct hog),
	.setup = setup,
	.run = run,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(hog);
