#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Several statements in one round trip (libpq's pipeline mode; one after the other behind a pooler, and where libpq is
 * older than 14). Each is a transaction of its own, so one that fails costs itself alone, and the server works on the
 * next one while its answer is still on the way. Answers come in order, row by row: memory is one row, or a few hundred
 * where libpq (17) can give so many at a time. The connection's thread.
 *
 * Times: a statement is taken to begin when the one before it has ended, as seen from here. The server runs them one
 * after the other and sends at the end of each, so the spans add up to the whole time exactly; each of them is off by
 * at most the time that on_row of the statement before it has taken.
 */
#include "lib/pg/conn.h"

typedef struct PgStepEnd {
    int result;     /* 0, or negative: the statement's failure, or what on_row has returned */
    const Err *err; /* of a failed statement; code ERR_NONE when on_row has stopped it */
    Usec begun;     /* monotonic */
    Usec ended;
} PgStepEnd;

/* Steps that make one transaction together: its begin (read only), what is in it, its end. Each is a statement all the
 * same; behind a pooler the begin is the wrapping's. */
typedef enum PgStepBlock { PG_BLOCK_NONE, PG_BLOCK_BEGIN, PG_BLOCK_WITHIN, PG_BLOCK_END } PgStepBlock;

/* One statement. Its deadline counts from its beginning; .query.shape is not looked at. */
typedef struct PgStep {
    PgQuery query;
    PgStepBlock block;
    /* Memory is the whole result: for small ones, where taking row by row costs twice as much. Only a hint: statements
     * that go one after the other give their rows one by one. */
    bool one_piece;
    void *arg;
    void (*on_begin)(void *arg); /* before its first row; NULL allowed */
    PgRowFn on_row;              /* negative: the rows that are left are not looked at, and that is the step's result */
    void (*on_end)(void *arg, const PgStepEnd *end);
} PgStep;

/* Runs all of @steps. A step's timeout cancels that step alone, if the server obeys within a second. Negative: the
 * connection is lost or hangs and is not usable any more; the step that met it has had its on_end, those behind it have
 * not begun. */
int pg_conn_pipeline(PgConn *c, const PgStep *steps, size_t count, Err *reterr) MUST_CHECK;
