/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/report/trend.h"

#include <errno.h>
#include <libsmartcols.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/report/table.h"
#include "analyzers/report/text.h"
#include "harness/base/util.h"

enum { SPARK = 40, FEW = 50 };

const char *wring_trend_percent(const struct wring_hchange *c, char *buf, size_t size)
{
	if (!isfinite(c->pct))
		snprintf(buf, size, "new");
	else if (!c->after && c->before)
		snprintf(buf, size, "gone");
	else
		snprintf(buf, size, "%+.3g %%", c->pct);
	return buf;
}

const char *wring_trend_how(const struct wring_hchange *c)
{
	if (c->by == WRING_BY_SLOW)
		return "a change point";
	return c->by == WRING_BY_FAST ? "a drift of the last nights" : "provisional: too few nights to tell, and the last one stands out";
}

/* The course of the last `width` nights, changes as '|'. On the heap; NULL: no memory. */
static char *spark_of(const struct wring_hseries *s, size_t width, bool utf8)
{
	static const char *const blocks[] = { "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588" };
	static const char *const ascii[] = { "_", ".", "-", "~", "=", "+", "*", "#" };
	size_t first = s->n > width ? s->n - width : 0;
	double lo = INFINITY, hi = -INFINITY;
	char *ret = malloc(width * 8 + 1), *p = ret;

	for (size_t i = first; i < s->n; i++) {
		lo = fmin(lo, s->nights[i].value);
		hi = fmax(hi, s->nights[i].value);
	}
	for (size_t i = first; i < s->n && ret; i++) {
		/* noise of a percent is no mountain */
		double room = fmax(hi - lo, 0.05 * fmax(fabs(hi), fabs(lo))), v = room > 0 ? (s->nights[i].value - (hi + lo) / 2) / room + 0.5 : 0;
		int level = (int)(v * 8);

		for (size_t k = 0; k < s->n_changes; k++)
			if (s->changes[k].at == i && i > first)
				*p++ = '|';
		if (s->from == i && i > first)
			*p++ = ':';
		p = stpcpy(p, (utf8 ? blocks : ascii)[level < 0 ? 0 : level > 7 ? 7 : level]);
	}
	if (ret)
		*p = '\0';
	return ret;
}

static int series(const struct wring_history *h, bool all, bool utf8, FILE *out)
{
	static const char *const headings[] = { "SCENARIO", "METRIC", "NIGHTS", "LAST", "CHANGE", "COURSE" };
	struct libscols_table *t = wring_table_new(out, headings, WRING_ARRAY_SIZE(headings));
	int r = t ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < h->n; i++) {
		const struct wring_hseries *s = &h->series[i];
		const struct wring_hchange *last = s->n_changes ? &s->changes[s->n_changes - 1] : NULL;
		_cleanup_free_ char *spark = spark_of(s, SPARK, utf8), *nights = wring_strf("%zu", s->n);
		char value[48], pct[24] = "";
		const char *cells[] = { s->scenario, s->name, nights, value, pct, spark };

		if (!s->n || (!last && !all))
			continue;
		if (!spark || !nights)
			r = -ENOMEM;
		wring_text_value(s->nights[s->n - 1].value, s->unit, value, sizeof(value));
		if (last)
			wring_trend_percent(last, pct, sizeof(pct));
		if (!r)
			r = wring_table_row(t, cells, WRING_ARRAY_SIZE(cells));
	}
	return t ? wring_table_print(t, out, r) : r;
}

static void say_release(FILE *out, const char *release)
{
	_cleanup_free_ char *clean = wring_text_clean(release, true);

	fputs(clean ? clean : "", out);
}

static void event(const struct wring_history *h, const struct wring_hevent *e, FILE *out)
{
	const struct wring_hseries *lead = &h->series[e->series[0]];
	const struct wring_hchange *c = &lead->changes[e->change[0]];
	_cleanup_free_ char *scenario = wring_text_clean(lead->scenario, true), *machine = wring_text_clean(lead->machine, true);
	const struct wring_night *before = c->at ? &lead->nights[c->at - 1] : NULL;

	fprintf(out, "\n%s  %s on %s%s\n", lead->nights[c->at].date, scenario ? scenario : "", machine ? machine : "",
		e->known ? "  (known)" : e->worse && e->is_new ? "  NEW, worse" : e->worse ? "  worse" : "");
	for (size_t i = 0; i < e->n; i++) {
		const struct wring_hseries *s = &h->series[e->series[i]];
		const struct wring_hchange *one = &s->changes[e->change[i]];
		_cleanup_free_ char *name = wring_text_clean(s->name, true), *unit = wring_text_clean(s->unit, true);
		char x[48], y[48], pct[24];

		fprintf(out, "  %s: %s to %s, %s; %s\n", name ? name : "", wring_text_value(one->before, unit ? unit : "", x, sizeof(x)),
			wring_text_value(one->after, unit ? unit : "", y, sizeof(y)), wring_trend_percent(one, pct, sizeof(pct)), wring_trend_how(one));
		if (s->known[e->change[i]])
			wring_text_wrap(out, s->known[e->change[i]]->reason, 4, wring_text_columns(out));
	}
	if (before && strcmp(before->release, lead->nights[c->at].release)) {
		fputs("  Linux ", out);
		say_release(out, before->release);
		fputs(" to ", out);
		say_release(out, lead->nights[c->at].release);
		fputc('\n', out);
	}
	if (e->worse && e->is_new && !e->known)
		fprintf(out, "  to be sure: wring ab --a kernel=LAST_GOOD --b kernel=FIRST_BAD %s\n", scenario ? scenario : "");
}

int wring_report_trend(const struct wring_history *h, bool all, bool utf8, FILE *out, struct wring_err *err)
{
	size_t changed = 0;
	int r;

	for (size_t i = 0; i < h->n; i++)
		changed += h->series[i].n_changes > 0;
	all |= h->n <= FEW;
	r = changed || all ? series(h, all, utf8, out) : 0;
	if (r)
		return wring_err_set(err, r, "printing the histories: %s", strerror(-r));
	for (size_t i = 0; i < h->n_events; i++)
		event(h, &h->events[i], out);
	fprintf(out, "\n%zu series, %zu of them long enough to be tested (12 nights), %zu with a change. ", h->n, h->tested, changed);
	fprintf(out, "Where nothing changed, one in 200 tested may still show a change, more where nights resemble each other.\n");
	return fflush(out) ? wring_err_set(err, -errno, "printing the histories: %s", strerror(errno)) : 0;
}
