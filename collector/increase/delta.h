#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * From absolute readings to increases. Holds, per family, the previous reading of every row and the epoch that it
 * belongs to. A new epoch starts a new baseline and marks a gap: never a negative, never a spike. A row absent from the
 * previous reading of the same epoch counts from zero, positions in the WAL excepted. Rows in which nothing changed are
 * left out, except in keyframes. Rows that share a key are one row: their counters are added, the rest is the first
 * one's. A reading may leave out rows of which it says that they are what they were (see Reading).
 * One object per target, on the target's thread. Pure: no I/O, time is an argument.
 */
#include "collector/reading/rows.h"
#include "lib/base/arena.h"
#include "lib/wire/push.h"

typedef struct Delta Delta;

Delta *delta_new(void);
Delta *delta_free(Delta *d);
DEFINE_CLEANUP(Delta *, delta_free)

/* Computes the frame and stages the reading as the next baseline. Returns whether it tells anything: a row that
 * changed, came, or is gone, or a beginning. What tells nothing may be left out: the next reading says the same. The
 * frame owns nothing outside @arena but the column names; .server is the caller's to fill. Staged readings become the
 * baseline with delta_commit(), or are forgotten with delta_rollback() when the batch could not be kept. A counter that
 * went down within one epoch begins a new epoch for that row alone (null, counted). */
bool delta_apply(Delta *d, Arena *arena, const Reading *reading, PushFrame *ret_frame);
void delta_commit(Delta *d);
void delta_rollback(Delta *d);
uint64_t delta_resets(const Delta *d);                                    /* rows that began again since start */
bool delta_has(const Delta *d, const char *family, const char *database); /* a baseline is there */
/* A reading of it is staged: the next one may be applied behind delta_commit() only, or its increases would overlap. */
bool delta_is_staged(const Delta *d, const char *family, const char *database);
/* Appends the states of the baseline's rows that have an id, when it is one of the columns and the epoch of @empty
 * (whose rows are not looked at). Returns whether there are any: the next reading of it may leave these rows out. */
bool delta_known_states(const Delta *d, const Reading *empty, RowStateVec *out);
/* Forgets what was last read before @wall: databases that are gone. */
void delta_expire(Delta *d, Usec wall);

/* The baseline, staged readings included, as bytes and back. Damaged bytes: ERR_CORRUPT, and @d is empty. */
void delta_save(const Delta *d, Buf *out);
int delta_load(Delta *d, Slice bytes, Err *reterr) MUST_CHECK;
/* Only what is staged, as the difference from what it replaces; and back, into the baseline that stood before it. */
void delta_save_staged(const Delta *d, Buf *out);
int delta_load_staged(Delta *d, Slice bytes, Err *reterr) MUST_CHECK;
