/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/vm.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "harness/base/units.h"
#include "harness/base/util.h"
#include "harness/vm/child.h"

struct maker {
	const char *fs, *program, *package;
	uint64_t min_bytes;
	const char *options[14];
};

/* Nothing is left to a lazy thread of the guest's kernel, which would write while the guest is being measured. The
 * journal is small for the same reason, and the inodes are many because workloads make small files by the hundred
 * thousand. One hash seed: directories then have the same shape in every run, and one UUID: a deterministic guest logs it.
 * (Not for xfs, of which two with the same cannot be mounted.) */
static const struct maker makers[] = {
	{ "ext4", "mkfs.ext4", "e2fsprogs", 16 << 20,
	  { "-q", "-F", "-U", "77726e67-0000-4000-8000-000000000002", "-m", "0", "-i", "8192", "-J", "size=8", "-E",
	    "lazy_itable_init=0,lazy_journal_init=0,hash_seed=77726e67-0000-4000-8000-000000000001" } },
	{ "xfs", "mkfs.xfs", "xfsprogs", 300 << 20, { "-q", "-f" } },
	{ "swap", "mkswap", "util-linux", 1 << 20, { "-U", "77726e67-0000-4000-8000-000000000003" } },
};

static const struct maker *find_maker(const char *fs)
{
	for (size_t i = 0; i < WRING_ARRAY_SIZE(makers); i++)
		if (!strcmp(makers[i].fs, fs))
			return &makers[i];
	return NULL;
}

static int make(const struct maker *m, const char *program, int fd, struct wring_err *err)
{
	_cleanup_free_ char *output = NULL;
	const char *argv[WRING_ARRAY_SIZE(m->options) + 5] = { program };
	char path[40], line[300];
	size_t n = 1;
	int r;

	for (size_t i = 0; i < WRING_ARRAY_SIZE(m->options) && m->options[i]; i++)
		argv[n++] = m->options[i];
	argv[n++] = "-L";
	argv[n++] = "wring";
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	argv[n++] = path;
	r = wring_child_run((char *const *)argv, &fd, 1, &output);
	if (r > 0)
		return wring_err_set(err, -EIO, "%s failed with exit status %d: %s", program, r,
				     wring_child_last_line(output, line, sizeof(line)));
	return r ? wring_err_set(err, r, "cannot run %s: %s", program, strerror(-r)) : 0;
}

int wring_disk_image(const char *fs, uint64_t bytes, int *ret_fd, struct wring_err *err)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *program = NULL;
	const struct maker *m = find_maker(fs);
	char have[16], need[16];
	int r;

	if (!m)
		return wring_err_set(err, -EINVAL, "no disk image with '%s' (accepted: ext4, xfs, swap)", fs);
	if (bytes < m->min_bytes || bytes % 4096)
		return wring_err_set(err, -EINVAL, "a disk of %s with %s: it needs a multiple of 4096, at least %s",
				     wring_format_size(bytes, have, sizeof(have)), fs,
				     wring_format_size(m->min_bytes, need, sizeof(need)));
	r = wring_child_find(m->program, m->package, &program, err);
	if (r)
		return r;
	fd = memfd_create(fs, MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)bytes))
		return wring_err_set(err, -errno, "a disk of %s in memory: %s",
				     wring_format_size(bytes, have, sizeof(have)), strerror(errno));
	r = make(m, program, fd, err);
	if (r)
		return r;
	*ret_fd = WRING_TAKE_FD(fd);
	return 0;
}
