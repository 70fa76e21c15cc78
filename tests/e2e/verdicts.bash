# SPDX-License-Identifier: GPL-3.0-or-later
# What the detectors say about a stock kernel, and about the same kernel with a fault planted: for each positive control one
# that must stay silent. Shared by verdicts.bats and long/verdicts-6.1.bats.

setup() {
	wring_setup
	needs_vm
}

teardown() { wring_teardown; }

# Every scenario of the document has this verdict for this detector and no failure.
passes() {
	[ "$(outcome_of "$1")" = ok ]
	finding "$1" "$2" '*' pass
	no_failure "$1"
}
