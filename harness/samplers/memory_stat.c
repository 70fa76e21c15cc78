/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/api/sampler.h"

#include <string.h>

/* memory.stat mixes sizes in bytes with event counts; the counts are those that vmstat has as well. */
static enum wring_kind kind(const char *key)
{
	static const char *const events[] = {
		"pg", "workingset_refault", "workingset_activate", "workingset_restore", "workingset_nodereclaim",
		"thp_fault", "thp_collapse", "thp_swpout", "zswpin", "zswpout", "zswpwb", "pswpin", "pswpout", "numa_",
	};

	if (!strcmp(key, "pagetables"))
		return WRING_GAUGE;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (!strncmp(key, events[i], strlen(events[i])))
			return WRING_COUNTER;
	return WRING_GAUGE;
}

static const struct wring_sampler sampler = {
	.name = "memory.stat",
	.summary = "what a cgroup's memory is made of (reading it flushes rstat)",
	.scope = WRING_PER_GROUP,
	.files = { "memory.stat" },
	.learn = wring_learn_kv,
	.unit = "",
	.kind = kind,
};
WRING_REGISTER_SAMPLER(sampler);
