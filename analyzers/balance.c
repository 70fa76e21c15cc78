/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/balance.h"

#include <string.h>
#include "harness/base/units.h"
#include "harness/base/util.h"

#define SWEPT_PCT 50
#define FULL 0.8     /* of the limit: the group is full */
#define HALF 0.5     /* of it: what a sawtooth falls below */
#define PLENTY 0.25  /* of it in page cache: there was something else to take */
#define CRUSHED 0.05 /* of it in page cache: as good as nothing */

struct window {
	struct wring_view *v;
	const char *detector, *group;
	int64_t limit, from, to;
	const struct wring_series *file, *slab;
	size_t judged;
};

static int64_t limit_of(struct wring_view *v, const char *group)
{
	const struct wring_group *g = v->scenario ? wring_scenario_group(v->scenario, group) : NULL;
	const char *max = g ? wring_setting_get(&g->files, "memory.max") : NULL;
	uint64_t n;

	return max && !wring_parse_size(max, &n, NULL) ? (int64_t)n : 0;
}

static int64_t at(const struct wring_series *s, int64_t t_ns)
{
	size_t i = wring_series_find(s, t_ns);

	return s->v[i < s->n ? i : s->n - 1];
}

static void judge_swept(struct window *w, const struct wring_cache *c, size_t k)
{
	int64_t limit = wring_view_limit(w->v, "slab-balance.swept-pct", SWEPT_PCT), file = at(w->file, c->t_ns[k + 1]);
	double loss = wring_cache_loss(c, k);

	if (!wring_cache_is_slab(c) || (double)file < PLENTY * (double)w->limit)
		return;
	w->judged++;
	wring_finding(w->v, w->detector, "swept", loss > (double)limit ? WRING_V_FAIL : WRING_PASS, loss, (double)limit, "%",
		      "%s lost %.3g %% of %lld objects while %lld bytes of page cache, used once, stayed in %s (memory.max %lld)", c->name, loss,
		      (long long)c->cached[k], (long long)file, w->group, (long long)w->limit);
}

/* From full to less than half, and not because the other took the room. */
static void judge_sawtooth(struct window *w)
{
	bool was_full = false, was_file = false, is_slab = false;
	int64_t peak = 0, low = w->limit;

	for (size_t i = wring_series_find(w->file, w->from); i < w->file->n && w->file->t_ns[i] <= w->to; i++) {
		int64_t file = w->file->v[i], sum = file + at(w->slab, w->file->t_ns[i]);

		if ((double)sum >= FULL * (double)w->limit) {
			was_full = true;
			was_file = file > sum / 2;
			peak = sum > peak ? sum : peak;
		}
		if (was_full && sum < low) {
			low = sum;
			is_slab = !was_file;
		}
	}
	if (!was_full)
		return;
	w->judged++;
	if ((double)low >= HALF * (double)w->limit)
		wring_finding(w->v, w->detector, "sawtooth", WRING_PASS, 100.0 * (double)low / (double)w->limit, 100 * HALF, "%",
			      "page cache and slab of %s, once it was full, never were less than %lld bytes of %lld", w->group, (long long)low,
			      (long long)w->limit);
	else
		wring_finding(w->v, w->detector, is_slab ? "slab-wiped" : "sawtooth", WRING_V_FAIL,
			      100.0 * (double)low / (double)w->limit, 100 * HALF, "%", "page cache and slab of %s fell from %lld to %lld bytes "
			      "(memory.max %lld)%s", w->group, (long long)peak, (long long)low, (long long)w->limit, is_slab ?
			      ": it was mostly slab, which is no progress to a memcg, so that one reclaim frees all of it (mm/vmscan.c, "
			      "flush_reclaim_state())" : "; it was mostly page cache, and nothing took its place");
}

static void judge_crushed(struct window *w)
{
	int64_t before = wring_series_max(w->file, INT64_MIN, w->from, 0), floor = w->limit, slab = 0;

	for (size_t i = wring_series_find(w->file, w->from); i < w->file->n && w->file->t_ns[i] <= w->to; i++)
		if (w->file->v[i] < floor) {
			floor = w->file->v[i];
			slab = at(w->slab, w->file->t_ns[i]);
		}
	if ((double)before < PLENTY * (double)w->limit)
		return;
	wring_metric(w->v, "file_floor_pct", "%", 100.0 * (double)floor / (double)w->limit, "higher", "primary");
	if ((double)floor >= CRUSHED * (double)w->limit || (double)slab < HALF * (double)w->limit)
		return;
	w->judged++;
	wring_finding(w->v, w->detector, "crushed", WRING_V_FAIL, 100.0 * (double)floor / (double)w->limit, 100 * CRUSHED, "%",
		      "names used once pushed the page cache of %s down to %lld bytes while %lld bytes of slab were reclaimable: the latter is "
		      "scanned (objects >> priority) at a time, and not while that is less than a batch (do_shrink_slab())", w->group,
		      (long long)floor, (long long)slab);
}

size_t wring_balance_judge(struct wring_view *v, const struct wring_caches *c, const char *detector)
{
	size_t judged = 0;

	for (size_t i = 0; i < c->n; i++) {
		const struct wring_cache *x = &c->rows[i];
		struct window w = { .v = v, .detector = detector, .group = x->group, .limit = limit_of(v, x->group) };

		w.file = wring_view_series(v, "memory.stat", x->group, "file");
		w.slab = wring_view_series(v, "memory.stat", x->group, "slab_reclaimable");
		for (size_t k = 0; k + 1 < x->n && w.limit && w.file && w.slab; k++) {
			w.from = x->t_ns[k];
			w.to = x->t_ns[k + 1];
			if (wring_pressure_on(v, x->group, w.from, w.to).reclaims)
				continue;
			judge_swept(&w, x, k);
			/* the group's own, once */
			if (!i || strcmp(c->rows[i - 1].group, x->group)) {
				judge_sawtooth(&w);
				judge_crushed(&w);
			}
		}
		judged += w.judged;
	}
	return judged;
}

/* ---- slow media ---- */

static const struct wring_mount *mount_of(struct wring_view *v, const char *group)
{
	for (size_t i = 0; i < v->scenario->n_loads; i++) {
		const struct wring_load *l = &v->scenario->loads[i];
		const char *on = wring_setting_get(&l->params, "on");

		for (size_t m = 0; on && m < v->scenario->n_mounts && !strcmp(l->group ? l->group : ".", group); m++)
			if (!strcmp(v->scenario->mounts[m].name, on))
				return &v->scenario->mounts[m];
	}
	return NULL;
}

/* The last reclaim of a group on a slow disk, and of one on a fast one. */
void wring_stall_metric(struct wring_view *v)
{
	const struct wring_events *e = wring_view_events(v);
	double slow = -1, fast = -1;
	const char *group = NULL;

	for (size_t i = 0; i < e->n && v->scenario; i++) {
		const struct wring_event *x = &e->rows[i];
		const struct wring_mount *m;
		int64_t ns;

		if (!strcmp(x->kind, "reclaim"))
			group = x->subject;
		if (strcmp(x->kind, "step") || strcmp(x->subject, "reclaim") || !group || !wring_text_i64(x->text, "ns", &ns))
			continue;
		m = mount_of(v, group);
		if (m && (m->bps || m->iops))
			slow = (double)ns / 1e6;
		else if (m)
			fast = (double)ns / 1e6;
		group = NULL;
	}
	if (slow >= 0 && fast >= 0)
		wring_metric(v, "slow_media_stall_ms", "ms", slow > fast ? slow - fast : 0, "lower", "primary");
}
