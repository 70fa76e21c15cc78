/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/judge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analyzers/known.h"
#include "analyzers/load-metrics.h"
#include "analyzers/view.h"
#include "harness/base/util.h"
#include "harness/plan/plan.h"

/* The kernel's own complaints count even in a run that could not be measured to its end. */
#define LAST_WITNESS "kernel-log"
/* A broken or noisy run that becomes a failure keeps what it was in its reason, so that judging it
 * again starts from the same. */
#define WAS ", was "

/* Outcome and reason of the run before any judging. */
struct base {
	enum wring_outcome outcome;
	const char *reason;
};

static bool is_verdict(const struct wring_finding_row *f, enum wring_verdict v)
{
	return !strcmp(f->verdict, wring_verdict_name(v));
}

const struct wring_detector *wring_detector_find(const char *name, size_t len)
{
	size_t n;
	const struct wring_detector *const *all = wring_detectors(&n);

	for (size_t i = 0; i < n; i++)
		if (strlen(all[i]->name) == len && !strncmp(all[i]->name, name, len))
			return all[i];
	return NULL;
}

static int run_detector(struct wring_view *v, const char *name, struct wring_err *err)
{
	const struct wring_detector *d = wring_detector_find(name, strlen(name));
	int r;

	if (!d) {
		wring_finding(v, name, "unknown", WRING_INCONCLUSIVE, 0, 0, "",
			      "this wring has no detector of that name");
		return 0;
	}
	r = d->judge(v, err);
	if (r)
		return wring_err_prefix(err, "detector %s", name);
	/* trouble that detectors do not see: lost findings, unreadable samples */
	if (v->results->error) {
		*err = v->results->err;
		return wring_err_prefix(err, "detector %s", name);
	}
	return 0;
}

static struct base base_of(const struct wring_run_row *run)
{
	const char *was = strstr(run->reason, WAS), *colon = was ? strstr(was, ": ") : NULL;
	struct base b = { .outcome = WRING_BROKEN, .reason = run->reason };
	int o = wring_outcome_parse(run->outcome);

	if (o >= 0)
		b.outcome = (enum wring_outcome)o;
	if (b.outcome != WRING_FAIL)
		return b;
	b = (struct base){ .outcome = WRING_OK, .reason = "" };
	for (o = 0; colon && o < WRING_OUTCOME_MAX; o++) {
		const char *name = wring_outcome_name((enum wring_outcome)o);

		if (strlen(name) == (size_t)(colon - was) - strlen(WAS) &&
		    !strncmp(was + strlen(WAS), name, strlen(name)))
			b = (struct base){ .outcome = (enum wring_outcome)o, .reason = colon + 2 };
	}
	return b;
}

/* The scenario's own timeout ended it, and the machine was there all the time: what did not come until then did not come. */
static bool was_cut(struct wring_view *v)
{
	return wring_view_has_event(v, "warn", "timeout") && !wring_view_has_event(v, "guest", "starved") &&
	       !wring_view_has_event(v, "guest", "paused");
}

static int run_on_rest(struct wring_view *v, const char *name, struct wring_err *err)
{
	const struct wring_detector *d = wring_detector_find(name, strlen(name));
	size_t finding = v->results->n_findings, metric = v->results->n_metrics;
	int r = d && d->judges_cut ? run_detector(v, name, err) : 0;

	wring_view_keep_failures(v, finding, metric);
	return r;
}

/* The detectors to run: the scenario's where it was measured, and always the last witness where the
 * recorder saw the guest die. */
static int run_detectors(struct wring_view *v, enum wring_outcome base, struct wring_err *err)
{
	const struct wring_scenario *s = v->scenario;
	bool heard = false;
	int r = 0;

	if (base == WRING_SKIP)
		return 0;
	for (size_t i = 0; !r && i < s->n_detectors; i++) {
		bool is_witness = !strcmp(s->detectors[i], LAST_WITNESS);

		/* half a run misleads most other detectors */
		if (base == WRING_BROKEN && !is_witness)
			r = was_cut(v) ? run_on_rest(v, s->detectors[i], err) : 0;
		else
			r = run_detector(v, s->detectors[i], err);
		heard = heard || is_witness;
	}
	if (!r && !heard && (base == WRING_BROKEN || wring_view_has_event(v, "guest", "panic") ||
			     wring_view_has_event(v, "guest", "hang")))
		r = run_detector(v, LAST_WITNESS, err);
	if (!r && base != WRING_BROKEN)
		wring_load_metrics(v);
	return r;
}

/* Everything passed, and yet what runs are compared by is not there: the scenario's text names it wrongly, or its loads did not do
 * what they are for. Where a detector could not judge, it said so itself. */
static void check_primary(struct wring_view *v)
{
	const struct wring_scenario *s = v->scenario;
	size_t n = v->results->n_findings;

	for (size_t i = 0; i < n; i++)
		if (!is_verdict(&v->results->findings[i], WRING_PASS))
			return;
	for (size_t i = 0; i < s->n_primary; i++) {
		bool is_there = false;

		for (size_t k = 0; k < v->results->n_metrics && !is_there; k++)
			is_there = !strcmp(v->results->metrics[k].name, s->primary[i]);
		if (!is_there)
			wring_finding(v, "metrics", "missing", WRING_INCONCLUSIVE, 0, 0, "",
				      "the scenario names %s as a primary metric, and no detector made it", s->primary[i]);
	}
}

