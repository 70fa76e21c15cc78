/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What goes into a guest: its initramfs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/util.h"
#include "harness/run/run.h"

static int add_file(struct wring_initramfs *i, const char *host, const char *guest, struct wring_err *err)
{
	_cleanup_free_ char *data = NULL;
	size_t len;
	int r = wring_read_file(AT_FDCWD, host, &data, &len);

	return r ? wring_err_set(err, r, "%s: %s", host, strerror(-r)) : wring_initramfs_add_data(i, guest, 0644, data, len, err);
}

/* Scenarios may share a file; two files of one name, which the initramfs refuses, are something else. */
static bool carried_before(const struct wring_scenarios *s, size_t row, const char *host)
{
	for (size_t k = 0; k < row; k++)
		for (size_t c = 0; c < s->rows[k]->n_carry; c++) {
			_cleanup_free_ char *other = wring_carry_path(s->rows[k], s->rows[k]->carry[c]);

			if (other && !strcmp(other, host))
				return true;
		}
	return false;
}

static int add_carried(struct wring_initramfs *i, const struct wring_scenarios *s, struct wring_err *err)
{
	for (size_t k = 0; k < s->n; k++)
		for (size_t c = 0; c < s->rows[k]->n_carry; c++) {
			const char *file = s->rows[k]->carry[c], *base = strrchr(file, '/');
			_cleanup_free_ char *host = wring_carry_path(s->rows[k], file);
			_cleanup_free_ char *guest = wring_strf("/carry/%s", base ? base + 1 : file);
			int r;

			if (host && carried_before(s, k, host))
				continue;
			r = host && guest ? add_file(i, host, guest, err) : wring_err_set(err, -ENOMEM, "carry");
			if (r)
				return wring_err_prefix(err, "scenario %s: carry", s->rows[k]->name);
		}
	return 0;
}

static bool any_mount(const struct wring_scenarios *s, const char *type)
{
	for (size_t k = 0; k < s->n; k++)
		for (size_t m = 0; m < s->rows[k]->n_mounts; m++)
			if (!strcmp(s->rows[k]->mounts[m].type, type))
				return true;
	return false;
}

/* A kernel without it skips the scenario that needs it, and runs the others. */
static size_t want_if_there(struct wring_kernel *k, const char *name, bool is_needed, const char **ret)
{
	struct wring_modules mods = { 0 };
	struct wring_err err;
	bool is_there = is_needed && !wring_kernel_modules(k, &name, 1, &mods, &err);

	wring_modules_done(&mods);
	*ret = is_there ? name : NULL;
	return is_there;
}

/* Only what is needed: a module is up to a second of loading (xfs under TCG). */
static int add_modules(struct wring_initramfs *i, struct wring_kernel *k, const struct wring_scenarios *s, size_t first, const char *ram_disks,
		       bool holds, struct wring_err *err)
{
	bool has_net = wring_scenario_needs(s->rows[first], "nbd");
	const char *names[11] = { "virtio_pci", "virtio_console" };
	struct wring_modules mods = { 0 };
	_cleanup_free_ char *order = NULL;
	size_t n = 2, len;
	FILE *f;
	int r;

	if (any_mount(s, "ext4") || any_mount(s, "xfs") || wring_any_need(s, "swap"))
		names[n++] = *ram_disks ? "brd" : "virtio_blk";
	if (any_mount(s, "ext4"))
		names[n++] = "ext4";
	if (any_mount(s, "xfs"))
		names[n++] = "xfs";
	/* Before 6.12 zram asks for its compressor by name, when it is given a size. */
	n += want_if_there(k, "zram", wring_any_need(s, "zram"), &names[n]);
	n += want_if_there(k, "lzo-rle", wring_any_need(s, "zram"), &names[n]);
	n += want_if_there(k, "qemu_fw_cfg", holds, &names[n]);
	n += want_if_there(k, "virtio_net", has_net, &names[n]);
	n += want_if_there(k, "nbd", has_net, &names[n]);
	r = wring_kernel_modules(k, names, n, &mods, err);
	if (r)
		return r;
	f = open_memstream(&order, &len);
	for (size_t m = 0; m < mods.n && !r && f; m++) {
		_cleanup_free_ char *path = wring_strf("/modules/%s", mods.rows[m].file);

		fprintf(f, "%s%s\n", mods.rows[m].file, strstr(mods.rows[m].file, "brd.ko") ? ram_disks : "");
		r = path ? wring_initramfs_add_data(i, path, 0644, mods.rows[m].data, mods.rows[m].len, err) : -ENOMEM;
	}
	wring_modules_done(&mods);
	if (!f || fclose(f))
		return wring_err_set(err, -ENOMEM, "module list");
	return r ? r : wring_initramfs_add_data(i, "/modules/order", 0644, order, len, err);
}

/* Where Linux puts itself and its data (KASLR) goes by the size of the initramfs, and by nothing that a seed reaches. With the same
 * place for all boots of an arm, and another for the other arm's, what the place does to the figures would look like the arm. */
static int add_layout(struct wring_initramfs *i, uint64_t seed, struct wring_err *err)
{
	enum { MOST = 256 << 10 };
	_cleanup_free_ char *zeros = calloc(1, MOST);

	seed = (seed + 1) * 0x9e3779b97f4a7c15; /* seeds are neighbours: Knuth's multiplicative hashing */
	if (!zeros)
		return wring_err_set(err, -ENOMEM, "out of memory");
	return wring_initramfs_add_data(i, "/layout", 0644, zeros, (seed >> 40) % MOST, err);
}

int wring_guest_files(const struct wring_recorder *r, const struct wring_place *p, size_t first, const struct wring_disks *ram,
		      const char *ram_disks, int *ret_fd, struct wring_err *err)
{
	_cleanup_free_ char *agent = wring_program("wring-agent", err), *load = agent ? wring_program("wring-load", err) : NULL, *plan = NULL;
	struct wring_initramfs *i = NULL;
	size_t len;
	int x;

	if (!load)
		return err->code;
	plan = wring_plan_text(r->options, r->scenarios, first, &len);
	x = plan ? wring_initramfs_new(&i, err) : wring_err_set(err, -ENOMEM, "plan");
	if (!x)
		x = wring_initramfs_add_program(i, agent, "/init", err);
	if (!x)
		x = wring_initramfs_add_program(i, load, "/wring-load", err);
	if (!x)
		x = wring_initramfs_add_data(i, "/plan", 0644, plan, len, err);
	if (!x)
		x = add_modules(i, p->kernel, r->scenarios, first, ram_disks, r->stops, err);
	if (!x && ram)
		x = wring_disks_add(ram, i, err);
	if (!x)
		x = add_carried(i, r->scenarios, err);
	if (!x)
		x = wring_programs_add(i, r->scenarios, err);
	if (!x && r->options->deterministic)
		x = add_layout(i, r->options->seed, err);
	if (!x)
		x = wring_initramfs_finish(i, ret_fd, err);
	wring_initramfs_free(i);
	return x;
}
