/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Guests without a guest OS: a kernel image whose first instruction jumps to itself. */
#include "harness/vm/vm.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "harness/base/util.h"
#include "harness/vm/capture.h"
#include "harness/vm/child.h"
#include "harness/vm/cmdline.h"

static int make_memfd(const void *data, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 3);
	assert_int_equal(wring_write_all(fd, data, len), 0);
	return fd;
}

static int make_spinner(void)
{
	uint8_t p[8192] = { 0 };

	p[0x1f1] = 1;
	p[0x1f4] = (sizeof(p) - 1024) / 16 & 0xff;
	p[0x1f5] = (sizeof(p) - 1024) / 16 >> 8;
	p[0x1fe] = 0x55;
	p[0x1ff] = 0xaa;
	memcpy(p + 0x200, "\xeb\xfe" "HdrS\x0f\x02", 8); /* jmp . */
	p[0x211] = 1;
	memset(p + 0x22c, 0xff, 3); /* an initramfs may be anywhere below 2 GiB */
	p[0x22f] = 0x7f;
	return make_memfd(p, sizeof(p));
}

static struct wring_vm_spec spec;

static struct wring_vm *start(void)
{
	struct wring_vm *vm = NULL;
	struct wring_err err = { 0 };
	int r;

	if (wring_qemu_version(NULL, 0, NULL))
		skip();
	r = wring_vm_start(&spec, &vm, &err);
	if (r)
		fail_msg("%s", err.msg);
	return vm;
}

/* ---- description ---- */

static void assert_refused(const struct wring_vm_spec *s, const char *word)
{
	struct wring_vm *vm = NULL;
	struct wring_err err = { 0 };
	int r = wring_vm_start(s, &vm, &err);

	if (r >= 0 || !strstr(err.msg, word))
		fail_msg("%d '%s' lacks '%s'", r, err.msg, word);
}

static const struct wring_vm_forward forwards[] = { { 7, "cat" }, { 19, "cat /dev/zero" } };

static void test_refuses_bad_shapes(void **state)
{
	struct wring_vm_spec s;

	(void)state;
	s = spec, s.cpus = 0;
	assert_refused(&s, "1 to 255");
	s = spec, s.cpus = 256;
	assert_refused(&s, "1 to 255");
	s = spec, s.nodes = 0;
	assert_refused(&s, "1 to 64");
	s = spec, s.nodes = 65;
	assert_refused(&s, "1 to 64");
	s = spec, s.nodes = 1, s.memory_bytes = 64 << 20;
	assert_refused(&s, "at least 128M");
	s = spec, s.nodes = 1, s.memory_bytes = (256 << 20) + 1;
	assert_refused(&s, "whole MiB");
	s = spec, s.nodes = 2, s.memory_bytes = 300 << 20;
	assert_refused(&s, "512M would do");
	s = spec, s.nodes = 3, s.memory_bytes = 0;
	assert_refused(&s, "384M would do");
	s = spec, s.accel = WRING_ACCEL_AUTO;
	assert_refused(&s, "accelerator");
	s = spec, s.accel = WRING_ACCEL_KVM, s.deterministic = true;
	assert_refused(&s, "deterministic");
	s = spec, s.deterministic = true, s.forwards = forwards, s.n_forwards = 1;
	assert_refused(&s, "network");
}

static void test_refuses_bad_files(void **state)
{
	int empty = make_memfd("", 0);
	const struct wring_vm_disk bad[] = { { "a,b", empty }, { "", empty }, { "a-serial-of-21-letters", empty },
					     { "closed", 999 } };
	char append[1600];
	struct wring_vm_spec s;

	(void)state;
	s = spec, s.kernel_fd = -1;
	assert_refused(&s, "kernel image");
	s = spec, s.initramfs_fd = empty;
	assert_refused(&s, "initramfs is empty");
	s = spec, s.n_disks = 1;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(bad); i++) {
		s.disks = &bad[i];
		assert_refused(&s, "disk ");
	}
	memset(append, 'x', sizeof(append));
	append[sizeof(append) - 1] = '\0';
	s = spec, s.append = append;
	assert_refused(&s, "command line of 1599");
	close(empty);
}

static const char *argument(char **argv, const char *name, unsigned nth)
{
	for (; *argv; argv++)
		if (!strcmp(*argv, name) && !nth--)
			return argv[1];
	return "";
}

