/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/api/sampler.h"

static const struct wring_sampler sampler = {
	.name = "cgroup.stat",
	.summary = "live and dying cgroups below a cgroup",
	.scope = WRING_PER_GROUP,
	.files = { "cgroup.stat" },
	.learn = wring_learn_kv,
	.unit = "count",
};
WRING_REGISTER_SAMPLER(sampler);
