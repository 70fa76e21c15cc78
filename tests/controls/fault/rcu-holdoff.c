// SPDX-License-Identifier: GPL-2.0-or-later
/* One CPU lets no grace period end for `ms` at a time: everything that RCU frees comes late. */
#include "fault.h"
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/ktime.h>

static unsigned int ms = 3000, pause = 50;
module_param(ms, uint, 0644);
MODULE_PARM_DESC(ms, "how long at a time (default 3000)");
module_param(pause, uint, 0644);
MODULE_PARM_DESC(pause, "ms between (default 50)");
static int cpu = -1;
module_param(cpu, int, 0444);
MODULE_PARM_DESC(cpu, "which CPU (default: the last)");

static int hold(void *arg)
{
	for (;;) {
		ktime_t until = ktime_add_ms(ktime_get(), ms);

		preempt_disable();
		while (ktime_before(ktime_get(), until))
			cpu_relax();
		preempt_enable();
		msleep(pause);
	}
	return 0;
}

static int __init holdoff_init(void)
{
	struct task_struct *t = kthread_create(hold, NULL, "wring-holdoff");

	if (IS_ERR(t))
		return PTR_ERR(t);
	kthread_bind(t, cpu < 0 ? cpumask_last(cpu_online_mask) : cpu);
	wake_up_process(t);
	return 0;
}
module_init(holdoff_init);
FAULT_ABOUT("a CPU holds off RCU");
