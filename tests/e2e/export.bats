# SPDX-License-Identifier: GPL-3.0-or-later
# Formats for machines and people, each read by a program or held against a schema that is not ours; databases that are merged,
# checked and pruned. No guest is booted: the databases are made up (mkdb.c).

load helper

schemas=$top/tests/fixtures/schemas
all_kinds="ok fail loud broken panic skip noisy suspect inconclusive unjudged unfinished hostile ok"

setup() {
	wring_setup
	cd "$T" || return 1
	unset WRING_DB
	[ -x "$WRING_BUILD/tests/e2e/mkdb" ] || make -s -C "$WRING_BUILD" tests/e2e/mkdb >&2
	# shellcheck disable=SC2086
	mkdb x.db $all_kinds
	wring check --db=x.db >/dev/null || true
}

mkdb() { "$WRING_BUILD/tests/e2e/mkdb" "$@"; }
formats() { wring "$1" --format=none --db=x.db 2>&1 | sed 's/.*: one of \(.*\) is accepted/\1/' | tr -d ' ' | tr ',' '\n'; }
# Debian's python, which has Debian's modules.
python() { /usr/bin/python3 "$@"; }
needs_module() { python -c "import $1" 2>/dev/null || skip "no python3-$2: apt-get install python3-$2"; }

@test "every format: exit 0, valid UTF-8, no control character, the same again, and by -o" {
	[ "$(formats export | sort | tr '\n' ' ')" = "csv json junit kcidb ktap lava openmetrics " ]
	for f in mail md reproducer text; do formats report | grep -qx $f; done
	for c in export report; do
		for f in $(formats $c); do
			run=
			[ "$f" != reproducer ] || run=1
			wring $c --db=x.db --format="$f" $run >"$f" 2>err
			[ ! -s err ]
			[ -s "$f" ]
			iconv -f UTF-8 -t UTF-8 "$f" >/dev/null
			! LC_ALL=C grep -q $'[\x01-\x08\x0b\x0c\x0e-\x1f]' "$f" || { echo "$f"; return 1; }
			wring $c --db=x.db --format="$f" $run -o again
			cmp "$f" again
		done
	done
	[ -z "$(ls again.tmp* 2>/dev/null)" ]
}

@test "every format of a database without runs" {
	mkdb empty.db
	for f in $(formats export); do wring export --db=empty.db --format="$f" >"empty.$f"; done
	for f in $(formats report | grep -vx reproducer); do wring report --db=empty.db --format="$f" >/dev/null; done
	! command -v xmllint >/dev/null || xmllint --noout --schema "$schemas/junit-10.xsd" empty.junit
	prove -e cat empty.ktap || [ "$(head -2 empty.ktap | tail -1)" = "1..0 # SKIP no runs" ]
}

# ---- KTAP ----

@test "ktap: prove counts what failed" {
	command -v prove >/dev/null || skip "no prove: apt-get install perl"
	wring export --db=x.db --format=ktap -o x.ktap
	[ "$(head -1 x.ktap)" = "KTAP version 1" ]
	run -1 prove -e cat x.ktap
	[[ $output == *"Failed tests:  2-5, 11-12"* ]]
	[[ $output == *"Tests: 13 Failed: 6"* ]]
	wring export --db=x.db --format=ktap ok -o ok.ktap
	run -0 prove -e cat ok.ktap
}

# From Debian's source of 6.1, 139 MB, where WRING_KUNIT=yes says so (runtests --long); or put kunit_parser.py and
# kunit_printer.py there by hand.
needs_kunit() {
	KUNIT=$WRING_CACHE/kunit
	if [ ! -e "$KUNIT/kunit_parser.py" ] && [ "${WRING_KUNIT:-}" = yes ]; then
		apt-get download linux-source-6.1 >/dev/null 2>&1 || skip "cannot download linux-source-6.1"
		mkdir -p "$KUNIT"
		dpkg-deb --fsys-tarfile linux-source-6.1_*.deb | tar -xO ./usr/src/linux-source-6.1.tar.xz | xz -dc |
			tar -x -C "$KUNIT" --strip-components=4 --wildcards '*/tools/testing/kunit/kunit_p*.py'
	fi
	[ -e "$KUNIT/kunit_parser.py" ] || skip "no $KUNIT/kunit_parser.py of a kernel tree (tools/testing/kunit)"
}

