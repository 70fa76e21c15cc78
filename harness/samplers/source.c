/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading by position. A kernel file is literal text between numbers; its layout is learned once, so a sample costs one
 * pread() and a walk over the digits. Keys never move within a boot, except in slabinfo. Every number is checked
 * by the byte behind it, and every 64th sample (all of them for costly files) by comparing the literal text. */
#include "harness/samplers/source.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "harness/api/loadproto.h"
#include "harness/base/util.h"

#define VERIFY_EVERY 64
#define MAX_LOAD_KEYS 16384 /* what a frame can hold, and a recorder takes */
#define MAX_TOLD_KEYS 256
#define LOAD_KEY 40 /* "CALL.ERRNO" at most; keys of loads have a place of that size each */

struct wring_layout {
	struct wring_source *s;
	struct wring_file *f;
	const char *text;
	size_t len, last_end;
	bool full;
};

static size_t number_end(const char *text, size_t len, size_t at)
{
	if (at < len && text[at] == '-')
		at++;
	while (at < len && isdigit((unsigned char)text[at]))
		at++;
	return at;
}

static bool keep_key(struct wring_source *s, const char *key, size_t len)
{
	if (s->keys_size - s->keys_len < len + 1)
		return false;
	memcpy(s->keys + s->keys_len, key, len);
	s->keys[s->keys_len + len] = '\0';
	s->keys_len += len + 1;
	return true;
}

void wring_layout_field(struct wring_layout *l, size_t at, const char *key, size_t key_len)
{
	struct wring_source *s = l->s;
	size_t blank = at, end = number_end(l->text, l->len, at);
	struct wring_field *f;

	if (at < l->last_end || end == at || end >= l->len || !isdigit((unsigned char)l->text[end - 1]))
		return;
	if (s->n_fields == s->max_fields || (key && !keep_key(s, key, key_len))) {
		l->full = true;
		return;
	}
	while (blank > l->last_end && l->text[blank - 1] == ' ')
		blank--;
	f = &s->fields[s->n_fields++];
	f->text = (uint32_t)l->last_end;
	f->skip = (uint32_t)(blank - l->last_end);
	f->blanks = at - blank < UINT8_MAX ? (uint8_t)(at - blank) : UINT8_MAX;
	f->out = key ? (int32_t)s->n++ : -1;
	f->term = l->text[end];
	l->last_end = end;
}

/* The numbers of one file, from its text; counts needed by the caller to size the arrays. */
static int learn(struct wring_source *s, struct wring_file *f, const char *text, size_t len)
{
	struct wring_layout l = { .s = s, .f = f, .text = text, .len = len };

	f->first_field = s->n_fields;
	s->sampler->learn(&l, text, len, f->path);
	f->n_fields = s->n_fields - f->first_field;
	f->tail = l.last_end;
	return l.full ? -ENOSPC : 0;
}

static ssize_t read_more(const struct wring_file *f, char *buf, size_t size, size_t len)
{
	ssize_t n;

	do
		n = pread(f->fd, buf + len, size - len, (off_t)len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Whole file, to its end: a seq_file gives at most a page of records a read. */
static ssize_t read_all(const struct wring_file *f, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read_more(f, buf, size - 1, len)) > 0)
		len += n;
	if (n < 0)
		return n;
	if (len == size - 1)
		return -EFBIG;
	buf[len] = '\0';
	return (ssize_t)len;
}

static int relearn(struct wring_source *s)
{
	s->n = s->n_fields = s->keys_len = 0;
	s->stale = true; /* until all files are learned: half a layout must not be read by */
	for (size_t i = 0; i < s->n_files; i++) {
		ssize_t len = read_all(&s->files[i], s->buf, s->buf_size);
		int r = len < 0 ? (int)len : learn(s, &s->files[i], s->buf, len);

		if (r)
			return r;
		memcpy(s->files[i].text, s->buf, len);
		s->files[i].text_len = len;
	}
	memset(s->prev, 0, sizeof(*s->prev) * s->max_fields);
	s->stale = false;
	s->fresh = true;
	return 0;
}

/* What stands behind the last number, to the end of the file: a line more, or a file that was empty at first. */
static int verify_rest(struct wring_source *s, const struct wring_file *f, size_t at, size_t len)
{
	ssize_t n;

	while ((n = read_more(f, s->buf, s->buf_size, len)) > 0)
		len += n;
	if (n < 0)
		return (int)n;
	s->last_len = len;
	return len - at == f->text_len - f->tail && !memcmp(s->buf + at, f->text + f->tail, len - at) ? 0 : -ESTALE;
}

