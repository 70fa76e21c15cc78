/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/agent/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libcgroup.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>

#include "harness/base/units.h"
#include "harness/base/util.h"

/* On our own directory: we turned the controller on in base. For whoever tidies up behind us. */
#define ENABLED_XATTR "user.wring-enabled"

struct wring_tree {
	struct wring_base base;
	char *name;          /* below base */
	char *rel;           /* below the mount: base.path/name */
	int fd;              /* of its directory */
	bool enabled_base;   /* +memory was not on in base */
	bool moved;          /* our processes went to base/NAME-ctl */
};

/* ---- base ---- */

static char *find_mount(void)
{
	_cleanup_free_ char *text = NULL;
	char *save = NULL;

	if (wring_read_file(AT_FDCWD, "/proc/self/mounts", &text, NULL))
		return NULL;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char dir[512], type[64];

		if (sscanf(line, "%*s %511s %63s", dir, type) == 2 && !strcmp(type, "cgroup2"))
			return strdup(dir);
	}
	return NULL;
}

static bool file_has(const char *dir, const char *rel, const char *file, const char *word)
{
	_cleanup_free_ char *path = wring_strf("%s/%s/%s", dir, rel, file), *text = NULL;

	return path && !wring_read_file(AT_FDCWD, path, &text, NULL) && wring_has_word(text, word);
}

static char *own_cgroup(void)
{
	_cleanup_free_ char *text = NULL;
	char *p;

	if (wring_read_file(AT_FDCWD, "/proc/self/cgroup", &text, NULL))
		return NULL;
	p = strstr(text, "0::/");
	if (!p || (p != text && p[-1] != '\n'))
		return NULL;
	p += 4;
	p[strcspn(p, "\n")] = '\0';
	return strdup(p);
}

int wring_base_find(struct wring_base *b, struct wring_err *err)
{
	_cleanup_free_ char *own = NULL, *procs = NULL;

	*b = (struct wring_base){ .mount = find_mount() };
	if (!b->mount)
		return wring_err_set(err, -ENOENT, "no cgroup2 filesystem is mounted: mount -t cgroup2 none /sys/fs/cgroup, "
				     "or use --where=vm");
	if (!file_has(b->mount, "", "cgroup.controllers", "memory"))
		return wring_err_set(err, -EOPNOTSUPP, "%s/cgroup.controllers has no memory controller (it is on cgroup v1, or "
				     "cgroup_disable=memory): boot with cgroup_no_v1=all, or use --where=vm", b->mount);
	if (!geteuid()) {
		b->path = strdup("");
		return b->path ? 0 : wring_err_set(err, -ENOMEM, "cgroup base");
	}
	own = own_cgroup();
	procs = wring_strf("%s/%s/cgroup.subtree_control", b->mount, own ? own : "");
	if (!own || !procs || access(procs, W_OK))
		return wring_err_set(err, -EACCES, "the cgroup /%s is not delegated to this user: run "
				     "systemd-run --user --scope -p Delegate=yes wring ..., or as root, or use --where=vm",
				     own ? own : "");
	if (!file_has(b->mount, own, "cgroup.controllers", "memory"))
		return wring_err_set(err, -EOPNOTSUPP, "the delegated cgroup /%s has no memory controller: run "
				     "systemd-run --user --scope -p Delegate=yes wring ..., or use --where=vm", own);
	b->path = WRING_TAKE_PTR(own);
	b->delegated = true;
	return 0;
}

void wring_base_done(struct wring_base *b)
{
	free(b->mount);
	free(b->path);
	*b = (struct wring_base){ 0 };
}

static int open_dir(const char *mount, const char *a, const char *b)
{
	_cleanup_free_ char *path = wring_strf("%s/%s%s%s", mount, a, *b ? "/" : "", b);
	int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	return fd < 0 ? -errno : fd;
}

/* ---- plain I/O where libcgroup 2.0.2 cannot ---- */

/* Its recursive enable starts at the first path component, not at the mount (issue 351, fixed in 3.2.0), and
 * writes "+memory" where it is on already, which is EACCES for a delegated user (PR 421). */
