/* SPDX-License-Identifier: PostgreSQL */
/* See producer.h. Each thread sleeps on a condition until its next turn: nothing is polled. */
#include "collector/reading/producer.h"

#include <pthread.h>
#include <stdio.h>

#include "lib/base/log.h"
#include "lib/base/memory.h"

typedef struct Producer {
    const ProducerKind *kind;
    Producers *owner;
    void *self;
    _Atomic int64_t alive_until; /* monotonic */
    pthread_t thread;
} Producer;

struct Producers {
    pthread_mutex_t mutex; /* of the condition only: stop is atomic */
    pthread_cond_t wake;
    _Atomic bool stop;
    Producer *items;
    size_t count;
};

static void sleep_until(Producers *p, Usec deadline)
{
    struct timespec until = {.tv_sec = deadline / USEC_PER_SEC, .tv_nsec = deadline % USEC_PER_SEC * 1000};
    pthread_mutex_lock(&p->mutex);
    while (!p->stop && clock_monotonic() < deadline)
        pthread_cond_timedwait(&p->wake, &p->mutex, &until);
    pthread_mutex_unlock(&p->mutex);
}

static void *run(void *arg)
{
    Producer *producer = arg;
    while (!producer->owner->stop) {
        const Usec now = clock_monotonic();
        atomic_store(&producer->alive_until, now);
        const Usec next = producer->kind->turn(producer->self, now);
        atomic_store(&producer->alive_until, next);
        sleep_until(producer->owner, next);
    }
    producer->self = producer->kind->free(producer->self);
    return NULL;
}

static void start(Producers *p, const ProducerOptions *options, const ProducerKind *kind)
{
    Producer *producer = &p->items[p->count];
    *producer = (Producer){.kind = kind, .owner = p, .alive_until = clock_monotonic()};
    ProducerOptions own = *options;
    own.stop = &p->stop;
    own.alive_until = &producer->alive_until;
    producer->self = kind->new (&own);
    int number = pthread_create(&producer->thread, NULL, run, producer);
    if (number) {
        Err err = ERR_INIT;
        (void)err_set_errno(&err, ERR_INTERNAL, number, "starting a thread");
        log_fail("a part of the server is not watched", log_str("server", options->server->name),
                 log_str("part", kind->name), log_error_field(&err));
        kind->free(producer->self);
        return;
    }
    char name[16];
    (void)snprintf(name, sizeof(name), "%s:%s", kind->name, options->server->name);
    (void)pthread_setname_np(producer->thread, name); /* for people who look; the thread works without */
    p->count++;
}

Producers *producers_start(const ProducerOptions *options, const ProducerKind *const *kinds, size_t count)
{
    Producers *p = mem_alloc(sizeof(*p));
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&p->mutex, NULL);
    p->items = mem_alloc_array(sizeof(*p->items), count + 1);
    for (size_t i = 0; i < count; i++) {
        if (kinds[i]->is_wanted(options))
            start(p, options, kinds[i]);
    }
    return p;
}

void producer_come_forward(const ProducerOptions *options, Usec until)
{
    if (options->alive_until)
        atomic_store(options->alive_until, until);
}

const char *producers_find_stuck(const Producers *p, Usec now, Usec stall)
{
    for (size_t i = 0; p && i < p->count; i++) {
        if (atomic_load(&p->items[i].alive_until) < now - stall)
            return p->items[i].kind->name;
    }
    return NULL;
}

void producers_ask_to_stop(Producers *p)
{
    pthread_mutex_lock(&p->mutex);
    p->stop = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->mutex);
}

Producers *producers_stop(Producers *p)
{
    if (!p)
        return NULL;
    producers_ask_to_stop(p);
    for (size_t i = 0; i < p->count; i++)
        pthread_join(p->items[i].thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->mutex);
    free(p->items);
    free(p);
    return NULL;
}
