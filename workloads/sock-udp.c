/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sock-udp: UDP sockets that are never read. The trap: a datagram for which there is no room, in the buffer or under
 * the limit, is dropped without an error; only the socket's own counter of drops says that it is full. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"
#include "workloads/load/net.h"

#define PATIENCE 1000 /* datagrams that change nothing */

struct sock_udp {
	uint64_t message, buffer; /* parameters */
	struct wring_slots slots;
	uint64_t fits; /* datagrams that it takes to fill a receiver when nothing is in the way */
	int sender;
	char *text;
};

static const struct wring_param params[] = {
	{ "message", WRING_U64, offsetof(struct sock_udp, message), .def = "1400", .min = "1", .max = "65000",
	  .help = "bytes in a datagram" },
	{ "buffer", WRING_SIZE, offsetof(struct sock_udp, buffer), .def = "128K", .min = "4K", .max = "4M",
	  .help = "SO_RCVBUF, which the kernel doubles; without privilege at most net.core.rmem_max" },
	{ 0 } };

static int open_receiver(struct wring_wctx *c, const struct sock_udp *s, struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;
	socklen_t size = sizeof(*address);

	if (fd < 0)
		return wring_failed(c, "socket", errno);
	*address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	r = wring_socket_buffers(c, fd, s->buffer);
	if (!r && (bind(fd, (struct sockaddr *)address, size) || getsockname(fd, (struct sockaddr *)address, &size)))
		r = wring_failed(c, "bind", errno);
	if (r)
		close(fd);
	return r ? r : fd;
}

/* Until a datagram is dropped. To ask after each of them takes as long as to send it, so those that should fit are not asked
 * after; should some be dropped, the receiver is as full as it gets. */
static int fill(struct wring_wctx *c, const struct sock_udp *s, int fd, const struct sockaddr_in *address, uint64_t *ret_sent)
{
	uint64_t before = 0, now, drops = 0;

	*ret_sent = 0;
	for (int idle = 0; !drops; idle++) {
		int r;

		if (sendto(s->sender, s->text, s->message, MSG_NOSIGNAL, (const struct sockaddr *)address, sizeof(*address)) < 0)
			return wring_failed(c, "sendto", errno);
		if (++*ret_sent < s->fits)
			continue;
		r = wring_socket_memory(fd, &now, &drops);
		if (r)
			return r;
		if (now != before)
			idle = 0;
		else if (idle == PATIENCE)
			return -EIO;
		before = now;
	}
	return 0;
}

static int make_receiver(struct wring_wctx *c, const struct sock_udp *s, int *ret, uint64_t *ret_sent)
{
	struct sockaddr_in address;
	int fd = open_receiver(c, s, &address), r;

	if (fd < 0)
		return fd;
	r = fill(c, s, fd, &address, ret_sent);
	if (r)
		close(fd);
	else
		*ret = fd;
	return r;
}

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct sock_udp *s = wring_wdata(c);
	uint64_t bytes, drops, sent = 0;
	int r = wring_raise_nofile(err), fd = -1;

	s->sender = -1;
	if (r || (r = wring_loopback_up(err)))
		return wring_err_prefix(err, "sock-udp"), r;
	s->text = calloc(1, s->message);
	if (!s->text)
		return wring_err_set(err, -ENOMEM, "sock-udp: a datagram");
	s->sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	r = s->sender < 0 ? -errno : make_receiver(c, s, &fd, &sent);
	s->fits = sent;
	if (!r)
		r = wring_socket_memory(fd, &bytes, &drops);
	if (fd >= 0)
		close(fd);
	if (r)
		return wring_err_set(err, r, "sock-udp: a socket to measure: %s", strerror(-r));
	wring_object(c, bytes + wring_slab_charge("UDP", 1344) + wring_slab_charge("sock_inode_cache", 832) + wring_fd_charge(true), false);
	return 0;
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct sock_udp *s = wring_wdata(c);
	uint64_t *slot = wring_slot(&s->slots, object), sent;
	int fd, r;

	if (!slot)
		return -ENOMEM;
	r = make_receiver(c, s, &fd, &sent);
	if (!r)
		*slot = (uint64_t)fd;
	return r;
}

static int drop(struct wring_wctx *c, uint64_t object)
{
	struct sock_udp *s = wring_wdata(c);

	return close((int)wring_slot_take(&s->slots, object)) ? -errno : 0;
}

static void teardown(struct wring_wctx *c)
{
	struct sock_udp *s = wring_wdata(c);

	if (s->sender >= 0)
		close(s->sender);
	free(s->text);
	wring_slots_done(&s->slots);
}

static const struct wring_workload sock_udp = {
	.name = "sock-udp",
	.summary = "UDP sockets with full receive buffers",
	.doc = "socket(), bind() to 127.0.0.1, which is brought up, and sendto() until the receiver drops. The buffers are in `sock`; "
	       "UDP (slab_unreclaimable), sock_inode_cache and dentry (slab_reclaimable) and filp beside them. An object is a "
	       "receiving socket and takes a descriptor. Drops are silent: /proc/net/snmp Udp RcvbufErrors, and MemErrors when it "
	       "is net.ipv4.udp_mem or the cgroup; nobody can tell them apart, and at memory.max the sockets are just emptier.",
	.params = params,
	.size = sizeof(struct sock_udp),
	.setup = setup,
	.make = make,
	.drop = drop,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(sock_udp);
