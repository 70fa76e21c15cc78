/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two arms: for each metric a strip with every run, the interval of the difference, and the band of what does not matter. */
#include <math.h>
#include <string.h>
#include "analyzers/report/html.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"

/* Every run in order of time: a above, b below; medians as lines. */
static void runs_strip(FILE *out, const struct wring_versus_scenario *s, const struct wring_versus_metric *m)
{
	const struct wring_cmp_result *r = &m->r;
	const double *v = m->in.v;
	struct wring_html_plot p = { .x0 = INFINITY, .x1 = -INFINITY };
	char lo[48], hi[48];

	for (size_t i = 0; i < s->n_usable; i++)
		if (isfinite(v[i])) {
			p.x0 = fmin(p.x0, v[i]);
			p.x1 = fmax(p.x1, v[i]);
		}
	if (!isfinite(p.x0))
		return;
	wring_text_value(p.x0, m->in.unit, lo, sizeof(lo));
	wring_text_value(p.x1, m->in.unit, hi, sizeof(hi));
	if (!(p.x1 > p.x0)) {
		p.x0 -= 1;
		p.x1 += 1;
	}
	p.x0 -= (p.x1 - p.x0) * 0.04;
	p.x1 += (p.x1 - p.x0) * 0.04;
	wring_html(out, "<div class=\"strip\"><svg role=\"img\" aria-label=\"%zu runs of a and %zu of b between %s and %s\">", r->n_a, r->n_b, lo, hi);
	for (size_t i = 0; i < s->n_usable; i++)
		if (isfinite(v[i]))
			wring_html(out, "<circle class=\"%s\" cx=\"%.2f%%\" cy=\"%d%%\" r=\"4\"/>", s->runs[i].b ? "b" : "a",
				   wring_html_px(&p, v[i]) / 10, s->runs[i].b ? 72 : 28);
	if (isfinite(r->median_a) && isfinite(r->median_b))
		wring_html(out, "<line class=\"a\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"8%%\" y2=\"48%%\"/><line class=\"b\" x1=\"%.2f%%\" x2=\"%.2f%%\" "
				"y1=\"52%%\" y2=\"92%%\"/>", wring_html_px(&p, r->median_a) / 10, wring_html_px(&p, r->median_a) / 10,
			   wring_html_px(&p, r->median_b) / 10, wring_html_px(&p, r->median_b) / 10);
	wring_html(out, "</svg><span>%s</span><span class=\"end\">%s</span></div>", lo, hi);
}

/* The difference in percent with its interval, on the band of what does not matter. */
static void effect_strip(FILE *out, const struct wring_cmp_result *r)
{
	double most = r->min_pct * 2;
	struct wring_html_plot p;

	if (!isfinite(r->effect_pct)) {
		wring_html(out, "<span class=\"quiet\">no percentage</span>");
		return;
	}
	most = fmax(most, fabs(r->effect_pct) * 1.2);
	if (isfinite(r->ci_lo) && isfinite(r->ci_hi))
		most = fmax(most, fmin(fmax(fabs(r->ci_lo), fabs(r->ci_hi)) * 1.1, 20 * fmax(r->min_pct, fabs(r->effect_pct))));
	p = (struct wring_html_plot){ .x0 = -most, .x1 = most };
	wring_html(out, "<div class=\"strip effect\"><svg role=\"img\" aria-label=\"change %+.1f %%, interval %+.1f to %+.1f %%, what does not matter is "
			"within %.1f %%\">", r->effect_pct, r->ci_lo, r->ci_hi, r->min_pct);
	wring_html(out, "<rect class=\"band\" x=\"%.2f%%\" width=\"%.2f%%\" y=\"0\" height=\"100%%\"/>", wring_html_px(&p, -r->min_pct) / 10,
		   (wring_html_px(&p, r->min_pct) - wring_html_px(&p, -r->min_pct)) / 10);
	wring_html(out, "<line class=\"zero\" x1=\"50%%\" x2=\"50%%\" y1=\"0\" y2=\"100%%\"/>");
	if (isfinite(r->ci_lo) && isfinite(r->ci_hi))
		wring_html(out, "<line class=\"ci\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"50%%\" y2=\"50%%\"/>", wring_html_px(&p, r->ci_lo) / 10,
			   wring_html_px(&p, r->ci_hi) / 10);
	wring_html(out, "<circle class=\"effect\" cx=\"%.2f%%\" cy=\"50%%\" r=\"5\"/></svg><span>%.3g %%</span><span class=\"end\">%+.3g %%</span></div>",
		   wring_html_px(&p, r->effect_pct) / 10, -most, most);
}

