# SPDX-License-Identifier: GPL-3.0-or-later
# The scenarios of the 2020 thread (RCU and OOM) and their neighbours: with a fault planted their detectors fire, without one
# they do not. A fault stays for the life of its guest, so what runs behind it in the same call has it, too.

load ../helper

setup() {
	wring_setup
	needs_vm
}

teardown() { wring_teardown; }

@test "a stock kernel passes the scenarios of RCU and OOM: exit 0" {
	# each a matter of luck, and explained in docs/findings.md
	cat >"$T/known.ini" <<-END
		[rcu]
		scenario = rcu-oom
		detector = premature-oom
		class = rcu
		reason = reclaim does not wait for RCU
		[nofs]
		scenario = dirty-at-max
		detector = premature-oom
		class = nofs
		reason = names and inodes cannot be reclaimed out of a journal handle
		[cache]
		scenario = oom-in-time
		detector = premature-oom
		class = late
		reason = clean page cache left at a kill, with the multi-generational LRU
	END
	run -0 wring_run --known="$T/known.ini" rcu-oom rcu-free-lag rcu-node oom-in-time pinned-objects dirty-at-max rcu-kswapd
	for s in rcu-oom rcu-node pinned-objects dirty-at-max rcu-kswapd; do
		no_failure "$s"
	done
	finding rcu-oom premature-oom threshold pass
	finding rcu-free-lag free-lag lag pass
	finding oom-in-time late-oom late pass
	finding pinned-objects late-oom late pass
	finding rcu-kswapd free-lag lag pass
	nothing_left
}

@test "grace periods that take seconds are found by free-lag, and by kills in rcu-oom and rcu-node: exit 1" {
	needs_fault_modules
	with_fault rcu-free-lag rcu-holdoff
	run -1 wring_run "$T/rcu-free-lag.ini" rcu-oom rcu-node
	finding rcu-free-lag free-lag lag fail
	finding rcu-oom premature-oom rcu fail
	finding rcu-oom premature-oom threshold fail
	finding rcu-node premature-oom rcu fail
	nothing_left
}


@test "a machine short of memory that kills while RCU holds its dentries is found by rcu-kswapd: exit 1" {
	needs_fault_modules
	with_fault rcu-kswapd rcu-holdoff
	run -1 wring_run "$T/rcu-kswapd.ini"
	finding rcu-kswapd free-lag lag fail
	nothing_left
}

@test "OOM kills that come late are found by late-oom, with nothing to reclaim and with pinned slab: exit 1" {
	needs_fault_modules
	# Two rounds of reclaim may each come to a kill: patience has to outlast several of them.
	with_fault oom-in-time late-oom ms=12000
	run -1 wring_run "$T/oom-in-time.ini" pinned-objects --set=oom-in-time.rounds=1 --set=oom-in-time.patience=90s \
		--set=pinned-objects.rounds=1 --set=pinned-objects.patience=90s
	finding oom-in-time late-oom late fail
	finding pinned-objects late-oom late fail
	nothing_left
}

@test "an OOM kill that never comes is found by late-oom: exit 1" {
	needs_fault_modules
	with_fault oom-in-time late-oom never=1
	run -1 wring_run "$T/oom-in-time.ini" --set=oom-in-time.rounds=1 --set=oom-in-time.patience=15s
	finding oom-in-time late-oom never fail
	finding oom-in-time standstill stuck fail
	nothing_left
}

@test "names that nobody reclaims beside pinned objects are a premature-oom of pinned-objects: exit 1" {
	run -1 wring_run pinned-objects --sysctl=vm.vfs_cache_pressure=0
	finding pinned-objects premature-oom withheld fail
	nothing_left
}

@test "tasks that do not even try to reclaim are a premature-oom of dirty-at-max: exit 1" {
	needs_fault_modules
	with_fault dirty-at-max reclaim-refused
	run -1 wring_run "$T/dirty-at-max.ini"
	finding dirty-at-max premature-oom late fail
	nothing_left
}
