/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/vm.h"

#include <archive.h>
#include <archive_entry.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "harness/base/util.h"
#include "harness/vm/child.h"
#include "harness/vm/source.h"

struct member {
	char *path;   /* in the guest, without a leading '/' */
	char *origin; /* the file it came from, or NULL */
};

struct wring_initramfs {
	struct archive *archive;
	int fd;
	struct member *members;
	size_t n, size;
};

static int archive_failed(struct wring_initramfs *i, const char *path, struct wring_err *err)
{
	const char *why = archive_error_string(i->archive);

	return wring_err_set(err, -EIO, "initramfs: %s: %s", path, why ? why : "cannot be written");
}

static struct member *find_member(struct wring_initramfs *i, const char *path, size_t len)
{
	for (size_t n = 0; n < i->n; n++)
		if (strlen(i->members[n].path) == len && !memcmp(i->members[n].path, path, len))
			return &i->members[n];
	return NULL;
}

static int remember(struct wring_initramfs *i, const char *path, size_t len, const char *origin, struct wring_err *err)
{
	if (i->n == i->size) {
		size_t size = i->size ? i->size * 2 : 64;
		struct member *p = realloc(i->members, size * sizeof(*p));

		if (!p)
			return wring_err_set(err, -ENOMEM, "out of memory");
		i->members = p;
		i->size = size;
	}
	i->members[i->n].path = strndup(path, len);
	i->members[i->n].origin = origin ? strdup(origin) : NULL;
	if (!i->members[i->n].path)
		return wring_err_set(err, -ENOMEM, "out of memory");
	i->n++;
	return 0;
}

/* Inode numbers count up and times are zero: the same content gives the same bytes, hence the same boot. */
static int write_entry(struct wring_initramfs *i, const char *path, size_t len, unsigned mode, dev_t rdev,
		       const void *data, size_t size, const char *origin, struct wring_err *err)
{
	struct archive_entry *e = archive_entry_new();
	int r = remember(i, path, len, origin, err);

	if (!e || r) {
		archive_entry_free(e);
		return r ? r : wring_err_set(err, -ENOMEM, "out of memory");
	}
	archive_entry_copy_pathname(e, i->members[i->n - 1].path);
	archive_entry_set_mode(e, mode);
	archive_entry_set_ino(e, (la_int64_t)i->n);
	archive_entry_set_nlink(e, S_ISDIR(mode) ? 2 : 1);
	archive_entry_set_rdev(e, rdev);
	archive_entry_set_mtime(e, 0, 0);
	archive_entry_set_size(e, (la_int64_t)size);
	if (archive_write_header(i->archive, e) != ARCHIVE_OK ||
	    (size && archive_write_data(i->archive, data, size) != (la_ssize_t)size))
		r = archive_failed(i, i->members[i->n - 1].path, err);
	archive_entry_free(e);
	return r;
}

static int add_parents(struct wring_initramfs *i, const char *path, struct wring_err *err)
{
	int r = 0;

	for (const char *slash = strchr(path, '/'); slash && !r; slash = strchr(slash + 1, '/')) {
		size_t len = (size_t)(slash - path);

		if (!find_member(i, path, len))
			r = write_entry(i, path, len, S_IFDIR | 0755, 0, NULL, 0, NULL, err);
	}
	return r;
}

/* Relative to the guest's root; NULL (err set) for what is no path of a file there. */
static const char *clean_path(const char *path, struct wring_err *err)
{
	const char *p = path + strspn(path, "/");

	for (const char *c = p; c; c = strchr(c, '/')) {
		size_t n;

		c += *c == '/';
		n = strcspn(c, "/");
		if (!n || (n == 1 && *c == '.') || (n == 2 && c[0] == '.' && c[1] == '.')) {
			wring_err_set(err, -EINVAL, "initramfs: '%s' is not a plain path of a file", path);
			return NULL;
		}
	}
	return p;
}

static int add_file(struct wring_initramfs *i, const char *path, unsigned mode, const void *data, size_t len,
		    const char *origin, struct wring_err *err)
{
	int r = add_parents(i, path, err);

	return r ? r : write_entry(i, path, strlen(path), S_IFREG | mode, 0, data, len, origin, err);
}

int wring_initramfs_add_data(struct wring_initramfs *i, const char *path, unsigned mode, const void *data, size_t len,
			     struct wring_err *err)
{
	const char *p = clean_path(path, err);

	if (!p)
		return -EINVAL;
	if (find_member(i, p, strlen(p)))
		return wring_err_set(err, -EEXIST, "initramfs: %s is already in it", path);
	return add_file(i, p, mode & 07777, data, len, NULL, err);
}

