/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memory.high is a throttle: usage may pass it, but only by what tasks have in flight. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include "analyzers/limits.h"
#include "analyzers/stats/order.h"
#include "analyzers/view.h"
#include "harness/base/units.h"
#include "harness/base/util.h"

#define NAME "high-overrun"
#define HUGE_FOLIO (2LL << 20)
enum { BATCH_PAGES = 128 }; /* two charge batches of 64 pages before a task looks at high */
#define SLACK 0.0125                 /* of high */
#define THROTTLE 12288.0             /* bytes/s a task at high: the slope of the penalty curve */
#define MAX_SLEEP_S 2.0              /* MEMCG_MAX_HIGH_DELAY_JIFFIES */
#define RATE_WINDOW_NS (100 * WRING_NSEC_PER_MSEC)
#define LAG_WINDOW_NS (2 * WRING_NSEC_PER_SEC)

/* One group with a memory.high, and what its overrun is measured against. */
struct high {
	const char *subject;
	int64_t t_set, t_end, high; /* judged from the limit until its tasks are killed */
	bool is_late; /* set or changed while loads ran: memory.peak is older than the limit */
	bool has_peak, has_events, has_lag, has_rate, is_unreclaimable;
	int64_t value, events, tasks, folio, sock;
	int64_t kernel, raw; /* at most, all of it and that outside of slab; a kernel that does not say: all there is */
	int64_t other;       /* the rest: slab, anonymous memory and page cache */
	double lag_s, rate, lagging, above_s, area, allowed, strict;
	const char *lag_from;
};

/* ---- the parts of the limit ---- */

static int64_t count_tasks(struct wring_view *v, const char *subject)
{
	int64_t n = 0;

	for (size_t i = 0; v->scenario && i < v->scenario->n_loads; i++) {
		const struct wring_load *l = &v->scenario->loads[i];
		const struct wring_group *g =
			l->group ? wring_scenario_group(v->scenario, l->group) : NULL;
		uint64_t dirs = g && !strcmp(g->path, l->group) ? g->count : 1;

		if (!wring_load_within(v, l, subject))
			continue;
		if (!wring_group_within(l->group ? l->group : ".", subject))
			dirs = 1; /* one of the directories the load is spread over */
		n += (int64_t)((l->procs ? l->procs : 1) * dirs * (l->threads ? l->threads : 1));
	}
	return n > 0 ? n : 1;
}

/* A charge is one folio: as large as huge pages where the group had anonymous memory and THP is not
 * off, or where it had a huge page of any kind; else the batch of single pages. */
static int64_t largest_folio(struct wring_view *v, const char *subject)
{
	static const char *const huge[] = { "anon_thp", "file_thp", "shmem_thp" };
	_cleanup_free_ char *thp = wring_store_get_fact(v->store, v->boot, "thp.enabled");
	int64_t n;

	for (size_t i = 0; i < WRING_ARRAY_SIZE(huge); i++)
		if (!wring_view_max(v, "memory.stat", subject, huge[i], INT64_MIN, INT64_MAX, &n) && n > 0)
			return HUGE_FOLIO;
	if (thp && (strstr(thp, "[never]") || !strcmp(thp, "never")))
		return v->page_size;
	/* an unknown setting counts as on */
	if (!wring_view_max(v, "memory.stat", subject, "anon", INT64_MIN, INT64_MAX, &n) && n < HUGE_FOLIO)
		return v->page_size;
	return HUGE_FOLIO;
}

/* Fastest growth of a counter over windows of at least 100 ms, per second. */
static double fastest(const struct wring_series *s)
{
	double max = 0;

	for (size_t i = 0, j = 0; i < s->n; i++) {
		double rate;

		while (j < s->n && s->t_ns[j] - s->t_ns[i] < RATE_WINDOW_NS)
			j++;
		if (j == s->n)
			break;
		rate = (double)(s->v[j] - s->v[i]) * 1e9 / (double)(s->t_ns[j] - s->t_ns[i]);
		max = rate > max ? rate : max;
	}
	return max;
}

static bool alloc_rate(struct wring_view *v, const char *subject, double *ret)
{
	bool any = false;

	*ret = 0;
	for (size_t i = 0; v->scenario && i < v->scenario->n_loads; i++) {
		const struct wring_series *s;

		if (!wring_load_within(v, &v->scenario->loads[i], subject))
			continue;
		s = wring_view_series(v, "load", v->scenario->loads[i].name, "made_bytes");
		if (!s)
			continue;
		any = true;
		*ret += fastest(s);
	}
	return any;
}

