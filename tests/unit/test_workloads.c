/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Workloads as they are called by their runner, in a folder of this machine: what they make, what they say is still cached, and
 * that two threads of a process do not get into each other's way. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "harness/base/util.h"
#include "workloads/load/common.h"
#include "workloads/load/context.h"

#define OBJECTS 20

struct thread {
	struct wring_wctx c;
	struct wring_err err;
	int setup;
};

static char *dir;

static struct thread *start(const char *workload, uint64_t index, const char *name, const char *value)
{
	struct thread *t = calloc(1, sizeof(*t));
	struct wring_wctx *c = &t->c;

	c->workload = wring_workload_find(workload);
	assert_non_null(c->workload);
	c->data = calloc(1, c->workload->size + 1);
	c->page = calloc(1, WRING_LOAD_PAGE);
	c->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	c->seed = 1;
	c->index = index;
	assert_int_equal(wring_params_default(c->workload->params, c->data, &t->err), 0);
	if (name)
		assert_int_equal(wring_params_set(c->workload->params, c->data, name, value, &t->err), 0);
	t->setup = c->workload->setup(c, &t->err);
	return t;
}

static void make_all(struct thread *t)
{
	assert_int_equal(t->setup, 0);
	for (uint64_t i = 0; i < OBJECTS; i++)
		assert_int_equal(t->c.workload->make(&t->c, i), 0);
}

static int count_cached(struct thread *t)
{
	int n = 0;

	for (uint64_t i = 0; i < OBJECTS; i++) {
		int r = t->c.workload->cached(&t->c, i);

		assert_true(r == 0 || r == 1);
		n += r;
	}
	return n;
}

static void end(struct thread *t, bool has_objects)
{
	for (uint64_t i = 0; has_objects && i < OBJECTS; i++)
		assert_int_equal(t->c.workload->drop(&t->c, i), 0);
	if (t->c.workload->teardown)
		t->c.workload->teardown(&t->c);
	assert_int_equal(t->c.page->errors, 0);
	assert_int_equal(t->c.page->dirty_bytes, 0);
	wring_params_done(t->c.workload->params, t->c.data);
	free(t->c.data);
	free(t->c.page);
	close(t->c.dir_fd);
	free(t);
}

static void two_threads_share_a_directory(void **state)
{
	static const char *const workloads[] = { "inode", "file", "dentry", "anon", "shmem", "pipe", "vma", "thp" };

	(void)state;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(workloads); i++) {
		const char *choice = !strcmp(workloads[i], "dentry") ? "kind" : !strcmp(workloads[i], "file") ? "chunk" : NULL;
		struct thread *a = start(workloads[i], 0, choice, choice && *choice == 'k' ? "positive" : "16K");
		struct thread *b = start(workloads[i], 1, choice, choice && *choice == 'k' ? "positive" : "16K");

		if (a->setup == 0) { /* huge pages may be off here */
			make_all(a);
			make_all(b);
			end(a, true);
			end(b, true);
		} else {
			end(a, false);
			end(b, false);
		}
	}
}

static void names_are_cached_until_they_are_dropped(void **state)
{
	struct thread *t = start("inode", 0, NULL, NULL);
	char name[32];

	(void)state;
	make_all(t);
	assert_int_equal(count_cached(t), OBJECTS);
	assert_int_equal(wring_name_cached(t->c.dir_fd, "never-looked-up"), WRING_NAME_GONE);
	snprintf(name, sizeof(name), "f0-%d", 3);
	assert_int_equal(wring_name_cached(t->c.dir_fd, name), WRING_NAME_POSITIVE);
	end(t, true);
}

