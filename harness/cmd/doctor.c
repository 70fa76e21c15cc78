/* SPDX-License-Identifier: GPL-3.0-or-later */
/* doctor and kconfig: what this machine and a kernel can do. */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "harness/agent/cgroup.h"
#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "harness/cmd/cmd.h"
#include "harness/run/run.h"
#include "harness/vm/child.h"

static void line(bool ok, const char *what, const char *detail, const char *remedy)
{
	printf("%-4s %-22s %s%s%s\n", ok ? "yes" : "no", what, detail, !ok && *remedy ? "; " : "", ok ? "" : remedy);
}

static bool in_path(const char *name)
{
	_cleanup_free_ char *path = NULL;

	return !wring_child_find(name, NULL, &path, NULL);
}

/* What the workloads start. */
static void workload_lines(void)
{
	size_t n;
	const struct wring_workload *const *all = wring_workloads(&n);

	for (size_t i = 0; i < n; i++)
		if (all[i]->program) {
			_cleanup_free_ char *what = wring_strf("workload %s", all[i]->name), *remedy = wring_strf("apt-get install %s", all[i]->package);

			line(in_path(all[i]->program), what ? what : "", all[i]->program, remedy ? remedy : "");
		}
}

static bool host_line(void)
{
	struct wring_base base;
	struct wring_err err = { 0 };
	bool ok = !wring_base_find(&base, &err);

	line(ok, "run on the host", ok ? (base.delegated ? "delegated cgroup v2 subtree" : "cgroup v2, root") : err.msg, "");
	wring_base_done(&base);
	return ok;
}

static bool kernel_line(void)
{
	const char *from = "";
	_cleanup_free_ char *path = wring_default_kernel(&from), *detail = NULL;
	struct wring_kernel *k = NULL;
	struct wring_err err = { 0 };
	bool ok = path && !wring_kernel_open(path, &k, &err);

	detail = ok ? wring_strf("%s (%s, %s)", wring_kernel_release(k), path, from) : strdup(path ? err.msg : "none found");
	line(ok, "a kernel to boot", detail ? detail : "", "./quickstart gets one, or --kernel=PATH");
	wring_kernel_free(k);
	return ok;
}

static const struct argp_option no_options[] = { WRING_HELP_OPTION, { 0 } };

static int doctor(int argc, char **argv)
{
	static const struct argp argp = { no_options, wring_parse_only_words, "",
		"Prints every capability found or missing, and the command that would supply it.", NULL, NULL, NULL };
	static const struct { const char *program, *what, *remedy; } programs[] = {
		{ "mkfs.ext4", "ext4 scratch disks", "apt-get install e2fsprogs" },
		{ "mkfs.xfs", "xfs scratch disks", "apt-get install xfsprogs" },
		{ "mkswap", "swap disks", "apt-get install util-linux" },
		{ "nbdkit", "swap over the network", "apt-get install nbdkit" },
	};
	char version[100] = "", why[200] = "";
	struct wring_err err = { 0 };
	bool host, vm, kvm;
	struct wring_words a = { .most = 1 };
	int code = wring_args(&argp, "doctor", argc, argv, &a);

	if (code)
		return code;
	if (a.words[0])
		return wring_usage_error("doctor takes no argument, not '%s'", a.words[0]);
	host = host_line();
	vm = !wring_qemu_version(version, sizeof(version), &err);
	line(vm, "QEMU", vm ? version : err.msg, "");
	kvm = wring_kvm_usable(why, sizeof(why));
	line(kvm, "KVM", kvm ? "opens; a run still falls back to TCG when it cannot boot the kernel" : why, "guests run under TCG");
	vm = kernel_line() && vm;
	for (size_t k = 0; k < WRING_ARRAY_SIZE(programs); k++)
		line(in_path(programs[k].program), programs[k].what, programs[k].program, programs[k].remedy);
	workload_lines();
	printf("\n%s\n", host ? "Ready: runs go to this host (--where=vm for a guest)." : vm ? "Ready: runs go to a guest." :
	       "Not ready: neither this host nor a guest can run; see the lines above.");
	return host || vm ? WRING_EXIT_OK : WRING_EXIT_BROKEN;
}

static int kconfig(int argc, char **argv)
{
	static const struct argp argp = { no_options, wring_parse_only_words, "[TREE]",
		"Prints the kernel configuration the suite wants; with a build tree, .deb or unpacked package also checks it: exit 1 when something "
		"required is missing.", NULL, NULL, NULL };
	struct wring_words a = { .most = 1 };
	struct wring_kernel *k = NULL;
	struct wring_err err = { 0 };
	const char *config;
	int missing, code = wring_args(&argp, "kconfig", argc, argv, &a);

	if (code)
		return code;
	if (!a.words[0])
		return wring_kconfig(NULL, stdout), WRING_EXIT_OK;
	if (wring_kernel_open(a.words[0], &k, &err))
		return wring_complain(&err, WRING_EXIT_USAGE);
	config = wring_kernel_config(k);
	missing = config ? wring_kconfig(config, stdout) : -1;
	wring_kernel_free(k);
	if (missing < 0)
		return wring_usage_error("%s: no configuration found beside this kernel", a.words[0]);
	return missing ? WRING_EXIT_FAIL : WRING_EXIT_OK;
}

const struct wring_cmd wring_cmd_doctor = { "doctor", "", "what this host can run, and what to install for the rest", doctor };
const struct wring_cmd wring_cmd_kconfig = { "kconfig", "[TREE]", "the kernel configuration the suite wants; checks a build tree", kconfig };
