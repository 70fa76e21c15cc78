/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Do the numbers of memory control add up, and does everything get charged? */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "analyzers/escape.h"
#include "analyzers/limits.h"
#include "analyzers/view.h"
#include "harness/base/util.h"

#define NAME "accounting"
#define SETTLE_NS (2 * WRING_NSEC_PER_SEC) /* memory.stat may be that late */
#define MB(x) ((double)(x) / (1 << 20))

/* Which classes could be judged at all. */
struct judged { bool parts, kinds, hierarchy, monotonic, leftover; };

/* ---- parts against the whole ---- */

static bool stat_at(struct wring_view *v, const char *subject, const char *key, int64_t t, int64_t *ret)
{
	return !wring_view_at(v, "memory.stat", subject, key, t, ret);
}

struct parts { int64_t current, anon, file, kernel, sock, swapcached, diff; };

/* What the parts miss of current, at the sample at or after t. Swap cache that is not mapped is in
 * neither anon nor file, so up to all of it may be missing. */
static bool parts_at(struct wring_view *v, const char *subject, int64_t t, struct parts *p)
{
	int64_t hugetlb = 0, sum;

	*p = (struct parts){ 0 };
	if (wring_view_at(v, "memory", subject, "current", t, &p->current) ||
	    !stat_at(v, subject, "anon", t, &p->anon) || !stat_at(v, subject, "file", t, &p->file) ||
	    !stat_at(v, subject, "kernel", t, &p->kernel) || !stat_at(v, subject, "sock", t, &p->sock))
		return false;
	stat_at(v, subject, "swapcached", t, &p->swapcached);
	stat_at(v, subject, "hugetlb", t, &hugetlb);
	sum = p->anon + p->file + p->kernel + p->sock + hugetlb;
	p->diff = p->current - sum;
	if (p->diff > 0)
		p->diff = p->diff > p->swapcached ? p->diff - p->swapcached : 0;
	return true;
}

/* Was the group, or one above it, frozen? Where the steps are not recorded, all count. */
static bool is_frozen(struct wring_view *v, const char *subject)
{
	const struct wring_events *e = wring_view_events(v);
	bool any = false;

	for (size_t i = 0; i < e->n; i++) {
		char group[256];

		if (strcmp(e->rows[i].kind, "step") || strcmp(e->rows[i].subject, "freeze") ||
		    sscanf(e->rows[i].text, "%255s", group) != 1 || !strcmp(group, "done"))
			continue;
		any = true;
		if (wring_group_within(subject, group) || wring_group_means(v, group, subject))
			return true;
	}
	return !any;
}

/* The mark that follows one at t_ns: from there on the group may run again. */
static int64_t next_mark(struct wring_view *v, int64_t t_ns)
{
	const struct wring_events *e = wring_view_events(v);

	for (size_t i = 0; i < e->n; i++)
		if (e->rows[i].t_ns > t_ns && !strcmp(e->rows[i].kind, "mark"))
			return e->rows[i].t_ns;
	return INT64_MAX;
}

/* The best agreement within two seconds of the mark: the statistics may come late. */
static bool best_parts(struct wring_view *v, const char *subject, int64_t t_mark, struct parts *best)
{
	const struct wring_series *s = wring_view_series(v, "memory", subject, "current");
	int64_t until = next_mark(v, t_mark);
	bool any = false;

	for (size_t i = s ? wring_series_find(s, t_mark) : 0; s && i < s->n; i++) {
		struct parts p;

		if (s->t_ns[i] >= until || (any && s->t_ns[i] > t_mark + SETTLE_NS))
			break;
		if (!parts_at(v, subject, s->t_ns[i], &p))
			continue;
		if (!any || llabs(p.diff) < llabs(best->diff))
			*best = p;
		any = true;
	}
	return any;
}

/* Each CPU keeps up to 64 charged pages in stock, which are in current alone: how full they are is chance, and no difference. */
static int64_t in_stocks(const struct wring_view *v, const struct parts *p)
{
	int64_t stocks = wring_view_tolerance(v);

	return p->diff < 0 ? 0 : p->diff < stocks ? p->diff : stocks;
}

static int64_t unexplained(const struct wring_view *v, const struct parts *p) { return llabs(p->diff - in_stocks(v, p)); }