/* Where the number behind the literal text at `at` begins, as far as there is text. Numbers in columns move to the left as
 * they grow, so where it began last time counts only with a blank before it. */
static inline size_t number_start(const char *buf, size_t len, size_t at, struct wring_field *f)
{
	size_t blank = at + f->skip, p = blank + f->blanks;

	if (f->blanks && (p >= len || buf[p - 1] != ' '))
		p = blank;
	if (p >= len || buf[p] != ' ')
		return p;
	while (p < len && buf[p] == ' ')
		p++;
	f->blanks = p - blank < UINT8_MAX ? (uint8_t)(p - blank) : UINT8_MAX;
	return p;
}

/* One file by position. Returns 0, -ESTALE when the text is not as learned, or -errno. */
static int read_file(struct wring_source *s, const struct wring_file *f, bool verify)
{
	struct wring_field *fd = s->fields + f->first_field, *fend = fd + f->n_fields;
	const char *buf = s->buf;
	size_t len = 0, at = 0;
	ssize_t n = 1;

	while (fd < fend) {
		size_t p = number_start(buf, len, at, fd), end;
		uint64_t v = 0;
		unsigned digit;
		bool neg;

		/* A number counts only with the byte behind it: it may be cut by the end of a read. */
		neg = p < len && buf[p] == '-';
		p += neg;
		for (end = p; end < len && (digit = (unsigned)(unsigned char)buf[end] - '0') < 10; end++)
			v = v * 10 + digit;
		if (end >= len) {
			if (n <= 0)
				return -ESTALE;
			n = read_more(f, s->buf, s->buf_size, len);
			if (n < 0)
				return (int)n;
			len += n;
			continue;
		}
		if (end == p || buf[end] != fd->term)
			return -ESTALE;
		if (verify && memcmp(buf + at, f->text + fd->text, fd->skip))
			return -ESTALE;
		if (fd->out >= 0)
			s->values[fd->out] = (int64_t)(neg ? 0 - v : v);
		at = end;
		fd++;
	}
	s->last_len = len;
	return verify ? verify_rest(s, f, at, len) : 0;
}

/* ---- loads: values out of memory ---- */

static size_t find_key(const struct wring_source *s, const char *key)
{
	size_t i = 0;

	while (i < s->n && strcmp(s->keys + i * LOAD_KEY, key))
		i++;
	return i;
}

void wring_load_value(struct wring_source *s, const char *key, int64_t v)
{
	size_t i = s->next < s->n && !strcmp(s->keys + s->next * LOAD_KEY, key) ? s->next : find_key(s, key);

	if (i == s->max_fields)
		return;
	if (i == s->n) {
		snprintf(s->keys + i * LOAD_KEY, LOAD_KEY, "%s", key);
		s->values[i] = 0;
		s->n++;
		s->fresh = true;
	}
	s->values[i] += v;
	s->next = i + 1;
}

static void read_told(struct wring_source *s)
{
	memset(s->values, 0, s->n * sizeof(*s->values));
	s->next = 0;
	s->note[0] = '\0';
	if (s->load)
		s->sampler->of_load(s, s->load);
	else
		s->sampler->tell(s);
}

/* The first round, which tells most keys there will ever be. */
static int open_told(struct wring_source *s, size_t max_keys, struct wring_err *err)
{
	s->max_fields = max_keys;
	s->keys = calloc(s->max_fields, LOAD_KEY);
	s->values = calloc(s->max_fields, sizeof(*s->values));
	s->prev = calloc(s->max_fields, sizeof(*s->prev));
	if (!s->subject || !s->keys || !s->values || !s->prev)
		return wring_err_set(err, -ENOMEM, "sampler %s of %s", s->sampler->name, s->subject ? s->subject : "?");
	s->keys_size = s->max_fields * LOAD_KEY;
	read_told(s);
	s->fresh = true;
	return s->n <= MAX_LOAD_KEYS ? 0 : wring_err_set(err, -E2BIG, "sampler %s of %s: %zu keys, at most %d", s->sampler->name,
							  s->subject, s->n, MAX_LOAD_KEYS);
}

int wring_source_open_load(struct wring_source *s, const struct wring_sampler *sampler, const char *subject,
			   const struct wring_load_view *load, struct wring_err *err)
{
	*s = (struct wring_source){ .sampler = sampler, .subject = strdup(subject), .load = load };
	/* As many keys as the one with the most may ever tell of: one a thread, or one a bucket. */
	return open_told(s, load->n + WRING_LATENCY_BUCKETS + 1, err);
}

