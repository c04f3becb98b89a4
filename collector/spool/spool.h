#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Spool: keeps batches on disk, in order, until the backend has acknowledged them. One per monitored server, in
 * state_dir/servers/NAME/spool. Byte layout and numbered invariants: docs/spool.md.
 * One writer (the target's thread) and one reader (the sender's thread); the object locks itself.
 *
 * The writer's turn, which together with baseline.h loses and repeats nothing (docs/spool.md, section 6):
 *
 *     spool_prepare(s, &sequence)     failing: skip this turn, the readings stay where they were
 *     encode the batch with spool_id(s) and sequence
 *     baseline_log_write(.., spool_id(s), sequence, ..)
 *     spool_append(s, ..)             failing: delta_rollback(); the next turn prepares again, and may be given the
 *                                     same sequence
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/wire/compress.h"

typedef struct Spool Spool;

typedef struct SpoolOptions {
    const char *directory; /* made when missing */
    uint64_t max_bytes;    /* of the files; the oldest batches are dropped and counted. 0: 256 MiB */
    uint32_t max_batches;  /* 0: 10000 */
} SpoolOptions;

enum { SPOOL_OK, SPOOL_EMPTY };

typedef struct SpoolStats {
    uint64_t batches;         /* waiting */
    uint64_t bytes;           /* of the waiting, as stored */
    uint64_t dropped_batches; /* since the spool was made: given up because it was full */
    uint64_t damaged_records; /* since it was opened: found torn or damaged, and cut or skipped */
    Usec oldest;              /* wall time of the oldest waiting; 0 when empty */
} SpoolStats;

/* Open or create. A torn tail is cut and counted, damage inside is skipped and counted: not an error. ERR_CONFLICT:
 * another process has it open. */
int spool_open(Spool **ret, const SpoolOptions *options, Err *reterr) MUST_CHECK;
/* Writes nothing: closing and being killed are the same. NULL allowed; returns NULL. */
Spool *spool_close(Spool *s);
DEFINE_CLEANUP(Spool *, spool_close)

/* Made with the spool: with the sequence, the exactly-once key. Constant from open to close; another one after the
 * directory was lost, or damaged such that the last sequence is not certain. */
const char *spool_id(const Spool *s);
/* Of the last append ever; 0 at first. Survives acknowledgement, never goes back. */
uint64_t spool_last_sequence(Spool *s);

/* Before the baseline of a turn is written: makes sure that nothing of an append that failed is left on disk, and gives
 * the sequence that the next append will have. Failing (the disk is still in trouble): do not write the baseline. */
int spool_prepare(Spool *s, uint64_t *ret_sequence, Err *reterr) MUST_CHECK;
/* Appends the batch with the prepared sequence and fsyncs. Failing (disk full): it is not in the spool. ERR_TOO_LARGE:
 * it would never fit. */
int spool_append(Spool *s, WireEncoding encoding, Slice payload, Usec now, Err *reterr) MUST_CHECK;

/* Copies the oldest waiting batch into @ret_payload (cleared first). SPOOL_EMPTY when there is none. */
int spool_peek(Spool *s, Buf *ret_payload, WireEncoding *ret_encoding, uint64_t *ret_sequence, Err *reterr) MUST_CHECK;
/* Everything up to @sequence was acknowledged (or refused for good). Failing: it could not be noted on disk, and the
 * batches may be sent once more after a restart; the backend knows them then. */
int spool_ack(Spool *s, uint64_t sequence, Err *reterr) MUST_CHECK;
void spool_stats(Spool *s, SpoolStats *ret);
