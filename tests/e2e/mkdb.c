/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Databases out of thin air: mkdb FILE KIND... adds one run a kind, labelled with it, as a recorder would have left it.
 * Nothing is judged yet: `wring check` does that, and these are what it must come to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/util.h"
#include "results-schema/store.h"

#define MS 1000000LL
#define PLAN(name, detectors) "[scenario]\nname = " name "\ndetectors = " detectors "\n[group work]\n[phase p]\ndo = mark filled\n"
#define USUAL PLAN("made-up", "accounting kernel-log")

struct kind {
	const char *name, *plan;
	const char *outcome, *reason; /* of the recorder */
	int64_t counter;              /* from 100 to this: below it accounting fails */
	const char *log, *guest;      /* a line of the kernel log; the subject of an event `guest` */
};
static const struct kind kinds[] = {
	{ "ok", USUAL, "ok", "", 101, NULL, NULL },
	{ "fail", USUAL, "ok", "", 1, NULL, NULL },
	{ "loud", USUAL, "ok", "", 101, "WARNING: CPU: 1 PID: 2 at mm/vmscan.c:1 x+0x1/0x2", NULL },
	{ "broken", USUAL, "broken", "guest died", 101, NULL, "killed" },
	{ "panic", USUAL, "broken", "guest died", 101, NULL, "panic" },
	{ "skip", USUAL, "skip", "needs swap, which this guest does not have", 101, NULL, NULL },
	{ "noisy", USUAL, "noisy", "spread 40 %", 101, NULL, NULL },
	{ "suspect", USUAL, "ok", "", 101, "names: page allocation failure: order:0, mode:0xcc0(GFP_KERNEL), nodemask=(null)", NULL },
	{ "inconclusive", PLAN("made-up", "of-the-future"), "ok", "", 101, NULL, NULL },
	{ "unjudged", "[scenario]\nname = made-up\n[phase p]\ndo = mark filled\n", "ok", "", 101, NULL, NULL },
	{ "unfinished", USUAL, NULL, NULL, 101, NULL, NULL },
	/* what a hostile or damaged guest may have written */
	{ "hostile", USUAL, "broken", "\x1b[31mred\xff\n\"quoted\" \\ </script> \xf0\x9f\x92\xa5", 101, "WARNING: CPU: 0 PID: 1 at \x1b]0;title\x07 \xc3\x28", NULL },
};

static void must(int r, const struct wring_err *err)
{
	if (!r)
		return;
	fprintf(stderr, "mkdb: %s\n", err->msg);
	exit(1);
}

static void sample(struct wring_store *st, int64_t run, int64_t t_ms, int64_t v, struct wring_err *err)
{
	must(wring_store_sample(st, run, 0, t_ms * MS, 1000, &v, 1, err), err);
}

static void put_run(struct wring_store *st, int64_t boot, const struct kind *k, int number, struct wring_err *err)
{
	const struct wring_key key = { "pgfault", "", WRING_COUNTER };
	char uuid[40];
	struct wring_run_meta m = { .uuid = uuid, .scenario = "made-up", .label = k->name, .started = "2025-01-01T00:00:01.000Z",
				    .plan = k->plan, .seed = 7 };
	int64_t run;

	snprintf(uuid, sizeof(uuid), "%08x-0000-4000-8000-%012x", (unsigned)(0xabcdef00 + number), (unsigned)boot);
	must(wring_store_begin_run(st, boot, &m, &run, err), err);
	must(wring_store_source(st, run, 0, "vmstat", "", "/proc/vmstat", err), err);
	must(wring_store_keys(st, run, 0, &key, 1, err), err);
	must(wring_store_event(st, run, 100 * MS, "mark", "start", "", err), err);
	sample(st, run, 1000, 100, err);
	sample(st, run, 2000, k->counter, err);
	if (k->log)
		must(wring_store_log(st, run, 1500 * MS, 4, k->log, err), err);
	if (k->guest)
		must(wring_store_event(st, run, 2500 * MS, "guest", k->guest, "seen by QEMU", err), err);
	must(wring_store_event(st, run, 3000 * MS, "mark", "end", "", err), err);
	if (k->outcome)
		must(wring_store_finish_run(st, run, k->outcome, k->reason, 12.5, err), err);
	must(wring_store_commit(st, err), err);
}

static const struct kind *find(const char *name)
{
	for (size_t i = 0; i < WRING_ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	fprintf(stderr, "mkdb: no kind '%s'\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	struct wring_boot_meta m = { .where = "vm", .started = "2025-01-01T00:00:00.000Z", .append = "quiet", .kernel_sha256 = "",
				     .accel = "tcg", .vm = "cpus=4 nodes=2 memory=2G" };
	struct wring_store *st;
	struct wring_err err = { 0 };

	if (argc < 2) {
		fputs("usage: mkdb FILE KIND...\n", stderr);
		return 2;
	}
	must(wring_store_open(argv[1], WRING_STORE_WRITE, &st, &err), &err);
	/* a boot each: a guest's last run answers for what its console says */
	for (int i = 2; i < argc; i++) {
		char uuid[40];
		int64_t boot;

		snprintf(uuid, sizeof(uuid), "b%07x-0000-4000-8000-000000000000", (unsigned)i);
		m.uuid = uuid;
		must(wring_store_begin_boot(st, &m, &boot, &err), &err);
		must(wring_store_fact(st, boot, "kernel.release", strcmp(argv[i], "hostile") ? "6.12.0-test" : "6.12\x1b[2J\n\xff", &err), &err);
		must(wring_store_fact(st, boot, "kernel.config", "CONFIG_A=y\nCONFIG_B=y\n", &err), &err);
		must(wring_store_fact(st, boot, "topology.xml", "<topology/>", &err), &err);
		must(wring_store_fact(st, boot, "page.size", "4096", &err), &err);
		must(wring_store_fact(st, boot, "cpu.online", "4", &err), &err);
		put_run(st, boot, find(argv[i]), i, &err);
	}
	wring_store_close(st);
	return 0;
}
