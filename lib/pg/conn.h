#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A libpq connection where every call has a deadline and an expected shape. On a timeout the statement is cancelled and
 * the results are drained to NULL, so the connection stays usable or is closed; it never hangs its thread for longer
 * than the deadline plus one second. One thread at a time. Statements go by the extended protocol with bound
 * parameters: there is no way to run several in one string (but see PgQuery.simple).
 */
#include <libpq-fe.h>
#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"

typedef struct PgConn PgConn;

/* What stands between us and the server. Behind a pooler every statement is a read-only transaction with the settings
 * of its own, and nothing is prepared (lib/pg/pooled.h). */
typedef enum PgRoute {
    PG_ROUTE_DIRECT, /* taken to be so: not looked at */
    PG_ROUTE_LOOK,   /* find out: one round trip more */
    PG_ROUTE_POOLED,
} PgRoute;

typedef struct PgConnOptions {
    const char *conninfo;         /* libpq keywords or URI; may hold the password: never logged */
    const char *password;         /* added when not NULL */
    const char *database;         /* replaces the conninfo's when not NULL */
    const char *application_name; /* NULL: "pganalytics" */
    const char *const *settings;  /* NULL-terminated "name=value", set at connect through `options` */
    PgRoute route;
    /* Over all hosts together, name resolution not counted; 0: the conninfo's, or 10 s. PG_ROUTE_LOOK: its round trip
     * has as long again. */
    Usec connect_timeout;
} PgConnOptions;

/* Connects; ERR_CONNECT with libpq's message (without the password) and the SQLSTATE where the server gave one. */
int pg_conn_open(PgConn **ret, const PgConnOptions *options, Err *reterr) MUST_CHECK;
PgConn *pg_conn_close(PgConn *c); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(PgConn *, pg_conn_close)
bool pg_conn_usable(const PgConn *c); /* false after a lost connection or a cancel that did not help: close it */
int pg_conn_version(const PgConn *c); /* 150020 */
int pg_conn_backend_pid(const PgConn *c);
int pg_conn_socket(const PgConn *c);
PgRoute pg_conn_route(const PgConn *c); /* direct or pooled */
/* How long the server took to let us in: the waits for its answers without their journeys through the network. */
Usec pg_conn_connect_cost(const PgConn *c);
/* Behind a pooler: one more setting for the transactions to come. Else nothing is done. */
void pg_conn_set_local(PgConn *c, const char *name, const char *value);

typedef enum PgShape { PG_SHAPE_NONE, PG_SHAPE_ONE, PG_SHAPE_ROWS } PgShape; /* no result, exactly one row, any */

typedef enum PgFormat { PG_FORMAT_TEXT = 0, PG_FORMAT_BINARY = 1 } PgFormat;

typedef struct PgQuery {
    const char *sql;           /* one statement */
    const char *const *params; /* NULL entries are SQL NULL */
    /* Of each parameter its length, and its form (PgFormat); both NULL: all of them are text. */
    const int *param_lengths;
    const int *param_formats;
    size_t param_count;
    PgShape shape;
    PgFormat format; /* of the result columns */
    Usec timeout;    /* 0: 30 s */
    /* Prepared under this name at first use on this connection, then executed; NULL: unnamed, one round trip. Behind a
     * pooler always unnamed. */
    const char *prepared_name;
    /* By the simple protocol, for consoles of poolers that know no other. @sql is then a constant of the program,
     * without parameters and not prepared; the result is text. */
    bool simple;
} PgQuery;

/* The result as libpq has it; rows and columns are read with libpq's PQgetvalue() and friends. */
static inline void pg_result_freep(PGresult **r)
{
    PQclear(*r);
}
#define _cleanup_pgresult_ _cleanup_(pg_result_freep)

/* Runs. Failures: ERR_SQL with sqlstate and the server's primary message, ERR_TIMEOUT, ERR_CONNECT when lost.
 * *ret is NULL for PG_SHAPE_NONE and may be passed as NULL then; else the caller PQclear()s it. */
int pg_conn_query(PgConn *c, const PgQuery *query, PGresult **ret, Err *reterr) MUST_CHECK;

/* Rows one at a time in single-row mode, for results that input sizes: memory is one row. @on_row is given each with
 * its number in @result; it returns 0 to go on, negative to stop (the rest is cancelled and drained, and that number is
 * returned). */
typedef int (*PgRowFn)(void *arg, const PGresult *result, int row);
int pg_conn_query_each(PgConn *c, const PgQuery *query, PgRowFn on_row, void *arg, Err *reterr) MUST_CHECK;

/* A fixed statement without parameters or result: "begin read only", "commit". */
int pg_conn_command(PgConn *c, const char *sql, Usec timeout, Err *reterr) MUST_CHECK;

/* COPY ... FROM STDIN (FORMAT binary): @sql starts it, @data is the whole stream as lib/pg/copy.h builds it. */
int pg_conn_copy_in(PgConn *c, const char *sql, Slice data, Usec timeout, Err *reterr) MUST_CHECK;

/* Appends @name as a quoted SQL identifier / @value as a quoted literal. For DDL made of checked names only. */
void pg_quote_identifier(Buf *out, Slice name);
void pg_quote_literal(Buf *out, Slice value);
