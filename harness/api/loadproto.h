/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between the agent and wring-load: a page of counters and a socket.
 * Socket, agent to load: one byte each, 'g' go, 's' stop; to a load of objects that is done: 'c' churn, until the page says
 * hold; 'r' release, 'n' census. Load to agent, once all its threads are: 'r' ready (waits at the barrier), 'd' done (holds
 * what it holds until told to stop); 'f' with a descriptor attached (SCM_RIGHTS), 'e' error (see message), 'n' cannot be done on
 * this machine (see message), 'o' with a descriptor attached: a program's results, at most 256 KiB, behind a line
 * "program=NAME exit=N"; 'O' when it is no matter that it was killed for memory. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Latencies, log-linear as in HdrHistogram: bucket 0 is below 256 ns; each power of two from there to 2^36 ns is cut in 16. */
#define WRING_LATENCY_FIRST 8
#define WRING_LATENCY_LAST 36
#define WRING_LATENCY_SUB 4 /* 2^4 parts: the error is below 1/16 */
#define WRING_LATENCY_BUCKETS (1 + ((WRING_LATENCY_LAST - WRING_LATENCY_FIRST) << WRING_LATENCY_SUB) + 1)

static inline unsigned wring_latency_bucket(uint64_t ns)
{
	unsigned top = 63 - (unsigned)__builtin_clzll(ns | 1);

	if (top < WRING_LATENCY_FIRST)
		return 0;
	if (top >= WRING_LATENCY_LAST)
		return WRING_LATENCY_BUCKETS - 1;
	return 1 + ((top - WRING_LATENCY_FIRST) << WRING_LATENCY_SUB) +
	       (unsigned)((ns >> (top - WRING_LATENCY_SUB)) & ((1u << WRING_LATENCY_SUB) - 1));
}
/* The smallest latency of a bucket, in ns. */
static inline uint64_t wring_latency_floor(unsigned bucket)
{
	unsigned b = bucket - 1, top = WRING_LATENCY_FIRST + (b >> WRING_LATENCY_SUB), part = b & ((1u << WRING_LATENCY_SUB) - 1);

	return bucket ? (1ull << top) + ((uint64_t)part << (top - WRING_LATENCY_SUB)) : 0;
}

#define WRING_FAILURES 32
struct wring_load_failure {
	char call[16];
	uint32_t error, count; /* errno; 0: a free row */
};

/* The "page" of one thread of a load. Processes that are started again count on in the page of those before them. */
struct wring_load_page {
	uint64_t ops, errors;
	int64_t held_objects, held_bytes;  /* gone when the process is */
	int64_t left_objects, left_bytes;  /* outlive it */
	uint64_t made_objects, made_bytes;
	int64_t dirty_bytes, inflight_bytes;
	uint64_t moved_bytes, dropped;
	uint64_t cached_objects, gone_objects; /* of the last census */
	uint64_t latency_max_ns;
	uint32_t latency[WRING_LATENCY_BUCKETS];
	uint64_t slept_max_ns;
	uint32_t slept[WRING_LATENCY_BUCKETS];
	struct wring_load_failure failures[WRING_FAILURES]; /* what finds no row is in errors alone */
	uint32_t stop, hold;               /* set by the agent: end; stop churning */
	char message[600];                 /* of a process: in the page of its first thread */
};
#define WRING_LOAD_PAGE 8192 /* bytes a thread; they are allocated and charged by the agent */
_Static_assert(sizeof(struct wring_load_page) <= WRING_LOAD_PAGE, "what a thread counts");

/* The pages of all threads of a load, for samplers: n of them, those of process P at P * threads. */
struct wring_load_view {
	const void *pages;
	size_t n;
};
static inline const struct wring_load_page *wring_load_view_page(const struct wring_load_view *v, size_t i)
{
	return (const struct wring_load_page *)((const char *)v->pages + i * WRING_LOAD_PAGE);
}

/* wring-load's own options: --page-fd=N --socket-fd=N --dir-fd=N --index=N (of its first page) --threads=N --seed=N WORKLOAD key=value... */
