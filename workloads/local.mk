# What all workloads may use, and the commands read their tables with.
workload_common = workloads/load/context.c workloads/load/context.h workloads/load/objects.c workloads/load/common.c \
	workloads/load/common.h workloads/load/net.c workloads/load/net.h workloads/load/program.c workloads/load/program.h
wring_load_SOURCES = $(workload_sources) $(workload_common) workloads/load/main.c \
	harness/api/workload.h harness/api/loadproto.h harness/api/registry.h \
	harness/base/err.c harness/base/err.h harness/base/util.c harness/base/util.h harness/base/units.c harness/base/units.h \
	harness/base/param.c harness/base/param.h
wring_load_LDADD = -lm
if !SANITIZED
wring_load_LDFLAGS = $(AM_LDFLAGS) -static
endif

scenarios_built = workloads/gen/scenarios.c
BUILT_SOURCES += $(scenarios_built)
CLEANFILES += $(scenarios_built)
EXTRA_DIST += $(scenario_files)
workloads/gen/scenarios.c: $(srcdir)/sources.am $(scenario_files) results-schema/embed.sh
	$(AM_V_GEN)$(MKDIR_P) workloads/gen && \
	(cd $(srcdir) && $(SHELL) results-schema/embed.sh wring_scenario_files $(scenario_files)) > $@-t && mv $@-t $@
