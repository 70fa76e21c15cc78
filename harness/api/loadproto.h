/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between the agent and wring-load: a page of counters and a socket.
 * Socket, agent to load: one byte each, 'g' go, 's' stop; to a load of objects that is done: 'c' churn until 'h' (hold), 'r' release. Load to agent: 'r' ready (waits at the barrier), 'd' done
 * (holds what it holds until told to stop), 'f' with a descriptor attached (SCM_RIGHTS), 'e' error (see message). */
#pragma once
#include <stdint.h>

#define WRING_ERRNOS 134

struct wring_load_page {
	uint64_t ops, errors;
	int64_t held_objects, held_bytes;  /* gone when the process is */
	int64_t left_objects, left_bytes;  /* outlive it */
	uint64_t made_objects, made_bytes;
	uint32_t stop;                     /* set by the agent */
	uint32_t errnos[WRING_ERRNOS];     /* failures by errno */
	char message[600];
};
#define WRING_LOAD_PAGE 4096 /* bytes a process; the page itself is allocated and charged by the agent */
_Static_assert(sizeof(struct wring_load_page) <= WRING_LOAD_PAGE, "one page a process");

/* wring-load's own options: --page-fd=N --socket-fd=N --dir-fd=N --index=N --seed=N WORKLOAD key=value... */
