/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A few lines on a terminal, rewritten in place: as many columns as there are, and what matters most first. */
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "harness/base/units.h"
#include "harness/base/util.h"
#include "harness/run/progress.h"

#define RATE_NS WRING_NSEC_PER_SEC
#define SILENT_NS (2 * WRING_NSEC_PER_SEC)
#define NARROW 60 /* columns below which words are short */
#define BOLD "\033[1m"
#define RED "\033[1;31m"
#define YELLOW "\033[33m"

struct line { char text[600]; size_t len, cols, max; };

static size_t text_columns(const struct wring_progress *p, const char *s)
{
	locale_t before = p->locale ? uselocale(p->locale) : (locale_t)0;
	mbstate_t state = { 0 };
	size_t cols = 0, left = strlen(s), n;
	wchar_t c;

	for (; left; s += n, left -= n) {
		n = mbrtowc(&c, s, left, &state);
		if (n == (size_t)-1 || n == (size_t)-2 || !n) {
			memset(&state, 0, sizeof(state));
			n = 1;
			cols++;
		} else {
			cols += wcwidth(c) > 0 ? (size_t)wcwidth(c) : 0;
		}
	}
	if (before)
		uselocale(before);
	return cols;
}

static void put(struct line *l, const char *s)
{
	size_t n = strlen(s);

	if (l->len + n < sizeof(l->text)) {
		memcpy(l->text + l->len, s, n + 1);
		l->len += n;
	}
}

/* Cuts the text to that many columns, the last of which says so. */
static void cut(const struct wring_progress *p, char *s, size_t cols)
{
	if (text_columns(p, s) <= cols)
		return;
	while (*s && text_columns(p, s) + 1 > cols) {
		size_t n = strlen(s) - 1;

		while (n && ((unsigned char)s[n] & 0xc0) == 0x80)
			n--;
		s[n] = '\0';
	}
	if (cols)
		strcat(s, p->utf8 ? "\u2026" : "~");
}

/* A part of the line: left out where there is no room for all of it, but the first is cut. style: an escape sequence or "". */
static void __attribute__((format(printf, 4, 5))) part(const struct wring_progress *p, struct line *l, const char *style, const char *fmt, ...)
{
	const char *between = !l->cols || p->tty ? "" : ",";
	size_t gap = !l->cols ? 0 : 2, cols;
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text) - 4, fmt, ap);
	va_end(ap);
	if (!l->cols)
		cut(p, text, l->max);
	cols = text_columns(p, text);
	if (l->cols + gap + cols > l->max)
		return;
	put(l, between);
	put(l, gap && p->tty ? "  " : gap ? " " : "");
	put(l, p->tty && p->color ? style : "");
	put(l, text);
	put(l, p->tty && p->color && *style ? "\033[m" : "");
	l->cols += gap + cols;
}

/* How full, in a bar of ten. */
static void bar(const struct wring_progress *p, struct line *l, int64_t value, int64_t limit)
{
	int64_t full = limit > 0 ? (value * 10 + limit / 2) / limit : 0;
	char text[64] = "";

	for (int64_t i = 0; i < 10; i++)
		strcat(text, p->utf8 ? (i < full ? "\u2588" : "\u2591") : i < full ? "#" : "-");
	if (p->tty)
		part(p, l, value >= limit ? YELLOW : "", "%s", text);
}

/* Over the last second, because a person cannot read what changes faster. */
static double rate(struct wring_gauge *g)
{
	int64_t dt = g->t_ns - g->old_t_ns;

	if (dt >= RATE_NS || (g->rate < 0 && dt >= RATE_NS / 4)) {
		g->rate = (double)(g->value - g->old_value) * 1e9 / (double)dt;
		if (dt >= RATE_NS) {
			g->old_value = g->value;
			g->old_t_ns = g->t_ns;
		}
	}
	return g->rate;
}

