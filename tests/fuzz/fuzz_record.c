/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A guest that was taken over may send anything: the recorder stores it or ends the run, all detectors judge what it stored, and a
 * report is printed. Nothing of it may crash, hang or end in another error than "the stream is damaged".
 *
 * The input is text, a record a line, so that mutations change what is said and not only whether it can be read: a letter (see types),
 * then the fields behind tabs. A line that ends early is a record that does. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "analyzers/judge.h"
#include "analyzers/report/report.h"
#include "harness/base/util.h"
#include "harness/run/run.h"
#include "tests/fuzz/fuzz.h"

volatile sig_atomic_t wring_interrupted;

static const struct { char letter; enum wring_record type; const char *fields; } types[] = { /* n: number, s: text; behind | again and again */
	{ 'H', WRING_REC_HELLO, "snn" }, { 'I', WRING_REC_INFO, "ss" }, { 'B', WRING_REC_BEGIN, "ns" }, { 'E', WRING_REC_END, "nss" },
	{ 'S', WRING_REC_SOURCE, "nsss" }, { 'K', WRING_REC_KEYS, "nn|sns" }, { 'V', WRING_REC_SAMPLE, "nnnn|z" },
	{ 'e', WRING_REC_EVENT, "nsss" }, { 'L', WRING_REC_LOG, "nns" }, { 'G', WRING_REC_GAP, "nn" }, { 'A', WRING_REC_ALIVE, "n" },
	{ 'Y', WRING_REC_BYE, "n" },
};

static const char plan[] =
	"[scenario]\nname = s\ndetectors = dying-memcg premature-oom late-oom high-overrun high-stall reclaim-stall isolation protection\n"
	"  slab-balance free-lag accounting numa-spill thp-fallback net-starvation fairness kernel-log\n"
	"[group work]\nmemory.max = 64M\n[group other]\n[load names]\nworkload = dentry\ngroup = work\n[load reference]\nworkload = anon\ngroup = other\n"
	"[phase p]\ndo = start names\n  stop names\n";

static void put_field(struct wring_wbuf *b, char kind, const char *p, size_t len)
{
	char number[24];

	snprintf(number, sizeof(number), "%.*s", (int)len, p);
	if (kind == 's')
		wring_put_strn(b, p, len);
	else if (kind == 'n')
		wring_put_u64(b, strtoull(number, NULL, 10));
	else
		wring_put_s64(b, strtoll(number, NULL, 10));
}

static size_t put_line(struct wring_wbuf *b, const char *line, size_t len)
{
	const char *end = line + len, *fields = "", *again;

	wring_frame_begin(b, 99);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(types); i++)
		if (len && *line == types[i].letter) {
			wring_frame_begin(b, types[i].type);
			fields = types[i].fields;
		}
	again = strchr(fields, '|');
	for (const char *p = line + 2; p <= end; ) { /* a tab at the end is an empty text behind it */
		const char *tab = memchr(p, '\t', (size_t)(end - p));
		size_t n = (size_t)((tab ? tab : end) - p);

		if (*fields == '|')
			fields++;
		else if (!*fields && again)
			fields = again + 1;
		if (!*fields)
			break;
		put_field(b, *fields++, p, n);
		p += n + 1;
	}
	return wring_frame_end(b);
}

static int write_frames(const uint8_t *data, size_t size)
{
	static uint8_t frame[65536];
	const char *p = (const char *)data, *end = p + size;
	int fd = memfd_create("stream", MFD_CLOEXEC);

	FUZZ_CHECK(fd >= 0);
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		struct wring_wbuf b = { .p = frame, .size = sizeof(frame) };
		size_t n = put_line(&b, p, (size_t)((nl ? nl : end) - p));

		FUZZ_CHECK(n && !wring_write_all(fd, frame, n));
		p = nl ? nl + 1 : end;
	}
	FUZZ_CHECK(!lseek(fd, 0, SEEK_SET));
	return fd;
}

static void record(struct wring_store *st, struct wring_scenario *s, const uint8_t *data, size_t size)
{
	static const struct wring_boot_meta boot = { "b", "vm", "2025-01-01T00:00:00.000Z", "", "", "tcg", "" };
	const struct wring_scenarios all = { &s, 1 };
	const struct wring_run_options o = { .quiet = true };
	struct wring_err err = { 0 };
	struct wring_recorder r;
	int fd = write_frames(data, size), x;

	FUZZ_CHECK(!wring_recorder_init(&r, st, &o, &all, &err) && !wring_recorder_boot(&r, &boot, 0, &err));
	while (!(x = wring_recorder_read(&r, fd, &err)))
		;
	FUZZ_CHECK(x == 1 || (x == -EBADMSG && *err.msg && !strchr(err.msg, '\n')));
	wring_recorder_note(&r, "guest", "corrupt", err.msg);
	FUZZ_CHECK(r.done || !wring_recorder_end(&r, "broken", err.msg, &err));
	FUZZ_CHECK(!wring_store_commit(st, &err));
	wring_recorder_done(&r);
	close(fd);
}

static void judge(struct wring_store *st)
{
	struct wring_runs runs = { 0 };
	struct wring_err err = { 0 };
	struct wring_exit exit = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *f;

	FUZZ_CHECK(!wring_store_runs(st, "last", &runs, &err) && runs.n == 1);
	if (wring_judge_run(st, &runs.rows[0], NULL, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		abort();
	}
	wring_runs_done(&runs);
	FUZZ_CHECK(!wring_store_runs(st, "last", &runs, &err) && !wring_exit_add(&exit, st, &runs.rows[0], &err));
	f = open_memstream(&text, &len);
	FUZZ_CHECK(f && !wring_report_run(st, &runs.rows[0], f, &err) && !fclose(f));
	wring_runs_done(&runs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wring_scenario *s;
	struct wring_store *st;
	struct wring_err err;

	FUZZ_CHECK(s || !wring_scenario_parse("s", plan, NULL, 0, &s, &err));
	FUZZ_CHECK(!wring_store_open(":memory:", WRING_STORE_WRITE, &st, &err));
	record(st, s, data, size);
	judge(st);
	wring_store_close(st);
	return 0;
}
