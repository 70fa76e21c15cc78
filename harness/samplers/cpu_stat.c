/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CPU time of a cgroup; without the cpu controller, too. */
#include "harness/api/sampler.h"

static enum wring_kind kind(const char *key)
{
	(void)key;
	return WRING_COUNTER;
}

static const struct wring_sampler sampler = {
	.name = "cpu.stat",
	.summary = "CPU time of a cgroup, in user mode and in the kernel",
	.scope = WRING_PER_GROUP,
	.files = { "cpu.stat" },
	.learn = wring_learn_kv,
	.unit = "",
	.kind = kind,
};
WRING_REGISTER_SAMPLER(sampler);