static void group_line(struct wring_progress *p, struct wring_shown_group *g, struct line *l)
{
	bool narrow = l->max < NARROW;
	int64_t limit = g->high && (!g->max || g->high < g->max) ? g->high : g->max;
	char now[24], high[24], max[24];

	part(p, l, "", !p->tty ? "%s" : narrow ? "  %s" : "  %-8s", strcmp(g->name, ".") ? g->name : "all");
	if (limit && g->memory.seen && !narrow)
		bar(p, l, g->memory.value, limit);
	wring_format_size((uint64_t)g->memory.value, now, sizeof(now));
	wring_format_size((uint64_t)g->high, high, sizeof(high));
	wring_format_size((uint64_t)g->max, max, sizeof(max));
	if (g->memory.seen && !limit)
		part(p, l, "", "%s, no limit", now);
	else if (g->memory.seen && g->high && g->max)
		part(p, l, "", narrow ? "%s/%s/%s" : "%s of high %s, max %s", now, high, max);
	else if (g->memory.seen)
		part(p, l, "", narrow ? "%s/%s" : "%s of %s %s", now, !narrow ? g->high ? "high" : "max" : g->high ? high : max, g->high ? high : max);
	if (g->oom.value)
		part(p, l, RED, narrow ? "OOM %lld" : "OOM kills %lld", (long long)g->oom.value);
	if (g->pressure.seen && rate(&g->pressure) >= 0)
		part(p, l, "", narrow ? "PSI %.0f%%" : "waits for memory %.0f %% (PSI some)", g->pressure.rate / 1e4);
	if (g->oom.seen && !g->oom.value)
		part(p, l, "", narrow ? "OOM 0" : "OOM kills 0");
}

static const char *short_number(double v, char *buf, size_t size)
{
	static const char units[] = " kMGT";
	size_t u = 0;

	for (; v >= 10000 && u < 4; u++)
		v /= 1000;
	snprintf(buf, size, u ? "%.1f%c" : "%.0f", v, units[u]);
	return buf;
}

static void load_line(struct wring_progress *p, struct wring_shown_load *w, struct line *l)
{
	char text[32];

	part(p, l, "", !p->tty ? "%s" : l->max < NARROW ? "  %s" : "  %-8s", w->name);
	if (rate(&w->ops) > 0 && w->ops.rate < 10)
		part(p, l, "", "%.1f ops/s", w->ops.rate);
	else if (w->ops.rate >= 0)
		part(p, l, "", "%s ops/s", short_number(w->ops.rate, text, sizeof(text)));
	part(p, l, "", l->max < NARROW ? "%s ops" : "%s so far", short_number((double)w->ops.value, text, sizeof(text)));
	if (w->errors.value)
		part(p, l, YELLOW, "%lld errors", (long long)w->errors.value);
}

static void head_line(const struct wring_progress *p, struct line *l, int64_t now)
{
	bool narrow = l->max < NARROW;
	int64_t at_least, at_most, in_step = now - p->step_since_ns;

	if (!p->scenario) {
		part(p, l, BOLD, "[%zu/%zu] %s", p->at + (p->at < p->n), p->n, p->state);
		part(p, l, "", "%.0f s", (double)(now - p->since_ns) / 1e9);
		return;
	}
	at_least = p->planned_ns - p->passed_ns - (in_step < p->step_ns ? in_step : p->step_ns);
	at_most = (int64_t)p->scenario->timeout_ns - (now - p->since_ns);
	part(p, l, BOLD, "[%zu/%zu] %s", p->at, p->n, p->scenario->name);
	part(p, l, "", narrow || !*p->phase ? "%s%s" : "%s %s", !*p->phase ? p->state : narrow ? "" : "phase", p->phase);
	part(p, l, "", "%.0f s", (double)(now - p->since_ns) / 1e9);
	if (at_least >= WRING_NSEC_PER_SEC)
		part(p, l, "", narrow ? "%.0f+ s to go" : "at least %.0f s to go", (double)at_least / 1e9);
	if (p->n_steps && p->step)
		part(p, l, "", narrow ? "%zu/%zu %s" : "step %zu of %zu: %s", p->step, p->n_steps, p->verb);
	if (at_most > 0)
		part(p, l, "", "gives up in %.0f s", (double)at_most / 1e9);
}

static bool is_shown(const struct wring_progress *p, const struct wring_shown_group *g)
{
	/* the scenario's root says nothing that its groups do not say */
	return g->memory.seen && (strcmp(g->name, ".") || p->n_groups == 1);
}

/* Rows are fewer than a scenario may have groups. */
static size_t groups_without_row(const struct wring_progress *p)
{
	size_t all = 0, known = 0;

	for (size_t i = 0; i < p->scenario->n_groups; i++)
		all += p->scenario->groups[i].count;
	for (size_t i = 0; i < p->n_groups; i++)
		known += strcmp(p->groups[i].name, ".") != 0;
	return p->n_groups == WRING_SHOWN_ROWS && all > known ? all - known : 0;
}

