/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CPUs and memory of a load's processes, through hwloc. */
#include <errno.h>
#include <string.h>

#include "harness/agent/agent.h"

/* hwloc takes "bind" without STRICT for MPOL_PREFERRED (of the first node only, before Linux 5.15). */
static int bind_memory(struct wring_agent *a, hwloc_const_nodeset_t nodes, const char *policy)
{
	bool interleave = policy && !strcmp(policy, "interleave"), preferred = policy && !strcmp(policy, "preferred");

	return hwloc_set_membind(a->topology, nodes, interleave ? HWLOC_MEMBIND_INTERLEAVE : HWLOC_MEMBIND_BIND,
				 HWLOC_MEMBIND_THREAD | HWLOC_MEMBIND_BYNODESET | (preferred ? 0 : HWLOC_MEMBIND_STRICT));
}

int wring_bind_nodes(struct wring_agent *a, const struct wring_load *l, struct wring_err *err)
{
	hwloc_nodeset_t nodes = hwloc_bitmap_alloc();
	hwloc_cpuset_t cpus = hwloc_bitmap_alloc();
	int r = 0;

	if (!hwloc_topology_is_thissystem(a->topology)) {
		/* hwloc binds nothing on a synthetic topology, and says it did. */
		r = wring_err_set(err, -ENOTSUP, "load %s: the topology is not this system's", l->name);
	}
	if (!r && l->cpu_nodes) {
		hwloc_bitmap_list_sscanf(nodes, l->cpu_nodes);
		hwloc_cpuset_from_nodeset(a->topology, cpus, nodes);
		if (!hwloc_bitmap_isincluded(nodes, hwloc_topology_get_topology_nodeset(a->topology)) ||
		    hwloc_bitmap_iszero(cpus))
			r = wring_err_set(err, -ENODEV, "load %s: cpu-nodes = %s: no such node with CPUs here", l->name, l->cpu_nodes);
		else if (hwloc_set_cpubind(a->topology, cpus, HWLOC_CPUBIND_THREAD | HWLOC_CPUBIND_STRICT))
			r = wring_err_set(err, -errno, "load %s: binding to CPUs of node %s: %s", l->name, l->cpu_nodes, strerror(errno));
	}
	if (!r && l->mem_nodes) {
		hwloc_bitmap_list_sscanf(nodes, l->mem_nodes);
		if (!hwloc_bitmap_isincluded(nodes, hwloc_topology_get_topology_nodeset(a->topology)))
			r = wring_err_set(err, -ENODEV, "load %s: mem-nodes = %s: no such node here", l->name, l->mem_nodes);
		else if (bind_memory(a, nodes, l->mem_policy))
			r = wring_err_set(err, -errno, "load %s: memory of node %s, policy %s: %s", l->name, l->mem_nodes,
					  l->mem_policy ? l->mem_policy : "bind", strerror(errno));
	}
	hwloc_bitmap_free(nodes);
	hwloc_bitmap_free(cpus);
	return r;
}

/* CPU and memory binding are the thread's and are inherited: set around the clone, because hwloc must not run between
 * clone and exec. */
void wring_unbind_nodes(struct wring_agent *a, const struct wring_load *l)
{
	if (l->cpu_nodes)
		hwloc_set_cpubind(a->topology, hwloc_topology_get_complete_cpuset(a->topology), HWLOC_CPUBIND_THREAD);
	if (l->mem_nodes)
		hwloc_set_membind(a->topology, hwloc_topology_get_complete_nodeset(a->topology), HWLOC_MEMBIND_DEFAULT,
				  HWLOC_MEMBIND_THREAD | HWLOC_MEMBIND_BYNODESET);
}
