/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a run ends with on a terminal. */
#include <errno.h>
#include <libsmartcols.h>
#include <string.h>
#include "analyzers/post-mortem.h"
#include "analyzers/report/format.h"
#include "analyzers/report/report.h"
#include "analyzers/report/table.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"

struct libscols_table *wring_table_new(FILE *out, const char *const *headings, size_t n)
{
	struct libscols_table *t = scols_new_table();

	if (!t)
		return NULL;
	scols_table_set_stream(t, out);
	scols_table_set_termforce(t, SCOLS_TERMFORCE_ALWAYS);
	scols_table_set_termwidth(t, wring_text_columns(out));
	for (size_t i = 0; i < n; i++) {
		/* the last column takes what is left, and more lines where that is not enough */
		if (scols_table_new_column(t, headings[i], 0, i + 1 == n ? SCOLS_FL_WRAP : 0))
			continue;
		scols_unref_table(t);
		return NULL;
	}
	return t;
}

int wring_table_row(struct libscols_table *t, const char *const *cells, size_t n)
{
	struct libscols_line *line = scols_table_new_line(t, NULL);

	for (size_t i = 0; line && i < n; i++) {
		/* without a locale that has them libsmartcols would print "\xef", and wrap within it */
		_cleanup_free_ char *clean = MB_CUR_MAX > 1 ? wring_text_clean(cells[i], true) : wring_text_ascii(cells[i]);

		if (!clean || scols_line_set_data(line, i, clean))
			return -ENOMEM;
	}
	return line ? 0 : -ENOMEM;
}

int wring_table_print(struct libscols_table *t, FILE *out, int r)
{
	if (!r && scols_print_table(t))
		r = -EIO;
	scols_unref_table(t);
	if (!r && fflush(out))
		r = -errno;
	return r;
}

/* A table that does not fit shrinks its last column, so that the words in it are kept short. */
static int add_run(struct wring_store *st, struct libscols_table *t, const struct wring_run_row *run, struct wring_err *err)
{
	struct wring_findings f = { 0 };
	int r = wring_store_findings(st, run->id, &f, err);
	const char *cells[3] = { run->scenario, run->outcome, wring_why(run, &f) };

	if (!r)
		r = wring_table_row(t, cells, WRING_ARRAY_SIZE(cells));
	wring_findings_done(&f);
	return r;
}

void wring_table_finding(FILE *out, const struct wring_finding_row *f)
{
	_cleanup_free_ char *name = wring_text_clean(f->detector, true),
			    *cls = wring_text_clean(f->class, true);
	_cleanup_free_ char *unit = wring_text_clean(f->unit, true);
	char value[48], limit[48];

	fprintf(out, "  %s/%s: %s, %s against %s\n", name ? name : "", cls ? cls : "", f->verdict,
		wring_text_value(f->value, unit ? unit : "", value, sizeof(value)),
		wring_text_value(f->limit, unit ? unit : "", limit, sizeof(limit)));
	wring_text_wrap(out, f->evidence, 4, wring_text_columns(out));
	if (*f->link)
		wring_text_wrap(out, f->link, 4, wring_text_columns(out));
}

static int list_findings(struct wring_store *st, const struct wring_run_row *run, FILE *out,
			 struct wring_err *err)
{
	_cleanup_free_ char *name = wring_text_clean(run->scenario, true), *remains = wring_remains_text(st, run);
	struct wring_findings f = { 0 };
	size_t n = 0;
	int r = wring_store_findings(st, run->id, &f, err);

	for (size_t i = 0; !r && i < f.n; i++) {
		if (!strcmp(f.rows[i].verdict, "pass"))
			continue;
		if (!n++)
			fprintf(out, "\n%s (run %lld)\n", name ? name : "", (long long)run->id);
		wring_table_finding(out, &f.rows[i]);
	}
	if (n && remains)
		wring_text_wrap(out, remains, 2, wring_text_columns(out));
	wring_findings_done(&f);
	return r;
}

int wring_report_table(struct wring_store *st, const struct wring_runs *runs, FILE *out,
		       struct wring_err *err)
{
	static const char *const headings[] = { "SCENARIO", "OUTCOME", "WHY" };
	struct libscols_table *t = wring_table_new(out, headings, WRING_ARRAY_SIZE(headings));
	int r = t ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < runs->n; i++)
		r = add_run(st, t, &runs->rows[i], err);
	if (t)
		r = wring_table_print(t, out, r);
	if (r)
		return wring_err_set(err, r, "printing the results: %s", strerror(-r));
	for (size_t i = 0; !r && i < runs->n; i++)
		r = list_findings(st, &runs->rows[i], out, err);
	return r;
}
