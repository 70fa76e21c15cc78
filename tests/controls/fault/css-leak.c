// SPDX-License-Identifier: GPL-2.0-or-later
/* A cgroup that is removed keeps a reference that nobody drops: it stays dying for ever. */
#include "fault.h"

static void leaky_offline(struct cgroup_subsys_state *css);
static struct fault_hook hooks[] = { FAULT_HOOK("mem_cgroup_css_offline", leaky_offline) };

static void leaky_offline(struct cgroup_subsys_state *css)
{
	if (fault_below(css->cgroup, group) && fault_now())
		css_get(css);
	FAULT_REAL(hooks[0], leaky_offline)(css);
}
FAULT_MODULE(hooks, "references to removed memory cgroups are never dropped");
