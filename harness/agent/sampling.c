/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sampling thread. All sources are opened, learned and allocated before the first phase; from then on a round is a
 * read by position, a delta encoding on buffers that exist, and a copy into the ring. The same thread carries the
 * heartbeat, the kernel log and the scenario's timeout. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "harness/agent/agent.h"
#include "harness/base/util.h"
#include "harness/samplers/source.h"

#define ALIVE_NS (200 * WRING_NSEC_PER_MSEC)
#define COSTLY_NS WRING_NSEC_PER_SEC
#define STUCK_GRACE_NS (40 * WRING_NSEC_PER_SEC) /* a step gives up by itself after 30 s, if the kernel lets it */
#define FRAME_BYTES (256 * 1024)

struct wring_sampling {
	struct wring_session *session;
	struct wring_out *out;
	struct wring_source *sources;
	size_t n, max;
	int kmsg_fd;
	bool running, stop, muted, timed_out, told_stuck;
	int64_t deadline_ns, last_alive_ns;
	uint8_t *frame;
	pthread_mutex_t lock; /* one round at a time: the thread's, or a mark's */
	pthread_t thread;
	pid_t main_tid;
};

/* ---- opening ---- */

struct missing_arg {
	struct wring_sampling *p;
	const char *sampler, *subject;
};

static void missing(void *arg, const char *file, int error)
{
	const struct missing_arg *m = arg;

	wring_out_event(m->p->out, "lost", m->sampler, "subject=%s file=%s error=%s", m->subject, file, strerror(-error));
}

static void send_source(struct wring_sampling *p, struct wring_source *s)
{
	struct wring_wbuf b = { .p = p->frame, .size = FRAME_BYTES };

	wring_frame_begin(&b, WRING_REC_SOURCE);
	wring_put_u64(&b, (uint64_t)s->id);
	wring_put_str(&b, s->sampler->name);
	wring_put_str(&b, s->subject);
	wring_put_str(&b, s->n_files ? s->files[0].path : "");
	wring_frame_end(&b);
	wring_out_frame(p->out, &b);
}

static void send_keys(struct wring_sampling *p, struct wring_source *s)
{
	struct wring_wbuf b = { .p = p->frame, .size = FRAME_BYTES };
	const char *key = NULL;

	wring_frame_begin(&b, WRING_REC_KEYS);
	wring_put_u64(&b, (uint64_t)s->id);
	wring_put_u64(&b, s->n);
	for (size_t i = 0; i < s->n; i++) {
		key = wring_source_key(s, key);
		wring_put_str(&b, key);
		wring_put_u64(&b, s->sampler->kind ? s->sampler->kind(key) : WRING_GAUGE);
		wring_put_str(&b, s->sampler->unit);
	}
	wring_frame_end(&b);
	if (!wring_out_frame(p->out, &b))
		s->fresh = false;
}

/* Of a load, or else of files below dirfd. */
static int add_source(struct wring_sampling *p, const struct wring_sampler *sampler, const struct wring_sample *decl,
		      const char *subject, int dirfd, const struct wring_load_view *load, struct wring_err *err)
{
	struct missing_arg m = { p, sampler->name, subject };
	struct wring_source *s;
	int r;

	if (p->n == p->max) {
		size_t max = p->max ? 2 * p->max : 32;
		struct wring_source *q = realloc(p->sources, max * sizeof(*q));

		if (!q)
			return wring_err_set(err, -ENOMEM, "sampler %s", sampler->name);
		p->sources = q;
		p->max = max;
	}
	s = &p->sources[p->n];
	r = load ? wring_source_open_load(s, sampler, subject, load, err) :
		   wring_source_open(s, sampler, subject, dirfd, missing, &m, err);
	if (r) {
		/* A source this kernel does not have is recorded, not fatal: 6.1 and 6.12 differ. */
		wring_out_event(p->out, "lost", sampler->name, "subject=%s error=%s", subject, err->msg);
		wring_source_close(s);
		return r == -ENOMEM || r == -EMFILE ? r : 0;
	}
	s->id = (int64_t)p->n++;
	s->interval_ns = (int64_t)decl->interval_ns;
	if (sampler->costly && s->interval_ns && s->interval_ns < COSTLY_NS)
		s->interval_ns = COSTLY_NS;
	send_source(p, s);
	return 0;
}

