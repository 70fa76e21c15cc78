# SPDX-License-Identifier: GPL-3.0-or-later
# wring load: one workload under ad-hoc limits.

load helper

setup() { wring_setup; needs_vm; }
teardown() { wring_teardown; }

loads() { "$WRING_BUILD/wring" load --where=vm --accel=tcg --kernel="$WRING_KERNEL" --db="$DB" "$@"; }

@test "dentries bound to a node: at least 95 % of the growth of slab is on it" {
	run -0 loads dentry --high=32M --nodes=1 --duration=3s
	[[ $output == *ops_per_s* ]]
	sqlite3 -cmd ".load $WRING_BUILD/wringsql" "$DB" "select key, max(value) - min(value) from sample
		where sampler = 'memory.numa_stat' and subject = 'work' and key like 'slab_%' group by key" >"$T/slab"
	cat "$T/slab"
	awk -F'|' '{ all += $2 } /N1/ { on += $2 } END { exit !(all > 16e6 && on >= 0.95 * all) }' "$T/slab"
}

@test "several groups and processes, a rate, and options of the workload" {
	run -0 loads pipe --max=64M --groups=3 --procs=2 --duration=1s --quiet -- footprint=4M rate=500
	[ "$(sqlite3 "$DB" "select count(*) from events where kind = 'limit' and text like 'memory.max=%'")" = 3 ]
	[ "$(sqlite3 "$DB" "select count(*) from events where kind = 'load' and text = 'start procs=6'")" = 1 ]
}

@test "a load that cannot be: one line, exit 2, no database" {
	local words
	for words in "nosuch" "dentry --high=1Q" "dentry --nodes=7" "dentry --duration=5" "dentry --procs=0" "dentry --bogus" \
		"dentry -- nosuch=1" "dentry -- footprint=many" ""; do
		# shellcheck disable=SC2086
		run -2 --separate-stderr loads $words
		echo "$words: $stderr"
		[ "${#stderr_lines[@]}" = 1 ]
		[ ! -e "$DB" ]
	done
}

@test "wring load --list names every workload" {
	run -0 "$WRING_BUILD/wring" load --list
	[[ $output == *dentry* && $output == *sock-tcp* && $output == *thp* ]]
}

sample() { sqlite3 -cmd ".load $WRING_BUILD/wringsql" "$DB" "$1"; }

@test "threads: counters of each, sums of all, latencies of every operation, and on over a restart" {
	run -3 wring_run "$controls/threads.ini"
	sample "SELECT key, max(value) FROM sample WHERE sampler = 'load-threads' AND subject = 'names' GROUP BY key" >"$T/threads"
	cat "$T/threads"
	[ "$(wc -l <"$T/threads")" = 6 ]
	# 500 objects at each of two starts, and what was churned
	awk -F'|' '$2 < 1000 { exit 1 }' "$T/threads"
	ops=$(sample "SELECT max(value) FROM sample WHERE sampler = 'load' AND subject = 'names' AND key = 'ops'")
	[ "$ops" = "$(awk -F'|' '{ n += $2 } END { print n }' "$T/threads")" ]
	[ "$ops" = "$(sample "SELECT sum(n) FROM (SELECT max(value) AS n FROM sample WHERE sampler = 'load-latency' AND subject = 'names'
		AND key LIKE 'ge.%' GROUP BY key)")" ]
	[ "$(sql "SELECT count(*) FROM metric WHERE name = 'names.latency_p99_ns' AND value > 0")" = 1 ]
	[ "$(sql "SELECT count(*) FROM events WHERE kind = 'load' AND text LIKE 'exit % code=0'")" = 5 ]
}

@test "one of four threads that fails ends its process, with its words" {
	run -4 wring_run "$controls/threads.ini" --set=threads.end=error
	[[ $output == *"load failing: null: told to end with an error"* ]]
	nothing_left
}

@test "a census counts what is cached and what is gone, and disturbs nothing" {
	run -4 wring_run "$controls/census.ini" "$controls/no-census.ini"
	sql "SELECT text FROM events WHERE kind = 'census'" >"$T/census"
	cat "$T/census"
	[ "$(grep -c 'cached=2000 gone=0 ' "$T/census")" = 2 ]
	tail -1 "$T/census" | grep 'cached=0 gone=2000 '
	# the sample of each mark `census` is that census
	[ "$(sample "SELECT max(value) FROM sample WHERE sampler = 'load' AND key = 'cached_objects'")" = 2000 ]
	[ "$(sample "SELECT max(value) FROM sample WHERE sampler = 'load' AND key = 'gone_objects'")" = 2000 ]
	[[ $output == *"null: cannot tell whether its objects are still cached"* ]]
}

