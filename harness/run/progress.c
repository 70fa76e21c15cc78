/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a person sees while it runs: one line that changes on a terminal, plain lines otherwise, on stderr. */
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/units.h"
#include "harness/base/util.h"
#include "harness/run/run.h"

struct wring_progress {
	bool tty, quiet, open;        /* open: the current line is unfinished */
	size_t n, at;
	const struct wring_scenario *scenario;
	char phase[64], subject[64];
	int64_t limit, current, since_ns, last_ns;
};

struct wring_progress *wring_progress_new(const struct wring_run_options *o, size_t n_scenarios)
{
	struct wring_progress *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->quiet = o->quiet;
	p->tty = isatty(STDERR_FILENO) && !o->verbose;
	p->n = n_scenarios;
	return p;
}

void wring_progress_free(struct wring_progress *p)
{
	free(p);
}

static void clear_line(struct wring_progress *p)
{
	if (p->open)
		fputs("\r\033[K", stderr);
	p->open = false;
}

void wring_progress_line(struct wring_progress *p, const char *fmt, ...)
{
	va_list ap;

	if (p->quiet)
		return;
	clear_line(p);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void wring_progress_begin(struct wring_progress *p, const struct wring_scenario *s)
{
	p->scenario = s;
	p->at++;
	p->since_ns = wring_now_ns();
	p->limit = p->current = 0;
	*p->subject = '\0';
	snprintf(p->phase, sizeof(p->phase), "set-up");
	if (!p->tty)
		wring_progress_line(p, "[%zu/%zu] %s: %s", p->at, p->n, s->name, s->summary ? s->summary : "");
}

void wring_progress_phase(struct wring_progress *p, const char *phase)
{
	snprintf(p->phase, sizeof(p->phase), "%s", phase);
}

/* The first limit that is set is the one shown. */
void wring_progress_limit(struct wring_progress *p, const char *subject, const char *text)
{
	const char *eq = strchr(text, '=');

	if (*p->subject || !eq || (strncmp(text, "memory.max", 10) && strncmp(text, "memory.high", 11)) || !strcmp(eq, "=max"))
		return;
	snprintf(p->subject, sizeof(p->subject), "%s", subject);
	p->limit = strtoll(eq + 1, NULL, 10);
}

void wring_progress_memory(struct wring_progress *p, const char *subject, int64_t bytes)
{
	if (!*p->subject || !strcmp(subject, p->subject))
		p->current = bytes;
}

static const char *shown(const char *outcome)
{
	/* "ok" is the agent's word for "measured"; the verdict comes when the run is judged. */
	return strcmp(outcome, "ok") ? outcome : "measured";
}

void wring_progress_end(struct wring_progress *p, const char *outcome, const char *reason)
{
	wring_progress_line(p, "[%zu/%zu] %s: %s in %.1f s%s%s", p->at, p->n, p->scenario->name, shown(outcome),
			    (double)(wring_now_ns() - p->since_ns) / 1e9, *reason ? ": " : "", reason);
	p->scenario = NULL;
}

void wring_progress_tick(struct wring_progress *p)
{
	char cur[24], lim[24];
	int64_t now = wring_now_ns(), left;

	if (p->quiet || !p->tty || !p->scenario || now - p->last_ns < 200 * WRING_NSEC_PER_MSEC)
		return;
	p->last_ns = now;
	left = (int64_t)p->scenario->timeout_ns - (now - p->since_ns);
	fprintf(stderr, "\r[%zu/%zu] %s: %s, %.0f s (at most %.0f s more), memory %s", p->at, p->n, p->scenario->name, p->phase,
		(double)(now - p->since_ns) / 1e9, left > 0 ? (double)left / 1e9 : 0.0,
		wring_format_size((uint64_t)p->current, cur, sizeof(cur)));
	if (p->limit)
		fprintf(stderr, " of %s in %s", wring_format_size((uint64_t)p->limit, lim, sizeof(lim)), p->subject);
	fputs("\033[K", stderr);
	p->open = true;
}
