/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text and numbers as reports show them. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Valid UTF-8 on the heap: what is not becomes U+FFFD. NULL is taken for "". With `plain`, control
 * characters become blanks, so that stored text cannot drive a terminal. NULL: no memory. */
char *wring_text_clean(const char *s, bool plain);
/* Words of `s` in lines of at most `width` columns, each behind `indent` blanks. */
void wring_text_wrap(FILE *out, const char *s, size_t indent, size_t width);
/* "12.3M", "17 kills", "0.25 s": buf holds at least 48 bytes. */
const char *wring_text_value(double value, const char *unit, char *buf, size_t size);
/* A number for machines: whole ones without a point up to 2^53, what is not finite is 0. buf holds at least 32 bytes. */
const char *wring_text_number(double value, char *buf, size_t size);
/* One word of ASCII letters, digits, '.', '-', '_' and '/': all else becomes '_', nothing "none". On the heap; NULL: no memory. */
char *wring_text_word(const char *s);
/* ASCII without control characters, a '?' for each other character. On the heap; NULL: no memory. */
char *wring_text_ascii(const char *s);
/* A word of a POSIX shell, quoted where it has to be; control characters become blanks. On the heap; NULL: no memory. */
char *wring_text_shell(const char *s);
/* Columns of the terminal behind `out`; 100 when it is none. */
size_t wring_text_columns(FILE *out);
