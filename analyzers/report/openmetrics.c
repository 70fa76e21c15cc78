/* SPDX-License-Identifier: GPL-3.0-or-later */
/* OpenMetrics text, also readable as Prometheus' own text, for node_exporter's textfile collector: gauges without timestamps
 * of the newest run of each scenario, label, arm and kernel. Names of metrics are a label: two of them can never meet in one name. */
#include <errno.h>
#include <string.h>
#include "analyzers/report/format.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"

/* The newest run of each key, and what its samples have in common. */
struct newest { struct wring_runs runs; char **keys; bool limits; };

static void label(const char *name, const char *value, char before, FILE *out)
{
	_cleanup_free_ char *clean = wring_text_clean(value, true);

	fprintf(out, "%c%s=\"", before, name);
	for (const char *p = clean ? clean : ""; *p; p++) {
		if (*p == '"' || *p == '\\')
			fputc('\\', out);
		fputc(*p, out);
	}
	fputc('"', out);
}

/* Compared as it will be written: what differs in control characters only would be one series twice. */
static char *key_of(const struct wring_run_row *r)
{
	char *key = NULL;
	size_t len;
	FILE *f = open_memstream(&key, &len);

	if (!f)
		return NULL;
	label("scenario", r->scenario, '{', f);
	label("label", r->label, ',', f);
	label("arm", r->arm, ',', f);
	label("kernel", r->release, ',', f);
	return fclose(f) ? NULL : key;
}

static void value(double v, size_t nth, FILE *out)
{
	char number[32];

	if (nth > 1)
		fprintf(out, ",n=\"%zu\"", nth);
	fprintf(out, "} %s\n", wring_text_number(v, number, sizeof(number)));
}

static int outcome(const struct wring_case *c, size_t i, FILE *out, void *data)
{
	const struct newest *n = data;

	fprintf(out, "wring_run%s", n->keys[i]);
	label("outcome", c->run->outcome, ',', out);
	label("where", c->run->where, ',', out);
	value(1, 1, out);
	return 0;
}

static int duration(const struct wring_case *c, size_t i, FILE *out, void *data)
{
	const struct newest *n = data;

	fprintf(out, "wring_run_duration_seconds%s", n->keys[i]);
	value(c->run->duration_s, 1, out);
	return 0;
}

static int metrics(const struct wring_case *c, size_t i, FILE *out, void *data)
{
	const struct newest *n = data;

	for (size_t k = 0; k < c->m.n; k++) {
		const struct wring_metric_row *m = &c->m.rows[k];
		size_t nth = 1;

		for (size_t j = 0; j < k; j++)
			nth += !strcmp(c->m.rows[j].name, m->name);
		fprintf(out, "wring_metric%s", n->keys[i]);
		label("name", m->name, ',', out);
		label("unit", m->unit, ',', out);
		label("tier", m->tier, ',', out);
		value(m->value, nth, out);
	}
	return 0;
}

static int findings(const struct wring_case *c, size_t i, FILE *out, void *data)
{
	const struct newest *n = data;

	for (size_t k = 0; k < c->f.n; k++) {
		const struct wring_finding_row *f = &c->f.rows[k];

		fprintf(out, "wring_finding%s%s", n->limits ? "_limit" : "", n->keys[i]);
		label("detector", f->detector, ',', out);
		label("class", f->class, ',', out);
		label("verdict", f->verdict, ',', out);
		label("unit", f->unit, ',', out);
		value(n->limits ? f->limit : f->value, wring_case_finding_nth(c, k), out);
	}
	return 0;
}

static void newest_done(struct newest *n)
{
	for (size_t i = 0; n->keys && i < n->runs.n; i++)
		free(n->keys[i]);
	free(n->keys);
	free(n->runs.rows); /* what it points to belongs to the list of all */
}

static int newest_of(const struct wring_runs *all, struct newest *ret)
{
	*ret = (struct newest){ { calloc(all->n + 1, sizeof(*all->rows)), 0 }, calloc(all->n + 1, sizeof(char *)), false };
	for (size_t i = 0; ret->runs.rows && ret->keys && i < all->n; i++) {
		char *key = key_of(&all->rows[i]);
		size_t k = 0;

		if (!key)
			return -ENOMEM;
		while (k < ret->runs.n && strcmp(ret->keys[k], key))
			k++;
		ret->runs.rows[k] = all->rows[i]; /* they come oldest first */
		free(ret->keys[k]);
		ret->keys[k] = key;
		ret->runs.n += k == ret->runs.n;
	}
	return ret->runs.rows && ret->keys ? 0 : -ENOMEM;
}

static int write_openmetrics(struct wring_store *st, const struct wring_runs *runs, const struct wring_format_options *o, FILE *out,
			     struct wring_err *err)
{
	static const struct {
		const char *name, *unit, *help;
		int (*write)(const struct wring_case *, size_t, FILE *, void *);
		bool limits;
	} all[] = {
		{ "wring_run", NULL, "Outcome of the newest run; always 1.", outcome, false },
		{ "wring_run_duration_seconds", "seconds", "How long it took.", duration, false },
		{ "wring_metric", NULL, "A metric of the run, by name.", metrics, false },
		{ "wring_finding", NULL, "What a detector measured.", findings, false },
		{ "wring_finding_limit", NULL, "The limit it was held against.", findings, true },
	};
	struct newest n;
	int r = newest_of(runs, &n);

	(void)o;
	if (r)
		wring_err_set(err, r, "out of memory");
	for (size_t i = 0; i < WRING_ARRAY_SIZE(all) && !r; i++) {
		fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n", all[i].name, all[i].help, all[i].name);
		if (all[i].unit)
			fprintf(out, "# UNIT %s %s\n", all[i].name, all[i].unit);
		n.limits = all[i].limits;
		r = wring_case_each(st, &n.runs, out, all[i].write, &n, err);
	}
	fputs("# EOF\n", out);
	newest_done(&n);
	return r ? r : wring_written(out, err);
}

static const struct wring_format openmetrics = {
	.name = "openmetrics", .summary = "gauges of the newest runs, for node_exporter's textfile collector", .use = WRING_FOR_EXPORT,
	.write = write_openmetrics,
};
WRING_REGISTER_FORMAT(openmetrics);
