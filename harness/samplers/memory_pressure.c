/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/api/sampler.h"

static enum wring_kind kind(const char *key)
{
	(void)key;
	return WRING_COUNTER;
}

static const struct wring_sampler sampler = {
	.name = "memory.pressure",
	.summary = "stall time of a cgroup (PSI totals)",
	.scope = WRING_PER_GROUP,
	.files = { "memory.pressure" },
	.learn = wring_learn_psi,
	.unit = "us",
	.kind = kind,
};
WRING_REGISTER_SAMPLER(sampler);
