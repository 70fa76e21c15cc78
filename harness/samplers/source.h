/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A source: one sampler bound to one subject, its open files, learned layout and last values.
 * Everything is allocated by wring_source_open(); wring_source_read() allocates nothing. */
#pragma once
#include "harness/api/sampler.h"
#include "harness/base/err.h"

struct wring_field {
	uint32_t text;  /* where in the learned text the literal bytes before the blanks before this number are */
	uint32_t skip;  /* how many they are: as many as between the number before and these blanks */
	int32_t out;    /* index of the value, -1: not kept */
	uint8_t blanks; /* as many as there were last time: most often there are as many again */
	char term;      /* the byte behind the number */
};

struct wring_file {
	int fd;
	const char *path;       /* as in the sampler */
	char *text;             /* the text the layout was learned from */
	size_t text_len, first_field, n_fields, tail /* behind the last number */;
};

struct wring_source {
	const struct wring_sampler *sampler;
	char *subject;
	int64_t id;
	struct wring_file files[WRING_MAX_FILES];
	size_t n_files;
	struct wring_field *fields;
	size_t n_fields, max_fields;
	char *keys;             /* NUL-separated names, n of them */
	size_t keys_len, keys_size;
	size_t n;               /* values */
	int64_t *values, *prev;
	char *buf;
	size_t buf_size, last_len;
	uint64_t reads;
	int64_t interval_ns, due_ns;
	const struct wring_load_view *load; /* WRING_PER_LOAD */
	size_t next;            /* WRING_PER_LOAD: the value that is told next, most often */
	char note[1024];        /* a sampler that tells: text for an event `stack` of this round; "": none */
	unsigned streak;        /* for its own use */
	bool fresh;             /* keys must be sent before the next sample */
	bool stale;             /* the layout could not be learned: try again at the next read */
};

/* dirfd: the cgroup's directory (PER_GROUP), else a root under which the absolute paths are looked up (AT_FDCWD for
 * this system; a recorded tree in tests). Files that do not exist are left out: missing(arg, file, -errno) is called
 * for each. -ENOENT when none of them exists. */
int wring_source_open(struct wring_source *s, const struct wring_sampler *sampler, const char *subject, int dirfd,
		      void (*missing)(void *arg, const char *file, int error), void *arg, struct wring_err *err);
/* The same for WRING_PER_LOAD. The view outlives the source. */
int wring_source_open_load(struct wring_source *s, const struct wring_sampler *sampler, const char *subject,
			   const struct wring_load_view *load, struct wring_err *err);
void wring_source_close(struct wring_source *s);
/* Reads all values. Returns 0, or 1 when the layout had changed and was learned anew (fresh is set), or -errno
 * (-ENODEV: the cgroup is gone). */
int wring_source_read(struct wring_source *s);
/* Visits the key names in order. */
const char *wring_source_key(const struct wring_source *s, const char *prev);
