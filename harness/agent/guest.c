/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Being PID 1 of a guest that has nothing but an initramfs. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libkmod.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>

#include "harness/agent/agent.h"
#include "harness/base/util.h"
#include "harness/vm/vm.h"

static int mount_at(const char *type, const char *dir, struct wring_err *err)
{
	mkdir(dir, 0755);
	if (mount(type, dir, type, MS_NOSUID, NULL) && errno != EBUSY)
		return wring_err_set(err, -errno, "mount of %s on %s: %s", type, dir, strerror(errno));
	return 0;
}

/* line: "FILE" or "FILE OPTIONS" */
static int load_module(struct kmod_ctx *ctx, char *line, struct wring_err *err)
{
	char *file = strsep(&line, " ");
	_cleanup_free_ char *path = wring_strf("/modules/%s", file);
	struct kmod_module *m = NULL;
	int r = path ? kmod_module_new_from_path(ctx, path, &m) : -ENOMEM;

	if (!r)
		r = kmod_module_insert_module(m, 0, line);
	if (m)
		kmod_module_unref(m);
	return r && r != -EEXIST ? wring_err_set(err, r, "module %s: %s", file, strerror(-r)) : 0;
}

static int load_modules(struct wring_err *err)
{
	_cleanup_free_ char *order = NULL;
	struct kmod_ctx *ctx;
	char *save = NULL;
	int r = 0;

	if (wring_read_file(AT_FDCWD, "/modules/order", &order, NULL) || !*order)
		return 0;
	ctx = kmod_new("/modules", NULL);
	if (!ctx)
		return wring_err_set(err, -ENOMEM, "libkmod");
	for (char *f = strtok_r(order, "\n", &save); f && !r; f = strtok_r(NULL, "\n", &save))
		r = load_module(ctx, f, err);
	kmod_unref(ctx);
	return r;
}

/* ---- disks in memory ---- */

static int copy_image(FILE *from, int to)
{
	char piece[WRING_DISK_PIECE];
	uint64_t n;

	while (fread(&n, sizeof(n), 1, from) == 1) {
		if (fread(piece, sizeof(piece), 1, from) != 1)
			return -EIO;
		if (pwrite(to, piece, sizeof(piece), (off_t)(n * sizeof(piece))) != (ssize_t)sizeof(piece))
			return -errno;
	}
	return fsync(to) ? -errno : 0;
}

/* The image goes onto /dev/ramN, and its pages are given back; /run/disks/SERIAL leads to the device. */
static int make_ram_disk(const char *serial, unsigned nr, struct wring_err *err)
{
	_cleanup_free_ char *image = wring_strf("/disks/%s", serial), *dev = wring_strf("/dev/ram%u", nr), *link = wring_strf("/run/disks/%s", serial);
	_cleanup_fclose_ FILE *from = image ? fopen(image, "re") : NULL;
	_cleanup_close_ int to = dev ? open(dev, O_WRONLY | O_CLOEXEC) : -1;
	int r = from && to >= 0 ? copy_image(from, to) : -errno;

	if (!r && (!link || symlink(dev, link)))
		r = -errno;
	if (image)
		unlink(image);
	return r ? wring_err_set(err, r, "disk %s in memory (%s): %s", serial, dev, strerror(-r)) : 0;
}

static int make_ram_disks(struct wring_err *err)
{
	_cleanup_free_ char *order = NULL;
	char *save = NULL;
	unsigned nr = 0;
	int r = 0;

	if (wring_read_file(AT_FDCWD, "/disks/order", &order, NULL))
		return 0;
	mkdir("/run/disks", 0755);
	for (char *s = strtok_r(order, "\n", &save); s && !r; s = strtok_r(NULL, "\n", &save))
		r = make_ram_disk(s, nr++, err);
	return r;
}

static int open_port(void)
{
	DIR *d = opendir("/sys/class/virtio-ports");
	struct dirent *e;
	int fd = -ENODEV;

	while (d && fd < 0 && (e = readdir(d))) {
		_cleanup_free_ char *path = wring_strf("/sys/class/virtio-ports/%s/name", e->d_name), *name = NULL, *dev = NULL;

		if (!path || wring_read_line(AT_FDCWD, path, &name) || strcmp(name, "wring"))
			continue;
		dev = wring_strf("/dev/%s", e->d_name);
		fd = dev ? open(dev, O_RDWR | O_CLOEXEC) : -1;
		if (fd < 0)
			fd = -errno;
	}
	if (d)
		closedir(d);
	return fd;
}

/* The port's name comes in a control message that may still be on its way. */
static int wait_port(struct wring_err *err)
{
	int64_t until = wring_now_ns() + 10 * WRING_NSEC_PER_SEC;
	struct timespec pause = { .tv_nsec = WRING_NSEC_PER_MSEC };
	int fd;

	while ((fd = open_port()) < 0 && wring_now_ns() < until)
		nanosleep(&pause, NULL);
	return fd < 0 ? wring_err_set(err, fd, "no virtio port 'wring': %s", strerror(-fd)) : fd;
}

int wring_guest_setup(int *ret_record_fd, struct wring_err *err)
{
	static const struct { const char *type, *dir; } mounts[] = {
		{ "proc", "/proc" }, { "sysfs", "/sys" }, { "devtmpfs", "/dev" }, { "cgroup2", "/sys/fs/cgroup" },
		{ "tmpfs", "/run" }, { "tmpfs", "/tmp" },
	};
	int r = 0;

	for (size_t i = 0; i < WRING_ARRAY_SIZE(mounts) && !r; i++)
		r = mount_at(mounts[i].type, mounts[i].dir, err);
	if (r)
		return r;
	/* A bonus where the kernel has it. */
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	/* Where the sampler shrinkers looks: nowhere on a host. */
	mkdir("/tracing", 0755);
	mount("tracefs", "/tracing", "tracefs", 0, NULL);
	/* A task stuck in the kernel is what we look for: hear of it soon. */
	wring_write_file(AT_FDCWD, "/proc/sys/kernel/hung_task_timeout_secs", "20");
	r = load_modules(err);
	if (!r)
		r = make_ram_disks(err);
	if (r)
		return r;
	r = wait_port(err);
	if (r < 0)
		return r;
	*ret_record_fd = r;
	return 0;
}

void wring_guest_power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}
