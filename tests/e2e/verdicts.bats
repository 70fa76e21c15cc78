# SPDX-License-Identifier: GPL-3.0-or-later
# What the detectors say about a stock kernel, and about the same kernel with a fault planted.

load helper
load verdicts

@test "a stock kernel passes slab-at-max, dying-memcg and high-kmem: exit 0" {
	run -0 wring_run slab-at-max dying-memcg high-kmem
	passes slab-at-max premature-oom
	passes dying-memcg dying-memcg
	passes high-kmem high-overrun
	passes high-kmem accounting
	for s in slab-at-max dying-memcg high-kmem; do
		passes "$s" kernel-log
	done
	[ "$(sql 'SELECT count(DISTINCT boot) FROM run')" -eq 1 ]
	db_is_sound
	nothing_left
	run -0 wring check --db="$DB"
}

@test "shrinkers that free nothing (vm.vfs_cache_pressure=0) are a premature-oom of slab-at-max: exit 1" {
	run -1 wring_run slab-at-max --sysctl=vm.vfs_cache_pressure=0
	finding slab-at-max premature-oom withheld fail
	[ "$(outcome_of slab-at-max)" = fail ]
	nothing_left
}

@test "kernel memory that escapes the limit (cgroup.memory=nokmem) is found by accounting in high-kmem: exit 1" {
	run -1 wring_run high-kmem --append=cgroup.memory=nokmem
	finding high-kmem accounting escape fail
	[ "$(outcome_of high-kmem)" = fail ]
	nothing_left
}

@test "a tmpfs file that outlives its cgroup makes dying-memcg report it: exit 1" {
	hold_result tmpfs
	[ "$status" -eq 1 ]
	finding dying-memcg dying-memcg residue fail
}

@test "a descriptor held outside a removed cgroup makes dying-memcg report it: exit 1" {
	hold_result fd
	[ "$status" -eq 1 ]
	finding dying-memcg dying-memcg residue fail
}

@test "what the workload declares to hold is no finding of dying-memcg: exit 0" {
	hold_result declared
	[ "$status" -eq 0 ]
	passes dying-memcg dying-memcg
}
