# SPDX-License-Identifier: GPL-3.0-or-later
# Proof of charge on Debian's 6.1: the same as on a new kernel, but for extended attributes, which it charges to nobody.

load ../helper
load ../charge

setup_file() {
	needs_kernel_61
	WRING_KERNEL=$WRING_KERNEL_61
	needs_vm
	run_cases
}

@test "6.1: what each workload makes is charged to its cgroup, is where it should be, and is gone afterwards" {
	local name failed=
	while IFS='|' read -r name _; do
		[ "$name" = xattr ] || check_case "$name" || failed="$failed $name"
	done < <(cases)
	echo "failed:$failed"
	[ -z "$failed" ]
}

@test "6.1: kmalloc kind=xattr: in its slab cache, and charged to nobody" { bad=0; check_uncharged xattr 'kmalloc-4k*1'; }

@test "6.1: a load of objects churns, then lets go of everything and lives on" { check_churn; }
