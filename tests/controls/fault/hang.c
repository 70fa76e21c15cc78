// SPDX-License-Identifier: GPL-2.0-or-later
/* hang.ko: every CPU spins with interrupts off as soon as the module is loaded. A planted fault for wring's tests:
 * such a kernel answers nothing but an NMI. */
#include <linux/cpumask.h>
#include <linux/module.h>
#include <linux/stop_machine.h>

static int spin(void *arg)
{
	for (;;)
		cpu_relax();
	return 0;
}

static int __init hang_init(void)
{
	pr_info("hang: all CPUs stop here\n");
	return stop_machine(spin, NULL, cpu_online_mask);
}
module_init(hang_init);

MODULE_DESCRIPTION("wring's planted fault: all CPUs hang");
MODULE_LICENSE("GPL");
