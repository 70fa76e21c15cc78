# SPDX-License-Identifier: GPL-3.0-or-later
# What other people's scripts rely on: commands, options, exit codes, documents. No guest is booted: judging runs over made-up
# databases (mkdb.c).

load helper

setup() {
	wring_setup
	cd "$T" || return 1
	unset WRING_DB
	[ -x "$WRING_BUILD/tests/e2e/mkdb" ] || make -s -C "$WRING_BUILD" tests/e2e/mkdb >&2
}

commands() { wring --help | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p' | grep -vx wring; }
names() { wring list "$1" | sed -n 's/^\([^ ][^ ]*\).*/\1/p'; }
options() { wring "$1" --help | grep -oE '^ +(-.,? )?\s*--[a-z-]+' | grep -oE '\-\-[a-z-]+' | sort -u; }
mkdb() { "$WRING_BUILD/tests/e2e/mkdb" "$@"; }

needs_kernel() { [ -e "$WRING_KERNEL" ] || skip "no kernel: ./quickstart gets one, or set WRING_KERNEL"; }

# ---- help and version ----

@test "--version is the one that configure knows" {
	want=$(sed -n 's/^AC_INIT(\[wring\], \[\([^]]*\)\].*/\1/p' "$top/configure.ac")
	[ "$(wring --version)" = "wring $want" ]
}

@test "every command has help, on stdout, with exit 0; no argument at all is a mistake" {
	wring --help >out 2>err
	[ ! -s err ]
	[ "$(commands | wc -l)" -ge 7 ]
	for c in $(commands); do
		wring "$c" --help >out 2>err
		head -1 out | grep -q "^Usage: wring $c"
		[ ! -s err ]
		[ "$(tail -c1 out | od -An -c | tr -d ' ')" = '\n' ]
	done
	run -2 wring
}

# Options only ever come on top: what a script may say today, it may say tomorrow.
@test "the options of each command are the documented ones, no more and no less" {
	declare -A want=(
		[run]="accel append budget cpus db deterministic dry-run dump-guest gdb help json keep-guest kernel known label long memory nodes quiet reps seed set sysctl timeout verbose where"
		[load]="accel append cpus db deterministic dry-run dump-guest duration fs gdb groups guest-nodes help high json keep-guest kernel known label list low max mem-nodes
			mem-policy memory min nodes oom-ok procs quiet reps seed swap-max sysctl threads timeout verbose where"
		[ab]="a aa accel append b bisect blocks boots cpus db deterministic dry-run format help jobs json kernel known label long memory
			no-deterministic nodes quiet resume seed set sysctl timeout until verbose where"
		[compare]="db format help json"
		[check]="db help json known"
		[export]="build db format help origin output"
		[report]="db format help output"
		[db]="days db dry-run help keep-failed"
		[list]="db help"
		[show]="db help"
	)
	for c in "${!want[@]}"; do
		diff <(printf -- '--%s\n' ${want[$c]} | sort) <(options "$c") || { echo "options of $c"; return 1; }
	done
}

# "wring run @smoke --kernel=bzImage" in a text means that it works.
@test "every command and option that README and docs show exists" {
	grep -rhoE '(build/|\./|^|[` ])wring [a-z]+( [^`#|;()]*)?' "$top"/README.md "$top"/docs/*.md "$top"/CONTRIBUTING.md "$top"/ARCHITECTURE.md |
		sed 's/.*wring /wring /' >shown
	while read -r _ command rest; do
		commands | grep -qx "$command" || continue
		for word in $rest; do
			case $word in
			--) break ;;
			--help) ;;
			--*) options "$command" | grep -qx -- "$(echo "$word" | grep -oE '^--[a-z-]+')" || { echo "wring $command $rest: $word"; return 1; } ;;
			esac
		done
	done <shown
	[ "$(wc -l <shown)" -gt 5 ]
}

@test "what run takes, load takes; --help of a workload has its own options as well" {
	for o in $(options run | grep -vxF -e --set -e --long -e --budget); do
		options load | grep -qx -- "$o" || { echo "$o"; return 1; }
	done
	for w in $(names workloads); do
		wring load "$w" --help >out 2>err
		[ ! -s err ]
		head -1 out | grep -q '^Usage: wring load'
		wring show "$w" | sed -n '/^Parameters/,$p' | tail -n +2 >params
		tail -n "$(wc -l <params)" out | cmp - params
	done
	diff <(wring load --list) <(wring list workloads)
}

@test "load: what it would make is in the dry run" {
	needs_kernel
	stub_qemu
	wring load anon --dry-run --where=vm --guest-nodes=4 --max=64M --oom-ok --groups=2 --procs=2 --sysctl vm.swappiness=7 -- footprint=128M >out
	grep -q '4 CPUs, 4 nodes' out
	grep -q '^mkdir   cgroup .*work0..1$' out
	grep -q '^write   work/memory.max = 64M$' out
	grep -q 'vm.swappiness = 7' out
	grep -q '^exec    anon: wring-load anon footprint=128M in work, 2 processes a directory' out
	[ ! -e started ]
}

# ---- the manual ----

pages() { ls "$WRING_BUILD"/docs/man/wring*.[157] 2>/dev/null; }

@test "manual: every command, option, plug-in and scenario is in it" {
	[ -n "$(pages)" ] || skip "no manual pages: apt-get install scdoc, then configure and make"
	man=$WRING_BUILD/docs/man
	for c in $(commands); do
		grep -qF "wring $c" "$man/wring.1" || { echo "$c"; return 1; }
		page=$man/wring.1
		[ "$c" != load ] || page=$man/wring-load.1
		for o in $(options "$c"); do
			sed 's/\\-/-/g; s/\\&//g' "$page" | grep -qF -- "$o" || { echo "$c $o"; return 1; }
		done
	done
	for what in workloads.7 samplers.7 detectors.7 scenario.5; do
		list=${what%.*}
		[ "$list" != scenario ] || list=scenarios
		for n in $(names "$list"); do
			sed 's/\\&//g' "$man/wring-$what" | grep -qx "\.SS $n" || { echo "$what: $n"; return 1; }
		done
	done
	! command -v man >/dev/null || for p in $(pages); do
		MANWIDTH=80 LC_ALL=C.UTF-8 man --warnings -l "$p" >out 2>err </dev/null
		[ -s out ]
		[ ! -s err ] || { echo "$p"; cat err; return 1; }
	done
}

# ---- list and show ----

@test "list: everything there is, and nothing on stderr" {
	for what in scenarios suites workloads samplers detectors metrics; do
		wring list $what >out 2>err
		[ -s out ]
		[ ! -s err ]
	done
	diff <(wring list) <(wring list scenarios)
	mkdb x.db ok fail
	[ "$(wring list runs --db=x.db | wc -l)" -eq 2 ]
	wring list suites | grep -q '^@smoke '
	wring list suites | grep -q '^@nightly '
}

@test "every primary metric is known before a run, with its unit and what it means; each scenario is of one thread and its suite" {
	bad=
	for s in $(names scenarios); do
		wring show "$s" >out
		sed -n '/^Primary metrics/,/^$/p' out | sed 1d | grep . >primary || { echo "$s: no primary metric"; bad=yes; }
		grep -vE '^  [^ ]+ \[[^]]+, (lower|higher) is better\]: .+ \(.+\)$' primary && { echo "$s: the above"; bad=yes; }
		[ "$(wc -l <primary)" -le 5 ]
		thread=$(sed -n '/^As it runs/,$ s/^thread = //p' out)
		[[ $thread =~ ^(2007|2014|2015|2019|2020)$ ]] || { echo "$s: thread '$thread'"; bad=yes; }
		wring list suites | grep "^@thread-$thread " | grep -qw -- "$s" || { echo "$s is not in @thread-$thread"; bad=yes; }
		[ -e "$top/docs/scenarios/thread-$thread.md" ] || { echo "$s: no docs/scenarios/thread-$thread.md"; bad=yes; }
		grep -qF "\`$s\`" "$top/docs/scenarios/thread-$thread.md" || { echo "docs/scenarios/thread-$thread.md does not name $s"; bad=yes; }
	done
	[ -z "$bad" ]
}

@test "what was proven of a detector is shown with test, kernel and day, from docs/controls.tsv" {
	while IFS=$'\t' read -r detector verdict class scenario _ release day; do
		wring list detectors | sed -n "/^$detector /,/^[^ ]/p" | grep -F " $class in $scenario: " | grep -F "$release, $day" |
			grep -q "^    $(case $verdict in pass) echo silent ;; *) echo fires ;; esac)" || { echo "$detector $class $scenario"; return 1; }
	done <"$top/docs/controls.tsv"
	printf 'd\tfail\tc\ts\ttest\t6.1\t2026-01-02\n' >new
	printf 'd\tfail\tc\ts\ttest\t6.1\t2025-01-01\nd\tfail\tc\ts\ttest\t6.12\t2025-01-01\nnot ours\n' >record
	"$top/tests/e2e/record-controls.sh" new record
	diff record <(printf 'd\tfail\tc\ts\ttest\t6.1\t2026-01-02\nd\tfail\tc\ts\ttest\t6.12\t2025-01-01\n')
}

@test "the long form: its values are taken by --long and @nightly, and --set still wins" {
	needs_kernel
	stub_qemu
	printf '[scenario]\nprimary = ops_per_s\n[params]\nn = 1\nn.long = 500\nn.help = objects\nm = ${n}0\n[load a]\nworkload = dentry\nobjects = ${m}\n[phase p]\ndo = start a\n' >x.ini
	dry() { wring run --where=vm --dry-run "$@" | sed -n 's/.*objects=//p' | cut -d' ' -f1; }
	[ "$(dry ./x.ini)" = 10 ]
	[ "$(dry ./x.ini --long)" = 5000 ]
	[ "$(dry ./x.ini --long --set=x.n=7)" = 70 ]
	wring run @full --long --where=vm --dry-run >long
	wring run @nightly --where=vm --dry-run >nightly
	cmp long nightly
	run -2 wring run @full --budget=8 --where=vm --dry-run
	[ ! -e started ]
}

@test "the project's own known findings are read, and each is explained" {
	mkdb x.db ok
	run -0 wring check --db=x.db --known="$top/docs/known-debian-12.ini"
	sed -n 's/^link = \([^#]*\)#\(.*\)$/\1 \2/p' "$top/docs/known-debian-12.ini" | while read -r file anchor; do
		sed -n 's/^##* //p' "$top/$file" | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9_\n-' | grep -qx -- "$anchor" || { echo "$file has no heading for #$anchor"; exit 1; }
	done
	[ "$(grep -c '^link = docs/' "$top/docs/known-debian-12.ini")" = "$(grep -c '^\[' "$top/docs/known-debian-12.ini")" ]
}

@test "show: every scenario says what it claims and how a sick kernel looks" {
	for s in $(names scenarios); do
		wring show "$s" >out 2>err
		[ ! -s err ]
		for part in "^$s: ." '^Claim' '^A healthy kernel' '^A sick kernel' '^Load' '^Phases' '^What is sampled' '^Detectors' '^Primary metrics'; do
			grep -q "$part" out || { echo "$s: no $part"; return 1; }
		done
		# what it shows as it runs is a scenario file itself
		sed -n '/^As it runs/,$p' out | tail -n +2 >"$s.ini"
	done
}

@test "show: every detector names its limits and the tests that prove it" {
	for d in $(names detectors); do
		wring show "$d" >out
		grep -q '^What is judged' out
		grep -q 'fires: ' out || { echo "$d: no positive control"; return 1; }
		grep -q 'silent: ' out || { echo "$d: no negative control"; return 1; }
	done
	for n in $(names workloads) $(names samplers); do
		wring show "$n" | head -1 | grep -q "^$n: ."
	done
}

@test "show: a run by id, label, release, the start of its uuid, and the last" {
	mkdb x.db ok fail
	wring check --db=x.db >/dev/null || true
	for r in 2 fail abcdef03 last; do
		wring show "$r" --db=x.db >"out.$r"
		cmp out.2 "out.$r"
	done
	grep -q accounting/monotonic out.2
	# what is long is stored, and not shown
	[ "$(grep -c '(stored)' out.2)" = 2 ]
	wring show 6.12.0-test --db=x.db | grep -q accounting/monotonic
	WRING_DB=x.db wring show 1 | grep -q made-up
	WRING_DB=none.db wring show 1 --db=x.db | grep -q made-up
}

# ---- dry runs ----

@test "--dry-run: what would be made, and nothing is" {
	needs_kernel
	stub_qemu
	for s in $(names scenarios) @smoke @full; do
		before=$(find . -type f ! -name out ! -name err | sort)
		wring run "$s" --dry-run --where=vm --db=new.db --json=new.json >out 2>err
		[ ! -s err ]
		grep -q '^exec    qemu-system-x86_64' out
		grep -q '^mkdir   cgroup' out
		grep -q '^step ' out
		grep -q '^rmdir ' out
		[ "$before" = "$(find . -type f ! -name out ! -name err | sort)" ]
		[ ! -e started ]
	done
	nothing_left
}

@test "--dry-run: options show in it" {
	needs_kernel
	stub_qemu
	s=$(names scenarios | head -1)
	wring run "$s" --dry-run --where=vm --cpus=3 --nodes=1 --memory=768M --append=quiet --accel=tcg --sysctl=vm.swappiness=7 >out
	grep -q 'TCG' out
	grep -q '3 CPUs, 1 nodes, 768 MiB' out
	grep -q "append 'quiet'" out
	grep -q 'vm.swappiness = 7' out
}

# ---- exit codes ----

# What a run of this kind makes of a call in which it is alone; 0* is 0 once anything else was judged.
code_of() {
	case $1 in
	ok) echo 0 ;;
	fail|loud|panic) echo 1 ;;
	broken|unfinished) echo 4 ;;
	noisy|suspect|inconclusive) echo 3 ;;
	skip|unjudged) echo 0* ;;
	esac
}

expected() { # KIND...
	local k judged= seen=

	for k in "$@"; do
		seen="$seen $(code_of "$k")"
		case $k in ok|fail|loud|panic) judged=yes ;; esac
	done
	case $seen in
	*1*) echo 1 ;;
	*4*) echo 4 ;;
	*3*) echo 3 ;;
	*) if [ $judged ]; then echo 0; else echo 3; fi ;;
	esac
}

@test "exit codes: 1 for a failure, else 4 for what is broken, else 3, else 0, in every pair and order" {
	kinds=(ok fail loud broken unfinished panic skip noisy suspect inconclusive unjudged)
	for a in "${kinds[@]}"; do
		for b in "${kinds[@]}"; do
			rm -f x.db
			mkdb x.db "$a" "$b"
			code=0
			"$WRING_BUILD/wring" check --db=x.db >out 2>err || code=$?
			[ $code = "$(expected "$a" "$b")" ] || { echo "$a $b: $code"; cat out err; return 1; }
			[ ! -s err ]
		done
	done
}

@test "exit codes: of the runs that were named only, and of an empty database" {
	mkdb x.db ok fail broken noisy
	run -0 wring check --db=x.db ok
	run -1 wring check --db=x.db ok fail
	run -4 wring check --db=x.db 3
	run -3 wring check --db=x.db last
	run -1 wring check --db=x.db
	mkdb empty.db
	run -3 wring check --db=empty.db
	[ "$(wring export --db=empty.db | jq -c .runs)" = '[]' ]
}

# ends CODE COMMAND...: unlike bats' run, with redirections.
ends() {
	local want=$1 code=0

	shift
	"$@" || code=$?
	[ $code = "$want" ] || { echo "$*: exit $code, not $want"; return 1; }
}

@test "an output that cannot be written is no success" {
	mkdb x.db ok
	for c in --help --version "run --help" "load --list" "list scenarios" "list metrics" "show slab-at-max" "show 1 --db=x.db" "report --db=x.db" \
		"report --db=x.db --format=html" "export --db=x.db" "check --db=x.db" "trend --db=x.db" "db check --db=x.db" "manual workloads" kconfig doctor; do
		ends 4 wring $c >/dev/full 2>err
		[ "$(wc -l <err)" = 1 ] || { echo "$c: $(cat err)"; return 1; }
		grep -q 'No space left' err
		ends 4 wring $c >&- 2>err
		grep -q 'Bad file descriptor' err
	done
	# not the host's own, which root could spoil
	device=/dev/full
	if [ "$(id -u)" = 0 ]; then
		device=
		! mknod full c 1 7 2>/dev/null || device=full
	fi
	for c in "export -o" "report -o" "check --json"; do
		# shellcheck disable=SC2086
		[ -z "$device" ] || ends 4 wring ${c% *} --db=x.db "${c##* }" "$device" 2>err
		[ -z "$device" ] || grep -q 'No space left' err
	done
	[ -z "$device" ] || [ -c "$device" ]
	# what was found stays what was found
	mkdb fail.db fail
	ends 1 wring check --db=fail.db --json=fail.json >/dev/full 2>err
	jq -e '.runs[0].outcome == "fail"' fail.json
}

@test "-o replaces a file, at once; a link stays a link, and a device or a pipe what it is" {
	mkdb x.db ok
	echo old >file
	ln -s file link
	mkfifo pipe
	wring export --db=x.db -o link
	[ -L link ]
	jq -e '.runs | length == 1' file
	cat pipe >read &
	wring export --db=x.db -o pipe
	wait
	cmp read file
	[ -p pipe ]
	# a folder that takes no new file, a name that leaves no room for another
	long=$(printf 'x%.0s' {1..255})
	wring export --db=x.db -o "$long"
	cmp "$long" file
	[ -z "$(find . -name '*.tmp-*')" ]
}

# ---- judging again ----

@test "check: judging again gives the same, byte for byte" {
	mkdb x.db ok fail loud broken panic skip noisy suspect inconclusive unjudged unfinished hostile
	run -1 wring check --db=x.db --json=a.json
	first=$output
	run -1 wring check --db=x.db --json=b.json
	[ "$output" = "$first" ]
	cmp a.json b.json
	wring export --db=x.db -o c.json
	cmp a.json c.json
	wring export --db=x.db | cmp - a.json
	# and from a copy, which may be read only
	cp x.db y.db
	chmod 444 y.db
	wring export --db=y.db | cmp - a.json
	jq -e '[.runs[].outcome] == ["ok","fail","fail","broken","fail","skip","noisy","ok","ok","ok","broken","fail"]' a.json ||
		{ jq -c '[.runs[].outcome]' a.json; return 1; }
}

@test "known findings set no code, say why, and are reported once they no longer occur" {
	mkdb x.db ok fail
	printf '[counter]\nscenario = made-up\ndetector = accounting\nclass = monotonic\nreason = reset by design\nlink = https://example.org/1\n' >known.ini
	printf '[old]\nscenario = made-up\ndetector = kernel-log\nclass = warning\nreason = fixed long ago\n' >>known.ini
	printf '[other]\nscenario = never-ran\ndetector = kernel-log\nclass = warning\nreason = not looked at\n' >>known.ini
	run -1 wring check --db=x.db
	run -0 wring check --db=x.db --known=known.ini --json=a.json
	[[ $output == *"reset by design"* ]]
	[[ $output == *"old: kernel-log no longer finds warning in made-up (known: fixed long ago)"* ]]
	[[ $output != *"not looked at"* ]]
	jq -e '.runs[1].outcome == "ok" and any(.runs[1].findings[]; .verdict == "known" and .link == "https://example.org/1" and (.evidence | contains("reset by design")))' a.json
	# without the file it is a failure again
	run -1 wring check --db=x.db
	# one of another kernel is not known here, nor said to be gone
	sed 's/^class = .*/&\nkernel = 6.1.*/' known.ini >other.ini
	run -1 wring check --db=x.db --known=other.ini
	[[ $output != *"no longer finds"* ]]
	sed 's/^class = .*/&\nkernel = 6.12.*/' known.ini >same.ini
	run -0 wring check --db=x.db --known=same.ini
	# a known panic leaves nothing broken
	rm x.db
	mkdb x.db panic
	run -1 wring check --db=x.db
	printf '[panic]\nscenario = made-up\ndetector = kernel-log\nclass = panic\nreason = sysrq\n' >known.ini
	run -0 wring check --db=x.db --known=known.ini
}

# ---- documents ----

validates() {
	python3 -c 'import jsonschema' 2>/dev/null || skip "no python3-jsonschema: apt-get install python3-jsonschema"
	python3 - "$top/results-schema/export.schema.json" "$@" <<-'END'
		import json, sys, jsonschema
		schema = json.load(open(sys.argv[1]))
		jsonschema.Draft202012Validator.check_schema(schema)
		for path in sys.argv[2:]:
		    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(
		        json.load(open(path), parse_constant=lambda c: sys.exit("not JSON: " + c)))
	END
}

@test "the export document is what its schema says, whatever a guest wrote" {
	mkdb x.db ok fail loud broken panic skip noisy suspect inconclusive unjudged unfinished hostile
	wring export --db=x.db -o before.json
	wring check --db=x.db --json=after.json >/dev/null || true
	wring export --format=json --db=x.db fail hostile -o some.json
	mkdb empty.db
	wring export --db=empty.db -o empty.json
	jq -e '.runs | length == 2' some.json
	jq -e '.runs | length == 12' after.json
	jq -e 'all(.runs[].machine; has("page.size") and (has("kernel.config") or has("topology.xml") | not))' after.json
	validates before.json after.json some.json empty.json
}

@test "the schema refuses what is no export document" {
	mkdb x.db fail
	wring check --db=x.db --json=a.json >/dev/null || true
	validates a.json
	n=0
	for change in 'del(.schema)' '.schema = 2' '.runs[0].outcome = "fine"' 'del(.runs[0].kernel)' '.runs[0].extra = 1' \
		'.runs[0].findings[0].verdict = "maybe"' '.runs[0].metrics = {}' '.runs[0].started = "yesterday"' '.comparisons = null'; do
		jq "$change" a.json >b.json
		if (validates b.json) 2>/dev/null; then echo "accepted: $change"; return 1; fi
		n=$((n + 1))
	done
	[ $n = 9 ]
}

@test "what a guest wrote does not reach the terminal as it is" {
	mkdb x.db hostile
	for c in "check" "show 1" "list runs" "export"; do
		wring $c --db=x.db >out 2>&1 || true
		! LC_ALL=C grep -q $'[\x01-\x08\x0b-\x1f\x7f]' out || { echo "$c:"; cat -v out; return 1; }
		iconv -f UTF-8 -t UTF-8 out >/dev/null || { echo "$c is no UTF-8"; return 1; }
	done
	[ "$(wring list runs --db=x.db | wc -l)" = 1 ]
}

# ---- this machine, a kernel ----

@test "doctor: each line says yes or no, and a no says what helps" {
	code=0
	wring doctor >out 2>err || code=$?
	[ ! -s err ]
	grep -qE '^(yes|no  ) +run on the host' out
	grep -qE '^(yes|no  ) +QEMU' out
	grep -qE '^(yes|no  ) +a kernel to boot' out
	[ -z "$(sed '/^$/,$d' out | grep -vE '^(yes |no  ) ')" ]
	case $code in
	0) tail -1 out | grep -q '^Ready' ;;
	4) tail -1 out | grep -q '^Not ready' ;;
	*) false ;;
	esac
	WRING_KERNEL=/nowhere wring doctor >out || true
	grep '^no   a kernel to boot' out | grep -q 'quickstart'
}

@test "kconfig: the fragment, and a check of a kernel against it" {
	wring kconfig >fragment
	grep -q '^CONFIG_MEMCG=y' fragment
	[ -z "$(grep -vE '^(CONFIG_[A-Z0-9_]+=(y|m|[0-9]+|".*")( +#.*)?|#.*|)$' fragment)" ]
	needs_kernel
	run -0 wring kconfig "$WRING_KERNEL"
	# a tree with a configuration that lacks it all
	mkdir -p tree/arch/x86/boot
	cp "$WRING_KERNEL"/boot/vmlinuz-* tree/arch/x86/boot/bzImage 2>/dev/null || skip "$WRING_KERNEL is not unpacked"
	echo 'CONFIG_64BIT=y' >tree/.config
	run -1 wring kconfig tree
	[[ $output == *CONFIG_MEMCG* ]]
}
