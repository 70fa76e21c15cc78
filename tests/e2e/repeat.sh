#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# repeat.sh DATABASE [MARGIN]: are verdicts the same over all runs of the same scenario, kernel, parameters and label, and does every
# judged value stay MARGIN (default 3) times its range away from its limit? One line a finding, the tightest first:
#	RATIO  SCENARIO DETECTOR/CLASS#N  VERDICT  runs  smallest..largest value  limit  unit
# RATIO is the distance of the value nearest to its limit, over the range of all values; `same`: there is no range. A limit that
# each run takes from a twin of its own moves with the host as the value does: there both are taken as value / limit. #N tells
# findings of one class apart, in the order in which the detector made them. The last line says it all; exit 1 where a verdict
# changed or a ratio is too small.
set -euo pipefail
db=$1 margin=${2:-3}

sqlite3 -separator $'\t' "file:$db?mode=ro" "
WITH measured AS (
	SELECT run.id, scenario, outcome, fact.value release, dense_rank() OVER (ORDER BY scenario, fact.value, label, arm, plan, append) kind
	FROM run JOIN boot ON boot.id = run.boot LEFT JOIN fact ON fact.boot = boot.id AND key = 'kernel.release' WHERE outcome <> 'skip'),
kinds AS (SELECT kind, scenario, count(*) runs, count(DISTINCT outcome) outcomes, group_concat(DISTINCT outcome) told FROM measured GROUP BY kind),
numbered AS (
	SELECT kind, detector, class, verdict, value, \"limit\" lim, unit, row_number() OVER (PARTITION BY run, detector, class ORDER BY seq) nth
	FROM finding JOIN measured ON measured.id = run),
judged AS (
	SELECT kind, detector, class, nth, count(*) n, count(DISTINCT verdict) verdicts, group_concat(DISTINCT verdict) verdict, unit,
		min(value) lo, max(value) hi, min(lim) limlo, max(lim) limhi, min(abs(lim - value)) distance,
		CASE WHEN min(lim) > 0 AND max(lim) > min(lim) THEN min(abs(lim - value) / lim) / nullif(max(value / lim) - min(value / lim), 0) END scaled
	FROM numbered GROUP BY kind, detector, class, nth)
SELECT coalesce(scaled, CASE WHEN hi > lo THEN distance / (hi - lo) END) ratio, scenario, detector || '/' || class || '#' || nth, verdict, n, runs, lo, hi, limlo, limhi, unit,
	verdicts > 1 OR (n < runs AND verdict <> 'pass') OR outcomes > 1, told
FROM judged JOIN kinds USING (kind) ORDER BY ratio IS NULL, ratio, scenario, detector, class, nth" |
awk -F '\t' -v margin="$margin" '
function short(x) { return sprintf("%.6g", x) }
function range(a, b) { return a == b ? short(a) : short(a) ".." short(b) }
{
	why = ""
	if ($12) { why = "  VERDICT CHANGED (outcomes: " $13 ")"; changed++ }
	else if ($1 != "" && $1 < margin && ($4 == "pass" || $4 == "fail")) { why = "  TOO NEAR"; near++ }
	printf "%6s  %s %s  %s  %d of %d  %s  limit %s %s%s\n", $1 == "" ? "same" : sprintf("%.1f", $1), $2, $3, $4, $5, $6, range($7, $8), range($9, $10), $11, why
	if ($6 < least || !least) least = $6
}
END {
	printf "%d findings over at least %d runs: %d changed their verdict, %d are nearer to their limit than %g times their range\n", NR, least, changed, near, margin
	exit !NR || least < 2 || changed || near
}'
