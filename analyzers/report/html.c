/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The report as one HTML file: verdicts first. It needs no network, and no script to be read. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/report/format.h"
#include "analyzers/report/html.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"

#ifdef PACKAGE_VERSION
static const char version[] = PACKAGE_VERSION;
#else
static const char version[] = "0.1.0";
#endif

/* A database holds years; a page that somebody opens does not. */
enum { MAX_SECTIONS = 24, MAX_ROWS = 300, SHORT = 500 /* evidence that fits a card */ };

/* ---- loading ---- */

static void span(struct wring_html_run *r)
{
	const struct wring_events *e = wring_view_events(&r->view);
	int64_t start;

	wring_view_span(&r->view, &r->t0, &r->t1);
	/* what comes before is set-up; times are easier to follow from here */
	if (!wring_view_event_time(&r->view, "mark", "start", 0, &start))
		r->t0 = start;
	else if (e->n)
		r->t0 = e->rows[0].t_ns;
	if (r->t1 <= r->t0)
		r->t1 = r->t0 + 1;
}

static int load(struct wring_store *st, const struct wring_run_row *row, unsigned number, struct wring_html_run *ret, struct wring_err *err)
{
	struct wring_err ignored;
	int r;

	*ret = (struct wring_html_run){ .row = row, .number = number };
	/* a plan of another version does not keep the rest from being read */
	if (wring_scenario_parse(row->scenario, row->plan, NULL, 0, &ret->scenario, &ignored))
		ret->scenario = NULL;
	r = wring_store_findings(st, row->id, &ret->findings, err);
	if (!r)
		r = wring_store_metrics(st, row->id, &ret->metrics, err);
	if (!r)
		r = wring_view_init(&ret->view, st, row, ret->scenario, err);
	ret->has_view = !r;
	if (!r)
		span(ret);
	return r;
}

static void unload(struct wring_html_run *r)
{
	if (r->has_view)
		wring_view_done(&r->view);
	wring_findings_done(&r->findings);
	wring_metrics_done(&r->metrics);
	if (r->scenario)
		wring_scenario_free(r->scenario);
}

/* ---- order: what a reader must see comes first ---- */

static int rank(const char *outcome)
{
	static const char *const order[] = { "fail", "broken", "noisy", "skip", "ok" };
	int i = 0;

	while (i < 5 && strcmp(order[i], outcome))
		i++;
	return i;
}

static int by_weight(const void *a, const void *b)
{
	const struct wring_run_row *x = *(const struct wring_run_row *const *)a, *y = *(const struct wring_run_row *const *)b;
	int p = rank(x->outcome), q = rank(y->outcome);

	return p != q ? p - q : (x->id < y->id) - (x->id > y->id);
}

static size_t count(const struct wring_runs *runs, const char *outcome)
{
	size_t n = 0;

	for (size_t i = 0; i < runs->n; i++)
		n += !strcmp(runs->rows[i].outcome, outcome);
	return n;
}

/* ---- the top of the page ---- */

static void headline(FILE *out, const struct wring_runs *runs, const struct wring_html_compared *c)
{
	size_t failed = count(runs, "fail"), broken = count(runs, "broken"), ok = count(runs, "ok");

	if (c->regressions)
		wring_html(out, "%zu scenario%s got worse%s", c->regressions, c->regressions == 1 ? "" : "s", failed ? "; " : "");
	if (c->regressions && !failed)
		return;
	if (!runs->n)
		wring_html(out, "Nothing was run");
	else if (failed)
		wring_html(out, "%zu of %zu run%s failed", failed, runs->n, runs->n == 1 ? "" : "s");
	else if (broken)
		wring_html(out, "%zu of %zu run%s could not be measured", broken, runs->n, runs->n == 1 ? "" : "s");
	else if (ok == runs->n)
		wring_html(out, runs->n == 1 ? "The run passed" : "All %zu runs passed", runs->n);
	else
		wring_html(out, "No failure: %zu of %zu run%s passed", ok, runs->n, runs->n == 1 ? "" : "s");
}

static void begin(FILE *out, const struct wring_runs *runs, const struct wring_html_compared *c)
{
	const char *hash = wring_html_asset("csp"), *css = wring_html_asset("report.css"), *zoom = wring_html_asset("dygraph.min.css");
	const struct wring_run_row *last = runs->n ? &runs->rows[runs->n - 1] : NULL;

	wring_html(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
			"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src %s\">\n"
			"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
			"<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"generator\" content=\"wring %s\">\n<title>",
		   hash ? hash : "'none'", version);
	headline(out, runs, c);
	wring_html(out, " - wring</title>\n<style>\n");
	fputs(zoom ? zoom : "", out);
	fputs(css ? css : "", out);
	wring_html(out, "</style>\n</head>\n<body>\n<header>\n<h1 class=\"%s\">", c->regressions || count(runs, "fail") ? "fail" :
		   count(runs, "broken") ? "broken" : "ok");
	headline(out, runs, c);
	wring_html(out, "</h1>\n");
	if (last)
		wring_html(out, "<p class=\"sub\">wring %s, Linux memory reclaim. Newest run: %s, Linux %s.</p>\n", version, last->started,
			   *last->release ? last->release : "of unknown release");
	wring_html(out, "</header>\n<main>\n");
}

