/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wring-agent. In a guest it is /init and finds its plan in /plan; on a host the recorder starts it with
 * --plan-fd=N --out-fd=N. A plan is a block of settings and the resolved scenarios, each behind a "%%" line. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "config.h"
#include "harness/agent/agent.h"
#include "harness/base/units.h"
#include "harness/base/util.h"

#define RING_BYTES (4u << 20)
#define MAX_FILES (1u << 20) /* the kernel's own default for fs.nr_open */

volatile sig_atomic_t wring_agent_interrupted;

static void on_term(int sig)
{
	(void)sig;
	wring_agent_interrupted = 1;
}

/* The measuring side must survive what it causes. Without the rights for it, it says so and goes on. */
static void protect(struct wring_agent *a)
{
	struct rlimit files;

	if (wring_write_file(AT_FDCWD, "/proc/self/oom_score_adj", "-1000"))
		wring_out_event(a->out, "warn", "protect", "not exempt from the OOM killer: no right to lower oom_score_adj");
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	/* Ours: files of each group and process. Workloads that hold descriptors raise their soft limit to the hard one. Without the
	 * right to raise that, it stays. */
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		rlim_t hard = files.rlim_max;

		files.rlim_cur = files.rlim_max = hard < MAX_FILES ? MAX_FILES : hard;
		if (setrlimit(RLIMIT_NOFILE, &files)) {
			files.rlim_cur = files.rlim_max = hard;
			setrlimit(RLIMIT_NOFILE, &files);
		}
	}
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		wring_out_event(a->out, "warn", "protect", "not locked in memory: %s", strerror(errno));
}

static int load_topology(struct wring_agent *a, struct wring_err *err)
{
	if (hwloc_topology_init(&a->topology))
		return wring_err_set(err, -ENOMEM, "hwloc");
	hwloc_topology_set_flags(a->topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
	if (hwloc_topology_load(a->topology))
		return wring_err_set(err, -errno, "hwloc: reading the topology: %s", strerror(errno));
	return 0;
}

static int set_up(struct wring_agent *a, struct wring_err *err)
{
	_cleanup_free_ char *name = wring_strf("wring-%d", getpid());
	struct wring_base base;
	int r;

	a->ncpu = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	a->page_size = sysconf(_SC_PAGESIZE);
	a->journal = wring_strf("/run/wring/%d", getpid());
	if (!name || !a->journal)
		return wring_err_set(err, -ENOMEM, "agent");
	protect(a);
	r = load_topology(a, err);
	if (r)
		return r;
	r = wring_base_find(&base, err);
	if (!r && !a->guest) {
		wring_base_sweep(&base);
		wring_sysctl_repair();
		wring_workdir_sweep();
	}
	if (!r)
		r = wring_workdir_new(a, err);
	if (!r)
		r = wring_tree_new(&base, name, &a->tree, err);
	wring_base_done(&base);
	return r;
}

static void tear_down(struct wring_agent *a)
{
	wring_tree_free(a->tree);
	if (a->topology)
		hwloc_topology_destroy(a->topology);
	wring_workdir_free(a);
	free(a->journal);
	free(a->missing);
}

static int add_missing(struct wring_agent *a, const char *line, struct wring_err *err)
{
	char *all = wring_strf("%s%s\n", a->missing ? a->missing : "", line);

	if (!all)
		return wring_err_set(err, -ENOMEM, "settings");
	free(a->missing);
	a->missing = all;
	return 0;
}

static int settings(struct wring_agent *a, char *text, struct wring_err *err)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *eq = strchr(line, '=');
		int r;

		if (!eq)
			continue;
		if (!strncmp(line, "missing.", 8)) {
			r = add_missing(a, line + 8, err);
			if (r)
				return r;
			continue;
		}
		*eq = '\0';
		r = strcmp(line, "seed") ? 0 : wring_parse_u64(eq + 1, 0, INT64_MAX, &a->seed, err);
		if (r)
			return r;
	}
	return 0;
}

