/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a person sees while it runs, on stderr: a few lines that are rewritten in place on a terminal, plain lines otherwise.
 * The recorder only stores numbers here; all the work is done when it is time to draw, four times a second. */
#include <langinfo.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "analyzers/report/text.h"
#include "harness/base/units.h"
#include "harness/base/util.h"
#include "harness/run/progress.h"

#define DRAW_NS (250 * WRING_NSEC_PER_MSEC)
#define PLAIN_NS (30 * WRING_NSEC_PER_SEC) /* a sign of life for a log */

static bool says_utf8(locale_t l)
{
	return l && !strcmp(nl_langinfo_l(CODESET, l), "UTF-8");
}

struct wring_progress *wring_progress_new(const struct wring_run_options *o, size_t n_scenarios)
{
	struct wring_progress *p = calloc(1, sizeof(*p));
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (!p)
		return NULL;
	p->quiet = o->quiet;
	p->tty = isatty(STDERR_FILENO) && !o->verbose && term && strcmp(term, "dumb");
	p->color = !no_color || !*no_color;
	p->locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	p->utf8 = says_utf8(p->locale);
	p->n = n_scenarios;
	return p;
}

static __attribute__((format(printf, 2, 0))) void say(struct wring_progress *p, const char *fmt, va_list ap)
{
	wring_display_erase(p);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void wring_progress_line(struct wring_progress *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!p->quiet)
		say(p, fmt, ap);
	va_end(ap);
}

void wring_progress_tell(struct wring_progress *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(p, fmt, ap);
	va_end(ap);
}

void wring_progress_free(struct wring_progress *p)
{
	if (!p)
		return;
	wring_display_erase(p);
	if (p->locale)
		freelocale(p->locale);
	free(p);
}

void wring_progress_tick(struct wring_progress *p, int64_t heard_ns)
{
	int64_t now = wring_now_ns();
	char text[600];

	if (p->quiet || !*p->state || now - p->drawn_ns < (p->tty ? DRAW_NS : PLAIN_NS))
		return;
	p->drawn_ns = now;
	if (p->tty) {
		wring_display_draw(p, now, heard_ns);
		return;
	}
	wring_display_plain(p, now, text, sizeof(text));
	wring_progress_line(p, "%s", text);
}

void wring_progress_boot(struct wring_progress *p, const char *what)
{
	snprintf(p->state, sizeof(p->state), "%s", what);
	p->since_ns = p->drawn_ns = wring_now_ns();
	if (p->tty)
		p->drawn_ns = 0;
}

/* How long the steps take that say so: all else is extra. */
static int64_t planned(const struct wring_scenario *s, size_t *ret_steps)
{
	int64_t all = 0, ns;

	*ret_steps = 0;
	for (size_t i = 0; i < s->n_phases; i++) {
		const struct wring_phase *ph = &s->phases[i];

		*ret_steps += ph->repeat * ph->n;
		for (size_t k = 0; k < ph->n; k++)
			if ((ph->steps[k].verb->id == WRING_STEP_HOLD && !wring_parse_duration(ph->steps[k].args[0], &ns, NULL)) ||
			    (ph->steps[k].verb->id == WRING_STEP_CHURN && !wring_parse_duration(ph->steps[k].args[1], &ns, NULL)))
				all += ns * (int64_t)ph->repeat;
	}
	return all;
}

void wring_progress_begin(struct wring_progress *p, const struct wring_scenario *s)
{
	p->scenario = s;
	p->at++;
	p->since_ns = p->drawn_ns = wring_now_ns();
	p->n_groups = p->n_loads = p->step = 0;
	p->passed_ns = p->step_ns = 0;
	p->planned_ns = planned(s, &p->n_steps);
	*p->phase = '\0';
	snprintf(p->state, sizeof(p->state), "set-up");
	if (!p->tty)
		wring_progress_line(p, "[%zu/%zu] %s: %s", p->at, p->n, s->name, s->summary ? s->summary : "");
}

/* What a guest says may not drive the terminal. */
static void set_name(char *name, size_t size, const char *text)
{
	_cleanup_free_ char *clean = wring_text_clean(text, true);

	snprintf(name, size, "%s", clean ? clean : "");
}

static void on_phase(struct wring_progress *p, const char *phase, const char *what)
{
	bool begins = !strcmp(what, "begin"), is_new = strcmp(p->phase, phase);

	set_name(p->phase, sizeof(p->phase), begins ? phase : "");
	snprintf(p->state, sizeof(p->state), "clean-up");
	if (begins && is_new && !p->tty && p->scenario)
		wring_progress_line(p, "[%zu/%zu] %s: phase %s, %.1f s", p->at, p->n, p->scenario->name, phase,
				    (double)(wring_now_ns() - p->since_ns) / 1e9);
}

