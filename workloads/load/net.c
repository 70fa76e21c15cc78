/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "workloads/load/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "harness/base/util.h"

#define PATIENCE_US 500000

int wring_loopback_up(struct wring_err *err)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const struct sockaddr_in home = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct ifreq ifr = { .ifr_name = "lo" };

	if (fd < 0)
		return wring_err_set(err, -errno, "a socket: %s", strerror(errno));
	if (ioctl(fd, SIOCGIFFLAGS, &ifr))
		return wring_err_set(err, -errno, "the loopback interface: %s", strerror(errno));
	/* It is up before it has its address; who sets it up, too, waits for that in the kernel (rtnl_lock()). */
	if ((ifr.ifr_flags & IFF_UP) && !bind(fd, (const struct sockaddr *)&home, sizeof(home)))
		return 0;
	ifr.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr))
		return wring_err_set(err, -errno, "bringing the loopback interface up: %s", strerror(errno));
	return 0;
}

int wring_socket_memory(int fd, uint64_t *ret_bytes, uint64_t *ret_drops)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t size = sizeof(info);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &size))
		return -errno;
	*ret_bytes = (uint64_t)info[SK_MEMINFO_RMEM_ALLOC] + info[SK_MEMINFO_WMEM_QUEUED] + info[SK_MEMINFO_FWD_ALLOC];
	*ret_drops = info[SK_MEMINFO_DROPS];
	return 0;
}

int wring_socket_buffers(struct wring_wctx *c, int fd, uint64_t bytes)
{
	int v = (int)bytes;

	if (!v)
		return 0;
	if ((setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &v, sizeof(v)) && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v))) ||
	    (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &v, sizeof(v)) && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &v, sizeof(v))))
		return wring_failed(c, "setsockopt", errno);
	return 0;
}

/* With its buffers, and bound to a port of its own if its address is asked for. */
static int open_socket(struct wring_wctx *c, int type, uint64_t buffer, struct sockaddr_in *bound)
{
	_cleanup_close_ int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(*bound);
	int r;

	if (fd < 0)
		return wring_failed(c, "socket", errno);
	r = wring_socket_buffers(c, fd, buffer);
	if (r)
		return r;
	if (bound) {
		*bound = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		if (bind(fd, (struct sockaddr *)bound, size) || getsockname(fd, (struct sockaddr *)bound, &size))
			return wring_failed(c, "bind", errno);
	}
	return WRING_TAKE_FD(fd);
}

/* Before listen() and connect(), which tell the other end of them. */
static int set_tcp(struct wring_wctx *c, int fd, uint64_t mss)
{
	struct timeval patience = { .tv_usec = PATIENCE_US };
	int v = (int)mss, yes = 1;

	return (v && setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &v, sizeof(v))) ||
	       setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) ||
	       setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
	       setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ? wring_failed(c, "setsockopt", errno) : 0;
}

/* A listener of its own for each pair, so that a connection which came too late is never taken for the next one. */
int wring_tcp_pair(struct wring_wctx *c, uint64_t buffer, uint64_t mss, int fds[2])
{
	struct sockaddr_in address;
	_cleanup_close_ int listener = open_socket(c, SOCK_STREAM, buffer, &address), out = -1;
	int r;

	if (listener < 0)
		return listener;
	out = open_socket(c, SOCK_STREAM, buffer, NULL);
	if (out < 0)
		return out;
	r = set_tcp(c, listener, mss);
	if (!r)
		r = set_tcp(c, out, mss);
	if (r)
		return r;
	if (listen(listener, 1))
		return wring_failed(c, "listen", errno);
	if (connect(out, (struct sockaddr *)&address, sizeof(address)))
		return wring_failed(c, "connect", errno);
	fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fds[1] < 0)
		return wring_failed(c, "accept4", errno);
	fds[0] = WRING_TAKE_FD(out);
	return 0;
}

int wring_udp_pair(struct wring_wctx *c, uint64_t buffer, int fds[2])
{
	struct sockaddr_in address;
	_cleanup_close_ int in = open_socket(c, SOCK_DGRAM, buffer, &address), out = -1;

	if (in < 0)
		return in;
	out = open_socket(c, SOCK_DGRAM, buffer, NULL);
	if (out < 0)
		return out;
	if (connect(out, (struct sockaddr *)&address, sizeof(address)))
		return wring_failed(c, "connect", errno);
	fds[0] = WRING_TAKE_FD(out);
	fds[1] = WRING_TAKE_FD(in);
	return 0;
}

int wring_tcp_close(int a, int b)
{
	struct linger now = { .l_onoff = 1 };

	setsockopt(a, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	setsockopt(b, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	return close(a) | close(b) ? -errno : 0;
}
