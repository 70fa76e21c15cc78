/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "harness/base/util.h"
#include "harness/vm/child.h"

int wring_qemu_version(char *version, size_t size, struct wring_err *err)
{
	_cleanup_free_ char *path = NULL, *output = NULL;
	char *argv[] = { NULL, (char *)"--version", NULL }, line[200] = "";
	const char *p;
	int r;

	if (size)
		*version = '\0';
	r = wring_child_find("qemu-system-x86_64", "qemu-system-x86", &path, err);
	if (r)
		return r;
	argv[0] = path;
	r = wring_child_run(argv, NULL, 0, &output);
	if (r)
		return wring_err_set(err, r < 0 ? r : -ENOEXEC, "%s --version: %s", path, r == -EINTR ? "killed by a signal" : r < 0 ? strerror(-r) :
				     *output ? wring_child_last_line(output, line, sizeof(line)) : "it does not run");
	/* "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)" */
	p = strstr(output, "version ");
	if (p && size)
		snprintf(version, size, "%.*s", (int)strcspn(p + 8, " \n"), p + 8);
	return 0;
}

static bool no(char *reason, size_t size, const char *what, int error)
{
	if (reason)
		snprintf(reason, size, "/dev/kvm: %s%s%s", what, error ? ": " : "", error ? strerror(error) : "");
	return false;
}

bool wring_kvm_usable(char *reason, size_t size)
{
	_cleanup_close_ int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int vm = -1;

	if (kvm < 0)
		return no(reason, size, "cannot be opened", errno);
	if (ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return no(reason, size, "does not speak the KVM interface", 0);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		return no(reason, size, "makes no virtual machine", errno);
	if (reason && size)
		*reason = '\0';
	return true;
}
