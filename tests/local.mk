# `make check`: unit tests (cmocka, where it is installed) and fuzz targets for a bounded and seeded count. `make check-bats`:
# the command line's contract and the tree's own rules. A new unit test is a name in unit_tests and what it links.
EXTRA_DIST += $(test_files) tests/run tests/fixtures
LOG_COMPILER = $(SHELL) $(srcdir)/tests/run
AM_TESTS_ENVIRONMENT = top_srcdir='$(abs_top_srcdir)'; export top_srcdir;

# ---- what the tests link ----
plan_sources = $(harness_base_sources) $(harness_plan_sources)
samplers_sources = $(harness_base_sources) $(harness_api_sources) $(harness_samplers_sources)
judge_sources = $(plan_sources) $(harness_api_sources) $(store_sources) $(detector_sources) $(report_sources) $(stats_sources)
judge_libs = $(store_libs) $(base_libs) $(JANSSON_LIBS) $(INIH_LIBS) $(YAML_LIBS) $(SMARTCOLS_LIBS) $(GSL_LIBS)
vm_sources = $(harness_base_sources) $(harness_vm_sources)
vm_libs = $(base_libs) $(JANSSON_LIBS) $(ARCHIVE_LIBS) $(KMOD_LIBS) $(LIBMD_LIBS) $(ZSTD_LIBS)

# ---- unit tests ----
unit_tests = tests/unit/test_base \
	tests/unit/test_wire \
	tests/unit/test_plan \
	tests/unit/test_store \
	tests/unit/test_samplers \
	tests/unit/test_stats \
	tests/unit/test_compare \
	tests/unit/test_verdict \
	tests/unit/test_changepoint \
	tests/unit/test_detect \
	tests/unit/test_detect_2007 \
	tests/unit/test_detect_2014 \
	tests/unit/test_detect_limits \
	tests/unit/test_detect_rcu \
	tests/unit/test_judge \
	tests/unit/test_kernel \
	tests/unit/test_vm \
	tests/unit/test_load \
	tests/unit/test_output \
	tests/unit/test_workloads \
	tests/unit/test_history

tests_unit_test_base_SOURCES = tests/unit/test_base.c $(harness_base_sources)
tests_unit_test_base_LDADD = $(CMOCKA_LIBS) $(base_libs)
tests_unit_test_wire_SOURCES = tests/unit/test_wire.c $(harness_base_sources)
tests_unit_test_wire_LDADD = $(CMOCKA_LIBS) $(base_libs)
tests_unit_test_plan_SOURCES = tests/unit/test_plan.c $(plan_sources)
tests_unit_test_plan_LDADD = $(CMOCKA_LIBS) $(base_libs) $(INIH_LIBS)
tests_unit_test_store_SOURCES = tests/unit/test_store.c $(harness_base_sources) $(store_sources)
nodist_tests_unit_test_store_SOURCES = $(store_built)
tests_unit_test_store_LDADD = $(CMOCKA_LIBS) $(store_libs) $(base_libs)
tests_unit_test_samplers_SOURCES = tests/unit/test_samplers.c $(samplers_sources)
tests_unit_test_samplers_LDADD = $(CMOCKA_LIBS) $(base_libs)
tests_unit_test_stats_SOURCES = tests/unit/test_stats.c $(harness_base_sources) $(stats_sources)
tests_unit_test_stats_LDADD = $(CMOCKA_LIBS) $(base_libs) $(GSL_LIBS)
tests_unit_test_compare_SOURCES = tests/unit/test_compare.c $(harness_base_sources) $(stats_sources)
tests_unit_test_compare_LDADD = $(CMOCKA_LIBS) $(base_libs) $(GSL_LIBS)
tests_unit_test_verdict_SOURCES = tests/unit/test_verdict.c $(harness_base_sources) $(stats_sources)
tests_unit_test_verdict_LDADD = $(CMOCKA_LIBS) $(base_libs) $(GSL_LIBS)
tests_unit_test_changepoint_SOURCES = tests/unit/test_changepoint.c $(harness_base_sources) $(stats_sources)
tests_unit_test_changepoint_LDADD = $(CMOCKA_LIBS) $(base_libs) $(GSL_LIBS)
tests_unit_test_detect_2007_SOURCES = tests/unit/test_detect_2007.c $(judge_sources)
nodist_tests_unit_test_detect_2007_SOURCES = $(store_built) $(report_built)
tests_unit_test_detect_2007_LDADD = $(CMOCKA_LIBS) $(judge_libs)
tests_unit_test_detect_SOURCES = tests/unit/test_detect.c $(judge_sources)
nodist_tests_unit_test_detect_SOURCES = $(store_built) $(report_built)
tests_unit_test_detect_LDADD = $(CMOCKA_LIBS) $(judge_libs)
tests_unit_test_detect_rcu_SOURCES = tests/unit/test_detect_rcu.c $(judge_sources)
nodist_tests_unit_test_detect_rcu_SOURCES = $(store_built) $(report_built)
tests_unit_test_detect_rcu_LDADD = $(CMOCKA_LIBS) $(judge_libs)
tests_unit_test_detect_2014_SOURCES = tests/unit/test_detect_2014.c $(judge_sources)
nodist_tests_unit_test_detect_2014_SOURCES = $(store_built) $(report_built)
tests_unit_test_detect_2014_LDADD = $(CMOCKA_LIBS) $(judge_libs)
tests_unit_test_detect_limits_SOURCES = tests/unit/test_detect_limits.c $(judge_sources)
nodist_tests_unit_test_detect_limits_SOURCES = $(store_built) $(report_built)
tests_unit_test_detect_limits_LDADD = $(CMOCKA_LIBS) $(judge_libs)
tests_unit_test_load_SOURCES = tests/unit/test_load.c $(judge_sources) $(harness_samplers_sources)
nodist_tests_unit_test_load_SOURCES = $(store_built) $(report_built)
tests_unit_test_load_LDADD = $(CMOCKA_LIBS) $(judge_libs)
tests_unit_test_judge_SOURCES = tests/unit/test_judge.c $(judge_sources)
nodist_tests_unit_test_judge_SOURCES = $(store_built) $(report_built)
tests_unit_test_judge_LDADD = $(CMOCKA_LIBS) $(judge_libs)
tests_unit_test_kernel_SOURCES = tests/unit/test_kernel.c $(vm_sources)
tests_unit_test_kernel_LDADD = $(CMOCKA_LIBS) $(vm_libs)
tests_unit_test_vm_SOURCES = tests/unit/test_vm.c $(vm_sources)
tests_unit_test_vm_LDADD = $(CMOCKA_LIBS) $(vm_libs)
tests_unit_test_output_SOURCES = tests/unit/test_output.c $(judge_sources)
nodist_tests_unit_test_output_SOURCES = $(store_built) $(report_built)
tests_unit_test_output_LDADD = $(CMOCKA_LIBS) $(judge_libs)
tests_unit_test_workloads_SOURCES = tests/unit/test_workloads.c $(workload_sources) $(workload_common) $(harness_base_sources)
tests_unit_test_workloads_LDADD = $(CMOCKA_LIBS) $(base_libs) -lm
tests_unit_test_history_SOURCES = tests/unit/test_history.c $(judge_sources)
nodist_tests_unit_test_history_SOURCES = $(store_built) $(report_built)
tests_unit_test_history_LDADD = $(CMOCKA_LIBS) $(judge_libs)
if HAVE_CMOCKA
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
endif

