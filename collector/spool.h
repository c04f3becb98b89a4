#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Spool: keeps batches on disk, in order, until the backend has acknowledged them. One per monitored server, in
 * state_dir/servers/NAME/spool. Byte layout and numbered invariants: docs/spool.md.
 * One writer (the target's thread) and one reader (the sender's thread); the object locks itself.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/wire/compress.h"

typedef struct Spool Spool;

typedef struct SpoolOptions {
    const char *directory;   /* made when missing */
    uint64_t max_bytes;      /* of all batches on disk; the oldest are dropped and counted */
    uint32_t max_batches;
} SpoolOptions;

enum { SPOOL_OK, SPOOL_EMPTY };

typedef struct SpoolStats {
    uint64_t batches;        /* waiting */
    uint64_t bytes;
    uint64_t dropped_batches; /* since the spool was made: given up because it was full */
    uint64_t damaged_records; /* found at open or read: cut or skipped */
    Usec oldest;             /* wall time of the oldest waiting; 0 when empty */
} SpoolStats;

/* Open or create. A torn tail is cut and counted, damage inside is skipped and counted: not an error. */
int spool_open(Spool **ret, const SpoolOptions *options, Err *reterr) MUST_CHECK;
Spool *spool_close(Spool *s);
DEFINE_CLEANUP(Spool *, spool_close)

const char *spool_id(const Spool *s);               /* made with the spool: with the sequence, the exactly-once key */
uint64_t spool_last_sequence(Spool *s);             /* of the last append ever; 0 at first. Survives acknowledgement */

/* Appends batch spool_last_sequence() + 1 and fsyncs. Failing (disk full): nothing was written; the caller keeps its
 * baseline, so the increase goes into the next batch. */
int spool_append(Spool *s, WireEncoding encoding, Slice payload, Usec now, Err *reterr) MUST_CHECK;

/* Copies the oldest waiting batch. SPOOL_EMPTY when there is none. */
int spool_peek(Spool *s, Buf *ret_payload, WireEncoding *ret_encoding, uint64_t *ret_sequence, Err *reterr) MUST_CHECK;
/* Everything up to @sequence was acknowledged (or refused for good). */
int spool_ack(Spool *s, uint64_t sequence, Err *reterr) MUST_CHECK;
void spool_stats(Spool *s, SpoolStats *ret);
/* The sender sleeps on this: returns at an append, at spool_wake(), or at the monotonic deadline. Shared by all spools. */
