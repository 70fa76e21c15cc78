-- SPDX-License-Identifier: GPL-3.0-or-later
-- Schema 2: comparisons of two arms, as wring ab makes them.

CREATE TABLE comparison (
	id INTEGER PRIMARY KEY,
	uuid TEXT NOT NULL UNIQUE,
	started TEXT NOT NULL,          -- RFC 3339
	argv TEXT NOT NULL,             -- the arguments, a line each: --resume begins with them
	fingerprint TEXT NOT NULL,      -- of all that the runs depend on: who resumes must have the same
	name_a TEXT NOT NULL,
	name_b TEXT NOT NULL,
	about_a TEXT NOT NULL,          -- kernel release, and the arm as it was given
	about_b TEXT NOT NULL,
	seed INTEGER NOT NULL,          -- the order of the runs follows from it
	slots INTEGER NOT NULL,         -- runs of every scenario that are planned, both arms
	place TEXT NOT NULL,            -- 'host', 'kvm', 'tcg': what an A/A record is good for
	deterministic INTEGER NOT NULL,
	aa INTEGER NOT NULL,            -- an arm against itself
	looks INTEGER NOT NULL,         -- planned looks: the level is divided among them
	done INTEGER NOT NULL
) STRICT;

-- A slot is a boot in the order that was drawn: one run of each scenario. It is complete or not there.
CREATE TABLE comparison_run (
	comparison INTEGER NOT NULL REFERENCES comparison ON DELETE CASCADE,
	slot INTEGER NOT NULL,
	run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
	block INTEGER NOT NULL,
	b INTEGER NOT NULL,
	PRIMARY KEY (comparison, slot, run)
) STRICT, WITHOUT ROWID;

-- The judgement, replaced when it is made again: the A/A record is read from it.
CREATE TABLE comparison_metric (
	comparison INTEGER NOT NULL REFERENCES comparison ON DELETE CASCADE,
	scenario TEXT NOT NULL,
	metric TEXT NOT NULL,
	tier TEXT NOT NULL,
	effect_pct REAL,
	p_adj REAL,
	verdict TEXT NOT NULL,
	PRIMARY KEY (comparison, scenario, metric)
) STRICT, WITHOUT ROWID;
