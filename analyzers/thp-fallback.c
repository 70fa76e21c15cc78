/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A huge page is worth its price in page cache, but never a kill. */
#include <errno.h>
#include <string.h>
#include "analyzers/twin.h"
#include "harness/base/util.h"

#define NAME "thp-fallback"
#define POINTS 10
#define ENOUGH_CLEAN (64LL << 20)
#define HUGE_BYTES (2LL << 20)

/* What the load asked for, and how much of it came as huge pages. */
struct share { int64_t got, failed; double pct; };

static bool find_share(struct wring_view *v, const char *load, struct share *ret)
{
	int64_t errors, dropped;

	*ret = (struct share){ 0 };
	if (wring_view_max(v, "load", load, "made_objects", INT64_MIN, INT64_MAX, &ret->got) ||
	    wring_view_max(v, "load", load, "errors", INT64_MIN, INT64_MAX, &errors) ||
	    wring_view_max(v, "load", load, "dropped", INT64_MIN, INT64_MAX, &dropped) || !(ret->got + errors))
		return false;
	ret->got -= dropped; /* small pages instead (small = yes) */
	ret->failed = errors + dropped;
	ret->pct = 100.0 * (double)ret->got / (double)(ret->got + ret->failed);
	return true;
}

static bool is_word(const char *setting, const char *word)
{
	size_t n = strlen(word);
	const char *p = setting ? strchr(setting, '[') : NULL; /* as sysfs shows it, or as it was written */

	p = p ? p + 1 : setting;
	return p && !strncmp(p, word, n) && (!p[n] || p[n] == ']');
}

/* Does this setting of `defrag` reclaim for a page that MADV_HUGEPAGE asked for? */
static bool is_promised(struct wring_view *v)
{
	_cleanup_free_ char *fact = wring_store_get_fact(v->store, v->boot, "thp.defrag");
	const char *set = wring_setting_get(&v->scenario->sysctls, "/sys/kernel/mm/transparent_hugepage/defrag");

	set = set ? set : fact;
	return is_word(set, "madvise") || is_word(set, "always") || is_word(set, "defer+madvise");
}

static int64_t clean_at(struct wring_view *v, const char *group, int64_t t_ns)
{
	int64_t active = 0, inactive = 0, dirty = 0;

	wring_view_at(v, "memory.stat", group, "active_file", t_ns, &active);
	wring_view_at(v, "memory.stat", group, "inactive_file", t_ns, &inactive);
	wring_view_at(v, "memory.stat", group, "file_dirty", t_ns, &dirty);
	return active + inactive - dirty;
}

static void judge_kill(struct wring_view *v, const struct wring_load *l)
{
	int64_t kills;

	if (wring_view_max(v, "memory.events", l->group, "oom_kill", INT64_MIN, INT64_MAX, &kills))
		return;
	wring_finding(v, NAME, "kill", kills ? WRING_V_FAIL : WRING_PASS, (double)kills, 0, "kills",
		      "%lld OOM kill(s) in %s, where %s asked for huge pages", (long long)kills, l->group, l->name);
}

static void judge_load(struct wring_view *v, const struct wring_load *l, const struct wring_load *twin)
{
	double points = (double)wring_view_limit(v, NAME ".points", POINTS);
	_cleanup_free_ char *mine = wring_strf("huge_pct.%s", l->group), *other = wring_strf("huge_pct.%s", twin->group);
	struct share a, b;
	int64_t clean;

	if (!find_share(v, l->name, &a) || !find_share(v, twin->name, &b)) {
		wring_finding(v, NAME, "fallback", WRING_INCONCLUSIVE, 0, 0, "%", "%s or %s asked for nothing, or was not sampled", l->name,
			      twin->name);
		return;
	}
	if (mine && other) {
		wring_metric(v, mine, "%", a.pct, "higher", "primary");
		wring_metric(v, other, "%", b.pct, "higher", "secondary");
	}
	clean = clean_at(v, l->group, wring_load_started(v, l->name));
	if (!is_promised(v) || clean < ENOUGH_CLEAN || b.pct < 50) {
		wring_finding(v, NAME, "fallback", WRING_V_SKIP, a.pct, b.pct - points, "%",
			      "not judged, but for kills: %s", !is_promised(v) ? "in this mode (defrag) the kernel promises no huge page" :
			      clean < ENOUGH_CLEAN ? "there was not enough clean page cache to make room with" :
			      "without a limit there were hardly any huge pages either");
		return;
	}
	wring_finding(v, NAME, "fallback", a.pct < b.pct - points ? WRING_V_FAIL : WRING_PASS, a.pct, b.pct - points, "%",
		      "%s in %s got %lld of %lld huge pages (%lld bytes) beside %lld bytes of clean page cache, %s without a limit %lld of "
		      "%lld", l->name, l->group, (long long)a.got, (long long)(a.got + a.failed), (long long)(a.got * HUGE_BYTES),
		      (long long)clean, twin->name, (long long)b.got, (long long)(b.got + b.failed));
}

static int judge(struct wring_view *v, struct wring_err *err)
{
	size_t n = 0;

	(void)err;
	for (size_t i = 0; v->scenario && i < v->scenario->n_loads; i++) {
		const struct wring_load *l = &v->scenario->loads[i], *twin;

		if (strcmp(l->workload, "thp") || !wring_planned_limit(v, l->group, "memory.max"))
			continue;
		n++;
		judge_kill(v, l);
		twin = wring_twin(v, l, "");
		if (twin)
			judge_load(v, l, twin);
		else
			wring_finding(v, NAME, "fallback", WRING_INCONCLUSIVE, 0, 0, "%", "%s has no twin without a limit", l->name);
	}
	if (!n)
		wring_finding(v, NAME, "fallback", WRING_INCONCLUSIVE, 0, 0, "%", "no load thp in a group with memory.max");
	return 0;
}

static const struct wring_metric_info metric_infos[] = {
	{ "huge_pct", "%", "higher", "share of the touched memory in huge pages" },
	{ 0 }
};

static const struct wring_detector thp_fallback = {
	.name = NAME,
	.summary = "huge pages that a limit denies although page cache could make room",
	.doc =
	"Of each load thp in a group with memory.max: the share of its MADV_HUGEPAGE faults that got a\n"
	"huge page (mincore() tells the load). It fails when that is points (10) below the share of\n"
	"the same load in a group without a limit, provided that the group had 64M of clean page\n"
	"cache when it began, and that transparent_hugepage/defrag promises reclaim to those who\n"
	"ask (madvise, defer+madvise, always). Class kill: whatever the mode, nobody is killed for\n"
	"a huge page. The twin takes what the machine itself cannot give out of it (thread 2015\n"
	"3g).",
	.limits = "points",
	.controls =
	"fires: thp-at-limit with the fault module thp-denied in one group;\n"
	"silent: thp-at-limit on a stock kernel, and with both groups denied",
	.metrics = metric_infos,
	.judge = judge,
};
WRING_REGISTER_DETECTOR(thp_fallback);