# ---- fuzz targets: tests/run gives each its corpus, WRING_FUZZ_COUNT mutations and WRING_FUZZ_SEED ----
fuzz_targets = tests/fuzz/fuzz_units tests/fuzz/fuzz_plan tests/fuzz/fuzz_wire tests/fuzz/fuzz_samplers tests/fuzz/fuzz_output \
	tests/fuzz/fuzz_report tests/fuzz/fuzz_html tests/fuzz/fuzz_record tests/fuzz/fuzz_console
fuzz_sources = tests/fuzz/driver.c tests/fuzz/fuzz.h

tests_fuzz_fuzz_units_SOURCES = tests/fuzz/fuzz_units.c $(fuzz_sources) $(harness_base_sources)
tests_fuzz_fuzz_units_LDADD = $(base_libs)
tests_fuzz_fuzz_plan_SOURCES = tests/fuzz/fuzz_plan.c $(fuzz_sources) $(plan_sources)
tests_fuzz_fuzz_plan_LDADD = $(base_libs) $(INIH_LIBS)
tests_fuzz_fuzz_wire_SOURCES = tests/fuzz/fuzz_wire.c $(fuzz_sources) $(harness_base_sources)
tests_fuzz_fuzz_wire_LDADD = $(base_libs)
tests_fuzz_fuzz_samplers_SOURCES = tests/fuzz/fuzz_samplers.c $(fuzz_sources) $(samplers_sources)
tests_fuzz_fuzz_samplers_LDADD = $(base_libs)
tests_fuzz_fuzz_output_SOURCES = tests/fuzz/fuzz_output.c $(fuzz_sources) $(harness_base_sources) analyzers/output.h analyzers/figures.c \
	analyzers/stress-ng.c analyzers/fio.c
tests_fuzz_fuzz_output_LDADD = $(YAML_LIBS) $(JANSSON_LIBS) $(base_libs)
tests_fuzz_fuzz_html_SOURCES = tests/fuzz/fuzz_html.c $(fuzz_sources) $(harness_base_sources) analyzers/report/html-write.c \
	analyzers/report/text.c
nodist_tests_fuzz_fuzz_html_SOURCES = $(report_built)
tests_fuzz_fuzz_html_LDADD = $(base_libs)
tests_fuzz_fuzz_report_SOURCES = tests/fuzz/fuzz_report.c $(fuzz_sources) $(judge_sources)
nodist_tests_fuzz_fuzz_report_SOURCES = $(store_built) $(report_built)
tests_fuzz_fuzz_report_LDADD = $(judge_libs)
tests_fuzz_fuzz_record_SOURCES = tests/fuzz/fuzz_record.c $(fuzz_sources) $(judge_sources) harness/run/record.c harness/run/progress.c \
	harness/run/display.c
