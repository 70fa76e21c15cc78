# SPDX-License-Identifier: GPL-3.0-or-later
# Proof of charge, for charge.bats and long/charge-6.1.bats: one boot runs a scenario for each case, on slab_nomerge, so that a
# cache's name is its own.

pages=$((64 * 4096 * 4)) # what four CPUs may keep to themselves of a statistic or a charge: 64 pages each

# name | workload | filesystem | memory.stat field | its bytes an object, or "made": all that the workload says | fields of
# memory.numa_stat | slab cache * objects an object (a kernel has one of the names) | options
cases() {
	cat <<-'X'
	msgsnd|kmalloc|tmpfs|slab|made|slab_unreclaimable|msg_msg-2k,kmalloc-cg-2k*8|kind=msgsnd
	xattr|kmalloc|tmpfs|slab|made|slab_unreclaimable|kmalloc-cg-4k*1|kind=xattr
	semget|kmalloc|tmpfs|slab|made|slab_unreclaimable|-|kind=semget
	pipe|pipe|tmpfs|kernel|made|-|inode_cache*1|
	epoll|fd|tmpfs|slab|made|slab_unreclaimable|eventpoll_epi*1|kind=epoll
	eventfd|fd|tmpfs|slab|made|slab_unreclaimable slab_reclaimable|filp*1|kind=eventfd footprint=8M
	timerfd|fd|tmpfs|slab|made|slab_unreclaimable slab_reclaimable|dentry*1|kind=timerfd footprint=8M
	open|fd|tmpfs|slab|made|slab_unreclaimable|filp*1|kind=file footprint=8M
	sock-unix|sock-unix|tmpfs|slab|made|slab_unreclaimable|-|
	sock-tcp|sock-tcp|tmpfs|sock|made|-|-|
	sock-udp|sock-udp|tmpfs|sock|made|-|-|
	thp|thp|tmpfs|anon|2097152|anon anon_thp|-|kind=fault
	partial|thp|tmpfs|anon|1048576|anon|-|kind=partial
	unmap|thp|tmpfs|anon|4096|anon|-|kind=unmap
	collapse|thp|tmpfs|anon|2097152|anon anon_thp|-|kind=collapse
	anon|anon|tmpfs|anon|1048576|anon|-|content=random
	compressible|anon|tmpfs|anon|1048576|anon|-|content=compressible
	write|file|ext4|file|1048576|file|buffer_head*1024|kind=write
	read|file|ext4|file|1048576|file|-|kind=read
	mmap|file|ext4|file|1048576|file|-|kind=mmap
	append|file|ext4|file|1048576|file|-|kind=append
	shared|file|ext4|file|1048576|file|-|kind=shared
	shmem|shmem|tmpfs|shmem|1048576|shmem|-|
	pagetable|pagetable|tmpfs|pagetables|4096|pagetables|-|
	vma|vma|tmpfs|slab|made|slab_unreclaimable|vm_area_struct*2|footprint=8M
	process|fork|tmpfs|kernel_stack|16384|kernel_stack|task_struct*1|kind=process
	thread|fork|tmpfs|kernel_stack|16384|kernel_stack|task_struct*1|kind=thread
	stack|fork|tmpfs|anon|65536|anon|-|kind=thread touched=64K stack=128K
	bpf|percpu|tmpfs|percpu|1536000|-|-|kind=bpf
	cgroup|percpu|tmpfs|kernel|made|-|-|kind=cgroup footprint=8M
	inode|inode|ext4|slab|made|slab_reclaimable|ext4_inode_cache*1|footprint=8M
	pinned|inode|ext4|slab|made|slab_reclaimable slab_unreclaimable|ext4_inode_cache*1|kind=pinned footprint=8M
	dentry|dentry|ext4|slab|made|slab_reclaimable|dentry*1|
	positive|dentry|ext4|slab|made|slab_reclaimable|dentry*1|kind=positive footprint=8M
	keyctl|kmalloc|tmpfs|-|-|-|-|kind=keyctl
	rcu-epoll|rcu-free|tmpfs|-|-|-|-|kind=epoll
	rcu-rename|rcu-free|tmpfs|-|-|-|-|kind=dentry-rename
	rcu-fd|rcu-free|tmpfs|-|-|-|-|kind=fd
	rcu-small|rcu-free|tmpfs|-|-|-|-|kind=semaphore burst=10000 size=256
	rcu-large|rcu-free|tmpfs|-|-|-|-|kind=semaphore burst=10 size=256K
	X
}

