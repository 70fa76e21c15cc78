/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The floor of the workloads: for each the system calls it cannot do without, in a loop that does nothing else. Written apart
 * from workloads/ on purpose, and sharing no code with it. A fresh, static program like wring-load:
 *   bare_load SOCKET-FD DIR-FD KIND OBJECTS
 * says 'r', waits for 'g', makes OBJECTS objects of the size that the workload's defaults (or bench_loads.c) ask for, says 'd',
 * waits for another byte, and ends. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define CHECK(x) do { if ((x) < 0) { fprintf(stderr, "bare_load: %s: %s\n", #x, strerror(errno)); exit(1); } } while (0)
enum { PAGE = 4096, CHUNK = 1 << 20, HUGE = 2 << 20, WATCHED = 256, SPLIT = 4096, UDP_TEXT = 1400 };

static int dir, fds[WATCHED], udp_datagrams;
static uint64_t page[PAGE / 8];
static struct { long type; char text[2000]; } message = { .type = 1 };

/* Counting up in place. */
static void next_name(char *name, int digits)
{
	while (name[--digits] == '9')
		name[digits] = '0';
	name[digits]++;
}

static void dentry(long n)
{
	char name[201] = "000000000000";
	struct stat st;

	memset(name + 12, 'n', 188);
	for (; n; n--, next_name(name, 12))
		if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			exit(1);
}

static void inode(long n)
{
	char name[] = "000000000000";
	int fd;

	for (; n; n--, next_name(name, 12)) {
		CHECK(fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
		close(fd);
	}
}

static void msgsnd_(long n)
{
	int q;

	for (; n; n--) {
		CHECK(q = msgget(IPC_PRIVATE, 0600));
		for (int i = 0; i < 8; i++) /* kernel.msgmnb is 16384 */
			CHECK(msgsnd(q, &message, sizeof(message.text), IPC_NOWAIT));
	}
}

static void semget_(long n)
{
	for (; n; n--)
		CHECK(semget(IPC_PRIVATE, 250, 0600));
}

static void epoll(long n)
{
	struct epoll_event e = { .events = EPOLLIN };
	int fd = -1;

	for (long i = 0; i < n; i++) {
		if (i % WATCHED == 0)
			CHECK(fd = epoll_create1(EPOLL_CLOEXEC));
		CHECK(epoll_ctl(fd, EPOLL_CTL_ADD, fds[i % WATCHED], &e));
	}
}

static void setup_watched(void)
{
	CHECK(fds[0] = eventfd(0, EFD_CLOEXEC));
	for (int i = 1; i < WATCHED; i++)
		CHECK(fds[i] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0));
}

static void eventfd_(long n)
{
	for (; n; n--)
		CHECK(eventfd(0, EFD_CLOEXEC));
}

static void timerfd_(long n)
{
	for (; n; n--)
		CHECK(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
}

static void open_(long n)
{
	for (; n; n--)
		CHECK(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static void pipe_(long n)
{
	int p[2];

	for (; n; n--) {
		CHECK(pipe2(p, O_CLOEXEC | O_NONBLOCK));
		CHECK(fcntl(p[1], F_SETPIPE_SZ, 16 * PAGE));
		for (int i = 0; i < 16; i++)
			CHECK(write(p[1], page, PAGE));
	}
}

static void sock_unix(long n)
{
	int p[2];

	for (; n; n--) {
		CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p));
		for (int i = 0; i < 2; i++)
			while (send(p[i], page, 3776, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
				;
	}
}

static int udp_receiver(struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), v = 128 << 10;
	socklen_t size = sizeof(*a);

	CHECK(fd);
	*a = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &v, sizeof(v)));
	CHECK(bind(fd, (struct sockaddr *)a, size));
	CHECK(getsockname(fd, (struct sockaddr *)a, &size));
	return fd;
}

/* How many datagrams it takes is found out beforehand: the last one sent is the first one dropped. */
static void setup_udp(void)
{
	struct sockaddr_in a;
	int fd = udp_receiver(&a);
	char text[UDP_TEXT];

	CHECK(fds[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	for (int i = 0; i < 10000; i++)
		CHECK(sendto(fds[0], page, UDP_TEXT, 0, (struct sockaddr *)&a, sizeof(a)));
	while (recv(fd, text, sizeof(text), MSG_DONTWAIT) > 0)
		udp_datagrams++;
	udp_datagrams++;
	close(fd);
}

static void sock_udp(long n)
{
	struct sockaddr_in a;

	for (; n; n--) {
		udp_receiver(&a);
		for (int i = 0; i < udp_datagrams; i++)
			CHECK(sendto(fds[0], page, UDP_TEXT, MSG_NOSIGNAL, (struct sockaddr *)&a, sizeof(a)));
	}
}

static struct sockaddr_in tcp_address;

static void tcp_buffers(int fd)
{
	int v = 128 << 10;

	CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &v, sizeof(v)));
	CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &v, sizeof(v)));
}

static void setup_tcp(void)
{
	socklen_t size = sizeof(tcp_address);

	tcp_address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	CHECK(fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	tcp_buffers(fds[0]);
	CHECK(bind(fds[0], (struct sockaddr *)&tcp_address, size));
	CHECK(listen(fds[0], 16));
	CHECK(getsockname(fds[0], (struct sockaddr *)&tcp_address, &size));
}

static void tcp_fill(int fd)
{
	static char text[16384];
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	do
		while (send(fd, text, sizeof(text), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
			;
	while (poll(&p, 1, 20) > 0);
}

static void sock_tcp(long n)
{
	int a, b;

	for (; n; n--) {
		CHECK(a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
		tcp_buffers(a);
		CHECK(connect(a, (struct sockaddr *)&tcp_address, sizeof(tcp_address)));
		CHECK(b = accept4(fds[0], NULL, NULL, SOCK_CLOEXEC));
		tcp_fill(a);
		tcp_fill(b);
	}
}

static char *map(size_t bytes, int prot, int flags)
{
	char *p = mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	if (p == MAP_FAILED)
		CHECK(-1);
	return p;
}

static void anon_zero(long n)
{
	for (; n; n--) {
		char *p = map(CHUNK, PROT_READ | PROT_WRITE, 0);

		madvise(p, CHUNK, MADV_NOHUGEPAGE);
		for (int i = 0; i < CHUNK; i += PAGE)
			*(volatile char *)(p + i) = 0;
	}
}

static void anon(long n)
{
	for (; n; n--) {
		char *p = map(CHUNK, PROT_READ | PROT_WRITE, 0);

		madvise(p, CHUNK, MADV_NOHUGEPAGE);
		for (int i = 0; i < CHUNK; i += PAGE)
			memcpy(p + i, page, PAGE);
	}
}

static void file(long n)
{
	char name[] = "000000000000";
	int fd;

	for (; n; n--, next_name(name, 12)) {
		CHECK(fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
		for (int i = 0; i < CHUNK; i += PAGE)
			CHECK(pwrite(fd, page, PAGE, i));
		close(fd);
	}
}

static void shmem(long n)
{
	int fd;

	for (; n; n--) {
		CHECK(fd = memfd_create("bare", MFD_CLOEXEC));
		for (int i = 0; i < CHUNK; i += PAGE)
			CHECK(write(fd, page, PAGE));
	}
}

static void thp(long n)
{
	for (; n; n--) {
		char *p = map(2 * HUGE, PROT_READ | PROT_WRITE, 0), *base = (char *)(((uintptr_t)p + HUGE - 1) / HUGE * HUGE);
		unsigned char there;

		if (base > p)
			munmap(p, (size_t)(base - p));
		munmap(base + HUGE, (size_t)(p + HUGE - base));
		CHECK(madvise(base, HUGE, MADV_HUGEPAGE));
		*(volatile char *)base = 't';
		CHECK(mincore(base + HUGE - PAGE, PAGE, &there));
	}
}

static void vma(long n)
{
	char *p = NULL;

	for (long i = 0; i < n; i++) {
		if (i % SPLIT == 0)
			p = map((2 * SPLIT + 1) * PAGE, PROT_NONE, MAP_NORESERVE);
		CHECK(mprotect(p + (2 * (i % SPLIT) + 1) * PAGE, PAGE, PROT_READ));
	}
}

static void pagetable(long n)
{
	uint64_t gig = 512ull * HUGE;
	char *p = NULL;

	for (long i = 0; i < n; i++) {
		if (i % 512 == 0) {
			p = map(2 * gig, PROT_READ, MAP_NORESERVE);
			p = (char *)(((uintptr_t)p + gig - 1) / gig * gig);
			madvise(p, gig, MADV_NOHUGEPAGE);
		}
		CHECK(madvise(p + i % 512 * HUGE, PAGE, MADV_POPULATE_READ));
	}
}

static void rcu_epoll(long n)
{
	for (; n; n--) {
		struct epoll_event e = { .events = EPOLLIN };
		int ep[4];

		for (int i = 0; i < 1000; i++) {
			if (i % WATCHED == 0)
				CHECK(ep[i / WATCHED] = epoll_create1(EPOLL_CLOEXEC));
			CHECK(epoll_ctl(ep[i / WATCHED], EPOLL_CTL_ADD, fds[i % WATCHED], &e));
		}
		for (int i = 0; i < 4; i++) {
			for (int k = 0; k < WATCHED && i * WATCHED + k < 1000; k++)
				CHECK(epoll_ctl(ep[i], EPOLL_CTL_DEL, fds[k], NULL));
			close(ep[i]);
		}
	}
}

static void rcu_rename(long n)
{
	char from[201] = "000000000000", to[201] = "000000000000";
	int fd;

	memset(from + 12, 'n', 188);
	memset(to + 12, 'n', 188);
	CHECK(fd = openat(dir, from, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	close(fd);
	for (n *= 1000; n; n--) {
		next_name(to, 12);
		CHECK(renameat(dir, from, dir, to));
		next_name(from, 12);
	}
}

static void fork_(long n)
{
	for (; n; n--) {
		pid_t pid = fork();

		CHECK(pid);
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
	}
}

static void own_ipc(void) { CHECK(unshare(CLONE_NEWIPC)); }

static const struct {
	const char *name;
	void (*setup)(void);
	void (*loop)(long n);
} kinds[] = {
	{ "dentry", NULL, dentry }, { "inode", NULL, inode }, { "kmalloc-msgsnd", own_ipc, msgsnd_ }, { "kmalloc-semget", own_ipc, semget_ },
	{ "fd-epoll", setup_watched, epoll }, { "fd-eventfd", NULL, eventfd_ }, { "fd-timerfd", NULL, timerfd_ }, { "fd-file", NULL, open_ },
	{ "pipe", NULL, pipe_ }, { "sock-unix", NULL, sock_unix }, { "sock-udp", setup_udp, sock_udp }, { "sock-tcp", setup_tcp, sock_tcp },
	{ "anon", NULL, anon }, { "anon-zero", NULL, anon_zero }, { "file", NULL, file }, { "shmem", NULL, shmem }, { "thp", NULL, thp }, { "vma", NULL, vma },
	{ "pagetable", NULL, pagetable }, { "rcu-free-epoll", setup_watched, rcu_epoll },
	{ "rcu-free-rename", NULL, rcu_rename }, { "fork", NULL, fork_ },
};

int main(int argc, char **argv)
{
	struct rlimit l;
	int s = argc == 5 ? atoi(argv[1]) : -1;
	char b;

	if (s < 0)
		return 2;
	getrlimit(RLIMIT_NOFILE, &l);
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
	dir = atoi(argv[2]);
	for (size_t i = 0; i < PAGE / 8; i++)
		page[i] = (uint64_t)random() << 32 | (uint64_t)random();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(kinds[i].name, argv[3])) {
			if (kinds[i].setup)
				kinds[i].setup();
			if (write(s, "r", 1) != 1 || read(s, &b, 1) != 1)
				return 1;
			kinds[i].loop(atol(argv[4]));
			return write(s, "d", 1) != 1 || read(s, &b, 1) < 0;
		}
	return 2;
}
