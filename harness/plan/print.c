/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A scenario as text that parses back to the same scenario. */
#include "harness/plan/internal.h"

#include <inttypes.h>
#include <string.h>

#define WRAP 90

static size_t escaped_len(const char *s, size_t len)
{
	size_t n = len;

	while (len--)
		n += *s++ == '$';
	return n;
}

static void put_escaped(const char *s, size_t len, FILE *out)
{
	for (; len--; s++) {
		if (*s == '$')
			putc('$', out);
		putc(*s, out);
	}
}

/* key = first line, the others indented below it. A line that is too long beside its key goes below
 * as well. */
static void put(const char *key, const char *text, FILE *out)
{
	size_t len = strcspn(text, "\n");

	fprintf(out, "%s =", key);
	if (len && strlen(key) + 3 + escaped_len(text, len) > WRING_INI_LINE)
		fputs("\n\t", out);
	else if (len)
		putc(' ', out);
	put_escaped(text, len, out);
	for (text += len; *text; text += len) {
		len = strcspn(++text, "\n");
		fputs("\n\t", out);
		put_escaped(text, len, out);
	}
	putc('\n', out);
}

static void put_some(const char *key, const char *text, FILE *out)
{
	if (text)
		put(key, text, out);
}

static void put_u64(const char *key, uint64_t v, const char *unit, FILE *out)
{
	fprintf(out, "%s = %" PRIu64 "%s\n", key, v, unit);
}

static void put_words(const char *key, char *const *words, size_t n, FILE *out)
{
	size_t column = strlen(key) + 2;

	if (!n)
		return;
	fprintf(out, "%s =", key);
	for (size_t i = 0; i < n; i++) {
		size_t len = escaped_len(words[i], strlen(words[i]));

		if (column + 1 + len > WRAP) {
			fputs("\n\t", out);
			column = 1 + len;
		} else {
			putc(' ', out);
			column += 1 + len;
		}
		put_escaped(words[i], strlen(words[i]), out);
	}
	putc('\n', out);
}

static void put_settings(const struct wring_settings *s, FILE *out)
{
	for (size_t i = 0; i < s->n; i++)
		put(s->rows[i].key, s->rows[i].value, out);
}

static void put_table(const char *title, const struct wring_settings *s, FILE *out)
{
	if (!s->n)
		return;
	fprintf(out, "\n[%s]\n", title);
	put_settings(s, out);
}

static void put_head(const struct wring_scenario *s, FILE *out)
{
	fputs("[scenario]\n", out);
	put("name", s->name, out);
	put_some("summary", s->summary, out);
	put_some("thread", s->thread, out);
	put_some("claim", s->claim, out);
	put_some("healthy", s->healthy, out);
	put_some("sick", s->sick, out);
	put_words("suites", s->suites, s->n_suites, out);
	put_words("needs", s->needs, s->n_needs, out);
	put_words("detectors", s->detectors, s->n_detectors, out);
	put_words("primary", s->primary, s->n_primary, out);
	put_words("carry", s->carry, s->n_carry, out);
	put_u64("timeout", s->timeout_ns, "ns", out);
}

static void put_about(const struct wring_settings *s, const char *suffix, FILE *out)
{
	for (size_t i = 0; i < s->n; i++) {
		char key[WRING_INI_NAME + 1];

		snprintf(key, sizeof(key), "%s.%s", s->rows[i].key, suffix);
		put(key, s->rows[i].value, out);
	}
}

static void put_params(const struct wring_scenario *s, FILE *out)
{
	put_table("params", &s->params, out);
	put_about(&s->param_long, "long", out);
	put_about(&s->param_help, "help", out);
}

static void put_group(const struct wring_group *g, FILE *out)
{
	fprintf(out, "\n[group %s]\n", g->path);
	put_u64("count", g->count, "", out);
	put("deferred", g->deferred ? "yes" : "no", out);
	put_settings(&g->files, out);
}

static void put_load(const struct wring_load *l, FILE *out)
{
	fprintf(out, "\n[load %s]\n", l->name);
	put("workload", l->workload, out);
	put("group", l->group, out);
	put_u64("procs", l->procs, "", out);
	put_u64("threads", l->threads, "", out);
	put_some("cpu-nodes", l->cpu_nodes, out);
	put_some("mem-nodes", l->mem_nodes, out);
	put_some("mem-policy", l->mem_policy, out);
	put_settings(&l->params, out);
}

static void put_sample(const struct wring_sample *sa, FILE *out)
{
	fprintf(out, "\n[sample %s]\n", sa->sampler);
	put_words(sa->caches ? "caches" : "groups", sa->subjects, sa->n_subjects, out);
	if (sa->interval_ns)
		put_u64("interval", sa->interval_ns, "ns", out);
	else
		put("rate", "mark", out);
}

static void put_phase(const struct wring_phase *p, FILE *out)
{
	fprintf(out, "\n[phase %s]\n", p->name);
	put_u64("repeat", p->repeat, "", out);
	fputs("do =", out);
	for (size_t i = 0; i < p->n; i++) {
		const struct wring_step *st = &p->steps[i];

		fprintf(out, "\n\t%s", st->verb->name);
		for (size_t j = 0; j < st->n_args; j++) {
			putc(' ', out);
			put_escaped(st->args[j], strlen(st->args[j]), out);
		}
	}
	putc('\n', out);
}

void wring_scenario_print(const struct wring_scenario *s, FILE *out)
{
	put_head(s, out);
	put_params(s, out);
	put_table("sysctl", &s->sysctls, out);
	put_table("limits", &s->limits, out);
	for (size_t i = 0; i < s->n_mounts; i++) {
		fprintf(out, "\n[mount %s]\n", s->mounts[i].name);
		put("type", s->mounts[i].type, out);
		put_u64("size", s->mounts[i].size_bytes, "", out);
		if (s->mounts[i].bps)
			put_u64("bps", s->mounts[i].bps, "", out);
		if (s->mounts[i].iops)
			put_u64("iops", s->mounts[i].iops, "", out);
	}
	for (size_t i = 0; i < s->n_groups; i++)
		put_group(&s->groups[i], out);
	for (size_t i = 0; i < s->n_loads; i++)
		put_load(&s->loads[i], out);
	for (size_t i = 0; i < s->n_samples; i++)
		put_sample(&s->samples[i], out);
	for (size_t i = 0; i < s->n_phases; i++)
		put_phase(&s->phases[i], out);
}
