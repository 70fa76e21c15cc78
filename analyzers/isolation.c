/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pressure in one cgroup must leave the caches of another alone, and what one made is not charged to who uses it. */
#include <string.h>
#include "analyzers/census.h"
#include "analyzers/view.h"
#include "harness/base/util.h"

#define NAME "isolation"
#define LOSS_PCT 1
#define PAGES_A_CPU 6400 /* below this the error of a counter is too large for bytes */
#define OWNER_PCT 10

/* ---- who is under pressure ---- */

static int64_t delta(struct wring_view *v, const char *sampler, const char *group, const char *key, int64_t from, int64_t to)
{
	const struct wring_series *s = wring_view_series(v, sampler, group, key);
	size_t a = s ? wring_series_find(s, from) : 0, b = s ? wring_series_find(s, to) : 0;

	if (!s || a >= s->n)
		return 0;
	return s->v[b < s->n ? b : s->n - 1] - s->v[a];
}

/* Reclaim that was asked for in the group or above it, or limits that were met there. */
static bool is_pressed(struct wring_view *v, const char *group, int64_t from, int64_t to)
{
	const struct wring_sources *all = wring_view_sources(v);
	struct wring_pressure p = wring_pressure_on(v, group, from, to);

	if (p.reclaims || p.drains)
		return true;
	for (size_t i = 0; i < all->n; i++)
		if (!strcmp(all->rows[i].sampler, "memory.events") && wring_group_within(group, all->rows[i].subject) &&
		    (delta(v, "memory.events.local", all->rows[i].subject, "max", from, to) > 0 ||
		     delta(v, "memory.events.local", all->rows[i].subject, "high", from, to) > 0))
			return true;
	return false;
}

/* Events of a group count those below it, too: a group has met a limit of its own unless one below it has met as many. */
static int64_t limits_met(struct wring_view *v, const char *group, int64_t from, int64_t to)
{
	return delta(v, "memory.events", group, "max", from, to) + delta(v, "memory.events", group, "high", from, to);
}

/* How often anybody apart from this group was pressed. */
static int64_t pressure_elsewhere(struct wring_view *v, const char *group, int64_t from, int64_t to)
{
	const struct wring_sources *all = wring_view_sources(v);
	const struct wring_events *e = wring_view_events(v);
	int64_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		if (!strcmp(all->rows[i].sampler, "memory.events") && !wring_group_within(group, all->rows[i].subject))
			n += limits_met(v, all->rows[i].subject, from, to);
	for (size_t i = 0; i < e->n; i++)
		n += e->rows[i].t_ns >= from && e->rows[i].t_ns <= to && !wring_group_within(group, e->rows[i].subject) &&
		     (!strcmp(e->rows[i].kind, "reclaim") || !strcmp(e->rows[i].kind, "drain"));
	return n;
}

/* ---- loss ---- */

/* The machine as a whole ran short of memory: then everybody gives. */
static bool was_global(struct wring_view *v, int64_t from, int64_t to)
{
	return delta(v, "vmstat", "", "pgscan_kswapd", from, to) > 0;
}

static void judge_cache(struct wring_view *v, const struct wring_cache *c, size_t k, size_t *judged)
{
	int64_t from = c->t_ns[k], to = c->t_ns[k + 1], before = c->cached[k], lost = before - c->cached[k + 1];
	int64_t limit = wring_view_limit(v, NAME ".loss-pct", LOSS_PCT), acts;
	double loss = wring_cache_loss(c, k);
	enum wring_verdict verdict = loss > (double)limit ? WRING_V_FAIL : WRING_PASS;
	_cleanup_free_ char *name = wring_strf("victim_loss_pct.%s", c->name);

	if (before <= 0 || is_pressed(v, c->group, from, to))
		return;
	acts = pressure_elsewhere(v, c->group, from, to);
	if (!acts)
		return;
	(*judged)++;
	if (verdict == WRING_V_FAIL && was_global(v, from, to))
		verdict = WRING_INCONCLUSIVE;
	if (name)
		wring_metric(v, name, "%", loss, "lower", "primary");
	wring_finding(v, NAME, "loss", verdict, loss, (double)limit, "%",
		      "%s lost %lld of %lld cached objects in %s, which nobody reclaimed, while others met their limits or were reclaimed %lld "
		      "time(s)%s", c->name, (long long)(lost > 0 ? lost : 0), (long long)before, c->group, (long long)acts,
		      verdict == WRING_INCONCLUSIVE ? "; but kswapd ran, so the whole machine was short of memory" : "");
}

/* Bytes say something only of a large group. */
static void judge_bytes(struct wring_view *v, const struct wring_cache *c, size_t k)
{
	int64_t limit = wring_view_limit(v, NAME ".loss-pct", LOSS_PCT), before, lost;
	int64_t from = c->t_ns[k], to = c->t_ns[k + 1];
	double pct;

	if (wring_view_at(v, "memory", c->group, "current", from, &before) || before < PAGES_A_CPU * v->page_size * v->ncpu ||
	    is_pressed(v, c->group, from, to) || !pressure_elsewhere(v, c->group, from, to))
		return;
	lost = -delta(v, "memory", c->group, "current", from, to);
	pct = lost > 0 ? 100.0 * (double)lost / (double)before : 0;
	wring_finding(v, NAME, "bytes", pct > (double)limit && !was_global(v, from, to) ? WRING_V_FAIL : WRING_PASS, pct, (double)limit, "%",
		      "%s went down by %lld of %lld bytes, and nobody reclaimed it", c->group, (long long)(lost > 0 ? lost : 0),
		      (long long)before);
}

