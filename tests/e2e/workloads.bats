# SPDX-License-Identifier: GPL-3.0-or-later
# What a workload cannot do it says, with how far it came and what would help: no footprint is silently smaller than it was said.
# One boot runs all the cases.

load helper

# name | workload | filesystem | memory.max | sysctl | options
cases() {
	cat <<-'X'
	no-negative|dentry|tmpfs|64M||footprint=1M
	negative-xfs|dentry|xfs|64M||footprint=1M
	positive-tmpfs|dentry|tmpfs|64M||footprint=1M kind=positive
	read-tmpfs|file|tmpfs|64M||kind=read footprint=1M
	xattr-ext4|kmalloc|ext4|64M||kind=xattr footprint=1M
	few-files|fd|tmpfs|64M|fs.nr_open=1024|kind=file footprint=4M
	few-threads|fork|tmpfs|64M|kernel.threads-max=200|kind=thread footprint=32M
	few-maps|vma|tmpfs|64M|vm.max_map_count=2000|footprint=8M
	few-watches|fd|tmpfs|64M|fs.epoll.max_user_watches=1000|kind=epoll footprint=8M
	few-watches-burst|rcu-free|tmpfs|64M|fs.epoll.max_user_watches=1000|kind=epoll burst=5000
	small-disk|file|ext4|128M||footprint=64M sync=yes
	small-disk-mmap|file|ext4|128M||kind=mmap footprint=64M
	few-keys|kmalloc|tmpfs|64M|kernel.keys.root_maxbytes=100000|kind=keyctl footprint=1M
	huge|thp|tmpfs|16M||footprint=64M
	killed|anon|tmpfs|16M||footprint=64M
	churn-walk|anon|tmpfs|64M||churn=walk footprint=4M chunk=64K
	churn-random|anon|tmpfs|64M||churn=random footprint=4M chunk=4K
	churn-zipf|anon|tmpfs|64M||churn=zipf footprint=4M chunk=4K
	churn-stat|inode|ext4|64M||churn=stat footprint=1M
	churn-pinned|inode|ext4|64M||churn=stat kind=pinned footprint=1M
	churn-reread|file|ext4|64M||churn=read kind=read footprint=4M chunk=64K
	churn-dirty|file|ext4|64M||churn=write footprint=4M chunk=64K
	churn-shared|file|ext4|64M||churn=write kind=shared footprint=4M chunk=64K
	churn-append|file|ext4|64M||churn=read kind=append footprint=4M chunk=64K
	churn-positive|dentry|ext4|64M||kind=positive footprint=1M
	churn-cgroup|percpu|tmpfs|64M||kind=cgroup footprint=1M
	X
}

setup_file() {
	local name workload fs max sysctl options o files=()

	needs_vm
	export OUT=$BATS_FILE_TMPDIR
	while IFS='|' read -r name workload fs max sysctl options; do
		{
			printf '[scenario]\nname = %s\nneeds = memcg scratch\ntimeout = 120s\n' "$name"
			[ -z "$sysctl" ] || printf '[sysctl]\n%s = %s\n' "${sysctl%=*}" "${sysctl#*=}"
			printf '[mount scratch]\ntype = %s\nsize = %s\n' "$fs" "$([ "$fs" = xfs ] && echo 512M || echo 32M)"
			[ -z "$max" ] || printf '[group work]\nmemory.max = %s\n' "$max"
			printf '[load x]\nworkload = %s\non = scratch\n' "$workload"
			[ -z "$max" ] || echo 'group = work'
			for o in $options; do echo "${o%%=*} = ${o#*=}"; done
			printf '[sample load]\nrate = mark\n[phase run]\ndo = start x\n  wait x 100s\n  mark filled\n'
			[[ $name != churn-* ]] || printf '  churn x 500ms\n  mark churned\n  release x\n  mark released\n'
			printf '  stop x\n'
		} >"$OUT/$name.ini"
		files+=("$OUT/$name.ini")
	done < <(cases)
	"$WRING_BUILD/wring" run "${files[@]}" --where=vm --accel="$WRING_ACCEL" --kernel="$WRING_KERNEL" --db="$OUT/t.db" \
		--quiet >"$OUT/out" 2>&1 || true
}

