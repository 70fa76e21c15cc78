# SPDX-License-Identifier: GPL-3.0-or-later
# One positive control of each detector that verdicts.bats has none of (reclaim-stall's, a matter of seconds, is in long/): a fault planted in the kernel makes it fire, with the right
# class, in a shipped scenario. The negative ones are in controls-clean.bats, all other controls in long/controls-*.bats.

load helper

setup() {
	wring_setup
	needs_vm
	needs_fault_modules
}

teardown() { wring_teardown; }

# One boot, since these replace different functions, and each but the sysctls, which go with their scenario, acts in groups
# that the others do not have.
@test "eight faults in one boot, each found by its detector: exit 1" {
	with_fault shrink-isolation wrong-group group=work victim=victim and=1
	with_fault shrinker-fairness sb-skipped group=shrinker-fairness
	with_fault oom-in-time late-oom group=alone ms=20000
	with_fault net-goodput sock-starve group=sibling
	with_fault protection protection-ignored group=min
	with_fault swap-progress sysctl vm.swappiness 0
	with_fault high-no-swap high-stall group=high-no-swap ms=6000
	with_fault brief splat kind=warn
	run -1 wring_run "$T"/{shrink-isolation,shrinker-fairness,oom-in-time,net-goodput,protection}.ini \
		"$T"/{swap-progress,high-no-swap,brief}.ini --set=oom-in-time.rounds=1 --set=oom-in-time.patience=120s
	finding shrink-isolation isolation loss fail
	finding shrinker-fairness slab-balance unfair fail
	finding oom-in-time late-oom late fail
	finding net-goodput net-starvation stalled fail
	finding protection protection min fail
	finding swap-progress fairness swap-kill fail
	finding high-no-swap high-stall '*' fail
	finding brief kernel-log warning fail
	for s in shrink-isolation shrinker-fairness oom-in-time net-goodput protection swap-progress high-no-swap; do
		finding "$s" kernel-log clean pass
	done
	[ "$(sql 'SELECT count(DISTINCT boot) FROM run')" -eq 1 ]
	nothing_left
}

@test "no memory.high, grace periods of seconds, no huge pages in the limited group, memory of the wrong node: exit 1" {
	with_fault high-kmem high-ignored
	with_fault rcu-free-lag rcu-holdoff
	with_fault thp-at-limit thp-denied group=limited
	with_fault numa-at-limit wrong-node group=limited
	run -1 wring_run "$T"/{high-kmem,rcu-free-lag,thp-at-limit,numa-at-limit}.ini
	finding high-kmem high-overrun ignored fail
	finding rcu-free-lag free-lag lag fail
	finding thp-at-limit thp-fallback fallback fail
	finding numa-at-limit numa-spill spill fail
	nothing_left
}
