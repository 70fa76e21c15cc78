/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/kernel.h"

#include <archive.h>
#include <archive_entry.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "harness/base/util.h"
#include "harness/vm/source.h"

enum { IMAGE_SIZE = 4096 };

static char dir[] = "/tmp/wring-test-kernel-XXXXXX";

/* The smallest file that has all a bzImage is asked for: one setup sector and a release string. */
static void make_image(uint8_t p[IMAGE_SIZE], const char *version)
{
	memset(p, 0, IMAGE_SIZE);
	p[0x1f1] = 1;
	p[0x1f4] = (IMAGE_SIZE - 1024) / 16;
	p[0x1fe] = 0x55;
	p[0x1ff] = 0xaa;
	memcpy(p + 0x202, "HdrS", 4);
	p[0x206] = 0x0f;
	p[0x207] = 0x02;
	p[0x20e] = 0x80; /* + 0x200 */
	p[0x20f] = 0x00;
	p[0x211] = 1;
	strcpy((char *)p + 0x280, version);
}

/* A 64-bit relocatable ELF with two sections: .modinfo and the names. */
static size_t make_module(uint8_t *p, const char *modinfo, size_t len)
{
	static const char names[] = "\0.modinfo\0.shstrtab";
	Elf64_Ehdr eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_REL,
			  .e_machine = EM_X86_64, .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = 3, .e_shstrndx = 2 };
	Elf64_Shdr sh[3] = { { 0 } };

	sh[1] = (Elf64_Shdr){ .sh_name = 1, .sh_type = SHT_PROGBITS, .sh_offset = sizeof(eh), .sh_size = len };
	sh[2] = (Elf64_Shdr){ .sh_name = 10, .sh_type = SHT_STRTAB, .sh_offset = sizeof(eh) + len,
			      .sh_size = sizeof(names) };
	eh.e_shoff = sizeof(eh) + len + sizeof(names);
	memcpy(p, &eh, sizeof(eh));
	memcpy(p + sizeof(eh), modinfo, len);
	memcpy(p + sizeof(eh) + len, names, sizeof(names));
	memcpy(p + eh.e_shoff, sh, sizeof(sh));
	return eh.e_shoff + sizeof(sh);
}

static const char *in_dir(const char *name)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void write_path(const char *name, const void *data, size_t len)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	for (char *s = strchr(path + strlen(dir) + 1, '/'); s; s = strchr(s + 1, '/')) {
		*s = '\0';
		mkdir(path, 0755);
		*s = '/';
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(wring_write_all(fd, data, len), 0);
	close(fd);
}

static void write_module(const char *name, const char *depends)
{
	uint8_t p[1024];
	char info[300];
	int n = snprintf(info, sizeof(info), "license=GPL%cdepends=%s%cname=x", 0, depends, 0);

	write_path(name, p, make_module(p, info, (size_t)n + 1));
}

/* Opening fails, and says every one of the words. */
static void assert_refused(const char *path, const char *word1, const char *word2)
{
	struct wring_kernel *k = NULL;
	struct wring_err err = { 0 };
	int r = wring_kernel_open(path, &k, &err);

	if (r >= 0 || !strstr(err.msg, word1) || !strstr(err.msg, word2))
		fail_msg("%s: %d '%s' lacks '%s' or '%s'", path, r, err.msg, word1, word2);
	assert_null(strchr(err.msg, '\n'));
	assert_non_null(strstr(err.msg, path));
}

/* ---- files that are no kernel ---- */

static void test_refuses_other_files(void **state)
{
	static const char text[] = "#!/bin/sh\necho hello\n";
	uint8_t zeros[8192] = { 0 };

	(void)state;
	write_path("empty", "", 0);
	write_path("text", text, sizeof(text));
	write_path("zeros", zeros, sizeof(zeros));
	write_path("vmlinux", "\177ELF\2\1\1", 7);
	mkfifo(in_dir("fifo"), 0600);
	assert_refused(in_dir("empty"), "empty file", "accepted: a bzImage");
	assert_refused(in_dir("text"), "not a kernel image", "accepted: a bzImage");
	assert_refused(in_dir("zeros"), "not a kernel image", "accepted: a bzImage");
	assert_refused(in_dir("vmlinux"), "bzImage made from it", "accepted: a bzImage");
	assert_refused(in_dir("fifo"), "neither a file nor a folder", "accepted: a bzImage");
	assert_refused(in_dir("missing"), "No such file", "missing");
	assert_refused("/dev/null", "neither a file nor a folder", "accepted: a bzImage");
}

