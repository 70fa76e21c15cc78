/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counters that the threads of a load keep in shared memory, added up. */
#include "harness/api/loadproto.h"
#include "harness/api/sampler.h"

#include <string.h>

static enum wring_kind kind(const char *key)
{
	static const char *const gauges[] = { "held_", "dirty_", "inflight_", "cached_", "gone_" };

	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
		if (!strncmp(key, gauges[i], strlen(gauges[i])))
			return WRING_GAUGE;
	return WRING_COUNTER;
}

static void of_load(struct wring_source *s, const struct wring_load_view *v)
{
#define SUM(key, value) \
	do { \
		int64_t sum = 0; \
		for (size_t i = 0; i < v->n; i++) { \
			const struct wring_load_page *p = wring_load_view_page(v, i); \
			sum += (int64_t)(value); \
		} \
		wring_load_value(s, key, sum); \
	} while (0)
#define GET(field) __atomic_load_n(&p->field, __ATOMIC_RELAXED)

	SUM("ops", GET(ops));
	SUM("errors", GET(errors));
	SUM("held_objects", GET(held_objects) + GET(left_objects));
	SUM("held_bytes", GET(held_bytes) + GET(left_bytes));
	SUM("made_objects", GET(made_objects));
	SUM("made_bytes", GET(made_bytes));
	SUM("dirty_bytes", GET(dirty_bytes));
	SUM("inflight_bytes", GET(inflight_bytes));
	SUM("moved_bytes", GET(moved_bytes));
	SUM("dropped", GET(dropped));
	SUM("cached_objects", GET(cached_objects));
	SUM("gone_objects", GET(gone_objects));
}

static const struct wring_sampler sampler = {
	.name = "load",
	.summary = "what a load did, made and deliberately holds (the ledger)",
	.scope = WRING_PER_LOAD,
	.of_load = of_load,
	.kind = kind,
	.unit = "",
};
WRING_REGISTER_SAMPLER(sampler);
