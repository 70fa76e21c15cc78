# SPDX-License-Identifier: GPL-3.0-or-later
# The thread of 2007, network and reserves: what its detectors say about a stock kernel, and about one with a fault planted.

load ../helper
load ../verdicts

# faulty SCENARIO DETECTOR CLASS: the run that went before found this.
faulty() {
	finding "$1" "$2" "$3" fail
	[ "$status" -eq 1 ]
	[ "$(outcome_of "$1")" = fail ]
	nothing_left
}

@test "a stock kernel passes the scenarios of the thread: exit 0" {
	run wring_run net-goodput net-reserve protection swap-progress fairness-matrix
	passes net-goodput net-starvation
	passes net-reserve net-starvation
	passes protection protection
	passes swap-progress fairness
	passes fairness-matrix fairness
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
	# what the group gets hold of is now and then just less than there is: then it is more
	sed 's/^  mark beside$/  sysctl net.ipv4.tcp_mem 800 1000 1000\n&/' "$top/workloads/scenarios/net-goodput.ini" >"$T/net-goodput.ini"
	run wring_run "$T/net-goodput.ini" --sysctl="net.ipv4.tcp_mem=1000 1400 1600"
	faulty net-goodput net-starvation sibling
}

@test "swap that is not used (vm.swappiness=0): fairness, swap-kill" {
	run wring_run swap-progress --sysctl=vm.swappiness=0
	faulty swap-progress fairness swap-kill
}

@test "sockets of a sibling that get no memory: net-starvation, stalled" {
	needs_fault_modules
	with_fault net-goodput sock-starve group=sibling
	run wring_run "$T/net-goodput.ini" net-reserve
	faulty net-goodput net-starvation stalled
	faulty net-reserve net-starvation stalled
}

@test "memory.min and memory.low without effect, or a sibling that is never reclaimed, so that memory.low pays: protection, min and low" {
	local c

	needs_fault_modules
	for c in min low; do
		with_fault protection protection-ignored group=$c
		own_boot protection
		named protection no-$c
	done
	with_fault protection pages-withheld group=stream
	own_boot protection
	run wring_run "$T/no-min.ini" "$T/no-low.ini" "$T/protection.ini"
	faulty no-min protection min
	faulty no-low protection low
	faulty protection protection low
}

@test "a hog whose reclaim takes the names of another group, victims refused and starved beside it: fairness, loss, harm, slowdown, stalled" {
	needs_fault_modules
	with_fault fairness-matrix sock-starve group=v-sock
	own_boot fairness-matrix
	named fairness-matrix starved
	with_fault fairness-matrix wrong-group group=hog victim=v-dentry + nofs-fails group=v-inode every=5 + sock-starve group=v-sock every=0
	own_boot fairness-matrix
	sed -i 's|^  mark beside-sock|  sysctl /sys/module/sock_starve/parameters/every 1\n&|
		s|^  stop hog-sock|  sysctl /sys/module/sock_starve/parameters/every 0\n&|' "$T/fairness-matrix.ini"
	run wring_run "$T/fairness-matrix.ini" "$T/starved.ini" --set=fairness-matrix.window=4s
	faulty fairness-matrix fairness loss
	faulty fairness-matrix fairness harm
	faulty fairness-matrix fairness slowdown
	faulty starved fairness stalled
}
