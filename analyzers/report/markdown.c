/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Markdown (GitHub's) for the summary of a CI job. */
#include <errno.h>
#include <string.h>
#include "analyzers/report/format.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"

/* GitHub takes 1 MiB from a step, and refuses all of it if there is more. */
enum { SUMMARY_MAX = 1000000 };

/* Nothing of it is markup: every ASCII character that could be is written as an entity. */
static void plain(const char *s, FILE *out)
{
	_cleanup_free_ char *clean = wring_text_clean(s, true);

	for (const char *p = clean ? clean : ""; *p; p++)
		if (strchr("&<>\"'`*_~[](){}#+!|\\@:$", *p))
			fprintf(out, "&#%d;", *p);
		else
			fputc(*p, out);
}

static const char *word_of(const struct wring_run_row *r)
{
	return strcmp(r->outcome, "ok") ? r->outcome : "pass";
}

static int summary(const struct wring_case *c, size_t i, FILE *out, void *data)
{
	(void)i, (void)data;
	fprintf(out, "| %s | ", word_of(c->run));
	plain(c->run->scenario, out);
	fputs(" | ", out);
	plain(wring_why(c->run, &c->f), out);
	fputs(" | ", out);
	plain(c->run->release, out);
	fprintf(out, " | %.1f s |\n", c->run->duration_s);
	return 0;
}

static void findings(const struct wring_case *c, FILE *out)
{
	char value[48], limit[48];
	size_t n = 0;

	for (size_t i = 0; i < c->f.n; i++) {
		const struct wring_finding_row *f = &c->f.rows[i];

		if (!strcmp(f->verdict, "pass"))
			continue;
		if (!n++)
			fputs("| verdict | detector | value | limit | evidence |\n|---|---|---:|---:|---|\n", out);
		fprintf(out, "| %s | ", f->verdict);
		plain(f->detector, out);
		fputs(*f->class ? "/" : "", out);
		plain(f->class, out);
		fputs(" | ", out);
		plain(wring_text_value(f->value, f->unit, value, sizeof(value)), out);
		fputs(" | ", out);
		plain(wring_text_value(f->limit, f->unit, limit, sizeof(limit)), out);
		fputs(" | ", out);
		plain(f->evidence, out);
		fputs(*f->link ? " " : "", out);
		plain(f->link, out);
		fputs(" |\n", out);
	}
	if (n)
		fputc('\n', out);
}

static void metrics(const struct wring_case *c, FILE *out)
{
	char value[48];
	size_t n = 0;

	for (size_t i = 0; i < c->m.n; i++) {
		if (strcmp(c->m.rows[i].tier, "primary"))
			continue;
		if (!n++)
			fputs("| metric | value | better |\n|---|---:|---|\n", out);
		fputs("| ", out);
		plain(c->m.rows[i].name, out);
		fputs(" | ", out);
		plain(wring_text_value(c->m.rows[i].value, c->m.rows[i].unit, value, sizeof(value)), out);
		fprintf(out, " | %s |\n", c->m.rows[i].better);
	}
	if (n)
		fputc('\n', out);
}

struct details { size_t left_out; };

static int details(const struct wring_case *c, size_t i, FILE *out, void *data)
{
	struct details *d = data;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	long at = ftell(out);

	if (!f)
		return -ENOMEM;
	(void)i;
	fputs("### ", f);
	plain(c->run->scenario, f);
	fprintf(f, ", run %lld: %s\n\n", (long long)c->run->id, word_of(c->run));
	findings(c, f);
	plain(c->remains, f);
	fputs(c->remains ? "\n\n" : "", f);
	metrics(c, f);
	if (fclose(f)) {
		free(text);
		return -ENOMEM;
	}
	if (at + (long)len < SUMMARY_MAX)
		fwrite(text, 1, len, out);
	else
		d->left_out++;
	free(text);
	return 0;
}

/* Into memory first: a pipe does not tell how much went in. */
static int write_body(struct wring_store *st, const struct wring_runs *runs, FILE *out, struct wring_err *err)
{
	struct wring_runs shown = *runs;
	struct details d = { 0 };
	int r;

	/* a row takes up to 200 bytes and its reason */
	while (shown.n > 2000)
		shown.rows++, shown.n--;
	fputs("## wring\n\n", out);
	if (shown.n < runs->n)
		fprintf(out, "The newest %zu of %zu runs.\n\n", shown.n, runs->n);
	fputs("| outcome | scenario | why | kernel | took |\n|---|---|---|---|---:|\n", out);
	r = wring_case_each(st, &shown, out, summary, NULL, err);
	fputc('\n', out);
	if (!r)
		r = wring_case_each(st, &shown, out, details, &d, err);
	if (!r && d.left_out)
		fprintf(out, "Details of %zu runs are left out: a summary may hold 1 MiB.\n", d.left_out);
	return r;
}

static int write_md(struct wring_store *st, const struct wring_runs *runs, const struct wring_format_options *o, FILE *out,
		    struct wring_err *err)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int r = f ? write_body(st, runs, f, err) : wring_err_set(err, -ENOMEM, "out of memory");

	(void)o;
	if (f && fclose(f) && !r)
		r = wring_err_set(err, -ENOMEM, "out of memory");
	if (!r)
		fwrite(text, 1, len, out);
	free(text);
	return r ? r : wring_written(out, err);
}

static const struct wring_format markdown = {
	.name = "md", .summary = "Markdown for the summary of a CI job", .use = WRING_FOR_REPORT, .write = write_md,
};
WRING_REGISTER_FORMAT(markdown);
