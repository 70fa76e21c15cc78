/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text files inside the program: what results-schema/embed.sh writes. */
#pragma once

struct wring_embedded {
	const char *name; /* of the file, without its folder */
	const char *text;
};
/* A table is `extern const struct wring_embedded SYMBOL[]` and ends with a row whose name is NULL. */
