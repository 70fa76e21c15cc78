/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A report for a mailing list: ASCII, 72 columns, what happened first, and how to see it again. */
#include <errno.h>
#include <string.h>
#include "analyzers/report/format.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"
#include "harness/plan/plan.h"

enum { COLUMNS = 72 };

/* Lines of at most 72 columns, also of words that are longer. A line that begins with "From " or a lone dot means something to
 * a mail program; all of ours are indented. */
static void wrapped(const char *s, size_t indent, FILE *out)
{
	_cleanup_free_ char *text = wring_text_ascii(s);
	size_t width = COLUMNS - indent;

	for (char *p = text; p && *(p += strspn(p, " "));) {
		size_t len = strlen(p), cut = len;

		if (len > width) {
			for (cut = width; cut && p[cut] != ' '; cut--)
				;
			if (!cut)
				cut = width;
		}
		while (cut && p[cut - 1] == ' ')
			cut--;
		fprintf(out, "%*s%.*s\n", (int)indent, "", (int)cut, p);
		p += cut;
	}
}

/* "  name            text": a name of 14 columns and what does not fit below it. */
static void field(const char *name, const char *text, FILE *out)
{
	char *all = NULL;
	size_t len = 0;
	FILE *f = text && *text ? open_memstream(&all, &len) : NULL;

	if (!f)
		return;
	wrapped(text, 18, f);
	if (!fclose(f) && len > 18)
		fprintf(out, "  %-15s %s", name, all + 18);
	free(all);
}

static void paragraphs(const char *title, const char *text, FILE *out)
{
	_cleanup_free_ char *copy = text && *text ? strdup(text) : NULL;

	if (!copy)
		return;
	for (char *p = copy; *p; p++)
		if (*p == '\n')
			*p = ' ';
	fprintf(out, "%s\n", title);
	wrapped(copy, 2, out);
	fputc('\n', out);
}

static void what_is_claimed(const struct wring_run_row *r, FILE *out)
{
	struct wring_scenario *s = NULL;
	struct wring_err ignored = { 0 };

	if (wring_scenario_parse("plan", r->plan, NULL, 0, &s, &ignored))
		return; /* of a version that says it otherwise: the findings stand for themselves */
	paragraphs("What is tested", s->claim, out);
	paragraphs("What a sick kernel shows", s->sick, out);
	wring_scenario_free(s);
}

static int verdicts(const struct wring_case *c, FILE *out)
{
	if (c->f.n)
		fputs("Verdicts\n", out);
	for (size_t i = 0; i < c->f.n; i++) {
		const struct wring_finding_row *f = &c->f.rows[i];
		_cleanup_free_ char *name = wring_strf("%s%s%s: %s", f->detector, *f->class ? "/" : "", f->class, f->verdict);
		_cleanup_free_ char *line = wring_finding_line(f);

		if (!name || !line)
			return -ENOMEM;
		wrapped(name, 2, out);
		if (strcmp(f->verdict, "pass"))
			wrapped(line, 4, out);
		if (*f->link)
			wrapped(f->link, 4, out);
	}
	fputs(c->f.n ? "\n" : "", out);
	return 0;
}

static void metrics(const struct wring_case *c, FILE *out)
{
	size_t n = 0;

	for (size_t i = 0; i < c->m.n; i++) {
		const struct wring_metric_row *m = &c->m.rows[i];
		_cleanup_free_ char *name = wring_text_ascii(m->name), *unit = wring_text_ascii(m->unit);
		char value[48];

		if (!name || !unit || (strcmp(m->tier, "primary") && c->m.n > 12))
			continue;
		if (!n++)
			fputs("Metrics\n", out);
		fprintf(out, "  %-40.40s %.20s\n", name, wring_text_value(m->value, unit, value, sizeof(value)));
	}
	fputs(n ? "\n" : "", out);
}

/* A line of a shell: it may be longer than 72 columns, for what is broken cannot be pasted. Each option on a line of its own. */
static int reproduce(const struct wring_run_row *r, FILE *out)
{
	_cleanup_free_ char *name = wring_text_ascii(r->scenario), *line = wring_text_ascii(r->append), *id = wring_text_ascii(r->uuid), *vm = wring_text_ascii(r->vm);
	_cleanup_free_ char *scenario = name ? wring_text_shell(name) : NULL, *append = line ? wring_text_shell(line) : NULL;
	char *save = NULL;

	if (!scenario || !append || !id || !vm)
		return -ENOMEM;
	fprintf(out, "How to reproduce\n  wring run %s --seed=%lld --where=%s", scenario, (long long)r->seed, r->where);
	if (!strcmp(r->where, "vm")) {
		fputs(" \\\n    --kernel=arch/x86/boot/bzImage", out);
		for (char *p = strtok_r(vm, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
			_cleanup_free_ char *option = !strncmp(p, "cpus=", 5) || !strncmp(p, "nodes=", 6) || !strncmp(p, "memory=", 7) ?
							      wring_text_shell(p) : NULL;

			if (option)
				fprintf(out, " --%s", option);
		}
		if (*r->append)
			fprintf(out, " \\\n    --append=%s", append);
	}
	fprintf(out, "\n  wring report %.8s --format=reproducer      # a script without wring\n", id);
	return 0;
}

static int run(const struct wring_case *c, size_t i, FILE *out, void *data)
{
	const struct wring_run_row *r = c->run;
	_cleanup_free_ char *where = wring_strf("%s%s%s%s%s", r->where, *r->vm ? ", " : "", r->vm, *r->accel ? ", " : "", r->accel);
	char duration[32];
	int code;

	(void)data;
	if (i)
		fputs("\n------------------------------------------------------------------------\n\n", out);
	wrapped(r->scenario, 0, out);
	snprintf(duration, sizeof(duration), "%.1f s", r->duration_s);
	field("outcome", r->outcome, out);
	field("reason", r->reason, out);
	field("kernel", r->release, out);
	field("command line", r->append, out);
	field("where", where, out);
	field("started", r->started, out);
	field("took", duration, out);
	field("run", r->uuid, out);
	fputc('\n', out);
	code = verdicts(c, out);
	if (c->remains)
		paragraphs("What its guest left", c->remains, out);
	metrics(c, out);
	what_is_claimed(r, out);
	return code ? code : reproduce(r, out);
}

static int write_mail(struct wring_store *st, const struct wring_runs *runs, const struct wring_format_options *o, FILE *out,
		      struct wring_err *err)
{
	size_t n[4] = { 0 };
	int r;

	(void)o;
	for (size_t i = 0; i < runs->n; i++)
		n[wring_run_result(&runs->rows[i])]++;
	fprintf(out, "wring: %zu failed, %zu passed, %zu could not be measured,\n%zu skipped or noisy\n\n", n[WRING_RESULT_FAIL], n[WRING_RESULT_PASS],
		n[WRING_RESULT_ERROR], n[WRING_RESULT_SKIP]);
	r = wring_case_each(st, runs, out, run, NULL, err);
	return r ? r : wring_written(out, err);
}

static const struct wring_format mail = {
	.name = "mail", .summary = "plain text of 72 columns for a mailing list", .use = WRING_FOR_REPORT, .write = write_mail,
};
WRING_REGISTER_FORMAT(mail);
