/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/qmp.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/base/util.h"

enum { LINE_MAX_BYTES = 1 << 20 };

struct wring_qmp {
	int fd;
	char *buf;
	size_t len, size;
	json_int_t id;
	bool is_closed;  /* nothing more can be read */
	bool is_mute;    /* nothing more can be sent; what QEMU said before may still be unread */
	char shutdown[40];
};

int wring_qmp_new(int fd, struct wring_qmp **ret)
{
	struct wring_qmp *q = calloc(1, sizeof(*q));

	if (!q) {
		close(fd);
		return -ENOMEM;
	}
	q->fd = fd;
	*ret = q;
	return 0;
}

void wring_qmp_free(struct wring_qmp *q)
{
	if (!q)
		return;
	close(q->fd);
	free(q->buf);
	free(q);
}

/* Returns >0 when something came, 0 when there is nothing now, -errno when there will be nothing any more. */
static int read_some(struct wring_qmp *q)
{
	ssize_t n;

	if (q->is_closed)
		return -EPIPE;
	if (q->size - q->len < 4096) {
		size_t size = q->size ? q->size * 2 : 16384;
		char *p = size <= LINE_MAX_BYTES ? realloc(q->buf, size) : NULL;

		if (!p) {
			q->is_closed = true;
			return -ENOMEM;
		}
		q->buf = p;
		q->size = size;
	}
	n = recv(q->fd, q->buf + q->len, q->size - q->len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		q->is_closed = true;
		return -EPIPE;
	}
	q->len += (size_t)n;
	return 1;
}

/* The next message that is complete, or NULL. A line that is no JSON object is skipped. */
static json_t *next_message(struct wring_qmp *q)
{
	char *nl;

	while (q->len && (nl = memchr(q->buf, '\n', q->len))) {
		size_t n = (size_t)(nl - q->buf) + 1;
		json_t *msg = json_loadb(q->buf, n, 0, NULL);

		q->len -= n;
		memmove(q->buf, nl + 1, q->len);
		if (json_is_object(msg))
			return msg;
		json_decref(msg);
	}
	return NULL;
}

static void note_event(struct wring_qmp *q, const json_t *msg)
{
	const char *event = json_string_value(json_object_get(msg, "event"));
	const char *reason;

	if (!event || strcmp(event, "SHUTDOWN"))
		return;
	reason = json_string_value(json_object_get(json_object_get(msg, "data"), "reason"));
	snprintf(q->shutdown, sizeof(q->shutdown), "%s", reason ? reason : "");
}

/* Waits for the first message that `is_mine` accepts. */
static int await(struct wring_qmp *q, bool (*is_mine)(const struct wring_qmp *, const json_t *), int timeout_ms,
		 json_t **ret)
{
	int64_t deadline = wring_now_ns() + timeout_ms * WRING_NSEC_PER_MSEC;

	for (;;) {
		struct pollfd pfd = { .fd = q->fd, .events = POLLIN };
		int64_t left;
		json_t *msg;
		int r;

		while ((msg = next_message(q))) {
			if (is_mine(q, msg)) {
				*ret = msg;
				return 0;
			}
			note_event(q, msg);
			json_decref(msg);
		}
		r = read_some(q);
		if (r < 0)
			return r;
		left = (deadline - wring_now_ns()) / WRING_NSEC_PER_MSEC;
		if (!r && left <= 0)
			return -ETIMEDOUT;
		if (!r)
			poll(&pfd, 1, (int)left);
	}
}

static bool is_greeting(const struct wring_qmp *q, const json_t *msg)
{
	(void)q;
	return json_object_get(msg, "QMP");
}

static bool is_reply(const struct wring_qmp *q, const json_t *msg)
{
	return json_integer_value(json_object_get(msg, "id")) == q->id;
}

static int send_command(struct wring_qmp *q, const char *command, json_t *args)
{
	json_t *msg = json_pack("{s:s, s:I, s:o*}", "execute", command, "id", ++q->id, "arguments", args);
	char *text = msg ? json_dumps(msg, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0;
	ssize_t n;

	json_decref(msg);
	if (!text)
		return -ENOMEM;
	text[len] = '\n'; /* in the place of the NUL */
	n = q->is_mute ? -1 : send(q->fd, text, len + 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	free(text);
	if (n == (ssize_t)len + 1)
		return 0;
	if (n < 0 && !q->is_mute && errno == EAGAIN) /* stopped long ago: its socket is full */
		return -ETIMEDOUT;
	q->is_mute = true;
	return -EPIPE;
}

static int take_reply(json_t *msg, const char *command, json_t **ret_value, struct wring_err *err)
{
	json_t *value = json_object_get(msg, "return");
	const char *desc;

	if (!value) {
		desc = json_string_value(json_object_get(json_object_get(msg, "error"), "desc"));
		return wring_err_set(err, -EPROTO, "QEMU refused %s: %s", command, desc ? desc : "no reason given");
	}
	if (ret_value)
		*ret_value = json_incref(value);
	return 0;
}

int wring_qmp_execute(struct wring_qmp *q, const char *command, json_t *args, int timeout_ms, json_t **ret_value,
		      struct wring_err *err)
{
	json_t *msg = NULL;
	int r = send_command(q, command, args);

	if (!r)
		r = await(q, is_reply, timeout_ms, &msg);
	if (r)
		return wring_err_set(err, r, "QEMU did not answer %s: %s", command, strerror(-r));
	r = take_reply(msg, command, ret_value, err);
	json_decref(msg);
	return r;
}

int wring_qmp_hello(struct wring_qmp *q, int timeout_ms, struct wring_err *err)
{
	json_t *msg = NULL;
	int r = await(q, is_greeting, timeout_ms, &msg);

	if (r)
		return wring_err_set(err, r, "QEMU did not open its control socket: %s", strerror(-r));
	json_decref(msg);
	return wring_qmp_execute(q, "qmp_capabilities", NULL, timeout_ms, NULL, err);
}

void wring_qmp_drain(struct wring_qmp *q)
{
	json_t *msg;

	do {
		while ((msg = next_message(q))) {
			note_event(q, msg);
			json_decref(msg);
		}
	} while (read_some(q) > 0);
}

const char *wring_qmp_shutdown_reason(const struct wring_qmp *q)
{
	return q->shutdown;
}
