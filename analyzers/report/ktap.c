/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KTAP version 1 (Documentation/dev-tools/ktap.rst): a test a run, a subtest a finding, numbers as diagnostics. */
#include <errno.h>
#include <string.h>
#include "analyzers/report/format.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"

/* A '#' would begin a directive, and at these words the kernel's own parser (tools/testing/kunit) stops reading, wherever they are. */
static char *harmless(char *s)
{
	static const char *const ends[] = { "List of all partitions:", "Kernel panic - not syncing: VFS:", "reboot: System halted" };

	for (char *p = s; p && *p; p++)
		if (*p == '#')
			*p = '_';
	for (size_t i = 0; s && i < WRING_ARRAY_SIZE(ends); i++)
		for (char *p = s; (p = strstr(p, ends[i]));)
			*strchr(p, ' ') = '_';
	return s;
}

static int finding(const struct wring_case *c, size_t i, FILE *out)
{
	const struct wring_finding_row *f = &c->f.rows[i];
	_cleanup_free_ char *detector = wring_text_word(f->detector), *class = *f->class ? wring_text_word(f->class) : strdup("");
	_cleanup_free_ char *line = harmless(wring_finding_line(f)), *link = harmless(wring_text_clean(f->link, true));
	size_t nth = wring_case_finding_nth(c, i);
	char again[24] = "";

	if (!detector || !class || !line || !link)
		return -ENOMEM;
	if (nth > 1)
		snprintf(again, sizeof(again), ".%zu", nth);
	fprintf(out, "  # evidence: %s\n", line);
	if (*link)
		fprintf(out, "  # link: %s\n", link);
	fprintf(out, "  %sok %zu %s%s%s%s", wring_finding_result(f) == WRING_RESULT_FAIL ? "not " : "", i + 1, detector, *class ? "/" : "",
		class, again);
	if (!strcmp(f->verdict, "known"))
		fprintf(out, " # XFAIL %s", line);
	else if (wring_finding_result(f) == WRING_RESULT_SKIP)
		fprintf(out, " # SKIP %s", line);
	fputc('\n', out);
	return 0;
}

static int run(const struct wring_case *c, size_t i, FILE *out, void *data)
{
	static const char *const directives[] = { [WRING_RESULT_SKIP] = " # SKIP ", [WRING_RESULT_ERROR] = " # ERROR " };
	_cleanup_free_ char *name = wring_text_word(c->run->scenario), *reason = harmless(wring_text_clean(c->run->reason, true));
	_cleanup_free_ char *uuid = wring_text_word(c->run->uuid), *kernel = harmless(wring_text_clean(c->run->release, true));
	enum wring_result result = wring_run_result(c->run);
	bool unexplained = wring_case_is_unexplained(c);
	char seconds[32];
	int r = 0;

	(void)data;
	if (!name || !reason || !kernel || !uuid)
		return -ENOMEM;
	if (c->f.n)
		fprintf(out, "  KTAP version 1\n  # Subtest: %s\n  1..%zu\n", name, c->f.n + unexplained);
	fprintf(out, "%s# run: %s\n%s# kernel: %s\n", c->f.n ? "  " : "", uuid, c->f.n ? "  " : "", kernel);
	fprintf(out, "%s# duration %s s\n", c->f.n ? "  " : "", wring_text_number(c->run->duration_s, seconds, sizeof(seconds)));
	wring_case_metrics(c, c->f.n ? "  # " : "# ", out);
	for (size_t k = 0; k < c->f.n && !r; k++)
		r = finding(c, k, out);
	if (c->f.n && unexplained) /* whoever counts subtests only must see it too */
		fprintf(out, "  not ok %zu outcome%s%s: %s\n", c->f.n + 1, result == WRING_RESULT_ERROR ? directives[result] : " ", c->run->outcome, reason);
	fprintf(out, "%sok %zu %s", result == WRING_RESULT_FAIL || result == WRING_RESULT_ERROR ? "not " : "", i + 1, name);
	if (result == WRING_RESULT_SKIP || result == WRING_RESULT_ERROR)
		fprintf(out, "%s%s%s%s", directives[result], c->run->outcome, *reason ? ": " : "", reason);
	fputc('\n', out);
	return r;
}

static int write_ktap(struct wring_store *st, const struct wring_runs *runs, const struct wring_format_options *o, FILE *out,
		      struct wring_err *err)
{
	int r;

	(void)o;
	fprintf(out, "KTAP version 1\n1..%zu%s\n", runs->n, runs->n ? "" : " # SKIP no runs");
	r = wring_case_each(st, runs, out, run, NULL, err);
	return r ? r : wring_written(out, err);
}

static const struct wring_format ktap = {
	.name = "ktap", .summary = "KTAP version 1, as the kernel's own tests print", .use = WRING_FOR_EXPORT, .write = write_ktap,
};
WRING_REGISTER_FORMAT(ktap);
