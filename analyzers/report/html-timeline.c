/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory against limits over time, with phases, OOM kills and reclaim. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/report/html.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"

enum { MAX_GROUPS = 6, MAX_LIMITS = 64, MAX_KILLS = 200, MAX_PHASES = 60, SCRIPT_POINTS = 1500 };

struct line {
	const char *name, *class;
	double *x, *y;
	size_t n;
};
/* What a file of the group said from then on; infinite: "max". */
struct limit { const char *file; double x, y; };

struct timeline {
	const char *subject;
	struct line lines[5];
	size_t n_lines;
	struct limit limits[MAX_LIMITS];
	size_t n_limits;
	int64_t kills[MAX_KILLS];
	size_t n_kills;
	struct wring_html_plot p;
};

static double seconds(const struct wring_html_run *r, int64_t t_ns) { return (double)(t_ns - r->t0) / 1e9; }

static bool add_line(struct wring_html_run *r, struct timeline *t, const char *name, const char *class, const char *sampler, const char *key)
{
	const struct wring_series *s = wring_view_series(&r->view, sampler, t->subject, key);
	struct line *l = &t->lines[t->n_lines];

	if (!s)
		return false;
	*l = (struct line){ name, class, malloc(s->n * sizeof(double)), malloc(s->n * sizeof(double)), 0 };
	for (size_t i = 0; l->x && l->y && i < s->n; i++, l->n++) {
		l->x[i] = seconds(r, s->t_ns[i]);
		l->y[i] = (double)s->v[i];
	}
	t->n_lines++;
	return true;
}

static double top_of(const struct line *l)
{
	double top = 0;

	for (size_t i = 0; i < l->n; i++)
		top = fmax(top, l->y[i]);
	return top;
}

/* What a group is made of, where it is a part worth a line. */
static void add_parts(struct wring_html_run *r, struct timeline *t)
{
	static const struct { const char *name, *class, *key; } parts[] = {
		{ "reclaimable slab", "l1", "slab_reclaimable" }, { "page cache", "l2", "file" }, { "anonymous", "l3", "anon" },
	};
	double top = top_of(&t->lines[0]);

	for (size_t i = 0; i < WRING_ARRAY_SIZE(parts); i++) {
		if (!add_line(r, t, parts[i].name, parts[i].class, "memory.stat", parts[i].key))
			continue;
		if (top_of(&t->lines[t->n_lines - 1]) < top / 20) {
			t->n_lines--;
			free(t->lines[t->n_lines].x);
			free(t->lines[t->n_lines].y);
		}
	}
}

static void add_limits(struct wring_html_run *r, struct timeline *t)
{
	static const char *const files[] = { "memory.max", "memory.high", "memory.low", "memory.min" };
	const struct wring_events *e = wring_view_events(&r->view);

	for (size_t i = 0; i < e->n && t->n_limits < MAX_LIMITS; i++) {
		const char *value = strchr(e->rows[i].text, '=');

		if (strcmp(e->rows[i].kind, "limit") || strcmp(e->rows[i].subject, t->subject) || !value)
			continue;
		for (size_t k = 0; k < WRING_ARRAY_SIZE(files); k++)
			if (strlen(files[k]) == (size_t)(value - e->rows[i].text) && !strncmp(files[k], e->rows[i].text, strlen(files[k])))
				t->limits[t->n_limits++] = (struct limit){ files[k], fmax(0, seconds(r, e->rows[i].t_ns)),
					strcmp(value + 1, "max") ? strtod(value + 1, NULL) : INFINITY };
	}
}

static bool collect(struct wring_html_run *r, const char *subject, struct timeline *t)
{
	double top;

	*t = (struct timeline){ .subject = subject };
	if (!add_line(r, t, "memory.current", "l0", "memory", "current"))
		return false;
	add_parts(r, t);
	add_limits(r, t);
	t->n_kills = wring_html_kills(r, subject, t->kills, MAX_KILLS);
	top = top_of(&t->lines[0]);
	/* a limit far above the usage would press the usage to the ground: it is then told in words only */
	for (size_t i = 0; i < t->n_limits; i++)
		if (isfinite(t->limits[i].y) && t->limits[i].y <= 4 * top)
			top = fmax(top, t->limits[i].y);
	t->p = (struct wring_html_plot){ 0, seconds(r, r->t1), 0, wring_html_round_up(top * 1.04, "bytes"), "bytes", "s" };
	return true;
}

static void done(struct timeline *t)
{
	for (size_t i = 0; i < t->n_lines; i++) {
		free(t->lines[i].x);
		free(t->lines[i].y);
	}
}

