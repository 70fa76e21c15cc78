# SPDX-License-Identifier: GPL-3.0-or-later
# The HTML report and the trend, over made-up databases (mkdb.c, mkhistory.c). No guest is booted.

load helper

setup() {
	wring_setup
	cd "$T" || return 1
	unset WRING_DB
	for p in mkdb mkhistory; do
		[ -x "$WRING_BUILD/tests/e2e/$p" ] || make -s -C "$WRING_BUILD" "tests/e2e/$p" >&2
	done
}
teardown() { wring_teardown; }

mkdb() { "$WRING_BUILD/tests/e2e/mkdb" "$@"; }
mkhistory() { "$WRING_BUILD/tests/e2e/mkhistory" "$@"; }

everything() { # a page of each kind of database
	mkdb kinds.db ok fail loud broken panic skip noisy suspect inconclusive unjudged unfinished hostile
	wring check --db=kinds.db >/dev/null || true
	mkhistory timeline.db --timeline
	mkhistory history.db 2 40 1 4 30 8
	for f in kinds timeline history; do
		wring report --format=html --db=$f.db -o $f.html
	done
}

# The elements and attributes of a page, as a parser that is not ours sees them.
parsed() {
	python3 - "$1" <<'PY'
import sys
from html.parser import HTMLParser
class P(HTMLParser):
    def handle_starttag(self, tag, attrs):
        print(tag, *sorted(a for a, _ in attrs))
P().feed(open(sys.argv[1], encoding='utf-8', errors='strict').read())
PY
}

@test "report --format=html: valid HTML, whatever is in the database" {
	command -v tidy >/dev/null || skip "no tidy: apt-get install tidy"
	everything
	wring report --format=html --db=kinds.db ok -o one.html
	for f in *.html; do
		tidy -q -e --drop-empty-elements no "$f" 2>tidy.out || { head "$f" tidy.out; return 1; }
		[ ! -s tidy.out ] || { echo "$f"; cat tidy.out; return 1; }
	done
}

