#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What tells whether two readings count from the same start: the statistics' identity of a server
 * (docs/decisions/0002-statistics-epoch.md). The target's thread.
 */
#include "lib/base/buf.h"
#include "lib/pg/conn.h"

/* The state of a connected server that may change between any two ticks. */
typedef struct Pulse {
    bool in_recovery;
    Usec postmaster_start;     /* wall */
    char statistics_reset[64]; /* when the server's statistics began: text, "" when it cannot be read */
} Pulse;

/* One round trip. */
int pulse_read(PgConn *c, Pulse *ret, Err *reterr) MUST_CHECK;

/* When the statistics of the connected database were last reset, as text; "" when never or not known. */
int epoch_read_database(PgConn *c, Buf *ret, Err *reterr) MUST_CHECK;

/* Replaces @out. @database_reset: "" for instance scope. */
void epoch_format(Buf *out, uint64_t system_identifier, const Pulse *pulse, const char *database_reset);
