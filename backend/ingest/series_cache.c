/* SPDX-License-Identifier: PostgreSQL */
/* A value packs into a pointer: series number in the upper half, minute it was put there in the lower one. */
#include "backend/ingest/series_cache.h"

#include <assert.h>
#include <pthread.h>
#include <stdint.h>

#include "lib/base/map.h"

_Static_assert(sizeof(void *) == 8, "values are packed into pointers");

enum { STALE_MINUTES = 60 };

struct SeriesCache {
    pthread_mutex_t lock;
    Map *young;
    Map *old;
    size_t generation_max;
};

static uint32_t minute_of(Usec now)
{
    return (uint32_t)(now / (60 * USEC_PER_SEC));
}

SeriesCache *series_cache_new(size_t entries)
{
    assert(entries >= 2);
    SeriesCache *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    pthread_mutex_init(&c->lock, NULL);
    c->young = map_new(NULL);
    c->old = map_new(NULL);
    c->generation_max = entries / 2;
    return c;
}

SeriesCache *series_cache_free(SeriesCache *c)
{
    if (!c)
        return NULL;
    map_free(c->young);
    map_free(c->old);
    pthread_mutex_destroy(&c->lock);
    free(c);
    return NULL;
}

static void put(SeriesCache *c, Slice key, void *value)
{
    if (map_len(c->young) >= c->generation_max && !map_has(c->young, key)) {
        Map *forgotten = c->old;
        c->old = c->young;
        c->young = forgotten;
        map_clear(c->young);
    }
    map_put(c->young, key, value);
}

int32_t series_cache_get(SeriesCache *c, Slice key, Usec now)
{
    pthread_mutex_lock(&c->lock);
    void *value = map_get(c->young, key);
    if (!value) {
        value = map_get(c->old, key);
        if (value)
            put(c, key, value);
    }
    pthread_mutex_unlock(&c->lock);

    uint64_t packed = (uint64_t)(uintptr_t)value;
    if (!value || minute_of(now) - (uint32_t)packed >= STALE_MINUTES)
        return 0;
    return (int32_t)(packed >> 32);
}

void series_cache_put(SeriesCache *c, Slice key, int32_t series_id, Usec now)
{
    assert(series_id > 0);
    uint64_t packed = (uint64_t)series_id << 32 | minute_of(now);
    pthread_mutex_lock(&c->lock);
    put(c, key, (void *)(uintptr_t)packed);
    pthread_mutex_unlock(&c->lock);
}

void series_cache_clear(SeriesCache *c)
{
    pthread_mutex_lock(&c->lock);
    map_clear(c->young);
    map_clear(c->old);
    pthread_mutex_unlock(&c->lock);
}

size_t series_cache_len(SeriesCache *c)
{
    pthread_mutex_lock(&c->lock);
    size_t len = map_len(c->young) + map_len(c->old);
    pthread_mutex_unlock(&c->lock);
    return len;
}
