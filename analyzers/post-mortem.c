/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/post-mortem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/klog.h"
#include "harness/base/util.h"

enum { MAX_FRAMES = 8 };

static bool starts(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

static const char *const beginnings[] = { "[wring: sysrq ", "sysrq: Show ", "NMI backtrace for cpu", "Kernel panic - not syncing" };

static bool begins_post_mortem(const char *line)
{
	for (size_t i = 0; i < WRING_ARRAY_SIZE(beginnings); i++)
		if (starts(line, beginnings[i]))
			return true;
	return false;
}

/* How a task gets to sleep says nothing of what it waits for. */
static bool is_sleep(const char *frame)
{
	static const char *const names[] = { "__schedule+", "schedule+", "schedule_timeout+", "schedule_preempt_disabled+", "io_schedule+",
					     "io_schedule_timeout+", "preempt_schedule" };

	for (size_t i = 0; i < WRING_ARRAY_SIZE(names); i++)
		if (starts(frame, names[i]))
			return true;
	return false;
}

static bool is_idle(const char *where)
{
	static const char *const names[] = { "do_idle+", "default_idle+", "cpu_startup_entry+", "skipped: idling" };

	for (size_t i = 0; i < WRING_ARRAY_SIZE(names); i++)
		if (strstr(where, names[i]))
			return true;
	return false;
}

static size_t frames(const char *where)
{
	size_t n = *where != '\0';

	for (const char *p = where; (p = strstr(p, " < ")); p += 3)
		n++;
	return n;
}

static void add_frame(struct wring_stood *s, const char *frame)
{
	size_t len = strlen(s->where);

	s->is_idle = s->is_idle || is_idle(frame);
	if (frames(s->where) < MAX_FRAMES && !is_sleep(frame) && len + strlen(frame) + 4 < sizeof(s->where))
		snprintf(s->where + len, sizeof(s->where) - len, "%s%s", len ? " < " : "", frame);
}

/* The same task or CPU again (by sysrq w, and by t): the first time counts. */
static struct wring_stood *stand(struct wring_post_mortem *p, const char *who)
{
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->rows[i].who, who))
			return NULL;
	if (p->n == WRING_ARRAY_SIZE(p->rows)) {
		p->left_out++;
		return NULL;
	}
	p->rows[p->n] = (struct wring_stood){ .where = "" };
	snprintf(p->rows[p->n].who, sizeof(p->rows[0].who), "%s", who);
	return &p->rows[p->n++];
}

/* Starts a stack; returns false when the line is the start of none. */
static bool begin_stack(struct wring_post_mortem *p, const char *line)
{
	const char *state = strstr(line, " state:"), *end = strchr(line, ']'), *pid = strstr(line, " PID: "), *comm = strstr(line, " Comm: ");
	struct wring_stood *s;
	char who[100];
	unsigned cpu;
	int n = 0;

	/* "task:init            state:D stack:0     pid:1 ..." */
	if (starts(line, "task:") && state) {
		pid = strstr(state, " pid:");
		p->collects = starts(state, " state:D") && pid;
		while (state > line && state[-1] == ' ')
			state--;
		snprintf(who, sizeof(who), "%.*s (pid %d), blocked", (int)(state - line - 5), line + 5, pid ? atoi(pid + 5) : 0);
		p->collects = p->collects && stand(p, who);
		return true;
	}
	/* "CPU: 2 UID: 0 PID: 26 Comm: migration/2 Tainted: ..." */
	if (sscanf(line, "CPU: %u", &cpu) == 1 && pid && comm) {
		snprintf(who, sizeof(who), "CPU %u, %.*s (pid %d)", cpu, (int)strcspn(comm + 7, " "), comm + 7, atoi(pid + 6));
		p->collects = stand(p, who);
		return true;
	}
	/* Ours: "[wring: CPU 0 at ffffffffc0668007, in the kernel] NAME" */
	if (sscanf(line, "[wring: CPU %u at %n", &cpu, &n) == 1 && n && end) {
		p->collects = false;
		snprintf(who, sizeof(who), "CPU %u", cpu);
		s = stand(p, who);
		if (s)
			snprintf(s->where, sizeof(s->where), "%.*s%s", (int)(end - line) - n, line + n, end + 1);
		return true;
	}
	return false;
}

