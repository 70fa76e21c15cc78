/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/api/sampler.h"

static const struct wring_sampler sampler = {
	.name = "node-meminfo",
	.summary = "memory sizes of each NUMA node",
	.scope = WRING_PER_NODE,
	.files = { "/sys/devices/system/node/%s/meminfo" },
	.learn = wring_learn_meminfo,
	.unit = "kB",
};
WRING_REGISTER_SAMPLER(sampler);
