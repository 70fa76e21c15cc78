/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the steps `census` counted, and which reclaim happened between one census and the next. */
#pragma once
#include "analyzers/view.h"

enum { WRING_CENSUS_MAX = 16 };

/* The objects of one load in one directory. */
struct wring_cache {
	const struct wring_load *load;
	char name[128];                           /* the load, or "load@directory" where it is spread over several */
	char group[256];                          /* the directory */
	size_t n;                                 /* censuses */
	int64_t t_ns[WRING_CENSUS_MAX];           /* when it began */
	int64_t cached[WRING_CENSUS_MAX], gone[WRING_CENSUS_MAX];
};
struct wring_caches {
	struct wring_cache *rows;
	size_t n, rounds;                         /* censuses that all of them had */
};
int wring_caches_read(struct wring_view *v, struct wring_caches *ret, struct wring_err *err);
void wring_caches_done(struct wring_caches *c);
/* Is what this load makes in slab caches (names, inodes) and not pages? */
bool wring_cache_is_slab(const struct wring_cache *c);
/* Objects lost from census k to the next one, in percent. */
double wring_cache_loss(const struct wring_cache *c, size_t k);

/* The reclaim that somebody asked for in a group or above it. */
struct wring_pressure {
	char group[256];                          /* the last that was reclaimed */
	size_t reclaims, drains;
	int64_t largest_bytes;                    /* asked at once */
	int64_t reclaimed_bytes;                  /* what was reported; slab that waits for RCU is missing */
	bool is_heavy;                            /* a drain, or as good as all of it was asked for */
};
struct wring_pressure wring_pressure_on(struct wring_view *v, const char *group, int64_t from, int64_t to);
