/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reclaim returns when it has freed objects; their pages come back later, when RCU lets go of them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "analyzers/stats/order.h"
#include "analyzers/view.h"
#include "harness/base/util.h"

#define NAME "free-lag"
#define LAG_MS 500  /* a grace period is tens of milliseconds (RCU looks for idle CPUs every 3 to 12) */
#define USUAL 0.75  /* quantile of the lags: one that the host disturbed does not count, nor one that met a grace period near its end */
#define SHARE 0.9   /* of what came late */
/* A sampler that was away for longer than this, and for a good part of the lag, says nothing about the kernel. */
#define GAP_NS (50 * 1000000LL)

/* What dropped caches of the whole machine free. */
#define MACHINE "machine"

/* One act of freeing: memory.reclaim, a load that let go of what it held, or dropped caches. */
struct act {
	char subject[256];
	int64_t t_ns, until_ns;          /* it returned; the next mark */
	int64_t asked, error;            /* of memory.reclaim; asked 0: a release */
	int64_t before, at_return, last; /* memory.current */
	int64_t owed;                    /* by the ledger: what a release let go of */
	double took_ms;                  /* until it returned */
	double lag_ms, wait_ms;          /* until most of what came late had come; of it, the longest time in which nothing came */
	bool is_measured, has_gap;
};

struct acts {
	struct act *rows;
	size_t n;
};

/* ---- finding them ---- */

static int64_t next_mark(const struct wring_events *e, size_t i)
{
	while (++i < e->n)
		if (!strcmp(e->rows[i].kind, "mark"))
			return e->rows[i].t_ns;
	return INT64_MAX;
}

/* Since the step that ends with event i, or in which it happens, began. */
static double took_ms(const struct wring_events *e, size_t i)
{
	int64_t end = e->rows[i].t_ns;

	while (i--)
		if (!strcmp(e->rows[i].kind, "step") && strncmp(e->rows[i].text, "done ", 5))
			return (double)(end - e->rows[i].t_ns) / 1e6;
	return 0;
}

static bool find_reclaim(const struct wring_event *x, struct act *a)
{
	if (strcmp(x->kind, "reclaim") || !wring_text_i64(x->text, "asked_bytes", &a->asked) ||
	    !wring_text_i64(x->text, "errno", &a->error) || !wring_text_i64(x->text, "before_bytes", &a->before))
		return false;
	snprintf(a->subject, sizeof(a->subject), "%s", x->subject);
	return true;
}

/* What the load says it let go of, where its group has no other. */
static int64_t owed_by(struct wring_view *v, const struct wring_load *l, int64_t began, int64_t until)
{
	const struct wring_series *s = wring_view_series(v, "load", l->name, "held_bytes");
	size_t i = s ? wring_series_find(s, began) : 0;
	int64_t least;

	for (size_t k = 0; k < v->scenario->n_loads; k++)
		if (&v->scenario->loads[k] != l && wring_load_within(v, &v->scenario->loads[k], l->group))
			return 0;
	if (!i)
		return 0;
	least = s->v[i - 1];
	for (size_t k = i; k < s->n && s->t_ns[k] <= until; k++)
		least = s->v[k] < least ? s->v[k] : least;
	return s->v[i - 1] - least;
}

/* The step says what it releases when it begins, and no more when it is done. */
static bool find_release(struct wring_view *v, const struct wring_events *e, size_t i, struct act *a)
{
	const struct wring_event *x = &e->rows[i];
	const struct wring_load *l = NULL;

	if (strcmp(x->kind, "step") || strcmp(x->subject, "release") || strncmp(x->text, "done ", 5) || strstr(x->text, "error="))
		return false;
	while (i-- && !l)
		if (!strcmp(e->rows[i].kind, "step") && !strcmp(e->rows[i].subject, "release")) {
			l = wring_scenario_load(v->scenario, e->rows[i].text);
			if (!l || wring_view_at(v, "memory", l->group, "current", e->rows[i].t_ns, &a->before))
				return false;
			snprintf(a->subject, sizeof(a->subject), "%s", l->group);
			a->owed = owed_by(v, l, e->rows[i].t_ns, a->until_ns);
		}
	return l;
}

