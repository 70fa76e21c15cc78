/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Room in slabs that are in use. */
#include <errno.h>
#include <string.h>
#include "analyzers/view.h"
#include "harness/base/util.h"

int64_t wring_view_free_in_slabs(struct wring_view *v, int64_t t_mark)
{
	const struct wring_sources *all = wring_view_sources(v);
	struct wring_names keys = { 0 };
	struct wring_err err;
	int64_t sum = 0;
	size_t i = 0;

	while (i < all->n && strcmp(all->rows[i].sampler, "slabinfo"))
		i++;
	if (i == all->n || wring_store_source_keys(v->store, v->run, all->rows[i].id, &keys, &err))
		return 0;
	for (size_t k = 0; k < keys.n; k++) {
		const char *dot = strrchr(keys.rows[k], '.');
		_cleanup_free_ char *all_key = NULL, *size_key = NULL;
		int64_t active, total, size;

		if (!dot || strcmp(dot, ".active_objs"))
			continue;
		all_key = wring_strf("%.*s.num_objs", (int)(dot - keys.rows[k]), keys.rows[k]);
		size_key = wring_strf("%.*s.objsize", (int)(dot - keys.rows[k]), keys.rows[k]);
		if (all_key && size_key && !wring_view_at_mark(v, "slabinfo", "", keys.rows[k], t_mark, &active) &&
		    !wring_view_at_mark(v, "slabinfo", "", all_key, t_mark, &total) &&
		    !wring_view_at_mark(v, "slabinfo", "", size_key, t_mark, &size))
			sum += (total - active) * size;
	}
	wring_names_done(&keys);
	return sum;
}
