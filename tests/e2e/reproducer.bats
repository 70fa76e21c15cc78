# SPDX-License-Identifier: GPL-3.0-or-later
# The reproducer of a run, in a guest where there is no wring: busybox, a kernel, and the script.

load helper
load host.bash

setup() {
	wring_setup
	cd "$T" || return 1
}
teardown() { wring_teardown; }

# A guest with init $1; what it says on the console goes to $T/console.
boot_script() {
	local dir p

	unpack_kernel || skip "no kernel as a package or an unpacked one: ./quickstart gets one, or set WRING_KERNEL"
	find_busybox || skip "no busybox-static, and apt-get cannot download it"
	PATH=$PATH:/sbin:/usr/sbin command -v mkfs.ext4 >/dev/null || skip "no mkfs.ext4"
	ROOT=$T/root
	for dir in bin sbin usr/bin lib64 etc proc sys dev tmp var/tmp modules; do mkdir -p "$ROOT/$dir"; done
	cp "$BUSYBOX" "$ROOT/bin/busybox"
	add_program "$(PATH=$PATH:/sbin:/usr/sbin command -v mkfs.ext4)" sbin/mkfs.ext4
	cp /etc/mke2fs.conf "$ROOT/etc"
	add_modules
	cp "$1" "$ROOT/reproducer.sh"
	cat >"$ROOT/init" <<-'END'
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		export PATH=/bin:/sbin:/usr/bin
		mount -t proc proc /proc
		mount -t sysfs sys /sys
		mount -t devtmpfs dev /dev
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
		mount -t tmpfs tmp /tmp
		mount -t tmpfs tmp /var/tmp
		while read -r m; do insmod "/modules/$m"; done </modules/order
		sh /reproducer.sh
		echo "exit code $?"
		find /sys/fs/cgroup -name 'reproducer-*' | sed 's/^/left: /'
		grep reproducer /proc/mounts | sed 's/^/left: /'
		poweroff -f
	END
	chmod +x "$ROOT/init"
	(cd "$ROOT" && find . | "$BUSYBOX" cpio -o -H newc 2>/dev/null) >root.cpio
	timeout 300 qemu-system-x86_64 -nodefaults -display none -no-reboot -M q35 -cpu max -accel tcg,thread=single -smp 2 -m 1G \
		-kernel "$KERNEL"/boot/vmlinuz-* -initrd root.cpio \
		-append "console=ttyS0 loglevel=1 panic=-1 no_timer_check tsc=reliable cgroup_no_v1=all rdinit=/init" \
		-serial "file:$T/console" </dev/null >qemu.log 2>&1 3>&- || { cat qemu.log; tail console; return 1; }
}

@test "slab-at-max: the script fills the group to its limit, and leaves nothing" {
	needs_vm
	wring_run slab-at-max --set=slab-at-max.limit=16M --set=slab-at-max.footprint=40M --quiet || true
	wring report last --db="$DB" --format=reproducer -o r.sh
	boot_script r.sh
	tr -d '\r' <console >out
	grep -qx 'exit code 0' out || { tail -40 out; return 1; }
	[ -z "$(grep '^left' out)" ] || { grep '^left' out; return 1; }
	for m in start filled after-load after-barrier after-reclaim after-remount end; do
		grep -qx "== $m" out || { echo "no mark $m"; tail -40 out; return 1; }
	done
	# at the mark filled the group has met its limit, and holds no more than it may. Whether its load was killed there is the kernel's
	# doing: with 16M and few CPUs the names may come back too late, which is what the scenario is about.
	sed -n '/^== filled/,/^== frozen/p' out | grep '/work: ' >work || { tail -40 out; return 1; }
	cat work
	[ "$(sed 's/.* of max \([0-9]*\),.*/\1/' work)" = 16777216 ]
	[ "$(sed 's/.*, high [0-9]* max \([0-9]*\) .*/\1/' work)" -gt 0 ]
	[ "$(sed 's/.*: current \([0-9]*\) .*/\1/' work)" -le 16777216 ]
}
