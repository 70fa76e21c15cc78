# SPDX-License-Identifier: GPL-3.0-or-later
# What the end-to-end tests share. $WRING_BUILD: the build folder (default: build/ beside the sources). $WRING_KERNEL: the
# kernel to boot (default: the one ./quickstart left there). $WRING_ACCEL: default tcg. $WRING_CACHE: downloads.
bats_require_minimum_version 1.5.0

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
controls=$top/tests/controls
: "${WRING_BUILD:=$top/build}"
: "${WRING_ACCEL:=tcg}"
export WRING_CACHE=${WRING_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/wring}
if [ -z "${WRING_KERNEL:-}" ]; then
	WRING_KERNEL=$WRING_BUILD/kernel
	[ -e "$WRING_KERNEL" ] || WRING_KERNEL=$top/build/kernel
fi
export WRING_KERNEL

# ---- each test: a folder of its own, and a word in the environment of all that wring starts ----

wring_setup() {
	[ -x "$WRING_BUILD/wring" ] || { echo "no $WRING_BUILD/wring: run make, or set WRING_BUILD"; return 1; }
	T=$BATS_TEST_TMPDIR
	mkdir -p "$T/tmp"
	TOKEN=wring-e2e-$$-$RANDOM$RANDOM
	DB=$T/t.db
	JSON=$T/t.json
	PID=
	CGROUPS=$(wring_cgroups)
	TMPS=$(wring_tmps)
	SECONDS=0
}

wring_teardown() {
	local pid

	# what a test proves about a detector counts once the whole test has passed
	if [ "${BATS_TEST_COMPLETED:-}" = 1 ] && [ -n "${WRING_CONTROLS:-}" ] && [ -s "$T/proven" ]; then
		cat "$T/proven" >>"$WRING_CONTROLS"
	fi

	for pid in $(processes); do
		kill -KILL "$pid" 2>/dev/null || true
	done
	echo "# ${SECONDS}s: $BATS_TEST_DESCRIPTION" >&3
}

needs_vm() {
	command -v qemu-system-x86_64 >/dev/null || skip "no qemu-system-x86_64"
	[ -e "$WRING_KERNEL" ] || skip "no kernel: ./quickstart gets one, or set WRING_KERNEL"
}

# Debian's 6.1: $WRING_KERNEL_61 names it; else the package is downloaded.
needs_kernel_61() {
	local package dir=$WRING_CACHE/kernels

	if [ -z "${WRING_KERNEL_61:-}" ]; then
		package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-6\.1\..*\)/\1/p')
		[ -n "$package" ] || skip "no WRING_KERNEL_61, and this archive has no kernel 6.1"
		mkdir -p "$dir"
		[ -e "$(echo "$dir/${package}"_*.deb)" ] || (cd "$dir" && apt-get download "$package" >/dev/null 2>&1) || skip "cannot download $package"
		WRING_KERNEL_61=$(echo "$dir/${package}"_*.deb)
	fi
	export WRING_KERNEL_61
}

# The release of the kernel under test, as wring finds it.
kernel_release() {
	local image

	for image in "$WRING_KERNEL"/boot/vmlinuz-*; do
		[ -e "$image" ] && echo "${image##*/vmlinuz-}" && return
	done
	basename "$WRING_KERNEL" | sed -n 's/^linux-image-\([^_]*\)_.*\.deb$/\1/p'
}

# The fault modules, built once for each kernel release, beside copies of the scenarios that carry them.
needs_fault_modules() {
	local release out status=0

	release=$(kernel_release)
	[ -n "$release" ] || skip "the fault modules need a Debian kernel, and $WRING_KERNEL does not tell its release"
	out=$BATS_FILE_TMPDIR/modules-$release
	[ -e "$out/hang.ko" ] || "$controls/build-module.sh" "$release" "$out" >"$T/module.log" 2>&1 || status=$?
	[ $status -ne 77 ] || skip "$(tail -1 "$T/module.log")"
	[ $status -eq 0 ] || { cat "$T/module.log"; return 1; }
	cp "$out"/*.ko "$T"
	cp "$controls"/*.ini "$T"
}

# with_fault SCENARIO MODULE [KEY=VALUE...] [+ ...]: $T/SCENARIO.ini, a shipped scenario (or one of tests/controls) that begins
# with planting this fault, or several. `sysctl KEY VALUE` is a fault, too, which goes with the scenario; a module stays in its guest.
with_fault() {
	local scenario=$1 from=$top/workloads/scenarios/$1.ini

	shift
	[ -e "$from" ] || from=$controls/$scenario.ini
	awk -v faults="$*" '
		BEGIN {
			n = split(faults, fault, " [+] ")
			for (i = 1; i <= n; i++) {
				split(fault[i], word, " ")
				is_module = word[1] != "sysctl"
				carry = carry (is_module ? " " word[1] ".ko" : "")
				steps = steps (i == 1 ? "do = " : "  ") (is_module ? "module " word[1] ".ko" substr(fault[i], length(word[1]) + 1) : fault[i]) "\n"
			}
		}
		/^\[phase / && !planted++ { print "[phase plant]\n" steps }
		{ print }
		$0 == "[scenario]" && carry { print "carry =" carry }' "$from" >"$T/$scenario.ini"
}

# own_boot SCENARIO...: $T/SCENARIO.ini gets a guest of its own, so that faults which disturb each other share a call.
own_boot() {
	local s

	for s in "$@"; do
		grep -q '^needs = ' "$T/$s.ini" || sed -i 's/^\[scenario\]$/&\nneeds = memcg/' "$T/$s.ini"
		sed -i '/fresh-boot/!s/^needs = .*/& fresh-boot/' "$T/$s.ini"
	done
}

