/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Programs that workloads start: into a guest, and which of them are not there. */
#include <errno.h>
#include <string.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "harness/run/run.h"
#include "harness/vm/child.h"

int wring_programs_add(struct wring_initramfs *i, const struct wring_scenarios *s, struct wring_err *err)
{
	for (size_t k = 0; k < s->n; k++)
		for (size_t l = 0; l < s->rows[k]->n_loads; l++) {
			const struct wring_workload *w = wring_workload_find(s->rows[k]->loads[l].workload);
			_cleanup_free_ char *host = NULL, *guest = NULL;
			int r = 0;

			if (!w || !w->program || wring_child_find(w->program, NULL, &host, NULL))
				continue;
			guest = wring_strf("/usr/bin/%s", w->program);
			r = guest ? wring_initramfs_add_program(i, host, guest, err) : wring_err_set(err, -ENOMEM, "%s", w->program);
			if (r)
				return r;
		}
	return 0;
}

void wring_programs_missing(const struct wring_scenarios *s, FILE *f)
{
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->rows[i]->n_loads; k++) {
			const struct wring_workload *w = wring_workload_find(s->rows[i]->loads[k].workload);
			struct wring_err why = { 0 };
			char *path = NULL;

			if (w && w->program && wring_child_find(w->program, w->package, &path, &why))
				fprintf(f, "missing.%s=%s\n", w->name, why.msg);
			free(path);
		}
}