@test "memory of a load: bound, interleaved, preferred" {
	run -3 wring_run "$controls/mem-policy.ini" --nodes=2
	sample "SELECT subject, key, max(value) FROM sample WHERE sampler = 'memory.numa_stat' AND key LIKE 'anon.N_' GROUP BY 1, 2" >"$T/nodes"
	cat "$T/nodes"
	awk -F'|' '{ on[$1 $2] = $3 / 2^20 }
		END { exit !(on["bindanon.N1"] >= 16 && on["bindanon.N0"] < 1 && on["preferredanon.N1"] >= 16 && on["preferredanon.N0"] < 1 &&
			on["interleaveanon.N0"] > 7 && on["interleaveanon.N1"] > 7) }' "$T/nodes"
}

@test "a clock that is not read through the vDSO is warned of; the default is" {
	run -3 wring_run "$controls/mem-policy.ini" --append=clocksource=acpi_pm
	run -3 wring_run "$controls/mem-policy.ini"
	sql "SELECT run, text FROM events WHERE kind = 'warn' AND subject = 'clocksource'" >"$T/warnings"
	cat "$T/warnings"
	[ "$(wc -l <"$T/warnings")" = 1 ]
	grep '^1|.*(acpi_pm)' "$T/warnings"
	sources=$(sql "SELECT group_concat(value) FROM (SELECT value FROM run JOIN fact USING (boot) WHERE key = 'clocksource' ORDER BY run.id)")
	# tsc-early is the same counter, in the first second
	[[ $sources =~ ^acpi_pm,tsc(-early)?$ ]] || { echo "$sources"; return 1; }
}

@test "a footprint that the OOM killer must end, and is meant: it is killed, and that is no finding" {
	run -0 loads anon --max=24M --oom-ok --duration=1s --quiet -- footprint=64M
	[ "$(sql "SELECT count(*) FROM event WHERE kind = 'load' AND text LIKE '%signal=9%'")" -ge 1 ]
}

@test "threads in each process" {
	run -0 loads dentry --threads=2 --max=64M --duration=1s --quiet -- footprint=8M
}

@test "memory of a node, by a policy" {
	for policy in bind preferred interleave; do
		run -0 loads anon --mem-nodes=1 --mem-policy=$policy --max=64M --duration=1s --quiet -- footprint=16M
	done
}

# What is on the display, line by line, without escape sequences.
shown() { tr '\r' '\n' <"$1" | sed 's/\x1b\[[0-9;?]*[A-Za-z]//g'; }

@test "on a terminal a few lines are rewritten, none wider than it; on a pipe there are plain lines" {
	command -v script >/dev/null || skip "no script"
	local columns
	for columns in 100 40; do
		NO_COLOR=1 TERM=xterm LC_ALL=C.UTF-8 script -qec "stty cols $columns rows 24; $WRING_BUILD/wring load dentry --high=32M --duration=3s \
			--where=vm --accel=tcg --kernel=$WRING_KERNEL --db=$DB >/dev/null" "$T/tty.$columns" >/dev/null </dev/null
		shown "$T/tty.$columns" | grep -E '^ *work|^\[1/1\]' | grep -v measured >"$T/lines"
		head -20 "$T/lines"
		[ "$(wc -l <"$T/lines")" -gt 4 ]
		[ "$(LC_ALL=C.UTF-8 wc -L <"$T/lines")" -lt "$columns" ] # mawk counts bytes
		grep -q 'the guest boots' "$T/lines"
		grep -q ' work .*32M' "$T/lines"
		# in place, and without colours
		grep -q $'\x1b\\[2A' "$T/tty.$columns"
		[ "$(grep -c $'\x1b\\[[0-9;]*m' "$T/tty.$columns")" = 0 ]
	done
	shown "$T/tty.100" | grep -q 'work .*of high 32M .*waits for memory .*OOM kills'
	shown "$T/tty.100" | grep -q 'dentry .*ops/s'
	run -0 --separate-stderr loads dentry --high=32M --duration=1s
	[[ $stderr == *"phase churn"* && $stderr != *$'\x1b'* && $stderr != *$'\r'* ]]
}
