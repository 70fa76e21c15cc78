/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/api/detector.h"

static const char *const names[WRING_VERDICT_MAX] = {
	[WRING_PASS] = "pass", [WRING_V_FAIL] = "fail", [WRING_KNOWN] = "known",
	[WRING_SUSPECT] = "suspect", [WRING_INCONCLUSIVE] = "inconclusive", [WRING_V_SKIP] = "skip",
};

const char *wring_verdict_name(enum wring_verdict v)
{
	return names[v];
}