/* vm.drop_caches: counted by the machine's reclaimable slab. The step begins and is done; in between nothing else happens. */
static bool find_dropped(struct wring_view *v, const struct wring_events *e, size_t i, struct act *a)
{
	int64_t pages;

	if (strcmp(e->rows[i].kind, "step") || strcmp(e->rows[i].subject, "sysctl") || strncmp(e->rows[i].text, "done ", 5) ||
	    strstr(e->rows[i].text, "error="))
		return false;
	while (i-- && (strcmp(e->rows[i].kind, "step") || strcmp(e->rows[i].subject, "sysctl")))
		;
	if (i == SIZE_MAX || strncmp(e->rows[i].text, "vm.drop_caches ", 15) ||
	    wring_view_at(v, "vmstat", "", "nr_slab_reclaimable", e->rows[i].t_ns, &pages))
		return false;
	snprintf(a->subject, sizeof(a->subject), MACHINE);
	a->before = pages * v->page_size;
	return true;
}

static int find_acts(struct wring_view *v, struct acts *ret, struct wring_err *err)
{
	const struct wring_events *e = wring_view_events(v);

	ret->rows = calloc(e->n ? e->n : 1, sizeof(*ret->rows));
	if (!ret->rows)
		return wring_err_set(err, -ENOMEM, NAME ": out of memory");
	for (size_t i = 0; i < e->n; i++) {
		struct act *a = &ret->rows[ret->n];

		*a = (struct act){ .t_ns = e->rows[i].t_ns, .until_ns = next_mark(e, i) };
		if (!find_reclaim(&e->rows[i], a) && !find_release(v, e, i, a) && !find_dropped(v, e, i, a))
			continue;
		a->took_ms = took_ms(e, i);
		ret->n++;
	}
	return 0;
}

/* ---- measuring ---- */

/* Until the mark, which stands behind an RCU barrier, everything that was freed has come back. */
static void measure(struct wring_view *v, struct act *a)
{
	bool is_machine = !strcmp(a->subject, MACHINE) && !a->asked && !wring_view_has(v, "memory", MACHINE);
	const struct wring_series *s = is_machine ? wring_view_series(v, "vmstat", "", "nr_slab_reclaimable") :
						    wring_view_series(v, "memory", a->subject, "current");
	size_t first = s ? wring_series_find(s, a->t_ns) : 0, end, i;
	int64_t unit = is_machine ? v->page_size : 1, late, missing, gap = 0, least, since;

	if (!s || first >= s->n)
		return;
	a->at_return = a->last = s->v[first] * unit;
	for (end = first; end < s->n && s->t_ns[end] <= a->until_ns; end++)
		a->last = s->v[end] * unit < a->last ? s->v[end] * unit : a->last;
	/* what the ledger let go of and that did not come has still to */
	missing = a->owed - (a->before - a->last);
	if (missing > wring_view_tolerance(v) && (double)missing > (1 - SHARE) * (double)a->owed)
		a->last = a->before - a->owed;
	late = a->at_return - a->last;
	if (a->before - a->last < 2 * wring_view_tolerance(v))
		return; /* next to nothing was freed */
	a->is_measured = true;
	if (late < wring_view_tolerance(v))
		return;
	least = s->v[first];
	since = a->t_ns;
	for (i = first; i < end && s->v[i] * unit > a->at_return - (int64_t)(SHARE * (double)late); i++) {
		if (i + 1 == end)
			continue;
		if (s->t_ns[i + 1] - s->t_ns[i] > gap)
			gap = s->t_ns[i + 1] - s->t_ns[i];
		if ((double)(s->t_ns[i + 1] - since) / 1e6 > a->wait_ms)
			a->wait_ms = (double)(s->t_ns[i + 1] - since) / 1e6;
		if (s->v[i + 1] < least) {
			least = s->v[i + 1];
			since = s->t_ns[i + 1];
		}
	}
	a->lag_ms = (double)(s->t_ns[i < end ? i : end - 1] - a->t_ns) / 1e6;
	a->has_gap = gap > GAP_NS && (double)gap / 1e6 > a->lag_ms / 4;
}

static double share_at_return(const struct act *a)
{
	return (double)(a->before - a->at_return) / (double)(a->before - a->last);
}

/* ---- judging ---- */

static enum wring_verdict verdict_of(double ms, int64_t limit)
{
	return !limit ? WRING_V_SKIP : ms > (double)limit ? WRING_V_FAIL : WRING_PASS;
}

