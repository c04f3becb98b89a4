#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Which texts (of statements) were sent: the ids seen in readings, the ids already asked for. Bounded: of the oldest
 * ids it forgets, so a text may be sent again, never not at all. Ids asked for are staged with the batch that carries
 * them, like readings in delta.h. Pure; the target's thread.
 */
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"

typedef struct Texts Texts;

enum {
    TEXTS_KNOWN_MAX = 20000, /* ids remembered: two generations of half as many */
    TEXTS_WANTED_MAX = 5000, /* ids waiting to be asked for; more are seen again in a later reading */
    TEXTS_SLICE = 250,       /* ids a query asks for: each reads all texts. So many of full length fit ROWS_BYTES_MAX */
};

Texts *texts_new(void);
Texts *texts_free(Texts *t);
DEFINE_CLEANUP(Texts *, texts_free)

/* An id stood in a reading. */
void texts_see(Texts *t, Slice id);
size_t texts_wanted(const Texts *t);
/* The next ids as a text[] literal ("{1,2}") in @arena, staged; NULL when none is wanted. */
const char *texts_take_slice(Texts *t, Arena *arena);
void texts_commit(Texts *t);   /* the batch is kept: what was taken is known */
void texts_rollback(Texts *t); /* it is not: ask again */

void texts_save(const Texts *t, Buf *out);
/* Damaged bytes: ERR_CORRUPT and nothing known; harmless. */
int texts_load(Texts *t, Slice bytes, Err *reterr) MUST_CHECK;
