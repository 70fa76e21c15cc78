# SPDX-License-Identifier: GPL-3.0-or-later
# Proof of charge: what each workload says it made is charged to its cgroup, in the memory.stat field it should be in, and is
# gone after its end. One boot runs them all.

load helper

# workload, filesystem, memory.stat field, options
cases() {
	cat <<-X
	kmalloc tmpfs kernel kind=msgsnd
	kmalloc-xattr tmpfs slab kind=xattr
	kmalloc-semget tmpfs kernel kind=semget
	pipe tmpfs kernel
	fd tmpfs slab kind=epoll
	sock-unix tmpfs slab
	sock-tcp tmpfs sock
	sock-udp tmpfs sock
	thp tmpfs anon kind=fault
	anon tmpfs anon content=random
	file ext4 file kind=write
	shmem tmpfs shmem
	pagetable tmpfs pagetables
	vma tmpfs slab footprint=8M
	fork tmpfs kernel kind=thread
	percpu tmpfs percpu
	inode ext4 slab footprint=8M
	dentry ext4 slab
	X
}

scenario() { # FILE NAME WORKLOAD FS OPTION...
	local file=$1 name=$2 workload=$3 fs=$4 o
	shift 4
	{
		printf '[scenario]\nname = %s\nsummary = charge of %s\nneeds = memcg scratch\ntimeout = 120s\n' "$name" "$workload"
		printf '[mount scratch]\ntype = %s\nsize = 256M\n[group work]\nmemory.max = 256M\n' "$fs"
		printf '[load x]\nworkload = %s\ngroup = work\non = scratch\n' "$workload"
		case " $* " in *" footprint="*) ;; *) echo 'footprint = 16M' ;; esac
		for o in "$@"; do echo "${o%%=*} = ${o#*=}"; done
		printf '[sample memory]\ngroups = work\nrate = 20\n[sample memory.stat]\ngroups = work\nrate = 20\n[sample load]\nrate = 20\n'
		printf '[phase run]\ndo = start x\n  wait x 60s\n  settle work\n  mark settled\n  stop x\n  rcu-barrier\n  drain work\n  mark released\n'
	} >"$file"
}

setup_file() {
	needs_vm
	local name fs field options workload files=""
	export OUT=$BATS_FILE_TMPDIR
	while read -r name fs field options; do
		workload=${name/kmalloc-*/kmalloc}
		# shellcheck disable=SC2086
		scenario "$OUT/$name.ini" "$name" "$workload" "$fs" $options
		files="$files $OUT/$name.ini"
	done < <(cases)
	churn_scenario
	# shellcheck disable=SC2086
	"$WRING_BUILD/wring" run "$OUT/churn.ini" $files --where=vm --accel=tcg --kernel="$WRING_KERNEL" --db="$OUT/t.db" --quiet >"$OUT/out" 2>&1 || true
}

# Fill, churn, let go, live on.
churn_scenario() {
	sed -e 's/^name = pipe/name = churn/' -e 's/^  settle work$/  churn x 1s\n  mark churned\n  release x\n  rcu-barrier\n  settle work/' "$OUT/pipe.ini" >"$OUT/churn.ini"
}

# Value of a key in the first sample at or after a mark.
at() { # RUN SAMPLER KEY MARK
	sqlite3 -cmd ".load $WRING_BUILD/wringsql" "$OUT/t.db" "select s.value from sample s, event e where s.run = $1 and e.run = $1
		and e.kind = 'mark' and e.subject = '$4' and s.sampler = '$2' and s.key = '$3' and s.t_s >= e.t_ns / 1e9 - 1e-6
		order by s.t_s limit 1"
}

