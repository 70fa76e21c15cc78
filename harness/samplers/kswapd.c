/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What each node's kswapd is doing. Its state is a letter, so this file is read here and not by position. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/util.h"
#include "harness/samplers/source.h"

enum { STATE, STACK };

static bool is_named(int proc, const char *pid, const char *name)
{
	_cleanup_free_ char *path = wring_strf("%s/comm", pid), *comm = NULL;

	return path && isdigit((unsigned char)*pid) && !wring_read_line(proc, path, &comm) && !strcmp(comm, name);
}

static int open_files(struct wring_source *s, int proc, const char *pid)
{
	static const char *const names[] = { [STATE] = "stat", [STACK] = "stack" };

	for (size_t i = 0; i < WRING_ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = wring_strf("%s/%s", pid, names[i]);
		int fd = path ? openat(proc, path, O_RDONLY | O_CLOEXEC) : -1;

		if (fd < 0 && i == STATE)
			return -errno;
		if (fd < 0)
			break; /* its stack is for root alone */
		s->files[s->n_files++] = (struct wring_file){ .fd = fd, .path = "/proc" };
	}
	return 0;
}

/* "node1": kswapd1, by its name; on this kernel threads keep their process numbers. */
static int find(struct wring_source *s, int dirfd)
{
	_cleanup_free_ char *name = wring_strf("kswapd%s", s->subject + strlen("node"));
	int fd = openat(dirfd, dirfd == AT_FDCWD ? "/proc" : "proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = -ENOENT;
	DIR *proc = fd < 0 ? NULL : fdopendir(fd);

	if (!proc)
		return -errno;
	for (struct dirent *e; name && r == -ENOENT && (e = readdir(proc));)
		if (is_named(fd, e->d_name, name))
			r = open_files(s, fd, e->d_name);
	closedir(proc);
	return r;
}

/* "[<0>] msleep+0x2d/0x40" a line, innermost first */
static void tell_stack(struct wring_source *s)
{
	char text[sizeof(s->note)];
	ssize_t n = s->n_files > STACK ? pread(s->files[STACK].fd, text, sizeof(text) - 1, 0) : -1;
	size_t at = 0;

	if (n <= 0)
		return;
	text[n] = '\0';
	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *frame = strstr(line, "] ");

		at += (size_t)snprintf(s->note + at, sizeof(s->note) - at, "%s%s", at ? " < " : "", frame ? frame + 2 : line);
		if (at >= sizeof(s->note))
			return;
	}
}

/* "57 (kswapd0) D 2 0 ...": the 14th and 15th fields are its CPU time in ticks. */
static void tell(struct wring_source *s)
{
	unsigned long long user = 0, system = 0;
	char text[1024], state = '?', *end;
	ssize_t n = pread(s->files[STATE].fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	end = strrchr(text, ')');
	if (!end || sscanf(end + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu", &state, &user, &system) != 3)
		return;
	s->streak = state == 'D' ? s->streak + 1 : 0;
	if (s->streak == 2) /* once for each sleep that lasts */
		tell_stack(s);
	wring_load_value(s, "blocked", state == 'D');
	wring_load_value(s, "running", state == 'R');
	wring_load_value(s, "cpu_ticks", (int64_t)(user + system));
}

static enum wring_kind kind(const char *key)
{
	return strcmp(key, "cpu_ticks") ? WRING_GAUGE : WRING_COUNTER;
}

static const struct wring_sampler sampler = {
	.name = "kswapd",
	.summary = "state of each node's kswapd, and its stack where it sleeps uninterruptibly",
	.scope = WRING_PER_NODE,
	.find = find,
	.tell = tell,
	.unit = "",
	.kind = kind,
};
WRING_REGISTER_SAMPLER(sampler);
