/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sock-traffic: messages over sockets, both ends in this process and this thread: no call blocks, so neither end can hang the
 * other, and what a neighbour does to the network shows as goodput, drops and latency. The sockets that are only held full are
 * sock-unix, sock-tcp and sock-udp. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"
#include "workloads/load/net.h"

#define BURST 16                                 /* messages of a link before it is the turn of the other end, and the next link */
#define READ_SIZE 65536
#define TICK_NS (10 * WRING_NSEC_PER_MSEC)       /* the longest wait: until a wish to stop is seen */
#define LOOKS 16                                 /* sockets a tick whose drops are asked for */
#define PAUSE_NS (1 * WRING_NSEC_PER_MSEC)       /* after the kernel had no memory */
#define REOPEN_NS (100 * WRING_NSEC_PER_MSEC)    /* after a connection broke */
#define DRAIN_NS (200 * WRING_NSEC_PER_MSEC)     /* at the end, for what is still on its way */

enum proto { PROTO_TCP, PROTO_UDP, PROTO_UNIX_STREAM, PROTO_UNIX_DGRAM };

/* One direction: out sends, in receives. A message begins with the moment it was due. */
struct link {
	int out, in;                 /* -1: broken, to be made again */
	int64_t quiet_until_ns;
	uint64_t next;               /* number of its next message in the schedule of all links */
	bool pending;                /* that message is not yet sent whole */
	int64_t due_ns;
	size_t sent;                 /* bytes of it that are */
	int64_t stamp;               /* of the message that is being received: its due_ns */
	size_t received;             /* bytes of that one */
	int64_t inflight;            /* bytes sent, and neither received nor known to be dropped */
	uint32_t drops;              /* the kernel's count at the last look */
};

struct traffic {
	unsigned proto; /* parameters */
	uint64_t message, links, buffer, mss, rate;
	bool read;
	int64_t duration_ns;
	struct link *link;
	struct pollfd *polls;
	char *text, *room;
	int64_t start_ns, drops_ns;
};

static const struct wring_param params[] = {
	{ "proto", WRING_ENUM, offsetof(struct traffic, proto), .def = "tcp", .choices = "tcp|udp|unix-stream|unix-dgram",
	  .help = "tcp and udp go over 127.0.0.1" },
	{ "message", WRING_U64, offsetof(struct traffic, message), .def = "1400", .min = "8", .max = "65000",
	  .help = "bytes in a message" },
	{ "links", WRING_U64, offsetof(struct traffic, links), .def = "1", .min = "1", .max = "1000",
	  .help = "connections, or pairs of sockets" },
	{ "rate", WRING_U64, offsetof(struct traffic, rate), .def = "0", .max = "10000000",
	  .help = "messages a second over all links, whether or not those before arrived; 0: as fast as it goes" },
	{ "duration", WRING_DURATION, offsetof(struct traffic, duration_ns), .def = "10s", .max = "24h",
	  .help = "how long; 0s: until it is stopped" },
	{ "read", WRING_BOOL, offsetof(struct traffic, read), .def = "yes",
	  .help = "no: nobody receives, so buffers fill, and datagrams are dropped" },
	{ "buffer", WRING_SIZE, offsetof(struct traffic, buffer), .def = "0", .max = "4M",
	  .help = "SO_SNDBUF and SO_RCVBUF; 0: as the kernel chooses, which lets TCP adapt them" },
	{ "mss", WRING_U64, offsetof(struct traffic, mss), .def = "1460", .min = "88", .max = "65483",
	  .help = "TCP_MAXSEG; with the 64 KB of loopback a receive window that the kernel clamps to 4 segments would still be large" },
	{ 0 } };

static bool is_datagram(const struct traffic *t) { return t->proto == PROTO_UDP || t->proto == PROTO_UNIX_DGRAM; }
static bool is_unix(const struct traffic *t) { return t->proto == PROTO_UNIX_STREAM || t->proto == PROTO_UNIX_DGRAM; }

/* ---- links ---- */

