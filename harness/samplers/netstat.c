/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/api/sampler.h"

static enum wring_kind kind(const char *key)
{
	(void)key;
	return WRING_COUNTER;
}

static const struct wring_sampler sampler = {
	.name = "netstat",
	.summary = "what the network stack dropped, pruned and gave up, system-wide",
	.scope = WRING_PER_SYSTEM,
	.files = { "/proc/net/netstat" },
	.learn = wring_learn_netstat,
	.unit = "count",
	.kind = kind,
};
WRING_REGISTER_SAMPLER(sampler);
