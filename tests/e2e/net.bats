# SPDX-License-Identifier: GPL-3.0-or-later
# sock-traffic and latency-probe: every message and every operation that was due is accounted for, what fails is told by call,
# and on a kernel under test a neighbour that takes the network's memory shows as the victim's goodput.

load helper

setup_file() {
	make -s -C "$WRING_BUILD" tests/e2e/loadrun >&2
	command -v qemu-system-x86_64 >/dev/null && [ -e "$WRING_KERNEL" ] || return 0
	export OUT=$BATS_FILE_TMPDIR
	(cd "$OUT" && probe_scenario >probe.ini && traffic_scenario >traffic.ini && starve_scenario >starve.ini)
	"$WRING_BUILD/wring" run "$OUT"/{probe,traffic,starve}.ini "${run_options[@]}" --db="$OUT/t.db" --quiet >"$OUT/out" 2>&1 || true
}

# ---- one process, here, without a kernel under test ----

# loaded STOP-MS WORKLOAD key=value...: its counters are in the array V.
loaded() {
	declare -gA V=()
	local key value

	mkdir -p "$BATS_TEST_TMPDIR/dir"
	(cd "$BATS_TEST_TMPDIR/dir" && ${NETNS:-} "$WRING_BUILD/tests/e2e/loadrun" "$WRING_BUILD/wring-load" "$@") >"$BATS_TEST_TMPDIR/counters"
	echo "$*: $(paste -sd' ' "$BATS_TEST_TMPDIR/counters")"
	while read -r key value; do
		[ "$key" != failed ] || key="failed ${value% *}" value=${value##* }
		V[$key]=$value
	done <"$BATS_TEST_TMPDIR/counters"
	[ "${V[word]}" = d ]
	[ -z "$(ls -A "$BATS_TEST_TMPDIR/dir")" ]
}

@test "latency-probe: as many latencies as rate x duration, whatever it does" {
	for kind in fault open socket pipe all; do
		loaded 0 latency-probe kind=$kind rate=1000 duration=500ms
		[ "${V[latencies]}" = 500 ]
		[ $((V[ops] + V[dropped])) = 500 ]
		[ "${V[ops]}" -gt 0 ]
		[ "${V[errors]}" = 0 ]
	done
}

@test "latency-probe: what of its operations was sleep is told when asked for, and is less than they took" {
	loaded 0 latency-probe kind=all rate=1000 duration=300ms
	[ "${V[slept]}" = 0 ]
	loaded 0 latency-probe kind=all rate=1000 duration=300ms slept=yes
	[ "${V[slept]}" -ge "${V[ops]}" ]
	[ "${V[slept]}" -le "${V[latencies]}" ]
	[ "${V[slept_max]}" -le "${V[latency_max]}" ]
}

@test "latency-probe: a rate that no machine can do: what was due and not done has its latency too" {
	loaded 0 latency-probe kind=fault pages=512 rate=100000 duration=300ms
	[ "${V[latencies]}" = 30000 ]
	[ "${V[dropped]}" -gt 0 ]
	[ $((V[ops] + V[dropped])) = 30000 ]
	# the last that was due waited behind all the others
	[ "${V[latency_max]}" -gt 50000000 ]
}

@test "latency-probe: stopped, also when the next operation is far away" {
	loaded 300 latency-probe rate=1000 duration=0s
	[ "${V[latencies]}" = $((V[ops] + V[dropped])) ]
	loaded 300 latency-probe rate=1 duration=1h
	[ "${V[ops]}" = 1 ]
	[ "${V[latencies]}" = 1 ]
}

@test "what was due and not done is accounted for at once, were it millions" {
	loaded 500 latency-probe kind=fault pages=4096 rate=1000000 duration=0s
	[ "${V[latencies]}" = $((V[ops] + V[dropped])) ]
	[ "${V[dropped]}" -gt 300000 ]
	loaded 500 sock-traffic proto=unix-stream read=no rate=10000000 links=3 duration=0s
	[ "${V[latencies]}" = "${V[dropped]}" ]
	[ "${V[dropped]}" -gt 4000000 ]
}

@test "sock-traffic: as fast as it goes, all that is sent arrives" {
	for proto in tcp udp unix-stream unix-dgram; do
		loaded 0 sock-traffic proto=$proto duration=300ms links=3 message=1000
		[ "${V[ops]}" -gt 0 ]
		[ "${V[moved]}" = $((V[ops] * 1000)) ]
		[ "${V[latencies]}" = "${V[ops]}" ]
		[ "${V[inflight]}" = 0 ]
		[ "${V[errors]}" = 0 ]
	done
}

@test "sock-traffic: at a rate, every message that was due arrived or is known to be lost" {
	for proto in tcp udp unix-stream unix-dgram; do
		loaded 0 sock-traffic proto=$proto duration=500ms rate=2000 links=2
		[ $((V[ops] + V[dropped])) = 1000 ]
		[ "${V[ops]}" -gt 0 ]
		[ "${V[inflight]}" = 0 ]
	done
}

@test "sock-traffic: nobody reads: what the buffers take is in flight, the rest is dropped" {
	for proto in tcp udp unix-stream unix-dgram; do
		loaded 0 sock-traffic proto=$proto duration=500ms rate=4000 read=no buffer=64K message=2000
		[ "${V[ops]}" = 0 ]
		[ "${V[moved]}" = 0 ]
		[ "${V[dropped]}" -gt 0 ]
		[ "${V[inflight]}" -gt 0 ]
		# the message of a stream that is stuck halfway is not sent
		[ $((V[dropped] + V[inflight] / 2000)) = 2000 ]
		# closed at the end, so nothing is on its way any more
		grep -q '^after inflight 0 ' "$BATS_TEST_TMPDIR/counters"
	done
}

@test "sock-traffic: messages larger than what a stream takes at once come out whole" {
	for proto in tcp unix-stream; do
		loaded 0 sock-traffic proto=$proto duration=300ms message=65000 buffer=8K
		[ "${V[ops]}" -gt 0 ]
		[ "${V[latencies]}" = "${V[ops]}" ]
		# the last one may be cut by the end
		[ $((V[moved] / 65000)) = "${V[ops]}" ]
	done
}

# In a network of its own whose loopback is disturbed meanwhile: while_disturbed COMMAND COMMAND STOP-MS WORKLOAD...
while_disturbed() {
	unshare -rn true 2>/dev/null && command -v ip >/dev/null || skip "no network namespace of its own here, or no ip(8)"
	{
		echo '#!/bin/sh'
		echo "(sleep 0.5; $1; sleep 0.5; $2) 2>/dev/null &"
		echo '"$@"; code=$?; wait; exit $code'
	} >"$BATS_TEST_TMPDIR/netns"
	chmod +x "$BATS_TEST_TMPDIR/netns"
	NETNS="unshare -rn $BATS_TEST_TMPDIR/netns"
	shift 2
	loaded "$@"
}

@test "sock-traffic: datagrams that never come to a socket are counted at the end" {
	while_disturbed "ip link set lo down" "ip link set lo up" 0 sock-traffic proto=udp rate=1000 duration=2s
	[ "${V[dropped]}" -gt 0 ]
	[ $((V[ops] + V[dropped])) = 2000 ]
}

@test "sock-traffic: a stream that is held up falls behind, and its latencies tell" {
	while_disturbed "ip link set lo down" "ip link set lo up" 0 sock-traffic proto=tcp rate=1000 duration=4s
	[ $((V[ops] + V[dropped] + V[inflight] / 1400)) = 4000 ]
	[ "${V[latency_max]}" -gt 400000000 ]
	[ "${V[errors]}" = 0 ]
}

@test "sock-traffic: failures are told by call and error, and a broken link is made again" {
	while_disturbed "ip addr del 127.0.0.1/8 dev lo" "ip addr add 127.0.0.1/8 dev lo" 0 sock-traffic proto=udp rate=1000 duration=3s
	[ "${V["failed sendmsg ENETUNREACH"]}" -ge 1 ]
	[ "${V["failed bind EADDRNOTAVAIL"]}" -ge 1 ]
	# it went on afterwards
	[ "${V[ops]}" -gt 2000 ]
	[ $((V[ops] + V[dropped])) = 3000 ]
}

# ---- in a guest ----

head_of() { printf '[scenario]\nname = %s\nneeds = memcg\ntimeout = 120s\n[group limited]\nmemory.max = 64M\n[group twin]\n' "$1"; }

samples() { printf '[sample load]\nrate = 20\n[sample load-latency]\nrate = 10\n[sample load-errors]\nrate = 10\n'; }

# Four probes under a limit, and the twin of one of them outside. For a while the kernel has no memory to promise.
probe_scenario() {
	local kind

	head_of probe
	for kind in fault open socket pipe; do
		printf '[load %s]\nworkload = latency-probe\ngroup = limited\nkind = %s\nrate = 100\nduration = 2s\n' $kind $kind
	done
	printf '[load twin]\nworkload = latency-probe\ngroup = twin\nrate = 100\nduration = 2s\n'
	printf '[load denied]\nworkload = latency-probe\ngroup = twin\nrate = 100\nduration = 2s\n'
	samples
	printf '[phase run]\ndo = start fault open socket pipe twin\n  wait fault 60s\n  wait open\n  wait socket\n  wait pipe\n  wait twin\n  mark done\n'
	printf '[phase denied]\ndo = start denied\n  sysctl vm.overcommit_ratio 0\n  sysctl vm.overcommit_memory 2\n  hold 300ms\n'
	printf '  sysctl vm.overcommit_memory 0\n  wait denied\n'
}

traffic_scenario() {
	local proto

	head_of traffic
	for proto in tcp udp unix-stream unix-dgram; do
		printf '[load %s]\nworkload = sock-traffic\ngroup = limited\nproto = %s\nduration = 1s\n' $proto $proto
	done
	printf '[load two]\nworkload = sock-traffic\ngroup = limited\nproto = tcp\nduration = 1s\nrate = 200\nthreads = 2\n'
	samples
	printf '[phase run]\ndo = start tcp\n  wait tcp\n  start udp\n  wait udp\n  start unix-stream\n  wait unix-stream\n'
	printf '  start unix-dgram\n  wait unix-dgram\n  start two\n  wait two\n  mark done\n'
}

# The memory that all sockets of a kind may have is little, and a neighbour takes it. UNIX sockets, which are not meant, tell
# meanwhile how much the guest gets to run. The hog of TCP never has what it wants: its wait ends by the deadline.
starve_scenario() {
	local proto

	head_of starve
	printf '[sysctl]\nnet.ipv4.udp_mem = 2000 2000 2000\nnet.ipv4.tcp_mem = 1000 1400 1600\n'
	for proto in tcp udp unix-stream; do
		printf '[load %s]\nworkload = sock-traffic\ngroup = twin\nproto = %s\nduration = 0s\n' $proto $proto
	done
	printf '[load udp-hog]\nworkload = sock-udp\ngroup = limited\nfootprint = 16M\n'
	printf '[load tcp-hog]\nworkload = sock-tcp\ngroup = limited\nfootprint = 32M\n'
	samples
	printf '[phase twin]\ndo = start unix-stream\n'
	for proto in udp tcp; do
		printf '[phase %s]\ndo = start %s\n  mark %s-start\n  hold 1s\n  mark %s-alone\n  start %s-hog\n  wait %s-hog 15s\n' $proto $proto $proto $proto $proto $proto
		# what the hog of TCP got hold of is now and then just less than there is: now it is more
		[ $proto = udp ] || printf '  sysctl net.ipv4.tcp_mem 800 1000 1000\n'
		printf '  mark %s-full\n  hold 1s\n  mark %s-end\n  stop %s-hog\n  stop %s\n' $proto $proto $proto $proto
	done
}

db() { sqlite3 -cmd ".load $WRING_BUILD/wringsql" "$OUT/t.db" "$1"; }

in_guest() { # SCENARIO: it ran
	needs_vm
	run_id=$(db "select run from runs where scenario = '$1' and outcome = 'ok'")
	[ -n "$run_id" ] || { cat "$OUT/out"; db "select scenario, outcome, reason from runs"; return 1; }
}

last() { db "select coalesce(max(value), 0) from sample where run = $run_id and sampler = '$2' and subject = '$1' and key = '$3'"; }
latencies() {
	db "select coalesce(sum(v), 0) from (select max(value) v from sample where run = $run_id and sampler = 'load-latency'
		and subject = '$1' and key like 'ge.%' group by key)"
}
# Value of a load's key at a mark.
at() {
	db "select s.value from sample s, event e where s.run = $run_id and e.run = $run_id and e.kind = 'mark' and e.subject = '$3'
		and s.sampler = 'load' and s.subject = '$1' and s.key = '$2' and s.t_s >= e.t_ns / 1e9 - 1e-6 order by s.t_s limit 1"
}