/* Time from the return of a reclaim to the moment its pages are gone; negative when not sampled. */
static double settle_s(const struct wring_view *v, const struct wring_series *s, int64_t t_ns)
{
	size_t first = wring_series_find(s, t_ns), i;
	int64_t min = INT64_MAX;

	for (i = first; i < s->n && s->t_ns[i] <= t_ns + LAG_WINDOW_NS; i++)
		min = s->v[i] < min ? s->v[i] : min;
	if (min == INT64_MAX)
		return -1;
	for (i = first; s->v[i] > min + wring_view_tolerance(v); i++)
		;
	return (double)(s->t_ns[i] - t_ns) / 1e9;
}

/* Lags seen in this run: p99 over its reclaims. */
static double lag_of_reclaims(struct wring_view *v, const char *subject)
{
	const struct wring_series *s = wring_view_series(v, "memory", subject, "current");
	const struct wring_events *e = wring_view_events(v);
	_cleanup_free_ double *lags = calloc(e->n ? e->n : 1, sizeof(*lags));
	size_t n = 0;

	for (size_t i = 0; s && lags && i < e->n; i++) {
		double lag;

		if (strcmp(e->rows[i].kind, "reclaim") || !wring_group_within(e->rows[i].subject, subject))
			continue;
		lag = settle_s(v, s, e->rows[i].t_ns);
		if (lag >= 0)
			lags[n++] = lag;
	}
	return n ? wring_quantile(lags, n, 0.99) : 0;
}

/* An RCU barrier waits for every free queued before it, so it bounds the lag from above. */
static double lag_of_barriers(struct wring_view *v)
{
	const struct wring_events *e = wring_view_events(v);
	int64_t max = 0, n, since = -1;

	for (size_t i = 0; i < e->n; i++) {
		const struct wring_event *x = &e->rows[i];

		if (!strcmp(x->kind, "step") && !strcmp(x->subject, "rcu-barrier") && wring_text_i64(x->text, "ns", &n))
			max = n > max ? n : max;
		if (strcmp(x->kind, "mark"))
			continue;
		/* the barrier of the step `aftermath` lies between these two */
		if (!strcmp(x->subject, "after-barrier") && since >= 0)
			max = x->t_ns - since > max ? x->t_ns - since : max;
		since = strcmp(x->subject, "after-load") ? -1 : x->t_ns;
	}
	return (double)max / 1e9;
}

static void find_lag(struct wring_view *v, struct high *h)
{
	double a = lag_of_reclaims(v, h->subject), b = lag_of_barriers(v);

	h->lag_s = a > b ? a : b;
	h->lag_from = a > b ? "p99 of this run's reclaims" : "this run's longest RCU barrier";
	h->has_lag = h->lag_s > 0;
}

static bool can_swap(struct wring_view *v, const char *subject)
{
	_cleanup_free_ char *swaps = wring_store_get_fact(v->store, v->boot, "swaps");
	const struct wring_events *e = wring_view_events(v);
	int64_t total;

	for (size_t i = 0; i < e->n; i++)
		if (!strcmp(e->rows[i].kind, "limit") && wring_group_within(subject, e->rows[i].subject) &&
		    !strcmp(e->rows[i].text, "memory.swap.max=0"))
			return false;
	if (!wring_view_max(v, "meminfo", "", "SwapTotal", INT64_MIN, INT64_MAX, &total))
		return total > 0;
	return !swaps || strcmp(swaps, "none");
}

/* Was there next to nothing to reclaim when the group was largest? Then the kernel can only slow
 * its tasks down, along a curve of its own. Without memory.stat this is not assumed. */
static bool is_unreclaimable(struct wring_view *v, const struct high *h)
{
	static const char *const kinds[] = { "active_file", "inactive_file", "slab_reclaimable",
					     "anon" };
	size_t n_kinds =
		WRING_ARRAY_SIZE(kinds) - (can_swap(v, h->subject) ? 0 : 1); /* anon is the last */
	const struct wring_series *s = wring_view_series(v, "memory", h->subject, "current");
	size_t at = s ? wring_series_find(s, h->t_set) : 0;
	int64_t sum = 0, n;

	if (!s || at == s->n)
		return false;
	for (size_t i = at; i < s->n && s->t_ns[i] <= h->t_end; i++)
		if (s->v[i] > s->v[at])
			at = i;
	for (size_t i = 0; i < n_kinds; i++) {
		if (wring_view_at(v, "memory.stat", h->subject, kinds[i], s->t_ns[at], &n))
			return false;
		sum += n;
	}
	sum -= wring_view_load_max(v, h->subject, "held_bytes", h->t_set, INT64_MAX);
	return sum < h->high / 10;
}

