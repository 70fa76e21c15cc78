/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What wring ab was told, and its comparison in the store. */
#pragma once
#include "harness/cmd/arm.h"

struct wring_ab_args {
	struct wring_run_args run;
	const char *texts[2], *format;
	uint64_t blocks, boots, jobs;
	bool aa, bisect, looks, resume, plain, has_seed;
	char **argv;
	int argc;
	struct wring_arm_args arms[2];
	struct wring_ab ab;
	struct wring_err err;
};

/* ---- abstore.c ---- */
/* The same command goes on with the comparison that it left unfinished; else begins one. */
int wring_ab_begin(struct wring_ab_args *a, struct wring_store *st);
/* What a kernel said last, on stderr. */
void wring_ab_show_console(struct wring_store *st, int64_t boot);
