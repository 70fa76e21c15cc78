# SPDX-License-Identifier: GPL-3.0-or-later
# Positive controls: a fault planted in the kernel (tests/controls/fault) makes its detector fire in a shipped scenario, or,
# where it has none, changes the numbers it should. The negative controls are in verdicts.bats and controls-clean.bats.

load ../helper

setup() {
	wring_setup
	needs_vm
	needs_fault_modules
}

teardown() { wring_teardown; }

# planted SCENARIO DETECTOR CLASS MODULE [KEY=VALUE...]: this fault is found there, and is itself no finding of kernel-log.
planted() {
	local scenario=$1 detector=$2 class=$3

	with_fault "$scenario" "${@:4}"
	run -1 wring_run "$T/$scenario.ini"
	finding "$scenario" "$detector" "$class" fail
	[ "$detector" = kernel-log ] || [ "${NOISY:-}" ] || finding "$scenario" kernel-log clean pass
	[ "$(outcome_of "$scenario")" = fail ]
	nothing_left
}

# The value of a key in the sample that a mark made.
at_mark() { # MARK SAMPLER SUBJECT KEY
	sqlite3 -cmd ".load $WRING_BUILD/wringsql" "file:$DB?mode=ro" "SELECT value FROM sample WHERE sampler = '$2' AND subject = '$3'
		AND key = '$4' AND t_s >= (SELECT max(t_s) FROM events WHERE kind = 'mark' AND subject = '$1') ORDER BY t_s LIMIT 1"
}

step_ms() { # STEP ARGUMENTS: how long it took
	sql "SELECT cast(substr(d.text, 9) AS INTEGER) / 1000000 FROM event s JOIN event d ON d.run = s.run AND d.kind = 'step'
	     AND d.subject = s.subject AND d.text LIKE 'done ns=%' AND d.id > s.id WHERE s.kind = 'step' AND s.subject = '$1'
	     AND s.text = '$2' ORDER BY d.id LIMIT 1"
}

@test "slab that is never reclaimed: premature-oom, withheld" {
	planted slab-at-max premature-oom withheld slab-withheld group=work
}

@test "slab that only the group itself cannot reclaim: premature-oom, late" {
	planted slab-at-max premature-oom late slab-withheld group=work own=1
}

@test "a CPU that holds off RCU: premature-oom" {
	# class rcu on 6.12; on 6.1 late, because reclaim there gives up with most of the names not even freed to RCU
	planted slab-at-max premature-oom '*' rcu-holdoff
}

@test "references that are never dropped, one in five: dying-memcg, leak" {
	planted dying-memcg dying-memcg leak css-leak every=5
	finding dying-memcg dying-memcg residue fail
}

@test "charged pages that nobody frees, and sockets whose charge is lost: accounting, leftover" {
	planted dying-memcg accounting leftover kmem-leak
	planted high-kmem accounting leftover lost-uncharge how=lost
}

@test "memory.high without effect: high-overrun, ignored" {
	planted high-kmem high-overrun ignored high-ignored
}

@test "memory.high without effect on kernel memory: high-overrun, ignored" {
	planted high-kmem high-overrun ignored high-ignored kernel=1
}

@test "uncharges that memory.current misses: accounting, parts" {
	planted high-kmem accounting parts lost-uncharge how=counter every=4
}

@test "a parent uncharged twice: accounting, hierarchy" {
	# the kernel itself complains of the underflow
	NOISY=1 planted high-kmem accounting hierarchy lost-uncharge how=parent every=4
}

@test "an event counter that begins again: accounting, monotonic" {
	planted high-kmem accounting monotonic events-backwards
}

@test "a WARNING, sleeping in atomic context, a NULL pointer, lockdep's complaint: kernel-log" {
	local kind

	for kind in warn bug oops lockdep; do
		with_fault brief splat kind=$kind
		own_boot brief
		named brief $kind
	done
	run -1 wring_run "$T"/{warn,bug,oops,lockdep}.ini
	finding warn kernel-log warning fail
	finding bug kernel-log bug fail
	finding oops kernel-log oops fail
	finding lockdep kernel-log warning fail
}

@test "a line of level err, and the taint of a module, are no finding of kernel-log" {
	with_fault brief splat kind=err
	run -0 wring_run "$T/brief.ini"
	finding brief kernel-log clean pass
}

@test "faults change the numbers they should, and not those of their twins" {
	run -0 wring_run "$T/effects.ini"
	finding effects kernel-log clean pass
	[ "$(step_ms wait 'oom 30s')" -ge 3000 ]                                # late-oom
	[ "$(at_mark high memory.events sick/high high)" -gt 0 ]
	[ "$(step_ms wait high)" -ge 1000 ]                                     # high-stall
	[ "$(at_mark held memory.numa_stat sick/node anon.N1)" -ge 8388608 ]    # wrong-node
	[ "$(at_mark held memory.numa_stat well/node anon.N1)" -eq 0 ]
	[ "$(step_ms reclaim 'sick/names 1M')" -ge 500 ]                        # slow-dcache
	[ "$(at_mark reclaimed memory victim current)" -lt $(($(at_mark full memory victim current) / 2)) ]     # wrong-group
	[ "$(at_mark reclaimed memory eater current)" -gt $(($(at_mark full memory eater current) / 2)) ]
	[ "$(at_mark reclaimed memory.stat kept file)" -ge "$(at_mark full memory.stat kept file)" ]    # pages-withheld
	[ "$(at_mark reclaimed memory.stat prot/weak file)" -lt "$(at_mark reclaimed memory.stat prot/low file)" ]  # protection-ignored
}

@test "no huge pages: the load that needs them gets none" {
	run -0 wring_run "$T/thp.ini"
	run -4 wring_run "$T/thp.ini" '--set=thp.denied=module thp-denied.ko group=work'
	reason_of thp | grep -q 'made 0 of 8 objects'
}
