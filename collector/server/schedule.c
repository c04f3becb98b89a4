/* SPDX-License-Identifier: PostgreSQL */
/* See schedule.h. */
#include "collector/server/schedule.h"

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

static Usec round_up(Usec time, Usec unit)
{
    return (time + unit - 1) / unit * unit;
}

/* The first point of the entry's grid that leaves at least a quarter of the interval from now. */
static Usec next_point(const Schedule *s, const ScheduleEntry *e, Usec now)
{
    Usec origin = s->start + e->phase;
    Usec earliest = now + e->effective / 4;
    if (earliest <= origin)
        return origin;
    return origin + round_up(earliest - origin, e->effective);
}

/* What an entry's intervals and its patience are measured in: ticks, or its own interval when it is shorter. */
static Usec unit_of(const Schedule *s, const ScheduleEntry *e)
{
    return e->interval < s->base ? e->interval : s->base;
}

static bool is_due(const Schedule *s, const ScheduleEntry *e, Usec now)
{
    return e->due <= now + unit_of(s, e) / 20;
}

bool schedule_due(const Schedule *s, Usec now)
{
    for (size_t i = 0; i < s->entries.len; i++) {
        if (is_due(s, &s->entries.items[i], now))
            return true;
    }
    return false;
}

bool schedule_take(Schedule *s, size_t entry, Usec now)
{
    assert(entry < s->entries.len);
    ScheduleEntry *e = &s->entries.items[entry];
    if (!is_due(s, e, now))
        return false;
    e->due = next_point(s, e, now);
    return true;
}

void schedule_expire(Schedule *s, size_t entry, Usec now)
{
    assert(entry < s->entries.len);
    s->entries.items[entry].due = now;
}

void schedule_set_budget(Schedule *s, double share)
{
    s->budget = share;
}

/* The interval that the entry would have were it alone. */
static Usec own_interval(const Schedule *s, const ScheduleEntry *e)
{
    Usec affordable = e->lasting_cost < USEC_NEVER / SCHEDULE_DUTY ? e->lasting_cost * SCHEDULE_DUTY : USEC_NEVER;
    if (affordable > e->interval && affordable < USEC_NEVER - s->base)
        return round_up(affordable, unit_of(s, e));
    return e->interval;
}

static double own_share(const Schedule *s, const ScheduleEntry *e)
{
    return (double)e->lasting_cost / (double)own_interval(s, e);
}

/* The largest share that each entry may have so that all together keep the budget: those below it leave what they do
 * not need to the others. 1: no limit is needed. */
static double find_level(const Schedule *s)
{
    double level = 1;
    for (bool found = s->budget > 0; found;) {
        double rest = s->budget, total = 0;
        size_t above = 0;
        for (size_t i = 0; i < s->entries.len; i++) {
            double share = own_share(s, &s->entries.items[i]);
            total += share;
            if (share > level || level >= 1)
                above++;
            else
                rest -= share;
        }
        if (total <= s->budget || above == 0)
            break;
        double next = rest / (double)above;
        found = level >= 1 || next > level * (1 + 1e-9);
        if (found)
            level = next;
    }
    return level;
}

static void balance(Schedule *s)
{
    double level = find_level(s);
    for (size_t i = 0; i < s->entries.len; i++) {
        ScheduleEntry *e = &s->entries.items[i];
        Usec effective = own_interval(s, e);
        double needed = level < 1 ? (double)e->lasting_cost / level : 0;
        const Usec unit = unit_of(s, e);
        if (needed > (double)effective)
            effective = needed < (double)SCHEDULE_STRETCH_MAX ? round_up((Usec)needed, unit)
                                                              : SCHEDULE_STRETCH_MAX / unit * unit;
        if (effective == e->effective)
            continue;
        e->due += effective - e->effective;
        e->effective = effective;
    }
}

void schedule_report_cost(Schedule *s, size_t entry, Usec cost)
{
    assert(entry < s->entries.len);
    ScheduleEntry *e = &s->entries.items[entry];
    e->lasting_cost = cost < e->last_cost ? cost : e->last_cost;
    e->last_cost = cost;
    balance(s);
}

double schedule_share(const Schedule *s)
{
    double share = 0;
    for (size_t i = 0; i < s->entries.len; i++)
        share += (double)s->entries.items[i].lasting_cost / (double)s->entries.items[i].effective;
    return share;
}

size_t schedule_stretched(const Schedule *s, size_t *ret_dearest)
{
    size_t count = 0;
    double most = 0;
    for (size_t i = 0; i < s->entries.len; i++) {
        const ScheduleEntry *e = &s->entries.items[i];
        if (e->effective <= e->interval)
            continue;
        count++;
        double share = (double)e->lasting_cost / (double)e->interval;
        if (ret_dearest && share > most) {
            *ret_dearest = i;
            most = share;
        }
    }
    return count;
}
