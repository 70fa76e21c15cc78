/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/kernel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sha256.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "harness/base/util.h"
#include "harness/vm/source.h"

#define ACCEPTED "accepted: a bzImage, a linux-image .deb, a kernel build tree, an unpacked image package"

/* The setup header, Documentation/arch/x86/boot.rst. */
enum {
	SETUP_SECTS = 0x1f1, SYSSIZE = 0x1f4, BOOT_FLAG = 0x1fe, MAGIC = 0x202, VERSION = 0x206,
	KERNEL_VERSION = 0x20e, LOADFLAGS = 0x211, HEADER_END = 0x264,
};

static unsigned le16(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

static uint64_t le32(const uint8_t *p)
{
	return le16(p) | (uint64_t)le16(p + 2) << 16;
}

static int not_an_image(const uint8_t *p, size_t len, const char *path, struct wring_err *err)
{
	const char *what = "not a kernel image";

	if (!len)
		what = "an empty file, not a kernel image";
	else if (len >= 4 && !memcmp(p, "\177ELF", 4))
		what = "an ELF file (vmlinux?), not the bzImage made from it";
	else if (len >= 4 && !memcmp(p, "\xed\xab\xee\xdb", 4))
		what = "an rpm package";
	return wring_err_set(err, -ENOEXEC, "%s: %s; " ACCEPTED, path, what);
}

static int check_header(const uint8_t *p, size_t len, const char *path, struct wring_err *err)
{
	size_t setup, end;

	if (len < MAGIC + 4 || memcmp(p + MAGIC, "HdrS", 4) || le16(p + BOOT_FLAG) != 0xaa55)
		return not_an_image(p, len, path, err);
	if (len < HEADER_END)
		return wring_err_set(err, -EBADMSG, "%s: a truncated bzImage: %zu bytes; " ACCEPTED, path, len);
	if (le16(p + VERSION) < 0x0200 || !(p[LOADFLAGS] & 1))
		return wring_err_set(err, -ENOEXEC, "%s: a zImage or a boot protocol before 2.00; " ACCEPTED, path);
	setup = ((p[SETUP_SECTS] ? p[SETUP_SECTS] : 4) + 1) * 512;
	/* syssize counts paragraphs of 16 bytes, rounded up. */
	end = setup + le32(p + SYSSIZE) * 16;
	if (len + 15 < end)
		return wring_err_set(err, -EBADMSG, "%s: a truncated bzImage: %zu of %zu bytes; " ACCEPTED, path, len,
				     end);
	return 0;
}

/* "6.1.0-56-cloud-amd64 (debian-kernel@...) #1 SMP ...": the first word is what uname -r says. */
static int read_release(const uint8_t *p, size_t len, const char *path, char **ret, struct wring_err *err)
{
	size_t at = le16(p + KERNEL_VERSION) + 0x200, n = 0;

	while (at > 0x200 && at + n < len && n < 128 && p[at + n] > 0x20 && p[at + n] < 0x7f)
		n++;
	if (!n || n == 128 || strcspn((const char *)p + at, "/") < n)
		return wring_err_set(err, -EBADMSG, "%s: a bzImage without a release string; " ACCEPTED, path);
	*ret = strndup((const char *)p + at, n);
	return *ret ? 0 : wring_err_set(err, -ENOMEM, "out of memory");
}

static int seal(const void *data, size_t len, int *ret_fd, struct wring_err *err)
{
	_cleanup_close_ int fd = memfd_create("bzImage", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r = fd < 0 ? -errno : wring_write_all(fd, data, len);

	if (!r && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		r = -errno;
	if (r)
		return wring_err_set(err, r, "kernel image in memory: %s", strerror(-r));
	*ret_fd = WRING_TAKE_FD(fd);
	return 0;
}

/* `data` has a NUL behind it, as wring_entry_read() leaves it. */
static int take_image(struct wring_kernel *k, const void *data, size_t len, const char *path, struct wring_err *err)
{
	int r = check_header(data, len, path, err);

	if (!r)
		r = read_release(data, len, path, &k->release, err);
	if (!r)
		r = seal(data, len, &k->image_fd, err);
	if (!r)
		SHA256Data(data, len, k->sha256);
	return r;
}

static int load_image(struct wring_kernel *k, const char *path, struct wring_err *err)
{
	_cleanup_free_ void *data = NULL;
	size_t len;
	int r = wring_source_read_file(path, &data, &len, err);

	return r ? r : take_image(k, data, len, path, err);
}

/* A text beside the image that may be there or not. */
static char *optional_text(char *path)
{
	char *text = NULL;

	if (path)
		wring_read_file(AT_FDCWD, path, &text, NULL);
	free(path);
	return text;
}

static bool is_folder(const char *path)
{
	struct stat st;

	return path && !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* ---- a package ---- */

static int visit_boot(void *arg, const char *path, struct wring_entry *entry, struct wring_err *err)
{
	_cleanup_free_ void *data = NULL;
	struct wring_kernel *k = arg;
	bool is_image = !strncmp(path, "boot/vmlinuz-", 13);
	size_t len;
	int r;

	if (k->image_fd >= 0 && (k->config || strncmp(path, "boot/", 5)))
		return 1;
	if ((!is_image || k->image_fd >= 0) && strncmp(path, "boot/config-", 12))
		return 0;
	r = wring_entry_read(entry, &data, &len, err);
	if (!r && is_image)
		return take_image(k, data, len, path, err);
	if (!r && !k->config)
		k->config = WRING_TAKE_PTR(data);
	return r;
}

static int open_deb(struct wring_kernel *k, struct wring_err *err)
{
	int r = wring_deb_walk(k->path, visit_boot, k, err);

	if (r < 0)
		return r;
	if (k->image_fd < 0)
		return wring_err_set(err, -ENOENT, "%s: a Debian package without boot/vmlinuz-*, so no linux-image "
				     "(linux-image-amd64 only depends on one); " ACCEPTED, k->path);
	k->deb = strdup(k->path);
	return k->deb ? 0 : wring_err_set(err, -ENOMEM, "out of memory");
}

/* ---- a folder ---- */

/* Modules of this release below root: lib/modules, or usr/lib/modules where /lib is a link that was not unpacked. */
static void find_modules(struct wring_kernel *k, const char *root)
{
	static const char *const places[] = { "lib/modules", "usr/lib/modules" };

	for (size_t i = 0; i < WRING_ARRAY_SIZE(places) && !k->modules; i++) {
		char *dir = wring_strf("%s/%s/%s", root, places[i], k->release);

		if (is_folder(dir))
			k->modules = dir;
		else
			free(dir);
	}
	if (k->modules)
		k->builtin = optional_text(wring_strf("%s/modules.builtin", k->modules));
}

/* The first of these files that is there. */
static void find_file(char **ret, char *path)
{
	if (!*ret && path && !access(path, R_OK))
		*ret = WRING_TAKE_PTR(path);
	free(path);
}

/* Below root ("": this machine's): beside the image, or in Debian's linux-image-*-dbg. Its own System.map is a stub of a line. */
static void find_symbols(struct wring_kernel *k, const char *root)
{
	struct stat st;

	find_file(&k->vmlinux, wring_strf("%s/usr/lib/debug/boot/vmlinux-%s", root, k->release));
	find_file(&k->vmlinux, wring_strf("%s/usr/lib/debug/lib/modules/%s/vmlinux", root, k->release));
	find_file(&k->system_map, wring_strf("%s/usr/lib/debug/boot/System.map-%s", root, k->release));
	if (!k->system_map)
		find_file(&k->system_map, wring_strf("%s/boot/System.map-%s", root, k->release));
	if (k->system_map && !stat(k->system_map, &st) && st.st_size < 4096)
		free(WRING_TAKE_PTR(k->system_map));
}

static int open_build_tree(struct wring_kernel *k, const char *root, const char *image, struct wring_err *err)
{
	int r = load_image(k, image, err);

	if (r)
		return r;
	k->config = optional_text(wring_strf("%s/.config", root));
	k->builtin = optional_text(wring_strf("%s/modules.builtin", root));
	find_file(&k->vmlinux, wring_strf("%s/vmlinux", root));
	find_file(&k->system_map, wring_strf("%s/System.map", root));
	k->modules = strdup(root);
	return k->modules ? 0 : wring_err_set(err, -ENOMEM, "out of memory");
}

/* The only boot/vmlinuz-* below root; two are one too many to guess from. */
static int find_vmlinuz(const char *root, char **ret, struct wring_err *err)
{
	_cleanup_free_ char *boot = wring_strf("%s/boot", root);
	_cleanup_free_ char *name = NULL;
	DIR *dir = boot ? opendir(boot) : NULL;
	const struct dirent *d;
	unsigned n = 0;

	while (dir && (d = readdir(dir)))
		if (!strncmp(d->d_name, "vmlinuz-", 8) && !n++)
			name = strdup(d->d_name);
	if (dir)
		closedir(dir);
	if (n > 1)
		return wring_err_set(err, -EINVAL, "%s: %u kernels in it: give the path of one vmlinuz-*", boot, n);
	if (!name)
		return wring_err_set(err, -ENOENT, "%s: a folder with neither arch/x86/boot/bzImage nor "
				     "boot/vmlinuz-*; " ACCEPTED, root);
	*ret = wring_strf("%s/%s", boot, name);
	return *ret ? 0 : wring_err_set(err, -ENOMEM, "out of memory");
}

static int open_package_tree(struct wring_kernel *k, const char *root, struct wring_err *err)
{
	_cleanup_free_ char *image = NULL;
	int r = find_vmlinuz(root, &image, err);

	if (!r)
		r = load_image(k, image, err);
	if (r)
		return r;
	k->config = optional_text(wring_strf("%s/boot/config-%s", root, k->release));
	find_modules(k, root);
	find_symbols(k, root);
	return 0;
}

static int open_folder(struct wring_kernel *k, struct wring_err *err)
{
	_cleanup_free_ char *image = wring_strf("%s/arch/x86/boot/bzImage", k->path);
	_cleanup_free_ char *config = wring_strf("%s/.config", k->path);
	_cleanup_free_ char *makefile = wring_strf("%s/Kbuild", k->path);

	if (image && !access(image, F_OK))
		return open_build_tree(k, k->path, image, err);
	if (config && makefile && (!access(config, F_OK) || !access(makefile, F_OK)))
		return wring_err_set(err, -ENOENT, "%s: a kernel tree that was not built (no arch/x86/boot/bzImage): "
				     "run make there", k->path);
	return open_package_tree(k, k->path, err);
}

/* ---- a file ---- */

/* The folder `up` levels above the file, with every link resolved; NULL when there are not so many. */
static char *ancestor(const char *path, unsigned up)
{
	char *p = realpath(path, NULL);

	for (unsigned i = 0; p && i < up; i++) {
		char *slash = strrchr(p, '/');

		if (!slash || (slash == p && i + 1 < up)) {
			free(p);
			return NULL;
		}
		slash[slash == p] = '\0';
	}
	return p;
}

/* A bzImage still lying in its build tree, or in /boot: what belongs to it is there, too. */
static int open_image(struct wring_kernel *k, struct wring_err *err)
{
	_cleanup_free_ char *tree = ancestor(k->path, 4);
	_cleanup_free_ char *inner = wring_strf("%s/arch/x86/boot/bzImage", tree ? tree : "");
	_cleanup_free_ char *config = wring_strf("%s/.config", tree ? tree : "");
	_cleanup_free_ char *real = realpath(k->path, NULL);
	_cleanup_free_ char *boot = ancestor(k->path, 1), *root = NULL;
	int r;

	if (tree && real && inner && config && !strcmp(real, inner) && !access(config, F_OK))
		return open_build_tree(k, tree, k->path, err);
	r = load_image(k, k->path, err);
	if (r || !boot)
		return r;
	k->config = optional_text(wring_strf("%s/config-%s", boot, k->release));
	root = ancestor(k->path, 2);
	if (root && strlen(boot) >= 5 && !strcmp(boot + strlen(boot) - 5, "/boot")) {
		find_modules(k, root);
		find_symbols(k, root);
	}
	return 0;
}

static int open_any(struct wring_kernel *k, struct wring_err *err)
{
	_cleanup_close_ int fd = -1;
	char magic[8] = "";
	struct stat st;

	if (stat(k->path, &st))
		return wring_err_set(err, -errno, "%s: %s", k->path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return open_folder(k, err);
	if (!S_ISREG(st.st_mode))
		return wring_err_set(err, -EINVAL, "%s: neither a file nor a folder; " ACCEPTED, k->path);
	fd = open(k->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, magic, sizeof(magic)) < 0)
		return wring_err_set(err, -errno, "%s: %s", k->path, strerror(errno));
	return memcmp(magic, "!<arch>\n", 8) ? open_image(k, err) : open_deb(k, err);
}

int wring_kernel_open(const char *path, struct wring_kernel **ret, struct wring_err *err)
{
	struct wring_kernel *k = calloc(1, sizeof(*k));
	size_t len = strlen(path);
	int r;

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (k) {
		k->image_fd = -1;
		k->path = strndup(path, len);
	}
	if (!k || !k->path)
		r = wring_err_set(err, -ENOMEM, "out of memory");
	else
		r = open_any(k, err);
	if (!r)
		find_symbols(k, "");
	if (r) {
		wring_kernel_free(k);
		return r;
	}
	*ret = k;
	return 0;
}

void wring_kernel_free(struct wring_kernel *k)
{
	if (!k)
		return;
	wring_closep(&k->image_fd);
	free(k->path);
	free(k->deb);
	free(k->modules);
	free(k->builtin);
	free(k->config);
	free(k->system_map);
	free(k->vmlinux);
	free(k->release);
	free(k);
}

const char *wring_kernel_release(const struct wring_kernel *k) { return k->release; }
const char *wring_kernel_sha256(const struct wring_kernel *k) { return k->sha256; }
const char *wring_kernel_config(const struct wring_kernel *k) { return k->config; }
int wring_kernel_image_fd(const struct wring_kernel *k) { return k->image_fd; }
