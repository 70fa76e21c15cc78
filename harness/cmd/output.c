/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Documents that commands write: whole, or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/base/util.h"
#include "harness/cmd/cmd.h"

/* Only this tells: /proc and root's permissions are not what access(2) says. */
static int try_to_create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (fd < 0)
		return -errno;
	close(fd);
	unlink(path);
	return 0;
}

static int cannot_write(const char *option, const char *path, int r, struct wring_err *err)
{
	return wring_err_set(err, r, "%s=%s: %s: name a file that can be written", option, path, strerror(-r));
}

int wring_can_write(const char *option, const char *path, struct wring_err *err)
{
	struct stat st;
	int r;

	if (!*path)
		r = -ENOENT;
	else if (!stat(path, &st))
		r = S_ISDIR(st.st_mode) ? -EISDIR : faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) ? -errno : 0;
	else
		r = try_to_create(path);
	return r ? cannot_write(option, path, r, err) : 0;
}

int wring_document_begin(struct wring_document *d, struct wring_err *err)
{
	d->f = open_memstream(&d->text, &d->len);
	return d->f ? 0 : wring_err_set(err, -ENOMEM, "%s=%s: out of memory", d->option, d->path);
}

static int write_to(const char *path, int flags, const struct wring_document *d)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666), r;

	if (fd < 0)
		return -errno;
	r = wring_write_all(fd, d->text, d->len);
	return close(fd) && !r ? -errno : r;
}

/* A collector may look at any moment (node_exporter's textfile folder, an artifact of a CI). */
static int replace(const char *path, const struct wring_document *d)
{
	_cleanup_free_ char *name = wring_strf("%s.tmp-%d", path, (int)getpid());
	int r = name ? write_to(name, O_EXCL, d) : -ENOMEM;

	if (!r && rename(name, path))
		r = -errno;
	if (r && r != -EEXIST)
		unlink(name);
	return r;
}

int wring_document_end(struct wring_document *d, int r, struct wring_err *err)
{
	struct stat st;
	bool exists = !stat(d->path, &st);
	_cleanup_free_ char *real = exists ? realpath(d->path, NULL) : strdup(d->path); /* a link stays one */

	if (d->f && fclose(d->f) && !r)
		r = wring_err_set(err, -ENOMEM, "%s=%s: out of memory", d->option, d->path);
	if (!r) {
		int x = -ENOENT;

		if (real && (!exists || S_ISREG(st.st_mode)))
			x = replace(real, d);
		/* a device, a pipe, a folder that takes no new file */
		if (x && x != -ENOSPC)
			x = write_to(d->path, O_TRUNC, d);
		r = x ? cannot_write(d->option, d->path, x, err) : 0;
	}
	free(d->text);
	return r;
}
