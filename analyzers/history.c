/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From runs to series, and from changes of series to events. */
#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/history.h"
#include "analyzers/stats/order.h"
#include "harness/base/util.h"

enum { NIGHTS = 120, RECENT = 14, FEWEST = 12 /* nights, to be tested */ };

/* A metric of one scenario and machine while it is read. */
struct reading {
	struct wring_hseries s;
	double *values;        /* of the runs of this night */
	size_t n, room, nights_room;
};
struct group {
	const struct wring_history_opts *o;
	const struct wring_history_run *run; /* any */
	struct reading *rows;
	size_t n, next;        /* next: where the next metric is, as runs tell them in the same order */
};

/* ---- reading ---- */

static bool is_wanted(const struct wring_history_opts *o, const struct wring_metric_row *m)
{
	for (size_t i = 0; i < o->n_metrics; i++)
		if (!fnmatch(o->metrics[i], m->name, 0))
			return true;
	return !o->n_metrics && (o->all || !strcmp(m->tier, "primary"));
}

static struct reading *reading_of(struct group *g, const struct wring_metric_row *m)
{
	struct reading *r;

	for (size_t i = 0; i < g->n; i++) {
		r = &g->rows[(g->next + i) % g->n];
		if (!strcmp(r->s.name, m->name)) {
			g->next = (size_t)(r - g->rows) + 1;
			return r;
		}
	}
	r = reallocarray(g->rows, g->n + 1, sizeof(*r));
	if (!r)
		return NULL;
	g->rows = r;
	r += g->n;
	*r = (struct reading){ .s = { .scenario = strdup(g->run->scenario), .machine = strdup(g->run->machine), .name = strdup(m->name),
		.unit = strdup(m->unit), .better = strdup(m->better), .primary = !strcmp(m->tier, "primary") } };
	g->next = ++g->n;
	return r->s.scenario && r->s.machine && r->s.name && r->s.unit && r->s.better ? r : NULL;
}

static int add_value(void *arg, const struct wring_metric_row *m)
{
	struct group *g = arg;
	struct reading *r;

	if (!isfinite(m->value) || !is_wanted(g->o, m))
		return 0;
	r = reading_of(g, m);
	if (r && r->n == r->room) {
		double *v = reallocarray(r->values, r->room = r->room ? 2 * r->room : 4, sizeof(*v));

		if (!v)
			return -ENOMEM;
		r->values = v;
	}
	if (!r)
		return -ENOMEM;
	r->values[r->n++] = m->value;
	return 0;
}

/* The median of a night's runs: several boots say more than one. */
static int end_night(struct group *g, const struct wring_history_run *run)
{
	for (size_t i = 0; i < g->n; i++) {
		struct reading *r = &g->rows[i];
		struct wring_night *night;

		if (!r->n)
			continue;
		if (r->s.n == r->nights_room) {
			night = reallocarray(r->s.nights, r->nights_room = r->nights_room ? 2 * r->nights_room : 32, sizeof(*night));
			if (!night)
				return -ENOMEM;
			r->s.nights = night;
		}
		night = &r->s.nights[r->s.n];
		*night = (struct wring_night){ .release = strdup(run->release), .value = wring_median(r->values, r->n), .runs = r->n };
		snprintf(night->date, sizeof(night->date), "%.10s", run->started);
		r->n = 0;
		r->s.n++;
		if (!night->release)
			return -ENOMEM;
	}
	return 0;
}

/* A night is the runs of one kernel on one day. */
static bool is_same_night(const struct wring_history_run *a, const struct wring_history_run *b)
{
	return !strncmp(a->started, b->started, 10) && !strcmp(a->release, b->release) && a->setup == b->setup;
}

/* runs: of one scenario on one machine, oldest first. */
static int read_group(struct wring_store *st, const struct wring_history_opts *o, const struct wring_history_run *const *runs, size_t n,
		      struct group *g, struct wring_err *err)
{
	size_t nights = o->nights ? o->nights : NIGHTS, first = n;
	int r = 0;

	while (first && (nights || is_same_night(runs[first - 1], runs[first]))) {
		nights -= first == n || !is_same_night(runs[first - 1], runs[first]);
		first--;
	}
	*g = (struct group){ .o = o, .run = runs[0] };
	for (size_t i = first; i < n && !r; i++) {
		r = wring_store_history_metrics(st, runs[i]->id, !o->all && !o->n_metrics, add_value, g, err);
		if (!r && (i + 1 == n || !is_same_night(runs[i], runs[i + 1])))
			r = end_night(g, runs[i]);
		if (!r && i + 1 < n && runs[i]->setup != runs[i + 1]->setup)
			for (size_t k = 0; k < g->n; k++)
				g->rows[k].s.from = g->rows[k].s.n;
	}
	return r == -ENOMEM ? wring_err_set(err, r, "history: out of memory") : r;
}