static void test_network_only_if_asked_for(void **state)
{
	const struct wring_vm_ends ends = { 10, 11, 12 };
	struct wring_vm_spec s = spec;
	char **argv = wring_vm_argv("qemu", &s, &ends);

	(void)state;
	for (char **a = argv; *a; a++)
		assert_false(strstr(*a, "net"));
	wring_vm_argv_free(argv);
	s.forwards = forwards, s.n_forwards = 2;
	argv = wring_vm_argv("qemu", &s, &ends);
	assert_string_equal(argument(argv, "-netdev", 0), "user,id=net,restrict=on,ipv6=off,guestfwd=tcp:10.0.2.100:7-cmd:cat,"
			    "guestfwd=tcp:10.0.2.100:19-cmd:cat /dev/zero");
	assert_string_equal(argument(argv, "-netdev", 1), "");
	wring_vm_argv_free(argv);
}

static void test_spreads_evenly(void **state)
{
	const struct wring_vm_ends ends = { 10, 11, 12 };
	struct wring_vm_spec s = spec;
	char **argv;

	(void)state;
	s.cpus = 5, s.nodes = 2, s.memory_bytes = 1ULL << 30, s.append = "quiet nokaslr";
	argv = wring_vm_argv("qemu", &s, &ends);
	assert_string_equal(argument(argv, "-numa", 0), "node,nodeid=0,memdev=mem0,cpus=0-2");
	assert_string_equal(argument(argv, "-numa", 1), "node,nodeid=1,memdev=mem1,cpus=3-4");
	assert_string_equal(argument(argv, "-object", 1), "memory-backend-ram,id=mem1,size=512M");
	assert_string_equal(argument(argv, "-smp", 0), "5,sockets=5,cores=1,threads=1");
	assert_non_null(strstr(argument(argv, "-append", 0), "rdinit=/init"));
	assert_string_equal(strstr(argument(argv, "-append", 0), " quiet"), " quiet nokaslr");
	for (char **p = argv; *p; p++)
		assert_true(strcmp(*p, "-no-shutdown") && strcmp(*p, "-monitor"));
	wring_vm_argv_free(argv);
	s.hold = true;
	s.door = "/tmp/door";
	argv = wring_vm_argv("qemu", &s, &ends);
	assert_string_equal(argument(argv, "-monitor", 0), "unix:/tmp/door/monitor,server=on,wait=off");
	assert_string_equal(argument(argv, "-qmp", 0), "unix:/tmp/door/qmp,server=on,wait=off");
	wring_vm_argv_free(argv);
	s.hold = false;
	s.door = NULL;
	s.cpus = 1; /* a node without CPUs is the last one */
	argv = wring_vm_argv("qemu", &s, &ends);
	assert_string_equal(argument(argv, "-numa", 0), "node,nodeid=0,memdev=mem0,cpus=0-0");
	assert_string_equal(argument(argv, "-numa", 1), "node,nodeid=1,memdev=mem1");
	wring_vm_argv_free(argv);
}

/* ---- a running QEMU ---- */

static void test_runs_pauses_and_resumes(void **state)
{
	struct wring_vm *vm = start();
	char detail[100];
	int64_t before, began;

	(void)state;
	assert_int_equal(wring_vm_state(vm, detail, sizeof(detail)), WRING_VM_RUNNING);
	before = wring_vm_cpu_ns(vm);
	for (int i = 0; i < 100 && wring_vm_cpu_ns(vm) <= before; i++)
		usleep(20000);
	assert_true(wring_vm_cpu_ns(vm) > before);
	kill(wring_vm_pid(vm), SIGSTOP);
	for (int i = 0; i < 100 && wring_vm_state(vm, NULL, 0) != WRING_VM_PAUSED; i++)
		usleep(10000);
	began = wring_now_ns();
	assert_int_equal(wring_vm_state(vm, detail, sizeof(detail)), WRING_VM_PAUSED);
	assert_true(wring_now_ns() - began < 1500 * WRING_NSEC_PER_MSEC);
	assert_non_null(strstr(detail, "signal"));
	kill(wring_vm_pid(vm), SIGCONT);
	for (int i = 0; i < 100 && wring_vm_state(vm, NULL, 0) != WRING_VM_RUNNING; i++)
		usleep(10000);
	assert_int_equal(wring_vm_state(vm, NULL, 0), WRING_VM_RUNNING);
	wring_vm_free(vm);
	wring_vm_free(NULL);
}