scenario() { # NAME WORKLOAD FS OPTION...
	local name=$1 workload=$2 fs=$3 o
	shift 3
	printf '[scenario]\nname = %s\nsummary = charge of %s\nneeds = memcg scratch\ntimeout = 180s\n' "$name" "$workload"
	printf '[mount scratch]\ntype = %s\nsize = 256M\n[group work]\nmemory.max = 256M\n[group work/load]\n' "$fs"
	printf '[load x]\nworkload = %s\ngroup = work/load\non = scratch\ncpu-nodes = 1\nmem-nodes = 1\n' "$workload"
	case " $* " in *" footprint="*) ;; *) echo 'footprint = 16M' ;; esac
	for o in "$@"; do echo "${o%%=*} = ${o#*=}"; done
	printf '[sample %s]\ngroups = work\nrate = 20\n' memory memory.stat
	printf '[sample memory.numa_stat]\ngroups = work\nrate = mark\n[sample slabinfo]\nrate = mark\n[sample load]\nrate = 20\n'
	printf '[phase run]\ndo = start x\n  wait x 120s\n  settle work\n  mark settled\n  stop x\n  rcu-barrier\n  drain work\n  mark released\n'
}

# Fill, churn, let go, live on.
churn_scenario() {
	sed -e 's/^name = pipe/name = churn/' -e 's/^  settle work$/  churn x 1s\n  mark churned\n  release x\n  rcu-barrier\n  settle work/' "$OUT/pipe.ini"
}

run_cases() {
	local name workload fs options _ files=()
	export OUT=$BATS_FILE_TMPDIR
	while IFS='|' read -r name workload fs _ _ _ _ options; do
		# shellcheck disable=SC2086
		scenario "$name" "$workload" "$fs" $options >"$OUT/$name.ini"
		files+=("$OUT/$name.ini")
	done < <(cases)
	churn_scenario >"$OUT/churn.ini"
	"$WRING_BUILD/wring" run "${files[@]}" "$OUT/churn.ini" --where=vm --accel="$WRING_ACCEL" --kernel="$WRING_KERNEL" \
		--append=slab_nomerge --db="$OUT/t.db" --quiet >"$OUT/out" 2>&1 || true
}

db() { sqlite3 -cmd ".load $WRING_BUILD/wringsql" "$OUT/t.db" "$1"; }

# All samples at the first and at the second mark, once: SAMPLER KEY START SETTLED RELEASED.
load_run() { # NAME
	run=$(db "select run from runs where scenario = '$1' and outcome = 'ok'")
	[ -n "$run" ] || { db "select outcome, reason from runs where scenario = '$1'"; tail -3 "$OUT/out"; return 1; }
	db "create temp table m as select subject as mark, t_ns / 1e9 - 1e-6 as t from event where run = $run and kind = 'mark' and
			subject in ('start', 'settled', 'released', 'churned');
		create temp table s as select sampler, subject, key, t_s, value from sample where run = $run;
		create index i on s(sampler, subject, key, t_s);
		select sampler, subject, key, mark, (select value from s where s.sampler = k.sampler and s.subject = k.subject and
			s.key = k.key and t_s >= t order by t_s limit 1) from (select distinct sampler, subject, key from s) k, m" >"$OUT/$1.marks"
	# from the step that ends the load to the first sample in which its memory is gone
	gone_ms=$(db "select cast((min(t_s) - (select max(t_ns) / 1e9 from event where run = $run and kind = 'step' and subject = 'stop' and
		text not like 'done%')) * 1000 as integer) from sample where run = $run and sampler = 'memory' and key = 'current' and
		value <= $(at memory current start "$1") + 2 * $pages and t_s > (select max(t_ns) / 1e9 from event where run = $run and
		kind = 'step' and subject = 'stop' and text not like 'done%')")
}

at() { # SAMPLER KEY MARK NAME
	awk -F'|' -v s="$1" -v k="$2" -v m="$3" '$1 == s && $3 == k && $4 == m { v = $5 } END { print v + 0 }' "$OUT/$4.marks"
}

grew() { echo $(($(at "$1" "$2" settled "$3") - $(at "$1" "$2" start "$3"))); } # SAMPLER KEY NAME

# The checks below count what is wrong instead of ending at it, so that they can be called one after the other.
that() { # WHAT, then a test
	local what=$1
	shift
	test "$@" || { echo "$what: not so: $*"; bad=1; }
}

near() { # WHAT VALUE EXPECTED TOLERANCE
	that "$1 at least $3 - $4" "$2" -ge $(($3 - $4))
	that "$1 at most $3 + $4" "$2" -le $(($3 + $4))
}

