/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one group does with its memory is not paid for by another: slowdown, loss, refused calls, kills. And swap goes on. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/stats/order.h"
#include "analyzers/swap.h"
#include "analyzers/windows.h"
#include "harness/base/util.h"

#define NAME "fairness"
#define KEPT_PCT 33
#define LOST_PCT 10
/* What counts as an operation less: a whole number is counted in a window of any length. */
#define ROUNDING 2.0
/* A reference that got less than this of what it had alone: the machine was busy, and nothing is judged. */
#define BUSY_PCT 50

static bool is_victim(const struct wring_load *l) { return !strncmp(l->name, "victim", 6); }

static double ops_per_s(struct wring_view *v, const struct wring_window *w, const char *load)
{
	int64_t ops;

	return wring_window_grew(v, w, "load", load, "ops", &ops) ? NAN : (double)ops / wring_window_s(w);
}

/* Per second over all windows alone. */
static double alone_rate(struct wring_view *v, const struct wring_windows *w, const char *load)
{
	double ops = 0, s = 0;

	for (size_t i = 0; i < w->n; i++) {
		double rate = w->rows[i].beside ? NAN : ops_per_s(v, &w->rows[i], load);

		if (isnan(rate))
			continue;
		ops += rate * wring_window_s(&w->rows[i]);
		s += wring_window_s(&w->rows[i]);
	}
	return s > 0 ? ops / s : NAN;
}

static bool is_busy(struct wring_view *v, const struct wring_windows *w, const struct wring_window *x)
{
	double alone = alone_rate(v, w, WRING_REFERENCE), beside = ops_per_s(v, x, WRING_REFERENCE);

	return !isnan(alone) && !isnan(beside) && 100 * beside < BUSY_PCT * alone;
}

/* ---- slowdown ---- */

/* What was due by its rate, or, without one, what it had alone. */
static double wanted_rate(struct wring_view *v, const struct wring_windows *w, const struct wring_load *l)
{
	double due = atof(wring_load_param(l, "rate", "0")) * (double)(l->procs * l->threads);

	return due > 0 ? due : alone_rate(v, w, l->name);
}

/* What a load got done of what was wanted, at most 1; NAN where its own limit decides, or nothing is known. */
static double done_in(struct wring_view *v, const struct wring_windows *w, const struct wring_window *x, const struct wring_load *l)
{
	double rate = ops_per_s(v, x, l->name), wanted = wanted_rate(v, w, l);

	if (isnan(rate) || isnan(wanted) || wanted <= 0 || wring_window_at_limit(v, x, l->group))
		return NAN;
	return rate < wanted ? rate / wanted : 1;
}

/* What all victims together usually get done in a window: how much the machine had to give. */
static double usual_in(struct wring_view *v, const struct wring_windows *w, const struct wring_window *x)
{
	_cleanup_free_ double *all = calloc(v->scenario->n_loads + 1, sizeof(*all));
	size_t n = 0;

	for (size_t i = 0; all && i < v->scenario->n_loads; i++) {
		double done = is_victim(&v->scenario->loads[i]) ? done_in(v, w, x, &v->scenario->loads[i]) : NAN;

		if (!isnan(done))
			all[n++] = done;
	}
	return n ? wring_median(all, n) : NAN;
}

static void judge_pace(struct wring_view *v, const struct wring_windows *w, const struct wring_load *l, double *ret_worst)
{
	double limit = (double)wring_view_limit(v, NAME ".kept-pct", KEPT_PCT), worst = INFINITY, usual = NAN, missing = 0;
	const struct wring_window *at = NULL;
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++) {
		double done = done_in(v, w, &w->rows[i], l), of_all = usual_in(v, w, &w->rows[i]);

		if (isnan(done) || !(of_all > 0))
			continue;
		n++;
		if (done / of_all < worst) {
			worst = done / of_all;
			usual = of_all;
			at = &w->rows[i];
			missing = (of_all * limit / 100 - done) * wanted_rate(v, w, l) * wring_window_s(at);
		}
	}
	if (!n) {
		wring_finding(v, NAME, "slowdown", WRING_INCONCLUSIVE, 0, limit, "%", "%s: no window in which it can be judged", l->name);
		return;
	}
	if (100 * worst < *ret_worst)
		*ret_worst = 100 * worst;
	wring_finding(v, NAME, at->beside ? "slowdown" : "stalled", missing > ROUNDING ? WRING_V_FAIL : WRING_PASS, 100 * worst, limit, "%",
		      "%s in %s: %.3g %% of its work %s%s%s, where the victims usually did %.3g %% of theirs; the least of %zu windows", l->name,
		      l->group, 100 * worst * usual, at->beside ? "beside" : "alone", at->beside && *at->beside ? " the hog " : "",
		      at->beside ? at->beside : "", 100 * usual, n);
}