static void judge_parts(struct wring_view *v, struct judged *j)
{
	const struct wring_sources *s = wring_view_sources(v);
	int64_t t, tolerance = wring_view_tolerance(v), apart = 0, x; /* the tolerance is that of memory.stat */
	struct parts worst = { 0 };
	const char *where = NULL;

	for (size_t n = 0; !wring_view_event_time(v, "mark", "frozen", n, &t); n++) {
		for (size_t i = 0; i < s->n; i++) {
			struct parts p = { 0 };

			if (strcmp(s->rows[i].sampler, "memory.stat") ||
			    !is_frozen(v, s->rows[i].subject) ||
			    !best_parts(v, s->rows[i].subject, t, &p))
				continue;
			apart = llabs(p.diff) > apart ? llabs(p.diff) : apart;
			if (where && unexplained(v, &p) <= unexplained(v, &worst))
				continue;
			worst = p;
			where = s->rows[i].subject;
		}
	}
	if (!where)
		return;
	j->parts = true;
	x = unexplained(v, &worst);
	wring_metric(v, "unaccounted_bytes", "bytes", (double)apart, "lower", "info");
	wring_finding(v, NAME, "parts", x > tolerance ? WRING_V_FAIL : WRING_PASS, (double)x, (double)tolerance, "bytes",
		      "frozen %s: memory.current %.2fM, anon %.2fM + file %.2fM + kernel %.2fM + "
		      "sock %.2fM (swap cache %.2fM may be in none): %+lld bytes apart, of which stocks of "
		      "64 pages for each of %lld CPUs explain what is in memory.current alone",
		      where, MB(worst.current), MB(worst.anon), MB(worst.file), MB(worst.kernel),
		      MB(worst.sock), MB(worst.swapcached), (long long)worst.diff,
		      (long long)v->ncpu);
}

/* ---- kinds of kernel memory against all of it ---- */

/* What some kinds have more than all of them together, at that sample. */
static bool kernel_excess_at(struct wring_view *v, const char *subject, int64_t t, int64_t *ret)
{
	static const char *const kinds[] = { "slab_reclaimable", "slab_unreclaimable", "kernel_stack", "pagetables", "percpu" };
	int64_t n;

	if (!stat_at(v, subject, "slab_reclaimable", t, &n) || !stat_at(v, subject, "kernel", t, &n))
		return false;
	*ret = -n;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(kinds); i++)
		*ret += stat_at(v, subject, kinds[i], t, &n) ? n : 0;
	return true;
}

/* In the last two seconds of each group: the statistics may come late. */
static void judge_kinds(struct wring_view *v, struct judged *j)
{
	const struct wring_sources *src = wring_view_sources(v);
	int64_t worst = INT64_MIN, tolerance = 2 * wring_view_tolerance(v), n;
	const char *where = NULL;

	for (size_t i = 0; i < src->n; i++) {
		const struct wring_series *s = wring_view_series(v, "memory.stat", src->rows[i].subject, "kernel");
		int64_t least = INT64_MAX;

		for (size_t k = s ? s->n : 0; k-- && s->t_ns[s->n - 1] - s->t_ns[k] <= SETTLE_NS;)
			if (kernel_excess_at(v, src->rows[i].subject, s->t_ns[k], &n) && n < least)
				least = n;
		if (least == INT64_MAX || least <= worst)
			continue;
		worst = least;
		where = src->rows[i].subject;
	}
	if (!where)
		return;
	j->kinds = true;
	wring_finding(v, NAME, "kinds", worst > tolerance ? WRING_V_FAIL : WRING_PASS, worst > 0 ? (double)worst : 0, (double)tolerance, "bytes",
		      "over the last two seconds of %s, slab, stacks, page tables and per-CPU memory were at least %lld bytes %s than `kernel`, "
		      "which counts them all (memory.stat)", where, llabs(worst), worst > 0 ? "more" : "less");
}

/* ---- a parent holds at least what its children hold ---- */

static bool is_quiet(const char *mark)
{
	static const char *const quiet[] = {
		"frozen", "drained", "cycle", "after-reclaim", "after-remount", "end",
	};

	for (size_t i = 0; i < WRING_ARRAY_SIZE(quiet); i++)
		if (!strcmp(mark, quiet[i]))
			return true;
	return false;
}