static void judge_lag(struct wring_view *v, const struct acts *acts, const char *subject, bool is_only)
{
	_cleanup_free_ double *lags = calloc(acts->n, sizeof(*lags)), *shares = calloc(acts->n, sizeof(*shares));
	_cleanup_free_ double *waits = calloc(acts->n, sizeof(*waits)), *more = calloc(acts->n, sizeof(*more));
	_cleanup_free_ char *lag = wring_strf("free_lag_ms%s%s", is_only ? "" : ".", is_only ? "" : subject);
	_cleanup_free_ char *share = wring_strf("free_at_return_pct%s%s", is_only ? "" : ".", is_only ? "" : subject);
	int64_t limit = wring_view_limit(v, NAME ".lag-ms", LAG_MS), most = 0;
	size_t n = 0, gaps = 0;
	double usual, max, wait, drain;

	if (!lags || !shares || !waits || !more || !lag || !share)
		return;
	for (size_t i = 0; i < acts->n; i++) {
		const struct act *a = &acts->rows[i];

		if (strcmp(a->subject, subject) || !a->is_measured)
			continue;
		if (a->has_gap) {
			gaps++;
			continue;
		}
		most = a->before - a->last > most ? a->before - a->last : most;
		shares[n] = share_at_return(a);
		waits[n] = a->wait_ms;
		more[n] = a->lag_ms > a->took_ms ? a->lag_ms - a->took_ms : 0;
		lags[n++] = a->lag_ms;
	}
	if (!n) {
		wring_finding(v, NAME, "lag", limit ? WRING_INCONCLUSIVE : WRING_V_SKIP, 0, (double)limit, "ms",
			      gaps ? "%s: the sampler was away while pages came back, %zu time(s)" :
				     "%s: no reclaim or release that freed anything (%zu)", subject, gaps);
		return;
	}
	usual = wring_quantile(lags, n, USUAL);
	max = lags[n - 1];
	wring_metric(v, lag, "ms", usual, "lower", "primary");
	wring_metric(v, share, "%", 100 * wring_median(shares, n), "higher", "secondary");
	wait = wring_quantile(waits, n, USUAL);
	wring_finding(v, NAME, "lag", verdict_of(wait, limit), wait, (double)limit, "ms",
		      "%s: for %.3g ms nothing came back of what was freed late (upper quartile of %zu); all came after %.3g ms, longest %.3g ms, at "
		      "most %lld bytes freed at once; %zu more not judged because the sampler was away", subject, wait, n, usual, max,
		      (long long)most, gaps);
	drain = wring_quantile(more, n, USUAL);
	wring_finding(v, NAME, "drain", verdict_of(drain, limit), drain, (double)limit, "ms",
		      "%s: what was freed late needed %.3g ms longer to come back than it took to reclaim it (upper quartile of %zu)", subject, drain, n);
}

/* One act in so many may be chance, and one in a run; more are not, whosever they are. */
#define CHANCE 16
static void judge_together(struct wring_view *v, const struct acts *acts)
{
	int64_t limit = wring_view_limit(v, NAME ".lag-ms", LAG_MS);
	const struct act *worst = NULL;
	size_t n = 0, late = 0;

	for (size_t i = 0; i < acts->n; i++) {
		const struct act *a = &acts->rows[i];

		if (!a->is_measured || a->has_gap)
			continue;
		n++;
		late += a->wait_ms > (double)limit;
		if (!worst || a->wait_ms > worst->wait_ms)
			worst = a;
	}
	if (limit && late > (n > CHANCE ? n / CHANCE : 1))
		wring_finding(v, NAME, "lag", WRING_V_FAIL, worst->wait_ms, (double)limit, "ms",
			      "of %zu of %zu acts in all cgroups nothing came back for more than %lld ms, at most for %.3g ms (%s)", late, n,
			      (long long)limit, worst->wait_ms, worst->subject);
}

/* pgsteal over the act: from the last sample before it to the first behind it. */
static bool stolen_bytes(struct wring_view *v, const struct act *a, int64_t *ret)
{
	const struct wring_series *s = wring_view_series(v, "memory.stat", a->subject, "pgsteal");
	const struct wring_events *e = wring_view_events(v);
	int64_t began = INT64_MIN;
	size_t from, to;

	for (size_t i = 0; i < e->n && e->rows[i].t_ns < a->t_ns; i++)
		if (!strcmp(e->rows[i].kind, "step") && !strcmp(e->rows[i].subject, "reclaim"))
			began = e->rows[i].t_ns;
	from = s ? wring_series_find(s, began) : 0;
	to = s ? wring_series_find(s, a->t_ns) : 0;
	if (!s || !from || to >= s->n)
		return false;
	*ret = (s->v[to] - s->v[from - 1]) * v->page_size;
	return true;
}

/* EAGAIN means that less was reclaimed than asked. Since 6.4 or so slab pages are not counted for a memcg
 * (flush_reclaim_state() in mm/vmscan.c), so that a cgroup of slab alone always says so. */
