# SPDX-License-Identifier: GPL-3.0-or-later
# Swap over the network: a server on the host, a flood from there, and the faults that its detector is for.

load ../helper
load ../verdicts

eval "$(declare -f setup | sed '1s/setup/common_setup/')"
setup() {
	common_setup
	command -v nbdkit >/dev/null || skip "no nbdkit"
}

@test "swap over the network goes on beside a flood, in a guest of its own: exit 0" {
	run -0 wring_run "$controls/brief.ini" swap-over-nbd
	passes swap-over-nbd fairness
	for c in swap-stall swap-kill flood-stall below-low reserve; do
		finding swap-over-nbd fairness $c pass
	done
	[ "$(sql 'SELECT count(DISTINCT boot) FROM run')" -eq 2 ]
	[ "$(sql "SELECT count(*) FROM event WHERE kind = 'warn' AND subject = 'teardown'")" -eq 0 ]
	db_is_sound
	nothing_left
}

@test "6.1: swap over the network goes on beside a flood: exit 0" {
	needs_kernel_61
	run_options=(--where=vm --accel="$WRING_ACCEL" --kernel="$WRING_KERNEL_61")
	run -0 wring_run swap-over-nbd
	passes swap-over-nbd fairness
	nothing_left
}

@test "packets of the socket that swap goes over are dropped beside the flood: fairness, flood-stall and swap-stall; reserve is suspect" {
	needs_fault_modules
	with_fault swap-over-nbd reserve-refused every=0 ms=14000
	sed -i 's|^  start flood|&\n  sysctl /sys/module/reserve_refused/parameters/every 1|' "$T/swap-over-nbd.ini"
	run -1 wring_run "$T/swap-over-nbd.ini" --set=swap-over-nbd.flood=20
	finding swap-over-nbd fairness flood-stall fail
	finding swap-over-nbd fairness swap-stall fail
	finding swap-over-nbd fairness reserve suspect
	nothing_left
}

@test "a kswapd that sleeps leaves the machine below its low watermark: fairness, below-low" {
	needs_fault_modules
	with_fault swap-over-nbd kswapd-stuck ms=120000
	# with a group so large that what is left is below that watermark, whatever the lists of the CPUs give back
	run -1 wring_run "$T/swap-over-nbd.ini" --set=swap-over-nbd.limit=64M --set=swap-over-nbd.footprint=90M
	finding swap-over-nbd fairness below-low fail
	nothing_left
}

@test "a server that does not answer for a while: swap waits for it and goes on" {
	wring_run_in_background swap-over-nbd --set=swap-over-nbd.flood=16
	within 300 has_mark beside
	server=$(pgrep -P "$(qemu_pid)" nbdkit)
	kill -STOP "$server"
	sleep 12
	kill -CONT "$server"
	within 300 gone "$PID"
	finding swap-over-nbd fairness flood-stall fail
	[ "$(outcome_of swap-over-nbd)" = fail ]
	nothing_left
}

@test "the recorder is killed while a guest swaps to its server: nothing is left" {
	wring_run_in_background swap-over-nbd
	within 300 has_mark swapping
	kill -KILL "$PID"
	nothing_left 5
	[ "$(outcome_of swap-over-nbd)" = broken ]
}

@test "without nbdkit the scenario is skipped, which names its package; others run; --deterministic is refused" {
	mkdir "$T/bin"
	cp -rs /usr/bin/. "$T/bin"
	rm -f "$T/bin/nbdkit"
	PATH=$T/bin run -0 wring_run "$controls/brief.ini" swap-over-nbd
	[ "$(reason_of swap-over-nbd)" = "needs nbdkit not found: apt-get install nbdkit" ]
	[ "$(outcome_of swap-over-nbd) $(outcome_of brief)" = "skip ok" ]
	run -2 wring_run --deterministic swap-over-nbd
	[[ $output == *"needs nbd: a network follows the host's time"* ]]
	nothing_left
}
