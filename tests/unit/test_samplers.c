/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Samplers over files recorded on Debian's 6.1 and 6.12 kernels (tests/fixtures), and over files that change. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "harness/base/util.h"
#include "harness/samplers/source.h"

static const char *const kernels[] = { "6.1", "6.12" };

struct seen { char files[8][64]; int errors[8]; size_t n; };

static void missing(void *arg, const char *file, int error)
{
	struct seen *m = arg;

	assert_true(m->n < 8);
	snprintf(m->files[m->n], sizeof(m->files[0]), "%s", file);
	m->errors[m->n++] = error;
}

static int fixture(const char *kernel, const char *below)
{
	const char *srcdir = getenv("srcdir");
	_cleanup_free_ char *path = wring_strf("%s/tests/fixtures/%s/%s", srcdir ? srcdir : ".", kernel, below);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

static void open_source(struct wring_source *s, const char *sampler, const char *subject, int dirfd)
{
	const struct wring_sampler *sm = wring_sampler_find(sampler);
	struct seen m = { .n = 0 };
	struct wring_err err = { 0 };

	if (!sm)
		fail_msg("no sampler %s", sampler);
	if (wring_source_open(s, sm, subject, dirfd, missing, &m, &err))
		fail_msg("%s", err.msg);
	assert_true(s->fresh);
	s->fresh = false;
}

static const char *key_at(const struct wring_source *s, size_t at)
{
	const char *key = NULL;

	for (size_t i = 0; i <= at; i++)
		key = wring_source_key(s, key);
	return key;
}

static int64_t *find(const struct wring_source *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(key_at(s, i), name))
			return &s->values[i];
	return NULL;
}

#define EXPECT(s, key, v) \
	do { \
		const int64_t *p_ = find(s, key); \
		if (!p_ || *p_ != (int64_t)(v)) \
			fail_msg("%s:%d: %s is %lld%s", __FILE__, __LINE__, key, p_ ? (long long)*p_ : 0, p_ ? "" : " (missing)"); \
	} while (0)

/* ---- a folder of our own ---- */
struct scratch { char dir[32]; int fd; };

static int setup(void **state)
{
	struct scratch *t = calloc(1, sizeof(*t));

	strcpy(t->dir, "/tmp/wring-samp-XXXXXX");
	if (!mkdtemp(t->dir))
		return -1;
	t->fd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct scratch *t = *state;
	_cleanup_free_ char *cmd = wring_strf("rm -rf '%s'", t->dir);
	int r = system(cmd);

	close(t->fd);
	free(t);
	return r;
}

static void put(const struct scratch *t, const char *path, const char *text)
{
	_cleanup_free_ char *copy = strdup(path);
	int fd;

	for (char *p = copy; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		mkdirat(t->fd, copy, 0755);
	}
	fd = openat(t->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(wring_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

/* ---- recorded files ---- */

/* The slow and obvious way to the same numbers: what every file of lines "key value" or "key: value kB" says. */
static void check_lines(const char *kernel, const char *sampler, const char *subject, const char *path, char sep)
{
	_cleanup_close_ int root = fixture(kernel, ""), dir = fixture(kernel, *path == 'c' ? "cgroup" : "");
	_cleanup_free_ char *text = NULL;
	struct wring_source s;
	size_t n = 0;
	char *save = NULL;

	open_source(&s, sampler, subject, dir);
	assert_int_equal(wring_source_read(&s), 0);
	assert_int_equal(wring_read_file(root, path, &text, NULL), 0);
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		char *end = strchr(l, sep), *key = l;

		assert_non_null(end);
		*end = '\0';
		if (!strncmp(l, "Node ", 5))
			key = strrchr(l, ' ') + 1;
		assert_string_equal(key_at(&s, n), key);
		assert_true(s.values[n] == strtoll(end + 1, NULL, 10));
		n++;
	}
	assert_int_equal(s.n, n);
	assert_true(n > 2);
	wring_source_close(&s);
}

static void test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(kernels); i++) {
		const char *k = kernels[i];

		check_lines(k, "vmstat", "", "proc/vmstat", ' ');
		check_lines(k, "meminfo", "", "proc/meminfo", ':');
		check_lines(k, "node-vmstat", "node0", "sys/devices/system/node/node0/vmstat", ' ');
		check_lines(k, "node-vmstat", "node1", "sys/devices/system/node/node1/vmstat", ' ');
		check_lines(k, "node-meminfo", "node0", "sys/devices/system/node/node0/meminfo", ':');
		check_lines(k, "node-meminfo", "node1", "sys/devices/system/node/node1/meminfo", ':');
		check_lines(k, "memory.stat", "w", "cgroup/memory.stat", ' ');
		check_lines(k, "memory.events", "w", "cgroup/memory.events", ' ');
		check_lines(k, "memory.events.local", "w", "cgroup/memory.events.local", ' ');
		check_lines(k, "memory.swap.events", "w", "cgroup/memory.swap.events", ' ');
	}
	check_lines("6.12", "cgroup.stat", "w", "cgroup/cgroup.stat", ' ');
}