/* ---- the value ---- */

static void time_above(struct wring_view *v, struct high *h)
{
	const struct wring_series *s = wring_view_series(v, "memory", h->subject, "current");

	for (size_t i = s ? wring_series_find(s, h->t_set) : 0; s && i + 1 < s->n && s->t_ns[i + 1] <= h->t_end; i++) {
		double dt = (double)(s->t_ns[i + 1] - s->t_ns[i]) / 1e9;

		if (s->v[i] <= h->high)
			continue;
		h->above_s += dt;
		h->area += dt * (double)(s->v[i] - h->high);
	}
}

/* The largest usage: memory.peak, which misses nothing, or samples of memory.current, which may. */
static int find_value(struct wring_view *v, struct high *h)
{
	int64_t peak;

	h->has_peak =
		!h->is_late &&
		!wring_view_max(v, "memory", h->subject, "peak", INT64_MIN, h->t_end, &peak) &&
		peak > 0;
	if (h->has_peak) {
		h->value = peak;
		return 0;
	}
	return wring_view_max(v, "memory", h->subject, "current", h->t_set, h->t_end, &h->value);
}

/* What was allocated while freed memory was on its way back. Only kernel memory comes late (RCU): it is no more than that. */
static double lagging(const struct high *h)
{
	double bytes = h->rate * h->lag_s;

	return bytes < (double)h->kernel ? bytes : (double)h->kernel;
}

/* What the throttling curve lets through while above high. No sleep is longer than MAX_SLEEP_S: where the curve asks for more, two
 * batches get through in each, and the overrun grows in a straight line. */
static double curve(const struct high *h, double batch)
{
	double high = (double)h->high, tasks = (double)h->tasks, line = tasks * batch / MAX_SLEEP_S;
	double knee = high * sqrt(THROTTLE / 3 * tasks / line), knee_s = knee * knee * knee / (THROTTLE * tasks * high * high);

	return h->above_s > knee_s ? knee + (h->above_s - knee_s) * line : cbrt(THROTTLE * tasks * h->above_s * high * high);
}

static void find_allowed(struct wring_view *v, struct high *h)
{
	int64_t batch = BATCH_PAGES * v->page_size;

	h->tasks = count_tasks(v, h->subject);
	h->folio = largest_folio(v, h->subject);
	h->has_rate = alloc_rate(v, h->subject, &h->rate);
	find_lag(v, h);
	h->is_unreclaimable = is_unreclaimable(v, h);
	h->strict = SLACK * (double)h->high + (double)h->tasks * (double)(h->folio > batch ? h->folio : batch);
	h->lagging = lagging(h);
	h->allowed = h->strict + h->lagging;
	if (h->is_unreclaimable)
		h->allowed += h->tasks ? curve(h, (double)batch) : 0;
}

static void find_kernel(struct wring_view *v, struct high *h)
{
	int64_t slab = 0, anon = 0, file = 0;

	if (wring_view_max(v, "memory.stat", h->subject, "kernel", h->t_set, h->t_end, &h->kernel)) {
		h->kernel = INT64_MAX;
		return;
	}
	h->kernel += wring_view_tolerance(v);
	if (!wring_view_max(v, "memory.stat", h->subject, "slab", h->t_set, h->t_end, &slab))
		h->raw = h->kernel - slab;
	(void)wring_view_max(v, "memory.stat", h->subject, "anon", h->t_set, INT64_MAX, &anon);
	(void)wring_view_max(v, "memory.stat", h->subject, "file", h->t_set, INT64_MAX, &file);
	h->other = slab + anon + file;
}

static enum wring_verdict verdict_of(const struct high *h, double overrun, const char **ret_class)
{
	*ret_class = "overrun";
	if (overrun <= h->allowed)
		return WRING_PASS;
	if (overrun - (double)h->sock <= h->allowed) {
		/* softirq charges sockets and only queues the reclaim */
		*ret_class = "sock";
		return WRING_V_SKIP;
	}
	if (!h->has_peak) {
		*ret_class = "sampled";
		return WRING_INCONCLUSIVE;
	}
	/* however long the lag: it holds back no more than the group's kernel memory */
	if ((!h->has_rate || !h->has_lag) && overrun <= h->allowed - h->lagging + (double)h->kernel) {
		*ret_class = h->has_rate ? "lag" : "rate";
		return WRING_INCONCLUSIVE;
	}
	if (h->has_events && !h->events)
		*ret_class = "ignored";
	else if (h->raw > h->value / 2 || (h->raw > h->value / 4 && h->raw > h->other)) /* samples may miss a short peak */
		*ret_class = "overrun-pages";
	return WRING_V_FAIL;
}