/* A failed finding: what, how much, when. again: in how many more runs. */
static void card(FILE *out, struct wring_html_run *r, const struct wring_finding_row *f, size_t again)
{
	struct wring_html_moment when = wring_html_when(r, f);
	char value[48], limit[48], ratio[80];
	size_t n;
	const struct wring_detector *const *d = wring_detectors(&n);
	const char *what = "";

	for (size_t i = 0; i < n; i++)
		if (!strcmp(d[i]->name, f->detector))
			what = d[i]->summary;
	wring_html(out, "<article class=\"card\">\n<h3><a href=\"#run%u\">%s</a> <span class=\"quiet\">%s / %s</span></h3>\n<dl>\n", r->number,
		   r->row->scenario, f->detector, f->class);
	if (r->scenario && r->scenario->summary)
		wring_html(out, "<dt>Tested</dt><dd>%s</dd>\n", r->scenario->summary);
	wring_html(out, "<dt>What</dt><dd>%s</dd>\n", *what ? what : f->evidence);
	if (isfinite(f->value) && isfinite(f->limit)) {
		wring_html(out, "<dt>How much</dt><dd><b>%s</b>, the limit is %s", wring_text_value(f->value, f->unit, value, sizeof(value)),
			   wring_text_value(f->limit, f->unit, limit, sizeof(limit)));
		if (*wring_html_ratio(f->value, f->limit, ratio, sizeof(ratio)))
			wring_html(out, ": <b>%s</b>", ratio);
		wring_html_gauge(out, f->value, f->limit, f->unit, true);
		wring_html(out, "</dd>\n");
	}
	if (when.known)
		wring_html(out, "<dt>When</dt><dd><b>%.1f s</b> into the run of %.1f s%s%s (%s)</dd>\n", when.s, (double)(r->t1 - r->t0) / 1e9,
			   *when.phase ? ", phase " : "", when.phase, when.how);
	if (*what && strlen(f->evidence) <= SHORT)
		wring_html(out, "<dt>Seen</dt><dd>%s</dd>\n", f->evidence);
	if (again)
		wring_html(out, "<dt>Again</dt><dd>in %zu more run%s of this page</dd>\n", again, again == 1 ? "" : "s");
	wring_html(out, "<dt>Where</dt><dd>Linux %s, %s%s%s%s</dd>\n</dl>\n</article>\n", *r->row->release ? r->row->release : "of unknown release",
		   strcmp(r->row->where, "vm") ? "on the host" : "in a guest", *r->row->vm ? " of " : "", r->row->vm,
		   strcmp(r->row->accel, "tcg") ? "" : ", emulated (TCG)");
}

static bool has_failure(const struct wring_html_run *r, const char *scenario, const struct wring_finding_row *f)
{
	for (size_t i = 0; i < r->findings.n; i++)
		if (!strcmp(r->findings.rows[i].verdict, "fail") && !strcmp(r->row->scenario, scenario) &&
		    !strcmp(r->findings.rows[i].detector, f->detector) && !strcmp(r->findings.rows[i].class, f->class))
			return true;
	return false;
}

/* The same of one scenario in several runs (nights, boots of a comparison) is one card. */
static void cards(FILE *out, struct wring_html_run *run, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t failed = 0;

		for (size_t k = 0; k < run[i].findings.n; k++) {
			const struct wring_finding_row *f = &run[i].findings.rows[k];
			size_t before = 0, again = 0;

			if (strcmp(f->verdict, "fail") || ++failed > 8)
				continue;
			for (size_t j = 0; j < i; j++)
				before += has_failure(&run[j], run[i].row->scenario, f);
			for (size_t j = i + 1; j < n; j++)
				again += has_failure(&run[j], run[i].row->scenario, f);
			if (!before)
				card(out, &run[i], f, again);
		}
		if (!failed && !strcmp(run[i].row->outcome, "broken"))
			wring_html(out, "<article class=\"card broken\"><h3><a href=\"#run%u\">%s</a> <span class=\"quiet\">could not be measured</span></h3>"
					"<p>%s</p></article>\n", run[i].number, run[i].row->scenario, run[i].row->reason);
	}
}

static void table_of_runs(FILE *out, const char *caption)
{
	wring_html(out, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table class=\"runs\"><caption>%s</caption><thead><tr>"
			"<th scope=\"col\">Outcome</th><th scope=\"col\">Scenario</th><th scope=\"col\">Why</th><th scope=\"col\">Kernel</th>"
			"<th scope=\"col\">Took</th><th scope=\"col\">Run</th></tr></thead><tbody>\n", caption, caption);
}

