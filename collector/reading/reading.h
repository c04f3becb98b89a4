#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Reading: what was read of one family at one time, absolute values in rows. This is what passes from those who read
 * (the server's session, the host, samplers, sources) to those who compare and show. It owns nothing: all of it lives
 * in the arena of whoever made it.
 */
#include "lib/base/clock.h"
#include "lib/base/slice.h"
#include "lib/catalog/resolve.h"
#include "lib/wire/push.h"

/* Which row it is, and what it is like now. */
typedef struct RowState {
    uint64_t id;    /* 0: not known */
    uint64_t state; /* another one whenever anything in the row is */
} RowState;

/* One reading of a family (of one database, for database-scoped ones), absolute values, columns as in @columns. */
typedef struct Reading {
    const char *family;
    const char *database; /* part of the key of the baseline; NULL for instance and host scope */
    const char *epoch;    /* text that changes whenever counters may have started again */
    Usec wall;
    Usec monotonic; /* kept across restarts only as wall: see delta.c */
    const FamilyColumn *const *columns;
    size_t column_count;
    size_t label_count;      /* the first ones: the row's key */
    Cell *cells;             /* row-major */
    const Slice *row_epochs; /* one a row, absent where not known; NULL: rows have none. A change resets the row */
    const Slice *rolled; /* row-major, label_count a row: the label under which the row is sent, absent: its own; NULL:
                            all have their own. See rollup.h for these three */
    size_t top;          /* send so many rows and one for the rest; 0: all */
    const char *top_by;  /* a counter, NULL or "": the first one */
    size_t row_count;
    const RowState *states; /* one a row; NULL: rows have none */
    /* Only what changed was read: rows of the baseline that have an id which is neither one of these rows' nor one of
     * .gone are what they were. */
    bool rest_is_same;
    const uint64_t *gone; /* ids, in no order */
    size_t gone_count;
    bool keyframe;     /* send every row */
    bool partial;      /* rows may be missing that exist: one absent before has an unknown start, not zero */
    Usec events_since; /* of mode events, else 0: length of the interval that the rows are of. They are increases
                          already, and go into the batch as they are (batch.h); delta.c does not see them */
} Reading;
