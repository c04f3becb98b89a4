#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * How the store keeps large tables: what a kind of server offers for time-ordered data. Chosen once a connection by
 * looking at the server. An engine is a file that exports one constant; engine.c lists them, the most capable first.
 */
#include "lib/pg/conn.h"

typedef struct EngineTable {
    const char *schema;
    const char *name;
} EngineTable;

typedef struct StorageEngine {
    const char *name;
    bool (*fits)(PgConn *c);
    /* Makes the (empty) table of a family if it is not there: the columns that all families have, and its index. */
    int (*make_table)(PgConn *c, const EngineTable *t, Err *reterr);
    /* Makes room for rows of the days @first to @last (since 1970-01-01 UTC), both included. */
    int (*make_days)(PgConn *c, const EngineTable *t, int64_t first, int64_t last, Err *reterr);
    /* Gives back the room of all days before @day. Busy tables are left for the next time. */
    int (*drop_before)(PgConn *c, const EngineTable *t, int64_t day, int *ret_dropped, Err *reterr);
} StorageEngine;

extern const StorageEngine engine_native;

const StorageEngine *engine_choose(PgConn *c);

enum { ENGINE_DAY_SIZE = 16 };
/* "2026-11-21" */
void engine_format_day(int64_t day, char ret[ENGINE_DAY_SIZE]);
