/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every format over runs whose texts are any bytes: what comes out is valid UTF-8 without control characters, has the same
 * structure as with harmless texts, and can be read again where a parser is at hand. */
#include <jansson.h>
#include <string.h>

#include "analyzers/report/format.h"
#include "harness/base/util.h"
#include "harness/plan/plan.h"
#include "tests/fuzz/fuzz.h"

enum { TEXTS = 10 };

static struct wring_store *st;
static int64_t run_id;

static void must(int r, const struct wring_err *err)
{
	if (r)
		fprintf(stderr, "%s\n", err->msg);
	FUZZ_CHECK(!r);
}

/* A scenario whose texts are these; what its parser does not take (a control character, an unbalanced ${) is the scenario without. */
static char *plan_of(char *const *t)
{
	struct wring_scenario *s = NULL;
	struct wring_err err;
	char *words[6], *plan;

	for (int i = 0; i < 6; i++) {
		words[i] = strdup(t[i]);
		FUZZ_CHECK(words[i]);
		for (char *p = words[i]; *p; p++)
			if (*p == '\n' || *p == '\r')
				*p = ' ';
	}
	plan = wring_strf("[scenario]\nname = s\nsummary = %s\nclaim = %s\nhealthy = %s\nsick = %s\n[group work]\nmemory.max = 64M\n"
			  "[load l]\nworkload = stress-ng\ngroup = work\nargs = %s\nstressor = %s\n[phase p]\ndo = start l\n", words[0], words[1],
			  words[2], words[3], words[4], words[5]);
	for (int i = 0; i < 6; i++)
		free(words[i]);
	FUZZ_CHECK(plan);
	if (!wring_scenario_parse("plan", plan, NULL, 0, &s, &err)) {
		wring_scenario_free(s);
		return plan;
	}
	free(plan);
	return strdup("[scenario]\nname = s\nsummary = x\nclaim = x\nhealthy = x\nsick = x\n[group work]\nmemory.max = 64M\n"
		      "[load l]\nworkload = stress-ng\ngroup = work\nargs = x\nstressor = x\n[phase p]\ndo = start l\n");
}

/* In memory: two writers at once are somebody else's test. What a guest may have named: its log, cgroups, phases, facts. */
static void open_store(char *const *t)
{
	static const struct wring_boot_meta b = { "b", "vm", "2025-01-01T00:00:00.000Z", "", "", "tcg", "" };
	static const struct wring_key current = { "current", "bytes", WRING_GAUGE };
	char *plan = plan_of(t);
	struct wring_run_meta m = { "u", "s", "", NULL, "2025-01-01T00:00:00.000Z", plan, 1 };
	struct wring_err err;
	int64_t boot;

	FUZZ_CHECK(plan);
	must(wring_store_open(":memory:", WRING_STORE_WRITE, &st, &err), &err);
	must(wring_store_begin_boot(st, &b, &boot, &err), &err);
	must(wring_store_fact(st, boot, t[0], t[1], &err), &err);
	must(wring_store_begin_run(st, boot, &m, &run_id, &err), &err);
	must(wring_store_event(st, run_id, 0, "mark", "start", "", &err), &err);
	must(wring_store_event(st, run_id, 0, "limit", t[2], "memory.max=67108864", &err), &err);
	must(wring_store_event(st, run_id, 0, "phase", t[3], "begin", &err), &err);
	must(wring_store_event(st, run_id, 1, t[4], t[5], t[6], &err), &err);
	must(wring_store_source(st, run_id, 0, "memory", t[2], t[7], &err), &err);
	must(wring_store_keys(st, run_id, 0, &current, 1, &err), &err);
	for (int64_t i = 1; i < 4; i++)
		must(wring_store_sample(st, run_id, 0, i * 1000000000, 1000, &(int64_t){ i << 20 }, 1, &err), &err);
	must(wring_store_log(st, run_id, 1000, 3, t[8], &err), &err);
	must(wring_store_commit(st, &err), &err);
	free(plan);
}

/* ---- what holds for every format ---- */
static bool is_clean(const char *p, size_t len, bool is_ascii, bool may_delete)
{
	if (strlen(p) != len)
		return false;
	for (; *p; p++) {
		unsigned char c = (unsigned char)*p;
		int more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;

		if ((c < ' ' && c != '\n' && c != '\t' && !(c == '\r' && p[1] == '\n')) || (c == 0x7f && !may_delete) ||
		    (c >= 0x80 && (is_ascii || c < 0xc2 || c > 0xf4)))
			return false;
		for (; more; more--)
			if ((*++p & 0xc0) != 0x80)
				return false;
	}
	return true;
}

