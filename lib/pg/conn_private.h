#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* What the files of this folder share of a connection. Steps that wait return 1 done, 0 the deadline passed, -1 lost.
 */
#include <pthread.h>

#include "lib/base/map.h"
#include "lib/pg/conn.h"

#define PG_DRAIN_TIMEOUT (1 * USEC_PER_SEC)

enum { PG_STATEMENT_NAME_SIZE = 64 };

typedef struct PgStatement {
    uint32_t sum;        /* of its text, to notice a name used twice */
    unsigned generation; /* part of the server's name: a statement that went stale is prepared anew under another one */
    bool prepared;
} PgStatement;

struct PgConn {
    PGconn *pg;
    bool usable;
    Map *statements;       /* name -> PgStatement * */
    struct Pooled *pooled; /* NULL: direct */
    Usec connect_cost;
};

/* Takes over a connection that is ready for use. */
PgConn *pg_conn_adopt(PGconn *pg);

int pg_conn_fail_lost(PgConn *c, Err *reterr);
int pg_conn_fail_timeout(Usec timeout, Err *reterr);
/* The error of a result: 57014 is a timeout (ours or statement_timeout), a lost connection is ERR_CONNECT. */
int pg_conn_fail_result(PgConn *c, const PGresult *result, Err *reterr);

Usec pg_conn_timeout(Usec timeout); /* the default for 0 */
/* Next result; *ret NULL: the statement is over. Sends meanwhile what is still queued. */
int pg_conn_next_result(PgConn *c, Usec deadline, PGresult **ret);

PgStatement *pg_conn_statement(PgConn *c, const PgQuery *query);
void pg_conn_statement_name(const PgQuery *query, const PgStatement *s, char ret[PG_STATEMENT_NAME_SIZE]);
/* Forgets a prepared statement that the server no longer has (a pooler between us) or that outlived a change of its
 * tables. */
void pg_conn_forget_stale(PgConn *c, const PgQuery *query, const PGresult *result);

/* A cancel request on its way, on a thread of its own. It must have been delivered before a statement that it is not
 * meant for may run: pg_cancel_finish() waits for that, and gives false (the connection is unusable) when it takes
 * longer than until @deadline. */
typedef struct PgCancelRequest {
    pthread_t thread;
    bool started;
} PgCancelRequest;

PgCancelRequest pg_cancel_start(PgConn *c);
bool pg_cancel_finish(PgConn *c, const PgCancelRequest *request, Usec deadline);

/* From now on every statement is a transaction with @settings of its own (pooled.h). */
void pg_conn_wrap(PgConn *c, const char *const *settings);
/* pg_conn_query() without that. */
int pg_conn_query_plain(PgConn *c, const PgQuery *query, PGresult **ret, Err *reterr) MUST_CHECK;

int pg_conn_query_each_plain(PgConn *c, const PgQuery *query, PgRowFn on_row, void *arg, Err *reterr) MUST_CHECK;
/* The wrapping's beginning, for a transaction of several statements. */
int pg_conn_begin_wrapped(PgConn *c, Usec timeout, Err *reterr) MUST_CHECK;

struct PgStep;
/* pg_conn_pipeline() with a round trip for each statement, or several behind a pooler. */
int pg_conn_pipeline_singly(PgConn *c, const struct PgStep *steps, size_t count, Err *reterr) MUST_CHECK;
