/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The formats of kernel statistics files: where the numbers are and what they are called. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "harness/api/sampler.h"

static size_t line_end(const char *text, size_t len, size_t at)
{
	const char *nl = memchr(text + at, '\n', len - at);

	return nl ? (size_t)(nl - text) : len;
}

static size_t skip_blanks(const char *text, size_t end, size_t at)
{
	while (at < end && text[at] == ' ')
		at++;
	return at;
}

void wring_learn_kv(struct wring_layout *l, const char *text, size_t len, const char *file)
{
	(void)file;
	for (size_t at = 0, end; at < len; at = end + 1) {
		const char *blank;

		end = line_end(text, len, at);
		blank = memchr(text + at, ' ', end - at);
		if (blank)
			wring_layout_field(l, skip_blanks(text, end, (size_t)(blank - text)), text + at,
					   (size_t)(blank - text) - at);
	}
}

void wring_learn_meminfo(struct wring_layout *l, const char *text, size_t len, const char *file)
{
	(void)file;
	for (size_t at = 0, end; at < len; at = end + 1) {
		const char *colon;
		size_t key = at;

		end = line_end(text, len, at);
		colon = memchr(text + at, ':', end - at);
		if (!colon)
			continue;
		for (size_t i = at; i < (size_t)(colon - text); i++)
			if (text[i] == ' ')
				key = i + 1;
		wring_layout_field(l, skip_blanks(text, end, (size_t)(colon - text) + 1), text + key,
				   (size_t)(colon - text) - key);
	}
}

void wring_learn_single(struct wring_layout *l, const char *text, size_t len, const char *file)
{
	const char *base = strrchr(file, '/');

	base = base ? base + 1 : file;
	if (!strncmp(base, "memory.", 7))
		base += 7;
	if (len)
		wring_layout_field(l, 0, base, strlen(base));
	/* "2478 N0=147 N1=2331", as the files of /sys/kernel/slab are */
	for (size_t i = 0; i < len; i++)
		if (text[i] == '=')
			wring_layout_field(l, i + 1, NULL, 0);
}

void wring_learn_psi(struct wring_layout *l, const char *text, size_t len, const char *file)
{
	const char *res = strrchr(file, '/'); /* /proc/pressure/io, or memory.pressure */
	size_t res_len;

	res = res ? res + 1 : file;
	res_len = strcspn(res, ".");
	for (size_t at = 0, end; at < len; at = end + 1) {
		char key[64];
		size_t word;

		end = line_end(text, len, at);
		word = strcspn(text + at, " \n");
		snprintf(key, sizeof(key), "%.*s_%.*s_us", (int)res_len, res, (int)word, text + at);
		/* "some avg10=0.12 avg60=0.00 avg300=0.00 total=123": only the total is exact at any rate. */
		for (size_t i = at; i < end; i++) {
			if (text[i] != '=' && !(text[i] == '.' && isdigit((unsigned char)text[i + 1])))
				continue;
			if (i > 5 && !strncmp(text + i - 5, "total", 5))
				wring_layout_field(l, i + 1, key, strlen(key));
			else
				wring_layout_field(l, i + 1, NULL, 0);
		}
	}
}

void wring_learn_numa(struct wring_layout *l, const char *text, size_t len, const char *file)
{
	(void)file;
	for (size_t at = 0, end; at < len; at = end + 1) {
		size_t name = strcspn(text + at, " \n");

		end = line_end(text, len, at);
		for (size_t i = at; i < end; i++) {
			size_t node = i;
			char key[96];

			if (text[i] != '=')
				continue;
			while (node > at && text[node - 1] != ' ')
				node--;
			snprintf(key, sizeof(key), "%.*s.%.*s", (int)name, text + at, (int)(i - node), text + node);
			wring_layout_field(l, i + 1, key, strlen(key));
		}
	}
}

static size_t word_end(const char *text, size_t end, size_t at)
{
	while (at < end && text[at] != ' ')
		at++;
	return at;
}

void wring_learn_netstat(struct wring_layout *l, const char *text, size_t len, const char *file)
{
	(void)file;
	for (size_t at = 0, end; at < len; at = end + 1) {
		size_t names_end = line_end(text, len, at), group = word_end(text, names_end, at), name = group;
		size_t value = names_end + 1 + group - at;

		end = names_end + 1 < len ? line_end(text, len, names_end + 1) : len;
		if (value >= end || group == at || strncmp(text + at, text + names_end + 1, group - at))
			continue;
		while (name < names_end && value < end) {
			size_t first = skip_blanks(text, names_end, name);
			char key[64];

			name = word_end(text, names_end, first);
			value = skip_blanks(text, end, value);
			snprintf(key, sizeof(key), "%.*s.%.*s", (int)(group - at - 1), text + at, (int)(name - first), text + first);
			wring_layout_field(l, value, key, strlen(key));
			value = word_end(text, end, value);
		}
	}
}

/* What a cache never changes is text to compare, not a number to skip: half of a file of 25 KB. SLUB's tunables are all 0. */
static bool is_constant(size_t column, char digit)
{
	return column == 3 || column == 4 || (column != 8 && digit == '0');
}

void wring_learn_slabinfo(struct wring_layout *l, const char *text, size_t len, const char *file)
{
	/* name active_objs num_objs objsize objperslab pagesperslab : tunables l b s : slabdata active num shared */
	static const char *const columns[] = {
		"active_objs", "num_objs", "objsize", NULL, NULL, NULL, NULL, NULL, NULL, "num_slabs", NULL,
	};

	(void)file;
	for (size_t at = 0, end; at < len; at = end + 1) {
		size_t name = strcspn(text + at, " \n"), column = 0;

		end = line_end(text, len, at);
		if (text[at] == '#' || !strncmp(text + at, "slabinfo", 8))
			continue;
		for (size_t i = at + name; i < end && column < sizeof(columns) / sizeof(columns[0]); i++) {
			char key[128];

			if (i == at || text[i - 1] != ' ' || !isdigit((unsigned char)text[i]))
				continue;
			snprintf(key, sizeof(key), "%.*s.%s", (int)name, text + at, columns[column] ? columns[column] : "");
			if (columns[column])
				wring_layout_field(l, i, key, strlen(key));
			else if (!is_constant(column, text[i]))
				wring_layout_field(l, i, NULL, 0);
			column++;
		}
	}
}
