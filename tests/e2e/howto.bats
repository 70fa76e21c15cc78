# SPDX-License-Identifier: GPL-3.0-or-later
# docs/howto: every command block of a page is run, in order, in one folder; every command of the CI snippets exists.

load helper

setup() {
	wring_setup
	cd "$T" || return 1
	unset WRING_DB
	mkdir bin
	ln -s "$WRING_BUILD/wring" bin/wring
	PATH=$T/bin:$PATH
}
teardown() { wring_teardown; }

# The blocks of a page as one script that ends with the first command that fails, or 1 for the kernel's fault where the page says so.
blocks() { awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0; next } on' "$top/docs/howto/$1.md"; }

# Scenarios and loads are small, and as many as one guest takes: what is tested here is the page.
page() {
	needs_vm
	blocks "$1" >page.sh
	[ "$(wc -l <page.sh)" -gt 5 ]
	# arms that are equal are refused: the patched kernel has another command line
	WRING_E2E=$TOKEN TMPDIR=$T/tmp SUITE=slab-at-max KERNEL=$WRING_KERNEL BASE=$WRING_KERNEL PATCHED=$WRING_KERNEL,append=loglevel=5 \
		SCENARIO=$controls/brief.ini bash -eu page.sh >out 2>&1 3>&- ||
		{ tail -n 30 out; return 1; }
}

@test "nightly.md" {
	page nightly
	head -1 results.ktap | grep -qx 'KTAP version 1'
	grep -q '<testsuite name="slab-at-max"' results.xml
	grep -q '| slab-at-max |' summary.md
	grep -q '1 added, 0 there already' out
	grep -q '0 added, 1 there already' out
	nothing_left
}

@test "patch.md" {
	page patch
	grep -qE '^brief: (same|inconclusive)' verdict.txt
	grep -q '^brief: base (' mail.txt
	grep -q '>patched</\|base against patched\|base</' ab.html
	# four boots of each arm
	[ "$(sqlite3 ab.db 'SELECT count(*) FROM comparison_run WHERE b')" = 4 ]
	[ "$(sqlite3 ab.db 'SELECT count(*) FROM comparison_run WHERE NOT b')" = 4 ]
	/usr/bin/python3 -c 'import csv; a = {r["arm"] for r in csv.DictReader(open("both.csv"))}; assert a == {"a", "b"}, a'
	nothing_left
}

# What a hang leaves is tested in remains.bats.
@test "hang.md, of a guest that does not" {
	page hang
	grep -q '^<!DOCTYPE html>' hang.html
	grep -q '^# run 1, brief' console.txt
	nothing_left
}

@test "workload.md, and report.md about what it left" {
	page workload
	page report
	grep -q '^How to reproduce' mail.txt
	grep -q '^load_0() {' reproducer.sh
	jq -e '.runs | length == 1' run.json
}

@test "CI snippets: YAML, units, and commands and options that exist" {
	for f in "$top"/docs/howto/ci/*.y*ml; do
		/usr/bin/python3 -c 'import sys, yaml; yaml.safe_load(open(sys.argv[1]))' "$f" 2>err || grep -q "No module named 'yaml'" err || { cat err; return 1; }
	done
	grep -hoE 'wring (run|export|report|check|db) [^|>]*' "$top"/docs/howto/ci/* >commands
	[ "$(wc -l <commands)" -gt 8 ]
	while read -r _ c rest; do
		for word in $rest; do
			case $word in
			--format=*) wring export "$word" --db=none.db 2>&1 | grep -q 'none.db' || wring report "$word" --db=none.db 2>&1 | grep -q 'none.db' ||
				{ echo "$word"; return 1; } ;;
			--*) wring "$c" --help | grep -q -- "${word%%=*}" || { echo "wring $c $word"; return 1; } ;;
			esac
		done
	done <commands
	! command -v systemd-analyze >/dev/null || [ -z "$(systemd-analyze verify "$top"/docs/howto/ci/wring-nightly.timer 2>&1 |
		grep -v 'wring is not executable\|Command wring' | grep wring-nightly)" ]
}