/* Read off the recorded files by eye. */
static void test_values(void **state)
{
	_cleanup_close_ int root = fixture("6.12", ""), group = fixture("6.12", "cgroup");
	struct wring_source s;

	(void)state;
	open_source(&s, "memory", "w", group);
	assert_int_equal(wring_source_read(&s), 0);
	assert_int_equal(s.n, 4);
	EXPECT(&s, "current", 11010048);
	EXPECT(&s, "peak", 11010048);
	EXPECT(&s, "swap.current", 0);
	EXPECT(&s, "swap.peak", 0);
	wring_source_close(&s);

	open_source(&s, "memory.numa_stat", "w", group);
	assert_int_equal(wring_source_read(&s), 0);
	assert_int_equal(s.n, 62);
	EXPECT(&s, "anon.N1", 8392704);
	EXPECT(&s, "slab_reclaimable.N0", 1200);
	EXPECT(&s, "slab_unreclaimable.N1", 1534312);
	wring_source_close(&s);

	open_source(&s, "pressure", "", root);
	assert_int_equal(wring_source_read(&s), 0);
	assert_int_equal(s.n, 6);
	EXPECT(&s, "memory_some_us", 0);
	EXPECT(&s, "io_full_us", 0);
	EXPECT(&s, "cpu_some_us", 740796);
	EXPECT(&s, "cpu_full_us", 0);
	wring_source_close(&s);

	open_source(&s, "memory.pressure", "w", group);
	assert_int_equal(wring_source_read(&s), 0);
	assert_int_equal(s.n, 2);
	EXPECT(&s, "memory_some_us", 0);
	wring_source_close(&s);

	open_source(&s, "slab-objects", "dentry", root);
	assert_int_equal(wring_source_read(&s), 0);
	assert_int_equal(s.n, 1);
	EXPECT(&s, "total_objects", 2478);
	wring_source_close(&s);

	open_source(&s, "slabinfo", "", root);
	assert_int_equal(wring_source_read(&s), 0);
	EXPECT(&s, "dentry.active_objs", 2478);
	EXPECT(&s, "dentry.num_objs", 2478);
	EXPECT(&s, "dentry.objsize", 192);
	EXPECT(&s, "dentry.num_slabs", 118);
	EXPECT(&s, "kmalloc-64.num_objs", 1856);
	wring_source_close(&s);
}

/* Every row, by sscanf. */
static void check_slabinfo(const struct wring_source *s, const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	char *save = NULL;
	size_t n = 0;

	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		char name[64], key[100];
		long long active, num, size, slabs;

		if (*l == '#' || !strncmp(l, "slabinfo", 8))
			continue;
		assert_int_equal(sscanf(l, "%63s %lld %lld %lld %*d %*d : tunables %*d %*d %*d : slabdata %*d %lld", name, &active,
					&num, &size, &slabs), 5);
		snprintf(key, sizeof(key), "%s.active_objs", name);
		assert_string_equal(key_at(s, n), key);
		assert_true(s->values[n] == active && s->values[n + 1] == num && s->values[n + 2] == size && s->values[n + 3] == slabs);
		n += 4;
	}
	assert_int_equal(s->n, n);
}