/* The smaller of the samples around t: what the child surely had, if it did not dip in between. */
static bool surely_at(const struct wring_series *s, int64_t t, int64_t *ret)
{
	size_t i = wring_series_find(s, t);
	bool has_after = i < s->n && s->t_ns[i] - t < SETTLE_NS;
	bool has_before = i > 0 && t - s->t_ns[i - 1] < SETTLE_NS;

	if (has_after)
		*ret = s->v[i];
	if (has_before && (!has_after || s->v[i - 1] < *ret))
		*ret = s->v[i - 1];
	/* one side alone may be older or newer than a large change */
	return has_after && has_before;
}

static bool is_child(struct wring_view *v, const char *subject, const char *parent)
{
	const struct wring_sources *s = wring_view_sources(v);

	if (!strcmp(subject, parent) || !wring_group_within(subject, parent))
		return false;
	for (size_t i = 0; i < s->n; i++) {
		const char *mid = s->rows[i].subject;

		if (!strcmp(s->rows[i].sampler, "memory") && strcmp(mid, parent) &&
		    strcmp(mid, subject) && wring_group_within(mid, parent) && wring_group_within(subject, mid))
			return false;
	}
	return true;
}

/* Sum over the children minus the parent; false when there is nothing to compare. */
static bool excess_at(struct wring_view *v, const char *parent, int64_t t_mark, int64_t *ret)
{
	const struct wring_sources *s = wring_view_sources(v);
	const struct wring_series *p = wring_view_series(v, "memory", parent, "current");
	size_t at = p ? wring_series_find(p, t_mark) : 0;
	int64_t sum = 0, n;
	bool any = false;

	if (!p || at == p->n)
		return false;
	for (size_t i = 0; i < s->n; i++) {
		const struct wring_series *c;

		if (strcmp(s->rows[i].sampler, "memory") || !is_child(v, s->rows[i].subject, parent))
			continue;
		c = wring_view_series(v, "memory", s->rows[i].subject, "current");
		if (!c || !surely_at(c, p->t_ns[at], &n))
			continue;
		sum += n;
		any = true;
	}
	*ret = sum - p->v[at];
	return any;
}

static void judge_hierarchy(struct wring_view *v, struct judged *j)
{
	const struct wring_events *e = wring_view_events(v);
	const struct wring_sources *s = wring_view_sources(v);
	int64_t worst = INT64_MIN, n, tolerance = wring_view_tolerance(v);
	const char *where = "", *when = "";

	for (size_t i = 0; i < e->n; i++) {
		if (strcmp(e->rows[i].kind, "mark") || !is_quiet(e->rows[i].subject))
			continue;
		for (size_t k = 0; k < s->n; k++) {
			if (strcmp(s->rows[k].sampler, "memory") ||
			    !excess_at(v, s->rows[k].subject, e->rows[i].t_ns, &n) || n <= worst)
				continue;
			worst = n;
			where = s->rows[k].subject;
			when = e->rows[i].subject;
		}
	}
	if (worst == INT64_MIN)
		return;
	j->hierarchy = true;
	wring_finding(v, NAME, "hierarchy", worst > tolerance ? WRING_V_FAIL : WRING_PASS,
		      worst > 0 ? (double)worst : 0, (double)tolerance, "bytes",
		      "at the mark %s the children of %s hold %lld bytes %s than their parent, by "
		      "memory.current",
		      when, where, llabs(worst), worst > 0 ? "more" : "less");
}

/* ---- counters never go down ---- */

struct drops { size_t n_keys, n_series; char first[200]; int64_t by, t_ns; };

/* A group removed and made again counts from 0. */
static bool is_made_between(struct wring_view *v, const char *subject, int64_t from, int64_t to)
{
	const struct wring_events *e = wring_view_events(v);

	for (size_t i = 0; i < e->n; i++)
		if (e->rows[i].t_ns >= from && e->rows[i].t_ns <= to &&
		    !strcmp(e->rows[i].kind, "group") &&
		    wring_group_within(subject, e->rows[i].subject))
			return true;
	return false;
}

static void scan_series(struct wring_view *v, const struct wring_source_row *src, const char *key,
			bool is_counter, struct drops *d)
{
	struct wring_series s = { 0 };

	if (wring_store_series(v->store, v->run, src->sampler, src->subject, key, &s, NULL))
		return;
	d->n_series += s.n > 1;
	for (size_t i = 0; i < s.n; i++) {
		/* sizes or counts, none of which can be below zero */
		bool is_bad = s.v[i] < 0;
		int64_t by = -s.v[i];

		if (is_counter && i && s.v[i] < s.v[i - 1]) {
			is_bad = !is_made_between(v, src->subject, s.t_ns[i - 1], s.t_ns[i]);
			by = s.v[i - 1] - s.v[i];
		}
		if (!is_bad)
			continue;
		if (!d->n_keys++) {
			snprintf(d->first, sizeof(d->first), "%s %s %s", src->sampler, src->subject, key);
			d->by = by;
			d->t_ns = s.t_ns[i];
		}
		break;
	}
	wring_series_done(&s);
}

