/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The record stream from the agent to the recorder.
 *
 * A frame is a 16-byte header (little-endian: magic u32, type u8, version u8, reserved u16, payload
 * length u32, CRC-32 of the first 12 bytes and the payload) and a payload of varints (LEB128), zigzag
 * varints and strings (varint length, bytes). All times are CLOCK_MONOTONIC of the agent's kernel, in ns.
 * Neither side allocates per frame; a decoder never reads outside the payload. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "harness/base/err.h"

#define WRING_WIRE_MAGIC 0x474e5257u /* "WRNG" */
#define WRING_WIRE_VERSION 1
#define WRING_WIRE_HEADER 16
#define WRING_WIRE_MAX (1u << 20)    /* largest payload, bytes */

enum wring_record {
	WRING_REC_HELLO = 1,  /* str agent version; u64 t_ns; u64 realtime_ns */
	WRING_REC_INFO,       /* str key; str value: a fact about the machine (fingerprint) */
	WRING_REC_BEGIN,      /* u64 t_ns; str scenario */
	WRING_REC_END,        /* u64 t_ns; str outcome; str reason */
	WRING_REC_SOURCE,     /* u64 source id; str sampler; str subject; str path */
	WRING_REC_KEYS,       /* u64 source id; u64 n; n times: str key, u64 kind (enum wring_kind), str unit */
	WRING_REC_SAMPLE,     /* u64 source id; u64 t_ns; u64 duration_ns; u64 n; n zigzag deltas against
	                       * the previous sample of this source (0 for the first, and after KEYS) */
	WRING_REC_EVENT,      /* u64 t_ns; str kind; str subject; str text */
	WRING_REC_LOG,        /* u64 t_ns; u64 level (0..7, syslog); str text: a line of the kernel log */
	WRING_REC_GAP,        /* u64 t_ns; u64 lost frames: the recorder did not drain in time */
	WRING_REC_ALIVE,      /* u64 t_ns: heartbeat, at least once a second */
	WRING_REC_BYE,        /* u64 t_ns: the whole plan is done */
	WRING_REC_MAX
};

enum wring_kind { WRING_COUNTER, WRING_GAUGE }; /* a counter never goes down on a healthy kernel */

/* Encoder into a buffer of the caller's. Too little room sets `full` and leaves the frame unusable. */
struct wring_wbuf {
	uint8_t *p;
	size_t len, size;
	bool full;
};
void wring_frame_begin(struct wring_wbuf *b, enum wring_record type);
void wring_put_u64(struct wring_wbuf *b, uint64_t v);
void wring_put_s64(struct wring_wbuf *b, int64_t v);
/* n times the difference of two values. */
void wring_put_deltas(struct wring_wbuf *b, const int64_t *v, const int64_t *prev, size_t n);
void wring_put_str(struct wring_wbuf *b, const char *s);
void wring_put_strn(struct wring_wbuf *b, const char *s, size_t n);
/* Completes header and checksum; returns the frame's bytes, or 0 when it did not fit. */
size_t wring_frame_end(struct wring_wbuf *b);

/* Decoder. A read past the end sets `bad` and yields 0 or an empty string. */
struct wring_rbuf {
	const uint8_t *p, *end;
	bool bad;
};
uint64_t wring_get_u64(struct wring_rbuf *r);
int64_t wring_get_s64(struct wring_rbuf *r);
/* Points into the payload, not NUL-terminated. */
const char *wring_get_str(struct wring_rbuf *r, size_t *ret_len);

/* The next frame in [p, p+len). Returns its total size, 0 when more bytes are needed, or -EBADMSG (err says
 * why: bad magic, version, length or checksum). *ret_payload is set to the payload. */
int64_t wring_frame_next(const uint8_t *p, size_t len, enum wring_record *ret_type,
			 struct wring_rbuf *ret_payload, struct wring_err *err);

/* Varints on their own, for the store: p needs 10 bytes of room; returns bytes used. */
size_t wring_varint_put(uint8_t *p, uint64_t v);
/* Returns bytes used, 0 when truncated or longer than 10 bytes. */
size_t wring_varint_get(const uint8_t *p, const uint8_t *end, uint64_t *ret);
static inline uint64_t wring_zigzag(int64_t v) { return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63); }
static inline int64_t wring_unzigzag(uint64_t v) { return (int64_t)(v >> 1) ^ -(int64_t)(v & 1); }
