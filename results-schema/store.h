/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The store: one SQLite file that holds boots, runs, samples, events, logs, metrics and findings.
 * This is the only user of SQLite in the project.
 *
 * A row in `boot` is one start of an agent (a host session or one boot of a guest) with its fingerprint;
 * a row in `run` is one scenario run in it. A run exists from its first moment with the outcome
 * "broken" and the reason "not finished", so that whatever kills the recorder leaves the truth behind.
 * Writers buffer samples in memory; wring_store_commit() makes all that was added durable against the death
 * of the process (not fsynced). Times are ns of the agent's CLOCK_MONOTONIC. Functions return 0 or -errno.
 * Strings handed out by readers belong to the result struct and die with its _done(). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "harness/base/err.h"
#include "harness/base/wire.h" /* enum wring_kind */

struct wring_store;

enum wring_store_mode {
	WRING_STORE_READ,   /* must exist; never changes the file's content, except migrations of an older one */
	WRING_STORE_CHANGE, /* must exist; older versions migrated */
	WRING_STORE_WRITE,  /* created when missing, older versions migrated */
};

/* A newer schema, a file that is not a wring database, a corrupt or locked one: one clear line in err. */
int wring_store_open(const char *path, enum wring_store_mode mode, struct wring_store **ret, struct wring_err *err);
/* What opening did beyond that, for the user: "migrated from schema 1 to 2"; else NULL. */
const char *wring_store_note(const struct wring_store *st);
void wring_store_close(struct wring_store *st); /* NULL-safe; commits nothing; checkpoints the WAL away */

/* ---- writing ---- */
struct wring_boot_meta {
	const char *uuid;     /* of this boot, from the recorder */
	const char *where;    /* "host" or "vm" */
	const char *started;  /* RFC 3339 */
	const char *append;   /* kernel command line asked for, "" on a host */
	const char *kernel_sha256; /* of the image, "" when unknown */
	const char *accel;    /* "kvm", "tcg" or "" */
	const char *vm;       /* "cpus=4 nodes=2 memory=2G", "" on a host */
};
struct wring_run_meta {
	const char *uuid, *scenario, *label, *arm /* NULL: none */, *started, *plan /* resolved scenario text */;
	int64_t seed;
};
int wring_store_begin_boot(struct wring_store *st, const struct wring_boot_meta *m, int64_t *ret_boot, struct wring_err *err);
/* A later value for the same key replaces the earlier one. */
int wring_store_fact(struct wring_store *st, int64_t boot, const char *key, const char *value, struct wring_err *err);
/* The guest's console so far; replaces what was there. Stored compressed. */
int wring_store_console(struct wring_store *st, int64_t boot, const void *text, size_t len, struct wring_err *err);
int wring_store_begin_run(struct wring_store *st, int64_t boot, const struct wring_run_meta *m, int64_t *ret_run, struct wring_err *err);

struct wring_key { const char *name; const char *unit; enum wring_kind kind; };
/* `source` is unique within the run. Keys may be set again for the same source (a slab cache appeared): the
 * samples that follow have the new keys. */
int wring_store_source(struct wring_store *st, int64_t run, int64_t source, const char *sampler,
		       const char *subject, const char *path, struct wring_err *err);
int wring_store_keys(struct wring_store *st, int64_t run, int64_t source, const struct wring_key *keys, size_t n, struct wring_err *err);
/* Absolute values, n as in the last wring_store_keys() of the source. Buffered. */
int wring_store_sample(struct wring_store *st, int64_t run, int64_t source, int64_t t_ns, int64_t duration_ns,
		       const int64_t *values, size_t n, struct wring_err *err);
int wring_store_event(struct wring_store *st, int64_t run, int64_t t_ns, const char *kind, const char *subject, const char *text, struct wring_err *err);
int wring_store_log(struct wring_store *st, int64_t run, int64_t t_ns, int level, const char *text, struct wring_err *err);
int wring_store_commit(struct wring_store *st, struct wring_err *err);
/* Sets outcome and reason, repacks the run's chunks into large ones, commits. */
int wring_store_finish_run(struct wring_store *st, int64_t run, const char *outcome, const char *reason,
			   double duration_s, struct wring_err *err);