/* ---- ownership ---- */

static bool is_shared(const struct wring_load *l)
{
	const char *s = wring_setting_get(&l->params, "shared");

	return s && !strcmp(s, "yes");
}

static int first_start(struct wring_view *v, const struct wring_load *l, int64_t *ret_t_ns)
{
	return wring_view_event_time(v, "load", l->name, 0, ret_t_ns);
}

/* Was it there before? Then the later load only uses what the earlier made. */
static const struct wring_load *owner_of(struct wring_view *v, const struct wring_load *user, int64_t t_user)
{
	for (size_t i = 0; i < v->scenario->n_loads; i++) {
		const struct wring_load *l = &v->scenario->loads[i];
		int64_t t;

		if (l != user && is_shared(l) && strcmp(l->group ? l->group : ".", user->group ? user->group : ".") &&
		    !first_start(v, l, &t) && t < t_user)
			return l;
	}
	return NULL;
}

static void judge_user(struct wring_view *v, const struct wring_cache *c, size_t *judged)
{
	const struct wring_load *owner;
	int64_t t_user, used = 0, grown, allowed, pct = wring_view_limit(v, NAME ".owner-pct", OWNER_PCT);

	if (!is_shared(c->load) || first_start(v, c->load, &t_user))
		return;
	owner = owner_of(v, c->load, t_user);
	if (!owner || wring_view_max(v, "load", c->load->name, "made_bytes", INT64_MIN, c->t_ns[0], &used) || used <= 0)
		return;
	if (c->cached[0] < c->cached[0] + c->gone[0])
		return; /* what was gone it made itself */
	grown = delta(v, "memory.stat", c->group, "slab_reclaimable", t_user, c->t_ns[0]);
	allowed = used * pct / 100 + wring_view_tolerance(v);
	if (used < 2 * allowed)
		return;
	(*judged)++;
	wring_metric(v, "user_charged_pct", "%", 100.0 * (double)(grown > 0 ? grown : 0) / (double)used, "lower", "secondary");
	wring_finding(v, NAME, "owner", grown > allowed ? WRING_V_FAIL : WRING_PASS, (double)grown, (double)allowed, "bytes",
		      "%s used %lld names that %s had made before (about %lld bytes); reclaimable slab of its group %s grew by %lld bytes",
		      c->load->name, (long long)c->cached[0], owner->name, (long long)used, c->group, (long long)grown);
}

static int judge(struct wring_view *v, struct wring_err *err)
{
	struct wring_caches c;
	size_t judged = 0;
	int r = wring_caches_read(v, &c, err);

	if (r)
		return r;
	for (size_t i = 0; i < c.n; i++) {
		for (size_t k = 0; k + 1 < c.rows[i].n; k++) {
			judge_cache(v, &c.rows[i], k, &judged);
			judge_bytes(v, &c.rows[i], k);
		}
		judge_user(v, &c.rows[i], &judged);
	}
	if (!judged)
		wring_finding(v, NAME, "loss", WRING_INCONCLUSIVE, 0, 0, "%",
			      "no census of a group that nobody reclaimed, before and after another was under pressure (%zu caches)", c.n);
	wring_caches_done(&c);
	return 0;
}

static const struct wring_metric_info metric_infos[] = {
	{ "victim_loss_pct", "%", "lower", "share of another group's cached objects that went although nobody asked it for memory" },
	{ "user_charged_pct", "%", "lower", "share of what one group made that another was charged for by using it" },
	{ 0 }
};

static const struct wring_detector isolation = {
	.name = NAME,
	.summary = "caches of a cgroup that shrink because of pressure in another",
	.doc =
	"Goes by the step census. Class loss: between two censuses a group that neither met a limit of\n"
	"its own, or above it, nor was reclaimed lost more than loss-pct (1) % of its cached objects,\n"
	"while other groups met theirs or were reclaimed. The lists of the shrinkers are each memcg's own\n"
	"(Davydov 2014), so what is not on the list of the reclaimed group cannot be freed for it;\n"
	"inconclusive if kswapd ran meanwhile. Class bytes: the same of memory.current, for a group that\n"
	"holds 6400 pages a CPU or more. Class owner: a load that uses names which a load of another group\n"
	"made before (shared = yes) is charged for more than owner-pct (10) % of them and 64 pages a CPU:\n"
	"who made an object is charged for it, not who uses it.",
	.limits = "loss-pct owner-pct",
	.controls =
	"fires: long/controls-2014.bats, shrink-isolation with the fault wrong-group; silent: the same on a\n"
	"stock kernel",
	.metrics = metric_infos,
	.judge = judge,
};
WRING_REGISTER_DETECTOR(isolation);
