/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From frames to rows. What arrives is stored, in order; a frame that does not fit what came before ends the stream. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/util.h"
#include "harness/run/run.h"

#define BUF_BYTES (4u << 20)
#define COMMIT_NS (400 * WRING_NSEC_PER_MSEC)
#define AWAY_NS (2 * WRING_NSEC_PER_SEC) /* we look ten times a second */
/* More than the agent allows a last step, winding down and tearing down, and one that is stuck. */
#define OVERTIME_NS (150 * WRING_NSEC_PER_SEC)
#define IDLE_NS (300 * WRING_NSEC_PER_SEC) /* a boot of our own, facts, what the last scenario left: seconds */
#define MAX_SOURCES 65536
#define MAX_KEYS 20000
#define MAX_VALUES 4000000 /* of all sources: what a guest can make us hold */

struct wring_record_source {
	int64_t *prev;
	size_t n;
	char *sampler, *subject;
	struct { struct wring_gauge *gauge; size_t at; } shown[2]; /* what the progress displays, and which key it is */
	size_t n_shown;
};

int wring_recorder_init(struct wring_recorder *r, struct wring_store *store, const struct wring_run_options *o,
			const struct wring_scenarios *s, struct wring_err *err)
{
	*r = (struct wring_recorder){ .store = store, .options = o, .scenarios = s, .size = BUF_BYTES };
	r->buf = malloc(r->size);
	r->progress = wring_progress_new(o, s->n);
	return r->buf && r->progress ? 0 : wring_err_set(err, -ENOMEM, "recorder");
}

int64_t wring_recorder_now(struct wring_recorder *r)
{
	int64_t now = wring_now_ns();

	if (r->seen_ns && now - r->seen_ns > AWAY_NS)
		r->away_ns += now - r->seen_ns;
	r->seen_ns = now;
	return now - r->away_ns;
}

static void forget_sources(struct wring_recorder *r)
{
	for (size_t i = 0; i < r->n_sources; i++) {
		free(r->sources[i].prev);
		free(r->sources[i].sampler);
		free(r->sources[i].subject);
	}
	free(r->sources);
	r->sources = NULL;
	r->n_sources = r->n_values = 0;
}

void wring_recorder_done(struct wring_recorder *r)
{
	forget_sources(r);
	free(r->buf);
	free(r->run_ids);
	wring_progress_free(r->progress);
}

int wring_recorder_boot(struct wring_recorder *r, const struct wring_boot_meta *m, size_t first, struct wring_err *err)
{
	int x = wring_store_begin_boot(r->store, m, &r->boot, err);

	if (x)
		return x;
	forget_sources(r);
	r->run = 0;
	r->first = r->current = r->done = first;
	r->hello = r->bye = false;
	r->ended = 0;
	*r->error = *r->stuck = '\0';
	r->len = 0;
	r->last_record_ns = r->idle_host_ns = wring_recorder_now(r);
	r->t_ns = 0;
	wring_progress_boot(r->progress, strcmp(m->where, "vm") ? "the agent starts" : "the guest boots");
	return wring_store_commit(r->store, err);
}

static char *take_str(struct wring_rbuf *b)
{
	size_t n;
	const char *s = wring_get_str(b, &n);

	return strndup(s, n);
}

/* So that the difference of any two is a number: 146 years from the boot on. */
static int64_t get_time(struct wring_rbuf *b)
{
	uint64_t t = wring_get_u64(b);

	b->bad = b->bad || t > INT64_MAX / 2;
	return b->bad ? 0 : (int64_t)t;
}

static char *new_uuid(void)
{
	char *text = NULL;

	return wring_read_line(AT_FDCWD, "/proc/sys/kernel/random/uuid", &text) ? strdup("unknown") : text;
}

/* ---- runs ---- */