struct wring_metric_row { const char *name, *unit; double value; const char *better /* "lower"|"higher"|"" */, *tier /* "primary"|"secondary"|"info" */; };
struct wring_finding_row {
	const char *detector, *class, *verdict /* pass fail known suspect inconclusive skip */;
	double value, limit;
	const char *unit, *evidence /* numbers and a sentence */, *link /* known findings, else "" */;
};
/* What a run comes to, and what it was when it was read. */
struct wring_judged { const char *was, *was_reason, *outcome, *reason; };
/* Replaces all metrics and findings of the run, and its outcome, in one transaction. Where it is no longer what it was (its recorder
 * has ended it meanwhile, or somebody else judged it) nothing is changed. j NULL: the outcome stays, whatever it is. */
int wring_store_judge(struct wring_store *st, int64_t run, const struct wring_judged *j, const struct wring_metric_row *m, size_t n_metrics,
		      const struct wring_finding_row *f, size_t n_findings, struct wring_err *err);

/* ---- reading ---- */
struct wring_run_row {
	int64_t id, boot, seed;
	char *uuid, *scenario, *label, *arm /* NULL: none */, *started, *outcome, *reason, *plan, *where, *append,
		*kernel_sha256, *accel, *vm, *release /* fact kernel.release or "" */;
	double duration_s;
};
struct wring_runs { struct wring_run_row *rows; size_t n; };
/* spec: NULL or "" = all; "last" = the newest; else a numeric id, a uuid (or a prefix of 6 or more), a label or
 * a kernel release. Oldest first. -ENOENT when nothing matches, but all of an empty store is 0 rows. -EINVAL when
 * a uuid prefix matches several. */
int wring_store_runs(struct wring_store *st, const char *spec, struct wring_runs *ret, struct wring_err *err);
void wring_runs_done(struct wring_runs *r);

struct wring_pair { char *key, *value; };
struct wring_pairs { struct wring_pair *rows; size_t n; };
int wring_store_facts(struct wring_store *st, int64_t boot, struct wring_pairs *ret, struct wring_err *err);
void wring_pairs_done(struct wring_pairs *p);
/* The value of one fact on the heap, or NULL when there is none. */
char *wring_store_get_fact(struct wring_store *st, int64_t boot, const char *key);
/* Console text on the heap, NUL-terminated; *ret NULL when there is none. */
int wring_store_get_console(struct wring_store *st, int64_t boot, char **ret, size_t *ret_len, struct wring_err *err);

struct wring_event { int64_t t_ns; char *kind, *subject, *text; };
struct wring_events { struct wring_event *rows; size_t n; };
/* kind and subject may be NULL: any. In order of time, then of arrival. */
int wring_store_events(struct wring_store *st, int64_t run, const char *kind, const char *subject,
		       struct wring_events *ret, struct wring_err *err);
void wring_events_done(struct wring_events *e);
struct wring_log_line { int64_t t_ns; int level; char *text; };
struct wring_log { struct wring_log_line *rows; size_t n; };
int wring_store_get_log(struct wring_store *st, int64_t run, struct wring_log *ret, struct wring_err *err);
void wring_log_done(struct wring_log *l);

struct wring_source_row { int64_t id; char *sampler, *subject, *path; };
struct wring_sources { struct wring_source_row *rows; size_t n; };
int wring_store_sources(struct wring_store *st, int64_t run, struct wring_sources *ret, struct wring_err *err);
void wring_sources_done(struct wring_sources *s);
/* Keys of a source over all its key sets: names on the heap, n of them. */
struct wring_names { char **rows; enum wring_kind *kinds; size_t n; };
int wring_store_source_keys(struct wring_store *st, int64_t run, int64_t source, struct wring_names *ret, struct wring_err *err);
void wring_names_done(struct wring_names *s);

/* One key over time. -ENOENT when the run has no such sampler, subject or key. */
struct wring_series { int64_t *t_ns, *v; size_t n; };
int wring_store_series(struct wring_store *st, int64_t run, const char *sampler, const char *subject,
		       const char *key, struct wring_series *ret, struct wring_err *err);
void wring_series_done(struct wring_series *s);

