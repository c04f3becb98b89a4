#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A decoded push against the catalog: what may be stored, and what is refused with which reason. Nothing is dropped
 * silently: every row of the push is either accepted or counted under a reason. Pure, any thread.
 */
#include "backend/ingest/own_family.h"
#include "lib/base/arena.h"
#include "lib/catalog/family.h"
#include "lib/wire/push.h"

typedef struct CheckLimits {
    Usec now;        /* wall */
    Usec retention;  /* older than now - retention is refused */
    Usec future_max; /* later than now + future_max is refused */
} CheckLimits;

typedef struct CheckedFrame {
    const Family *family;
    const PushFrame *frame;
    int16_t *sources; /* for each column of the family: the frame's column, or -1 */
    bool *refused;    /* for each row; NULL: none */
    size_t row_count; /* accepted ones */
    int64_t value_count;
    int32_t *series;   /* for each row; filled by the writer */
    int32_t server_id; /* filled by the writer */
} CheckedFrame;

/* A value of the simple form. */
typedef struct CheckedMetric {
    Slice server; /* its label "server", or empty: of the collector itself */
    Slice labels; /* a JSON object, its name among them */
    Usec time;
    double value;
    int32_t series;
    int32_t server_id;
} CheckedMetric;

typedef struct CheckedBatch {
    OwnFamily *own; /* of the push's families that are not built in; each may still be refused by the store */
    size_t own_count;
    CheckedFrame *frames; /* of families with rows */
    size_t frame_count;
    CheckedFrame *texts; /* of families with texts: label "queryid", column "query" */
    size_t text_count;
    CheckedMetric *metrics;
    size_t metric_count;
    PushAnswer answer; /* accepted and rejected, as if it were no duplicate */
    size_t bytes;      /* roughly what it occupies */
} CheckedBatch;

/* Everything in @ret lives in @arena or in @push. Cannot fail: the worst is that all is refused. */
void check_batch(const PushBatch *push, const Catalog *catalog, CheckLimits limits, Arena *arena, CheckedBatch *ret);

/* Takes back what was accepted: for bounds that only the store knows. Doing it twice for a row does no harm. */
void check_refuse_row(CheckedBatch *batch, Arena *arena, CheckedFrame *frame, size_t row, const char *reason);
/* Removes all frames of a family; doing it again does no harm. */
void check_refuse_family(CheckedBatch *batch, Arena *arena, const Family *family, const char *reason);
/* Removes the metric at @index; the last one takes its place. */
void check_refuse_metric(CheckedBatch *batch, Arena *arena, size_t index, const char *reason);