static int enable_memory(int dirfd)
{
	_cleanup_free_ char *on = NULL;
	int r = wring_read_file(dirfd, "cgroup.subtree_control", &on, NULL);

	if (r || wring_has_word(on, "memory"))
		return r;
	r = wring_write_file(dirfd, "cgroup.subtree_control", "+memory");
	return r ? r : 1;
}

/* No cgroup.kill in any libcgroup. Populated changes are signalled with POLLPRI on cgroup.events. */
static int wait_event(int dirfd, const char *key, int64_t deadline_ns)
{
	_cleanup_close_ int fd = openat(dirfd, "cgroup.events", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLPRI };
		char text[128];
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
		int64_t left = deadline_ns - wring_now_ns();

		if (n < 0)
			return -errno;
		text[n] = '\0';
		if (strstr(text, key))
			return 0;
		if (left <= 0)
			return -ETIMEDOUT;
		poll(&p, 1, left / WRING_NSEC_PER_MSEC < 100 ? 1 + (int)(left / WRING_NSEC_PER_MSEC) : 100);
	}
}

static int kill_all(int dirfd, int64_t deadline_ns)
{
	int r = wring_write_file(dirfd, "cgroup.kill", "1");

	return r ? r : wait_event(dirfd, "populated 0", deadline_ns);
}

/* libcgroup's recursive delete moves tasks to the parent, which is EBUSY on v2. A cgroup can stay busy for a moment
 * after its last process was reaped: retried with growing pauses, up to the deadline. */
static int remove_at(int parent, const char *name, int64_t deadline_ns)
{
	struct timespec pause = { .tv_nsec = 200000 };
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *e;
	DIR *d;
	int r = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	while ((e = readdir(d)))
		if (e->d_type == DT_DIR && strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			r = remove_at(fd, e->d_name, deadline_ns);
	closedir(d);
	while (unlinkat(parent, name, AT_REMOVEDIR)) {
		if (errno == ENOENT)
			break;
		if (errno != EBUSY || wring_now_ns() > deadline_ns)
			return -errno;
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 20 * WRING_NSEC_PER_MSEC)
			pause.tv_nsec *= 2;
	}
	return r;
}

bool wring_agent_is_alive(int pid)
{
	char path[40], exe[512];
	const char *base;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n < 0)
		return errno == EACCES; /* another user's: nobody knows */
	exe[n] = '\0';
	base = strrchr(exe, '/');
	return base && !strncmp(base + 1, "wring-agent", strlen("wring-agent"));
}

static bool is_left(const struct dirent *e, const char *suffix)
{
	int pid, len = 0;

	return e->d_type == DT_DIR && sscanf(e->d_name, "wring-%d%n", &pid, &len) == 1 && pid > 0 &&
	       !strcmp(e->d_name + len, suffix) && !wring_agent_is_alive(pid);
}

static void bring_back(int base, const char *ctl)
{
	_cleanup_free_ char *procs = wring_strf("%s/cgroup.procs", ctl), *text = NULL;
	char *save = NULL;

	if (!procs || wring_read_file(base, procs, &text, NULL))
		return;
	for (char *pid = strtok_r(text, "\n", &save); pid; pid = strtok_r(NULL, "\n", &save))
		wring_write_file(base, "cgroup.procs", pid);
	remove_at(base, ctl, wring_now_ns() + WRING_NSEC_PER_SEC);
}

static void sweep_trees(int base, DIR *d)
{
	struct dirent *e;

	while ((e = readdir(d))) {
		_cleanup_close_ int child = -1;
		bool is_on;

		if (!is_left(e, ""))
			continue;
		child = openat(base, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		is_on = child >= 0 && fgetxattr(child, ENABLED_XATTR, NULL, 0) >= 0;
		if (child >= 0)
			kill_all(child, wring_now_ns() + 5 * WRING_NSEC_PER_SEC);
		remove_at(base, e->d_name, wring_now_ns() + 5 * WRING_NSEC_PER_SEC);
		/* Refused while another wring uses it. */
		if (is_on)
			wring_write_file(base, "cgroup.subtree_control", "-memory");
	}
}

/* The controller goes off first: a cgroup has either processes or children with controllers. */
static void sweep_ctls(int base, DIR *d)
{
	struct dirent *e;

	while ((e = readdir(d))) {
		if (!is_left(e, "-ctl"))
			continue;
		wring_write_file(base, "cgroup.subtree_control", "-memory");
		bring_back(base, e->d_name);
	}
}

void wring_base_sweep(const struct wring_base *b)
{
	int fd = open_dir(b->mount, b->path, "");
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		wring_closep(&fd);
		return;
	}
	sweep_trees(fd, d);
	rewinddir(d);
	if (b->delegated)
		sweep_ctls(fd, d);
	closedir(d);
}

