# SPDX-License-Identifier: GPL-3.0-or-later
# The whole @smoke suite on a host of its own.

load ../helper
load ../host

# Three minutes of scenarios on top of what host.bats does.
setup_file() { HOST_SECONDS=900 host_setup_file @smoke; }

@test "@smoke as root on a stock kernel: no failure, and nothing is left" {
	case $(cat "$OUT/root.code") in
	0 | 3) ;;
	*) show root; return 1 ;;
	esac
	jq -e 'all(.runs[].findings[]; .verdict != "fail")' "$OUT/root.json"
	jq -e 'all(.runs[]; .outcome == "ok" or .outcome == "skip")' "$OUT/root.json"
	clean root
	sound root
}