static void test_slabinfo(void **state)
{
	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(kernels); i++) {
		_cleanup_close_ int root = fixture(kernels[i], "");
		_cleanup_free_ char *text = NULL;
		struct wring_source s;

		assert_int_equal(wring_read_file(root, "proc/slabinfo", &text, NULL), 0);
		assert_true(strlen(text) > 4 * 4096);
		open_source(&s, "slabinfo", "", root);
		for (int k = 0; k < 3; k++)
			assert_int_equal(wring_source_read(&s), 0);
		assert_false(s.fresh);
		check_slabinfo(&s, text);
		wring_source_close(&s);
	}
}

/* Names and values in turn, word by word. */
static void check_netstat(const struct wring_source *s, const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	char *line = NULL, *names, *values;
	size_t n = 0;

	for (names = strtok_r(copy, "\n", &line); names && (values = strtok_r(NULL, "\n", &line)); names = strtok_r(NULL, "\n", &line)) {
		char *a = NULL, *b = NULL, *group = strtok_r(names, ": ", &a), *name, *value;

		assert_string_equal(strtok_r(values, ": ", &b), group);
		while ((name = strtok_r(NULL, " ", &a)) && (value = strtok_r(NULL, " ", &b))) {
			_cleanup_free_ char *key = wring_strf("%s.%s", group, name);

			assert_string_equal(key_at(s, n), key);
			assert_int_equal(s->values[n++], atoll(value));
		}
	}
	assert_int_equal(s->n, n);
}

static void test_netstat(void **state)
{
	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(kernels); i++) {
		_cleanup_close_ int root = fixture(kernels[i], "");
		_cleanup_free_ char *text = NULL;
		struct wring_source s;

		assert_int_equal(wring_read_file(root, "proc/net/netstat", &text, NULL), 0);
		open_source(&s, "netstat", "", root);
		assert_int_equal(wring_source_read(&s), 0);
		check_netstat(&s, text);
		EXPECT(&s, "TcpExt.PFMemallocDrop", 0);
		wring_source_close(&s);
	}
}

static void test_netstat_grows(void **state)
{
	const struct scratch *t = *state;
	static const char *const texts[] = {
		"TcpExt: PruneCalled PFMemallocDrop\nTcpExt: 0 0\nIpExt: InOctets\nIpExt: 17\n",
		"TcpExt: PruneCalled PFMemallocDrop\nTcpExt: 9 12345\nIpExt: InOctets\nIpExt: 1700000000000\n",
		/* a line without its other half, and one that is short of values */
		"TcpExt: PruneCalled PFMemallocDrop\nTcpExt: 9\nIpExt: InOctets\n",
	};
	struct wring_source s;

	put(t, "proc/net/netstat", texts[0]);
	open_source(&s, "netstat", "", t->fd);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(texts); i++) {
		put(t, "proc/net/netstat", texts[i]);
		assert_int_equal(wring_source_read(&s), i == 2);
		check_netstat(&s, texts[i]);
	}
	wring_source_close(&s);
}

