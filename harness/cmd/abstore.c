/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <sha2.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/util.h"
#include "harness/cmd/abargs.h"

enum { CONSOLE_LINES = 25 };

static char *join(int argc, char **argv)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	for (int i = 1; f && i < argc; i++)
		fprintf(f, "%s\n", argv[i]);
	if (!f || fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static char *fingerprint(const struct wring_ab_args *a)
{
	_cleanup_free_ char *x = wring_arm_text(&a->arms[0]), *y = wring_arm_text(&a->arms[1]);
	_cleanup_free_ char *all = x && y ? wring_strf("%s\n%s\n%s\n%s\n%d %d %d %u", a->arms[0].name, a->arms[1].name, x, y, a->aa, a->looks,
						       a->run.o.deterministic, a->ab.slots) : NULL;
	char hex[SHA256_DIGEST_STRING_LENGTH];

	return all && SHA256Data((const uint8_t *)all, strlen(all), hex) ? strdup(hex) : NULL;
}

static int begin(struct wring_ab_args *a, struct wring_store *st, const char *print)
{
	_cleanup_free_ char *argv = join(a->argc, a->argv), *about[2] = { wring_arm_about(&a->arms[0]), NULL };
	const struct wring_place *p = &a->arms[0].arm.place;
	static char host[] = "host", kvm[] = "kvm", tcg[] = "tcg";
	int r;

	about[1] = wring_arm_about(&a->arms[1]);
	if (!argv || !about[0] || !about[1] || !print)
		r = wring_err_set(&a->err, -ENOMEM, "comparison");
	else
		r = wring_store_begin_comparison(st, &(struct wring_comparison){
			.argv = argv, .fingerprint = (char *)print, .name_a = a->arms[0].name, .name_b = a->arms[1].name, .about_a = about[0],
			.about_b = about[1], .seed = (int64_t)a->run.o.seed, .slots = a->ab.slots,
			.place = p->where == WRING_WHERE_HOST ? host : p->accel == WRING_ACCEL_KVM ? kvm : tcg,
			.deterministic = a->run.o.deterministic, .aa = a->aa, .looks = a->looks }, &a->ab.comparison, &a->err);
	free(about[1]);
	return r;
}

int wring_ab_begin(struct wring_ab_args *a, struct wring_store *st)
{
	_cleanup_free_ char *print = fingerprint(a);
	struct wring_comparisons all = { 0 };
	struct wring_slots slots = { 0 };
	int r = print ? wring_store_comparisons(st, NULL, &all, &a->err) : wring_err_set(&a->err, -ENOMEM, "comparison");
	size_t i = all.n, done = 0;

	while (!r && i > 0 && (all.rows[i - 1].done || strcmp(all.rows[i - 1].fingerprint, print) ||
			       (a->has_seed && all.rows[i - 1].seed != (int64_t)a->run.o.seed)))
		i--;
	if (!r && !i && a->resume)
		r = wring_err_set(&a->err, -ENOENT, "--resume: the kernel, the scenario or this wring is not the one that the comparison was begun "
				  "with: begin a new one");
	if (!r && i) {
		a->ab.comparison = all.rows[i - 1].id;
		a->run.o.seed = (uint64_t)all.rows[i - 1].seed;
		a->ab.slots = (unsigned)all.rows[i - 1].slots;
		r = wring_store_slots(st, a->ab.comparison, &slots, &a->err);
		for (size_t k = 0; k < slots.n; k++)
			done += !k || slots.rows[k].slot != slots.rows[k - 1].slot;
		if (!r && !a->run.o.quiet)
			fprintf(stderr, "wring: going on with comparison %lld: %zu of %u boots are there\n", (long long)a->ab.comparison, done, a->ab.slots);
	} else if (!r) {
		r = begin(a, st, print);
	}
	wring_cmp_slots_done(&slots);
	wring_comparisons_done(&all);
	a->ab.seed = a->run.o.seed;
	return r;
}

static void put_console(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (at[i] != '\r')
			fputc((unsigned char)at[i] < ' ' && at[i] != '\n' ? '?' : at[i], stderr);
	fputc('\n', stderr);
}

void wring_ab_show_console(struct wring_store *st, int64_t boot)
{
	char *text = NULL;
	size_t len = 0, lines = 0;
	struct wring_err err;
	const char *at, *why;

	if (wring_store_get_console(st, boot, &text, &len, &err) || !text)
		fputs("wring: it wrote nothing to its console\n", stderr);
	else {
		while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
			text[--len] = '\0';
		for (at = text + len; at > text && lines < CONSOLE_LINES; at--)
			lines += at[-1] == '\n';
		if (lines == CONSOLE_LINES)
			at++;
		fprintf(stderr, "wring: the last lines of its console:\n");
		/* the stacks that follow a panic are longer than that */
		why = strstr(text, "Kernel panic");
		if (why && why < at) {
			put_console(why, strcspn(why, "\n"));
			fputs("[...]\n", stderr);
		}
		put_console(at, strlen(at));
	}
	free(text);
}

static int run_ids(const struct wring_versus *v, int64_t **ret, size_t *ret_n)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n; i++)
		n += v->rows[i].n_runs;
	*ret = calloc(n + 1, sizeof(**ret));
	*ret_n = 0;
	for (size_t i = 0; *ret && i < v->n; i++)
		for (size_t k = 0; k < v->rows[i].n_runs; k++)
			(*ret)[(*ret_n)++] = v->rows[i].runs[k].row.id;
	return *ret ? 0 : -ENOMEM;
}

int wring_versus_json(struct wring_store *st, const struct wring_versus *v, const char *path, struct wring_err *err)
{
	struct wring_runs runs = { 0 };
	int64_t *ids = NULL;
	size_t n;
	int r = run_ids(v, &ids, &n) ? wring_err_set(err, -ENOMEM, "runs") : wring_run_collect(st, ids, n, &runs, err);

	if (!r)
		r = wring_write_json(st, &runs, v, path, err);
	wring_runs_done(&runs);
	free(ids);
	return r;
}
