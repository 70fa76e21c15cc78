/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sysctls, and files below /sys, that a scenario changes. On a host the old value is journalled first, in /run/wring/PID, so that the next start can
 * put it back after a kill -9; the journal goes with the last value restored. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/agent/agent.h"
#include "harness/base/util.h"

#define JOURNAL_DIR "/run/wring"

/* A module's parameter leaves out its folder: keys have at most 49 characters. */
static char *path_of(const char *key)
{
	static const char module[] = "/sys/module/";
	size_t n = strlen(module), name = strncmp(key, module, n) ? 0 : strcspn(key + n, "/");
	char *path;

	if (name && key[n + name] && !strchr(key + n + name + 1, '/'))
		path = wring_strf("%.*s/parameters%s", (int)(n + name), key, key + n + name);
	else
		path = *key == '/' ? strdup(key) : wring_strf("/proc/sys/%s", key);

	if (path && strstr(path, "..")) {
		free(path);
		return NULL;
	}
	for (char *p = path && *key != '/' ? path + strlen("/proc/sys/") : NULL; p && *p; p++)
		if (*p == '.')
			*p = '/';
	return path;
}

static int remember(struct wring_agent *a, const char *key, const char *old)
{
	_cleanup_free_ char *line = wring_strf("%s=%s\n", key, old);
	_cleanup_close_ int fd = -1;

	if (mkdir(JOURNAL_DIR, 0755) && errno != EEXIST && !a->guest)
		return -errno;
	fd = open(a->journal, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || !line)
		return fd < 0 ? -errno : -ENOMEM;
	return wring_write_all(fd, line, strlen(line));
}

/* "always [madvise] never" */
static char *chosen(char *text)
{
	char *from = strchr(text, '['), *to = from ? strchr(from, ']') : NULL;

	if (!to)
		return text;
	*to = '\0';
	return from + 1;
}

/* Of these pairs the kernel makes the one zero when the other is written. */
static const char *const pairs[][2] = {
	{ "vm.dirty_ratio", "vm.dirty_bytes" },
	{ "vm.dirty_background_ratio", "vm.dirty_background_bytes" },
	{ "vm.overcommit_ratio", "vm.overcommit_kbytes" },
};

/* The other one of a pair is remembered if it was in force. It is written down first, so that it is restored last. */
static int remember_other(struct wring_agent *a, const char *key)
{
	for (size_t i = 0; i < WRING_ARRAY_SIZE(pairs); i++) {
		bool is_first = !strcmp(key, pairs[i][0]);
		const char *other = pairs[i][is_first ? 1 : 0];
		_cleanup_free_ char *path = NULL, *old = NULL;

		if (!is_first && strcmp(key, pairs[i][1]))
			continue;
		path = path_of(other);
		if (!path || wring_read_line(AT_FDCWD, path, &old) || !strcmp(old, "0"))
			return 0;
		return remember(a, other, old);
	}
	return 0;
}

int wring_sysctl_set(struct wring_agent *a, const char *key, const char *value, struct wring_err *err)
{
	_cleanup_free_ char *path = path_of(key), *old = NULL;
	int r = path ? wring_read_line(AT_FDCWD, path, &old) : -EINVAL;

	/* vm.drop_caches and the like are commands: nobody may read them, and there is nothing to put back */
	if (r == -EACCES)
		r = 0;
	else if (!r && !(r = remember_other(a, key)))
		r = remember(a, key, chosen(old));
	/* One that can only be written (vm.drop_caches) is an order, with nothing to put back. */
	if (r == -EACCES && !old)
		r = 0;
	if (!r)
		r = wring_write_file(AT_FDCWD, path, value);
	return r ? wring_err_set(err, r, "sysctl %s = %s: %s", key, value, strerror(-r)) : 0;
}

/* Last written, first restored: the oldest value of a key wins. */
static void restore_from(const char *journal)
{
	_cleanup_free_ char *text = NULL;

	if (wring_read_file(AT_FDCWD, journal, &text, NULL))
		return;
	while (*text) {
		char *line, *eq;
		_cleanup_free_ char *path = NULL;

		line = text + strlen(text);
		if (line > text && line[-1] == '\n')
			*--line = '\0';
		line = strrchr(text, '\n');
		line = line ? line + 1 : text;
		eq = strchr(line, '=');
		if (eq) {
			*eq = '\0';
			path = path_of(line);
			if (path)
				wring_write_file(AT_FDCWD, path, eq + 1);
		}
		*line = '\0';
	}
	unlink(journal);
}

void wring_sysctl_restore(struct wring_agent *a)
{
	restore_from(a->journal);
	if (!a->guest)
		rmdir(JOURNAL_DIR);
}

void wring_sysctl_repair(void)
{
	DIR *d = opendir(JOURNAL_DIR);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		_cleanup_free_ char *path = NULL;
		int pid = atoi(e->d_name);

		if (pid <= 0 || wring_agent_is_alive(pid))
			continue;
		path = wring_strf(JOURNAL_DIR "/%s", e->d_name);
		if (path)
			restore_from(path);
	}
	if (d)
		closedir(d);
	rmdir(JOURNAL_DIR);
}
