/* SPDX-License-Identifier: GPL-3.0-or-later */
/* null: does nothing, for the tests of the harness and for its own cost. */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"

enum end { END_DONE, END_HANG, END_CRASH, END_ERROR };

struct null {
	int64_t duration_ns;
	unsigned end;
};

static const struct wring_param params[] = {
	{ "duration", WRING_DURATION, offsetof(struct null, duration_ns), .def = "0s", .max = "1h", .help = "how long to idle" },
	{ "end", WRING_ENUM, offsetof(struct null, end), .def = "done", .choices = "done|hang|crash|error",
	  .help = "how to end: as workloads should, never, by SIGSEGV, or with an error" },
	{ 0 } };

static int run(struct wring_wctx *c, struct wring_err *err)
{
	struct null *w = wring_wdata(c);
	int64_t until = wring_now_ns() + w->duration_ns;
	struct timespec tick = { .tv_nsec = 10 * WRING_NSEC_PER_MSEC };

	while (wring_now_ns() < until && !wring_should_stop(c)) {
		nanosleep(&tick, NULL);
		wring_ops(c, 1);
	}
	switch (w->end) {
	case END_HANG:
		for (;;)
			nanosleep(&tick, NULL);
	case END_CRASH:
		raise(SIGSEGV);
		return 0;
	case END_ERROR:
		return wring_err_set(err, -EIO, "null: told to end with an error");
	default:
		return 0;
	}
}

static const struct wring_workload null_workload = {
	.name = "null",
	.summary = "nothing: for tests of the harness itself",
	.doc = "Sleeps in steps of 10 ms.",
	.params = params,
	.size = sizeof(struct null),
	.run = run,
};
WRING_REGISTER_WORKLOAD(null_workload);
