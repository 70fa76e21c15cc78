/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memory.high slows tasks down: it must not stop them. */
#include <errno.h>
#include <string.h>
#include "analyzers/twin.h"
#include "harness/base/util.h"

#define NAME "high-stall"
#define SLEEP_MS 2000 /* MEMCG_MAX_HIGH_DELAY_JIFFIES: what one throttling sleep lasts at most */
#define SLACK_MS 500  /* to be woken and run, on a machine that has other work */
#define GAP_NS (250 * 1000000LL) /* a sampler that was away for so long says nothing about others */

/* The longest time in which a thread did nothing that it counts. */
struct stall {
	int64_t from, to;
	double unseen_ms; /* of it, when the sampler was away */
	bool is_whole;    /* from its start to its end */
};

static double length_ms(const struct stall *s)
{
	double ms = (double)(s->to - s->from) / 1e6 - s->unseen_ms;

	return ms > 0 ? ms : 0;
}

static double unseen_ms(const struct wring_series *s, int64_t from, int64_t to)
{
	double ms = 0;

	for (size_t i = wring_series_find(s, from); i + 1 < s->n && s->t_ns[i + 1] <= to; i++)
		if (s->t_ns[i + 1] - s->t_ns[i] > GAP_NS)
			ms += (double)(s->t_ns[i + 1] - s->t_ns[i]) / 1e6;
	return ms;
}

static void consider(const struct wring_series *s, int64_t from, int64_t to, bool is_whole, struct stall *longest)
{
	struct stall x = { from, to, 0, is_whole };

	x.unseen_ms = unseen_ms(s, from, to);
	if (length_ms(&x) > length_ms(longest))
		*longest = x;
}

/* From the first to the last sample with the same value: never longer than what happened. The time behind the last step counts
 * only where the thread was killed before it was done. */
static void longest_of(const struct wring_series *s, int64_t start, int64_t end, bool was_killed, struct stall *longest)
{
	size_t i = wring_series_find(s, start), first = i;
	int64_t since = start;
	bool moved = false;

	if (i == s->n)
		return;
	for (; i + 1 < s->n && s->t_ns[i + 1] <= end; i++) {
		if (s->v[i + 1] == s->v[i])
			continue;
		consider(s, since, s->t_ns[i], false, longest);
		since = s->t_ns[i + 1];
		moved = true;
	}
	if (was_killed && i > first)
		consider(s, since, end < INT64_MAX ? end : s->t_ns[i], !moved, longest);
}

/* Of all threads of the load; false when nothing of it was sampled. */
static bool find_stall(struct wring_view *v, const char *load, struct stall *ret)
{
	int64_t start = wring_load_started(v, load), signal, end = wring_load_ended(v, load, &signal);
	bool any = false;

	*ret = (struct stall){ 0 };
	for (unsigned i = 0; start >= 0; i++) {
		_cleanup_free_ char *key = wring_strf("ops.%u", i);
		const struct wring_series *s = key ? wring_view_series(v, "load-threads", load, key) : NULL;

		if (!s)
			break;
		longest_of(s, start, end, signal != 0, ret);
		any = true;
	}
	return any;
}

/* CPU time of the group in the kernel during the stall: reclaim is work, not sleep. */
static double system_ms(struct wring_view *v, const char *group, const struct stall *x)
{
	const struct wring_series *s = wring_view_series(v, "cpu.stat", group, "system_usec");
	size_t from = s ? wring_series_find(s, x->from) : 0, to = s ? wring_series_find(s, x->to) : 0;

	if (!s || from == s->n)
		return 0;
	to = to == s->n ? to - 1 : to;
	return (double)(s->v[to] - s->v[from ? from - 1 : 0]) / 1e3;
}

static void judge_load(struct wring_view *v, const struct wring_load *l)
{
	const struct wring_load *twin = wring_twin(v, l, "*");
	double sleep = (double)wring_view_limit(v, NAME ".sleep-ms", SLEEP_MS), cpu, beside = 0, limit, value;
	_cleanup_free_ char *name = wring_strf("longest_stall_ms.%s", l->name);
	struct stall x, y;
	bool fails;

	if (!find_stall(v, l->name, &x)) {
		wring_finding(v, NAME, "stall", WRING_INCONCLUSIVE, 0, sleep, "ms", "no sample of load-threads of %s, or it did not start",
			      l->name);
		return;
	}
	if (twin && find_stall(v, twin->name, &y))
		beside = length_ms(&y);
	cpu = system_ms(v, l->group, &x);
	limit = sleep + SLACK_MS + cpu + beside;
	value = length_ms(&x);
	fails = value > limit;
	if (name)
		wring_metric(v, name, "ms", value, "lower", "primary");
	wring_finding(v, NAME, fails && x.is_whole ? "stuck" : "stall", fails ? WRING_V_FAIL : WRING_PASS, value, limit, "ms",
		      "a thread of %s got nothing done for %.0f ms%s with memory.high %lld; allowed: %.0f ms of sleep, %d ms to be woken, "
		      "%.0f ms of CPU time in the kernel that %s used meanwhile, and %.0f ms, the longest of %s", l->name, value,
		      x.is_whole ? ", from its start to its end," : "",
		      (long long)wring_planned_limit(v, l->group, "memory.high"), sleep, SLACK_MS, cpu, l->group, beside,
		      twin ? twin->name : "a twin (there is none)");
}

static int judge(struct wring_view *v, struct wring_err *err)
{
	size_t n = 0;

	(void)err;
	for (size_t i = 0; v->scenario && i < v->scenario->n_loads; i++) {
		const struct wring_load *l = &v->scenario->loads[i];

		if (!wring_planned_limit(v, l->group, "memory.high") || !strcmp(l->workload, "long-syscall"))
			continue;
		judge_load(v, l);
		n++;
	}
	if (!n)
		wring_finding(v, NAME, "stall", WRING_INCONCLUSIVE, 0, 0, "ms", "no load ran in a group with a memory.high");
	return 0;
}

static const struct wring_metric_info metric_infos[] = {
	{ "longest_stall_ms", "ms", "lower", "longest time in which a thread of a load got nothing done" },
	{ 0 }
};

static const struct wring_detector high_stall = {
	.name = NAME,
	.summary = "a task above memory.high that does not come back",
	.doc =
	"For each thread of a load in a group with memory.high: the longest time without a step, from\n"
	"samples of load-threads; the time before it was killed counts, that after it was done does\n"
	"not, nor that in which the sampler itself was away for 250 ms. Allowed is sleep-ms\n"
	"(2000: the kernel throttles a task for at most 2 s each time it returns to user mode),\n"
	"500 ms to be woken, the CPU time in the kernel that the group used meanwhile (cpu.stat),\n"
	"and the longest such time of a load of the same workload outside any limit. A step is\n"
	"taken to return to user mode: loads of one long system call are not judged. Class stuck:\n"
	"it never did anything. A group that is above its limit is to be slow; one that stands still\n"
	"is worse off than with a kill (thread 2015 3i; R19).",
	.limits = "sleep-ms",
	.controls =
	"fires: high-no-swap with the fault module high-stall;\n"
	"silent: high-no-swap on a stock kernel",
	.metrics = metric_infos,
	.judge = judge,
};
WRING_REGISTER_DETECTOR(high_stall);
