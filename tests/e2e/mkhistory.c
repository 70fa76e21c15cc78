/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mkhistory FILE --timeline: one run with groups, samples, an OOM kill and hostile names; and a comparison of two arms of 8 runs.
 * Nights out of thin air: mkhistory FILE SCENARIOS NIGHTS RUNS METRICS [AT PERCENT]. Each metric is noise of 1 % around 1000, with the
 * first two of each scenario PERCENT higher from night AT on. The first three metrics are primary. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness/base/util.h"
#include "results-schema/store.h"

static void must(int r, const struct wring_err *err)
{
	if (!r)
		return;
	fprintf(stderr, "mkhistory: %s\n", err->msg);
	exit(1);
}

static uint64_t state = 1;

/* Sum of twelve: near enough to normal, and the same on every machine. */
static double noise(void)
{
	double sum = -6;

	for (int i = 0; i < 12; i++) {
		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		sum += (double)(state >> 11) / 9007199254740992.0;
	}
	return sum;
}

#define MS 1000000LL
#define HOSTILE "w</script><script>alert(1)</script>\" onload=\"x' & \x1b[31m\xff"

static const struct wring_boot_meta usual = { .where = "vm", .started = "2025-01-01T00:00:00.000Z", .append = "x='</pre>$(id)", .kernel_sha256 = "",
	.accel = "tcg", .vm = "cpus=4 nodes=2 memory=2G" };

static int64_t begin(struct wring_store *st, int number, const char *scenario, const char *arm, struct wring_err *err)
{
	char uuid[40];
	struct wring_boot_meta b = usual;
	struct wring_run_meta m = { .uuid = uuid, .scenario = scenario, .label = "</td>", .arm = arm, .started = b.started,
		.plan = "[scenario]\nname = made-up\ndetectors = kernel-log\n[group work]\nmemory.max = 64M\n[phase p]\ndo = mark filled\n" };
	int64_t boot, run;

	snprintf(uuid, sizeof(uuid), "%08x-0000-4000-8000-000000000001", (unsigned)number);
	b.uuid = uuid;
	must(wring_store_begin_boot(st, &b, &boot, err), err);
	must(wring_store_fact(st, boot, "kernel.release", "6.12.0-test", err), err);
	must(wring_store_fact(st, boot, HOSTILE, HOSTILE, err), err);
	must(wring_store_begin_run(st, boot, &m, &run, err), err);
	return run;
}

static void timeline(struct wring_store *st, struct wring_err *err)
{
	static const struct wring_key memory = { "current", "bytes", WRING_GAUGE }, kills = { "oom_kill", "", WRING_COUNTER },
		scans = { "pgscan_direct", "", WRING_COUNTER }, dying = { "nr_dying_descendants", "", WRING_GAUGE };
	const struct { const char *sampler, *subject; const struct wring_key *key; } sources[] = { { "memory", "work", &memory },
		{ "memory", HOSTILE, &memory }, { "memory.events", "work", &kills }, { "vmstat", "", &scans }, { "cgroup.stat", "work", &dying } };
	struct wring_metric_row m = { HOSTILE, HOSTILE, 3, "lower", "primary" };
	struct wring_finding_row f[] = { { "premature-oom", HOSTILE, "fail", 64e6, 6.4e6, "bytes", HOSTILE, "javascript:alert(1)" },
		{ "accounting", "parts", "suspect", 1, 2, HOSTILE, HOSTILE, "https://example.org/\"onclick=\"x" } };
	int64_t run = begin(st, 1000, HOSTILE, NULL, err);

	for (int i = 0; i < 5; i++) {
		must(wring_store_source(st, run, i, sources[i].sampler, sources[i].subject, "/x", err), err);
		must(wring_store_keys(st, run, i, sources[i].key, 1, err), err);
	}
	must(wring_store_event(st, run, 0, "limit", "work", "memory.max=67108864", err), err);
	must(wring_store_event(st, run, 0, "mark", "start", "", err), err);
	must(wring_store_event(st, run, 0, "phase", "fill", "begin", err), err);
	must(wring_store_event(st, run, 6000 * MS, "phase", "fill", "end", err), err);
	must(wring_store_event(st, run, 6000 * MS, "phase", HOSTILE, "begin", err), err);
	for (int i = 0; i <= 100; i++) {
		int64_t v[] = { i < 60 ? i << 20 : 60 << 20, 1 << 20, i >= 60, i > 40 && i < 60 ? (i - 40) * 1000 : i >= 60 ? 20000 : 0, i / 20 };

		for (int k = 0; k < 5; k++)
			must(wring_store_sample(st, run, k, i * 100 * MS, 1000, &v[k], 1, err), err);
		if (i % 10 == 5)
			must(wring_store_event(st, run, i * 100 * MS - 1, "mark", "cycle", "", err), err);
	}
	must(wring_store_log(st, run, 6000 * MS, 4, "wring-load invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0", err), err);
	must(wring_store_log(st, run, 6001 * MS, 6, "oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/wring-1/made-up/work,task=x", err), err);
	must(wring_store_log(st, run, 6002 * MS, 3, HOSTILE, err), err);
	must(wring_store_event(st, run, 10000 * MS, "mark", "end", "", err), err);
	must(wring_store_judge(st, run, NULL, &m, 1, f, 2, err), err);
	must(wring_store_finish_run(st, run, "fail", HOSTILE, 10, err), err);
}

