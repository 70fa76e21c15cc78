# SPDX-License-Identifier: GPL-3.0-or-later
# The negative control of each detector that verdicts.bats has none of: on a stock kernel the scenarios of controls.bats stay silent.

load helper

setup() {
	wring_setup
	needs_vm
}

teardown() { wring_teardown; }

passes() { finding "$1" "$2" "$3" pass && no_failure "$1"; }

@test "a stock kernel: the scenarios of the controls pass: exit 0" {
	# explained in docs/findings.md
	cat >"$T/known.ini" <<-END
		[cache]
		scenario = oom-in-time
		detector = premature-oom
		class = late
		reason = clean page cache left at a kill, with the multi-generational LRU
	END
	run wring_run --known="$T/known.ini" shrink-isolation shrinker-fairness shrinker-latency oom-in-time net-goodput protection rcu-free-lag \
		swap-progress high-no-swap thp-at-limit numa-at-limit --set=oom-in-time.rounds=1
	[ "$status" -eq 0 ] || { findings; return 1; }
	passes shrink-isolation isolation loss
	passes shrink-isolation isolation owner
	passes shrinker-fairness slab-balance unfair
	passes shrinker-fairness slab-balance left
	passes shrinker-latency reclaim-stall latency
	finding oom-in-time late-oom late pass
	finding oom-in-time standstill '*' pass
	passes net-goodput net-starvation '*'
	passes protection protection min
	passes protection protection low
	passes rcu-free-lag free-lag lag
	passes swap-progress fairness swap-kill
	passes swap-progress fairness swap-stall
	passes high-no-swap high-stall stall
	passes high-no-swap kernel-log clean
	passes thp-at-limit thp-fallback fallback
	passes numa-at-limit numa-spill spill
	nothing_left
}
