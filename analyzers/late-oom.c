/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A load that cannot fit under its limit has to be killed, and soon. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/stats/order.h"
#include "analyzers/twin.h"
#include "harness/base/units.h"
#include "harness/base/util.h"

#define NAME "late-oom"
#define FACTOR 3     /* times what the twin takes for the same bytes: reclaim may look for what is not there */
#define BASE_MS 2000 /* and this, for 16 rounds of reclaim, the report and the victim's exit */
/* While the sampler was away longer than this, nobody ran. */
#define GAP_NS (200 * 1000000LL)

/* One start of a load. */
struct start {
	int64_t t_ns, end_ns; /* INT64_MAX: no end seen */
	bool is_killed, is_unfinished;
};

struct starts {
	struct start *rows;
	size_t n;
};

/* The nearest memory.max above the load; 0: none. */
static int64_t limit_of(struct wring_view *v, const struct wring_load *l)
{
	int64_t least = 0;

	for (size_t i = 0; i < v->scenario->n_groups; i++) {
		const struct wring_group *g = &v->scenario->groups[i];
		const char *max = wring_setting_get(&g->files, "memory.max");
		uint64_t bytes;

		if (!max || !l->group || wring_parse_size(max, &bytes, NULL) || bytes > INT64_MAX ||
		    !(wring_group_within(l->group, g->path) || wring_group_means(v, g->path, l->group)))
			continue;
		if (!least || (int64_t)bytes < least)
			least = (int64_t)bytes;
	}
	return least;
}

static const struct wring_load *twin_of(struct wring_view *v, const struct wring_load *l)
{
	for (size_t i = 0; i < v->scenario->n_loads; i++) {
		const struct wring_load *t = &v->scenario->loads[i];

		if (t != l && !strcmp(t->workload, l->workload) && !limit_of(v, t))
			return t;
	}
	return NULL;
}

static int find_starts(struct wring_view *v, const char *load, struct starts *ret, struct wring_err *err)
{
	const struct wring_events *e = wring_view_events(v);
	bool is_awaited;
	int64_t cut = wring_load_cut(v, load, &is_awaited);

	*ret = (struct starts){ .rows = calloc(e->n ? e->n : 1, sizeof(*ret->rows)) };
	if (!ret->rows)
		return wring_err_set(err, -ENOMEM, NAME ": out of memory");
	for (size_t i = 0; i < e->n; i++) {
		const struct wring_event *x = &e->rows[i];
		struct start *s = ret->n ? &ret->rows[ret->n - 1] : NULL;

		if (strcmp(x->kind, "load") || strcmp(x->subject, load))
			continue;
		if (!strncmp(x->text, "start", 5)) {
			ret->rows[ret->n++] = (struct start){ .t_ns = x->t_ns, .end_ns = INT64_MAX };
		} else if (s && s->end_ns == INT64_MAX) {
			s->is_killed = strstr(x->text, "signal=9");
			s->is_unfinished = !strncmp(x->text, "unfinished", 10);
			s->end_ns = x->t_ns;
		}
	}
	/* the timeout kills who is left, too */
	for (size_t i = 0; i < ret->n && cut >= 0; i++)
		if (ret->rows[i].end_ns > cut)
			ret->rows[i] = (struct start){ ret->rows[i].t_ns, cut, false, is_awaited };
	return 0;
}

/* ---- the twin ---- */

/* Seconds that one start of the twin took for so many bytes, or for as many as it made. */
static double fill_s(struct wring_view *v, const struct wring_load *twin, const struct start *s, int64_t until, int64_t bytes)
{
	const struct wring_series *m = wring_view_series(v, "load", twin->name, "made_bytes");
	size_t from = m ? wring_series_find(m, s->t_ns) : 0, i, last;
	int64_t base, made;

	if (!m || from >= m->n)
		return 0;
	base = from ? m->v[from - 1] : 0; /* it goes on counting when it is started again */
	for (i = last = from; i < m->n && m->t_ns[i] < until; i++) {
		if (m->v[i] > m->v[last])
			last = i;
		if (m->v[i] - base >= bytes)
			break;
	}
	made = m->v[last] - base;
	if (made <= 0)
		return 0;
	return (double)(m->t_ns[last] - s->t_ns) / 1e9 * (double)bytes / (double)made;
}

static double twin_s(struct wring_view *v, const struct wring_load *twin, int64_t bytes, struct wring_err *err)
{
	struct starts starts;
	_cleanup_free_ double *s = NULL;
	double usual = 0;
	size_t n = 0;

	if (find_starts(v, twin->name, &starts, err))
		return 0;
	s = calloc(starts.n ? starts.n : 1, sizeof(*s));
	for (size_t i = 0; s && i < starts.n; i++) {
		s[n] = fill_s(v, twin, &starts.rows[i], i + 1 < starts.n ? starts.rows[i + 1].t_ns : INT64_MAX, bytes);
		n += s[n] > 0;
	}
	if (n)
		usual = wring_median(s, n);
	free(starts.rows);
	return usual;
}

/* ---- judging ---- */

/* Nobody ran while the sampler, which is outside of the group, did not. */
static int64_t away_ns(struct wring_view *v, const char *load, const struct start *s)
{
	const struct wring_series *m = wring_view_series(v, "load", load, "made_bytes");
	int64_t sum = 0;

	for (size_t i = m ? wring_series_find(m, s->t_ns) : 0; m && i + 1 < m->n && m->t_ns[i + 1] <= s->end_ns; i++)
		if (m->t_ns[i + 1] - m->t_ns[i] > GAP_NS)
			sum += m->t_ns[i + 1] - m->t_ns[i];
	return sum;
}

