EXTRA_DIST += $(doc_files)
