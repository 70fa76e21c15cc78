/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sock-receive: connections to a server that sends without end, all of it read: a flood of packets from outside this kernel. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"
#include "workloads/load/net.h"

#define READ_SIZE 65536
#define TICK_MS 10   /* the longest wait: until a wish to stop is seen */
#define REOPEN_NS (100 * WRING_NSEC_PER_MSEC)

struct receive {
	char *address; /* parameters */
	uint64_t port, links, buffer;
	int64_t duration_ns;
	struct sockaddr_in server;
	struct pollfd *polls;
	int64_t *quiet_until_ns;
	char *room;
};

static const struct wring_param params[] = {
	{ "address", WRING_STRING, offsetof(struct receive, address), .def = "10.0.2.100",
	  .help = "of the server; a guest of a scenario that needs nbd has one there" },
	{ "port", WRING_U64, offsetof(struct receive, port), .def = "19", .min = "1", .max = "65535", .help = "of the server, for TCP" },
	{ "links", WRING_U64, offsetof(struct receive, links), .def = "1", .min = "1", .max = "1000", .help = "connections" },
	{ "buffer", WRING_SIZE, offsetof(struct receive, buffer), .def = "0", .max = "4M",
	  .help = "SO_RCVBUF; 0: as the kernel chooses, which lets TCP adapt it" },
	{ "duration", WRING_DURATION, offsetof(struct receive, duration_ns), .def = "10s", .max = "24h",
	  .help = "how long; 0s: until it is stopped" },
	{ 0 } };

static int check(const void *data, struct wring_err *err)
{
	const struct receive *r = data;
	struct in_addr a;

	return inet_pton(AF_INET, r->address, &a) == 1 ? 0 :
	       wring_err_set(err, -EINVAL, "address: value '%s': accepted: an IPv4 address such as 10.0.2.100", r->address);
}

/* Without waiting for the answer: poll(2) tells, and recv(2) how it went. */
static void open_link(struct wring_wctx *c, const struct receive *r, size_t i)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	r->polls[i] = (struct pollfd){ .fd = fd, .events = POLLIN };
	if (fd < 0) {
		wring_failed(c, "socket", errno);
	} else if (wring_socket_buffers(c, fd, r->buffer) || (connect(fd, (const struct sockaddr *)&r->server, sizeof(r->server)) &&
							      errno != EINPROGRESS && wring_failed(c, "connect", errno))) {
		close(fd);
		r->polls[i].fd = -1;
	}
}

static void receive_some(struct wring_wctx *c, const struct receive *r, size_t i)
{
	ssize_t n = recv(r->polls[i].fd, r->room, READ_SIZE, 0);

	if (n > 0) {
		wring_moved(c, (uint64_t)n);
		wring_ops(c, 1);
	} else if (!n || errno != EAGAIN) {
		wring_failed(c, "recv", n ? errno : ECONNRESET);
		close(r->polls[i].fd);
		r->polls[i].fd = -1;
		r->quiet_until_ns[i] = wring_now_ns() + REOPEN_NS;
	}
}

static int run(struct wring_wctx *c, struct wring_err *err)
{
	struct receive *r = wring_wdata(c);
	int64_t now = wring_now_ns(), end = r->duration_ns ? now + r->duration_ns : INT64_MAX;

	(void)err;
	for (; !wring_should_stop(c) && now < end; now = wring_now_ns()) {
		for (size_t i = 0; i < r->links; i++)
			if (r->polls[i].fd < 0 && now >= r->quiet_until_ns[i])
				open_link(c, r, i);
		if (poll(r->polls, r->links, TICK_MS) <= 0)
			continue;
		for (size_t i = 0; i < r->links; i++)
			if (r->polls[i].fd >= 0 && r->polls[i].revents)
				receive_some(c, r, i);
	}
	return 0;
}

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct receive *r = wring_wdata(c);
	int x = wring_raise_nofile(err);

	if (x)
		return wring_err_prefix(err, "sock-receive"), x;
	r->server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)r->port) };
	inet_pton(AF_INET, r->address, &r->server.sin_addr);
	r->polls = calloc(r->links, sizeof(*r->polls));
	r->quiet_until_ns = calloc(r->links, sizeof(*r->quiet_until_ns));
	r->room = malloc(READ_SIZE);
	if (!r->polls || !r->quiet_until_ns || !r->room)
		return wring_err_set(err, -ENOMEM, "sock-receive: buffers");
	memset(r->room, 0, READ_SIZE); /* touched now, not in the middle of a measurement */
	for (size_t i = 0; i < r->links; i++)
		r->polls[i].fd = -1;
	return 0;
}

static void teardown(struct wring_wctx *c)
{
	struct receive *r = wring_wdata(c);

	for (size_t i = 0; r->polls && i < r->links; i++)
		if (r->polls[i].fd >= 0)
			close(r->polls[i].fd);
	free(r->polls);
	free(r->quiet_until_ns);
	free(r->room);
}

static const struct wring_workload sock_receive = {
	.name = "sock-receive",
	.summary = "connections to a server that sends without end",
	.doc = "connect() and recv() by one thread that waits in poll(). Packets come in as fast as the server, the way to it and TCP "
	       "allow: another machine's, so that what this kernel does about memory at its receiving end is all there is to see. An "
	       "operation is a recv(), `moved` its bytes. A connection that is refused or ends is a failure, and made again after 100 ms. "
	       "The guest of a scenario that needs nbd has such a server (cat /dev/zero on the host) at 10.0.2.100, port 19.",
	.params = params,
	.size = sizeof(struct receive),
	.check = check,
	.setup = setup,
	.run = run,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(sock_receive);
