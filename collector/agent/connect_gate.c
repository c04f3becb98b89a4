/* SPDX-License-Identifier: PostgreSQL */
/* See connect_gate.h. A place is the ticket of who has it: the time until which it is theirs, made unique; 0: free. */
#include "collector/agent/connect_gate.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/memory.h"

struct ConnectGate {
    pthread_mutex_t lock;
    Usec places[CONNECT_GATE_PLACES];
    Usec last; /* ticket that was given */
};

ConnectGate *connect_gate_new(void)
{
    ConnectGate *g = mem_alloc(sizeof(*g));
    (void)pthread_mutex_init(&g->lock, NULL); /* cannot fail with default attributes */
    return g;
}

ConnectGate *connect_gate_free(ConnectGate *g)
{
    if (!g)
        return NULL;
    (void)pthread_mutex_destroy(&g->lock);
    free(g);
    return NULL;
}

bool connect_gate_enter(ConnectGate *g, Usec now, Usec *ret_ticket)
{
    bool entered = false;
    pthread_mutex_lock(&g->lock);
    for (size_t i = 0; i < CONNECT_GATE_PLACES && !entered; i++) {
        if (g->places[i] > now)
            continue;
        g->last = now + CONNECT_GATE_HOLD > g->last ? now + CONNECT_GATE_HOLD : g->last + 1;
        g->places[i] = *ret_ticket = g->last;
        entered = true;
    }
    pthread_mutex_unlock(&g->lock);
    return entered;
}

void connect_gate_leave(ConnectGate *g, Usec ticket)
{
    pthread_mutex_lock(&g->lock);
    for (size_t i = 0; ticket && i < CONNECT_GATE_PLACES; i++) {
        if (g->places[i] == ticket)
            g->places[i] = 0;
    }
    pthread_mutex_unlock(&g->lock);
}
