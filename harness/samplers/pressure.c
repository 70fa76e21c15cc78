/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stall totals only: they are exact at any rate, the averages move every 2 s (kernel/sched/psi.c, psi_show()). */
#include "harness/api/sampler.h"

static enum wring_kind kind(const char *key)
{
	(void)key;
	return WRING_COUNTER;
}

static const struct wring_sampler sampler = {
	.name = "pressure",
	.summary = "system-wide stall time (PSI totals)",
	.scope = WRING_PER_SYSTEM,
	.files = { "/proc/pressure/memory", "/proc/pressure/io", "/proc/pressure/cpu" },
	.learn = wring_learn_psi,
	.unit = "us",
	.kind = kind,
};
WRING_REGISTER_SAMPLER(sampler);
