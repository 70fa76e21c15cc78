/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Looking into a guest that does not go on: its stacks, its memory, and doors for a person. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/base/util.h"
#include "harness/vm/inside.h"

enum {
	DUMP_MS = 60000, /* without a byte of the dump, QEMU is not writing it */
	BLOCK = 64 << 10,
	PAGE = 4096,
};

/* ---- stacks ---- */

static int left_ms(int64_t deadline)
{
	int64_t left = (deadline - wring_now_ns()) / WRING_NSEC_PER_MSEC;

	return left > 0 ? (int)left : 0;
}

/* Pumps until nothing came for quiet_ms, QEMU ended, or the deadline. */
static void pump_until_quiet(struct wring_vm *vm, int quiet_ms, int64_t deadline)
{
	for (;;) {
		struct pollfd pfd = { .fd = vm->console_fd, .events = POLLIN };
		uint64_t before = vm->console.total;
		int wait = left_ms(deadline) < quiet_ms ? left_ms(deadline) : quiet_ms;

		if (poll(&pfd, 1, wait) <= 0)
			return;
		wring_vm_pump(vm);
		if (vm->console.total == before) /* hung up */
			return;
	}
}

static int answer_ms(int64_t deadline)
{
	return left_ms(deadline) < WRING_VM_ANSWER_MS ? left_ms(deadline) : WRING_VM_ANSWER_MS;
}

/* A line of ours among those of the guest; returns how much the console has said with it. */
static __attribute__((format(printf, 2, 3))) uint64_t remark(struct wring_vm *vm, const char *fmt, ...)
{
	char text[200], line[sizeof(text) + 20];
	va_list ap;
	int n;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = snprintf(line, sizeof(line), "%s[wring: %s]\n", vm->console.len && vm->console.text[vm->console.len - 1] != '\n' ? "\n" : "", text);
	wring_capture_add(&vm->console, line, (size_t)n);
	return vm->console.total;
}

