/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the kernel itself complained about while the run went on. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/klog.h"
#include "analyzers/post-mortem.h"
#include "analyzers/view.h"
#include "harness/base/util.h"

#define NAME "kernel-log"
enum { MAX_EXCERPT = 900, MAX_EXCERPT_LINES = 14, LOOK_AHEAD = 80 };

enum incident {
	PANIC,
	INIT_DIED,
	OOPS,
	BUG,
	WARN,
	CORRUPTION,
	SANITIZER,
	LOCKUP,
	RCU_STALL,
	HUNG_TASK,
	ALLOC_FAILURE,
	N_INCIDENTS,
};

/* needs_host: it only counts when the host let the guest's CPUs run. */
static const struct { const char *cls; bool needs_host;
} incidents[N_INCIDENTS] = {
	[PANIC] = { "panic", false },
	[INIT_DIED] = { "init", false },
	[OOPS] = { "oops", false },
	[BUG] = { "bug", false },
	[WARN] = { "warning", false },
	[CORRUPTION] = { "corruption", false },
	[SANITIZER] = { "sanitizer", false },
	[LOCKUP] = { "lockup", true },
	[RCU_STALL] = { "rcu-stall", true },
	[HUNG_TASK] = { "hung-task", true },
	[ALLOC_FAILURE] = { "alloc-failure", false },
};

/* First rule that fits wins. Most texts count at the start of a message only: a task may have any
 * name, and "traps: x general protection fault" is a program's own fault. */
static const struct rule {
	const char *text;
	bool anywhere;
	const char *also;
	enum incident is;
} rules[] = {
	/* the agent is PID 1 of a guest: its own death is no fault of the kernel */
	{ "Kernel panic - not syncing", true, "Attempted to kill init", INIT_DIED },
	{ "Kernel panic - not syncing", true, NULL, PANIC },
	{ "BUG: soft lockup", true, NULL, LOCKUP },
	{ "BUG: workqueue lockup", true, NULL, LOCKUP },
	{ "hard LOCKUP", true, NULL, LOCKUP },
	{ "BUG: KASAN:", true, NULL, SANITIZER },
	{ "BUG: KFENCE:", true, NULL, SANITIZER },
	{ "BUG: KCSAN:", true, NULL, SANITIZER },
	{ "BUG: KMSAN:", true, NULL, SANITIZER },
	{ "UBSAN:", false, NULL, SANITIZER },
	{ "INFO: rcu_", true, "stall", RCU_STALL },
	{ "blocked for more than", true, "INFO: task ", HUNG_TASK },
	{ "list_add corruption", false, NULL, CORRUPTION },
	{ "list_del corruption", false, NULL, CORRUPTION },
	{ "refcount_t:", false, NULL, CORRUPTION },
	{ "kernel BUG at ", false, NULL, BUG },
	{ "BUG:", false, NULL, BUG },
	{ "Oops:", false, NULL, OOPS },
	{ "Internal error: Oops", false, NULL, OOPS },
	{ "general protection fault", false, NULL, OOPS },
	{ "invalid opcode: ", false, NULL, OOPS },
	{ "divide error: ", false, NULL, OOPS },
	{ "stack segment: ", false, NULL, OOPS },
	{ "double fault: ", false, NULL, OOPS },
	{ "WARNING:", false, NULL, WARN },
	{ ": page allocation failure: order:", true, NULL, ALLOC_FAILURE },
};

struct line { int64_t t_ns; const char *text; };
struct lines { struct line *rows; size_t n; bool oom; };

struct found {
	size_t n;
	const struct lines *in;
	size_t first; /* index into `in` */
};

/* ---- lines of the log and of the console ---- */

static void add_line(struct lines *l, int64_t t_ns, const char *text)
{
	struct line *rows = l->rows;

	if (!(l->n & (l->n - 1)))
		rows = reallocarray(l->rows, l->n ? 2 * l->n : 1, sizeof(*rows));
	if (rows)
		l->rows = rows;
	text = rows ? strdup(text) : NULL;
	if (text)
		l->rows[l->n++] = (struct line){ t_ns, text };
	else
		l->oom = true;
}