/* ---- changes ---- */

static uint64_t seed_of(const struct wring_hseries *s)
{
	const char *const parts[] = { s->scenario, s->machine, s->name };
	uint64_t h = 14695981039346656037ULL;

	for (size_t i = 0; i < WRING_ARRAY_SIZE(parts); i++)
		for (const char *c = parts[i]; *c; c++)
			h = (h ^ (unsigned char)*c) * 1099511628211ULL;
	return h;
}

static int find_changes(struct wring_hseries *s, const struct wring_pins *pins)
{
	double *y = malloc((s->n + 1) * sizeof(*y));
	int n;

	if (!y)
		return -ENOMEM;
	s->pin = wring_pin_find(pins, true, s->scenario, s->name, "");
	for (size_t i = s->from; s->pin && i < s->n; i++)
		if (strcmp(s->nights[i].date, s->pin->since) < 0)
			s->from = i + 1;
	for (size_t i = 0; i < s->n; i++)
		y[i] = s->nights[i].value;
	n = wring_series_changes(y + s->from, s->n - s->from, s->name, s->unit, s->better, seed_of(s), s->changes);
	free(y);
	s->n_changes = n > 0 ? (size_t)n : 0;
	for (size_t i = 0; i < s->n_changes; i++) {
		s->changes[i].at += s->from;
		s->known[i] = wring_pin_find(pins, false, s->scenario, s->name, s->nights[s->changes[i].at].date);
	}
	return n < 0 ? n : 0;
}

static int take(struct wring_history *h, struct group *g, const struct wring_history_opts *o)
{
	struct wring_hseries *all = reallocarray(h->series, h->n + g->n + 1, sizeof(*all));
	int r = all ? 0 : -ENOMEM;

	if (!all)
		return r;
	h->series = all;
	for (size_t i = 0; i < g->n; i++) {
		h->series[h->n++] = g->rows[i].s;
		g->rows[i].s = (struct wring_hseries){ 0 };
		if (!r)
			r = find_changes(&h->series[h->n - 1], o->pins);
		h->tested += h->series[h->n - 1].n - h->series[h->n - 1].from >= FEWEST;
	}
	return r;
}

/* ---- events ---- */

struct found { size_t series, change; long day; };

static int by_place_and_day(const void *a, const void *b, void *arg)
{
	const struct found *x = a, *y = b;
	const struct wring_hseries *s = arg, *p = &s[x->series], *q = &s[y->series];
	int c = strcmp(p->scenario, q->scenario);

	c = c ? c : strcmp(p->machine, q->machine);
	return c ? c : (x->day > y->day) - (x->day < y->day);
}

static int by_weight(const void *a, const void *b, void *arg)
{
	const struct found *x = a, *y = b;
	const struct wring_hseries *s = arg, *p = &s[x->series], *q = &s[y->series];
	double u = fabs(p->changes[x->change].pct), v = fabs(q->changes[y->change].pct);

	return p->primary != q->primary ? q->primary - p->primary : (u < v) - (u > v);
}

static int by_date(const void *a, const void *b, void *arg)
{
	const struct wring_hevent *x = a, *y = b;
	const struct wring_hseries *s = arg;

	return strcmp(s[y->series[0]].nights[s[y->series[0]].changes[y->change[0]].at].date,
		      s[x->series[0]].nights[s[x->series[0]].changes[x->change[0]].at].date);
}

static int make_event(struct wring_history *h, struct found *f, size_t n, size_t recent)
{
	struct wring_hevent *e = &h->events[h->n_events++];

	*e = (struct wring_hevent){ .series = calloc(n, sizeof(size_t)), .change = calloc(n, sizeof(size_t)), .n = n, .known = true };
	if (!e->series || !e->change)
		return -ENOMEM;
	qsort_r(f, n, sizeof(*f), by_weight, h->series);
	for (size_t i = 0; i < n; i++) {
		const struct wring_hseries *s = &h->series[f[i].series];
		const struct wring_hchange *c = &s->changes[f[i].change];

		e->series[i] = f[i].series;
		e->change[i] = f[i].change;
		e->is_new |= s->n - c->at <= recent;
		e->known &= s->known[f[i].change] != NULL;
		e->worse |= c->worse && c->by != WRING_BY_FENCE && !s->known[f[i].change];
	}
	return 0;
}