static size_t count(const char *p, char c)
{
	size_t n = 0;

	for (; *p; p++)
		n += *p == c;
	return n;
}

/* ---- and for each ---- */
static void check_lines(const char *text, const char *const *begins, size_t n)
{
	for (const char *p = text; *p; p = strchr(p, '\n') + 1) {
		const char *s = p + strspn(p, " ");
		bool known = false;

		for (size_t i = 0; i < n; i++)
			known = known || !strncmp(s, begins[i], strlen(begins[i]));
		FUZZ_CHECK(known && strchr(p, '\n'));
	}
}

static void check_ktap(const char *text)
{
	static const char *const begins[] = { "KTAP version 1\n", "1..", "ok ", "not ok ", "# run: ", "# kernel: ", "# duration ", "# evidence: ",
					      "# link: ", "# Subtest: ", "# x" };

	check_lines(text, begins, WRING_ARRAY_SIZE(begins));
	FUZZ_CHECK(!strstr(text, "Kernel panic - not syncing: VFS:"));
}

static void check_lava(const char *text)
{
	static const char *const begins[] = { "<LAVA_SIGNAL_TESTSET ", "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=" };

	check_lines(text, begins, WRING_ARRAY_SIZE(begins));
	FUZZ_CHECK(count(text, '>') == count(text, '\n'));
}

/* RFC 4180: every row has as many fields as the first. */
static void check_csv(const char *p)
{
	size_t fields = 0, want = 0;
	bool quoted = false;

	for (; *p; p++) {
		if (*p == '"')
			quoted = !quoted; /* a doubled one goes there and back */
		else if (*p == ',' && !quoted)
			fields++;
		else if (*p == '\n') {
			FUZZ_CHECK(!quoted && p[-1] == '\r');
			want = want ? want : fields;
			FUZZ_CHECK(fields == want);
			fields = 0;
		}
	}
	FUZZ_CHECK(want == 20 && !fields);
}

/* NAME{LABEL="VALUE",...} NUMBER, with \" and \\ in values. */
static void check_openmetrics(const char *p)
{
	FUZZ_CHECK(!strcmp(p + strlen(p) - 6, "# EOF\n"));
	while (*p) {
		bool quoted = false;
		const char *s = p;

		p = strchr(p, '\n');
		FUZZ_CHECK(p);
		p++;
		if (*s == '#')
			continue;
		FUZZ_CHECK(!strncmp(s, "wring_", 6));
		for (; *s != '\n' && (quoted || *s != '}'); s++) {
			if (quoted && *s == '\\')
				s++;
			else if (*s == '"')
				quoted = !quoted;
		}
		FUZZ_CHECK(*s == '}' && s[1] == ' ');
		strtod(s + 2, (char **)&s);
		FUZZ_CHECK(*s == '\n');
	}
}

static void check_json(const char *text)
{
	json_t *doc = json_loads(text, 0, NULL);

	FUZZ_CHECK(doc);
	json_decref(doc);
}

static void check_mail(const char *text)
{
	const char *end = strstr(text, "How to reproduce\n");

	FUZZ_CHECK(end);
	for (const char *p = text; p < end; p = strchr(p, '\n') + 1)
		FUZZ_CHECK(strcspn(p, "\n") <= 72);
}

/* Lines of a script behind the comments at its top. */
static size_t commands(const char *text)
{
	const char *from = strstr(text, "\nset -u\n");
	size_t n = 0;

	FUZZ_CHECK(from);
	for (size_t i = 0; from[i]; i++)
		n += from[i] == '\n';
	return n;
}

/* What comes from outside is in the comments at the top. */
static void check_script(const char *text)
{
	const char *end = strstr(text, "\nset -u\n");

	FUZZ_CHECK(end);
	for (const char *p = text; p < end; p = strchr(p, '\n') + 1)
		FUZZ_CHECK(*p == '#' || *p == '\n');
}

static void check_format(const char *name, const char *text)
{
	static const struct { const char *name; void (*check)(const char *text); } all[] = {
		{ "ktap", check_ktap }, { "lava", check_lava }, { "csv", check_csv }, { "openmetrics", check_openmetrics },
		{ "json", check_json }, { "kcidb", check_json }, { "mail", check_mail }, { "reproducer", check_script },
	};

	for (size_t i = 0; i < WRING_ARRAY_SIZE(all); i++)
		if (!strcmp(all[i].name, name))
			all[i].check(text);
}

