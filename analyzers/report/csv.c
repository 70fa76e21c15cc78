/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CSV (RFC 4180) in one table: a row a run, a row a metric, a row a finding. */
#include <string.h>
#include "analyzers/report/format.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"

static void cell(const char *s, bool last, FILE *out)
{
	_cleanup_free_ char *clean = wring_text_clean(s, true);
	const char *p = clean ? clean : "";
	bool quoted = strpbrk(p, "\",") || *p == ' ';

	if (quoted)
		fputc('"', out);
	for (; *p; p++) {
		if (*p == '"')
			fputc('"', out);
		fputc(*p, out);
	}
	fputs(quoted ? "\"" : "", out);
	fputs(last ? "\r\n" : ",", out);
}

static void row(const struct wring_case *c, const char *const *own, size_t n, FILE *out)
{
	char id[24], seed[24];
	const struct wring_run_row *r = c->run;
	const char *const head[] = { r->uuid, r->scenario, r->label, r->arm, r->where, r->release, r->append, r->started, r->outcome,
				     seed, id };

	snprintf(seed, sizeof(seed), "%lld", (long long)r->seed);
	snprintf(id, sizeof(id), "%lld", (long long)r->id);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(head); i++)
		cell(head[i], false, out);
	for (size_t i = 0; i < n; i++)
		cell(own[i], i + 1 == n, out);
}

static int run(const struct wring_case *c, size_t i, FILE *out, void *data)
{
	char value[32], limit[32];
	const char *const own[] = { "run", "duration", "", c->run->outcome, "", "lower",
				    wring_text_number(c->run->duration_s, value, sizeof(value)), "", "s", c->run->reason };

	(void)i, (void)data;
	row(c, own, WRING_ARRAY_SIZE(own), out);
	for (size_t k = 0; k < c->m.n; k++) {
		const struct wring_metric_row *m = &c->m.rows[k];
		const char *const cells[] = { "metric", m->name, "", "", m->tier, m->better, wring_text_number(m->value, value, sizeof(value)),
					      "", m->unit, "" };

		row(c, cells, WRING_ARRAY_SIZE(cells), out);
	}
	for (size_t k = 0; k < c->f.n; k++) {
		const struct wring_finding_row *f = &c->f.rows[k];
		const char *const cells[] = { "finding", f->detector, f->class, f->verdict, "", "",
					      wring_text_number(f->value, value, sizeof(value)),
					      wring_text_number(f->limit, limit, sizeof(limit)), f->unit, f->evidence };

		row(c, cells, WRING_ARRAY_SIZE(cells), out);
	}
	return 0;
}

static int write_csv(struct wring_store *st, const struct wring_runs *runs, const struct wring_format_options *o, FILE *out,
		     struct wring_err *err)
{
	int r;

	(void)o;
	fputs("run,scenario,label,arm,where,kernel,append,started,outcome,seed,id,kind,name,class,verdict,tier,better,value,limit,unit,text\r\n", out);
	r = wring_case_each(st, runs, out, run, NULL, err);
	return r ? r : wring_written(out, err);
}

static const struct wring_format csv = {
	.name = "csv", .summary = "one table with a row a run, metric and finding", .use = WRING_FOR_EXPORT, .write = write_csv,
};
WRING_REGISTER_FORMAT(csv);
