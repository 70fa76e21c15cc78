/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any text is refused with a message, or becomes a scenario whose printed form is a fixed point. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/plan/plan.h"
#include "tests/fuzz/fuzz.h"

static char *print(const struct wring_scenario *s)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	FUZZ_CHECK(f);
	wring_scenario_print(s, f);
	FUZZ_CHECK(!fclose(f));
	return text;
}

static void check_message(const struct wring_err *err)
{
	FUZZ_CHECK(!strncmp(err->msg, "f.ini:", 6));
	FUZZ_CHECK(!strchr(err->msg, '\n'));
	FUZZ_CHECK(strstr(err->msg, ": value '"));
	FUZZ_CHECK(strstr(err->msg, "': accepted: "));
}

static void check_round_trip(const struct wring_scenario *s)
{
	char *first = print(s), *second;
	struct wring_scenario *again;
	struct wring_err err = { 0 };

	if (wring_scenario_parse("other", first, NULL, 0, &again, &err)) {
		fprintf(stderr, "%s\n----\n%s", err.msg, first);
		abort();
	}
	second = print(again);
	FUZZ_CHECK(!strcmp(first, second));
	free(first);
	free(second);
	wring_scenario_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct wring_scenario *s;
	struct wring_err err = { 0 };
	int r;

	FUZZ_CHECK(text);
	r = wring_scenario_parse("f.ini", text, NULL, 0, &s, &err);
	if (r) {
		FUZZ_CHECK(!s && r == err.code);
		check_message(&err);
	} else {
		check_round_trip(s);
	}
	wring_scenario_free(s);
	free(text);
	return 0;
}
