/* SPDX-License-Identifier: GPL-3.0-or-later */
/* LAVA's signals: a test set a run, a test case a finding and a metric. LAVA reads them off the console with
 * "<LAVA_SIGNAL_(\S+) ([^>]+)>" and splits at blanks, so that values have neither blanks nor '>'. */
#include <errno.h>
#include <string.h>
#include "analyzers/report/format.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"

static const char *const results[] = {
	[WRING_RESULT_PASS] = "pass", [WRING_RESULT_FAIL] = "fail", [WRING_RESULT_SKIP] = "skip", [WRING_RESULT_ERROR] = "unknown",
};

/* NAME, NAME-2, NAME-3. A '/' would end up in LAVA's addresses of results. */
static char *id_of(const char *name, const char *class, size_t nth)
{
	_cleanup_free_ char *id = class && *class ? wring_strf("%s-%s", name, class) : strdup(name), *word = id ? wring_text_word(id) : NULL;

	for (char *p = word; p && *p; p++)
		if (*p == '/')
			*p = '-';
	if (!word)
		return NULL;
	return nth > 1 ? wring_strf("%s-%zu", word, nth) : strdup(word);
}

static int testcase(const char *id, const char *result, double value, const char *unit, FILE *out)
{
	_cleanup_free_ char *word = *unit ? wring_text_word(unit) : strdup("count");
	char number[32];

	if (!id || !word)
		return -ENOMEM;
	fprintf(out, "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=%s RESULT=%s UNITS=%s MEASUREMENT=%s>\n", id, result, word,
		wring_text_number(value, number, sizeof(number)));
	return 0;
}

static int run(const struct wring_case *c, size_t i, FILE *out, void *data)
{
	_cleanup_free_ char *set = id_of(c->run->scenario, NULL, c->nth);
	int r = set ? 0 : -ENOMEM;

	(void)i, (void)data;
	if (r)
		return r;
	fprintf(out, "<LAVA_SIGNAL_TESTSET START %s>\n", set);
	r = testcase("outcome", results[wring_run_result(c->run)], c->run->duration_s, "seconds", out);
	for (size_t k = 0; k < c->f.n && !r; k++) {
		const struct wring_finding_row *f = &c->f.rows[k];
		_cleanup_free_ char *id = id_of(f->detector, f->class, wring_case_finding_nth(c, k));

		r = testcase(id, results[wring_finding_result(f)], f->value, f->unit, out);
	}
	for (size_t k = 0; k < c->m.n && !r; k++) {
		_cleanup_free_ char *id = id_of("metric", c->m.rows[k].name, 1);

		r = testcase(id, "pass", c->m.rows[k].value, c->m.rows[k].unit, out);
	}
	fputs("<LAVA_SIGNAL_TESTSET STOP>\n", out);
	return r;
}

static int write_lava(struct wring_store *st, const struct wring_runs *runs, const struct wring_format_options *o, FILE *out,
		      struct wring_err *err)
{
	int r;

	(void)o;
	r = wring_case_each(st, runs, out, run, NULL, err);
	return r ? r : wring_written(out, err);
}

static const struct wring_format lava = {
	.name = "lava", .summary = "signals for LAVA, to be printed on its console", .use = WRING_FOR_EXPORT, .write = write_lava,
};
WRING_REGISTER_FORMAT(lava);
