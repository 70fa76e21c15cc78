/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/api/sampler.h"

static const struct wring_sampler sampler = {
	.name = "memory.numa_stat",
	.summary = "a cgroup's memory on each NUMA node",
	.scope = WRING_PER_GROUP,
	.files = { "memory.numa_stat" },
	.learn = wring_learn_numa,
	.unit = "bytes",
};
WRING_REGISTER_SAMPLER(sampler);
