/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From sections and keys to a scenario. A key is one row of a table; adding one adds a row. */
#include "harness/plan/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/units.h"
#include "harness/base/util.h"

#define WORD_BLANKS " \t\n"
#define MAX_TIMEOUT_NS (24 * 3600 * WRING_NSEC_PER_SEC)
#define MIN_INTERVAL_NS WRING_NSEC_PER_MSEC
#define MAX_INTERVAL_NS (3600 * WRING_NSEC_PER_SEC)
#define MIN_MOUNT (1ULL << 20)
#define MAX_MOUNT (1ULL << 40)
#define MIN_BPS (1ULL << 16)
#define MAX_BPS (1ULL << 30)
#define MAX_PRIMARY 5

/* obj is what the section describes: a wring_group, a wring_load, ... */
struct key {
	const char *name;
	int (*set)(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e);
	bool is_required;
};
struct section_type {
	const char *name;
	bool has_arg;
	const struct key *keys; /* up to one without a name */
	int (*open)(struct plan_ctx *c, const struct wring_ini_section *sec, void **ret_obj);
	/* for keys that are not in the table */
	int (*other)(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e);
	const char *others; /* what those are, for messages */
};

static int bad(const struct plan_ctx *c, const struct wring_ini_entry *e, const char *value,
	       const char *accepted)
{
	return wring_plan_bad(c, e->line, e->key, value, "%s", accepted);
}

/* The value of a key that takes one line; NULL with the error set when it has none or more. */
static const char *one_line(const struct plan_ctx *c, const struct wring_ini_entry *e)
{
	if (e->n == 1)
		return e->lines->text;
	if (e->n)
		wring_plan_bad(c, e->lines[1].line, e->key, e->lines[1].text,
			       "a value of one line");
	else
		bad(c, e, "", "a value");
	return NULL;
}

static int set_string(const struct plan_ctx *c, char **at, const char *text)
{
	*at = strdup(text);
	return *at ? 0 : wring_plan_no_memory(c);
}

static int set_name(const struct plan_ctx *c, char **at, const struct wring_ini_entry *e)
{
	const char *text = one_line(c, e);

	if (!text)
		return -EINVAL;
	if (!wring_plan_is_name(text))
		return bad(c, e, text, "a name of letters, digits, '.', '_' and '-'");
	return set_string(c, at, text);
}

static int set_text(const struct plan_ctx *c, char **at, const struct wring_ini_entry *e)
{
	if (!e->n)
		return bad(c, e, "", "some text");
	*at = wring_ini_join(e, "\n");
	return *at ? 0 : wring_plan_no_memory(c);
}

static int add_word(const struct plan_ctx *c, char ***words, size_t *n, const char *word, int line,
		    const char *key)
{
	char **slot;

	if (*word == '#') /* a comment, were it the first of a line */
		return wring_plan_bad(c, line, key, word, "words that do not begin with #");
	for (size_t i = 0; i < *n; i++)
		if (!strcmp((*words)[i], word))
			return wring_plan_bad(c, line, key, word, "each word once");
	slot = wring_ini_push(words, n, sizeof(*slot));
	return slot ? set_string(c, slot, word) : wring_plan_no_memory(c);
}

static int set_words(const struct plan_ctx *c, char ***words, size_t *n,
		     const struct wring_ini_entry *e)
{
	for (size_t i = 0; i < e->n; i++) {
		char *rest = NULL, *text = e->lines[i].text; /* cut up here, not used again */

		for (char *w = strtok_r(text, WORD_BLANKS, &rest); w;
		     w = strtok_r(NULL, WORD_BLANKS, &rest)) {
			int r = add_word(c, words, n, w, e->lines[i].line, e->key);

			if (r)
				return r;
		}
	}
	return 0;
}

static int set_u64(const struct plan_ctx *c, uint64_t *at, const struct wring_ini_entry *e,
		   uint64_t max)
{
	const char *text = one_line(c, e);

	if (!text)
		return -EINVAL;
	if (wring_parse_u64(text, 1, max, at, NULL))
		return wring_plan_bad(c, e->line, e->key, text, "1 to %llu",
				      (unsigned long long)max);
	return 0;
}