static void test_refuses_truncated_images(void **state)
{
	uint8_t p[IMAGE_SIZE];

	(void)state;
	make_image(p, "6.1.0-test (x@y) #1");
	write_path("cut", p, 0x210);
	assert_refused(in_dir("cut"), "truncated bzImage", "accepted");
	write_path("cut", p, IMAGE_SIZE - 100);
	assert_refused(in_dir("cut"), "truncated bzImage: 3996 of 4096", "accepted");
	/* No length at all may be read beyond. */
	for (size_t len = 0; len < IMAGE_SIZE - 16; len += 7) {
		write_path("cut", p, len);
		assert_refused(in_dir("cut"), "cut", "accepted");
	}
	p[0x20e] = p[0x20f] = 0xff;
	write_path("cut", p, IMAGE_SIZE);
	assert_refused(in_dir("cut"), "without a release", "accepted");
	make_image(p, "../../etc (x@y)");
	write_path("cut", p, IMAGE_SIZE);
	assert_refused(in_dir("cut"), "without a release", "accepted");
}

static void test_refuses_folders(void **state)
{
	uint8_t p[IMAGE_SIZE];

	(void)state;
	make_image(p, "6.1.0-test (x@y) #1");
	mkdir(in_dir("nothing"), 0755);
	assert_refused(in_dir("nothing"), "neither arch/x86/boot/bzImage nor", "accepted");
	write_path("unbuilt/.config", "CONFIG_X=y\n", 11);
	assert_refused(in_dir("unbuilt"), "not built", "run make");
	write_path("two/boot/vmlinuz-1", p, sizeof(p));
	write_path("two/boot/vmlinuz-2", p, sizeof(p));
	assert_refused(in_dir("two"), "2 kernels", "give the path of one");
}

/* ---- images ---- */

static void test_reads_an_image(void **state)
{
	struct wring_kernel *k = NULL;
	struct wring_err err = { 0 };
	struct wring_modules m = { 0 };
	static const char *const names[] = { "zram", "virtio_blk" };
	uint8_t p[IMAGE_SIZE], back[IMAGE_SIZE];

	(void)state;
	make_image(p, "6.1.0-test (x@y) #1");
	write_path("bzImage", p, sizeof(p));
	assert_int_equal(wring_kernel_open(in_dir("bzImage"), &k, &err), 0);
	assert_string_equal(wring_kernel_release(k), "6.1.0-test");
	assert_int_equal(strlen(wring_kernel_sha256(k)), 64);
	assert_null(wring_kernel_config(k));
	assert_int_equal(pread(wring_kernel_image_fd(k), back, sizeof(back), 0), sizeof(back));
	assert_memory_equal(p, back, sizeof(p));
	assert_int_equal(pwrite(wring_kernel_image_fd(k), "x", 1, 0), -1);
	/* Nothing is known about modules: all is taken to be built in. */
	assert_int_equal(wring_kernel_modules(k, names, 2, &m, &err), 0);
	assert_int_equal(m.n, 0);
	wring_modules_done(&m);
	wring_kernel_free(k);
	wring_kernel_free(NULL);
}

