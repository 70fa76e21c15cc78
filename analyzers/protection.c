/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is below memory.min or memory.low stays, as long as others have something to give. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/census.h"
#include "analyzers/windows.h"
#include "harness/base/util.h"

#define NAME "protection"
#define SHRUNK_PCT 20 /* of an unprotected cache beside: else nobody asked the shrinkers for much */
#define FEW 1000      /* names: too few to tell shares */
#define LOST_PCT 10 /* of what was protected: pages that are about to be freed anyway, and what is charged ahead */

struct promise { const char *group; bool is_min; int64_t bytes; };

/* ---- who was promised what ---- */

/* The last value written before the window. */
static int64_t limit_before(struct wring_view *v, const char *group, const char *key, int64_t t_ns)
{
	const struct wring_events *e = wring_view_events(v);
	int64_t bytes = 0;

	for (size_t i = 0; i < e->n && e->rows[i].t_ns <= t_ns; i++)
		if (!strcmp(e->rows[i].kind, "limit") && !strcmp(e->rows[i].subject, group) && !strncmp(e->rows[i].text, key, strlen(key)) &&
		    e->rows[i].text[strlen(key)] == '=' && !wring_text_i64(e->rows[i].text, key, &bytes))
			bytes = strstr(e->rows[i].text, "=max") ? INT64_MAX : 0;
	return bytes;
}

static size_t parent_len(const char *group)
{
	const char *slash = strrchr(group, '/');

	return slash ? (size_t)(slash - group) : 0;
}

static bool are_siblings(const char *a, const char *b)
{
	size_t n = parent_len(a);

	return strcmp(a, b) && strcmp(b, ".") && n == parent_len(b) && !strncmp(a, b, n);
}

/* ---- what became of it ---- */

static bool current_at(struct wring_view *v, const char *group, int64_t t_ns, int64_t *ret)
{
	return !wring_view_at_mark(v, "memory", group, "current", t_ns, ret);
}

/* The lowest of memory.current from the one mark to the other; t of it. */
static bool lowest(struct wring_view *v, const char *group, const struct wring_window *w, int64_t *ret, int64_t *ret_t_ns)
{
	const struct wring_series *s = wring_view_series(v, "memory", group, "current");

	*ret = INT64_MAX;
	for (size_t i = s ? wring_series_find(s, w->from) : 0; s && i < s->n && s->t_ns[i] <= w->to; i++)
		if (s->v[i] < *ret) {
			*ret = s->v[i];
			*ret_t_ns = s->t_ns[i];
		}
	return *ret != INT64_MAX;
}

/* Clean page cache that reclaim could have had from the siblings at that moment. */
static int64_t to_be_had(struct wring_view *v, const char *group, const struct wring_window *w, int64_t t_ns)
{
	const struct wring_sources *all = wring_view_sources(v);
	int64_t sum = 0, file, dirty, writeback, shmem;

	for (size_t i = 0; i < all->n; i++) {
		const char *other = all->rows[i].subject;
		int64_t promised;

		if (strcmp(all->rows[i].sampler, "memory.stat") || !are_siblings(group, other))
			continue;
		if (wring_view_at(v, "memory.stat", other, "file", t_ns, &file) ||
		    wring_view_at(v, "memory.stat", other, "file_dirty", t_ns, &dirty) ||
		    wring_view_at(v, "memory.stat", other, "file_writeback", t_ns, &writeback) ||
		    wring_view_at(v, "memory.stat", other, "shmem", t_ns, &shmem))
			continue;
		promised = limit_before(v, other, "memory.low", w->from) + limit_before(v, other, "memory.min", w->from);
		file -= dirty + writeback + shmem + promised;
		sum += file > 0 ? file : 0;
	}
	return sum;
}

/* Pages taken from all that share the limit: without it nothing was asked of anybody. */
static int64_t pressure(struct wring_view *v, const char *group, const struct wring_window *w)
{
	_cleanup_free_ char *parent = wring_strf("%.*s", (int)parent_len(group), group);
	int64_t pages;

	if (!parent || wring_window_grew(v, w, "memory.stat", *parent ? parent : ".", "pgsteal", &pages))
		return -1;
	return pages * v->page_size;
}

struct kept { int64_t before, least, protected, taken, spare, events; double lost_pct; };

static bool measure(struct wring_view *v, const struct wring_window *w, const struct promise *p, struct kept *ret)
{
	int64_t t_ns = 0;

	*ret = (struct kept){ .taken = pressure(v, p->group, w) };
	if (!current_at(v, p->group, w->from, &ret->before) || !lowest(v, p->group, w, &ret->least, &t_ns))
		return false;
	ret->protected = ret->before < p->bytes ? ret->before : p->bytes;
	if (ret->least < ret->protected)
		ret->lost_pct = 100 * (double)(ret->protected - ret->least) / (double)ret->protected;
	ret->spare = to_be_had(v, p->group, w, t_ns);
	wring_window_grew(v, w, "memory.events", p->group, "low", &ret->events);
	return true;
}

