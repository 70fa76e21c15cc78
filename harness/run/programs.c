/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Programs that workloads and guests use: into a guest, and which of them are not there. */
#include <errno.h>
#include <string.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "harness/run/run.h"
#include "harness/vm/child.h"

/* The peers of a guest that swaps over the network: a disk in the server's memory, which ends with the connection; and a flood. */
const struct wring_vm_forward wring_servers[WRING_N_SERVERS] = {
	{ WRING_VM_NBD_PORT, WRING_NBD_SERVER " --single memory 512M" },
	{ 19, "cat /dev/zero" },
};

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

static void tell_missing(const char *who, const char *program, const char *package, FILE *f)
{
	struct wring_err why = { 0 };
	char *path = NULL;

	if (wring_child_find(program, package, &path, &why))
		fprintf(f, "missing.%s=%s\n", who, why.msg);
	free(path);
}

void wring_programs_missing(const struct wring_scenarios *s, FILE *f)
{
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->rows[i]->n_loads; k++) {
			const struct wring_workload *w = wring_workload_find(s->rows[i]->loads[k].workload);

			if (w && w->program)
				tell_missing(w->name, w->program, w->package, f);
		}
	if (wring_any_need(s, "nbd"))
		tell_missing("nbd", WRING_NBD_SERVER, WRING_NBD_SERVER, f);
}
