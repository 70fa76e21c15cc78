/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events `output` of one process: "pid=N\n" and a part of its text each, in order; the text begins with a line "program=NAME exit=N". */
#include "analyzers/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "analyzers/view.h"
#include "harness/base/util.h"

static const struct { const char *program; int (*parse)(const char *text, size_t len, struct wring_figures *f); } parsers[] = {
	{ "stress-ng", wring_stress_ng_parse },
	{ "fio", wring_fio_parse },
};

static bool is_output(const struct wring_event *e, const char *load)
{
	return !strcmp(e->kind, "output") && !strcmp(e->subject, load);
}

/* Everything the process of event `first` wrote; NULL when that was put together already. */
static char *whole(const struct wring_events *e, size_t first, const char *load, size_t *ret_len)
{
	size_t head = strcspn(e->rows[first].text, "\n") + 1;
	char *text = NULL;
	FILE *f;

	for (size_t i = 0; i < first; i++)
		if (is_output(&e->rows[i], load) && !strncmp(e->rows[i].text, e->rows[first].text, head))
			return NULL;
	f = open_memstream(&text, ret_len);
	for (size_t i = first; f && i < e->n; i++)
		if (is_output(&e->rows[i], load) && !strncmp(e->rows[i].text, e->rows[first].text, head) && strlen(e->rows[i].text) >= head)
			fputs(e->rows[i].text + head, f);
	if (!f || fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static void parse(const char *text, size_t len, struct wring_figures *f)
{
	size_t head = strcspn(text, "\n");

	for (size_t i = 0; i < WRING_ARRAY_SIZE(parsers); i++) {
		size_t n = strlen(parsers[i].program);

		if (!strncmp(text, "program=", 8) && !strncmp(text + 8, parsers[i].program, n) && text[8 + n] == ' ' && head < len)
			parsers[i].parse(text + head + 1, len - head - 1, f);
	}
}

/* What it says of itself does not count: "killed pid=N oom_kills=M". */
static bool was_killed(const struct wring_events *e, const char *load, const char *output)
{
	_cleanup_free_ char *words = wring_strf("killed %.*s ", (int)strcspn(output, "\n"), output);

	for (size_t i = 0; words && i < e->n; i++)
		if (!strcmp(e->rows[i].kind, "load") && !strcmp(e->rows[i].subject, load) && !strncmp(e->rows[i].text, words, strlen(words)))
			return true;
	return false;
}

static void put(struct wring_view *v, const char *load, const struct wring_figure *r)
{
	_cleanup_free_ char *name = wring_strf("%s.%s", load, r->name);

	if (name)
		wring_metric(v, name, r->unit, r->how == WRING_MEAN ? r->value / r->n : r->value, r->better, "info");
}

double wring_output_metrics(struct wring_view *v, const char *load, bool is_one_of_many)
{
	const struct wring_events *e = wring_view_events(v);
	struct wring_figures f = { .n = 0 };
	_cleanup_free_ char *rate = wring_strf("%s.ops_per_s", load);

	for (size_t i = 0; i < e->n; i++) {
		_cleanup_free_ char *text = NULL;
		size_t len = 0;

		if (!is_output(&e->rows[i], load) || was_killed(e, load, e->rows[i].text))
			continue;
		text = whole(e, i, load, &len);
		if (text)
			parse(text, len, &f);
	}
	for (size_t i = 0; i < f.n; i++)
		put(v, load, &f.rows[i]);
	if (rate && f.ops_per_s > 0 && is_one_of_many)
		wring_metric(v, rate, "1/s", f.ops_per_s, "higher", "secondary");
	return f.ops_per_s;
}
