/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/agent/out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/util.h"

struct wring_out {
	int fd;
	uint8_t *ring;
	size_t size;
	uint64_t head, tail;  /* bytes ever put and ever written */
	uint64_t lost;        /* frames, since the last GAP that got through */
	bool stop, broken;
	pthread_mutex_t lock;
	pthread_cond_t change;
	pthread_t thread;
};

static void put_bytes(struct wring_out *o, const uint8_t *p, size_t n)
{
	size_t at = o->head % o->size, first = n < o->size - at ? n : o->size - at;

	memcpy(o->ring + at, p, first);
	memcpy(o->ring, p + first, n - first);
	o->head += n;
}

static void put_gap(struct wring_out *o)
{
	uint8_t bytes[64];
	struct wring_wbuf b = { .p = bytes, .size = sizeof(bytes) };

	wring_frame_begin(&b, WRING_REC_GAP);
	wring_put_u64(&b, (uint64_t)wring_now_ns());
	wring_put_u64(&b, o->lost);
	put_bytes(o, bytes, wring_frame_end(&b));
	o->lost = 0;
}

static int put_frame(struct wring_out *o, const struct wring_wbuf *b, bool wake)
{
	int r = 0;

	pthread_mutex_lock(&o->lock);
	/* An empty ring starts over: the same few cache lines again, not four megabytes in turn. The writer is not in it. */
	if (o->head == o->tail && o->tail % o->size)
		o->head = o->tail += o->size - o->tail % o->size;
	if (b->full || o->size - (o->head - o->tail) < b->len + 64) {
		o->lost++;
		r = -ENOBUFS;
	} else {
		if (o->lost)
			put_gap(o);
		put_bytes(o, b->p, b->len);
	}
	/* A ring that fills up does not wait for the end of a round. */
	if (wake || r || o->head - o->tail > o->size / 2)
		pthread_cond_broadcast(&o->change);
	pthread_mutex_unlock(&o->lock);
	return r;
}

int wring_out_frame(struct wring_out *o, const struct wring_wbuf *b)
{
	return put_frame(o, b, true);
}

int wring_out_put(struct wring_out *o, const struct wring_wbuf *b)
{
	return put_frame(o, b, false);
}

void wring_out_wake(struct wring_out *o)
{
	pthread_mutex_lock(&o->lock);
	pthread_cond_broadcast(&o->change);
	pthread_mutex_unlock(&o->lock);
}

/* Takes what is there, without the lock, as far as the ring's end; the tail moves only here. */
static void write_some(struct wring_out *o, uint64_t head)
{
	size_t at = o->tail % o->size;
	size_t n = head - o->tail < o->size - at ? head - o->tail : o->size - at;
	ssize_t done = write(o->fd, o->ring + at, n);

	if (done < 0 && (errno == EAGAIN || errno == EINTR)) {
		struct pollfd p = { .fd = o->fd, .events = POLLOUT };

		poll(&p, 1, 100);
		done = 0;
	}
	pthread_mutex_lock(&o->lock);
	if (done < 0) {
		o->broken = true;
		o->tail = o->head;
	} else {
		o->tail += done;
	}
	pthread_cond_broadcast(&o->change);
	pthread_mutex_unlock(&o->lock);
}

static void *writer(void *arg)
{
	struct wring_out *o = arg;

	for (;;) {
		uint64_t head;
		bool stop;

		pthread_mutex_lock(&o->lock);
		while (o->head == o->tail && !o->stop)
			pthread_cond_wait(&o->change, &o->lock);
		head = o->head;
		stop = o->stop;
		pthread_mutex_unlock(&o->lock);
		if (stop)
			return NULL;
		write_some(o, head);
	}
}

int wring_thread_start(pthread_t *ret, void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	r = pthread_create(ret, &attr, fn, arg);
	pthread_attr_destroy(&attr);
	return r;
}

int wring_out_new(int fd, size_t ring_bytes, struct wring_out **ret, struct wring_err *err)
{
	struct wring_out *o = calloc(1, sizeof(*o));
	pthread_condattr_t attr;

	if (o)
		o->ring = malloc(ring_bytes);
	if (!o || !o->ring) {
		free(o);
		return wring_err_set(err, -ENOMEM, "record ring of %zu bytes", ring_bytes);
	}
	memset(o->ring, 0, ring_bytes);
	o->fd = fd;
	o->size = ring_bytes;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	pthread_mutex_init(&o->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&o->change, &attr);
	pthread_condattr_destroy(&attr);
	if (wring_thread_start(&o->thread, writer, o)) {
		free(o->ring);
		free(o);
		return wring_err_set(err, -EAGAIN, "starting the writer thread");
	}
	*ret = o;
	return 0;
}