nodist_tests_fuzz_fuzz_record_SOURCES = $(store_built) $(report_built)
tests_fuzz_fuzz_record_LDADD = $(judge_libs)
tests_fuzz_fuzz_console_SOURCES = tests/fuzz/fuzz_console.c $(fuzz_sources) $(judge_sources) harness/vm/symbols.c harness/vm/child.c
nodist_tests_fuzz_fuzz_console_SOURCES = $(store_built) $(report_built)
tests_fuzz_fuzz_console_LDADD = $(judge_libs)
check_PROGRAMS += $(fuzz_targets)
TESTS += $(fuzz_targets)

# ---- command line, with databases out of thin air ----
check_PROGRAMS += tests/e2e/mkdb
tests_e2e_mkdb_SOURCES = tests/e2e/mkdb.c $(harness_base_sources) $(store_sources)
nodist_tests_e2e_mkdb_SOURCES = $(store_built)
tests_e2e_mkdb_LDADD = $(store_libs) $(base_libs)
check_PROGRAMS += tests/e2e/mkhistory
tests_e2e_mkhistory_SOURCES = tests/e2e/mkhistory.c $(harness_base_sources) $(store_sources)
nodist_tests_e2e_mkhistory_SOURCES = $(store_built)
tests_e2e_mkhistory_LDADD = $(store_libs) $(base_libs)
# A load without an agent.
check_PROGRAMS += tests/e2e/loadrun
tests_e2e_loadrun_SOURCES = tests/e2e/loadrun.c harness/api/loadproto.h $(harness_base_sources)
tests_e2e_loadrun_LDADD = $(base_libs)
check-bats: $(bin_PROGRAMS) $(pkglibexec_PROGRAMS) tests/e2e/mkdb
	WRING_BUILD='$(abs_top_builddir)' bats $(srcdir)/tests/meta $(srcdir)/tests/e2e/contract.bats $(srcdir)/tests/e2e/badinput.bats \
		$(srcdir)/tests/e2e/export.bats
# Everything, kernel 6.1 and the slow ones too; ./runtests keeps a build folder of its own.
check-long:
	cd $(srcdir) && ./runtests --long
.PHONY: check-bats check-long

# ---- make bench: ratios, not a test; docs/bench.md says how to read them ----
bench_programs = tests/bench/bench tests/bench/bench_samplers tests/bench/bench_loads tests/bench/bare_load tests/bench/bare_init
EXTRA_PROGRAMS += tests/bench/bench tests/bench/bench_samplers tests/bench/bench_loads tests/bench/bare_load tests/bench/bare_init
tests_bench_bench_SOURCES = tests/bench/bench.c $(harness_base_sources) $(harness_vm_sources)
tests_bench_bench_LDADD = $(SQLITE_LIBS) $(JANSSON_LIBS) $(KMOD_LIBS) $(ARCHIVE_LIBS) $(LIBMD_LIBS) $(ZSTD_LIBS) $(base_libs) -lpthread
tests_bench_bench_samplers_SOURCES = tests/bench/bench_samplers.c $(harness_base_sources) $(harness_samplers_sources) \
	harness/agent/out.c harness/agent/out.h
tests_bench_bench_samplers_LDADD = $(base_libs) -lpthread
tests_bench_bench_loads_SOURCES = tests/bench/bench_loads.c $(harness_base_sources)
tests_bench_bench_loads_LDADD = $(base_libs)
tests_bench_bare_load_SOURCES = tests/bench/bare_load.c
tests_bench_bare_init_SOURCES = tests/bench/bare_init.c
if !SANITIZED
tests_bench_bench_samplers_LDFLAGS = $(AM_LDFLAGS) -static
tests_bench_bench_loads_LDFLAGS = $(AM_LDFLAGS) -static
tests_bench_bare_load_LDFLAGS = $(AM_LDFLAGS) -static
tests_bench_bare_init_LDFLAGS = $(AM_LDFLAGS) -static
endif
CLEANFILES += $(bench_programs)
bench: $(bin_PROGRAMS) $(pkglibexec_PROGRAMS) $(bench_programs)
	tests/bench/bench$(EXEEXT) --build=. --kernel="$${WRING_KERNEL:-$(abs_top_srcdir)/build/kernel}" $(BENCH)
.PHONY: bench
bench-trend: $(bin_PROGRAMS) tests/e2e/mkhistory$(EXEEXT)
	d=`mktemp -d` && tests/e2e/mkhistory$(EXEEXT) $$d/one.db 1 3334 3 200 3300 8 && tests/e2e/mkhistory$(EXEEXT) $$d/many.db 40 250 1 200 230 8 && \
	for a in "--all --db=$$d/one.db" "--db=$$d/many.db"; do echo "wring trend $$a"; bash -c "time ./wring trend $$a >$$d/out"; done; rm -rf $$d
.PHONY: bench-trend
# ---- end of make bench ----