static int open_unix_pair(struct wring_wctx *c, const struct traffic *t, int fds[2])
{
	int r;

	if (socketpair(AF_UNIX, (t->proto == PROTO_UNIX_DGRAM ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0, fds))
		return wring_failed(c, "socketpair", errno);
	r = wring_socket_buffers(c, fds[0], t->buffer);
	if (!r)
		r = wring_socket_buffers(c, fds[1], t->buffer);
	if (r) {
		close(fds[0]);
		close(fds[1]);
	}
	return r;
}

static int open_link(struct wring_wctx *c, const struct traffic *t, struct link *l)
{
	int fds[2], r;

	switch (t->proto) {
	case PROTO_TCP: r = wring_tcp_pair(c, t->buffer, t->mss, fds); break;
	case PROTO_UDP: r = wring_udp_pair(c, t->buffer, fds); break;
	default: r = open_unix_pair(c, t, fds);
	}
	if (r)
		return r;
	l->out = fds[0];
	l->in = fds[1];
	return 0;
}

/* What was on its way is lost. */
static void close_link(struct wring_wctx *c, const struct traffic *t, struct link *l)
{
	if (l->out < 0)
		return;
	if (t->proto == PROTO_TCP) {
		wring_tcp_close(l->out, l->in);
	} else {
		close(l->out);
		close(l->in);
	}
	wring_inflight(c, -l->inflight);
	*l = (struct link){ .out = -1, .in = -1, .next = l->next };
}

static void break_link(struct wring_wctx *c, const struct traffic *t, struct link *l, const char *call, int error, int64_t now)
{
	wring_failed(c, call, error);
	wring_dropped(c, ((uint64_t)l->inflight + t->message - 1) / t->message);
	if (l->pending && l->sent) /* it is among those on their way */
		l->next += t->links;
	close_link(c, t, l);
	l->quiet_until_ns = now + REOPEN_NS;
}

/* ---- sending and receiving ---- */

static int64_t due(const struct traffic *t, const struct link *l, int64_t now)
{
	return t->rate ? t->start_ns + wring_due(l->next, t->rate) : now;
}

static ssize_t send_rest(const struct traffic *t, struct link *l)
{
	size_t head = sizeof(l->due_ns), skip = l->sent < head ? l->sent : head, body = l->sent - skip;
	struct iovec parts[2] = { { (char *)&l->due_ns + skip, head - skip }, { t->text + body, t->message - head - body } };
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = 2 };

	return sendmsg(l->out, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void next_message(const struct traffic *t, struct link *l)
{
	l->pending = false;
	l->next += t->links;
}

/* No room or no memory. A datagram that was due is lost, as it is for those who send them; a stream waits. False: not now. */
static bool not_sent(struct wring_wctx *c, const struct traffic *t, struct link *l, int error, int64_t now)
{
	if (error == EAGAIN) {
		if (!is_datagram(t) || !t->rate)
			return false;
	} else if (error == ENOBUFS || error == ENOMEM) {
		wring_failed(c, "sendmsg", error);
		l->quiet_until_ns = now + PAUSE_NS;
		if (!is_datagram(t))
			return false;
	} else {
		break_link(c, t, l, "sendmsg", error, now);
		return false;
	}
	wring_dropped(c, 1);
	next_message(t, l);
	return error == EAGAIN;
}

/* True: something was sent, or given up. */
static bool send_some(struct wring_wctx *c, const struct traffic *t, struct link *l, int64_t now)
{
	bool any = false;

	for (int i = 0; i < BURST && now >= l->quiet_until_ns; i++) {
		ssize_t n;

		if (!l->pending) {
			l->due_ns = due(t, l, t->rate ? now : wring_now_ns());
			if (t->rate && l->due_ns > now)
				break;
			l->pending = true;
			l->sent = 0;
		}
		n = send_rest(t, l);
		if (n < 0) {
			if (!not_sent(c, t, l, errno, now))
				break;
			any = true;
			continue;
		}
		any = true;
		l->sent += (size_t)n;
		l->inflight += n;
		wring_inflight(c, n);
		if (l->sent == t->message)
			next_message(t, l);
	}
	return any;
}

static void arrived(struct wring_wctx *c, int64_t stamp, int64_t now)
{
	wring_ops(c, 1);
	wring_latency(c, now - stamp);
}

/* Messages out of a stream of bytes. */
static void take_stream(struct wring_wctx *c, const struct traffic *t, struct link *l, const char *bytes, size_t n, int64_t now)
{
	while (n) {
		size_t head = sizeof(l->stamp), part = l->received < head ? head - l->received : t->message - l->received;

		if (part > n)
			part = n;
		if (l->received < head)
			memcpy((char *)&l->stamp + l->received, bytes, part);
		l->received += part;
		bytes += part;
		n -= part;
		if (l->received == t->message) {
			arrived(c, l->stamp, now);
			l->received = 0;
		}
	}
}

/* True: something arrived. */
static bool receive_some(struct wring_wctx *c, const struct traffic *t, struct link *l, int64_t now)
{
	bool any = false;

	for (int i = 0; i < BURST && l->in >= 0; i++) {
		ssize_t n = recv(l->in, t->room, READ_SIZE, MSG_DONTWAIT);

		if (n <= 0) {
			if (!n || errno != EAGAIN)
				break_link(c, t, l, "recv", n ? errno : ECONNRESET, now);
			break;
		}
		now = wring_now_ns();
		any = true;
		l->inflight -= n;
		wring_inflight(c, -n);
		wring_moved(c, (uint64_t)n);
		if (is_datagram(t)) {
			memcpy(&l->stamp, t->room, sizeof(l->stamp));
			arrived(c, l->stamp, now);
		} else {
			take_stream(c, t, l, t->room, (size_t)n, now);
		}
	}
	return any;
}

/* UDP loses datagrams without a word to the sender. */
static void count_drops(struct wring_wctx *c, const struct traffic *t)
{
	for (struct link *l = t->link; t->proto == PROTO_UDP && l < t->link + t->links; l++) {
		uint64_t bytes, drops;
		uint32_t more;

		if (l->in < 0 || wring_socket_memory(l->in, &bytes, &drops))
			continue;
		more = (uint32_t)drops - l->drops;
		l->drops = (uint32_t)drops;
		l->inflight -= (int64_t)(more * t->message);
		wring_inflight(c, -(int64_t)(more * t->message));
		wring_dropped(c, more);
	}
}

/* ---- the loop ---- */

/* Until a message is due, one arrives, or there is room for one; at most a tick. */
static void rest(const struct traffic *t, int64_t now, int64_t end)
{
	int64_t until = now + TICK_NS;
	struct timespec ts;
	nfds_t n = 0;

	for (const struct link *l = t->link; l < t->link + t->links; l++) {
		bool wants_room = l->pending || !t->rate;
		int64_t next = l->quiet_until_ns > now ? l->quiet_until_ns : wants_room ? INT64_MAX : due(t, l, now);

		if (next < until)
			until = next;
		if (l->out >= 0 && wants_room && l->quiet_until_ns <= now)
			t->polls[n++] = (struct pollfd){ .fd = l->out, .events = POLLOUT };
		if (l->in >= 0 && t->read)
			t->polls[n++] = (struct pollfd){ .fd = l->in, .events = POLLIN };
	}
	if (until > end)
		until = end;
	if (until <= now)
		return;
	ts = (struct timespec){ .tv_sec = (until - now) / WRING_NSEC_PER_SEC, .tv_nsec = (until - now) % WRING_NSEC_PER_SEC };
	ppoll(t->polls, n, &ts, NULL);
}

static void turn(struct wring_wctx *c, struct traffic *t, int64_t now, int64_t end)
{
	bool busy = false;

	for (struct link *l = t->link; l < t->link + t->links; l++) {
		if (l->out < 0 && now >= l->quiet_until_ns && open_link(c, t, l))
			l->quiet_until_ns = now + REOPEN_NS;
		if (l->out >= 0 && send_some(c, t, l, now))
			busy = true;
		if (l->in >= 0 && t->read && receive_some(c, t, l, now))
			busy = true;
	}
	if (now >= t->drops_ns) {
		count_drops(c, t);
		t->drops_ns = now + TICK_NS * (int64_t)(1 + t->links / LOOKS);
	}
	if (!busy)
		rest(t, now, end);
}

/* Everything that was sent arrives or is lost. What of UDP is missing then never came to a socket. */
static void drain(struct wring_wctx *c, struct traffic *t)
{
	int64_t quiet = wring_now_ns() + DRAIN_NS, left;

	do {
		struct timespec ts = { .tv_nsec = WRING_NSEC_PER_MSEC };
		bool any = false;

		left = 0;
		for (struct link *l = t->link; l < t->link + t->links; l++) {
			if (l->in >= 0)
				any |= receive_some(c, t, l, wring_now_ns());
			left += l->inflight;
		}
		if (!any && left)
			nanosleep(&ts, NULL);
	} while (left && wring_now_ns() < quiet);
	count_drops(c, t);
	for (struct link *l = t->link; is_datagram(t) && l < t->link + t->links; l++) {
		wring_dropped(c, (uint64_t)l->inflight / t->message);
		wring_inflight(c, -l->inflight);
		l->inflight = 0;
	}
}

static int run(struct wring_wctx *c, struct wring_err *err)
{
	struct traffic *t = wring_wdata(c);
	int64_t now = wring_now_ns(), end = t->duration_ns ? now + t->duration_ns : INT64_MAX;

	if (prctl(PR_SET_TIMERSLACK, 1)) /* else the schedule is rounded to 50 us, and the latencies with it */
		return wring_err_set(err, -errno, "sock-traffic: exact timers: %s", strerror(errno));
	t->start_ns = now;
	for (; !wring_should_stop(c) && now < end; now = wring_now_ns())
		turn(c, t, now, end);
	for (const struct link *l = t->link; t->rate && l < t->link + t->links; l++)
		wring_undone(c, t->start_ns, t->rate, l->next, t->links, end);
	count_drops(c, t);
	if (t->read)
		drain(c, t);
	return 0;
}

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct traffic *t = wring_wdata(c);
	int r = wring_raise_nofile(err);

	if (!r && !is_unix(t))
		r = wring_loopback_up(err);
	if (r)
		return wring_err_prefix(err, "sock-traffic"), r;
	t->link = malloc(t->links * sizeof(*t->link));
	t->polls = calloc(2 * t->links, sizeof(*t->polls));
	t->text = calloc(1, t->message);
	t->room = malloc(READ_SIZE);
	if (!t->link || !t->polls || !t->text || !t->room)
		return wring_err_set(err, -ENOMEM, "sock-traffic: buffers");
	memset(t->room, 0, READ_SIZE); /* touched now, not in the middle of a measurement */
	for (uint64_t i = 0; i < t->links; i++)
		t->link[i] = (struct link){ .out = -1, .in = -1, .next = i };
	for (uint64_t i = 0; i < t->links && !r; i++)
		r = open_link(c, t, &t->link[i]);
	return r ? wring_err_set(err, r, "sock-traffic: opening %llu links: %s", (unsigned long long)t->links, strerror(-r)) : 0;
}

static void teardown(struct wring_wctx *c)
{
	struct traffic *t = wring_wdata(c);

	for (uint64_t i = 0; t->link && i < t->links; i++)
		close_link(c, t, &t->link[i]);
	free(t->link);
	free(t->polls);
	free(t->text);
	free(t->room);
}

static const struct wring_workload sock_traffic = {
	.name = "sock-traffic",
	.summary = "messages over sockets: goodput, drops and latency",
	.doc = "sendmsg() and recv() of both ends by one thread that never blocks, over TCP or UDP on 127.0.0.1, which is brought up, or "
	       "a UNIX pair; so both are in its cgroup, and what they lose there or to a neighbour is its goodput. An operation is a "
	       "message received; `moved` its bytes; latency is one way, from when it was due (without a rate: first tried) until it is "
	       "read whole. `inflight` is sent and not received. `dropped`: UDP datagrams that the receiver's buffer or the limit had no "
	       "room for (SO_MEMINFO, 100 times a second, more seldom beyond 16 links), or that never came to a socket (at the end); with a rate, datagrams that the sender "
	       "found no room for; what a broken connection had on its way; what was due and not sent before the end, which is in the "
	       "latencies too. Without a rate a full UNIX buffer is waited for. A stream loses nothing under way: it falls behind, which "
	       "its latencies show. ENOBUFS, ENOMEM and connections that break "
	       "are failures; a broken one is made again. TCP's buffers are in `sock`, UNIX ones in slab. With read = no nothing arrives.",
	.params = params,
	.size = sizeof(struct traffic),
	.setup = setup,
	.run = run,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(sock_traffic);
