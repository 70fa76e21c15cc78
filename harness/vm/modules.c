/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/kernel.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "harness/base/util.h"
#include "harness/vm/source.h"

enum { NAME_SIZE = 56 + 8 }; /* MODULE_NAME_LEN is 56 */

struct want {
	char name[NAME_SIZE], needed_by[NAME_SIZE];
	struct wring_module module; /* data is NULL until found */
	char *depends;
	bool is_builtin, is_ordered;
};

struct closure {
	struct wring_kernel *kernel;
	struct want *rows;
	size_t n, size, n_open; /* n_open: neither found nor built in */
	bool has_modules;       /* the kernel has at least one */
};

/* lzo-rle.ko and lzo_rle are one module: the kernel says underscores. */
static void set_name(char *ret, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < len && i < NAME_SIZE - 1; i++)
		ret[i] = name[i] == '-' ? '_' : name[i];
	ret[i] = '\0';
}

/* "kernel/lib/lzo-rle.ko.xz" to lzo_rle; false for what is no module. */
static bool module_name(const char *path, char *ret)
{
	static const char *const suffixes[] = { ".ko", ".ko.xz", ".ko.zst", ".ko.gz" };
	const char *base = strrchr(path, '/');
	size_t len;

	base = base ? base + 1 : path;
	len = strcspn(base, ".");
	for (size_t i = 0; len && i < WRING_ARRAY_SIZE(suffixes); i++)
		if (!strcmp(base + len, suffixes[i])) {
			set_name(ret, base, len);
			return true;
		}
	return false;
}

/* modules.builtin has a line "kernel/fs/ext4/ext4.ko" for each. */
static bool is_listed(const char *builtin, const char *name)
{
	char line[NAME_SIZE];

	for (const char *p = builtin; p && *p; ) {
		size_t n = strcspn(p, "\n");
		_cleanup_free_ char *path = strndup(p, n);

		if (path && module_name(path, line) && !strcmp(line, name))
			return true;
		p += n + (p[n] == '\n');
	}
	return false;
}

/* Options whose name is not one of the patterns in config_value(). */
static const struct { const char *module, *option; } aliases[] = {
	{ "virtio_ring", "VIRTIO" }, { "virtio_pci_modern_dev", "VIRTIO_PCI_LIB" },
	{ "virtio_pci_legacy_dev", "VIRTIO_PCI_LIB_LEGACY" }, { "brd", "BLK_DEV_RAM" }, { "lzo_rle", "CRYPTO_LZO" },
	{ "null_blk", "BLK_DEV_NULL_BLK" },
};

static char option_value(const char *config, const char *prefix, const char *name, const char *suffix)
{
	_cleanup_free_ char *line = wring_strf("\nCONFIG_%s%s%s=", prefix, name, suffix);
	const char *p;

	for (char *c = line; c && *c; c++)
		*c = (char)toupper((unsigned char)*c);
	p = line ? strstr(config, line) : NULL;
	return p ? p[strlen(line)] : 0;
}

/* 'y', 'm' or 0: what .config says about a module, as far as its option can be told from its name. It makes a walk
 * through a whole package for a built-in name unnecessary, and serves a tree without modules.builtin. */
static char config_value(const char *config, const char *name)
{
	static const char *const patterns[][2] = { { "", "" }, { "", "_FS" }, { "BLK_DEV_", "" }, { "CRYPTO_", "" } };
	char v = 0;

	for (size_t i = 0; config && i < WRING_ARRAY_SIZE(aliases) && !v; i++)
		if (!strcmp(aliases[i].module, name))
			v = option_value(config, "", aliases[i].option, "");
	for (size_t i = 0; config && i < WRING_ARRAY_SIZE(patterns) && !v; i++)
		v = option_value(config, patterns[i][0], name, patterns[i][1]);
	return v;
}

static int add_want(struct closure *c, const char *name, size_t len, const char *needed_by, struct wring_err *err)
{
	struct want *w;
	char norm[NAME_SIZE];

	set_name(norm, name, len);
	for (size_t i = 0; i < c->n; i++)
		if (!strcmp(c->rows[i].name, norm))
			return 0;
	if (c->n == c->size) {
		size_t size = c->size ? c->size * 2 : 16;
		struct want *p = realloc(c->rows, size * sizeof(*p));

		if (!p)
			return wring_err_set(err, -ENOMEM, "out of memory");
		c->rows = p;
		c->size = size;
	}
	w = &c->rows[c->n++];
	*w = (struct want){ 0 };
	strcpy(w->name, norm);
	snprintf(w->needed_by, sizeof(w->needed_by), "%s", needed_by);
	w->is_builtin = is_listed(c->kernel->builtin, norm) || config_value(c->kernel->config, norm) == 'y';
	c->n_open += !w->is_builtin;
	return 0;
}

static int add_depends(struct closure *c, const char *depends, const char *needed_by, struct wring_err *err)
{
	int r = 0;

	for (const char *p = depends; *p && !r; ) {
		size_t n = strcspn(p, ",");

		if (n)
			r = add_want(c, p, n, needed_by, err);
		p += n + (p[n] == ',');
	}
	return r;
}

/* Modules are unpacked here and not by the guest, which is slower at it under TCG and may lack MODULE_DECOMPRESS.
 * The signature at the end survives. */
static int unpack(const char *path, void **data, size_t *len, struct wring_err *err)
{
	void *plain;
	size_t n = strlen(path);
	int r;

	if (n >= 3 && !strcmp(path + n - 3, ".ko"))
		return 0;
	r = wring_source_decompress(*data, *len, &plain, len, err);
	if (r)
		return r;
	free(*data);
	*data = plain;
	return 0;
}

static char *plain_file_name(const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	return wring_strf("%.*s.ko", (int)strcspn(base, "."), base);
}

