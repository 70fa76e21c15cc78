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
