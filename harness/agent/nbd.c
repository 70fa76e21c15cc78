/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A disk that is a process of the host, reached over QEMU's network: the kernel's NBD client. */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nbd.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "harness/agent/agent.h"
#include "harness/base/util.h"
#include "harness/vm/vm.h"

#define DEV "/dev/" WRING_NBD_DEV
#define NIC "eth0"
#define BLOCK 4096
#define PATIENCE_NS (10 * WRING_NSEC_PER_SEC)

static struct { int dev, sock; bool is_on; pthread_t thread; } nbd = { .dev = -1, .sock = -1 };

bool wring_nbd_present(void)
{
	return !access("/sys/class/net/" NIC, F_OK) && !access(DEV, F_OK);
}

/* ---- the network ---- */

/* The netmask of its class, 255.0.0.0, is the one there is by default. */
static int nic_up(int sock)
{
	struct ifreq ifr = { .ifr_name = NIC };
	struct sockaddr_in *addr = (struct sockaddr_in *)(void *)&ifr.ifr_addr;

	*addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = inet_addr(WRING_VM_GUEST) };
	if (ioctl(sock, SIOCSIFADDR, &ifr) || ioctl(sock, SIOCGIFFLAGS, &ifr))
		return -errno;
	ifr.ifr_flags |= IFF_UP;
	return ioctl(sock, SIOCSIFFLAGS, &ifr) ? -errno : 0;
}

/* How long connect(2), a read or a write may take; 0: for ever. */
static void set_patience(int sock, int64_t ns)
{
	struct timeval tv = { .tv_sec = ns / WRING_NSEC_PER_SEC };

	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
}

static int receive(int sock, void *buf, size_t size)
{
	ssize_t n = recv(sock, buf, size, MSG_WAITALL);

	return n == (ssize_t)size ? 0 : n < 0 ? -errno : -EPIPE;
}

/* "Fixed newstyle" with the option that needs no answer but the size: https://github.com/NetworkBlockDevice/nbd, doc/proto.md */
static int negotiate(int sock, uint64_t *ret_bytes, uint16_t *ret_flags)
{
	enum { FIXED_NEWSTYLE = 1, NO_ZEROES = 2, EXPORT_NAME = 1 };
	struct __attribute__((packed)) { char magic[16]; uint16_t flags; } hello;
	struct __attribute__((packed)) { uint32_t flags; char magic[8]; uint32_t option, len; } wish = { .magic = "IHAVEOPT" };
	struct __attribute__((packed)) { uint64_t bytes; uint16_t flags; } export;
	int r = receive(sock, &hello, sizeof(hello));

	if (r)
		return r;
	if (memcmp(hello.magic, "NBDMAGICIHAVEOPT", sizeof(hello.magic)) || ~be16toh(hello.flags) & (FIXED_NEWSTYLE | NO_ZEROES))
		return -EPROTO;
	wish.flags = htobe32(FIXED_NEWSTYLE | NO_ZEROES);
	wish.option = htobe32(EXPORT_NAME);
	if (send(sock, &wish, sizeof(wish), MSG_NOSIGNAL) != sizeof(wish))
		return -errno;
	r = receive(sock, &export, sizeof(export));
	*ret_bytes = be64toh(export.bytes);
	*ret_flags = be16toh(export.flags);
	return r;
}

static int connect_server(uint64_t *ret_bytes, uint16_t *ret_flags, struct wring_err *err)
{
	const struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons(WRING_VM_NBD_PORT), .sin_addr.s_addr = inet_addr(WRING_VM_SERVER) };
	_cleanup_close_ int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = sock < 0 ? -errno : nic_up(sock), yes = 1;

	if (!r && setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes))) /* as nbd-client(8) does: requests are small */
		r = -errno;
	if (r)
		return wring_err_set(err, r, "the network interface " NIC ": %s", strerror(-r));
	set_patience(sock, PATIENCE_NS);
	if (connect(sock, (const struct sockaddr *)&server, sizeof(server)))
		return wring_err_set(err, -errno, "the NBD server of this guest: %s", strerror(errno));
	r = negotiate(sock, ret_bytes, ret_flags);
	if (r)
		return wring_err_set(err, r, "the NBD server of this guest: its greeting: %s", strerror(-r));
	set_patience(sock, 0); /* to the kernel's client a timeout is the end of the connection */
	return WRING_TAKE_FD(sock);
}

/* ---- the device ---- */

/* In there for as long as the connection lasts. */
static void *serve(void *unused)
{
	ioctl(nbd.dev, NBD_DO_IT);
	return unused;
}

static int wait_size(uint64_t bytes)
{
	_cleanup_close_ int fd = open("/sys/block/" WRING_NBD_DEV "/size", O_RDONLY | O_CLOEXEC);
	int64_t until = wring_now_ns() + PATIENCE_NS;
	struct timespec pause = { .tv_nsec = WRING_NSEC_PER_MSEC };
	char text[24] = "";

	while (pread(fd, text, sizeof(text) - 1, 0) > 0 && strtoull(text, NULL, 10) != bytes / 512 && wring_now_ns() < until)
		nanosleep(&pause, NULL);
	return strtoull(text, NULL, 10) == bytes / 512 ? 0 : -ETIMEDOUT;
}

int wring_nbd_on(int64_t *ret_bytes, struct wring_err *err)
{
	uint64_t bytes = 0;
	uint16_t flags = 0;
	int r;

	nbd.sock = connect_server(&bytes, &flags, err);
	if (nbd.sock < 0)
		return nbd.sock;
	nbd.dev = open(DEV, O_RDWR | O_CLOEXEC);
	r = nbd.dev < 0 || ioctl(nbd.dev, NBD_SET_SOCK, nbd.sock) || ioctl(nbd.dev, NBD_SET_BLKSIZE, BLOCK) ||
	    ioctl(nbd.dev, NBD_SET_SIZE_BLOCKS, bytes / BLOCK) || ioctl(nbd.dev, NBD_SET_FLAGS, flags) ? -errno : 0;
	if (!r)
		r = -wring_thread_start(&nbd.thread, serve, NULL);
	nbd.is_on = !r;
	if (!r)
		r = wait_size(bytes);
	*ret_bytes = (int64_t)bytes;
	return r ? wring_err_set(err, r, DEV ": %s", strerror(-r)) : 0;
}

void wring_nbd_off(struct wring_out *out)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t size = sizeof(info);

	if (nbd.is_on) {
		if (!getsockopt(nbd.sock, SOL_SOCKET, SO_MEMINFO, info, &size))
			wring_out_event(out, "swap", WRING_NBD_DEV, "dropped=%u", info[SK_MEMINFO_DROPS]);
		ioctl(nbd.dev, NBD_DISCONNECT);
		pthread_join(nbd.thread, NULL);
		nbd.is_on = false;
		ioctl(nbd.dev, NBD_CLEAR_SOCK);
	}
	wring_closep(&nbd.dev);
	wring_closep(&nbd.sock);
	nbd.dev = nbd.sock = -1;
}
