/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "results-schema/pack.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include "harness/base/wire.h"

/* Below this zstd's own header costs more than it can save. */
enum { ZSTD_LEAST = 32, ZSTD_LEVEL = 9, VARINT_MAX = 10, RICE_ESCAPE = 32 };

struct buffer {
	uint8_t *p;
	size_t size;
};

struct wring_packer {
	ZSTD_CCtx *cctx;
	ZSTD_DCtx *dctx;
	struct buffer numbers, plain, packed, bits;
};

struct wring_packer *wring_packer_new(void)
{
	struct wring_packer *pk = calloc(1, sizeof(*pk));

	if (!pk)
		return NULL;
	pk->cctx = ZSTD_createCCtx();
	pk->dctx = ZSTD_createDCtx();
	if (!pk->cctx || !pk->dctx) {
		wring_packer_free(pk);
		return NULL;
	}
	return pk;
}

void wring_packer_free(struct wring_packer *pk)
{
	if (!pk)
		return;
	ZSTD_freeCCtx(pk->cctx);
	ZSTD_freeDCtx(pk->dctx);
	free(pk->numbers.p);
	free(pk->plain.p);
	free(pk->packed.p);
	free(pk->bits.p);
	free(pk);
}

static int reserve(struct buffer *b, size_t size)
{
	uint8_t *p;

	if (size <= b->size)
		return 0;
	p = realloc(b->p, size);
	if (!p)
		return -ENOMEM;
	b->p = p;
	b->size = size;
	return 0;
}

/* ---- varints ---- */
static size_t put_zeros(uint8_t *p, uint64_t zeros)
{
	if (!zeros)
		return 0;
	*p = 0;
	return 1 + wring_varint_put(p + 1, zeros - 1);
}

static size_t put_varints(uint8_t *p, const uint64_t *u, size_t n)
{
	uint64_t zeros = 0;
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (!u[i]) {
			zeros++;
			continue;
		}
		len += put_zeros(p + len, zeros);
		len += wring_varint_put(p + len, u[i]);
		zeros = 0;
	}
	return len + put_zeros(p + len, zeros);
}

/* ---- Rice ---- */
static uint64_t rice_bits(const uint64_t *u, size_t n, unsigned k)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < n; i++)
		bits += u[i] >> k < RICE_ESCAPE ? (u[i] >> k) + 1 + k : RICE_ESCAPE + 64;
	return bits;
}

static unsigned best_rice(const uint64_t *u, size_t n, size_t *ret_len)
{
	uint64_t least = UINT64_MAX;
	unsigned best = 0;

	for (unsigned k = 0; k < 64; k++) {
		uint64_t bits = rice_bits(u, n, k);

		if (bits < least) {
			least = bits;
			best = k;
		}
	}
	*ret_len = 1 + (size_t)((least + 7) / 8);
	return best;
}

/* Into zeroed bytes; returns the next position. */
static size_t put_bits(uint8_t *p, size_t at, uint64_t v, unsigned n)
{
	for (; n; n--, at++, v >>= 1)
		p[at / 8] |= (uint8_t)((v & 1) << at % 8);
	return at;
}

static void put_rice(uint8_t *p, size_t len, const uint64_t *u, size_t n, unsigned k)
{
	size_t at = 8;

	memset(p, 0, len);
	p[0] = (uint8_t)k;
	for (size_t i = 0; i < n; i++) {
		uint64_t q = u[i] >> k;

		if (q < RICE_ESCAPE) {
			at = put_bits(p, at, (1ULL << q) - 1, (unsigned)q + 1);
			at = put_bits(p, at, u[i], k);
		} else {
			at = put_bits(p, at, UINT64_MAX, RICE_ESCAPE);
			at = put_bits(p, at, u[i], 64);
		}
	}
	/* Every number has a zero bit or is longer than this: one too many cannot hide here. */
	put_bits(p, at, UINT64_MAX, (unsigned)(8 * len - at));
}

/* ---- reading either ---- */
struct reader {
	const uint8_t *p, *end; /* varints: what is left; Rice: all of it */
	uint64_t zeros;
	size_t at; /* Rice: bit */
	unsigned k;
	bool is_rice, is_bad;
};

