/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Kernels, initramfs and QEMU. Nothing here knows scenarios or the store. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "harness/base/err.h"

/* ---- kernel ----
 * path: a bzImage with everything built in; a Debian linux-image .deb; a kernel build tree
 * (arch/x86/boot/bzImage, .config, *.ko); or an unpacked image package (boot/vmlinuz-*, lib/modules/V). */
struct wring_kernel;
int wring_kernel_open(const char *path, struct wring_kernel **ret, struct wring_err *err);
void wring_kernel_free(struct wring_kernel *k);
const char *wring_kernel_release(const struct wring_kernel *k);    /* from the image's own header */
const char *wring_kernel_sha256(const struct wring_kernel *k);     /* of the bzImage, hex */
const char *wring_kernel_config(const struct wring_kernel *k);     /* text of .config, NULL when unknown */
int wring_kernel_image_fd(const struct wring_kernel *k);           /* read-only, owned by k; QEMU opens /proc/self/fd/N */
/* Modules for the initramfs: `names` and all they depend on, dependencies first. A name that is built in, or
 * unknown to a kernel without modules, is left out. -ENOENT names a module the kernel has neither way. */
struct wring_module { char *name, *file /* base name, e.g. lzo-rle.ko: always uncompressed */; void *data; size_t len; };
struct wring_modules { struct wring_module *rows; size_t n; };
int wring_kernel_modules(struct wring_kernel *k, const char *const *names, size_t n, struct wring_modules *ret, struct wring_err *err);
void wring_modules_done(struct wring_modules *m);

/* ---- initramfs ---- a newc cpio in a memfd, written with libarchive, without root. */
struct wring_initramfs;
int wring_initramfs_new(struct wring_initramfs **ret, struct wring_err *err);
void wring_initramfs_free(struct wring_initramfs *i);
int wring_initramfs_add_data(struct wring_initramfs *i, const char *path, unsigned mode, const void *data, size_t len, struct wring_err *err);
/* An executable and, under their own paths, the dynamic loader and the libraries it needs. */
int wring_initramfs_add_program(struct wring_initramfs *i, const char *host_path, const char *guest_path, struct wring_err *err);
int wring_initramfs_finish(struct wring_initramfs *i, int *ret_fd, struct wring_err *err);

/* ---- guest ---- */
enum wring_accel { WRING_ACCEL_AUTO, WRING_ACCEL_KVM, WRING_ACCEL_TCG };
struct wring_vm_disk {
	const char *serial; /* the guest sees it in /sys/block/X/serial */
	int fd;             /* raw image */
	uint64_t bps, iops; /* bytes and requests a second it is held to; 0: not */
};
struct wring_vm_forward {
	unsigned port;       /* TCP, at WRING_VM_SERVER */
	/* A process of the host's for each connection, which is its standard input, output and error; no commas. QEMU is joined to it over
	 * the host's loopback; nothing is left listening there. */
	const char *command;
};
#define WRING_VM_SERVER "10.0.2.100"
#define WRING_VM_GUEST "10.0.2.15"
#define WRING_VM_NBD_PORT 10809
struct wring_vm_spec {
	int kernel_fd, initramfs_fd;
	const char *append;       /* extra kernel command line */
	unsigned cpus, nodes;     /* CPUs and memory are spread evenly over the nodes */
	uint64_t memory_bytes;
	enum wring_accel accel;   /* KVM or TCG; AUTO is resolved by the caller with wring_kvm_usable() */
	const struct wring_vm_disk *disks; size_t n_disks;
	/* What is on the network of a guest; with nothing it has no network device. Neither the host's network nor any other is. */
	const struct wring_vm_forward *forwards; size_t n_forwards;
	/* The same guest to the nanosecond, given the same seed, images and append, and neither disks nor network (their
	 * completions follow the host's time). TCG only; cpus should be 1 for judged times. */
	bool deterministic;
	uint64_t seed;
	bool hold;                /* a guest that resets or powers off stays, stopped, with its memory: wring_vm_is_off() */
	const char *door;         /* folder for the monitor's sockets; NULL: none. Such a kernel is where its symbols say (nokaslr) */
};
struct wring_vm;
/* CPUs, nodes, memory and append alone, before there is a kernel: -EINVAL with one line. */
int wring_vm_check_machine(const struct wring_vm_spec *spec, struct wring_err *err);
/* Starts QEMU with no display, no way to the host's network, no file of its own on the host. It dies with this process
 * (PR_SET_PDEATHSIG; more exactly with the thread that calls this), whatever kills it. With KVM a failure to start may
 * mean a host whose KVM is incomplete: try TCG. */