static void scan_source(struct wring_view *v, const struct wring_source_row *src, struct drops *d)
{
	struct wring_names names = { 0 };

	/* the loads' own figures are not the kernel's, and start again with each start of a load */
	if (!strcmp(src->sampler, "load") ||
	    wring_store_source_keys(v->store, v->run, src->id, &names, NULL))
		return;
	for (size_t i = 0; i < names.n; i++) {
		bool is_counter = names.kinds[i] == WRING_COUNTER;

		/* a gauge by any name: nodes of the page cache that hold shadow entries */
		if (!strcmp(names.rows[i], "workingset_nodes"))
			is_counter = false;
		if (is_counter || !strcmp(src->sampler, "memory.stat"))
			scan_series(v, src, names.rows[i], is_counter, d);
	}
	wring_names_done(&names);
}

static void judge_monotonic(struct wring_view *v, struct judged *j)
{
	const struct wring_sources *s = wring_view_sources(v);
	struct drops d = { 0 };

	for (size_t i = 0; i < s->n; i++)
		scan_source(v, &s->rows[i], &d);
	if (!d.n_series)
		return;
	j->monotonic = true;
	if (d.n_keys)
		wring_finding(v, NAME, "monotonic", WRING_V_FAIL, (double)d.n_keys, 0, "keys",
			      "%zu of %zu series went down although they count, or below zero; "
			      "the first is %s, by %lld at %.3f s",
			      d.n_keys, d.n_series, d.first, (long long)d.by, (double)d.t_ns / 1e9);
	else
		wring_finding(v, NAME, "monotonic", WRING_PASS, 0, 0, "keys",
			      "none of %zu series went down although it counts, or below zero",
			      d.n_series);
}

/* ---- nothing is left that nobody holds ---- */

/* Was a group drained, with nothing started afterwards? */
static bool is_drained(struct wring_view *v, int64_t t_removed)
{
	const struct wring_events *e = wring_view_events(v);
	bool drained = false;

	for (size_t i = 0; i < e->n && e->rows[i].t_ns <= t_removed; i++) {
		if (!strcmp(e->rows[i].kind, "drain") ||
		    (!strcmp(e->rows[i].kind, "mark") && !strcmp(e->rows[i].subject, "drained")))
			drained = true;
		else if (!strcmp(e->rows[i].kind, "load") && !strncmp(e->rows[i].text, "start", 5))
			drained = false;
	}
	return drained;
}

static bool grown(struct wring_view *v, const char *key, int64_t from, int64_t to, int64_t *ret)
{
	int64_t a, b;

	if (wring_view_at_mark(v, "memory.stat", ".", key, from, &a) || wring_view_at_mark(v, "memory.stat", ".", key, to, &b))
		return false;
	*ret = b - a;
	return true;
}

/* What a cgroup itself is made of: struct mem_cgroup, a part for each node, percpu statistics (tens of KB on 4 CPUs). */
static int64_t of_dying(const struct wring_view *v, int64_t dying)
{
	return dying * (65536 + 16384 * v->ncpu);
}

/* What the loads said they leave behind. */
static int64_t ledger_at(struct wring_view *v, int64_t t)
{
	int64_t sum = 0, n;

	for (size_t i = 0; v->scenario && i < v->scenario->n_loads; i++)
		if (!wring_view_at_mark(v, "load", v->scenario->loads[i].name, "held_bytes", t, &n))
			sum += n;
	return sum;
}

/* Caches and user memory that survive are charged and found in memory.stat, as is slab that waits for RCU where nobody drained,
 * and so are the remains of groups that are still dying, which are the affair of dying-memcg. What is left has no owner. */