static enum wring_verdict verdict_on(const struct wring_view *v, const struct promise *p, const struct kept *k, double limit, const char **but)
{
	if (k->protected < 4 * wring_view_tolerance(v)) {
		*but = ": too little to judge";
		return WRING_INCONCLUSIVE;
	}
	if (k->lost_pct > limit && k->protected - k->least > wring_view_tolerance(v)) {
		if (p->is_min || k->spare > wring_view_tolerance(v))
			return WRING_V_FAIL;
		*but = ": the others had nothing left";
		return WRING_INCONCLUSIVE;
	}
	if (k->taken >= k->protected)
		return WRING_PASS;
	*but = ": too little was reclaimed around it to tell";
	return WRING_INCONCLUSIVE;
}

/* By the window in which most was lost; where nothing was, by the one in which most was taken from the others. */
static void judge_promise(struct wring_view *v, const struct wring_windows *w, const struct promise *p)
{
	const char *cls = p->is_min ? "min" : "low", *but = "";
	double limit = (double)wring_view_limit(v, NAME ".lost-pct", LOST_PCT);
	_cleanup_free_ char *name = wring_strf("protected_lost_pct.%s", p->group);
	struct kept worst = { .taken = -1 }, k;
	enum wring_verdict verdict;

	for (size_t i = 0; i < w->n; i++)
		if (w->rows[i].beside && measure(v, &w->rows[i], p, &k) &&
		    (k.lost_pct > worst.lost_pct || (k.lost_pct >= worst.lost_pct && k.taken > worst.taken)))
			worst = k;
	if (!name || !worst.before) {
		wring_finding(v, NAME, cls, WRING_INCONCLUSIVE, 0, limit, "%", "%s: memory.current, or pgsteal above it, was not sampled", p->group);
		return;
	}
	wring_metric(v, name, "%", worst.lost_pct, "lower", "primary");
	verdict = verdict_on(v, p, &worst, limit, &but);
	wring_finding(v, NAME, cls, verdict, worst.lost_pct, limit, "%",
		      "%s used %lld bytes, %lld of them below memory.%s, and at the lowest %lld; meanwhile %lld bytes were taken from all that "
		      "share its limit, and the siblings still had %lld of clean page cache; %lld low events%s",
		      p->group, (long long)worst.before, (long long)worst.protected, cls, (long long)worst.least, (long long)worst.taken,
		      (long long)worst.spare, (long long)worst.events, but);
}

/* ---- names: the census ---- */

/* What the siblings still had in the windows between the two censuses, at the least; what the group used when they began. */
static bool between(struct wring_view *v, const struct wring_windows *w, const struct promise *p, const struct wring_cache *c, size_t k,
		    int64_t *ret_used, int64_t *ret_spare)
{
	*ret_used = 0;
	*ret_spare = INT64_MAX;
	for (size_t i = 0; i < w->n; i++) {
		int64_t used, spare;

		if (!w->rows[i].beside || w->rows[i].from < c->t_ns[k] || w->rows[i].to > c->t_ns[k + 1] ||
		    !current_at(v, p->group, w->rows[i].from, &used))
			continue;
		*ret_used = used > *ret_used ? used : *ret_used;
		spare = to_be_had(v, p->group, &w->rows[i], w->rows[i].to);
		*ret_spare = spare < *ret_spare ? spare : *ret_spare;
	}
	return *ret_used;
}

/* The largest loss of the same kind of cache in a sibling that was promised nothing. */
static double beside_lost(struct wring_view *v, const struct promise *p, const struct wring_caches *all, const struct wring_cache *c, size_t k)
{
	double most = -1;

	for (size_t i = 0; i < all->n; i++) {
		const struct wring_cache *o = &all->rows[i];

		if (are_siblings(p->group, o->group) && !strcmp(o->load->workload, c->load->workload) &&
		    !limit_before(v, o->group, "memory.low", INT64_MAX) && !limit_before(v, o->group, "memory.min", INT64_MAX) &&
		    wring_cache_loss(o, k) > most)
			most = wring_cache_loss(o, k);
	}
	return most;
}