int wring_vm_start(const struct wring_vm_spec *spec, struct wring_vm **ret, struct wring_err *err);
/* The record stream out of the guest (virtio-serial port "wring"), non-blocking; owned by vm. */
int wring_vm_record_fd(const struct wring_vm *vm);
int wring_vm_console_fd(const struct wring_vm *vm);  /* becomes readable; then call wring_vm_pump() */
pid_t wring_vm_pid(const struct wring_vm *vm);
int wring_vm_pidfd(const struct wring_vm *vm);
/* Reads what the console has to say into the capture (kept up to 4 MiB, the middle is dropped). */
void wring_vm_pump(struct wring_vm *vm);
const char *wring_vm_console(const struct wring_vm *vm, size_t *ret_len);
enum wring_vm_state {
	WRING_VM_RUNNING,
	WRING_VM_PAUSED,    /* stopped by QMP or the QEMU process stopped by a signal */
	WRING_VM_INTERNAL,  /* QEMU says internal-error: an accelerator that cannot run this kernel */
	WRING_VM_EXITED,    /* powered off or reset: QEMU ended by itself */
	WRING_VM_KILLED,    /* QEMU died of a signal */
};
/* Asks QMP, /proc and waitpid; answers within about a second. detail (may be NULL): "signal 9", "guest-shutdown",
 * "guest-reset" (a panic or a reboot), "exit status 1: ...". To be called every few seconds also while all seems well,
 * and when a stream ends: it also ends a QEMU that got stuck on its way out. */
enum wring_vm_state wring_vm_state(struct wring_vm *vm, char *detail, size_t size);
/* CPU time of the vCPU threads so far, ns; 0 when unknown. Shows whether the host let the guest run. */
int64_t wring_vm_cpu_ns(struct wring_vm *vm);
/* Time those threads were ready to run and did not get a CPU (or were throttled), ns; 0 when unknown. */
int64_t wring_vm_wait_ns(struct wring_vm *vm);
/* Has the machine powered off or reset? (The process is still there where spec.hold was set.) */
bool wring_vm_is_off(struct wring_vm *vm);
/* Kills and reaps. NULL-safe. */
void wring_vm_free(struct wring_vm *vm);

/* ---- inspect.c ---- */
/* After a hang: asks the guest's kernel for all stacks over the serial line (break, then l, w, t); one that says nothing has
 * its registers read, and gets an NMI if that is allowed: it then panics (unknown_nmi_panic=1). Pumps the console meanwhile; what is
 * asked and read is in it as lines "[wring: ...]". Takes at most deadline_ms. Returns whether the kernel still answered. */
bool wring_vm_post_mortem(struct wring_vm *vm, int deadline_ms, bool nmi);
/* The guest's memory and registers as an ELF core into a file that can be seeked, with holes for zeros. -EINTR: a signal came. */
int wring_vm_dump(struct wring_vm *vm, int fd, struct wring_err *err);
/* A socket for gdb; the guest goes on running. */
int wring_vm_gdb(struct wring_vm *vm, const char *path, struct wring_err *err);
/* From now on the console is at that socket, and this process hears no more of it. */
int wring_vm_hand_over_console(struct wring_vm *vm, const char *path, struct wring_err *err);
int wring_vm_stop(struct wring_vm *vm, bool stop); /* false: go on */

/* ---- symbols.c ---- */
/* A copy of what a console said, on the heap: where the kernel's build tree or debug symbols are at hand, addresses get their
 * names, and frames of stacks the line of the source. NULL: nothing to add. */
char *wring_kernel_symbolise(const struct wring_kernel *k, const char *text);
/* The vmlinux of this kernel, or NULL. */
const char *wring_kernel_vmlinux(const struct wring_kernel *k);

/* ---- door.c ---- */
#define WRING_DOOR_MONITOR "monitor"
#define WRING_DOOR_QMP "qmp"
#define WRING_DOOR_CONSOLE "console"
#define WRING_DOOR_GDB "gdb"
struct wring_door { char *dir; int leash; pid_t janitor; };
/* A folder of mode 0700 that goes, with the sockets in it, when it is closed or this process ends, whatever ends it. */
int wring_door_open(struct wring_door *d, struct wring_err *err);
void wring_door_close(struct wring_door *d); /* a struct of zeros: nothing */

/* Is there a QEMU, and which accelerator? reason explains a no in one line. The KVM answer of a host that can open
 * /dev/kvm is only a first guess: whoever starts a guest falls back when it never says hello. */
int wring_qemu_version(char *version, size_t size, struct wring_err *err);
bool wring_kvm_usable(char *reason, size_t size);
/* Of this host, measured in 20 ms; 0: it has none. */
unsigned wring_tsc_khz(void);

/* A sparse memory-backed disk image with a filesystem ("ext4", "xfs") or "swap" on it, made by the mkfs/mkswap of the
 * host without root, labelled "wring". */
int wring_disk_image(const char *fs, uint64_t bytes, int *ret_fd, struct wring_err *err);
/* Images in an initramfs are pieces of this size, each behind its number (a uint64_t); pieces of zeros are left out. */
#define WRING_DISK_PIECE 4096

/* The kernel configuration the suite wants. Prints the fragment; with config text also checks it: one line for each option
 * that is missing, returns the number of required ones missing. */
#include <stdio.h>
int wring_kconfig(const char *config, FILE *out);
