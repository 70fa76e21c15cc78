# SPDX-License-Identifier: GPL-3.0-or-later
# Positive and negative controls of slab-balance, isolation and dying-memcg on a real kernel. Each fault acts only below the cgroup
# of its scenario, so all share one boot.

load ../helper

setup() {
	wring_setup
	needs_vm
}

teardown() { wring_teardown; }

passes() { finding "$1" "$2" "$3" pass && no_failure "$1"; }

scenarios=(small-slab-light deferred-nofs small-slab-heavy cache-balance shrinker-fairness shrink-children shrink-isolation offline-reparent memcg-churn)

@test "a stock kernel passes the scenarios of shrinkers, of isolation and of removed cgroups, but for what is known: exit 0" {
	run -0 wring_run --known="$top/docs/known-debian-12.ini" "${scenarios[@]}"
	passes small-slab-light slab-balance small-first
	passes deferred-nofs slab-balance windup
	passes small-slab-heavy slab-balance left
	passes cache-balance slab-balance swept
	passes cache-balance slab-balance sawtooth
	passes shrinker-fairness slab-balance unfair
	passes shrinker-fairness slab-balance left
	passes shrink-children slab-balance unfair
	passes shrink-isolation isolation loss
	passes shrink-isolation isolation owner
	passes offline-reparent dying-memcg stranded
	passes offline-reparent dying-memcg residue
	passes memcg-churn dying-memcg leak
	passes memcg-churn dying-memcg leak-kernel
	passes memcg-churn dying-memcg leak-slab
	passes memcg-churn dying-memcg leak-percpu
	[ "$(sql 'SELECT count(DISTINCT boot) FROM run')" -eq 1 ]
	nothing_left
}

# Two faults that replace the same function of the kernel cannot be planted in one boot.
@test "faults: small slabs first, scans that wind up, one child passed over, reclaim of far too much, lost lists, references never dropped: exit 1" {
	needs_fault_modules
	with_fault small-slab-light small-first group=small-slab-light
	with_fault cache-balance over-reclaim group=cache-balance
	with_fault deferred-nofs nofs-windup group=deferred-nofs
	own_boot deferred-nofs
	with_fault shrink-children slab-withheld group=c5
	with_fault offline-reparent reparent-lost group=offline-reparent
	with_fault memcg-churn css-leak group=memcg-churn
	run -1 wring_run "$T"/{small-slab-light,deferred-nofs,cache-balance,shrink-children,offline-reparent,memcg-churn}.ini
	finding small-slab-light slab-balance small-first fail
	finding deferred-nofs slab-balance windup fail
	finding cache-balance slab-balance sawtooth fail
	finding shrink-children slab-balance unfair fail
	finding shrink-children slab-balance left fail
	evidence shrink-children slab-balance | grep -q 'names@pool/c5'
	finding offline-reparent dying-memcg stranded fail
	finding memcg-churn dying-memcg residue fail
	finding memcg-churn dying-memcg leak fail
}

@test "faults: one filesystem passed over, the wrong group, kernel memory never freed: exit 1" {
	needs_fault_modules
	with_fault shrinker-fairness sb-skipped group=shrinker-fairness
	with_fault shrink-isolation wrong-group group=work victim=victim and=1
	with_fault memcg-churn kmem-leak group=memcg-churn kb=64
	run -1 wring_run "$T"/{shrinker-fairness,shrink-isolation,memcg-churn}.ini
	finding shrinker-fairness slab-balance unfair fail
	finding shrinker-fairness slab-balance left fail
	finding shrink-isolation isolation loss fail
	finding memcg-churn dying-memcg leak-kernel fail
}

@test "vfs_cache_pressure=0: shrinkers that do nothing leave names behind: exit 1" {
	run -1 wring_run small-slab-heavy --sysctl=vm.vfs_cache_pressure=0
	finding small-slab-heavy slab-balance left fail
}

@test "vfs_cache_pressure=100000: inodes in use are swept away by a stream of pages: exit 1" {
	run -1 wring_run cache-balance --sysctl=vm.vfs_cache_pressure=100000
	finding cache-balance slab-balance swept fail
}
