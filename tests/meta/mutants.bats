#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Mistakes that were found in benchmark tools of good repute, put into ours one by one: the unit tests must see each.

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return 1
	pkg-config --exists gsl cmocka || skip "no cmocka: apt-get install libcmocka-dev"
}

# The tests with one file changed by sed; the change must change something. TEST FILE SED
survives() {
	local test=$1 file=$2 edit=$3 dir=$BATS_TEST_TMPDIR
	sed "$edit" "analyzers/stats/$file" >"$dir/$file"
	cmp -s "analyzers/stats/$file" "$dir/$file" && [ -n "$edit" ] && { echo "nothing matches: $edit"; exit 1; }
	local sources=()
	for f in analyzers/stats/*.c; do [ "${f##*/}" = "$file" ] || sources+=("$f"); done
	# shellcheck disable=SC2046
	${CC:-cc} -std=gnu11 -D_GNU_SOURCE -O1 -w -I. -o "$dir/mutant" "tests/unit/$test.c" "$dir/$file" "${sources[@]}" \
		harness/base/{err,util}.c $(pkg-config --cflags --libs gsl cmocka) -lm || { echo "does not compile: $edit"; exit 1; }
	WRING_QUICK=yes timeout 60 "$dir/mutant" >/dev/null 2>&1
}
mutant() { if survives "$@"; then echo "not seen: $*"; return 1; fi; }

@test "mutants: without a change the tests pass" {
	survives test_compare perm.c ''
	survives test_verdict compare.c ''
	survives test_changepoint changepoint.c ''
}

@test "mutants: variance with n in place of n - 1" {
	mutant test_compare perm.c 's|squares / (n - 1)|squares / n|'
}

@test "mutants: a standard deviation without the number of runs" {
	mutant test_compare perm.c 's|m.var += k \* (n - k) / n \* squares|m.var += squares|'
}

@test "mutants: the difference of the two U against a table of the lesser one" {
	mutant test_compare perm.c 's|fabs(d) >= far - slack|fabs(d) <= far + slack|'
	mutant test_compare perm.c 's|far = side ? (m.t - m.mean) \* side : fabs(m.t - m.mean)|far = side ? (m.t - m.mean) * side : 2 * fabs(m.t - m.mean)|'
}

@test "mutants: more extreme only, not as extreme" {
	mutant test_compare perm.c 's|fabs(d) >= far - slack|fabs(d) > far + slack|'
	mutant test_compare westfall.c 's|top >= v->seen\[k\] - 1e-9|top > v->seen[k] + 1e-9|'
}

@test "mutants: count / R, so that p can be 0; count / (R + 1)" {
	mutant test_compare westfall.c '/^	count(v, v->t);$/d'
	mutant test_compare westfall.c 's|^	count(v, v->t);$|	v->visits++;|'
}

@test "mutants: ties broken by order instead of shared" {
	mutant test_compare perm.c 's|rank\[i\] = 2 \* less + equal + 1|rank[i] = 2 * less + 2|'
}

@test "mutants: blocks not aligned, arms shuffled across blocks" {
	mutant test_verdict perm.c 's|y\[j\] -= middle|y[j] -= 0|'
	mutant test_compare perm.c 's|^		end = block_end(s, i);$|		end = s->n;|'
}

@test "mutants: each metric adjusted alone, and single steps in place of steps down" {
	mutant test_compare westfall.c 's|top = fmax(top, fabs(t\[k\]))|top = fabs(t[k])|'
	mutant test_compare westfall.c 's|for (size_t i = v->m; i-- > 0;) {|for (size_t k = 0; k < v->m; k++) top = fmax(top, fabs(t[k]));\n	for (size_t i = v->m; i-- > 0;) {|'
}

@test "mutants: Benjamini and Hochberg without the step up" {
	mutant test_compare rates.c 's|if (p\[j\] >= p\[i\])|if (0)|'
}

@test "mutants: what could not be seen is called the same" {
	mutant test_verdict compare.c 's|if (!reach) {|if (0) {|'
	mutant test_verdict compare.c 's|(!(r->two_modes .. r->zeros) .. s->range|(1 \|\| s->range|'
	mutant test_verdict compare.c 's|!r->died_a \&\& !r->died_b \&\& s->missing_a == s->missing_b|1|'
}

@test "mutants: better and worse swapped, a difference that does not matter" {
	mutant test_verdict compare.c 's|sign == worse ? WRING_CMP_REGRESSION|sign != worse ? WRING_CMP_REGRESSION|'
	mutant test_verdict compare.c 's|outside \&\& matters(s, m, r, d)|outside|'
}
