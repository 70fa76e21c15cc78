/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A limit says how much, not where: a guard, since current kernels can no longer fail as those of 2015 did. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/twin.h"
#include "harness/base/util.h"

#define NAME "numa-spill"
#define POINTS 5

struct share { int64_t local, remote; double pct; };

/* Of one kind, what the group got since the start on each node. */
static void add_kind(struct wring_view *v, const char *group, const char *kind, unsigned long home, int64_t from, int64_t to,
		     int64_t *local, int64_t *remote)
{
	for (unsigned long node = 0; node < 64; node++) {
		_cleanup_free_ char *key = wring_strf("%s.N%lu", kind, node);
		int64_t before = 0, after;

		if (!key || wring_view_at_mark(v, "memory.numa_stat", group, key, to, &after))
			continue;
		wring_view_at_mark(v, "memory.numa_stat", group, key, from, &before);
		if (after > before)
			*(node == home ? local : remote) += after - before;
	}
}

static bool find_share(struct wring_view *v, const char *group, const char *mems, int64_t partial, struct share *ret)
{
	static const char *const kinds[] = { "anon", "file", "kernel_stack", "pagetables" };
	static const char *const slabs[] = { "slab_reclaimable", "slab_unreclaimable" };
	unsigned long home = strtoul(mems, NULL, 10);
	int64_t from, to, slab_local = 0, slab_remote = 0;

	*ret = (struct share){ 0 };
	if (wring_view_event_time(v, "mark", "start", 0, &from) || wring_view_last_mark(v, "filled", &to))
		return false;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(kinds); i++)
		add_kind(v, group, kinds[i], home, from, to, &ret->local, &ret->remote);
	for (size_t i = 0; i < WRING_ARRAY_SIZE(slabs); i++)
		add_kind(v, group, slabs[i], home, from, to, &slab_local, &slab_remote);
	ret->local += slab_local;
	ret->remote += slab_remote > partial ? slab_remote - partial : 0;
	if (ret->local + ret->remote <= 0)
		return false;
	ret->pct = 100.0 * (double)ret->local / (double)(ret->local + ret->remote);
	return true;
}

static const struct wring_group *find_twin(const struct wring_view *v, const struct wring_group *g, const char *mems)
{
	for (size_t i = 0; i < v->scenario->n_groups; i++) {
		const struct wring_group *t = &v->scenario->groups[i];
		const char *other = wring_setting_get(&t->files, "cpuset.mems");

		if (t != g && other && !strcmp(other, mems) && !wring_planned_limit(v, t->path, "memory.max"))
			return t;
	}
	return NULL;
}

static void judge_group(struct wring_view *v, const struct wring_group *g, const char *mems)
{
	const struct wring_group *twin = find_twin(v, g, mems);
	_cleanup_free_ char *mine = wring_strf("local_pct.%s", g->path), *other = wring_strf("local_pct.%s", twin ? twin->path : "");
	double points = (double)wring_view_limit(v, NAME ".points", POINTS);
	int64_t partial = 0, t;
	struct share a, b;

	/* SLUB uses these up first, whatever their node. */
	if (!wring_view_event_time(v, "mark", "start", 0, &t))
		partial = wring_view_free_in_slabs(v, t);
	if (!twin || !find_share(v, g->path, mems, partial, &a) || !find_share(v, twin->path, mems, partial, &b)) {
		wring_finding(v, NAME, "spill", WRING_INCONCLUSIVE, 0, 0, "%", "%s: no twin without memory.max, or no memory.numa_stat at "
			      "the mark filled", g->path);
		return;
	}
	if (mine && other) {
		wring_metric(v, mine, "%", a.pct, "higher", "primary");
		wring_metric(v, other, "%", b.pct, "higher", "secondary");
	}
	wring_finding(v, NAME, "spill", a.pct + points <= b.pct ? WRING_V_FAIL : WRING_PASS, a.pct, b.pct - points, "%",
		      "%.1f %% of %s is on node %s, where it belongs (%lld bytes there, %lld elsewhere), %.1f %% of %s without a limit (%lld, "
		      "%lld); %lld bytes of partial slabs at the start are not counted as elsewhere", a.pct, g->path, mems,
		      (long long)a.local, (long long)a.remote, b.pct, twin->path, (long long)b.local, (long long)b.remote,
		      (long long)partial);
}

static int judge(struct wring_view *v, struct wring_err *err)
{
	size_t n = 0;

	(void)err;
	for (size_t i = 0; v->scenario && i < v->scenario->n_groups; i++) {
		const struct wring_group *g = &v->scenario->groups[i];
		const char *mems = wring_setting_get(&g->files, "cpuset.mems");

		if (!mems || !wring_planned_limit(v, g->path, "memory.max"))
			continue;
		judge_group(v, g, mems);
		n++;
	}
	if (!n)
		wring_finding(v, NAME, "spill", WRING_INCONCLUSIVE, 0, 0, "%", "no group has both cpuset.mems and memory.max");
	return 0;
}

static const struct wring_metric_info metric_infos[] = {
	{ "local_pct", "%", "higher", "share of the memory on the node it was asked for on" },
	{ 0 }
};

static const struct wring_detector numa_spill = {
	.name = NAME,
	.summary = "memory from another node because of a memory limit (a guard)",
	.doc =
	"Of each group with memory.max and cpuset.mems of one node: the share of what it got between\n"
	"the marks start and filled (memory.numa_stat) that is on this node; free objects in slabs at\n"
	"the start are not counted against it, since SLUB uses those of other nodes up first. It\n"
	"fails when the share is points (5) below that of a group with the same cpuset.mems and no\n"
	"limit. A guard: since 5.9 a charge that fails is no longer taken for a lack of pages on the\n"
	"node (thread 2015 3e 3f).",
	.limits = "points",
	.controls =
	"fires: numa-at-limit with the fault module wrong-node in the limited group;\n"
	"silent: numa-at-limit on a stock kernel",
	.metrics = metric_infos,
	.judge = judge,
};
WRING_REGISTER_DETECTOR(numa_spill);
