/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who gave how much when a group with several caches was reclaimed. */
#include <string.h>
#include "analyzers/balance.h"
#include "analyzers/census.h"
#include "analyzers/view.h"
#include "harness/base/util.h"

#define NAME "slab-balance"
#define BATCH_PAGES 32     /* SWAP_CLUSTER_MAX: one round of reclaim asks a group for so much */
#define LIGHT_FACTOR 64    /* clean cache over what is asked for: else the priority falls, and nothing is light */
#define SMALL_FACTOR 8     /* a cache this many times smaller than another is a small one */
#define EQUAL 0.1          /* caches whose sizes differ by no more are equal */
#define MIN_LOSS_PCT 20    /* the largest loss below which shares mean nothing */
#define MARGIN_POINTS 10   /* by which a small cache may lose more than a large one */
#define LEFT_PCT 5
#define RATIO_PCT 200
#define WINDUP_PCT 50
#define TURNS 8            /* requests a cgroup, until equal ones have lost equal shares */

struct round {
	struct wring_view *v;
	const struct wring_caches *c;
	size_t k;                  /* from census k to the next */
	size_t judged;
};

static struct wring_pressure pressure(const struct round *r, const struct wring_cache *c)
{
	return wring_pressure_on(r->v, c->group, c->t_ns[r->k], c->t_ns[r->k + 1]);
}

/* What the load says it pins: that is not cache. */
static int64_t held(const struct round *r, const struct wring_cache *c)
{
	int64_t n = 0;

	return wring_view_at(r->v, "load", c->load->name, "held_objects", c->t_ns[r->k], &n) ? 0 : n;
}

static int64_t value_at(struct wring_view *v, const char *group, const char *key, int64_t t_ns)
{
	int64_t n = 0;

	wring_view_at(v, "memory.stat", group, key, t_ns, &n);
	return n;
}

static int64_t clean_cache(const struct round *r, const char *group, int64_t t_ns)
{
	int64_t n = value_at(r->v, group, "file", t_ns) - value_at(r->v, group, "shmem", t_ns) -
		    value_at(r->v, group, "file_dirty", t_ns) - value_at(r->v, group, "file_writeback", t_ns);

	return n > 0 ? n : 0;
}

/* ---- heavy pressure: nothing may be left ---- */

static void judge_left(struct round *r)
{
	int64_t limit = wring_view_limit(r->v, NAME ".left-pct", LEFT_PCT), left = 0, before = 0;
	double worst = -1;
	const char *name = "";

	for (size_t i = 0; i < r->c->n; i++) {
		const struct wring_cache *c = &r->c->rows[i];
		int64_t pinned = held(r, c), was = c->cached[r->k] - pinned, is = c->cached[r->k + 1] - pinned;

		if (!pressure(r, c).is_heavy || was <= 0)
			continue;
		is = is > 0 ? is : 0;
		if (100.0 * (double)is / (double)was > worst) {
			worst = 100.0 * (double)is / (double)was;
			name = c->name;
			left = is;
			before = was;
		}
	}
	if (worst < 0)
		return;
	r->judged++;
	wring_finding(r->v, NAME, "left", worst > (double)limit ? WRING_V_FAIL : WRING_PASS, worst, (double)limit, "%",
		      "after reclaim of as good as all there was, %s still had %lld of %lld cached objects (%.3g %%, allowed %lld %%), more "
		      "than any other cache", name, (long long)left, (long long)before, worst, (long long)limit);
}

/* ---- light pressure: a small cache may not go first ---- */

static bool is_light(const struct round *r, const struct wring_cache *c, struct wring_pressure *p, int64_t *cache)
{
	*p = pressure(r, c);
	*cache = p->reclaims ? clean_cache(r, p->group, c->t_ns[r->k]) : 0;
	/* at the end of the rounds there must still be so much */
	*cache = *cache > p->reclaimed_bytes ? *cache - p->reclaimed_bytes : 0;
	return p->reclaims && !p->is_heavy && *cache >= LIGHT_FACTOR * p->largest_bytes;
}

