/* SPDX-License-Identifier: PostgreSQL */
/* Failure counting: see throttle.h. */
#include "backend/auth/throttle.h"

#include <pthread.h>

#include "lib/base/map.h"

typedef struct Window {
    Usec start;
    unsigned failures;
} Window;

struct Throttle {
    pthread_mutex_t lock;
    Map *windows; /* key -> Window *, owned */
    unsigned failures_max;
    Usec length;
    size_t keys_max;
};

Throttle *throttle_new(unsigned failures_max, Usec window, size_t keys_max)
{
    Throttle *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    (void)pthread_mutex_init(&t->lock, NULL); /* default attributes do not fail */
    t->windows = map_new(free);
    t->failures_max = failures_max;
    t->length = window;
    t->keys_max = keys_max;
    return t;
}

Throttle *throttle_free(Throttle *t)
{
    if (!t)
        return NULL;
    (void)pthread_mutex_destroy(&t->lock);
    map_free(t->windows);
    free(t);
    return NULL;
}

bool throttle_is_blocked(Throttle *t, Slice key, Usec now, Usec *ret_wait)
{
    (void)pthread_mutex_lock(&t->lock);
    const Window *w = map_get(t->windows, key);
    Usec end = w ? w->start + t->length : 0;
    bool blocked = w && w->failures >= t->failures_max && now < end;
    if (blocked)
        *ret_wait = end - now;
    (void)pthread_mutex_unlock(&t->lock);
    return blocked;
}

/* The key to give up for a new one: the one whose window began first. */
static Slice oldest_key(const Throttle *t)
{
    Slice oldest = SLICE_NULL, key;
    Usec start = USEC_NEVER;
    void *value;

    for (size_t at = 0; map_next(t->windows, &at, &key, &value);) {
        const Window *w = value;
        if (w->start < start) {
            start = w->start;
            oldest = key;
        }
    }
    return oldest;
}

void throttle_failed(Throttle *t, Slice key, Usec now)
{
    (void)pthread_mutex_lock(&t->lock);
    Window *w = map_get(t->windows, key);
    if (!w) {
        if (map_len(t->windows) >= t->keys_max)
            free(map_take(t->windows, oldest_key(t)));
        w = calloc(1, sizeof *w);
        if (!w)
            abort();
        map_put(t->windows, key, w);
    }
    if (w->failures == 0 || now >= w->start + t->length)
        *w = (Window){.start = now};
    w->failures++;
    (void)pthread_mutex_unlock(&t->lock);
}

void throttle_succeeded(Throttle *t, Slice key)
{
    (void)pthread_mutex_lock(&t->lock);
    free(map_take(t->windows, key));
    (void)pthread_mutex_unlock(&t->lock);
}