static void judge_leftover(struct wring_view *v, struct judged *j)
{
	int64_t from, to, a, b, anon, file, sock, slab, freed = 0, dying = 0, owned, rest;
	int64_t tolerance = 2 * wring_view_tolerance(v);
	struct parts before, after;

	if (wring_view_event_time(v, "mark", "start", 0, &from) || wring_view_last_mark(v, "removed", &to) ||
	    wring_view_at_mark(v, "memory", ".", "current", from, &a) ||
	    wring_view_at_mark(v, "memory", ".", "current", to, &b) ||
	    !grown(v, "anon", from, to, &anon) || !grown(v, "file", from, to, &file) ||
	    !grown(v, "sock", from, to, &sock) || !grown(v, "slab_reclaimable", from, to, &slab) ||
	    (!is_drained(v, to) && !grown(v, "slab_unreclaimable", from, to, &freed)))
		return;
	wring_view_at_mark(v, "cgroup.stat", ".", "nr_dying_descendants", to, &dying);
	owned = anon + file + sock + slab + freed + of_dying(v, dying) + ledger_at(v, to);
	if (parts_at(v, ".", from, &before) && parts_at(v, ".", to, &after))
		owned += in_stocks(v, &after) - in_stocks(v, &before);
	rest = b - a - owned;
	j->leftover = true;
	wring_finding(v, NAME, "leftover", rest > tolerance ? WRING_V_FAIL : WRING_PASS,
		      rest > 0 ? (double)rest : 0, (double)tolerance, "bytes",
		      "all groups removed: memory.current of the root grew by %lld "
		      "bytes since the start, of which caches, user memory, charge stocks, %lld groups still dying and what the loads "
		      "leave behind explain %lld: %lld bytes have no owner",
		      (long long)(b - a), (long long)dying, (long long)owned, (long long)(rest > 0 ? rest : 0));
}

static int judge(struct wring_view *v, struct wring_err *err)
{
	struct judged j = { 0 };
	const char *why;

	(void)err;
	judge_parts(v, &j);
	judge_kinds(v, &j);
	judge_hierarchy(v, &j);
	judge_monotonic(v, &j);
	judge_leftover(v, &j);
	wring_judge_above_max(v, NAME);
	if (!wring_judge_escape(v, NAME, &why))
		/* a scenario that is not about kernel memory is not left open by this alone */
		wring_finding(v, NAME, "escape",
			      j.parts || j.kinds || j.hierarchy || j.monotonic || j.leftover ? WRING_V_SKIP : WRING_INCONCLUSIVE,
			      0, 0, "bytes", "whether kernel memory is charged cannot be judged: %s", why);
	return 0;
}

static const struct wring_metric_info metric_infos[] = {
	{ "unaccounted_bytes", "bytes", "lower", "memory.current less the parts that memory.stat names, while frozen" },
	{ 0 }
};

static const struct wring_detector accounting = {
	.name = NAME,
	.summary = "the figures of memory control do not add up, or memory is not charged",
	.doc =
	"Class parts: at the mark `frozen`, memory.current against anon + file + kernel + sock\n"
	"of memory.stat, where up to all of swapcached may be in neither. What the first has more is\n"
	"explained up to 64 pages a CPU, the charge stocks; of the rest, and of what it has less, 64\n"
	"pages a CPU are allowed for the statistics, and two seconds.\n"
	"Class kinds: slab, stacks, page tables and per-CPU memory together are no more than kernel,\n"
	"which they are part of, in the last two seconds of each group, by 64 pages a CPU twice. Class\n"
	"hierarchy: at quiet marks, children never hold more than their parent. Class\n"
	"monotonic: no counter of any source goes down, no line of memory.stat below zero, but\n"
	"for groups made anew. Class leftover: once all groups are removed,\n"
	"memory.current of the root is back but for what caches, user memory, slab, charge stocks and dying\n"
	"groups explain. Class escape: the loads made at least 512 pages a CPU of objects, the\n"
	"machine's slab grew by half of it, and the cgroups' kernel memory stayed below 1 % of\n"
	"that growth and their usage below 10 %: kernel memory is not charged\n"
	"(cgroup.memory=nokmem). Class above-max: usage over memory.max for more than 1 s by more\n"
	"than sockets and dirty pages explain, whose charges may be forced. Limits, protection and every autoscaler act on these figures\n"
	"(thread 2015 3a; R11 R28 R51).",
	.controls =
	"fires: cgroup.memory=nokmem (escape); silent: slab-at-max and high-kmem on a stock\n"
	"kernel",
	.metrics = metric_infos,
	.judge = judge,
};
WRING_REGISTER_DETECTOR(accounting);
