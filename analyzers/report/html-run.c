/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The section of one run. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/post-mortem.h"
#include "analyzers/report/html.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"

enum { LOG_LINES = 80, CONSOLE_BYTES = 128 << 10 };

/* ---- findings ---- */

static bool is_bad(const char *verdict) { return !strcmp(verdict, "fail"); }

static const char *summary_of(const char *detector)
{
	size_t n;
	const struct wring_detector *const *d = wring_detectors(&n);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(d[i]->name, detector))
			return d[i]->summary;
	return "";
}

/* Somebody's text as a link: to the web, and nothing a URL would have to quote. */
static bool is_link(const char *s)
{
	return (!strncmp(s, "https://", 8) || !strncmp(s, "http://", 7)) &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/?#[]@!$&()*+,;=%") == strlen(s);
}

static void finding(FILE *out, struct wring_html_run *r, const struct wring_finding_row *f)
{
	struct wring_html_moment when = wring_html_when(r, f);
	char value[48], limit[48], ratio[80];

	wring_html(out, "<div class=\"finding %s\">\n<p><b class=\"badge %s\">%s</b> <b>%s / %s</b>", f->verdict, f->verdict, f->verdict,
		   f->detector, f->class);
	/* it tells what the fault would be */
	if (strcmp(f->verdict, "pass") && *summary_of(f->detector))
		wring_html(out, ": %s", summary_of(f->detector));
	wring_html(out, "</p>\n<p>");
	if (isfinite(f->value) && isfinite(f->limit)) {
		wring_html(out, "<b>%s</b> against a limit of %s", wring_text_value(f->value, f->unit, value, sizeof(value)),
			   wring_text_value(f->limit, f->unit, limit, sizeof(limit)));
		if (is_bad(f->verdict) && *wring_html_ratio(f->value, f->limit, ratio, sizeof(ratio)))
			wring_html(out, " (%s)", ratio);
	}
	if (when.known && strcmp(f->verdict, "pass"))
		wring_html(out, ", %s at <b>%.1f s</b>%s%s", when.how, when.s, *when.phase ? " in phase " : "", when.phase);
	wring_html(out, ".</p>\n");
	if (strcmp(f->verdict, "pass"))
		wring_html_gauge(out, f->value, f->limit, f->unit, is_bad(f->verdict));
	wring_html(out, "<p class=\"evidence\">%s</p>\n", f->evidence);
	if (is_link(f->link))
		wring_html(out, "<p><a href=\"%s\" rel=\"noreferrer\">%s</a></p>\n", f->link, f->link);
	else if (*f->link)
		wring_html(out, "<p>%s</p>\n", f->link);
	wring_html(out, "</div>\n");
}

static void findings(FILE *out, struct wring_html_run *r)
{
	size_t passed = 0;

	for (size_t i = 0; i < r->findings.n; i++) {
		if (strcmp(r->findings.rows[i].verdict, "pass"))
			finding(out, r, &r->findings.rows[i]);
		else
			passed++;
	}
	if (!passed)
		return;
	wring_html(out, "<details><summary>%zu check%s passed</summary>\n", passed, passed == 1 ? "" : "s");
	for (size_t i = 0; i < r->findings.n; i++)
		if (!strcmp(r->findings.rows[i].verdict, "pass"))
			finding(out, r, &r->findings.rows[i]);
	wring_html(out, "</details>\n");
}

/* ---- kernel log ---- */

/* Registers, guesses of the unwinder and counters of 0: most of an OOM report, and not what one looks for in it. */
static bool is_noise(const char *text)
{
	static const char *const starts[] = { "? ", "RIP: 00", "RSP: ", "RAX: ", "RDX: ", "RBP: ", "R10: ", "R13: ", "Code: ", "Hardware name", "CPU: " };
	const char *end = strrchr(text, ' ');

	text += strspn(text, " ");
	for (size_t i = 0; i < WRING_ARRAY_SIZE(starts); i++)
		if (!strncmp(text, starts[i], strlen(starts[i])))
			return true;
	return end && !strcmp(end, " 0") && strcspn(text, " ") == (size_t)(end - text);
}