static void pages_are_cached_until_they_are_not(void **state)
{
	struct thread *t = start("file", 0, "sync", "yes");
	char name[32];
	int fd;

	(void)state;
	make_all(t);
	assert_int_equal(count_cached(t), OBJECTS);
	snprintf(name, sizeof(name), "f0-%d", 7);
	fd = openat(t->c.dir_fd, name, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 0), 0); /* unlike POSIX_FADV_DONTNEED, on every filesystem */
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	close(fd);
	assert_int_equal(count_cached(t), OBJECTS - 1);
	end(t, true);
}

static void dirty_is_what_was_written_and_not_synced(void **state)
{
	struct thread *t = start("file", 0, "chunk", "64K");
	long magic;

	(void)state;
	wring_fs_name(t->c.dir_fd, &magic);
	make_all(t);
	assert_int_equal(t->c.page->dirty_bytes, !strcmp(wring_fs_name(t->c.dir_fd, NULL), "tmpfs") ? 0 : OBJECTS * 65536);
	end(t, true);
	t = start("file", 0, "sync", "yes");
	make_all(t);
	assert_int_equal(t->c.page->dirty_bytes, 0);
	end(t, true);
}

static void no_negative_dentries_on_proc(void **state)
{
	struct thread *t;
	char *real = dir;

	(void)state;
	dir = (char[]){ "/proc/self" };
	t = start("dentry", 0, NULL, NULL);
	dir = real;
	assert_int_equal(t->setup, -EOPNOTSUPP);
	assert_non_null(strstr(t->err.msg, "keeps no negative dentries: use ext4 or xfs"));
	end(t, false);
}

static void a_limit_is_no_failure(void **state)
{
	struct thread *t = start("anon", 0, NULL, NULL);

	(void)state;
	assert_int_equal(wring_fails(&t->c, "fork", EAGAIN, EAGAIN, "raise pids.max"), -EAGAIN);
	assert_string_equal(t->c.remedy, "raise pids.max");
	assert_int_equal(t->c.page->errors, 0);
	assert_int_equal(wring_fails(&t->c, "fork", ENOMEM, EAGAIN, "raise pids.max"), -ENOMEM);
	assert_int_equal(t->c.page->errors, 1);
	assert_string_equal(t->c.page->failures[0].call, "fork");
	t->c.page->errors = 0;
	end(t, false);
}

static long faults(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	return u.ru_minflt;
}

/* One in eight more is the shadow of the address sanitizer. */
static void assert_one_fault_each(long n, long pages)
{
	assert_in_range(n, pages, pages + pages / 8);
}

/* A page of a reserve costs one fault and nothing else; what was dropped is there again. */
static void a_reserve_is_taken_in_turn(void **state)
{
	struct thread *t = start("anon", 0, "reserve", "2M");
	long pages = (1 << 20) / sysconf(_SC_PAGESIZE), before;

	(void)state;
	assert_int_equal(t->setup, 0);
	for (uint64_t i = 0; i < 2; i++) {
		before = faults();
		assert_int_equal(t->c.workload->make(&t->c, i), 0);
		assert_one_fault_each(faults() - before, pages);
	}
	assert_int_equal(t->c.workload->make(&t->c, 2), -ENOMEM);
	assert_string_equal(t->c.remedy, "raise reserve, or lower the footprint");
	assert_int_equal(t->c.workload->drop(&t->c, 0), 0);
	before = faults();
	assert_int_equal(t->c.workload->make(&t->c, 2), 0);
	assert_one_fault_each(faults() - before, pages);
	end(t, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_threads_share_a_directory), cmocka_unit_test(names_are_cached_until_they_are_dropped),
		cmocka_unit_test(pages_are_cached_until_they_are_not), cmocka_unit_test(dirty_is_what_was_written_and_not_synced),
		cmocka_unit_test(no_negative_dentries_on_proc), cmocka_unit_test(a_limit_is_no_failure),
		cmocka_unit_test(a_reserve_is_taken_in_turn),
	};
	char template[] = "/tmp/wring-test-XXXXXX";
	int r;

	dir = mkdtemp(template);
	if (!dir)
		return 99;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return r;
}