static int begin_run(struct wring_recorder *r, size_t index, struct wring_err *err)
{
	const struct wring_scenario *s = r->scenarios->rows[index];
	_cleanup_free_ char *uuid = new_uuid(), *plan = NULL;
	char started[40];
	size_t len;
	FILE *f = open_memstream(&plan, &len);
	struct wring_run_meta m = { .uuid = uuid, .scenario = s->name, .label = r->options->label ? r->options->label : "",
				    .arm = r->options->arm, .started = wring_rfc3339(wring_realtime_ns(), started, sizeof(started)),
				    .seed = (int64_t)r->options->seed };
	int64_t *ids;
	int x;

	if (!f || !uuid)
		return wring_err_set(err, -ENOMEM, "run of %s", s->name);
	wring_scenario_print(s, f);
	fclose(f);
	m.plan = plan;
	ids = realloc(r->run_ids, (r->n_runs + 1) * sizeof(*ids));
	if (!ids)
		return wring_err_set(err, -ENOMEM, "run of %s", s->name);
	r->run_ids = ids;
	x = wring_store_begin_run(r->store, r->boot, &m, &r->run, err);
	if (x)
		return x;
	r->run_ids[r->n_runs++] = r->run;
	r->current = index;
	r->begin_t_ns = r->t_ns;
	r->begin_host_ns = wring_recorder_now(r);
	forget_sources(r);
	wring_progress_begin(r->progress, s);
	return wring_store_commit(r->store, err);
}

static int finish_run(struct wring_recorder *r, const char *outcome, const char *reason, struct wring_err *err)
{
	double s = (double)(r->t_ns - r->begin_t_ns) / 1e9;
	int64_t run = r->run;

	r->run = 0;
	r->idle_host_ns = wring_recorder_now(r);
	r->done = r->current + 1;
	wring_progress_end(r->progress, outcome, reason);
	return wring_store_finish_run(r->store, run, outcome, reason, s > 0 ? s : 0, err);
}

int wring_recorder_end(struct wring_recorder *r, const char *outcome, const char *reason, struct wring_err *err)
{
	int x = 0;

	if (!r->run && r->done < r->scenarios->n)
		x = begin_run(r, r->done, err);
	return x || !r->run ? x : finish_run(r, outcome, reason, err);
}

void wring_recorder_note(struct wring_recorder *r, const char *kind, const char *subject, const char *text)
{
	struct wring_err err;

	if (r->run)
		wring_store_event(r->store, r->run, r->t_ns, kind, subject, text, &err);
}

/* ---- records ---- */

static int on_begin(struct wring_recorder *r, struct wring_rbuf *b, struct wring_err *err)
{
	_cleanup_free_ char *name = NULL;

	r->t_ns = get_time(b);
	name = take_str(b);
	if (r->run || r->done >= r->scenarios->n || !name || strcmp(r->scenarios->rows[r->done]->name, name))
		return wring_err_set(err, -EBADMSG, "record stream: scenario '%s' begins out of turn", name ? name : "");
	r->enough = r->options->deadline_ns && wring_now_ns() >= r->options->deadline_ns;
	if (r->enough)
		return 0;
	return begin_run(r, r->done, err);
}

static int on_end(struct wring_recorder *r, struct wring_rbuf *b, struct wring_err *err)
{
	_cleanup_free_ char *outcome = NULL, *reason = NULL;

	r->t_ns = get_time(b);
	outcome = take_str(b);
	reason = take_str(b);
	if (!r->run || !outcome || !reason)
		return wring_err_set(err, -EBADMSG, "record stream: a scenario ends that did not begin");
	r->ended = r->run;
	return finish_run(r, outcome, reason, err);
}

static int on_source(struct wring_recorder *r, struct wring_rbuf *b, struct wring_err *err)
{
	uint64_t id = wring_get_u64(b);
	_cleanup_free_ char *sampler = take_str(b), *subject = take_str(b), *path = take_str(b);
	struct wring_record_source *s;

	if (!r->run || b->bad || id >= MAX_SOURCES || !sampler || !subject || !path)
		return wring_err_set(err, -EBADMSG, "record stream: source %llu out of turn", (unsigned long long)id);
	if (id >= r->n_sources) {
		s = realloc(r->sources, (id + 1) * sizeof(*s));
		if (!s)
			return wring_err_set(err, -ENOMEM, "source %s", sampler);
		memset(s + r->n_sources, 0, (id + 1 - r->n_sources) * sizeof(*s));
		r->sources = s;
		r->n_sources = id + 1;
	}
	s = &r->sources[id];
	free(s->sampler);
	free(s->subject);
	s->sampler = WRING_TAKE_PTR(sampler);
	s->subject = WRING_TAKE_PTR(subject);
	s->n_shown = 0;
	return wring_store_source(r->store, r->run, (int64_t)id, s->sampler, s->subject, path, err);
}