static void lines_done(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		free((char *)l->rows[i].text);
	free(l->rows);
}

struct reader { struct lines *to; int64_t t_ns, from, until; };

static void read_line(void *arg, const char *line)
{
	struct reader *r = arg;
	const char *text;

	/* continuation lines without a stamp belong to the moment of the line before */
	text = wring_klog_text(line, &r->t_ns);
	if (r->t_ns >= r->from && r->t_ns < r->until && *text)
		add_line(r->to, r->t_ns, text);
}

static void read_log(struct wring_view *v, struct lines *to)
{
	const struct wring_log *log = wring_view_log(v);

	for (size_t i = 0; i < log->n; i++) {
		/* the agent's own time for the record, whatever is printed in it */
		struct reader r = {
			.to = to, .t_ns = log->rows[i].t_ns, .from = INT64_MIN, .until = INT64_MAX
		};

		wring_klog_split(log->rows[i].text, read_line, &r);
	}
}

/* When did the next run of the same boot begin? INT64_MAX when this is the last one. */
static int64_t next_begin(struct wring_view *v, struct wring_err *err, int *ret_error)
{
	struct wring_runs runs = { 0 };
	int64_t t = INT64_MAX;

	*ret_error = wring_store_runs(v->store, NULL, &runs, err);
	for (size_t i = 0; !*ret_error && i < runs.n; i++) {
		struct wring_events e = { 0 };

		if (runs.rows[i].boot != v->boot || runs.rows[i].id <= v->run)
			continue;
		*ret_error = wring_store_events(v->store, runs.rows[i].id, NULL, NULL, &e, err);
		if (!*ret_error && e.n && e.rows[0].t_ns < t)
			t = e.rows[0].t_ns;
		wring_events_done(&e);
	}
	wring_runs_done(&runs);
	return t;
}

/* A guest's console is one text for all runs of the boot, and what kills the kernel reaches nothing
 * else. A line is this run's when its stamp lies between the first event of the run and that of the
 * next one; printk's clock and CLOCK_MONOTONIC both start with the boot. */
static int read_console(struct wring_view *v, struct lines *to, struct wring_err *err)
{
	_cleanup_free_ char *text = NULL;
	struct reader r = { .to = to, .t_ns = INT64_MIN };
	int64_t last;
	int e;

	e = wring_store_get_console(v->store, v->boot, &text, NULL, err);
	if (e || !text)
		return e == -ENOENT ? 0 : e;
	wring_view_span(v, &r.from, &last);
	/* a run that never got to its first event: only what it alone can have caused */
	if (r.from == INT64_MIN)
		return 0;
	r.until = next_begin(v, err, &e);
	if (!e)
		wring_klog_split(text, read_line, &r);
	return e;
}

/* ---- what they say ---- */

/* -1 when the line is nothing to worry about. */
static int classify(const char *text)
{
	for (size_t i = 0; i < WRING_ARRAY_SIZE(rules); i++) {
		const struct rule *r = &rules[i];
		bool hit = r->anywhere ? strstr(text, r->text) != NULL :
			   !strncmp(text, r->text, strlen(r->text));

		if (hit && (!r->also || strstr(text, r->also)))
			return (int)r->is;
	}
	return -1;
}

/* An allocation may fail where it may not wait, where its caller said so, and where it is large. */
static bool is_legal_failure(const char *text)
{
	static const char *const may_fail[] = {
		"GFP_ATOMIC", "GFP_NOWAIT", "__GFP_NORETRY", "__GFP_RETRY_MAYFAIL", "GFP_TRANSHUGE",
		"__GFP_HIGH",
	};
	const char *order = strstr(text, "order:");

	if (order && strtol(order + strlen("order:"), NULL, 10) > 3)
		return true;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(may_fail); i++)
		if (strstr(text, may_fail[i]))
			return true;
	return false;
}

static bool has_line(const struct lines *l, const char *text)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->rows[i].text, text))
			return true;
	return false;
}

