# SPDX-License-Identifier: GPL-3.0-or-later
# Faults in the kernel's own source: tests/controls/patches, one at a time, each in a kernel that is made for it. That takes an hour for the
# first kernel and some minutes for each patch, so only with WRING_PATCHED=yes, or the names of the patches to try.
# WRING_PATCHED_TREE keeps the kernel from one call to the next.

load ../helper

setup() {
	[ -n "${WRING_PATCHED:-}" ] || skip "makes kernels for hours: WRING_PATCHED=yes runs it"
	wring_setup
	needs_vm
	TREE=${WRING_PATCHED_TREE:-$BATS_FILE_TMPDIR/linux}
	run_options=(--where=vm --accel="$WRING_ACCEL" --kernel="$TREE")
}

teardown() { [ -z "${T:-}" ] || wring_teardown; }

# The configuration of the kernel under test, out of its folder or package.
kernel_config() {
	local found

	found=$(find "$WRING_KERNEL/" -path '*/boot/config-*' 2>/dev/null | head -1)
	[ -z "$found" ] || { echo "$found"; return; }
	dpkg-deb --fsys-tarfile "$WRING_KERNEL" | tar -xO --wildcards './boot/config-*' >"$T/config"
	echo "$T/config"
}

make_kernel() {
	local status=0

	"$controls/patched-kernel.sh" "$TREE" "$(kernel_config)" "$@" >"$T/kernel.log" 2>&1 3>&- || status=$?
	[ $status -ne 77 ] || skip "$(tail -1 "$T/kernel.log")"
	[ $status -eq 0 ] || { tail -40 "$T/kernel.log"; return 1; }
}

patches() {
	if [ "$WRING_PATCHED" = yes ]; then
		(cd "$controls/patches" && printf '%s\n' *.patch)
	else
		printf '%s.patch\n' $WRING_PATCHED
	fi
}

# of WORD PATCH: what stands behind `WORD: ` in the lines of its header.
of() { sed -n "/^--- /q; s/^$1: //p" "$controls/patches/$2"; }

@test "a kernel made from source, without a patch, passes all scenarios that patches are found by" {
	local p scenarios

	make_kernel
	scenarios=$(for p in $(patches); do of Scenarios "$p"; done | tr ' ' '\n' | sort -u)
	wring_run --known="$top/docs/known-debian-12.ini" $scenarios
	nothing_left
	for p in $(patches); do
		[ -z "$(of Options "$p")" ] || wring_run --known="$top/docs/known-debian-12.ini" $(of Scenarios "$p") $(of Options "$p")
	done
}

@test "each patch is found, by the scenario and the class that its header names" {
	local p scenario detector class missed=

	for p in $(patches); do
		make_kernel "${p%.patch}"
		wring_run $(of Scenarios "$p") $(of Options "$p") >"$T/out" 2>&1 || true
		while read -r scenario detector class; do
			# what has no effect here, or one now and then, is told in its header
			[ "$scenario" != luck ] || continue
			if [ "$scenario" = none ]; then
				[ "$(jq '[.runs[].findings[] | select(.verdict == "fail")] | length' "$JSON")" -eq 0 ] || missed+=" (found after all: ${p%.patch})"
			else
				finding "$scenario" "$detector" "$class" fail || missed+=" ${p%.patch}"
			fi
		done < <(of Finding "$p")
	done
	[ -z "$missed" ] || { echo "not found:$missed"; return 1; }
}
