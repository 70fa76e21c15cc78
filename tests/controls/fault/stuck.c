// SPDX-License-Identifier: GPL-2.0-or-later
/* stuck.ko: the task that loads it sleeps uninterruptibly and is never woken; the rest of the kernel goes on. A planted
 * fault for wring's tests. */
#include <linux/completion.h>
#include <linux/module.h>

static DECLARE_COMPLETION(never);

static int __init stuck_init(void)
{
	pr_info("stuck: waiting for ever\n");
	wait_for_completion(&never);
	return 0;
}
module_init(stuck_init);

MODULE_DESCRIPTION("wring's planted fault: a task that never comes back");
MODULE_LICENSE("GPL");
