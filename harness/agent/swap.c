/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a guest swaps to: the disk QEMU was given (need `swap`), a network block device (need `nbd`), a zram device (need `zram`).
 * With zram, that is full before the others are used, as distributions set it up. On a host: whatever is on already. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/swap.h>

#include "harness/agent/agent.h"
#include "harness/base/util.h"

#define ZRAM "zram0"
#define ZRAM_BYTES (32 << 20) /* so small that a scenario fills it, and goes on to the disk */
#define ZRAM_PRIORITY 100     /* the disk has a negative one */

static bool host_has_swap(void)
{
	_cleanup_free_ char *text = NULL;
	char *nl;

	if (wring_read_file(AT_FDCWD, "/proc/swaps", &text, NULL))
		return false;
	nl = strchr(text, '\n');
	return nl && nl[1];
}

/* include/linux/swap.h, union swap_header, version 1: what mkswap(8) writes. */
static int write_swap_header(const char *dev, int64_t page_size, int64_t bytes)
{
	struct { char boot[1024]; uint32_t version, last_page, nr_badpages; } head = { .version = 1 };
	_cleanup_free_ char *page = calloc(1, (size_t)page_size);
	_cleanup_close_ int fd = open(dev, O_RDWR | O_CLOEXEC);

	if (!page || fd < 0)
		return page ? -errno : -ENOMEM;
	head.last_page = (uint32_t)(bytes / page_size - 1);
	memcpy(page, &head, sizeof(head));
	memcpy(page + page_size - 10, "SWAPSPACE2", 10);
	if (pwrite(fd, page, (size_t)page_size, 0) != page_size || fsync(fd))
		return errno ? -errno : -EIO;
	return 0;
}

/* ---- devices ---- */

static int zram_on(struct wring_agent *a, struct wring_err *err)
{
	char size[24];
	int r;

	snprintf(size, sizeof(size), "%d", ZRAM_BYTES);
	r = wring_write_file(AT_FDCWD, "/sys/block/" ZRAM "/disksize", size);
	if (r)
		return wring_err_set(err, r, "the size of " ZRAM ": %s", strerror(-r));
	r = write_swap_header("/dev/" ZRAM, a->page_size, ZRAM_BYTES);
	if (!r && swapon("/dev/" ZRAM, SWAP_FLAG_PREFER | ZRAM_PRIORITY))
		r = -errno;
	return r ? wring_err_set(err, r, "swap on " ZRAM ": %s", strerror(-r)) : 0;
}

static void zram_off(void)
{
	swapoff("/dev/" ZRAM);
	wring_write_file(AT_FDCWD, "/sys/block/" ZRAM "/reset", "1");
}

static int nbd_on(struct wring_agent *a, struct wring_err *err)
{
	int64_t bytes;
	int r = wring_nbd_on(&bytes, err);

	if (r)
		return r;
	r = write_swap_header("/dev/" WRING_NBD_DEV, a->page_size, bytes);
	if (!r && swapon("/dev/" WRING_NBD_DEV, 0))
		r = -errno;
	return r ? wring_err_set(err, r, "swap on " WRING_NBD_DEV ": %s", strerror(-r)) : 0;
}

/* ---- what a scenario needs ---- */

bool wring_swap_present(const struct wring_agent *a, const char *need)
{
	_cleanup_free_ char *disk = NULL;

	if (!strcmp(need, "zram"))
		return a->guest && !access("/sys/block/" ZRAM "/disksize", W_OK);
	if (!strcmp(need, "nbd"))
		return a->guest && wring_nbd_present();
	if (!a->guest)
		return host_has_swap();
	disk = wring_disk_by_serial("swap-0");
	return disk;
}

int wring_swap_on(struct wring_session *s, struct wring_err *err)
{
	_cleanup_free_ char *disk = NULL;
	int r = 0;

	if (!s->agent->guest)
		return 0;
	if (wring_scenario_needs(s->scenario, "zram"))
		r = zram_on(s->agent, err);
	if (!r && wring_scenario_needs(s->scenario, "nbd"))
		r = nbd_on(s->agent, err);
	if (r || !wring_scenario_needs(s->scenario, "swap"))
		return r;
	disk = wring_disk_by_serial("swap-0");
	if (!disk || swapon(disk, 0))
		return wring_err_set(err, disk ? -errno : -ENODEV, "swapon of the swap disk: %s", strerror(errno));
	return 0;
}

void wring_swap_off(struct wring_session *s)
{
	_cleanup_free_ char *disk = NULL;

	if (!s->agent->guest)
		return;
	if (wring_scenario_needs(s->scenario, "swap")) {
		disk = wring_disk_by_serial("swap-0");
		if (disk)
			swapoff(disk);
	}
	if (wring_scenario_needs(s->scenario, "nbd")) {
		swapoff("/dev/" WRING_NBD_DEV);
		wring_nbd_off(s->agent->out);
	}
	if (wring_scenario_needs(s->scenario, "zram"))
		zram_off();
}
