/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reclaim in one cgroup, or what it holds of the network's memory, must not cost a sibling its goodput. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/stats/order.h"
#include "analyzers/windows.h"
#include "harness/base/units.h"
#include "harness/base/util.h"

#define NAME "net-starvation"
#define SHARE_PCT 25 /* of its own goodput alone, and alone of what was due */

struct flow {
	const struct wring_load *load;
	double alone, beside; /* medians over the windows of goodput by that of the reference; NAN: not measured */
	bool has_own_limit;   /* its own group was at a limit in one of the windows beside */
};

struct flows {
	struct flow rows[64];
	size_t n;
};

/* ---- measuring ---- */

static bool is_traffic(const struct wring_load *l) { return !strcmp(l->workload, "sock-traffic") && strcmp(l->name, WRING_REFERENCE); }

/* Bytes a byte of the reference: what the machine had to give in this window is the same for both. */
static double share_in(struct wring_view *v, const struct wring_window *w, const struct wring_load *l)
{
	int64_t moved, reference;

	if (wring_window_grew(v, w, "load", l->name, "moved_bytes", &moved) ||
	    wring_window_grew(v, w, "load", WRING_REFERENCE, "moved_bytes", &reference) || reference <= 0)
		return NAN;
	return (double)moved / (double)reference;
}

static double usual_share(struct wring_view *v, const struct wring_windows *w, bool is_alone, const struct wring_load *l)
{
	_cleanup_free_ double *shares = calloc(w->n + 1, sizeof(*shares));
	size_t n = 0;

	for (size_t i = 0; shares && i < w->n; i++) {
		double share = is_alone == !w->rows[i].beside ? share_in(v, &w->rows[i], l) : NAN;

		if (!isnan(share))
			shares[n++] = share;
	}
	return n ? wring_median(shares, n) : NAN;
}

static void measure(struct wring_view *v, const struct wring_windows *w, struct flows *f)
{
	for (size_t i = 0; i < v->scenario->n_loads && f->n < WRING_ARRAY_SIZE(f->rows); i++) {
		const struct wring_load *l = &v->scenario->loads[i];
		struct flow *x = &f->rows[f->n];

		if (!is_traffic(l))
			continue;
		*x = (struct flow){ .load = l, .alone = usual_share(v, w, true, l), .beside = usual_share(v, w, false, l) };
		for (size_t k = 0; k < w->n; k++)
			x->has_own_limit |= w->rows[k].beside && wring_window_at_limit(v, &w->rows[k], l->group);
		f->n++;
	}
}

/* ---- judging ---- */

/* Messages of a known size at a known rate: 0 when it goes as fast as it can. */
static double due_rate(const struct wring_load *l)
{
	uint64_t rate = strtoull(wring_load_param(l, "rate", "0"), NULL, 10), bytes = 0;

	wring_parse_size(wring_load_param(l, "message", "1400"), &bytes, NULL);
	return (double)(rate * bytes * l->procs * l->threads);
}

/* What the share would be if both had all that was due; NAN when that is not known. */
static double due_share(const struct wring_view *v, const struct wring_load *l)
{
	for (size_t i = 0; i < v->scenario->n_loads; i++)
		if (!strcmp(v->scenario->loads[i].name, WRING_REFERENCE) && due_rate(&v->scenario->loads[i]) > 0 && due_rate(l) > 0)
			return due_rate(l) / due_rate(&v->scenario->loads[i]);
	return NAN;
}

static void tell(struct wring_view *v, const char *cls, const struct flow *x, double pct, double limit, const char *against)
{
	wring_finding(v, NAME, cls, pct < limit ? WRING_V_FAIL : WRING_PASS, pct, limit, "%",
		      "%s in %s: its goodput by that of the reference was %.3g alone and %.3g beside the others; that is %.3g %% of %s",
		      x->load->name, x->load->group, x->alone, x->beside, pct, against);
}

static void judge_flow(struct wring_view *v, const struct flow *x)
{
	double limit = (double)wring_view_limit(v, NAME ".share-pct", SHARE_PCT), due = due_share(v, x->load);
	_cleanup_free_ char *name = wring_strf("goodput_kept_pct.%s", x->load->name);
	/* what it caught up with, after a window in which it was stuck, it was not due then */
	double had = !isnan(due) && x->alone > due ? due : x->alone, kept = 100 * x->beside / had;

	if (isnan(x->alone) || isnan(x->beside)) {
		wring_finding(v, NAME, "sibling", WRING_INCONCLUSIVE, 0, limit, "%", "%s: no window alone and beside in which it and the "
			      "reference were measured", x->load->name);
		return;
	}
	if (name && x->alone > 0)
		wring_metric(v, name, "%", kept, "higher", x->has_own_limit ? "info" : "primary");
	if (x->has_own_limit) /* TCP clamps the windows of a group under reclaim, by design */
		return;
	if (!isnan(due) && 100 * x->alone < limit * due)
		tell(v, "stalled", x, 100 * x->alone / due, limit, "what was due, alone");
	else if (x->alone > 0)
		tell(v, "sibling", x, kept, limit, "what it had alone");
	else
		tell(v, "stalled", x, 0, limit, "the reference, alone");
}

