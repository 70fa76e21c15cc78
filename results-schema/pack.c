/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "results-schema/pack.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include "harness/base/wire.h"

/* Below this zstd's own header costs more than it can save. */
enum { ZSTD_LEAST = 32, ZSTD_LEVEL = 9, VARINT_MAX = 10 };

struct buffer {
	uint8_t *p;
	size_t size;
};

struct wring_packer {
	ZSTD_CCtx *cctx;
	ZSTD_DCtx *dctx;
	struct buffer plain, packed;
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
	free(pk->plain.p);
	free(pk->packed.p);
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

/* ---- the stream of numbers ---- */
struct writer {
	uint8_t *p;
	size_t len;
	uint64_t zeros;
};

static void put_zeros(struct writer *w)
{
	if (!w->zeros)
		return;
	w->p[w->len++] = 0;
	w->len += wring_varint_put(w->p + w->len, w->zeros - 1);
	w->zeros = 0;
}

static void put(struct writer *w, uint64_t v)
{
	if (!v) {
		w->zeros++;
		return;
	}
	put_zeros(w);
	w->len += wring_varint_put(w->p + w->len, wring_zigzag((int64_t)v));
}

struct reader {
	const uint8_t *p, *end;
	uint64_t zeros;
	bool is_bad;
};

static uint64_t get_varint(struct reader *r)
{
	uint64_t v = 0;
	size_t n = wring_varint_get(r->p, r->end, &v);

	if (!n)
		r->is_bad = true;
	r->p += n;
	return v;
}

static uint64_t get(struct reader *r)
{
	uint64_t v;

	if (r->is_bad)
		return 0;
	if (r->zeros) {
		r->zeros--;
		return 0;
	}
	v = get_varint(r);
	if (!v && !r->is_bad)
		r->zeros = get_varint(r);
	return (uint64_t)wring_unzigzag(v);
}

static int finish_reading(const struct reader *r)
{
	return r->is_bad || r->zeros || r->p != r->end ? -EBADMSG : 0;
}

/* ---- zstd around it ---- */
static int squeeze(struct wring_packer *pk, const void *p, size_t len, struct wring_packed *ret)
{
	size_t n, bound = ZSTD_compressBound(len);

	*ret = (struct wring_packed){ .p = p, .len = len, .enc = WRING_ENC_PLAIN };
	if (len < ZSTD_LEAST)
		return 0;
	if (reserve(&pk->packed, bound) < 0)
		return -ENOMEM;
	n = ZSTD_compressCCtx(pk->cctx, pk->packed.p, bound, p, len, ZSTD_LEVEL);
	if (!ZSTD_isError(n) && n < len)
		*ret = (struct wring_packed){ .p = pk->packed.p, .len = n, .enc = WRING_ENC_ZSTD };
	return 0;
}

/* *r reads the plain bytes, which a stream of `count` numbers bounds. */
static int start_reading(struct wring_packer *pk, const struct wring_packed *in, size_t count, struct reader *r)
{
	size_t n, bound = (count + 1) * VARINT_MAX;

	*r = (struct reader){ .p = in->p, .end = (const uint8_t *)in->p + in->len };
	if (in->enc == WRING_ENC_PLAIN)
		return 0;
	if (in->enc != WRING_ENC_ZSTD)
		return -EBADMSG;
	if (reserve(&pk->plain, bound) < 0)
		return -ENOMEM;
	n = ZSTD_decompressDCtx(pk->dctx, pk->plain.p, bound, in->p, in->len);
	if (ZSTD_isError(n))
		return -EBADMSG;
	*r = (struct reader){ .p = pk->plain.p, .end = pk->plain.p + n };
	return 0;
}

static int start_writing(struct wring_packer *pk, size_t count, struct writer *w)
{
	int r = reserve(&pk->plain, (count + 1) * VARINT_MAX);

	*w = (struct writer){ .p = pk->plain.p };
	return r;
}

static int finish_writing(struct wring_packer *pk, struct writer *w, struct wring_packed *ret)
{
	put_zeros(w);
	return squeeze(pk, w->p, w->len, ret);
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

int wring_unpack_values(struct wring_packer *pk, const struct wring_packed *in, int64_t first, int64_t *v,
			size_t stride, size_t n)
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

int wring_pack_times(struct wring_packer *pk, const struct wring_stamp *t, size_t n, struct wring_packed *ret)
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

int wring_unpack_bytes(struct wring_packer *pk, const struct wring_packed *in, char *text, size_t size)
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
