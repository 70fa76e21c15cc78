/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/api/sampler.h"

static const struct wring_sampler sampler = {
	.name = "meminfo",
	.summary = "system-wide memory sizes",
	.scope = WRING_PER_SYSTEM,
	.files = { "/proc/meminfo" },
	.learn = wring_learn_meminfo,
	.unit = "kB",
};
WRING_REGISTER_SAMPLER(sampler);
