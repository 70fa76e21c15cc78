# SPDX-License-Identifier: GPL-3.0-or-later
# A guest in which there is no wring: busybox, a kernel, mkfs.ext4, and reproducers. Shared by reproducer.bats and long/reproducer.bats.

# boot_scripts SECONDS FILE...: each script with the shell of busybox, one after the other, for at most SECONDS each. What it says, its
# exit code and what it left go to $T/NAME.out, $T/NAME.code and $T/NAME.left.
boot_scripts() {
	local dir p seconds=$1

	shift
	unpack_kernel || skip "no kernel as a package or an unpacked one: ./quickstart gets one, or set WRING_KERNEL"
	find_busybox || skip "no busybox-static, and apt-get cannot download it"
	PATH=$PATH:/sbin:/usr/sbin command -v mkfs.ext4 >/dev/null || skip "no mkfs.ext4"
	ROOT=$T/root
	for dir in bin sbin usr/bin lib64 etc proc sys dev tmp var/tmp modules scripts; do mkdir -p "$ROOT/$dir"; done
	cp "$BUSYBOX" "$ROOT/bin/busybox"
	add_program "$(PATH=$PATH:/sbin:/usr/sbin command -v mkfs.ext4)" sbin/mkfs.ext4
	cp /etc/mke2fs.conf "$ROOT/etc"
	add_modules
	cp "$@" "$ROOT/scripts"
	cat >"$ROOT/init" <<-END
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		export PATH=/bin:/sbin:/usr/bin
		mount -t proc proc /proc
		mount -t sysfs sys /sys
		mount -t devtmpfs dev /dev
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
		mount -t tmpfs tmp /tmp
		mount -t tmpfs tmp /var/tmp
		while read -r m; do insmod "/modules/\$m"; done </modules/order
		mkdir /tmp/out
		sysctl -a 2>/dev/null | grep '^vm\.' >/tmp/sysctls
		for s in /scripts/*; do
			echo "\$s"
			n=/tmp/out/\$(basename "\$s" .sh)
			timeout $seconds sh "\$s" >\$n.out 2>&1
			echo \$? >\$n.code
			{
				find /sys/fs/cgroup -name 'reproducer-*'
				grep reproducer /proc/mounts
				sed 1d /proc/swaps
				losetup -a
				ls /var/tmp
				sysctl -a 2>/dev/null | grep '^vm\.' | diff /tmp/sysctls -
			} >\$n.left 2>&1
		done
		for port in /dev/vport*; do tar -C /tmp/out -cf "\$port" .; done
		sync
		poweroff -f
	END
	chmod +x "$ROOT/init"
	(cd "$ROOT" && find . | "$BUSYBOX" cpio -o -H newc 2>/dev/null) >root.cpio
	timeout $((seconds * $# + 100)) qemu-system-x86_64 -nodefaults -display none -no-reboot -M q35 -cpu max -accel tcg,thread=single -smp 2 -m 2G \
		-kernel "$KERNEL"/boot/vmlinuz-* -initrd root.cpio \
		-append "console=ttyS0 loglevel=4 panic=-1 no_timer_check tsc=reliable cgroup_no_v1=all rdinit=/init" -serial "file:$T/console" \
		-device virtio-serial -chardev "file,id=out,path=$T/out.tar" -device virtserialport,chardev=out,name=out \
		</dev/null >qemu.log 2>&1 3>&- || { cat qemu.log; tail console; return 1; }
	tar -xf out.tar || { cat qemu.log; tail -n 30 console; return 1; }
}

# ran NAME: to its end, and nothing is left; all that failed was said to be left out.
ran() {
	[ "$(cat "$1.code")" = 0 ] && grep -qx '== end' "$1.out" || { echo "$1: exit code $(cat "$1.code")"; tail -n 40 "$1.out"; return 1; }
	[ ! -s "$1.left" ] || { echo "$1 left:"; cat "$1.left"; return 1; }
	[ -z "$(grep -v '^left out: \|^== \|^reproducer-\|^nr_dying\|^load [0-9]*, process [0-9]*: it was killed' "$1.out")" ] ||
		{ echo "$1 complained:"; grep -v '^left out: \|^== \|^reproducer-\|^nr_dying' "$1.out"; return 1; }
}
