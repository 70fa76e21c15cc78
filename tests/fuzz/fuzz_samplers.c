/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any text as a kernel statistics file, read by every format; then another text in its place, as when a file changes
 * between two reads. The first byte chooses the sampler, a byte 0 parts the two texts. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/util.h"
#include "harness/samplers/source.h"
#include "tests/fuzz/fuzz.h"

/* One of each format; the folder of a cgroup stands for all. */
static const struct { const char *sampler, *path; } files[] = {
	{ "memory.stat", "memory.stat" }, { "meminfo", "proc/meminfo" }, { "memory", "memory.current" },
	{ "memory.pressure", "memory.pressure" }, { "memory.numa_stat", "memory.numa_stat" }, { "slabinfo", "proc/slabinfo" },
	{ "netstat", "proc/net/netstat" },
};

static int dir = -1;
static char path[] = "/tmp/wring-fuzz-XXXXXX";

static void put(const char *file, const uint8_t *p, size_t len)
{
	_cleanup_close_ int fd = openat(dir, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	FUZZ_CHECK(fd >= 0 && !wring_write_all(fd, p, len));
}

static void done(void)
{
	for (size_t i = 0; i < WRING_ARRAY_SIZE(files); i++)
		unlinkat(dir, files[i].path, 0);
	unlinkat(dir, "proc/net", AT_REMOVEDIR);
	unlinkat(dir, "proc", AT_REMOVEDIR);
	rmdir(path);
}

static void open_dir(void)
{
	FUZZ_CHECK(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(dir >= 0 && !mkdirat(dir, "proc", 0700) && !mkdirat(dir, "proc/net", 0700));
	atexit(done);
}

static void missing(void *arg, const char *file, int error)
{
	(void)arg, (void)file, (void)error;
}

static void check(const struct wring_source *s)
{
	const char *key = NULL;

	FUZZ_CHECK(s->n <= s->n_fields && s->n_fields <= s->max_fields && s->keys_len <= s->keys_size);
	for (size_t i = 0; i < s->n; i++) {
		key = wring_source_key(s, key);
		FUZZ_CHECK(key >= s->keys && key + strlen(key) < s->keys + s->keys_len);
	}
	for (size_t i = 0; i < s->n_fields; i++)
		FUZZ_CHECK(s->fields[i].out >= -1 && s->fields[i].out < (int)s->n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t which = size ? (uint8_t)(data[0] - '0') % WRING_ARRAY_SIZE(files) : 0, first;
	const uint8_t *zero;
	struct wring_source s;
	struct wring_err err = { 0 };

	if (dir < 0)
		open_dir();
	data += size > 0;
	size -= size > 0;
	zero = memchr(data, 0, size);
	first = zero ? (size_t)(zero - data) : size;
	put(files[which].path, data, first);
	if (!wring_source_open(&s, wring_sampler_find(files[which].sampler), "x", dir, missing, NULL, &err)) {
		int r = wring_source_read(&s);

		/* what was just learned is there */
		FUZZ_CHECK(!r);
		check(&s);
		put(files[which].path, zero ? zero + 1 : data, zero ? size - first - 1 : 0);
		for (int i = 0; i < 3; i++) {
			r = wring_source_read(&s);
			if (r >= 0)
				check(&s);
		}
	}
	wring_source_close(&s);
	return 0;
}