static int add_nodes(struct wring_sampling *p, const struct wring_sampler *sampler, const struct wring_sample *decl,
		     struct wring_err *err)
{
	hwloc_obj_t node = NULL;
	int r = 0;

	while (!r && (node = hwloc_get_next_obj_by_type(p->session->agent->topology, HWLOC_OBJ_NUMANODE, node))) {
		char name[32];

		snprintf(name, sizeof(name), "node%u", node->os_index);
		r = add_source(p, sampler, decl, name, AT_FDCWD, NULL, err);
	}
	return r;
}

static int add_loads(struct wring_sampling *p, const struct wring_sampler *sampler, const struct wring_sample *decl,
		     struct wring_err *err)
{
	const struct wring_scenario *sc = p->session->scenario;
	int r = 0;

	for (size_t i = 0; i < sc->n_loads && !r; i++)
		r = add_source(p, sampler, decl, sc->loads[i].name, AT_FDCWD, wring_load_view(p->session, i), err);
	return r;
}

struct group_arg {
	struct wring_sampling *p;
	const struct wring_sampler *sampler;
	const struct wring_sample *decl;
};

static int add_group(void *arg, const char *group, const char *subject, struct wring_err *err)
{
	struct group_arg *g = arg;
	_cleanup_close_ int fd = wring_group_dirfd(g->p->session->agent->tree, group);

	if (fd < 0) {
		wring_out_event(g->p->out, "lost", g->sampler->name, "subject=%s error=%s", subject, strerror(-fd));
		return 0;
	}
	return add_source(g->p, g->sampler, g->decl, subject, fd, NULL, err);
}

static int add_decl(struct wring_sampling *p, const struct wring_sample *decl, struct wring_err *err)
{
	const struct wring_sampler *sampler = wring_sampler_find(decl->sampler);
	struct group_arg g = { p, sampler, decl };
	int r = 0;

	if (!sampler)
		return wring_err_set(err, -EINVAL, "no sampler '%s'", decl->sampler);
	switch (sampler->scope) {
	case WRING_PER_SYSTEM:
		return add_source(p, sampler, decl, "", AT_FDCWD, NULL, err);
	case WRING_PER_NODE:
		return add_nodes(p, sampler, decl, err);
	case WRING_PER_LOAD:
		return add_loads(p, sampler, decl, err);
	case WRING_PER_CACHE:
		for (size_t i = 0; i < decl->n_subjects && !r; i++)
			r = add_source(p, sampler, decl, decl->subjects[i], AT_FDCWD, NULL, err);
		return r;
	case WRING_PER_GROUP:
		for (size_t i = 0; i < decl->n_subjects && !r; i++)
			r = wring_session_each_dir(p->session, decl->subjects[i], add_group, &g, err);
		return r;
	}
	return 0;
}

int wring_sampling_new(struct wring_session *s, struct wring_err *err)
{
	struct wring_sampling *p = calloc(1, sizeof(*p));
	int r = 0;

	if (!p || !(p->frame = malloc(FRAME_BYTES))) {
		free(p);
		return wring_err_set(err, -ENOMEM, "sampling");
	}
	memset(p->frame, 0, FRAME_BYTES);
	p->session = s;
	p->out = s->agent->out;
	p->main_tid = (pid_t)syscall(SYS_gettid);
	pthread_mutex_init(&p->lock, NULL);
	p->kmsg_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (p->kmsg_fd < 0 || lseek(p->kmsg_fd, 0, SEEK_END) < 0)
		wring_out_event(p->out, "lost", "kmsg", "file=/dev/kmsg error=%s", strerror(errno));
	s->sampling = p;
	for (size_t i = 0; i < s->scenario->n_samples && !r; i++)
		r = add_decl(p, &s->scenario->samples[i], err);
	return r;
}