@test "guest: each probe's samples are in the store, rate x duration of them" {
	in_guest probe
	for l in fault open socket pipe twin; do
		echo "$l: ops $(last $l load ops) dropped $(last $l load dropped) latencies $(latencies $l) max $(last $l load-latency max_ns)"
		[ "$(latencies $l)" = 200 ]
		[ $(($(last $l load ops) + $(last $l load dropped))) = 200 ]
		[ "$(last $l load errors)" = 0 ]
	done
}

@test "guest: a kernel that has no memory to promise: mmap fails with ENOMEM, and is told so" {
	in_guest probe
	errors=$(last denied load-errors mmap.ENOMEM)
	echo "denied: ops $(last denied load ops) errors $errors dropped $(last denied load dropped)"
	[ "$errors" -gt 0 ]
	[ "$errors" = "$(last denied load errors)" ]
	[ $(($(last denied load ops) + errors + $(last denied load dropped))) = 200 ]
	[ "$(latencies denied)" = 200 ]
}

@test "guest: goodput of each protocol, and with threads" {
	in_guest traffic
	for l in tcp udp unix-stream unix-dgram; do
		echo "$l: ops $(last $l load ops) moved $(last $l load moved_bytes) dropped $(last $l load dropped)"
		[ "$(last $l load ops)" -gt 0 ]
		[ "$(last $l load moved_bytes)" = $(($(last $l load ops) * 1400)) ]
		[ "$(latencies $l)" = "$(last $l load ops)" ]
		[ "$(at $l inflight_bytes done)" = 0 ]
		[ "$(last $l load errors)" = 0 ]
	done
	[ $(($(last two load ops) + $(last two load dropped))) = 400 ]
}

