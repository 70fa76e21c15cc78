/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/api/sampler.h"

#include <string.h>

/* nr_* are gauges (they lag by per-CPU batches, folded every vm.stat_interval), and so is workingset_nodes; the rest are
 * exact event counts. */
static enum wring_kind kind(const char *key)
{
	return strncmp(key, "nr_", 3) && strcmp(key, "workingset_nodes") ? WRING_COUNTER : WRING_GAUGE;
}

static const struct wring_sampler sampler = {
	.name = "node-vmstat",
	.summary = "memory events and page counts of each NUMA node",
	.scope = WRING_PER_NODE,
	.files = { "/sys/devices/system/node/%s/vmstat" },
	.learn = wring_learn_kv,
	.unit = "",
	.kind = kind,
};
WRING_REGISTER_SAMPLER(sampler);
