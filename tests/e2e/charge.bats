# SPDX-License-Identifier: GPL-3.0-or-later
# Proof of charge: what each workload says it made is charged to its cgroup, in the memory.stat field it should be in, in its slab
# cache, on the node it was bound to, and is gone after its end. One boot runs them all.

load helper
load charge

setup_file() { needs_vm; run_cases; }

@test "kmalloc kind=msgsnd: charged to its cgroup, in memory.stat slab, and gone afterwards" { check_case msgsnd; }
@test "kmalloc kind=xattr: charged to its cgroup, in memory.stat slab, and gone afterwards" { check_case xattr; }
@test "kmalloc kind=semget: charged to its cgroup, in memory.stat slab, and gone afterwards" { check_case semget; }
@test "pipe: charged to its cgroup, in memory.stat kernel, and gone afterwards" { check_case pipe; }
@test "fd kind=epoll: charged to its cgroup, in memory.stat slab, and gone afterwards" { check_case epoll; }
@test "fd kind=eventfd footprint=8M: charged to its cgroup, in memory.stat slab, and gone afterwards" { check_case eventfd; }
@test "fd kind=timerfd footprint=8M: charged to its cgroup, in memory.stat slab, and gone afterwards" { check_case timerfd; }
@test "fd kind=file footprint=8M: charged to its cgroup, in memory.stat slab, and gone afterwards" { check_case open; }
@test "sock-unix: charged to its cgroup, in memory.stat slab, and gone afterwards" { check_case sock-unix; }
@test "sock-tcp: charged to its cgroup, in memory.stat sock, and gone afterwards" { check_case sock-tcp; }
@test "sock-udp: charged to its cgroup, in memory.stat sock, and gone afterwards" { check_case sock-udp; }
@test "thp kind=fault: charged to its cgroup, in memory.stat anon, and gone afterwards" { check_case thp; }
@test "thp kind=partial: charged to its cgroup, in memory.stat anon, and gone afterwards" { check_case partial; }
@test "thp kind=unmap: charged to its cgroup, in memory.stat anon, and gone afterwards" { check_case unmap; }
@test "thp kind=collapse: charged to its cgroup, in memory.stat anon, and gone afterwards" { check_case collapse; }
@test "anon content=random: charged to its cgroup, in memory.stat anon, and gone afterwards" { check_case anon; }
@test "anon content=compressible: charged to its cgroup, in memory.stat anon, and gone afterwards" { check_case compressible; }
@test "file kind=write: charged to its cgroup, in memory.stat file, and gone afterwards" { check_case write; }
@test "file kind=read: charged to its cgroup, in memory.stat file, and gone afterwards" { check_case read; }
@test "file kind=mmap: charged to its cgroup, in memory.stat file, and gone afterwards" { check_case mmap; }
@test "file kind=append: charged to its cgroup, in memory.stat file, and gone afterwards" { check_case append; }
@test "file kind=shared: charged to its cgroup, in memory.stat file, and gone afterwards" { check_case shared; }
@test "shmem: charged to its cgroup, in memory.stat shmem, and gone afterwards" { check_case shmem; }
@test "pagetable: charged to its cgroup, in memory.stat pagetables, and gone afterwards" { check_case pagetable; }
@test "vma footprint=8M: charged to its cgroup, in memory.stat slab, and gone afterwards" { check_case vma; }
@test "fork kind=process: charged to its cgroup, in memory.stat kernel_stack, and gone afterwards" { check_case process; }
@test "fork kind=thread: charged to its cgroup, in memory.stat kernel_stack, and gone afterwards" { check_case thread; }
@test "fork kind=thread touched=64K stack=128K: charged to its cgroup, in memory.stat anon, and gone afterwards" { check_case stack; }
@test "percpu kind=bpf: charged to its cgroup, in memory.stat percpu, and gone afterwards" { check_case bpf; }
@test "percpu kind=cgroup footprint=8M: charged to its cgroup, in memory.stat kernel, and gone afterwards" { check_case cgroup; }
@test "inode footprint=8M: charged to its cgroup, in memory.stat slab, and gone afterwards" { check_case inode; }
@test "inode kind=pinned footprint=8M: charged to its cgroup, in memory.stat slab, and gone afterwards" { check_case pinned; }
@test "dentry: charged to its cgroup, in memory.stat slab, and gone afterwards" { check_case dentry; }
@test "dentry kind=positive footprint=8M: charged to its cgroup, in memory.stat slab, and gone afterwards" { check_case positive; }
@test "kmalloc kind=keyctl: in its slab cache, and charged to nobody" { check_case keyctl; }
@test "rcu-free kind=epoll: held by nobody, and gone afterwards" { check_case rcu-epoll; }
@test "rcu-free kind=dentry-rename: held by nobody, and gone afterwards" { check_case rcu-rename; }
@test "rcu-free kind=fd: held by nobody, and gone afterwards" { check_case rcu-fd; }
@test "rcu-free kind=semaphore burst=10000 size=256: held by nobody, and gone afterwards" { check_case rcu-small; }
@test "rcu-free kind=semaphore burst=10 size=256K: held by nobody, and gone afterwards" { check_case rcu-large; }
@test "a load of objects churns, then lets go of everything and lives on" { check_churn; }
