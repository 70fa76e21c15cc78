# SPDX-License-Identifier: GPL-3.0-or-later
# The suite must be boring: ten runs on one kernel say the same ten times, and nothing that was judged came near to its limit.
# $WRING_REPEAT: how many runs (default 10).

load ../helper

setup() { wring_setup; needs_vm; }
teardown() { wring_teardown; }

@test "@smoke, ten times: the same verdicts, each value three times its range away from its limit" {
	run wring_run @smoke --reps="${WRING_REPEAT:-10}"
	[ "$status" = 0 ] || { echo "exit code $status"; findings | grep -v '^  pass'; }
	run "$top/tests/e2e/repeat.sh" "$DB"
	echo "$output"
	echo "$output" | sed 's/^/# /' >&3
	[ "$status" = 0 ]
	nothing_left
}

# One boot runs many scenarios: what one leaves behind (full caches, dirty disks, dying cgroups) must not disturb the next.
@test "@full in three random orders: no verdict depends on what ran before" {
	for seed in 1 2 3; do
		run wring_run $(wring list scenarios | awk '{ print $1 }' | shuf --random-source=<(yes $seed))
		echo "order $seed: exit code $status"
	done
	run "$top/tests/e2e/repeat.sh" "$DB" 0
	echo "$output"
	[ "$status" = 0 ]
	nothing_left
}