static bool ask_sysrq(struct wring_vm *vm, char letter, int64_t deadline)
{
	json_t *args = json_pack("{s:s}", "id", "console");

	if (wring_qmp_execute(vm->qmp, "chardev-send-break", args, answer_ms(deadline), NULL, NULL))
		return false;
	/* The reply says that the break is in the UART; a letter sent now comes behind it. */
	return send(vm->console_fd, &letter, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

/* What QEMU's monitor for people answers, on the heap; NULL: nothing. */
static char *monitor(struct wring_vm *vm, const char *command, int timeout_ms, struct wring_err *err)
{
	json_t *args = json_pack("{s:s}", "command-line", command), *value = NULL;
	char *text = NULL;

	if (!wring_qmp_execute(vm->qmp, "human-monitor-command", args, timeout_ms, &value, err))
		text = strdup(json_string_value(value) ? json_string_value(value) : "");
	json_decref(value);
	return text;
}

/* Where the handler of a divide error is: against the symbols this tells by how much the kernel's text was moved. */
static void tell_text(struct wring_vm *vm, unsigned long long idt, int timeout_ms)
{
	char command[48];
	_cleanup_free_ char *gate = NULL;
	unsigned long long low, high;
	const char *at;

	snprintf(command, sizeof(command), "x /2gx 0x%llx", idt);
	gate = monitor(vm, command, timeout_ms, NULL);
	at = gate ? strchr(gate, ':') : NULL;
	if (at && sscanf(at, ": 0x%llx 0x%llx", &low, &high) == 2)
		remark(vm, "divide error handler: %016llx", (low & 0xffff) | (low >> 32 & 0xffff0000) | high << 32);
}

/* A kernel that does not answer has its registers all the same. */
static void tell_registers(struct wring_vm *vm, int timeout_ms)
{
	_cleanup_free_ char *text = monitor(vm, "info registers -a", timeout_ms, NULL);
	unsigned long long value, idt = 0;
	unsigned cpu = 0, ring;
	char *save = NULL;

	for (char *p = text ? strtok_r(text, "\r\n", &save) : NULL; p; p = strtok_r(NULL, "\r\n", &save)) {
		const char *cpl = strstr(p, "CPL=");

		sscanf(p, "CPU#%u", &cpu);
		if (cpl && sscanf(p, "RIP=%llx", &value) == 1 && sscanf(cpl, "CPL=%u", &ring) == 1)
			remark(vm, "CPU %u at %016llx, %s", cpu, value, ring ? "in user space" : "in the kernel");
		if (sscanf(p, "IDT= %llx", &value) == 1)
			idt = value;
	}
	if (idt)
		tell_text(vm, idt, timeout_ms);
}

bool wring_vm_post_mortem(struct wring_vm *vm, int deadline_ms, bool nmi)
{
	static const struct { char letter; const char *what; } asked[] = {
		{ 'l', "what all CPUs do" }, { 'w', "tasks that are blocked" }, { 't', "all tasks" },
	};
	int64_t now = wring_now_ns(), deadline = now + deadline_ms * WRING_NSEC_PER_MSEC;
	bool answers = false;
	uint64_t before;

	wring_vm_pump(vm);
	for (unsigned i = 0; i < WRING_ARRAY_SIZE(asked) && !wring_vm_has_ended(vm); i++) {
		/* A share of the time for each; the stacks of all tasks may take the rest, but for the NMI's. */
		int64_t share = now + (i == 2 ? 7 : i + 1) * (deadline - now) / 10;

		before = remark(vm, "sysrq %c: %s", asked[i].letter, asked[i].what);
		if (!ask_sysrq(vm, asked[i].letter, share))
			break;
		pump_until_quiet(vm, 1000, share);
		if (vm->console.total == before) /* deaf: interrupts are off, or nobody has the port open */
			break;
		answers = true;
	}
	if (answers || wring_vm_has_ended(vm) || !left_ms(deadline))
		return answers;
	/* The NMI makes the kernel panic (unknown_nmi_panic): only for one that said nothing. It prints once the
	 * panicking CPU has given up on the others, which takes a while where they spin. */
	tell_registers(vm, answer_ms(deadline));
	if (!nmi)
		return false;
	before = remark(vm, "no answer: an NMI");
	if (!wring_qmp_execute(vm->qmp, "inject-nmi", NULL, answer_ms(deadline), NULL, NULL)) {
		pump_until_quiet(vm, left_ms(deadline), deadline);
		pump_until_quiet(vm, 2000, deadline);
	}
	return vm->console.total != before;
}

/* ---- memory ---- */

static bool is_zero(const char *p, size_t n)
{
	return !*p && !memcmp(p, p + 1, n - 1);
}

/* Pages of zeros become holes. */
static int write_block(int fd, const char *p, size_t len)
{
	int r = 0;

	for (size_t n; len && !r; p += n, len -= n) {
		n = len < PAGE ? len : PAGE;
		if (!is_zero(p, n))
			r = wring_write_all(fd, p, n);
		else if (lseek(fd, (off_t)n, SEEK_CUR) < 0)
			r = -errno;
	}
	return r;
}

static int copy_dump(int from, int to)
{
	_cleanup_free_ char *buf = malloc(BLOCK);
	struct pollfd pfd = { .fd = from, .events = POLLIN };
	size_t len = 0;
	ssize_t n = 1;
	int r = buf ? 0 : -ENOMEM;

	while (!r && n > 0) {
		int ready = poll(&pfd, 1, DUMP_MS);

		if (ready <= 0)
			return ready ? -errno : -ETIMEDOUT;
		n = read(from, buf + len, BLOCK - len);
		if (n < 0)
			return -errno;
		len += (size_t)n;
		if (len < BLOCK && n)
			continue;
		r = write_block(to, buf, len);
		len = 0;
	}
	/* A hole at the end has no byte to make the file that long. */
	return r ? r : ftruncate(to, lseek(to, 0, SEEK_CUR)) ? -errno : 0;
}

/* QEMU writes into a pipe of ours: a full disk, an end of QEMU or a signal is then ours to notice. ELF, because everything reads it;
 * QEMU's compressed kind is one that gdb, readelf and drgn do not. */
int wring_vm_dump(struct wring_vm *vm, int fd, struct wring_err *err)
{
	_cleanup_close_ int from = -1, to = -1;
	_cleanup_free_ char *protocol = NULL;
	json_t *value = NULL;
	const char *status;
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC))
		return wring_err_set(err, -errno, "pipe: %s", strerror(errno));
	from = fds[0];
	to = fds[1];
	protocol = wring_strf("file:/proc/%d/fd/%d", getpid(), to);
	r = wring_qmp_execute(vm->qmp, "dump-guest-memory",
			      json_pack("{s:b, s:s, s:b}", "paging", 0, "protocol", protocol ? protocol : "", "detach", 1), DUMP_MS, NULL, err);
	if (r)
		return r;
	close(WRING_TAKE_FD(to));
	r = copy_dump(from, fd);
	if (!r)
		r = wring_core_mend(fd);
	if (r)
		return wring_err_set(err, r, "%s", r == -ETIMEDOUT ? "QEMU does not go on writing it" : strerror(-r));
	r = wring_qmp_execute(vm->qmp, "query-dump", NULL, DUMP_MS, &value, err);
	status = json_string_value(json_object_get(value, "status"));
	if (!r && (!status || strcmp(status, "completed")))
		r = wring_err_set(err, -EIO, "QEMU's dump ended as '%s'", status ? status : "");
	json_decref(value);
	return r;
}

/* ---- doors ---- */

int wring_vm_gdb(struct wring_vm *vm, const char *path, struct wring_err *err)
{
	_cleanup_free_ char *command = wring_strf("gdbserver unix:%s,server=on,wait=off", path);
	_cleanup_free_ char *said = command ? monitor(vm, command, WRING_VM_ANSWER_MS, err) : NULL;

	return said ? 0 : err->code ? err->code : wring_err_set(err, -ENOMEM, "out of memory");
}

int wring_vm_hand_over_console(struct wring_vm *vm, const char *path, struct wring_err *err)
{
	wring_vm_pump(vm);
	return wring_qmp_execute(vm->qmp, "chardev-change",
				 json_pack("{s:s, s:{s:s, s:{s:{s:s, s:{s:s}}, s:b, s:b}}}", "id", "console", "backend", "type", "socket", "data",
					   "addr", "type", "unix", "data", "path", path, "server", 1, "wait", 0),
				 WRING_VM_ANSWER_MS, NULL, err);
}

int wring_vm_stop(struct wring_vm *vm, bool stop)
{
	return wring_qmp_execute(vm->qmp, stop ? "stop" : "cont", NULL, WRING_VM_ANSWER_MS, NULL, NULL);
}
