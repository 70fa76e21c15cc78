/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/swap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "harness/base/util.h"

#define SWAP_STALL_S 10
#define FLOOD_STALL_S 5
#define RECOVER_S 10
#define SWAP_FREE_PCT 10.0 /* a kill with more than that free was not for want of swap */
#define GAP_NS (500 * 1000000LL)
#define FLOOD "sock-receive"

struct swap {
	struct wring_view *v;
	const char *detector;
	int64_t from, to;
	const struct wring_series *out, *in;                    /* pswpout and pswpin, which there must be */
	const struct wring_series *stolen, *written, *writeback; /* of the same samples; NULL: not sampled */
};

static double limit_of(const struct swap *s, const char *key, int64_t def)
{
	_cleanup_free_ char *name = wring_strf("%s.%s", s->detector, key);

	return name ? (double)wring_view_limit(s->v, name, def) : (double)def;
}

static bool grew(const struct wring_series *s, size_t i) { return s && i < s->n && s->v[i] > s->v[i - 1]; }

static bool came_in(const struct swap *s, size_t i) { return grew(s->in, i); }

/* pswpout counts pages that begin to be written. Where reclaim writes ahead (the multi-generational LRU does, by megabytes), they go
 * out for as long as these take to be written, and as reclaim takes what is written; and while pages come in and none waits to be
 * written, nobody needs more. */
static bool went_out(const struct swap *s, size_t i)
{
	bool none_waits = s->writeback && i < s->writeback->n && !s->writeback->v[i];

	return grew(s->out, i) || grew(s->stolen, i) || grew(s->written, i) || (none_waits && came_in(s, i));
}

/* The longest time without an advance. Time for which the sampler itself was away counts as one sample of it. */
static double longest_stall_s(const struct swap *s, bool (*moves)(const struct swap *s, size_t i), int64_t from, int64_t to)
{
	const int64_t *t = s->out->t_ns;
	int64_t stall = 0, longest = 0;

	for (size_t i = wring_series_find(s->out, from) + 1; i < s->out->n && t[i] <= to; i++) {
		int64_t step = t[i] - t[i - 1];

		stall += step < GAP_NS ? step : GAP_NS;
		if (moves(s, i))
			stall = 0;
		if (stall > longest)
			longest = stall;
	}
	return (double)longest / 1e9;
}

static int64_t moved(const struct wring_series *s, int64_t from, int64_t to)
{
	size_t first = wring_series_find(s, from), last = wring_series_find(s, to + 1);

	return last > first + 1 ? s->v[last - 1] - s->v[first] : 0;
}

/* Swap that was free when it was least, in percent of all. */
static double least_free(struct wring_view *v)
{
	const struct wring_series *f = wring_view_series(v, "meminfo", "", "SwapFree"), *t = wring_view_series(v, "meminfo", "", "SwapTotal");
	double least = NAN;

	for (size_t i = 0; f && t && i < f->n && i < t->n; i++)
		if (t->v[i] > 0 && !(100 * (double)f->v[i] / (double)t->v[i] >= least))
			least = 100 * (double)f->v[i] / (double)t->v[i];
	return least;
}

static void judge_progress(const struct swap *s, double free_pct)
{
	double limit = limit_of(s, "swap-stall-s", SWAP_STALL_S), out_s, in_s;
	int64_t moved_out = moved(s->out, s->from, s->to), moved_in = moved(s->in, s->from, s->to), kills = 0, n;
	struct wring_view *v = s->v;

	for (size_t i = 0; i < v->scenario->n_groups; i++)
		if (!wring_view_max(v, "memory.events", v->scenario->groups[i].path, "oom_kill", INT64_MIN, INT64_MAX, &n))
			kills += n;
	out_s = longest_stall_s(s, went_out, s->from, s->to);
	in_s = longest_stall_s(s, came_in, s->from, s->to);
	wring_metric(v, "longest_swap_stall_s", "s", out_s > in_s ? out_s : in_s, "lower", "primary");
	wring_metric(v, "swapped_bytes_per_s", "B/s", (double)((moved_out + moved_in) * v->page_size) * 1e9 / (double)(s->to - s->from), "higher",
		     "primary");
	wring_metric(v, "swap_oom_kills", "count", (double)kills, "lower", "primary");
	wring_finding(v, s->detector, "swap-kill", kills && free_pct > SWAP_FREE_PCT ? WRING_V_FAIL : WRING_PASS, (double)kills, 0, "kills",
		      "%lld OOM kills; at the least %.3g %% of swap were free", (long long)kills, free_pct);
	if (kills) /* who was killed swaps no more */
		return;
	wring_finding(v, s->detector, "swap-stall", out_s > limit || in_s > limit || !moved_out || !moved_in ? WRING_V_FAIL : WRING_PASS,
		      out_s > in_s ? out_s : in_s, limit, "s",
		      "%lld pages were swapped out and %lld in, in %.3g s; the longest time with none out was %.3g s, with none in %.3g s",
		      (long long)moved_out, (long long)moved_in, (double)(s->to - s->from) / 1e9, out_s, in_s);
}

/* ---- beside a flood of packets ---- */

