#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The sampler's statements, made for the columns that a server has. Each is read only, one round trip, and leaves out
 * the sessions of collectors. Any thread.
 */
#include "lib/pg/conn.h"

#define SAMPLER_APPLICATION "pganalytics sampler"

enum {
    SAMPLER_SESSIONS_MAX = 5000,     /* rows of one sample */
    SAMPLER_BLOCKED_MAX = 50,        /* sessions of one sample that are asked who blocks them */
    SAMPLER_WAITING_MAX = 200,       /* sessions that trees are made of */
    SAMPLER_TRANSACTIONS_MAX = 10,   /* long ones in one reading */
    SAMPLER_QUERY_CHARACTERS = 4096, /* of a statement's text that are fetched */
};

typedef struct SamplerSql {
    bool has_query_id, has_leader_pid, has_waitstart;
    Buf sessions;     /* columns of SamplerSession */
    Buf blockers;     /* $1: int4[]; columns pid, int4[] of those that block it */
    Buf transactions; /* $1, $2: thresholds in seconds; columns of SamplerTransaction */
    Buf blocked;      /* columns of SamplerBlocked */
} SamplerSql;

enum SamplerSession {
    SESSION_PID,
    SESSION_LEADER_PID,
    SESSION_STATE,
    SESSION_WAIT_EVENT_TYPE,
    SESSION_WAIT_EVENT,
    SESSION_QUERYID,
    SESSION_DATNAME,
    SESSION_USENAME,
    SESSION_APPLICATION_NAME,
    SESSION_CLIENT_ADDR,
    SESSION_BACKEND_TYPE,
};

enum SamplerTransaction {
    TRANSACTION_PID,
    TRANSACTION_DATNAME,
    TRANSACTION_USENAME,
    TRANSACTION_APPLICATION_NAME,
    TRANSACTION_BACKEND_TYPE,
    TRANSACTION_STATE,
    TRANSACTION_CLIENT_ADDR,
    TRANSACTION_WAIT_EVENT_TYPE,
    TRANSACTION_WAIT_EVENT,
    TRANSACTION_QUERYID,
    TRANSACTION_SECONDS,
    TRANSACTION_STATE_SECONDS,
    TRANSACTION_XMIN_AGE,
    TRANSACTION_QUERY,
};

/* Those that wait and those that they wait for. */
enum SamplerBlocked {
    BLOCKED_PID,
    BLOCKED_BLOCKERS, /* int4[]; NULL: it waits for nobody */
    BLOCKED_DATNAME,
    BLOCKED_USENAME,
    BLOCKED_APPLICATION_NAME,
    BLOCKED_STATE,
    BLOCKED_QUERYID,
    BLOCKED_QUERY,
    BLOCKED_TRANSACTION_SECONDS,
    BLOCKED_STATE_SECONDS,
    BLOCKED_LOCKTYPE,
    BLOCKED_MODE,
    BLOCKED_RELATION,
    BLOCKED_WAIT_SECONDS,
};

/* Looks which columns the server has and makes the statements: one round trip. */
int sampler_sql_look(SamplerSql *s, PgConn *conn, Usec timeout, Err *reterr) MUST_CHECK;
/* The statements for what .has_* say. Pure. */
void sampler_sql_make(SamplerSql *s);
void sampler_sql_done(SamplerSql *s);

/* The next number of an array's text ("{12,0,7}"); false behind the last one. *@rest begins as the text. Pure. */
bool sampler_sql_next_pid(Slice *rest, int *ret);
