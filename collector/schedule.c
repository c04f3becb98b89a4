/* SPDX-License-Identifier: PostgreSQL */
/* See schedule.h. */
#include "collector/schedule.h"

#include <assert.h>

void schedule_init(Schedule *s, Usec base, Usec start)
{
    assert(base > 0);
    *s = (Schedule){.base = base, .start = start};
}

void schedule_done(Schedule *s)
{
    schedule_entry_vec_done(&s->entries);
}

size_t schedule_add(Schedule *s, Usec interval)
{
    assert(interval > 0);
    Usec phase = 0;
    if (interval > s->base)
        phase = (Usec)(s->slow++ % (size_t)(interval / s->base)) * s->base;
    schedule_entry_vec_push(&s->entries, (ScheduleEntry){
                                             .interval = interval,
                                             .effective = interval,
                                             .phase = phase,
                                             .due = s->start,
                                         });
    return s->entries.len - 1;
}

Usec schedule_next(const Schedule *s)
{
    Usec next = USEC_NEVER;
    for (size_t i = 0; i < s->entries.len; i++) {
        if (s->entries.items[i].due < next)
            next = s->entries.items[i].due;
    }
    return next;
}

/* The first point of the entry's grid that leaves at least a quarter of the interval from now. */
static Usec next_point(const Schedule *s, const ScheduleEntry *e, Usec now)
{
    Usec origin = s->start + e->phase;
    Usec earliest = now + e->effective / 4;
    if (earliest <= origin)
        return origin;
    return origin + (earliest - origin + e->effective - 1) / e->effective * e->effective;
}

bool schedule_take(Schedule *s, size_t entry, Usec now)
{
    assert(entry < s->entries.len);
    ScheduleEntry *e = &s->entries.items[entry];
    if (e->due > now + s->base / 20)
        return false;
    e->due = next_point(s, e, now);
    return true;
}

void schedule_expire(Schedule *s, size_t entry, Usec now)
{
    assert(entry < s->entries.len);
    s->entries.items[entry].due = now;
}

void schedule_report_cost(Schedule *s, size_t entry, Usec cost)
{
    assert(entry < s->entries.len);
    ScheduleEntry *e = &s->entries.items[entry];
    Usec lasting = cost < e->last_cost ? cost : e->last_cost;
    e->last_cost = cost;
    Usec affordable = lasting < USEC_NEVER / SCHEDULE_DUTY ? lasting * SCHEDULE_DUTY : USEC_NEVER;
    Usec effective = e->interval;
    if (affordable > e->interval && affordable < USEC_NEVER - s->base)
        effective = (affordable + s->base - 1) / s->base * s->base;
    if (effective == e->effective)
        return;
    e->due += effective - e->effective;
    e->effective = effective;
}
