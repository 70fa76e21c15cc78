# SPDX-License-Identifier: GPL-3.0-or-later
# Scenarios of the 2015 thread and their neighbours: silent on a stock kernel, and each detector fires where its fault is planted.
# A module stays in its guest, so scenarios behind the one that plants it run with it, too.

load ../helper

setup() {
	wring_setup
	needs_vm
}

teardown() { wring_teardown; }

# What is known of stock kernels is in docs/findings.md: messages over a UNIX stream get past memory.high.
@test "a stock kernel: nothing but what is known" {
	run wring_run high-long-syscall high-asleep high-no-swap nowait-at-max nofs-at-max shrinker-latency kswapd-blocked
	[ "$status" -le 1 ]
	for s in high-asleep high-no-swap nowait-at-max nofs-at-max shrinker-latency kswapd-blocked; do
		no_failure "$s"
		[ "$(outcome_of "$s")" = ok ]
	done
	finding high-asleep high-overrun asleep pass
	finding high-no-swap high-stall stall pass
	finding nowait-at-max premature-oom errno pass
	finding nowait-at-max premature-oom errno-high pass
	finding nofs-at-max premature-oom errno pass
	finding shrinker-latency reclaim-stall latency pass
	finding shrinker-latency reclaim-stall latency-max pass
	finding shrinker-latency reclaim-stall work pass
	finding kswapd-blocked reclaim-stall kswapd pass
	jq -e 'all(.runs[] | select(.scenario == "high-long-syscall") | .findings[]; .verdict != "fail" or .class == "overrun-pages")' "$JSON"
	nothing_left
}

@test "a stock kernel, freshly booted: memory at a limit stays on its node, huge pages are had" {
	run -0 wring_run numa-at-limit thp-at-limit
	finding numa-at-limit numa-spill spill pass
	finding thp-at-limit thp-fallback fallback pass
	finding thp-at-limit thp-fallback kill pass
}

@test "a memory.high that does nothing is found within a system call, and while its task sleeps: exit 1" {
	needs_fault_modules
	with_fault high-long-syscall high-ignored
	run -1 wring_run "$T/high-long-syscall.ini" high-asleep
	finding high-long-syscall high-overrun '*' fail
	evidence high-long-syscall high-overrun | grep -q 'memory.peak of cache reached'
	jq -e '[.runs[] | select(.scenario == "high-long-syscall") | .findings[] | select(.detector == "high-overrun" and .verdict == "fail") |
		.evidence] | (any(test("of cache")) and any(test("of anon")))' "$JSON"
	finding high-asleep high-overrun asleep fail
}

@test "a task that memory.high keeps for six seconds is a high-stall: exit 1" {
	needs_fault_modules
	with_fault high-no-swap high-stall ms=6000
	run -1 wring_run "$T/high-no-swap.ini"
	finding high-no-swap high-stall '*' fail
}

@test "system calls that fail for want of GFP_NOFS memory are found at the limit, and in the filesystem: exit 1" {
	needs_fault_modules
	with_fault nowait-at-max nofs-fails group=max every=20
	run -1 wring_run "$T/nowait-at-max.ini" nofs-at-max
	finding nowait-at-max premature-oom errno fail
	finding nowait-at-max premature-oom errno-high pass
	finding nofs-at-max premature-oom errno fail
}

# Sleep is told from work by the clocks of the task, not by how long all took.
@test "shrinkers that sleep, or burn the CPU, are found, each for what it is: exit 1" {
	needs_fault_modules
	with_fault shrinker-latency slow-dcache group=work ms=300 spin=1
	named shrinker-latency spinning
	own_boot spinning
	with_fault shrinker-latency slow-dcache group=work ms=300
	run -1 wring_run "$T/shrinker-latency.ini" "$T/spinning.ini"
	finding shrinker-latency reclaim-stall latency fail
	finding shrinker-latency reclaim-stall latency-max fail
	finding spinning reclaim-stall work fail
	finding spinning reclaim-stall latency pass
}

@test "a kswapd that sleeps beside clean page cache is a reclaim-stall, with its stack: exit 1" {
	needs_fault_modules
	with_fault kswapd-blocked kswapd-stuck
	run -1 wring_run "$T/kswapd-blocked.ini"
	finding kswapd-blocked reclaim-stall kswapd fail
	evidence kswapd-blocked reclaim-stall | grep -q 'msleep+0x'
}

@test "huge pages denied to the limited group are a thp-fallback, memory from the wrong node a numa-spill: exit 1" {
	needs_fault_modules
	with_fault thp-at-limit thp-denied group=limited
	with_fault numa-at-limit wrong-node group=limited
	run -1 wring_run "$T/thp-at-limit.ini" "$T/numa-at-limit.ini"
	finding thp-at-limit thp-fallback fallback fail
	finding numa-at-limit numa-spill spill fail
}

@test "a kernel without huge pages (transparent_hugepage=never) is not judged by them" {
	run wring_run thp-at-limit --append=transparent_hugepage=never
	finding thp-at-limit thp-fallback fallback skip
	finding thp-at-limit thp-fallback kill pass
	no_failure thp-at-limit
}

@test "huge pages denied to both groups, and pages from the wrong node in both, are not the limit's fault" {
	needs_fault_modules
	with_fault thp-at-limit thp-denied
	with_fault numa-at-limit wrong-node
	run wring_run "$T/thp-at-limit.ini" "$T/numa-at-limit.ini"
	finding thp-at-limit thp-fallback fallback skip
	finding numa-at-limit numa-spill spill pass
}
