/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A comparison for people: a table as benchstat's, and a mail as the kernel test robot's. */
#include <errno.h>
#include <libsmartcols.h>
#include <math.h>
#include <string.h>

#include "analyzers/report/report.h"
#include "analyzers/report/table.h"
#include "analyzers/report/text.h"
#include "analyzers/stats/order.h"
#include "analyzers/stats/perm.h"
#include "harness/base/util.h"

enum { MAIL_COLUMNS = 72, PIPE_COLUMNS = 150 };

static bool is_shown(const struct wring_versus_metric *m)
{
	return strcmp(m->in.tier, "info");
}

/* ---- cells ---- */

static const char *number(double v, char *buf, size_t size)
{
	if (isnan(v))
		snprintf(buf, size, "-");
	else if (isinf(v))
		snprintf(buf, size, "died");
	else if (fabs(v) < 1e7 && v == floor(v))
		snprintf(buf, size, "%.0f", v);
	else
		snprintf(buf, size, "%.4g", v);
	return buf;
}

/* Of one arm, in percent: 1.4826 times the median distance from the median. NaN when there is none. */
static double spread(const struct wring_versus_scenario *s, const struct wring_versus_metric *m, bool b)
{
	double v[WRING_PERM_MAX], middle;
	size_t n = 0;

	for (size_t i = 0; i < s->n_usable; i++)
		if (s->runs[i].b == b && !s->runs[i].died && isfinite(m->in.v[i]))
			v[n++] = m->in.v[i];
	middle = wring_median(v, n);
	for (size_t i = 0; i < n; i++)
		v[i] = fabs(v[i] - middle);
	return n && middle != 0 ? 100 * 1.4826 * wring_median(v, n) / fabs(middle) : NAN;
}

static const char *median(const struct wring_versus_scenario *s, const struct wring_versus_metric *m, bool b, char *buf, size_t size)
{
	double width = spread(s, m, b), middle = b ? m->r.median_b : m->r.median_a;
	char text[32];

	number(middle, text, sizeof(text));
	if (isfinite(middle) && isfinite(width) && width > 0)
		snprintf(buf, size, "%s +-%.*f%%", text, width < 0.1 ? 2 : width < 10 ? 1 : 0, width);
	else
		snprintf(buf, size, "%s", text);
	return buf;
}

/* A percentage that fits its column. */
static int percent(char *buf, size_t size, double v, const char *unit)
{
	if (isnan(v))
		return snprintf(buf, size, "-");
	if (isinf(v))
		return snprintf(buf, size, "%cinf", v > 0 ? '+' : '-');
	if (fabs(v) < 0.005)
		return snprintf(buf, size, "0");
	return snprintf(buf, size, fabs(v) < 10 ? "%+.2f%s" : fabs(v) < 1000 ? "%+.1f%s" : "%+.3g%s", v, unit);
}

static const char *change(const struct wring_cmp_result *r, bool with_interval, char *buf, size_t size)
{
	bool relative = isfinite(r->effect_pct);
	double v[] = { relative ? r->effect_pct : r->diff, relative ? r->ci_lo : r->diff_lo, relative ? r->ci_hi : r->diff_hi };
	char text[3][24];

	for (int i = 0; i < 3; i++)
		percent(text[i], sizeof(text[i]), v[i], relative && !i ? "%" : "");
	if (r->two_modes)
		snprintf(buf, size, "two modes");
	else if (isnan(v[0]) || !with_interval)
		snprintf(buf, size, "%s", text[0]);
	else
		snprintf(buf, size, "%s [%s,%s]", text[0], text[1], text[2]);
	return buf;
}

static const char *p_value(const struct wring_cmp_result *r, char *buf, size_t size)
{
	if (!isfinite(r->p_adj))
		return "-";
	snprintf(buf, size, r->p_adj < 0.0001 ? "%.0e" : "%.4f", r->p_adj);
	return buf;
}

/* What has no say is in lower case and in brackets. */
static const char *verdict(const struct wring_versus_metric *m, char *buf, size_t size)
{
	const char *name = wring_cmp_name(m->r.verdict);

	if (m->is_work)
		snprintf(buf, size, "(%s: work)", name);
	else if (strcmp(m->in.tier, "primary"))
		snprintf(buf, size, "(%s)", name);
	else if (m->pre_existing && m->r.verdict != WRING_CMP_REGRESSION)
		snprintf(buf, size, "pre-existing");
	else if (m->r.verdict == WRING_CMP_REGRESSION)
		snprintf(buf, size, "REGRESSION");
	else
		snprintf(buf, size, "%s", name);
	return buf;
}

/* ---- the text ---- */

static void header(const struct wring_versus *v, const struct wring_versus_scenario *s, FILE *out, size_t width)
{
	_cleanup_free_ char *arms = wring_strf("%s: %s (%s) against %s (%s)", s->name, v->name_a, v->about_a, v->name_b, v->about_b);
	_cleanup_free_ char *how = NULL;

	if (v->deterministic)
		how = wring_strf("%zu + %zu boots counted in instructions (order seed and first seed %llu, the same seeds in both arms%s)", s->n_a,
				 s->n_b, (unsigned long long)v->seed, v->aa ? ", shifted" : "");
	else if (v->interleaved)
		how = wring_strf("%zu + %zu boots in %u random blocks, %u of them whole; order seed %llu", s->n_a, s->n_b, s->total.blocks,
				 s->total.complete, (unsigned long long)v->seed);
	else
		how = wring_strf("NOT INTERLEAVED: %zu + %zu stored runs, not run in turn. A drift of the machine looks like a difference of the "
				 "kernels: wring ab runs them in random blocks.", s->n_a, s->n_b);
	if (arms)
		wring_text_wrap(out, arms, 0, width);
	if (how)
		wring_text_wrap(out, how, 0, width);
}

