# SPDX-License-Identifier: GPL-3.0-or-later
# What is left of a guest that hung, panicked or failed: its stacks, a dump that others can read, doors for a person; and that nothing
# is left of it otherwise.

load helper

setup() {
	wring_setup
	needs_vm
	cp "$controls"/*.ini "$T"
}

teardown() {
	[ -z "${mounted:-}" ] || umount "$mounted" 2>/dev/null || true
	wring_teardown
}

door() { find "$T/tmp" -maxdepth 1 -name 'wring-guest-*'; }
is_kept() { grep -q 'the guest is kept' "$T/out"; }

# monitor COMMAND: what QEMU's monitor for people says to it.
monitor() {
	perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$ARGV[0]: $!"; $SIG{ALRM} = sub { exit }; alarm 2;
		print $s "$ARGV[1]\n"; $s->flush; print while sysread $s, $_, 4096' "$(door)/monitor" "$1"
}

# Everybody who reads kernel dumps and is here.
others_read() {
	readelf -hW "$1" | grep -q 'Type: *CORE'
	readelf -nW "$1" 2>/dev/null | grep -q VMCOREINFO
	if command -v makedumpfile >/dev/null; then
		makedumpfile --dump-dmesg -f "$1" "$T/dmesg" >/dev/null
		grep -q "$2" "$T/dmesg"
	fi
	if /usr/bin/python3 -c 'import drgn' 2>/dev/null; then
		/usr/bin/python3 -c 'import drgn, sys; p = drgn.Program(); p.set_core_dump(sys.argv[1]); print(p["UTS_RELEASE"].string_().decode())' "$1" |
			grep -qx "$(sql "SELECT value FROM fact WHERE key = 'kernel.release' LIMIT 1")"
	fi
}

@test "a task that never comes back: who is blocked where, the whole console, and a dump that others read" {
	needs_fault_modules
	mkdir "$T/dumps"
	run -1 wring_run "$T/stuck.ini" --dump-guest="$T/dumps"
	evidence stuck kernel-log | grep -q 'init (pid 1), blocked: .*stuck_init+0x'
	dump=$(sql "SELECT text FROM event WHERE kind = 'guest' AND subject = 'dump'")
	[ "$(echo "$T"/dumps/*)" = "$dump" ]
	[ "$(du -k "$dump" | cut -f1)" -lt $(($(stat -c %s "$dump") / 1024)) ]
	others_read "$dump" 'stuck: waiting for ever'
	for f in text md mail html; do
		wring report --db="$DB" --format=$f -o "$T/report.$f"
		# whatever broke the line or escaped it
		tr -d ' \n' <"$T/report.$f" | sed 's/&#[0-9]*;/-/g' | grep -q "$(basename "$dump" .vmcore)"
	done
	wring report --db="$DB" --format=console last >"$T/console"
	for word in 'sysrq: Show Blocked State' 'sysrq: Show State' 'NMI backtrace for cpu' 'wring: sysrq w'; do grep -q "$word" "$T/console"; done
	! grep -q $'[^\t\x20-\x7e]' "$T/console"
	nothing_left
}

@test "a run that fails its invariant leaves a dump, too, and the next scenario has a guest of its own" {
	run -1 wring_run slab-at-max "$T/brief.ini" --sysctl=vm.vfs_cache_pressure=0 --dump-guest
	finding slab-at-max premature-oom withheld fail
	[ "$(outcome_of brief)" = ok ]
	[ "$(sql 'SELECT count(DISTINCT boot) FROM run')" -eq 2 ]
	[ "$(sql "SELECT scenario FROM event JOIN run ON run.id = event.run WHERE kind = 'guest' AND subject = 'dump'")" = slab-at-max ]
	others_read "$(echo "$T"/wring-*.vmcore)" 'oom-kill:'
	nothing_left
}

@test "all is well: no dump, nothing kept" {
	run -0 wring_run "$T/brief.ini" --dump-guest --keep-guest
	[ -z "$(compgen -G "$T/*.vmcore")" ]
	[ "$(outcome_of brief)" = ok ]
	nothing_left
}

@test "a guest that hangs is kept until Ctrl-C: its registers, its monitor, gdb; then nothing is left" {
	needs_fault_modules
	wring_run_in_background "$T/hang.ini" --keep-guest
	within 180 is_kept
	[ "$(stat -c %a "$(door)")" = 700 ]
	for s in monitor qmp console gdb; do [ -S "$(door)/$s" ]; done
	monitor 'info status' | grep -q running
	if command -v gdb >/dev/null; then
		gdb -nx -batch -ex "target remote $(door)/gdb" -ex 'info threads' </dev/null 2>&1 | grep -c 'CPU#[0-3]' | grep -qx 4
	fi
	kill -INT "$PID"
	exit_is 1
	evidence hang kernel-log | grep -q 'CPU 0: ffffffff[0-9a-f]*, in the kernel'
	nothing_left
}

@test "a guest that is kept ends with its recorder, also when that is killed with -9, and with 'quit'" {
	wring_run_in_background "$T/panic.ini" --keep-guest
	within 180 is_kept
	grep -q 'is kept, stopped' "$T/out"
	kill -KILL "$PID"
	nothing_left 3
	exit_is 137
	wring_run_in_background "$T/panic.ini" "$T/brief.ini" --keep-guest
	within 180 is_kept
	monitor quit >/dev/null
	exit_is 1
	[ "$(outcome_of panic)" = fail ]
	[ "$(outcome_of brief)" = ok ]
	nothing_left
}

@test "time that a debugger stops the guest does not count" {
	sed 's/^duration = .*/duration = 25s/; s/^timeout = .*/timeout = 60s/; s/^  hold .*/  hold 10s/' "$T/brief.ini" >"$T/slow.ini"
	wring_run_in_background "$T/slow.ini" --gdb
	in_run() { [ "$(sql "SELECT count(*) FROM event WHERE kind = 'phase'" 2>/dev/null)" -gt 0 ] 2>/dev/null; }
	within 120 in_run
	[ -S "$(door)/gdb" ]
	monitor stop >/dev/null
	read -rt 22 <> <(:) || true # longer than a guest may be silent
	gone "$PID" && { cat "$T/out"; false; }
	monitor cont >/dev/null
	exit_is 0
	[ "$(outcome_of slow)" = ok ]
	nothing_left
}