static void judge_high(struct wring_view *v, struct high *h)
{
	double overrun;
	const char *cls;
	enum wring_verdict verdict;

	if (find_value(v, h)) {
		wring_finding(v, NAME, "overrun", WRING_INCONCLUSIVE, 0, (double)h->high, "bytes",
			      "no sample of memory.peak or memory.current of %s", h->subject);
		return;
	}
	time_above(v, h);
	h->has_events = !wring_view_max(v, "memory.events", h->subject, "high", INT64_MIN, INT64_MAX, &h->events);
	if (wring_view_max(v, "memory.stat", h->subject, "sock", h->t_set, h->t_end, &h->sock))
		h->sock = 0;
	find_kernel(v, h);
	find_allowed(v, h);
	overrun = h->value > h->high ? (double)(h->value - h->high) : 0;
	verdict = verdict_of(h, overrun, &cls);
	wring_finding(v, NAME, cls, verdict, overrun, h->allowed, "bytes",
		      "%s of %s reached %lld with memory.high %lld; allowed above it: 1.25 %% of high, %lld task(s) of %lld bytes, "
		      "allocation at %.3g bytes/s for %.3g s (%s)%s; %lld high events%s, above high for %.3g s",
		      h->has_peak ? "memory.peak" : "sampled memory.current", h->subject,
		      (long long)h->value, (long long)h->high, (long long)h->tasks,
		      (long long)(h->folio > BATCH_PAGES * v->page_size ? h->folio : BATCH_PAGES * v->page_size),
		      h->rate, h->lag_s, h->has_lag ? h->lag_from : "no lag was measured",
		      h->is_unreclaimable ? ", and the throttling curve (next to nothing was reclaimable)" : "",
		      (long long)h->events, h->has_events ? "" : " (not sampled)", h->above_s);
}

/* One group with a limit gives its metrics plain names; several put the group behind a dot. */
static void metrics(struct wring_view *v, const struct high *h, bool is_only)
{
	_cleanup_free_ char *tail =
		wring_strf("%s%s", is_only ? "" : ".", is_only ? "" : h->subject);
	_cleanup_free_ char *bytes = wring_strf("peak_over_high_bytes%s", tail ? tail : "");
	_cleanup_free_ char *time = wring_strf("time_above_high_s%s", tail ? tail : "");
	_cleanup_free_ char *area = wring_strf("area_above_high_bytes_s%s", tail ? tail : "");

	if (!bytes || !time || !area)
		return;
	wring_metric(v, bytes, "bytes", h->value > h->high ? (double)(h->value - h->high) : 0,
		     "lower", "primary");
	wring_metric(v, time, "s", h->above_s, "lower", "secondary");
	wring_metric(v, area, "bytes*s", h->area, "lower", "info");
}

/* First start of a load of the group; INT64_MAX when none started. */
static int64_t first_start(struct wring_view *v, const char *subject)
{
	const struct wring_events *e = wring_view_events(v);
	int64_t first = INT64_MAX;

	for (size_t i = 0; v->scenario && i < v->scenario->n_loads; i++) {
		const struct wring_load *l = &v->scenario->loads[i];

		if (!wring_load_within(v, l, subject))
			continue;
		for (size_t k = 0; k < e->n; k++)
			if (!strcmp(e->rows[k].kind, "load") &&
			    !strcmp(e->rows[k].subject, l->name) &&
			    !strncmp(e->rows[k].text, "start", 5) && e->rows[k].t_ns < first)
				first = e->rows[k].t_ns;
	}
	return first;
}

static bool is_high_write(const struct wring_event *e)
{
	return !strcmp(e->kind, "limit") && !strncmp(e->text, "memory.high=", 12);
}

/* A killed task is no longer slowed down: it charges what its system call still asks for, in order to get out of it
 * (mem_cgroup_handle_over_high() sleeps killably). */
static int64_t first_kill(struct wring_view *v, const char *subject)
{
	const struct wring_events *e = wring_view_events(v);

	for (size_t i = 0; i < e->n; i++) {
		const struct wring_event *x = &e->rows[i];

		if (!strcmp(x->kind, "step") && !strcmp(x->subject, "kill") && strncmp(x->text, "done", 4) &&
		    (wring_group_within(x->text, subject) || wring_group_within(subject, x->text)))
			return x->t_ns;
	}
	return INT64_MAX;
}

