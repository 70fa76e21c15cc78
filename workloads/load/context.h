/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a workload's process knows; workloads see it only through harness/api/workload.h. */
#pragma once
#include "harness/api/loadproto.h"
#include "harness/api/workload.h"

struct wring_wctx {
	const struct wring_workload *workload;
	void *data;
	struct wring_load_page *page;
	int page_fd, socket_fd, dir_fd;
	uint64_t index, seed;
};