/* ---- a round ---- */

static void sample_one(struct wring_sampling *p, struct wring_source *s)
{
	struct wring_wbuf b = { .p = p->frame, .size = FRAME_BYTES };
	int64_t t = wring_now_ns();
	int r;

	r = wring_source_read(s);
	if (r < 0)
		return;
	if (s->note[0])
		wring_out_event(p->out, "stack", s->subject, "%s", s->note);
	if (s->fresh) {
		send_keys(p, s);
		memset(s->prev, 0, s->n * sizeof(*s->prev));
		if (s->fresh) /* lost: values under the old keys would be other keys' values */
			return;
	}
	wring_frame_begin(&b, WRING_REC_SAMPLE);
	wring_put_u64(&b, (uint64_t)s->id);
	wring_put_u64(&b, (uint64_t)t);
	wring_put_u64(&b, (uint64_t)(wring_now_ns() - t));
	wring_put_u64(&b, s->n);
	wring_put_deltas(&b, s->values, s->prev, s->n);
	wring_frame_end(&b);
	/* Deltas are against what the recorder has: a lost frame must not move the base. */
	if (!wring_out_put(p->out, &b))
		memcpy(s->prev, s->values, s->n * sizeof(*s->prev));
}

static void read_kmsg(struct wring_sampling *p)
{
	char line[8192];
	ssize_t n;

	while (p->kmsg_fd >= 0 && ((n = read(p->kmsg_fd, line, sizeof(line) - 1)) > 0 || (n < 0 && errno == EPIPE))) {
		unsigned level;
		unsigned long long us;
		char *text;

		if (n < 0) {
			wring_out_event(p->out, "lost", "kmsg", "error=the kernel log overflowed");
			continue;
		}
		line[n] = '\0';
		text = strchr(line, ';');
		if (!text || sscanf(line, "%u,%*u,%llu", &level, &us) != 2)
			continue;
		text++;
		wring_out_log(p->out, (int64_t)us * 1000, level & 7, text, strcspn(text, "\n"));
	}
}

static void sample_all(struct wring_sampling *p)
{
	for (size_t i = 0; i < p->n && !p->muted; i++)
		sample_one(p, &p->sources[i]);
	wring_out_wake(p->out);
}

void wring_sampling_mark(struct wring_session *s, const char *name)
{
	struct wring_sampling *p = s->sampling;

	pthread_mutex_lock(&p->lock);
	read_kmsg(p);
	wring_out_event(p->out, "mark", name, "%s", "");
	sample_all(p);
	pthread_mutex_unlock(&p->lock);
}

void wring_sampling_mute(struct wring_session *s)
{
	if (!s->sampling)
		return;
	pthread_mutex_lock(&s->sampling->lock);
	s->sampling->muted = true;
	pthread_mutex_unlock(&s->sampling->lock);
}

/* ---- the thread ---- */

/* A step that does not come back after its loads were killed sits in the kernel: say where. */
static void tell_stuck(struct wring_sampling *p)
{
	_cleanup_free_ char *path = NULL, *stack = NULL;

	p->told_stuck = true;
	path = wring_strf("/proc/self/task/%d/stack", p->main_tid);
	if (path)
		wring_read_file(AT_FDCWD, path, &stack, NULL);
	wring_out_event(p->out, "guest", "hang", "step '%s' has not returned for %lld s; stack: %s",
			p->session->step ? p->session->step : "?",
			(long long)((wring_now_ns() - p->session->step_since_ns) / WRING_NSEC_PER_SEC), stack && *stack ? stack : "unknown");
}

