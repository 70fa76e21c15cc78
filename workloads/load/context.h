/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a thread of a load knows; workloads see it only through harness/api/workload.h. */
#pragma once
#include <pthread.h>
#include "harness/api/loadproto.h"
#include "harness/api/workload.h"

/* Parameters and state of a workload that is made of objects. */
struct wring_objects {
	uint64_t footprint_bytes, count, rate; /* parameters; 0: not said */
	uint64_t bytes;                        /* of one object */
	bool reclaimable;
	uint64_t oldest, next;                 /* live are oldest..next-1 */
	int64_t due_ns;                        /* of the next operation, when there is a rate */
	int64_t now_ns;                        /* the end of the last one, when the next begins at once; 0: ask the clock */
};
extern const struct wring_param wring_object_params[];

/* The threads of one process. The last to come to a barrier tells the agent, and hears for all what to do next. */
struct wring_team {
	int socket_fd;
	unsigned n, arrived, round;
	char order;
	struct wring_load_page *first; /* for the message of one that fails */
	pthread_mutex_t lock;
	pthread_cond_t change;
};

struct wring_wctx {
	struct wring_team *team;
	const struct wring_workload *workload;
	void *data;
	struct wring_load_page *page;
	int dir_fd;
	uint64_t index, seed;
	bool counted; /* the failure that is being reported is in the page already */
	const char *remedy; /* make() met a limit of the set-up */
	struct wring_objects objects;
};

/* A descriptor and what it is, to the harness. 0 or -errno. */
int wring_give(struct wring_wctx *c, char what, int fd);

/* objects.c: each returns 0, or -errno with err set when the workload cannot do what it was asked to. */
int wring_objects_fill(struct wring_wctx *c, struct wring_err *err);
/* Until the harness says hold, or stop. */
int wring_objects_churn(struct wring_wctx *c, struct wring_err *err);
int wring_objects_census(struct wring_wctx *c, struct wring_err *err);
void wring_objects_release(struct wring_wctx *c);
