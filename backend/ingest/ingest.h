#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * From a decoded push to rows that are committed. ingest_push() checks the batch against the catalog and queues it for
 * the writer threads, which take many pushes into one transaction: positions, series, COPY BINARY per family, commit.
 * Acknowledged means stored, stored means once: the answer callback with success runs only after commit.
 */
#include "backend/store/store.h"
#include "lib/base/arena.h"
#include "lib/wire/push.h"

typedef struct Ingest Ingest;

typedef struct IngestOptions {
    Store *store;           /* migrated; borrowed */
    const Catalog *catalog; /* borrowed */
    Usec retention;         /* rows older than this are refused; 0: 14 days */
    size_t writers;         /* threads, a connection each; 0: 2 */
    size_t queue_batches;   /* most that wait; 0: 1000 */
    size_t queue_bytes;     /* of the waiting batches, estimated; 0: 512 MiB */
} IngestOptions;

int ingest_new(Ingest **ret, const IngestOptions *options, Err *reterr) MUST_CHECK;
/* Refuses new pushes, writes what waits, answers everything, ends the threads. NULL allowed; returns NULL. */
Ingest *ingest_free(Ingest *i);
DEFINE_CLEANUP(Ingest *, ingest_free)

/* The ingest's own metrics, for /metrics. */
const TelemetryEntry *ingest_telemetry(size_t *ret_count);

/* Runs once for each accepted push, on a writer thread. @err NULL: committed (or a duplicate), @answer is filled and
 * lives until the function returns. */
typedef void (*IngestDoneFn)(void *arg, const PushAnswer *answer, const Err *err);

/* @batch with all it points to must live until @on_done ran (it lives in the request's arena). @collector_id is that of
 * the certificate and token. Failing: ERR_TOO_MANY_REQUESTS when the queue is full, ERR_UNPROCESSABLE; @on_done does
 * not run then. @deadline: monotonic; a push still waiting then is answered ERR_UNAVAILABLE and is not stored. */
int ingest_push(Ingest *i, const PushBatch *batch, const char *collector_id, Usec deadline, IngestDoneFn on_done,
                void *arg, Err *reterr) MUST_CHECK;