static void test_reads_a_build_tree(void **state)
{
	static const char *const names[] = { "zram", "ext4", "lzo-rle" }, *const unbuilt[] = { "xfs" };
	static const char *const unknown[] = { "nonsense" };
	static const char config[] = "#\nCONFIG_EXT4_FS=y\nCONFIG_ZRAM=m\nCONFIG_XFS_FS=m\n";
	struct wring_kernel *k = NULL;
	struct wring_modules m = { 0 };
	struct wring_err err = { 0 };
	uint8_t p[IMAGE_SIZE];

	(void)state;
	make_image(p, "6.13.0-rc1+ (x@y) #1");
	write_path("tree/arch/x86/boot/bzImage", p, sizeof(p));
	write_path("tree/.config", config, strlen(config));
	write_module("tree/drivers/block/zram/zram.ko", "zsmalloc,lzo-rle");
	write_module("tree/crypto/lzo-rle.ko", "");
	write_module("tree/mm/zsmalloc.ko", "");
	for (int image = 0; image < 2; image++) { /* the tree itself, and the image in it */
		const char *path = in_dir(image ? "tree/arch/x86/boot/bzImage" : "tree/");

		assert_int_equal(wring_kernel_open(path, &k, &err), 0);
		assert_string_equal(wring_kernel_config(k), config);
		assert_int_equal(wring_kernel_modules(k, names, 3, &m, &err), 0);
		assert_int_equal(m.n, 3);
		assert_string_equal(m.rows[0].name, "zsmalloc");
		assert_string_equal(m.rows[1].name, "lzo_rle");
		assert_string_equal(m.rows[1].file, "lzo-rle.ko");
		assert_string_equal(m.rows[2].name, "zram");
		wring_modules_done(&m);
		assert_int_equal(wring_kernel_modules(k, unbuilt, 1, &m, &err), -ENOENT);
		assert_non_null(strstr(err.msg, "build the modules"));
		assert_int_equal(wring_kernel_modules(k, unknown, 1, &m, &err), -ENOENT);
		assert_non_null(strstr(err.msg, "nonsense"));
		wring_kernel_free(k);
	}
}

static void test_reads_an_unpacked_package(void **state)
{
	static const char *const names[] = { "a", "c", "d" }, *const broken[] = { "e" }, *const damaged[] = { "f" };
	static const char builtin[] = "kernel/fs/ext4/ext4.ko\nkernel/lib/d.ko\n";
	struct wring_kernel *k = NULL;
	struct wring_modules m = { 0 };
	struct wring_err err = { 0 };
	uint8_t p[IMAGE_SIZE];

	(void)state;
	make_image(p, "5.0 (x@y) #1");
	write_path("pkg/boot/vmlinuz-5.0", p, sizeof(p));
	write_path("pkg/lib/modules/5.0/modules.builtin", builtin, strlen(builtin));
	write_module("pkg/lib/modules/5.0/kernel/a.ko", "b,d");
	write_module("pkg/lib/modules/5.0/kernel/b.ko", "c");
	write_module("pkg/lib/modules/5.0/kernel/c.ko", "a"); /* a circle ends */
	write_module("pkg/lib/modules/5.0/kernel/e.ko", "gone");
	write_path("pkg/lib/modules/5.0/kernel/f.ko.xz", "not xz at all", 13);
	assert_int_equal(wring_kernel_open(in_dir("pkg"), &k, &err), 0);
	assert_int_equal(wring_kernel_modules(k, names, 3, &m, &err), 0);
	assert_int_equal(m.n, 3);
	wring_modules_done(&m);
	assert_int_equal(wring_kernel_modules(k, broken, 1, &m, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "gone (needed by e)"));
	assert_true(wring_kernel_modules(k, damaged, 1, &m, &err) < 0);
	assert_non_null(strstr(err.msg, "f.ko.xz"));
	wring_kernel_free(k);
}

/* ---- packages ---- */

static void add_member(struct archive *a, const char *path, const void *data, size_t len)
{
	struct archive_entry *e = archive_entry_new();

	archive_entry_set_pathname(e, path);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_size(e, (la_int64_t)len);
	assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
	assert_int_equal(archive_write_data(a, data, len), len);
	archive_entry_free(e);
}

