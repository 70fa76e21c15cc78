/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way out: frames go into a ring that is allocated and locked before anything is measured; a thread of its own
 * writes them. A ring that is full loses frames and says so (GAP); it never makes a sampler wait. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "harness/base/err.h"
#include "harness/base/wire.h"

struct wring_out;
/* A thread with a small stack: all of it is locked in memory. Returns 0 or an errno. */
int wring_thread_start(pthread_t *ret, void *(*fn)(void *), void *arg);
/* fd is set non-blocking and stays the caller's. */
int wring_out_new(int fd, size_t ring_bytes, struct wring_out **ret, struct wring_err *err);
/* Waits until all is written or the deadline passed, then stops the thread. NULL-safe. */
void wring_out_free(struct wring_out *o, int64_t deadline_ns);
/* A whole frame. Dropped (and counted) when there is no room; 0 or -ENOBUFS. */
int wring_out_frame(struct wring_out *o, const struct wring_wbuf *b);
/* The same without waking the writer, which costs more than most samples do: many of these, then one wring_out_wake(). */
int wring_out_put(struct wring_out *o, const struct wring_wbuf *b);
void wring_out_wake(struct wring_out *o);
/* The reader went away. */
bool wring_out_broken(struct wring_out *o);
/* Waits until all that was put is written; false when the deadline passed. */
bool wring_out_flush(struct wring_out *o, int64_t deadline_ns);

void wring_out_hello(struct wring_out *o, const char *version);
void wring_out_info(struct wring_out *o, const char *key, const char *value);
void wring_out_begin(struct wring_out *o, const char *scenario);
void wring_out_end(struct wring_out *o, const char *outcome, const char *reason);
void wring_out_event(struct wring_out *o, const char *kind, const char *subject, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* An event whose text is long: up to 8000 bytes. */
void wring_out_text(struct wring_out *o, const char *kind, const char *subject, const char *text, size_t len);
void wring_out_log(struct wring_out *o, int64_t t_ns, unsigned level, const char *text, size_t len);
void wring_out_time(struct wring_out *o, enum wring_record type); /* ALIVE, BYE */
