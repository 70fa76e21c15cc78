# SPDX-License-Identifier: GPL-3.0-or-later
# A thousand cgroups in one run.

load ../helper

setup() { wring_setup; needs_vm; }
teardown() { wring_teardown; }

sample() { sqlite3 -cmd ".load $WRING_BUILD/wringsql" "$DB" "$1"; }

@test "1,000 leaf cgroups: made, loaded, sampled and removed" {
	run wring_run "$controls/thousand.ini"
	echo "$output"
	sql "SELECT verdict, class, evidence FROM finding WHERE verdict <> 'pass'"
	[ "$status" = 0 ]
	[ "$(sql "SELECT count(DISTINCT subject) FROM events WHERE kind = 'group' AND text = 'created' AND subject LIKE 'pool/leaf%'")" = 1000 ]
	[ "$(sql "SELECT count(*) FROM events WHERE kind = 'load' AND text = 'start procs=1000'")" = 1 ]
	[ "$(sql "SELECT count(*) FROM events WHERE kind = 'load' AND text LIKE 'exit % code=0'")" = 1000 ]
	# each was seen full, by each of its samplers
	[ "$(sample "SELECT count(DISTINCT subject) FROM sample WHERE sampler = 'memory' AND key = 'current' AND value >= 131072")" -ge 1000 ]
	[ "$(sample "SELECT count(DISTINCT subject) FROM sample WHERE sampler = 'memory.stat' AND key = 'anon' AND value >= 131072")" -ge 1000 ]
	# 32 objects of 4K each, and no thread that never ran
	[ "$(sample "SELECT count(DISTINCT key) FROM sample WHERE sampler = 'load-threads' AND value > 0")" = 1000 ]
	sql "SELECT text FROM events WHERE kind IN ('error', 'lost', 'gap') OR (kind = 'warn' AND subject = 'teardown')" | tee "$T/bad"
	[ ! -s "$T/bad" ]
	# all below the root are gone at the end
	[ "$(sample "SELECT value FROM sample WHERE sampler = 'cgroup.stat' AND key = 'nr_descendants' ORDER BY t_s DESC LIMIT 1")" = 0 ]
	nothing_left
}
