/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QEMU's control socket. One command at a time; events that arrive in between are looked at and dropped. */
#pragma once
#include <jansson.h>
#include "harness/base/err.h"

struct wring_qmp;
int wring_qmp_new(int fd, struct wring_qmp **ret); /* takes fd */
void wring_qmp_free(struct wring_qmp *q);
/* Waits for the greeting and leaves negotiation mode: QEMU answers this when its machine is complete. */
int wring_qmp_hello(struct wring_qmp *q, int timeout_ms, struct wring_err *err);
/* args is consumed (NULL: none). *ret_value (may be NULL) gets the "return" member, to be decref'ed. -ETIMEDOUT: no
 * answer in time (a later command skips the late one); -EPIPE: QEMU is gone; -EPROTO: it refused, err says why. */
int wring_qmp_execute(struct wring_qmp *q, const char *command, json_t *args, int timeout_ms, json_t **ret_value,
		      struct wring_err *err);
/* Reads pending events without waiting. */
void wring_qmp_drain(struct wring_qmp *q);
/* Why the machine shut down, as the SHUTDOWN event put it ("guest-reset", "guest-shutdown"); "" before that. */
const char *wring_qmp_shutdown_reason(const struct wring_qmp *q);