/* ---- tree ---- */

/* A delegated cgroup may have no process of its own once +memory is on for its children. */
static int move_out(struct wring_tree *t, int base, struct wring_err *err)
{
	_cleanup_free_ char *ctl = wring_strf("%s-ctl", t->name), *procs = NULL, *text = NULL;
	char *save = NULL;
	int r;

	procs = ctl ? wring_strf("%s/cgroup.procs", ctl) : NULL;
	if (!procs)
		return wring_err_set(err, -ENOMEM, "cgroup base");
	if (mkdirat(base, ctl, 0755))
		return wring_err_set(err, -errno, "mkdir of %s: %s", ctl, strerror(errno));
	t->moved = true;
	r = wring_read_file(base, "cgroup.procs", &text, NULL);
	if (r)
		return wring_err_set(err, r, "reading cgroup.procs: %s", strerror(-r));
	for (char *pid = strtok_r(text, "\n", &save); pid; pid = strtok_r(NULL, "\n", &save)) {
		if (atoi(pid) != getpid() && atoi(pid) != getppid())
			return wring_err_set(err, -EBUSY, "the delegated cgroup has another process in it (pid %s): start wring "
					     "alone in it, as in systemd-run --user --scope -p Delegate=yes wring ...", pid);
		r = wring_write_file(base, procs, pid);
		if (r)
			return wring_err_set(err, r, "moving pid %s: %s", pid, strerror(-r));
	}
	return 0;
}

static void move_back(struct wring_tree *t, int base)
{
	_cleanup_free_ char *ctl = wring_strf("%s-ctl", t->name);

	if (ctl)
		bring_back(base, ctl);
}

