/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trend: how figures went over the nights of one database. */
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/report/trend.h"
#include "harness/base/units.h"
#include "harness/base/util.h"
#include "harness/cmd/cmd.h"

enum { O_KNOWN = WRING_O_DB + 1, O_ALL, O_SCENARIO, O_LABEL, O_NIGHTS, O_RECENT };

struct args {
	struct wring_words metrics;
	const char *known;
	struct wring_history_opts o;
};

static size_t number(const char *option, const char *arg, uint64_t min, uint64_t max)
{
	struct wring_err err;
	uint64_t v;

	if (wring_parse_u64(arg, min, max, &v, &err))
		exit(wring_usage_error("%s=%s: accepted: %llu to %llu", option, arg, (unsigned long long)min, (unsigned long long)max));
	return v;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case O_KNOWN: a->known = arg; return 0;
	case O_ALL: a->o.all = true; return 0;
	case O_SCENARIO: a->o.scenario = arg; return 0;
	case O_LABEL: a->o.label = arg; return 0;
	case O_NIGHTS: a->o.nights = number("--nights", arg, 5, 1000); return 0;
	case O_RECENT: a->o.recent = number("--recent", arg, 1, 1000); return 0;
	default: return wring_parse_words(key, arg, &a->metrics);
	}
}

static int show(struct args *a, struct wring_store *st, struct wring_err *err)
{
	struct wring_history h;
	bool alarm = false;
	int r = wring_history_read(st, &a->o, &h, err);

	if (r)
		return wring_complain(err, WRING_EXIT_BROKEN);
	if (!h.n && (a->o.n_metrics || a->o.scenario || a->o.label)) {
		wring_history_done(&h);
		return wring_usage_error("trend: no figures of that name in %s: wring list metrics, wring list runs", wring_db_path(a->metrics.db));
	}
	for (size_t i = 0; i < h.n_events; i++)
		alarm |= h.events[i].worse && h.events[i].is_new && !h.events[i].known;
	/* libsmartcols measures with the locale; numbers stay as they are everywhere */
	setlocale(LC_CTYPE, "");
	r = wring_report_trend(&h, a->o.all || a->o.n_metrics, !strcmp(nl_langinfo(CODESET), "UTF-8"), stdout, err);
	wring_history_done(&h);
	return r ? wring_complain(err, WRING_EXIT_BROKEN) : alarm ? WRING_EXIT_INCONCLUSIVE : WRING_EXIT_OK;
}

static int trend(int argc, char **argv)
{
	static const struct argp_option options[] = {
		WRING_DB_OPTION,
		{ "known", O_KNOWN, "FILE", 0, "changes that are explained, and pins: nights where history begins anew; wring-report(7)", 0 },
		{ "all", O_ALL, NULL, 0, "every metric, not only the primary ones", 0 },
		{ "scenario", O_SCENARIO, "NAME", 0, "only this one", 0 },
		{ "label", O_LABEL, "TEXT", 0, "only runs with this label", 0 },
		{ "nights", O_NIGHTS, "N", 0, "look back so far (default 120)", 0 },
		{ "recent", O_RECENT, "N", 0, "a change within so many nights is new (default 14)", 0 },
		WRING_HELP_OPTION, { 0 } };
	static const struct argp argp = { options, parse, "[METRIC...]",
		"How figures went over the nights of one database, and when they changed.\vMETRIC is a name or a pattern such as 'oom*'; none means the "
		"primary metrics. Exit code 3 when a new change for the worse is not explained: a history is a reason to run the two kernels again "
		"(wring ab), not a verdict.", NULL, NULL, NULL };
	struct args a = { .metrics.what = "metrics" };
	struct wring_pins pins = { 0 };
	struct wring_store *st = NULL;
	struct wring_err err = { 0 };
	int code = wring_args(&argp, "trend", argc, argv, &a);

	if (code)
		return code;
	a.o.metrics = a.metrics.words;
	a.o.n_metrics = a.metrics.n;
	a.o.pins = &pins;
	if ((a.known && wring_pins_read(a.known, &pins, &err)) || wring_store_open(wring_db_path(a.metrics.db), WRING_STORE_READ, &st, &err))
		code = wring_complain(&err, WRING_EXIT_USAGE);
	else
		code = show(&a, st, &err);
	wring_store_close(st);
	wring_pins_done(&pins);
	return code;
}

const struct wring_cmd wring_cmd_trend = { "trend", "[METRIC...]", "how figures went over nights, and when they changed", trend };