/* From the first warning on. */
static void kernel_log(FILE *out, struct wring_html_run *r)
{
	struct wring_log *log = (struct wring_log *)wring_view_log(&r->view);
	size_t first = log->n, shown = 0;

	for (size_t i = 0; i < log->n && first == log->n; i++)
		if (log->rows[i].level <= 4)
			first = i;
	if (!log->n)
		return;
	first = first == log->n ? 0 : first > 3 ? first - 3 : 0;
	wring_html(out, "<details class=\"paper\"%s><summary>Kernel log, %zu records</summary>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"kernel log\"><pre class=\"log\">",
		   strcmp(r->row->outcome, "ok") ? " open" : "", log->n);
	for (size_t i = first; i < log->n && shown < LOG_LINES; i++) {
		if (is_noise(log->rows[i].text))
			continue;
		shown++;
		wring_html(out, "<span class=\"lv%d\">%10.3f  %s</span>\n", log->rows[i].level <= 3 ? 3 : log->rows[i].level == 4 ? 4 : 6,
			   (double)(log->rows[i].t_ns - r->t0) / 1e9, log->rows[i].text);
	}
	wring_html(out, "</pre></div>\n");
	if (log->n > shown)
		wring_html(out, "<p class=\"quiet\">%zu of %zu records, from the first warning on, without registers and counters of 0. All of them: <code>sqlite3 wring.db "
				"\"SELECT t_s, text FROM logs WHERE run = %lld\"</code></p>\n", shown, log->n, (long long)r->row->id);
	wring_html(out, "</details>\n");
}

/* ---- a guest that did not go on ---- */

