/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/post-mortem.h"
#include "analyzers/report/format.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include "analyzers/report/text.h"
#include "harness/base/util.h"

const struct wring_format *wring_format_find(const char *name, int use)
{
	size_t n;
	const struct wring_format *const *all = wring_formats(&n);

	for (size_t i = 0; i < n; i++)
		if (all[i]->use & use && !strcmp(all[i]->name, name))
			return all[i];
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *wring_format_names(int use, const char *separator)
{
	size_t n, n_names = 0, len = 0;
	const struct wring_format *const *all = wring_formats(&n);
	_cleanup_free_ const char **names = calloc(n + 1, sizeof(*names));
	char *ret, *p;

	for (size_t i = 0; names && i < n; i++)
		if (all[i]->use & use) {
			names[n_names++] = all[i]->name;
			len += strlen(all[i]->name) + strlen(separator);
		}
	ret = names ? malloc(len + 1) : NULL;
	if (!ret)
		return NULL;
	*ret = '\0';
	qsort(names, n_names, sizeof(*names), by_name);
	p = ret;
	for (size_t i = 0; i < n_names; i++)
		p = stpcpy(stpcpy(p, i ? separator : ""), names[i]);
	return ret;
}

enum wring_result wring_run_result(const struct wring_run_row *run)
{
	if (!strcmp(run->outcome, "ok"))
		return WRING_RESULT_PASS;
	if (!strcmp(run->outcome, "fail"))
		return WRING_RESULT_FAIL;
	return strcmp(run->outcome, "broken") ? WRING_RESULT_SKIP : WRING_RESULT_ERROR;
}

enum wring_result wring_finding_result(const struct wring_finding_row *f)
{
	if (!strcmp(f->verdict, "pass"))
		return WRING_RESULT_PASS;
	return strcmp(f->verdict, "fail") ? WRING_RESULT_SKIP : WRING_RESULT_FAIL;
}

/* A metric without a number says nothing. */
static void drop_not_finite(struct wring_metrics *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct wring_metric_row row = m->rows[i];

		if (!isfinite(row.value))
			continue;
		m->rows[i] = m->rows[n]; /* swapped, so that all are freed */
		m->rows[n++] = row;
	}
	for (size_t i = n; i < m->n; i++) {
		free((char *)m->rows[i].name);
		free((char *)m->rows[i].unit);
		free((char *)m->rows[i].better);
		free((char *)m->rows[i].tier);
	}
	m->n = n;
}

static void case_done(struct wring_case *c)
{
	free(c->remains);
	wring_metrics_done(&c->m);
	wring_findings_done(&c->f);
}

static int load_case(struct wring_store *st, const struct wring_runs *runs, size_t i, struct wring_case *ret, struct wring_err *err)
{
	int r;

	*ret = (struct wring_case){ .run = &runs->rows[i], .nth = 1 };
	for (size_t k = 0; k < i; k++)
		ret->nth += !strcmp(runs->rows[k].scenario, ret->run->scenario);
	r = wring_store_metrics(st, ret->run->id, &ret->m, err);
	drop_not_finite(&ret->m);
	if (!r)
		r = wring_store_findings(st, ret->run->id, &ret->f, err);
	if (!r)
		ret->remains = wring_remains_text(st, ret->run);
	if (r)
		case_done(ret);
	return r;
}

size_t wring_case_finding_nth(const struct wring_case *c, size_t i)
{
	size_t nth = 1;

	for (size_t k = 0; k < i; k++)
		nth += !strcmp(c->f.rows[k].detector, c->f.rows[i].detector) && !strcmp(c->f.rows[k].class, c->f.rows[i].class);
	return nth;
}

bool wring_case_is_unexplained(const struct wring_case *c)
{
	for (size_t i = 0; i < c->f.n; i++)
		if (wring_finding_result(&c->f.rows[i]) == WRING_RESULT_FAIL)
			return false;
	return wring_run_result(c->run) == WRING_RESULT_FAIL || wring_run_result(c->run) == WRING_RESULT_ERROR;
}

int wring_case_each(struct wring_store *st, const struct wring_runs *runs, FILE *out,
		    int (*one)(const struct wring_case *c, size_t i, FILE *out, void *data), void *data, struct wring_err *err)
{
	int r = 0;

	for (size_t i = 0; i < runs->n && !r; i++) {
		struct wring_case c;

		r = load_case(st, runs, i, &c, err);
		if (r)
			break;
		r = one(&c, i, out, data);
		case_done(&c);
		if (r == -ENOMEM)
			wring_err_set(err, r, "out of memory");
	}
	return r;
}

void wring_case_metrics(const struct wring_case *c, const char *prefix, FILE *out)
{
	for (size_t i = 0; i < c->m.n; i++) {
		const struct wring_metric_row *m = &c->m.rows[i];
		_cleanup_free_ char *name = wring_text_word(m->name), *unit = *m->unit ? wring_text_word(m->unit) : NULL;
		char value[32];

		if (name)
			fprintf(out, "%s%s %s%s%s\n", prefix, name, wring_text_number(m->value, value, sizeof(value)), unit ? " " : "",
				unit ? unit : "");
	}
}

char *wring_finding_line(const struct wring_finding_row *f)
{
	_cleanup_free_ char *evidence = wring_text_clean(f->evidence, true), *unit = wring_text_clean(f->unit, true);
	char value[32], limit[32];

	if (!evidence || !unit)
		return NULL;
	return wring_strf("%s: %s against %s%s%s%s%s", f->verdict, wring_text_number(f->value, value, sizeof(value)),
			  wring_text_number(f->limit, limit, sizeof(limit)), *unit ? " " : "", unit, *evidence ? ": " : "", evidence);
}

int wring_written(FILE *out, struct wring_err *err)
{
	if (fflush(out) || ferror(out))
		return wring_err_set(err, -EIO, "writing failed: %s", strerror(errno));
	return 0;
}

const char *wring_why(const struct wring_run_row *run, const struct wring_findings *f)
{
	static const char *const words[][2] = { { "suspect", "passed, with something suspect" }, { "inconclusive", "passed, with something inconclusive" },
		{ "known", "only known failures" } };

	if (*run->reason || strcmp(run->outcome, "ok") || !f)
		return run->reason;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(words); i++)
		for (size_t k = 0; k < f->n; k++)
			if (!strcmp(f->rows[k].verdict, words[i][0]))
				return words[i][1];
	return f->n ? "all invariants held" : "nothing was judged";
}