/* Until when a limit holds: the next write of the same file. */
static double limit_end(const struct timeline *t, size_t i)
{
	for (size_t k = i + 1; k < t->n_limits; k++)
		if (!strcmp(t->limits[k].file, t->limits[i].file))
			return t->limits[k].x;
	return t->p.x1;
}

/* fn for each phase; a phase without an end lasts to the end of the run. */
static size_t phases(struct wring_html_run *r, void (*fn)(FILE *out, const struct wring_html_plot *p, const char *name, double from,
			double to, size_t i), FILE *out, const struct wring_html_plot *p)
{
	const struct wring_events *e = wring_view_events(&r->view);
	size_t n = 0;

	for (size_t i = 0; i < e->n && n < MAX_PHASES; i++) {
		double to = p->x1;

		if (strcmp(e->rows[i].kind, "phase") || strcmp(e->rows[i].text, "begin"))
			continue;
		for (size_t k = i + 1; k < e->n; k++)
			if (!strcmp(e->rows[k].kind, "phase")) {
				to = seconds(r, e->rows[k].t_ns);
				break;
			}
		fn(out, p, e->rows[i].subject, seconds(r, e->rows[i].t_ns), to, n++);
	}
	return n;
}

static void phase_band(FILE *out, const struct wring_html_plot *p, const char *name, double from, double to, size_t i)
{
	double a = wring_html_px(p, from);

	(void)name;
	wring_html(out, "<rect class=\"phase p%zu\" x=\"%.1f\" width=\"%.1f\" height=\"1000\"/>\n", i % 2, a, wring_html_px(p, to) - a);
}

static void phase_name(FILE *out, const struct wring_html_plot *p, const char *name, double from, double to, size_t i)
{
	(void)i;
	wring_html(out, "<span class=\"phase-name\" style=\"left:%.2f%%;width:%.2f%%\">%s</span>\n", wring_html_px(p, from) / 10,
		   (wring_html_px(p, to) - wring_html_px(p, from)) / 10, name);
}

static void phase_data(FILE *out, const struct wring_html_plot *p, const char *name, double from, double to, size_t i)
{
	(void)p;
	(void)name;
	wring_html(out, "%s%.4f:%.4f", i ? "," : "", from, to);
}

/* ---- reclaim: what was scanned, as a strip below ---- */

struct rates { double x[900], w, y[900], most; size_t n, bursts; double longest, longest_at; };

/* A counter at a moment between two samples. */
static double counter_at(const struct wring_series *s, int64_t t_ns)
{
	size_t i = 1;

	while (i < s->n && s->t_ns[i] < t_ns)
		i++;
	if (i >= s->n || t_ns <= s->t_ns[0])
		return (double)s->v[i >= s->n ? s->n - 1 : 0];
	return (double)s->v[i - 1] + (double)(s->v[i] - s->v[i - 1]) * (double)(t_ns - s->t_ns[i - 1]) / (double)(s->t_ns[i] - s->t_ns[i - 1]);
}

/* Pages that are scanned on behalf of a cgroup are not in vmstat; those that the machine is short of are in both, so the larger one
 * counts. As fine as the slowest of them was sampled. */
static bool rates_of(struct wring_html_run *r, struct rates *o)
{
	enum { SLAB, KSWAPD, DIRECT, GROUPS, KEYS };
	static const struct { const char *sampler, *subject, *key; } keys[KEYS] = { { "vmstat", "", "slabs_scanned" },
		{ "vmstat", "", "pgscan_kswapd" }, { "vmstat", "", "pgscan_direct" }, { "memory.stat", ".", "pgscan" } };
	const struct wring_series *s[KEYS];
	double before[KEYS] = { 0 }, grown[KEYS] = { 0 };

	*o = (struct rates){ .n = WRING_ARRAY_SIZE(o->x) };
	for (int k = 0; k < KEYS; k++) {
		s[k] = wring_view_series(&r->view, keys[k].sampler, keys[k].subject, keys[k].key);
		if (s[k] && s[k]->n < 2)
			s[k] = NULL;
		if (s[k] && s[k]->n - 1 < o->n)
			o->n = s[k]->n - 1;
		before[k] = s[k] ? counter_at(s[k], r->t0) : 0;
	}
	o->w = seconds(r, r->t1) / (double)o->n;
	for (size_t i = 0; i < o->n; i++) {
		for (int k = 0; k < KEYS; k++) {
			double now = s[k] ? counter_at(s[k], r->t0 + (int64_t)((double)(i + 1) * o->w * 1e9)) : 0;

			grown[k] = fmax(0, now - before[k]);
			before[k] = now;
		}
		o->x[i] = (double)i * o->w;
		o->y[i] = (grown[SLAB] + fmax(grown[KSWAPD] + grown[DIRECT], grown[GROUPS])) / o->w;
		o->most = fmax(o->most, o->y[i]);
	}
	return o->most > 0;
}

