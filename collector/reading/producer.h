#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Producer: what is read of a server beside the target's tick, on a thread of its own so that neither waits for the
 * other: the one-second sampler, a pooler, a backup tool. It puts readings into the target's inbox. A kind is a const
 * ProducerKind in a file of its own, and a row of the table in target.c.
 */
#include <stdatomic.h>

#include "collector/reading/family_costs.h"
#include "collector/reading/inbox.h"
#include "collector/settings/settings.h"

typedef struct ProducerOptions {
    const Settings *settings;     /* outlive the producer, as do all of these */
    const ServerSettings *server; /* of these settings */
    Inbox *inbox;
    FamilyCosts *costs;       /* of the families it reads, but for their bytes: those are counted where they are sent */
    const _Atomic bool *stop; /* leave early from what takes long */
    _Atomic int64_t *alive_until; /* see producer_come_forward(); NULL: nobody looks */
} ProducerOptions;

typedef struct ProducerKind {
    const char *name; /* of its threads, at most 10 bytes */
    bool (*is_wanted)(const ProducerOptions *options);
    void *(*new)(const ProducerOptions *options); /* on the target's thread; connects nowhere */
    Usec (*turn)(void *self, Usec now);           /* does what is due; gives when it is due again (monotonic) */
    void *(*free)(void *self);                    /* on its thread, after the last turn: puts what it still has */
} ProducerKind;

/* The thread is at work until @until (monotonic) at the latest: before what may take long and ends by itself. For a
 * turn without it a producer is expected back at once. */
void producer_come_forward(const ProducerOptions *options, Usec until);

typedef struct Producers Producers;

/* Starts a thread for each of @kinds that is wanted. One that cannot be started is logged and does not hinder the
 * others. */
Producers *producers_start(const ProducerOptions *options, const ProducerKind *const *kinds, size_t count);
void producers_ask_to_stop(Producers *p);
/* The name of the kind whose thread should have come forward @stall before @now; NULL: all did, or @p is NULL. */
const char *producers_find_stuck(const Producers *p, Usec now, Usec stall);
Producers *producers_stop(Producers *p); /* asks, waits, frees; NULL allowed; returns NULL */
