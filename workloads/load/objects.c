/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Workloads made of objects: filling to a footprint, churning at a rate, releasing. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "harness/base/util.h"
#include "workloads/load/common.h"
#include "workloads/load/context.h"

/* So many failures in a row, with nothing made in between, and the footprint is out of reach. */
#define GIVE_UP 1000

const struct wring_param wring_object_params[] = {
	{ "footprint", WRING_SIZE, offsetof(struct wring_objects, footprint_bytes), .def = "64M", .min = "4K",
	  .help = "bytes to make and hold (for what nobody can hold: to make in all)" },
	{ "objects", WRING_U64, offsetof(struct wring_objects, count), .def = "0", .max = "1000000000",
	  .help = "number of objects instead of a footprint; 0: as many as the footprint takes" },
	{ "rate", WRING_U64, offsetof(struct wring_objects, rate), .def = "0", .max = "100000000",
	  .help = "objects a second; 0: as fast as it goes" },
	{ 0 } };

/* An open schedule: being late does not make the next one later. Returns when this one was due. */
static int64_t pace(struct wring_objects *o)
{
	struct timespec ts;
	int64_t due;

	if (!o->rate)
		return o->now_ns ? o->now_ns : wring_now_ns();
	if (!o->due_ns)
		o->due_ns = wring_now_ns();
	due = o->due_ns;
	o->due_ns += WRING_NSEC_PER_SEC / (int64_t)o->rate;
	if (o->now_ns > due)
		return due; /* late: to ask for a sleep would make it later */
	ts.tv_sec = due / WRING_NSEC_PER_SEC;
	ts.tv_nsec = due % WRING_NSEC_PER_SEC;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	return due;
}

static void count_failure(struct wring_wctx *c, int r)
{
	if (!c->counted)
		wring_failed(c, c->workload->name, -r);
}

/* With a rate the latency is that of the schedule: it includes the wait behind an operation that was late. */
static int make_one(struct wring_wctx *c)
{
	struct wring_objects *o = &c->objects;
	int64_t start = pace(o);
	int r;

	c->counted = false;
	c->remedy = NULL;
	r = c->workload->make(c, o->next);

	o->now_ns = wring_now_ns();
	wring_latency(c, o->now_ns - start);
	if (r) {
		count_failure(c, r);
		return r;
	}
	o->next++;
	wring_ops(c, 1);
	wring_made(c, 1, o->bytes);
	if (c->workload->drop && !o->reclaimable)
		wring_held(c, 1, (int64_t)o->bytes);
	return 0;
}

static void drop_one(struct wring_wctx *c)
{
	struct wring_objects *o = &c->objects;

	if (o->oldest == o->next)
		return;
	o->now_ns = 0;
	if (c->workload->drop) {
		int r;

		c->counted = false;
		r = c->workload->drop(c, o->oldest);
		if (r)
			count_failure(c, r);
		if (!o->reclaimable)
			wring_held(c, -1, -(int64_t)o->bytes);
	}
	o->oldest++;
}

static uint64_t wanted(const struct wring_objects *o)
{
	return o->count ? o->count : (o->footprint_bytes + o->bytes - 1) / o->bytes;
}

/* Limits of the set-up are its fault at once; what the kernel under test may fail is counted, and tried again. */
static bool is_limit(const struct wring_wctx *c, int r)
{
	return c->remedy || r == -EMFILE || r == -ENFILE || r == -ENOSPC || r == -EDQUOT || r == -EPERM || r == -EACCES ||
	       r == -EINVAL || r == -ENOSYS || r == -EOPNOTSUPP || r == -EEXIST;
}

static const char *remedy(const struct wring_wctx *c, int r)
{
	if (c->remedy)
		return c->remedy;
	switch (r) {
	case -EMFILE: return WRING_NOFILE_REMEDY;
	case -ENFILE: return "raise fs.file-max, or lower the footprint";
	case -ENOMEM: return "memory.max or the memory ends here: raise it, or lower the footprint";
	case -ENOSPC: return "raise the limit of this object, or lower the footprint";
	default: return "see wring show";
	}
}

/* How far it came, and what would let it go on. */
static int give_up(struct wring_wctx *c, const char *while_, uint64_t target, int r, struct wring_err *err)
{
	const struct wring_objects *o = &c->objects;
	uint64_t live = o->next - o->oldest;

	return wring_err_set(err, r, "%s: %s %llu of %llu objects (%llu of %llu bytes), then: %s (%s)", c->workload->name, while_,
			     (unsigned long long)live, (unsigned long long)target, (unsigned long long)(live * o->bytes),
			     (unsigned long long)(target * o->bytes), strerror(-r), remedy(c, r));
}

int wring_objects_fill(struct wring_wctx *c, struct wring_err *err)
{
	struct wring_objects *o = &c->objects;
	uint64_t target = wanted(o), failed = 0;

	while (o->next - o->oldest < target && !wring_should_stop(c)) {
		int r = make_one(c);

		failed = r ? failed + 1 : 0;
		if (r && (is_limit(c, r) || failed == GIVE_UP))
			return give_up(c, "made", target, r, err);
	}
	return 0;
}

static bool told_to_hold(struct wring_wctx *c)
{
	return __atomic_load_n(&c->page->hold, __ATOMIC_RELAXED) || wring_should_stop(c);
}

int wring_objects_churn(struct wring_wctx *c, struct wring_err *err)
{
	struct wring_objects *o = &c->objects;
	uint64_t failed = 0;

	o->due_ns = o->now_ns = 0;
	while (!told_to_hold(c)) {
		int r;

		drop_one(c);
		r = make_one(c);
		failed = r ? failed + 1 : 0;
		if (failed == GIVE_UP || (r && c->remedy))
			return give_up(c, "churned, held", wanted(o), r, err);
	}
	return 0;
}

void wring_objects_release(struct wring_wctx *c)
{
	struct wring_objects *o = &c->objects;

	while (o->oldest != o->next)
		drop_one(c);
}

int wring_objects_census(struct wring_wctx *c, struct wring_err *err)
{
	const struct wring_objects *o = &c->objects;
	uint64_t cached = 0, gone = 0;

	if (!c->workload->cached)
		return wring_err_set(err, -EINVAL, "%s: cannot tell whether its objects are still cached: no census of it",
				     c->workload->name);
	for (uint64_t i = o->oldest; i < o->next && !wring_should_stop(c); i++) {
		int r = c->workload->cached(c, i);

		if (r < 0)
			return wring_err_set(err, r, "%s: census: object %llu: %s", c->workload->name, (unsigned long long)i, strerror(-r));
		cached += r > 0;
		gone += !r;
	}
	__atomic_store_n(&c->page->cached_objects, cached, __ATOMIC_RELAXED);
	__atomic_store_n(&c->page->gone_objects, gone, __ATOMIC_RELAXED);
	return 0;
}