/* A burst: intervals in a row that each scan at least a fourth of what the busiest does. */
static void find_bursts(struct rates *o)
{
	double start = 0;

	for (size_t i = 0; i < o->n; i++) {
		bool now = o->y[i] >= o->most / 4, before = i && o->y[i - 1] >= o->most / 4;

		if (now && !before) {
			o->bursts++;
			start = o->x[i];
		}
		if (now && o->x[i] + o->w - start > o->longest) {
			o->longest = o->x[i] + o->w - start;
			o->longest_at = start;
		}
	}
}

static void reclaim_strip(FILE *out, struct wring_html_run *r)
{
	struct rates *o = malloc(sizeof(*o));
	struct wring_html_plot p = { .x0 = 0, .x1 = seconds(r, r->t1), .y0 = 0, .unit = "", .xunit = "s" };
	bool any = o && rates_of(r, o);

	if (any) {
		find_bursts(o);
		p.y1 = o->most;
		wring_html(out, "<figure class=\"reclaim\"><figcaption><b>Reclaim</b>: pages and slab objects scanned, at most "
				"%.0f a second. %zu burst%s (a fourth of that or more), the longest %.1f s from %.1f s.</figcaption>\n"
				"<div class=\"plot low\"><svg viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" role=\"img\" "
				"aria-label=\"rate of scanning over time\">\n", o->most, o->bursts, o->bursts == 1 ? "" : "s", o->longest, o->longest_at);
		for (size_t i = 0; i < o->n; i++)
			if (o->y[i] > 0)
				wring_html(out, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
					   o->y[i] >= o->most / 4 ? "burst" : "scan", wring_html_px(&p, o->x[i]), wring_html_py(&p, o->y[i]),
					   wring_html_px(&p, o->x[i] + o->w) - wring_html_px(&p, o->x[i]), 1000 - wring_html_py(&p, o->y[i]));
		wring_html(out, "</svg></div></figure>\n");
	} else {
		wring_html(out, "<p class=\"quiet\">Reclaim: %s.</p>\n", wring_view_has(&r->view, "vmstat", "") || wring_view_has(&r->view, "memory.stat", ".") ?
			   "nothing was scanned in this run" : "not sampled in this run");
	}
	free(o);
}

/* ---- one group ---- */

/* Numbers for the script, which draws the same again so that one can zoom. */
static void data(FILE *out, struct wring_html_run *r, const struct timeline *t)
{
	wring_html(out, "<div class=\"zoom\" hidden data-phases=\"");
	phases(r, phase_data, out, &t->p);
	wring_html(out, "\" data-kills=\"");
	for (size_t i = 0; i < t->n_kills; i++)
		wring_html(out, "%s%.4f", i ? "," : "", seconds(r, t->kills[i]));
	wring_html(out, "\" data-top=\"%.0f\" data-end=\"%.4f\">\n", t->p.y1, t->p.x1);
	for (size_t i = 0; i < t->n_lines; i++) {
		size_t stride = t->lines[i].n / SCRIPT_POINTS + 1;

		wring_html(out, "<i data-name=\"%s\" data-class=\"%s\" data-p=\"", t->lines[i].name, t->lines[i].class);
		for (size_t k = 0; k < t->lines[i].n; k += stride)
			wring_html(out, "%.4g:%.0f ", t->lines[i].x[k], t->lines[i].y[k]);
		wring_html(out, "\"></i>\n");
	}
	for (size_t i = 0; i < t->n_limits; i++)
		if (isfinite(t->limits[i].y) && t->limits[i].y <= t->p.y1)
			wring_html(out, "<i data-name=\"%s\" data-limit=\"%.0f\" data-from=\"%.4f\" data-to=\"%.4f\"></i>\n", t->limits[i].file,
				   t->limits[i].y, t->limits[i].x, limit_end(t, i));
	wring_html(out, "</div>\n");
}