@test "report --format=html: what a guest wrote is text and nothing else" {
	everything
	for f in kinds timeline; do
		parsed $f.html >$f.tags
		[ "$(grep -c '^script' $f.tags)" -le 2 ]
		[ -z "$(grep '^script.*[^ ]* [a-z]' $f.tags)" ]
		[ -z "$(grep -E ' on[a-z]+( |$)' $f.tags)" ]
		[ -z "$(grep -vE '^(html|head|meta|title|style|body|header|main|footer|section|article|h[1-4]|p|b|i|a|br|dl|dt|dd|ul|li|div|span|strong|code|pre|table|caption|thead|tbody|tr|th|td|details|summary|figure|figcaption|svg|path|rect|circle|line|polyline|script)( |$)' $f.tags)" ]
		grep -q "default-src &#39;none&#39;\|default-src 'none'" $f.html
		sed '/<\/footer>/,$d' $f.html >body # without dygraphs, which has words of its own
		[ -z "$(grep -oE '(src|href)="[^#"][^"]*"' body)" ]
		[ -z "$(LC_ALL=C grep -P '[\x00-\x08\x0b-\x1f\x7f]' body)" ]
	done
	# a link is one, where it is no more than that
	mkhistory timeline2.db --timeline
	sqlite3 timeline2.db "UPDATE finding SET link = 'https://lore.kernel.org/a?b&c'"
	wring report --format=html --db=timeline2.db -o link.html
	grep -q 'href="https://lore.kernel.org/a?b&amp;c"' link.html
}

@test "report --format=html: what failed, when, and by how much stands first; the static plots need no script" {
	everything
	head -c 40000 timeline.html | tr '\n' ' ' >top
	grep -q '1 of 17 runs failed' top
	sed 's/<script>.*//' timeline.html >body
	grep -q '<dt>How much</dt><dd><b>61M</b>, the limit is 6.1M: <b>10 times the limit</b>' body
	grep -q '<dt>When</dt><dd><b>6.0 s</b> into the run of 10.0 s' body
	[ "$(grep -c '<polyline class="line l0"' body)" -ge 3 ]
	[ "$(grep -c 'class="kill" d=' body)" = 1 ]
	grep -q 'class="burst"' body
	grep -q 'class="cone"' body
	grep -q 'circle class="a"' body
	grep -q 'class="band"' body
	grep -q 'wring run ' body
	grep -q '<h2>History</h2>' history.html
	grep -q 'class="change"' history.html
}

@test "report --format=html: a regression of wring ab is the first card, and what sets no code is none" {
	mkhistory ab.db --timeline
	wring report --format=html --db=ab.db -o hint.html
	[ -z "$(grep 'badge regression' hint.html)" ] # a time under an emulator
	sqlite3 ab.db "UPDATE boot SET accel = 'kvm'"
	wring report --format=html --db=ab.db -o both.html
	grep -q '<h1 class="fail">1 scenario got worse; 1 of 17 runs failed</h1>' both.html
	[ "$(grep -n 'class="card"' both.html | head -1 | cut -d: -f1)" -lt "$(grep -n 'premature-oom' both.html | head -1 | cut -d: -f1)" ]
	sqlite3 ab.db "DELETE FROM run WHERE arm IS NULL"
	wring report --format=html --db=ab.db -o ab.html
	grep -q '<h1 class="fail">1 scenario got worse</h1>' ab.html
	grep -A8 -m1 'class="card"' ab.html >card
	grep -q '<a href="#ab1-0">made-up</a> <b class="badge regression">regression</b> <span class="quiet">ops_per_s' card
	grep -qE '<dt>How much</dt><dd><b>-(9|1[01])[.0-9]* %</b> \(95 % interval -' card
	grep -q '8 runs of a, 8 of b, in random order' card
	grep -q 'id="ab1-0"' ab.html
	# wring compare says the same
	run -1 wring compare last --db=ab.db
	[[ $output == *REGRESSION* ]]
	# a failure of both arms is one card
	sqlite3 ab.db "INSERT INTO finding SELECT id, 99, 'accounting', 'parts', 'fail', 1, 0, '', 'planted', '' FROM run; UPDATE run SET outcome = 'fail'"
	wring report --format=html --db=ab.db -o fails.html
	[ "$(grep -c 'class="card"' fails.html)" = 2 ]
	grep -q '<dt>Again</dt><dd>in 15 more runs of this page</dd>' fails.html
}

@test "report --format=html in a browser: no error, no network, plots that zoom, three widths, paper" {
	command -v chromium >/dev/null || skip "no chromium: apt-get install chromium"
	everything
	for f in kinds timeline history; do
		for size in 390,800 900,900 1400,900; do
			timeout 120 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$T/profile" --enable-logging=stderr --virtual-time-budget=3000 \
				--window-size=$size --screenshot="$T/$f-$size.png" "file://$T/$f.html" >log 2>&1
			[ -s "$f-$size.png" ]
			[ -z "$(grep -E 'CONSOLE|Refused to' log)" ] || { grep -E 'CONSOLE|Refused to' log; return 1; }
		done
	done
	timeout 120 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$T/profile" --virtual-time-budget=3000 --dump-dom "file://$T/timeline.html" >dom 2>/dev/null
	if grep -q 'Zoomable plots' timeline.html; then
		grep -q 'class="timeline is-zoomable"' dom
		grep -q '<canvas' dom
	fi
	timeout 120 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$T/profile" --print-to-pdf="$T/p.pdf" "file://$T/timeline.html" >/dev/null 2>&1
	[ "$(head -c 5 p.pdf)" = %PDF- ]
}

@test "trend: a change is dated, the metrics of one night are one event, and a new one for the worse is exit 3" {
	mkhistory h.db 1 60 3 6 50 8
	run -3 wring trend --db=h.db
	[[ $output == *"NEW, worse"* ]]
	[[ $output == *"Linux 6.12.1 to 6.12.2"* ]]
	[ "$(grep -c 'NEW, worse' <<<"$output")" = 1 ]
	[ "$(grep -c 'a change point' <<<"$output")" = 2 ]
	[[ $output == *2024-01-03* ]]
	# years ago is history
	run -0 wring trend --db=h.db --recent=5
	# nothing but ASCII where the terminal knows no more, blocks where it does
	LC_ALL=C run -3 wring trend --db=h.db
	[ -z "$(LC_ALL=C grep -P '[^\x00-\x7f]' <<<"$output")" ]
	LC_ALL=C.UTF-8 run -3 wring trend --db=h.db
	grep -q '▁' <<<"$output"
	# a quiet history
	mkhistory quiet.db 1 60 1 3
	run -0 wring trend --db=quiet.db
	[[ $output == *"0 with a change"* ]]
}

@test "trend: names and patterns, known changes with a reason, pins" {
	mkhistory h.db 1 60 1 6 50 8
	run -0 wring trend --db=h.db 'metric_00[3-5]*'
	[ "$(grep -c '^scenario-00 metric' <<<"$output")" = 3 ]
	run -2 wring trend --db=h.db no-such-metric
	printf '[disk]\nscenario = scenario-00\nmetric = *\nsince = 2024-01-03\nreason = the new disk\n' >known.ini
	run -0 wring trend --db=h.db --known=known.ini
	[[ $output == *"(known)"* && $output == *"the new disk"* ]]
	printf 'kind = pin\n' >>known.ini
	run -0 wring trend --db=h.db --known=known.ini
	[[ $output == *"0 with a change"* ]]
	printf '[x]\nscenario = s\n' >bad.ini
	run -2 wring trend --db=h.db --known=bad.ini
	[[ $output == *"bad.ini:1"* ]]
	run -2 wring trend --db=none.db
	run -2 wring trend --db=h.db --nights=none
}

@test "trend and report take what a guest may have written into names" {
	mkdb d.db hostile ok
	wring check --db=d.db >/dev/null || true
	wring trend --db=d.db --all >out
	[ -z "$(LC_ALL=C grep -P '[\x00-\x08\x0b-\x1f\x7f]' out)" ]
}
