/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All there is to say about one run. */
#include <errno.h>
#include <libsmartcols.h>
#include <string.h>
#include "analyzers/report/report.h"
#include "analyzers/report/table.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"

static void head(const struct wring_run_row *run, FILE *out)
{
	const struct { const char *name, *value;
	} rows[] = {
		{ "scenario", run->scenario },
		{ "outcome", run->outcome },
		{ "reason", run->reason },
		{ "id", run->uuid },
		{ "label", run->label },
		{ "arm", run->arm },
		{ "started", run->started },
		{ "where", run->where },
		{ "kernel", run->release },
		{ "command line", run->append },
		{ "kernel sha256", run->kernel_sha256 },
		{ "accel", run->accel },
		{ "machine", run->vm },
	};

	fprintf(out, "run %lld\n", (long long)run->id);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *clean = wring_text_clean(rows[i].value, true);

		if (clean && *clean)
			fprintf(out, "  %-14s %s\n", rows[i].name, clean);
	}
	fprintf(out, "  %-14s %.1f s\n  %-14s %lld\n", "duration", run->duration_s, "seed",
		(long long)run->seed);
}

static int facts(struct wring_store *st, const struct wring_run_row *run, FILE *out,
		 struct wring_err *err)
{
	static const char *const headings[] = { "FACT", "VALUE" };
	struct wring_pairs p = { 0 };
	struct libscols_table *t;
	int r = wring_store_facts(st, run->boot, &p, err);

	if (r || !p.n) {
		wring_pairs_done(&p);
		return r;
	}
	fputc('\n', out);
	t = wring_table_new(out, headings, WRING_ARRAY_SIZE(headings));
	r = t ? 0 : -ENOMEM;
	for (size_t i = 0; !r && i < p.n; i++) {
		/* pages of XML or of a kernel's configuration help nobody here */
		bool is_long = !strcmp(p.rows[i].key, "topology.xml") ||
			       !strcmp(p.rows[i].key, "kernel.config");
		const char *cells[] = { p.rows[i].key, is_long ? "(stored)" : p.rows[i].value };

		r = wring_table_row(t, cells, WRING_ARRAY_SIZE(cells));
	}
	if (t)
		r = wring_table_print(t, out, r);
	wring_pairs_done(&p);
	return r ? wring_err_set(err, r, "printing facts: %s", strerror(-r)) : 0;
}

int wring_report_metrics(struct wring_store *st, const struct wring_run_row *run, FILE *out,
		   struct wring_err *err)
{
	static const char *const headings[] = { "METRIC", "VALUE", "BETTER", "TIER" };
	struct wring_metrics m = { 0 };
	struct libscols_table *t;
	int r = wring_store_metrics(st, run->id, &m, err);

	if (r || !m.n) {
		wring_metrics_done(&m);
		return r;
	}
	fputc('\n', out);
	t = wring_table_new(out, headings, WRING_ARRAY_SIZE(headings));
	r = t ? 0 : -ENOMEM;
	for (size_t i = 0; !r && i < m.n; i++) {
		const struct wring_metric_row *row = &m.rows[i];
		char value[48];
		const char *cells[] = {
			row->name,
			wring_text_value(row->value, row->unit, value, sizeof(value)),
			row->better,
			row->tier,
		};

		r = wring_table_row(t, cells, WRING_ARRAY_SIZE(cells));
	}
	if (t)
		r = wring_table_print(t, out, r);
	wring_metrics_done(&m);
	return r ? wring_err_set(err, r, "printing metrics: %s", strerror(-r)) : 0;
}

static int findings(struct wring_store *st, const struct wring_run_row *run, FILE *out,
		    struct wring_err *err)
{
	struct wring_findings f = { 0 };
	int r = wring_store_findings(st, run->id, &f, err);

	if (!r && f.n)
		fprintf(out, "\nfindings\n");
	for (size_t i = 0; !r && i < f.n; i++)
		wring_table_finding(out, &f.rows[i]);
	wring_findings_done(&f);
	return r;
}

static int events(struct wring_store *st, const struct wring_run_row *run, FILE *out,
		  struct wring_err *err)
{
	static const char *const headings[] = { "SECONDS", "EVENT", "OF", "TEXT" };
	struct wring_events e = { 0 };
	struct libscols_table *t;
	int r = wring_store_events(st, run->id, NULL, NULL, &e, err);

	if (r || !e.n) {
		wring_events_done(&e);
		return r;
	}
	fputc('\n', out);
	t = wring_table_new(out, headings, WRING_ARRAY_SIZE(headings));
	r = t ? 0 : -ENOMEM;
	for (size_t i = 0; !r && i < e.n; i++) {
		char when[32];
		_cleanup_free_ char *first = strndup(e.rows[i].text, strcspn(e.rows[i].text, "\n"));
		/* a program's results fill pages */
		bool is_long = !strcmp(e.rows[i].kind, "output");
		const char *cells[] = { when, e.rows[i].kind, e.rows[i].subject, is_long && first ? first : e.rows[i].text };

		/* since the run's first event: nobody knows when the machine booted */
		snprintf(when, sizeof(when), "%.3f",
			 (double)(e.rows[i].t_ns - e.rows[0].t_ns) / 1e9);
		r = wring_table_row(t, cells, WRING_ARRAY_SIZE(cells));
	}
	if (t)
		r = wring_table_print(t, out, r);
	wring_events_done(&e);
	return r ? wring_err_set(err, r, "printing events: %s", strerror(-r)) : 0;
}

int wring_report_run(struct wring_store *st, const struct wring_run_row *run, FILE *out,
		     struct wring_err *err)
{
	int r;

	head(run, out);
	r = facts(st, run, out, err);
	if (!r)
		r = wring_report_metrics(st, run, out, err);
	if (!r)
		r = findings(st, run, out, err);
	return r ? r : events(st, run, out, err);
}
