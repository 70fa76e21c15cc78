#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# build-module.sh KERNEL_RELEASE OUT: builds the modules in fault/ for a Debian kernel into the folder OUT, against
# that kernel's own headers. The headers are downloaded, not installed, into $WRING_CACHE (default ~/.cache/wring).
# Exit 77: they cannot be had (no apt-get, no network, or that release has left the archive); the last line says which.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 KERNEL_RELEASE OUT" >&2; exit 2; }
release=$1 out=$2
here=$(cd "$(dirname "$0")" && pwd)
cache=${WRING_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/wring}/headers
flavour=${release##*-}                           # 6.12.117+deb12-cloud-amd64: amd64
case $release in
*-cloud-$flavour) flavour=cloud-$flavour ;;
*-rt-$flavour) flavour=rt-$flavour ;;
esac
version=${release%-"$flavour"}                   # 6.12.117+deb12, 6.1.0-56
tree=$cache/$release

skip() { echo "$*" >&2; exit 77; }

# Debian 12 names the build tools of 6.1 by the series alone.
fetch() {
	command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || skip "no apt-get to fetch kernel headers with"
	work=$(mktemp -d "$cache/fetch.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	series=$(echo "$version" | sed -n 's/^\([0-9]*\.[0-9]*\).*/\1/p')
	kbuild=linux-kbuild-$version
	apt-cache show "$kbuild" >/dev/null 2>&1 || kbuild=linux-kbuild-$series
	(cd "$work" && apt-get download "linux-headers-$release" "linux-headers-$version-common" "$kbuild" >apt.log 2>&1) ||
		skip "no headers for $release: $(grep '^E:' "$work/apt.log" | head -1)"
	for deb in "$work"/*.deb; do
		dpkg-deb -x "$deb" "$work/tree"
	done
	# Paths in the packages are those of an installed system.
	echo "include $tree/usr/src/linux-headers-$version-common/Makefile" >"$work/tree/usr/src/linux-headers-$release/Makefile"
	mv -T "$work/tree" "$tree" 2>/dev/null || [ -d "$tree" ]
	rm -rf "$work"
	trap - EXIT
}

mkdir -p "$cache" "$out"
[ -d "$tree" ] || fetch
command -v gcc-12 >/dev/null || command -v gcc >/dev/null || skip "no gcc"
cp "$here"/fault/* "$out"
make -s -C "$tree/usr/src/linux-headers-$release" M="$(cd "$out" && pwd)" CONFIG_DEBUG_INFO_BTF_MODULES= modules >"$out/make.log" 2>&1 ||
	{ cat "$out/make.log" >&2; exit 1; }
ls "$out"/*.ko
