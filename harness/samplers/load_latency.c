/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long the operations of a load took, and how long they slept: histograms, from which any quantile of any span of time can be
 * had. */
#include "harness/api/loadproto.h"
#include "harness/api/sampler.h"

#include <stdio.h>

static enum wring_kind kind(const char *key)
{
	(void)key;
	return WRING_COUNTER; /* max_ns never goes down either */
}

struct histogram {
	const char *prefix;
	size_t buckets, max; /* where in the page */
};

static uint64_t bucket_sum(const struct wring_load_view *v, const struct histogram *h, unsigned bucket)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < v->n; i++) {
		const uint32_t *buckets = (const uint32_t *)(const void *)((const char *)wring_load_view_page(v, i) + h->buckets);

		sum += __atomic_load_n(&buckets[bucket], __ATOMIC_RELAXED);
	}
	return sum;
}

/* A power of two at once, so that keys are new seldom. Returns how many operations that is. */
static uint64_t tell(struct wring_source *s, const struct wring_load_view *v, const struct histogram *h, unsigned first, unsigned n)
{
	uint64_t sums[1 << WRING_LATENCY_SUB], any = 0;
	char key[32];

	for (unsigned i = 0; i < n; i++)
		any += sums[i] = bucket_sum(v, h, first + i);
	for (unsigned i = 0; i < n && any; i++) {
		snprintf(key, sizeof(key), "%sge.%llu", h->prefix, (unsigned long long)wring_latency_floor(first + i));
		wring_load_value(s, key, (int64_t)sums[i]);
	}
	return any;
}

static uint64_t tell_all(struct wring_source *s, const struct wring_load_view *v, const struct histogram *h)
{
	uint64_t any = tell(s, v, h, 0, 1);

	for (unsigned b = 1; b + 1 < WRING_LATENCY_BUCKETS; b += 1 << WRING_LATENCY_SUB)
		any += tell(s, v, h, b, 1 << WRING_LATENCY_SUB);
	return any + tell(s, v, h, WRING_LATENCY_BUCKETS - 1, 1);
}

static int64_t max_of(const struct wring_load_view *v, const struct histogram *h)
{
	uint64_t max = 0;

	for (size_t i = 0; i < v->n; i++) {
		const uint64_t *at = (const uint64_t *)(const void *)((const char *)wring_load_view_page(v, i) + h->max);
		uint64_t ns = __atomic_load_n(at, __ATOMIC_RELAXED);

		max = ns > max ? ns : max;
	}
	return (int64_t)max;
}

static void of_load(struct wring_source *s, const struct wring_load_view *v)
{
	static const struct histogram took = { "", offsetof(struct wring_load_page, latency), offsetof(struct wring_load_page, latency_max_ns) },
				      slept = { "slept.", offsetof(struct wring_load_page, slept), offsetof(struct wring_load_page, slept_max_ns) };

	wring_load_value(s, "max_ns", max_of(v, &took));
	tell_all(s, v, &took);
	/* few workloads know */
	if (tell_all(s, v, &slept))
		wring_load_value(s, "slept.max_ns", max_of(v, &slept));
}

static const struct wring_sampler sampler = {
	.name = "load-latency",
	.summary = "how many operations of a load took how long, or slept, and the longest",
	.scope = WRING_PER_LOAD,
	.of_load = of_load,
	.kind = kind,
	.unit = "",
};
WRING_REGISTER_SAMPLER(sampler);
