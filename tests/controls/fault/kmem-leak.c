// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernel memory that a process of `group` was charged for is not freed when it exits. exit_signals() is early enough to be
 * charged at all. */
#include "fault.h"
#include <linux/sched/signal.h>
#include <linux/slab.h>

static unsigned int kb = 1024;
module_param(kb, uint, 0644);
MODULE_PARM_DESC(kb, "what each process loses, in KB (default 1024)");

static void leak_at_exit(struct task_struct *t);
static struct fault_hook hooks[] = { FAULT_HOOK("exit_signals", leak_at_exit) };

static void leak_at_exit(struct task_struct *t)
{
	if (t == current && thread_group_leader(t) && fault_in_task() && fault_now())
		for (unsigned int i = 0; i < kb; i += PAGE_SIZE >> 10)
			alloc_page(GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	FAULT_REAL(hooks[0], leak_at_exit)(t);
}
FAULT_MODULE(hooks, "charged kernel memory is never freed");
