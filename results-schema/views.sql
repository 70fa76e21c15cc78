-- SPDX-License-Identifier: GPL-3.0-or-later
-- Views for people with the sqlite3 shell. wring itself reads the tables. All views are dropped and made
-- again when a writer finds that this text has changed, so edit it freely: it needs no migration.
-- All but `sample` work in a stock shell; for that one: .load ./wringsql

CREATE VIEW runs AS
SELECT r.id AS run, r.scenario, r.label, r.arm, r.outcome, r.reason,
	coalesce((SELECT value FROM fact f WHERE f.boot = b.id AND f.key = 'kernel.release'), '') AS kernel,
	b.place, b.vm, b.accel, b.append, b.kernel_sha256,
	r.started, r.duration_s, r.seed, r.uuid, b.id AS boot, b.uuid AS boot_uuid
FROM run r JOIN boot b ON b.id = r.boot;

CREATE VIEW facts AS
SELECT r.id AS run, r.scenario, f.key, iif(d.id IS NULL, f.value, '(' || d.size || ' bytes: wring show)') AS value
FROM run r JOIN fact f ON f.boot = r.boot LEFT JOIN document d ON d.id = f.document;

CREATE VIEW findings AS
SELECT f.run, r.scenario, r.kernel, r.label, r.arm, f.detector, f.class, f.verdict, f.value, f."limit",
	f.unit, f.evidence, f.link
FROM finding f JOIN runs r ON r.run = f.run;

CREATE VIEW metrics AS
SELECT m.run, r.scenario, r.kernel, r.label, r.arm, m.name, m.value, m.unit, m.better, m.tier
FROM metric m JOIN runs r ON r.run = m.run;

CREATE VIEW events AS
SELECT e.run, r.scenario, e.t_ns / 1e9 AS t_s, e.kind, e.subject, e.text
FROM event e JOIN run r ON r.id = e.run
ORDER BY e.run, e.t_ns, e.id;

CREATE VIEW logs AS
SELECT l.run, r.scenario, l.t_ns / 1e9 AS t_s, l.level, l.text
FROM log l JOIN run r ON r.id = l.run
ORDER BY l.run, l.t_ns, l.id;

-- Each key over each chunk of samples: no unpacking needed. A key that never moved has its one value.
-- CROSS JOIN fixes the order, so that each filter meets an index or cuts a loop before the next begins.
CREATE VIEW span AS
SELECT r.id AS run, r.scenario, s.sampler, s.subject, k.name AS key, k.unit, k.kind, c.id AS chunk, c.n,
	c.t_first / 1e9 AS t_first_s, c.t_last / 1e9 AS t_last_s,
	coalesce(o.first, b.value) AS first, coalesce(o.last, b.value) AS last,
	coalesce(o.lo, min(o.first, o.last), b.value) AS min,
	coalesce(o.hi, max(o.first, o.last), b.value) AS max
FROM run r CROSS JOIN source s ON s.run = r.id CROSS JOIN segment g ON g.source = s.id
	CROSS JOIN keyset_key p ON p.keyset = g.keyset CROSS JOIN key k ON k.id = p.key
	CROSS JOIN json_each(g.base, '$[' || p.pos || ']') b CROSS JOIN chunk c ON c.segment = g.id
	LEFT JOIN col o ON o.id = (c.id << 20) + p.pos;

-- One row a value. Give it a run, a sampler and a key where you can.
CREATE VIEW sample AS
SELECT r.id AS run, r.scenario, s.sampler, s.subject, k.name AS key, j.key / 1e9 AS t_s, j.value
FROM run r CROSS JOIN source s ON s.run = r.id CROSS JOIN segment g ON g.source = s.id
	CROSS JOIN keyset_key p ON p.keyset = g.keyset CROSS JOIN key k ON k.id = p.key
	CROSS JOIN json_each(g.base, '$[' || p.pos || ']') b CROSS JOIN chunk c ON c.segment = g.id
	LEFT JOIN col o ON o.id = (c.id << 20) + p.pos
	CROSS JOIN json_each(wring_unpack(c.n, c.t_first, c.enc, c.time,
		coalesce(o.first, b.value), o.enc, o.v)) j;
