/* SPDX-License-Identifier: PostgreSQL */
/* See cost_window.h. */
#include "collector/server/cost_window.h"

#include <assert.h>

void cost_window_init(CostWindow *w, Usec slot_length, Usec now)
{
    assert(slot_length > 0);
    *w = (CostWindow){.slot_length = slot_length, .start = now};
}

/* Empties the slots that have come round since the last call. */
static void advance(CostWindow *w, Usec now)
{
    int64_t slot = (now - w->start) / w->slot_length;
    if (slot - w->newest > COST_WINDOW_SLOTS)
        w->newest = slot - COST_WINDOW_SLOTS;
    while (w->newest < slot)
        w->costs[++w->newest % COST_WINDOW_SLOTS] = 0;
}

void cost_window_add(CostWindow *w, Usec cost, Usec now)
{
    advance(w, now);
    w->costs[w->newest % COST_WINDOW_SLOTS] += cost;
}

double cost_window_share(CostWindow *w, Usec now)
{
    advance(w, now);
    Usec sum = 0;
    for (int i = 0; i < COST_WINDOW_SLOTS; i++)
        sum += w->costs[i];
    int64_t oldest = w->newest - COST_WINDOW_SLOTS + 1;
    Usec span = now - w->start - (oldest > 0 ? oldest : 0) * w->slot_length;
    return (double)sum / (double)(span > w->slot_length ? span : w->slot_length);
}
