/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where mount points and the files of workloads without a filesystem of their own are. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "harness/agent/agent.h"
#include "harness/base/util.h"

static const char *tmp_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	return tmp && *tmp ? tmp : "/tmp";
}

/* Mounts made here are seen by nobody else and vanish with us; a tmpfs over /tmp leaves no directory behind either. */
static int private_mounts(struct wring_err *err)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/tmp", "tmpfs", 0, "mode=0755"))
		return wring_err_set(err, -errno, "a private mount namespace: %s", strerror(errno));
	return 0;
}

int wring_workdir_new(struct wring_agent *a, struct wring_err *err)
{
	bool is_own = !a->guest && geteuid();

	a->workdir = is_own ? wring_strf("%s/wring-%d", tmp_dir(), getpid()) : strdup("/tmp");
	if (!a->workdir)
		return wring_err_set(err, -ENOMEM, "working directory");
	if (is_own && mkdir(a->workdir, 0700))
		return wring_err_set(err, -errno, "%s: %s", a->workdir, strerror(errno));
	return a->guest || is_own ? 0 : private_mounts(err);
}

void wring_workdir_free(struct wring_agent *a)
{
	if (a->workdir && !a->guest && geteuid())
		rmdir(a->workdir);
	free(a->workdir);
	a->workdir = NULL;
}

void wring_workdir_empty(int dirfd)
{
	DIR *d = fdopendir(dirfd);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (e->d_type == DT_DIR) {
			int fd = openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (fd >= 0)
				wring_workdir_empty(fd);
			unlinkat(dirfd, e->d_name, AT_REMOVEDIR);
		} else {
			unlinkat(dirfd, e->d_name, 0);
		}
	}
	if (d)
		closedir(d);
	else
		close(dirfd);
}

/* "wring-PID": our own user's directories alone, because anybody may make one of that name in /tmp. */
static void sweep_one(int tmp, const char *name)
{
	int fd = openat(tmp, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) || st.st_uid != geteuid()) {
		close(fd);
		return;
	}
	wring_workdir_empty(fd);
	unlinkat(tmp, name, AT_REMOVEDIR);
}

void wring_workdir_sweep(void)
{
	DIR *d = geteuid() ? opendir(tmp_dir()) : NULL;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		int pid, len = 0;

		if (sscanf(e->d_name, "wring-%d%n", &pid, &len) == 1 && !e->d_name[len] && pid > 0 && !wring_agent_is_alive(pid))
			sweep_one(dirfd(d), e->d_name);
	}
	if (d)
		closedir(d);
}
