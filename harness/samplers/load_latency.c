/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long the operations of a load took: a histogram, from which any quantile of any span of time can be had. */
#include "harness/api/loadproto.h"
#include "harness/api/sampler.h"

#include <stdio.h>

static enum wring_kind kind(const char *key)
{
	(void)key;
	return WRING_COUNTER; /* max_ns never goes down either */
}

static uint64_t bucket_sum(const struct wring_load_view *v, unsigned bucket)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < v->n; i++)
		sum += __atomic_load_n(&wring_load_view_page(v, i)->latency[bucket], __ATOMIC_RELAXED);
	return sum;
}

/* A power of two at once, so that keys are new seldom. */
static void tell(struct wring_source *s, const struct wring_load_view *v, unsigned first, unsigned n)
{
	uint64_t sums[1 << WRING_LATENCY_SUB], any = 0;
	char key[32];

	for (unsigned i = 0; i < n; i++)
		any |= sums[i] = bucket_sum(v, first + i);
	for (unsigned i = 0; i < n && any; i++) {
		snprintf(key, sizeof(key), "ge.%llu", (unsigned long long)wring_latency_floor(first + i));
		wring_load_value(s, key, (int64_t)sums[i]);
	}
}

static void of_load(struct wring_source *s, const struct wring_load_view *v)
{
	uint64_t max = 0;

	for (size_t i = 0; i < v->n; i++) {
		uint64_t ns = __atomic_load_n(&wring_load_view_page(v, i)->latency_max_ns, __ATOMIC_RELAXED);

		max = ns > max ? ns : max;
	}
	wring_load_value(s, "max_ns", (int64_t)max);
	tell(s, v, 0, 1);
	for (unsigned b = 1; b + 1 < WRING_LATENCY_BUCKETS; b += 1 << WRING_LATENCY_SUB)
		tell(s, v, b, 1 << WRING_LATENCY_SUB);
	tell(s, v, WRING_LATENCY_BUCKETS - 1, 1);
}

static const struct wring_sampler sampler = {
	.name = "load-latency",
	.summary = "how many operations of a load took how long, and the longest",
	.scope = WRING_PER_LOAD,
	.of_load = of_load,
	.kind = kind,
	.unit = "",
};
WRING_REGISTER_SAMPLER(sampler);
