/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/api/outcome.h"

#include <string.h>

static const char *const names[WRING_OUTCOME_MAX] = {
	[WRING_OK] = "ok", [WRING_FAIL] = "fail", [WRING_BROKEN] = "broken", [WRING_SKIP] = "skip", [WRING_NOISY] = "noisy",
};

const char *wring_outcome_name(enum wring_outcome o)
{
	return names[o];
}

int wring_outcome_parse(const char *name)
{
	for (int i = 0; i < WRING_OUTCOME_MAX; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}