check() { # NAME FIELD
	local run cur made field left tolerance=$((64 * 4096 * 4))
	run=$(sqlite3 "$OUT/t.db" "select run from runs where scenario = '$1' and outcome = 'ok'")
	[ -n "$run" ] || { sqlite3 "$OUT/t.db" "select scenario, outcome, reason from runs where scenario = '$1'"; return 1; }
	made=$(at "$run" load made_bytes settled)
	cur=$(($(at "$run" memory current settled) - $(at "$run" memory current start)))
	field=$(($(at "$run" memory.stat "$2" settled) - $(at "$run" memory.stat "$2" start)))
	left=$(($(at "$run" memory current released) - $(at "$run" memory current start)))
	echo "$1: made $made, memory.current grew $cur, $2 grew $field, left $left"
	[ "$made" -ge 7000000 ]
	# 10 % for the estimate of an object, the CPUs' charge stocks, the program itself
	[ "$cur" -ge $((made * 9 / 10 - tolerance)) ]
	[ "$cur" -le $((made * 11 / 10 + 2 * tolerance)) ]
	# a field may hold only the larger part (objects have heads in slab and bodies in pages)
	[ "$field" -ge $((made * 7 / 10 - tolerance)) ]
	[ "$left" -le $((2 * tolerance)) ]
}

@test "kmalloc: charged to its cgroup, in memory.stat kernel, and gone afterwards" { check kmalloc kernel; }
@test "kmalloc-xattr: charged to its cgroup, in memory.stat slab, and gone afterwards" { check kmalloc-xattr slab; }
@test "kmalloc-semget: charged to its cgroup, in memory.stat kernel, and gone afterwards" { check kmalloc-semget kernel; }
@test "pipe: charged to its cgroup, in memory.stat kernel, and gone afterwards" { check pipe kernel; }
@test "fd: charged to its cgroup, in memory.stat slab, and gone afterwards" { check fd slab; }
@test "sock-unix: charged to its cgroup, in memory.stat slab, and gone afterwards" { check sock-unix slab; }
@test "sock-tcp: charged to its cgroup, in memory.stat sock, and gone afterwards" { check sock-tcp sock; }
@test "sock-udp: charged to its cgroup, in memory.stat sock, and gone afterwards" { check sock-udp sock; }
@test "thp: charged to its cgroup, in memory.stat anon, and gone afterwards" { check thp anon; }
@test "anon: charged to its cgroup, in memory.stat anon, and gone afterwards" { check anon anon; }
@test "file: charged to its cgroup, in memory.stat file, and gone afterwards" { check file file; }
@test "shmem: charged to its cgroup, in memory.stat shmem, and gone afterwards" { check shmem shmem; }
@test "pagetable: charged to its cgroup, in memory.stat pagetables, and gone afterwards" { check pagetable pagetables; }
@test "vma: charged to its cgroup, in memory.stat slab, and gone afterwards" { check vma slab; }
@test "fork: charged to its cgroup, in memory.stat kernel, and gone afterwards" { check fork kernel; }
@test "percpu: charged to its cgroup, in memory.stat percpu, and gone afterwards" { check percpu percpu; }
@test "inode: charged to its cgroup, in memory.stat slab, and gone afterwards" { check inode slab; }
@test "dentry: charged to its cgroup, in memory.stat slab, and gone afterwards" { check dentry slab; }

@test "a load of objects churns, then lets go of everything and lives on" {
	run=$(sqlite3 "$OUT/t.db" "select run from runs where scenario = 'churn' and outcome = 'ok'")
	[ -n "$run" ] || { cat "$OUT/out"; return 1; }
	churned=$(at "$run" load held_bytes churned)
	echo "made $(at "$run" load made_bytes churned), held $churned, then $(at "$run" load held_bytes settled)"
	[ "$churned" -ge 15000000 ]
	[ "$churned" -le 18000000 ]
	[ "$(at "$run" load made_bytes churned)" -gt $((churned * 3 / 2)) ]
	[ "$(at "$run" load held_bytes settled)" = 0 ]
	[ $(($(at "$run" memory current settled) - $(at "$run" memory current start))) -le $((2 * 64 * 4096 * 4)) ]
}