static void line(FILE *out, const char *text, size_t width)
{
	wring_text_wrap(out, text, 2, width);
}

/* Why each verdict is what it is, what the record of this kernel against itself says, and what was not judged. */
static void footer(const struct wring_versus *v, const struct wring_versus_scenario *s, bool mail, FILE *out, size_t width)
{
	size_t hints = 0;
	bool recorded = false;

	for (size_t i = 0; i < s->n_metrics; i++) {
		const struct wring_versus_metric *m = &s->metrics[i];
		_cleanup_free_ char *text = NULL, *record = NULL;

		hints += is_shown(m) && strcmp(m->in.tier, "primary");
		if (!is_shown(m) || (strcmp(m->in.tier, "primary") && !m->is_work))
			continue;
		text = wring_strf("%s: %s", m->in.name, m->r.reason);
		if (text)
			line(out, text, width);
		if (m->aa.n)
			record = wring_strf("%s: a kernel against itself: %u false alarms in %u comparisons (%.1f to %.1f %%), spread %.2g %%", m->in.name,
					    m->aa.alarms, m->aa.n, 100 * m->aa.rate_ci.lower, 100 * m->aa.rate_ci.upper, m->aa.spread_pct);
		recorded = recorded || m->aa.n;
		if (record)
			line(out, record, width);
	}
	for (size_t i = 0; i < s->n_notes; i++)
		line(out, s->notes[i], width);
	if (!recorded && !v->aa)
		line(out, "no record of a kernel against itself here: wring ab --aa makes one, and with it the noise is known", width);
	if (hints && !mail)
		line(out, "in brackets: hints, which set no code (false discovery rate 10 %)", width);
}

static int table(const struct wring_versus *v, const struct wring_versus_scenario *s, FILE *out)
{
	const char *const headings[] = { "METRIC", "UNIT", v->name_a, v->name_b, "CHANGE [INTERVAL]", "P ADJ", "VERDICT" };
	struct libscols_table *t = wring_table_new(out, headings, WRING_ARRAY_SIZE(headings));
	int r = t ? 0 : -ENOMEM;

	/* A table that does not fit wraps its verdicts: on a pipe there is room. */
	if (t && !isatty(fileno(out)))
		scols_table_set_termwidth(t, PIPE_COLUMNS);
	for (int primary = 1; primary >= 0; primary--)
		for (size_t i = 0; i < s->n_metrics && !r; i++) {
			const struct wring_versus_metric *m = &s->metrics[i];
			char a[64], b[64], c[100], p[24], w[48];
			const char *cells[] = { m->in.name, m->in.unit, median(s, m, false, a, sizeof(a)),
						median(s, m, true, b, sizeof(b)), change(&m->r, true, c, sizeof(c)),
						p_value(&m->r, p, sizeof(p)), verdict(m, w, sizeof(w)) };

			if (is_shown(m) && !!strcmp(m->in.tier, "primary") != (bool)primary)
				r = wring_table_row(t, cells, WRING_ARRAY_SIZE(cells));
		}
	return t ? wring_table_print(t, out, r) : r;
}

/* ---- the mail ---- */

static void mail_rows(const struct wring_versus *v, const struct wring_versus_scenario *s, FILE *out)
{
	fprintf(out, "%16.16s %13s %16.16s\n", v->name_a, "%change", v->name_b);
	for (int primary = 1; primary >= 0; primary--)
		for (size_t i = 0; i < s->n_metrics; i++) {
			const struct wring_versus_metric *m = &s->metrics[i];
			bool judged = !strcmp(m->in.tier, "primary");
			char a[64], b[64], c[100], mark = ' ';

			if (!is_shown(m) || judged != (bool)primary)
				continue;
			if (judged)
				mark = m->r.verdict == WRING_CMP_REGRESSION || m->r.verdict == WRING_CMP_IMPROVEMENT ? '*' :
				       m->r.verdict == WRING_CMP_INCONCLUSIVE ? '?' : '=';
			fprintf(out, "%16.16s %11.11s %c %16.16s  %.24s\n", median(s, m, false, a, sizeof(a)), change(&m->r, false, c, sizeof(c)), mark,
				median(s, m, true, b, sizeof(b)), m->in.name);
		}
	fprintf(out, "* differs  = the same  ? inconclusive  (none: a hint, not judged)\n");
}

int wring_report_versus(const struct wring_versus *v, bool mail, FILE *out, struct wring_err *err)
{
	size_t width = mail ? MAIL_COLUMNS : wring_text_columns(out);
	int r = 0;

	for (size_t i = 0; i < v->n && !r; i++) {
		const struct wring_versus_scenario *s = &v->rows[i];

		if (i)
			fputc('\n', out);
		header(v, s, out, width);
		fputc('\n', out);
		if (mail)
			mail_rows(v, s, out);
		else
			r = table(v, s, out);
		fputc('\n', out);
		footer(v, s, mail, out, width);
		fprintf(out, "%s: %s%s\n", s->name, wring_cmp_name(s->verdict), s->is_broken ? " (an arm was not measured)" : "");
	}
	if (!r && fflush(out))
		r = -errno;
	return r ? wring_err_set(err, r, "printing the comparison: %s", strerror(-r)) : 0;
}
