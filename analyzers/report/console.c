/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the guests of these runs said, whole: the boot, and at the end all stacks of one that did not go on. */
#include <stdlib.h>
#include <string.h>
#include "analyzers/report/format.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"

/* A guest may say what it likes, but not drive a terminal. */
static void write_plain(const char *text, FILE *out)
{
	for (const char *p = text; *p; p++)
		if (*p == '\n' || *p == '\t' || (*p >= ' ' && *p < 0x7f))
			fputc(*p, out);
		else if (*p != '\r')
			fputc('?', out);
}

static int write_console(struct wring_store *st, const struct wring_runs *runs, const struct wring_format_options *o, FILE *out,
			 struct wring_err *err)
{
	int r = 0;

	(void)o;
	for (size_t i = 0; i < runs->n && !r; i++) {
		_cleanup_free_ char *text = NULL, *name = NULL;
		bool again = false;

		for (size_t k = 0; k < i && !again; k++)
			again = runs->rows[k].boot == runs->rows[i].boot;
		r = again ? 0 : wring_store_get_console(st, runs->rows[i].boot, &text, NULL, err);
		if (r || again)
			continue;
		name = wring_text_ascii(runs->rows[i].scenario);
		fprintf(out, "# run %lld, %s%s\n", (long long)runs->rows[i].id, name ? name : "", text ? "" : ": no console is stored");
		write_plain(text ? text : "", out);
	}
	return r ? r : wring_written(out, err);
}

static const struct wring_format console = {
	.name = "console", .summary = "what the guests of the runs said, with the stacks of one that hung", .use = WRING_FOR_REPORT,
	.write = write_console,
};
WRING_REGISTER_FORMAT(console);