/* Sections exist for the first rows only; the others are folded away, so that what comes next is not far below. */
static void overview(FILE *out, const struct wring_run_row *const *rows, size_t n, const struct wring_html_run *run, size_t sections)
{
	size_t shown = n < MAX_ROWS ? n : MAX_ROWS;

	if (!n)
		return;
	table_of_runs(out, "All runs");
	for (size_t i = 0; i < shown; i++) {
		const struct wring_run_row *r = rows[i];

		if (i == sections) {
			wring_html(out, "</tbody></table></div>\n<details><summary>%zu more runs</summary>\n", shown - i);
			table_of_runs(out, "More runs");
		}
		wring_html(out, "<tr><td><b class=\"badge %s\">%s</b></td><th scope=\"row\">", r->outcome, r->outcome);
		if (i < sections)
			wring_html(out, "<a href=\"#run%u\">%s</a>", (unsigned)i, r->scenario);
		else
			wring_html(out, "%s", r->scenario);
		wring_html(out, "</th><td>%s</td><td>%s%s%s</td><td class=\"n\">%.1f s</td><td class=\"n\">%lld</td></tr>\n",
			   wring_why(r, i < sections ? &run[i].findings : NULL), r->release, r->arm ? ", arm " : "",
			   r->arm ? r->arm : "", r->duration_s, (long long)r->id);
	}
	wring_html(out, "</tbody></table></div>\n");
	if (shown > sections)
		wring_html(out, "</details>\n");
	if (n > shown)
		wring_html(out, "<p class=\"quiet\">%zu of %zu runs, failures first. <code>wring list runs</code> shows them all.</p>\n", shown, n);
}

static void end(FILE *out)
{
	const char *dygraphs = wring_html_asset("dygraph.min.js"), *js = wring_html_asset("report.js");

	wring_html(out, "</main>\n<footer><p class=\"quiet\">Times are seconds since the scenario's groups existed. Made by wring %s from its database; this file "
			"needs no network.%s</p></footer>\n", version,
		   dygraphs ? " Zoomable plots: dygraphs, MIT licence. Drag to zoom, double-click to go back." : "");
	if (dygraphs && js) {
		fputs("<script>", out);
		fputs(dygraphs, out);
		fputs("</script>\n<script>", out);
		fputs(js, out);
		fputs("</script>\n", out);
	}
	fputs("</body>\n</html>\n", out);
}

static int page(struct wring_store *st, const struct wring_runs *runs, const struct wring_run_row *const *rows, struct wring_html_run *run,
		size_t n, const struct wring_html_compared *c, FILE *out, struct wring_err *err)
{
	int r;

	begin(out, runs, c);
	wring_html(out, "<section id=\"verdicts\" aria-label=\"verdicts\">\n");
	wring_html_regressions(out, c);
	cards(out, run, n);
	overview(out, rows, runs->n, run, n);
	wring_html(out, "</section>\n");
	wring_html_comparisons(out, c);
	r = wring_html_history(out, st, err);
	if (!r && n)
		wring_html(out, "<h2>Scenario by scenario</h2>\n");
	for (size_t i = 0; i < n && !r; i++) {
		wring_html_section(out, &run[i]);
		if (run[i].view.results->error) {
			*err = run[i].view.results->err;
			r = run[i].view.results->error;
		}
	}
	end(out);
	return r;
}

static int write_html(struct wring_store *st, const struct wring_runs *runs, const struct wring_format_options *o, FILE *out,
		      struct wring_err *err)
{
	const struct wring_run_row **rows = calloc(runs->n + 1, sizeof(*rows));
	struct wring_html_run *run = calloc(MAX_SECTIONS, sizeof(*run));
	size_t n = runs->n < MAX_SECTIONS ? runs->n : MAX_SECTIONS, loaded = 0;
	struct wring_html_compared compared = { 0 };
	int r = rows && run ? 0 : wring_err_set(err, -ENOMEM, "report: out of memory");

	(void)o;
	for (size_t i = 0; !r && i < runs->n; i++)
		rows[i] = &runs->rows[i];
	if (!r && runs->n > 1)
		qsort(rows, runs->n, sizeof(*rows), by_weight);
	for (; !r && loaded < n; loaded++)
		r = load(st, rows[loaded], (unsigned)loaded, &run[loaded], err);
	if (!r)
		r = wring_html_compared_load(st, runs, &compared, err);
	if (!r)
		r = page(st, runs, rows, run, n, &compared, out, err);
	if (!r)
		r = wring_written(out, err);
	wring_html_compared_done(&compared);
	for (size_t i = 0; i < loaded; i++)
		unload(&run[i]);
	free(run);
	free(rows);
	return r;
}

static const struct wring_format html = {
	.name = "html", .summary = "a page of its own for a browser or for paper, with timelines", .use = WRING_FOR_REPORT, .write = write_html,
};
WRING_REGISTER_FORMAT(html);
