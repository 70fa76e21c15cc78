#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# completion.sh WRING: bash completion, out of what the commands' own tables print as --help. An option whose value is written
# a|b|c completes to these; names of scenarios, workloads and so on are asked for when they are needed.
set -euo pipefail
wring=$1

# NAME[=VALUE] of every long option of a command, as its usage shows them: argp may fold lines, so they are joined first.
options() {
	"$wring" "$1" --help | awk 'NR > 1 && !/^ / { exit } { print }' | tr '\n' ' ' | sed 's/|  */|/g' | grep -oE -- '--[a-z][a-z-]*(=[^] ,]+)?' | sed 's/[].,;:)]*$//' | sort -u |
		awk -F= '{ if (!($1 in v) || $2 != "") v[$1] = $2 } END { for (o in v) print o (v[o] == "" ? "" : "=" v[o]) }' | sort || true
}

commands() { "$wring" --help | sed -n 's/^  \([a-z][a-z]*\)  *[^ ].*$/\1/p' | grep -vx wring; }

cat <<'END'
# bash completion of wring. Made by docs/completion.sh.
_wring_values() { # COMMAND OPTION
	case "$1 $2" in
END
for c in $(commands); do
	options "$c" | while IFS='=' read -r name value; do
		case $value in
		*'|'*) printf '\t"%s %s") echo "%s" ;;\n' "$c" "$name" "${value//|/ }" ;;
		esac
	done
done
printf '\tesac\n}\n\n_wring_options() { # COMMAND\n\tcase $1 in\n'
for c in $(commands); do
	printf '\t%s) echo "%s" ;;\n' "$c" "$(options "$c" | sed 's/=.*/=/' | paste -sd' ')"
done
printf '\tesac\n}\n\n_wring_commands="%s"\n' "$(commands | paste -sd' ')"
cat <<'END'

_wring_names() { # LIST...
	local list
	for list in "$@"; do
		"${COMP_WORDS[0]}" list "$list" 2>/dev/null | sed -n 's/^\([^ ][^ ]*\).*/\1/p'
	done
}

_wring() {
	local cur prev command words i
	COMPREPLY=()
	# '=' and ':' are words of their own to readline; '@' is to bash, but readline replaces it with what follows
	cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]:-} command=${COMP_WORDS[1]:-}
	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$_wring_commands --help --version" -- "$cur")
		return
	fi
	if [ "$cur" = = ]; then
		cur=
	elif [ "$prev" = = ]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	if [[ $prev == --* ]] && { [ "${COMP_WORDS[COMP_CWORD - 1]}" = = ] || [ "${COMP_WORDS[COMP_CWORD]}" = = ]; }; then
		words=$(_wring_values "$command" "$prev")
		if [ -n "$words" ]; then
			mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		else
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi
		return
	fi
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_wring_options "$command")" -- "$cur")
		for i in "${COMPREPLY[@]}"; do [[ $i != *= ]] || compopt -o nospace 2>/dev/null; done
		return
	fi
	[ "$prev" != @ ] || cur=@$cur
	case $command in
	run | ab) words=$(_wring_names scenarios suites) ;;
	load) words=$(_wring_names workloads) ;;
	show) words="last $(_wring_names scenarios workloads samplers detectors runs)" ;;
	list) words="scenarios suites workloads samplers detectors metrics runs" ;;
	db) words="merge check prune" ;;
	trend) words=$(_wring_names metrics) ;;
	check | compare | report | export) words="last $(_wring_names runs)" ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "${words:-}" -- "$cur")
	case $command:$cur in
	db:* | kconfig:* | run:*/* | ab:*/*)
		compopt -o filenames 2>/dev/null
		mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$cur") ;;
	esac
}
complete -F _wring wring
END