# Objects of a cache, in bytes, against what they should be.
# MARK NAME2: of which run and when it must be gone.
check_cache() { # NAME CACHES*K OBJECTS MARK NAME2
	local name=$1 caches=${2%\**} k=${2#*\*} cache size left
	for cache in ${caches//,/ }; do
		size=$(at slabinfo "$cache.objsize" settled "$name")
		[ "$size" -gt 0 ] || continue
		echo "$name: $cache grew by $(grew slabinfo "$cache.active_objs" "$name") objects of $size"
		near "$cache" $(($(grew slabinfo "$cache.active_objs" "$name") * size)) $(($3 * k * size)) "$pages"
		left=$(($(at slabinfo "$cache.active_objs" "$4" "$5") - $(at slabinfo "$cache.active_objs" start "$name")))
		near "$cache after release" $((left * size)) 0 "$pages"
		return
	done
	echo "$name: slabinfo has none of $caches"
	bad=1
}

check_gone() { # NAME
	local left=$(($(at memory current released "$1") - $(at memory current start "$1")))
	echo "$1: gone ${gone_ms} ms after the load was told to end; $left bytes left"
	echo "# $1: gone ${gone_ms} ms after the load was told to end" >&3
	that "left" "$left" -le $((2 * pages))
	that "time until it was gone" -n "$gone_ms"
}

check() { # NAME
	local name=$1 field bytes numa cache made objects cur value expected f on=0 off=0 slack=$pages
	IFS='|' read -r _ _ _ field bytes numa cache _ < <(cases | grep "^$name|")
	load_run "$name" || return 1
	made=$(at load made_bytes settled "$name")
	objects=$(at load made_objects settled "$name")
	cur=$(grew memory current "$name")
	value=$(grew memory.stat "$field" "$name")
	if [ "$bytes" = made ]; then expected=$made; else expected=$((objects * bytes)); fi
	# what was measured on one object before the start, or has company on the disk, is known to 10 %
	case $name in
		# and bpf_mem_alloc keeps up to 96 entries of 1536 bytes at hand for each map
		bpf) slack=$((slack + objects * 96 * 1536)) ;;
		process|sock-*|cgroup|inode|pinned|positive) slack=$((slack + made / 10)) ;;
	esac
	for f in $numa; do
		[ "$f" = anon_thp ] || on=$((on + $(grew memory.numa_stat "$f.N1" "$name")))
		[ "$f" = anon_thp ] || off=$((off + $(grew memory.numa_stat "$f.N0" "$name")))
	done
	echo "$name: made $objects objects, $made bytes; memory.current grew by $cur, $field by $value (expected $expected);" \
		"node 1 by $on, node 0 by $off"
	that "made" "$made" -ge 7000000
	# the blocks of directories and inodes are there too
	case $name in inode|pinned|positive) cur=$((cur - $(grew memory.stat file "$name"))) ;; esac
	near "memory.current" "$cur" "$made" $((slack + pages))
	near "$field" "$value" "$expected" "$slack"
	[ "$numa" = - ] || near "$numa on node 1" "$on" "$expected" "$slack"
	[ "$numa" = - ] || near "$numa on node 0" "$off" 0 "$pages"
	[ "$cache" = - ] || check_cache "$name" "$cache" "$objects" released "$name"
	check_gone "$name"
	return $bad
}

# Made, and in its cache, and no cgroup pays. It need not be gone when the load is, since a kernel worker collects keys, but
# before the last scenario starts.
check_uncharged() { # NAME CACHES*K
	local objects
	load_run "$1" || return 1
	objects=$(at load made_objects settled "$1")
	echo "$1: made $objects objects; memory.current grew by $(grew memory current "$1")"
	that "made" "$(at load made_bytes settled "$1")" -ge 15000000
	that "charged" "$(grew memory current "$1")" -le $((2 * pages))
	load_run churn || return 1
	check_cache "$1" "$2" "$objects" start churn
	return $bad
}

# Freed as soon as it was made: nothing is held, and nothing stays.
check_bursts() { # NAME
	load_run "$1" || return 1
	echo "$1: made $(at load made_bytes settled "$1") bytes, held $(at load held_bytes settled "$1")"
	that "made" "$(at load made_bytes settled "$1")" -ge 15000000
	that "held" "$(at load held_bytes settled "$1")" = 0
	that "errors" "$(at load errors settled "$1")" = 0
	check_gone "$1"
	return $bad
}

check_case() { # NAME
	bad=0
	case $1 in
		keyctl) check_uncharged "$1" 'kmalloc-4k*1' ;;
		rcu-*) check_bursts "$1" ;;
		*) check "$1" ;;
	esac
}

check_churn() {
	local held
	load_run churn || return 1
	held=$(at load held_bytes churned churn)
	echo "made $(at load made_bytes churned churn), held $held, then $(at load held_bytes settled churn)"
	[ "$held" -ge 15000000 ]
	[ "$held" -le 18000000 ]
	[ "$(at load made_bytes churned churn)" -gt $((held * 3 / 2)) ]
	[ "$(at load held_bytes settled churn)" = 0 ]
	[ "$(grew memory current churn)" -le $((2 * pages)) ]
}
