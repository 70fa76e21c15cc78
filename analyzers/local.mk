# What the HTML report carries: our style and script, dygraphs where configure found it, and the hashes that allow these two
# scripts and no other to run.
report_built = analyzers/report/gen/assets.c
report_assets = $(srcdir)/analyzers/report/html/report.css $(srcdir)/analyzers/report/html/report.js
report_gen = analyzers/report/gen
BUILT_SOURCES += $(report_built)
CLEANFILES += $(report_built) $(report_gen)/csp $(report_gen)/dygraph.min.js $(report_gen)/dygraph.min.css
EXTRA_DIST += analyzers/report/html/report.css analyzers/report/html/report.js

# A source map would be asked for over the network.
$(report_built): $(report_assets) $(srcdir)/results-schema/embed.sh Makefile
	$(AM_V_GEN)$(MKDIR_P) $(report_gen) && \
	for f in dygraph.min.js dygraph.min.css; do \
		if [ -n "$(DYGRAPHS)" ]; then sed 's,/[/*]# sourceMappingURL=[^ *]*\( \*/\)\{0\,1\},,' "$(DYGRAPHS)/$$f"; fi > $(report_gen)/$$f || exit 1; \
	done && \
	for f in $(report_gen)/dygraph.min.js $(srcdir)/analyzers/report/html/report.js; do \
		printf "'sha256-%s' " "`sha256sum < $$f | cut -c1-64 | tr a-f A-F | basenc --base16 -d | base64`"; \
	done > $(report_gen)/csp && \
	$(SHELL) $(srcdir)/results-schema/embed.sh wring_html_assets $(report_assets) $(report_gen)/csp $(report_gen)/dygraph.min.js \
		$(report_gen)/dygraph.min.css > $@-t && mv $@-t $@
