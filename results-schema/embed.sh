#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# embed.sh SYMBOL FILE... : C source, to stdout, of a table with the names and the contents of the files.
# Every byte becomes an octal escape, so there is nothing to quote and nothing to get wrong.
set -eu
symbol=$1
shift
for file in "$@"; do # say so here, before half a table is written
	[ -r "$file" ] || { echo "embed.sh: cannot read $file" >&2; exit 1; }
done

printf '/* Written by embed.sh. */\n#include "results-schema/embed.h"\n'
printf 'extern const struct wring_embedded %s[];\n' "$symbol"
printf 'const struct wring_embedded %s[] = {\n' "$symbol"
for file in "$@"; do
	printf '\t{ "%s",\n\t""\n' "$(basename "$file" | sed 's/[\\"]/\\&/g')"
	LC_ALL=C od -An -v -t o1 "$file" | sed 's/ *\([0-7][0-7][0-7]\)/\\\1/g; s/.*/\t"&"/'
	printf '\t},\n'
done
printf '\t{ 0, 0 },\n};\n'
