/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Filesystems for the workloads. In a guest: the disks QEMU was given, found by their serial. On a host with root: a
 * memory-backed image on a loop device in a mount namespace of our own, which leaves nothing behind however we die. On a
 * host without root: a directory, and no remount. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "harness/agent/agent.h"
#include "harness/base/util.h"
#include "harness/vm/vm.h"

struct wring_scratch {
	char *dir;
	bool mounted;
	int loop_fd;
};

/* /sys/block/X/serial = "ext4-0": the first ext4 mount of the scenario. A guest's disks in memory: harness/agent/guest.c. */
char *wring_disk_by_serial(const char *serial)
{
	_cleanup_free_ char *in_memory = wring_strf("/run/disks/%s", serial);
	char *found = in_memory ? realpath(in_memory, NULL) : NULL;
	DIR *d = found ? NULL : opendir("/sys/block");
	struct dirent *e;

	while (d && !found && (e = readdir(d))) {
		_cleanup_free_ char *path = wring_strf("/sys/block/%s/serial", e->d_name), *have = NULL;

		if (path && !wring_read_line(AT_FDCWD, path, &have) && !strcmp(have, serial))
			found = wring_strf("/dev/%s", e->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

/* The loop device detaches itself with its last user. */
static char *disk_by_loop(const struct wring_mount *m, int *ret_fd, struct wring_err *err)
{
	_cleanup_close_ int image = -1, ctl = -1, fd = -1;
	_cleanup_free_ char *path = NULL;
	struct loop_config cfg = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	int nr, r, tries = 0;

	if (wring_disk_image(m->type, m->size_bytes, &image, err))
		return NULL;
	ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	cfg.fd = (unsigned)image;
	/* Somebody else may take the free device first. */
	do {
		wring_closep(&fd);
		free(path);
		nr = ctl < 0 ? -1 : ioctl(ctl, LOOP_CTL_GET_FREE);
		path = nr < 0 ? NULL : wring_strf("/dev/loop%d", nr);
		fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
		r = fd < 0 ? -1 : ioctl(fd, LOOP_CONFIGURE, &cfg);
	} while (r && fd >= 0 && errno == EBUSY && tries++ < 20);
	if (r) {
		wring_err_set(err, -errno, "a loop device for mount %s: %s (modprobe loop)", m->name, strerror(errno));
		return NULL;
	}
	*ret_fd = WRING_TAKE_FD(fd);
	return WRING_TAKE_PTR(path);
}

static int do_mount(struct wring_session *s, struct wring_scratch *x, const struct wring_mount *m, struct wring_err *err)
{
	_cleanup_free_ char *dev = NULL, *serial = NULL, *options = NULL;

	if (!strcmp(m->type, "tmpfs")) {
		dev = strdup("none");
		options = wring_strf("size=%llu", (unsigned long long)m->size_bytes);
	} else if (s->agent->guest) {
		serial = wring_mount_serial(s->scenario, (size_t)(m - s->scenario->mounts));
		dev = serial ? wring_disk_by_serial(serial) : NULL;
		if (!dev)
			return wring_err_set(err, -ENODEV, "mount %s: the guest has no disk '%s'", m->name, serial);
	} else {
		dev = disk_by_loop(m, &x->loop_fd, err);
		if (!dev)
			return err->code;
	}
	if (mount(dev, x->dir, m->type, MS_NOATIME, options))
		return wring_err_set(err, -errno, "mount of %s (%s on %s): %s", m->name, m->type, dev, strerror(errno));
	x->mounted = true;
	return 0;
}

static int scratch_one(struct wring_session *s, size_t i, struct wring_err *err)
{
	const struct wring_mount *m = &s->scenario->mounts[i];
	struct wring_scratch *x = &s->mounts[i];
	int r = 0;

	x->loop_fd = -1;
	x->dir = wring_strf("%s/%s", s->agent->workdir, m->name);
	if (!x->dir || (mkdir(x->dir, 0755) && errno != EEXIST))
		return wring_err_set(err, x->dir ? -errno : -ENOMEM, "mount %s: its directory", m->name);
	if (s->agent->guest || !geteuid())
		r = do_mount(s, x, m, err);
	if (!r)
		wring_out_event(s->agent->out, "scratch", m->name, "fs=%s remountable=%s", x->mounted ? m->type : "host",
				x->mounted ? "yes" : "no");
	return r;
}

int wring_scratch_new(struct wring_session *s, struct wring_err *err)
{
	int r = 0;

	s->mounts = calloc(s->scenario->n_mounts + 1, sizeof(*s->mounts));
	if (!s->mounts)
		return wring_err_set(err, -ENOMEM, "mounts");
	for (size_t i = 0; i < s->scenario->n_mounts && !r; i++)
		r = scratch_one(s, i, err);
	return r;
}

void wring_scratch_free(struct wring_session *s)
{
	for (size_t i = 0; s->mounts && i < s->scenario->n_mounts; i++) {
		struct wring_scratch *x = &s->mounts[i];
		int fd = x->dir ? open(x->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

		/* The next scenario starts on an empty filesystem. */
		if (fd >= 0)
			wring_workdir_empty(fd);
		if (x->mounted && umount2(x->dir, 0))
			umount2(x->dir, MNT_DETACH);
		if (x->loop_fd >= 0)
			close(x->loop_fd);
		if (x->dir)
			rmdir(x->dir);
		free(x->dir);
	}
	free(s->mounts);
	s->mounts = NULL;
}

const char *wring_scratch_dir(const struct wring_session *s, const char *mount)
{
	for (size_t i = 0; i < s->scenario->n_mounts; i++)
		if (!mount || !strcmp(s->scenario->mounts[i].name, mount))
			return s->mounts[i].dir;
	return s->agent->workdir;
}

int wring_scratch_remount(struct wring_session *s, const char *name, struct wring_err *err)
{
	for (size_t i = 0; i < s->scenario->n_mounts; i++) {
		if (strcmp(s->scenario->mounts[i].name, name))
			continue;
		if (!s->mounts[i].mounted)
			return 0;
		/* reconfigure_super() shrinks the dentry cache of the filesystem first (fs/super.c). */
		if (mount(NULL, s->mounts[i].dir, NULL, MS_REMOUNT | MS_NOATIME, NULL))
			return wring_err_set(err, -errno, "remount of %s: %s", name, strerror(errno));
	}
	return 0;
}

/* Pages of metadata stay pinned by the journal after a sync, until it is checkpointed: jbd2's shrinker does that, but it is not
 * memcg-aware (fs/jbd2/journal.c), so reclaim on behalf of a cgroup cannot get at them. Freezing empties the journal. */
void wring_scratch_quiesce(struct wring_session *s)
{
	sync();
	for (size_t i = 0; i < s->scenario->n_mounts; i++) {
		_cleanup_close_ int fd = -1;

		if (!s->mounts[i].mounted || !strcmp(s->scenario->mounts[i].type, "tmpfs"))
			continue;
		fd = open(s->mounts[i].dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && !ioctl(fd, FIFREEZE, 0))
			ioctl(fd, FITHAW, 0);
	}
}
