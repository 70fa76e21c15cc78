/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/wire.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

static void put_le32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get_le32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t checksum(const uint8_t *frame, size_t payload)
{
	uLong c = crc32(0, frame, 12);

	return (uint32_t)crc32(c, frame + WRING_WIRE_HEADER, (uInt)payload);
}

size_t wring_varint_put(uint8_t *p, uint64_t v)
{
	size_t n = 0;

	while (v >= 0x80) {
		p[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	p[n++] = (uint8_t)v;
	return n;
}

size_t wring_varint_get(const uint8_t *p, const uint8_t *end, uint64_t *ret)
{
	uint64_t v = 0;

	for (size_t n = 0; n < 10 && p + n < end; n++) {
		v |= (uint64_t)(p[n] & 0x7f) << (7 * n);
		if (!(p[n] & 0x80)) {
			*ret = v;
			return n + 1;
		}
	}
	return 0;
}

static bool room(struct wring_wbuf *b, size_t n)
{
	if (b->full || b->size - b->len < n)
		b->full = true;
	return !b->full;
}

void wring_frame_begin(struct wring_wbuf *b, enum wring_record type)
{
	b->len = 0;
	b->full = false;
	if (!room(b, WRING_WIRE_HEADER))
		return;
	memset(b->p, 0, WRING_WIRE_HEADER);
	put_le32(b->p, WRING_WIRE_MAGIC);
	b->p[4] = (uint8_t)type;
	b->p[5] = WRING_WIRE_VERSION;
	b->len = WRING_WIRE_HEADER;
}

void wring_put_u64(struct wring_wbuf *b, uint64_t v)
{
	if (room(b, 10))
		b->len += wring_varint_put(b->p + b->len, v);
}

void wring_put_s64(struct wring_wbuf *b, int64_t v)
{
	wring_put_u64(b, wring_zigzag(v));
}

/* A sample is a few hundred of these, most of them 0: room is asked for once. */
void wring_put_deltas(struct wring_wbuf *b, const int64_t *v, const int64_t *prev, size_t n)
{
	uint8_t *p = b->p + b->len;

	if (n > SIZE_MAX / 10 || !room(b, n * 10))
		return;
	for (size_t i = 0; i < n; i++) {
		uint64_t u = wring_zigzag((int64_t)((uint64_t)v[i] - (uint64_t)prev[i]));

		if (u < 0x80)
			*p++ = (uint8_t)u;
		else
			p += wring_varint_put(p, u);
	}
	b->len = (size_t)(p - b->p);
}

void wring_put_strn(struct wring_wbuf *b, const char *s, size_t n)
{
	wring_put_u64(b, n);
	if (!n || !room(b, n))
		return;
	memcpy(b->p + b->len, s, n);
	b->len += n;
}

void wring_put_str(struct wring_wbuf *b, const char *s)
{
	wring_put_strn(b, s, strlen(s));
}

size_t wring_frame_end(struct wring_wbuf *b)
{
	size_t payload = b->len - WRING_WIRE_HEADER;

	if (b->full || payload > WRING_WIRE_MAX)
		return 0;
	put_le32(b->p + 8, (uint32_t)payload);
	put_le32(b->p + 12, checksum(b->p, payload));
	return b->len;
}

uint64_t wring_get_u64(struct wring_rbuf *r)
{
	uint64_t v = 0;
	size_t n = r->bad ? 0 : wring_varint_get(r->p, r->end, &v);

	if (!n) {
		r->bad = true;
		return 0;
	}
	r->p += n;
	return v;
}

int64_t wring_get_s64(struct wring_rbuf *r)
{
	return wring_unzigzag(wring_get_u64(r));
}

const char *wring_get_str(struct wring_rbuf *r, size_t *ret_len)
{
	uint64_t n = wring_get_u64(r);
	const char *s = (const char *)r->p;

	if (r->bad || n > (uint64_t)(r->end - r->p)) {
		r->bad = true;
		*ret_len = 0;
		return "";
	}
	r->p += n;
	*ret_len = (size_t)n;
	return s;
}

int64_t wring_frame_next(const uint8_t *p, size_t len, enum wring_record *ret_type, struct wring_rbuf *ret_payload,
			 struct wring_err *err)
{
	uint32_t payload;

	if (len < WRING_WIRE_HEADER)
		return 0;
	if (get_le32(p) != WRING_WIRE_MAGIC)
		return wring_err_set(err, -EBADMSG, "record stream: no frame where one should start");
	if (p[5] != WRING_WIRE_VERSION)
		return wring_err_set(err, -EBADMSG, "record stream: version %u, this program reads %d", p[5],
				     WRING_WIRE_VERSION);
	payload = get_le32(p + 8);
	if (payload > WRING_WIRE_MAX)
		return wring_err_set(err, -EBADMSG, "record stream: a frame of %u bytes (at most %u)", payload,
				     WRING_WIRE_MAX);
	if (len < WRING_WIRE_HEADER + (size_t)payload)
		return 0;
	if (get_le32(p + 12) != checksum(p, payload))
		return wring_err_set(err, -EBADMSG, "record stream: checksum of a type %u frame is wrong", p[4]);
	*ret_type = p[4];
	*ret_payload = (struct wring_rbuf){ .p = p + WRING_WIRE_HEADER, .end = p + WRING_WIRE_HEADER + payload };
	return WRING_WIRE_HEADER + (int64_t)payload;
}