/* data.tar.xz in memory; the image is left out when image is NULL. */
static size_t make_data(char *buf, size_t size, const uint8_t *image)
{
	struct archive *a = archive_write_new();
	uint8_t module[1024];
	size_t used, n = make_module(module, "depends=early\0name=late", 24);

	archive_write_add_filter_xz(a);
	archive_write_set_format_ustar(a);
	assert_int_equal(archive_write_open_memory(a, buf, size, &used), ARCHIVE_OK);
	add_member(a, "./usr/share/doc/x", "doc", 3);
	if (image) {
		add_member(a, "./boot/config-6.1.0-test", "#\nCONFIG_VIRTIO_PCI=y\n", 22);
		add_member(a, "./boot/vmlinuz-6.1.0-test", image, IMAGE_SIZE);
	}
	/* The dependency comes before the module that names it. */
	add_member(a, "./lib/modules/6.1.0-test/kernel/early.ko", module, make_module(module, "depends=", 9));
	n = make_module(module, "depends=early\0name=late", 24);
	add_member(a, "./lib/modules/6.1.0-test/kernel/late.ko", module, n);
	add_member(a, "./lib/modules/6.1.0-test/modules.builtin", "kernel/fs/ext4.ko\n", 18);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
	return used;
}

static size_t make_deb(char *buf, size_t size, const uint8_t *image)
{
	struct archive *a = archive_write_new();
	char data[65536];
	size_t used, n = make_data(data, sizeof(data), image);

	archive_write_set_format_ar_svr4(a);
	assert_int_equal(archive_write_open_memory(a, buf, size, &used), ARCHIVE_OK);
	add_member(a, "debian-binary", "2.0\n", 4);
	add_member(a, "control.tar.xz", "ignored", 7);
	add_member(a, "data.tar.xz", data, n);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
	return used;
}

static void test_reads_a_deb(void **state)
{
	static const char *const names[] = { "late", "virtio-pci", "ext4" };
	struct wring_kernel *k = NULL;
	struct wring_modules m = { 0 };
	struct wring_err err = { 0 };
	uint8_t p[IMAGE_SIZE];
	char deb[65536];

	(void)state;
	make_image(p, "6.1.0-test (x@y) #1");
	write_path("x.deb", deb, make_deb(deb, sizeof(deb), p));
	assert_int_equal(wring_kernel_open(in_dir("x.deb"), &k, &err), 0);
	assert_string_equal(wring_kernel_release(k), "6.1.0-test");
	assert_non_null(strstr(wring_kernel_config(k), "VIRTIO_PCI"));
	assert_int_equal(wring_kernel_modules(k, names, 3, &m, &err), 0);
	assert_int_equal(m.n, 2);
	assert_string_equal(m.rows[0].file, "early.ko");
	assert_string_equal(m.rows[1].file, "late.ko");
	wring_modules_done(&m);
	wring_kernel_free(k);
}

static void test_refuses_other_debs(void **state)
{
	uint8_t p[IMAGE_SIZE];
	char deb[65536];
	size_t len;

	(void)state;
	write_path("other.deb", deb, make_deb(deb, sizeof(deb), NULL));
	assert_refused(in_dir("other.deb"), "without boot/vmlinuz-*", "accepted");
	write_path("other.deb", "!<arch>\n", 8);
	assert_refused(in_dir("other.deb"), "truncated .deb", "other.deb");
	make_image(p, "6.1.0-test (x@y) #1");
	len = make_deb(deb, sizeof(deb), p);
	for (size_t cut = 8; cut < len - 1; cut += 13) {
		write_path("other.deb", deb, cut);
		assert_refused(in_dir("other.deb"), ".deb", "truncated");
	}
	memset(deb + len / 2, 0x5a, len / 3);
	write_path("other.deb", deb, len);
	assert_refused(in_dir("other.deb"), "damaged", "other.deb");
}

/* ---- modinfo ---- */