static void check_timeout(struct wring_sampling *p, int64_t now)
{
	struct wring_session *s = p->session;

	/* Nobody listens any more, or we were told to stop: end what runs, so that the main thread can tidy up. */
	if ((wring_agent_interrupted || wring_out_broken(p->out)) && !s->aborted) {
		p->deadline_ns = now - 1; /* from here on the grace of a timeout counts */
		wring_out_event(p->out, "warn", "stop", "interrupted");
	}
	if (now > p->deadline_ns && !p->timed_out) {
		struct wring_err err;

		p->timed_out = s->aborted = true;
		wring_out_event(p->out, "warn", "timeout", "the scenario is ended in step '%s': its loads are killed",
				s->step ? s->step : "?");
		wring_group_kill(s->agent->tree, s->scenario->name, now + WRING_NSEC_PER_SEC, &err);
	}
	/* from when it began: what is left to do after the timeout has its time, on a busy machine too */
	if (now > p->deadline_ns + STUCK_GRACE_NS && now > s->step_since_ns + STUCK_GRACE_NS && !p->told_stuck)
		tell_stuck(p);
}

static int64_t round_due(struct wring_sampling *p, int64_t now)
{
	const struct wring_sampler *told = NULL;
	int64_t next = now + ALIVE_NS;
	bool sampled = false;

	for (size_t i = 0; i < p->n && !p->muted; i++) {
		struct wring_source *s = &p->sources[i];

		if (!s->interval_ns)
			continue;
		if (s->due_ns <= now) {
			int64_t late = now - s->due_ns;

			/* Once for all the sources of a sampler: there may be a thousand groups. */
			if (s->due_ns && late > s->interval_ns && late > 50 * WRING_NSEC_PER_MSEC && s->sampler != told) {
				told = s->sampler;
				wring_out_event(p->out, "late", s->sampler->name, "ns=%lld", (long long)late);
			}
			sample_one(p, s);
			sampled = true;
			s->due_ns = (s->due_ns && late < s->interval_ns ? s->due_ns : now) + s->interval_ns;
		}
		if (s->due_ns < next)
			next = s->due_ns;
	}
	if (sampled)
		wring_out_wake(p->out);
	return next;
}

static void *sampling_thread(void *arg)
{
	struct wring_sampling *p = arg;

	while (!__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE)) {
		struct timespec ts;
		int64_t now = wring_now_ns(), next;

		pthread_mutex_lock(&p->lock);
		next = round_due(p, now);
		read_kmsg(p);
		pthread_mutex_unlock(&p->lock);
		if (now - p->last_alive_ns >= ALIVE_NS) {
			wring_out_time(p->out, WRING_REC_ALIVE);
			p->last_alive_ns = now;
		}
		check_timeout(p, now);
		ts.tv_sec = next / WRING_NSEC_PER_SEC;
		ts.tv_nsec = next % WRING_NSEC_PER_SEC;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	}
	return NULL;
}

int wring_sampling_start(struct wring_session *s, struct wring_err *err)
{
	struct wring_sampling *p = s->sampling;
	struct sched_param prio = { .sched_priority = 1 };

	p->deadline_ns = wring_now_ns() + (int64_t)s->scenario->timeout_ns;
	if (wring_thread_start(&p->thread, sampling_thread, p))
		return wring_err_set(err, -EAGAIN, "starting the sampling thread");
	p->running = true;
	if (pthread_setschedparam(p->thread, SCHED_FIFO, &prio))
		wring_out_event(p->out, "warn", "sampling", "no real-time priority: samples may come late");
	return 0;
}

void wring_sampling_free(struct wring_session *s)
{
	struct wring_sampling *p = s->sampling;

	if (!p)
		return;
	if (p->running) {
		__atomic_store_n(&p->stop, true, __ATOMIC_RELEASE);
		pthread_join(p->thread, NULL);
		read_kmsg(p);
	}
	for (size_t i = 0; i < p->n; i++)
		wring_source_close(&p->sources[i]);
	if (p->kmsg_fd >= 0)
		close(p->kmsg_fd);
	pthread_mutex_destroy(&p->lock);
	free(p->sources);
	free(p->frame);
	free(p);
	s->sampling = NULL;
}
