/* SPDX-License-Identifier: PostgreSQL */
/*
 * Bounded queue between threads: a ring under one mutex. Invariants under the mutex: len <= capacity; items[] from
 * first, len of them (round the end), are the queue, oldest first. Waiting uses the monotonic clock.
 */
#include "lib/base/queue.h"

#include <assert.h>
#include <pthread.h>
#include <time.h>

#include "lib/base/memory.h"

struct Queue {
    pthread_mutex_t mutex;
    pthread_cond_t arrived; /* an item came, or closed */
    void **items;
    size_t capacity;
    size_t first;
    size_t len;
    bool closed;
};

/* The calls below fail only when misused, which the assertion is for. */
static void lock(const Queue *q)
{
    int r = pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&q->mutex);
    assert(r == 0);
    (void)r;
}

static void unlock(const Queue *q)
{
    int r = pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&q->mutex);
    assert(r == 0);
    (void)r;
}

Queue *queue_new(size_t capacity)
{
    assert(capacity > 0);
    Queue *q = mem_alloc(sizeof(*q));
    q->items = mem_alloc_array(sizeof(*q->items), capacity);
    q->capacity = capacity;

    pthread_condattr_t monotonic;
    int r = pthread_mutex_init(&q->mutex, NULL);
    r |= pthread_condattr_init(&monotonic);
    r |= pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    r |= pthread_cond_init(&q->arrived, &monotonic);
    r |= pthread_condattr_destroy(&monotonic);
    assert(r == 0);
    (void)r;
    return q;
}

Queue *queue_free(Queue *q)
{
    if (!q)
        return NULL;
    assert(q->len == 0);                     /* whoever left items behind has lost them */
    (void)pthread_cond_destroy(&q->arrived); /* nobody may wait any more */
    (void)pthread_mutex_destroy(&q->mutex);
    free(q->items);
    free(q);
    return NULL;
}

bool queue_try_push(Queue *q, void *item)
{
    assert(item); /* NULL is how pop says "nothing" */
    lock(q);
    bool ok = !q->closed && q->len < q->capacity;
    if (ok) {
        q->items[(q->first + q->len) % q->capacity] = item;
        q->len++;
        (void)pthread_cond_signal(&q->arrived);
    }
    unlock(q);
    return ok;
}

/* With the mutex held and len > 0. */
static void *take_first(Queue *q)
{
    void *item = q->items[q->first];
    q->first = (q->first + 1) % q->capacity;
    q->len--;
    return item;
}

/* With the mutex held: waits for a signal or the deadline; false when the deadline has passed. */
static bool wait_until(Queue *q, Usec deadline)
{
    if (deadline == USEC_NEVER)
        return pthread_cond_wait(&q->arrived, &q->mutex) == 0;
    if (deadline <= clock_monotonic())
        return false;
    struct timespec at = {.tv_sec = deadline / USEC_PER_SEC, .tv_nsec = deadline % USEC_PER_SEC * 1000};
    (void)pthread_cond_timedwait(&q->arrived, &q->mutex, &at); /* the next round looks at the clock */
    return true;
}

void *queue_pop(Queue *q, Usec deadline)
{
    lock(q);
    while (q->len == 0 && !q->closed && wait_until(q, deadline))
        ;
    void *item = q->len > 0 ? take_first(q) : NULL;
    unlock(q);
    return item;
}

size_t queue_pop_many(Queue *q, void **ret_items, size_t max)
{
    size_t n = 0;
    lock(q);
    while (n < max && q->len > 0)
        ret_items[n++] = take_first(q);
    unlock(q);
    return n;
}

void queue_close(Queue *q)
{
    lock(q);
    q->closed = true;
    (void)pthread_cond_broadcast(&q->arrived);
    unlock(q);
}

size_t queue_len(const Queue *q)
{
    lock(q);
    size_t len = q->len;
    unlock(q);
    return len;
}
