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

/* Runs once for each accepted push, on a writer thread. @err NULL: committed (or a duplicate), @answer is filled and
 * lives until the function returns. */
typedef void (*IngestDoneFn)(void *arg, const PushAnswer *answer, const Err *err);

/* @batch with all it points to must live until @on_done ran (it lives in the request's arena). @collector_id is that of
 * the certificate and token. Failing: ERR_TOO_MANY_REQUESTS when the queue is full, ERR_UNPROCESSABLE; @on_done does not
 * run then. @deadline: monotonic; a push still waiting then is answered ERR_UNAVAILABLE and is not stored. */
int ingest_push(Ingest *i, const PushBatch *batch, const char *collector_id, Usec deadline, IngestDoneFn on_done,
                void *arg, Err *reterr) MUST_CHECK;