static void show_keys(struct wring_recorder *r, struct wring_record_source *s, const struct wring_key *keys, size_t n)
{
	s->n_shown = 0;
	for (size_t i = 0; i < n && s->n_shown < WRING_ARRAY_SIZE(s->shown); i++) {
		struct wring_gauge *g = wring_progress_watch(r->progress, s->sampler, s->subject, keys[i].name);

		if (g) {
			s->shown[s->n_shown].gauge = g;
			s->shown[s->n_shown++].at = i;
		}
	}
}

static int on_keys(struct wring_recorder *r, struct wring_rbuf *b, struct wring_err *err)
{
	uint64_t id = wring_get_u64(b), n = wring_get_u64(b);
	struct wring_key *keys;
	int x = 0;

	if (!r->run || b->bad || id >= r->n_sources || n > MAX_KEYS || n > MAX_VALUES - r->n_values + r->sources[id].n)
		return wring_err_set(err, -EBADMSG, "record stream: keys of source %llu out of turn", (unsigned long long)id);
	keys = calloc(n + 1, sizeof(*keys));
	free(r->sources[id].prev);
	r->sources[id].prev = calloc(n + 1, sizeof(int64_t));
	r->n_values += n - r->sources[id].n;
	r->sources[id].n = n;
	if (!keys || !r->sources[id].prev)
		x = wring_err_set(err, -ENOMEM, "keys");
	for (uint64_t i = 0; i < n && !x; i++) {
		keys[i].name = take_str(b);
		keys[i].kind = wring_get_u64(b) == WRING_COUNTER ? WRING_COUNTER : WRING_GAUGE;
		keys[i].unit = take_str(b);
		if (b->bad || !keys[i].name || !keys[i].unit)
			x = wring_err_set(err, -EBADMSG, "record stream: a key list is cut short");
	}
	if (!x && r->sources[id].sampler)
		show_keys(r, &r->sources[id], keys, n);
	if (!x)
		x = wring_store_keys(r->store, r->run, (int64_t)id, keys, n, err);
	for (uint64_t i = 0; keys && i < n; i++) {
		free((char *)keys[i].name);
		free((char *)keys[i].unit);
	}
	free(keys);
	return x;
}

static int on_sample(struct wring_recorder *r, struct wring_rbuf *b, struct wring_err *err)
{
	uint64_t id = wring_get_u64(b);
	int64_t t = get_time(b), duration = get_time(b);
	uint64_t n = wring_get_u64(b);
	struct wring_record_source *s;

	if (!r->run || b->bad || id >= r->n_sources || !r->sources[id].prev || n != r->sources[id].n)
		return wring_err_set(err, -EBADMSG, "record stream: a sample of source %llu does not fit its keys", (unsigned long long)id);
	s = &r->sources[id];
	for (uint64_t i = 0; i < n; i++)
		s->prev[i] = (int64_t)((uint64_t)s->prev[i] + (uint64_t)wring_get_s64(b));
	if (b->bad)
		return wring_err_set(err, -EBADMSG, "record stream: a sample is cut short");
	r->t_ns = t;
	for (size_t i = 0; i < s->n_shown; i++)
		wring_gauge_set(s->shown[i].gauge, s->prev[s->shown[i].at], t);
	return wring_store_sample(r->store, r->run, (int64_t)id, t, duration, s->prev, n, err);
}

static int on_event(struct wring_recorder *r, struct wring_rbuf *b, struct wring_err *err)
{
	_cleanup_free_ char *kind = NULL, *subject = NULL, *text = NULL;

	r->t_ns = get_time(b);
	kind = take_str(b);
	subject = take_str(b);
	text = take_str(b);
	if (!kind || !subject || !text)
		return wring_err_set(err, -ENOMEM, "event");
	if (!strcmp(kind, "error"))
		snprintf(r->error, sizeof(r->error), "%s", text);
	if (!strcmp(kind, "guest") && !strcmp(subject, "hang"))
		snprintf(r->stuck, sizeof(r->stuck), "%.*s", (int)strcspn(text, ";\n"), text);
	wring_progress_event(r->progress, kind, subject, text);
	if (r->options->verbose && strcmp(kind, "lost") && strcmp(kind, "output"))
		wring_progress_line(r->progress, "%12.3f %s %s %s", (double)r->t_ns / 1e9, kind, subject, text);
	return r->run ? wring_store_event(r->store, r->run, r->t_ns, kind, subject, text, err) : 0;
}

static int on_log(struct wring_recorder *r, struct wring_rbuf *b, struct wring_err *err)
{
	int64_t t = get_time(b);
	int level = (int)(wring_get_u64(b) & 7);
	_cleanup_free_ char *text = take_str(b);

	return r->run && text ? wring_store_log(r->store, r->run, t, level, text, err) : 0;
}

