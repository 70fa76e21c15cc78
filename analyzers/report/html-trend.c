/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The page of histories: what changed and when, then the course of each series. */
#include <stdlib.h>
#include "analyzers/history.h"
#include "analyzers/report/html.h"
#include "analyzers/report/text.h"
#include "analyzers/report/trend.h"

enum { LEAST_NIGHTS = 5, MAX_SERIES = 120, MAX_EVENTS = 40 };

static void event(FILE *out, const struct wring_history *h, const struct wring_hevent *e)
{
	const struct wring_hseries *s = &h->series[e->series[0]];
	const struct wring_hchange *c = &s->changes[e->change[0]];

	wring_html(out, "<li><b>%s</b> <b class=\"badge %s\">%s</b> %s on %s, Linux %s%s%s:<ul>", s->nights[c->at].date,
		   e->worse ? "fail" : e->known ? "known" : "ok", e->worse ? "worse" : e->known ? "known" : "changed", s->scenario, s->machine,
		   c->at ? s->nights[c->at - 1].release : "", c->at ? " to " : "", s->nights[c->at].release);
	for (size_t i = 0; i < e->n && i < 12; i++) {
		const struct wring_hseries *one = &h->series[e->series[i]];
		const struct wring_hchange *d = &one->changes[e->change[i]];
		char x[48], y[48], pct[24];

		wring_html(out, "<li>%s: %s to %s, <b>%s</b> <span class=\"quiet\">%s%s%s</span></li>", one->name,
			   wring_text_value(d->before, one->unit, x, sizeof(x)), wring_text_value(d->after, one->unit, y, sizeof(y)),
			   wring_trend_percent(d, pct, sizeof(pct)), wring_trend_how(d), one->known[e->change[i]] ? ". Known: " : "",
			   one->known[e->change[i]] ? one->known[e->change[i]]->reason : "");
	}
	if (e->n > 12)
		wring_html(out, "<li>and %zu more metrics</li>", e->n - 12);
	wring_html(out, "</ul></li>\n");
}

static void row(FILE *out, const struct wring_hseries *s)
{
	const struct wring_hchange *last = s->n_changes ? &s->changes[s->n_changes - 1] : NULL;
	size_t marks[WRING_MAX_CHANGES + 1], n = 0;
	double *y = malloc(s->n * sizeof(*y));
	char value[48], pct[24], label[80];

	for (size_t i = 0; y && i < s->n; i++)
		y[i] = s->nights[i].value;
	for (size_t i = 0; i < s->n_changes; i++)
		marks[n++] = s->changes[i].at;
	snprintf(label, sizeof(label), "%zu nights, %zu changes", s->n, s->n_changes);
	wring_html(out, "<tr><th scope=\"row\">%s</th><td>%s</td><td class=\"n\">%zu</td><td class=\"n\">%s</td><td class=\"n%s\">%s</td><td>%s to %s</td><td>",
		   s->scenario, s->name, s->n, wring_text_value(s->nights[s->n - 1].value, s->unit, value, sizeof(value)),
		   last && last->worse && !last->gone ? " bad" : "", last ? wring_trend_percent(last, pct, sizeof(pct)) : "", s->nights[0].date,
		   s->nights[s->n - 1].date);
	if (y)
		wring_html_spark(out, y, s->n, marks, n, s->from, label);
	wring_html(out, "</td></tr>\n");
	free(y);
}

static void page(FILE *out, const struct wring_history *h)
{
	size_t n = 0;

	wring_html(out, "<section id=\"history\"><h2>History</h2>\n<p class=\"quiet\">Medians of each night. Broken lines are changes; what is left of a "
			"thin line was another setup. A change is a reason to run the two kernels again, interleaved: <code>wring ab</code>.</p>\n");
	if (h->n_events)
		wring_html(out, "<ul class=\"events\">\n");
	for (size_t i = 0; i < h->n_events && i < MAX_EVENTS; i++)
		event(out, h, &h->events[i]);
	if (h->n_events)
		wring_html(out, "</ul>\n");
	wring_html(out, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"history\"><table><thead><tr><th scope=\"col\">Scenario</th>"
			"<th scope=\"col\">Metric</th><th scope=\"col\">Nights</th><th scope=\"col\">Last</th><th scope=\"col\">Latest change</th>"
			"<th scope=\"col\">From</th><th scope=\"col\">Course</th></tr></thead><tbody>\n");
	/* those with a change first */
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < h->n && n < MAX_SERIES; i++)
			if (h->series[i].n >= LEAST_NIGHTS && (h->series[i].n_changes > 0) == !pass) {
				row(out, &h->series[i]);
				n++;
			}
	wring_html(out, "</tbody></table></div>\n");
	if (h->n > n)
		wring_html(out, "<p class=\"quiet\">%zu of %zu series; <code>wring trend --all</code> has the others.</p>\n", n, h->n);
	wring_html(out, "</section>\n");
}

int wring_html_history(FILE *out, struct wring_store *st, struct wring_err *err)
{
	const struct wring_history_opts o = { 0 };
	struct wring_history h;
	bool any = false;
	int r = wring_history_read(st, &o, &h, err);

	if (r)
		return r;
	for (size_t i = 0; i < h.n; i++)
		any |= h.series[i].n >= LEAST_NIGHTS;
	if (any)
		page(out, &h);
	wring_history_done(&h);
	return 0;
}
