/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two arms, boot after boot in the order that was drawn. */
#pragma once
#include "analyzers/judge.h"
#include "harness/run/run.h"

struct wring_arm {
	const char *name;
	struct wring_run_options options;
	struct wring_place place;
	struct wring_scenarios scenarios;
};
struct wring_ab {
	const char *db;
	struct wring_arm *arms[2];
	struct wring_known *known;   /* may be NULL */
	int64_t comparison;
	uint64_t seed;
	bool deterministic, aa;
	unsigned jobs;               /* guests at a time */
	unsigned slots;              /* planned: a multiple of WRING_BLOCK */
	void (*tell)(const struct wring_ab *ab, unsigned slot, const struct wring_arm *arm); /* before each boot; may be NULL */
	int64_t dead_boot;           /* out: of an arm that never booted (-ENOEXEC) */
	int dead_arm;
};
/* Runs the slots that the store lacks. -EINTR: interrupted; -EAGAIN: KVM was there but did not do; -ENOEXEC: the first boot of an arm never came up; else what kept it
 * from running. */
int wring_ab_run(struct wring_ab *ab, struct wring_err *err);