/* All of them at once: against alone, unless the reference, which needs no memory, was slow too. */
static void judge_all(struct wring_view *v, const struct wring_windows *w)
{
	double limit = (double)wring_view_limit(v, NAME ".kept-pct", KEPT_PCT), alone = 0, worst = INFINITY;
	const char *hog = "";
	size_t busy = 0, n = 0;

	for (size_t i = 0; i < w->n; i++) {
		double usual = w->rows[i].beside ? NAN : usual_in(v, w, &w->rows[i]);

		alone = usual > alone ? usual : alone;
	}
	for (size_t i = 0; i < w->n; i++) {
		double usual = w->rows[i].beside ? usual_in(v, w, &w->rows[i]) : NAN;

		if (isnan(usual))
			continue;
		if (is_busy(v, w, &w->rows[i])) {
			busy++;
			continue;
		}
		n++;
		if (usual < worst) {
			worst = usual;
			hog = w->rows[i].beside;
		}
	}
	if (!n || !(alone > 0)) {
		wring_finding(v, NAME, "slowdown", WRING_INCONCLUSIVE, 0, limit, "%", "all victims: no window beside a hog in which the machine had "
			      "time (%zu in which it had not)", busy);
		return;
	}
	wring_metric(v, "usual_kept_pct", "%", 100 * worst / alone, "higher", "secondary");
	wring_finding(v, NAME, "slowdown", 100 * worst < limit * alone ? WRING_V_FAIL : WRING_PASS, 100 * worst / alone, limit, "%",
		      "the victims usually did %.3g %% of their work beside the hog %s, and %.3g %% alone; %zu windows in which the machine was busy "
		      "do not count", 100 * worst, hog, 100 * alone, busy);
}

/* ---- loss, refusals, kills ---- */

/* memory.current of a victim that only makes: whatever goes was taken. From the highest to what came after it. */
static int64_t lost_in(struct wring_view *v, const struct wring_window *w, const char *group)
{
	const struct wring_series *s = wring_view_series(v, "memory", group, "current");
	int64_t highest = 0, lost = 0;

	for (size_t i = s ? wring_series_find(s, w->from) : 0; s && i < s->n && s->t_ns[i] <= w->to; i++) {
		if (s->v[i] > highest)
			highest = s->v[i];
		if (highest - s->v[i] > lost)
			lost = highest - s->v[i];
	}
	return lost;
}

static void judge_loss(struct wring_view *v, const struct wring_windows *w, const struct wring_load *l, int64_t *ret_sum)
{
	int64_t worst = 0, tolerance = wring_view_tolerance(v), most = 0;
	const char *hog = "";

	for (size_t i = 0; i < w->n; i++) {
		const struct wring_series *s = wring_view_series(v, "memory", l->group, "current");
		int64_t lost = w->rows[i].beside && !wring_window_at_limit(v, &w->rows[i], l->group) ? lost_in(v, &w->rows[i], l->group) : 0;

		most = s ? wring_series_max(s, w->rows[0].from, w->rows[i].to, 0) : 0;
		if (lost > worst) {
			worst = lost;
			hog = w->rows[i].beside;
		}
		*ret_sum += lost;
	}
	tolerance += most * wring_view_limit(v, NAME ".lost-pct", LOST_PCT) / 100;
	wring_finding(v, NAME, "loss", worst > tolerance ? WRING_V_FAIL : WRING_PASS, (double)worst, (double)tolerance, "bytes",
		      "%s: at most %lld bytes of up to %lld went from its group, which was not at a limit%s%s", l->group, (long long)worst,
		      (long long)most, *hog ? ", beside the hog " : "", hog);
}

static int64_t grew_over(struct wring_view *v, const struct wring_windows *w, const char *sampler, const char *subject, const char *key)
{
	int64_t n, sum = 0;

	for (size_t i = 0; i < w->n; i++)
		if (w->rows[i].beside && !wring_window_grew(v, &w->rows[i], sampler, subject, key, &n))
			sum += n;
	return sum;
}

static void judge_harm(struct wring_view *v, const struct wring_windows *w, const struct wring_load *l, int64_t *ret_kills)
{
	bool is_own = false;
	int64_t kills = grew_over(v, w, "memory.events", l->group, "oom_kill"), errors = grew_over(v, w, "load", l->name, "errors");

	for (size_t i = 0; i < w->n; i++)
		is_own |= w->rows[i].beside && wring_window_at_limit(v, &w->rows[i], l->group);
	*ret_kills += kills;
	if (is_own)
		return;
	wring_finding(v, NAME, "harm", kills || errors ? WRING_V_FAIL : WRING_PASS, (double)(kills + errors), 0, "count",
		      "%s: %lld OOM kills and %lld refused calls in a group that was at no limit of its own", l->name, (long long)kills,
		      (long long)errors);
}

