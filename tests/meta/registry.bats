# SPDX-License-Identifier: GPL-3.0-or-later
# What is in the folders is what the programs know (a linker drops registered objects from a library without a word), and
# adding a workload, a sampler, a detector or a scenario is adding one file.
bats_require_minimum_version 1.5.0

setup() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	: "${WRING_BUILD:=$top/build}"
	cd "$top" || return 1
}

listed() { "$WRING_BUILD/wring" list "$1" | sed -n 's/^\([^ ][^ ]*\).*/\1/p' | sort; }

# The names that the files with this registration give themselves.
in_files() { # MACRO FILE...
	local macro=$1

	shift
	for f in "$@"; do
		grep -q "$macro" "$f" || continue
		perl -0777 -ne 'my %def; $def{$1} = $2 while /#define\s+(\w+)\s+"([^"]+)"/g;
			print "", ($1 =~ /^"(.*)"$/ ? $1 : $def{$1}), "\n" while /\.name\s*=\s*("[^"]+"|\w+)/g' "$f"
	done | sort
}

slots() { size -A "$WRING_BUILD/$1" | awk -v s="wring_$2" '$1 == s { print $2 / 8 }'; }

@test "workloads: files, wring list, and the load program agree" {
	diff <(in_files WRING_REGISTER_WORKLOAD workloads/*.c) <(listed workloads)
	[ "$(slots wring-load workloads)" = "$(listed workloads | wc -l)" ]
	[ "$(grep -L WRING_REGISTER_WORKLOAD workloads/*.c)" = "" ]
}

@test "samplers: files, wring list, and the agent agree" {
	diff <(in_files WRING_REGISTER_SAMPLER harness/samplers/*.c) <(listed samplers)
	[ "$(slots wring-agent samplers)" = "$(listed samplers | wc -l)" ]
}

@test "detectors: files and wring list agree" {
	diff <(in_files WRING_REGISTER_DETECTOR analyzers/*.c) <(listed detectors)
	[ "$(slots wring detectors)" = "$(listed detectors | wc -l)" ]
}

@test "scenarios: files and wring list agree" {
	diff <(basename -s .ini workloads/scenarios/*.ini | sort) <(listed scenarios)
}

# The suite @nightly is all scenarios in their long form: more of what they do, and not only more time for it.
@test "scenarios: each has a long form, or says why not: # no long form: ..." {
	for f in workloads/scenarios/*.ini; do
		if sed -n 's/^\([A-Za-z0-9_-]*\)\.long *=.*/\1/p' "$f" | grep -qvxE 'timeout|wait'; then
			grep -qE '^timeout(\.long)? = [0-9.]+(h|m)$' "$f" || { echo "$f: a long form and no timeout in minutes"; return 1; }
			! grep -q '^# no long form:' "$f" || { echo "$f: a long form, and a comment that there is none"; return 1; }
		else
			grep -qE '^# no long form: .' "$f" || { echo "$f: no long form (docs/scenario-format.md)"; return 1; }
		fi
	done
}

@test "names are told once each, and are what the command line can take" {
	for what in workloads samplers detectors scenarios; do
		[ -z "$(listed $what | uniq -d)" ]
		[ -z "$(listed $what | grep -vxE '[a-z][a-z0-9._-]*')" ]
	done
}

@test "a workload, a sampler, a detector and a scenario: one new file each, and nothing else" {
	command -v autoreconf >/dev/null || skip "no autoconf"
	tree=$BATS_TEST_TMPDIR/tree
	mkdir "$tree"
	tar -c --exclude=./build --exclude='./build-*' --exclude=./.git --exclude=./autom4te.cache . | tar -x -C "$tree"
	cd "$tree"

	sed 's/\.name = "null"/.name = "new-load"/' workloads/null.c >workloads/new_load.c
	sed 's/\.name = "vmstat"/.name = "new-sampler"/' harness/samplers/vmstat.c >harness/samplers/new_sampler.c
	cat >analyzers/new-detector.c <<-'END'
		/* SPDX-License-Identifier: GPL-3.0-or-later */
		#include "harness/api/detector.h"

		static int judge(struct wring_view *v, struct wring_err *err)
		{
			(void)err;
			wring_finding(v, "new-detector", "new", WRING_PASS, 0, 0, "", "nothing");
			return 0;
		}

		static const struct wring_detector detector = {
			.name = "new-detector", .summary = "finds nothing", .doc = "nothing", .controls = "fires: never; silent: always", .judge = judge,
		};
		WRING_REGISTER_DETECTOR(detector);
	END
	cat >workloads/scenarios/new-scenario.ini <<-'END'
		[scenario]
		summary = all that is new
		suites = new-suite
		detectors = new-detector
		primary = ops_per_s
		[group work]
		[load names]
		workload = new-load
		group = work
		[sample new-sampler]
		rate = 10
		[phase p]
		do = start names
		  wait names
	END
	./bootstrap >log 2>&1 || { tail -20 log; return 1; }
	mkdir b
	cd b
	../configure -q CFLAGS="-O0 -g0" >log 2>&1 || { tail -20 log; return 1; }
	make -j"$(nproc)" wring wring-load wring-agent >>log 2>&1 || { tail -20 log; return 1; }

	./wring list workloads | grep -q '^new-load '
	./wring list samplers | grep -q '^new-sampler '
	./wring list detectors | grep -q '^new-detector '
	./wring list scenarios | grep -q '^new-scenario '
	./wring list suites | grep -q '^@new-suite *new-scenario'
	./wring list metrics | grep -q '^    primary of .*new-scenario'
	./wring show new-load | grep -q '^Parameters'
	./wring load new-load --help >help
	head -1 help | grep -q '^Usage: wring load'
	grep -q '^new-load: ' help
	grep -q '^  duration=0s ' help
	./wring load --list | grep -q '^new-load '
	./wring load new-load --dry-run --where=vm --kernel=none 2>&1 | grep -q 'none'
	if command -v scdoc >/dev/null; then
		make docs/man/wring-workloads.7 docs/man/wring-samplers.7 docs/man/wring-detectors.7 docs/man/wring-scenario.5 >>log 2>&1 ||
			{ tail -20 log; return 1; }
		grep -q '^\.SS new-load' docs/man/wring-workloads.7
		sed -n '/^\.SS new-load/,/^\.SS/p' docs/man/wring-workloads.7 | grep -q 'duration'
		grep -q '^\.SS new-sampler' docs/man/wring-samplers.7
		grep -q '^\.SS new-detector' docs/man/wring-detectors.7
		grep -q '^\.SS new-scenario' docs/man/wring-scenario.5
	fi
	./wring show new-scenario | grep -q '^workload = new-load'
	[ "$(WRING_BUILD=$PWD slots wring-agent samplers)" = "$(./wring list samplers | wc -l)" ]
	[ "$(WRING_BUILD=$PWD slots wring-load workloads)" = "$(./wring list workloads | wc -l)" ]
}
