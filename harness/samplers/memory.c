/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The exact page counters: verdicts come from these, memory.stat explains them. */
#include "harness/api/sampler.h"

static const struct wring_sampler sampler = {
	.name = "memory",
	.summary = "exact usage of a cgroup",
	.scope = WRING_PER_GROUP,
	.files = { "memory.current", "memory.peak", "memory.swap.current", "memory.swap.peak" },
	.learn = wring_learn_single,
	.unit = "bytes",
};
WRING_REGISTER_SAMPLER(sampler);
