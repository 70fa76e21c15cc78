/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the planted faults share: a kernel function is replaced by the fault's own, which may call the one it replaced.
 *
 *	static struct fault_hook hook = FAULT_HOOK("reclaim_high", my_reclaim_high);
 *	...	real = (typeof(my_reclaim_high) *)hook.real
 *	FAULT_MODULE(hook, "what is broken");
 *
 * ftrace does it (IPMODIFY, as livepatch), because livepatch gives no way to call what was replaced. Names may be
 * alternatives: "__alloc_pages_noprof|__alloc_pages". Modules stay: nothing waits for those who are in them. */
#ifndef FAULT_H
#define FAULT_H
#include <linux/cgroup.h>
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/string.h>

struct fault_hook { const char *names; void *new, *real; struct ftrace_ops ops; };
#define FAULT_HOOK(names_, new_) { .names = names_, .new = new_ }
#define FAULT_REAL(hook, fn) ((typeof(&(fn)))(hook).real)

/* Where: in, or on behalf of, cgroups called this, and all below them. Empty: any but the root. */
static char *group = "";
module_param(group, charp, 0444);
MODULE_PARM_DESC(group, "name of a cgroup: only there and below; default: anywhere but the root");

/* How often: at one of so many occasions. */
static unsigned int every = 1;
module_param(every, uint, 0644);
MODULE_PARM_DESC(every, "at one of so many occasions (default 1; 0: never)");

static inline bool fault_now(void)
{
	static atomic_t n = ATOMIC_INIT(0);
	unsigned int of = READ_ONCE(every);

	return of && (unsigned int)atomic_inc_return(&n) % of == 0;
}

static inline bool fault_below(struct cgroup *c, const char *name)
{
	for (; c && cgroup_parent(c); c = cgroup_parent(c))
		if (!*name || !strcmp(c->kn->name, name))
			return true;
	return false;
}

static inline bool fault_in_memcg(struct mem_cgroup *memcg)
{
	return memcg && fault_below(memcg->css.cgroup, group);
}

static inline bool fault_in_task(void)
{
	bool in;

	if (!current->mm)
		return false;
	rcu_read_lock();
	in = fault_below(task_dfl_cgroup(current), group);
	rcu_read_unlock();
	return in;
}

/* kallsyms_lookup_name() is not exported, but a kprobe finds it. Names are tried in turn. */
static inline unsigned long fault_lookup(const char *names)
{
	static unsigned long (*lookup)(const char *name);
	struct kprobe kp = { .symbol_name = "kallsyms_lookup_name" };
	unsigned long addr = 0;
	char name[64];

	if (!lookup && !register_kprobe(&kp)) {
		lookup = (void *)kp.addr;
		unregister_kprobe(&kp);
	}
	while (lookup && !addr && *names) {
		size_t len = strcspn(names, "|");

		snprintf(name, sizeof(name), "%.*s", (int)len, names);
		addr = lookup(name);
		names += len + (names[len] == '|');
	}
	return addr;
}

static void notrace fault_redirect(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct fault_hook *h = container_of(ops, struct fault_hook, ops);

	if (!within_module(parent_ip, THIS_MODULE))
		instruction_pointer_set(ftrace_get_regs(fregs), (unsigned long)h->new);
}

static inline int fault_plant(struct fault_hook *h)
{
	unsigned long addr = fault_lookup(h->names);
	int r = addr ? 0 : -ENOENT;

	h->real = (void *)addr;
	h->ops.func = fault_redirect;
	h->ops.flags = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY;
	/* on kernels with IBT a function begins 4 bytes before the place that ftrace patches */
	if (!r && ftrace_set_filter_ip(&h->ops, addr, 0, 0))
		r = ftrace_set_filter_ip(&h->ops, addr + 4, 0, 0);
	r = r ? r : register_ftrace_function(&h->ops);
	if (r)
		pr_err("%s: cannot replace %s: %d\n", KBUILD_MODNAME, h->names, r);
	return r;
}

/* Not unloadable: there is no module_exit(). Hooks: an array or one; a failure leaves none behind. */
static inline int fault_plant_all(struct fault_hook *h, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = fault_plant(&h[i]);

		if (!r)
			continue;
		while (i--)
			unregister_ftrace_function(&h[i].ops);
		return r;
	}
	return 0;
}

#define FAULT_MODULE(hooks, text)						\
	static int __init fault_init(void)					\
	{									\
		pr_info("%s: planted: %s\n", KBUILD_MODNAME, text);		\
		return fault_plant_all(hooks, ARRAY_SIZE(hooks));		\
	}									\
	module_init(fault_init);						\
	FAULT_ABOUT(text)

#define FAULT_ABOUT(text)							\
	MODULE_DESCRIPTION("wring's planted fault: " text);			\
	MODULE_LICENSE("GPL")

#endif