@test "ktap: the kernel's own parser sees the same, without an error" {
	needs_kunit
	wring export --db=x.db --format=ktap -o x.ktap
	python - "$KUNIT" x.ktap <<-'END'
		import sys
		sys.path.insert(0, sys.argv[1])
		import kunit_parser
		t = kunit_parser.parse_run_tests(open(sys.argv[2]).read().splitlines())
		def errors(t): return t.counts.errors + sum(errors(s) for s in t.subtests)
		assert t.status == kunit_parser.TestStatus.FAILURE, t.status
		assert len(t.subtests) == 13 and errors(t) == 0, (len(t.subtests), errors(t))
		assert [s.status.name for s in t.subtests] == ["SUCCESS", "FAILURE", "FAILURE", "FAILURE", "FAILURE", "SKIPPED", "SKIPPED",
		    "SUCCESS", "SUCCESS", "SUCCESS", "FAILURE", "FAILURE", "SUCCESS"], [s.status.name for s in t.subtests]
	END
}

@test "ktap: a broken run is a failure also for who counts subtests only; numbers are diagnostics" {
	wring export --db=x.db --format=ktap broken >b.ktap
	grep -q '^  not ok 2 outcome # ERROR broken: guest died$' b.ktap
	grep -q '^not ok 1 made-up # ERROR broken: guest died$' b.ktap
	grep -q '^  # alloc_failures 0 count$' b.ktap
}

# ---- JUnit ----

@test "junit: Jenkins' schema, and a reader's counts" {
	command -v xmllint >/dev/null || skip "no xmllint: apt-get install libxml2-utils"
	wring export --db=x.db --format=junit -o x.xml
	xmllint --noout --schema "$schemas/junit-10.xsd" x.xml
	# GitLab drops the later of two cases with one name
	xmllint --xpath '//testcase/concat(@classname, " ", @name)' x.xml 2>/dev/null >names ||
		python -c 'import sys, xml.etree.ElementTree as e
for c in e.parse("x.xml").iter("testcase"): print(c.get("classname"), c.get("name"))' >names
	[ -z "$(sort names | uniq -d)" ]
	[ "$(wc -l <names)" -gt 30 ]
	needs_module junitparser junitparser
	[ "$(python -c 'import junitparser
x = junitparser.JUnitXml.fromfile("x.xml")
print(len(list(x)), x.failures, x.errors)')" = "13 4 2" ]
	for s in $(seq 0 12); do
		python - "$s" <<-'END'
			import sys, xml.etree.ElementTree as e
			s = e.parse("x.xml").getroot()[int(sys.argv[1])]
			for what, tag in ("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped"):
			    assert int(s.get(what)) == len(list(s.iter(tag))), (sys.argv, what)
		END
	done
}

# ---- KCIDB ----

@test "kcidb: the schema, statuses, and a build that somebody else reported" {
	needs_module jsonschema jsonschema
	wring export --db=x.db --format=kcidb -o x.json
	wring export --db=x.db --format=kcidb --origin=my_ci --build=maestro:6543 fail -o y.json
	python - "$schemas/kcidb-5.3.schema.json" x.json y.json <<-'END'
		import json, sys, jsonschema
		schema = json.load(open(sys.argv[1]))
		jsonschema.Draft202012Validator.check_schema(schema)
		for path in sys.argv[2:]:
		    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(json.load(open(path)))
	END
	jq -e '[.tests[] | select(.path == "wring.made-up") | .status] == ["PASS","FAIL","FAIL","ERROR","FAIL","SKIP","DONE","PASS","PASS","PASS",
		"ERROR","FAIL","PASS"]' x.json
	jq -e '(.tests | map(.id) | unique | length) == (.tests | length)' x.json
	jq -e '.builds as $b | all(.tests[]; .build_id as $i | any($b[]; .id == $i))' x.json
	jq -e 'all(.tests[]; .origin == "my_ci" and .build_id == "maestro:6543") and (.builds | length == 0)' y.json
	jq -e 'any(.tests[]; .path == "wring.made-up.accounting.monotonic" and .status == "FAIL" and .number == {value: 1, unit: "keys"})' y.json ||
		jq -e 'any(.tests[]; .path == "wring.made-up.accounting.monotonic" and .status == "FAIL" and .number.value == 1)' y.json
	run -2 wring export --db=x.db --format=kcidb --origin=My-CI
	run -2 wring export --db=x.db --format=kcidb --build=6543
}

