/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/vm.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "harness/base/util.h"
#include "harness/vm/child.h"

bool wring_qemu_available(char *version, size_t size)
{
	_cleanup_free_ char *path = NULL, *output = NULL;
	char *argv[] = { NULL, (char *)"--version", NULL };
	const char *p;

	if (size)
		*version = '\0';
	if (wring_child_find("qemu-system-x86_64", NULL, &path, NULL))
		return false;
	argv[0] = path;
	if (wring_child_run(argv, NULL, 0, &output))
		return false;
	/* "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)" */
	p = strstr(output, "version ");
	if (p && size)
		snprintf(version, size, "%.*s", (int)strcspn(p + 8, " \n"), p + 8);
	return true;
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
