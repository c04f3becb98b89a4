#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Changes: remembers the texts of what is watched (columns and rows that their family marks with the key change) and
 * makes events of what is different at the next reading: before, after, what came, what went. A first look tells
 * nothing. Remembered on disk with the batch that holds the events: a change is told once, also over a restart.
 * Bounded in memory and in events of a reading. Pure; the target's thread.
 */
#include "collector/reading/rows.h"

typedef struct Changes Changes;

enum {
    CHANGES_EVENTS_MAX = 100,    /* of one reading; of the others only the number is told */
    CHANGES_BYTES_MAX = 8 << 20, /* remembered of one server; rows beyond are not watched */
    CHANGES_VALUE_MAX = 16384,   /* of a list of items; of other values CHANGES_TEXT_MAX and a hash of the whole */
    CHANGES_TEXT_MAX = 1000,
};

/* @event: the family change_event; outlives the object. @bytes_max 0: CHANGES_BYTES_MAX. */
Changes *changes_new(const Family *event, size_t bytes_max);
Changes *changes_free(Changes *c); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(Changes *, changes_free)

/* Compares @reading of @family with what is remembered and stages it. The events (mode events), or NULL when there are
 * none; borrowed until the next call. */
const Reading *changes_see(Changes *c, const Family *family, const Reading *reading);
void changes_commit(Changes *c);
void changes_rollback(Changes *c);
/* What is not the same as at the last changes_saved(): to be written before the next batch. */
bool changes_are_new(const Changes *c);
void changes_saved(Changes *c);
uint64_t changes_unwatched(const Changes *c); /* rows that the bound left out, in what is remembered now */

/* What is remembered, staged included, as bytes and back. Damaged bytes: ERR_CORRUPT, and @c is empty. */
void changes_save(const Changes *c, Buf *out);
int changes_load(Changes *c, Slice bytes, Err *reterr) MUST_CHECK;
