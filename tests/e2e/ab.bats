# SPDX-License-Identifier: GPL-3.0-or-later
# wring ab and wring compare. What needs no guest comes first: a stub stands for QEMU, and figures are put into a database by hand.
bats_require_minimum_version 1.5.0

load helper

setup() {
	wring_setup
	cd "$T" || return 1
	unset WRING_DB
	brief=$controls/brief.ini
}

teardown() {
	wring_teardown
}

stub() {
	stub_qemu
	stub_kernel bzImage
	export WRING_KERNEL=$T/bzImage
}

# wrong WORD... -- ARGUMENT...: one line with each word, exit code 2, no QEMU and no database.
wrong() {
	local words=() word

	while [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	shift
	run -2 --separate-stderr wring "$@" --db=new.db
	[ "${#stderr_lines[@]}" -eq 1 ] || { echo "$stderr"; return 1; }
	for word in "${words[@]}"; do
		[[ $stderr == *"$word"* ]] || { echo "'$word' is not in: $stderr"; return 1; }
	done
	[ ! -e started ] && [ ! -e new.db ]
}

@test "bad input: arms" {
	stub
	wrong "--b=ARM is missing" -- ab slab-at-max
	wrong "equal in everything" "--aa" -- ab --b name=other slab-at-max
	wrong "equal in everything" -- ab --a append=quiet --b append=quiet slab-at-max
	cp bzImage same
	wrong "equal in everything" -- ab --b kernel="$T/same" slab-at-max
	wrong "no --b is accepted" -- ab --aa --b append=x slab-at-max
	wrong "no key 'foo'" "sysctl.KEY" -- ab --b foo=1 slab-at-max
	wrong "no KEY=VALUE" -- ab --b append slab-at-max
	wrong "does not end" -- ab --b 'append="x' slab-at-max
	wrong "cpus" "1 to 255" -- ab --b cpus=0 slab-at-max
	wrong "both arms are called 'x'" -- ab --a name=x --b name=x,append=y slab-at-max
	wrong "no scenario 'nope'" -- ab --b append=x nope
	wrong "arm b" "--set=nope.limit" -- ab --b set.nope.limit=1M slab-at-max
	wrong "--sysctl=x" -- ab --b sysctl.x=1 slab-at-max
	wrong "name a scenario" -- ab --b append=x
}

@test "bad input: options" {
	stub
	wrong "--blocks" "1 to 64" -- ab --blocks=0 --b append=x slab-at-max
	wrong "--boots=3" "even" -- ab --boots=3 --b append=x slab-at-max
	wrong "not both" -- ab --boots=4 --blocks=2 --b append=x slab-at-max
	wrong "4, 6, 8" -- ab --until=verdict --blocks=2 --b append=x slab-at-max
	wrong "verdict is accepted" -- ab --until=noon --b append=x slab-at-max
	wrong "text and mail" -- ab --format=xml --b append=x slab-at-max
	wrong "not both" -- ab --deterministic --no-deterministic --b append=x slab-at-max
	wrong "no database" -- ab --resume
	wrong "only an emulator" -- run --deterministic --accel=kvm slab-at-max
	# a disk of a given speed follows the host's time
	sed 's/^size = 64M/&\nbps = 1M/; s/^\[group work\]/[mount scratch]\ntype = ext4\nsize = 64M\nbps = 1M\n&/' "$brief" >slow.ini
	wrong "slow.ini:" "given speed" -- run --deterministic ./slow.ini
}

@test "the arms' values may have commas; the order is drawn before anything runs" {
	stub
	run -0 wring ab --dry-run --seed=7 --blocks=3 --accel=tcg --b 'append="isolcpus=1,2" a\,b,name=new' "$brief"
	[[ $output == *"## arm new"*"append 'isolcpus=1,2 a,b'"* ]]
	[ "$(grep -Eo '\b[AB]{4}\b' <<<"$output" | wc -l)" -eq 3 ]
	first=$output
	run -0 wring ab --dry-run --seed=7 --blocks=3 --accel=tcg --b 'append="isolcpus=1,2" a\,b,name=new' "$brief"
	[ "$output" = "$first" ]
	[ ! -e wring.db ]
}

@test "two blocks: it says that they cannot reach 5 %" {
	stub
	run -4 --separate-stderr wring ab --no-deterministic --accel=tcg --blocks=2 --b append=x "$brief" --db="$DB"
	[[ $stderr == *"2 blocks cannot reach 5 %: the least p is 0.056; --blocks=3 can"* ]]
}

@test "a guest that does not start: exit 4 with the arm's name, and 125 for git bisect" {
	stub
	run -4 wring ab --accel=tcg -q --a append=y,name=fine --b name=broken,append=x "$brief" --db="$DB"
	[[ $output == *"arm "*"QEMU did not start"* ]]
	run -125 wring ab --bisect --accel=tcg -q --b append=x "$brief" --db="$DB"
	run -125 wring ab --bisect --b nonsense "$brief" --db="$DB"
}

# figures LABEL METRIC UNIT BETTER TIER VALUE...: a run for each value.
figures() {
	local label=$1 metric=$2 unit=$3 better=$4 tier=$5 ids id

	shift 5
	ids=$(sqlite3 "$DB" "SELECT id FROM run WHERE label = '$label' ORDER BY id")
	for id in $ids; do
		[ $# -eq 0 ] || sqlite3 "$DB" "INSERT INTO metric VALUES ($id, (SELECT count(*) FROM metric WHERE run = $id), '$metric', '$unit', $1, '$better', '$tier')"
		shift || true
	done
}

# Six judged runs a side, labelled old and new, on one kernel.
two_sides() {
	[ -x "$WRING_BUILD/tests/e2e/mkdb" ] || make -s -C "$WRING_BUILD" tests/e2e/mkdb >&2
	"$WRING_BUILD/tests/e2e/mkdb" "$DB" ok ok ok ok ok ok ok ok ok ok ok ok
	wring check --db="$DB" >out
	sqlite3 "$DB" "UPDATE run SET label = CASE WHEN id % 2 THEN 'old' ELSE 'new' END; DELETE FROM metric; UPDATE boot SET accel = 'kvm'"
}

@test "compare: a regression, the same, and neither; not interleaved is said on top" {
	two_sides
	figures old lag ms lower primary 100 101 99 100 102 98
	figures new lag ms lower primary 120 121 119 120 122 118
	run -1 wring compare old new --db="$DB" --json="$JSON"
	[[ ${lines[1]} == "NOT INTERLEAVED"* ]]
	[[ $output == *"REGRESSION"* ]]
	jq -e '.comparisons[0] | .verdict == "regression" and .interleaved == false and .blocks == 0 and
		(.metrics[] | select(.name == "lag") | .effect_pct > 19 and .effect_pct < 21 and (.a | length) == 6)' "$JSON"
	# the other way round it is better
	run -0 wring compare new old --db="$DB"
	[[ $output == *improvement* ]]
	run -0 wring compare new old --db="$DB" --format=mail
	[ -z "$(awk 'length > 72' <<<"$output")" ]
	[ -z "$(LC_ALL=C grep -P '[^\x00-\x7f]' <<<"$output")" ]
}

@test "compare: one alike figure too many is the same, a noisy one inconclusive with what would have shown" {
	two_sides
	figures old lag ms lower primary 100 101 99 100 102 98
	figures new lag ms lower primary 60 140 99 170 101 80
	run -3 wring compare old new --db="$DB"
	[[ $output == *"would have shown"* ]]
}

@test "compare: a metric that one side lacks; sides that overlap; runs that are not there" {
	two_sides
	figures old lag ms lower primary 100 101 99 100 102 98
	run -3 wring compare old new --db="$DB"
	[[ $output == *"lag: no value in kernel b"* ]]
	run -2 wring compare old old --db="$DB"
	[[ $output == *"on both sides"* ]]
	run -2 wring compare old nope --db="$DB"
	run -2 wring compare nope --db="$DB"
	[[ $output == *"no comparison 'nope'"* ]]
	run -2 wring compare old new --db=none.db
	[ ! -e none.db ]
	sqlite3 "$DB" 'PRAGMA user_version = 99'
	run -2 wring compare old new --db="$DB"
	[[ $output == *"newer wring"* ]]
	stub
	run -2 wring ab --b append=x "$brief" --db="$DB"
	[[ $output == *"newer wring"* ]]
	[ ! -e started ]
}

@test "compare: a time under TCG is a hint and sets no code; a failure of both sides is pre-existing" {
	two_sides
	sqlite3 "$DB" "UPDATE boot SET accel = 'tcg'; INSERT INTO finding SELECT id, 99, 'accounting', 'parts', 'fail', 1, 0, '', 'planted', '' FROM run"
	figures old lag ms lower primary 100 101 99 100 102 98
	figures new lag ms lower primary 120 121 119 120 122 118
	run -3 wring compare old new --db="$DB"
	[[ $output == *"(regression: work)"* ]]
	[[ $output == *"lag sets no code"* ]]
	[[ $output == *"fails:accounting/parts: 6 of 6 runs of old, 6 of 6 of new: pre-existing"* ]]
	figures old kills count lower primary 0 0 0 0 0 0
	figures new kills count lower primary 0 0 0 0 0 0
	run -0 wring compare old new --db="$DB"
	# one that only the new side has
	sqlite3 "$DB" "DELETE FROM finding WHERE seq = 99 AND run % 2 = 1"
	run -1 wring compare old new --db="$DB"
}

# ---- in guests ----

@test "deterministic: a seed is a run, to the nanosecond, disks and all" {
	needs_vm
	stream() { sqlite3 "$1" "SELECT t_ns, kind, subject, text FROM event ORDER BY id; SELECT t_ns, level, text FROM log ORDER BY id;
		SELECT name, value FROM metric ORDER BY seq; SELECT id, n, t_first, t_last, hex(time) FROM chunk ORDER BY id;
		SELECT id, first, last, hex(v) FROM col ORDER BY id"; }
	for nth in 1 2 3; do
		run -0 wring run --deterministic --seed=$((nth == 3 ? 8 : 7)) --kernel="$WRING_KERNEL" --db=$nth.db -q slab-at-max \
			--set=slab-at-max.limit=16M --set=slab-at-max.footprint=24M
		stream $nth.db >$nth.txt
	done
	[ "$(wc -l <1.txt)" -gt 100 ]
	cmp 1.txt 2.txt
	! cmp -s 1.txt 3.txt
	nothing_left
}

@test "a kernel that does not boot: exit 4, the arm and the last lines of its console" {
	needs_vm
	run -4 wring ab --accel=tcg --kernel="$WRING_KERNEL" -q --b name=broken,append=rdinit=/nothing "$brief" --db="$DB" --seed=3
	[[ $output == *"arm broken (6."*"does not boot"* ]]
	[[ $output == *"Kernel panic"* ]]
	[ "$(sql 'SELECT count(*) FROM comparison')" -eq 0 ]
	nothing_left
}

@test "an interrupted comparison goes on, in the order that was drawn; --resume knows the arguments" {
	needs_vm
	WRING_E2E=$TOKEN TMPDIR=$T/tmp setsid "$WRING_BUILD/wring" ab --accel=tcg --kernel="$WRING_KERNEL" --db="$DB" --seed=5 --boots=2 \
		--b sysctl.vm.swappiness=10 "$brief" >out 2>&1 3>&- &
	PID=$!
	within 120 slots_are 1
	kill -KILL "$PID"
	within 5 no_processes
	[ "$(sql 'SELECT done FROM comparison')" = 0 ]
	before=$(sql 'SELECT slot, b, run FROM comparison_run')
	# another command is another comparison
	run wring ab --resume --db="$DB" --json="$JSON"
	[ "$(sql 'SELECT count(*) FROM comparison')" -eq 1 ]
	[ "$(sql 'SELECT done FROM comparison')" = 1 ]
	[ "$(sql "SELECT slot, b, run FROM comparison_run LIMIT $(wc -l <<<"$before")")" = "$before" ]
	[ "$(sql 'SELECT group_concat(b, "") FROM (SELECT b FROM comparison_run ORDER BY slot)')" = \
		"$(wring ab --dry-run --seed=5 --boots=2 --accel=tcg --kernel="$WRING_KERNEL" --b sysctl.vm.swappiness=10 "$brief" |
			sed -n 's/^order *\([AB]*\).*/\1/p' | tr AB 01)" ]
	[ "$(sql 'SELECT count(*) FROM comparison_run')" -eq 4 ]
	run -2 wring ab --resume --db="$DB"
	[[ $output == *"complete"* ]]
	db_is_sound
	nothing_left
}

slots_are() { [ "$(sql 'SELECT count(*) FROM comparison_run' 2>/dev/null || echo 0)" -ge "$1" ] 2>/dev/null; }

@test "guests side by side: the same seeds give the same figures as one after the other" {
	needs_vm
	for jobs in 1 2; do
		run wring ab --accel=tcg --kernel="$WRING_KERNEL" --db=$jobs.db --seed=5 --boots=2 --jobs=$jobs -q --b sysctl.vm.swappiness=10 "$brief"
		sqlite3 $jobs.db "SELECT slot, b, name, value FROM comparison_run c JOIN metric m ON m.run = c.run ORDER BY 1, 3" >$jobs.txt
	done
	[ -s 1.txt ]
	cmp 1.txt 2.txt
	nothing_left
}
