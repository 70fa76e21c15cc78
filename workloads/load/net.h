/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sockets over loopback, for the workloads that use them. What fails is counted, by system call. */
#pragma once
#include <stdint.h>
#include "harness/api/workload.h"

/* The loopback interface must be up: brings it up, for which it takes root. */
int wring_loopback_up(struct wring_err *err);
/* What a socket's buffers are charged with, whole pages; and datagrams it had no room for. 0 or -errno. */
int wring_socket_memory(int fd, uint64_t *ret_bytes, uint64_t *ret_drops);
/* SO_SNDBUF and SO_RCVBUF, beyond the system's limit where that is allowed; 0 bytes: nothing. 0 or -errno. */
int wring_socket_buffers(struct wring_wctx *c, int fd, uint64_t bytes);

/* Two sockets on 127.0.0.1: fds[0] sends to fds[1]. They block; a connection is made within half a second or not at all, since a
 * kernel that is short of memory may drop its segments. mss: TCP_MAXSEG, 0 for the kernel's choice. 0 or -errno. */
int wring_tcp_pair(struct wring_wctx *c, uint64_t buffer, uint64_t mss, int fds[2]);
int wring_udp_pair(struct wring_wctx *c, uint64_t buffer, int fds[2]);
/* Closes a TCP pair with a reset instead of a farewell, so that no TIME-WAIT socket is left. 0 or -errno. */
int wring_tcp_close(int a, int b);
