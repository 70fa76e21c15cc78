/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The report for a terminal: the table a run ends with, and the metrics that decide. */
#include <errno.h>
#include <libsmartcols.h>
#include <string.h>
#include "analyzers/report/format.h"
#include "analyzers/report/report.h"
#include "analyzers/report/table.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"

struct metrics { struct libscols_table *t; size_t n; bool all; };

static int add_metrics(const struct wring_case *c, size_t i, FILE *out, void *data)
{
	struct metrics *m = data;
	char id[24], value[48];

	(void)i, (void)out;
	snprintf(id, sizeof(id), "%lld", (long long)c->run->id);
	for (size_t k = 0; k < c->m.n; k++) {
		const struct wring_metric_row *row = &c->m.rows[k];
		const char *cells[] = { id, c->run->scenario, row->name, wring_text_value(row->value, row->unit, value, sizeof(value)), row->better,
					c->run->release };

		if (!m->all && strcmp(row->tier, "primary"))
			continue;
		m->n++;
		if (wring_table_row(m->t, cells, WRING_ARRAY_SIZE(cells)))
			return -ENOMEM;
	}
	return 0;
}

static int write_text(struct wring_store *st, const struct wring_runs *runs, const struct wring_format_options *o, FILE *out,
		      struct wring_err *err)
{
	static const char *const headings[] = { "RUN", "SCENARIO", "METRIC", "VALUE", "BETTER", "KERNEL" };
	struct metrics m = { .all = runs->n == 1 };
	int r = wring_report_table(st, runs, out, err);

	(void)o;
	if (r)
		return r;
	m.t = wring_table_new(out, headings, WRING_ARRAY_SIZE(headings));
	r = m.t ? wring_case_each(st, runs, out, add_metrics, &m, err) : wring_err_set(err, -ENOMEM, "out of memory");
	if (!r && m.n)
		fputc('\n', out);
	if (m.t && m.n)
		r = wring_table_print(m.t, out, r);
	else
		scols_unref_table(m.t);
	return r ? r : wring_written(out, err);
}

static const struct wring_format text_report = {
	.name = "text", .summary = "tables for a terminal", .use = WRING_FOR_REPORT, .write = write_text,
};
WRING_REGISTER_FORMAT(text_report);