static void row(FILE *out, const struct wring_versus_scenario *s, const struct wring_versus_metric *m)
{
	const struct wring_cmp_result *r = &m->r;
	bool decides = !strcmp(m->in.tier, "primary");
	char x[48], y[48];

	wring_html(out, "<tr><th scope=\"row\">%s<br><span class=\"quiet\">%s%s%s%s</span></th><td class=\"why\"><b class=\"badge %s\">%s%s%s</b><br>"
			"<span class=\"quiet\">%s</span></td>", m->in.name, m->in.tier, *m->in.better ? ", better " : "", m->in.better,
		   m->is_work ? ", emulated time: sets no code" : decides ? "" : ", a hint: sets no code", decides ? wring_cmp_name(r->verdict) : "hint",
		   decides ? "" : "(", wring_cmp_name(r->verdict), decides ? "" : ")", r->reason);
	wring_html(out, "<td class=\"n\">%s</td><td class=\"n\">%s</td><td>",
		   isfinite(r->median_a) ? wring_text_value(r->median_a, m->in.unit, x, sizeof(x)) : "-",
		   isfinite(r->median_b) ? wring_text_value(r->median_b, m->in.unit, y, sizeof(y)) : "-");
	runs_strip(out, s, m);
	wring_html(out, "</td><td>");
	effect_strip(out, r);
	wring_html(out, "</td></tr>\n");
}