/* ---- memory that the network can have when reclaim is behind ---- */

static int64_t lowest(const struct wring_series *s, const struct wring_window *w, int64_t def)
{
	for (size_t i = wring_series_find(s, w->from); i < s->n && s->t_ns[i] <= w->to; i++)
		if (s->v[i] < def)
			def = s->v[i];
	return def;
}

/* Free memory at its lowest, on each node, and where pages came from. No verdict: below the low watermark is where atomic allocations
 * are meant to go, and without a socket that swap goes over there is no reserve for the network. */
static void tell_reserves(struct wring_view *v, const struct wring_windows *w)
{
	const struct wring_sources *all = wring_view_sources(v);
	int64_t local = 0, other = 0, n;

	for (size_t i = 0; i < all->n; i++) {
		const char *node = all->rows[i].subject;
		const struct wring_series *s = strcmp(all->rows[i].sampler, "node-vmstat") ? NULL :
					       wring_view_series(v, "node-vmstat", node, "nr_free_pages");
		_cleanup_free_ char *name = wring_strf("lowest_free_bytes.%s", node);
		int64_t free_pages = INT64_MAX;

		for (size_t k = 0; s && k < w->n; k++) {
			if (!w->rows[k].beside)
				continue;
			free_pages = lowest(s, &w->rows[k], free_pages);
			if (!wring_window_grew(v, &w->rows[k], "node-vmstat", node, "numa_local", &n))
				local += n;
			if (!wring_window_grew(v, &w->rows[k], "node-vmstat", node, "numa_other", &n))
				other += n;
		}
		if (name && free_pages != INT64_MAX)
			wring_metric(v, name, "bytes", (double)(free_pages * v->page_size), "higher", "info");
	}
	if (local + other)
		wring_metric(v, "nearest_node_pct", "%", 100 * (double)local / (double)(local + other), "higher", "secondary");
}

static int judge(struct wring_view *v, struct wring_err *err)
{
	struct flows f = { .n = 0 };
	struct wring_windows w;
	size_t before = v->results->n_findings;
	int r = wring_windows_find(v, &w, err);

	if (r)
		return r;
	measure(v, &w, &f);
	for (size_t i = 0; i < f.n; i++)
		judge_flow(v, &f.rows[i]);
	tell_reserves(v, &w);
	if (v->results->n_findings == before)
		wring_finding(v, NAME, "sibling", WRING_INCONCLUSIVE, 0, 0, "%", "no traffic of a group that was not at a limit of its own");
	wring_windows_done(&w);
	return 0;
}

static const struct wring_metric_info metric_infos[] = {
	{ "goodput_kept_pct", "%", "higher", "share of what it delivers alone that a load delivers beside a group under reclaim" },
	{ "lowest_free_bytes", "bytes", "higher", "the least free memory of a node while packets came in" },
	{ "nearest_node_pct", "%", "higher", "share of pages that came from the nearest node" },
	{ 0 }
};

static const struct wring_detector net_starvation = {
	.name = NAME,
	.summary = "one cgroup's reclaim or sockets cost a sibling its goodput",
	.doc =
	"Goodput (load.moved_bytes of sock-traffic) in the windows that begin with the marks `alone`\n"
	"and `beside`, as a share of what the load `reference`, a UNIX pair that needs nothing of the\n"
	"network's memory, moved in the same window: a busy machine slows down both. Medians over the\n"
	"windows. Judged is every load whose group was not at a limit of its own meanwhile (memory.events\n"
	"max or high): that one clamps its windows by design, and is a metric. Class sibling: less\n"
	"than share-pct (25) of what it had alone. Class stalled: alone already less than that of\n"
	"what was due (a load with a rate). Reclaim of one must not slow down another (Babrou 2022;\n"
	"thread 2007, 4c, 4d).\n"
	"With node-vmstat sampled: how far free memory went down, and the share of pages that came\n"
	"from the nearest node, as metrics.",
	.limits = "share-pct",
	.controls =
	"fires: net-goodput with net.ipv4.tcp_mem so small that the other group's sockets take it\n"
	"all; with sock-starve on the sibling, from the beginning or from the first window\n"
	"beside; silent: net-goodput and net-reserve on a stock kernel",
	.metrics = metric_infos,
	.judge = judge,
};
WRING_REGISTER_DETECTOR(net_starvation);
