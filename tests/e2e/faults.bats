# SPDX-License-Identifier: GPL-3.0-or-later
# What happens to a run when the guest, QEMU, the recorder or the disk fails: the database stays sound and holds all but the
# last second, the outcome is true, nothing is left behind, and the exit code tells the kernel's fault (1) from nobody's (4).

load helper

setup() {
	wring_setup
	needs_vm
	cp "$controls"/*.ini "$T"
}

teardown() { wring_teardown; }

@test "a guest that panics is the kernel's fault: exit 1, and the next scenario runs in a fresh boot" {
	run -1 wring_run "$T/panic.ini" "$T/brief.ini"
	finding panic kernel-log panic fail
	evidence panic kernel-log | grep -q 'sysrq triggered crash'
	evidence panic kernel-log | grep -q 'sysrq_handle_crash+0x'
	[ "$(outcome_of panic)" = fail ]
	[ "$(outcome_of brief)" = ok ]
	[ "$(sql 'SELECT count(DISTINCT boot) FROM run')" -eq 2 ]
	crash=$(sql "SELECT t_ns FROM event WHERE kind = 'step' AND subject = 'sysrq'")
	[ $(((crash - $(newest_sample_ns panic)) / 1000000)) -le 1000 ]
	db_is_sound
	nothing_left
	run -1 wring check --db="$DB"
}

@test "a suite of five whose third scenario panics: the first two share a boot, the last two the next, and each is judged" {
	for s in first last; do cp "$T/brief.ini" "$T/$s.ini"; done
	run -1 wring_run "$T/first.ini" slab-at-max "$T/panic.ini" high-kmem "$T/last.ini"
	[ "$(sql "SELECT group_concat(scenario || '=' || outcome, ' ') FROM run")" = "first=ok slab-at-max=ok panic=fail high-kmem=ok last=ok" ]
	[ "$(sql "SELECT group_concat(n, ' ') FROM (SELECT count(*) n FROM run GROUP BY boot ORDER BY boot)")" = "3 2" ]
	finding panic kernel-log panic fail
	for s in first slab-at-max high-kmem last; do finding "$s" kernel-log clean pass; done
	db_is_sound
	nothing_left
}

@test "a budget: what has not begun when it is used up is left out, is said to be, and comes first the next time" {
	for s in a b; do cp "$T/brief.ini" "$T/$s.ini"; done
	sed 's/^duration = .*/duration = 45s/; s/^timeout = .*/timeout = 2m/' "$T/brief.ini" >"$T/slow.ini"
	run wring_run "$T/slow.ini" "$T/a.ini" "$T/b.ini" --budget=30s
	[[ $output == *"left out of the last round, for the budget was used up: a b"* ]]
	[ "$(sql "SELECT group_concat(scenario || '=' || outcome, ' ') FROM run")" = "slow=ok a=skip b=skip" ]
	reason_of a | grep -q 'left out: the budget was used up'
	nothing_left
	cp "$T/brief.ini" "$T/slow.ini"
	run wring_run "$T/slow.ini" "$T/a.ini" "$T/b.ini" --budget=5m --reps=1
	[ "$(sql "SELECT group_concat(scenario || '=' || outcome, ' ') FROM run WHERE id > 3")" = "a=ok b=ok slow=ok" ]
	nothing_left
}

@test "a kernel that hangs with interrupts off is its own fault: exit 1, with the stack the NMI brought" {
	needs_fault_modules
	run -1 wring_run "$T/hang.ini"
	finding hang kernel-log hang fail
	evidence hang kernel-log | grep -q 'spin+0x.*\[hang\]'
	run jq -r '.runs[0].findings[] | select(.verdict == "fail") | .class' "$JSON"
	[ "$output" = hang ]
	[ "$(outcome_of hang)" = fail ]
	stop=$(sql "SELECT t_ns FROM event WHERE kind = 'step' AND subject = 'module'")
	[ $(((stop - $(newest_sample_ns hang)) / 1000000)) -le 1000 ]
	db_is_sound
	nothing_left
}

@test "a task that the kernel does not let go of is the kernel's fault: exit 1, with its stack" {
	needs_fault_modules
	run -1 wring_run "$T/stuck.ini"
	finding stuck kernel-log hang fail
	evidence stuck kernel-log | grep -q 'stuck_init+0x'
	run jq -r '.runs[0].findings[] | select(.verdict == "fail") | .class' "$JSON"
	[ "$(grep -vc -e hang -e hung-task <<<"$output")" -eq 0 ]
	[ "$(outcome_of stuck)" = fail ]
	db_is_sound
	nothing_left
}

@test "a guest that was paused from outside is nobody's fault: exit 4" {
	wring_run_in_background "$T/idle.ini"
	within 60 has_mark running
	kill -STOP "$(qemu_pid)"
	exit_is 4
	[ "$(outcome_of idle)" = broken ]
	reason_of idle | grep -q 'paused from outside'
	[ "$(sql "SELECT count(*) FROM event WHERE kind = 'guest' AND subject = 'paused'")" -eq 1 ]
	no_failure idle
	db_is_sound
	nothing_left
}