static void assert_killed(int sig, const char *expected)
{
	struct wring_vm *vm = start();
	struct pollfd pfd = { .fd = wring_vm_pidfd(vm), .events = POLLIN };
	char detail[100];

	kill(wring_vm_pid(vm), sig);
	assert_int_equal(poll(&pfd, 1, 20000), 1);
	for (int i = 0; i < 2; i++) { /* and it stays so */
		assert_int_equal(wring_vm_state(vm, detail, sizeof(detail)), WRING_VM_KILLED);
		assert_string_equal(detail, expected);
	}
	wring_vm_free(vm);
}

static void test_tells_who_was_killed(void **state)
{
	(void)state;
	assert_killed(SIGKILL, "signal 9");
	assert_killed(SIGTERM, "signal 15"); /* QEMU catches it and exits with 0 */
}

static void test_deaf_guest_gives_no_stacks(void **state)
{
	struct wring_vm *vm = start();
	int64_t began = wring_now_ns();

	(void)state;
	usleep(500000); /* the firmware's own greeting is not an answer */
	wring_vm_post_mortem(vm, 3000, true);
	assert_true(wring_now_ns() - began < 5 * WRING_NSEC_PER_SEC);
	wring_vm_free(vm);
}

static void test_dies_with_its_recorder(void **state)
{
	struct pollfd pfd = { .events = POLLIN };
	int pipes[2], status;
	pid_t qemu, recorder;

	(void)state;
	if (wring_qemu_version(NULL, 0, NULL))
		skip();
	/* The orphan comes to this process, so that nobody else's init has to be a good one. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	assert_int_equal(pipe(pipes), 0);
	recorder = fork();
	if (!recorder) {
		struct wring_vm *vm = NULL;

		qemu = wring_vm_start(&spec, &vm, NULL) ? -1 : wring_vm_pid(vm);
		if (write(pipes[1], &qemu, sizeof(qemu)) == sizeof(qemu))
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	assert_int_equal(read(pipes[0], &qemu, sizeof(qemu)), sizeof(qemu));
	assert_true(qemu > 0);
	pfd.fd = pidfd_open(qemu, 0);
	assert_int_equal(waitpid(recorder, &status, 0), recorder);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(poll(&pfd, 1, 20000), 1);
	assert_int_equal(waitpid(qemu, &status, 0), qemu);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	close(pfd.fd);
	close(pipes[0]);
	close(pipes[1]);
}

static void test_qemu_says_why_it_did_not_start(void **state)
{
	struct wring_vm_spec s = spec;

	(void)state;
	if (wring_qemu_version(NULL, 0, NULL))
		skip();
	s.nodes = 1;
	s.memory_bytes = 1ULL << 55;
	assert_refused(&s, "QEMU did not start (exit status 1): ");
}

/* ---- capture ---- */

static void test_capture_keeps_both_ends(void **state)
{
	struct wring_capture c = { 0 };
	char line[100];

	(void)state;
	for (int i = 0; i < 200000; i++) {
		int n = snprintf(line, sizeof(line), "line %06d of a console that says far too much\n", i);

		wring_capture_add(&c, line, (size_t)n);
	}
	assert_true(c.len < WRING_CAPTURE_MAX);
	assert_true(c.len > 3 << 20);
	assert_int_equal(strlen(c.text), c.len);
	assert_memory_equal(c.text, "line 000000 of", 14);
	assert_memory_equal(c.text + c.len - 46, "line 199999 of a console that says far too much\n" + 2, 46);
	assert_non_null(strstr(c.text, "bytes of console left out here]\n"));
	assert_null(strstr(strstr(c.text, "left out here") + 1, "left out here"));
	assert_int_equal(c.total, 200000 * strlen(line));
	wring_capture_done(&c);
}

/* ---- children ---- */

static void test_children(void **state)
{
	char *ok[] = { (char *)"/bin/sh", (char *)"-c", (char *)"echo out; echo err >&2; exit 3", NULL };
	char *dead[] = { (char *)"/bin/sh", (char *)"-c", (char *)"kill -9 $$", NULL };
	char *fds[] = { (char *)"/bin/sh", (char *)"-c", (char *)"ls /proc/self/fd | wc -l", NULL };
	_cleanup_free_ char *output = NULL, *count = NULL, *path = NULL;
	struct wring_err err = { 0 };
	char line[40];

	(void)state;
	assert_int_equal(wring_child_run(ok, NULL, 0, &output), 3);
	assert_string_equal(output, "out\nerr\n");
	assert_string_equal(wring_child_last_line(output, line, sizeof(line)), "err");
	assert_string_equal(wring_child_last_line("\n \n", line, sizeof(line)), "");
	assert_int_equal(wring_child_run(dead, NULL, 0, NULL), -EINTR);
	assert_int_equal(wring_child_run(fds, NULL, 0, &count), 0);
	assert_int_equal(atoi(count), 4); /* 0, 1, 2 and the folder */
	assert_int_equal(wring_child_find("no-such-program", "some-package", &path, &err), -ENOENT);
	assert_string_equal(err.msg, "no-such-program not found: apt-get install some-package");
}

/* ---- initramfs ---- */

/* Reads an entry back; returns its mode, 0 when there is none, and counts how often it is there. */
static unsigned entry_mode(int fd, const char *path, unsigned *ret_count, size_t *ret_size, dev_t *ret_rdev)
{
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	unsigned mode = 0;

	*ret_count = 0;
	lseek(fd, 0, SEEK_SET);
	archive_read_support_format_cpio(a);
	assert_int_equal(archive_read_open_fd(a, fd, 10240), ARCHIVE_OK);
	while (archive_read_next_header(a, &e) == ARCHIVE_OK)
		if (!strcmp(archive_entry_pathname(e), path)) {
			mode = archive_entry_mode(e);
			*ret_size = (size_t)archive_entry_size(e);
			*ret_rdev = archive_entry_rdev(e);
			(*ret_count)++;
		}
	archive_read_free(a);
	return mode;
}

static void assert_entry(int fd, const char *path, unsigned mode)
{
	unsigned count, have;
	size_t size;
	dev_t rdev;

	have = entry_mode(fd, path, &count, &size, &rdev);
	if (have != mode || count != 1)
		fail_msg("%s: mode 0%o (expected 0%o), %u times", path, have, mode, count);
}

static void test_initramfs(void **state)
{
	struct wring_initramfs *i = NULL;
	struct wring_err err = { 0 };
	unsigned count;
	size_t size;
	dev_t rdev;
	int fd = -1;

	(void)state;
	assert_int_equal(wring_initramfs_new(&i, &err), 0);
	assert_int_equal(wring_initramfs_add_data(i, "/a/b/c", 0640, "text", 4, &err), 0);
	assert_int_equal(wring_initramfs_add_data(i, "a/b/d", 0600, "", 0, &err), 0);
	assert_int_equal(wring_initramfs_add_data(i, "/a/b/c", 0640, "text", 4, &err), -EEXIST);
	assert_int_equal(wring_initramfs_add_data(i, "/a/../b", 0640, "", 0, &err), -EINVAL);
	assert_int_equal(wring_initramfs_add_data(i, "/", 0640, "", 0, &err), -EINVAL);
	assert_int_equal(wring_initramfs_add_data(i, "/x//y", 0640, "", 0, &err), -EINVAL);
	assert_int_equal(wring_initramfs_finish(i, &fd, &err), 0);
	wring_initramfs_free(i);
	assert_entry(fd, "a", S_IFDIR | 0755);
	assert_entry(fd, "a/b", S_IFDIR | 0755);
	assert_entry(fd, "a/b/c", S_IFREG | 0640);
	assert_entry(fd, "proc", S_IFDIR | 0755);
	assert_entry(fd, "dev/console", S_IFCHR | 0600);
	entry_mode(fd, "dev/console", &count, &size, &rdev);
	assert_int_equal(rdev, makedev(5, 1));
	entry_mode(fd, "a/b/c", &count, &size, &rdev);
	assert_int_equal(size, 4);
	close(fd);
}

static void test_initramfs_programs(void **state)
{
	struct wring_initramfs *i = NULL;
	struct wring_err err = { 0 };
	int fd = -1;

	(void)state;
	assert_int_equal(wring_initramfs_new(&i, &err), 0);
	assert_int_equal(wring_initramfs_add_program(i, "/bin/sh", "/bin/one", &err), 0);
	assert_int_equal(wring_initramfs_add_program(i, "/bin/sh", "/bin/two", &err), 0);
	assert_int_equal(wring_initramfs_add_program(i, "/bin/ls", "/bin/two", &err), -EEXIST);
	assert_int_equal(wring_initramfs_add_program(i, "/etc/passwd", "/bin/x", &err), -ENOEXEC);
	assert_non_null(strstr(err.msg, "/etc/passwd"));
	assert_int_equal(wring_initramfs_add_program(i, "/no/such", "/bin/x", &err), -ENOENT);
	assert_int_equal(wring_initramfs_finish(i, &fd, &err), 0);
	wring_initramfs_free(i);
	assert_entry(fd, "bin/one", S_IFREG | 0755);
	assert_entry(fd, "bin/two", S_IFREG | 0755);
	assert_entry(fd, "lib64/ld-linux-x86-64.so.2", S_IFREG | 0755);
	close(fd);
}

/* ---- disks, configuration ---- */

static void test_disks(void **state)
{
	struct wring_err err = { 0 };
	_cleanup_free_ char *mkfs = NULL;
	uint8_t magic[2];
	struct stat st;
	int fd = -1;

	(void)state;
	assert_int_equal(wring_disk_image("ntfs", 64 << 20, &fd, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "ext4, xfs, swap"));
	assert_int_equal(wring_disk_image("ext4", 1000, &fd, &err), -EINVAL);
	assert_int_equal(wring_disk_image("xfs", 64 << 20, &fd, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "300M"));
	if (wring_child_find("mkfs.ext4", NULL, &mkfs, NULL))
		skip();
	assert_int_equal(wring_disk_image("ext4", 256 << 20, &fd, &err), 0);
	assert_int_equal(pread(fd, magic, 2, 1024 + 0x38), 2);
	assert_int_equal(magic[0] | magic[1] << 8, 0xef53);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 256 << 20);
	assert_true(st.st_blocks * 512 < 64 << 20); /* sparse */
	close(fd);
}