int wring_tree_new(const struct wring_base *b, const char *name, struct wring_tree **ret, struct wring_err *err)
{
	struct wring_tree *t = calloc(1, sizeof(*t));
	_cleanup_close_ int base = open_dir(b->mount, b->path, "");
	int r;

	if (!t)
		return wring_err_set(err, -ENOMEM, "cgroup tree");
	t->fd = -1;
	t->base = (struct wring_base){ strdup(b->mount), strdup(b->path), b->delegated };
	t->name = strdup(name);
	t->rel = wring_strf("%s%s%s", b->path, *b->path ? "/" : "", name);
	if (!t->base.mount || !t->base.path || !t->name || !t->rel || base < 0) {
		r = wring_err_set(err, base < 0 ? base : -ENOMEM, "opening cgroup /%s", b->path);
		goto fail;
	}
	r = cgroup_init();
	if (r) {
		r = wring_err_set(err, -EIO, "libcgroup: %s", cgroup_strerror(r));
		goto fail;
	}
	r = b->delegated ? move_out(t, base, err) : 0;
	if (r)
		goto fail;
	r = enable_memory(base);
	if (r < 0) {
		wring_err_set(err, r, "enabling the memory controller in /%s: %s", b->path, strerror(-r));
		goto fail;
	}
	t->enabled_base = r > 0;
	if (mkdirat(base, name, 0755)) {
		r = wring_err_set(err, -errno, "mkdir of cgroup %s: %s", t->rel, strerror(errno));
		goto fail;
	}
	t->fd = openat(base, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = t->fd < 0 ? -errno : enable_memory(t->fd);
	if (r >= 0 && t->enabled_base)
		fsetxattr(t->fd, ENABLED_XATTR, "1", 1, 0);
	if (r < 0) {
		wring_err_set(err, r, "enabling the memory controller in %s: %s", t->rel, strerror(-r));
		goto fail;
	}
	*ret = t;
	return 0;
fail:
	wring_tree_free(t);
	return r;
}

void wring_tree_free(struct wring_tree *t)
{
	_cleanup_close_ int base = -1;

	if (!t)
		return;
	base = t->base.mount && t->base.path ? open_dir(t->base.mount, t->base.path, "") : -1;
	if (t->fd >= 0) {
		kill_all(t->fd, wring_now_ns() + 10 * WRING_NSEC_PER_SEC);
		close(t->fd);
		remove_at(base, t->name, wring_now_ns() + 10 * WRING_NSEC_PER_SEC);
	}
	if (t->enabled_base && base >= 0)
		wring_write_file(base, "cgroup.subtree_control", "-memory");
	if (t->moved && base >= 0)
		move_back(t, base);
	wring_base_done(&t->base);
	free(t->name);
	free(t->rel);
	free(t);
}

/* ---- groups ---- */

int wring_group_dirfd(struct wring_tree *t, const char *group)
{
	int fd = openat(t->fd, group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static struct cgroup *handle(struct wring_tree *t, const char *group, struct cgroup_controller **ret)
{
	_cleanup_free_ char *rel = wring_strf("%s/%s", t->rel, group);
	struct cgroup *cg = rel ? cgroup_new_cgroup(rel) : NULL;

	*ret = cg ? cgroup_add_controller(cg, "memory") : NULL;
	if (cg && !*ret)
		cgroup_free(&cg);
	return cg;
}

/* libcgroup folds every errno of a write into ECGOTHER: the thread's last errno is the useful one. */
static int cgroup_error(int rc, const char *what, const char *group, struct wring_err *err)
{
	int e = cgroup_get_last_errno();

	if (rc == ECGOTHER && e)
		return wring_err_set(err, -e, "%s of cgroup %s: %s", what, group, strerror(e));
	return wring_err_set(err, -EIO, "%s of cgroup %s: %s", what, group, cgroup_strerror(rc));
}

static int enable_parents(struct wring_tree *t, const char *group, struct wring_err *err)
{
	_cleanup_free_ char *path = strdup(group);

	for (char *slash = path; slash && (slash = strchr(slash, '/')); slash++) {
		_cleanup_close_ int fd = -1;
		int r;

		*slash = '\0';
		fd = wring_group_dirfd(t, path);
		r = fd < 0 ? fd : enable_memory(fd);
		if (r < 0)
			return wring_err_set(err, r, "enabling the memory controller in cgroup %s: %s", path, strerror(-r));
		*slash = '/';
	}
	return path ? 0 : wring_err_set(err, -ENOMEM, "cgroup %s", group);
}

int wring_group_create(struct wring_tree *t, const char *group, struct wring_err *err)
{
	struct cgroup_controller *c;
	struct cgroup *cg;
	int r = enable_parents(t, group, err);

	if (r)
		return r;
	/* A delegated user may not write the subtree_control of the ancestors, which libcgroup does without need. */
	if (t->base.delegated)
		return mkdirat(t->fd, group, 0755) ? wring_err_set(err, -errno, "mkdir of cgroup %s: %s", group, strerror(errno)) : 0;
	cg = handle(t, group, &c);
	if (!cg)
		return wring_err_set(err, -ENOMEM, "cgroup %s", group);
	r = cgroup_create_cgroup(cg, 0);
	if (r)
		cgroup_error(r, "creation", group, err);
	cgroup_free(&cg);
	return r ? -EIO : 0;
}

/* The memory controller is on everywhere, another one only where a file of it is written: from the mount's root down. Left on:
 * other groups may have come to use it. */
static int enable_cpuset(struct wring_tree *t, const char *group)
{
	_cleanup_free_ char *path = wring_strf("%s/%s", t->rel, group);
	_cleanup_close_ int fd = open(t->base.mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *save = NULL;

	for (char *part = path ? strtok_r(path, "/", &save) : NULL; part && fd >= 0; part = strtok_r(NULL, "/", &save)) {
		_cleanup_free_ char *on = NULL;
		int r = wring_read_file(fd, "cgroup.subtree_control", &on, NULL), below;

		if (!r && !wring_has_word(on, "cpuset"))
			r = wring_write_file(fd, "cgroup.subtree_control", "+cpuset");
		if (r)
			return r;
		below = openat(fd, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = below;
	}
	return path ? fd < 0 ? -errno : 0 : -ENOMEM;
}

int wring_group_set(struct wring_tree *t, const char *group, const char *file, const char *value, struct wring_err *err)
{
	struct cgroup_controller *c;
	struct cgroup *cg;
	int r = strncmp(file, "cpuset.", 7) ? 0 : enable_cpuset(t, group);

	if (r)
		return wring_err_set(err, r, "enabling the cpuset controller for cgroup %s: %s", group, strerror(-r));
	/* libcgroup opens read-write, which write-only files refuse, and knows only files of a controller. */
	if (strncmp(file, "memory.", 7) || !strcmp(file, "memory.reclaim")) {
		_cleanup_close_ int fd = wring_group_dirfd(t, group);

		r = fd < 0 ? fd : wring_write_file(fd, file, value);
		return r ? wring_err_set(err, r, "writing '%s' to %s of cgroup %s: %s", value, file, group, strerror(-r)) : 0;
	}
	cg = handle(t, group, &c);
	if (!cg)
		return wring_err_set(err, -ENOMEM, "cgroup %s", group);
	r = cgroup_add_value_string(c, file, value);
	if (!r)
		r = cgroup_modify_cgroup(cg);
	cgroup_free(&cg);
	if (!r)
		return 0;
	cgroup_error(r, file, group, err);
	return wring_err_prefix(err, "writing '%s'", value);
}

int wring_group_kill(struct wring_tree *t, const char *group, int64_t deadline_ns, struct wring_err *err)
{
	_cleanup_close_ int fd = wring_group_dirfd(t, group);
	int r = fd < 0 ? fd : kill_all(fd, deadline_ns);

	return r ? wring_err_set(err, r, "killing cgroup %s: %s", group, strerror(-r)) : 0;
}

int wring_group_remove(struct wring_tree *t, const char *group, int64_t deadline_ns, struct wring_err *err)
{
	int r = remove_at(t->fd, group, deadline_ns);

	return r ? wring_err_set(err, r, "removing cgroup %s: %s", group, strerror(-r)) : 0;
}

int wring_group_freeze(struct wring_tree *t, const char *group, bool on, int64_t deadline_ns, struct wring_err *err)
{
	_cleanup_close_ int fd = wring_group_dirfd(t, group);
	int r = fd < 0 ? fd : wring_write_file(fd, "cgroup.freeze", on ? "1" : "0");

	if (!r)
		r = wait_event(fd, on ? "frozen 1" : "frozen 0", deadline_ns);
	return r ? wring_err_set(err, r, "%s cgroup %s: %s", on ? "freezing" : "thawing", group, strerror(-r)) : 0;
}

int64_t wring_group_read_key(struct wring_tree *t, const char *group, const char *file, const char *key)
{
	_cleanup_free_ char *path = wring_strf("%s/%s", group, file), *text = NULL;
	size_t n = strlen(key);
	int r = path ? wring_read_file(t->fd, path, &text, NULL) : -ENOMEM;

	if (r)
		return r;
	if (!n)
		return strncmp(text, "max", 3) ? strtoll(text, NULL, 10) : INT64_MAX;
	for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (!strncmp(p, key, n) && p[n] == ' ')
			return strtoll(p + n, NULL, 10);
	return -ENOENT;
}

int64_t wring_group_read(struct wring_tree *t, const char *group, const char *file)
{
	return wring_group_read_key(t, group, file, "");
}

int wring_group_reclaim(struct wring_tree *t, const char *group, uint64_t bytes)
{
	_cleanup_close_ int fd = wring_group_dirfd(t, group);
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);
	return fd < 0 ? fd : wring_write_file(fd, "memory.reclaim", text);
}
