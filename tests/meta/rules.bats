# SPDX-License-Identifier: GPL-3.0-or-later
# The tree's own rules: layers, headers, what may print, what must be documented, sizes, licences. ARCHITECTURE.md and
# CONTRIBUTING.md state them.
bats_require_minimum_version 1.5.0

setup() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	: "${WRING_BUILD:=$top/build}"
	cd "$top" || return 1
}

# For the end of a pipe: what comes out of it is wrong. (`! command` would not fail a test.)
nothing() {
	local out

	out=$(cat)
	[ -z "$out" ] || { echo "$out"; return 1; }
}

# The sources, also in a tarball: what git tracks, or what is not built.
tracked() {
	if git rev-parse --is-inside-work-tree >/dev/null 2>&1 && [ "$(git rev-parse --show-toplevel)" = "$top" ]; then
		git ls-files --cached --others --exclude-standard -- "$@" | while read -r f; do [ -e "$f" ] && echo "$f"; done
	else
		find . -path './build*' -prune -o -path ./autom4te.cache -prune -o -type f -print | sed 's,^\./,,' |
			grep -E "$(printf '%s\n' "$@" | sed 's/\./\\./g; s/\*/.*/g; s/.*/^&$|\/&$/' | paste -sd'|')"
	fi | grep -vE '(^|/)(gen|build-aux|autom4te\.cache)/|^(config\.h\.in~?|configure~?|aclocal\.m4|Makefile\.in|sources\.am)$'
}

# FILE:INCLUDED of all includes between our own files.
includes() {
	grep -HoE '^#include "[^"]+"' $(tracked 'harness/*.[ch]' 'workloads/*.[ch]' 'analyzers/*.[ch]' 'results-schema/*.[ch]') |
		sed -n 's/^\([^:]*\):#include "\(.*\)"$/\1 \2/p' | grep -v ' config\.h$'
}

