# SPDX-License-Identifier: GPL-3.0-or-later
# The same on Debian's 6.1: another kernel, with faults of its own, but no verdict may be a lie.

load ../helper
load ../verdicts

setup_file() {
	needs_kernel_61
}

eval "$(declare -f setup | sed '1s/setup/common_setup/')"
setup() {
	WRING_KERNEL=$WRING_KERNEL_61
	run_options=(--where=vm --accel="$WRING_ACCEL" --kernel="$WRING_KERNEL_61")
	common_setup
}

@test "6.1: a stock kernel passes slab-at-max and high-kmem: exit 0" {
	run -0 wring_run slab-at-max high-kmem
	sql "SELECT value FROM fact WHERE key = 'kernel.release'" | grep -q '^6\.1\.'
	passes slab-at-max premature-oom
	passes high-kmem high-overrun
	passes high-kmem accounting
	nothing_left
}

@test "6.1: dying-memcg passes: exit 0" {
	run -0 wring_run dying-memcg
	passes dying-memcg dying-memcg
	nothing_left
}

@test "6.1: shrinkers that free nothing are a premature-oom of slab-at-max: exit 1" {
	run -1 wring_run slab-at-max --sysctl=vm.vfs_cache_pressure=0
	finding slab-at-max premature-oom withheld fail
	nothing_left
}

@test "6.1: kernel memory that escapes the limit is found by accounting in high-kmem: exit 1" {
	run -1 wring_run high-kmem --append=cgroup.memory=nokmem
	finding high-kmem accounting escape fail
	nothing_left
}

@test "6.1: a tmpfs file that outlives its cgroup: exit 1" {
	hold_result tmpfs
	[ "$status" -eq 1 ]
	finding dying-memcg dying-memcg residue fail
}

@test "6.1: a descriptor held outside a removed cgroup: exit 1" {
	hold_result fd
	[ "$status" -eq 1 ]
	finding dying-memcg dying-memcg residue fail
}

@test "6.1: what is declared is no finding: exit 0" {
	hold_result declared
	[ "$status" -eq 0 ]
	passes dying-memcg dying-memcg
}