# ---- LAVA ----

needs_lava() {
	LAVA=$WRING_CACHE/lava
	if [ ! -e "$LAVA/usr/lib/python3/dist-packages/lava_dispatcher/actions/test/shell.py" ]; then
		apt-get download lava-dispatcher >/dev/null 2>&1 || skip "cannot download lava-dispatcher"
		mkdir -p "$LAVA"
		dpkg-deb -x lava-dispatcher_*.deb "$LAVA"
	fi
}

@test "lava: LAVA's own code reads every line, and sees the same results" {
	needs_lava
	wring export --db=x.db --format=lava >x.lava
	python "$top/tests/e2e/lava.py" "$LAVA" x.lava >results
	[ "$(cut -d' ' -f1 results | sort -u | wc -l)" = 13 ]
	[ -z "$(cut -d' ' -f1,2 results | sort | uniq -d)" ]
	wring export --db=x.db | jq -r '.runs[].findings[].verdict' | sed 's/known\|suspect\|inconclusive/skip/' | sort | uniq -c >want
	grep -v '^[^ ]* outcome \|^[^ ]* metric-' results | cut -d' ' -f3 | sort | uniq -c | diff want -
	[ "$(grep -c ' outcome ' results)" = 13 ]
	# and a line that is not whole is refused, so that this can fail
	sed '3s/RESULT=/RESULT=maybe/' x.lava >bad.lava
	run python "$top/tests/e2e/lava.py" "$LAVA" bad.lava
	[ "$status" != 0 ]
}

# ---- OpenMetrics ----

@test "openmetrics: Prometheus' parsers of both dialects" {
	needs_module prometheus_client prometheus-client
	wring export --db=x.db --format=openmetrics -o wring.prom
	python - <<-'END'
		from prometheus_client.openmetrics import parser as openmetrics
		from prometheus_client import parser as text
		a, b = ([(f.name, s.name, tuple(sorted(s.labels.items())), s.value) for f in p.text_string_to_metric_families(open("wring.prom").read())
		         for s in f.samples] for p in (openmetrics, text))
		assert sorted(a) == sorted(b)
		keys = [s[:3] for s in a]
		assert len(keys) == len(set(keys)) and len(keys) > 50
		assert sum(s[0] == "wring_run" for s in a) == 12 # of two with one label and kernel the newest
		assert any(s[0] == "wring_finding" and ("verdict", "fail") in s[2] and ("detector", "accounting") in s[2] and s[3] == 1 for s in a)
	END
}

# Debian's package is 19 MB, and 96 installed: only its promtool is taken, where WRING_KUNIT=yes says so (runtests --long).
needs_promtool() {
	PROMTOOL=$(command -v promtool) && return
	PROMTOOL=$WRING_CACHE/promtool
	if [ ! -e "$PROMTOOL" ] && [ "${WRING_KUNIT:-}" = yes ]; then
		mkdir -p "$WRING_CACHE"
		apt-get download prometheus >/dev/null 2>&1 || skip "cannot download prometheus"
		dpkg-deb --fsys-tarfile prometheus_*.deb | tar -xO ./usr/bin/promtool >promtool
		chmod +x promtool
		mv promtool "$PROMTOOL"
	fi
	[ -e "$PROMTOOL" ] || skip "no promtool: apt-get install prometheus, or runtests --long"
}

@test "openmetrics: promtool has nothing to say" {
	needs_promtool
	wring export --db=x.db --format=openmetrics -o wring.prom
	"$PROMTOOL" check metrics <wring.prom >said 2>&1
	[ ! -s said ]
	# and of what is none it has
	sed -i '2s/^/{/' wring.prom
	run "$PROMTOOL" check metrics <wring.prom
	[ "$status" != 0 ]
}

# ---- CSV ----