static void test_missing_files(void **state)
{
	_cleanup_close_ int group = fixture("6.1", "cgroup"), root = fixture("6.1", "");
	struct wring_source s;
	struct seen m = { .n = 0 };
	struct wring_err err = { 0 };

	(void)state;
	/* 6.1 has no memory.swap.peak: the other three are read */
	assert_int_equal(wring_source_open(&s, wring_sampler_find("memory"), "w", group, missing, &m, &err), 0);
	assert_int_equal(m.n, 1);
	assert_string_equal(m.files[0], "memory.swap.peak");
	assert_int_equal(m.errors[0], -ENOENT);
	assert_int_equal(wring_source_read(&s), 0);
	assert_int_equal(s.n, 3);
	assert_null(find(&s, "swap.peak"));
	assert_non_null(find(&s, "swap.current"));
	wring_source_close(&s);

	m.n = 0;
	assert_int_equal(wring_source_open(&s, wring_sampler_find("slab-objects"), "no-such-cache", root, missing, &m, &err), -ENOENT);
	assert_int_equal(m.n, 1);
	assert_non_null(strstr(err.msg, "no-such-cache"));
	wring_source_close(&s);
}

/* ---- files that change ---- */
#define HEAD "slabinfo - version: 2.1\n# name <active_objs>\n"
#define ROW(name, a, n) name "      " a "  " n "    192   21    1 : tunables    0    0    0 : slabdata    118    118      0\n"

static void expect_rows(struct scratch *t, struct wring_source *s, const char *text, bool changed)
{
	put(t, "proc/slabinfo", text);
	s->fresh = false;
	assert_int_equal(wring_source_read(s), changed);
	assert_int_equal(s->fresh, changed);
	check_slabinfo(s, text);
}

static void test_rows_come_and_go(void **state)
{
	struct wring_source s;
	const char *base = HEAD ROW("bbb", "5", "6") ROW("dentry", "7", "8");

	put(*state, "proc/slabinfo", base);
	open_source(&s, "slabinfo", "", ((struct scratch *)*state)->fd);
	expect_rows(*state, &s, base, false);
	expect_rows(*state, &s, HEAD ROW("aaa", "1", "2") ROW("bbb", "5", "6") ROW("dentry", "7", "8"), true);
	expect_rows(*state, &s, HEAD ROW("aaa", "1", "2") ROW("bbb", "5", "6") ROW("dentry", "9", "10"), false);
	expect_rows(*state, &s, HEAD ROW("bbb", "5", "6") ROW("dentry", "7", "8"), true);
	/* one in the place of another, as wide */
	expect_rows(*state, &s, HEAD ROW("ccc", "5", "6") ROW("dentry", "7", "8"), true);
	/* at the end */
	expect_rows(*state, &s, HEAD ROW("ccc", "5", "6") ROW("dentry", "7", "8") ROW("zzz", "1", "1"), true);
	expect_rows(*state, &s, HEAD ROW("ccc", "5", "6") ROW("dentry", "7", "8"), true);
	expect_rows(*state, &s, HEAD ROW("ccc", "5", "6"), true);
	expect_rows(*state, &s, HEAD, true);
	expect_rows(*state, &s, base, true);
	wring_source_close(&s);
}

