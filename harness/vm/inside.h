/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A running QEMU, as qemu.c and inspect.c see it. */
#pragma once
#include "harness/vm/capture.h"
#include "harness/vm/qmp.h"
#include "harness/vm/vm.h"

enum { WRING_VM_ANSWER_MS = 800, WRING_VM_MAX_VCPUS = 256 };

struct wring_vm {
	pid_t pid;
	int pidfd, record_fd, console_fd, stderr_fd;
	struct wring_qmp *qmp;
	struct wring_capture console;
	pid_t vcpus[WRING_VM_MAX_VCPUS];
	unsigned n_vcpus;
	int64_t cpu_ns;
	bool holds, has_ended, was_stuck;
	int code, status; /* of waitid(2) */
};

/* The process, not the machine in it. */
bool wring_vm_has_ended(struct wring_vm *vm);
/* core.c: an ELF core of QEMU's, changed in its place. -EBADMSG: it is none. */
int wring_core_mend(int fd);
