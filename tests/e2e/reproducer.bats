# SPDX-License-Identifier: GPL-3.0-or-later
# The reproducer of a run, in a guest where there is no wring: busybox, a kernel, and the script.

load helper
load host.bash
load reproducer.bash

setup() {
	wring_setup
	cd "$T" || return 1
}
teardown() { wring_teardown; }

@test "slab-at-max: the script fills the group to its limit, and leaves nothing" {
	needs_vm
	wring_run slab-at-max --set=slab-at-max.limit=16M --set=slab-at-max.footprint=40M --quiet || true
	wring report last --db="$DB" --format=reproducer -o r.sh
	boot_scripts 250 r.sh
	ran r
	cp r.out out
	for m in start filled after-load after-barrier after-reclaim after-remount end; do
		grep -qx "== $m" out || { echo "no mark $m"; tail -40 out; return 1; }
	done
	# at the mark filled the group has met its limit, and holds no more than it may. Whether its load was killed there is the kernel's
	# doing: with 16M and few CPUs the names may come back too late, which is what the scenario is about.
	sed -n '/^== filled/,/^== frozen/p' out | grep '/work: ' >work || { tail -40 out; return 1; }
	cat work
	[ "$(sed 's/.* of max \([0-9]*\),.*/\1/' work)" = 16777216 ]
	[ "$(sed 's/.*, high [0-9]* max \([0-9]*\) .*/\1/' work)" -gt 0 ]
	[ "$(sed 's/.*: current \([0-9]*\) .*/\1/' work)" -le 16777216 ]
}