# named SCENARIO NAME: $T/SCENARIO.ini becomes $T/NAME.ini, so that two faults in one scenario share a call.
named() {
	sed "s/^name = .*/name = $2/" "$T/$1.ini" >"$T/$2.ini"
}

# ---- where no guest is booted ----

# A QEMU that starts nothing and tells on whoever starts it, in $T/started.
stub_qemu() {
	mkdir -p "$T/bin"
	printf '#!/bin/sh\n[ "$1" = --version ] && echo "QEMU emulator version 7.2.0" && exit 0\necho "$*" >>"%s"\nexit 1\n' "$T/started" \
		>"$T/bin/qemu-system-x86_64"
	chmod +x "$T/bin/qemu-system-x86_64"
	PATH=$T/bin:$PATH
}

# A setup header as of Documentation/arch/x86/boot.rst, and zeros.
stub_kernel() {
	python3 - "$1" <<-'END'
		import struct, sys
		image = bytearray(4096)
		image[0x1f1] = 1
		struct.pack_into("<IH", image, 0x1f4, 3072 // 16, 0)
		struct.pack_into("<H4sH", image, 0x1fe, 0xaa55, b"\0\0Hd", 0)
		struct.pack_into("<4sH", image, 0x202, b"HdrS", 0x020f)
		struct.pack_into("<H", image, 0x20e, 0x300 - 0x200)
		image[0x211] = 1
		image[0x300:0x310] = b"6.12.0-stub #1\0\0"
		open(sys.argv[1], "wb").write(image)
	END
}

# ---- running wring ----

run_options=(--where=vm --accel="$WRING_ACCEL" --kernel="$WRING_KERNEL")

wring() {
	WRING_E2E=$TOKEN TMPDIR=$T/tmp "$WRING_BUILD/wring" "$@" 3>&-
}

# In a guest, into $DB and $JSON.
wring_run() {
	wring run "${run_options[@]}" --db="$DB" --json="$JSON" "$@"
}

# The same in the background, in a process group of its own: $PID.
wring_run_in_background() {
	WRING_E2E=$TOKEN TMPDIR=$T/tmp setsid "$WRING_BUILD/wring" run "${run_options[@]}" --db="$DB" --json="$JSON" "$@" \
		>"$T/out" 2>&1 3>&- &
	PID=$!
}

# Waits for $PID: its exit code must be $1.
exit_is() {
	local code=0

	within 120 gone "$PID"
	wait "$PID" || code=$?
	[ "$code" -eq "$1" ] || { echo "exit code $code instead of $1"; cat "$T/out"; return 1; }
}

# within SECONDS COMMAND...: until it succeeds; the deadline is a failure.
within() {
	local limit=$(($(now_ms) + $1 * 1000))

	shift
	until "$@"; do
		[ "$(now_ms)" -lt "$limit" ] || { echo "not in time: $*"; cat "$T/out" 2>/dev/null; return 1; }
		read -rt 0.05 <> <(:) || true
	done
}

gone() { ! [ -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }
now_ms() { date +%s%3N; }

# ---- what is there ----

# All processes that wring started in this test, wring included.
processes() {
	local f pid

	for f in /proc/[0-9]*/environ; do
		pid=${f#/proc/}
		pid=${pid%/environ}
		if tr '\0' '\n' 2>/dev/null <"$f" | grep -qx "WRING_E2E=$TOKEN"; then
			gone "$pid" || echo "$pid"
		fi
	done 2>/dev/null
}

qemu_pid() {
	local pid

	for pid in $(processes); do
		case $(readlink "/proc/$pid/exe") in
		*/qemu-system-*) echo "$pid"; return 0 ;;
		esac
	done
	return 1
}

wring_cgroups() { find /sys/fs/cgroup -maxdepth 3 -type d -name 'wring-[0-9]*' 2>/dev/null | sort; }
wring_tmps() { find /tmp /run/wring -maxdepth 1 \( -name 'wring-[0-9]*' -o -path '/run/wring/*' \) 2>/dev/null | sort; }
no_processes() { [ -z "$(processes)" ]; }

# No process (so no memfd either), no temporary file, no cgroup. The dead have a second to go.
nothing_left() {
	within "${1:-1}" no_processes || { ps -o pid,stat,args -p "$(processes | paste -sd,)"; return 1; }
	[ -z "$(ls -A "$T/tmp")" ] || { echo "left in TMPDIR:"; ls -lA "$T/tmp"; return 1; }
	[ "$(wring_tmps)" = "$TMPS" ] || { echo "left in /tmp: $(wring_tmps)"; return 1; }
	[ "$(wring_cgroups)" = "$CGROUPS" ] || { echo "left cgroups: $(wring_cgroups)"; return 1; }
}

sql() { sqlite3 -cmd '.timeout 5000' "file:$DB?mode=ro" "$1"; }

# The database opens, is sound, and wring can judge its runs again.
db_is_sound() {
	[ "$(sqlite3 "$DB" 'PRAGMA integrity_check')" = ok ]
	[ -z "$(sqlite3 "$DB" 'PRAGMA foreign_key_check')" ]
}

has_mark() { [ "$(sql "SELECT count(*) FROM event WHERE kind = 'mark' AND subject = '$1'" 2>/dev/null)" -gt 0 ] 2>/dev/null; }
outcome_of() { sql "SELECT outcome FROM run WHERE scenario = '$1' ORDER BY id DESC LIMIT 1"; }
reason_of() { sql "SELECT reason FROM run WHERE scenario = '$1' ORDER BY id DESC LIMIT 1"; }
newest_sample_ns() {
	sql "SELECT max(t_last) FROM chunk JOIN segment ON segment.id = segment JOIN source ON source.id = source
	     JOIN run ON run.id = source.run WHERE scenario = '$1'"
}

# Milliseconds between the newest stored sample of the scenario $1 and the moment $2 (now_ms). The agent's clock and ours
# meet in the run's begin: our time of it, and the agent's of the first event behind it.
lost_ms() {
	local started first newest

	started=$(date -d "$(sql "SELECT started FROM run WHERE scenario = '$1'")" +%s%3N)
	first=$(sql "SELECT min(t_ns) FROM event JOIN run ON run.id = event.run WHERE scenario = '$1'")
	newest=$(newest_sample_ns "$1")
	echo $(($2 - started - (newest - first) / 1000000))
}

lost_at_most_a_second() {
	local lost

	lost=$(lost_ms "$1" "$2")
	echo "lost: $lost ms"
	[ "$lost" -le 1000 ]
}

# finding SCENARIO DETECTOR CLASS VERDICT: it is in the JSON document. CLASS '*': any.
finding() {
	jq -e --arg s "$1" --arg d "$2" --arg c "$3" --arg v "$4" 'any(.runs[] | select(.scenario == $s) | .findings[];
		($d == "*" or .detector == $d) and ($c == "*" or .class == $c) and .verdict == $v)' "$JSON" >/dev/null ||
		{ echo "no finding $2/$3 $4 of $1"; findings; return 1; }
	case $4 in fail | pass) proves "$@" ;; esac
}

