#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# record-controls.sh NEW RECORD: puts what tests have just proven (see helper.bash) into the record, in the place of what the same
# tests proved before on the same kernel.
set -eu
new=$1 record=$2
touch "$record"
cat "$new" "$record" | awk -F '\t' 'NF == 7 && !seen[$1 FS $2 FS $3 FS $4 FS $5 FS $6]++' | LC_ALL=C sort >"$record-t"
mv "$record-t" "$record"
