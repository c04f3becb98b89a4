#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Numbers of series by (server, family, labels), so that a push whose series are known asks the store for none. Bounded
 * by two generations: when the young one is full it becomes the old one, and the old one is forgotten; what is still
 * used moves back to the young one. Entries go stale after an hour, so that the store hears of series in use. Any
 * thread.
 */
#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/slice.h"

typedef struct SeriesCache SeriesCache;

/* @entries: most in both generations together. */
SeriesCache *series_cache_new(size_t entries);
SeriesCache *series_cache_free(SeriesCache *c);
DEFINE_CLEANUP(SeriesCache *, series_cache_free)

/* 0 when it is not known, or was put there more than an hour before @now (monotonic). */
int32_t series_cache_get(SeriesCache *c, Slice key, Usec now);
void series_cache_put(SeriesCache *c, Slice key, int32_t series_id, Usec now);
void series_cache_clear(SeriesCache *c);
size_t series_cache_len(SeriesCache *c);