static uint64_t get_bits(struct reader *r, unsigned n)
{
	uint64_t v = 0;

	if (n > (size_t)(r->end - r->p) * 8 - r->at) {
		r->is_bad = true;
		return 0;
	}
	for (unsigned i = 0; i < n; i++, r->at++)
		v |= (uint64_t)(r->p[r->at / 8] >> r->at % 8 & 1) << i;
	return v;
}

static uint64_t get_rice(struct reader *r)
{
	unsigned q = 0;

	while (q < RICE_ESCAPE && get_bits(r, 1))
		q++;
	if (q == RICE_ESCAPE)
		return get_bits(r, 64);
	return (uint64_t)q << r->k | get_bits(r, r->k);
}

static uint64_t get_varint(struct reader *r)
{
	uint64_t v = 0;
	size_t n = wring_varint_get(r->p, r->end, &v);

	if (!n)
		r->is_bad = true;
	r->p += n;
	return v;
}

static uint64_t get_plain(struct reader *r)
{
	uint64_t v;

	if (r->zeros) {
		r->zeros--;
		return 0;
	}
	v = get_varint(r);
	if (!v && !r->is_bad)
		r->zeros = get_varint(r);
	return v;
}

/* The next difference. */
static uint64_t get(struct reader *r)
{
	if (r->is_bad)
		return 0;
	return (uint64_t)wring_unzigzag(r->is_rice ? get_rice(r) : get_plain(r));
}

static int finish_reading(struct reader *r)
{
	if (r->is_bad)
		return -EBADMSG;
	if (r->is_rice) {
		size_t rest = (size_t)(r->end - r->p) * 8 - r->at;

		return rest < 8 && get_bits(r, (unsigned)rest) == (1u << rest) - 1 ? 0 : -EBADMSG;
	}
	return r->zeros || r->p != r->end ? -EBADMSG : 0;
}

static int start_zstd(struct wring_packer *pk, const struct wring_packed *in, size_t count,
		      struct reader *r)
{
	size_t n, bound = (count + 1) * VARINT_MAX;

	if (reserve(&pk->plain, bound) < 0)
		return -ENOMEM;
	n = ZSTD_decompressDCtx(pk->dctx, pk->plain.p, bound, in->p, in->len);
	if (ZSTD_isError(n))
		return -EBADMSG;
	*r = (struct reader) { .p = pk->plain.p, .end = pk->plain.p + n };
	return 0;
}

/* A stream of `count` numbers. */
static int start_reading(struct wring_packer *pk, const struct wring_packed *in, size_t count,
			 struct reader *r)
{
	*r = (struct reader) { .p = in->p, .end = (const uint8_t *)in->p + in->len };
	switch (in->enc) {
	case WRING_ENC_PLAIN: return 0;
	case WRING_ENC_ZSTD: return start_zstd(pk, in, count, r);
	case WRING_ENC_RICE:
		r->is_rice = true;
		r->k = (unsigned)get_bits(r, 8);
		return r->is_bad || r->k > 63 ? -EBADMSG : 0;
	default: return -EBADMSG;
	}
}

/* ---- writing the smallest ---- */
static int squeeze(struct wring_packer *pk, const void *p, size_t len, struct wring_packed *ret)
{
	size_t n, bound = ZSTD_compressBound(len);

	*ret = (struct wring_packed) { .p = p, .len = len, .enc = WRING_ENC_PLAIN };
	if (len < ZSTD_LEAST)
		return 0;
	if (reserve(&pk->packed, bound) < 0)
		return -ENOMEM;
	n = ZSTD_compressCCtx(pk->cctx, pk->packed.p, bound, p, len, ZSTD_LEVEL);
	if (!ZSTD_isError(n) && n < len)
		*ret = (struct wring_packed) { .p = pk->packed.p, .len = n, .enc = WRING_ENC_ZSTD };
	return 0;
}

struct writer {
	uint64_t *u;
	size_t n;
};

static int start_writing(struct wring_packer *pk, size_t count, struct writer *w)
{
	int r = reserve(&pk->numbers, (count + 1) * sizeof(*w->u));

	*w = (struct writer) { .u = (uint64_t *)(void *)pk->numbers.p };
	return r;
}

