/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which system calls of a load failed how. */
#include "harness/api/loadproto.h"
#include "harness/api/sampler.h"

#include <stdio.h>
#include <string.h>

static enum wring_kind kind(const char *key)
{
	(void)key;
	return WRING_COUNTER;
}

static void of_load(struct wring_source *s, const struct wring_load_view *v)
{
	for (size_t i = 0; i < v->n; i++) {
		const struct wring_load_failure *f = wring_load_view_page(v, i)->failures;

		for (unsigned k = 0; k < WRING_FAILURES; k++) {
			uint32_t error = __atomic_load_n(&f[k].error, __ATOMIC_ACQUIRE);
			const char *name = error ? strerrorname_np((int)error) : NULL;
			char key[40];

			if (!error)
				break;
			if (name)
				snprintf(key, sizeof(key), "%.15s.%s", f[k].call, name);
			else
				snprintf(key, sizeof(key), "%.15s.%u", f[k].call, error);
			wring_load_value(s, key, (int64_t)__atomic_load_n(&f[k].count, __ATOMIC_RELAXED));
		}
	}
}

static const struct wring_sampler sampler = {
	.name = "load-errors",
	.summary = "failed system calls of a load, by call and error",
	.scope = WRING_PER_LOAD,
	.of_load = of_load,
	.kind = kind,
	.unit = "",
};
WRING_REGISTER_SAMPLER(sampler);