/* Failures and suspicions that are known become so, with their reason in front of the evidence. */
static int apply_known(struct wring_view *v, struct wring_known *known, struct wring_err *err)
{
	struct wring_results *r = v->results;

	for (size_t i = 0; i < r->n_findings; i++) {
		struct wring_finding_row *f = &r->findings[i];
		const struct wring_known_entry *k;
		char *evidence, *link;

		if (!is_verdict(f, WRING_V_FAIL) && !is_verdict(f, WRING_SUSPECT))
			continue;
		k = wring_known_match(known, v->row, f->detector, f->class);
		if (!k)
			continue;
		evidence = wring_strf("known: %s: %s", k->reason, f->evidence);
		link = strdup(k->link);
		if (!evidence || !link) {
			free(evidence);
			free(link);
			return wring_err_set(err, -ENOMEM, "out of memory while judging");
		}
		free((char *)f->evidence);
		free((char *)f->link);
		f->evidence = evidence;
		f->link = link;
		f->verdict = wring_verdict_name(WRING_KNOWN);
	}
	return 0;
}

/* The finding that makes the run fail, or NULL. In a broken run only the last witness was heard, and who judges what was cut short. */
static const struct wring_finding_row *deciding(const struct wring_results *r)
{
	for (size_t i = 0; i < r->n_findings; i++)
		if (is_verdict(&r->findings[i], WRING_V_FAIL))
			return &r->findings[i];
	return NULL;
}

static int store_results(struct wring_view *v, const struct base *b, struct wring_err *err)
{
	const struct wring_results *res = v->results;
	const struct wring_finding_row *f = deciding(res);
	_cleanup_free_ char *reason = NULL;

	if (f && (b->outcome == WRING_BROKEN || b->outcome == WRING_NOISY))
		reason = wring_strf("%s/%s" WAS "%s: %s", f->detector, f->class,
				    wring_outcome_name(b->outcome), b->reason);
	else if (f)
		reason = wring_strf("%s/%s", f->detector, f->class);
	else
		reason = wring_strf("%s", b->reason);
	if (!reason)
		return wring_err_set(err, -ENOMEM, "out of memory while judging");
	return wring_store_judge(v->store, v->run, &(struct wring_judged){ v->row->outcome, v->row->reason,
				 wring_outcome_name(f ? WRING_FAIL : b->outcome), reason }, res->metrics, res->n_metrics, res->findings,
				 res->n_findings, err);
}

static int judge_view(struct wring_view *v, const struct base *b, struct wring_known *known,
		      struct wring_err *err)
{
	int r = run_detectors(v, b->outcome, err);

	if (!r && b->outcome == WRING_OK)
		check_primary(v);
	if (!r)
		r = apply_known(v, known, err);
	if (!r)
		r = store_results(v, b, err);
	if (!r && (b->outcome == WRING_OK || b->outcome == WRING_NOISY))
		wring_known_ran(known, v->row);
	return r;
}

int wring_judge_run(struct wring_store *st, const struct wring_run_row *run,
		    struct wring_known *known, struct wring_err *err)
{
	struct wring_scenario *scenario = NULL;
	struct base b = base_of(run);
	struct wring_view v;
	int r;

	/* what it was judged by is gone; what came of it stays */
	if (wring_store_is_pruned(st, run->uuid))
		return 0;
	r = wring_scenario_parse(run->scenario, run->plan, NULL, 0, &scenario, err);
	if (!r)
		r = wring_view_init(&v, st, run, scenario, err);
	if (!r) {
		r = judge_view(&v, &b, known, err);
		wring_view_done(&v);
	}
	wring_scenario_free(scenario);
	return r ? wring_err_prefix(err, "judging run %lld (%s)", (long long)run->id, run->scenario)
		 : 0;
}

/* ---- exit code ---- */

/* A guest that died of something known is not broken either. */
static bool died_of_known(const struct wring_findings *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->rows[i].detector, LAST_WITNESS) &&
		    is_verdict(&f->rows[i], WRING_KNOWN) &&
		    (!strcmp(f->rows[i].class, "panic") || !strcmp(f->rows[i].class, "hang")))
			return true;
	return false;
}

static void add_findings(struct wring_exit *x, const struct wring_findings *f)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct wring_finding_row *row = &f->rows[i];

		if (is_verdict(row, WRING_PASS) || is_verdict(row, WRING_V_FAIL) ||
		    is_verdict(row, WRING_KNOWN))
			x->judged++;
		if (is_verdict(row, WRING_SUSPECT) || is_verdict(row, WRING_INCONCLUSIVE))
			x->unsure = true;
	}
}

int wring_exit_add(struct wring_exit *x, struct wring_store *st, const struct wring_run_row *run,
		   struct wring_err *err)
{
	struct wring_findings f = { 0 };
	struct wring_runs now = { 0 };
	char id[24];
	int r;

	/* the row may be older than the judgement */
	snprintf(id, sizeof(id), "%lld", (long long)run->id);
	r = wring_store_runs(st, id, &now, err);
	if (!r)
		r = wring_store_findings(st, run->id, &f, err);
	if (!r && now.n) {
		const char *outcome = now.rows[0].outcome;

		add_findings(x, &f);
		x->fail = x->fail || !strcmp(outcome, "fail");
		x->broken = x->broken || (!strcmp(outcome, "broken") && !died_of_known(&f));
		x->unsure = x->unsure || !strcmp(outcome, "noisy");
	}
	wring_findings_done(&f);
	wring_runs_done(&now);
	return r;
}

int wring_exit_code(const struct wring_exit *x)
{
	if (x->fail)
		return WRING_EXIT_FAIL;
	if (x->broken)
		return WRING_EXIT_BROKEN;
	return x->unsure || !x->judged ? WRING_EXIT_INCONCLUSIVE : WRING_EXIT_OK;
}
