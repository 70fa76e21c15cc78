/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files of a kernel, wherever they are: inside a .deb or in a folder. */
#pragma once
#include <stddef.h>
#include "harness/base/err.h"

struct wring_entry;
/* path is relative to the source's root, without "./". Returns 0 to go on, 1 to stop, or -errno with err set. */
typedef int wring_visit_fn(void *arg, const char *path, struct wring_entry *entry, struct wring_err *err);

/* The regular files of a Debian package, in its order. 0, 1 when a visitor stopped, or -errno. No temporary file. */
int wring_deb_walk(const char *deb, wring_visit_fn *visit, void *arg, struct wring_err *err);
/* The regular files below a folder, sorted; hidden folders and symlinks are skipped. */
int wring_tree_walk(const char *folder, wring_visit_fn *visit, void *arg, struct wring_err *err);
/* The whole file on the heap, with a NUL behind it. Only during its visit, once. */
int wring_entry_read(struct wring_entry *entry, void **ret, size_t *ret_len, struct wring_err *err);

/* The same for a file by path, with an error that names it. */
int wring_source_read_file(const char *path, void **ret, size_t *ret_len, struct wring_err *err);
/* Undoes .xz, .zst, .gz; what is not compressed is copied. */
int wring_source_decompress(const void *data, size_t len, void **ret, size_t *ret_len, struct wring_err *err);
