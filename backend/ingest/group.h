#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Several pushes in one transaction: numbers of servers and series are found first (idempotent, outside of it), then
 * positions are locked and checked, rows copied, positions moved, commit. One writer thread each.
 *
 * Invariants
 *   1. Rows of a push and the position of its spool are written by the same commit, or neither.
 *   2. A push whose sequence is not beyond the position writes no rows and is answered as a duplicate.
 *   3. Caches hold only numbers that were committed before they were put there.
 */
#include "backend/ingest/check.h"
#include "backend/ingest/ingest.h"
#include "backend/ingest/series_cache.h"
#include "backend/store/writer.h"

typedef struct IngestBatch {
    const PushBatch *push;
    char *collector_id; /* in the arena */
    Usec deadline;      /* monotonic */
    IngestDoneFn on_done;
    void *arg;
    Arena *arena; /* ours, of this batch */
    CheckedBatch checked;

    /* of the current attempt */
    bool duplicate;
    int64_t missing; /* sequences between the position and this push */
    int64_t config_version;
} IngestBatch;

typedef struct Group Group;

/* @store, @series are borrowed; @series may be shared by writers. */
Group *group_new(Store *store, SeriesCache *series);
Group *group_free(Group *g);
DEFINE_CLEANUP(Group *, group_free)

/* What an attempt came to. */
typedef enum GroupResult {
    GROUP_STORED,    /* committed; .duplicate and .missing of each batch say what it was */
    GROUP_LOST,      /* the store went away before the commit was asked for: nothing was written */
    GROUP_AMBIGUOUS, /* it went away during the commit: written or not */
    GROUP_REFUSED,   /* the store refused something in it: nothing was written */
} GroupResult;

/* Sorts @batches by spool and sequence. *reterr is written unless stored. */
GroupResult group_store(Group *g, IngestBatch **batches, size_t count, Err *reterr);
/* After a refusal: numbers may be those of a store that was replaced; all are asked for again. */
void group_forget(Group *g);

typedef struct GroupStats {
    uint64_t series_found; /* in the cache */
    uint64_t series_asked;
} GroupStats;
GroupStats group_take_stats(Group *g);
