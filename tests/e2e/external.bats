# SPDX-License-Identifier: GPL-3.0-or-later
# stress-ng and fio as loads: their figures, their deaths, what is refused, and what is missing.

load helper

setup() { wring_setup; needs_vm; command -v stress-ng >/dev/null || skip "no stress-ng"; command -v fio >/dev/null || skip "no fio"; }
teardown() { wring_teardown; }

loads() { "$WRING_BUILD/wring" load --where=vm --accel=tcg --kernel="$WRING_KERNEL" --db="$DB" "$@"; }

scenario() { # NAME, load's lines on stdin
	{
		printf '[scenario]\nname = %s\nneeds = memcg scratch\ndetectors = premature-oom kernel-log\n' "$1"
		printf '[mount scratch]\ntype = ext4\nsize = 300M\n[group work]\nmemory.max = 32M\n[load it]\ngroup = work\n'
		cat
		printf '[sample load]\nrate = 10\n[sample memory.events]\ngroups = work\n[phase p]\ndo = start it\n  wait it 120s\n  stop it\n  aftermath work\n'
	} >"$T/$1.ini"
}

metric() { jq -r --arg s "$1" --arg m "$2" '.runs[] | select(.scenario == $s) | .metrics[] | select(.name == $m) | .value' "$JSON"; }
positive() { [ -n "$(metric "$1" "$2")" ] && jq -en "$(metric "$1" "$2") > 0"; }

@test "stress-ng and fio under memory.max: what they got done is measured" {
	printf 'workload = stress-ng\nprocs = 2\nstressor = dentry\nops = 4000\nargs = --dentries 500\n' | scenario names
	printf 'workload = fio\njob = [global]\n  ioengine=psync\n  size=48m\n  bs=64k\n  [w]\n  rw=write\n  [r]\n  stonewall\n  rw=randread\n' | scenario blocks
	printf 'size=1m\nrw=write\n' >"$T/one.fio"
	printf 'workload = fio\njob-file = one.fio\n' | scenario carried
	sed -i 's/^needs/carry = one.fio\nneeds/' "$T/carried.ini"
	run -0 wring_run "$T/names.ini" "$T/blocks.ini" "$T/carried.ini" --quiet
	[ "$(outcome_of names) $(outcome_of blocks) $(outcome_of carried)" = "ok ok ok" ]
	positive names ops_per_s
	[ "$(metric names it.bogo_ops)" = 8000 ]
	positive names it.nanosecs_per_file_creation
	positive blocks ops_per_s
	positive blocks it.write_bytes_per_s
	positive blocks it.read_latency_p99_ns
	[ "$(metric blocks it.failed_jobs)" = 0 ]
	positive carried it.write_bytes_per_s
	# what it did was charged to its group
	[ "$(sqlite3 -cmd ".load $WRING_BUILD/wringsql" "$DB" "select max(value) > 0 from sample
		where scenario = 'blocks' and sampler = 'memory.events' and subject = 'work' and key = 'max'")" = 1 ]
}

@test "killed for memory: said so, not ok, and judged; unless that is what it is about" {
	printf 'workload = stress-ng\nstressor = vm\nduration = 20s\nargs = --vm-bytes 100m --vm-keep\n' | scenario killed
	printf 'workload = stress-ng\nstressor = vm\nduration = 20s\nmay-be-killed = yes\nargs = --vm-bytes 100m --vm-keep\n' | scenario meant
	printf 'workload = fio\njob = rw=write\n  size=64m\n  bs=64m\n' | scenario big
	run -3 wring_run "$T/killed.ini" "$T/meant.ini" "$T/big.ini" --quiet
	[ "$(outcome_of killed)" = noisy ]
	[[ $(reason_of killed) == "load it: killed for memory in group work while stress-ng ran"* ]]
	[ -z "$(metric killed ops_per_s)" ]
	finding killed premature-oom '*' pass
	[ "$(outcome_of meant)" = ok ]
	[ "$(outcome_of big)" = noisy ]
	[[ $(reason_of big) == *"while fio ran"* ]]
}

