/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CPUs and memory of a load's processes, through hwloc. */
#include <errno.h>
#include <string.h>

#include "harness/agent/agent.h"

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
		else if (hwloc_set_membind(a->topology, nodes, HWLOC_MEMBIND_BIND,
					   HWLOC_MEMBIND_THREAD | HWLOC_MEMBIND_BYNODESET | HWLOC_MEMBIND_STRICT))
			r = wring_err_set(err, -errno, "load %s: binding memory to node %s: %s", l->name, l->mem_nodes, strerror(errno));
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
