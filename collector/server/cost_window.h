#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What was spent in the time that has just passed: a sliding window of slots, so that nothing but a few numbers is
 * kept. Pure, `now` is monotonic; the owner's thread.
 */
#include "lib/base/clock.h"

enum { COST_WINDOW_SLOTS = 10 };

typedef struct CostWindow {
    Usec slot_length;
    Usec start;
    Usec costs[COST_WINDOW_SLOTS];
    int64_t newest; /* number of the newest slot since the start */
} CostWindow;

void cost_window_init(CostWindow *w, Usec slot_length, Usec now);
void cost_window_add(CostWindow *w, Usec cost, Usec now);
/* Cost by time: 0.005 is half a per cent. At the beginning a window counts as one slot at least. */
double cost_window_share(CostWindow *w, Usec now);
