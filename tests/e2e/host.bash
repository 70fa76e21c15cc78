# SPDX-License-Identifier: GPL-3.0-or-later
# A guest that plays a host: an initramfs with wring, what it needs and busybox, booted by QEMU without wring's help. One boot
# runs all parts of host-init; the tests look at what they left. Shared by host.bats and long/host-smoke.bats.

# A static busybox: the system's own, or Debian's, downloaded but not installed.
find_busybox() {
	local dir=$WRING_CACHE/busybox

	BUSYBOX=$(command -v busybox) && ! ldd "$BUSYBOX" >/dev/null 2>&1 && return
	BUSYBOX=$dir/bin/busybox
	[ -x "$BUSYBOX" ] && return
	mkdir -p "$dir"
	(cd "$dir" && apt-get download busybox-static && dpkg-deb -x busybox-static_*.deb "$dir") >"$BATS_FILE_TMPDIR/busybox.log" 2>&1
}

# The kernel as a folder, whatever way it was given.
unpack_kernel() {
	KERNEL=$WRING_KERNEL
	case $KERNEL in
	*.deb) KERNEL=$BATS_FILE_TMPDIR/kernel && dpkg-deb -x "$WRING_KERNEL" "$KERNEL" ;;
	esac
	[ -e "$(echo "$KERNEL"/boot/vmlinuz-*)" ]
}

add_program() { # FILE DESTINATION
	local lib

	cp "$1" "$ROOT/$2"
	ldd "$1" 2>/dev/null | grep -o '/[^ ]*' | while read -r lib; do
		mkdir -p "$ROOT$(dirname "$lib")"
		cp -Ln "$lib" "$ROOT$lib"
	done || true
}

add_modules() {
	local name file

	for name in virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_console loop lz4_compress lz4hc_compress zsmalloc zram; do
		for file in $(find "$KERNEL/lib/modules" -name "$name.ko*"); do
			case $file in
			*.xz) xz -dc "$file" >"$ROOT/modules/$name.ko" ;;
			*.zst) zstd -qdc "$file" >"$ROOT/modules/$name.ko" ;;
			*) cp "$file" "$ROOT/modules" ;;
			esac
			echo "$name.ko"
		done
	done >"$ROOT/modules/order"
}

make_root() { # SECONDS TARGETS...
	local dir p

	ROOT=$BATS_FILE_TMPDIR/root
	for dir in bin sbin usr/bin lib64 etc proc sys dev tmp run modules scenarios; do
		mkdir -p "$ROOT/$dir"
	done
	cp "$BUSYBOX" "$ROOT/bin/busybox"
	cp "$top/tests/e2e/host-init" "$ROOT/init"
	echo "$1" >"$ROOT/seconds"
	shift
	echo "$*" >"$ROOT/targets"
	cp "$controls"/*.ini "$ROOT/scenarios"
	for p in wring wring-agent wring-load; do
		add_program "$WRING_BUILD/$p" bin
	done
	add_program "$(PATH=$PATH:/sbin:/usr/sbin command -v mkfs.ext4)" sbin/mkfs.ext4
	cp /etc/mke2fs.conf "$ROOT/etc"
	printf 'root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n' >"$ROOT/etc/passwd"
	printf 'root:x:0:\nuser:x:1000:\n' >"$ROOT/etc/group"
	add_modules
	(cd "$ROOT" && find . | "$BUSYBOX" cpio -o -H newc 2>/dev/null) >"$BATS_FILE_TMPDIR/root.cpio"
}

# The guest gives up after $HOST_SECONDS (default 300).
host_setup_file() { # TARGETS...
	local accel=tcg,thread=single seconds=${HOST_SECONDS:-300}

	OUT=$BATS_FILE_TMPDIR/out
	export OUT
	[ -x "$WRING_BUILD/wring" ] || { echo "no $WRING_BUILD/wring: run make, or set WRING_BUILD"; return 1; }
	command -v qemu-system-x86_64 >/dev/null || skip "no qemu-system-x86_64"
	PATH=$PATH:/sbin:/usr/sbin command -v mkfs.ext4 >/dev/null || skip "no mkfs.ext4"
	unpack_kernel || skip "no kernel as a package or an unpacked one: ./quickstart gets one, or set WRING_KERNEL"
	find_busybox || skip "no busybox-static, and apt-get cannot download it"
	[ "$WRING_ACCEL" = tcg ] || accel=$WRING_ACCEL
	make_root "$seconds" "$@"
	mkdir -p "$OUT"
	SECONDS=0
	timeout $((seconds + 100)) qemu-system-x86_64 -nodefaults -display none -no-reboot -M q35 -cpu max -accel "$accel" -smp 2 -m 2G \
		-kernel "$KERNEL"/boot/vmlinuz-* -initrd "$BATS_FILE_TMPDIR/root.cpio" \
		-append "console=ttyS0 loglevel=4 panic=-1 no_timer_check tsc=reliable psi=1 cgroup_no_v1=all rdinit=/init" \
		-serial "file:$OUT/console" -device virtio-serial \
		-chardev "file,id=out,path=$BATS_FILE_TMPDIR/out.tar" -device virtserialport,chardev=out,name=out \
		</dev/null >"$OUT/qemu" 2>&1 3>&- || echo "QEMU: exit $?" >>"$OUT/qemu"
	tar -C "$OUT" -xf "$BATS_FILE_TMPDIR/out.tar" || { tail -n 30 "$OUT"/console "$OUT"/qemu; return 1; }
	echo "# ${SECONDS}s: the guest that plays a host" >&3
}

show() { tail -n 40 "$OUT/$1.code" "$OUT/$1.log" "$OUT/$1.state" 2>/dev/null | cut -c1-400; }
code() { [ "$(cat "$OUT/$1.code")" -eq "$2" ] || { echo "exit code $(cat "$OUT/$1.code") instead of $2"; show "$1"; return 1; }; }
clean() { diff "$OUT/before.root" "$OUT/$1.state" || { show "$1"; return 1; }; }
clean_user() { diff "$OUT/before" "$OUT/$1.state" || { show "$1"; return 1; }; }
in_db() { sqlite3 "$OUT/$1.db" "$2"; }
sound() { [ "$(in_db "$1" 'PRAGMA integrity_check')" = ok ]; }
