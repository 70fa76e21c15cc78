/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sock-tcp: TCP connections over loopback that nobody reads from. The trap: how much fits depends on how segments
 * arrive, so a connection is tried out before the start; and net.ipv4.tcp_mem bounds all of them together. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"
#include "workloads/load/net.h"

#define TRIALS 4
#define CHUNK 16384
#define SETTLE_US 250000 /* for acknowledgements that were delayed */

struct sock_tcp {
	uint64_t buffer; /* parameter */
	struct wring_slots slots;
	char text[CHUNK];
};

static const struct wring_param params[] = {
	{ "buffer", WRING_SIZE, offsetof(struct sock_tcp, buffer), .def = "128K", .min = "4K", .max = "4M",
	  .help = "SO_SNDBUF and SO_RCVBUF, which the kernel doubles; without privilege at most net.core.wmem_max and rmem_max" },
	{ 0 } };

static int close_pair(uint64_t fds) { return wring_tcp_close((int)(fds >> 32), (int)(uint32_t)fds); }

/* Until nothing more fits for 20 ms. */
static int fill(struct wring_wctx *c, const struct sock_tcp *s, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	for (;;) {
		if (send(fd, s->text, sizeof(s->text), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			continue;
		if (errno != EAGAIN)
			return wring_failed(c, "send", errno);
		if (wring_should_stop(c) || poll(&p, 1, 20) <= 0)
			return 0;
	}
}

static int connect_pair(struct wring_wctx *c, const struct sock_tcp *s, uint64_t *ret)
{
	int fds[2], r = wring_tcp_pair(c, s->buffer, 0, fds);

	if (r)
		return r;
	r = fill(c, s, fds[0]);
	if (!r)
		r = fill(c, s, fds[1]);
	if (r)
		wring_tcp_close(fds[0], fds[1]);
	else
		*ret = (uint64_t)fds[0] << 32 | (uint32_t)fds[1];
	return r;
}

static int measure(struct wring_wctx *c, const struct sock_tcp *s, uint64_t *ret_bytes)
{
	uint64_t sum = 0, fds[TRIALS], a, b, drops;
	int n, r = 0;

	for (n = 0; n < TRIALS && !r; n += !r)
		r = connect_pair(c, s, &fds[n]);
	usleep(SETTLE_US);
	for (int i = 0; i < n; i++) {
		if (!r)
			r = wring_socket_memory((int)(fds[i] >> 32), &a, &drops);
		if (!r)
			r = wring_socket_memory((int)(uint32_t)fds[i], &b, &drops);
		sum += r ? 0 : a + b;
		close_pair(fds[i]);
	}
	*ret_bytes = sum / TRIALS;
	return r;
}

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct sock_tcp *s = wring_wdata(c);
	uint64_t buffers = 0;
	int r = wring_raise_nofile(err);

	if (r || (r = wring_loopback_up(err)))
		return wring_err_prefix(err, "sock-tcp"), r;
	memset(s->text, 't', sizeof(s->text));
	r = measure(c, s, &buffers);
	if (r)
		return wring_err_set(err, r, "sock-tcp: a connection to measure: %s", strerror(-r));
	wring_object(c, buffers + 2 * (wring_slab_charge("TCP", 2304) + wring_slab_charge("sock_inode_cache", 832) + wring_fd_charge(true)),
		     false);
	return 0;
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct sock_tcp *s = wring_wdata(c);
	uint64_t *slot = wring_slot(&s->slots, object);

	return slot ? connect_pair(c, s, slot) : -ENOMEM;
}

static int drop(struct wring_wctx *c, uint64_t object)
{
	struct sock_tcp *s = wring_wdata(c);

	return close_pair(wring_slot_take(&s->slots, object));
}

static void teardown(struct wring_wctx *c)
{
	struct sock_tcp *s = wring_wdata(c);

	wring_slots_done(&s->slots);
}

static const struct wring_workload sock_tcp = {
	.name = "sock-tcp",
	.summary = "TCP connections over loopback with full buffers",
	.doc = "socket(), connect(), accept() over 127.0.0.1, which is brought up, and send() in both directions until nothing more "
	       "fits. The buffers are in `sock`, in no slab of the cgroup; TCP (slab_unreclaimable), sock_inode_cache and dentry "
	       "(slab_reclaimable) and filp beside them. An object is a connection, takes two descriptors, and about 40 ms. All "
	       "connections together are bound by net.ipv4.tcp_mem: above its second number the kernel sends and takes less, and "
	       "the footprint is not reached. Close resets, so no TIME-WAIT stays.",
	.params = params,
	.size = sizeof(struct sock_tcp),
	.setup = setup,
	.make = make,
	.drop = drop,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(sock_tcp);
