#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# patched-kernel.sh TREE CONFIG [PATCH]: makes a kernel in TREE, out of Debian's linux-source-6.12 and with one patch of patches/ or
# with none; a patch applied before goes first, and only what changed is made again. CONFIG: the configuration of the
# kernel to be like; patches/kernel.config takes from it what a guest has no use for. The source is $WRING_KERNEL_SOURCE, a folder or
# a tarball, else the package is downloaded. Runs with nice, $WRING_JOBS (default: one a CPU) at once; the first takes up to an hour.
# Exit 77: the source or a tool cannot be had; the last line says which.
set -eu
[ $# -ge 2 ] && [ $# -le 3 ] || { echo "usage: $0 TREE CONFIG [PATCH]" >&2; exit 2; }
tree=$1 config=$2 patch=${3:-}
here=$(cd "$(dirname "$0")" && pwd)
package=linux-source-6.12

skip() { echo "$*" >&2; exit 77; }
for tool in make gcc flex bison bc patch perl cpio xz lz4; do
	command -v $tool >/dev/null || skip "no $tool, which a kernel is made with"
done
[ -e /usr/include/libelf.h ] || skip "no libelf-dev, which a kernel is made with"

unpack() {
	work=$(mktemp -d "$tree.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	source=${WRING_KERNEL_SOURCE:-}
	if [ -z "$source" ]; then
		(cd "$work" && apt-get download $package >apt.log 2>&1 && dpkg-deb -x ./*.deb .) || skip "cannot download $package"
		source=$work/usr/src/$package.tar.xz
	fi
	if [ -d "$source" ]; then
		cp -a "$source" "$work/k"
		make -s -C "$work/k" mrproper
	else
		mkdir "$work/k"
		tar -C "$work/k" --strip-components=1 -xf "$source"
	fi
	mv -T "$work/k" "$tree"
	rm -rf "$work"
	trap - EXIT
}

# The modules that guests load; what else is one in CONFIG is left out.
configure() {
	cp "$config" .config
	printf '%s 1 0\n' Module virtio_pci virtio_console virtio_blk brd ext4 zram loop >lsmod
	yes '' | make LSMOD="$PWD/lsmod" localmodconfig
	scripts/kconfig/merge_config.sh -m .config "$here/patches/kernel.config"
	make olddefconfig
}

[ -d "$tree" ] || unpack
cd "$tree"
[ -e .config ] || configure >configure.log 2>&1 || { rm -f .config; cat configure.log >&2; exit 1; }
if [ -e applied.patch ]; then
	patch -R -s -p1 <applied.patch
	rm applied.patch
fi
if [ -n "$patch" ]; then
	patch -s -p1 --no-backup-if-mismatch <"$here/patches/$patch.patch"
	cp "$here/patches/$patch.patch" applied.patch
fi
nice -n 10 make -j"${WRING_JOBS:-$(nproc)}" LOCALVERSION= bzImage modules >make.log 2>&1 || { tail -40 make.log >&2; exit 1; }
