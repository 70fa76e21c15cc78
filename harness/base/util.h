/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small things every file needs. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WRING_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define WRING_NSEC_PER_SEC 1000000000LL
#define WRING_NSEC_PER_MSEC 1000000LL

static inline void wring_freep(void *p) { free(*(void **)p); }
static inline void wring_closep(const int *fd) { if (*fd >= 0) close(*fd); }
static inline void wring_fclosep(FILE **f) { if (*f) fclose(*f); }
#define _cleanup_free_ __attribute__((cleanup(wring_freep)))
#define _cleanup_close_ __attribute__((cleanup(wring_closep)))
#define _cleanup_fclose_ __attribute__((cleanup(wring_fclosep)))
/* Hand a guarded pointer or descriptor over to the caller. */
#define WRING_TAKE_PTR(p) ({ __typeof__(p) _t = (p); (p) = NULL; _t; })
#define WRING_TAKE_FD(fd) ({ int _t = (fd); (fd) = -1; _t; })

/* CLOCK_MONOTONIC and CLOCK_REALTIME in ns. */
int64_t wring_now_ns(void);
int64_t wring_realtime_ns(void);
/* RFC 3339 in UTC with milliseconds; buf holds at least 32 bytes. */
const char *wring_rfc3339(int64_t realtime_ns, char *buf, size_t size);

/* Is it one of the words, with blanks or newlines between them? */
bool wring_has_word(const char *words, const char *word);

/* Length of the UTF-8 sequence at s, of which there are len bytes; 0 when it is none. A NUL ends any sequence. */
size_t wring_utf8_len(const unsigned char *s, size_t len);

/* Heap copies of a format or a string; NULL only when memory is exhausted. */
char *wring_strf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Whole file into a NUL-terminated heap buffer (any size, /proc too). dirfd as in openat(2).
 * Returns 0 or -errno; the caller frees *ret. */
int wring_read_file(int dirfd, const char *path, char **ret, size_t *ret_len);
/* The same without the newline at the end. */
int wring_read_line(int dirfd, const char *path, char **ret);
/* One write(2) of text to a file that exists. Returns 0 or -errno of open or write. */
int wring_write_file(int dirfd, const char *path, const char *text);
/* All of it, over short writes and EINTR. Returns 0 or -errno. */
int wring_write_all(int fd, const void *buf, size_t len);