@test "csv: one table, as a strict reader sees it" {
	wring export --db=x.db --format=csv -o x.csv
	python - <<-'END'
		import csv
		rows = list(csv.DictReader(open("x.csv", newline="", encoding="utf-8"), strict=True))
		assert sum(r["kind"] == "run" for r in rows) == 13
		assert all(None not in r and None not in r.values() for r in rows)
		fail = [r for r in rows if r["label"] == "fail" and r["kind"] == "finding" and r["verdict"] == "fail"]
		assert len(fail) == 1 and fail[0]["name"] == "accounting" and float(fail[0]["value"]) == 1 and fail[0]["limit"] == "0"
		assert any('"quoted" \\ </script>' in r["text"] for r in rows), "hostile text is not there"
	END
}

# ---- for people ----

@test "mail: ASCII of 72 columns; what happened, verdicts, metrics, how to reproduce" {
	wring report --db=x.db --format=mail fail hostile >mail
	[ -z "$(LC_ALL=C grep -n '[^ -~]' mail)" ]
	[ "$(sed '/^How to reproduce/,/^---/d' mail | awk 'length > 72' | wc -l)" = 0 ]
	head -1 mail | grep -q '^wring: 2 failed'
	for part in '^made-up$' '^  kernel ' '^Verdicts' 'accounting/monotonic: fail' '^Metrics' '^How to reproduce' 'wring run made-up --seed=7'; do
		grep -q "$part" mail || { echo "$part"; return 1; }
	done
}

@test "md: verdicts first, nothing of a guest is markup, small enough for a step of a job" {
	wring report --db=x.db --format=md >md
	grep -q '^| fail | made-up |' md
	[ -z "$(grep -n '[<`]' md)" ]
	sed -n 's/^|//p' md | grep -vE '^(-|[^|]*(\|[^|]*){2,4}\|$)' | grep -v -- '---' | wc -l | grep -qx 0
	mkdb many.db $(yes hostile | head -300)
	wring check --db=many.db >/dev/null || true
	wring report --db=many.db --format=md >md
	[ "$(wc -c <md)" -lt 1048576 ]
}

@test "text: the table of a run's end, and metrics; plain where the locale has no UTF-8" {
	wring report --db=x.db >text
	grep -q '^made-up *fail' text
	grep -q 'alloc_failures' text || wring report --db=x.db last | grep -q alloc_failures
	[ -z "$(LC_ALL=C wring report --db=x.db hostile | grep -F '\x')" ]
}

@test "reproducer: a shell script of one run" {
	wring report --db=x.db --format=reproducer hostile >r.sh
	sh -n r.sh
	! command -v shellcheck >/dev/null || shellcheck -s sh -S warning r.sh
	[ -z "$(sed '/^set -u/,$d' r.sh | grep -v '^#' | grep .)" ]
	run -2 wring report --db=x.db --format=reproducer
	[[ $output == *"name one"* ]]
}

# ---- databases ----

@test "db merge: by run, without duplicates, with all that belongs to them" {
	mkdb a.db ok fail
	mkdb b.db skip noisy panic hostile
	sqlite3 b.db "UPDATE run SET uuid = 'b' || substr(uuid, 2); UPDATE boot SET uuid = 'c' || substr(uuid, 2)"
	wring check --db=a.db >/dev/null || true
	wring check --db=b.db >/dev/null || true
	run -0 wring db merge a.db b.db --db=m.db
	[[ $output == *"a.db: 2 added, 0 there already"*"b.db: 4 added, 0 there already"* ]]
	cp m.db before.db
	run -0 wring db merge b.db a.db --db=m.db
	[[ $output == *"b.db: 0 added, 4 there already"*"a.db: 0 added, 2 there already"* ]]
	run -0 wring db check --db=m.db
	[[ $output == *"6 runs"*"sound"* ]]
	DB=m.db db_is_sound
	jq -n '[inputs.runs[]] | sort_by(.id)' <(wring export --db=a.db) <(wring export --db=b.db) >want
	wring export --db=m.db | jq '.runs | sort_by(.id)' | diff want -
	# and judging again, from the samples, gives the same
	wring check --db=m.db >/dev/null || true
	wring export --db=m.db | jq '.runs | sort_by(.id)' | diff want -
}

