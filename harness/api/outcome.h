/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The five outcomes of a run; they never mix. */
#pragma once
enum wring_outcome {
	WRING_OK,      /* measured, and every invariant held */
	WRING_FAIL,    /* the kernel misbehaved */
	WRING_BROKEN,  /* could not be measured, and that is nobody's fault but the set-up's */
	WRING_SKIP,    /* a need was not met; the reason says which */
	WRING_NOISY,   /* measured, but too spread to judge */
	WRING_OUTCOME_MAX
};
/* "ok" "fail" "broken" "skip" "noisy" */
const char *wring_outcome_name(enum wring_outcome o);
/* -1 when there is no such name. */
int wring_outcome_parse(const char *name);
/* Exit codes of the command line. */
enum { WRING_EXIT_OK = 0, WRING_EXIT_FAIL = 1, WRING_EXIT_USAGE = 2, WRING_EXIT_INCONCLUSIVE = 3, WRING_EXIT_BROKEN = 4 };
