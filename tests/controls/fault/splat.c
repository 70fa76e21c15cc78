// SPDX-License-Identifier: GPL-2.0-or-later
/* A complaint in the kernel's log. kind=warn: WARN(); bug: sleeping where one must not; oops: a NULL pointer, in a thread of
 * its own; lockdep: the text of a possible deadlock; err: a line of level err. */
#include "fault.h"
#include <linux/delay.h>
#include <linux/kthread.h>

static char *kind = "warn";
module_param(kind, charp, 0444);
MODULE_PARM_DESC(kind, "warn (default), bug, oops, lockdep or err");

static int oops(void *arg)
{
	*(volatile int *)arg = 1;
	return 0;
}

static int __init splat_init(void)
{
	if (!strcmp(kind, "warn")) {
		WARN(1, "wring: planted warning\n");
	} else if (!strcmp(kind, "bug")) {
		preempt_disable();
		msleep(20);
		preempt_enable();
	} else if (!strcmp(kind, "oops")) {
		kthread_run(oops, NULL, "wring-oops");
	} else if (!strcmp(kind, "lockdep")) {
		pr_warn("======================================================\n");
		pr_warn("WARNING: possible circular locking dependency detected\n");
		dump_stack();
	} else if (!strcmp(kind, "err")) {
		pr_err("wring: planted error\n");
	} else {
		return -EINVAL;
	}
	return 0;
}
module_init(splat_init);
FAULT_ABOUT("a splat in the kernel's log");
