# SPDX-License-Identifier: GPL-3.0-or-later
# wring ab on real kernels: what it must find, what it must not, and a bisection. WRING_AA=N: how many comparisons of a kernel with
# itself (default 3; the release's own figure is made with 20, some four hours on two cores under TCG).
bats_require_minimum_version 1.5.0

load ../helper

setup() {
	wring_setup
	needs_vm
	cd "$T" || return 1
}

teardown() {
	for pid in ${BUSY:-}; do
		kill "$pid" 2>/dev/null || true
	done
	wring_teardown
}

wring_ab() { wring ab --accel=tcg --kernel="$WRING_KERNEL" --db="$DB" --json="$JSON" "$@"; }

# row SCENARIO METRIC VERDICT
row() {
	jq -e --arg s "$1" --arg m "$2" --arg v "$3" 'any(.comparisons[] | select(.scenario == $s) | .metrics[]; .name == $m and .verdict == $v)' \
		"$JSON" >/dev/null || { echo "no $3 of $2"; jq -c '.comparisons[].metrics[] | [.name, .verdict, .reason]' "$JSON"; return 1; }
}

@test "shrinkers that free nothing: a regression of slab-at-max with three blocks" {
	run -1 wring_ab --no-deterministic --blocks=3 --a sysctl.vm.vfs_cache_pressure=100 --b sysctl.vm.vfs_cache_pressure=0 slab-at-max
	row slab-at-max oom_kills regression
	row slab-at-max fails:premature-oom/withheld regression
	nothing_left
}

@test "kernel memory that is not charged: a regression of high-kmem with three blocks" {
	run -1 wring_ab --blocks=3 --b append=cgroup.memory=nokmem high-kmem
	row high-kmem fails:accounting/escape regression
	nothing_left
}

# The truth comes from boots that are not judged, with a seed of their own.
@test "one per cent more work for each reclaimed name: a regression with 4 + 4 boots, while both cores are busy" {
	needs_fault_modules
	for p in 0 10000; do
		run -0 wring run --deterministic --seed=9 -q --kernel="$WRING_KERNEL" --db=$p.db ./dentry-reclaim.ini --set=dentry-reclaim.loops=$p
	done
	none=$(sqlite3 0.db "SELECT value FROM metric WHERE name = 'reclaim_ns'")
	hundred=$(sqlite3 10000.db "SELECT value FROM metric WHERE name = 'reclaim_ns'")
	loops=$(awk -v a="$none" -v b="$hundred" 'BEGIN { printf "%.0f", 10000 * 0.01 * a / (b - a) }')
	[ "$loops" -ge 1 ]
	truth=$(awk -v a="$none" -v b="$hundred" -v n="$loops" 'BEGIN { print 100 * (b - a) / a * n / 10000 }')
	for _ in $(seq "$(nproc)"); do
		(while :; do :; done) 3>&- &
		BUSY="${BUSY:-} $!"
	done
	run -1 wring_ab --boots=4 --seed=500 --b "set.dentry-reclaim.loops=$loops" ./dentry-reclaim.ini
	row dentry-reclaim reclaim_ns regression
	echo "truth $truth"
	jq -e --argjson t "$truth" '.comparisons[0].metrics[] | select(.name == "reclaim_ns") | (.effect_pct - $t) | fabs < 0.5' "$JSON"
}

@test "five per cent outside deterministic mode is never called the same" {
	needs_fault_modules
	run wring_ab --no-deterministic --blocks=3 --b set.dentry-reclaim.loops=2600 ./dentry-reclaim.ini
	jq -e '.comparisons[0].metrics[] | select(.name == "reclaim_ns") | .verdict != "same" and .verdict != "improvement"' "$JSON"
}

# How often a kernel differs from itself: N real ones, three blocks each. With 0 of 20 the 95 % interval ends at 17 %.
@test "a kernel against itself: no more false alarms than 5 % allow" {
	alarms=0 n=${WRING_AA:-3}
	for i in $(seq "$n"); do
		code=0
		wring_ab --no-deterministic --aa --blocks=3 --seed="$i" -q slab-at-max || code=$?
		[ $code -ne 2 ] && [ $code -ne 4 ]
		[ $code -ne 1 ] || alarms=$((alarms + 1))
	done
	echo "false alarms: $alarms of $n" >&3
	# the 99.9 % point of the binomial distribution at 5 %
	python3 - "$alarms" "$n" <<-'END'
		import sys
		from math import comb
		k, n = map(int, sys.argv[1:])
		tail = sum(comb(n, i) * .05 ** i * .95 ** (n - i) for i in range(k, n + 1))
		sys.exit(tail < .001)
	END
}

# A history of seven commits that change what the kernel is booted with; the fifth one plants the fault.
@test "git bisect run finds the commit, by itself" {
	git init -q history
	cd history
	for i in 1 2 3 4 5 6 7; do
		echo "sysctl.vm.vfs_cache_pressure=$((i < 5 ? 100 : 0)),sysctl.vm.swappiness=$i" >arm
		git add arm
		git -c user.name=t -c user.email=t@example.org commit -qm "commit $i"
	done
	printf '#!/bin/sh\nexec "%s" ab --bisect -q --accel=tcg --kernel="%s" --db="%s" --boots=4 --a sysctl.vm.swappiness=60 --b "$(cat arm)" slab-at-max \
		--set=slab-at-max.limit=16M --set=slab-at-max.footprint=24M\n' "$WRING_BUILD/wring" "$WRING_KERNEL" "$DB" >"$T/judge"
	chmod +x "$T/judge"
	git bisect start -q HEAD HEAD~6
	WRING_E2E=$TOKEN TMPDIR=$T/tmp git bisect run "$T/judge"
	[ "$(git log -1 --format=%s refs/bisect/bad)" = "commit 5" ]
	nothing_left
}