moved() { echo $(($(at "$1" moved_bytes "$3") - $(at "$1" moved_bytes "$2"))); } # LOAD FROM TO

# starved PROTO: what a sibling moves while the neighbour holds the memory, against that alone, each as a share of the twin
starved() {
	local alone starved twin_alone twin_starved

	in_guest starve
	alone=$(moved "$1" "$1-start" "$1-alone") twin_alone=$(moved unix-stream "$1-start" "$1-alone")
	starved=$(moved "$1" "$1-full" "$1-end") twin_starved=$(moved unix-stream "$1-full" "$1-end")
	echo "$1: alone $alone beside $twin_alone, starved $starved beside $twin_starved; dropped $(at "$1" dropped "$1-alone"), then $(at "$1" dropped "$1-end")"
	[ "$alone" -gt 0 ]
	[ "$twin_starved" -gt 0 ]
	[ $((starved * (twin_alone / 1400) * 3)) -lt $((alone * (twin_starved / 1400))) ]
}

@test "guest: a neighbour that takes tcp_mem starves the goodput of a sibling" { starved tcp; }
@test "guest: a neighbour that takes udp_mem starves the goodput of a sibling, whose drops are counted" {
	starved udp
	[ "$(at udp dropped udp-end)" -gt "$(at udp dropped udp-alone)" ]
}
