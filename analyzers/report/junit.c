/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JUnit XML as Jenkins (junit-10.xsd) and GitLab read it: a testsuite a run, a testcase a finding and one for the outcome.
 * GitLab drops the later of two cases with the same classname and name, so they differ. */
#include <errno.h>
#include <string.h>
#include "analyzers/report/format.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"

/* For attributes and text. XML 1.0 has no place for control characters, nor for U+FFFE and U+FFFF. */
static void xml(const char *s, FILE *out)
{
	_cleanup_free_ char *clean = wring_text_clean(s, true);

	for (const char *p = clean ? clean : ""; *p; p++) {
		const char *name = *p == '&' ? "amp" : *p == '<' ? "lt" : *p == '>' ? "gt" : *p == '"' ? "quot" : NULL;

		if (name)
			fprintf(out, "&%s;", name);
		else if (!strncmp(p, "\xef\xbf\xbe", 3) || !strncmp(p, "\xef\xbf\xbf", 3))
			p += fputs("\xef\xbf\xbd", out) < 0 ? 0 : 2;
		else
			fputc(*p, out);
	}
}

static void attribute(const char *name, const char *value, FILE *out)
{
	fprintf(out, " %s=\"", name);
	xml(value, out);
	fputc('"', out);
}

static void testcase(const struct wring_case *c, const char *name, const char *class, size_t nth, double seconds, FILE *out)
{
	fputs("  <testcase name=\"", out);
	xml(name, out);
	if (*class) {
		fputc('/', out);
		xml(class, out);
	}
	if (nth > 1)
		fprintf(out, ".%zu", nth);
	fputs("\" classname=\"wring.", out);
	xml(c->run->scenario, out);
	if (c->nth > 1)
		fprintf(out, ".%zu", c->nth);
	fprintf(out, "\" time=\"%.3f\">\n", seconds);
}

static void result(const char *element, const char *type, const char *message, const char *text, FILE *out)
{
	fprintf(out, "   <%s", element);
	attribute("type", type, out);
	attribute("message", message, out);
	fputc('>', out);
	xml(text, out);
	fprintf(out, "</%s>\n", element);
}

static int finding(const struct wring_case *c, size_t i, FILE *out)
{
	const struct wring_finding_row *f = &c->f.rows[i];
	_cleanup_free_ char *line = wring_finding_line(f);

	if (!line)
		return -ENOMEM;
	testcase(c, f->detector, f->class, wring_case_finding_nth(c, i), 0, out);
	if (wring_finding_result(f) == WRING_RESULT_FAIL)
		result("failure", f->class, line, f->evidence, out);
	else if (wring_finding_result(f) == WRING_RESULT_SKIP)
		result("skipped", f->verdict, line, f->link, out);
	fputs("   <system-out>", out);
	xml(line, out);
	fputs("</system-out>\n  </testcase>\n", out);
	return 0;
}

static void outcome(const struct wring_case *c, FILE *out)
{
	enum wring_result r = wring_run_result(c->run);

	testcase(c, "outcome", "", 1, c->run->duration_s, out);
	if (r == WRING_RESULT_ERROR)
		result("error", c->run->outcome, c->run->reason, "", out);
	else if (r == WRING_RESULT_SKIP)
		result("skipped", c->run->outcome, c->run->reason, "", out);
	else if (wring_case_is_unexplained(c))
		result("failure", c->run->outcome, c->run->reason, "", out);
	fputs("   <system-out>", out);
	wring_case_metrics(c, "", out);
	fputs("</system-out>\n  </testcase>\n", out);
}

static void property(const char *name, const char *value, FILE *out)
{
	fputs("   <property", out);
	attribute("name", name, out);
	attribute("value", value, out);
	fputs("/>\n", out);
}

static int suite(const struct wring_case *c, size_t i, FILE *out, void *data)
{
	size_t failures = wring_case_is_unexplained(c) && wring_run_result(c->run) == WRING_RESULT_FAIL, skipped = wring_run_result(c->run) == WRING_RESULT_SKIP;
	int r = 0;

	(void)i, (void)data;
	for (size_t k = 0; k < c->f.n; k++) {
		failures += wring_finding_result(&c->f.rows[k]) == WRING_RESULT_FAIL;
		skipped += wring_finding_result(&c->f.rows[k]) == WRING_RESULT_SKIP;
	}
	fputs(" <testsuite", out);
	attribute("name", c->run->scenario, out);
	fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%d\" skipped=\"%zu\" time=\"%.3f\"", c->f.n + 1, failures,
		wring_run_result(c->run) == WRING_RESULT_ERROR, skipped, c->run->duration_s);
	attribute("timestamp", c->run->started, out);
	fputs(">\n  <properties>\n", out);
	property("run", c->run->uuid, out);
	property("kernel", c->run->release, out);
	property("append", c->run->append, out);
	property("label", c->run->label, out);
	property("where", c->run->where, out);
	property("machine", c->run->vm, out);
	fputs("  </properties>\n", out);
	for (size_t k = 0; k < c->f.n && !r; k++)
		r = finding(c, k, out);
	outcome(c, out);
	fputs(" </testsuite>\n", out);
	return r;
}

static int write_junit(struct wring_store *st, const struct wring_runs *runs, const struct wring_format_options *o, FILE *out,
		       struct wring_err *err)
{
	int r;

	(void)o;
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"wring\">\n", out);
	r = wring_case_each(st, runs, out, suite, NULL, err);
	fputs("</testsuites>\n", out);
	return r ? r : wring_written(out, err);
}

static const struct wring_format junit = {
	.name = "junit", .summary = "JUnit XML, for GitLab and Jenkins", .use = WRING_FOR_EXPORT, .write = write_junit,
};
WRING_REGISTER_FORMAT(junit);