static size_t make_lines(struct wring_progress *p, struct line *lines, size_t max, size_t columns, int64_t now, int64_t heard_ns)
{
	size_t n = 0, hidden = p->scenario ? groups_without_row(p) : 0;

	for (size_t i = 0; i < max; i++)
		lines[i] = (struct line){ .max = columns };
	head_line(p, &lines[n++], now);
	for (size_t i = 0; p->scenario && i < p->n_loads && n < max; i++)
		if (p->loads[i].ops.seen)
			load_line(p, &p->loads[i], &lines[n++]);
	for (size_t i = 0; p->scenario && i < p->n_groups; i++) {
		if (!is_shown(p, &p->groups[i]))
			continue;
		if (n + 2 < max)
			group_line(p, &p->groups[i], &lines[n++]);
		else
			hidden++;
	}
	if (hidden && n < max)
		part(p, &lines[n++], "", "  and %zu more group%s", hidden, hidden == 1 ? "" : "s");
	if (p->scenario && now - heard_ns > SILENT_NS && n < max)
		part(p, &lines[n++], YELLOW, "  nothing was heard for %.0f s", (double)(now - heard_ns) / 1e9);
	return n;
}

/* ---- the terminal ---- */

static void terminal_size(size_t *ret_columns, size_t *ret_rows)
{
	struct winsize ws = { 0 };

	ioctl(STDERR_FILENO, TIOCGWINSZ, &ws);
	*ret_columns = ws.ws_col ? ws.ws_col : 80;
	*ret_rows = ws.ws_row ? ws.ws_row : 24;
}

/* To the first column of the first of our lines; a terminal that became narrower has wrapped them. */
static size_t go_back(const struct wring_progress *p, size_t columns, char *out, size_t size)
{
	size_t up = 0;

	for (size_t i = 0; i < p->n_lines; i++)
		up += p->widths[i] > columns ? (p->widths[i] + columns - 1) / columns : 1;
	if (up < 2)
		return p->n_lines ? (size_t)snprintf(out, size, "\r") : 0;
	return (size_t)snprintf(out, size, "\r\033[%zuA", up - 1);
}

void wring_display_erase(struct wring_progress *p)
{
	size_t columns, rows, n;
	char out[48];

	if (!p->n_lines)
		return;
	terminal_size(&columns, &rows);
	n = go_back(p, columns, out, sizeof(out) - 4);
	memcpy(out + n, "\033[J", 3);
	wring_write_all(STDERR_FILENO, out, n + 3);
	p->n_lines = 0;
}

/* All of it in one write: nothing flickers. */
void wring_display_draw(struct wring_progress *p, int64_t now, int64_t heard_ns)
{
	struct pollfd tty = { .fd = STDERR_FILENO, .events = POLLOUT };
	struct line lines[WRING_ARRAY_SIZE(p->widths)];
	char out[sizeof(lines) + 64];
	size_t columns, rows, n, len;

	/* Whoever stopped the terminal with ^S does not stop the recorder. */
	if (poll(&tty, 1, 0) != 1 || !(tty.revents & POLLOUT))
		return;
	terminal_size(&columns, &rows);
	n = make_lines(p, lines, rows - 1 < WRING_ARRAY_SIZE(lines) ? rows - 1 : WRING_ARRAY_SIZE(lines), columns - 1, now, heard_ns);
	len = go_back(p, columns, out, 48);
	for (size_t i = 0; i < n; i++) {
		memcpy(out + len, lines[i].text, lines[i].len);
		len += lines[i].len;
		len += (size_t)sprintf(out + len, "\033[K%s", i + 1 < n ? "\r\n" : "\033[J");
		p->widths[i] = lines[i].cols;
	}
	p->n_lines = n;
	wring_write_all(STDERR_FILENO, out, len);
}

void wring_display_plain(struct wring_progress *p, int64_t now, char *buf, size_t size)
{
	struct line l = { .max = 400 };

	head_line(p, &l, now);
	for (size_t i = 0; i < p->n_loads; i++)
		if (p->loads[i].ops.seen)
			load_line(p, &p->loads[i], &l);
	for (size_t i = 0; i < p->n_groups; i++)
		if (is_shown(p, &p->groups[i]))
			group_line(p, &p->groups[i], &l);
	snprintf(buf, size, "%s", l.text);
}
