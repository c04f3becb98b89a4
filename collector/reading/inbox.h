#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Inbox: readings that other threads have made for a target (samples, poolers, backups), until the target's thread puts
 * them into a batch. Bounded: when it is full the oldest that is not yet in a batch is given up and counted. What was
 * taken stays until the batch is kept (inbox_commit), or is given again (inbox_rollback): events are never lost by a
 * full disk alone. The object locks itself; any thread puts, the target's thread takes.
 */
#include "collector/reading/reading.h"

typedef struct Inbox Inbox;

enum { INBOX_BYTES_MAX = 4 << 20 };

/* @bytes_max 0: INBOX_BYTES_MAX */
Inbox *inbox_new(size_t bytes_max);
Inbox *inbox_free(Inbox *b); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(Inbox *, inbox_free)

/* Copies the reading: cells, texts, epoch, database, the list of columns. Family name and the columns themselves are
 * borrowed: they are the catalog's. */
void inbox_put(Inbox *b, const Reading *reading);
/* The next one that is not in a batch yet; NULL when there is none. Valid until it was taken and committed. */
const Reading *inbox_peek(Inbox *b);
bool inbox_was_taken(Inbox *b); /* what is peeked at was in a batch before, one that could not be kept */
void inbox_take(Inbox *b);      /* what was peeked at is in the batch */
void inbox_commit(Inbox *b);
void inbox_rollback(Inbox *b);

uint64_t inbox_given_up(Inbox *b); /* readings, since it was made */