int wring_source_read(struct wring_source *s)
{
	bool verify = s->sampler->costly || s->reads % VERIFY_EVERY == 0;
	int r = s->stale ? -ESTALE : 0;

	s->reads++;
	if (!s->sampler->learn) {
		read_told(s);
		return 0;
	}
	for (size_t i = 0; i < s->n_files && !r; i++)
		r = read_file(s, &s->files[i], verify);
	if (r != -ESTALE)
		return r;
	r = relearn(s);
	for (size_t i = 0; i < s->n_files && !r; i++)
		r = read_file(s, &s->files[i], false);
	return r ? r : 1;
}

static int open_file(struct wring_source *s, int dirfd, const char *path, char **ret_text, size_t *ret_len)
{
	_cleanup_free_ char *full = NULL;
	struct wring_file *f = &s->files[s->n_files];
	int r;

	if (s->sampler->scope == WRING_PER_NODE || s->sampler->scope == WRING_PER_CACHE) {
		const char *hole = strstr(path, "%s");

		full = wring_strf("%.*s%s%s", (int)(hole - path), path, s->subject, hole + 2);
	} else {
		full = strdup(path);
	}
	if (!full)
		return -ENOMEM;
	if (dirfd != AT_FDCWD && *full == '/')
		memmove(full, full + 1, strlen(full));
	r = wring_read_file(dirfd, full, ret_text, ret_len);
	if (r)
		return r;
	f->fd = openat(dirfd, full, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0)
		return -errno;
	f->path = path;
	s->n_files++;
	return 0;
}

/* Twice what was seen at first: caches appear and numbers grow, and nothing may be allocated later. The names of keys take
 * more than the text where a line has many numbers: "pgpromote_success N0=0 N1=0 ..." is up to 7 times as long in keys. */
static int allocate(struct wring_source *s, size_t len)
{
	s->buf_size = 2 * len + 4096;
	s->max_fields = len / 4 + 64;
	s->keys_size = (s->sampler->learn == wring_learn_numa ? 8 : 2) * len + 4096;
	s->buf = calloc(1, s->buf_size);
	s->keys = malloc(s->keys_size);
	s->fields = calloc(s->max_fields, sizeof(*s->fields));
	s->values = calloc(s->max_fields, sizeof(*s->values));
	s->prev = calloc(s->max_fields, sizeof(*s->prev));
	for (size_t i = 0; i < s->n_files; i++)
		if (!(s->files[i].text = calloc(1, s->buf_size)))
			return -ENOMEM;
	return s->buf && s->keys && s->fields && s->values && s->prev ? 0 : -ENOMEM;
}

int wring_source_open(struct wring_source *s, const struct wring_sampler *sampler, const char *subject, int dirfd,
		      void (*missing)(void *arg, const char *file, int error), void *arg, struct wring_err *err)
{
	size_t total = 0;
	int r;

	*s = (struct wring_source){ .sampler = sampler, .subject = strdup(subject) };
	if (!s->subject)
		return wring_err_set(err, -ENOMEM, "sampler %s", sampler->name);
	if (sampler->tell) {
		r = sampler->find(s, dirfd);
		return r ? wring_err_set(err, r, "sampler %s of '%s': %s", sampler->name, subject, strerror(-r)) :
			   open_told(s, MAX_TOLD_KEYS, err);
	}
	for (size_t i = 0; i < WRING_MAX_FILES && sampler->files[i]; i++) {
		_cleanup_free_ char *text = NULL;
		size_t len = 0;

		r = open_file(s, dirfd, sampler->files[i], &text, &len);
		if (r)
			missing(arg, sampler->files[i], r);
		else if (len > total)
			total = len;
	}
	if (!s->n_files)
		return wring_err_set(err, -ENOENT, "sampler %s: none of its files exists for '%s'", sampler->name, subject);
	r = allocate(s, total);
	if (!r)
		r = relearn(s);
	return r ? wring_err_set(err, r, "sampler %s of '%s': %s", sampler->name, subject, strerror(-r)) : 0;
}

void wring_source_close(struct wring_source *s)
{
	for (size_t i = 0; i < s->n_files; i++) {
		close(s->files[i].fd);
		free(s->files[i].text);
	}
	free(s->subject);
	free(s->fields);
	free(s->keys);
	free(s->values);
	free(s->prev);
	free(s->buf);
	*s = (struct wring_source){ 0 };
}

const char *wring_source_key(const struct wring_source *s, const char *prev)
{
	if (!prev)
		return s->keys;
	return prev + (s->sampler->learn ? strlen(prev) + 1 : LOAD_KEY);
}

const struct wring_sampler *wring_sampler_find(const char *name)
{
	size_t n;
	const struct wring_sampler *const *all = wring_samplers(&n);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(all[i]->name, name))
			return all[i];
	return NULL;
}
