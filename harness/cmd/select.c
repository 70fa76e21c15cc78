/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness/cmd/cmd.h"
#include "results-schema/store.h"

static bool has_run(const struct wring_runs *r, int64_t id)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->rows[i].id == id)
			return true;
	return false;
}

int wring_select_runs(struct wring_store *st, char *const *specs, size_t n, struct wring_runs *ret, struct wring_err *err)
{
	*ret = (struct wring_runs){ 0 };
	if (!n)
		return wring_store_runs(st, NULL, ret, err);
	for (size_t i = 0; i < n; i++) {
		struct wring_runs some;
		struct wring_run_row *rows;
		int r = wring_store_runs(st, specs[i], &some, err);

		if (r)
			return r;
		rows = realloc(ret->rows, (ret->n + some.n) * sizeof(*rows));
		if (!rows)
			return wring_err_set(err, -ENOMEM, "runs");
		ret->rows = rows;
		for (size_t k = 0; k < some.n; k++)
			if (!has_run(ret, some.rows[k].id)) {
				rows[ret->n++] = some.rows[k];
				memset(&some.rows[k], 0, sizeof(*rows));
			}
		wring_runs_done(&some);
	}
	return 0;
}