struct wring_metrics { struct wring_metric_row *rows; size_t n; };
struct wring_findings { struct wring_finding_row *rows; size_t n; };
int wring_store_metrics(struct wring_store *st, int64_t run, struct wring_metrics *ret, struct wring_err *err);
int wring_store_findings(struct wring_store *st, int64_t run, struct wring_findings *ret, struct wring_err *err);
void wring_metrics_done(struct wring_metrics *m);
void wring_findings_done(struct wring_findings *f);

/* ---- keeping house ---- */
/* All runs of `from` that `st` does not have (by uuid) are copied with all that belongs to them, one transaction each, so that
 * whatever ends this leaves whole runs. Runs that both have stay as they are in `st`. */
struct wring_merged { size_t added, known; };
int wring_store_merge(struct wring_store *st, struct wring_store *from, struct wring_merged *ret, struct wring_err *err);

/* Drops samples, kernel logs, consoles and the output of programs of runs started before that time (RFC 3339 in UTC). What was
 * found stays: outcome, metrics, findings, facts, events. Such a run cannot be judged again. */
struct wring_prune { const char *before; bool keep_failed, dry_run; };
int wring_store_prune(struct wring_store *st, const struct wring_prune *p, size_t *ret_runs, struct wring_err *err);
bool wring_store_is_pruned(struct wring_store *st, const char *uuid);

/* Reads all there is. Each problem is one line for tell(); returns 0 also then. */
struct wring_check { size_t runs, unfinished, pruned, problems; int64_t samples, bytes; };
int wring_store_check(struct wring_store *st, void (*tell)(void *data, const char *line), void *data, struct wring_check *ret,
		      struct wring_err *err);

/* ---- comparisons ---- store_compare.c */
struct wring_comparison {
	int64_t id, seed, slots;
	char *uuid, *started, *argv, *fingerprint, *name_a, *name_b, *about_a, *about_b, *place /* "host" "kvm" "tcg" */;
	bool deterministic, aa, looks, done;
};
struct wring_comparisons { struct wring_comparison *rows; size_t n; };
/* id, uuid and started of c are not looked at; *ret is the new row's id. */
int wring_store_begin_comparison(struct wring_store *st, const struct wring_comparison *c, int64_t *ret, struct wring_err *err);
/* spec: NULL = all; "last"; a numeric id; a uuid or 6 or more of its first characters. Oldest first. -ENOENT when nothing matches
 * a spec. */
int wring_store_comparisons(struct wring_store *st, const char *spec, struct wring_comparisons *ret, struct wring_err *err);
void wring_comparisons_done(struct wring_comparisons *c);
/* The comparison, not its runs. */
int wring_store_drop_comparison(struct wring_store *st, int64_t comparison, struct wring_err *err);
int wring_store_set_slots(struct wring_store *st, int64_t comparison, int64_t slots, struct wring_err *err);

/* The runs of one boot, all at once. */
struct wring_slot { int64_t slot, block, run; bool b; };
struct wring_slots { struct wring_slot *rows; size_t n; };
int wring_store_add_slot(struct wring_store *st, int64_t comparison, int64_t slot, int64_t block, bool b, const int64_t *runs, size_t n,
			 struct wring_err *err);
/* In order of slots and runs. */
int wring_store_slots(struct wring_store *st, int64_t comparison, struct wring_slots *ret, struct wring_err *err);
void wring_cmp_slots_done(struct wring_slots *s);

struct wring_compared_row { const char *scenario, *metric, *tier, *verdict; double effect_pct, p_adj; };
/* Replaces the judgement; done: no run is missing. */
int wring_store_judge_comparison(struct wring_store *st, int64_t comparison, bool done, const struct wring_compared_row *rows, size_t n,
				 struct wring_err *err);
/* What comparisons of an arm with itself said of a metric, in this place and mode. `except` is not counted. On the heap. */
struct wring_aa_past { char *verdict; double effect_pct; };
struct wring_aa_pasts { struct wring_aa_past *rows; size_t n; };
int wring_store_aa(struct wring_store *st, const char *scenario, const char *metric, const char *place, bool deterministic, int64_t except,
		   struct wring_aa_pasts *ret, struct wring_err *err);
void wring_aa_pasts_done(struct wring_aa_pasts *p);