static int judge_load(struct wring_view *v, const struct wring_load *l, const struct wring_load *twin, bool is_only, struct wring_err *err)
{
	int64_t limit = limit_of(v, l);
	double fill = twin_s(v, twin, limit, err), usual = 0, allowed, longest = 0;
	_cleanup_free_ char *time = wring_strf("time_to_oom_ms%s%s", is_only ? "" : ".", is_only ? "" : l->name);
	_cleanup_free_ char *ratio = wring_strf("time_to_oom_ratio%s%s", is_only ? "" : ".", is_only ? "" : l->name);
	_cleanup_free_ double *ms = NULL;
	size_t n = 0, survived = 0;
	struct starts s;
	int r = find_starts(v, l->name, &s, err);

	if (r)
		return r;
	ms = calloc(s.n ? s.n : 1, sizeof(*ms));
	allowed = (double)wring_view_limit(v, NAME ".factor", FACTOR) * fill * 1e3 + (double)wring_view_limit(v, NAME ".base-ms", BASE_MS);
	for (size_t i = 0; ms && i < s.n; i++) {
		const struct start *x = &s.rows[i];
		double took = x->end_ns == INT64_MAX ? 0 : (double)(x->end_ns - x->t_ns - away_ns(v, l->name, x)) / 1e6;

		if (x->is_killed)
			ms[n++] = took;
		else if (x->is_unfinished)
			longest = took > longest ? took : longest;
		else
			survived++;
	}
	free(s.rows);
	if (!ms || !time || !ratio)
		return wring_err_set(err, -ENOMEM, NAME ": out of memory");
	if (n)
		usual = wring_median(ms, n);
	if (!fill)
		wring_finding(v, NAME, "twin", WRING_INCONCLUSIVE, 0, 0, "ms", "%s: its twin %s, which has no limit, filled nothing to compare with",
			      l->name, twin->name);
	if (fill && longest)
		wring_finding(v, NAME, "never", longest > allowed ? WRING_V_FAIL : WRING_INCONCLUSIVE, longest, allowed, "ms",
			      "%s cannot fit into %.1fM and was not killed within %.0f ms; its twin without a limit makes as many bytes in "
			      "%.0f ms, and %.0f ms are allowed", l->name, (double)limit / (1 << 20), longest, fill * 1e3, allowed);
	if (fill && !n && !longest)
		wring_finding(v, NAME, "survived", WRING_INCONCLUSIVE, (double)survived, 0, "starts",
			      "%s ended by itself %zu time(s): it was not bound to be killed", l->name, survived);
	if (fill && n)
		wring_finding(v, NAME, "late", usual > allowed ? WRING_V_FAIL : WRING_PASS, usual, allowed, "ms",
			      "%s was killed %.0f ms after its start (median of %zu) at %.1fM, which its twin without a limit makes in %.0f ms; "
			      "allowed %.0f ms", l->name, usual, n, (double)limit / (1 << 20), fill * 1e3, allowed);
	if (!n)
		return 0;
	wring_metric(v, time, "ms", usual, "lower", "secondary");
	if (fill)
		wring_metric(v, ratio, "ratio", usual / (fill * 1e3), "lower", "secondary");
	return 0;
}

static int judge(struct wring_view *v, struct wring_err *err)
{
	size_t bound = 0;
	int r = 0;

	for (size_t i = 0; v->scenario && i < v->scenario->n_loads; i++)
		bound += limit_of(v, &v->scenario->loads[i]) && twin_of(v, &v->scenario->loads[i]);
	for (size_t i = 0; v->scenario && i < v->scenario->n_loads && !r; i++) {
		const struct wring_load *l = &v->scenario->loads[i], *twin = limit_of(v, l) ? twin_of(v, l) : NULL;

		if (twin)
			r = judge_load(v, l, twin, bound == 1, err);
	}
	if (!bound)
		wring_finding(v, NAME, "twin", WRING_INCONCLUSIVE, 0, 0, "ms", "no load under a memory.max has a twin of the same workload without one");
	return r;
}

static const struct wring_metric_info metric_infos[] = {
	{ "time_to_oom_ms", "ms", "lower", "from the moment the limit is full to the kill" },
	{ "time_to_oom_ratio", "ratio", "lower", "the same over the time that filling takes without a limit" },
	{ 0 }
};

static const struct wring_detector late_oom = {
	.name = NAME,
	.summary = "a load that cannot fit under memory.max is killed late, or never",
	.doc =
	"A load under a memory.max with a twin (the same workload in a group without one) has to be\n"
	"killed. From its start to the exit of its first victim, as the median over its starts, it may\n"
	"take factor (3) times what the twin takes to make as many bytes as the limit, and base-ms\n"
	"(2000). Time in which the sampler, which is outside the group, did not run for 200 ms is\n"
	"nobody's and left out. Class never: a wait with a deadline gave up on it, beyond that bound, or\n"
	"the scenario's timeout ran out meanwhile; a run that it ended is judged by what was seen until then.\n"
	"Who cannot be helped must be told soon: Linux 5.16-rc1 let such a load stall for minutes\n"
	"(R40), 4.19 to 5.3 for ever (R39); a livelock in shrinkers over pinned objects looks the same\n"
	"(thread 2019, 0f).",
	.limits = "factor base-ms",
	.controls =
	"fires: late-oom.ko in oom-in-time (late), and with never=1 (never);\n"
	"silent: oom-in-time and pinned-objects on a stock kernel",
	.metrics = metric_infos,
	.judges_cut = true,
	.judge = judge,
};
WRING_REGISTER_DETECTOR(late_oom);