static int make_events(struct wring_history *h, size_t recent)
{
	struct found *f = calloc(h->n * WRING_MAX_CHANGES + 1, sizeof(*f));
	size_t n = 0;
	int r = f ? 0 : -ENOMEM;

	for (size_t i = 0; f && i < h->n; i++)
		for (size_t k = 0; k < h->series[i].n_changes; k++)
			if (!h->series[i].changes[k].gone)
				f[n++] = (struct found){ i, k, wring_day(h->series[i].nights[h->series[i].changes[k].at].date) };
	h->events = calloc(n + 1, sizeof(*h->events));
	if (!h->events)
		r = -ENOMEM;
	if (!r && n)
		qsort_r(f, n, sizeof(*f), by_place_and_day, h->series);
	for (size_t i = 0, k; i < n && !r; i = k) {
		for (k = i + 1; k < n && f[k].day - f[k - 1].day <= 1 && !strcmp(h->series[f[k].series].scenario, h->series[f[i].series].scenario) &&
				!strcmp(h->series[f[k].series].machine, h->series[f[i].series].machine); k++)
			;
		r = make_event(h, f + i, k - i, recent);
	}
	if (!r && h->n_events)
		qsort_r(h->events, h->n_events, sizeof(*h->events), by_date, h->series);
	free(f);
	return r;
}

/* ---- all of it ---- */

static void series_done(struct wring_hseries *s)
{
	for (size_t k = 0; k < s->n; k++)
		free(s->nights[k].release);
	free(s->nights);
	free(s->scenario);
	free(s->machine);
	free(s->name);
	free(s->unit);
	free(s->better);
}

static void group_done(struct group *g)
{
	for (size_t i = 0; i < g->n; i++) {
		free(g->rows[i].values);
		series_done(&g->rows[i].s); /* empty once it was handed on */
	}
	free(g->rows);
}

static int by_place(const void *a, const void *b)
{
	const struct wring_history_run *x = *(const struct wring_history_run *const *)a, *y = *(const struct wring_history_run *const *)b;
	int c = strcmp(x->scenario, y->scenario);

	c = c ? c : strcmp(x->machine, y->machine);
	return c ? c : (x > y) - (x < y); /* in memory they are in order of time */
}

static int by_setup(const void *a, const void *b)
{
	const struct wring_history_run *x = *(const struct wring_history_run *const *)a, *y = *(const struct wring_history_run *const *)b;

	return x->setup != y->setup ? (x->setup > y->setup) - (x->setup < y->setup) : (x > y) - (x < y);
}

/* A setup that comes back is one of several that take turns: each is a series of its own. One that was left for good is a break. */
static bool take_turns(const struct wring_history_run *const *runs, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t k = i; runs[i]->setup != runs[i - 1]->setup && k-- > 0;)
			if (runs[k]->setup == runs[i]->setup)
				return true;
	return false;
}

static int read_place(struct wring_store *st, const struct wring_history_opts *o, const struct wring_history_run **runs, size_t n,
		      struct wring_history *h, struct wring_err *err)
{
	bool apart = take_turns(runs, n);
	int r = 0;

	if (apart)
		qsort(runs, n, sizeof(*runs), by_setup);
	for (size_t i = 0, k; i < n && !r; i = k) {
		struct group g = { 0 };

		for (k = i + 1; k < n && (!apart || runs[k]->setup == runs[i]->setup); k++)
			;
		r = read_group(st, o, runs + i, k - i, &g, err);
		if (!r && take(h, &g, o))
			r = wring_err_set(err, -ENOMEM, "history: out of memory");
		group_done(&g);
	}
	return r;
}

int wring_history_read(struct wring_store *st, const struct wring_history_opts *o, struct wring_history *ret, struct wring_err *err)
{
	const struct wring_history_run **runs = NULL;
	int r;

	*ret = (struct wring_history){ 0 };
	r = wring_store_history(st, o->scenario, o->label, &ret->runs, err);
	if (!r && !(runs = calloc(ret->runs.n + 1, sizeof(*runs))))
		r = wring_err_set(err, -ENOMEM, "history: out of memory");
	for (size_t i = 0; !r && i < ret->runs.n; i++)
		runs[i] = &ret->runs.rows[i];
	if (!r && ret->runs.n)
		qsort(runs, ret->runs.n, sizeof(*runs), by_place);
	for (size_t i = 0, k; !r && i < ret->runs.n; i = k) {
		for (k = i + 1; k < ret->runs.n && !strcmp(runs[k]->scenario, runs[i]->scenario) && !strcmp(runs[k]->machine, runs[i]->machine); k++)
			;
		r = read_place(st, o, runs + i, k - i, ret, err);
	}
	if (!r && make_events(ret, o->recent ? o->recent : RECENT))
		r = wring_err_set(err, -ENOMEM, "history: out of memory");
	free(runs);
	if (r)
		wring_history_done(ret);
	return r;
}

void wring_history_done(struct wring_history *h)
{
	for (size_t i = 0; i < h->n; i++)
		series_done(&h->series[i]);
	for (size_t i = 0; i < h->n_events; i++) {
		free(h->events[i].series);
		free(h->events[i].change);
	}
	free(h->series);
	free(h->events);
	wring_history_runs_done(&h->runs);
	*h = (struct wring_history){ 0 };
}