static int64_t flooded_bytes(struct wring_view *v, const struct wring_window *w)
{
	int64_t n, sum = 0;

	for (size_t i = 0; i < v->scenario->n_loads; i++)
		if (!strcmp(v->scenario->loads[i].workload, FLOOD) &&
		    !wring_window_grew(v, w, "load", v->scenario->loads[i].name, "moved_bytes", &n))
			sum += n;
	return sum;
}

/* Against what the same swap needed before it: on a slow machine pages are seldom. */
static void judge_flood(const struct swap *s, const struct wring_window *w)
{
	int64_t bytes = flooded_bytes(s->v, w);
	double alone = longest_stall_s(s, went_out, s->from, w->from), limit = limit_of(s, "flood-stall-s", FLOOD_STALL_S) + alone;
	double stall = longest_stall_s(s, went_out, w->from, w->to);

	wring_metric(s->v, "flood_swap_stall_s", "s", stall, "lower", "primary");
	wring_metric(s->v, "flood_bytes_per_s", "B/s", (double)bytes / wring_window_s(w), "higher", "secondary");
	wring_finding(s->v, s->detector, "flood-stall", !bytes ? WRING_INCONCLUSIVE : stall > limit ? WRING_V_FAIL : WRING_PASS, stall, limit, "s",
		      "beside a flood of %lld bytes in %.3g s the longest time in which no page went out was %.3g s, and %.3g s before it",
		      (long long)bytes, wring_window_s(w), stall, alone);
}

/* Free memory above the low watermark again once the flood has ended. */
static void judge_recovery(const struct swap *s, const struct wring_window *w)
{
	const struct wring_series *f = wring_view_series(s->v, "vmstat", "", "nr_free_pages");
	_cleanup_free_ char *fact = wring_store_get_fact(s->v->store, s->v->boot, "watermark.low_pages");
	double limit = limit_of(s, "recover-s", RECOVER_S), took;
	int64_t low = fact ? strtoll(fact, NULL, 10) : 0;
	size_t first = f ? wring_series_find(f, w->to) : 0, i = first;

	if (!f || first == f->n || !low) {
		wring_finding(s->v, s->detector, "below-low", WRING_INCONCLUSIVE, 0, limit, "s", "nr_free_pages or the low watermark is not known");
		return;
	}
	while (i + 1 < f->n && f->t_ns[i + 1] <= s->to && f->v[i] < low)
		i++;
	took = (double)(f->t_ns[i] - w->to) / 1e9;
	if (f->v[i] >= low)
		wring_metric(s->v, "low_recovered_s", "s", took, "lower", "info");
	wring_finding(s->v, s->detector, "below-low", took > limit ? WRING_V_FAIL : f->v[i] < low ? WRING_INCONCLUSIVE : WRING_PASS, took, limit, "s",
		      "%.3g s after the flood %lld pages were free, %lld when it ended; the low watermarks of all zones are %lld", took,
		      (long long)f->v[i], (long long)f->v[first], (long long)low);
}

/* Packets that came out of the reserve are dropped at every socket but those that swap goes over. What the swap's own socket refused
 * may have other reasons (what was sent twice), so it is suspect only. */
static void judge_reserve(const struct swap *s)
{
	const struct wring_series *d = wring_view_series(s->v, "netstat", "", "TcpExt.PFMemallocDrop");
	const struct wring_events *e = wring_view_events(s->v);
	int64_t all = d ? d->v[d->n - 1] - d->v[0] : 0, own = -1, n;

	for (size_t i = 0; i < e->n; i++)
		if (!strcmp(e->rows[i].kind, "swap") && wring_text_i64(e->rows[i].text, "dropped", &n))
			own = n;
	if (!d || own < 0)
		return;
	wring_metric(s->v, "reserve_drops", "packets", (double)all, "", "info");
	wring_finding(s->v, s->detector, "reserve", all && own >= all ? WRING_SUSPECT : WRING_PASS, (double)own, (double)all, "packets",
		      "%lld packets were dropped because they took the reserve; the socket that swap went over refused %lld packets for any reason",
		      (long long)all, (long long)own);
}

bool wring_swap_judge(struct wring_view *v, const char *detector, const struct wring_windows *w)
{
	struct swap s = { .v = v, .detector = detector };
	double free_pct = least_free(v);

	if (wring_view_event_time(v, "mark", "swapping", 0, &s.from) || wring_view_last_mark(v, "swapped", &s.to))
		return false;
	s.out = wring_view_series(v, "vmstat", "", "pswpout");
	s.in = wring_view_series(v, "vmstat", "", "pswpin");
	s.stolen = wring_view_series(v, "vmstat", "", "pgsteal_anon");
	s.written = wring_view_series(v, "vmstat", "", "nr_written");
	s.writeback = wring_view_series(v, "vmstat", "", "nr_writeback");
	if (!s.out || !s.in || isnan(free_pct)) {
		wring_finding(v, detector, "swap-stall", WRING_INCONCLUSIVE, 0, SWAP_STALL_S, "s",
			      "pswpin, pswpout and SwapFree were not sampled, or there was no swap");
		return true;
	}
	judge_progress(&s, free_pct);
	for (size_t i = 0; i < w->n; i++)
		if (w->rows[i].beside && w->rows[i].from >= s.from && w->rows[i].to <= s.to) {
			judge_flood(&s, &w->rows[i]);
			judge_recovery(&s, &w->rows[i]);
		}
	judge_reserve(&s);
	return true;
}