static void scenario(FILE *out, const struct wring_comparison *c, const struct wring_versus_scenario *s, size_t number)
{
	const char *verdict = s->is_broken ? "broken" : wring_cmp_name(s->verdict);

	wring_html(out, "<h4 id=\"ab%lld-%zu\"><b class=\"badge %s\">%s</b> %s</h4>\n<p class=\"sub\">%zu runs of a, %zu of b. %s</p>\n", (long long)c->id, number, verdict,
		   verdict, s->name, s->n_a, s->n_b, s->total.reason);
	for (size_t i = 0; i < s->n_notes; i++)
		wring_html(out, "<p class=\"quiet\">%s</p>\n", s->notes[i]);
	if (!s->n_metrics)
		return;
	wring_html(out, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"comparison\"><table class=\"compare\"><thead><tr><th scope=\"col\">Metric</th>"
			"<th scope=\"col\">Verdict</th><th scope=\"col\">a</th><th scope=\"col\">b</th><th scope=\"col\">Every run: a above, b below</th>"
			"<th scope=\"col\">Change with its interval; within the band it does not matter</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < s->n_metrics; i++)
		row(out, s, &s->metrics[i]);
	wring_html(out, "</tbody></table></div>\n");
}

static void comparison(FILE *out, const struct wring_comparison *c, const struct wring_versus *v)
{
	const char *verdict = wring_cmp_name(wring_versus_verdict(v));

	wring_html(out, "<h3><b class=\"badge %s\">%s</b> %s against %s</h3>\n<p class=\"sub\">a is %s: %s. b is %s: %s. Comparison %lld, %s, order seed "
			"%llu%s%s.</p>\n", verdict, verdict, v->name_a, v->name_b, v->name_a, v->about_a, v->name_b, v->about_b, (long long)c->id, c->started,
		   (unsigned long long)v->seed, v->interleaved ? ", runs in random blocks" : ", not interleaved", c->done ? "" : ", not finished");
	for (size_t i = 0; i < v->n; i++)
		scenario(out, c, &v->rows[i], i);
}

/* Has a run of it been asked for? */
static bool is_in(struct wring_store *st, const struct wring_comparison *c, const struct wring_runs *runs, struct wring_err *err, int *r)
{
	struct wring_slots s = { 0 };
	bool found = false;

	*r = wring_store_slots(st, c->id, &s, err);
	for (size_t i = 0; i < s.n && !found; i++)
		for (size_t k = 0; k < runs->n && !found; k++)
			found = runs->rows[k].id == s.rows[i].run;
	wring_cmp_slots_done(&s);
	return found;
}

/* ---- the top of the page ---- */

static bool is_regression(const struct wring_versus_metric *m)
{
	return m->r.verdict == WRING_CMP_REGRESSION && !strcmp(m->in.tier, "primary");
}

static void failures(FILE *out, const struct wring_versus_scenario *s, const struct wring_versus_metric *m)
{
	size_t failed[2] = { 0 };

	for (size_t i = 0; i < s->n_usable; i++)
		failed[s->runs[i].b] += m->in.v[i] > 0;
	wring_html(out, "<b>%zu of %zu runs</b> of b, %zu of %zu of a", failed[1], s->n_b, failed[0], s->n_a);
}

static void change(FILE *out, const struct wring_versus_metric *m)
{
	const struct wring_cmp_result *r = &m->r;
	char x[48], y[48], lo[48], hi[48];

	if (isfinite(r->effect_pct)) {
		wring_html(out, "<b>%+.3g %%</b>", r->effect_pct);
		if (isfinite(r->ci_lo) && isfinite(r->ci_hi))
			wring_html(out, " (95 %% interval %+.3g to %+.3g %%)", r->ci_lo, r->ci_hi);
	} else if (isfinite(r->diff)) {
		wring_html(out, "<b>%s more</b>", wring_text_value(r->diff, m->in.unit, x, sizeof(x)));
		if (isfinite(r->diff_lo) && isfinite(r->diff_hi))
			wring_html(out, " (95 %% interval %s to %s)", wring_text_value(r->diff_lo, m->in.unit, lo, sizeof(lo)),
				   wring_text_value(r->diff_hi, m->in.unit, hi, sizeof(hi)));
	} else if (r->died_a + r->died_b) {
		wring_html(out, "<b>%zu of %zu runs of b died</b>, %zu of %zu of a", r->died_b, r->n_b, r->died_a, r->n_a);
	}
	if (isfinite(r->median_a) && isfinite(r->median_b))
		wring_html(out, ", from %s to %s; %s is better", wring_text_value(r->median_a, m->in.unit, x, sizeof(x)),
			   wring_text_value(r->median_b, m->in.unit, y, sizeof(y)), *m->in.better ? m->in.better : "neither");
	if (isfinite(r->effect_pct) && isfinite(r->min_pct))
		wring_html(out, ". What is within %.3g %% does not matter", r->min_pct);
}

static void card(FILE *out, const struct wring_comparison *c, const struct wring_versus *v, size_t number, const struct wring_versus_metric *m)
{
	const struct wring_versus_scenario *s = &v->rows[number];

	wring_html(out, "<article class=\"card\">\n<h3><a href=\"#ab%lld-%zu\">%s</a> <b class=\"badge regression\">regression</b> "
			"<span class=\"quiet\">%s</span></h3>\n<dl>\n", (long long)c->id, number, s->name, m->in.name);
	wring_html(out, "<dt>What</dt><dd>%s (b) is worse than %s (a)</dd>\n<dt>How much</dt><dd>", v->name_b, v->name_a);
	if (m->is_failure)
		failures(out, s, m);
	else
		change(out, m);
	wring_html(out, "</dd>\n<dt>How sure</dt><dd>%zu runs of a, %zu of b, %s", s->n_a, s->n_b,
		   v->interleaved ? "in random order" : "not in turn: a drift of the machine looks the same");
	if (isfinite(m->r.p_adj))
		wring_html(out, "; equal kernels would differ as much with probability %.2g", m->r.p_adj);
	wring_html(out, "</dd>\n<dt>When</dt><dd>comparison %lld of %s%s</dd>\n<dt>Where</dt><dd>a: %s<br>b: %s</dd>\n</dl>\n", (long long)c->id,
		   c->started, c->done ? "" : ", not finished", v->about_a, v->about_b);
	if (!m->is_failure) {
		wring_html(out, "<p class=\"quiet\">Every run, a above and b below, with medians:</p>\n");
		runs_strip(out, s, m);
	}
	wring_html(out, "</article>\n");
}

void wring_html_regressions(FILE *out, const struct wring_html_compared *c)
{
	for (size_t i = 0; i < c->n; i++)
		for (size_t k = 0; k < c->rows[i].v.n; k++)
			for (size_t m = 0; m < c->rows[i].v.rows[k].n_metrics; m++)
				if (is_regression(&c->rows[i].v.rows[k].metrics[m]))
					card(out, c->rows[i].c, &c->rows[i].v, k, &c->rows[i].v.rows[k].metrics[m]);
}

/* ---- all of it ---- */

int wring_html_compared_load(struct wring_store *st, const struct wring_runs *runs, struct wring_html_compared *ret, struct wring_err *err)
{
	int r;

	*ret = (struct wring_html_compared){ 0 };
	r = wring_store_comparisons(st, NULL, &ret->all, err);
	for (size_t i = ret->all.n; !r && i-- > 0 && ret->n < WRING_HTML_COMPARISONS;) {
		if (!is_in(st, &ret->all.rows[i], runs, err, &r) || r)
			continue;
		r = wring_versus_load(st, &ret->all.rows[i], &ret->rows[ret->n].v, err);
		if (!r)
			ret->rows[ret->n++].c = &ret->all.rows[i];
	}
	for (size_t i = 0; i < ret->n; i++)
		for (size_t k = 0; k < ret->rows[i].v.n; k++)
			ret->regressions += ret->rows[i].v.rows[k].verdict == WRING_CMP_REGRESSION;
	return r;
}

void wring_html_compared_done(struct wring_html_compared *c)
{
	for (size_t i = 0; i < c->n; i++)
		wring_versus_done(&c->rows[i].v);
	if (c->all.n)
		wring_comparisons_done(&c->all);
}

void wring_html_comparisons(FILE *out, const struct wring_html_compared *c)
{
	if (c->n)
		wring_html(out, "<section id=\"comparison\"><h2>Comparison</h2>\n");
	for (size_t i = 0; i < c->n; i++)
		comparison(out, c->rows[i].c, &c->rows[i].v);
	if (c->n)
		wring_html(out, "</section>\n");
}
