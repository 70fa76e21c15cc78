/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results of programs that a load ran: handed on as they are; the analyzers understand them. */
#include <fcntl.h>
#include <string.h>

#include "harness/agent/agent.h"
#include "harness/base/util.h"

#define MAX_OUTPUT (256 << 10)
#define CHUNK 6000

static void send_all(struct wring_out *out, const char *load, pid_t pid, int fd)
{
	char text[CHUNK + 64];
	int head = snprintf(text, sizeof(text), "pid=%d\n", pid);
	off_t at = 0;
	ssize_t n;

	while (at < MAX_OUTPUT && (n = pread(fd, text + head, CHUNK, at)) > 0) {
		wring_out_text(out, "output", load, text, (size_t)head + (size_t)n);
		at += n;
	}
	if (at >= MAX_OUTPUT && pread(fd, text, 1, at) > 0)
		wring_out_event(out, "warn", load, "the results of pid %d are cut after %d KiB", pid, MAX_OUTPUT >> 10);
}

/* Programs hide that a worker of theirs was killed, and may end with 0: the kernel's own count tells. */
bool wring_output_take(struct wring_out *out, const struct wring_load *l, pid_t pid, int fd, int64_t oom_kills)
{
	send_all(out, l->name, pid, fd);
	close(fd);
	if (oom_kills > 0)
		wring_out_event(out, "load", l->name, "killed pid=%d oom_kills=%lld", pid, (long long)oom_kills);
	return oom_kills > 0;
}

int64_t wring_oom_kills(int cgroup)
{
	_cleanup_close_ int fd = openat(cgroup, "memory.events", O_RDONLY | O_CLOEXEC);
	char text[512];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *key;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	key = strstr(text, "\noom_kill ");
	return key ? strtoll(key + strlen("\noom_kill "), NULL, 10) : 0;
}