/* other: lines that were looked through already; what is in both is one incident. */
static void scan(const struct lines *l, const struct lines *other, struct found f[N_INCIDENTS],
		 size_t *legal)
{
	for (size_t i = 0; i < l->n; i++) {
		int is = classify(l->rows[i].text);

		if (is < 0 || (other && has_line(other, l->rows[i].text)))
			continue;
		if (is == ALLOC_FAILURE && is_legal_failure(l->rows[i].text)) {
			(*legal)++;
			continue;
		}
		if (!f[is].n++) {
			f[is].in = l;
			f[is].first = i;
		}
	}
}

static bool is_frame(const char *text)
{
	return strstr(text, "+0x") && strstr(text, "/0x");
}

/* The line and what tells where: RIP, and the first frames of the trace behind it. */
static void excerpt(const struct lines *l, size_t at, char *buf, size_t size)
{
	size_t len = (size_t)snprintf(buf, size, "%s", l->rows[at].text), lines = 1;

	for (size_t i = at + 1; i < l->n && i < at + LOOK_AHEAD && lines < MAX_EXCERPT_LINES; i++) {
		const char *text = l->rows[i].text;

		if (strncmp(text, "RIP:", 4) && strncmp(text, "Comm:", 5) &&
		    strncmp(text, "CPU:", 4) && !is_frame(text) && classify(text) < 0)
			continue;
		if (len >= size)
			break;
		len += (size_t)snprintf(buf + len, size - len, " | %s", text);
		lines++;
	}
}

/* ---- the guest as a whole ---- */

static const struct wring_event *guest_event(struct wring_view *v, const char *subject)
{
	const struct wring_events *e = wring_view_events(v);

	for (size_t i = 0; i < e->n; i++)
		if (!strcmp(e->rows[i].kind, "guest") && !strcmp(e->rows[i].subject, subject))
			return &e->rows[i];
	return NULL;
}

static void who_stood_where(const struct lines *console, char *buf, size_t size)
{
	struct wring_post_mortem p = { .n = 0 };

	for (size_t i = 0; i < console->n; i++)
		wring_post_mortem_feed(&p, console->rows[i].text);
	wring_post_mortem_end(&p);
	wring_post_mortem_text(&p, buf, size);
}

static void judge_guest(struct wring_view *v, const char *stack, struct found f[N_INCIDENTS], const struct wring_event *starved)
{
	const struct wring_event *panic = guest_event(v, "panic"), *hang = guest_event(v, "hang");

	if (panic && !f[PANIC].n && !f[INIT_DIED].n) {
		wring_finding(v, NAME, "panic", WRING_V_FAIL, 1, 0, "panics",
			      "the guest panicked: %s%s%s", panic->text, stack[0] ? " | " : "",
			      stack);
	}
	/* The recorder's NMI makes a kernel that hangs panic: that is the hang's stack, not a second fault. */
	if (hang && f[PANIC].n && strstr(f[PANIC].in->rows[f[PANIC].first].text, "NMI: Not continuing"))
		f[PANIC].n = 0;
	if (hang) {
		wring_finding(v, NAME, "hang", starved ? WRING_INCONCLUSIVE : WRING_V_FAIL, 1, 0,
			      "hangs", "the guest hung: %s%s%s%s%s", hang->text,
			      starved ? "; the host did not run it: " : "",
			      starved ? starved->text : "", stack[0] ? " | " : "", stack);
	}
}

static size_t report(struct wring_view *v, const struct found f[N_INCIDENTS],
		     const struct wring_event *starved)
{
	size_t n = 0;

	for (int is = 0; is < N_INCIDENTS; is++) {
		bool is_open = incidents[is].needs_host && starved;
		enum wring_verdict verdict = WRING_V_FAIL;
		char text[MAX_EXCERPT];

		if (!f[is].n)
			continue;
		n++;
		excerpt(f[is].in, f[is].first, text, sizeof(text));
		if (is == ALLOC_FAILURE)
			verdict = WRING_SUSPECT; /* a task that is being killed may fail, too */
		if (is_open || is == INIT_DIED)
			verdict = WRING_INCONCLUSIVE;
		wring_finding(v, NAME, incidents[is].cls, verdict, (double)f[is].n, 0, "lines",
			      "%zu such line(s), the first at %.3f s%s%s: %s", f[is].n,
			      (double)f[is].in->rows[f[is].first].t_ns / 1e9,
			      is_open ? ", while the host did not run the guest all the time: "
				      : "",
			      is_open ? starved->text : "", text);
	}
	return n;
}