static void caption(FILE *out, struct wring_html_run *r, const struct timeline *t)
{
	char text[48];
	double top = top_of(&t->lines[0]);

	wring_html(out, "<figcaption><b>Memory of group %s</b>: peak %s", strcmp(t->subject, ".") ? t->subject : "(the scenario's root)",
		   wring_text_value(top, "bytes", text, sizeof(text)));
	for (size_t i = 0; i < t->n_limits && i < 6; i++)
		if (isfinite(t->limits[i].y) && (t->limits[i].y > 0 || strcmp(t->limits[i].file, "memory.max")))
			wring_html(out, ", %s %s", t->limits[i].file, wring_text_value(t->limits[i].y, "bytes", text, sizeof(text)));
	if (t->n_kills)
		wring_html(out, ". <strong class=\"bad\">%zu OOM kill%s</strong>, the first at %.1f s", t->n_kills, t->n_kills == 1 ? "" : "s",
			   seconds(r, t->kills[0]));
	wring_html(out, ".</figcaption>\n<ul class=\"legend\">");
	for (size_t i = 0; i < t->n_lines; i++)
		wring_html(out, "<li class=\"%s\">%s</li>", t->lines[i].class, t->lines[i].name);
	if (t->n_limits)
		wring_html(out, "<li class=\"limit\">limit</li>");
	if (t->n_kills)
		wring_html(out, "<li class=\"kill\">OOM kill</li>");
	wring_html(out, "</ul>\n");
}

static void draw(FILE *out, struct wring_html_run *r, const struct timeline *t)
{
	char label[300], top[48];

	snprintf(label, sizeof(label), "memory over %.1f s, peak %s, %zu OOM kills", t->p.x1,
		 wring_text_value(top_of(&t->lines[0]), "bytes", top, sizeof(top)), t->n_kills);
	wring_html(out, "<figure class=\"timeline\">\n");
	caption(out, r, t);
	wring_html_plot_begin(out, &t->p, "high", label);
	phases(r, phase_band, out, &t->p);
	for (size_t i = t->n_lines; i-- > 0;)
		wring_html_line(out, &t->p, t->lines[i].class, t->lines[i].x, t->lines[i].y, t->lines[i].n);
	for (size_t i = 0; i < t->n_limits; i++)
		if (isfinite(t->limits[i].y) && t->limits[i].y <= t->p.y1)
			wring_html(out, "<path class=\"limit\" d=\"M%.1f %.1fH%.1f\"/>\n", wring_html_px(&t->p, t->limits[i].x),
				   wring_html_py(&t->p, t->limits[i].y), wring_html_px(&t->p, limit_end(t, i)));
	for (size_t i = 0; i < t->n_kills; i++)
		wring_html(out, "<path class=\"kill\" d=\"M%.1f 0V1000\"/>\n", wring_html_px(&t->p, seconds(r, t->kills[i])));
	wring_html_plot_words(out, &t->p);
	phases(r, phase_name, out, &t->p);
	for (size_t i = 0; i < t->n_limits; i++)
		if (isfinite(t->limits[i].y) && t->limits[i].y <= t->p.y1) {
			_cleanup_free_ char *word = wring_strf("%s %s", t->limits[i].file,
							       wring_text_value(t->limits[i].y, "bytes", top, sizeof(top)));

			wring_html_tag(out, &t->p, "limit", t->limits[i].x, t->limits[i].y, word);
		}
	if (t->n_kills) {
		_cleanup_free_ char *word = wring_strf("OOM kill, %.1f s", seconds(r, t->kills[0]));

		wring_html_tag(out, &t->p, "kill", seconds(r, t->kills[0]), t->p.y1 / 2, word);
	}
	wring_html(out, "</div>\n");
	data(out, r, t);
	wring_html(out, "</figure>\n");
}

static int by_peak(const void *a, const void *b)
{
	const struct timeline *x = a, *y = b;
	double p = top_of(&x->lines[0]), q = top_of(&y->lines[0]);

	return (p < q) - (p > q);
}

void wring_html_timelines(FILE *out, struct wring_html_run *r)
{
	const struct wring_sources *s = wring_view_sources(&r->view);
	struct timeline *t = calloc(s->n + 1, sizeof(*t));
	size_t n = 0, shown;

	for (size_t i = 0; t && i < s->n && n < 400; i++) /* a scenario may have thousands of groups */
		if (!strcmp(s->rows[i].sampler, "memory") && strcmp(s->rows[i].subject, ".") && collect(r, s->rows[i].subject, &t[n]))
			n++;
	if (t && !n && collect(r, ".", &t[0]))
		n++;
	if (n > 1)
		qsort(t, n, sizeof(*t), by_peak);
	shown = n < MAX_GROUPS ? n : MAX_GROUPS;
	if (n)
		wring_html(out, "<h4>Over time</h4>\n");
	for (size_t i = 0; i < shown; i++)
		draw(out, r, &t[i]);
	if (n > shown)
		wring_html(out, "<p class=\"quiet\">The %zu groups with the highest peak, of %zu.</p>\n", shown, n);
	if (n)
		reclaim_strip(out, r);
	for (size_t i = 0; i < n; i++)
		done(&t[i]);
	free(t);
}