@test "a guest that gets no CPU time is nobody's fault: exit 4" {
	cpu=/sys/fs/cgroup/cpu/starved-$$
	[ "$(id -u)" -eq 0 ] && mkdir "$cpu" 2>/dev/null || skip "no cgroup v1 cpu controller to starve QEMU with"
	wring_run_in_background "$T/idle.ini" --timeout=25s
	if ! within 60 has_mark running; then
		rmdir "$cpu"
		false
	fi
	echo 1000000 >"$cpu/cpu.cfs_period_us"
	echo 1000 >"$cpu/cpu.cfs_quota_us"
	echo "$(qemu_pid)" >"$cpu/cgroup.procs"
	code=0
	exit_is 4 || code=1
	within 5 rmdir "$cpu" 2>/dev/null
	[ $code -eq 0 ]
	[ "$(outcome_of idle)" = broken ]
	[ "$(sql "SELECT count(*) FROM event WHERE kind = 'guest' AND subject = 'starved'")" -ge 1 ]
	no_failure idle
	db_is_sound
	nothing_left
}

@test "a QEMU that was killed is nobody's fault: exit 4, and the next scenario runs in a fresh boot" {
	wring_run_in_background "$T/idle.ini" "$T/brief.ini"
	within 60 has_mark running
	kill -KILL "$(qemu_pid)"
	killed=$(now_ms)
	exit_is 4
	[ "$(outcome_of idle)" = broken ]
	reason_of idle | grep -q 'QEMU was killed from outside: signal 9'
	[ "$(outcome_of brief)" = ok ]
	[ "$(sql 'SELECT count(DISTINCT boot) FROM run')" -eq 2 ]
	no_failure idle
	lost_at_most_a_second idle "$killed"
	db_is_sound
	nothing_left
}

@test "a recorder that was killed with -9 loses a second at most, and takes QEMU with it" {
	wring_run_in_background "$T/idle.ini"
	within 60 has_mark running
	at=$(newest_sample_ns idle)
	later() { [ "$(newest_sample_ns idle)" -gt $((at + 2000000000)) ]; }
	within 20 later
	kill -KILL "$PID"
	killed=$(now_ms)
	nothing_left
	exit_is 137
	db_is_sound
	[ "$(outcome_of idle)" = broken ]
	[ "$(reason_of idle)" = "not finished" ]
	lost_at_most_a_second idle "$killed"
	run -4 wring check --db="$DB"
	run -0 wring export --db="$DB"
}

@test "a disk that fills up ends the run: exit 4, and what was stored is sound" {
	disk=$T/disk
	mkdir "$disk"
	[ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=4M none "$disk" 2>/dev/null || skip "no right to mount a small tmpfs"
	DB=$disk/t.db
	wring_run_in_background "$T/idle.ini" "$T/brief.ini"
	code=0
	within 60 has_mark running || code=1
	dd if=/dev/zero of="$disk/filler" bs=4k 2>/dev/null || true
	filled=$(now_ms)
	exit_is 4 || code=1
	cat "$T/out"
	grep -qi 'full\|no space' "$T/out" || code=1
	rm "$disk/filler"
	cp "$disk"/t.db* "$T"
	umount "$disk"
	[ $code -eq 0 ]
	DB=$T/t.db
	db_is_sound
	[ "$(outcome_of idle)" = broken ]
	lost_at_most_a_second idle "$filled"
	nothing_left
	run -4 wring check --db="$DB"
}

@test "a database that is removed while it is written ends the run: exit 4" {
	wring_run_in_background "$T/idle.ini" "$T/brief.ini"
	within 60 has_mark running
	rm "$DB"*
	exit_is 4
	grep -q 'removed or replaced' "$T/out"
	[ ! -e "$DB" ]
	nothing_left
}

@test "nobody reads the output, no descriptor was open, no hangup counts: the document is there, exit 4" {
	code=0
	(trap '' HUP CHLD; wring_run "$T/brief.ini" <&- >&- 2>&-) || code=$?
	[ $code -eq 4 ]
	[ "$(jq -r '.runs[0].outcome' "$JSON")" = ok ]
	db_is_sound
	nothing_left
}

@test "interrupted before the guest began: exit 4, and said so" {
	wring_run_in_background "$T/idle.ini"
	within 30 test -s "$DB"
	kill -TERM "$PID"
	exit_is 4
	grep -q interrupted "$T/out"
	nothing_left
}

interrupt() {
	wring_run_in_background "$T/idle.ini" "$T/brief.ini"
	within 60 has_mark running
	kill "-$1" -- "$2$PID"
	told=$(now_ms)
	exit_is 4
	[ $(($(now_ms) - told)) -le 5000 ]
	[ "$(outcome_of idle)" = broken ]
	[ "$(reason_of idle)" = "interrupted by the user" ]
	[ "$(sql 'SELECT count(*) FROM run')" -eq 1 ]
	lost_at_most_a_second idle "$told"
	[ "$(jq '.runs | length' "$JSON")" -eq 1 ]
	db_is_sound
	nothing_left
}

@test "Ctrl-C, for the whole process group: exit 4, at once" { interrupt INT -; }

@test "SIGINT for wring alone: exit 4, at once" { interrupt INT ''; }

@test "SIGTERM: exit 4, at once" { interrupt TERM ''; }

@test "a scenario that its timeout ends in the last step was not measured: exit 4" {
	run -4 wring_run "$T/idle.ini" --timeout=3s
	[ "$(outcome_of idle)" = broken ]
	reason_of idle | grep -q 'timeout of 3 s ran out'
	no_failure idle
	nothing_left
}

@test "an agent that sends garbage is nobody's fault: exit 4" {
	mkdir "$T/bin"
	cp "$WRING_BUILD/wring" "$WRING_BUILD/wring-load" "$T/bin"
	gcc -static -o "$T/bin/wring-agent" "$controls/garbage-agent.c" || skip "no static libc"
	WRING_BUILD=$T/bin
	run -4 wring_run "$T/brief.ini"
	[ "$(outcome_of brief)" = broken ]
	reason_of brief | grep -q 'record stream is damaged'
	db_is_sound
	nothing_left
}