# What this test proves about a detector, for docs/controls.tsv (see runtests): detector, verdict, class, scenario, test, kernel, day.
proves() {
	[ -n "${WRING_CONTROLS:-}" ] || return 0
	jq -r --arg s "$1" --arg d "$2" --arg c "$3" --arg v "$4" --arg t "$BATS_TEST_DESCRIPTION" '.runs[] | select(.scenario == $s) | . as $r |
		.findings[] | select(($d == "*" or .detector == $d) and ($c == "*" or .class == $c) and .verdict == $v) |
		[.detector, $v, .class, $s, $t, $r.kernel.release, $r.started[:10]] | @tsv' "$JSON" >>"$T/proven"
}

no_failure() {
	jq -e --arg s "$1" 'all(.runs[] | select(.scenario == $s) | .findings[]; .verdict != "fail")' "$JSON" >/dev/null ||
		{ echo "a failure in $1"; findings; return 1; }
}

findings() {
	jq -r '.runs[] | .scenario as $s | "\(.scenario): \(.outcome) \(.reason)",
		(.findings[] | "  \(.verdict) \(.detector)/\(.class): \(.value) \(.limit) \(.evidence)")' "$JSON"
}

evidence() {
	jq -r --arg s "$1" --arg d "$2" '.runs[] | select(.scenario == $s) | .findings[] | select(.detector == $d) | .evidence' "$JSON"
}
