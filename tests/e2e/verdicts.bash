# SPDX-License-Identifier: GPL-3.0-or-later
# What the detectors say about a stock kernel, and about the same kernel with a fault planted: for each positive control one
# that must stay silent. Shared by verdicts.bats and long/verdicts-6.1.bats.

setup() {
	wring_setup
	needs_vm
}

teardown() { wring_teardown; }

# A detector's verdict on a scenario that went well in every respect.
passes() {
	[ "$(outcome_of "$1")" = ok ]
	finding "$1" "$2" '*' pass
	no_failure "$1"
}

# The three runs of dying-memcg with a pin wait for most of their time: they go side by side, once for all tests of a file.
# Each leaves its database, document and exit code.
hold_run() { # NAME SETTINGS...
	local name=$1 code=0
	shift
	DB=$BATS_FILE_TMPDIR/$name.db JSON=$BATS_FILE_TMPDIR/$name.json wring_run dying-memcg "${@/#/--set=dying-memcg.}" \
		>"$BATS_FILE_TMPDIR/$name.out" 2>&1 || code=$?
	echo $code >"$BATS_FILE_TMPDIR/$name.code"
}

hold_result() { # NAME
	if ! [ -e "$BATS_FILE_TMPDIR/tmpfs.code" ]; then
		hold_run tmpfs hold=tmpfs 3>&- &
		hold_run fd hold=fd 3>&- &
		hold_run declared hold=tmpfs declare=yes 3>&- &
		wait
		nothing_left
	fi
	DB=$BATS_FILE_TMPDIR/$1.db
	JSON=$BATS_FILE_TMPDIR/$1.json
	status=$(cat "$BATS_FILE_TMPDIR/$1.code")
	cat "$BATS_FILE_TMPDIR/$1.out"
}
