/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Columns of numbers as small blobs. Pure: no SQLite, no files.
 *
 * A column is the n - 1 differences between n values (the first is kept beside it). Times are the n - 1 differences
 * of the time stamps as differences of differences, then the n durations as differences. Arithmetic wraps, so every
 * int64_t survives. The numbers, zigzagged, are written in the form that is smallest:
 *   plain  varints, where a run of m zeros is a 0 followed by the varint m - 1 (counters that rarely move)
 *   zstd   that, compressed (patterns)
 *   Rice   a byte k, then bits from the lowest of each byte up: q ones, a zero and the k low bits of q << k | low, or,
 *          where q would reach 32, 32 ones and all 64 bits; ones fill the last byte (noise: a fourth smaller than varints, whose zstd gains little)
 * A decoder trusts nothing: it never reads outside the blob and returns -EBADMSG for anything but exactly n values. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define WRING_CHUNK_MAX 4096 /* samples */

enum wring_enc { WRING_ENC_PLAIN, WRING_ENC_ZSTD, WRING_ENC_RICE };

struct wring_packed {
	const void *p;
	size_t len;
	int enc; /* enum wring_enc; anything else is refused */
};
struct wring_stamp { int64_t t_ns, duration_ns; };

/* Working memory; not for two threads at once. */
struct wring_packer;
struct wring_packer *wring_packer_new(void);
void wring_packer_free(struct wring_packer *pk);

/* All return 0, -ENOMEM or -EBADMSG. The result of packing lives until the next call with the packer.
 * `stride` is the distance between values, so that a column of a matrix needs no copy. n is at least 1. */
int wring_pack_values(struct wring_packer *pk, const int64_t *v, size_t stride, size_t n,
		      struct wring_packed *ret);
int wring_unpack_values(struct wring_packer *pk, const struct wring_packed *in, int64_t first, int64_t *v,
			size_t stride, size_t n);
int wring_pack_times(struct wring_packer *pk, const struct wring_stamp *t, size_t n, struct wring_packed *ret);
int wring_unpack_times(struct wring_packer *pk, const struct wring_packed *in, int64_t t_first,
		       struct wring_stamp *t, size_t n);
/* Any bytes. size: of the unpacked text, at most 1 GiB. */
int wring_pack_bytes(struct wring_packer *pk, const void *p, size_t len, struct wring_packed *ret);
int wring_unpack_bytes(struct wring_packer *pk, const struct wring_packed *in, char *text, size_t size);
