# SPDX-License-Identifier: GPL-3.0-or-later
# Whatever is wrong with a command line, a file or a database is one line on stderr that names it and what is accepted,
# exit code 2, and nothing has been started, made or changed. No guest is booted here: QEMU is a stub that tells on whoever
# starts it, and the kernel a header without code.

load helper

setup() {
	wring_setup
	cd "$T" || return 1
	unset WRING_DB
	stub_qemu
	stub_kernel bzImage
	export WRING_KERNEL=$T/bzImage
	good >good.ini
}

# A scenario that is right: the tests below each break one line of it.
good() {
	cat <<-'END'
		[scenario]
		summary = for tests
		needs = memcg scratch
		detectors = accounting kernel-log
		[params]
		limit = 32M
		[sysctl]
		vm.swappiness = 10
		[mount scratch]
		type = ext4
		size = 64M
		[group work]
		memory.max = ${limit}
		[group late]
		count = 2
		deferred = yes
		[load names]
		workload = dentry
		group = work
		[sample memory]
		groups = . work
		rate = 10
		[phase p]
		do = start names
		  stop names
	END
}

everything() { find . -type f ! -name locked ! -name out ! -name err -print0 | sort -z | xargs -0 sha256sum; }

# wrong WORD... -- ARGUMENT...: what every mistake must come to; each WORD is in the line.
wrong() {
	local words=() before code=0 word

	while [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	shift
	before=$(everything)
	wring "$@" >out 2>err </dev/null || code=$?
	if [ $code != 2 ] || [ "$(wc -l <err)" != 1 ] || [ -s out ] || [ -e started ] || ! grep -q '^wring: ' err ||
		[ "$(everything)" != "$before" ]; then
		echo "wring $*: exit $code, $(wc -l <err) line(s):"
		cat err out started 2>/dev/null
		diff <(echo "$before") <(everything)
		return 1
	fi
	for word in "${words[@]}"; do
		grep -qF -- "$word" err || { echo "wring $*: '$word' is not in: $(cat err)"; return 1; }
	done
}

# The same of a command that runs: no database is begun.
wrong_in() { # COMMAND WORD... -- ARGUMENT...
	local command=$1 words=()

	shift
	while [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	shift
	wrong "${words[@]}" -- "$command" --where=vm --db=new.db "$@"
	[ ! -e new.db ]
}
wrong_run() { wrong_in run "$@"; }
wrong_load() { wrong_in load "$@"; }

# broken LINE WORD... -- SED: good.ini with one line broken. LINE is where the message points.
broken() {
	local line=$1 words=()

	shift
	while [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	sed "$2" good.ini >bad.ini
	! cmp -s good.ini bad.ini || { echo "sed $2 changes nothing"; return 1; }
	wrong_run "bad.ini:$line:" "${words[@]}" -- ./bad.ini
}

@test "the scenario that the others break is right" {
	wring run --where=vm --db=new.db --dry-run ./good.ini >out
	grep -q 'memory.max = 32M' out
	[ ! -e new.db ]
	[ ! -e started ]
}

@test "no command, unknown command, unknown list" {
	run -2 wring
	wrong "no command 'rnu'" "wring --help" -- rnu
	wrong "'things'" "scenarios, suites" -- list things
	wrong "'nothing-such'" -- show nothing-such --db=none.db
	wrong "show" -- show
	wrong "run" "wring list scenarios" -- run
	wrong "'b'" "one argument" -- list scenarios b
	wrong "'x'" "doctor" -- doctor x
	wrong "'b'" "one argument" -- kconfig a b
}

@test "options: unknown, abbreviated, without value, with a value too many" {
	local c

	for c in run check export report db list show; do
		wrong "'--bogus'" "wring $c --help" -- $c --bogus
		wrong "--db" "--db=FILE" -- $c --db
		wrong "'-z'" -- $c -z
	done
	wrong "'--kern'" -- run --kern=bzImage good.ini
	wrong "--quiet" "'yes'" -- run --quiet=yes ./good.ini
	wrong "-o needs a value" "-o FILE" -- export -o
}

@test "scenarios, suites and files that are not there" {
	wrong_run "no scenario 'nope'" "wring list scenarios" -- nope
	wrong_run "no suite '@nope'" "wring list suites" -- @nope
	wrong_run "nope.ini" "No such file" -- ./nope.ini
	wrong_run "Is a directory" -- ./bin/
	wrong_run "no scenario ''" -- ''
	wrong_run "no scenario 'a b'" -- $'a\nb'
	# the right one beside a wrong one does not run either
	wrong_run "nope" -- slab-at-max nope
}

@test "--set: key, value, unit, scenario" {
	wrong_run "bogus" "limit" -- slab-at-max --set=slab-at-max.bogus=1
	wrong_run "64Q" "memory.max" "a size such as 64M" -- ./good.ini --set=good.limit=64Q
	wrong_run "'-1'" "memory.max" -- ./good.ini --set=good.limit=-1
	wrong_run "high-kmem" "a scenario that runs" -- slab-at-max --set=high-kmem.limit=64M
	wrong_run "--set=limit=64M" "SCENARIO.KEY=VALUE" -- slab-at-max --set=limit=64M
	wrong_run "SCENARIO.KEY=VALUE" -- slab-at-max --set=slab-at-max.limit
	wrong_run "SCENARIO.KEY=VALUE" -- slab-at-max --set=
	wrong_run "limit" -- ./good.ini --set=$'good.limit=1\n[group x]'
}

@test "sizes, durations and numbers" {
	local v

	for v in 2Q '' -1 1e3 ' 1G' 1.5 99999999T; do
		wrong_run "--memory" "$v" -- slab-at-max --memory="$v"
	done
	for v in 10 10x '' -1s 1e3s; do
		wrong_run "--timeout" "$v" -- slab-at-max --timeout="$v"
	done
	for v in 0 x '' -1 1.5 256 99999999999999999999; do
		wrong_run "--cpus" "1 to 255" -- slab-at-max --cpus="$v"
	done
	wrong_run "--nodes" "1 to 64" -- slab-at-max --nodes=65
	wrong_run "--reps" "1 to 10000" -- slab-at-max --reps=0
	wrong_run "--seed" "'x'" -- slab-at-max --seed=x
	wrong_run "--where=moon" "auto, host, vm" -- slab-at-max --where=moon
	wrong_run "--accel=warp" "auto, kvm, tcg" -- slab-at-max --accel=warp
}

@test "machines that cannot be" {
	wrong_run "--memory=65536K" "192M" -- slab-at-max --memory=64M
	wrong_run "--memory" "this machine has" -- slab-at-max --memory=512T
	wrong_run "--nodes=4" "--cpus=2" -- slab-at-max --cpus=2 --nodes=4
	[ "$(nproc)" -gt 31 ] || wrong_run "--cpus=255" "this machine has $(nproc)" -- slab-at-max --cpus=255
	wrong_run "300M" "2 nodes" "512M would do" -- slab-at-max --memory=300M
	wrong_run "characters" "1500" -- slab-at-max --append="$(printf 'x%.0s' {1..1600})"
	wrong_run "--append" -- slab-at-max --append="$(printf 'x%.0s' {1..3000})"
}

@test "limits larger than the memory, or too small for a process" {
	wrong_run "good.ini:13" "memory.max" "'300M'" "512 MiB" -- ./good.ini --set=good.limit=300M --memory=512M
	wrong_run "good.ini:13" "memory.max" "'4K'" "1M or more" -- ./good.ini --set=good.limit=4K
	wrong_run "memory.max" "'0'" -- ./good.ini --set=good.limit=0
	wring run --where=vm --dry-run ./good.ini --set=good.limit=max >out
	wring run --where=vm --dry-run ./good.ini --set=good.limit=1.5M >out
}

@test "kernels that are none" {
	echo "not a kernel" >text
	: >empty
	mkdir folder
	head -c 3000 bzImage >short
	printf '\177ELF%4096s' '' >vmlinux
	printf '!<arch>\ndebian-binary   0           0     0     100644  4         `\n2.0\n' >tiny.deb
	wrong_run "text" "not a kernel image" "accepted: a bzImage" -- slab-at-max --kernel=text
	wrong_run "empty" "empty file" -- slab-at-max --kernel=empty
	wrong_run "folder" "boot/vmlinuz-*" -- slab-at-max --kernel=folder
	wrong_run "truncated" "of 4096 bytes" -- slab-at-max --kernel=short
	wrong_run "ELF" -- slab-at-max --kernel=vmlinux
	wrong_run "nowhere" "No such file" -- slab-at-max --kernel=nowhere
	wrong_run "tiny.deb" -- slab-at-max --kernel=tiny.deb
	wrong_run "/dev/null" -- slab-at-max --kernel=/dev/null
	WRING_KERNEL=text wrong_run "text" '$WRING_KERNEL' -- slab-at-max
	wrong "not a kernel" -- kconfig text
	wrong "bzImage" "no configuration" -- kconfig bzImage
}

@test "a package that is truncated" {
	local deb size

	command -v dpkg-deb >/dev/null || skip "no dpkg-deb to make a package with"
	mkdir -p package/DEBIAN package/boot
	printf 'Package: linux-image-stub\nVersion: 1\nArchitecture: amd64\nMaintainer: x <x@x>\nDescription: x\n' >package/DEBIAN/control
	head -c 100000 /dev/urandom >package/boot/config-6.12.0-stub
	cp bzImage package/boot/vmlinuz-6.12.0-stub
	dpkg-deb -b package whole.deb >/dev/null
	wring run --where=vm --dry-run slab-at-max --kernel=whole.deb >out
	grep -q 6.12.0-stub out
	size=$(stat -c %s whole.deb)
	for deb in 9 100 1000 $((size / 2)) $((size - 9000)); do
		head -c "$deb" whole.deb >"cut$deb.deb"
		wrong_run "cut$deb.deb" -- slab-at-max --kernel="cut$deb.deb"
	done
	rm -r package/boot/vmlinuz-*
	dpkg-deb -b package none.deb >/dev/null
	wrong_run "none.deb" "without boot/vmlinuz-*" -- slab-at-max --kernel=none.deb
}

@test "scenario files: sections, keys and values" {
	broken 1 "'nonsense'" "[scenario]" -- 's/^\[scenario\]/[nonsense]/'
	broken 2 "sumary" "summary" -- 's/^summary/sumary/'
	broken 2 "line" -- 's/^summary = .*/what is this/'
	broken 3 "moon" "memcg scratch" -- 's/^needs = .*/needs = moon/'
	broken 4 "'bogus'" "wring list detectors" -- 's/^detectors = .*/detectors = bogus/'
	broken 8 "swappiness" "vm.swappiness" -- 's/^vm.swappiness/swappiness/'
	broken 10 "'btrfs'" "ext4, xfs or tmpfs" -- 's/ext4/btrfs/'
	broken 11 "'64'" "1M to 1T" -- 's/size = 64M/size = 64/'
	broken 12 "group" "'../x'" -- 's/^\[group work\]/[group ..\/x]/'
	broken 13 "unknown key" "memorymax" -- 's/^memory.max/memorymax/'
	broken 13 "unknown parameter" "limits" "limit" -- 's/{limit}/{limits}/'
	broken 15 "count" "'0'" "1 to 10000" -- 's/^count = 2/count = 0/'
	broken 16 "deferred" "'maybe'" "yes or no" -- 's/^deferred = .*/deferred = maybe/'
	broken 18 "'bogus'" "wring list workloads" -- 's/^workload = .*/workload = bogus/'
	broken 17 "'nowhere'" "work" -- 's/^group = work/group = nowhere/'
	broken 20 "'bogus'" "wring list samplers" -- 's/^\[sample memory\]/[sample bogus]/'
	broken 20 "vmstat" "without groups" -- 's/^\[sample memory\]/[sample vmstat]/'
	broken 20 "memory" "with groups" -- '/^groups = /d'
	broken 22 "rate" "'0'" -- 's/^rate = .*/rate = 0/'
	broken 24 "unknown step" "jump" "mark hold" -- 's/^do = .*/do = jump names/'
	broken 25 "'nobody'" "names" -- 's/  stop names/  stop nobody/'
	broken 25 "too few" "stop LOAD" -- 's/  stop names/  stop/'
	broken 25 "too many" -- 's/  stop names/  stop names names/'
}

@test "scenario files: what is said twice, missing, unreadable or too long" {
	broken 12 "section given twice" "first is on line 9" -- 's/^\[group work\]/[mount scratch]/'
	broken 14 "key given twice" "line 13" -- '12a memory.max = 1M'
	broken 9 "missing key" "type" -- '/^type = /d'
	broken 17 "missing key" "workload" -- '/^workload = /d'
	broken 23 "missing key" "do" -- '/^do = /,$d'
	broken 1 "phase" -- '/^\[phase/,$d'
	broken 2 "198" -- "2s/.*/summary = $(printf 'x%.0s' {1..300})/"
	broken 2 "control character" -- '2s/$/\r/'
	broken 2 "UTF-8" -- '2s/$/ \xff/'
	broken 19 "unknown option 'colour'" "accepted" -- '18a colour = blue'
	broken 19 "a group without groups below it" -- '/^\[load names/i [group work/leaf]\
memory.max = 1M'
	printf 'a\0b' >bad.ini
	wrong_run "bad.ini" "NUL" -- ./bad.ini
	: >bad.ini
	wrong_run "bad.ini:1" "phase" -- ./bad.ini
	head -c 5000 /dev/urandom | tr -d '\0' >bad.ini
	wrong_run "bad.ini" -- ./bad.ini
}

@test "limits of detectors" {
	good | sed 's/^detectors = .*/detectors = dying-memcg/' >good2.ini
	printf '[limits]\ndying-memcg.residue = 3\n' >>good2.ini
	wring run --where=vm --dry-run ./good2.ini >out
	sed 's/residue/residu/' good2.ini >bad.ini
	wrong_run "bad.ini:27" "dying-memcg.residu" "residue" -- ./bad.ini
	sed 's/residue = 3/residue = many/' good2.ini >bad.ini
	wrong_run "bad.ini:27" "'many'" "a number" -- ./bad.ini
	sed 's/^dying-memcg.residue/bogus.residue/' good2.ini >bad.ini
	wrong_run "bad.ini:27" "bogus.residue" "wring list detectors" -- ./bad.ini
}

@test "a file to carry that is not there" {
	good | sed '2a carry = there.ko sub/missing.ko' >bad.ini
	: >there.ko
	wrong_run "bad.ini:3" "carry" "sub/missing.ko" "No such file" -- ./bad.ini
}

@test "--sysctl" {
	local v

	for v in vm swappiness=1 =1 vm.swappiness .=1 'vm..x=1' 'vm/../x=1' '../vm.x=1' 'vm.x y=1'; do
		wrong_run "--sysctl=$v" "KEY=VALUE" "vm.swappiness=0" -- slab-at-max --sysctl="$v"
	done
	for v in vm.swappiness= 'vm.swappiness= ' 'vm.swappiness=#1' 'vm.swappiness=1 ;2' $'vm.swappiness=1\n[group x]'; do
		wrong_run "--sysctl=vm.swappiness=" "a value" -- slab-at-max --sysctl="$v"
	done
	# the last word is the command line's, also over the scenario's own
	wring run --where=vm --dry-run ./good.ini --sysctl=vm.swappiness=1 --sysctl=vm.swappiness=2 >out
	[ "$(grep -c vm.swappiness out)" = 1 ]
	grep -q 'vm.swappiness = 2' out
}

@test "options that exclude each other" {
	local o

	for o in --kernel=bzImage --append=quiet --cpus=2 --nodes=1 --memory=1G --accel=tcg; do
		wrong "--where=host" "${o%%=*}" "--where=vm" -- run --where=host "$o" --db=new.db slab-at-max
	done
	wrong_run "--quiet" "--verbose" -- slab-at-max --quiet --verbose
}

@test "documents that cannot be written are found before anything starts" {
	mkdb ok
	for f in /nowhere/x.json bin /proc/x.json good.ini/x ''; do
		wrong_run "--json=$f" "can be written" -- slab-at-max --json="$f"
		wrong "--json=$f" -- check --db=made.db --json="$f"
	done
	wrong "--output=/nowhere/x" -- export --db=made.db -o /nowhere/x
	wrong "--format=xml" "json" -- export --db=made.db --format=xml
	# and one that can be written is not touched by asking
	wrong_run "nope" -- nope --json=later.json
	[ ! -e later.json ]
}

@test "known findings: a file that is none" {
	mkdb ok
	printf '[a]\nscenario = x\ndetector = y\nclass = z\n' >no-reason.ini
	printf '[a]\nscenario = x\ndetector = y\nclass = z\nreason = r\ncolour = blue\n' >colour.ini
	printf 'rubbish\n' >rubbish.ini
	wrong /dev/zero "too large" -- check --db=made.db --known=/dev/zero
	for c in "run --where=vm --db=new.db slab-at-max" "check --db=made.db"; do
		wrong "no-reason.ini:1" "reason" -- $c --known=no-reason.ini
		wrong "colour.ini:6" "'colour'" "scenario, detector" -- $c --known=colour.ini
		wrong "rubbish.ini:1" -- $c --known=rubbish.ini
		wrong "missing.ini" "No such file" -- $c --known=missing.ini
	done
	[ ! -e new.db ]
}

# ---- databases ----

mkdb() {
	[ -x "$WRING_BUILD/tests/e2e/mkdb" ] || make -s -C "$WRING_BUILD" tests/e2e/mkdb >&2
	"$WRING_BUILD/tests/e2e/mkdb" made.db "$@"
}

sqlite() { python3 -c 'import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.executescript(sys.argv[2]); d.close()' "$@"; }

# Each command that opens a database refuses this one, and leaves it as it is.
refused() {
	local db=$1

	shift
	wrong "$db" "$@" -- run --where=vm --db="$db" slab-at-max
	wrong "$db" "$@" -- ab --where=vm --b append=x --db="$db" slab-at-max
	wrong "$db" "$@" -- check --db="$db"
	wrong "$db" "$@" -- export --db="$db"
	wrong "$db" "$@" -- export --format=ktap last --db="$db"
	wrong "$db" "$@" -- report --db="$db"
	wrong "$db" "$@" -- report --format=html --db="$db" -o page.html
	wrong "$db" "$@" -- trend --db="$db"
	wrong "$db" "$@" -- compare 1 2 --db="$db"
	wrong "$db" "$@" -- compare last --db="$db"
	wrong "$db" "$@" -- db check --db="$db"
	wrong "$db" "$@" -- db prune --days=1 --db="$db"
	wrong "$db" "$@" -- db merge "$db" --db=into.db
	wrong "$db" "$@" -- list runs --db="$db"
	wrong "$db" "$@" -- show 1 --db="$db"
}

@test "databases: another program's, a newer one, a text, a folder, a place that is not there" {
	sqlite foreign.db 'CREATE TABLE cats (name)'
	refused foreign.db "not one of wring's"
	mkdb ok
	cp made.db newer.db
	sqlite newer.db 'PRAGMA user_version = 99'
	refused newer.db "newer wring" "schema 99"
	echo "a text, not a database, and long enough to be taken for a header of one hundred bytes, or so one would think" >text.db
	refused text.db
	refused bin
	refused nowhere/x.db
	mkfifo fifo
	refused fifo "no regular file"
	refused /dev/null "no regular file"
	: >empty.db
	for c in check "db prune --days=1" "list runs" export; do
		wrong empty.db "is empty" -- $c --db=empty.db
	done
	wrong none.db "wring run" -- check --db=none.db
	wrong none.db "wring run" -- export --db=none.db
	wrong none.db -- list runs --db=none.db
	[ ! -e none.db ]
	WRING_DB=foreign.db wrong foreign.db -- list runs
}

@test "databases: corrupt and cut off" {
	mkdb ok fail ok ok ok
	python3 - <<-'END'
		import random
		random.seed(1)
		data = bytearray(open("made.db", "rb").read())
		for i in range(100, len(data)): data[i] = random.randrange(256)
		open("corrupt.db", "wb").write(data)
		data = open("made.db", "rb").read()
		open("cut.db", "wb").write(data[:5000])
		# as a copy that did not get to its end, and one whose space was there before its content
		open("half.db", "wb").write(data[:len(data) // 2 // 4096 * 4096])
		open("zeros.db", "wb").write(data[:3 * 4096] + bytes(len(data) - 3 * 4096))
	END
	for db in corrupt cut half zeros; do
		refused $db.db
	done
}

@test "databases: nothing was written yet" {
	: >empty.db
	for args in check "check 1" export report trend "compare 1 2" "list runs" "show 1" "db check" "db prune --days=1" "db prune --days=1 --dry-run"; do
		# shellcheck disable=SC2086
		wrong "empty.db is empty" "wring run" -- $args --db=empty.db
		# shellcheck disable=SC2086
		wrong "no database none.db" "wring run" -- $args --db=none.db
	done
	wrong "empty.db is empty" -- db merge empty.db --db=into.db
	[ ! -e into.db ] && [ ! -e none.db ]
}

# A recorder that was killed: its newest part is in the log beside the database.
@test "databases: half-written, with the log that a killed recorder leaves" {
	mkdb ok unfinished
	python3 - <<-'END'
		import os, sqlite3
		d = sqlite3.connect("made.db", isolation_level=None)
		d.execute("PRAGMA journal_mode = WAL")
		d.execute("UPDATE run SET label = 'newest'")
		os._exit(0) # no checkpoint
	END
	[ -s made.db-wal ]
	cp made.db dead.db
	cp made.db-wal dead.db-wal
	for args in "list runs" report "export --format=csv" "show 1"; do
		# shellcheck disable=SC2086
		wring $args --db=dead.db >out 2>err
		[ ! -s err ]
		grep -q newest out || [ "$args" = report ] || [ "$args" = "show 1" ] || { cat out; return 1; }
	done
	run -4 wring check --db=dead.db
	[[ $output == *"not finished"* ]]
	run -0 wring db check --db=dead.db
	[[ $output == *"2 runs (1 not finished"* ]]
	# the log cut off within a transaction: what was whole before it is there
	cp made.db cut.db
	head -c $(($(wc -c <made.db-wal) - 100)) made.db-wal >cut.db-wal
	run -0 wring db check --db=cut.db
	[[ $output == *"2 runs (1 not finished"* ]]
}

@test "databases: locked by another program" {
	mkdb ok
	cp made.db other.db
	mkfifo hold
	python3 -c 'import sqlite3, sys
d = sqlite3.connect("made.db", isolation_level=None)
d.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()' <>hold >locked 2>&1 3>&- &
	holder=$!
	within 10 grep -q locked locked
	for args in "run --where=vm slab-at-max" "ab --where=vm --b append=x slab-at-max" check "db prune --days=1" "db merge other.db"; do
		# shellcheck disable=SC2086
		wrong made.db "locked" -- $args --db=made.db || { kill $holder; return 1; }
	done
	# readers do not mind
	for args in "list runs" "show 1" report "report --format=html" export trend "db check" "db prune --days=1 --dry-run"; do
		# shellcheck disable=SC2086
		wring $args --db=made.db >seen 2>&1 || { echo "$args"; cat seen; kill $holder; return 1; }
	done
	kill $holder
	wait $holder || true
}

@test "databases: one that may only be read" {
	local home

	mkdb ok
	home=$(mktemp -d /tmp/badinput.XXXXXX)
	cp made.db "$home/ro.db"
	cp made.db "$home/other.db"
	cp "$WRING_BUILD/wring" "$home"
	chmod 755 "$home"
	chmod 444 "$home"/*.db
	as=()
	if [ "$(id -u)" = 0 ]; then
		command -v setpriv >/dev/null || skip "root may write everywhere, and there is no setpriv"
		as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	fi
	code=0
	for args in check "db prune --days=1" "db merge $home/other.db"; do
		code=0
		# shellcheck disable=SC2086
		"${as[@]}" "$home/wring" $args --db="$home/ro.db" >out 2>err || code=$?
		cat err
		[ $code = 2 ]
		[ "$(wc -l <err)" = 1 ]
		grep -q "ro.db.*read-only" err
		cmp made.db "$home/ro.db"
	done
	# and reading it is no mistake
	for args in "list runs" "show 1" report "report --format=html" export "export --format=junit" trend "db check"; do
		# shellcheck disable=SC2086
		"${as[@]}" "$home/wring" $args --db="$home/ro.db" >out
	done
	"${as[@]}" "$home/wring" list runs --db="$home/ro.db" | grep -q made-up
	"${as[@]}" "$home/wring" export --db="$home/ro.db" | jq -e '.runs | length == 1'
	[ "$(ls "$home" | wc -l)" = 3 ]
	rm -r "$home"
}

@test "QEMU that does not run says why; a file limit and an ignored SIGCHLD are no reason" {
	printf '#!/bin/sh\necho "no such library" >&2\nexit 127\n' >bin/qemu-system-x86_64
	wrong_run "bin/qemu-system-x86_64 --version" "no such library" -- slab-at-max
	printf '#!/bin/sh\nkill -KILL $$\n' >bin/qemu-system-x86_64
	wrong_run "killed by a signal" -- slab-at-max
	printf '#!/bin/sh\necho "QEMU emulator version 7.2.0"\n' >bin/qemu-system-x86_64
	(trap '' CHLD; wring run --where=vm --dry-run slab-at-max >out)
	head -c 200000 /dev/zero >>bzImage
	(ulimit -f 100; wrong_run "too large" -- slab-at-max)
}

@test "runs that are not there" {
	mkdb ok ok
	wrong "nothing-such" -- export --db=made.db nothing-such
	wrong "nothing-such" -- check --db=made.db nothing-such
	wrong "'99'" -- check --db=made.db 99
	wrong "abcdef" "2 runs begin with" -- show --db=made.db abcdef
}

# ---- wring load ----

@test "load: workloads, options and values that are none" {
	wrong_load name list --
	wrong_load nosuch list -- nosuch
	wrong_load --fs=ntfs ext4 xfs tmpfs -- dentry --fs=ntfs
	wrong_load --mem-policy=some bind interleave preferred -- anon --mem-nodes=0 --mem-policy=some
	wrong_load --mem-policy --mem-nodes -- anon --mem-policy=interleave
	wrong_load --threads "1 to 256" -- anon --threads=0
	wrong_load --procs "1 to 1024" -- anon --procs=1025
	wrong_load --high 1Q -- dentry --high=1Q
	wrong_load --duration 30s -- dentry --duration=5
	wrong_load --duration=24h "1ms to 23h" -- dentry --duration=24h
	wrong_load --duration=1ns "1ms to 23h" -- dentry --duration=1ns
	wrong_load nosuch footprint=64M -- dentry -- nosuch
	wrong_load --max=1G "before the --" -- dentry -- --max=1G
	wrong_load nosuch name-length -- dentry -- nosuch=1
	wrong_load --set -- dentry --set=a.b=c
	# what run refuses, load refuses
	wrong_load --accel=warp kvm -- dentry --accel=warp
	wrong_load --timeout 30s -- dentry --timeout=5
}

@test "load: nodes that are not there, and which there are" {
	wrong_load --nodes=7 "nodes 0-1" --guest-nodes -- dentry --nodes=7
	wrong_load --mem-nodes=0-2 "nodes 0-1" -- dentry --mem-nodes=0-2
	wrong_load --nodes=1 "node 0;" -- dentry --nodes=1 --guest-nodes=1
	wrong_load --nodes=0,5 "nodes 0-3" -- dentry --nodes=0,5 --guest-nodes=4
	wrong_load --guest-nodes=5 --cpus=4 -- dentry --guest-nodes=5
	wrong --nodes=900 "this host has node" -- load anon --nodes=900 --where=host --db=new.db
	# and in a scenario of one's own
	sed 's/^group = work$/&\ncpu-nodes = 0,4/' good.ini >nodes.ini
	wrong_run nodes.ini:17 "'0,4'" "nodes 0-1" --nodes=N -- ./nodes.ini
}

@test "load: what the OOM killer would have to end, unless it is meant" {
	wrong_load "128M" "--max=64M" footprint= --oom-ok -- anon --max=64M -- footprint=128M
	wrong_load "64M" "--max=32M" -- anon --max=32M
	wrong_load "64M" "--max=40M" -- anon --max=40M --procs=2 -- footprint=32M
	wrong_load "96M" "--max=64M" -- anon --max=64M --threads=3 -- footprint=32M
	wrong_load "more than" -- anon --procs=1024 --threads=256 --groups=1024 -- footprint=4194304T
	wrong_load "4G" "2G that the guest has" --max=SIZE -- anon -- footprint=4G
	wrong_load "1.5G" "1G" -- shmem --memory=1G --groups=3 -- footprint=512M
	for args in "anon --max=64M --oom-ok -- footprint=128M" "anon --max=64M -- footprint=60M" "dentry --max=32M -- footprint=8G" \
		"anon --max=64M -- objects=1000" "anon --high=32M" "anon --groups=2 --max=64M -- footprint=64M" "rcu-free --max=32M -- footprint=4G"; do
		# shellcheck disable=SC2086
		run -0 wring load --where=vm --dry-run $args
	done
}

@test "manual: what it does not know" {
	wrong workloads detectors -- manual nosuch
}
