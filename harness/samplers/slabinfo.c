/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading slabinfo walks partial lists under n->list_lock, up to 10000 slabs a node and cache, in all caches
 * (mm/slub.c, count_partial()): it disturbs the allocator under test. */
#include "harness/api/sampler.h"

static const struct wring_sampler sampler = {
	.name = "slabinfo",
	.summary = "objects and slabs of every slab cache",
	.scope = WRING_PER_SYSTEM,
	.files = { "/proc/slabinfo" },
	.learn = wring_learn_slabinfo,
	.unit = "",
	.costly = true,
};
WRING_REGISTER_SAMPLER(sampler);
