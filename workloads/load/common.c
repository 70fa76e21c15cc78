/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "workloads/load/common.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "harness/api/loadproto.h"
#include "harness/base/units.h"
#include "harness/base/util.h"

uint64_t *wring_slot(struct wring_slots *s, uint64_t object)
{
	uint64_t size = s->size ? s->size : 512, *ring;

	while (object - s->first >= size)
		size *= 2;
	if (size != s->size) {
		ring = calloc(size, sizeof(*ring));
		if (!ring)
			return NULL;
		for (uint64_t i = s->first; s->size && i < s->first + s->size; i++)
			ring[i & (size - 1)] = s->ring[i & (s->size - 1)];
		free(s->ring);
		s->ring = ring;
		s->size = size;
	}
	return &s->ring[object & (s->size - 1)];
}

uint64_t wring_slot_take(struct wring_slots *s, uint64_t object)
{
	uint64_t *slot = &s->ring[object & (s->size - 1)], value = *slot;

	*slot = 0;
	s->first = object + 1;
	return value;
}

void wring_slots_done(struct wring_slots *s)
{
	free(s->ring);
	memset(s, 0, sizeof(*s));
}

uint64_t wring_number_at(const char *path, uint64_t fallback)
{
	_cleanup_free_ char *text = NULL;
	uint64_t v;

	return wring_read_line(AT_FDCWD, path, &text) || wring_parse_u64(text, 0, INT64_MAX, &v, NULL) ? fallback : v;
}

uint64_t wring_slab_charge(const char *cache, uint64_t fallback)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/slab_size", cache);
	return wring_number_at(path, fallback) + sizeof(void *);
}

uint64_t wring_kmalloc_charge(uint64_t bytes)
{
	uint64_t size = 8;

	while (size < bytes)
		size *= 2;
	if (size > 2 * wring_page_size())
		return size;
	if (bytes > 64 && bytes <= 96)
		size = 96;
	if (bytes > 128 && bytes <= 192)
		size = 192;
	return size + sizeof(void *);
}

uint64_t wring_fd_charge(bool has_dentry)
{
	return wring_slab_charge("filp", 256) + (has_dentry ? wring_slab_charge("dentry", 192) : 0) + sizeof(void *);
}

int wring_raise_nofile(struct wring_err *err)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l))
		return wring_err_set(err, -errno, "the limit of open files: %s", strerror(errno));
	l.rlim_cur = l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l))
		return wring_err_set(err, -errno, "raising the limit of open files: %s", strerror(errno));
	return 0;
}

uint64_t wring_page_size(void) { return (uint64_t)sysconf(_SC_PAGESIZE); }

uint64_t wring_pmd_size(void)
{
	return wring_number_at("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", wring_page_size() * wring_page_size() / 8);
}

uint64_t wring_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

int64_t wring_due(uint64_t n, uint64_t rate)
{
	return (int64_t)(n / rate * WRING_NSEC_PER_SEC + n % rate * WRING_NSEC_PER_SEC / rate);
}

void wring_undone(struct wring_wctx *c, int64_t start_ns, uint64_t rate, uint64_t first, uint64_t step, int64_t end_ns)
{
	int64_t now = wring_now_ns(), until = now < end_ns ? now : end_ns, wait;

	while ((wait = now - start_ns - wring_due(first, rate)) > now - until) {
		uint64_t n = 1, more = 1;

		/* There may be millions, and the process is to end: those behind that fall into the same bucket, in leaps. */
		while (more) {
			int64_t next = now - start_ns - wring_due(first + (n + more - 1) * step, rate);

			if (next > now - until && wring_latency_bucket((uint64_t)next) == wring_latency_bucket((uint64_t)wait)) {
				n += more;
				more *= 2;
			} else {
				more /= 2;
			}
		}
		wring_latencies(c, wait, n);
		wring_dropped(c, n);
		first += n * step;
	}
}

bool wring_sleep_until(struct wring_wctx *c, int64_t ns)
{
	while (!wring_should_stop(c)) {
		int64_t now = wring_now_ns(), until = now + 20 * WRING_NSEC_PER_MSEC;
		struct timespec ts;

		if (now >= ns)
			return true;
		if (until > ns)
			until = ns;
		ts.tv_sec = until / WRING_NSEC_PER_SEC;
		ts.tv_nsec = until % WRING_NSEC_PER_SEC;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	}
	return false;
}
