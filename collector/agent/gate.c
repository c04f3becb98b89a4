/* SPDX-License-Identifier: PostgreSQL */
/* See gate.h. A place is the ticket of who has it: the time until which it is theirs, made unique; 0: free. */
#include "collector/agent/gate.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/memory.h"

struct Gate {
    pthread_mutex_t lock;
    Usec places[GATE_PLACES];
    Usec last; /* ticket that was given */
};

Gate *gate_new(void)
{
    Gate *g = mem_alloc(sizeof(*g));
    (void)pthread_mutex_init(&g->lock, NULL); /* cannot fail with default attributes */
    return g;
}

Gate *gate_free(Gate *g)
{
    if (!g)
        return NULL;
    (void)pthread_mutex_destroy(&g->lock);
    free(g);
    return NULL;
}

bool gate_enter(Gate *g, Usec now, Usec *ret_ticket)
{
    bool entered = false;
    pthread_mutex_lock(&g->lock);
    for (size_t i = 0; i < GATE_PLACES && !entered; i++) {
        if (g->places[i] > now)
            continue;
        g->last = now + GATE_HOLD > g->last ? now + GATE_HOLD : g->last + 1;
        g->places[i] = *ret_ticket = g->last;
        entered = true;
    }
    pthread_mutex_unlock(&g->lock);
    return entered;
}

void gate_leave(Gate *g, Usec ticket)
{
    pthread_mutex_lock(&g->lock);
    for (size_t i = 0; ticket && i < GATE_PLACES; i++) {
        if (g->places[i] == ticket)
            g->places[i] = 0;
    }
    pthread_mutex_unlock(&g->lock);
}
