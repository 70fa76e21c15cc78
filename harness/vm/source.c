/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/source.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/base/util.h"

enum { MAX_FILE = 512 << 20 }; /* larger than any image or module; bounds what a hostile package can take */

struct wring_entry {
	struct archive *archive; /* positioned at its data, or */
	const char *path;        /* a path on the host */
};

typedef struct archive reader; /* for the cleanup attribute only */
static void reader_freep(reader **a)
{
	archive_read_free(*a);
}
#define _cleanup_reader_ __attribute__((cleanup(reader_freep)))

/* ---- one file ---- */

static int read_archive_data(struct archive *a, void **ret, size_t *ret_len, struct wring_err *err)
{
	_cleanup_free_ char *buf = NULL;
	size_t len = 0, size = 64 << 10;

	for (;;) {
		char *p = len + 1 >= size || !buf ? realloc(buf, size *= 2) : buf;
		la_ssize_t n;

		if (!p || size > MAX_FILE)
			return wring_err_set(err, -EFBIG, "a file of more than %d MiB", MAX_FILE >> 20);
		buf = p;
		n = archive_read_data(a, buf + len, size - len - 1);
		if (n < 0)
			return wring_err_set(err, -EBADMSG, "truncated or damaged: %s",
					     archive_error_string(a) ? archive_error_string(a) : "unknown");
		if (!n)
			break;
		len += (size_t)n;
	}
	buf[len] = '\0';
	*ret = WRING_TAKE_PTR(buf);
	*ret_len = len;
	return 0;
}

