/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A folder for the sockets by which a person gets at a guest. Sockets in a folder of mode 0700 are the owner's alone, which those on
 * a port or with an abstract name are not; but they stay behind when their makers are killed. So a child waits for the end of this
 * process, whatever it dies of, and clears up. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "harness/base/util.h"
#include "harness/vm/vm.h"

static const char *const names[] = { WRING_DOOR_MONITOR, WRING_DOOR_QMP, WRING_DOOR_CONSOLE, WRING_DOOR_GDB };

static void clear(const char *dir)
{
	int fd = open(dir, O_PATH | O_DIRECTORY);

	for (size_t i = 0; i < WRING_ARRAY_SIZE(names); i++)
		unlinkat(fd, names[i], 0);
	rmdir(dir);
}

/* Between fork and exit: async-signal-safe calls only. */
static void wait_for_end(const char *dir, int leash)
{
	char c;

	setsid(); /* Ctrl-C belongs to the recorder */
	dup2(leash, 0);
	close_range(1, ~0U, 0);
	while (read(0, &c, 1) < 0 && errno == EINTR)
		;
	clear(dir);
	_exit(0);
}

int wring_door_open(struct wring_door *d, struct wring_err *err)
{
	const char *tmp = getenv("TMPDIR");
	sigset_t all, old;
	int fds[2], r;

	*d = (struct wring_door){ .leash = -1, .dir = wring_strf("%s/wring-guest-XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp") };
	if (!d->dir)
		return wring_err_set(err, -ENOMEM, "out of memory");
	if (strlen(d->dir) + strlen("/" WRING_DOOR_MONITOR) >= sizeof(((struct sockaddr_un *)0)->sun_path) || strchr(d->dir, ','))
		r = wring_err_set(err, -EINVAL, "sockets in %s: a path that is short, and without a comma, is accepted: set TMPDIR", d->dir);
	else if (!mkdtemp(d->dir))
		r = wring_err_set(err, -errno, "a folder for sockets, %s: %s", d->dir, strerror(errno));
	else
		r = pipe2(fds, O_CLOEXEC) ? wring_err_set(err, -errno, "pipe: %s", strerror(errno)) : 0;
	if (r) {
		free(WRING_TAKE_PTR(d->dir));
		return r;
	}
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	d->janitor = fork();
	if (!d->janitor)
		wait_for_end(d->dir, fds[0]);
	r = d->janitor < 0 ? -errno : 0;
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(fds[0]);
	d->leash = fds[1];
	if (r) {
		clear(d->dir);
		wring_door_close(d);
		return wring_err_set(err, r, "fork: %s", strerror(-r));
	}
	return 0;
}

void wring_door_close(struct wring_door *d)
{
	if (!d->dir)
		return;
	close(d->leash);
	if (d->janitor > 0)
		while (waitpid(d->janitor, NULL, 0) < 0 && errno == EINTR)
			;
	free(WRING_TAKE_PTR(d->dir));
}
