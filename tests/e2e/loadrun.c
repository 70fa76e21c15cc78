/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs one process of a load without an agent, here: loadrun LOAD-PROGRAM STOP-MS WORKLOAD key=value... starts it, lets it go,
 * asks it to stop after STOP-MS unless that is 0, and prints its counters, as they were once it was done. The current directory
 * is the load's. Exit code: the load's. */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "harness/api/loadproto.h"
#include "harness/base/util.h"

#define MAX_ARGS 64

static pid_t start(char **argv, int argc, int page_fd, int socket_fd)
{
	char options[3][64], *args[MAX_ARGS] = { argv[1], options[0], options[1], options[2] };
	int n = 4, dir_fd = open(".", O_RDONLY | O_DIRECTORY);
	pid_t pid;

	snprintf(options[0], sizeof(options[0]), "--page-fd=%d", page_fd);
	snprintf(options[1], sizeof(options[1]), "--socket-fd=%d", socket_fd);
	snprintf(options[2], sizeof(options[2]), "--dir-fd=%d", dir_fd);
	for (int i = 3; i < argc && n < MAX_ARGS - 1; i++)
		args[n++] = argv[i];
	pid = fork();
	if (!pid) {
		execv(args[0], args);
		_exit(127);
	}
	return pid;
}

/* The load's next word; 0 at its end, '?' when it says nothing for so long. */
static char hear(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char b;

	if (poll(&p, 1, ms) != 1)
		return '?';
	return read(fd, &b, 1) == 1 ? b : 0;
}

static void show(const struct wring_load_page *p)
{
	uint64_t n = 0, slept = 0;

	for (size_t i = 0; i < WRING_ARRAY_SIZE(p->latency); i++) {
		n += p->latency[i];
		slept += p->slept[i];
	}
	printf("ops %" PRIu64 "\nerrors %" PRIu64 "\nmoved %" PRIu64 "\ndropped %" PRIu64 "\ninflight %" PRId64 "\n", p->ops, p->errors,
	       p->moved_bytes, p->dropped, p->inflight_bytes);
	printf("latencies %" PRIu64 "\nlatency_max %" PRIu64 "\nheld %" PRId64 "\n", n, p->latency_max_ns, p->held_bytes);
	printf("slept %" PRIu64 "\nslept_max %" PRIu64 "\n", slept, p->slept_max_ns);
	for (const struct wring_load_failure *f = p->failures; f < p->failures + WRING_FAILURES && f->error; f++)
		printf("failed %s %s %u\n", f->call, strerrorname_np((int)f->error), f->count);
	if (*p->message)
		printf("message %s\n", p->message);
}

int main(int argc, char **argv)
{
	int page_fd = memfd_create("page", 0), pair[2], stop_ms, status;
	struct wring_load_page *page;
	int64_t began, done;
	pid_t pid;
	char word;

	if (argc < 4 || page_fd < 0 || ftruncate(page_fd, WRING_LOAD_PAGE) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 2;
	fcntl(pair[0], F_SETFD, FD_CLOEXEC);
	page = mmap(NULL, WRING_LOAD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
	stop_ms = atoi(argv[2]);
	pid = start(argv, argc, page_fd, pair[1]);
	close(pair[1]);
	word = hear(pair[0], 10000);
	if (word == 'r') {
		send(pair[0], "g", 1, MSG_NOSIGNAL);
		began = wring_now_ns();
		word = hear(pair[0], stop_ms ? stop_ms : 60000);
		if (word == '?') {
			__atomic_store_n(&page->stop, 1, __ATOMIC_RELAXED);
			word = hear(pair[0], 10000);
		}
		done = wring_now_ns();
		printf("ms %lld\n", (long long)((done - began) / WRING_NSEC_PER_MSEC));
	}
	printf("word %c\n", word ? word : '-');
	show(page);
	send(pair[0], "s", 1, MSG_NOSIGNAL);
	if (hear(pair[0], 10000) == '?')
		kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid)
		return 2;
	printf("after inflight %" PRId64 " held %" PRId64 "\n", page->inflight_bytes, page->held_bytes);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}
