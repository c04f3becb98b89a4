#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Which texts (of statements) were sent: the ids seen in readings, the ids already asked for. Bounded by what the
 * server can hold: of the oldest ids it forgets, so a text may be sent again, never not at all. Ids asked for are
 * staged with the batch that carries them, like readings in delta.h. Pure; the target's thread.
 */
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"

typedef struct Texts Texts;

enum {
    TEXTS_KNOWN_MAX = 200000, /* ids remembered, whatever the server can hold: two generations of half as many */
    TEXTS_WANTED_MAX = 5000,  /* ids waiting to be asked for; more are seen again in a later reading */
    TEXTS_LENGTH_MAX = 16384, /* bytes of one text that are kept */
    TEXTS_PART = 250,         /* rows that are handed over at a time: 4 MB of texts of full length */
};

Texts *texts_new(void);
Texts *texts_free(Texts *t);
DEFINE_CLEANUP(Texts *, texts_free)

/* An id stood in a reading. */
void texts_see(Texts *t, Slice id);
size_t texts_wanted(const Texts *t);
/* So many the server can hold at a time, which is what may be in use. 5,000 before it is said. */
void texts_set_held(Texts *t, int64_t count);
/* So many bytes may be added to what waits to be sent: of more texts than fit there, each of full length, is not asked.
 * At first there is room for all. */
void texts_set_room(Texts *t, uint64_t bytes);
/* What that is of a buffer that has @used of @max: texts may fill half of it, the rest is for numbers. */
uint64_t texts_room(uint64_t used, uint64_t max);
/* The wanted ids as a text[] literal ("{1,2}") in @arena, staged: all that there is room for, because the server reads
 * all texts for one of them. NULL: none is wanted, or there is no room. */
const char *texts_take(Texts *t, Arena *arena);
bool texts_are_staged(const Texts *t);
void texts_commit(Texts *t);   /* the batch is kept: what was taken is known */
void texts_rollback(Texts *t); /* it is not: ask again */
void texts_forget(Texts *t);   /* what was sent may be lost: ask for all that stands in a reading */
/* Ids were forgotten, or were more than can wait: a reading of all rows should come. */
bool texts_are_missed(const Texts *t);
void texts_begin_all(Texts *t); /* here it comes */

void texts_save(const Texts *t, Buf *out);
/* Damaged bytes: ERR_CORRUPT and nothing known; harmless. */
int texts_load(Texts *t, Slice bytes, Err *reterr) MUST_CHECK;