static void test_modinfo(void **state)
{
	struct wring_err err = { 0 };
	uint8_t p[1024];
	char *depends = NULL;
	size_t n;

	(void)state;
	n = make_module(p, "license=GPL\0\0\0depends=a,b-c\0x=y", 32);
	assert_int_equal(wring_modinfo_depends(p, n, &depends, &err), 0);
	assert_string_equal(depends, "a,b-c");
	free(depends);
	n = make_module(p, "depends=unterminated", 20); /* no NUL in the section */
	assert_int_equal(wring_modinfo_depends(p, n, &depends, &err), 0);
	assert_string_equal(depends, "unterminated");
	free(depends);
	n = make_module(p, "license=GPL", 12);
	assert_int_equal(wring_modinfo_depends(p, n, &depends, &err), -EBADMSG);
	assert_int_equal(wring_modinfo_depends("", 0, &depends, &err), -EBADMSG);
}

/* Nothing but a verdict, whatever the bytes; the sanitizers watch. */
static void test_modinfo_on_garbage(void **state)
{
	uint8_t good[1024];
	size_t len = make_module(good, "license=GPL\0depends=a\0", 23);
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		size_t n = round % 3 ? len : (size_t)rand_r(&seed) % len;
		uint8_t *p = malloc(n + !n); /* exact, so that one byte too far is seen */
		char *depends = NULL;

		assert_non_null(p);
		for (size_t i = 0; i < n; i++)
			p[i] = round % 5 ? good[i] : (uint8_t)rand_r(&seed);
		for (int flips = rand_r(&seed) % 6; n && flips; flips--)
			p[(size_t)rand_r(&seed) % n] = (uint8_t)(rand_r(&seed) % 3 ? rand_r(&seed) : 0xff);
		if (!wring_modinfo_depends(p, n, &depends, NULL))
			free(depends);
		free(p);
	}
}

/* ---- frame ---- */

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int remove_dir(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- symbols: of Debian's linux-image-6.1.0-56-cloud-amd64-dbg, and what that kernel, moved by KASLR, told of itself ---- */

static void test_symbols(void **state)
{
	static const char console[] = "[wring: CPU 0 at ffffffffb53826fe, in the kernel]\r\n"
				      "[wring: CPU 1 at ffffffffc0668007, in the kernel]\r\n"
				      "[wring: divide error handler: ffffffffb5e00990]\r\n"
				      "[   38.1] RAX: ffffffffb5382601 RBX: ffffd4f500323c28\r\n"
				      "[   38.1]  multi_cpu_stop+0x6e/0x120\r\n";
	char path[40];
	struct wring_kernel k = { .system_map = path };
	int fd = memfd_create("System.map", MFD_CLOEXEC);
	char *text;

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	dprintf(fd, "ffffffffffffffff B The real System.map is in the linux-image-<version>-dbg package\n");
	assert_null(wring_kernel_symbolise(&k, console));
	assert_int_equal(ftruncate(fd, 0) + lseek(fd, 0, SEEK_SET), 0);
	for (unsigned i = 0; i < 1000; i++)
		dprintf(fd, "ffffffff810%05x T filler%u\n", i, i);
	dprintf(fd, "ffffffff81182690 t multi_cpu_stop\nffffffff811827b0 T stop_two_cpus\nffffffff81c00990 T asm_exc_divide_error\n"
		"ffffffff81c009b0 T asm_exc_overflow\n");
	text = wring_kernel_symbolise(&k, console);
	assert_non_null(text);
	assert_non_null(strstr(text, "[wring: CPU 0 at ffffffffb53826fe, in the kernel] multi_cpu_stop+0x6e\r\n"));
	assert_non_null(strstr(text, "[wring: CPU 1 at ffffffffc0668007, in the kernel]\r\n")); /* of a module */
	assert_non_null(strstr(text, "RAX: ffffffffb5382601 RBX: ffffd4f500323c28\r\n"));
	free(text);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuses_other_files),
		cmocka_unit_test(test_refuses_truncated_images),
		cmocka_unit_test(test_refuses_folders),
		cmocka_unit_test(test_reads_an_image),
		cmocka_unit_test(test_reads_a_build_tree),
		cmocka_unit_test(test_reads_an_unpacked_package),
		cmocka_unit_test(test_reads_a_deb),
		cmocka_unit_test(test_refuses_other_debs),
		cmocka_unit_test(test_modinfo),
		cmocka_unit_test(test_modinfo_on_garbage),
		cmocka_unit_test(test_symbols),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
