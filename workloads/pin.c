/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pin: leaves something behind that outlives the process and its cgroup: the positive control of dying-memcg. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"

enum kind { KIND_NONE, KIND_TMPFS, KIND_FD };

struct pin {
	unsigned kind;       /* parameters */
	uint64_t bytes;
	bool ledger;
};

static const struct wring_param params[] = {
	{ "kind", WRING_ENUM, offsetof(struct pin, kind), .def = "none", .choices = "none|tmpfs|fd",
	  .help = "a file left on tmpfs; a memfd whose descriptor the harness keeps open outside the cgroup; or nothing" },
	{ "size", WRING_SIZE, offsetof(struct pin, bytes), .def = "16K", .min = "4K", .max = "1G", .help = "bytes in it" },
	{ "ledger", WRING_BOOL, offsetof(struct pin, ledger), .def = "no",
	  .help = "say so in the ledger: a pin that is declared is no finding" },
	{ 0 } };

static int fill(int fd, uint64_t bytes)
{
	char page[4096];
	int r = 0;

	memset(page, 'p', sizeof(page));
	for (uint64_t done = 0; done < bytes && !r; done += sizeof(page))
		r = wring_write_all(fd, page, sizeof(page));
	return r;
}

static int run(struct wring_wctx *c, struct wring_err *err)
{
	struct pin *p = wring_wdata(c);
	_cleanup_close_ int fd = -1;
	int r;

	if (p->kind == KIND_NONE)
		return 0;
	fd = p->kind == KIND_TMPFS ? openat(wring_dirfd(c), "pinned", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) :
				     memfd_create("pinned", MFD_CLOEXEC);
	if (fd < 0)
		return wring_err_set(err, -errno, "pin: %s", strerror(errno));
	r = fill(fd, p->bytes);
	if (!r && p->kind == KIND_FD)
		r = wring_give_fd(c, fd);
	if (r)
		return wring_err_set(err, r, "pin: %s", strerror(-r));
	wring_ops(c, 1);
	wring_made(c, 1, p->bytes);
	if (p->ledger)
		wring_left(c, 1, (int64_t)p->bytes);
	return 0;
}

static const struct wring_workload pin = {
	.name = "pin",
	.summary = "memory that outlives its cgroup: a tmpfs file or a descriptor held outside",
	.doc = "Pages of a tmpfs file or a memfd stay charged to the cgroup that wrote them, and keep its memcg dying for as "
	       "long as the file exists. Run it on a tmpfs mount.",
	.params = params,
	.size = sizeof(struct pin),
	.run = run,
};
WRING_REGISTER_WORKLOAD(pin);
