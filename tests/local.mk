EXTRA_DIST += $(test_files)