void wring_post_mortem_feed(struct wring_post_mortem *p, const char *line)
{
	const char *plus = strstr(line, "+0x");
	struct wring_stood *s = p->n ? &p->rows[p->n - 1] : NULL;

	p->begun = p->begun || begins_post_mortem(line);
	if (!p->begun)
		return;
	if (begin_stack(p, line) || !p->collects || !s)
		return;
	/* What was interrupted is what counts, not how the question came to this CPU. */
	if (starts(line, "RIP: 0010:")) {
		s->where[0] = '\0';
		s->is_idle = false;
		add_frame(s, line + strlen("RIP: 0010:"));
	} else if (plus && strstr(plus, "/0x") && !starts(line, "? ") && strcspn(line, " ") > (size_t)(plus - line)) {
		add_frame(s, line);
	} else if (starts(line, "[wring: ") || starts(line, "sysrq: ")) {
		p->collects = false;
	}
}

/* A CPU's registers alone, where its kernel spoke after all. */
static bool is_known_better(const struct wring_post_mortem *p, const char *who)
{
	size_t len = strlen(who);

	for (size_t i = 0; i < p->n; i++)
		if (!strncmp(p->rows[i].who, who, len) && p->rows[i].who[len] == ',')
			return true;
	return false;
}

void wring_post_mortem_end(struct wring_post_mortem *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		p->rows[i].is_idle = p->rows[i].is_idle || !*p->rows[i].where || is_known_better(p, p->rows[i].who);
	for (size_t i = 0; i < p->n; i++)
		if (!p->rows[i].is_idle) {
			struct wring_stood row = p->rows[i];

			p->rows[n++] = row;
		}
	p->n = n;
}

static void feed(void *data, const char *line)
{
	int64_t t;

	wring_post_mortem_feed(data, wring_klog_text(line, &t));
}

void wring_post_mortem_of(const char *console, struct wring_post_mortem *ret)
{
	*ret = (struct wring_post_mortem){ .n = 0 };
	for (size_t i = 0; i < WRING_ARRAY_SIZE(beginnings); i++) {
		const char *p = strstr(console, beginnings[i]);

		while (p && p > console && p[-1] != '\n')
			p--;
		if (p && (!ret->from || (size_t)(p - console) < ret->from))
			ret->from = (size_t)(p - console);
	}
	wring_klog_split(console, feed, ret);
	wring_post_mortem_end(ret);
}

void wring_post_mortem_text(const struct wring_post_mortem *p, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < p->n && len < size; i++) {
		size_t need = strlen(p->rows[i].who) + strlen(p->rows[i].where) + 5;

		if (len + need < size)
			len += (size_t)snprintf(buf + len, size - len, "%s%s: %s", len ? " | " : "", p->rows[i].who, p->rows[i].where);
	}
}

char *wring_remains_text(struct wring_store *st, const struct wring_run_row *run)
{
	struct wring_events e = { 0 };
	bool has_stacks = false;
	const char *dump = NULL;
	struct wring_err err;
	char *text = NULL;

	if (strcmp(run->where, "vm") || wring_store_events(st, run->id, "guest", NULL, &e, &err))
		return NULL;
	for (size_t i = 0; i < e.n; i++) {
		has_stacks = has_stacks || !strcmp(e.rows[i].subject, "panic") || !strcmp(e.rows[i].subject, "hang");
		if (!strcmp(e.rows[i].subject, "dump"))
			dump = e.rows[i].text;
	}
	if (has_stacks)
		text = wring_strf("all it said, with all stacks: wring report --format=console %.8s%s%s", run->uuid, dump ? "; its memory: " : "",
				  dump ? dump : "");
	else if (dump)
		text = wring_strf("the guest's memory: %s", dump);
	wring_events_done(&e);
	return text;
}