static void judge_small(struct round *r, const struct wring_cache *small, const struct wring_cache *large)
{
	int64_t margin = wring_view_limit(r->v, NAME ".small-points", MARGIN_POINTS), cache;
	int64_t enough = 4 * (int64_t)r->c->n * BATCH_PAGES * r->v->page_size;
	double of_small = wring_cache_loss(small, r->k), of_large = wring_cache_loss(large, r->k);
	struct wring_pressure p;
	bool light = is_light(r, small, &p, &cache);

	if (p.is_heavy || !p.reclaims)
		return;
	r->judged++;
	if (!light || p.reclaimed_bytes < enough) {
		wring_finding(r->v, NAME, "small-first", WRING_INCONCLUSIVE, of_small, of_large + (double)margin, "%",
			      "reclaim of %lld bytes in %zu requests, up to %lld at once, beside %lld of clean page cache was not light or not "
			      "enough: it takes %lld bytes in all, and %d times a request in clean cache", (long long)p.reclaimed_bytes,
			      p.reclaims, (long long)p.largest_bytes, (long long)cache, (long long)enough, LIGHT_FACTOR);
		return;
	}
	wring_finding(r->v, NAME, "small-first", of_small > of_large + (double)margin ? WRING_V_FAIL : WRING_PASS, of_small,
		      of_large + (double)margin, "%",
		      "%s lost %.3g %% of %lld objects, %s %.3g %% of %lld, under light pressure (%lld bytes in %zu requests, at least %lld of "
		      "clean page cache left): a small cache may lose %lld points more", small->name, of_small, (long long)small->cached[r->k],
		      large->name, of_large, (long long)large->cached[r->k], (long long)p.reclaimed_bytes, p.reclaims, (long long)cache,
		      (long long)margin);
}

/* The small cache that lost most against the largest of all. */
static void judge_small_first(struct round *r)
{
	const struct wring_cache *large = NULL, *small = NULL;

	for (size_t i = 0; i < r->c->n; i++)
		if (wring_cache_is_slab(&r->c->rows[i]) && (!large || r->c->rows[i].cached[r->k] > large->cached[r->k]))
			large = &r->c->rows[i];
	for (size_t i = 0; i < r->c->n; i++) {
		const struct wring_cache *c = &r->c->rows[i];

		if (wring_cache_is_slab(c) && c->cached[r->k] > 0 && SMALL_FACTOR * c->cached[r->k] <= large->cached[r->k] &&
		    (!small || wring_cache_loss(c, r->k) > wring_cache_loss(small, r->k)))
			small = c;
	}
	if (small)
		judge_small(r, small, large);
}

/* Whatever was put off before: a light pass takes (objects >> priority) and as much again of what was deferred. */
static void judge_windup(struct round *r)
{
	int64_t limit = wring_view_limit(r->v, NAME ".windup-pct", WINDUP_PCT), cache;
	const struct wring_cache *worst = NULL;
	struct wring_pressure p;

	for (size_t i = 0; i < r->c->n; i++) {
		const struct wring_cache *c = &r->c->rows[i];

		if (wring_cache_is_slab(c) && c->cached[r->k] > 0 && is_light(r, c, &p, &cache) &&
		    (!worst || wring_cache_loss(c, r->k) > wring_cache_loss(worst, r->k)))
			worst = c;
	}
	if (!worst)
		return;
	is_light(r, worst, &p, &cache);
	r->judged++;
	wring_finding(r->v, NAME, "windup", wring_cache_loss(worst, r->k) > (double)limit ? WRING_V_FAIL : WRING_PASS,
		      wring_cache_loss(worst, r->k), (double)limit, "%",
		      "%zu light reclaim(s) of up to %lld bytes, with %lld of clean page cache to take, cost %s %.3g %% of %lld objects, more than "
		      "any other cache", p.reclaims, (long long)p.largest_bytes, (long long)cache, worst->name, wring_cache_loss(worst, r->k),
		      (long long)worst->cached[r->k]);
}

/* ---- equal caches: equal shares ---- */

static bool are_equal(const struct round *r, const struct wring_cache *a, const struct wring_cache *b)
{
	double x = (double)a->cached[r->k], y = (double)b->cached[r->k];

	return !strcmp(a->load->workload, b->load->workload) && x > 0 && y > 0 && x >= (1 - EQUAL) * y && y >= (1 - EQUAL) * x;
}

