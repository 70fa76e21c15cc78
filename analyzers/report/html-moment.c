/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When a finding happened, as far as the run tells. */
#include <math.h>
#include <string.h>
#include "analyzers/klog.h"
#include "analyzers/oom-report.h"
#include "analyzers/report/html.h"
#include "harness/base/util.h"

static const char *phase_at(struct wring_html_run *r, int64_t t_ns)
{
	const struct wring_events *e = wring_view_events(&r->view);
	const char *phase = "";

	for (size_t i = 0; i < e->n && e->rows[i].t_ns <= t_ns; i++)
		if (!strcmp(e->rows[i].kind, "phase"))
			phase = strcmp(e->rows[i].text, "begin") ? "" : e->rows[i].subject;
	return phase;
}

static bool is_in_group(const char *memcg, const char *subject)
{
	_cleanup_free_ char *tail = wring_strf("/%s", subject);
	size_t n = strlen(memcg), m = tail ? strlen(tail) : 0;

	return tail && n >= m && !strcmp(memcg + n - m, tail);
}

size_t wring_html_kills(struct wring_html_run *r, const char *subject, int64_t *t_ns, size_t max)
{
	const struct wring_log *log = wring_view_log(&r->view);
	struct wring_oom_reports o = { 0 };
	const struct wring_series *s;
	size_t n = 0;

	for (size_t i = 0; i < log->n; i++)
		wring_oom_feed(&o, log->rows[i].t_ns, log->rows[i].text);
	for (size_t i = 0; i < o.n && n < max; i++)
		if (!subject || is_in_group(o.rows[i].oom_memcg, subject))
			t_ns[n++] = o.rows[i].t_ns;
	wring_oom_done(&o);
	/* printk limits the rate of reports, and a console may be silent */
	s = wring_view_series(&r->view, subject ? "memory.events" : "vmstat", subject ? subject : "", "oom_kill");
	for (size_t i = 1; s && !n && i < s->n; i++)
		if (s->v[i] > s->v[i - 1] && n < max)
			t_ns[n++] = s->t_ns[i];
	return n;
}

static struct wring_html_moment at(struct wring_html_run *r, int64_t t_ns, const char *how)
{
	return (struct wring_html_moment){ true, (double)(t_ns - r->t0) / 1e9, phase_at(r, t_ns), how };
}

/* The first line of the log that the evidence quotes. */
static bool quoted_line(struct wring_html_run *r, const char *evidence, int64_t *ret)
{
	const struct wring_log *log = wring_view_log(&r->view);

	for (size_t i = 0; i < log->n; i++) {
		int64_t t = log->rows[i].t_ns;
		_cleanup_free_ char *start = strndup(wring_klog_text(log->rows[i].text, &t), 40);

		if (log->rows[i].level <= 4 && start && strlen(start) >= 12 && strstr(evidence, start)) {
			*ret = log->rows[i].t_ns;
			return true;
		}
	}
	return false;
}

/* The highest moment of any group over its own memory.high. */
static bool highest(struct wring_html_run *r, int64_t *ret)
{
	const struct wring_scenario *sc = r->scenario;
	double most = 0;

	for (size_t i = 0; sc && i < sc->n_groups; i++) {
		const struct wring_series *s = wring_view_series(&r->view, "memory", sc->groups[i].path, "current");

		if (!wring_setting_get(&sc->groups[i].files, "memory.high"))
			continue;
		for (size_t k = 0; s && k < s->n; k++)
			if ((double)s->v[k] > most) {
				most = (double)s->v[k];
				*ret = s->t_ns[k];
			}
	}
	return most > 0;
}

struct wring_html_moment wring_html_when(struct wring_html_run *r, const struct wring_finding_row *f)
{
	struct wring_html_moment none = { false, 0, "", "" };
	int64_t t;

	if (!r->has_view)
		return none;
	if (strstr(f->detector, "oom") && wring_html_kills(r, NULL, &t, 1))
		return at(r, t, "first OOM kill");
	if (!strcmp(f->detector, "kernel-log") && quoted_line(r, f->evidence, &t))
		return at(r, t, "logged");
	if (!strcmp(f->detector, "kernel-log") && !wring_view_event_time(&r->view, "guest", "panic", 0, &t))
		return at(r, t, "panic");
	if (!strncmp(f->detector, "high-", 5) && highest(r, &t))
		return at(r, t, "peak");
	if (!strcmp(f->detector, "dying-memcg") && (!wring_view_last_mark(&r->view, "cycle", &t) || !wring_view_last_mark(&r->view, "drained", &t)))
		return at(r, t, "after the last drain");
	if (!strcmp(f->detector, "accounting") && !wring_view_last_mark(&r->view, "frozen", &t))
		return at(r, t, "when frozen");
	return none;
}

const char *wring_html_ratio(double value, double limit, char *buf, size_t size)
{
	double ratio = value / limit;

	if (!(limit > 0) || !isfinite(ratio) || ratio < 0)
		snprintf(buf, size, "%s", limit == 0 && value > 0 ? "none is allowed" : "");
	else if (ratio < 10)
		snprintf(buf, size, "%.2g times the limit", ratio);
	else
		snprintf(buf, size, "%.0f times the limit", ratio);
	return buf;
}
