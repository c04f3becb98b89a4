/* SPDX-License-Identifier: PostgreSQL */
/* See sample_pace.h. A slot belongs to the window that holds its own time, however late it is taken. */
#include "collector/sampling/sample_pace.h"

#include <assert.h>

void sample_pace_init(SamplePace *p, Usec interval, Usec window, Usec phase)
{
    assert(interval > 0 && window >= interval && phase >= 0 && phase < interval);
    *p = (SamplePace){.interval = interval, .window = window, .phase = phase};
}

/* Wall times are positive, so division rounds down; a phase behind the time itself does not. */
static int64_t slot_at(const SamplePace *p, Usec wall)
{
    Usec since = wall - p->phase;
    return since < 0 ? -1 : since / p->interval;
}

static Usec slot_time(const SamplePace *p, int64_t slot)
{
    return slot * p->interval + p->phase;
}

static int64_t last_slot_before(const SamplePace *p, Usec wall)
{
    return slot_at(p, wall - 1);
}

static void fill_window(const SamplePace *p, Usec end, SampleWindow *ret)
{
    *ret = (SampleWindow){.end = end, .length = end - p->window_start, .taken = p->taken, .lost = p->lost};
}

bool sample_pace_close(SamplePace *p, Usec wall, SampleWindow *ret)
{
    if (!p->running)
        return false;
    if (slot_at(p, wall) < p->slot)
        return sample_pace_finish(p, slot_time(p, p->slot + 1), ret);
    if (wall < p->window_end)
        return false;
    int64_t last = last_slot_before(p, p->window_end);
    p->lost += last > p->slot ? (uint64_t)(last - p->slot) : 0;
    p->slot = last > p->slot ? last : p->slot;
    fill_window(p, p->window_end, ret);

    p->taken = p->lost = 0;
    p->window_start = p->window_end;
    p->window_end = p->window_start + p->window;
    /* Whole windows went by: they are one stretch, however many. */
    if (wall >= p->window_end)
        p->window_end = wall / p->window * p->window;
    return true;
}

bool sample_pace_finish(SamplePace *p, Usec wall, SampleWindow *ret)
{
    bool open = p->running && wall > p->window_start && p->taken + p->lost > 0;
    if (open)
        fill_window(p, wall < p->window_end ? wall : p->window_end, ret);
    p->running = false;
    p->taken = p->lost = 0;
    return open;
}

bool sample_pace_begin(SamplePace *p, Usec wall)
{
    int64_t slot = slot_at(p, wall);
    if (!p->running) {
        p->running = true;
        p->slot = slot;
        p->window_start = slot_time(p, slot + 1);
        p->window_end = (p->window_start / p->window + 1) * p->window;
        return false;
    }
    if (slot <= p->slot)
        return false;
    p->lost += (uint64_t)(slot - p->slot - 1);
    p->slot = slot;
    return true;
}

void sample_pace_count(SamplePace *p, bool taken)
{
    if (taken)
        p->taken++;
    else
        p->lost++;
}

Usec sample_pace_next(const SamplePace *p)
{
    return slot_time(p, p->slot + 1);
}
