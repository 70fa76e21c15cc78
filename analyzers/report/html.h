/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of the HTML report. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "analyzers/comparison.h"
#include "analyzers/view.h"

/* ---- html-write.c: everything goes through here ---- */

/* printf with the conversions s d zu lld llu f g and a literal format. Each %s is text: fit for an element and for a quoted
 * attribute, whatever it holds. There is no way to write a string unescaped, so nothing stored can become markup. */
void wring_html(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A word as a shell would read it back, on the heap. */
char *wring_html_shell(const char *s);

/* ---- what is known of one run ---- */
struct wring_html_run {
	const struct wring_run_row *row;
	struct wring_scenario *scenario;	/* NULL: the stored plan cannot be read */
	struct wring_view view;
	bool has_view;
	struct wring_findings findings;
	struct wring_metrics metrics;
	int64_t t0, t1;				/* first and last moment; all times shown are from t0 */
	unsigned number;			/* in the page, for ids */
};

/* html-moment.c: when did it happen? Seconds from t0 and the phase, where the run tells. */
struct wring_html_moment { bool known; double s; const char *phase /* or "" */, *how; };
struct wring_html_moment wring_html_when(struct wring_html_run *r, const struct wring_finding_row *f);
/* Times of OOM kills in a group (NULL: any), from the kernel's reports, else from the counter. Returns how many were written. */
size_t wring_html_kills(struct wring_html_run *r, const char *subject, int64_t *t_ns, size_t max);
/* Value against its limit, "9.9 times the limit"; buf of at least 80 bytes. */
const char *wring_html_ratio(double value, double limit, char *buf, size_t size);

/* ---- html-plot.c: a plot is an SVG that stretches, with its words outside, so that they stay readable at any width ---- */
struct wring_html_plot {
	double x0, x1, y0, y1;
	const char *unit;	/* "bytes" or what wring_text_value() takes */
	const char *xunit;	/* "s", or "" for counts */
};
/* label: what a screen reader says. Between begin and words: SVG in a 1000 x 1000 box. Behind the words of the axes: tags, and
 * "</div>". */
void wring_html_plot_begin(FILE *out, const struct wring_html_plot *p, const char *class, const char *label);
void wring_html_plot_words(FILE *out, const struct wring_html_plot *p);
double wring_html_px(const struct wring_html_plot *p, double x);
double wring_html_py(const struct wring_html_plot *p, double y);
/* A round number at or above v, in powers of two for bytes. */
double wring_html_round_up(double v, const char *unit);
/* At most `room` points of a line: the smallest and the largest of each stretch. class names its colour. */
void wring_html_line(FILE *out, const struct wring_html_plot *p, const char *class, const double *x, const double *y, size_t n);
/* A word over the plot, at x and y of the plot, kept inside it. */
void wring_html_tag(FILE *out, const struct wring_html_plot *p, const char *class, double x, double y, const char *text);
/* A bar of a value against its limit. */
void wring_html_gauge(FILE *out, double value, double limit, const char *unit, bool bad);
/* A small line without axes, with its changes; before `from` something else was measured. */
void wring_html_spark(FILE *out, const double *y, size_t n, const size_t *changes, size_t n_changes, size_t from, const char *label);

/* ---- parts of the page ---- */
void wring_html_timelines(FILE *out, struct wring_html_run *r);		/* html-timeline.c */
void wring_html_cycles(FILE *out, struct wring_html_run *r);		/* html-cycles.c */
void wring_html_groups(FILE *out, struct wring_html_run *r);		/* html-tables.c */
void wring_html_nodes(FILE *out, struct wring_html_run *r);
void wring_html_metrics(FILE *out, struct wring_html_run *r);
void wring_html_facts(FILE *out, struct wring_html_run *r);
void wring_html_section(FILE *out, struct wring_html_run *r);		/* html-run.c */
/* html-compare.c: the newest comparisons that the runs were part of, for the top of the page and for a section of its own. */
enum { WRING_HTML_COMPARISONS = 4 };
struct wring_html_compared {
	struct wring_comparisons all;
	struct { const struct wring_comparison *c; struct wring_versus v; } rows[WRING_HTML_COMPARISONS];
	size_t n, regressions;	/* regressions: scenarios with one */
};
int wring_html_compared_load(struct wring_store *st, const struct wring_runs *runs, struct wring_html_compared *ret, struct wring_err *err);
void wring_html_compared_done(struct wring_html_compared *c);
void wring_html_regressions(FILE *out, const struct wring_html_compared *c);
void wring_html_comparisons(FILE *out, const struct wring_html_compared *c);
/* html-trend.c */
int wring_html_history(FILE *out, struct wring_store *st, struct wring_err *err);

/* analyzers/report/html/: report.css, report.js, and dygraphs where configure found it; NULL when it is not there. */
const char *wring_html_asset(const char *name);
