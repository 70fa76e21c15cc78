/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/census.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "harness/base/util.h"

#define NEARLY_ALL 0.9 /* of what a group has: a reclaim of so much is heavy */

static struct wring_cache *cache_of(struct wring_caches *c, const struct wring_load *l, const char *group)
{
	const char *of_load = l->group ? l->group : ".";
	struct wring_cache *row;

	for (size_t i = 0; i < c->n; i++)
		if (c->rows[i].load == l && !strcmp(c->rows[i].group, group ? group : of_load))
			return &c->rows[i];
	row = realloc(c->rows, (c->n + 1) * sizeof(*row));
	if (!row)
		return NULL;
	c->rows = row;
	row = &c->rows[c->n++];
	*row = (struct wring_cache){ .load = l };
	snprintf(row->name, sizeof(row->name), "%.60s%s%.60s", l->name, group ? "@" : "", group ? group : "");
	snprintf(row->group, sizeof(row->group), "%.250s", group ? group : of_load);
	return row;
}

/* A load in several directories has one event each, and then one of all, which says nothing new. */
static int add(struct wring_view *v, const struct wring_event *e, bool *is_spread, struct wring_caches *c)
{
	const struct wring_load *l = wring_scenario_load(v->scenario, e->subject);
	int64_t cached, gone, ns = 0;
	struct wring_cache *row;
	char group[256];
	bool is_in = sscanf(e->text, "group=%255s", group) == 1;

	if (!l || !wring_text_i64(e->text, "cached", &cached) || !wring_text_i64(e->text, "gone", &gone))
		return 0;
	if (!is_in && *is_spread) {
		*is_spread = false;
		return 0;
	}
	*is_spread = is_in;
	row = cache_of(c, l, is_in ? group : NULL);
	if (!row)
		return -ENOMEM;
	if (row->n == WRING_CENSUS_MAX)
		return 0;
	wring_text_i64(e->text, "ns", &ns);
	row->t_ns[row->n] = e->t_ns - ns;
	row->cached[row->n] = cached;
	row->gone[row->n++] = gone;
	return 0;
}

int wring_caches_read(struct wring_view *v, struct wring_caches *ret, struct wring_err *err)
{
	const struct wring_events *e = wring_view_events(v);
	struct wring_caches c = { 0 };
	bool is_spread = false;

	for (size_t i = 0; i < e->n; i++)
		if (!strcmp(e->rows[i].kind, "census") && add(v, &e->rows[i], &is_spread, &c)) {
			wring_caches_done(&c);
			return wring_err_set(err, -ENOMEM, "out of memory while judging a census");
		}
	c.rounds = c.n ? WRING_CENSUS_MAX : 0;
	for (size_t i = 0; i < c.n; i++)
		c.rounds = c.rows[i].n < c.rounds ? c.rows[i].n : c.rounds;
	*ret = c;
	return 0;
}

void wring_caches_done(struct wring_caches *c)
{
	free(c->rows);
	*c = (struct wring_caches){ 0 };
}

bool wring_cache_is_slab(const struct wring_cache *c)
{
	return strcmp(c->load->workload, "file") != 0;
}

double wring_cache_loss(const struct wring_cache *c, size_t k)
{
	int64_t before = c->cached[k], after = c->cached[k + 1];

	return before > 0 && after < before ? 100.0 * (double)(before - after) / (double)before : 0;
}

static void add_reclaim(const struct wring_event *e, struct wring_pressure *p)
{
	int64_t asked = 0, error = 0, before = 0, after = 0;

	if (!wring_text_i64(e->text, "asked_bytes", &asked) || !wring_text_i64(e->text, "before_bytes", &before) ||
	    !wring_text_i64(e->text, "after_bytes", &after))
		return;
	wring_text_i64(e->text, "errno", &error);
	p->reclaims++;
	p->largest_bytes = asked > p->largest_bytes ? asked : p->largest_bytes;
	p->is_heavy = p->is_heavy || (double)asked >= NEARLY_ALL * (double)before;
	/* Without an errno as much was reclaimed as was asked, whatever was charged meanwhile. */
	p->reclaimed_bytes += !error && asked > before - after ? asked : before - after;
}

struct wring_pressure wring_pressure_on(struct wring_view *v, const char *group, int64_t from, int64_t to)
{
	const struct wring_events *e = wring_view_events(v);
	struct wring_pressure p = { 0 };

	for (size_t i = 0; i < e->n; i++) {
		const struct wring_event *x = &e->rows[i];

		if (x->t_ns < from || x->t_ns > to || !wring_group_within(group, x->subject))
			continue;
		if (!strcmp(x->kind, "drain") || !strcmp(x->kind, "reclaim"))
			snprintf(p.group, sizeof(p.group), "%.250s", x->subject);
		if (!strcmp(x->kind, "drain")) {
			p.drains++;
			p.is_heavy = true;
		} else if (!strcmp(x->kind, "reclaim")) {
			add_reclaim(x, &p);
		}
	}
	return p;
}