bool wring_out_flush(struct wring_out *o, int64_t deadline_ns)
{
	struct timespec until = { .tv_sec = deadline_ns / WRING_NSEC_PER_SEC, .tv_nsec = deadline_ns % WRING_NSEC_PER_SEC };
	int r = 0;
	bool done;

	pthread_mutex_lock(&o->lock);
	pthread_cond_broadcast(&o->change);
	while (o->head != o->tail && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&o->change, &o->lock, &until);
	done = o->head == o->tail;
	pthread_mutex_unlock(&o->lock);
	return done;
}

void wring_out_free(struct wring_out *o, int64_t deadline_ns)
{
	if (!o)
		return;
	wring_out_flush(o, deadline_ns);
	pthread_mutex_lock(&o->lock);
	o->stop = true;
	pthread_cond_broadcast(&o->change);
	pthread_mutex_unlock(&o->lock);
	pthread_join(o->thread, NULL);
	pthread_mutex_destroy(&o->lock);
	pthread_cond_destroy(&o->change);
	free(o->ring);
	free(o);
}

bool wring_out_broken(struct wring_out *o)
{
	bool broken;

	pthread_mutex_lock(&o->lock);
	broken = o->broken;
	pthread_mutex_unlock(&o->lock);
	return broken;
}

/* Records other than samples are few; they are built on the stack of their caller. */
#define RECORD(name, type) \
	uint8_t name##_bytes[16384]; \
	struct wring_wbuf name = { .p = name##_bytes, .size = sizeof(name##_bytes) }; \
	wring_frame_begin(&name, type)

static void send_record(struct wring_out *o, struct wring_wbuf *b)
{
	wring_frame_end(b);
	wring_out_frame(o, b);
}

void wring_out_hello(struct wring_out *o, const char *version)
{
	RECORD(b, WRING_REC_HELLO);
	wring_put_str(&b, version);
	wring_put_u64(&b, (uint64_t)wring_now_ns());
	wring_put_u64(&b, (uint64_t)wring_realtime_ns());
	send_record(o, &b);
}

void wring_out_info(struct wring_out *o, const char *key, const char *value)
{
	RECORD(b, WRING_REC_INFO);
	wring_put_str(&b, key);
	wring_put_strn(&b, value, strnlen(value, sizeof(b_bytes) - 512));
	send_record(o, &b);
}

void wring_out_begin(struct wring_out *o, const char *scenario)
{
	RECORD(b, WRING_REC_BEGIN);
	wring_put_u64(&b, (uint64_t)wring_now_ns());
	wring_put_str(&b, scenario);
	send_record(o, &b);
}

void wring_out_end(struct wring_out *o, const char *outcome, const char *reason)
{
	RECORD(b, WRING_REC_END);
	wring_put_u64(&b, (uint64_t)wring_now_ns());
	wring_put_str(&b, outcome);
	wring_put_str(&b, reason);
	send_record(o, &b);
}

void wring_out_event(struct wring_out *o, const char *kind, const char *subject, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	RECORD(b, WRING_REC_EVENT);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	wring_put_u64(&b, (uint64_t)wring_now_ns());
	wring_put_str(&b, kind);
	wring_put_str(&b, subject);
	wring_put_str(&b, text);
	send_record(o, &b);
}

void wring_out_text(struct wring_out *o, const char *kind, const char *subject, const char *text, size_t len)
{
	RECORD(b, WRING_REC_EVENT);
	wring_put_u64(&b, (uint64_t)wring_now_ns());
	wring_put_str(&b, kind);
	wring_put_str(&b, subject);
	wring_put_strn(&b, text, len < 8000 ? len : 8000);
	send_record(o, &b);
}

void wring_out_log(struct wring_out *o, int64_t t_ns, unsigned level, const char *text, size_t len)
{
	RECORD(b, WRING_REC_LOG);
	wring_put_u64(&b, (uint64_t)t_ns);
	wring_put_u64(&b, level);
	wring_put_strn(&b, text, len < 8000 ? len : 8000);
	send_record(o, &b);
}

void wring_out_time(struct wring_out *o, enum wring_record type)
{
	RECORD(b, type);
	wring_put_u64(&b, (uint64_t)wring_now_ns());
	send_record(o, &b);
}