static void post_mortem(FILE *out, struct wring_html_run *r)
{
	_cleanup_free_ char *remains = wring_remains_text(r->view.store, r->row), *text = NULL;
	struct wring_post_mortem p = { .n = 0 };
	struct wring_err err;

	if (!remains)
		return;
	wring_html(out, "<h4>Where it stood</h4>\n");
	if (!wring_store_get_console(r->view.store, r->row->boot, &text, NULL, &err) && text)
		wring_post_mortem_of(text, &p);
	if (p.n)
		wring_html(out, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"stacks\"><table><thead><tr><th scope=\"col\">Who</th>"
				"<th scope=\"col\">Where, innermost first</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < p.n; i++)
		wring_html(out, "<tr><th scope=\"row\">%s</th><td><code>%s</code></td></tr>\n", p.rows[i].who, p.rows[i].where);
	if (p.n)
		wring_html(out, "</tbody></table></div>\n");
	if (p.left_out)
		wring_html(out, "<p class=\"quiet\">And %zu more.</p>\n", p.left_out);
	wring_html(out, "<p class=\"quiet\">%s</p>\n", remains);
	if (!p.from)
		return;
	/* enough for who has this page and not the database */
	if (strlen(text + p.from) > CONSOLE_BYTES)
		text[p.from + CONSOLE_BYTES] = '\0';
	wring_html(out, "<details class=\"paper\"><summary>What it said</summary>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"console\">"
			"<pre class=\"log\">%s</pre></div>\n</details>\n", text + p.from);
}

/* ---- commands ---- */

static void option(FILE *out, const char *name, const char *value)
{
	_cleanup_free_ char *word = *value ? wring_html_shell(value) : NULL;

	if (word)
		wring_html(out, " --%s=%s", name, word);
}

/* "cpus=4 nodes=2 memory=2048M", as the options that make it. */
static void machine(FILE *out, const char *vm)
{
	_cleanup_free_ char *copy = strdup(vm);
	char *save = NULL;

	for (char *w = copy ? strtok_r(copy, " ", &save) : NULL; w; w = strtok_r(NULL, " ", &save)) {
		char *eq = strchr(w, '=');

		if (!eq)
			continue;
		*eq = '\0';
		if (!strcmp(w, "cpus") || !strcmp(w, "nodes") || !strcmp(w, "memory"))
			option(out, w, eq + 1);
	}
}

static void run_command(FILE *out, struct wring_html_run *r, const char *target)
{
	const struct wring_run_row *row = r->row;
	_cleanup_free_ char *word = wring_html_shell(target);

	wring_html(out, "wring run %s --where=%s", word ? word : "", row->where);
	if (!strcmp(row->where, "vm")) {
		wring_html(out, " --kernel=\"$KERNEL\"");
		option(out, "append", row->append);
		option(out, "accel", row->accel);
		machine(out, row->vm);
	}
	wring_html(out, " --seed=%lld", (long long)row->seed);
}

static void reproduce(FILE *out, struct wring_html_run *r)
{
	const struct wring_run_row *row = r->row;
	_cleanup_free_ char *file = wring_strf("./%s.ini", row->scenario);
	const struct wring_settings *s = r->scenario ? &r->scenario->sysctls : NULL;

	wring_html(out, "<h4>Do it again</h4>\n<p>The scenario of that name, on a kernel of your own or on the same one (%s%s%s):</p>\n<pre class=\"cmd\">", row->release,
		   *row->kernel_sha256 ? ", image sha256 " : "", row->kernel_sha256);
	if (!strcmp(row->where, "vm"))
		wring_html(out, "KERNEL=/boot/vmlinuz-…   # an image, a linux-image .deb or a build tree\n");
	run_command(out, r, row->scenario);
	for (size_t i = 0; s && i < s->n; i++) {
		_cleanup_free_ char *both = wring_strf("%s=%s", s->rows[i].key, s->rows[i].value);

		option(out, "sysctl", both ? both : "");
	}
	wring_html(out, "\nwring check %s      # judge the stored run again\nwring show %s       # all that was recorded\n"
			"wring export %s     # as JSON\nwring report %s --format=reproducer   # a shell script that needs no wring</pre>\n",
		   row->uuid, row->uuid, row->uuid, row->uuid);
	wring_html(out, "<p class=\"quiet\">The stored run is looked for in ./wring.db or $WRING_DB; --db=FILE names another.</p>\n"
			"<details><summary>Exactly what ran, should the scenario have been changed since: save this as %s, then <code>", file ? file : "a file");
	run_command(out, r, file ? file : "");
	wring_html(out, "</code></summary>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"scenario\"><pre>%s</pre></div></details>\n", row->plan);
}

/* ---- the section ---- */

static void sentence(FILE *out, const char *name, const char *text)
{
	if (text && *text)
		wring_html(out, "<dt>%s</dt><dd>%s</dd>\n", name, text);
}

void wring_html_section(FILE *out, struct wring_html_run *r)
{
	const struct wring_run_row *row = r->row;
	const struct wring_scenario *s = r->scenario;

	wring_html(out, "<section class=\"run\" id=\"run%u\" aria-labelledby=\"h%u\">\n<h3 id=\"h%u\"><b class=\"badge %s\">%s</b> %s</h3>\n",
		   r->number, r->number, r->number, row->outcome, row->outcome, row->scenario);
	wring_html(out, "<p class=\"sub\">Run %lld, %s, %.1f s, Linux %s, %s%s%s", (long long)row->id, row->started, row->duration_s,
		   *row->release ? row->release : "of unknown release", strcmp(row->where, "vm") ? "on the host" : "in a guest",
		   *row->vm ? ", " : "", row->vm);
	wring_html(out, "%s%s%s%s%s%s.</p>\n", *row->accel ? ", " : "", row->accel, *row->label ? ", label " : "", row->label,
		   row->arm ? ", arm " : "", row->arm ? row->arm : "");
	if (*row->reason && strcmp(row->outcome, "ok"))
		wring_html(out, "<p><b>Why:</b> %s</p>\n", row->reason);
	findings(out, r);
	if (r->has_view)
		post_mortem(out, r);
	if (s && (s->claim || s->healthy || s->sick)) {
		wring_html(out, "<details class=\"paper\"%s><summary>What is tested</summary><dl>\n", strcmp(row->outcome, "fail") ? "" : " open");
		sentence(out, "Claim", s->claim);
		sentence(out, "A healthy kernel", s->healthy);
		sentence(out, "A sick kernel", s->sick);
		wring_html(out, "</dl></details>\n");
	}
	if (r->has_view) {
		wring_html_timelines(out, r);
		wring_html_cycles(out, r);
		wring_html_groups(out, r);
		wring_html_nodes(out, r);
	}
	wring_html_metrics(out, r);
	reproduce(out, r);
	if (r->has_view) {
		kernel_log(out, r);
		wring_html_facts(out, r);
	}
	wring_html(out, "</section>\n");
}
