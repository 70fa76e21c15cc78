/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/load-metrics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "analyzers/census.h"
#include "analyzers/output.h"
#include "analyzers/view.h"
#include "harness/api/loadproto.h"
#include "harness/base/util.h"

/* From the first start of a load to the last exit of one of its processes. load NULL: of any. */
static double busy_s(struct wring_view *v, const char *load)
{
	const struct wring_events *e = wring_view_events(v);
	int64_t start = -1, end = -1;

	for (size_t i = 0; i < e->n; i++) {
		if (strcmp(e->rows[i].kind, "load") || (load && strcmp(e->rows[i].subject, load)))
			continue;
		if (!strncmp(e->rows[i].text, "start", 5) && start < 0)
			start = e->rows[i].t_ns;
		else if (!strncmp(e->rows[i].text, "exit", 4))
			end = e->rows[i].t_ns;
	}
	return start >= 0 && end > start ? (double)(end - start) / 1e9 : 0;
}

/* ---- latencies ---- */

struct bucket { uint64_t floor; int64_t n; };
struct histogram {
	const char *prefix;
	struct bucket *rows;
	size_t n;
	int64_t total, max_ns;
};

static int by_floor(const void *a, const void *b)
{
	const struct bucket *x = a, *y = b;

	return x->floor < y->floor ? -1 : x->floor > y->floor;
}

void wring_load_each(struct wring_view *v, const char *sampler, const char *load,
		     void (*visit)(struct wring_view *v, void *arg, const char *load, const char *key, int64_t value), void *arg)
{
	const struct wring_sources *all = wring_view_sources(v);
	struct wring_names keys = { 0 };
	struct wring_err err;
	size_t i = 0;
	int64_t n;

	while (i < all->n && (strcmp(all->rows[i].sampler, sampler) || strcmp(all->rows[i].subject, load)))
		i++;
	if (i == all->n || wring_store_source_keys(v->store, v->run, all->rows[i].id, &keys, &err))
		return;
	for (size_t k = 0; k < keys.n; k++)
		if (!wring_view_max(v, sampler, load, keys.rows[k], INT64_MIN, INT64_MAX, &n) && n)
			visit(v, arg, load, keys.rows[k], n);
	wring_names_done(&keys);
}

static void add_bucket(struct wring_view *v, void *arg, const char *load, const char *key, int64_t n)
{
	struct histogram *h = arg;
	size_t skip = strlen(h->prefix);

	(void)v;
	(void)load;
	if (strncmp(key, h->prefix, skip))
		return;
	key += skip;
	if (!strcmp(key, "max_ns"))
		h->max_ns = n;
	if (strncmp(key, "ge.", 3) || h->n == WRING_LATENCY_BUCKETS)
		return;
	h->rows[h->n++] = (struct bucket){ strtoull(key + 3, NULL, 10), n };
	h->total += n;
}

/* In the middle of the bucket where that share of the operations is reached: off by 1/32 at most. */
static double quantile(const struct histogram *h, double q)
{
	double wanted = ceil(q * (double)h->total), middle;
	int64_t seen = 0;
	size_t i = 0;

	while (i + 1 < h->n && (double)(seen + h->rows[i].n) < wanted)
		seen += h->rows[i++].n;
	if (wring_latency_bucket(h->rows[i].floor) == WRING_LATENCY_BUCKETS - 1)
		return (double)h->max_ns;
	middle = ((double)h->rows[i].floor + (double)wring_latency_floor(wring_latency_bucket(h->rows[i].floor) + 1)) / 2;
	return h->max_ns && middle > (double)h->max_ns ? (double)h->max_ns : middle;
}

/* False: no operation was sampled. Free the rows. */
static bool read_histogram(struct wring_view *v, const char *load, const char *prefix, struct histogram *h)
{
	*h = (struct histogram){ .prefix = prefix, .rows = calloc(WRING_LATENCY_BUCKETS, sizeof(*h->rows)) };
	if (h->rows)
		wring_load_each(v, "load-latency", load, add_bucket, h);
	if (h->n)
		qsort(h->rows, h->n, sizeof(*h->rows), by_floor);
	return h->n;
}