static int on_gap(struct wring_recorder *r, struct wring_rbuf *b, struct wring_err *err)
{
	char text[64];

	r->t_ns = get_time(b);
	snprintf(text, sizeof(text), "frames=%llu", (unsigned long long)wring_get_u64(b));
	return r->run ? wring_store_event(r->store, r->run, r->t_ns, "gap", "stream", text, err) : 0;
}

static int on_info(struct wring_recorder *r, struct wring_rbuf *b, struct wring_err *err)
{
	_cleanup_free_ char *key = take_str(b), *value = take_str(b);

	return key && value ? wring_store_fact(r->store, r->boot, key, value, err) : wring_err_set(err, -ENOMEM, "fact");
}

static int dispatch(struct wring_recorder *r, enum wring_record type, struct wring_rbuf *b, struct wring_err *err)
{
	_cleanup_free_ char *version = NULL;
	int x = 0;

	switch (type) {
	case WRING_REC_HELLO:
		r->hello = true;
		version = take_str(b);
		r->t_ns = get_time(b);
		x = wring_store_fact(r->store, r->boot, "agent.version", version ? version : "", err);
		break;
	case WRING_REC_INFO:
		x = on_info(r, b, err);
		break;
	case WRING_REC_BEGIN:
		x = on_begin(r, b, err);
		break;
	case WRING_REC_END:
		x = on_end(r, b, err);
		break;
	case WRING_REC_SOURCE:
		x = on_source(r, b, err);
		break;
	case WRING_REC_KEYS:
		x = on_keys(r, b, err);
		break;
	case WRING_REC_SAMPLE:
		x = on_sample(r, b, err);
		break;
	case WRING_REC_EVENT:
		x = on_event(r, b, err);
		break;
	case WRING_REC_LOG:
		x = on_log(r, b, err);
		break;
	case WRING_REC_GAP:
		x = on_gap(r, b, err);
		break;
	case WRING_REC_BYE:
		r->bye = true;
		break;
	default: /* ALIVE, and records of a later minor version: only the sign of life counts */
		break;
	}
	if (!x && b->bad)
		x = wring_err_set(err, -EBADMSG, "record stream: a record of type %d is cut short, or of a time that cannot be", type);
	/* what the store does not take as a value */
	if (x == -EINVAL)
		x = (wring_err_prefix(err, "record stream: a record of type %d", type), err->code = -EBADMSG);
	return x;
}

const char *wring_recorder_overdue(struct wring_recorder *r)
{
	int64_t now = wring_recorder_now(r);

	if (r->run && now - r->begin_host_ns > (int64_t)r->scenarios->rows[r->current]->timeout_ns + OVERTIME_NS)
		return "the scenario did not end, long after its timeout";
	if (!r->run && r->hello && now - r->idle_host_ns > IDLE_NS)
		return "the agent begins no scenario";
	return NULL;
}

int wring_recorder_tick(struct wring_recorder *r, struct wring_err *err)
{
	int64_t now = wring_now_ns();

	wring_progress_tick(r->progress, r->last_record_ns + r->away_ns);
	if (now - r->last_commit_ns < COMMIT_NS)
		return 0;
	r->last_commit_ns = now;
	return wring_store_commit(r->store, err);
}

int wring_recorder_read(struct wring_recorder *r, int fd, struct wring_err *err)
{
	ssize_t n = read(fd, r->buf + r->len, r->size - r->len);
	size_t at = 0;

	if (n < 0 && r->len && errno == EAGAIN)
		n = 0;
	else if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : errno == ECONNRESET || errno == EIO ? 1 :
		       wring_err_set(err, -errno, "reading the record stream: %s", strerror(errno));
	else if (!n)
		return 1;
	r->len += (size_t)n;
	while (!r->stops || !r->ended) {
		struct wring_rbuf payload;
		enum wring_record type;
		int64_t used = wring_frame_next(r->buf + at, r->len - at, &type, &payload, err);
		int x;

		if (used < 0)
			return (int)used;
		if (!used)
			break;
		r->last_record_ns = wring_recorder_now(r);
		x = dispatch(r, type, &payload, err);
		if (x || r->enough)
			return x ? x : 1;
		at += (size_t)used;
	}
	memmove(r->buf, r->buf + at, r->len - at);
	r->len -= at;
	return 0;
}
