/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small stores out of thin air, written through the store's own interface. Times are in
 * milliseconds. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "analyzers/judge.h"
#include "analyzers/view.h"
#include "harness/plan/plan.h"
#include "results-schema/store.h"

#define MS 1000000LL
#define MIB (1LL << 20)

struct synth {
	char path[64];
	struct wring_store *st;
	int64_t boot, run, next_source;
	struct { int64_t id; size_t n; } sources[64];
	struct wring_runs rows;
	struct wring_scenario *scenario;
	struct wring_view v;
	struct wring_err err;
};

#define OK(s, call) \
	do { \
		(s)->err.msg[0] = '\0'; \
		int ok_ = (call); \
		if (ok_) \
			fail_msg("%s: %d %s", #call, ok_, (s)->err.msg); \
	} while (0)

static inline void synth_open(struct synth *s, const char *where)
{
	static int n;
	struct wring_boot_meta m = {
		.uuid = "boot-1",
		.where = where,
		.started = "2025-01-01T00:00:00.000Z",
		.append = "quiet",
		.kernel_sha256 = "",
		.accel = "tcg",
		.vm = "cpus=4 nodes=2 memory=2G",
	};

	memset(s, 0, sizeof(*s));
	snprintf(s->path, sizeof(s->path), "/tmp/wring-test-%d-%d.db", getpid(), n++);
	unlink(s->path);
	OK(s, wring_store_open(s->path, WRING_STORE_WRITE, &s->st, &s->err));
	OK(s, wring_store_begin_boot(s->st, &m, &s->boot, &s->err));
	OK(s, wring_store_fact(s->st, s->boot, "page.size", "4096", &s->err));
	OK(s, wring_store_fact(s->st, s->boot, "cpu.online", "4", &s->err));
	OK(s, wring_store_fact(s->st, s->boot, "kernel.release", "6.12.0-test", &s->err));
	OK(s, wring_store_fact(s->st, s->boot, "thp.enabled", "always [madvise] never", &s->err));
	OK(s, wring_store_fact(s->st, s->boot, "swaps", "none", &s->err));
}

static inline void synth_run(struct synth *s, const char *scenario, const char *plan)
{
	static int n;
	char uuid[32];
	struct wring_run_meta m = {
		.uuid = uuid,
		.scenario = scenario,
		.label = "test",
		.started = "2025-01-01T00:00:01.000Z",
		.plan = plan,
		.seed = 7,
	};

	snprintf(uuid, sizeof(uuid), "run-%d", n++);
	OK(s, wring_store_begin_run(s->st, s->boot, &m, &s->run, &s->err));
	s->next_source = 0;
}

/* keys: "anon file +pgfault": + is a counter. path: of the file, or "". Returns a handle. */
static inline size_t synth_source(struct synth *s, const char *sampler, const char *subject,
				  const char *path, const char *keys)
{
	struct wring_key k[32];
	char buf[512], *save = NULL;
	size_t n = 0;

	snprintf(buf, sizeof(buf), "%s", keys);
	for (char *w = strtok_r(buf, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		k[n].kind = *w == '+' ? WRING_COUNTER : WRING_GAUGE;
		k[n].name = w + (*w == '+');
		k[n++].unit = "";
	}
	OK(s, wring_store_source(s->st, s->run, s->next_source, sampler, subject, path, &s->err));
	OK(s, wring_store_keys(s->st, s->run, s->next_source, k, n, &s->err));
	s->sources[s->next_source].n = n;
	s->sources[s->next_source].id = s->next_source;
	return (size_t)s->next_source++;
}

/* As many int64_t behind t as the source has keys: pass them as INT64_C() or int64_t. */
static inline void synth_sample(struct synth *s, size_t src, int64_t t_ms, ...)
{
	int64_t v[32];
	va_list ap;

	va_start(ap, t_ms);
	for (size_t i = 0; i < s->sources[src].n; i++)
		v[i] = va_arg(ap, int64_t);
	va_end(ap);
	OK(s, wring_store_sample(s->st, s->run, (int64_t)src, t_ms * MS, 1000, v, s->sources[src].n,
				 &s->err));
}

static inline void synth_event(struct synth *s, int64_t t_ms, const char *kind, const char *subject,
			       const char *text)
{
	OK(s, wring_store_event(s->st, s->run, t_ms * MS, kind, subject, text, &s->err));
}

static inline void synth_mark(struct synth *s, int64_t t_ms, const char *name)
{
	synth_event(s, t_ms, "mark", name, "");
}

/* Each line of text is a record. */
static inline void synth_log(struct synth *s, int64_t t_ms, const char *text)
{
	char *copy = strdup(text), *save = NULL;

	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		OK(s, wring_store_log(s->st, s->run, t_ms * MS, 6, l, &s->err));
	free(copy);
}

static inline void synth_finish(struct synth *s, const char *outcome, const char *reason)
{
	OK(s, wring_store_finish_run(s->st, s->run, outcome, reason, 12.5, &s->err));
}

/* Finishes the run and lets one detector judge it; results stay in s->v.results. */
static inline void synth_judge(struct synth *s, const char *detector)
{
	const struct wring_detector *const *all;
	char id[24];
	size_t n, i;

	OK(s, wring_store_commit(s->st, &s->err));
	snprintf(id, sizeof(id), "%lld", (long long)s->run);
	OK(s, wring_store_runs(s->st, id, &s->rows, &s->err));
	OK(s,
	   wring_scenario_parse("test.ini", s->rows.rows[0].plan, NULL, 0, &s->scenario, &s->err));
	OK(s, wring_view_init(&s->v, s->st, &s->rows.rows[0], s->scenario, &s->err));
	all = wring_detectors(&n);
	for (i = 0; i < n && strcmp(all[i]->name, detector); i++)
		;
	assert_true(i < n);
	OK(s, all[i]->judge(&s->v, &s->err));
	OK(s, s->v.results->error);
}

static inline void synth_done(struct synth *s)
{
	char side[80];

	if (s->v.results)
		wring_view_done(&s->v);
	wring_scenario_free(s->scenario);
	wring_runs_done(&s->rows);
	wring_store_close(s->st);
	unlink(s->path);
	snprintf(side, sizeof(side), "%s-wal", s->path);
	unlink(side);
	snprintf(side, sizeof(side), "%s-shm", s->path);
	unlink(side);
}

static inline const struct wring_finding_row *synth_find(const struct synth *s, const char *cls)
{
	for (size_t i = 0; i < s->v.results->n_findings; i++)
		if (!strcmp(s->v.results->findings[i].class, cls))
			return &s->v.results->findings[i];
	return NULL;
}

static inline void synth_dump(const struct synth *s)
{
	for (size_t i = 0; i < s->v.results->n_findings; i++) {
		const struct wring_finding_row *f = &s->v.results->findings[i];

		print_message("%s/%s %s %g %g %s: %s\n", f->detector, f->class, f->verdict,
			      f->value, f->limit, f->unit, f->evidence);
	}
}

#define EXPECT(s, cls, word) \
	do { \
		const struct wring_finding_row *f_ = synth_find(s, cls); \
		if (!f_ || strcmp(f_->verdict, word)) \
			synth_dump(s); \
		assert_non_null(f_); \
		assert_string_equal(f_->verdict, word); \
	} while (0)

#define EXPECT_NONE(s, word) \
	do { \
		for (size_t i_ = 0; i_ < (s)->v.results->n_findings; i_++) { \
			if (!strcmp((s)->v.results->findings[i_].verdict, word)) \
				synth_dump(s); \
			assert_string_not_equal((s)->v.results->findings[i_].verdict, word); \
		} \
	} while (0)

static inline double synth_metric(const struct synth *s, const char *name)
{
	for (size_t i = 0; i < s->v.results->n_metrics; i++)
		if (!strcmp(s->v.results->metrics[i].name, name))
			return s->v.results->metrics[i].value;
	fail_msg("no metric %s", name);
	return 0;
}
