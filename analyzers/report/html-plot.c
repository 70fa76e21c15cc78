/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/report/html.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"

enum { BOX = 1000, ROOM = 300 };

static double clamp(double v, double lo, double hi) { return v < lo ? lo : v > hi ? hi : v; }

/* Numbers that came from a database may be anything; what leaves here is between 0 and BOX. */
static double scale(double v, double from, double to)
{
	double s = to > from && isfinite(v) ? (v - from) / (to - from) : 0;

	return clamp(s, 0, 1) * BOX;
}

double wring_html_px(const struct wring_html_plot *p, double x) { return scale(x, p->x0, p->x1); }
double wring_html_py(const struct wring_html_plot *p, double y) { return BOX - scale(y, p->y0, p->y1); }

double wring_html_round_up(double v, const char *unit)
{
	bool bytes = !strcmp(unit, "bytes");
	double base = bytes ? 2 : 10, power;

	if (!(v > 0) || !isfinite(v))
		return 1;
	power = pow(base, floor(log(v) / log(base)));
	if (bytes)
		return v <= power ? power : v <= 1.25 * power ? 1.25 * power : v <= 1.5 * power ? 1.5 * power : 2 * power;
	return v <= power ? power : v <= 2 * power ? 2 * power : v <= 5 * power ? 5 * power : 10 * power;
}

void wring_html_plot_begin(FILE *out, const struct wring_html_plot *p, const char *class, const char *label)
{
	(void)p;
	wring_html(out, "<div class=\"plot %s\">\n<svg viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%s\">\n",
		   class, label);
	for (int i = 1; i < 4; i++)
		wring_html(out, "<path class=\"grid\" d=\"M0 %dH1000\"/>\n", 250 * i);
}

/* A step of 1, 2 or 5 that makes at most `most` of it. */
static double step_of(double span, int most)
{
	double power, least = span / most;

	if (!(span > 0) || !isfinite(span))
		return 1;
	power = pow(10, floor(log10(least)));
	for (int i = 0; i < 4; i++) {
		double s = power * (i == 0 ? 1 : i == 1 ? 2 : i == 2 ? 5 : 10);

		if (s >= least)
			return s;
	}
	return 10 * power;
}

void wring_html_plot_words(FILE *out, const struct wring_html_plot *p)
{
	double step = step_of(p->x1 - p->x0, 8);
	char text[48];
	int n = 0;

	wring_html(out, "</svg>\n");
	for (int i = 0; i <= 4; i++)
		wring_html(out, "<span class=\"y\" style=\"bottom:%.2f%%\">%s</span>\n", 25.0 * i,
			   wring_text_value(p->y0 + (p->y1 - p->y0) * i / 4, strcmp(p->unit, "bytes") ? "" : "bytes", text, sizeof(text)));
	for (double x = ceil(p->x0 / step) * step; x <= p->x1 + step / 1000 && n < 12; x += step, n++)
		wring_html(out, "<span class=\"x%s\" style=\"left:%.2f%%\">%.4g%s%s</span>\n", n % 2 ? " odd" : "", wring_html_px(p, x) / 10,
			   fabs(x) < step / 1000 ? 0 : x, *p->xunit ? " " : "", p->xunit);
}

void wring_html_line(FILE *out, const struct wring_html_plot *p, const char *class, const double *x, const double *y, size_t n)
{
	size_t stride = n > ROOM ? (n + ROOM - 1) / ROOM : 1;

	if (!n)
		return;
	wring_html(out, "<polyline class=\"line %s\" points=\"", class);
	for (size_t i = 0; i < n; i += stride) {
		size_t lo = i, hi = i;

		for (size_t k = i; k < i + stride && k < n; k++) {
			lo = y[k] < y[lo] ? k : lo;
			hi = y[k] > y[hi] ? k : hi;
		}
		if (lo > hi) {
			size_t t = lo;

			lo = hi;
			hi = t;
		}
		wring_html(out, "%.1f,%.1f ", wring_html_px(p, x[lo]), wring_html_py(p, y[lo]));
		if (hi != lo)
			wring_html(out, "%.1f,%.1f ", wring_html_px(p, x[hi]), wring_html_py(p, y[hi]));
	}
	wring_html(out, "\"/>\n");
}

void wring_html_tag(FILE *out, const struct wring_html_plot *p, const char *class, double x, double y, const char *text)
{
	double left = wring_html_px(p, x) / 10, top = wring_html_py(p, y) / 10;

	/* beyond the middle it is written to the left of its place */
	if (left > 50)
		wring_html(out, "<span class=\"tag left %s\" style=\"right:%.2f%%;top:%.2f%%\">%s</span>\n", class, 100 - left, top, text);
	else
		wring_html(out, "<span class=\"tag %s\" style=\"left:%.2f%%;top:%.2f%%\">%s</span>\n", class, left, top, text);
}

void wring_html_gauge(FILE *out, double value, double limit, const char *unit, bool bad)
{
	struct wring_html_plot p = { .x0 = 0, .x1 = fmax(fabs(value), fabs(limit)) * 1.15 };
	char v[48], l[48];

	if (!isfinite(value) || !isfinite(limit) || !(p.x1 > 0))
		return;
	wring_text_value(value, unit, v, sizeof(v));
	wring_text_value(limit, unit, l, sizeof(l));
	wring_html(out, "<div class=\"gauge\"><svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" role=\"img\" "
			"aria-label=\"measured %s, limit %s\"><rect class=\"rail\" width=\"1000\" height=\"10\"/>"
			"<rect class=\"%s\" width=\"%.1f\" height=\"10\"/></svg><i style=\"left:%.2f%%\"></i></div>\n",
		   v, l, bad ? "over" : "under", wring_html_px(&p, fabs(value)), wring_html_px(&p, fabs(limit)) / 10);
}

void wring_html_spark(FILE *out, const double *y, size_t n, const size_t *changes, size_t n_changes, size_t from, const char *label)
{
	struct wring_html_plot p = { .x0 = 0, .x1 = n > 1 ? (double)(n - 1) : 1, .y0 = INFINITY, .y1 = -INFINITY };
	double *x = malloc((n + 1) * sizeof(*x)), room;

	for (size_t i = 0; i < n && x; i++) {
		x[i] = (double)i;
		p.y0 = fmin(p.y0, y[i]);
		p.y1 = fmax(p.y1, y[i]);
	}
	if (n && x) {
		/* a level line belongs in the middle, not at the top of what noise there is */
		room = fmax((p.y1 - p.y0) * 0.15, fabs(p.y1) * 0.02);
		p.y0 -= room > 0 ? room : 1;
		p.y1 += room > 0 ? room : 1;
		wring_html(out, "<svg class=\"spark\" viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%s\">", label);
		for (size_t i = 0; i < n_changes; i++)
			wring_html(out, "<path class=\"change\" d=\"M%.1f 0V1000\"/>", wring_html_px(&p, (double)changes[i] - 0.5));
		if (from && from < n)
			wring_html(out, "<path class=\"grid\" d=\"M%.1f 0V1000\"/>", wring_html_px(&p, (double)from - 0.5));
		wring_html_line(out, &p, "l0", x, y, n);
		wring_html(out, "</svg>");
	}
	free(x);
}