static void judge_victims(struct wring_view *v, const struct wring_windows *w)
{
	double worst = INFINITY;
	int64_t lost = 0, kills = 0, refaults = 0;

	for (size_t i = 0; i < v->scenario->n_loads; i++) {
		const struct wring_load *l = &v->scenario->loads[i];

		if (!is_victim(l))
			continue;
		judge_pace(v, w, l, &worst);
		judge_loss(v, w, l, &lost);
		judge_harm(v, w, l, &kills);
		refaults += grew_over(v, w, "memory.stat", l->group, "workingset_refault_file") +
			    grew_over(v, w, "memory.stat", l->group, "workingset_refault_anon");
	}
	judge_all(v, w);
	if (isfinite(worst))
		wring_metric(v, "slowest_kept_pct", "%", worst, "higher", "primary");
	wring_metric(v, "victims_lost_bytes", "bytes", (double)lost, "lower", "primary");
	wring_metric(v, "victim_oom_kills", "count", (double)kills, "lower", "primary");
	wring_metric(v, "victim_refaults", "pages", (double)refaults, "lower", "primary");
}

static bool has_victims(const struct wring_view *v)
{
	for (size_t i = 0; i < v->scenario->n_loads; i++)
		if (is_victim(&v->scenario->loads[i]))
			return true;
	return false;
}

static int judge(struct wring_view *v, struct wring_err *err)
{
	struct wring_windows w;
	int r = wring_windows_find(v, &w, err);
	bool has_swap;

	if (r)
		return r;
	has_swap = wring_swap_judge(v, NAME, &w);
	if (w.n && has_victims(v))
		judge_victims(v, &w);
	else if (!has_swap)
		wring_finding(v, NAME, "slowdown", WRING_INCONCLUSIVE, 0, 0, "%", "no load whose name begins with victim, or no window alone or beside");
	wring_windows_done(&w);
	return 0;
}

static const struct wring_metric_info metric_infos[] = {
	{ "usual_kept_pct", "%", "higher", "share of its rate alone that a victim keeps beside a usual hog" },
	{ "slowest_kept_pct", "%", "higher", "share of its rate alone that the slowest victim keeps beside the worst hog" },
	{ "victims_lost_bytes", "bytes", "lower", "memory that victims lost although they were within their limits" },
	{ "victim_oom_kills", "count", "lower", "victims killed for memory" },
	{ "victim_refaults", "pages", "lower", "pages that victims had to read again" },
	{ "longest_swap_stall_s", "s", "lower", "longest time in which nothing was swapped while swap was needed" },
	{ "swapped_bytes_per_s", "B/s", "higher", "swapped out and in" },
	{ "swap_oom_kills", "count", "lower", "kills for memory although there was swap left" },
	{ "flood_swap_stall_s", "s", "lower", "longest time in which no page went out while packets flooded in" },
	{ "flood_bytes_per_s", "B/s", "higher", "what of the flood was received" },
	{ "low_recovered_s", "s", "lower", "until free memory was above the low watermark once the flood had ended" },
	{ "reserve_drops", "packets", "", "packets dropped because they took memory that is reserved for swap" },
	{ 0 }
};

static const struct wring_detector fairness = {
	.name = NAME,
	.summary = "one group's memory is not paid for by another: slowdown, loss, refusals, kills",
	.doc =
	"Loads whose name begins with `victim`, in the windows that begin with the marks `alone` and\n"
	"`beside-HOG`, as long as their group was at no limit of its own. Class slowdown: in a window\n"
	"beside a hog it did less than kept-pct (33) of what the victims usually did of theirs in that\n"
	"window, by more than two operations; its work is what is due by its rate or, without a rate,\n"
	"what it did alone. Class stalled: so in a window alone. Slowdown too: all victims did less than\n"
	"kept-pct of what they did alone, unless the load `reference` had less than half as well: then the\n"
	"machine was busy. Class loss: memory.current of its group went down by more than 64 pages a\n"
	"CPU and lost-pct (10) of it, although a victim only makes. Class harm: calls were refused, or\n"
	"it was killed. Between the marks `swapping` and `swapped` pages must go out to swap and come\n"
	"back: class swap-stall after swap-stall-s (10) without one of them (out is also what it\n"
	"wrote ahead being written or taken; and when none waits to be written, that pages come in);\n"
	"class swap-kill when somebody is killed with a tenth of swap free.\n"
	"In a window beside a flood there, class flood-stall: nothing goes out for flood-stall-s (5) more\n"
	"than the longest time before the flood. Class below-low: free memory is not above the low\n"
	"watermark recover-s (10) after its end. Class reserve, suspect: packets were dropped because they\n"
	"took the reserve (TcpExt.PFMemallocDrop), and the socket that swap goes over, for which it is,\n"
	"refused as many (thread 2007, 4a). A subsystem that hogs memory harms its own group (thread 2007, 4d and 4e).",
	.limits = "kept-pct lost-pct swap-stall-s flood-stall-s recover-s",
	.controls =
	"fires: fairness-matrix with the faults wrong-group (loss), sock-starve (slowdown beside the hog, stalled from the\n"
	"beginning) and nofs-fails (harm);\n"
	"swap-progress with vm.swappiness=0 (swap-kill); swap-over-nbd with reserve-refused (flood-stall, swap-stall, reserve)\n"
	"and with kswapd-stuck (below-low); silent: all three on a stock kernel",
	.metrics = metric_infos,
	.judge = judge,
};
WRING_REGISTER_DETECTOR(fairness);
