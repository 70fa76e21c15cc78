#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# plot.sh [OPTION]... HEALTHY.db SICK.db >FILE.svg: one sampled number of a scenario's newest run in each of two databases, over time.
#	--scenario=NAME --sampler=NAME --subject=NAME --key=NAME   what is drawn
#	--unit=NAME --scale=N          its unit on the axis, and what the number is divided by
#	--limit=N                      a dashed line, on the axis' scale
#	--from=KIND:SUBJECT            time 0 is the first such event; default: the start of the run
#	--window=FROM:TO               seconds to show; default: all
#	--title=TEXT --sick=TEXT       a heading, and what was done to the sick run
# wringsql.so is found in $WRING_BUILD, by default build/.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
: "${WRING_BUILD:=$top/build}"
scenario='' sampler='' subject='' key='' unit='' scale=1 limit='' from=mark:start window=: title='' sick=''
while [[ ${1-} == --* ]]; do
	case $1 in
	--scenario=* | --sampler=* | --subject=* | --key=* | --unit=* | --scale=* | --limit=* | --from=* | --window=* | --title=* | --sick=*)
		name=${1%%=*}
		printf -v "${name#--}" %s "${1#*=}" ;;
	*) echo "plot.sh: $1: see the head of the script" >&2; exit 2 ;;
	esac
	shift
done
[ $# = 2 ] || { echo "plot.sh: two databases, of a healthy and of a sick run" >&2; exit 2; }

# SECONDS VALUE lines, behind a line "# RELEASE"
series() {
	sqlite3 -cmd ".load $WRING_BUILD/wringsql" -separator ' ' "file:$1?mode=ro" "
		SELECT '#', kernel FROM runs WHERE run = (SELECT max(id) FROM run WHERE scenario = '$scenario');
		WITH r AS (SELECT max(id) id FROM run WHERE scenario = '$scenario'),
		z AS (SELECT min(t_ns) / 1e9 t FROM event, r WHERE run = r.id AND kind = '${from%%:*}' AND subject = '${from#*:}')
		SELECT round(t_s - z.t, 3), value FROM sample, r, z
		WHERE run = r.id AND sampler = '$sampler' AND subject = '$subject' AND key = '$key' ORDER BY t_s"
}

{ series "$1"; series "$2"; } | awk -v unit="$unit" -v scale="$scale" -v limit="$limit" -v window="$window" -v title="$title" -v sick="$sick" '
function esc(s) { gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); return s }
function x(t) { return L + (t - t0) / (t1 - t0) * W }
function y(v) { return T + H - v / top * H }
function step(range,    s) { # 1, 2 or 5 times a power of ten; four to ten of them
	for (s = 1e-6; range / s > 10; s *= 10) ;
	return range / s > 5 ? s * 2 : range / s > 2.5 ? s : s / 2
}
BEGIN { split(window, w, ":"); which = 0 }
/^#/ { which++; release[which] = $2; next }
(w[1] == "" || $1 >= w[1] + 0) && (w[2] == "" || $1 <= w[2] + 0) {
	n = ++count[which]; t[which, n] = $1; v[which, n] = $2 / scale
	if (!any++ || $1 < t0) t0 = $1
	if ($1 > t1 || any == 1) t1 = $1
	if ($2 / scale > top) top = $2 / scale
}
END {
	if (!count[1] || !count[2]) { print "plot.sh: no such samples in " (count[1] ? "the sick" : "the healthy") " run" >"/dev/stderr"; exit 1 }
	if (limit != "" && limit + 0 > top) top = limit + 0
	top = top ? top * 1.08 : 1
	L = 60; T = 44; W = 600; H = 220
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"680\" height=\"320\" font-family=\"sans-serif\" font-size=\"12\">\n"
	printf "<rect width=\"680\" height=\"320\" fill=\"white\"/>\n<text x=\"%d\" y=\"20\" font-size=\"14\">%s</text>\n", L, esc(title)
	printf "<text x=\"%d\" y=\"37\" fill=\"#1565c0\">healthy: %s</text><text x=\"%d\" y=\"37\" fill=\"#c62828\">sick: %s</text>\n", L, esc(release[1]), L + 260, esc(sick)
	for (g = 0; g <= top; g += step(top))
		printf "<path d=\"M%d %.1fh%d\" stroke=\"#ddd\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n", L, y(g), W, L - 6, y(g) + 4, g
	s = step(t1 - t0)
	for (g = int(t0 / s) * s; g <= t1; g += s)
		if (g >= t0) printf "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n", x(g), T + H + 16, g ? g : 0
	printf "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">seconds</text><text x=\"14\" y=\"%d\" transform=\"rotate(-90 14 %d)\" text-anchor=\"middle\">%s</text>\n", L + W, T + H + 34, T + H / 2, T + H / 2, esc(unit)
	if (limit != "") printf "<path d=\"M%d %.1fh%d\" stroke=\"#555\" stroke-dasharray=\"5 4\"/>\n", L, y(limit), W
	split("#1565c0 #c62828", colour, " ")
	for (i = 1; i <= 2; i++) {
		every = int(count[i] / 400) + 1 # small files: extremes of what is left out are lost, and 400 points are as many as there are pixels
		printf "<path fill=\"none\" stroke-width=\"1.5\" stroke=\"%s\" d=\"", colour[i]
		for (n = 1; n <= count[i]; n += every) printf "%s%.1f %.1f", n == 1 ? "M" : "L", x(t[i, n]), y(v[i, n])
		printf "\"/>\n"
	}
	print "</svg>"
}'
