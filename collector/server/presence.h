#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What need not be asked because it is not there: most of the time no vacuum runs, nobody waits for a lock, there is no
 * subscription. Families that have rows only then say so (key `when`). Their conditions are one statement, which is run
 * once a tick; where one is false and the family had no rows when it was last read, it has none now. Such a family is
 * read all the same every 15 minutes, so a condition that does not see everything costs delay and nothing else. Belongs
 * to an open session; its thread.
 */
#include "lib/catalog/resolve.h"
#include "lib/pg/pipeline.h"

typedef struct Presence Presence;

Presence *presence_new(void);
Presence *presence_free(Presence *p);
/* @family: resolved, borrowed. Nothing happens for one without a condition. */
void presence_add(Presence *p, const ResolvedFamily *family);
/* The statement of all conditions, to be run before the families; *@ret is good until the next presence_add(). False:
 * there is none. Until it has ended, and where it fails, every family may have rows. */
bool presence_step(Presence *p, PgStep *ret);

/* What a reading of the family (of one database; NULL: of the server) has given; @failed: nothing is known. */
void presence_note(Presence *p, const Family *family, const char *database, bool failed, size_t rows, Usec now);
/* The family has no rows, and needs not be read to know it. */
bool presence_is_empty(const Presence *p, const Family *family, const char *database, Usec now);