@test "layers: each folder includes only itself and what is below it" {
	includes | awk '
	function allow(folder, list) { allowed[folder] = " " folder " " list " " }
	function folder_of(path) {
		if (path ~ /^harness\//) { split(path, p, "/"); return p[1] "/" p[2] }
		split(path, p, "/"); return p[1]
	}
	BEGIN {
		low = "harness/base harness/api results-schema"
		allow("harness/base", "")
		allow("results-schema", "harness/base")
		allow("harness/api", "harness/base")
		allow("harness/plan", low)
		allow("harness/samplers", "harness/base harness/api")
		allow("workloads", "harness/base harness/api")
		allow("harness/vm", "harness/base")
		allow("harness/agent", low " harness/plan harness/samplers harness/vm")
		allow("analyzers", low " harness/plan")
		allow("harness/run", low " harness/plan harness/samplers workloads harness/vm harness/agent analyzers")
		allow("harness/cmd", low " harness/plan harness/samplers workloads harness/vm harness/agent analyzers harness/run")
		except["harness/api/detector.h results-schema/store.h"] = 1
	}
	{
		from = folder_of($1); to = folder_of($2)
		if (!(from in allowed)) { print $1 ": no layer is known for " from; bad = 1 }
		else if (!index(allowed[from], " " to " ") && !(($1 " " $2) in except)) { print $1 " includes " $2; bad = 1 }
	}
	END { exit bad || NR < 100 }'
}

@test "layers: sqlite3.h belongs to the store alone, and nobody includes the inside of another folder" {
	grep -l 'sqlite3\.h' $(tracked 'harness/*.[ch]' 'workloads/*.[ch]' 'analyzers/*.[ch]') | nothing
	includes | grep 'results-schema/\(db\|pack\)\.h' | grep -v '^results-schema/' | nothing
	includes | grep 'plan/internal\.h' | grep -v '^harness/plan/' | nothing
	includes | grep 'vm/\(kernel\|qmp\|capture\|cmdline\|source\)\.h' | grep -v '^harness/vm/' | nothing
}

@test "only the commands and the progress print to the terminal" {
	grep -nE '[(, ]stderr\)|[(]stderr,|\bperror\(|\bwarnx?\(|\berrx?\(' $(tracked 'harness/*.c' 'workloads/*.c' 'analyzers/*.c' 'results-schema/*.c') |
		grep -vE '^(harness/cmd/[a-z]+|harness/run/progress|harness/agent/main|workloads/load/main|results-schema/sqlext/wringsql)\.c:' | nothing
	grep -nE '\b(printf|puts|putchar)\(|[(, ]stdout\)|[(]stdout,' $(tracked 'harness/*.c' 'workloads/*.c' 'analyzers/*.c' 'results-schema/*.c') |
		grep -vE '^(harness/cmd/[a-z]+|harness/run/progress)\.c:' | nothing
}

@test "each header compiles alone, and twice" {
	n=0
	for h in $(tracked '*.h'); do
		case $h in tests/controls/*) continue ;; esac
		printf '#include "%s"\n#include "%s"\nextern int nothing;\n' "$h" "$h" |
			${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-function -I"$top" -I"$WRING_BUILD" -fsyntax-only -x c - ||
			{ echo "$h"; return 1; }
		n=$((n + 1))
	done
	[ $n -gt 20 ]
}

# ---- documents ----

# The names in the first column of the table under a heading of docs/records.md.
rows() { awk -v h="## $1" 'index($0, h) == 1 { on = 1; next } /^## / { on = 0 } on && /^\| `/ { split($0, c, "|"); print c[2] }' docs/records.md | tr -d '` ' | tr ',' '\n' | sort -u; }

@test "docs/records.md has every kind of event there is, and no other" {
	code=$(perl -0777 -ne 'while (/wring_(?:out_event|out_text|recorder_note)\(\s*[^,()"]+(?:\([^)]*\))?,\s*"([a-z]+)"/g) { print "$1\n" }
		print "$1\n" while /wring_store_event\([^;"]*"([a-z]+)"/g' $(tracked 'harness/*.c') | sort -u)
	[ "$(echo "$code" | wc -l)" -ge 10 ]
	diff <(echo "$code") <(rows Events)
}

@test "docs/records.md has every sampler there is, and no other" {
	diff <("$WRING_BUILD/wring" list samplers | awk '{print $1}' | sort) <(rows Sources)
}

@test "docs/records.md has every fact" {
	facts=$(perl -0777 -ne 'print "$1\n" while /(?:wring_out_info|send_number|send_file)\(\s*\w+(?:->out)?,\s*"([a-z_.]+)"/g;
		print "$1\n" while /^\t\{ "([a-z_.]+)", "\/(?:proc|sys)/gm; print "$1\n" while /wring_store_fact\([^":;]*"([a-z_.]+)"/g' \
		$(tracked 'harness/agent/*.c' 'harness/run/*.c') | sort -u)
	[ "$(echo "$facts" | wc -l)" -gt 20 ]
	for f in $facts; do
		rows Facts | grep -qxF "$f" || rows Facts | grep -qxF "${f%%.*}.*" || { echo "fact $f"; return 1; }
	done
}

@test "docs/scenario-format.md has every step, need and key" {
	verbs=$(sed -n 's/^	{ "\([a-z-]*\)", WRING_STEP_.*/\1/p' harness/plan/verbs.c)
	[ "$(echo "$verbs" | wc -l)" -gt 15 ]
	for v in $verbs; do
		grep -qE "\`$v[ \`]" docs/scenario-format.md || { echo "step $v"; return 1; }
	done
	needs=$(sed -n 's/^#define WRING_NEEDS "\(.*\)"/\1/p' harness/plan/plan.h)
	[ -n "$needs" ]
	grep -F '| `needs` |' docs/scenario-format.md | grep -qF "\`$needs\`"
}

@test "every planted fault has a row in tests/controls/README.md, and a test" {
	for f in tests/controls/fault/*.c; do
		name=$(basename "$f" .c)
		grep -qE "^\\|.*\`$name\`" tests/controls/README.md || { echo "$name: no row"; return 1; }
		grep -qrE "(^|[ \t])$name(\.ko)?( |\$)" tests/e2e tests/controls/*.ini || { echo "$name: no test"; return 1; }
	done
}

# ---- sizes, licences, places ----

@test "no source file is longer than 500 lines without a reason" {
	declare -A reason=(
		[harness/plan/parse.c]="800: one table a section, read together"
		[results-schema/store.c]="700: the whole writing side of one interface"
		[results-schema/store_read.c]="800: the whole reading side of one interface"
		[harness/agent/cgroup.c]="600: libcgroup, and what it cannot do, in one place"
		[harness/vm/qemu.c]="600: one process from its start to its end"
	)
	bad=
	for f in $(tracked 'harness/*.[ch]' 'workloads/*.[ch]' 'analyzers/*.[ch]' 'results-schema/*.[ch]'); do
		max=500
		[ -z "${reason[$f]:-}" ] || max=${reason[$f]%%:*}
		[ "$(wc -l <"$f")" -le "$max" ] || { echo "$f: $(wc -l <"$f") lines, at most $max"; bad=yes; }
	done
	[ -z "$bad" ]
}

@test "every source and script names its licence" {
	bad=
	for f in $(tracked '*.c' '*.h' '*.sh' '*.bats' '*.bash' bootstrap quickstart runtests tests/run); do
		head -3 "$f" | grep -q 'SPDX-License-Identifier: GPL-[23]\.0-or-later' || { echo "$f"; bad=yes; }
	done
	[ -z "$bad" ]
}

@test "nothing depends on the machine it was written on" {
	# /src of a checkout there is not that of /usr/src
	grep -nE "/root/|/home/|(^|[^[:alnum:]_.}/-])$(printf %s "$top/" | sed 's/[].[*^$\\+?(){}|]/\\&/g')" \
		$(tracked '*' | grep -vE '^(COPYING|tests/meta/rules\.bats)$|^tests/fixtures/|^tests/fuzz/corpus/') /dev/null | nothing
}

@test "shellcheck" {
	command -v shellcheck >/dev/null || skip "no shellcheck: apt-get install shellcheck"
	shellcheck -S warning bootstrap quickstart runtests tests/run $(tracked '*.sh')
}
