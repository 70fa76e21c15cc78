/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/oom-report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/klog.h"
#include "harness/base/util.h"

enum { GFP_FS_BIT = 0x80 }; /* ___GFP_FS, the same in every kernel since 2.6 */

/* No memory is that large: a larger number is a mangled line, and sums of such stay in range. */
#define MAX_BYTES (1LL << 58)

struct line_ctx { struct wring_oom_reports *r; int64_t t_ns; };

static struct wring_oom_report *current_report(struct wring_oom_reports *r)
{
	return r->is_open ? &r->rows[r->n - 1] : NULL;
}

static void copy(char *dst, size_t size, const char *from, size_t len)
{
	if (len >= size)
		len = size - 1;
	memcpy(dst, from, len);
	dst[len] = '\0';
}

/* Names first (they come from this very kernel), the number where there are none. */
static bool may_enter_fs(const char *gfp)
{
	static const char *const with_fs[] = {
		"GFP_KERNEL", "GFP_USER", "GFP_HIGHUSER", "GFP_TRANSHUGE", "__GFP_FS",
	};
	const char *names = strchr(gfp, '(');
	char *end;
	unsigned long mask;

	for (size_t i = 0; names && i < WRING_ARRAY_SIZE(with_fs); i++)
		if (strstr(names, with_fs[i]))
			return true;
	mask = strtoul(gfp, &end, 16);
	return end == gfp || (mask & GFP_FS_BIT);
}

static void open_report(struct wring_oom_reports *r, int64_t t_ns, const char *text,
			const char *invoked)
{
	struct wring_oom_report *rows, *o;
	const char *p;

	rows = reallocarray(r->rows, r->n + 1, sizeof(*rows));
	if (!rows) {
		r->oom = true;
		r->is_open = false;
		return;
	}
	r->rows = rows;
	o = &rows[r->n++];
	*o = (struct wring_oom_report){
		.t_ns = t_ns,
		.usage = -1,
		.limit = -1,
		.anon = -1,
		.file = -1,
		.shmem = -1,
		.file_dirty = -1,
		.file_writeback = -1,
		.active_file = -1,
		.inactive_file = -1,
		.slab_reclaimable = -1,
		.slab_unreclaimable = -1,
		.kernel = -1,
		.may_enter_fs = true,
	};
	copy(o->task, sizeof(o->task), text, (size_t)(invoked - text));
	p = strstr(invoked, "gfp_mask=");
	if (p) {
		p += strlen("gfp_mask=");
		copy(o->gfp, sizeof(o->gfp), p, strcspn(p, ", "));
		o->may_enter_fs = may_enter_fs(o->gfp);
	}
	p = strstr(invoked, "order=");
	if (p)
		o->order = (int)strtol(p + strlen("order="), NULL, 10);
	r->is_open = true;
	r->in_stats = false;
}

/* "memory: usage 32768kB, limit 32768kB, failcnt 37" */
static bool take_usage(struct wring_oom_report *o, const char *text)
{
	unsigned long long usage, limit;

	if (sscanf(text, "memory: usage %llukB, limit %llukB", &usage, &limit) != 2)
		return false;
	if (usage > MAX_BYTES / 1024 || limit > INT64_MAX / 1024)
		return true;
	o->usage = (int64_t)usage * 1024;
	o->limit = (int64_t)limit * 1024;
	return true;
}

/* Mem-Info of the whole machine (mm/show_mem.c), in pages: " slab_reclaimable:123 slab_unreclaimable:45" */
static bool take_machine(struct wring_oom_report *o, const char *text)
{
	const struct { const char *key; int64_t *v; } keys[] = {
		{ "active_file:", &o->active_file }, { "inactive_file:", &o->inactive_file }, { "dirty:", &o->file_dirty },
		{ "writeback:", &o->file_writeback }, { "slab_reclaimable:", &o->slab_reclaimable },
		{ "slab_unreclaimable:", &o->slab_unreclaimable }, { "shmem:", &o->shmem },
	};
	long long n, inactive;
	int len = 0;

	text += strspn(text, " ");
	if (sscanf(text, "%lld total pagecache pages%n", &n, &len) == 1 && len) {
		o->file = n >= 0 && n < MAX_BYTES >> 16 ? n : -1;
		return true;
	}
	if (!strncmp(text, "Node ", 5))
		return false;
	if (o->anon < 0 && sscanf(text, "active_anon:%lld inactive_anon:%lld", &n, &inactive) == 2 && n >= 0 && inactive >= 0 &&
	    n < MAX_BYTES >> 16 && inactive < MAX_BYTES >> 16)
		o->anon = n + inactive;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(keys); i++) {
		const char *p = strstr(text, keys[i].key);
		char *end;

		if (!p || (p != text && p[-1] != ' ') || *keys[i].v >= 0)
			continue;
		n = strtoll(p + strlen(keys[i].key), &end, 10);
		if ((*end == ' ' || !*end) && n >= 0 && n < MAX_BYTES >> 16)
			*keys[i].v = n;
	}
	return false;
}

