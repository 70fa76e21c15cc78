/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who of a load's threads did how much: whether one was starved. */
#include "harness/api/loadproto.h"
#include "harness/api/sampler.h"

#include <stdio.h>

static enum wring_kind kind(const char *key)
{
	(void)key;
	return WRING_COUNTER;
}

static void of_load(struct wring_source *s, const struct wring_load_view *v)
{
	for (size_t i = 0; i < v->n; i++) {
		char key[32];

		snprintf(key, sizeof(key), "ops.%zu", i);
		wring_load_value(s, key, (int64_t)__atomic_load_n(&wring_load_view_page(v, i)->ops, __ATOMIC_RELAXED));
	}
}

static const struct wring_sampler sampler = {
	.name = "load-threads",
	.summary = "operations of each thread of a load",
	.scope = WRING_PER_LOAD,
	.of_load = of_load,
	.kind = kind,
	.unit = "",
};
WRING_REGISTER_SAMPLER(sampler);