static int take_module(struct closure *c, size_t row, const char *path, struct wring_entry *entry,
		       struct wring_err *err)
{
	_cleanup_free_ void *data = NULL;
	char *depends = NULL, name[NAME_SIZE];
	struct want *w = &c->rows[row];
	size_t len;
	int r;

	r = wring_entry_read(entry, &data, &len, err);
	if (!r)
		r = unpack(path, &data, &len, err);
	if (!r)
		r = wring_modinfo_depends(data, len, &depends, err);
	if (r)
		return wring_err_prefix(err, "%s", path), r;
	w->depends = depends;
	w->module.file = plain_file_name(path);
	w->module.name = strdup(w->name);
	w->module.data = WRING_TAKE_PTR(data);
	w->module.len = len;
	c->n_open--;
	if (!w->module.file || !w->module.name)
		return wring_err_set(err, -ENOMEM, "out of memory");
	strcpy(name, w->name); /* w moves when rows are added */
	return add_depends(c, depends, name, err);
}

static int visit_module(void *arg, const char *path, struct wring_entry *entry, struct wring_err *err)
{
	struct closure *c = arg;
	char name[NAME_SIZE];
	const char *base = strrchr(path, '/');
	void *text;
	size_t len;
	int r = 0;

	if (!c->kernel->builtin && !strcmp(base ? base + 1 : path, "modules.builtin")) {
		r = wring_entry_read(entry, &text, &len, err);
		if (!r)
			c->kernel->builtin = text;
		return r;
	}
	if (!module_name(path, name))
		return 0;
	c->has_modules = true;
	for (size_t i = 0; i < c->n && !r; i++)
		if (!strcmp(c->rows[i].name, name) && !c->rows[i].module.data && !c->rows[i].is_builtin)
			r = take_module(c, i, path, entry, err);
	return r ? r : !c->n_open;
}

/* A dependency that lies before the module naming it is met on the next walk. */
static int collect(struct closure *c, struct wring_err *err)
{
	const struct wring_kernel *k = c->kernel;
	size_t before;
	int r = 0;

	if (!k->deb && !k->modules)
		return 0;
	do {
		size_t n = c->n, n_open = c->n_open;

		before = n * 2 - n_open; /* grows whenever something was added or found */
		if (!n_open)
			break;
		r = k->deb ? wring_deb_walk(k->deb, visit_module, c, err) :
			     wring_tree_walk(k->modules, visit_module, c, err);
	} while (r >= 0 && c->n_open && c->n * 2 - c->n_open != before);
	return r < 0 ? r : 0;
}

static int missing(const struct closure *c, const struct want *w, struct wring_err *err)
{
	const struct wring_kernel *k = c->kernel;
	char by[NAME_SIZE + 16] = "";

	if (w->needed_by[0])
		snprintf(by, sizeof(by), " (needed by %s)", w->needed_by);
	if (config_value(k->config, w->name) == 'm')
		return wring_err_set(err, -ENOENT, "%s: module %s%s is configured but not there: build the modules, "
				     "too", k->path, w->name, by);
	return wring_err_set(err, -ENOENT, "%s: kernel %s has %s%s neither as a module nor built in", k->path,
			     k->release, w->name, by);
}

static int check_open(struct closure *c, struct wring_err *err)
{
	for (size_t i = 0; i < c->n; i++) {
		struct want *w = &c->rows[i];

		if (w->module.data || w->is_builtin)
			continue;
		w->is_builtin = is_listed(c->kernel->builtin, w->name) ||
				(!c->has_modules && config_value(c->kernel->config, w->name) != 'm');
		if (!w->is_builtin)
			return missing(c, w, err);
	}
	return 0;
}

static struct want *row_of(struct closure *c, const char *name, size_t len)
{
	char norm[NAME_SIZE];

	set_name(norm, name, len);
	for (size_t i = 0; i < c->n; i++)
		if (!strcmp(c->rows[i].name, norm))
			return &c->rows[i];
	return NULL;
}

/* Depth first; a module is marked before its dependencies, so that a circle ends. */
static void order(struct closure *c, struct want *w, struct wring_modules *ret)
{
	if (!w || w->is_ordered || !w->module.data)
		return;
	w->is_ordered = true;
	for (const char *p = w->depends; *p; ) {
		size_t n = strcspn(p, ",");

		order(c, row_of(c, p, n), ret);
		p += n + (p[n] == ',');
	}
	ret->rows[ret->n++] = w->module;
	w->module = (struct wring_module){ 0 };
}

static void module_done(struct wring_module *m)
{
	free(m->name);
	free(m->file);
	free(m->data);
}

static void closure_done(struct closure *c)
{
	for (size_t i = 0; i < c->n; i++) {
		module_done(&c->rows[i].module);
		free(c->rows[i].depends);
	}
	free(c->rows);
}

int wring_kernel_modules(struct wring_kernel *k, const char *const *names, size_t n, struct wring_modules *ret,
			 struct wring_err *err)
{
	struct closure c = { .kernel = k };
	struct wring_modules m = { 0 };
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = add_want(&c, names[i], strlen(names[i]), "", err);
	if (!r)
		r = collect(&c, err);
	if (!r)
		r = check_open(&c, err);
	if (!r) {
		m.rows = calloc(c.n ? c.n : 1, sizeof(*m.rows));
		r = m.rows ? 0 : wring_err_set(err, -ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < c.n && !r; i++)
		order(&c, &c.rows[i], &m);
	closure_done(&c);
	if (!r)
		*ret = m;
	return r;
}

void wring_modules_done(struct wring_modules *m)
{
	for (size_t i = 0; i < m->n; i++)
		module_done(&m->rows[i]);
	free(m->rows);
	*m = (struct wring_modules){ 0 };
}