static void judge_eagain(struct wring_view *v, const struct acts *acts)
{
	size_t n = 0, lru_only = 0;

	for (size_t i = 0; i < acts->n; i++) {
		const struct act *a = &acts->rows[i];
		int64_t stolen;

		if (!a->asked)
			continue;
		n++;
		if (a->error != EAGAIN || !stolen_bytes(v, a, &stolen))
			continue;
		if (stolen >= a->asked) {
			wring_finding(v, NAME, "eagain", WRING_V_FAIL, (double)stolen, (double)a->asked, "bytes",
				      "memory.reclaim of %s said EAGAIN although it took %lld bytes from the LRU lists, and %lld were asked for",
				      a->subject, (long long)stolen, (long long)a->asked);
			return;
		}
		lru_only += a->before - a->last >= a->asked;
	}
	if (lru_only)
		wring_finding(v, NAME, "lru-only", WRING_KNOWN, (double)lru_only, (double)n, "reclaims",
			      "memory.reclaim said EAGAIN %zu time(s) after it freed what was asked: slab pages do not count as reclaimed "
			      "(flush_reclaim_state() in mm/vmscan.c, since about 6.4)", lru_only);
	else if (n)
		wring_finding(v, NAME, "eagain", WRING_PASS, 0, 0, "reclaims", "no memory.reclaim of %zu said EAGAIN after it took what was asked", n);
}

static bool is_first(const struct acts *acts, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!strcmp(acts->rows[k].subject, acts->rows[i].subject))
			return false;
	return true;
}

static int judge(struct wring_view *v, struct wring_err *err)
{
	struct acts acts = { 0 };
	size_t subjects = 0;
	int r = find_acts(v, &acts, err);

	for (size_t i = 0; i < acts.n; i++) {
		measure(v, &acts.rows[i]);
		subjects += is_first(&acts, i);
	}
	for (size_t i = 0; i < acts.n; i++)
		if (is_first(&acts, i))
			judge_lag(v, &acts, acts.rows[i].subject, subjects == 1);
	judge_together(v, &acts);
	if (acts.n)
		judge_eagain(v, &acts);
	else if (!r)
		wring_finding(v, NAME, "lag", WRING_INCONCLUSIVE, 0, 0, "ms", "the run neither reclaimed nor released anything");
	free(acts.rows);
	return r;
}

static const struct wring_metric_info metric_infos[] = {
	{ "free_lag_ms", "ms", "lower", "from the return of reclaim until 90 % of what came later was free, upper quartile" },
	{ "free_at_return_pct", "%", "higher", "share of what reclaim freed that was free when it returned" },
	{ 0 }
};

static const struct wring_detector free_lag = {
	.name = NAME,
	.summary = "time from the return of reclaim to the pages really free",
	.doc =
	"For each memory.reclaim, each step release, and vm.drop_caches: from its return to the moment\n"
	"90 % of what came later than that had left memory.current (nr_slab_reclaimable of the whole\n"
	"machine), which ends at the next mark, behind an RCU barrier. Class lag: the longest time of it\n"
	"in which nothing came back, against lag-ms (500; 0: a metric alone), the upper quartile over the\n"
	"acts in a cgroup, and of all acts of a run more than one in 16, and than one; of what a load released\n"
	"(its ledger) and that did not come at all, until that mark: a grace period is tens of milliseconds,\n"
	"whatever the emulation. Then callbacks free object by object, which is work, slow where the\n"
	"machine is slow or busy. Class drain: all of it, less what the act itself took, which is work on\n"
	"the same objects just before, against the same limit, the upper quartile.\n"
	"The sampler is the witness that the CPUs ran: an act during which it was away for 50 ms and a\n"
	"quarter of the lag is not judged. Class eagain: memory.reclaim said EAGAIN although the LRU lists alone (pgsteal)\n"
	"gave what was asked. Class lru-only, known: it freed as much, but as slab, which newer\n"
	"kernels do not count. The memory is promised to whoever reclaims next: while it waits for\n"
	"RCU, that one finds nothing and kills (thread 2020, 1b-1d).",
	.limits = "lag-ms",
	.controls =
	"fires: rcu-holdoff.ko in rcu-free-lag\n"
	"and rcu-kswapd;\n"
	"silent: rcu-free-lag on a stock kernel",
	.metrics = metric_infos,
	.judge = judge,
};
WRING_REGISTER_DETECTOR(free_lag);
