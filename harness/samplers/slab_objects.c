/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A counter a node, cheap at any rate, unlike slabinfo and unlike "objects", which counts. */
#include "harness/api/sampler.h"

static const struct wring_sampler sampler = {
	.name = "slab-objects",
	.summary = "objects in the slabs of one cache",
	.scope = WRING_PER_CACHE,
	.files = { "/sys/kernel/slab/%s/total_objects" },
	.learn = wring_learn_single,
	.unit = "objects",
};
WRING_REGISTER_SAMPLER(sampler);