static void judge_names(struct wring_view *v, const struct wring_windows *w, const struct wring_caches *all, const struct promise *p,
			const struct wring_cache *c, size_t k)
{
	double limit = (double)wring_view_limit(v, NAME ".lost-pct", LOST_PCT), lost = wring_cache_loss(c, k), beside;
	enum wring_verdict verdict = WRING_PASS;
	const char *but = "";
	int64_t used, spare;

	if (!between(v, w, p, c, k, &used, &spare) || used > p->bytes || c->cached[k] < FEW)
		return;
	beside = beside_lost(v, p, all, c, k);
	if (lost > limit && (p->is_min || spare > wring_view_tolerance(v))) {
		verdict = WRING_V_FAIL;
	} else if (lost > limit) {
		verdict = WRING_INCONCLUSIVE;
		but = ": the others had nothing left";
	} else if (beside < SHRUNK_PCT) {
		verdict = WRING_INCONCLUSIVE;
		but = ": reclaim asked the shrinkers for too little to tell";
	}
	wring_finding(v, NAME, p->is_min ? "min-slab" : "low-slab", verdict, lost, limit, "%",
		      "%s, all of it below memory.%s, lost %.3g %% of %lld names (%s), a sibling that was promised nothing %.3g %% of its own; "
		      "the siblings still had %lld bytes of clean page cache%s", p->group, p->is_min ? "min" : "low", lost,
		      (long long)c->cached[k], c->name, beside > 0 ? beside : 0, (long long)spare, but);
}

static int judge_slab(struct wring_view *v, const struct wring_windows *w, const struct promise *p, struct wring_err *err)
{
	struct wring_caches all;
	int r = wring_caches_read(v, &all, err);

	if (r)
		return r;
	for (size_t i = 0; i < all.n; i++)
		for (size_t k = 0; k + 1 < all.rounds; k++)
			if (wring_cache_is_slab(&all.rows[i]) && !strcmp(all.rows[i].group, p->group))
				judge_names(v, w, &all, p, &all.rows[i], k);
	wring_caches_done(&all);
	return 0;
}

/* The same memory without a promise: shows that reclaim looked there too. */
static void tell_unprotected(struct wring_view *v, const struct wring_windows *w, const char *group)
{
	_cleanup_free_ char *name = wring_strf("unprotected_lost_pct.%s", group);
	int64_t before, least, t_ns;
	double lost = -1;

	for (size_t i = 0; i < w->n; i++)
		if (w->rows[i].beside && current_at(v, group, w->rows[i].from, &before) && before > 0 && lowest(v, group, &w->rows[i], &least, &t_ns) &&
		    100 * (double)(before - least) / (double)before > lost)
			lost = 100 * (double)(before - least) / (double)before;
	if (name && lost >= 0)
		wring_metric(v, name, "%", lost, "", "info");
}

static int judge(struct wring_view *v, struct wring_err *err)
{
	const struct wring_sources *all = wring_view_sources(v);
	struct wring_windows w;
	size_t found = 0;
	int r = wring_windows_find(v, &w, err);

	if (r)
		return r;
	for (size_t i = 0; i < all->n; i++) {
		struct promise p = { .group = all->rows[i].subject };

		if (strcmp(all->rows[i].sampler, "memory") || !strcmp(p.group, "."))
			continue;
		p.bytes = limit_before(v, p.group, "memory.min", INT64_MAX);
		p.is_min = p.bytes;
		if (!p.bytes)
			p.bytes = limit_before(v, p.group, "memory.low", INT64_MAX);
		if (p.bytes) {
			judge_promise(v, &w, &p);
			r = r ? r : judge_slab(v, &w, &p, err);
		} else {
			tell_unprotected(v, &w, p.group);
		}
		found += !!p.bytes;
	}
	if (!found)
		wring_finding(v, NAME, "low", WRING_INCONCLUSIVE, 0, 0, "%", "no group had memory.low or memory.min");
	wring_windows_done(&w);
	return r;
}

static const struct wring_metric_info metric_infos[] = {
	{ "protected_lost_pct", "%", "lower", "share of what memory.low or memory.min promised that was taken all the same" },
	{ "unprotected_lost_pct", "%", "", "the same of a group without a promise" },
	{ 0 }
};

static const struct wring_detector protection = {
	.name = NAME,
	.summary = "memory.low and memory.min are held under pressure",
	.doc =
	"In the windows that begin with the mark `beside`: memory.current of each group with memory.min\n"
	"or memory.low, at its lowest, against what it used at the beginning and had protected. Class\n"
	"min: more than lost-pct (10) of that is gone, and more than 64 pages a CPU. Class low: the same\n"
	"while its siblings had as much of clean page cache that nobody had promised them: memory.low\n"
	"may be broken only when nothing else is left. Inconclusive when less than what was\n"
	"protected was reclaimed meanwhile (pgsteal of the parent). Class min-slab and low-slab: the same of\n"
	"names, by the step census before and after; inconclusive when a sibling without a promise lost\n"
	"less than 20 % of its own. The group's own loads must not let\n"
	"go of anything then, and what is protected is the last value written.",
	.limits = "lost-pct",
	.controls =
	"fires: protection with the fault protection-ignored on one group, or pages-withheld on all\n"
	"others; silent: protection on a stock kernel",
	.metrics = metric_infos,
	.judge = judge,
};
WRING_REGISTER_DETECTOR(protection);
