# SPDX-License-Identifier: GPL-3.0-or-later
# Proof of charge: what each workload says it made is charged to its cgroup, in the memory.stat field it should be in, in its slab
# cache, on the node it was bound to, and is gone after its end. One boot runs them all.

load helper
load charge

setup_file() { needs_vm; run_cases; }

@test "kmalloc kind=msgsnd: charged to its cgroup, in memory.stat slab, and gone afterwards" { check msgsnd; }
@test "kmalloc kind=xattr: charged to its cgroup, in memory.stat slab, and gone afterwards" { check xattr; }
@test "kmalloc kind=semget: charged to its cgroup, in memory.stat slab, and gone afterwards" { check semget; }
@test "pipe: charged to its cgroup, in memory.stat kernel, and gone afterwards" { check pipe; }
@test "fd kind=epoll: charged to its cgroup, in memory.stat slab, and gone afterwards" { check epoll; }
@test "fd kind=eventfd footprint=8M: charged to its cgroup, in memory.stat slab, and gone afterwards" { check eventfd; }
@test "fd kind=timerfd footprint=8M: charged to its cgroup, in memory.stat slab, and gone afterwards" { check timerfd; }
@test "fd kind=file footprint=8M: charged to its cgroup, in memory.stat slab, and gone afterwards" { check open; }
@test "sock-unix: charged to its cgroup, in memory.stat slab, and gone afterwards" { check sock-unix; }
@test "sock-tcp: charged to its cgroup, in memory.stat sock, and gone afterwards" { check sock-tcp; }
@test "sock-udp: charged to its cgroup, in memory.stat sock, and gone afterwards" { check sock-udp; }
@test "thp kind=fault: charged to its cgroup, in memory.stat anon, and gone afterwards" { check thp; }
@test "thp kind=partial: charged to its cgroup, in memory.stat anon, and gone afterwards" { check partial; }
@test "thp kind=unmap: charged to its cgroup, in memory.stat anon, and gone afterwards" { check unmap; }
@test "thp kind=collapse: charged to its cgroup, in memory.stat anon, and gone afterwards" { check collapse; }
@test "anon content=random: charged to its cgroup, in memory.stat anon, and gone afterwards" { check anon; }
@test "anon content=compressible: charged to its cgroup, in memory.stat anon, and gone afterwards" { check compressible; }
@test "file kind=write: charged to its cgroup, in memory.stat file, and gone afterwards" { check write; }
@test "file kind=read: charged to its cgroup, in memory.stat file, and gone afterwards" { check read; }
@test "file kind=mmap: charged to its cgroup, in memory.stat file, and gone afterwards" { check mmap; }
@test "file kind=append: charged to its cgroup, in memory.stat file, and gone afterwards" { check append; }
@test "file kind=shared: charged to its cgroup, in memory.stat file, and gone afterwards" { check shared; }
@test "shmem: charged to its cgroup, in memory.stat shmem, and gone afterwards" { check shmem; }
@test "pagetable: charged to its cgroup, in memory.stat pagetables, and gone afterwards" { check pagetable; }
@test "vma footprint=8M: charged to its cgroup, in memory.stat slab, and gone afterwards" { check vma; }
@test "fork kind=process: charged to its cgroup, in memory.stat kernel_stack, and gone afterwards" { check process; }
@test "fork kind=thread: charged to its cgroup, in memory.stat kernel_stack, and gone afterwards" { check thread; }
@test "fork kind=thread touched=64K stack=128K: charged to its cgroup, in memory.stat anon, and gone afterwards" { check stack; }
@test "percpu kind=bpf: charged to its cgroup, in memory.stat percpu, and gone afterwards" { check bpf; }
@test "percpu kind=cgroup footprint=8M: charged to its cgroup, in memory.stat kernel, and gone afterwards" { check cgroup; }
@test "inode footprint=8M: charged to its cgroup, in memory.stat slab, and gone afterwards" { check inode; }
@test "inode kind=pinned footprint=8M: charged to its cgroup, in memory.stat slab, and gone afterwards" { check pinned; }
@test "dentry: charged to its cgroup, in memory.stat slab, and gone afterwards" { check dentry; }
@test "dentry kind=positive footprint=8M: charged to its cgroup, in memory.stat slab, and gone afterwards" { check positive; }
@test "kmalloc kind=keyctl: in its slab cache, and charged to nobody" { check_uncharged keyctl 'kmalloc-4k*1'; }
@test "rcu-free kind=epoll: held by nobody, and gone afterwards" { check_bursts rcu-epoll; }
@test "rcu-free kind=dentry-rename: held by nobody, and gone afterwards" { check_bursts rcu-rename; }
@test "rcu-free kind=fd: held by nobody, and gone afterwards" { check_bursts rcu-fd; }
@test "rcu-free kind=semaphore burst=10000 size=256: held by nobody, and gone afterwards" { check_bursts rcu-small; }
@test "rcu-free kind=semaphore burst=10 size=256K: held by nobody, and gone afterwards" { check_bursts rcu-large; }
@test "a load of objects churns, then lets go of everything and lives on" { check_churn; }
