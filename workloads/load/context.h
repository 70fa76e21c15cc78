/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a workload's process knows; workloads see it only through harness/api/workload.h. */
#pragma once
#include "harness/api/loadproto.h"
#include "harness/api/workload.h"

/* Parameters and state of a workload that is made of objects. */
struct wring_objects {
	uint64_t footprint_bytes, count, rate; /* parameters; 0: not said */
	uint64_t bytes;                        /* of one object */
	bool reclaimable;
	uint64_t oldest, next;                 /* live are oldest..next-1 */
	int64_t due_ns;                        /* of the next operation, when there is a rate */
};
extern const struct wring_param wring_object_params[];

struct wring_wctx {
	const struct wring_workload *workload;
	void *data;
	struct wring_load_page *page;
	int page_fd, socket_fd, dir_fd;
	uint64_t index, seed;
	bool counted; /* the failure that is being reported is in the page already */
	struct wring_objects objects;
};

/* objects.c: each returns 0, or -errno with err set when the workload cannot do what it was asked to. */
int wring_objects_fill(struct wring_wctx *c, struct wring_err *err);
/* Until the harness says something (poll of socket_fd). */
int wring_objects_churn(struct wring_wctx *c, struct wring_err *err);
void wring_objects_release(struct wring_wctx *c);
