/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A sampler says which kernel files one source reads and how their numbers are named. The engine
 * (harness/samplers/source.c) learns a file's layout once and then reads it by position. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "harness/api/registry.h"
#include "harness/base/wire.h"

enum wring_scope {
	WRING_PER_SYSTEM, /* files below /proc or /sys */
	WRING_PER_NODE,   /* one source a NUMA node; %s in the path is "node0" */
	WRING_PER_GROUP,  /* files of a cgroup */
	WRING_PER_CACHE,  /* one source a slab cache; %s in the path is its name */
	WRING_PER_LOAD,   /* the shared counters of a load */
};

/* Called once for each number found while a layout is learned; key NULL: skip this number. */
struct wring_layout;
void wring_layout_field(struct wring_layout *l, size_t at, const char *key, size_t key_len);
/* Formats: each walks the whole text of one file. */
void wring_learn_kv(struct wring_layout *l, const char *text, size_t len, const char *file);      /* "key 123" a line */
void wring_learn_meminfo(struct wring_layout *l, const char *text, size_t len, const char *file); /* "[Node 0 ]Key:  123 kB" */
void wring_learn_single(struct wring_layout *l, const char *text, size_t len, const char *file);  /* "123": the key is the file's name */
void wring_learn_psi(struct wring_layout *l, const char *text, size_t len, const char *file);     /* total= of some and full */
void wring_learn_numa(struct wring_layout *l, const char *text, size_t len, const char *file);    /* "anon N0=1 N1=2" */
void wring_learn_netstat(struct wring_layout *l, const char *text, size_t len, const char *file); /* "TcpExt: A B" over "TcpExt: 1 2" */
void wring_learn_slabinfo(struct wring_layout *l, const char *text, size_t len, const char *file);

/* WRING_PER_LOAD and samplers that tell: the value of a key in this round. A key that was not there before is from here on; told twice, it is added. */
struct wring_source;
struct wring_load_view;
void wring_load_value(struct wring_source *s, const char *key, int64_t v);

#define WRING_MAX_FILES 4
struct wring_sampler {
	const char *name, *summary;
	enum wring_scope scope;
	const char *files[WRING_MAX_FILES]; /* absolute, or relative to the cgroup */
	void (*learn)(struct wring_layout *l, const char *text, size_t len, const char *file);
	/* Instead of files and learn, for what is not numbers in a text: open what is read (below dirfd in tests), and in each round
	 * tell all values with wring_load_value(). */
	int (*find)(struct wring_source *s, int dirfd);
	void (*tell)(struct wring_source *s);
	void (*of_load)(struct wring_source *s, const struct wring_load_view *v); /* WRING_PER_LOAD: tells all values there are */
	enum wring_kind (*kind)(const char *key); /* NULL: gauge */
	const char *unit;                         /* of all its keys, or "" */
	bool costly;   /* reading disturbs what is measured: at marks, and at most once a second */
};
#define WRING_REGISTER_SAMPLER(s) WRING_REGISTER(sampler, s)
WRING_REGISTRY(sampler)
const struct wring_sampler *wring_sampler_find(const char *name);
