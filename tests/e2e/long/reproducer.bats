# SPDX-License-Identifier: GPL-3.0-or-later
# The reproducer of every scenario of @smoke, in a guest where there is no wring: it runs to its end, leaves nothing, and what it cannot
# do it says.

load ../helper
load ../host.bash
load ../reproducer.bash

setup() {
	wring_setup
	cd "$T" || return 1
}
teardown() { wring_teardown; }

@test "every scenario of @smoke as a script" {
	needs_vm
	wring_run @smoke --quiet || true
	for id in $(sql 'SELECT id FROM run'); do
		name=$(sql "SELECT scenario FROM run WHERE id = $id")
		wring report "$id" --db="$DB" --format=reproducer -o "$name.sh"
	done
	names=$(ls ./*.sh | wc -l)
	[ "$names" -ge 10 ]
	boot_scripts 1500 ./*.sh
	for s in ./*.sh; do
		ran "$(basename "$s" .sh)"
	done
	# what is done, and not only said: groups meet their limits, memory goes to swap, names are in the slab
	grep -q '/work: .*, high [0-9]* max [1-9]' slab-at-max.out
	grep -q '/swapper: .*, high [0-9]* max [1-9]' swap-progress.out
}