/* A guest that never got to the run was not judged: what kills it before is a matter of the set-up
 * (a KVM that cannot boot it, an initramfs it does not like), and the run stays broken. */
static void report_nothing(struct wring_view *v, size_t n_log, size_t n_console, size_t legal)
{
	if (!wring_view_events(v)->n)
		wring_finding(v, NAME, "unheard", WRING_INCONCLUSIVE, 0, 0, "lines",
			      "the run has no events: it never began, and the log is not its own");
	else
		wring_finding(v, NAME, "clean", WRING_PASS, 0, 0, "lines",
			      "nothing to worry about in %zu lines of the kernel log and %zu of "
			      "the console; %zu legal allocation failures", n_log, n_console, legal);
}

static int judge(struct wring_view *v, struct wring_err *err)
{
	struct lines log = { 0 }, console = { 0 };
	struct found f[N_INCIDENTS] = { 0 };
	const struct wring_event *starved = guest_event(v, "starved");
	char stack[MAX_EXCERPT];
	size_t legal = 0;
	int e;

	if (!starved)
		starved = guest_event(v, "paused");
	read_log(v, &log);
	e = read_console(v, &console, err);
	if (!e && (log.oom || console.oom))
		e = wring_err_set(err, -ENOMEM, NAME ": out of memory");
	if (!e) {
		scan(&log, NULL, f, &legal);
		scan(&console, &log, f, &legal);
		who_stood_where(&console, stack, sizeof(stack));
		judge_guest(v, stack, f, starved);
		if (!report(v, f, starved) && !guest_event(v, "panic") && !guest_event(v, "hang"))
			report_nothing(v, log.n, console.n, legal);
		wring_metric(v, "alloc_failures", "count", (double)(legal + f[ALLOC_FAILURE].n),
			     "lower", "info");
	}
	lines_done(&log);
	lines_done(&console);
	return e;
}

static const struct wring_metric_info metric_infos[] = {
	{ "alloc_failures", "count", "lower", "allocation failures that the kernel warned of" },
	{ 0 }
};

static const struct wring_detector kernel_log = {
	.name = NAME,
	.summary = "bugs, warnings, lockups and stalls that the kernel reported, panics and hangs "
		   "of a guest",
	.doc = "Reads the run's kernel log and, of a guest's console, the lines stamped between "
	       "the\n"
	       "first event of the run and that of the next run of the same boot (to the end for "
	       "the\n"
	       "last one: what follows a run is its doing). Fails on panic, oops, BUG, WARNING, "
	       "list\n"
	       "and reference corruption, sanitizer reports, soft and hard lockups, RCU stalls "
	       "and\n"
	       "hung tasks; the last three only when the host let the guest's CPUs run (no event\n"
	       "`guest starved` or `guest paused`), else inconclusive. A guest that panicked or "
	       "hung\n"
	       "(events of the recorder) fails with the stack found in its console; a panic "
	       "because\n"
	       "init, which is the agent, died is inconclusive. Allocation failures are legal for\n"
	       "GFP_ATOMIC, GFP_NOWAIT, orders above 3 and callers that say they can bear it, "
	       "else\n"
	       "suspect. Allowed: OOM reports (premature-oom judges them), taint by the suite's "
	       "own\n"
	       "module, an unstable clocksource. No load may crash or wedge a kernel (R07 R10 R20 "
	       "R43\n"
	       "R44 R47, and every thread).",
	.controls = "fires: sysrq c (panic), fault module that warns; silent: every scenario on a "
		    "stock\n"
		    "kernel",
	.metrics = metric_infos,
	.judge = judge,
};
WRING_REGISTER_DETECTOR(kernel_log);
