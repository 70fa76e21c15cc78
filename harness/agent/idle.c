/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long the one CPU of a guest had nothing to do. The kernel's own figures cannot tell: /proc/stat is in steps of 10 ms, and the idle
 * time of /proc/timer_list goes on in softirqs of the idle task once a tick came in between, which is where RCU callbacks run. So a
 * thread that gets what nobody else wants looks at the clock all the time: what passes from one look to the next was idle, and where
 * much more passes, somebody worked. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "harness/agent/agent.h"
#include "harness/base/util.h"

#define LOOK_NS 2000 /* a look takes some 100 instructions; an interrupt, or another task, takes thousands */

static pthread_t thread;
static atomic_bool must_end;
static int64_t idle_ns;

static void *look(void *arg)
{
	struct sched_param p = { 0 };
	int64_t t, u;

	(void)arg;
	if (sched_setscheduler(0, SCHED_IDLE, &p))
		return NULL;
	for (t = wring_now_ns(); !atomic_load_explicit(&must_end, memory_order_relaxed); t = u) {
		u = wring_now_ns();
		idle_ns += u - t < LOOK_NS ? u - t : 0;
	}
	return NULL;
}

bool wring_idle_begin(const struct wring_agent *a)
{
	must_end = false;
	idle_ns = 0;
	return a->guest && a->ncpu == 1 && !pthread_create(&thread, NULL, look, NULL);
}

int64_t wring_idle_end(void)
{
	const struct sched_param p = { 0 };

	must_end = true;
	pthread_setschedparam(thread, SCHED_OTHER, &p); /* or it would wait until all else has an end */
	pthread_join(thread, NULL);
	return idle_ns;
}