/* ---- runs ---- */
/* Outcome and verdict are from our own lists: the database has constraints on them. */
static void judge(char *const *t)
{
	static const char *const verdicts[] = { "pass", "fail", "known", "suspect" };
	const struct wring_metric_row m[] = { { t[0], t[1], 0.1, "lower", "primary" }, { t[2], t[3], 1e300, "", "info" } };
	struct wring_finding_row rows[WRING_ARRAY_SIZE(verdicts)];
	struct wring_err err;

	for (size_t i = 0; i < WRING_ARRAY_SIZE(verdicts); i++)
		rows[i] = (struct wring_finding_row){ t[i], t[i + 1], verdicts[i], 1, 2.5, t[i + 2], t[i + 3], t[i + 4] };
	must(wring_store_judge(st, run_id, NULL, m, WRING_ARRAY_SIZE(m), rows, WRING_ARRAY_SIZE(rows), &err), &err);
}

__attribute__((noinline)) static char *write_format(const struct wring_format *f, char *const *t, char *plan, size_t *len)
{
	struct wring_run_row row = { .id = run_id, .boot = 1, .uuid = t[4], .scenario = t[5], .label = t[6], .arm = (char *)"a", .started = t[7],
				     .outcome = (char *)"broken", .reason = t[8], .plan = plan, .where = (char *)"vm",
				     .append = t[9], .kernel_sha256 = t[0], .accel = t[1], .vm = t[2], .release = t[3], .duration_s = 1.5 };
	struct wring_runs runs = { &row, 1 };
	struct wring_err err = { 0 };
	char *text = NULL;
	FILE *out = open_memstream(&text, len);

	FUZZ_CHECK(out);
	must(f->write(st, &runs, NULL, out, &err), &err);
	FUZZ_CHECK(!fclose(out));
	return text;
}

static void check_all(char *const *t)
{
	static char *plain[32]; /* each format of the first input's harmless texts */
	size_t n, len;
	const struct wring_format *const *all = wring_formats(&n);
	char *plan;

	open_store(t);
	judge(t);
	plan = plan_of(t);
	for (size_t i = 0; i < n && i < WRING_ARRAY_SIZE(plain); i++) {
		const char *name = all[i]->name, *b;
		char *a = write_format(all[i], t, plan, &len);

		if (!plain[i])
			plain[i] = strdup(a);
		b = plain[i];
		FUZZ_CHECK(b);
		/* JSON escapes all the others */
		if (!is_clean(a, len, !strcmp(name, "mail"), !strcmp(name, "json"))) {
			fprintf(stderr, "%s:\n%s\n", name, a);
			abort();
		}
		check_format(name, a);
		if (strcmp(name, "mail") && strcmp(name, "text") && strcmp(name, "kcidb") && strcmp(name, "reproducer") && strcmp(name, "html"))
			FUZZ_CHECK(count(a, '\n') == count(b, '\n'));
		if (!strcmp(name, "reproducer"))
			FUZZ_CHECK(commands(a) == commands(b));
		if (!strcmp(name, "junit"))
			FUZZ_CHECK(count(a, '<') == count(b, '<') && count(a, '>') == count(b, '>') && count(a, '"') == count(b, '"'));
		if (!strcmp(name, "html"))
			FUZZ_CHECK(count(a, '<') == count(b, '<'));
		if (!strcmp(name, "md"))
			FUZZ_CHECK(count(a, '|') == count(b, '|') && !count(a, '<') && !count(a, '`'));
		free(a);
	}
	free(plan);
	wring_store_close(st);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool again;
	char *t[TEXTS];
	size_t at = 0;

	/* The input in ten texts, each behind two letters, so that none is empty and all differ. A NUL ends one. */
	for (size_t i = 0; i < TEXTS; i++) {
		size_t len = i + 1 == TEXTS ? size - at : (size - at) / (TEXTS - i);

		t[i] = calloc(len + 3, 1);
		FUZZ_CHECK(t[i]);
		t[i][0] = 'x';
		t[i][1] = (char)('a' + i);
		memcpy(t[i] + 2, data + at, again ? len : 0);
		at += len;
	}
	check_all(t);
	for (size_t i = 0; i < TEXTS; i++)
		free(t[i]);
	if (!again) {
		again = true;
		LLVMFuzzerTestOneInput(data, size);
	}
	return 0;
}
