/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables of a run: cgroups, nodes, metrics, facts. */
#include <math.h>
#include <string.h>
#include "analyzers/report/html.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"

enum { MAX_ROWS = 200, LONG_FACT = 300 };

static void size_cell(FILE *out, bool known, double bytes)
{
	char text[48];

	if (known)
		wring_html(out, "<td class=\"n\">%s</td>", wring_text_value(bytes, "bytes", text, sizeof(text)));
	else
		wring_html(out, "<td class=\"n\"><span class=\"quiet\" title=\"not sampled\">-</span></td>");
}

static const struct wring_series *group(struct wring_html_run *r, const char *sampler, const char *subject, const char *key)
{
	return wring_view_series(&r->view, sampler, subject, key);
}

/* The last limit written to a file of a group; NaN: none, or "max". */
static double limit_of(struct wring_html_run *r, const char *subject, const char *file)
{
	const struct wring_events *e = wring_view_events(&r->view);
	size_t len = strlen(file);
	double ret = NAN;

	for (size_t i = 0; i < e->n; i++)
		if (!strcmp(e->rows[i].kind, "limit") && !strcmp(e->rows[i].subject, subject) && !strncmp(e->rows[i].text, file, len) &&
		    e->rows[i].text[len] == '=')
			ret = strcmp(e->rows[i].text + len + 1, "max") ? strtod(e->rows[i].text + len + 1, NULL) : NAN;
	return ret;
}

static void limit_cell(FILE *out, double v)
{
	char text[48];

	if (isfinite(v))
		wring_html(out, "<td class=\"n\">%s</td>", wring_text_value(v, "bytes", text, sizeof(text)));
	else
		wring_html(out, "<td class=\"n\">none</td>");
}

/* How much a counter grew over the run. */
static void growth_cell(FILE *out, const struct wring_series *s, bool bad)
{
	if (s)
		wring_html(out, "<td class=\"n%s\">%lld</td>", bad && s->v[s->n - 1] > s->v[0] ? " bad" : "",
			   (long long)(s->v[s->n - 1] - s->v[0]));
	else
		wring_html(out, "<td class=\"n\"><span class=\"quiet\" title=\"not sampled\">-</span></td>");
}

static void group_row(FILE *out, struct wring_html_run *r, const char *subject)
{
	static const char *const parts[] = { "anon", "file", "slab_reclaimable", "slab_unreclaimable" };
	static const char *const events[] = { "oom_kill", "max", "high" };
	const struct wring_series *s = group(r, "memory", subject, "current");
	double peak = 0;

	for (size_t i = 0; s && i < s->n; i++)
		peak = fmax(peak, (double)s->v[i]);
	if (group(r, "memory", subject, "peak"))
		peak = fmax(peak, (double)group(r, "memory", subject, "peak")->v[group(r, "memory", subject, "peak")->n - 1]);
	wring_html(out, "<tr><th scope=\"row\">%s</th>", strcmp(subject, ".") ? subject : "(root)");
	limit_cell(out, limit_of(r, subject, "memory.high"));
	limit_cell(out, limit_of(r, subject, "memory.max"));
	size_cell(out, s, peak);
	size_cell(out, s, s ? (double)s->v[s->n - 1] : 0);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(events); i++)
		growth_cell(out, group(r, "memory.events", subject, events[i]), !strcmp(events[i], "oom_kill"));
	s = group(r, "memory.pressure", subject, "memory_full_us");
	if (s)
		wring_html(out, "<td class=\"n\">%.2f s</td>", (double)(s->v[s->n - 1] - s->v[0]) / 1e6);
	else
		wring_html(out, "<td class=\"n\"><span class=\"quiet\" title=\"not sampled\">-</span></td>");
	for (size_t i = 0; i < WRING_ARRAY_SIZE(parts); i++) {
		s = group(r, "memory.stat", subject, parts[i]);
		size_cell(out, s, s ? (double)wring_series_max(s, INT64_MIN, INT64_MAX, 0) : 0);
	}
	wring_html(out, "</tr>\n");
}

void wring_html_groups(FILE *out, struct wring_html_run *r)
{
	const struct wring_sources *s = wring_view_sources(&r->view);
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->rows[i].sampler, "memory"))
			continue;
		if (!n)
			wring_html(out, "<h4>Groups</h4>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"groups\"><table><thead><tr>"
					"<th scope=\"col\">Group</th><th scope=\"col\">memory.high</th><th scope=\"col\">memory.max</th>"
					"<th scope=\"col\">Peak</th><th scope=\"col\">At the end</th><th scope=\"col\">OOM kills</th>"
					"<th scope=\"col\">Times at max</th><th scope=\"col\">Times over high</th><th scope=\"col\">All stalled</th>"
					"<th scope=\"col\">Most anonymous</th><th scope=\"col\">Most page cache</th>"
					"<th scope=\"col\">Most reclaimable slab</th><th scope=\"col\">Most other slab</th></tr></thead><tbody>\n");
		if (n++ < MAX_ROWS)
			group_row(out, r, s->rows[i].subject);
	}
	if (n)
		wring_html(out, "</tbody></table></div>\n");
	if (n > MAX_ROWS)
		wring_html(out, "<p class=\"quiet\">The first %d of %zu groups.</p>\n", MAX_ROWS, n);
}

