/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What kernel.c and modules.c share. */
#pragma once
#include "harness/vm/vm.h"

struct wring_kernel {
	char *path;        /* as given */
	char *deb;         /* the package, or NULL */
	char *modules;     /* folder with *.ko below it, or NULL */
	char *builtin;     /* text of modules.builtin, or NULL when not seen (yet) */
	char *config;
	char *system_map, *vmlinux; /* paths, or NULL: with debug symbols or not, nobody has looked */
	char *release;
	char sha256[65];
	int image_fd;
};

/* The parser of a module's .modinfo: names it depends on, separated by commas, on the heap. `elf` is not compressed. */
int wring_modinfo_depends(const void *elf, size_t len, char **ret, struct wring_err *err);
