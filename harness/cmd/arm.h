/* SPDX-License-Identifier: GPL-3.0-or-later */
/* --a and --b: what one arm has that the other options do not say. */
#pragma once
#include "harness/cmd/cmd.h"
#include "harness/run/ab.h"

struct wring_arm_args {
	struct wring_run_args args;
	struct wring_arm arm;
	char *text, *copy; /* as it was given; the copy is cut into pieces */
	char name[64];
};
/* "name=base,kernel=PATH,append=...,sysctl.KEY=V,set.SCENARIO.KEY=V,cpus=N,nodes=N,memory=SIZE,accel=..". A comma within
 * double quotes, or behind a backslash, is part of a value. base: the options both arms have. */
int wring_arm_parse(struct wring_arm_args *a, const char *option, const char *text, const struct wring_run_args *base, const char *def_name,
		    struct wring_err *err);
/* Kernel, scenarios, place. */
int wring_arm_open(struct wring_arm_args *a, struct wring_err *err);
/* Everything that its runs depend on, but for seeds: equal texts, equal arms. On the heap. */
char *wring_arm_text(const struct wring_arm_args *a);
/* For people: the kernel and what was asked for. On the heap. */
char *wring_arm_about(const struct wring_arm_args *a);
void wring_arm_done(struct wring_arm_args *a);
