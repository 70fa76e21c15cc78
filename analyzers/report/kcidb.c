/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KCIDB I/O version 5.3: a test a run, a finding and a metric, below "wring.SCENARIO". No null, no empty id. */
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include "analyzers/report/format.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"

enum { EXCERPT_MAX = 16384 / 4 }; /* KCIDB counts characters, we bytes */

struct doc { json_t *checkouts, *builds, *tests; const char *origin, *build; };

/* All that jansson is handed may be NULL for want of memory; it passes that on, and the results are checked. */
static bool set(json_t *object, const char *key, json_t *value)
{
	return !json_object_set_new(object, key, value);
}

static json_t *text(const char *s)
{
	_cleanup_free_ char *clean = wring_text_clean(s, true);

	return clean ? json_string(clean) : NULL;
}

static bool set_text(json_t *object, const char *key, const char *s)
{
	return !s || !*s || set(object, key, text(s));
}

/* "wring.slab-at-max.premature-oom.rcu": parts of letters, digits, '_' and '-'. */
static char *path_of(const char *a, const char *b, const char *c)
{
	const char *const parts[] = { "wring", a, b, c };
	char *path = strdup("");

	for (size_t i = 0; i < WRING_ARRAY_SIZE(parts) && path; i++) {
		_cleanup_free_ char *word = parts[i] && *parts[i] ? wring_text_word(parts[i]) : NULL, *old = path;

		for (char *p = word; p && *p; p++)
			if (*p == '.' || *p == '/')
				*p = '_';
		path = word ? wring_strf("%s%s%s", old, *old ? "." : "", word) : strdup(old);
	}
	return path;
}

/* The recorder writes RFC 3339; what a damaged database says instead is left out. */
static bool is_time(const char *s)
{
	static const char like[] = "0000-00-00T00:00:00";

	for (size_t i = 0; like[i]; i++)
		if (like[i] == '0' ? s[i] < '0' || s[i] > '9' : s[i] != like[i])
			return false;
	return strchr(s, 'Z') && strspn(s, "0123456789-:T.Z") == strlen(s);
}

/* Takes the path. */
static json_t *test(const struct doc *d, const struct wring_case *c, const char *build, const char *suffix, char *path, const char *status)
{
	_cleanup_free_ char *id = wring_strf("%s:%s%s", d->origin, c->run->uuid, suffix), *mine = path;
	json_t *t = json_object();

	if (id && path && set(t, "build_id", text(build)) && set(t, "id", text(id)) && set(t, "origin", text(d->origin)) &&
	    set(t, "path", text(path)) && set(t, "status", text(status)) &&
	    (!is_time(c->run->started) || set(t, "start_time", text(c->run->started))) && !json_array_append(d->tests, t)) {
		json_decref(t); /* the array has it */
		return t;
	}
	json_decref(t);
	return NULL;
}

static bool set_number(json_t *t, double value, const char *unit)
{
	bool bytes = !strcmp(unit, "bytes");
	json_t *n = json_object();

	if (set(n, "value", json_real(value)) && set_text(n, "unit", bytes ? "B" : unit) &&
	    (!bytes || set(n, "prefix", text("binary"))))
		return set(t, "number", n);
	json_decref(n);
	return false;
}

static json_t *misc_of(const struct wring_run_row *r)
{
	json_t *o = json_object();

	if (set_text(o, "append", r->append) && set_text(o, "where", r->where) && set_text(o, "accel", r->accel) &&
	    set_text(o, "machine", r->vm) && set_text(o, "kernel", r->release))
		return o;
	json_decref(o);
	return NULL;
}

static bool run_test(const struct doc *d, const struct wring_case *c, const char *build)
{
	static const char *const status[] = { [WRING_RESULT_PASS] = "PASS", [WRING_RESULT_FAIL] = "FAIL", [WRING_RESULT_SKIP] = "SKIP",
					      [WRING_RESULT_ERROR] = "ERROR" };
	const struct wring_run_row *r = c->run;
	/* noisy: it ran, and says nothing of the kernel */
	const char *s = strcmp(r->outcome, "noisy") ? status[wring_run_result(r)] : "DONE";
	json_t *t = test(d, c, build, "", path_of(r->scenario, NULL, NULL), s), *env = json_object(), *misc = json_object();
	bool ok = t && set(env, "misc", misc_of(r)) && set(t, "environment", json_incref(env)) &&
		  set(t, "duration", json_real(r->duration_s)) && set_text(t, "comment", r->reason) && set_text(misc, "label", r->label) &&
		  set_text(misc, "arm", r->arm) && set_text(misc, "outcome", r->outcome) && set(t, "misc", json_incref(misc));

	json_decref(env);
	json_decref(misc);
	return ok;
}

