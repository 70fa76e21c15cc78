/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables of the text reports: libsmartcols with our width and clean text. */
#pragma once
#include <stddef.h>
#include <stdio.h>

struct libscols_table;
struct wring_finding_row;

/* The last column wraps. NULL: no memory. */
struct libscols_table *wring_table_new(FILE *out, const char *const *headings, size_t n);
int wring_table_row(struct libscols_table *t, const char *const *cells, size_t n);
/* Prints unless r is an error, frees the table, returns the first error. */
int wring_table_print(struct libscols_table *t, FILE *out, int r);
/* A finding with its numbers and its evidence, indented. */
void wring_table_finding(FILE *out, const struct wring_finding_row *f);
