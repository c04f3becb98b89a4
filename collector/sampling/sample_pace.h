#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Sample pace: when samples are due, and into which window of wall time each falls. Slots lie one interval apart,
 * shifted by a phase so that the samplers of many servers do not all wake at once; windows begin at multiples of their
 * length since 1970. Every slot of a window is counted: taken, or lost (the server did not answer, the sample before it
 * took too long, the machine slept). Pure: wall time is an argument.
 *
 *     while (sample_pace_close(&pace, wall, &window)) ...send what was counted...
 *     if (sample_pace_begin(&pace, wall)) ...take a sample..., sample_pace_count(&pace, taken)
 *     sleep until sample_pace_next(&pace)
 */
#include "lib/base/clock.h"

typedef struct SamplePace {
    Usec interval;
    Usec window;
    Usec phase; /* in [0, interval) */
    bool running;
    int64_t slot; /* the last one that was taken or lost */
    Usec window_start, window_end;
    uint64_t taken, lost; /* of the window */
} SamplePace;

typedef struct SampleWindow {
    Usec end;    /* wall */
    Usec length; /* shorter than usual at start and end; longer where nothing ran for several windows */
    uint64_t taken, lost;
} SampleWindow;

void sample_pace_init(SamplePace *p, Usec interval, Usec window, Usec phase);

/* Gives a window that ended before @wall, until there is none. The clock was set back: the window ends where it was. */
bool sample_pace_close(SamplePace *p, Usec wall, SampleWindow *ret);
/* Gives the window that is open, up to @wall; false when there is none. Everything begins anew. */
bool sample_pace_finish(SamplePace *p, Usec wall, SampleWindow *ret);

/* Takes the slot of @wall; slots that were left out before it are lost. False: it was taken already. Windows that ended
 * must have been closed. The first call only starts the count: slots begin with the next one. */
bool sample_pace_begin(SamplePace *p, Usec wall);
void sample_pace_count(SamplePace *p, bool taken); /* what became of the slot begun last */
Usec sample_pace_next(const SamplePace *p);        /* wall time of the next slot */