@test "a dump that cannot be: an error before anything is run, or a note of the run" {
	run -2 wring_run "$T/brief.ini" --dump-guest="$T/nowhere"
	[[ $output == *"--dump-guest=$T/nowhere: a folder that can be written is accepted"* ]]
	run -2 wring run "$T/brief.ini" --db="$DB" --where=host --dump-guest
	[[ $output == *"--dump-guest is accepted for a guest only"* ]]
	mkdir "$T/disk"
	[ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=1000M none "$T/disk" 2>/dev/null || skip "no right to mount a small tmpfs"
	mounted=$T/disk
	run -2 wring_run "$T/brief.ini" --dump-guest="$T/disk"
	[[ $output == *"it has "*"M: name another folder, or a smaller --memory"* ]]
	[ ! -e "$DB" ]
	wring_run_in_background "$T/panic.ini" --memory=256M --nodes=1 --dump-guest="$T/disk"
	in_run() { [ "$(sql "SELECT count(*) FROM run" 2>/dev/null)" -gt 0 ] 2>/dev/null; }
	within 120 in_run
	fallocate -l 900M "$T/disk/filler"
	exit_is 1
	sql "SELECT text FROM event WHERE kind = 'guest' AND subject = 'no-dump'" | grep -q "no dump in $T/disk/wring-.*: .*it has"
	[ "$(ls "$T/disk")" = filler ]
	finding panic kernel-log panic fail
	nothing_left
}