static double quantile_or_max(const struct histogram *h, double q) { return q < 1 ? quantile(h, q) : (double)h->max_ns; }

bool wring_load_latency_ns(struct wring_view *v, const char *load, const char *what, double q, double *ret)
{
	struct histogram h;
	bool any = read_histogram(v, load, what, &h);

	if (any)
		*ret = quantile_or_max(&h, q);
	free(h.rows);
	return any;
}

static void latencies_of(struct wring_view *v, const char *load)
{
	static const struct { const char *name, *tier; double q; } quantiles[] = {
		{ "p50", "info", 0.5 }, { "p99", "secondary", 0.99 }, { "p999", "info", 0.999 }, { "max", "info", 1 },
	};
	struct histogram h;
	bool any = read_histogram(v, load, "", &h);

	for (size_t i = 0; i < WRING_ARRAY_SIZE(quantiles) && any; i++) {
		bool is_only = v->scenario->n_loads == 1;
		_cleanup_free_ char *name = wring_strf("%s%slatency_%s_ns", is_only ? "" : load, is_only ? "" : ".", quantiles[i].name);

		if (name)
			wring_metric(v, name, "ns", quantile_or_max(&h, quantiles[i].q), "lower", quantiles[i].tier);
	}
	free(h.rows);
}

/* ---- everything else ---- */

static void failure_of(struct wring_view *v, void *arg, const char *load, const char *key, int64_t n)
{
	_cleanup_free_ char *name = wring_strf("%s.errors.%s", load, key);

	(void)arg;
	if (name)
		wring_metric(v, name, "count", (double)n, "lower", "info");
}

static void metrics_of(struct wring_view *v, const char *load, int64_t *total)
{
	_cleanup_free_ char *rate = wring_strf("%s.ops_per_s", load), *errors = wring_strf("%s.errors", load),
			    *goodput = wring_strf("%s.goodput", load), *dropped = wring_strf("%s.dropped", load);
	double busy = busy_s(v, load);
	int64_t n;

	if (!rate || !errors || !goodput || !dropped)
		return;
	if (!wring_view_max(v, "load", load, "ops", INT64_MIN, INT64_MAX, &n)) {
		*total += n;
		if (n && busy > 0 && v->scenario->n_loads > 1)
			wring_metric(v, rate, "1/s", (double)n / busy, "higher", "secondary");
	}
	if (busy > 0 && !wring_view_max(v, "load", load, "moved_bytes", INT64_MIN, INT64_MAX, &n) && n)
		wring_metric(v, goodput, "B/s", (double)n / busy, "higher", "secondary");
	if (!wring_view_max(v, "load", load, "dropped", INT64_MIN, INT64_MAX, &n) && n)
		wring_metric(v, dropped, "count", (double)n, "lower", "info");
	if (!wring_view_max(v, "load", load, "errors", INT64_MIN, INT64_MAX, &n))
		wring_metric(v, errors, "count", (double)n, "lower", "info");
	wring_load_each(v, "load-errors", load, failure_of, NULL);
	latencies_of(v, load);
}

/* What the scenario's own steps took in which it makes the kernel reclaim: `sysctl vm.drop_caches 2`, too. */
static void reclaim_steps(struct wring_view *v)
{
	const struct wring_events *e = wring_view_events(v);
	double ns = 0, took;
	bool counts = false;

	for (size_t i = 0; i < e->n; i++) {
		if (strcmp(e->rows[i].kind, "step"))
			continue;
		if (sscanf(e->rows[i].text, "done ns=%lf", &took) == 1)
			ns += counts ? took : 0;
		else
			counts = !strcmp(e->rows[i].subject, "reclaim") || !strncmp(e->rows[i].text, "vm.drop_caches", 14);
	}
	if (ns > 0)
		wring_metric(v, "reclaim_ns", "ns", ns, "lower", "info");
}

/* What the machine did to reclaim: from the request to the end of the RCU barrier behind it, because a third of the work is freeing
 * that is put off to RCU callbacks, and how much of that comes before the request returns is chance. Less the time in which the CPU
 * was idle (waiting for grace periods), where that is told. */
