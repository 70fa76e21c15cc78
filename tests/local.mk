EXTRA_DIST += $(test_files)

# ---- make bench: ratios, not a test; docs/bench.md says how to read them ----
EXTRA_PROGRAMS += tests/bench/bench tests/bench/bench_samplers tests/bench/bare_init
tests_bench_bench_SOURCES = tests/bench/bench.c $(harness_base_sources) $(harness_vm_sources)
tests_bench_bench_LDADD = $(SQLITE_LIBS) $(JANSSON_LIBS) $(KMOD_LIBS) $(ARCHIVE_LIBS) $(LIBMD_LIBS) $(ZSTD_LIBS) $(base_libs) -lpthread
tests_bench_bench_samplers_SOURCES = tests/bench/bench_samplers.c $(harness_base_sources) $(harness_samplers_sources) \
	harness/agent/out.c harness/agent/out.h
tests_bench_bench_samplers_LDADD = $(base_libs) -lpthread
tests_bench_bare_init_SOURCES = tests/bench/bare_init.c
if !SANITIZED
tests_bench_bench_samplers_LDFLAGS = $(AM_LDFLAGS) -static
tests_bench_bare_init_LDFLAGS = $(AM_LDFLAGS) -static
endif
CLEANFILES += $(EXTRA_PROGRAMS)
bench: $(bin_PROGRAMS) $(pkglibexec_PROGRAMS) $(EXTRA_PROGRAMS)
	tests/bench/bench$(EXEEXT) --build=. --kernel="$${WRING_KERNEL:-$(abs_top_srcdir)/build/kernel}" $(BENCH)
.PHONY: bench
# ---- end of make bench ----
