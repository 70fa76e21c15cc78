/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counters that a load's processes keep in shared memory; the agent adds them up (harness/agent/load.c). */
#include "harness/api/sampler.h"

#include <string.h>

static enum wring_kind kind(const char *key)
{
	return strncmp(key, "held_", 5) ? WRING_COUNTER : WRING_GAUGE;
}

static const struct wring_sampler sampler = {
	.name = "load",
	.summary = "what a load did, made and deliberately holds (the ledger)",
	.scope = WRING_PER_LOAD,
	.kind = kind,
	.unit = "",
};
WRING_REGISTER_SAMPLER(sampler);
