#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# page.sh WRING PAGE.scd: the page with the parts put in that are generated. A line of its own in the page:
#   @manual WHAT@        what the plug-ins say of themselves (wring manual WHAT)
#   @commands@           the commands of wring --help
#   @options COMMAND@    the options of wring COMMAND --help
#   @options of all@     the same of all commands but load, which has a page of its own
#   @markdown FILE@      a document of docs/, without its title
# Names in code marks become bold.
set -euo pipefail
wring=$1 page=$2
docs=$(dirname "$page")/..

options() {
	"$wring" "$1" --help | awk '
	function esc(s) { gsub(/[\\*_]/, "\\\\&", s); return s }
	function flush() {
		if (name != "") printf "%s\n\t%s\n\n", name, esc(help)
		name = ""
	}
	/^ +(-.,)? +--[a-z]/ || /^  -., --/ {
		flush()
		line = $0
		sub(/^ +/, "", line)
		n = match(line, /  +/)
		left = n ? substr(line, 1, n - 1) : line
		help = n ? substr(line, n + RLENGTH) : ""
		arg = left; sub(/^[^=[]*/, "", arg); sub(/[=[].*/, "", left) # --name=ARG, --name[=ARG]
		name = "*" esc(left) "*" esc(arg)
		next
	}
	name != "" && /^ +[^ ]/ { sub(/^ +/, ""); help = help (help == "" ? "" : " ") $0; next }
	{ flush() }
	END { flush() }'
}

list_commands() { "$wring" --help | sed -n 's/^  \([a-z][a-z]*\)  *\([^ ].*\)$/\1 \2/p' | grep -v '^wring '; }

options_of_all() {
	list_commands | while read -r name _; do
		[ "$name" != load ] || continue
		printf '## wring %s\n\n' "$name"
		options "$name"
	done
}

commands() {
	list_commands | while read -r name summary; do
		printf '*wring %s*\n\t%s\n\n' "$name" "$(printf %s "$summary" | sed 's/[\\*_]/\\&/g')"
	done
}

markdown() {
	awk '
	function code(s,    out, n) { # `x` is bold, all else is plain
		gsub(/\[[^]]*\]\([^)]*\)/, "&", s)
		out = ""
		while ((n = index(s, "`"))) {
			out = out plain(substr(s, 1, n - 1))
			s = substr(s, n + 1)
			n = index(s, "`")
			if (!n) { out = out "\\`"; break }
			out = out "*" plain(substr(s, 1, n - 1)) "*"
			s = substr(s, n + 1)
		}
		return out plain(s)
	}
	function plain(s) { gsub(/[\\*_]/, "\\\\&", s); gsub(/\+\+/, "\\+\\+", s); return s }
	/^```/ { fence = !fence; print "```"; next }
	fence { print; next }
	/^# / { next }
	/^## / { print ""; print "# " toupper(substr($0, 4)); print ""; next }
	/^### / { print ""; print "## " substr($0, 5); print ""; next }
	/^\|[ -]*-[-| ]*$/ { next }
	/^\|/ {
		row = $0; sub(/^\| */, "", row); sub(/ *\|$/, "", row)
		cut = index(row, " | ")
		if (!table) { table = 1; print ""; next } # the names of the columns
		printf "%s\n\t%s\n\n", code(substr(row, 1, cut - 1)), code(substr(row, cut + 3))
		next
	}
	{ table = 0; print code($0) }' "$docs/$1" | cat -s
}

while IFS= read -r line || [ -n "$line" ]; do
	case $line in
	@manual\ *@) what=${line#@manual }; "$wring" manual "${what%@}" ;;
	@options\ of\ all@) options_of_all ;;
	@options\ *@) what=${line#@options }; options "${what%@}" ;;
	@markdown\ *@) what=${line#@markdown }; markdown "${what%@}" ;;
	@commands@) commands ;;
	*) printf '%s\n' "$line" ;;
	esac
done <"$page" | cat -s