reason() { sqlite3 "$OUT/t.db" "select outcome || ': ' || coalesce(reason, '') from runs where scenario = '$1'"; }

says() { # NAME WORD...
	local name=$1 word
	shift
	reason "$name"
	[[ $(reason "$name") == broken:* ]]
	for word in "$@"; do
		[[ $(reason "$name") == *"$word"* ]] || { echo "'$word' is not in it"; return 1; }
	done
}

@test "dentry: a filesystem without negative dentries is refused before the start" {
	[[ $(reason no-negative) == "skip: "*"this filesystem (tmpfs) keeps no negative dentries: use ext4 or xfs" ]]
	[[ $(reason negative-xfs) == ok:* ]]
	[[ $(reason positive-tmpfs) == ok:* ]]
}
@test "file, kmalloc: the wrong filesystem" {
	says read-tmpfs "kind=read needs a disk filesystem"
	says xattr-ext4 "kind=xattr needs a tmpfs"
}
@test "fd: too few open files" { says few-files "fd: made " " of " "Too many open files" "fs.nr_open"; }
@test "fork: too few pids" { says few-threads "fork: made " " of " "pids.max" "kernel.threads-max"; }
@test "vma: too few mappings" { says few-maps "vma: made " " of " "vm.max_map_count"; }
@test "fd, rcu-free: too few watches" {
	says few-watches "fd: made " "raise fs.epoll.max_user_watches"
	says few-watches-burst "rcu-free: made 0 of " "raise fs.epoll.max_user_watches"
}
@test "file: the disk is full" {
	says small-disk "file: made " " of " "No space left on device" "the filesystem is full: make it larger, or lower the footprint"
	says small-disk-mmap "file: made " "the filesystem is full"
}
@test "kmalloc: the quota of keys" { says few-keys "kmalloc: made " "kernel.keys.root_maxbytes"; }
@test "thp: no memory" { says huge "thp: made " " of " "Cannot allocate memory" "raise it, or lower the footprint"; }

@test "churning: what is used again stays as much as it was, without an error, and is let go of" {
	local name key
	for name in $(cases | sed -n 's/^\(churn-[a-z]*\)|.*/\1/p'); do
		reason "$name"
		[[ $(reason "$name") == ok:* ]]
		for key in filled churned released; do
			sqlite3 -cmd ".load $WRING_BUILD/wringsql" "$OUT/t.db" "select '$key', key, value from sample s join event e on e.run = s.run and
				e.kind = 'mark' and e.subject = '$key' where s.run = (select run from runs where scenario = '$name') and
				s.sampler = 'load' and s.t_s >= e.t_ns / 1e9 - 1e-6 group by key having s.t_s = min(s.t_s)" >"$OUT/$key"
		done
		grep -hE 'ops|errors|held_objects' "$OUT"/{filled,churned,released} | tr '\n' ' '
		[ "$(sed -n 's/^churned|ops|//p' "$OUT/churned")" -gt "$(sed -n 's/^filled|ops|//p' "$OUT/filled")" ]
		grep -qx 'released|errors|0' "$OUT/released"
		grep -qx 'released|held_bytes|0' "$OUT/released"
		[ "$(sed -n 's/^churned|held_objects|//p' "$OUT/churned")" = "$(sed -n 's/^filled|held_objects|//p' "$OUT/filled")" ]
	done
}

@test "anon: killed at memory.max, and how far it came is in the event of its end" {
	text=$(sqlite3 "$OUT/t.db" "select text from events where scenario = 'killed' and kind = 'load' and text like 'exit%=9 %'")
	echo "$text"
	made=${text##*made_bytes=}
	[ "$made" -gt 4000000 ]
	[ "$made" -lt $((17 * 1048576)) ]
}
