/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The disks of a guest: what the mounts and needs of its scenarios ask for. */
#include "harness/run/run.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/util.h"

bool wring_any_need(const struct wring_scenarios *s, const char *need)
{
	for (size_t k = 0; k < s->n; k++)
		if (wring_scenario_needs(s->rows[k], need))
			return true;
	return false;
}

void wring_disks_done(struct wring_disks *d)
{
	while (d->n) {
		close(d->rows[--d->n].fd);
		free(d->serials[d->n]);
	}
}

/* Takes the serial over. */
static int add_disk(struct wring_disks *d, char *serial, const char *type, const struct wring_vm_disk *speed, uint64_t bytes, struct wring_err *err)
{
	int r = serial ? 0 : -ENOMEM;

	if (d->n == WRING_ARRAY_SIZE(d->rows))
		r = -E2BIG;
	if (r) {
		free(serial);
		return wring_err_set(err, r, "disk %zu of at most %zu", d->n + 1, WRING_ARRAY_SIZE(d->rows));
	}
	d->serials[d->n] = serial;
	d->rows[d->n] = *speed;
	d->rows[d->n].serial = serial;
	d->bytes[d->n] = bytes;
	r = wring_disk_image(type, bytes, &d->rows[d->n].fd, err);
	if (r)
		free(serial);
	else
		d->n++;
	return r;
}

static uint64_t largest_with(const struct wring_scenarios *s, const char *serial)
{
	uint64_t bytes = 0;

	for (size_t k = 0; k < s->n; k++)
		for (size_t m = 0; m < s->rows[k]->n_mounts; m++) {
			_cleanup_free_ char *have = wring_mount_serial(s->rows[k], m);

			if (have && !strcmp(have, serial) && s->rows[k]->mounts[m].size_bytes > bytes)
				bytes = s->rows[k]->mounts[m].size_bytes;
		}
	return bytes;
}

static bool has_disk(const struct wring_disks *d, const char *serial)
{
	for (size_t i = 0; i < d->n; i++)
		if (!strcmp(d->serials[i], serial))
			return true;
	return false;
}

int wring_disks_new(const struct wring_scenarios *s, struct wring_disks *d, struct wring_err *err)
{
	int r = 0;

	d->n = 0;
	for (size_t k = 0; k < s->n; k++)
		for (size_t m = 0; m < s->rows[k]->n_mounts && !r; m++) {
			const struct wring_mount *mt = &s->rows[k]->mounts[m];
			char *serial = wring_mount_serial(s->rows[k], m);

			if (!serial || has_disk(d, serial))
				free(serial);
			else
				r = add_disk(d, serial, mt->type, &(struct wring_vm_disk){ .bps = mt->bps, .iops = mt->iops },
					     largest_with(s, serial), err);
		}
	if (!r && wring_any_need(s, "swap"))
		r = add_disk(d, strdup("swap-0"), "swap", &(struct wring_vm_disk){ 0 }, 512 << 20, err);
	return r;
}

uint64_t wring_disks_largest(const struct wring_disks *d)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < d->n; i++)
		if (d->bytes[i] > bytes)
			bytes = d->bytes[i];
	return bytes;
}

static bool is_zero(const char *p, size_t n)
{
	return !*p && !memcmp(p, p + 1, n - 1);
}

/* Pieces of PIECE bytes behind their number. */
static int add_image(const struct wring_disks *d, size_t k, struct wring_initramfs *i, struct wring_err *err)
{
	_cleanup_free_ char *text = NULL, *path = wring_strf("/disks/%s", d->serials[k]);
	char piece[WRING_DISK_PIECE];
	size_t len;
	FILE *f = path ? open_memstream(&text, &len) : NULL;

	if (!f)
		return wring_err_set(err, -ENOMEM, "disk %s", d->serials[k]);
	for (uint64_t n = 0; n * sizeof(piece) < d->bytes[k]; n++) {
		ssize_t got = pread(d->rows[k].fd, piece, sizeof(piece), (off_t)(n * sizeof(piece)));

		if (got <= 0)
			break;
		memset(piece + got, 0, sizeof(piece) - (size_t)got);
		if (is_zero(piece, sizeof(piece)))
			continue;
		fwrite(&n, sizeof(n), 1, f);
		fwrite(piece, sizeof(piece), 1, f);
	}
	if (fclose(f))
		return wring_err_set(err, -ENOMEM, "disk %s", d->serials[k]);
	return wring_initramfs_add_data(i, path, 0600, text, len, err);
}

int wring_disks_add(const struct wring_disks *d, struct wring_initramfs *i, struct wring_err *err)
{
	_cleanup_free_ char *order = NULL;
	size_t len;
	FILE *f = open_memstream(&order, &len);
	int r = 0;

	for (size_t k = 0; f && k < d->n; k++)
		fprintf(f, "%s\n", d->serials[k]);
	if (!f || fclose(f))
		return wring_err_set(err, -ENOMEM, "disks");
	for (size_t k = 0; k < d->n && !r; k++)
		r = add_image(d, k, i, err);
	return r ? r : wring_initramfs_add_data(i, "/disks/order", 0600, order, len, err);
}