static bool take_stat(struct wring_oom_report *o, const char *text)
{
	const struct { const char *key; int64_t *v; } keys[] = {
		{ "anon", &o->anon }, { "file", &o->file }, { "shmem", &o->shmem },
		{ "file_dirty", &o->file_dirty }, { "file_writeback", &o->file_writeback },
		{ "active_file", &o->active_file }, { "inactive_file", &o->inactive_file },
		{ "slab_reclaimable", &o->slab_reclaimable },
		{ "slab_unreclaimable", &o->slab_unreclaimable }, { "kernel", &o->kernel },
	};
	size_t len = strcspn(text, " ");
	char *end;
	long long n;

	if (text[len] != ' ')
		return false;
	errno = 0;
	n = strtoll(text + len + 1, &end, 10);
	if (end == text + len + 1 || end[strspn(end, " \r")] || errno || n < 0 || n > MAX_BYTES)
		return false;
	for (size_t i = 0; i < WRING_ARRAY_SIZE(keys); i++) {
		if (strlen(keys[i].key) != len || strncmp(text, keys[i].key, len))
			continue;
		/* the first one counts: a report has each key once */
		if (*keys[i].v < 0)
			*keys[i].v = n;
		return true;
	}
	return false;
}

/* "oom-kill:constraint=CONSTRAINT_MEMCG,...,oom_memcg=/a,task_memcg=/a/b,task=x,pid=1,uid=0" */
static void take_constraint(struct wring_oom_report *o, const char *text)
{
	const char *a = strstr(text, "oom_memcg="), *b = strstr(text, ",task_memcg="), *c;

	o->is_memcg = strstr(text, "CONSTRAINT_MEMCG");
	if (!b)
		return;
	if (a && a < b) {
		a += strlen("oom_memcg=");
		copy(o->oom_memcg, sizeof(o->oom_memcg), a, (size_t)(b - a));
	}
	b += strlen(",task_memcg=");
	c = strstr(b, ",task=");
	copy(o->task_memcg, sizeof(o->task_memcg), b, c ? (size_t)(c - b) : strlen(b));
}

static void take_kill(struct wring_oom_reports *r)
{
	struct wring_oom_report *o = current_report(r);

	if (!o || (o->n_victims && !o->has_group)) {
		r->unreported++;
		return;
	}
	o->is_memcg = true;
	o->n_victims++;
	r->in_stats = false;
}

static void feed_line(void *arg, const char *line)
{
	const struct line_ctx *c = arg;
	struct wring_oom_reports *r = c->r;
	struct wring_oom_report *o = current_report(r);
	int64_t t_ns = c->t_ns;
	const char *text = wring_klog_text(line, &t_ns), *p;

	if ((p = strstr(text, " invoked oom-killer:"))) {
		open_report(r, c->t_ns, text, p);
		return;
	}
	if (!strncmp(text, "Memory cgroup out of memory: Kill", 33)) {
		take_kill(r);
		return;
	}
	if (!strncmp(text, "Out of memory: Kill", 19)) {
		r->global++;
		if (o && !o->is_memcg) {
			o->is_global = true;
			o->n_victims++;
		}
		r->is_open = false;
		return;
	}
	if (!o)
		return;
	if (!strncmp(text, "Memory cgroup stats for", 23)) {
		r->in_stats = true;
		o->is_memcg = true;
	} else if (!strncmp(text, "Tasks state (", 13)) {
		r->in_stats = false;
	} else if (!strncmp(text, "oom-kill:constraint=", 20)) {
		take_constraint(o, text);
	} else if (strstr(text, "going to be killed due to memory.oom.group set")) {
		o->has_group = true;
	} else if (strstr(text, "memory_max_write+0x")) {
		o->by_write = true;
	} else if (o->usage < 0 && take_usage(o, text)) {
		return;
	} else if (r->in_stats) {
		take_stat(o, text);
	} else if (!o->is_memcg) {
		take_machine(o, text);
	}
}

void wring_oom_feed(struct wring_oom_reports *r, int64_t t_ns, const char *record)
{
	struct line_ctx c = { .r = r, .t_ns = t_ns };

	wring_klog_split(record, feed_line, &c);
}

void wring_oom_done(struct wring_oom_reports *r)
{
	free(r->rows);
	*r = (struct wring_oom_reports){ 0 };
}

bool wring_oom_complete(const struct wring_oom_report *r)
{
	if (r->is_global)
		return r->slab_reclaimable >= 0 && r->file >= 0;
	return r->limit > 0 && r->usage >= 0 && r->slab_reclaimable >= 0 && r->file >= 0;
}

static int64_t known(int64_t v)
{
	return v > 0 ? v : 0;
}

int64_t wring_oom_clean_file(const struct wring_oom_report *r)
{
	int64_t file = known(r->file) - known(r->shmem), lru;

	/* the LRU lists leave out what is mlocked; without them all of the page cache counts */
	if (r->active_file >= 0 && r->inactive_file >= 0) {
		lru = r->active_file + r->inactive_file;
		if (lru < file)
			file = lru;
	}
	file -= known(r->file_dirty) + known(r->file_writeback);
	return known(file);
}