static int run_scenario(struct wring_agent *a, const char *name, const char *text, struct wring_err *err)
{
	struct wring_scenario *s;
	int r = wring_scenario_parse(name, text, NULL, 0, &s, err);

	if (r)
		return r;
	r = wring_session_run(a, s);
	wring_scenario_free(s);
	return r;
}

/* "%% settings", "%% scenario NAME": each block runs to the next such line. */
static int run_plan(struct wring_agent *a, char *plan, struct wring_err *err)
{
	int r = 0;

	while (plan && !strncmp(plan, "%% ", 3) && !r && !wring_agent_interrupted) {
		char *head = plan + 3, *body = strchr(head, '\n'), *next;

		if (!body)
			break;
		next = strstr(body, "\n%% ");
		*body++ = '\0';
		if (next)
			*next++ = '\0';
		if (next == body)
			body = head + strlen(head);
		if (!strcmp(head, "settings")) {
			r = settings(a, body, err);
			if (!r)
				wring_facts_send(a);
		} else if (!strncmp(head, "scenario ", 9)) {
			r = run_scenario(a, head + 9, body, err);
		}
		plan = next;
	}
	return r;
}

static int run(struct wring_agent *a, const char *plan_path, int out_fd)
{
	_cleanup_free_ char *plan = NULL;
	struct wring_err err = { 0 };
	int r = wring_out_new(out_fd, RING_BYTES, &a->out, &err);

	if (r) {
		fprintf(stderr, "wring-agent: %s\n", err.msg);
		return 1;
	}
	wring_out_hello(a->out, PACKAGE_VERSION);
	r = wring_read_file(AT_FDCWD, plan_path, &plan, NULL);
	if (r)
		wring_err_set(&err, r, "reading the plan: %s", strerror(-r));
	if (!r)
		r = set_up(a, &err);
	if (!r)
		r = run_plan(a, plan, &err);
	if (a->journal)
		wring_sysctl_restore(a);
	if (r)
		wring_out_event(a->out, "error", "agent", "%s", err.msg);
	wring_out_time(a->out, WRING_REC_BYE);
	tear_down(a);
	wring_out_free(a->out, wring_now_ns() + 5 * WRING_NSEC_PER_SEC);
	return r ? 1 : 0;
}

static int run_guest(struct wring_agent *a)
{
	struct wring_err err = { 0 };
	int fd = -1;

	a->guest = true;
	a->load_program = strdup("/wring-load");
	if (wring_guest_setup(&fd, &err))
		fprintf(stderr, "wring-agent: %s\n", err.msg);
	else
		run(a, "/plan", fd);
	wring_guest_power_off();
}

static int run_host(struct wring_agent *a, int argc, char **argv)
{
	static const struct option options[] = {
		{ "plan-fd", required_argument, NULL, 'p' }, { "out-fd", required_argument, NULL, 'o' },
		{ "load-program", required_argument, NULL, 'l' }, { 0 },
	};
	_cleanup_free_ char *plan = NULL;
	struct sigaction term = { .sa_handler = on_term };
	int out_fd = -1, o, r;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 'p':
			plan = wring_strf("/proc/self/fd/%d", atoi(optarg));
			break;
		case 'o':
			out_fd = atoi(optarg);
			break;
		case 'l':
			a->load_program = strdup(optarg);
			break;
		}
	if (!plan || out_fd < 0 || !a->load_program) {
		fprintf(stderr, "wring-agent: started by wring, not by hand\n");
		return 2;
	}
	/* Ctrl-C is for the recorder, which then tells us; we must live to tidy up. */
	setsid();
	sigaction(SIGTERM, &term, NULL);
	signal(SIGPIPE, SIG_IGN);
	r = run(a, plan, out_fd);
	free(a->load_program);
	return r;
}

int main(int argc, char **argv)
{
	struct wring_agent a = { 0 };

	return getpid() == 1 ? run_guest(&a) : run_host(&a, argc, argv);
}
