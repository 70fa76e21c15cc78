/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fio: any job, as a load. It inherits the cgroup; its JSON is parsed by analyzers/fio.c. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/program.h"

#define PROGRAM "fio"

struct fio {
	char *job, *file;
	bool may_be_killed;
};

static const struct wring_param params[] = {
	{ "job", WRING_STRING, offsetof(struct fio, job), .def = "", .help = "the text of a job file; without a [SECTION], the options of one job" },
	{ "job-file", WRING_STRING, offsetof(struct fio, file), .def = "", .help = "instead of it, a file of the scenario's carry list, by its last part (in a guest)" },
	{ "may-be-killed", WRING_BOOL, offsetof(struct fio, may_be_killed), .def = "no", .help = "an OOM kill is what is tested, and does not make the run noisy" },
	{ 0 } };

static const struct { const char *key, *why; } refused[] = {
	{ "cgroup", "it already runs in the load's group; fio's own code for it overflows a buffer" },
	{ "cgroup_weight", "it already runs in the load's group" },
	{ "cgroup_nodelete", "it already runs in the load's group" },
	{ "exec_prerun", "a shell would run outside of what is measured" },
	{ "exec_postrun", "a shell would run outside of what is measured" },
	{ "ioscheduler", "it changes the machine's block device and does not put it back" },
};

/* A job works in the load's own directory; what it reads may be carried. Lists are separated by colons. */
static int check_value(const char *key, int len, const char *value, int n, struct wring_err *err)
{
	for (const char *p = value; p < value + n; p++) {
		bool begins = p == value || p[-1] == ':';

		if ((begins && *p == '/' && strncmp(p, "/carry/", 7)) || ((begins || p[-1] == '/') && !strncmp(p, "..", 2)))
			return wring_err_set(err, -EINVAL, "%.*s: value '%.*s': accepted: paths below the load's directory, whose filesystem is chosen with "
					     "on = MOUNT, and /carry/NAME", len, key, n, value);
	}
	return 0;
}

static int check_line(const char *line, size_t n, struct wring_err *err)
{
	size_t key, end;

	while (n && isspace((unsigned char)*line))
		line++, n--;
	while (n && isspace((unsigned char)line[n - 1]))
		n--;
	if (!n || *line == '#' || *line == ';' || *line == '[')
		return 0;
	key = 0;
	while (key < n && line[key] != '=' && !isspace((unsigned char)line[key]))
		key++;
	if (key == 7 && !strncmp(line, "include", 7))
		return wring_err_set(err, -EINVAL, "include: refused: the file is not there; put its lines into the job");
	for (size_t i = 0; i < WRING_ARRAY_SIZE(refused); i++)
		if (strlen(refused[i].key) == key && !strncmp(line, refused[i].key, key))
			return wring_err_set(err, -EINVAL, "%s: refused: %s", refused[i].key, refused[i].why);
	end = key;
	while (end < n && (line[end] == '=' || isspace((unsigned char)line[end])))
		end++;
	return check_value(line, (int)key, line + end, (int)(n - end), err);
}

static int check_job(const char *job, struct wring_err *err)
{
	int r = 0;

	for (const char *p = job; *p && !r; p += *p == '\n') {
		size_t n = strcspn(p, "\n");

		r = check_line(p, n, err);
		p += n;
	}
	return r ? wring_err_prefix(err, "job"), r : 0;
}

static int check(const void *data, struct wring_err *err)
{
	const struct fio *f = data;

	if (!*f->job == !*f->file)
		return wring_err_set(err, -EINVAL, "job: %s: give either job or job-file", *f->job ? "job-file is given too" : "none");
	if (strchr(f->file, '/'))
		return wring_err_set(err, -EINVAL, "job-file: value '%s': accepted: the last part of a name in the carry list", f->file);
	return check_job(f->job, err);
}

static int read_job(struct fio *f, struct wring_err *err)
{
	_cleanup_free_ char *path = wring_strf("/carry/%s", f->file);
	char *text = NULL;
	int r;

	if (!*f->file)
		return 0;
	r = path ? wring_read_file(AT_FDCWD, path, &text, NULL) : -ENOMEM;
	if (r)
		return wring_err_set(err, r, "job-file %s: %s (it must be in the scenario's carry list, and the run in a guest)", f->file, strerror(-r));
	free(f->job);
	f->job = text;
	return check_job(text, err);
}

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	return read_job(wring_wdata(c), err);
}

static bool has_section(const char *job)
{
	while (*job && *(job += strspn(job, " \t\n")) && *job != '[')
		job += strcspn(job, "\n");
	return *job == '[';
}

static int run(struct wring_wctx *c, struct wring_err *err)
{
	struct fio *f = wring_wdata(c);
	/* One seed for all of it, so that the same seed of the run gives the same offsets. */
	_cleanup_free_ char *job = wring_strf("[global]\nrandseed=%llu\n%s%s\n", (unsigned long long)(wring_seed(c) >> 1),
					      has_section(f->job) ? "" : "[job]\n", f->job), *output = NULL;
	struct wring_program p = { .may_be_killed = f->may_be_killed };
	static char program[] = PROGRAM, json[] = "--output-format=json", eta[] = "--eta=never", input[] = "-";
	bool killed;
	int r;

	if (!job)
		return wring_err_set(err, -ENOMEM, PROGRAM);
	r = wring_program_open(&p, job, err);
	output = wring_strf("--output=%s", p.path);
	if (!r)
		r = output ? wring_program_run(c, &p, (char *[]){ program, json, output, eta, input, NULL }, err) : -ENOMEM;
	/* It ends with 0 also when it lost a job. */
	killed = r >= 0 && wring_program_said(&p, "got signal=");
	wring_program_close(&p);
	if (r > 0 || killed)
		return wring_err_set(err, -EIO, PROGRAM " ended with %d: %s", r, p.last);
	return r;
}

static const struct wring_workload fio = {
	.name = PROGRAM,
	.summary = "any job of fio",
	.doc = "Starts fio inside the cgroup, its files in the load's directory (on = MOUNT). Writing back: rw=write ioengine=psync bs=64k, two to\n"
	       "four times memory.max. Reclaiming file cache: rw=randread ioengine=mmap or psync invalidate=1; refaults: random_distribution=zipf:1.1.\n"
	       "Figures are known when it has ended: LOAD.ops_per_s, LOAD.read_bytes_per_s, LOAD.read_latency_p99_ns of its slowest job and so on.\n"
	       "Until then ops is 0, and what it holds or has dirtied is never in the ledger. A job killed for memory makes the run noisy unless\n"
	       "may-be-killed says that this is what it is about. Refused are cgroup= (it already is in one), exec_prerun, exec_postrun, ioscheduler,\n"
	       "include, and paths outside the load's directory. In `wring load`, several options stand on lines of their own (job=$'rw=write\\nsize=8m').\n"
	       "A guest gets the program and its libraries from the host (100 MB: Debian's fio links Ceph and Gluster).",
	.params = params,
	.size = sizeof(struct fio),
	.program = PROGRAM,
	.package = "fio",
	.check = check,
	.setup = setup,
	.run = run,
};
WRING_REGISTER_WORKLOAD(fio);
