# SPDX-License-Identifier: GPL-3.0-or-later
# wring on a host of its own, as root and as a user: what it leaves behind when it ends, is interrupted, or is killed.

load helper
load host

setup_file() { host_setup_file slab-at-max dying-memcg high-kmem; }

setup() {
	T=$BATS_TEST_TMPDIR
}

@test "doctor finds that this host can run scenarios" {
	code doctor 0
	grep -qi 'cgroup' "$OUT/doctor.log"
}

@test "root: the scenarios pass on a stock kernel, exit 0, and nothing is left" {
	code root 0
	JSON=$OUT/root.json
	for s in slab-at-max dying-memcg high-kmem; do
		[ "$(jq -r --arg s $s '.runs[] | select(.scenario == $s) | "\(.where) \(.outcome)"' "$JSON")" = "host ok" ]
		no_failure $s
	done
	finding slab-at-max premature-oom '*' pass
	finding dying-memcg dying-memcg '*' pass
	finding high-kmem accounting '*' pass
	clean root
	sound root
}

@test "without --where, a host that can is chosen" {
	code auto 0
	grep -q 'on this host' "$OUT/auto.log"
	clean auto
}

@test "while it runs, nobody else sees its mounts; its cgroups are below one of its own" {
	! grep -e ext4 -e ' tmpfs /tmp/' "$OUT/recorder.during"
	[ "$(grep -c '^/sys/fs/cgroup/wring-[0-9]*$' "$OUT/recorder.during")" -eq 1 ]
	grep -q '/sys/block/loop0/loop/backing_file' "$OUT/recorder.during"
	grep -qx 7 "$OUT/recorder.during"
	grep -qx 93 "$OUT/recorder.during"
	grep -qx 33554432 "$OUT/recorder.during"
}

@test "Ctrl-C: exit 4, nothing is left" {
	code interrupted 4
	[ "$(in_db interrupted 'SELECT outcome, reason FROM run')" = "broken|interrupted by the user" ]
	[ "$(in_db interrupted "SELECT count(*) FROM event WHERE kind = 'guest'")" -eq 0 ]
	clean interrupted
}

@test "the recorder is killed with -9: the agent tidies up, the database is sound" {
	code recorder 137
	clean recorder
	sound recorder
	[ "$(in_db recorder 'SELECT outcome, reason FROM run')" = "broken|not finished" ]
	code recorder-check 4
}

@test "the agent is killed with -9: the recorder tidies up, exit 4" {
	code agent 4
	clean agent
	sound agent
	[ "$(in_db agent 'SELECT outcome, reason FROM run')" = "broken|wring-agent was killed by signal 9" ]
}

@test "both are killed with -9: the next start tidies up" {
	grep -qx 7 "$OUT/both.dead"
	grep -q '^/sys/fs/cgroup/wring-' "$OUT/both.dead"
	code next 0
	clean next
	sound both
	[ "$(in_db both 'SELECT group_concat(outcome) FROM run')" = "broken,ok" ]
	code next-check 4
}

@test "an agent that sends garbage: exit 4" {
	code garbage 4
	jq -r '.runs[0].outcome, .runs[0].reason' "$OUT/garbage.json" | grep -q '^record stream'
	clean garbage
}

@test "a user without a delegated cgroup is told what to do: exit 2" {
	code stranger 2
	grep -q 'systemd-run --user --scope -p Delegate=yes' "$OUT/stranger.log"
}

@test "a user in a delegated cgroup: a scenario passes, exit 0, and nothing is left" {
	code user 0
	JSON=$OUT/user.json
	finding user premature-oom '*' pass
	clean_user user
	[ "$(cat "$OUT/user.groups")" = /sys/fs/cgroup/scope1 ]
}

@test "a user's agent is killed with -9: the recorder tidies up, exit 4" {
	code user-agent 4
	clean_user user-agent
	[ "$(cat "$OUT/user-agent.groups")" = /sys/fs/cgroup/scope2 ]
	sound user-agent
}

@test "both of a user's are killed with -9: the next start removes what the scope's end did not" {
	grep -q '^/tmp/wring-' "$OUT/user-both.dead"
	code user-next 0
	clean_user user-next
	sound user-both
}