/* What the kernel and any init expect before something is mounted. With /dev/console there, the kernel gives it to
 * PID 1 as its first three descriptors. */
static int add_basics(struct wring_initramfs *i, struct wring_err *err)
{
	static const char *const folders[] = { "dev", "proc", "sys", "run", "tmp", "mnt" };
	int r = 0;

	for (size_t n = 0; n < WRING_ARRAY_SIZE(folders) && !r; n++)
		r = write_entry(i, folders[n], strlen(folders[n]), S_IFDIR | 0755, 0, NULL, 0, NULL, err);
	if (!r)
		r = write_entry(i, "dev/console", 11, S_IFCHR | 0600, makedev(5, 1), NULL, 0, NULL, err);
	if (!r)
		r = write_entry(i, "dev/null", 8, S_IFCHR | 0666, makedev(1, 3), NULL, 0, NULL, err);
	return r;
}

int wring_initramfs_new(struct wring_initramfs **ret, struct wring_err *err)
{
	struct wring_initramfs *i = calloc(1, sizeof(*i));
	int r = 0;

	if (!i)
		return wring_err_set(err, -ENOMEM, "out of memory");
	i->fd = memfd_create("initramfs", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	i->archive = archive_write_new();
	if (i->fd < 0 || !i->archive)
		r = wring_err_set(err, -ENOMEM, "initramfs in memory: %s", strerror(errno));
	else if (archive_write_set_format_cpio_newc(i->archive) != ARCHIVE_OK ||
		 archive_write_open_fd(i->archive, i->fd) != ARCHIVE_OK)
		r = archive_failed(i, "start", err);
	if (!r)
		r = add_basics(i, err);
	if (r)
		wring_initramfs_free(i);
	else
		*ret = i;
	return r;
}

void wring_initramfs_free(struct wring_initramfs *i)
{
	if (!i)
		return;
	archive_write_free(i->archive);
	wring_closep(&i->fd);
	for (size_t n = 0; n < i->n; n++) {
		free(i->members[n].path);
		free(i->members[n].origin);
	}
	free(i->members);
	free(i);
}

int wring_initramfs_finish(struct wring_initramfs *i, int *ret_fd, struct wring_err *err)
{
	if (archive_write_close(i->archive) != ARCHIVE_OK)
		return archive_failed(i, "end", err);
	if (fcntl(i->fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return wring_err_set(err, -errno, "initramfs in memory: %s", strerror(errno));
	*ret_fd = WRING_TAKE_FD(i->fd);
	return 0;
}

/* ---- programs ---- */

/* A file of the host at a path of the guest. Once: a library that two programs share is met twice. */
static int add_host_file(struct wring_initramfs *i, const char *host, const char *guest, const void *data, size_t len,
			 struct wring_err *err)
{
	_cleanup_free_ char *origin = realpath(host, NULL);
	_cleanup_free_ void *own = NULL;
	const char *path = clean_path(guest, err);
	const struct member *m;
	int r = 0;

	if (!path)
		return -EINVAL;
	if (!origin)
		return wring_err_set(err, -errno, "%s: %s", host, strerror(errno));
	m = find_member(i, path, strlen(path));
	if (m && m->origin && !strcmp(m->origin, origin))
		return 0;
	if (m)
		return wring_err_set(err, -EEXIST, "initramfs: %s is wanted as %s, where %s already is", host, guest,
				     m->origin ? m->origin : "something else");
	if (!data)
		r = wring_source_read_file(origin, &own, &len, err);
	return r ? r : add_file(i, path, 0755, data ? data : own, len, origin, err);
}

/* The interpreter of an ELF program into *ret: NULL for a static one. */
static int find_interpreter(const char *path, const uint8_t *p, size_t len, char **ret, struct wring_err *err)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph;

	*ret = NULL;
	if (len < sizeof(eh) || memcmp(p, ELFMAG, SELFMAG) || p[EI_CLASS] != ELFCLASS64)
		return wring_err_set(err, -ENOEXEC, "%s: not a 64-bit ELF program (a script?)", path);
	memcpy(&eh, p, sizeof(eh));
	for (unsigned n = 0; n < eh.e_phnum; n++) {
		uint64_t at = eh.e_phoff + (uint64_t)n * sizeof(ph);

		if (eh.e_phoff > len || at > len || len - at < sizeof(ph))
			return wring_err_set(err, -ENOEXEC, "%s: a truncated ELF program", path);
		memcpy(&ph, p + at, sizeof(ph));
		if (ph.p_type != PT_INTERP)
			continue;
		if (ph.p_offset > len || ph.p_filesz > len - ph.p_offset || ph.p_filesz < 2)
			return wring_err_set(err, -ENOEXEC, "%s: a truncated ELF program", path);
		*ret = strndup((const char *)p + ph.p_offset, ph.p_filesz);
		return *ret ? 0 : wring_err_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

/* The loader itself says what it would load. Without the host CPU's own variants (glibc-hwcaps): the guest's CPU
 * may not know their instructions. A loader that does not know that option is asked again without it. */
static int list_libraries(const char *interp, const char *program, char **ret, struct wring_err *err)
{
	const char *const with[] = { interp, "--glibc-hwcaps-mask", "none", "--list", program, NULL };
	const char *const without[] = { interp, "--list", program, NULL };
	char line[300];
	int r = wring_child_run((char *const *)with, NULL, 0, ret);

	if (r > 0 && !strstr(*ret, "=>")) {
		free(*ret);
		r = wring_child_run((char *const *)without, NULL, 0, ret);
	}
	if (r < 0)
		return wring_err_set(err, r, "%s --list %s: %s", interp, program, strerror(-r));
	if (r && !strstr(*ret, "not found"))
		return wring_err_set(err, -EIO, "%s --list %s: %s", interp, program,
				     wring_child_last_line(*ret, line, sizeof(line)));
	return 0;
}

/* One line of `ld.so --list`: "name => path (0x...)". Lines without an arrow are the vdso and the loader. */
static bool parse_library(const char *line, size_t len, char **ret_name, char **ret_path)
{
	_cleanup_free_ char *copy = strndup(line, len);
	char *arrow = copy ? strstr(copy, " => ") : NULL, *end;
	const char *name = copy;

	if (!arrow)
		return false;
	*arrow = '\0';
	end = strstr(arrow + 4, " (0x");
	if (end)
		*end = '\0';
	name += strspn(name, " \t");
	*ret_name = strdup(name);
	*ret_path = strdup(arrow + 4);
	return true;
}

static char *folder_of_libc(const char *list)
{
	const char *p = strstr(list, "libc.so.6 => "), *end;

	p = p ? p + 13 : NULL;
	end = p ? strstr(p, "/libc.so.6 (") : NULL;
	return end && (size_t)(end - p) == strcspn(p, " \n") - 10 ? strndup(p, (size_t)(end - p)) : NULL;
}

/* The guest has no ld.so.cache and none of the host's environment: a library is put where the loader looks without
 * being told, the folder that libc itself was found in, under the name the program asks for. */
static int add_library(struct wring_initramfs *i, const char *folder, const char *program, const char *interp,
		       const char *name, const char *path, struct wring_err *err)
{
	const char *base = strrchr(interp, '/');
	_cleanup_free_ char *guest = NULL;

	if (!strcmp(path, "not found"))
		return wring_err_set(err, -ENOENT, "%s needs %s, which is not on this host", program, name);
	if (!strcmp(name, interp) || (base && !strcmp(name, base + 1)))
		return 0;
	guest = !folder || strchr(name, '/') ? strdup(path) : wring_strf("%s/%s", folder, name);
	if (!guest)
		return wring_err_set(err, -ENOMEM, "out of memory");
	return add_host_file(i, path, guest, NULL, 0, err);
}

static int add_libraries(struct wring_initramfs *i, const char *program, const char *interp, struct wring_err *err)
{
	_cleanup_free_ char *list = NULL, *folder = NULL;
	int r = list_libraries(interp, program, &list, err);

	if (r)
		return r;
	folder = folder_of_libc(list);
	for (const char *p = list; *p && !r; ) {
		_cleanup_free_ char *name = NULL, *path = NULL;
		size_t n = strcspn(p, "\n");

		if (parse_library(p, n, &name, &path))
			r = name && path ? add_library(i, folder, program, interp, name, path, err) : -ENOMEM;
		p += n + (p[n] == '\n');
	}
	return r;
}

int wring_initramfs_add_program(struct wring_initramfs *i, const char *host_path, const char *guest_path,
				struct wring_err *err)
{
	_cleanup_free_ char *interp = NULL;
	_cleanup_free_ void *data = NULL;
	size_t len;
	int r = wring_source_read_file(host_path, &data, &len, err);

	if (!r)
		r = find_interpreter(host_path, data, len, &interp, err);
	if (!r)
		r = add_host_file(i, host_path, guest_path, data, len, err);
	if (r || !interp)
		return r;
	r = add_host_file(i, interp, interp, NULL, 0, err);
	return r ? r : add_libraries(i, host_path, interp, err);
}
