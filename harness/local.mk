# The three programs. Sources are listed in each program: the linker would drop registered plug-ins from a library.
base_libs = $(ZLIB_LIBS) -lm

bin_PROGRAMS += wring
wring_SOURCES = $(harness_base_sources) $(harness_api_sources) $(harness_plan_sources) $(harness_samplers_sources) \
	$(harness_vm_sources) $(harness_run_sources) $(harness_cmd_sources) \
	harness/agent/cgroup.c harness/agent/cgroup.h harness/agent/sysctl.c harness/agent/workdir.c harness/agent/agent.h harness/agent/out.h \
	$(workload_sources) $(workload_common) \
	$(store_sources) $(detector_sources) $(report_sources) $(stats_sources)
nodist_wring_SOURCES = $(store_built) $(scenarios_built) $(control_built) $(report_built)
wring_LDADD = $(store_libs) $(base_libs) $(JANSSON_LIBS) $(INIH_LIBS) $(YAML_LIBS) $(ARCHIVE_LIBS) \
	$(SMARTCOLS_LIBS) $(LIBMD_LIBS) $(GSL_LIBS) $(CGROUP_LIBS) -lpthread

pkglibexec_PROGRAMS += wring-agent wring-load
wring_agent_SOURCES = $(harness_base_sources) $(harness_api_sources) $(harness_plan_sources) $(harness_samplers_sources) \
	$(harness_agent_sources) harness/vm/vm.h harness/vm/disk.c harness/vm/child.c harness/vm/child.h
wring_agent_LDADD = $(base_libs) $(INIH_LIBS) $(HWLOC_LIBS) $(KMOD_LIBS) $(CGROUP_LIBS) -lpthread