/* The last memory.high written to the group. */
static bool find_high(struct wring_view *v, const char *subject, struct high *h)
{
	const struct wring_events *e = wring_view_events(v);
	uint64_t n;

	*h = (struct high){ .subject = subject };
	for (size_t i = 0; i < e->n; i++) {
		const struct wring_event *x = &e->rows[i];

		if (!is_high_write(x) || strcmp(x->subject, subject))
			continue;
		h->high = !wring_parse_size(x->text + 12, &n, NULL) && n < (1ULL << 60) ? (int64_t)n
											: 0;
		h->t_set = x->t_ns;
	}
	h->is_late = h->t_set > first_start(v, subject);
	h->t_end = first_kill(v, subject);
	return h->high > 0;
}

static int judge(struct wring_view *v, struct wring_err *err)
{
	const struct wring_events *e = wring_view_events(v);
	_cleanup_free_ struct high *h = calloc(e->n ? e->n : 1, sizeof(*h));
	size_t n = 0;

	if (!h)
		return wring_err_set(err, -ENOMEM, NAME ": out of memory");
	for (size_t i = 0; i < e->n; i++) {
		bool seen = false;

		for (size_t k = 0; k < i && !seen; k++)
			seen = is_high_write(&e->rows[k]) &&
			       !strcmp(e->rows[k].subject, e->rows[i].subject);
		if (is_high_write(&e->rows[i]) && !seen)
			n += find_high(v, e->rows[i].subject, &h[n]);
	}
	for (size_t i = 0; i < n; i++) {
		judge_high(v, &h[i]);
		wring_judge_asleep(v, NAME, h[i].subject, h[i].high, h[i].strict, h[i].is_unreclaimable);
		metrics(v, &h[i], n == 1);
	}
	if (!n)
		wring_finding(v, NAME, "overrun", WRING_INCONCLUSIVE, 0, 0, "bytes",
			      "no group of the run got a memory.high");
	return 0;
}

static const struct wring_metric_info metric_infos[] = {
	{ "peak_over_high_bytes", "bytes", "lower", "highest usage less memory.high" },
	{ "time_above_high_s", "s", "lower", "time spent above memory.high" },
	{ "area_above_high_bytes_s", "bytes*s", "lower", "bytes above memory.high, summed over time" },
	{ "asleep_over_high_bytes", "bytes", "lower", "what stays above memory.high while all tasks sleep" },
	{ 0 }
};

static const struct wring_detector high_overrun = {
	.name = NAME,
	.summary = "usage above memory.high beyond what is in flight",
	.doc =
	"memory.peak over memory.high of each group that got one before its loads started, until the\n"
	"step `kill` takes its tasks: those are no longer slowed down.\n"
	"Allowed: 1.25 % of high, for each task max(128 pages, largest folio: 2M where the\n"
	"group had huge pages, or anonymous memory and THP is not off), the fastest allocation\n"
	"rate (load.made_bytes over 100 ms) times the lag with which reclaimed pages come back:\n"
	"p99 over the run's reclaims or the longest RCU barrier of the run, whichever is\n"
	"longer, and never more than the group's kernel memory, which alone comes late. Where next to nothing was reclaimable at the top,\n"
	"also what the throttling curve lets through in the time t above high: (12288 x tasks x t x high^2)^(1/3) bytes, and, as\n"
	"the kernel lets nobody sleep for more than 2 s, 128 pages a task in 2 s from where the curve is flatter than that.\n"
	"Class ignored: the overrun is too large and the kernel counted no high event at all;\n"
	"overrun-pages: most of it is kernel pages outside of slab. Class asleep: between the marks\n"
	"asleep and awake, while all tasks sleep, the smallest usage is above high by more than\n"
	"slack and tasks explain, and there was something to reclaim.\n"
	"Without memory.peak, or with a limit set while loads ran, the value is the largest\n"
	"sample, and too large a one is inconclusive (sampled); sockets are charged from\n"
	"softirq, which can only queue reclaim: no verdict where they explain the overrun. High\n"
	"is how a manager slows a group down without killing it; kernel memory may not get\n"
	"around it (thread 2015 3a 3b 3h; R19).",
	.controls =
	"fires: high-long-syscall and high-asleep with the fault module high-ignored (overrun, asleep);\n"
	"high-long-syscall on a stock kernel (overrun-pages: known, docs/findings.md); silent: high-kmem,\n"
	"high-asleep and high-no-swap on a stock kernel",
	.metrics = metric_infos,
	.judge = judge,
};
WRING_REGISTER_DETECTOR(high_overrun);