/* Unequal: pressure that only one of them felt says nothing. */
static bool share_pressure(const struct round *r, const struct wring_cache *a, const struct wring_cache *b)
{
	struct wring_pressure x = pressure(r, a), y = pressure(r, b);

	return x.reclaims == y.reclaims && x.drains == y.drains && x.reclaims + x.drains &&
	       x.reclaimed_bytes == y.reclaimed_bytes;
}

/* One cgroup has one list of pages, of which the oldest go first, whosever they are; all its shrinkers are called in turn. Of several, a
 * request takes what it wants from the first it meets, and the next goes on there: pages show shares over many requests. How much it
 * takes of slab goes by its priority, so that a few requests that find no pages may take all names of those they meet. */
static bool tells_shares(const struct wring_cache *kind, const struct wring_pressure *p, size_t n, bool is_apart)
{
	if (wring_cache_is_slab(kind))
		return !is_apart || p->is_heavy;
	return is_apart && !p->is_heavy && p->reclaims >= TURNS * n;
}

/* All that equal the first of their kind. */
static void judge_kind(struct round *r, size_t first)
{
	const struct wring_cache *kind = &r->c->rows[first], *min = kind, *max = kind;
	double limit = (double)wring_view_limit(r->v, NAME ".ratio-pct", RATIO_PCT) / 100, low, high, ratio;
	struct wring_pressure p = pressure(r, kind);
	bool is_apart = false;
	size_t n = 1;

	for (size_t i = first + 1; i < r->c->n; i++) {
		const struct wring_cache *c = &r->c->rows[i];

		if (!are_equal(r, kind, c) || !share_pressure(r, kind, c))
			continue;
		n++;
		is_apart = is_apart || strcmp(kind->group, c->group);
		min = wring_cache_loss(c, r->k) < wring_cache_loss(min, r->k) ? c : min;
		max = wring_cache_loss(c, r->k) > wring_cache_loss(max, r->k) ? c : max;
	}
	low = wring_cache_loss(min, r->k);
	high = wring_cache_loss(max, r->k);
	if (n < 2 || !tells_shares(kind, &p, n, is_apart) || high < MIN_LOSS_PCT || p.reclaimed_bytes < 4 * (int64_t)n * BATCH_PAGES * r->v->page_size)
		return;
	r->judged++;
	ratio = low > 0 ? high / low : 1000;
	if (wring_cache_is_slab(kind))
		wring_metric(r->v, "loss_ratio", "ratio", ratio, "lower", "primary");
	wring_finding(r->v, NAME, "unfair", ratio > limit ? WRING_V_FAIL : WRING_PASS, ratio, limit, "ratio",
		      "of %zu equal caches (%s, %lld objects) %s lost most, %.3g %%, and %s least, %.3g %%, while %zu reclaim(s) took about %lld "
		      "bytes", n, kind->load->workload, (long long)kind->cached[r->k], max->name, high, min->name, low,
		      p.reclaims + p.drains, (long long)p.reclaimed_bytes);
}

/* Of small against large, the small one is the only one that the kernel may pass over. */
static void judge_unfair(struct round *r)
{
	for (size_t i = 0; i < r->c->n; i++) {
		bool is_first = true;

		for (size_t j = 0; j < i && is_first; j++)
			is_first = !are_equal(r, &r->c->rows[j], &r->c->rows[i]);
		if (is_first)
			judge_kind(r, i);
	}
}

/* ---- metrics ---- */

/* Of a load that is spread over directories, over all of them. */
static void load_metrics(const struct round *r, const struct wring_load *l)
{
	int64_t first = 0, before = 0, after = 0;
	bool heavy = false;

	for (size_t i = 0; i < r->c->n; i++) {
		const struct wring_cache *c = &r->c->rows[i];

		if (c->load != l)
			continue;
		first += c->cached[0];
		before += c->cached[r->k];
		after += c->cached[r->k + 1];
		heavy = heavy || pressure(r, c).is_heavy;
	}
	if (heavy && !before)
		before = first; /* light pressure took all: nothing of it is left after heavy pressure */
	if (before > 0) {
		_cleanup_free_ char *name = wring_strf("%s_pct.%s", heavy ? "left" : "loss", l->name);
		double left = 100.0 * (double)after / (double)before;

		if (name)
			wring_metric(r->v, name, "%", heavy ? left : left < 100 ? 100 - left : 0, "lower", "secondary");
	}
}

