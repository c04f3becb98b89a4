#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * When which family is due. Times are points of a grid that begins at the start: a late run does not push the ones
 * behind it, and a point that was missed is left out. Families slower than the base interval get different phases, so
 * that they do not all fall on one tick. A family whose SQL is dear is stretched: it may take at most one part in
 * SCHEDULE_DUTY of the server's time. All together may take what schedule_set_budget() says: beyond it the dearest ones
 * are stretched, each to the same share, so that as few as possible are touched. Pure, `now` is monotonic; the target's
 * thread.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/clock.h"
#include "lib/base/vec.h"

enum { SCHEDULE_DUTY = 50 };

#define SCHEDULE_STRETCH_MAX (24 * 3600 * USEC_PER_SEC) /* the budget makes no interval longer */

typedef struct ScheduleEntry {
    Usec interval;  /* as configured */
    Usec effective; /* >= interval; stretched by cost to a multiple of the base, or of the interval when that is less */
    Usec phase;     /* of the grid, from the second run on */
    Usec due;
    Usec last_cost;
    Usec lasting_cost; /* the lesser one of the last two runs: what it costs when nothing else is the matter */
} ScheduleEntry;

DEFINE_VEC(ScheduleEntryVec, schedule_entry_vec, ScheduleEntry)

typedef struct Schedule {
    Usec base;
    Usec start;
    size_t slow;   /* entries slower than the base so far */
    double budget; /* of the server's time, 0.005 is half a per cent; 0: no limit for all together */
    ScheduleEntryVec entries;
} Schedule;

void schedule_init(Schedule *s, Usec base, Usec start);
void schedule_done(Schedule *s);
/* Due at @start for the first time. Returns the entry's index. */
size_t schedule_add(Schedule *s, Usec interval);
/* When the next entry is due; USEC_NEVER without entries. */
Usec schedule_next(const Schedule *s);
/* True when the entry is due now, or so soon that it should share this tick: within a twentieth of the base interval,
 * or of its own where that is shorter. It then moves on to its next point. */
bool schedule_take(Schedule *s, size_t entry, Usec now);
/* Whether schedule_take() would be true for any of them. */
bool schedule_due(const Schedule *s, Usec now);
/* Makes it due now again (a failed connection came back). */
void schedule_expire(Schedule *s, size_t entry, Usec now);
void schedule_set_budget(Schedule *s, double share);
/* What all entries cost as they are scheduled now, as a part of the time that passes. */
double schedule_share(const Schedule *s);
/* How many are stretched; *ret_dearest (NULL allowed): the one that would cost most, when there is one. */
size_t schedule_stretched(const Schedule *s, size_t *ret_dearest);
/* What the run has cost the server. One dear run (caches were cold) changes nothing, two in a row do. */
void schedule_report_cost(Schedule *s, size_t entry, Usec cost);
