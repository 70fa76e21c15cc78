/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/run/run.h"

#include <string.h>

#include "harness/base/util.h"

volatile sig_atomic_t wring_interrupted;

/* A network device is only in the guest of a scenario that needs it, so that all others have the guest they always had. */
static bool begins_boot(const struct wring_scenarios *s, size_t i)
{
	return wring_scenario_needs(s->rows[i], "fresh-boot") ||
	       wring_scenario_needs(s->rows[i], "nbd") != wring_scenario_needs(s->rows[i - 1], "nbd");
}

char *wring_plan_text(const struct wring_run_options *o, const struct wring_scenarios *s, size_t first, size_t *ret_len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);

	if (!f)
		return NULL;
	fprintf(f, "%%%% settings\nseed=%llu\n", (unsigned long long)o->seed);
	wring_programs_missing(s, f);
	for (size_t i = first; i < s->n && (i == first || !begins_boot(s, i)); i++) {
		fprintf(f, "%%%% scenario %s\n", s->rows[i]->name);
		wring_scenario_print(s->rows[i], f);
	}
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

/* A guest that dies takes one scenario with it: the next boot goes on behind it. */
int wring_run_all(struct wring_store *st, const struct wring_run_options *o, struct wring_place *p,
		  const struct wring_scenarios *s, int64_t **ret_runs, size_t *ret_n, struct wring_err *err)
{
	struct wring_recorder r;
	int x = wring_recorder_init(&r, st, o, s, err);

	while (!x && r.done < s->n && !wring_interrupted && !r.enough) {
		size_t before = r.done;

		r.enough = o->deadline_ns && wring_now_ns() >= o->deadline_ns;
		if (r.enough)
			break;

		x = p->where == WRING_WHERE_HOST ? wring_boot_host(&r, before, err) : wring_boot_guest(&r, p, before, err);
		if (!x && r.done == before && !r.enough)
			x = wring_recorder_end(&r, "broken", "no progress was made", err);
	}
	while (!x && r.enough && r.boot && r.done < s->n)
		x = wring_recorder_end(&r, "skip", WRING_LEFT_OUT, err);
	*ret_runs = WRING_TAKE_PTR(r.run_ids);
	*ret_n = r.n_runs;
	wring_recorder_done(&r);
	return x;
}

static void dry_scenario(const struct wring_scenario *s, FILE *out)
{
	for (size_t i = 0; i < s->sysctls.n; i++)
		fprintf(out, "write   %s%s = %s (restored)\n", *s->sysctls.rows[i].key == '/' ? "" : "/proc/sys/", s->sysctls.rows[i].key,
			s->sysctls.rows[i].value);
	for (size_t i = 0; i < s->n_mounts; i++)
		fprintf(out, "mount   %s: %s, %llu MiB\n", s->mounts[i].name, s->mounts[i].type, (unsigned long long)(s->mounts[i].size_bytes >> 20));
	fprintf(out, "mkdir   cgroup wring-PID/%s\n", s->name);
	for (size_t i = 0; i < s->n_groups; i++) {
		const struct wring_group *g = &s->groups[i];

		fprintf(out, "mkdir   cgroup wring-PID/%s/%s", s->name, g->path);
		if (g->count > 1)
			fprintf(out, "0..%llu", (unsigned long long)g->count - 1);
		fprintf(out, "%s\n", g->deferred ? " (by a step)" : "");
		for (size_t k = 0; k < g->files.n; k++)
			fprintf(out, "write   %s/%s = %s\n", g->path, g->files.rows[k].key, g->files.rows[k].value);
	}
	for (size_t i = 0; i < s->n_samples; i++)
		fprintf(out, "sample  %s%s\n", s->samples[i].sampler, s->samples[i].interval_ns ? "" : " (at marks)");
	for (size_t i = 0; i < s->n_loads; i++) {
		const struct wring_load *l = &s->loads[i];

		fprintf(out, "exec    %s: wring-load %s", l->name, l->workload);
		for (size_t k = 0; k < l->params.n; k++)
			fprintf(out, " %s=%s", l->params.rows[k].key, l->params.rows[k].value);
		fprintf(out, " in %s, %llu process%s a directory", l->group, (unsigned long long)l->procs, l->procs == 1 ? "" : "es");
		if (l->threads > 1)
			fprintf(out, " of %llu threads", (unsigned long long)l->threads);
		fputc('\n', out);
	}
	for (size_t i = 0; i < s->n_phases; i++)
		for (size_t k = 0; k < s->phases[i].n; k++) {
			const struct wring_step *st = &s->phases[i].steps[k];

			fprintf(out, "step    %s x%llu: %s", s->phases[i].name, (unsigned long long)s->phases[i].repeat, st->verb->name);
			for (size_t a = 0; a < st->n_args; a++)
				fprintf(out, " %s", st->args[a]);
			fputc('\n', out);
		}
	fprintf(out, "rmdir   cgroup wring-PID/%s\n", s->name);
}

void wring_dry_run(const struct wring_run_options *o, const struct wring_place *p, const struct wring_scenarios *s, FILE *out)
{
	if (p->where == WRING_WHERE_HOST)
		fprintf(out, "exec    wring-agent on this host (%s)\n", p->why);
	else
		fprintf(out, "exec    qemu-system-x86_64 with %s, kernel %s, %u CPUs, %u nodes, %llu MiB, append '%s' (%s)\n",
			p->accel == WRING_ACCEL_KVM ? "KVM" : "TCG", wring_kernel_release(p->kernel), o->cpus, o->nodes,
			(unsigned long long)(o->memory_bytes >> 20), o->append ? o->append : "", p->why);
	if (o->dump_dir)
		fprintf(out, "write   %s/wring-RUN.vmcore of up to %llu MiB for a run that fails, panics or hangs\n", o->dump_dir,
			(unsigned long long)(o->memory_bytes >> 20));
	if (o->keep || o->gdb)
		fprintf(out, "mkdir   $TMPDIR/wring-guest-XXXXXX with sockets for monitor%s and gdb (removed)\n", o->keep ? ", console" : "");
	for (size_t i = 0; i < s->n; i++) {
		fprintf(out, "\n# %s: %s\n", s->rows[i]->name, s->rows[i]->summary ? s->rows[i]->summary : "");
		for (size_t k = 0; p->where == WRING_WHERE_VM && k < WRING_N_SERVERS && wring_scenario_needs(s->rows[i], "nbd"); k++)
			fprintf(out, "exec    %s, for each connection of a guest of its own to " WRING_VM_SERVER " port %u\n", wring_servers[k].command,
				wring_servers[k].port);
		dry_scenario(s->rows[i], out);
	}
}
