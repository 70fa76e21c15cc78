# SPDX-License-Identifier: GPL-3.0-or-later
# The thread of 2007, network and reserves: what its detectors say about a stock kernel, and about one with a fault planted.

load helper
load verdicts

# faulty SCENARIO DETECTOR CLASS: the run that went before found this.
faulty() {
	finding "$1" "$2" "$3" fail
	[ "$status" -eq 1 ]
	[ "$(outcome_of "$1")" = fail ]
	nothing_left
}

@test "a stock kernel passes the scenarios of the thread: exit 0, but swap-over-nbd, which is skipped with its reason" {
	run wring_run net-goodput net-reserve protection swap-progress fairness-matrix swap-over-nbd
	passes net-goodput net-starvation
	passes net-reserve net-starvation
	passes protection protection
	passes swap-progress fairness
	passes fairness-matrix fairness
	[ "$(outcome_of swap-over-nbd)" = skip ]
	[ "$(reason_of swap-over-nbd)" = "needs nbd, which this guest does not have" ]
	[ "$status" -eq 0 ]
	db_is_sound
	nothing_left
}

@test "zram and the disk are swap for one scenario, and then for the next: exit 0" {
	cat >"$T/swaps.ini" <<-EOF
		[scenario]
		name = swaps
		needs = memcg vm swap zram
		[group work]
		memory.max = 16M
		[load anon]
		workload = anon
		group = work
		content = compressible
		footprint = 96M
		[sample meminfo]
		rate = 5
		[sample memory.stat]
		groups = work
		rate = 5
		[phase fill]
		do = start anon
		  wait anon 60s
		  mark full
	EOF
	sed 's/^name = .*/name = again/' "$T/swaps.ini" >"$T/again.ini"
	run wring_run "$T/swaps.ini" "$T/again.ini"
	[ "$(outcome_of swaps)" = ok ]
	[ "$(outcome_of again)" = ok ]
	# 512M and 32M, in kB, but for two headers
	total=$(sqlite3 -cmd ".load $WRING_BUILD/wringsql" "file:$DB?mode=ro" \
		"SELECT min(value) FROM sample WHERE sampler = 'meminfo' AND key = 'SwapTotal' AND value > 0")
	[ "$total" -gt 550000 ]
	[ "$total" -lt 557056 ]
	[ "$(sql "SELECT count(*) FROM event WHERE kind = 'warn' AND subject = 'teardown'")" -eq 0 ]
}

@test "sockets of one group that take all there is (tcp_mem): net-starvation, sibling" {
	run wring_run net-goodput --sysctl="net.ipv4.tcp_mem=1000 1400 1600"
	faulty net-goodput net-starvation sibling
}

@test "swap that is not used (vm.swappiness=0): fairness, swap-kill" {
	run wring_run swap-progress --sysctl=vm.swappiness=0
	faulty swap-progress fairness swap-kill
}

@test "sockets of a sibling that get no memory: net-starvation, stalled" {
	needs_fault_modules
	with_fault net-goodput sock-starve group=sibling
	with_fault net-reserve sock-starve group=sibling
	run wring_run "$T/net-goodput.ini"
	faulty net-goodput net-starvation stalled
	run wring_run "$T/net-reserve.ini"
	faulty net-reserve net-starvation stalled
}

@test "memory.min and memory.low without effect: protection, min and low" {
	needs_fault_modules
	for c in min low; do
		with_fault protection protection-ignored group=$c
		run wring_run "$T/protection.ini"
		faulty protection protection $c
	done
}

@test "a sibling whose pages are never reclaimed, so that memory.low pays: protection, low" {
	needs_fault_modules
	with_fault protection pages-withheld group=stream
	run wring_run "$T/protection.ini"
	faulty protection protection low
}

@test "a hog whose reclaim takes the names of another group: fairness, loss" {
	needs_fault_modules
	with_fault fairness-matrix wrong-group group=hog victim=v-dentry
	run wring_run "$T/fairness-matrix.ini"
	faulty fairness-matrix fairness loss
}