static void test_widths(void **state)
{
	static const char *const values[] = { "0", "9", "10", "999999", "1234567890123", "9223372036854775807", "1", "-1", "-128",
					      "-9223372036854775808", "0" };
	struct wring_source s;
	char text[200];

	put(*state, "cg/memory.stat", "anon 0\nfile 0\nlast 0\n");
	{
		_cleanup_close_ int dir = openat(((struct scratch *)*state)->fd, "cg", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		open_source(&s, "memory.stat", "g", dir);
	}
	for (size_t i = 0; i < WRING_ARRAY_SIZE(values) * 20; i++) {
		const char *v = values[i % WRING_ARRAY_SIZE(values)], *w = values[(i * 7 + 3) % WRING_ARRAY_SIZE(values)];

		snprintf(text, sizeof(text), "anon %s\nfile %s\nlast %s\n", v, w, v);
		put(*state, "cg/memory.stat", text);
		assert_int_equal(wring_source_read(&s), 0);
		EXPECT(&s, "anon", strtoll(v, NULL, 10));
		EXPECT(&s, "file", strtoll(w, NULL, 10));
		EXPECT(&s, "last", strtoll(v, NULL, 10));
	}
	assert_false(s.fresh);
	wring_source_close(&s);
}

/* Columns are padded on the left: a wider number eats blanks. */
static void test_padding(void **state)
{
	static const char *const lines[] = {
		"MemTotal:         504168 kB\nMemFree:              72 kB\n", "MemTotal:         504168 kB\nMemFree:          400072 kB\n",
		"MemTotal:       4504168123 kB\nMemFree:       1 kB\n", "MemTotal:45041681230000 kB\nMemFree:0 kB\n",
	};
	struct wring_source s;

	put(*state, "proc/meminfo", lines[0]);
	open_source(&s, "meminfo", "", ((struct scratch *)*state)->fd);
	for (size_t i = 0; i < 4 * WRING_ARRAY_SIZE(lines); i++) {
		long long total, unused;
		const char *l = lines[i % WRING_ARRAY_SIZE(lines)];

		put(*state, "proc/meminfo", l);
		assert_int_equal(sscanf(l, "MemTotal:%lld kB\nMemFree:%lld", &total, &unused), 2);
		assert_int_equal(wring_source_read(&s), 0);
		EXPECT(&s, "MemTotal", total);
		EXPECT(&s, "MemFree", unused);
	}
	wring_source_close(&s);
}

static void test_psi_moves(void **state)
{
	struct wring_source s;

	put(*state, "proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
	open_source(&s, "pressure", "", ((struct scratch *)*state)->fd);
	put(*state, "proc/pressure/memory", "some avg10=100.00 avg60=9.05 avg300=12.34 total=98765432101\nfull avg10=0.00 avg60=0.07 avg300=0.00 total=5\n");
	for (int i = 0; i < 130; i++)
		assert_int_equal(wring_source_read(&s), 0);
	assert_int_equal(s.n, 2);
	EXPECT(&s, "memory_some_us", 98765432101);
	EXPECT(&s, "memory_full_us", 5);
	wring_source_close(&s);
}

/* The parts of a sum behind the only number kept may change: that is no other layout. */
static void test_nodes_behind_a_single(void **state)
{
	struct wring_source s;

	put(*state, "sys/kernel/slab/dentry/total_objects", "2478 N0=147 N1=2331\n");
	open_source(&s, "slab-objects", "dentry", ((struct scratch *)*state)->fd);
	put(*state, "sys/kernel/slab/dentry/total_objects", "12479 N0=10148 N1=2331\n");
	for (int i = 0; i < 130; i++)
		assert_int_equal(wring_source_read(&s), 0);
	EXPECT(&s, "total_objects", 12479);
	wring_source_close(&s);
}

/* A file cut at any byte is either read in full, or learned anew, or an error: never a number that is not in it. */
static void test_truncated(void **state)
{
	static const char text[] = "anon 8392704\nfile 409600\nkernel 1957888\n";
	struct scratch *t = *state;
	struct wring_source s;
	char part[sizeof(text)];

	put(t, "memory.stat", text);
	open_source(&s, "memory.stat", "g", t->fd);
	for (size_t cut = 0; cut <= strlen(text); cut++) {
		int r;

		memcpy(part, text, cut);
		part[cut] = '\0';
		put(t, "memory.stat", part);
		r = wring_source_read(&s);
		assert_true(r >= 0);
		for (size_t i = 0; i < s.n; i++) {
			const char *line = strstr(text, key_at(&s, i));

			assert_true(s.values[i] == strtoll(strchr(line, ' ') + 1, NULL, 10));
		}
	}
	put(t, "memory.stat", text);
	for (int i = 0; i < 65; i++)
		assert_true(wring_source_read(&s) >= 0);
	assert_int_equal(s.n, 3);
	EXPECT(&s, "kernel", 1957888);
	wring_source_close(&s);
}

/* An empty file at first: found out within 64 reads. */
static void test_empty_at_first(void **state)
{
	struct scratch *t = *state;
	struct wring_source s;
	int changed = 0;

	put(t, "memory.stat", "");
	open_source(&s, "memory.stat", "g", t->fd);
	assert_int_equal(s.n, 0);
	put(t, "memory.stat", "anon 1\n");
	for (int i = 0; i < 65; i++)
		changed += wring_source_read(&s);
	assert_int_equal(changed, 1);
	EXPECT(&s, "anon", 1);
	wring_source_close(&s);
}

/* Larger than the buffer that was allocated at the start: an error each time, and all is well once it is smaller again. */
static void test_too_large(void **state)
{
	struct scratch *t = *state;
	_cleanup_free_ char *big = malloc(20000);
	struct wring_source s;
	size_t len = 0;

	for (int i = 0; i < 1000; i++)
		len += (size_t)sprintf(big + len, "key%d %d\n", i, i);
	put(t, "memory.stat", "anon 1\nfile 2\n");
	open_source(&s, "memory.stat", "g", t->fd);
	put(t, "memory.stat", big);
	for (int i = 0; i < 3; i++)
		assert_true(wring_source_read(&s) < 0);
	put(t, "memory.stat", "anon 3\nfile 4\n");
	assert_int_equal(wring_source_read(&s), 1);
	assert_int_equal(wring_source_read(&s), 0);
	assert_int_equal(s.n, 2);
	EXPECT(&s, "file", 4);
	wring_source_close(&s);
}

/* Many nodes: names of keys are longer than the text. */
static void test_many_nodes(void **state)
{
	struct scratch *t = *state;
	_cleanup_free_ char *text = malloc(64 * 64 * 8);
	struct wring_source s;
	size_t len = 0;

	for (int k = 0; k < 27; k++) {
		len += (size_t)sprintf(text + len, "workingset_activate_anon%d", k);
		for (int n = 0; n < 64; n++)
			len += (size_t)sprintf(text + len, " N%d=%d", n, k == 3 ? n : 0);
		len += (size_t)sprintf(text + len, "\n");
	}
	put(t, "memory.numa_stat", text);
	open_source(&s, "memory.numa_stat", "g", t->fd);
	assert_int_equal(wring_source_read(&s), 0);
	assert_int_equal(s.n, 27 * 64);
	EXPECT(&s, "workingset_activate_anon3.N63", 63);
	wring_source_close(&s);
}

/* Texts without what the format wants: no value, no crash. */
static void test_not_numbers(void **state)
{
	static const char *const texts[] = { "max\n", "-\n", "\n", " \n", "=\n", " 1\n", "12", "a=b\n", "some total=\n", ":\n", "a: -\n", "x 1" };
	static const char *const files[][2] = {
		{ "memory", "memory.current" }, { "memory.stat", "memory.stat" }, { "memory.numa_stat", "memory.numa_stat" },
		{ "memory.pressure", "memory.pressure" }, { "meminfo", "proc/meminfo" }, { "slabinfo", "proc/slabinfo" },
	};
	struct scratch *t = *state;

	for (size_t i = 0; i < WRING_ARRAY_SIZE(texts); i++)
		for (size_t k = 0; k < WRING_ARRAY_SIZE(files); k++) {
			struct wring_source s;

			put(t, files[k][1], texts[i]);
			open_source(&s, files[k][0], "g", t->fd);
			assert_true(wring_source_read(&s) >= 0);
			assert_true(s.n <= 1);
			wring_source_close(&s);
		}
}

static void test_kinds(void **state)
{
	static const struct { const char *sampler, *key; enum wring_kind kind; } rows[] = {
		{ "vmstat", "nr_free_pages", WRING_GAUGE }, { "vmstat", "pgfault", WRING_COUNTER },
		{ "vmstat", "oom_kill", WRING_COUNTER }, { "vmstat", "workingset_nodes", WRING_GAUGE },
		{ "vmstat", "workingset_nodereclaim", WRING_COUNTER }, { "node-vmstat", "workingset_nodes", WRING_GAUGE },
		{ "memory.stat", "pagetables", WRING_GAUGE }, { "memory.stat", "pgscan", WRING_COUNTER },
		{ "memory.stat", "slab_reclaimable", WRING_GAUGE }, { "load", "held_bytes", WRING_GAUGE },
		{ "load", "made_bytes", WRING_COUNTER },
	};

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(rows); i++)
		if (wring_sampler_find(rows[i].sampler)->kind(rows[i].key) != rows[i].kind)
			fail_msg("%s %s", rows[i].sampler, rows[i].key);
}

/* Lines as in Documentation/trace/histogram.rst (keys=call_site.sym, and .log2). */
static void test_shrinkers(void **state)
{
	struct scratch *t = *state;
	struct wring_source s;

	put(t, "tracing/events/synthetic/wring_shrink/hist",
	    "# event histogram\n#\n# trigger info: hist:keys=fn.sym,us.log2:vals=hitcount:sort=hitcount:size=2048 [active]\n#\n\n"
	    "{ fn: [ffffffffa046d8f2] super_cache_scan                             , us: ~ 2^4                  } hitcount:          2\n"
	    "{ fn: [ffffffffa0489a66] a_function_with_a_name_that_is_long [drm_kms], us: ~ 2^0                 } hitcount:      65109\n"
	    "{ fn: [ffffffffa046d8f2] super_cache_scan\n"
	    "\nTotals:\n    Hits: 65111\n    Entries: 2\n    Dropped: 0\n");
	open_source(&s, "shrinkers", "", t->fd);
	assert_int_equal(wring_source_read(&s), 0);
	EXPECT(&s, "super_cache_scan.us_le.16", 2);
	EXPECT(&s, "a_function_with_a_name_t.us_le.1", 65109);
	assert_int_equal(s.n, 2);
	wring_source_close(&s);
}

/* The right thread by its name; a state is a letter, and a stack is told once a sleep, in the second sample of it. */
static void test_kswapd(void **state)
{
	static const char states[] = "SDDDSD";
	struct scratch *t = *state;
	struct wring_source s;

	put(t, "proc/40/comm", "kswapd0\n");
	put(t, "proc/41/comm", "kswapd1\n");
	put(t, "proc/41/stack", "[<0>] msleep+0x2d/0x40\n[<0>] balance_pgdat+0x1/0x2\n");
	for (int i = 0; states[i]; i++) {
		_cleanup_free_ char *text = wring_strf("41 (kswapd1) %c 2 0 0 0 -1 2623552 0 0 0 0 7 35 0 0 20 0 1 0 33 0 0\n", states[i]);

		put(t, "proc/41/stat", text);
		if (!i)
			open_source(&s, "kswapd", "node1", t->fd);
		assert_int_equal(wring_source_read(&s), 0);
		EXPECT(&s, "blocked", states[i] == 'D');
		EXPECT(&s, "cpu_ticks", 42);
		assert_string_equal(s.note, i == 2 ? "msleep+0x2d/0x40 < balance_pgdat+0x1/0x2" : "");
	}
	assert_false(s.fresh);
	wring_source_close(&s);
	{
		struct wring_err err = { 0 };
		struct seen m = { .n = 0 };

		assert_int_equal(wring_source_open(&s, wring_sampler_find("kswapd"), "node2", t->fd, missing, &m, &err), -ENOENT);
		wring_source_close(&s);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines), cmocka_unit_test(test_values), cmocka_unit_test(test_slabinfo), cmocka_unit_test(test_netstat),
		cmocka_unit_test(test_missing_files), cmocka_unit_test(test_kinds),
		TEST(test_rows_come_and_go), TEST(test_widths), TEST(test_padding), TEST(test_psi_moves),
		TEST(test_nodes_behind_a_single), TEST(test_truncated), TEST(test_empty_at_first), TEST(test_too_large),
		TEST(test_many_nodes), TEST(test_not_numbers), TEST(test_netstat_grows), TEST(test_kswapd), TEST(test_shrinkers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
