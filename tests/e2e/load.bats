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