static void put(struct writer *w, uint64_t difference)
{
	w->u[w->n++] = wring_zigzag((int64_t)difference);
}

static int finish_writing(struct wring_packer *pk, const struct writer *w, struct wring_packed *ret)
{
	size_t len;
	unsigned k;

	if (reserve(&pk->plain, (w->n + 1) * VARINT_MAX) < 0)
		return -ENOMEM;
	if (squeeze(pk, pk->plain.p, put_varints(pk->plain.p, w->u, w->n), ret) < 0)
		return -ENOMEM;
	k = best_rice(w->u, w->n, &len);
	if (len >= ret->len)
		return 0;
	if (reserve(&pk->bits, len) < 0)
		return -ENOMEM;
	put_rice(pk->bits.p, len, w->u, w->n, k);
	*ret = (struct wring_packed) { .p = pk->bits.p, .len = len, .enc = WRING_ENC_RICE };
	return 0;
}

/* ---- columns ---- */
int wring_pack_values(struct wring_packer *pk, const int64_t *v, size_t stride, size_t n,
		      struct wring_packed *ret)
{
	struct writer w;
	int r = start_writing(pk, n, &w);

	if (r < 0)
		return r;
	for (size_t i = 1; i < n; i++)
		put(&w, (uint64_t)v[i * stride] - (uint64_t)v[(i - 1) * stride]);
	return finish_writing(pk, &w, ret);
}

int wring_unpack_values(struct wring_packer *pk, const struct wring_packed *in, int64_t first,
			int64_t *v, size_t stride, size_t n)
{
	struct reader rd;
	int r = start_reading(pk, in, n, &rd);

	if (r < 0)
		return r;
	v[0] = first;
	for (size_t i = 1; i < n; i++)
		v[i * stride] = (int64_t)((uint64_t)v[(i - 1) * stride] + get(&rd));
	return finish_reading(&rd);
}

int wring_pack_times(struct wring_packer *pk, const struct wring_stamp *t, size_t n,
		     struct wring_packed *ret)
{
	uint64_t step = 0, duration = 0;
	struct writer w;
	int r = start_writing(pk, 2 * n, &w);

	if (r < 0)
		return r;
	for (size_t i = 1; i < n; i++) {
		uint64_t d = (uint64_t)t[i].t_ns - (uint64_t)t[i - 1].t_ns;

		put(&w, d - step);
		step = d;
	}
	for (size_t i = 0; i < n; i++) {
		put(&w, (uint64_t)t[i].duration_ns - duration);
		duration = (uint64_t)t[i].duration_ns;
	}
	return finish_writing(pk, &w, ret);
}

int wring_unpack_times(struct wring_packer *pk, const struct wring_packed *in, int64_t t_first,
		       struct wring_stamp *t, size_t n)
{
	uint64_t step = 0, duration = 0;
	struct reader rd;
	int r = start_reading(pk, in, 2 * n, &rd);

	if (r < 0)
		return r;
	t[0].t_ns = t_first;
	for (size_t i = 1; i < n; i++) {
		step += get(&rd);
		t[i].t_ns = (int64_t)((uint64_t)t[i - 1].t_ns + step);
	}
	for (size_t i = 0; i < n; i++) {
		duration += get(&rd);
		t[i].duration_ns = (int64_t)duration;
	}
	return finish_reading(&rd);
}

/* ---- text ---- */
int wring_pack_bytes(struct wring_packer *pk, const void *p, size_t len, struct wring_packed *ret)
{
	return squeeze(pk, p, len, ret);
}

int wring_unpack_bytes(struct wring_packer *pk, const struct wring_packed *in, char *text,
		       size_t size)
{
	if (in->enc == WRING_ENC_PLAIN && in->len == size) {
		if (size)
			memcpy(text, in->p, size);
		return 0;
	}
	if (in->enc != WRING_ENC_ZSTD)
		return -EBADMSG;
	return ZSTD_decompressDCtx(pk->dctx, text, size, in->p, in->len) == size ? 0 : -EBADMSG;
}
