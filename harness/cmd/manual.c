/* SPDX-License-Identifier: GPL-3.0-or-later */
/* manual: the parts of the manual pages that the programs know themselves, as scdoc(5); docs/man/page.sh puts them in. Not in the
 * list of commands: it serves the build. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/api/detector.h"
#include "harness/api/sampler.h"
#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "harness/cmd/cmd.h"
#include "harness/run/run.h"
#include "workloads/load/context.h"

/* scdoc takes these for its own. */
static void text(const char *s)
{
	for (const char *p = s ? s : ""; *p; p++) {
		if (strchr("\\*_", *p) || (p == s && strchr("-.#|[]`:", *p)) || (*p == '+' && p[1] == '+'))
			putchar('\\');
		putchar(*p);
	}
}

static void bold(const char *s)
{
	putchar('*');
	text(s);
	putchar('*');
}

/* Paragraphs, one tab in; a newline in the text is one here. */
static void indented(const char *s)
{
	const char *end;

	for (; s && *s; s = *end ? end + 1 : end) {
		_cleanup_free_ char *line = NULL;

		while (*s == ' ' || *s == '\n')
			s++;
		end = s + strcspn(s, "\n");
		line = strndup(s, (size_t)(end - s));
		putchar('\t');
		text(line);
		putchar('\n');
	}
	putchar('\n');
}

static void heading(const char *name)
{
	printf("## %s\n\n", name);
}

static void paragraph(const char *s)
{
	for (const char *p = s ? s : ""; *p;) {
		size_t n = strcspn(p, "\n");
		_cleanup_free_ char *line = strndup(p, n);

		text(line ? line : "");
		putchar('\n');
		p += n;
		while (*p == '\n' || *p == ' ')
			p++;
	}
	putchar('\n');
}

static void params(const struct wring_param *p)
{
	for (; p && p->name; p++) {
		_cleanup_free_ char *help = p->choices ? wring_strf("%s (%s)", p->help, p->choices) :
					    p->min || p->max ? wring_strf("%s (%s to %s)", p->help, p->min ? p->min : "0", p->max ? p->max : "no limit") :
					    strdup(p->help);

		bold(p->name);
		putchar('=');
		text(p->def);
		putchar('\n');
		indented(help);
	}
}

static int by_name(const void *a, const void *b)
{
	/* every plug-in's struct begins with its name */
	return strcmp(**(const char *const *const *)a, **(const char *const *const *)b);
}

/* A sorted copy of the pointers of a registry. */
static const void **sorted(const void *const *all, size_t n)
{
	const void **copy = calloc(n + 1, sizeof(*copy));

	if (copy && n)
		memcpy(copy, all, n * sizeof(*copy));
	if (copy)
		qsort(copy, n, sizeof(*copy), by_name);
	return copy;
}

_Static_assert(!offsetof(struct wring_workload, name) && !offsetof(struct wring_sampler, name) && !offsetof(struct wring_detector, name),
	       "names come first");

static void workloads(void)
{
	size_t n = 0;
	const struct wring_workload *const *found = wring_workloads(&n);
	_cleanup_free_ const void **all = sorted((const void *const *)found, n);

	for (size_t i = 0; all && i < n; i++) {
		const struct wring_workload *w = all[i];

		heading(w->name);
		paragraph(w->summary);
		paragraph(w->doc);
		params(w->params);
		if (w->make)
			printf("Made of objects: takes the common options too.\n\n");
	}
}

static void common_params(void)
{
	params(wring_object_params);
}

static const char *scope_name(enum wring_scope s)
{
	static const char *const names[] = { "once", "for each NUMA node", "for each group", "for each slab cache", "for each load" };

	return names[s];
}

static void samplers(void)
{
	size_t n = 0;
	const struct wring_sampler *const *found = wring_samplers(&n);
	_cleanup_free_ const void **all = sorted((const void *const *)found, n);

	for (size_t i = 0; all && i < n; i++) {
		const struct wring_sampler *s = all[i];

		heading(s->name);
		paragraph(s->summary);
		printf("Read %s", scope_name(s->scope));
		for (size_t k = 0; k < WRING_MAX_FILES && s->files[k]; k++) {
			printf(k ? ", " : ": ");
			text(s->files[k]);
		}
		if (s->unit && *s->unit)
			printf("; unit: %s", s->unit);
		printf(".%s\n\n", s->costly ? " Reading it disturbs the kernel: at marks, and at most once a second." : "");
	}
}

static void detectors(void)
{
	size_t n = 0;
	const struct wring_detector *const *found = wring_detectors(&n);
	_cleanup_free_ const void **all = sorted((const void *const *)found, n);

	for (size_t i = 0; all && i < n; i++) {
		const struct wring_detector *d = all[i];

		heading(d->name);
		paragraph(d->summary);
		paragraph(d->doc);
		if (d->limits) {
			printf("*Limits* ([limits] %s.KEY): ", d->name);
			text(d->limits);
			printf("\n\n");
		}
		printf("*Controls*\n");
		indented(d->controls);
	}
}

static void scenarios(void)
{
	struct wring_scenarios s;
	struct wring_err err = { 0 };

	if (wring_scenarios_all(&s, &err))
		exit(wring_complain(&err, WRING_EXIT_USAGE));
	for (size_t i = 0; i < s.n; i++) {
		const struct wring_scenario *one = s.rows[i];

		heading(one->name);
		paragraph(one->summary);
		paragraph(one->claim);
		for (size_t k = 0; k < one->params.n; k++) {
			bold(one->params.rows[k].key);
			putchar('=');
			text(one->params.rows[k].value);
			putchar('\n');
			indented(wring_setting_get(&one->param_help, one->params.rows[k].key));
		}
	}
	wring_scenarios_done(&s);
}

static const struct { const char *name; void (*print)(void); } parts[] = {
	{ "workloads", workloads }, { "common", common_params }, { "samplers", samplers }, { "detectors", detectors },
	{ "scenarios", scenarios },
};

static int manual(int argc, char **argv)
{
	for (size_t i = 0; i < WRING_ARRAY_SIZE(parts) && argc == 2; i++)
		if (!strcmp(argv[1], parts[i].name)) {
			parts[i].print();
			return WRING_EXIT_OK;
		}
	return wring_usage_error("manual: one of workloads, common, samplers, detectors, scenarios is accepted");
}

const struct wring_cmd wring_cmd_manual = { "manual", "WHAT", NULL, manual };
