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

busy() {
	for _ in $(seq "$(nproc)"); do
		(while :; do :; done) 3>&- &
		BUSY="${BUSY:-} $!"
	done
}

# find_loops SHARE: how many $loops add that share to the instructions for each name, and what they add in truth, in per cent. From
# boots that are not judged, with a seed of their own; each name costs its loops, so what ten thousand cost gives that to a thousandth.
find_loops() {
	local p none many

	for p in 0 10000; do
		wring run --deterministic --seed=9 -q --kernel="$WRING_KERNEL" --db=$p.db ./dentry-reclaim.ini --set=dentry-reclaim.loops=$p >&2
	done
	none=$(sqlite3 0.db "SELECT value FROM metric WHERE name = 'reclaim_work_ns'")
	many=$(sqlite3 10000.db "SELECT value FROM metric WHERE name = 'reclaim_work_ns'")
	loops=$(awk -v a="$none" -v b="$many" -v s="$1" 'BEGIN { printf "%.0f", 10000 * s * a / (b - a) }')
	truth=$(awk -v a="$none" -v b="$many" -v n="$loops" 'BEGIN { print 100 * (b - a) / a * n / 10000 }')
}

@test "one per cent more work for each reclaimed name: a regression with 4 + 4 boots, three times, while all cores are busy" {
	needs_fault_modules
	find_loops 0.01
	awk -v t="$truth" 'BEGIN { exit !(t > 0.95 && t < 1.05) }'
	busy
	for seed in 500 600 700; do
		run -1 wring_ab --boots=4 --seed=$seed --b "set.dentry-reclaim.loops=$loops" ./dentry-reclaim.ini
		row dentry-reclaim reclaim_work_ns regression
		jq -c '.comparisons[0].metrics[] | select(.name == "reclaim_work_ns") | [.effect_pct, .ci_pct, .p]' "$JSON" >&3
		jq -e --argjson t "$truth" '.comparisons[0].metrics[] | select(.name == "reclaim_work_ns") | (.effect_pct - $t) | fabs < 0.5' "$JSON"
	done
}

# Both against itself with other seeds, and against an arm that differs in what does not matter, and so in where everything lies.
@test "counted in instructions, equal work is never called another" {
	needs_fault_modules
	for seed in 1 2 3 4 5; do
		run wring_ab --boots=4 --seed=$((1000 * seed)) --aa ./dentry-reclaim.ini
		[ "$status" -eq 0 ] || [ "$status" -eq 3 ]
	done
	for seed in 6 7; do
		run wring_ab --boots=4 --seed=$((1000 * seed)) --b append=wring_null,set.dentry-reclaim.names=41943040 ./dentry-reclaim.ini
		[ "$status" -eq 0 ] || [ "$status" -eq 3 ]
	done
}

@test "five per cent outside deterministic mode is never called the same" {
	needs_fault_modules
	find_loops 0.05
	busy
	run wring_ab --no-deterministic --blocks=3 --b "set.dentry-reclaim.loops=$loops" ./dentry-reclaim.ini
	jq -c '.comparisons[0].metrics[] | select(.name == "reclaim_work_ns") | [.effect_pct, .ci_pct, .verdict]' "$JSON" >&3
	jq -e '.comparisons[0].metrics[] | select(.name == "reclaim_work_ns") | .verdict == "regression" or .verdict == "inconclusive"' "$JSON"
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

# A history of seven commits: each changes what the kernel is booted with, the fifth one plants the fault.
@test "git bisect run finds the commit, by itself" {
	needs_fault_modules
	git init -q history
	cd history
	for i in 1 2 3 4 5 6 7; do
		echo "append=sysctl.vm.swappiness=$((50 + i)),set.dentry-reclaim.loops=$((i < 5 ? 0 : 3700))" >arm
		git add arm
		git -c user.name=t -c user.email=t@example.org commit -qm "commit $i"
	done
	printf '#!/bin/sh\nexec "%s" ab --bisect -q --accel=tcg --kernel="%s" --db="%s" --boots=4 --b "$(cat arm)" "%s" --set=dentry-reclaim.names=8M\n' \
		"$WRING_BUILD/wring" "$WRING_KERNEL" "$DB" "$T/dentry-reclaim.ini" >"$T/judge"
	chmod +x "$T/judge"
	git bisect start HEAD HEAD~6
	WRING_E2E=$TOKEN TMPDIR=$T/tmp git bisect run "$T/judge"
	[ "$(git log -1 --format=%s refs/bisect/bad)" = "commit 5" ]
	nothing_left
}

@test "--until=verdict: ends at the first look when that has a verdict, and after the last when none has" {
	run -1 wring_ab --until=verdict --a sysctl.vm.vfs_cache_pressure=100 --b sysctl.vm.vfs_cache_pressure=0 slab-at-max \
		--set=slab-at-max.limit=16M --set=slab-at-max.footprint=24M
	[ "$(sql 'SELECT count(*) FROM comparison_run')" -eq 16 ]
	[ "$(sql 'SELECT looks FROM comparison')" -eq 1 ]
	# a scenario with nothing that decides
	run -3 wring_ab --until=verdict --no-deterministic --jobs=2 --b append=x "$controls/brief.ini"
	[ "$(sql 'SELECT count(*) FROM comparison_run WHERE comparison = 2')" -eq 32 ]
	nothing_left
}
