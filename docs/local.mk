control_built = docs/gen/controls.c
BUILT_SOURCES += $(control_built)
CLEANFILES += $(control_built)
EXTRA_DIST += docs/controls.tsv
docs/gen/controls.c: docs/controls.tsv results-schema/embed.sh
	$(AM_V_GEN)$(MKDIR_P) docs/gen && \
	(cd $(srcdir) && $(SHELL) results-schema/embed.sh wring_control_files docs/controls.tsv) > $@-t && mv $@-t $@
dist_pkgdata_DATA = docs/known-debian-12.ini

EXTRA_DIST += $(doc_files) $(man_sources) docs/man/page.sh

# Manual pages: the text is in docs/man/NAME.scd; what the programs know themselves, they put in.
man_pages = docs/man/wring.1 docs/man/wring-load.1 docs/man/wring-ab.1 docs/man/wring-scenario.5 docs/man/wring-export.5 \
	docs/man/wring-report.7 docs/man/wring-workloads.7 docs/man/wring-samplers.7 docs/man/wring-detectors.7
if HAVE_SCDOC
man_MANS = $(man_pages)
endif
CLEANFILES += $(man_pages)
$(man_pages): $(man_sources) docs/man/page.sh docs/scenario-format.md docs/export.md docs/comparing.md docs/report.md wring$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) docs/man && $(srcdir)/docs/man/page.sh ./wring$(EXEEXT) $(srcdir)/$@.scd >$@-scd && \
	$(SCDOC) <$@-scd >$@-t && rm $@-scd && mv $@-t $@

# Bash completion, out of the commands' own help.
EXTRA_DIST += docs/completion.sh
completiondir = $(datadir)/bash-completion/completions
nodist_completion_DATA = docs/completion/wring
CLEANFILES += docs/completion/wring
docs/completion/wring: docs/completion.sh wring$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) docs/completion && $(srcdir)/docs/completion.sh ./wring$(EXEEXT) >$@-t && mv $@-t $@