static void comparison(struct wring_store *st, struct wring_err *err)
{
	static const char order[] = "abbabaababbabaab";
	struct wring_comparison c = { .seed = 1, .slots = 16, .argv = (char *)"", .fingerprint = (char *)"", .name_a = (char *)"old",
		.name_b = (char *)HOSTILE, .about_a = (char *)"6.12.0", .about_b = (char *)"6.12.1", .place = (char *)"kvm", .done = true };
	int64_t id;

	must(wring_store_begin_comparison(st, &c, &id, err), err);
	for (int i = 0; order[i]; i++) {
		const char arm[] = { order[i], '\0' };
		int64_t run = begin(st, 2000 + i, "made-up", arm, err);
		const struct wring_metric_row m[] = { { "ops_per_s", "1/s", 1000 * (1 + 0.01 * noise()) * (*arm == 'b' ? 0.9 : 1), "higher", "primary" },
			{ "oom_kills", "count", 0, "lower", "primary" } };
		const struct wring_finding_row f = { "kernel-log", "warning", "pass", 0, 0, "lines", "none", "" };

		must(wring_store_judge(st, run, NULL, m, 2, &f, 1, err), err);
		must(wring_store_finish_run(st, run, "ok", "", 1, err), err);
		must(wring_store_add_slot(st, id, i, i / 4, *arm == 'b', &run, 1, err), err);
	}
}

int main(int argc, char **argv)
{
	int scenarios, nights, runs, metrics, at = -1, id = 0;
	double percent = 0;
	struct wring_store *st;
	struct wring_err err = { 0 };
	struct wring_metric_row *m;

	if (argc == 3 && !strcmp(argv[2], "--timeline")) {
		must(wring_store_open(argv[1], WRING_STORE_WRITE, &st, &err), &err);
		timeline(st, &err);
		comparison(st, &err);
		wring_store_close(st);
		return 0;
	}
	if (argc < 6) {
		fputs("usage: mkhistory FILE SCENARIOS NIGHTS RUNS METRICS [AT PERCENT]\n", stderr);
		return 2;
	}
	scenarios = atoi(argv[2]);
	nights = atoi(argv[3]);
	runs = atoi(argv[4]);
	metrics = atoi(argv[5]);
	if (argc > 7) {
		at = atoi(argv[6]);
		percent = atof(argv[7]);
	}
	m = calloc((size_t)metrics + 1, sizeof(*m));
	must(wring_store_open(argv[1], WRING_STORE_WRITE, &st, &err), &err);
	for (int k = 0; k < metrics; k++)
		m[k] = (struct wring_metric_row){ .name = wring_strf("metric_%03d_per_s", k), .unit = "1/s", .better = "lower",
			.tier = k < 3 ? "primary" : "secondary" };
	for (int night = 0; night < nights; night++) {
		time_t t = 1700000000 + 86400L * night;
		char started[40], uuid[40];
		struct wring_boot_meta b = { .uuid = uuid, .where = "vm", .started = started, .append = "", .kernel_sha256 = "", .accel = "tcg",
			.vm = "cpus=4 nodes=2 memory=2G" };
		int64_t boot;

		strftime(started, sizeof(started), "%Y-%m-%dT%H:%M:%SZ", gmtime(&t));
		snprintf(uuid, sizeof(uuid), "b%07x-0000-4000-8000-000000000000", (unsigned)night);
		must(wring_store_begin_boot(st, &b, &boot, &err), &err);
		must(wring_store_fact(st, boot, "kernel.release", night < at || at < 0 ? "6.12.1" : "6.12.2", &err), &err);
		for (int s = 0; s < scenarios; s++)
			for (int r = 0; r < runs; r++) {
				char name[40];
				struct wring_run_meta meta = { .uuid = uuid, .scenario = name, .label = "nightly", .started = started,
					.plan = "[scenario]\nname = made-up\n[phase p]\ndo = mark filled\n", .seed = 1 };
				int64_t run;

				snprintf(name, sizeof(name), "scenario-%02d", s);
				snprintf(uuid, sizeof(uuid), "%08x-0000-4000-8000-000000000001", (unsigned)++id);
				must(wring_store_begin_run(st, boot, &meta, &run, &err), &err);
				for (int k = 0; k < metrics; k++)
					m[k].value = 1000 * (1 + 0.01 * noise()) * (k < 2 && at >= 0 && night >= at ? 1 + percent / 100 : 1);
				must(wring_store_judge(st, run, NULL, m, (size_t)metrics, NULL, 0, &err), &err);
				must(wring_store_finish_run(st, run, "ok", "", 1, &err), &err);
			}
	}
	wring_store_close(st);
	return 0;
}
