/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long each shrinker's scans took. The kernel adds it up itself, in a histogram of its event tracing: from mm_shrink_slab_start to
 * mm_shrink_slab_end of the same task (Documentation/trace/histogram.rst). Nothing is recorded, and a round reads some lines.
 * Only in a guest, which has a tracefs of its own there: on a host a trigger would outlive whoever was killed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/util.h"
#include "harness/samplers/source.h"

#define EVENTS "tracing/events/"
#define HISTOGRAM EVENTS "synthetic/wring_shrink/"
#define NAME_MAX_LEN 24

/* What another scenario of the same boot has set is taken back first, and its figures with it. */
static const struct { const char *file, *text; } setup[] = {
	{ HISTOGRAM "trigger", "!hist:keys=fn.sym,us.log2" },
	{ EVENTS "vmscan/mm_shrink_slab_end/trigger",
	  "!hist:keys=common_pid:us=common_timestamp.usecs-$ts0:onmatch(vmscan.mm_shrink_slab_start).wring_shrink(shrink,$us)" },
	{ EVENTS "vmscan/mm_shrink_slab_start/trigger", "!hist:keys=common_pid:ts0=common_timestamp.usecs" },
	{ "tracing/synthetic_events", "wring_shrink u64 fn; u64 us" },
	{ EVENTS "vmscan/mm_shrink_slab_start/trigger", "hist:keys=common_pid:ts0=common_timestamp.usecs" },
	{ EVENTS "vmscan/mm_shrink_slab_end/trigger",
	  "hist:keys=common_pid:us=common_timestamp.usecs-$ts0:onmatch(vmscan.mm_shrink_slab_start).wring_shrink(shrink,$us)" },
	{ HISTOGRAM "trigger", "hist:keys=fn.sym,us.log2" },
};

static int find(struct wring_source *s, int dirfd)
{
	_cleanup_close_ int root = dirfd == AT_FDCWD ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) : openat(dirfd, ".", O_PATH | O_CLOEXEC);
	int fd;

	if (root < 0)
		return -errno;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(setup); i++)
		wring_write_file(root, setup[i].file, setup[i].text);
	fd = openat(root, HISTOGRAM "hist", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	s->files[s->n_files++] = (struct wring_file){ .fd = fd, .path = "/" HISTOGRAM "hist" };
	return 0;
}

/* "{ fn: [ffffffffa5b2c0d0] super_cache_scan      , us: ~ 2^4  } hitcount:         12": more than 2^3 us, at most 2^4 */
static void tell_line(struct wring_source *s, const char *line)
{
	const char *name = strstr(line, "] "), *us = strstr(line, "us: ~ 2^"), *hits = strstr(line, "hitcount:");
	unsigned power;
	long long n;
	char key[64];
	size_t len;

	if (strncmp(line, "{ fn:", 5) || !name || !us || !hits || sscanf(us, "us: ~ 2^%u", &power) != 1 || power > 62 ||
	    sscanf(hits, "hitcount: %lld", &n) != 1)
		return;
	name += 2;
	len = strcspn(name, " ,");
	snprintf(key, sizeof(key), "%.*s.us_le.%llu", (int)(len < NAME_MAX_LEN ? len : NAME_MAX_LEN), name, 1ULL << power);
	wring_load_value(s, key, n);
}

static void tell(struct wring_source *s)
{
	static char text[64 << 10]; /* there is one source of it, read by one thread */
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(text) - 1 && (n = pread(s->files[0].fd, text + len, sizeof(text) - 1 - len, (off_t)len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		tell_line(s, line);
}

static enum wring_kind kind(const char *key)
{
	(void)key;
	return WRING_COUNTER;
}

static const struct wring_sampler sampler = {
	.name = "shrinkers",
	.summary = "how many scans of each shrinker took how long, where the kernel traces events, in guests",
	.scope = WRING_PER_SYSTEM,
	.find = find,
	.tell = tell,
	.unit = "",
	.kind = kind,
};
WRING_REGISTER_SAMPLER(sampler);