static char *kconfig_text(const char *config, int *ret)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	*ret = wring_kconfig(config, f);
	fclose(f);
	return text;
}

static void test_kconfig(void **state)
{
	_cleanup_free_ char *fragment = NULL, *full = NULL, *bad = NULL, *config = NULL;
	int missing;

	(void)state;
	fragment = kconfig_text(NULL, &missing);
	assert_int_equal(missing, 0);
	assert_non_null(strstr(fragment, "\nCONFIG_MEMCG=y"));
	assert_null(strstr(fragment, "missing:"));
	full = kconfig_text(fragment, &missing); /* what it asks for is what satisfies it */
	assert_int_equal(missing, 0);
	assert_null(strstr(full, "missing:"));
	config = wring_strf("%sCONFIG_VIRTIO_BLK=m\n", fragment);
	strstr(config, "CONFIG_PSI=y")[11] = 'n';
	strstr(config, "CONFIG_EXT4_FS=y")[15] = 'm';
	strstr(config, "CONFIG_TMPFS=y")[13] = 'm';
	strstr(config, "CONFIG_LRU_GEN=y")[7] = 'X';
	bad = kconfig_text(config, &missing);
	assert_int_equal(missing, 2);
	assert_non_null(strstr(bad, "missing: CONFIG_PSI (required)"));
	assert_non_null(strstr(bad, "missing: CONFIG_LRU_GEN (wanted)"));
	assert_non_null(strstr(bad, "comes too late"));
	assert_null(strstr(bad, "missing: CONFIG_EXT4_FS"));
	assert_null(strstr(bad, "missing: CONFIG_MEMCG_KMEM"));
}

/* ---- frame ---- */

static int set_up(void **state)
{
	(void)state;
	spec = (struct wring_vm_spec){ .kernel_fd = make_spinner(), .initramfs_fd = make_memfd("x", 1), .cpus = 2,
				       .nodes = 2, .memory_bytes = 256 << 20, .accel = WRING_ACCEL_TCG };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(spec.kernel_fd);
	close(spec.initramfs_fd);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuses_bad_shapes),
		cmocka_unit_test(test_refuses_bad_files),
		cmocka_unit_test(test_spreads_evenly), cmocka_unit_test(test_network_only_if_asked_for),
		cmocka_unit_test(test_runs_pauses_and_resumes),
		cmocka_unit_test(test_tells_who_was_killed),
		cmocka_unit_test(test_deaf_guest_gives_no_stacks),
		cmocka_unit_test(test_dies_with_its_recorder),
		cmocka_unit_test(test_qemu_says_why_it_did_not_start),
		cmocka_unit_test(test_capture_keeps_both_ends),
		cmocka_unit_test(test_children),
		cmocka_unit_test(test_initramfs),
		cmocka_unit_test(test_initramfs_programs),
		cmocka_unit_test(test_disks),
		cmocka_unit_test(test_kconfig),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
