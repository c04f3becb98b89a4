#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the producers of programs beside the server share: the readings of their families, made of the rows of all
 * sources of a kind, and the state of one source: when to try it next, what to say of it. The producer's thread.
 *
 * A family is one reading a turn, whichever sources answered: the rows of one that did not are missing, and come back
 * with an unknown start.
 */
#include "collector/reading/producer.h"
#include "collector/reading/rows.h"
#include "lib/base/log.h"
#include "lib/base/random.h"

/* --- Readings ----------------------------------------------------------------------------------------------------- */

typedef struct SourceFamilies SourceFamilies;

enum { SOURCE_FAMILIES_MAX = 16 };

/* @names: NULL-terminated; the index of each is how it is called below. Families that the settings switch off, or that
 * are no built-in host families, take no rows. */
SourceFamilies *source_families_new(const ProducerOptions *options, const char *const *names);
SourceFamilies *source_families_free(SourceFamilies *f); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(SourceFamilies *, source_families_free)

/* Begins a turn: families that are due take rows. @all: every one that is on, for sources with intervals of their own.
 */
void source_families_begin(SourceFamilies *f, Usec now, bool all);
/* The family's rows in this turn; NULL when it is not due, or off. */
Rows *source_families_rows(SourceFamilies *f, size_t index);
/* Adds a row whose first label is @source. @epoch: changes when its counters may have begun anew; "" where there are
 * none. NULL: not due, or the bound of rows is met. */
Rows *source_families_add(SourceFamilies *f, size_t index, const char *source, const char *epoch);
/* Ends the turn: the readings of what was due go to the inbox. @complete: every source answered. */
void source_families_end(SourceFamilies *f, Usec now, bool complete);
Usec source_families_next(const SourceFamilies *f); /* when the next one is due; USEC_NEVER: none is on */

/* --- One source --------------------------------------------------------------------------------------------------- */

typedef struct SourceStatus {
    const char *kind; /* "pgbouncer" */
    const SourceHead *head;
    Complain complain;
    Backoff backoff;
    Usec retry_at; /* monotonic */
    Err error;     /* of the last try; code ERR_NONE: it was read */
    Usec took;     /* by the last try */
} SourceStatus;

void source_status_init(SourceStatus *s, SourceKind kind, const SourceHead *head);
bool source_status_is_due(const SourceStatus *s, Usec now);
/* @err NULL: it was read. Logs what is worth it. */
void source_status_note(SourceStatus *s, const Err *err, Usec now);
/* Fills `up` and `error` of the row. */
void source_status_fill(const SourceStatus *s, Rows *rows);

/* Does a source of this kind belong to the producer's server? */
bool source_is_of(const ProducerOptions *options, const SourceHead *head);
bool source_kind_is_wanted(const ProducerOptions *options, SourceKind kind);

/* The kinds that read sources, NULL-terminated: for a dry run, which takes one turn of each. */
extern const ProducerKind *const SOURCE_PRODUCERS[];
extern const ProducerKind pgbouncer_producer, patroni_producer, backup_producer;
