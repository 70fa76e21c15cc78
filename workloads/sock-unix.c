/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sock-unix: pairs of UNIX sockets, both directions full. The trap: their buffers are slab memory; `sock` of
 * memory.stat stays at 0. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/api/workload.h"
#include "harness/base/util.h"
#include "workloads/load/common.h"

#define SHARED_INFO 320 /* struct skb_shared_info, behind the data */
#define CACHE_LINE 64

enum kind { KIND_STREAM, KIND_DGRAM };

struct sock_unix {
	unsigned kind; /* parameters */
	uint64_t message;
	struct wring_slots slots;
	char *text;
};

static const struct wring_param params[] = {
	{ "kind", WRING_ENUM, offsetof(struct sock_unix, kind), .def = "stream", .choices = "stream|dgram",
	  .help = "dgram takes net.unix.max_dgram_qlen messages" },
	{ "message", WRING_U64, offsetof(struct sock_unix, message), .def = "3776", .min = "1", .max = "3776",
	  .help = "bytes in a message; with its 320 bytes of overhead the default fills a kmalloc of 4 KB" },
	{ 0 } };

static int send_all(struct wring_wctx *c, const struct sock_unix *s, int fd, uint64_t *n)
{
	while (send(fd, s->text, s->message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		(*n)++;
	return errno == EAGAIN ? 0 : wring_failed(c, "send", errno);
}

static int make_pair(struct wring_wctx *c, const struct sock_unix *s, int fds[2], uint64_t *ret_messages)
{
	int r;

	*ret_messages = 0;
	if (socketpair(AF_UNIX, (s->kind == KIND_DGRAM ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0, fds))
		return wring_failed(c, "socketpair", errno);
	r = send_all(c, s, fds[0], ret_messages);
	if (!r)
		r = send_all(c, s, fds[1], ret_messages);
	if (r) {
		close(fds[0]);
		close(fds[1]);
	}
	return r;
}

static int setup(struct wring_wctx *c, struct wring_err *err)
{
	struct sock_unix *s = wring_wdata(c);
	uint64_t messages, data = (s->message + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	int fds[2], r = wring_raise_nofile(err);

	if (r)
		return r;
	s->text = malloc(s->message);
	if (!s->text)
		return wring_err_set(err, -ENOMEM, "sock-unix: a message");
	memset(s->text, 'u', s->message);
	r = make_pair(c, s, fds, &messages);
	if (r)
		return wring_err_set(err, r, "sock-unix: a pair to measure: %s", strerror(-r));
	close(fds[0]);
	close(fds[1]);
	wring_object(c, messages * (wring_kmalloc_charge(data + SHARED_INFO) + wring_slab_charge("skbuff_head_cache", 256)) +
		     2 * (wring_slab_charge(s->kind == KIND_DGRAM ? "UNIX" : "UNIX-STREAM", 1152) +
			  wring_slab_charge("sock_inode_cache", 832) + wring_fd_charge(true)), false);
	return 0;
}

static int make(struct wring_wctx *c, uint64_t object)
{
	struct sock_unix *s = wring_wdata(c);
	uint64_t *slot = wring_slot(&s->slots, object), messages;
	int fds[2], r;

	if (!slot)
		return -ENOMEM;
	r = make_pair(c, s, fds, &messages);
	if (!r)
		*slot = (uint64_t)fds[0] << 32 | (uint32_t)fds[1];
	return r;
}

static int drop(struct wring_wctx *c, uint64_t object)
{
	struct sock_unix *s = wring_wdata(c);
	uint64_t fds = wring_slot_take(&s->slots, object);

	return close((int)(fds >> 32)) | close((int)(uint32_t)fds) ? -errno : 0;
}

static void teardown(struct wring_wctx *c)
{
	struct sock_unix *s = wring_wdata(c);

	wring_slots_done(&s->slots);
	free(s->text);
}

static const struct wring_workload sock_unix = {
	.name = "sock-unix",
	.summary = "UNIX socket pairs with full buffers",
	.doc = "socketpair() and send() in both directions until EAGAIN. Caches kmalloc-cg-N (data), skbuff_head_cache, UNIX or "
	       "UNIX-STREAM (merged with signal_cache), filp in slab_unreclaimable; sock_inode_cache and dentry in "
	       "slab_reclaimable; `sock` is not used. An object is a pair and takes two descriptors; how many messages it takes "
	       "(net.core.wmem_default, net.unix.max_dgram_qlen) is tried out before the start.",
	.params = params,
	.size = sizeof(struct sock_unix),
	.setup = setup,
	.make = make,
	.drop = drop,
	.teardown = teardown,
};
WRING_REGISTER_WORKLOAD(sock_unix);
