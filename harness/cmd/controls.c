/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which test made a detector fire, which one left it silent, and when: docs/controls.tsv, as it was when this was built.
 * tests/e2e/helper.bash writes it. */
#include <stdio.h>
#include <string.h>

#include "harness/base/util.h"
#include "harness/cmd/cmd.h"
#include "results-schema/embed.h"

extern const struct wring_embedded wring_control_files[];

enum { DETECTOR, VERDICT, CLASS, SCENARIO, TEST, RELEASE, DATE, FIELDS };

/* The fields of a line, in place; false: not a line of ours. */
static bool split(char *line, char *ret[FIELDS])
{
	size_t n = 0;

	for (char *save = NULL, *f = strtok_r(line, "\t", &save); f; f = strtok_r(NULL, "\t", &save))
		if (n < FIELDS)
			ret[n++] = f;
	return n == FIELDS;
}

/* Lines of one control follow each other, one a kernel. */
static bool is_same(char *const a[FIELDS], char *const b[FIELDS])
{
	return a[DETECTOR] && !strcmp(a[DETECTOR], b[DETECTOR]) && !strcmp(a[VERDICT], b[VERDICT]) && !strcmp(a[CLASS], b[CLASS]) &&
	       !strcmp(a[SCENARIO], b[SCENARIO]) && !strcmp(a[TEST], b[TEST]);
}

void wring_print_controls(const char *detector, const char *indent)
{
	_cleanup_free_ char *text = strdup(wring_control_files->text);
	char *last[FIELDS] = { NULL }, *f[FIELDS];

	for (char *save = NULL, *line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		if (!split(line, f) || strcmp(f[DETECTOR], detector))
			continue;
		if (is_same(last, f)) {
			printf("; %s, %s", f[RELEASE], f[DATE]);
			continue;
		}
		printf("%s%s%s %s in %s: \"%s\": %s, %s", last[DETECTOR] ? "\n" : "", indent, strcmp(f[VERDICT], "pass") ? "fires " : "silent",
		       f[CLASS], f[SCENARIO], f[TEST], f[RELEASE], f[DATE]);
		memcpy(last, f, sizeof(last));
	}
	printf("%s%s\n", last[DETECTOR] ? "" : indent, last[DETECTOR] ? "" : "no control has been recorded yet: make check-long");
}
