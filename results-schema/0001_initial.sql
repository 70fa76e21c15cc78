-- SPDX-License-Identifier: GPL-3.0-or-later
-- Schema 1. Migrations are numbered files applied once, in order, in one transaction;
-- PRAGMA user_version is the number of the last one. Never edit one that was released: add the next.
-- Times are ns of the agent's CLOCK_MONOTONIC unless the name says otherwise.

PRAGMA application_id = 1465011783; -- "WRNG"

CREATE TABLE meta (
	key TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One start of an agent: a session on a host or one boot of a guest.
CREATE TABLE boot (
	id INTEGER PRIMARY KEY,
	uuid TEXT NOT NULL UNIQUE,
	place TEXT NOT NULL CHECK (place IN ('host', 'vm')),
	started TEXT NOT NULL,          -- RFC 3339
	append TEXT NOT NULL,           -- kernel command line asked for
	kernel_sha256 TEXT NOT NULL,
	accel TEXT NOT NULL,            -- 'kvm', 'tcg' or ''
	vm TEXT NOT NULL
) STRICT;

-- The fingerprint of a boot: kernel.release, cpu.online, page.size, ...
CREATE TABLE fact (
	boot INTEGER NOT NULL REFERENCES boot ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL, -- '' when it is a document
	document INTEGER REFERENCES document,
	PRIMARY KEY (boot, key)
) STRICT, WITHOUT ROWID;

-- Long values, each text once in the file: every boot of a kernel has the same configuration. enc: 0 plain, 1 zstd.
CREATE TABLE document (
	id INTEGER PRIMARY KEY,
	hash INTEGER NOT NULL, -- CRC-32 of the text, to find it
	size INTEGER NOT NULL,
	enc INTEGER NOT NULL,
	text BLOB NOT NULL
) STRICT;
CREATE INDEX document_hash ON document (hash);

-- The guest's console. enc: 0 plain, 1 zstd.
CREATE TABLE console (
	boot INTEGER PRIMARY KEY REFERENCES boot ON DELETE CASCADE,
	size INTEGER NOT NULL,          -- bytes when unpacked
	enc INTEGER NOT NULL,
	text BLOB NOT NULL
) STRICT;

CREATE TABLE run (
	id INTEGER PRIMARY KEY,
	uuid TEXT NOT NULL UNIQUE,
	boot INTEGER NOT NULL REFERENCES boot ON DELETE CASCADE,
	scenario TEXT NOT NULL,
	label TEXT NOT NULL,
	arm TEXT,                       -- NULL outside of a comparison
	started TEXT NOT NULL,          -- RFC 3339
	duration_s REAL,                -- NULL: not finished
	seed INTEGER NOT NULL,
	outcome TEXT NOT NULL CHECK (outcome IN ('ok', 'fail', 'broken', 'skip', 'noisy')),
	reason TEXT NOT NULL,
	plan TEXT NOT NULL              -- resolved text of the scenario
) STRICT;
CREATE INDEX run_boot ON run (boot);

-- Names of sampled keys, and ordered sets of them. Both are shared by all runs: a set is found by a hash
-- of its content, so 200 runs of one kernel store its /proc/vmstat names once.
CREATE TABLE key (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL,
	unit TEXT NOT NULL,
	kind TEXT NOT NULL CHECK (kind IN ('counter', 'gauge')),
	UNIQUE (name, unit, kind)
) STRICT;
CREATE TABLE keyset (
	id INTEGER PRIMARY KEY,
	hash INTEGER NOT NULL UNIQUE,
	n INTEGER NOT NULL
) STRICT;
CREATE TABLE keyset_key (
	keyset INTEGER NOT NULL REFERENCES keyset ON DELETE CASCADE,
	pos INTEGER NOT NULL,
	key INTEGER NOT NULL REFERENCES key,
	PRIMARY KEY (keyset, pos)
) STRICT, WITHOUT ROWID;

-- What was sampled. `number` is the agent's, unique within the run.
CREATE TABLE source (
	id INTEGER PRIMARY KEY,
	run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
	number INTEGER NOT NULL,
	sampler TEXT NOT NULL,
	subject TEXT NOT NULL,
	path TEXT NOT NULL,
	UNIQUE (run, number)
) STRICT;
CREATE INDEX source_name ON source (run, sampler, subject);

-- A stretch of samples of a source with the same key set. `base` is a JSON array with the values of the
-- first sample; a key that keeps its value of that sample is stored nowhere else.
CREATE TABLE segment (
	id INTEGER PRIMARY KEY,
	source INTEGER NOT NULL REFERENCES source ON DELETE CASCADE,
	keyset INTEGER NOT NULL REFERENCES keyset,
	base TEXT                       -- NULL: no sample yet
) STRICT;
CREATE INDEX segment_source ON segment (source);

-- n consecutive samples of a segment, in order of id. time: see results-schema/pack.h.
CREATE TABLE chunk (
	id INTEGER PRIMARY KEY,
	segment INTEGER NOT NULL REFERENCES segment ON DELETE CASCADE,
	n INTEGER NOT NULL,
	t_first INTEGER NOT NULL,
	t_last INTEGER NOT NULL,
	enc INTEGER NOT NULL,           -- 0 varints, 1 the same in zstd, 2 Rice
	time BLOB NOT NULL
) STRICT;
CREATE INDEX chunk_segment ON chunk (segment);

-- One key over one chunk, only when it differs from `base` somewhere in it.
-- The id is (chunk << 20) + position in the key set: a plain rowid table, because its rows keep blobs of
-- up to 4 KB in the page, where an index (WITHOUT ROWID) moves all above 1 KB to pages of their own.
CREATE TABLE col (
	id INTEGER PRIMARY KEY,
	first INTEGER NOT NULL,
	last INTEGER NOT NULL,
	lo INTEGER,                     -- smallest; NULL: min(first, last)
	hi INTEGER,                     -- largest; NULL: max(first, last)
	enc INTEGER NOT NULL,
	v BLOB NOT NULL                 -- the n - 1 differences after `first`
) STRICT;
CREATE TRIGGER chunk_gone AFTER DELETE ON chunk BEGIN
	DELETE FROM col WHERE id BETWEEN old.id << 20 AND (old.id << 20) + 1048575;
END;

CREATE TABLE event (
	id INTEGER PRIMARY KEY,
	run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
	t_ns INTEGER NOT NULL,
	kind TEXT NOT NULL,
	subject TEXT NOT NULL,
	text TEXT NOT NULL
) STRICT;
CREATE INDEX event_time ON event (run, t_ns);

-- Lines of the kernel log. level: 0..7 as in syslog.
CREATE TABLE log (
	id INTEGER PRIMARY KEY,
	run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
	t_ns INTEGER NOT NULL,
	level INTEGER NOT NULL,
	text TEXT NOT NULL
) STRICT;
CREATE INDEX log_time ON log (run, t_ns);

-- What the analyzers made of a run; replaced when it is judged again.
CREATE TABLE metric (
	run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
	seq INTEGER NOT NULL,
	name TEXT NOT NULL,
	unit TEXT NOT NULL,
	value REAL,                     -- NULL: not a number
	better TEXT NOT NULL CHECK (better IN ('lower', 'higher', '')),
	tier TEXT NOT NULL CHECK (tier IN ('primary', 'secondary', 'info')),
	PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE finding (
	run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
	seq INTEGER NOT NULL,
	detector TEXT NOT NULL,
	class TEXT NOT NULL,
	verdict TEXT NOT NULL
		CHECK (verdict IN ('pass', 'fail', 'known', 'suspect', 'inconclusive', 'skip')),
	value REAL,
	"limit" REAL,
	unit TEXT NOT NULL,
	evidence TEXT NOT NULL,
	link TEXT NOT NULL,
	PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