static bool finding_test(const struct doc *d, const struct wring_case *c, const char *build, size_t i)
{
	const struct wring_finding_row *f = &c->f.rows[i];
	enum wring_result result = wring_finding_result(f);
	/* DONE: it was measured, and blames nobody */
	const char *status = result == WRING_RESULT_PASS ? "PASS" : result == WRING_RESULT_FAIL ? "FAIL" :
			     !strcmp(f->verdict, "skip") ? "SKIP" : "DONE";
	_cleanup_free_ char *suffix = wring_strf(".f%zu", i + 1), *line = wring_finding_line(f), *excerpt = line ? strndup(line, EXCERPT_MAX) : NULL;
	json_t *t = suffix && excerpt ? test(d, c, build, suffix, path_of(c->run->scenario, f->detector, f->class), status) : NULL;
	json_t *misc = json_object();
	bool ok = t && (!strcmp(status, "SKIP") || set_number(t, f->value, f->unit)) && set_text(t, "log_excerpt", excerpt) &&
		  set_text(misc, "verdict", f->verdict) && set_text(misc, "link", f->link) && set(misc, "limit", json_real(f->limit)) &&
		  set(t, "misc", json_incref(misc));

	json_decref(misc);
	return ok;
}

static bool metric_test(const struct doc *d, const struct wring_case *c, const char *build, size_t i)
{
	const struct wring_metric_row *m = &c->m.rows[i];
	_cleanup_free_ char *suffix = wring_strf(".m%zu", i + 1);
	json_t *t = suffix ? test(d, c, build, suffix, path_of(c->run->scenario, "metric", m->name), "DONE") : NULL;

	return t && set_number(t, m->value, m->unit);
}

/* Nobody told which build this kernel is of, so one is named after the kernel, below a checkout of the same name. */
static bool add_build(const struct doc *d, const char *id)
{
	json_t *checkout = json_object(), *build = json_object();
	bool ok = set(checkout, "id", text(id)) && set(checkout, "origin", text(d->origin)) && set(build, "id", text(id)) &&
		  set(build, "checkout_id", text(id)) && set(build, "origin", text(d->origin));

	for (size_t i = 0; i < json_array_size(d->builds); i++)
		if (!strcmp(json_string_value(json_object_get(json_array_get(d->builds, i), "id")), id)) {
			json_decref(checkout);
			json_decref(build);
			return true;
		}
	if (ok)
		return !json_array_append_new(d->checkouts, checkout) && !json_array_append_new(d->builds, build);
	json_decref(checkout);
	json_decref(build);
	return false;
}

static int one(const struct wring_case *c, size_t i, FILE *out, void *data)
{
	const struct doc *d = data;
	_cleanup_free_ char *release = wring_text_word(c->run->release), *made = NULL;
	const char *build = d->build;
	bool ok;

	(void)i, (void)out;
	if (!build)
		build = made = *c->run->kernel_sha256 ? wring_strf("%s:%s-%.16s", d->origin, release ? release : "", c->run->kernel_sha256) :
							wring_strf("%s:%s", d->origin, release ? release : "");
	ok = build && (d->build || add_build(d, build)) && run_test(d, c, build);
	for (size_t k = 0; k < c->f.n && ok; k++)
		ok = finding_test(d, c, build, k);
	for (size_t k = 0; k < c->m.n && ok; k++)
		ok = metric_test(d, c, build, k);
	return ok ? 0 : -ENOMEM;
}

static int write_kcidb(struct wring_store *st, const struct wring_runs *runs, const struct wring_format_options *o, FILE *out,
		       struct wring_err *err)
{
	struct doc d = { json_array(), json_array(), json_array(), o && o->origin ? o->origin : "wring", o ? o->build : NULL };
	json_t *doc = json_pack("{s:{s:i,s:i},s:O,s:O,s:O}", "version", "major", 5, "minor", 3, "checkouts", d.checkouts, "builds", d.builds,
				"tests", d.tests);
	int r = doc ? 0 : wring_err_set(err, -ENOMEM, "out of memory");

	if (!r)
		r = wring_case_each(st, runs, out, one, &d, err);
	/* 15 digits: 0.1 stays 0.1 */
	if (!r && (json_dumpf(doc, out, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) || fputc('\n', out) == EOF))
		r = wring_err_set(err, -EIO, "writing failed: %s", strerror(errno));
	json_decref(d.checkouts);
	json_decref(d.builds);
	json_decref(d.tests);
	json_decref(doc);
	return r ? r : wring_written(out, err);
}

static const struct wring_format kcidb = {
	.name = "kcidb", .summary = "JSON for KernelCI's database, version 5.3", .use = WRING_FOR_EXPORT, .write = write_kcidb,
};
WRING_REGISTER_FORMAT(kcidb);
