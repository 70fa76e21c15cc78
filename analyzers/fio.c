/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The JSON of fio, behind whatever it says first: jobs[] with read, write and trim. Jobs of one group ran side by side, groups one
 * after the other (stonewall, new_group). */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "analyzers/output.h"
#include "harness/base/util.h"

#define MAX_JOBS 4096 /* its own REAL_MAX_JOBS */

static const char *const ways[] = { "read", "write", "trim" };

static double number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static void add(struct wring_figures *f, const char *way, const char *what, const char *unit, const char *better, enum wring_how how, double v)
{
	char name[64];

	snprintf(name, sizeof(name), "%s_%s", way, what);
	wring_figure_add(f, name, unit, better, how, v);
}

static void add_way(const json_t *job, const char *way, struct wring_figures *f)
{
	static const struct { const char *percentile, *name; } points[] = {
		{ "50.000000", "latency_p50_ns" }, { "99.000000", "latency_p99_ns" }, { "99.900000", "latency_p999_ns" },
	};
	const json_t *w = json_object_get(job, way), *clat = json_object_get(w, "clat_ns"), *at = json_object_get(clat, "percentile"), *v;

	if (number(w, "total_ios") <= 0)
		return;
	add(f, way, "bytes_per_s", "B/s", "higher", WRING_SUM, number(w, "bw_bytes"));
	for (size_t i = 0; i < WRING_ARRAY_SIZE(points); i++) {
		v = json_object_get(at, points[i].percentile);
		if (json_is_number(v))
			add(f, way, points[i].name, "ns", "lower", WRING_WORST, json_number_value(v));
	}
	add(f, way, "latency_max_ns", "ns", "lower", WRING_WORST, number(clat, "max"));
}

/* Adds operations and seconds of the group that job n is the first of. With group_reporting job_runtime is a sum over processes, so the
 * time is what its rates say. */
static void add_group(const json_t *jobs, size_t n, size_t count, double *ops, double *seconds)
{
	double group = number(json_array_get(jobs, n), "groupid"), all = 0, rate = 0;

	for (size_t i = 0; i < n; i++)
		if (number(json_array_get(jobs, i), "groupid") == group)
			return;
	for (size_t i = n; i < count; i++) {
		const json_t *job = json_array_get(jobs, i);

		for (size_t w = 0; w < WRING_ARRAY_SIZE(ways) && number(job, "groupid") == group; w++) {
			all += number(json_object_get(job, ways[w]), "total_ios");
			rate += number(json_object_get(job, ways[w]), "iops");
		}
	}
	*ops += rate > 0 ? all : 0;
	*seconds += rate > 0 ? all / rate : 0;
}

int wring_fio_parse(const char *text, size_t len, struct wring_figures *f)
{
	const char *start = len && *text == '{' ? text : memmem(text, len, "\n{", 2);
	double ops = 0, seconds = 0, failed = 0;
	json_t *root, *jobs;
	size_t n;

	if (!start)
		return -EINVAL;
	start += *start == '\n';
	root = json_loadb(start, len - (size_t)(start - text), JSON_DISABLE_EOF_CHECK, NULL);
	jobs = json_object_get(root, "jobs");
	n = json_array_size(jobs) < MAX_JOBS ? json_array_size(jobs) : MAX_JOBS;
	for (size_t i = 0; i < n; i++) {
		const json_t *job = json_array_get(jobs, i);

		for (size_t w = 0; w < WRING_ARRAY_SIZE(ways); w++)
			add_way(job, ways[w], f);
		add_group(jobs, i, n, &ops, &seconds);
		failed += number(job, "error") != 0;
		wring_figure_add(f, "major_faults", "count", "lower", WRING_SUM, number(job, "majf"));
	}
	json_decref(root);
	if (!n)
		return -EINVAL;
	if (seconds > 0 && ops / seconds < 1e100)
		f->ops_per_s += ops / seconds;
	wring_figure_add(f, "failed_jobs", "count", "lower", WRING_SUM, failed);
	return 0;
}