/* A key at the first and the last sample, in bytes. */
static void node_cells(FILE *out, struct wring_html_run *r, const char *sampler, const char *node, const char *key, double unit)
{
	const struct wring_series *s = wring_view_series(&r->view, sampler, node, key);

	size_cell(out, s, s ? (double)s->v[0] * unit : 0);
	size_cell(out, s, s ? (double)s->v[s->n - 1] * unit : 0);
}

void wring_html_nodes(FILE *out, struct wring_html_run *r)
{
	const struct wring_sources *s = wring_view_sources(&r->view);
	size_t n = 0;

	for (size_t i = 0; i < s->n && n < MAX_ROWS; i++) {
		const char *node = s->rows[i].subject;

		if (strcmp(s->rows[i].sampler, "node-meminfo"))
			continue;
		if (!n++)
			wring_html(out, "<h4>Nodes</h4>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"nodes\"><table><thead><tr>"
					"<th scope=\"col\" rowspan=\"2\">Node</th><th scope=\"colgroup\" colspan=\"2\">Free</th><th scope=\"colgroup\" colspan=\"2\">"
					"Page cache</th><th scope=\"colgroup\" colspan=\"2\">Reclaimable slab</th><th scope=\"colgroup\" colspan=\"2\">Other slab</th>"
					"<th scope=\"col\" rowspan=\"2\">Allocations elsewhere</th></tr><tr>");
		if (n == 1) {
			for (int k = 0; k < 4; k++)
				wring_html(out, "<th scope=\"col\">first</th><th scope=\"col\">last</th>");
			wring_html(out, "</tr></thead><tbody>\n");
		}
		wring_html(out, "<tr><th scope=\"row\">%s</th>", node);
		node_cells(out, r, "node-meminfo", node, "MemFree", 1024);
		node_cells(out, r, "node-meminfo", node, "FilePages", 1024);
		node_cells(out, r, "node-meminfo", node, "SReclaimable", 1024);
		node_cells(out, r, "node-meminfo", node, "SUnreclaim", 1024);
		growth_cell(out, wring_view_series(&r->view, "node-vmstat", node, "numa_foreign"), false);
		wring_html(out, "</tr>\n");
	}
	if (n)
		wring_html(out, "</tbody></table></div>\n");
}

void wring_html_metrics(FILE *out, struct wring_html_run *r)
{
	if (!r->metrics.n)
		return;
	wring_html(out, "<h4>Metrics</h4>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"metrics\"><table><thead><tr>"
			"<th scope=\"col\">Metric</th><th scope=\"col\">Value</th><th scope=\"col\">Better</th><th scope=\"col\">Tier</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < r->metrics.n; i++) {
		const struct wring_metric_row *m = &r->metrics.rows[i];
		char text[48];

		wring_html(out, "<tr><th scope=\"row\">%s</th><td class=\"n\">%s</td><td>%s</td><td>%s</td></tr>\n", m->name,
			   isfinite(m->value) ? wring_text_value(m->value, m->unit, text, sizeof(text)) : "no value", m->better, m->tier);
	}
	wring_html(out, "</tbody></table></div>\n");
}

void wring_html_facts(FILE *out, struct wring_html_run *r)
{
	struct wring_pairs p;
	struct wring_err err;

	if (wring_store_facts(r->view.store, r->row->boot, &p, &err))
		return;
	wring_html(out, "<details><summary>The machine and its kernel, %zu facts</summary>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" "
			"aria-label=\"facts\"><table><tbody>\n", p.n);
	for (size_t i = 0; i < p.n; i++) {
		size_t len = strlen(p.rows[i].value);

		if (len <= LONG_FACT)
			wring_html(out, "<tr><th scope=\"row\">%s</th><td>%s</td></tr>\n", p.rows[i].key, p.rows[i].value);
		else
			wring_html(out, "<tr><th scope=\"row\">%s</th><td class=\"quiet\">%zu bytes, in the database</td></tr>\n", p.rows[i].key, len);
	}
	wring_html(out, "</tbody></table></div></details>\n");
	wring_pairs_done(&p);
}