static int set_duration(const struct plan_ctx *c, uint64_t *at, const struct wring_ini_entry *e,
			int64_t min, int64_t max, const char *accepted)
{
	const char *text = one_line(c, e);
	int64_t ns;

	if (!text)
		return -EINVAL;
	if (wring_parse_duration(text, &ns, NULL) || ns < min || ns > max)
		return bad(c, e, text, accepted);
	*at = (uint64_t)ns;
	return 0;
}

static int add_setting(const struct plan_ctx *c, struct wring_settings *s,
		       const struct wring_ini_entry *e)
{
	const char *text = one_line(c, e);

	if (!text)
		return -EINVAL;
	return wring_settings_add(s, e->key, text, e->line) ? wring_plan_no_memory(c) : 0;
}

/* ---- [scenario] ---- */
#define SCENARIO_TEXT(field) \
	static int scenario_##field(struct plan_ctx *c, void *obj, \
				    const struct wring_ini_entry *e) \
	{ \
		return set_text(c, &((struct wring_scenario *)obj)->field, e); \
	}
#define SCENARIO_WORDS(field) \
	static int scenario_##field(struct plan_ctx *c, void *obj, \
				    const struct wring_ini_entry *e) \
	{ \
		struct wring_scenario *s = obj; \
		\
		s->field##_line = e->line; \
		return set_words(c, &s->field, &s->n_##field, e); \
	}
SCENARIO_TEXT(claim)
SCENARIO_TEXT(healthy)
SCENARIO_TEXT(sick)
SCENARIO_WORDS(suites)
SCENARIO_WORDS(needs)
SCENARIO_WORDS(detectors)

static int scenario_name(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	return set_name(c, &((struct wring_scenario *)obj)->name, e);
}

static int scenario_summary(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	const char *text = one_line(c, e);

	return text ? set_string(c, &((struct wring_scenario *)obj)->summary, text) : -EINVAL;
}

static int scenario_thread(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	return set_name(c, &((struct wring_scenario *)obj)->thread, e);
}

static int scenario_primary(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	struct wring_scenario *s = obj;
	int r = set_words(c, &s->primary, &s->n_primary, e);

	s->primary_line = e->line;
	if (!r && s->n_primary > MAX_PRIMARY)
		return bad(c, e, s->primary[MAX_PRIMARY], "at most 5 metrics");
	return r;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* They share one folder in the guest. */
static int scenario_carry(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	struct wring_scenario *s = obj;
	int r = set_words(c, &s->carry, &s->n_carry, e);

	s->carry_line = e->line;
	for (size_t i = 0; i < s->n_carry && !r; i++) {
		const char *base = base_name(s->carry[i]);

		if (!wring_plan_is_name(base))
			return bad(c, e, s->carry[i],
				   "files named by letters, digits, '.', '_' and '-'");
		for (size_t j = 0; j < i; j++)
			if (!strcmp(base_name(s->carry[j]), base))
				return bad(c, e, s->carry[i], "files of different names");
	}
	return r;
}

static int scenario_timeout(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	return set_duration(c, &((struct wring_scenario *)obj)->timeout_ns, e, WRING_NSEC_PER_SEC,
			    MAX_TIMEOUT_NS, "a duration of 1s to 24h, such as 60s");
}

static int open_scenario(struct plan_ctx *c, const struct wring_ini_section *sec, void **ret)
{
	(void)sec;
	*ret = c->s;
	return 0;
}

static const struct key scenario_keys[] = {
	{ "name", scenario_name },
	{ "summary", scenario_summary },
	{ "thread", scenario_thread },
	{ "claim", scenario_claim },
	{ "healthy", scenario_healthy },
	{ "sick", scenario_sick },
	{ "suites", scenario_suites },
	{ "needs", scenario_needs },
	{ "detectors", scenario_detectors },
	{ "primary", scenario_primary },
	{ "timeout", scenario_timeout },
	{ "carry", scenario_carry },
	{ 0 },
};

/* ---- [params] was read by params.c, [sysctl], [limits] ---- */
static int params_other(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	(void)c;
	(void)obj;
	(void)e;
	return 0;
}

static int sysctl_other(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	if (!wring_plan_is_sysctl(e->key))
		return wring_plan_bad(c, e->line, "sysctl", e->key, "a name such as vm.swappiness");
	return add_setting(c, &((struct wring_scenario *)obj)->sysctls, e);
}

static int limits_other(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	const char *dot = strchr(e->key, '.');

	if (!dot || !dot[1])
		return wring_plan_bad(c, e->line, "limit", e->key,
				      "DETECTOR.KEY, such as dying-memcg.residue");
	return add_setting(c, &((struct wring_scenario *)obj)->limits, e);
}

/* ---- [mount NAME] ---- */
static int mount_type(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	const char *text = one_line(c, e);

	if (!text)
		return -EINVAL;
	if (strcmp(text, "ext4") && strcmp(text, "xfs") && strcmp(text, "tmpfs"))
		return bad(c, e, text, "ext4, xfs or tmpfs");
	return set_string(c, &((struct wring_mount *)obj)->type, text);
}

static int mount_size(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	uint64_t *at = &((struct wring_mount *)obj)->size_bytes;
	const char *text = one_line(c, e);

	if (!text)
		return -EINVAL;
	if (wring_parse_size(text, at, NULL) || *at < MIN_MOUNT || *at > MAX_MOUNT)
		return bad(c, e, text, "a size of 1M to 1T, such as 256M");
	return 0;
}

static int mount_bps(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	uint64_t *at = &((struct wring_mount *)obj)->bps;
	const char *text = one_line(c, e);

	if (!text)
		return -EINVAL;
	if (wring_parse_size(text, at, NULL) || *at < MIN_BPS || *at > MAX_BPS)
		return bad(c, e, text, "bytes a second, 64K to 1G, such as 4M");
	return 0;
}

static int mount_iops(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	return set_u64(c, &((struct wring_mount *)obj)->iops, e, 10000);
}

static int open_mount(struct plan_ctx *c, const struct wring_ini_section *sec, void **ret)
{
	struct wring_mount *m = *ret = wring_ini_push(&c->s->mounts, &c->s->n_mounts, sizeof(*m));

	if (!m)
		return wring_plan_no_memory(c);
	m->line = sec->line;
	return set_string(c, &m->name, sec->arg);
}

static const struct key mount_keys[] = {
	{ "type", mount_type, true }, { "size", mount_size, true }, { "bps", mount_bps }, { "iops", mount_iops }, { 0 },
};

/* ---- [group PATH] ---- */
static int group_count(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	return set_u64(c, &((struct wring_group *)obj)->count, e, 10000);
}

static int group_deferred(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	const char *text = one_line(c, e);

	if (!text)
		return -EINVAL;
	if (wring_parse_bool(text, &((struct wring_group *)obj)->deferred, NULL))
		return bad(c, e, text, "yes or no");
	return 0;
}

static int group_other(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	if (!wring_plan_is_file(e->key))
		return wring_plan_bad(c, e->line, "unknown key", e->key,
				      "count deferred, or a cgroup file such as "
				      "memory.max");
	return add_setting(c, &((struct wring_group *)obj)->files, e);
}

static int open_group(struct plan_ctx *c, const struct wring_ini_section *sec, void **ret)
{
	struct wring_group *g;

	if (!wring_plan_is_path(sec->arg))
		return wring_plan_bad(
			c, sec->line, "group", sec->arg,
			"a path of names joined by '/', each of "
			"letters, digits, '.', '_' and '-' and not beginning with '.' or '-'");
	*ret = g = wring_ini_push(&c->s->groups, &c->s->n_groups, sizeof(*g));
	if (!g)
		return wring_plan_no_memory(c);
	g->line = sec->line;
	g->count = 1;
	return set_string(c, &g->path, sec->arg);
}

static const struct key group_keys[] = {
	{ "count", group_count }, { "deferred", group_deferred }, { 0 },
};

/* ---- [load NAME] ---- */
static int load_workload(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	struct wring_load *l = obj;

	l->workload_line = e->line;
	return set_name(c, &l->workload, e);
}

static int load_group(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	struct wring_load *l = obj;
	const char *text = one_line(c, e);

	if (!text)
		return -EINVAL;
	free(l->group); /* the default */
	return set_string(c, &l->group, text);
}

static int load_procs(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	return set_u64(c, &((struct wring_load *)obj)->procs, e, 1024);
}

static int load_threads(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	return set_u64(c, &((struct wring_load *)obj)->threads, e, 256);
}

/* Numbers below 1024 and ranges of them, with commas between. */
static bool is_node_list(const char *s)
{
	for (;;) {
		char *end = NULL;
		unsigned long lo, hi;

		if (*s < '0' || *s > '9')
			return false;
		lo = hi = strtoul(s, &end, 10);
		if (*end == '-' && end[1] >= '0' && end[1] <= '9')
			hi = strtoul(end + 1, &end, 10);
		if (lo > hi || hi >= 1024)
			return false;
		if (!*end)
			return true;
		if (*end != ',')
			return false;
		s = end + 1;
	}
}

static int set_nodes(const struct plan_ctx *c, char **at, const struct wring_ini_entry *e)
{
	const char *text = one_line(c, e);

	if (!text)
		return -EINVAL;
	if (!is_node_list(text))
		return bad(c, e, text, "NUMA nodes such as 0 or 0-1,3");
	return set_string(c, at, text);
}

static int load_cpu_nodes(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	return set_nodes(c, &((struct wring_load *)obj)->cpu_nodes, e);
}

static int load_mem_nodes(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	return set_nodes(c, &((struct wring_load *)obj)->mem_nodes, e);
}

static int load_mem_policy(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	const char *text = one_line(c, e);

	if (!text)
		return -EINVAL;
	if (strcmp(text, "bind") && strcmp(text, "interleave") && strcmp(text, "preferred"))
		return bad(c, e, text, "bind, interleave or preferred");
	return set_string(c, &((struct wring_load *)obj)->mem_policy, text);
}

static int load_other(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	_cleanup_free_ char *text = wring_ini_join(e, "\n");

	if (!text || wring_settings_add(&((struct wring_load *)obj)->params, e->key, text, e->line))
		return wring_plan_no_memory(c);
	return 0;
}

static int open_load(struct plan_ctx *c, const struct wring_ini_section *sec, void **ret)
{
	struct wring_load *l = *ret = wring_ini_push(&c->s->loads, &c->s->n_loads, sizeof(*l));
	int r;

	if (!l)
		return wring_plan_no_memory(c);
	l->line = sec->line;
	l->procs = l->threads = 1;
	r = set_string(c, &l->name, sec->arg);
	return r ? r : set_string(c, &l->group, ".");
}

static const struct key load_keys[] = {
	{ "workload", load_workload, true }, { "group", load_group }, { "procs", load_procs },
	{ "threads", load_threads }, { "cpu-nodes", load_cpu_nodes }, { "mem-nodes", load_mem_nodes },
	{ "mem-policy", load_mem_policy }, { 0 },
};

/* ---- [sample SAMPLER] ---- */
static int set_subjects(struct plan_ctx *c, struct wring_sample *sa,
			const struct wring_ini_entry *e, bool are_caches)
{
	if (sa->n_subjects)
		return bad(c, e, e->n ? e->lines->text : "", "one of groups and caches");
	sa->caches = are_caches;
	return set_words(c, &sa->subjects, &sa->n_subjects, e);
}

static int sample_groups(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	return set_subjects(c, obj, e, false);
}

/* For the sampler slab-objects, whose subjects are no groups. */
static int sample_caches(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	return set_subjects(c, obj, e, true);
}

/* UINT64_MAX is "not said yet". */
static int check_no_interval(const struct plan_ctx *c, const struct wring_sample *sa,
			     const struct wring_ini_entry *e)
{
	if (sa->interval_ns == UINT64_MAX)
		return 0;
	return bad(c, e, e->lines->text, "one of rate and interval");
}

static int sample_interval(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	struct wring_sample *sa = obj;
	uint64_t ns = 0;
	int r = set_duration(c, &ns, e, MIN_INTERVAL_NS, MAX_INTERVAL_NS,
			     "a duration of 1ms to 1h, such as 100ms");

	if (!r)
		r = check_no_interval(c, sa, e);
	if (!r)
		sa->interval_ns = ns;
	return r;
}

/* A rate is read as if it were seconds, which yields billionths of it. */
static int parse_rate(const char *text, uint64_t *ret_interval_ns)
{
	char with_unit[40];
	int64_t nano;

	if (strlen(text) > 32)
		return -EINVAL;
	snprintf(with_unit, sizeof(with_unit), "%ss", text);
	if (wring_parse_duration(with_unit, &nano, NULL) || nano <= 0)
		return -EINVAL;
	*ret_interval_ns = (1000000000000000000ULL + (uint64_t)nano / 2) / (uint64_t)nano;
	if (*ret_interval_ns < MIN_INTERVAL_NS || *ret_interval_ns > MAX_INTERVAL_NS)
		return -ERANGE;
	return 0;
}

static int sample_rate(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	struct wring_sample *sa = obj;
	const char *text = one_line(c, e);
	uint64_t ns = 0;
	int r;

	if (!text)
		return -EINVAL;
	r = check_no_interval(c, sa, e);
	if (r)
		return r;
	if (strcmp(text, "mark") && parse_rate(text, &ns))
		return bad(c, e, text, "samples per second, 0.0003 to 1000, or mark");
	sa->interval_ns = ns;
	return 0;
}

static int open_sample(struct plan_ctx *c, const struct wring_ini_section *sec, void **ret)
{
	struct wring_sample *sa = *ret =
		wring_ini_push(&c->s->samples, &c->s->n_samples, sizeof(*sa));

	if (!sa)
		return wring_plan_no_memory(c);
	sa->line = sec->line;
	sa->interval_ns = UINT64_MAX;
	return set_string(c, &sa->sampler, sec->arg);
}

static const struct key sample_keys[] = {
	{ "groups", sample_groups }, { "caches", sample_caches }, { "rate", sample_rate },
	{ "interval", sample_interval }, { 0 },
};

/* ---- [phase NAME] ---- */
static int phase_repeat(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	return set_u64(c, &((struct wring_phase *)obj)->repeat, e, 100000);
}

static int phase_do(struct plan_ctx *c, void *obj, const struct wring_ini_entry *e)
{
	struct wring_phase *p = obj;

	if (!e->n)
		return bad(c, e, "", "at least one step");
	for (size_t i = 0; i < e->n; i++) {
		struct wring_step *st = wring_ini_push(&p->steps, &p->n, sizeof(*st));
		int r = st ? wring_plan_step(c, &e->lines[i], st) : wring_plan_no_memory(c);

		if (r)
			return r;
	}
	return 0;
}

static int open_phase(struct plan_ctx *c, const struct wring_ini_section *sec, void **ret)
{
	struct wring_phase *p = *ret = wring_ini_push(&c->s->phases, &c->s->n_phases, sizeof(*p));

	if (!p)
		return wring_plan_no_memory(c);
	p->line = sec->line;
	p->repeat = 1;
	return set_string(c, &p->name, sec->arg);
}

static const struct key phase_keys[] = {
	{ "repeat", phase_repeat }, { "do", phase_do, true }, { 0 },
};

static const struct key no_keys[] = { { 0 } };
static const struct section_type types[] = {
	{ "scenario", false, scenario_keys, open_scenario },
	{ "params", false, no_keys, open_scenario, params_other },
	{ "sysctl", false, no_keys, open_scenario, sysctl_other },
	{ "limits", false, no_keys, open_scenario, limits_other },
	{ "mount", true, mount_keys, open_mount },
	{ "group", true, group_keys, open_group, group_other },
	{ "load", true, load_keys, open_load, load_other },
	{ "sample", true, sample_keys, open_sample },
	{ "phase", true, phase_keys, open_phase },
};

static const struct section_type *find_type(const struct plan_ctx *c,
					    const struct wring_ini_section *sec)
{
	struct plan_names known = { "" };
	char word[32];

	for (size_t i = 0; i < WRING_ARRAY_SIZE(types); i++) {
		const struct section_type *t = &types[i];

		if (!strcmp(t->name, sec->type) && t->has_arg == !!sec->arg)
			return t;
		snprintf(word, sizeof(word), "[%s%s]", t->name, t->has_arg ? " NAME" : "");
		wring_plan_name(&known, word);
	}
	wring_plan_bad(c, sec->line, "unknown section", sec->title, "%s", known.text);
	return NULL;
}

static int unknown_key(const struct plan_ctx *c, const struct section_type *t,
		       const struct wring_ini_entry *e)
{
	struct plan_names known = { "" };

	for (const struct key *k = t->keys; k->name; k++)
		wring_plan_name(&known, k->name);
	return wring_plan_bad(c, e->line, "unknown key", e->key, "%s", known.text);
}

static int read_entry(struct plan_ctx *c, const struct section_type *t, void *obj,
		      const struct wring_ini_entry *e)
{
	for (const struct key *k = t->keys; k->name; k++)
		if (!strcmp(k->name, e->key))
			return k->set(c, obj, e);
	return t->other ? t->other(c, obj, e) : unknown_key(c, t, e);
}

static int check_required(const struct plan_ctx *c, const struct section_type *t,
			  const struct wring_ini_section *sec)
{
	for (const struct key *k = t->keys; k->name; k++) {
		bool is_there = !k->is_required;

		for (size_t i = 0; i < sec->n && !is_there; i++)
			is_there = !strcmp(sec->entries[i].key, k->name);
		if (!is_there)
			return wring_plan_bad(c, sec->line, "missing key", k->name, "%s = VALUE",
					      k->name);
	}
	return 0;
}

static int read_section(struct plan_ctx *c, const struct wring_ini_section *sec)
{
	const struct section_type *t = find_type(c, sec);
	void *obj = NULL;
	int r;

	if (!t)
		return -EINVAL;
	c->section = sec;
	if (sec->arg && strcmp(t->name, "group") && !wring_plan_is_name(sec->arg))
		return wring_plan_bad(c, sec->line, "name", sec->arg,
				      "letters, digits, '.', '_' and '-'");
	r = t->open(c, sec, &obj);
	for (size_t i = 0; i < sec->n && !r; i++)
		r = read_entry(c, t, obj, &sec->entries[i]);
	return r ? r : check_required(c, t, sec);
}

/* "scenarios/slab-at-max.ini" is called slab-at-max unless it says otherwise. */
static int default_name(struct plan_ctx *c)
{
	const char *base = base_name(c->s->file), *end;
	size_t len = strlen(base);

	end = len > 4 && !strcmp(base + len - 4, ".ini") ? base + len - 4 : base + len;
	c->s->name = strndup(base, (size_t)(end - base));
	if (!c->s->name)
		return wring_plan_no_memory(c);
	if (!wring_plan_is_name(c->s->name))
		return wring_plan_bad(c, 1, "name", c->s->name,
				      "[scenario] with name = NAME, or a file named by "
				      "letters, digits, '.', '_' and '-'");
	return 0;
}

static int finish(struct plan_ctx *c)
{
	struct wring_scenario *s = c->s;
	int r = s->name ? 0 : default_name(c);

	for (size_t i = 0; i < s->n_samples; i++)
		if (s->samples[i].interval_ns == UINT64_MAX)
			s->samples[i].interval_ns = WRING_INTERVAL_DEFAULT_NS;
	if (!r && !s->n_phases)
		r = wring_plan_bad(c, 1, "missing section", "phase",
				   "at least one [phase NAME] with its steps");
	return r ? r : wring_plan_check(c);
}

static int read_scenario(struct plan_ctx *c, struct wring_ini *ini, const struct wring_setting *set,
			 size_t n_set)
{
	int r = wring_plan_params(c, ini, set, n_set);

	for (size_t i = 0; i < ini->n && !r; i++) {
		c->section = NULL;
		r = read_section(c, &ini->sections[i]);
	}
	c->section = NULL;
	return r ? r : finish(c);
}

int wring_scenario_parse(const char *name, const char *text, const struct wring_setting *set,
			 size_t n_set, struct wring_scenario **ret, struct wring_err *err)
{
	struct plan_ctx c = { .err = err, .s = calloc(1, sizeof(*c.s)) };
	struct wring_ini ini = { 0 };
	int r;

	*ret = NULL;
	if (!c.s)
		return wring_plan_no_memory(&c);
	c.s->timeout_ns = WRING_TIMEOUT_DEFAULT_NS;
	c.s->file = strdup(name);
	r = c.s->file ? wring_ini_parse(&ini, name, text, err) : wring_plan_no_memory(&c);
	if (!r)
		r = read_scenario(&c, &ini, set, n_set);
	wring_ini_done(&ini);
	if (r)
		wring_scenario_free(c.s);
	else
		*ret = c.s;
	return r;
}
