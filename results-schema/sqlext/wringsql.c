/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wringsql.so: lets the sqlite3 shell see samples as rows.
 *
 *   $ sqlite3 wring.db
 *   sqlite> .load ./wringsql
 *   sqlite> SELECT t_s, value FROM sample WHERE run = 3 AND sampler = 'vmstat' AND key = 'pgscan_kswapd';
 *
 * wring_unpack(n, t_first, time_enc, time, first, enc, v) makes the JSON object {"t_ns":value,...} of one chunk
 * and one of its columns; where enc and v are NULL the column holds `first` throughout. The view `sample` is a
 * json_each() over that, after all of its filters. Not an array of pairs: taking those apart needs json_extract(),
 * which SQLite 3.40 refuses in views under PRAGMA trusted_schema = OFF, and takes twice the time. */
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1
#include <stdio.h>
#include <stdlib.h>
#include "harness/base/util.h"
#include "results-schema/pack.h"

enum { PAIR_MAX = 44 }; /* ',"-9223372036854775808":-9223372036854775808' */

/* Digits by hand: two snprintf() a row would be half the time of a query. */
static char *put_int(char *p, int64_t v)
{
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	char digits[20];
	int n = 0;

	do
		digits[n++] = (char)('0' + u % 10);
	while (u /= 10);
	if (v < 0)
		*p++ = '-';
	while (n)
		*p++ = digits[--n];
	return p;
}

static struct wring_packed argument(sqlite3_value *enc, sqlite3_value *v)
{
	const void *p = sqlite3_value_blob(v);

	return (struct wring_packed) { .p = p ? p : "",
				       .len = (size_t)sqlite3_value_bytes(v),
				       .enc = sqlite3_value_int(enc) };
}

static int unpack(struct wring_packer *pk, sqlite3_value **argv, struct wring_stamp *stamps,
		  int64_t *v, size_t n)
{
	struct wring_packed time = argument(argv[2], argv[3]), column = argument(argv[5], argv[6]);
	int64_t first = sqlite3_value_int64(argv[4]);
	int r = wring_unpack_times(pk, &time, sqlite3_value_int64(argv[1]), stamps, n);

	if (r < 0)
		return r;
	if (sqlite3_value_type(argv[6]) != SQLITE_NULL)
		return wring_unpack_values(pk, &column, first, v, 1, n);
	for (size_t i = 0; i < n; i++)
		v[i] = first;
	return 0;
}

static void wring_unpack(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	int64_t n = sqlite3_value_int64(argv[0]);
	_cleanup_free_ struct wring_stamp *stamps = NULL;
	_cleanup_free_ int64_t *v = NULL;
	char *json, *p;

	(void)argc;
	if (n < 1 || n > WRING_CHUNK_MAX) {
		sqlite3_result_error(ctx, "wring_unpack: bad number of samples", -1);
		return;
	}
	stamps = calloc((size_t)n, sizeof(*stamps));
	v = calloc((size_t)n, sizeof(*v));
	json = sqlite3_malloc64((sqlite3_uint64)n * PAIR_MAX + 3);
	if (!stamps || !v || !json) {
		sqlite3_free(json);
		sqlite3_result_error_nomem(ctx);
		return;
	}
	if (unpack(sqlite3_user_data(ctx), argv, stamps, v, (size_t)n) < 0) {
		sqlite3_free(json);
		sqlite3_result_error(ctx, "wring_unpack: these samples are damaged", -1);
		return;
	}
	p = json;
	for (int64_t i = 0; i < n; i++) {
		*p++ = i ? ',' : '{';
		*p++ = '"';
		p = put_int(p, stamps[i].t_ns);
		*p++ = '"';
		*p++ = ':';
		p = put_int(p, v[i]);
	}
	*p++ = '}';
	sqlite3_result_text64(ctx, json, (sqlite3_uint64)(p - json), sqlite3_free, SQLITE_UTF8);
}

static void free_packer(void *pk)
{
	wring_packer_free(pk);
}

/* SQLite finds this by the file's name. */
__attribute__((visibility("default"))) int sqlite3_wringsql_init(sqlite3 *db, char **errmsg,
								 const sqlite3_api_routines *api);
int sqlite3_wringsql_init(sqlite3 *db, char **errmsg, const sqlite3_api_routines *api)
{
	struct wring_packer *pk = wring_packer_new();

	(void)errmsg;
	SQLITE_EXTENSION_INIT2(api);
	if (!pk)
		return SQLITE_NOMEM;
	return sqlite3_create_function_v2(db, "wring_unpack", 7,
					  SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, pk,
					  wring_unpack, NULL, NULL, free_packer);
}