static void on_step(struct wring_progress *p, const char *verb, const char *args)
{
	const char *last = strrchr(args, ' ');

	if (!strncmp(args, "done ns=", 8)) {
		p->passed_ns += p->step_ns;
		p->step_ns = 0;
		return;
	}
	p->step++;
	set_name(p->verb, sizeof(p->verb), verb);
	p->step_ns = 0;
	p->step_since_ns = wring_now_ns();
	if (!strcmp(verb, "hold") || !strcmp(verb, "churn"))
		wring_parse_duration(last ? last + 1 : args, &p->step_ns, NULL);
}

static struct wring_shown_group *find_group(struct wring_progress *p, const char *name)
{
	for (size_t i = 0; i < p->n_groups; i++)
		if (!strncmp(p->groups[i].name, name, sizeof(p->groups[i].name) - 1))
			return &p->groups[i];
	if (p->n_groups == WRING_SHOWN_ROWS)
		return NULL;
	p->groups[p->n_groups] = (struct wring_shown_group){ 0 };
	set_name(p->groups[p->n_groups].name, sizeof(p->groups[0].name), name);
	return &p->groups[p->n_groups++];
}

static struct wring_shown_load *find_load(struct wring_progress *p, const char *name)
{
	for (size_t i = 0; i < p->n_loads; i++)
		if (!strncmp(p->loads[i].name, name, sizeof(p->loads[i].name) - 1))
			return &p->loads[i];
	if (p->n_loads == WRING_SHOWN_ROWS)
		return NULL;
	p->loads[p->n_loads] = (struct wring_shown_load){ 0 };
	set_name(p->loads[p->n_loads].name, sizeof(p->loads[0].name), name);
	return &p->loads[p->n_loads++];
}

static void on_limit(struct wring_progress *p, const char *subject, const char *text)
{
	bool is_high = !strncmp(text, "memory.high=", 12), is_max = !strncmp(text, "memory.max=", 11);
	struct wring_shown_group *g = is_high || is_max ? find_group(p, subject) : NULL;
	int64_t bytes = strtoll(strchr(text, '=') ? strchr(text, '=') + 1 : "", NULL, 10); /* "max": 0, no limit */

	if (g && is_high)
		g->high = bytes;
	else if (g)
		g->max = bytes;
}

void wring_progress_event(struct wring_progress *p, const char *kind, const char *subject, const char *text)
{
	if (p->quiet)
		return;
	if (!strcmp(kind, "phase"))
		on_phase(p, subject, text);
	else if (!strcmp(kind, "step"))
		on_step(p, subject, text);
	else if (!strcmp(kind, "limit"))
		on_limit(p, subject, text);
}

struct wring_gauge *wring_progress_watch(struct wring_progress *p, const char *sampler, const char *subject, const char *key)
{
	static const struct { const char *sampler, *key; bool is_load; size_t at; } watched[] = {
		{ "memory", "current", false, offsetof(struct wring_shown_group, memory) },
		{ "memory.pressure", "memory_some_us", false, offsetof(struct wring_shown_group, pressure) },
		{ "memory.events", "oom_kill", false, offsetof(struct wring_shown_group, oom) },
		{ "load", "ops", true, offsetof(struct wring_shown_load, ops) }, { "load", "errors", true, offsetof(struct wring_shown_load, errors) },
	};
	struct wring_gauge *g;
	char *row;

	for (size_t i = 0; i < WRING_ARRAY_SIZE(watched) && !p->quiet; i++) {
		if (strcmp(watched[i].sampler, sampler) || strcmp(watched[i].key, key))
			continue;
		row = watched[i].is_load ? (char *)find_load(p, subject) : (char *)find_group(p, subject);
		if (!row)
			return NULL;
		g = (struct wring_gauge *)(void *)(row + watched[i].at);
		*g = (struct wring_gauge){ .rate = -1 };
		return g;
	}
	return NULL;
}

void wring_gauge_set(struct wring_gauge *g, int64_t value, int64_t t_ns)
{
	if (!g->seen) {
		g->old_value = value;
		g->old_t_ns = t_ns;
		g->seen = true;
	}
	g->value = value;
	g->t_ns = t_ns;
}

void wring_progress_end(struct wring_progress *p, const char *outcome, const char *reason)
{
	/* "ok" is the agent's word for "measured"; the verdict comes when the run is judged. */
	wring_progress_line(p, "[%zu/%zu] %s: %s in %.1f s%s%s", p->at, p->n, p->scenario->name, strcmp(outcome, "ok") ? outcome : "measured",
			    (double)(wring_now_ns() - p->since_ns) / 1e9, *reason ? ": " : "", reason);
	p->scenario = NULL;
	*p->state = '\0';
}