int wring_source_read_file(const char *path, void **ret, size_t *ret_len, struct wring_err *err)
{
	/* Not blocking on a FIFO somebody named by mistake. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char by_fd[40], *text;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st))
		return wring_err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return wring_err_set(err, -EINVAL, "%s: not a regular file", path);
	if (st.st_size > MAX_FILE)
		return wring_err_set(err, -EFBIG, "%s: larger than %d MiB", path, MAX_FILE >> 20);
	snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", fd);
	r = wring_read_file(AT_FDCWD, by_fd, &text, ret_len);
	if (r)
		return wring_err_set(err, r, "%s: %s", path, strerror(-r));
	*ret = text;
	return 0;
}

int wring_entry_read(struct wring_entry *entry, void **ret, size_t *ret_len, struct wring_err *err)
{
	if (entry->archive)
		return read_archive_data(entry->archive, ret, ret_len, err);
	return wring_source_read_file(entry->path, ret, ret_len, err);
}

int wring_source_decompress(const void *data, size_t len, void **ret, size_t *ret_len, struct wring_err *err)
{
	_cleanup_reader_ reader *a = archive_read_new();
	struct archive_entry *e;

	if (!a)
		return wring_err_set(err, -ENOMEM, "out of memory");
	archive_read_support_format_raw(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_filter_gzip(a);
	if (archive_read_open_memory(a, data, len) != ARCHIVE_OK || archive_read_next_header(a, &e) != ARCHIVE_OK)
		return wring_err_set(err, -EBADMSG, "cannot be decompressed: %s",
				     archive_error_string(a) ? archive_error_string(a) : "empty");
	return read_archive_data(a, ret, ret_len, err);
}

/* ---- a package ---- */

static int damaged(const char *deb, struct archive *a, struct wring_err *err)
{
	const char *why = archive_error_string(a);

	return wring_err_set(err, -EBADMSG, "%s: a truncated or damaged .deb (%s)", deb, why ? why : "unknown");
}

/* An ar member that is longer than what is left of the file: told apart before half of it is unpacked. */
static bool is_cut_off(int fd, struct archive *ar, struct archive_entry *e)
{
	enum { AR_MEMBER_HEADER = 60 };
	struct stat st;

	return !fstat(fd, &st) &&
	       archive_read_header_position(ar) + AR_MEMBER_HEADER + archive_entry_size(e) > st.st_size;
}

static int find_data(const char *deb, int fd, struct archive *ar, struct wring_err *err)
{
	struct archive_entry *e;
	int r;

	while ((r = archive_read_next_header(ar, &e)) == ARCHIVE_OK || r == ARCHIVE_WARN) {
		const char *name = archive_entry_pathname(e);

		if (name && is_cut_off(fd, ar, e))
			return wring_err_set(err, -EBADMSG, "%s: a truncated .deb: %s is cut off", deb, name);
		if (name && !strncmp(name, "data.tar", 8))
			return 0;
	}
	if (r != ARCHIVE_EOF)
		return damaged(deb, ar, err);
	return wring_err_set(err, -EBADMSG, "%s: an ar archive without data.tar, or a truncated .deb", deb);
}

/* The inner reader's source: the member the outer one stands on. */
static la_ssize_t read_member(struct archive *inner, void *outer, const void **ret)
{
	size_t len = 0;
	la_int64_t offset;
	int r = archive_read_data_block(outer, ret, &len, &offset);

	if (r == ARCHIVE_EOF)
		return 0;
	if (r == ARCHIVE_OK || r == ARCHIVE_WARN)
		return (la_ssize_t)len;
	archive_set_error(inner, archive_errno(outer), "%s", archive_error_string(outer));
	return -1;
}

static int walk_tar(const char *deb, struct archive *tar, wring_visit_fn *visit, void *arg, struct wring_err *err)
{
	struct wring_entry entry = { .archive = tar };
	struct archive_entry *e;
	int r;

	while ((r = archive_read_next_header(tar, &e)) == ARCHIVE_OK || r == ARCHIVE_WARN) {
		const char *path = archive_entry_pathname(e);

		if (!path || archive_entry_filetype(e) != AE_IFREG)
			continue;
		while (!strncmp(path, "./", 2) || *path == '/')
			path += *path == '/' ? 1 : 2;
		r = visit(arg, path, &entry, err);
		if (r < 0)
			return wring_err_prefix(err, "%s", deb), r;
		if (r)
			return r;
	}
	return r == ARCHIVE_EOF ? 0 : damaged(deb, tar, err);
}

int wring_deb_walk(const char *deb, wring_visit_fn *visit, void *arg, struct wring_err *err)
{
	_cleanup_close_ int fd = open(deb, O_RDONLY | O_CLOEXEC);
	_cleanup_reader_ reader *ar = archive_read_new();
	_cleanup_reader_ reader *tar = archive_read_new();
	int r;

	if (fd < 0)
		return wring_err_set(err, -errno, "%s: %s", deb, strerror(errno));
	if (!ar || !tar)
		return wring_err_set(err, -ENOMEM, "out of memory");
	archive_read_support_format_ar(ar);
	archive_read_support_format_tar(tar);
	archive_read_support_filter_xz(tar);
	archive_read_support_filter_zstd(tar);
	archive_read_support_filter_gzip(tar);
	if (archive_read_open_fd(ar, fd, 128 << 10) != ARCHIVE_OK)
		return damaged(deb, ar, err);
	r = find_data(deb, fd, ar, err);
	if (r)
		return r;
	if (archive_read_open(tar, ar, NULL, read_member, NULL) != ARCHIVE_OK)
		return damaged(deb, tar, err);
	return walk_tar(deb, tar, visit, arg, err);
}

/* ---- a folder ---- */

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int visit_file(const FTSENT *f, size_t root, wring_visit_fn *visit, void *arg, struct wring_err *err)
{
	struct wring_entry entry = { .path = f->fts_path };
	const char *path = f->fts_path + root;

	return visit(arg, path + strspn(path, "/"), &entry, err);
}

int wring_tree_walk(const char *folder, wring_visit_fn *visit, void *arg, struct wring_err *err)
{
	char *roots[] = { (char *)folder, NULL };
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_COMFOLLOW, by_name);
	FTSENT *f;
	int r = 0;

	if (!fts)
		return wring_err_set(err, -errno, "%s: %s", folder, strerror(errno));
	while (!r && (f = fts_read(fts))) {
		if (f->fts_info == FTS_D && f->fts_level > 0 && f->fts_name[0] == '.')
			fts_set(fts, f, FTS_SKIP);
		else if (f->fts_info == FTS_F)
			r = visit_file(f, strlen(folder), visit, arg, err);
	}
	fts_close(fts);
	return r;
}
