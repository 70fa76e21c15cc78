/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dying cgroups: how many there are over time, and what stays after each block of cycles, with its slope. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/report/html.h"
#include "analyzers/stats/trend.h"
#include "harness/base/util.h"

#define KEY "nr_dying_descendants"
enum { MAX_CYCLES = 2000 };

/* Slope and its 99 % cone, from the middle of the values. */
static void cone(FILE *out, const struct wring_html_plot *p, const struct wring_theil *t, const double *y, size_t n)
{
	double mid = ((double)n - 1) / 2, sum = 0, half = mid;

	for (size_t i = 0; i < n; i++)
		sum += y[i] / (double)n;
	if (isfinite(t->lower) && isfinite(t->upper))
		wring_html(out, "<path class=\"cone\" d=\"M%.1f %.1fL%.1f %.1fL%.1f %.1fL%.1f %.1fZ\"/>\n", wring_html_px(p, 0),
			   wring_html_py(p, sum - t->lower * half), wring_html_px(p, 2 * mid), wring_html_py(p, sum + t->lower * half),
			   wring_html_px(p, 2 * mid), wring_html_py(p, sum + t->upper * half), wring_html_px(p, 0),
			   wring_html_py(p, sum - t->upper * half));
	wring_html(out, "<path class=\"slope\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", wring_html_px(p, 0), wring_html_py(p, sum - t->slope * half),
		   wring_html_px(p, 2 * mid), wring_html_py(p, sum + t->slope * half));
}

static void cycles(FILE *out, struct wring_html_run *r, const char *subject)
{
	const struct wring_events *e = wring_view_events(&r->view);
	double *y = malloc(MAX_CYCLES * sizeof(*y)), most = 0;
	struct wring_html_plot p = { .x0 = -0.5, .y0 = 0, .unit = "", .xunit = "" };
	struct wring_theil t = { 0 };
	struct wring_mk mk;
	size_t n = 0;
	int64_t v;

	for (size_t i = 0; y && i < e->n && n < MAX_CYCLES; i++)
		if (!strcmp(e->rows[i].kind, "mark") && !strcmp(e->rows[i].subject, "cycle") &&
		    !wring_view_at_mark(&r->view, "cgroup.stat", subject, KEY, e->rows[i].t_ns, &v))
			y[n++] = (double)v;
	if (n < 2 || wring_theil_sen(NULL, y, n, 0.99, &t)) {
		free(y);
		return;
	}
	mk = wring_mann_kendall(y, n);
	for (size_t i = 0; i < n; i++)
		most = fmax(most, y[i]);
	p.x1 = (double)n - 0.5;
	p.y1 = fmax(4, wring_html_round_up(most * 1.1, ""));
	wring_html(out, "<figure><figcaption><b>Dying cgroups left after the drain of each block of cycles</b>: slope %.3g a block "
			"(99 %% interval %.3g to %.3g), Mann-Kendall p %.2g for a rise, %zu blocks.</figcaption>\n",
		   t.slope, t.lower, t.upper, mk.p_up, n);
	wring_html_plot_begin(out, &p, "mid", "dying cgroups left after each block of cycles");
	cone(out, &p, &t, y, n);
	wring_html(out, "</svg>\n<svg class=\"dots\" role=\"presentation\">");
	for (size_t i = 0; i < n; i++)
		wring_html(out, "<circle cx=\"%.2f%%\" cy=\"%.2f%%\" r=\"4\"/>", wring_html_px(&p, (double)i) / 10, wring_html_py(&p, y[i]) / 10);
	wring_html_plot_words(out, &p);
	wring_html(out, "</div></figure>\n");
	free(y);
}

static void over_time(FILE *out, struct wring_html_run *r, const char *subject, const struct wring_series *s)
{
	struct wring_html_plot p = { .x0 = 0, .x1 = (double)(r->t1 - r->t0) / 1e9, .y0 = 0, .unit = "", .xunit = "s" };
	double *x = malloc(s->n * sizeof(*x)), *y = malloc(s->n * sizeof(*y)), most = 0;

	for (size_t i = 0; x && y && i < s->n; i++) {
		x[i] = (double)(s->t_ns[i] - r->t0) / 1e9;
		y[i] = (double)s->v[i];
		most = fmax(most, y[i]);
	}
	p.y1 = fmax(4, wring_html_round_up(most, ""));
	if (x && y) {
		wring_html(out, "<figure><figcaption><b>Dying cgroups below %s over time</b>: at most %.0f, %.0f at the end. Before a drain "
				"they are by design.</figcaption>\n", strcmp(subject, ".") ? subject : "the scenario's root", most, y[s->n - 1]);
		wring_html_plot_begin(out, &p, "mid", "dying cgroups over time");
		wring_html_line(out, &p, "l0", x, y, s->n);
		wring_html_plot_words(out, &p);
		wring_html(out, "</div></figure>\n");
	}
	free(x);
	free(y);
}

void wring_html_cycles(FILE *out, struct wring_html_run *r)
{
	const struct wring_sources *s = wring_view_sources(&r->view);
	const struct wring_series *best = NULL;
	const char *subject = NULL;
	int64_t t;

	if (wring_view_last_mark(&r->view, "cycle", &t))
		return;
	/* the deepest group that counts them: the root of the scenario also sees its own removal */
	for (size_t i = 0; i < s->n; i++) {
		const struct wring_series *one = strcmp(s->rows[i].sampler, "cgroup.stat") ? NULL :
			wring_view_series(&r->view, "cgroup.stat", s->rows[i].subject, KEY);

		if (one && (!subject || strcmp(s->rows[i].subject, "."))) {
			subject = s->rows[i].subject;
			best = one;
		}
	}
	if (!best)
		return;
	wring_html(out, "<h4>Dying cgroups</h4>\n");
	cycles(out, r, subject);
	over_time(out, r, subject, best);
}
