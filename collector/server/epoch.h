#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What tells whether two readings count from the same start: the statistics' identity of a server
 * (docs/decisions/0002-statistics-epoch.md). The target's thread.
 */
#include "lib/base/buf.h"
#include "lib/pg/pipeline.h"

/* The state of a connected server that may change between any two ticks. */
typedef struct Pulse {
    bool in_recovery;
    bool logs_statements;      /* those that are as quick as ours, too, with their parameters */
    Usec postmaster_start;     /* wall */
    char statistics_reset[64]; /* when the server's statistics began: text, "" when it cannot be read */
} Pulse;

/* One round trip. @with: another statement that goes with it, or NULL; how it fares is its own on_end's to know. */
int pulse_read(PgConn *c, const PgStep *with, Pulse *ret, Err *reterr) MUST_CHECK;

/* The same of one database. */
typedef struct DatabasePulse {
    bool logs_statements;
    char statistics_reset[64]; /* "" when never or not known */
} DatabasePulse;

typedef struct DatabasePulseStep {
    DatabasePulse pulse;
    int result; /* negative: it could not be read, .err says why */
    Err err;
} DatabasePulseStep;

/* The statement that reads it from the connected database; *@ret, zeroed by the caller, is filled when the step ends.
 */
PgStep epoch_database_step(DatabasePulseStep *ret);

/* Replaces @out. @database_reset: "" for instance scope. */
void epoch_format(Buf *out, uint64_t system_identifier, const Pulse *pulse, const char *database_reset);
