# The store. A program that uses it has
#   prog_SOURCES = ... $(store_sources)   nodist_prog_SOURCES = $(store_built)   prog_LDADD = ... $(store_libs)

# In a folder of its own: ./bootstrap takes every results-schema/*.c for a source to distribute.
store_built = results-schema/gen/migrations.c
store_libs = $(SQLITE_LIBS) $(ZSTD_LIBS) $(ZLIB_LIBS)

BUILT_SOURCES += $(store_built)
CLEANFILES += $(store_built)
EXTRA_DIST += $(migration_files) results-schema/views.sql results-schema/embed.sh results-schema/sqlext/wringsql.c

# make finds the inputs through VPATH, the shell would not: so the script runs in srcdir.
results-schema/gen/migrations.c: $(migration_files) results-schema/views.sql results-schema/embed.sh
	$(AM_V_GEN)$(MKDIR_P) results-schema/gen && \
	(cd $(srcdir) && $(SHELL) results-schema/embed.sh wring_migrations $(migration_files) \
		results-schema/views.sql) > $@-t && mv $@-t $@

# For the sqlite3 shell: `.load ./wringsql` in the build folder. Not sanitized, as the shell is not.
wringsql_inputs = $(srcdir)/results-schema/sqlext/wringsql.c $(srcdir)/results-schema/pack.c \
	$(srcdir)/harness/base/wire.c $(srcdir)/harness/base/err.c
wringsql.so: $(wringsql_inputs) $(srcdir)/results-schema/pack.h $(srcdir)/harness/base/wire.h
	$(AM_V_CCLD)$(CC) $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(CPPFLAGS) -std=gnu11 $(WRING_CFLAGS) \
		$(SQLITE_CFLAGS) $(ZSTD_CFLAGS) $(CFLAGS) -fPIC -fvisibility=hidden -shared $(LDFLAGS) -o $@ \
		$(wringsql_inputs) $(ZSTD_LIBS) $(ZLIB_LIBS)

# _DATA, not all-local: that target can have only one rule in the whole tree.
wringsqldir = $(pkglibdir)
wringsql_DATA = wringsql.so
CLEANFILES += wringsql.so

schemadir = $(pkgdatadir)
dist_schema_DATA = results-schema/export.schema.json
