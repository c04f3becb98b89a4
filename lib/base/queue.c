/* SPDX-License-Identifier: PostgreSQL */
/* Bounded queue: see queue.h. A ring under one mutex; waiters use the monotonic clock. */
#include "lib/base/queue.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>

struct Queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    void **ring;
    size_t capacity;
    size_t first;
    size_t count;
    bool closed;
};

Queue *queue_new(size_t capacity)
{
    Queue *q = calloc(1, sizeof *q);
    pthread_condattr_t attributes;

    assert(capacity > 0);
    if (!q || !(q->ring = calloc(capacity, sizeof *q->ring)))
        abort();
    q->capacity = capacity;
    /* These fail for lack of memory only, which Linux does not have here. */
    (void)pthread_mutex_init(&q->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&q->filled, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return q;
}

Queue *queue_free(Queue *q)
{
    if (!q)
        return NULL;
    assert(q->count == 0);
    (void)pthread_cond_destroy(&q->filled);
    (void)pthread_mutex_destroy(&q->lock);
    free(q->ring);
    free(q);
    return NULL;
}

bool queue_try_push(Queue *q, void *item)
{
    (void)pthread_mutex_lock(&q->lock);
    bool room = !q->closed && q->count < q->capacity;
    if (room) {
        q->ring[(q->first + q->count) % q->capacity] = item;
        q->count++;
        (void)pthread_cond_signal(&q->filled);
    }
    (void)pthread_mutex_unlock(&q->lock);
    return room;
}

/* With the lock held and count > 0. */
static void *take_first(Queue *q)
{
    void *item = q->ring[q->first];

    q->first = (q->first + 1) % q->capacity;
    q->count--;
    return item;
}

void *queue_pop(Queue *q, Usec deadline)
{
    void *item = NULL;

    (void)pthread_mutex_lock(&q->lock);
    int r = 0;
    while (q->count == 0 && !q->closed && r != ETIMEDOUT) {
        if (deadline == USEC_NEVER) {
            (void)pthread_cond_wait(&q->filled, &q->lock);
            continue;
        }
        struct timespec until = {.tv_sec = (time_t)(deadline / USEC_PER_SEC),
                                 .tv_nsec = (long)(deadline % USEC_PER_SEC) * 1000};
        r = pthread_cond_timedwait(&q->filled, &q->lock, &until);
    }
    if (q->count > 0)
        item = take_first(q);
    (void)pthread_mutex_unlock(&q->lock);
    return item;
}

size_t queue_pop_many(Queue *q, void **ret_items, size_t max)
{
    size_t n = 0;

    (void)pthread_mutex_lock(&q->lock);
    while (n < max && q->count > 0)
        ret_items[n++] = take_first(q);
    (void)pthread_mutex_unlock(&q->lock);
    return n;
}

void queue_close(Queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    q->closed = true;
    (void)pthread_cond_broadcast(&q->filled);
    (void)pthread_mutex_unlock(&q->lock);
}

size_t queue_len(const Queue *q)
{
    Queue *unlocked = (Queue *)(uintptr_t)q; /* the lock is no part of the value */

    (void)pthread_mutex_lock(&unlocked->lock);
    size_t n = q->count;
    (void)pthread_mutex_unlock(&unlocked->lock);
    return n;
}