@test "a program that fails is broken with its own words; one that cannot do it here is a skip" {
	printf 'workload = stress-ng\nstressor = nosuch\n' | scenario nosuch
	printf 'workload = fio\njob = rw=write\n  size=1m\n  nosuch=1\n' | scenario option
	printf 'workload = stress-ng\nstressor = efivar\nduration = 1s\n' | scenario unable
	printf 'workload = stress-ng\nstressor = rdrand\nduration = 1s\n' | scenario cpu
	printf 'workload = fio\njob-file = cgroup.fio\n' | scenario file
	sed -i 's/^needs/carry = cgroup.fio\nneeds/' "$T/file.ini"
	printf '[x]\nrw=write\nsize=1m\ncgroup=y\n' >"$T/cgroup.fio"
	run -4 wring_run "$T/nosuch.ini" "$T/option.ini" "$T/unable.ini" "$T/cpu.ini" "$T/file.ini" --quiet
	[ "$(outcome_of nosuch)" = broken ]
	[[ $(reason_of nosuch) == *"stress-ng --nosuch ended with 1: "*nosuch* ]]
	[ "$(outcome_of option)" = broken ]
	[[ $(reason_of option) == *"fio ended with 1: "* ]]
	[ "$(outcome_of file)" = broken ]
	[[ $(reason_of file) == *"cgroup: refused: "* ]]
	# exit 3: a guest has no EFI; and an exit 0 without having done anything: rdrand on TCG's CPU
	[ "$(outcome_of unable)" = skip ]
	[[ $(reason_of unable) == *"stress-ng says that efivar "* ]]
	[ "$WRING_ACCEL" != tcg ] || [ "$(outcome_of cpu)" = skip ]
}

@test "a stop ends them early, in order, and what they did until then counts" {
	printf 'workload = stress-ng\nstressor = dentry\nduration = 1h\n' | scenario early
	printf 'workload = fio\njob = rw=write\n  size=4m\n  time_based\n  runtime=3600\n' | scenario sooner
	sed -i 's/^  wait it 120s/  hold 8s/' "$T/early.ini" "$T/sooner.ini"
	run -0 wring_run "$T/early.ini" "$T/sooner.ini" --quiet
	positive early ops_per_s
	positive sooner ops_per_s
}

@test "what reaches outside the group is refused before anything is started: one line, exit 2, no database" {
	local words
	for words in stressor=iomix stressor=mmapfork stressor=dev stressor=cpu-online stressor=bad-ioctl "stressor=../x" instances=2 \
		"stressor=vm|args=--vm-bytes 50%" "stressor=vm|args=-q" "stressor=vm|args=--iomix 1" "stressor=cpu|args=--cpu-online 1" \
		"stressor=vm|args=--no-oom-adjust" "stressor=vm|args=--all 1"; do
		IFS='|' read -ra parts <<<"$words"
		run -2 --separate-stderr loads stress-ng -- "${parts[@]}"
		echo "$words: $stderr"
		[ "${#stderr_lines[@]}" = 1 ]
		[ ! -e "$DB" ]
	done
	for words in job=cgroup=x job=filename=/dev/vda job=directory=../.. job=exec_prerun=true job=ioscheduler=none "job=include /etc/x" ""; do
		run -2 --separate-stderr loads fio -- ${words:+"$words"}
		echo "$words: $stderr"
		[ "${#stderr_lines[@]}" = 1 ]
		[ ! -e "$DB" ]
	done
	run -2 --separate-stderr loads stress-ng -- stressor=iomix
	[[ $stderr == *iomix*drop_caches* ]]
}

@test "a program that is not in PATH: wring load says which package, a scenario is skipped, others run" {
	cp -rs /usr/bin/. "$T/bin"
	rm -f "$T/bin/stress-ng" "$T/bin/fio"
	PATH=$T/bin run -2 --separate-stderr loads stress-ng -- stressor=dentry
	[[ $stderr == *"stress-ng not found: apt-get install stress-ng"* ]]
	[ ! -e "$DB" ]
	printf 'workload = fio\njob = rw=write\n  size=1m\n' | scenario absent
	printf 'workload = null\n' | scenario present
	PATH=$T/bin run -0 wring_run "$T/absent.ini" "$T/present.ini" --quiet
	[ "$(outcome_of absent) $(outcome_of present)" = "skip ok" ]
	[[ $(reason_of absent) == *"fio not found: apt-get install fio"* ]]
}