@test "db merge: names what is wrong, and changes nothing" {
	mkdb a.db ok
	cp a.db keep.db
	for args in "a.db" "none.db" "." "/dev/null"; do
		run -2 wring db merge $args --db=a.db
		[ "${#lines[@]}" = 1 ]
		run -2 wring db merge keep.db $args --db=new.db || true
	done
	run -2 wring db merge --db=a.db
	run -2 wring db --db=a.db
	run -2 wring db tidy --db=a.db
	run -2 wring db merge a.db --days=3 --db=new.db
	cmp a.db keep.db
}

@test "db prune: samples go, what was found stays, also when it is judged again" {
	mkdb a.db ok fail hostile
	wring check --db=a.db >/dev/null || true
	wring export --db=a.db -o before.json
	run -2 wring db prune --db=a.db
	run -0 wring db prune --db=a.db --days=36500
	[[ $output == *"samples of 0 runs"* ]]
	cp a.db keep.db
	run -0 wring db prune --db=a.db --days=30 --dry-run
	[[ $output == *"samples of 3 runs"*"would be"* ]]
	cmp a.db keep.db
	run -0 wring db prune --db=a.db --days=30 --keep-failed
	[[ $output == *"samples of 1 runs"* ]]
	run -0 wring db prune --db=a.db --days=30
	[[ $output == *"samples of 2 runs"* ]]
	[ "$(sqlite3 a.db 'SELECT (SELECT count(*) FROM chunk) + (SELECT count(*) FROM col) + (SELECT count(*) FROM segment) + (SELECT count(*) FROM log)')" = 0 ]
	wring check --db=a.db >/dev/null || true
	wring export --db=a.db | cmp - before.json
	DB=a.db db_is_sound
	# pruned stays pruned elsewhere
	wring db merge a.db --db=m.db
	wring check --db=m.db >/dev/null || true
	wring export --db=m.db | cmp - before.json
}

@test "db check: a damaged one is no success, and says where" {
	run -0 wring db check --db=x.db
	[[ $output == *"13 runs (1 not finished, 0 pruned)"*"sound"* ]]
	sqlite3 x.db "UPDATE chunk SET time = x'ff' WHERE id = 1; UPDATE col SET v = x'ffff' WHERE rowid = (SELECT max(id) FROM col)"
	run -4 wring db check --db=x.db
	[[ $output == *"chunk 1 cannot be unpacked"*"damaged"* ]]
}

# ---- completion ----

# complete_line WORD...: what the last word may become. As readline splits: '=' is a word.
complete_line() {
	bash -c '
		source "$1"
		shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_wring
		printf "%s\n" "${COMPREPLY[@]}"' - "$T/completion" "$@"
}

@test "completion: commands, options and values are those of the commands" {
	"$top/docs/completion.sh" "$WRING_BUILD/wring" >completion
	! command -v shellcheck >/dev/null || shellcheck -s bash -S warning completion
	w=$WRING_BUILD/wring
	diff <(complete_line "$w" "" | grep -v '^--' | sort) <(wring --help | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p' | grep -vx wring | sort)
	[ "$(complete_line "$w" rep)" = report ]
	complete_line "$w" export --format = | grep -qx junit
	[ "$(complete_line "$w" export --format = ju)" = junit ]
	[ "$(complete_line "$w" run --where = h)" = host ]
	complete_line "$w" run --ker | grep -qx -- --kernel=
	complete_line "$w" run slab | grep -qx slab-at-max
	complete_line "$w" run @sm | grep -qx @smoke
	# '@' is a word of its own to an interactive shell
	[ "$(complete_line "$w" run @ sm)" = @smoke ]
	complete_line "$w" ab slab | grep -qx slab-at-max
	[ "$(complete_line "$w" run "$controls/bri")" = "$controls/brief.ini" ]
	complete_line "$w" compare la | grep -qx last
	complete_line "$w" trend oom_k | grep -qx oom_kills
	complete_line "$w" load den | grep -qx dentry
	complete_line "$w" list work | grep -qx workloads
	complete_line "$w" db mer | grep -qx merge
	for c in $(wring --help | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p' | grep -vx wring); do
		diff <(complete_line "$w" "$c" -- | sed 's/=$//; /^$/d' | sort) \
			<(wring "$c" --help | grep -oE '^ +(-.,? )?\s*--[a-z-]+' | grep -oE '\-\-[a-z-]+' | sort -u) || { echo "$c"; return 1; }
	done
}