static bool reclaim_stretches(struct wring_view *v, int64_t from, int64_t to, double *ret_ns)
{
	const struct wring_events *e = wring_view_events(v);
	int64_t before = 0, began = 0, step = 0, took, idle_ns;
	bool is_open = false, any = false;
	const char *verb = "";

	*ret_ns = 0;
	for (size_t i = 0; i < e->n; i++) {
		const struct wring_event *x = &e->rows[i];

		if (strcmp(x->kind, "step"))
			continue;
		if (strncmp(x->text, "done ns=", 8)) {
			bool is_reclaim = !strcmp(x->subject, "reclaim") || !strncmp(x->text, "vm.drop_caches 2", 16);

			began = is_reclaim && !is_open ? before : began;
			is_open = before && (is_reclaim || (is_open && !strcmp(x->subject, "rcu-barrier")));
			verb = x->subject;
			step = x->t_ns;
			continue;
		}
		before = x->t_ns;
		if (!is_open || strcmp(verb, "rcu-barrier"))
			continue;
		is_open = false;
		if (x->t_ns < from || x->t_ns > to)
			continue;
		if (!wring_text_i64(x->text, "ns", &took))
			continue;
		if (!wring_text_i64(x->text, "idle_ns", &idle_ns))
			idle_ns = 0;
		/* the event may come later, when others had the CPU */
		*ret_ns += (double)(step + took - began - idle_ns);
		any = true;
	}
	return any;
}

static void reclaim_work(struct wring_view *v)
{
	int64_t from = 0, to = 0;
	struct wring_caches c = { 0 };
	double ns, gone = 0;

	if (wring_caches_read(v, &c, NULL))
		return;
	/* From the first census to the last, or all that is before the only one: what was gone then had been there. */
	for (size_t i = 0; i < c.n; i++) {
		size_t last = c.rows[i].n - 1;

		from = last && (!from || c.rows[i].t_ns[0] < from) ? c.rows[i].t_ns[0] : from;
		to = c.rows[i].t_ns[last] > to ? c.rows[i].t_ns[last] : to;
		gone += (double)(c.rows[i].gone[last] - (last ? c.rows[i].gone[0] : 0));
	}
	if (gone > 0 && reclaim_stretches(v, from, to, &ns))
		wring_metric(v, "reclaim_work_ns", "ns", ns / gone, "lower", "info");
	wring_caches_done(&c);
}

void wring_load_metrics(struct wring_view *v)
{
	double busy = busy_s(v, NULL);
	int64_t total = 0;
	double rate = 0;

	for (size_t i = 0; v->scenario && i < v->scenario->n_loads; i++) {
		metrics_of(v, v->scenario->loads[i].name, &total);
		rate += wring_output_metrics(v, v->scenario->loads[i].name, v->scenario->n_loads > 1);
	}
	if (busy > 0)
		rate += (double)total / busy;
	reclaim_steps(v);
	reclaim_work(v);
	if (rate > 0)
		wring_metric(v, "ops_per_s", "1/s", rate, "higher", "secondary");
}

const struct wring_metric_info wring_load_metric_infos[] = {
	{ "ops_per_s", "1/s", "higher", "operations of all loads, or of one, over the time from the first start to the last exit" },
	{ "goodput", "B/s", "higher", "payload that arrived" },
	{ "dropped", "count", "lower", "payload that was lost" },
	{ "errors", "count", "lower", "system calls of a load that failed; in all, and by call and errno" },
	{ "latency_p50_ns", "ns", "lower", "half of the operations took at most this long" },
	{ "latency_p99_ns", "ns", "lower", "99 % of the operations took at most this long" },
	{ "latency_p999_ns", "ns", "lower", "99.9 % of the operations took at most this long" },
	{ "latency_max_ns", "ns", "lower", "the longest operation" },
	{ "reclaim_ns", "ns", "lower", "time of the steps that reclaim on request: how much is free when they return is chance, so no measure of cost" },
	{ "reclaim_work_ns", "ns", "lower", "what the machine did for each object that reclaim dropped on request: until the end of the RCU barrier, "
	  "without the time the CPU of a guest that has one was idle; scenarios with a census" },
	{ 0 }
};
