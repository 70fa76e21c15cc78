/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a guest's description to QEMU's argument vector. Starts nothing. */
#pragma once
#include "harness/vm/vm.h"

/* QEMU's ends of the three sockets, inherited under these numbers. */
struct wring_vm_ends { int console, record, qmp; };

/* Says in err what is wrong with a description, and what would do. */
int wring_vm_check(const struct wring_vm_spec *spec, struct wring_err *err);
/* NULL-terminated, on the heap; NULL when memory is exhausted. */
char **wring_vm_argv(const char *qemu, const struct wring_vm_spec *spec, const struct wring_vm_ends *ends);
void wring_vm_argv_free(char **argv);
