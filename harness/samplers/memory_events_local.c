/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/api/sampler.h"

static enum wring_kind kind(const char *key)
{
	(void)key;
	return WRING_COUNTER;
}

static const struct wring_sampler sampler = {
	.name = "memory.events.local",
	.summary = "limit hits and OOM kills of the cgroup itself",
	.scope = WRING_PER_GROUP,
	.files = { "memory.events.local" },
	.learn = wring_learn_kv,
	.unit = "count",
	.kind = kind,
};
WRING_REGISTER_SAMPLER(sampler);