static void metrics(const struct round *r)
{
	for (size_t i = 0; i < r->c->n; i++)
		if (!i || r->c->rows[i].load != r->c->rows[i - 1].load)
			load_metrics(r, r->c->rows[i].load);
}

static int judge(struct wring_view *v, struct wring_err *err)
{
	struct wring_caches c;
	struct round r = { .v = v, .c = &c };
	int e = wring_caches_read(v, &c, err);

	if (e)
		return e;
	for (r.k = 0; r.k + 1 < c.rounds; r.k++) {
		metrics(&r);
		judge_left(&r);
		judge_small_first(&r);
		judge_windup(&r);
		judge_unfair(&r);
	}
	r.judged += wring_balance_judge(v, &c, NAME);
	wring_stall_metric(v);
	if (!r.judged)
		wring_finding(v, NAME, "left", WRING_INCONCLUSIVE, (double)c.rounds, 2, "censuses",
			      "%zu census(es) of %zu cache(s), and no reclaim between two of them that would tell the shares", c.rounds, c.n);
	wring_caches_done(&c);
	return 0;
}

static const struct wring_metric_info metric_infos[] = {
	{ "loss_ratio", "ratio", "lower", "largest share lost over the smallest, of caches that should lose alike" },
	{ "left_pct", "%", "lower", "share of a cache's objects that is left after heavy pressure" },
	{ "loss_pct", "%", "lower", "share of a cache's objects that light pressure took" },
	{ "file_floor_pct", "%", "higher", "least page cache under pressure, of the limit" },
	{ "slow_media_stall_ms", "ms", "lower", "how much longer reclaim took with a cache on a slow disk" },
	{ 0 }
};

static const struct wring_detector slab_balance = {
	.name = NAME,
	.summary = "shares that several caches give when reclaim asks for memory",
	.doc =
	"Goes by the step census, which counts what is cached without disturbing it, before and after\n"
	"reclaim. Class left: after a drain, or a memory.reclaim of 90 % and more of a group, more than\n"
	"left-pct (5) % of a cache is still there: when memory is tight every slab is scanned to its end\n"
	"(0b1fb40a3b12). Class small-first: under light pressure a cache lost small-points (10) percentage\n"
	"points more than one 8 times its size (172b06c32b94, R01); inconclusive unless clean page cache is\n"
	"64 times the request, and 4 times 32 pages a cache were reclaimed. Class windup: such light\n"
	"pressure cost any cache more than windup-pct (50) %: scans that could not be done before\n"
	"(GFP_NOFS) are made up for in proportion to the priority (18bb473e5031). Class unfair: of caches of\n"
	"equal size, kind and pressure one lost more than ratio-pct (200) % of what another lost; judged\n"
	"once the largest loss is 20 %; of several cgroups, names under such heavy pressure, and page cache\n"
	"over 8 requests a cgroup: one takes all from the first it meets, and the next goes on behind it.\n"
	"At a limit without memory.reclaim: class swept: names in use\n"
	"lost more than swept-pct (50) % although a quarter of the limit was page cache used once; class\n"
	"sawtooth: page cache at the limit fell by half with nothing in its place; class slab-wiped:\n"
	"so did slab (it is no progress to a memcg, so that a scan does not end before all of it is\n"
	"gone); class crushed: names used once pushed page cache below 5 % of the limit while half of it\n"
	"was slab. How much longer reclaim of dirty inodes takes\n"
	"on a slow disk is a metric, slow_media_stall_ms: shrinkers are called in turn.",
	.limits = "left-pct small-points ratio-pct swept-pct windup-pct",
	.controls =
	"fires: long/controls-2014.bats with the faults small-first, nofs-windup, slab-withheld, sb-skipped,\n"
	"over-reclaim, and vm.vfs_cache_pressure at 0 and 100000; silent: the same scenarios on a stock kernel",
	.metrics = metric_infos,
	.judge = judge,
};
WRING_REGISTER_DETECTOR(slab_balance);
