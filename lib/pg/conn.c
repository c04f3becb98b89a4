/* SPDX-License-Identifier: PostgreSQL */
/*
 * Running statements with deadlines. The socket is non-blocking; every wait is a poll() bounded by the statement's
 * deadline. When it passes, the statement is cancelled and its results are drained to NULL for at most one more second;
 * if that does not help the connection is marked unusable and the owner closes it. One thread at a time.
 *
 * Invariants: between calls the connection is idle (PQgetResult() gave NULL) or unusable; a cancel request that may
 * still be on its way never meets a later statement.
 */
#include "lib/pg/conn.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "lib/base/map.h"
#include "lib/base/memory.h"
#include "lib/pg/conn_private.h"

#define QUERY_TIMEOUT (30 * USEC_PER_SEC)
#define DRAIN_TIMEOUT (1 * USEC_PER_SEC)
#define POLL_MAX      (3600 * USEC_PER_SEC) /* what fits poll()'s int of milliseconds */

enum { COPY_CHUNK_BYTES = 256 << 10, STATEMENT_NAME_SIZE = 64 };

typedef struct Statement {
    char *sql;           /* to notice a name used twice */
    unsigned generation; /* part of the server's name: a statement that went stale is prepared anew under another one */
    bool prepared;
} Statement;

struct PgConn {
    PGconn *pg;
    bool usable;
    Map *statements; /* name -> Statement * */
};

static void statement_free(void *p)
{
    Statement *s = p;
    free(s->sql);
    free(s);
}

PgConn *pg_conn_adopt(PGconn *pg)
{
    PgConn *c = mem_alloc(sizeof(*c));
    /* Fails on a broken connection only; the first statement will say so. */
    (void)PQsetnonblocking(pg, 1);
    *c = (PgConn){.pg = pg, .usable = true, .statements = map_new(statement_free)};
    return c;
}

PgConn *pg_conn_close(PgConn *c)
{
    if (!c)
        return NULL;
    PQfinish(c->pg);
    map_free(c->statements);
    free(c);
    return NULL;
}

bool pg_conn_usable(const PgConn *c)
{
    return c->usable && PQstatus(c->pg) == CONNECTION_OK;
}

int pg_conn_version(const PgConn *c)
{
    return PQserverVersion(c->pg);
}

int pg_conn_backend_pid(const PgConn *c)
{
    return PQbackendPID(c->pg);
}

int pg_conn_socket(const PgConn *c)
{
    return PQsocket(c->pg);
}

/* --- errors ------------------------------------------------------------------------------------------------------ */

static int fail_lost(PgConn *c, Err *reterr)
{
    c->usable = false;
    Slice message = slice_trim(slice_cstr(PQerrorMessage(c->pg)));
    Slice first = slice_split(&message, '\n');
    if (first.len == 0)
        first = SLICE_LIT("connection to the server was lost");
    return err_set(reterr, ERR_CONNECT, "%.*s", SLICE_ARG(first));
}

static int fail_timeout(Usec timeout, Err *reterr)
{
    return err_set(reterr, ERR_TIMEOUT, "the server did not answer within %lld ms",
                   (long long)(timeout / USEC_PER_MSEC));
}

/* The error of a result: 57014 is a timeout (ours or statement_timeout), a lost connection is ERR_CONNECT. */
static int fail_result(PgConn *c, const PGresult *result, Err *reterr)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    /* After FATAL the server closes; libpq learns it only with the next read. */
    bool fatal = severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
    bool lost = fatal || PQstatus(c->pg) != CONNECTION_OK;
    if (lost)
        c->usable = false;
    if (!message) {
        if (lost)
            return fail_lost(c, reterr);
        message = PQresultErrorMessage(result);
    }
    ErrCode code = lost ? ERR_CONNECT : state && strcmp(state, "57014") == 0 ? ERR_TIMEOUT : ERR_SQL;
    int r = err_set(reterr, code, "%s", message);
    if (reterr && state)
        memcpy(reterr->sqlstate, state, 5);
    if (hint)
        err_hint(reterr, "%s", hint);
    return r;
}

/* --- waiting ----------------------------------------------------------------------------------------------------- */

/* Waits for @events. 1 ready, 0 the deadline passed. An error condition counts as ready: libpq will meet and name it.
 */
static int wait_socket(PgConn *c, short events, Usec deadline)
{
    for (;;) {
        Usec left = deadline - clock_monotonic();
        struct pollfd fd = {.fd = PQsocket(c->pg), .events = events};
        Usec bounded = left <= 0 ? 0 : left < POLL_MAX ? left : POLL_MAX;
        int n = poll(&fd, 1, (int)((bounded + USEC_PER_MSEC - 1) / USEC_PER_MSEC));
        if (n > 0 || (n < 0 && errno != EINTR))
            return 1;
        if (n == 0 && left <= POLL_MAX)
            return 0;
    }
}

/* Sends what libpq has queued. 1 all sent, 0 the deadline passed, -1 connection lost. Reads meanwhile, or a server that
 * waits for us to read would never take the rest. */
static int flush(PgConn *c, Usec deadline)
{
    for (;;) {
        int left = PQflush(c->pg);
        if (left <= 0)
            return left == 0 ? 1 : -1;
        if (wait_socket(c, POLLIN | POLLOUT, deadline) == 0)
            return 0;
        if (PQconsumeInput(c->pg) == 0)
            return -1;
    }
}

/* Next result. 1 with *ret (NULL: the statement is over), 0 the deadline passed, -1 connection lost. */
static int next_result(PgConn *c, Usec deadline, PGresult **ret)
{
    while (PQisBusy(c->pg)) {
        if (wait_socket(c, POLLIN, deadline) == 0)
            return 0;
        if (PQconsumeInput(c->pg) == 0)
            return -1;
    }
    *ret = PQgetResult(c->pg);
    return 1;
}

/* --- cancelling -------------------------------------------------------------------------------------------------- */

/* PQcancel() connects anew and may block for minutes when the host is gone, so it runs on a thread of its own. */
static void *cancel_main(void *arg)
{
    char message[256];
    (void)PQcancel(arg, message, sizeof(message)); /* whether it helped shows in the results */
    PQfreeCancel(arg);
    return NULL;
}

static bool drain(PgConn *c, Usec deadline)
{
    if (flush(c, deadline) != 1)
        return false;
    for (;;) {
        PGresult *result = NULL;
        if (next_result(c, deadline, &result) != 1)
            return false;
        if (!result)
            return PQstatus(c->pg) == CONNECTION_OK;
        ExecStatusType status = PQresultStatus(result);
        PQclear(result);
        /* A COPY would give this status again and again until ended. */
        if (status == PGRES_COPY_IN && PQputCopyEnd(c->pg, "cancelled") != 1)
            return false;
        if (status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
            return false;
    }
}

static void cancel_and_drain(PgConn *c)
{
    Usec deadline = clock_monotonic() + DRAIN_TIMEOUT;
    PGcancel *cancel = PQgetCancel(c->pg);
    pthread_t thread;
    bool started = false;
    if (cancel) {
        started = pthread_create(&thread, NULL, cancel_main, cancel) == 0;
        if (!started)
            PQfreeCancel(cancel);
    }
    c->usable = drain(c, deadline) && c->usable;
    if (!started)
        return;

    /* The request must have been delivered before another statement may run, or it would hit that one. */
    Usec left = deadline - clock_monotonic();
    Usec when = clock_wall() + (left > 0 ? left : 0);
    struct timespec until = {.tv_sec = when / USEC_PER_SEC, .tv_nsec = when % USEC_PER_SEC * 1000};
    if (pthread_timedjoin_np(thread, NULL, &until) != 0) {
        c->usable = false;
        (void)pthread_detach(thread); /* ends by itself and frees its memory */
    }
}

/* Reads results until the statement is over, forgetting them; for after a failure. */
static void finish(PgConn *c, Usec deadline)
{
    if (c->usable && !drain(c, deadline))
        cancel_and_drain(c);
}

/* --- sending ----------------------------------------------------------------------------------------------------- */

static Statement *statement_of(PgConn *c, const PgQuery *query)
{
    Slice name = slice_cstr(query->prepared_name);
    Statement *s = map_get(c->statements, name);
    if (!s) {
        s = mem_alloc(sizeof(*s));
        s->sql = mem_strdup(query->sql);
        map_put(c->statements, name, s);
    }
    assert(strcmp(s->sql, query->sql) == 0);
    return s;
}

static void statement_name(const PgQuery *query, const Statement *s, char ret[STATEMENT_NAME_SIZE])
{
    int n = snprintf(ret, STATEMENT_NAME_SIZE, "%s.%u", query->prepared_name, s->generation);
    assert(n > 0 && n < STATEMENT_NAME_SIZE);
    (void)n;
}

/* 1 one good command result read, 0 deadline, -1 lost, -2 failed with *reterr set and the results drained. */
static int prepare(PgConn *c, const PgQuery *query, Statement *s, Usec deadline, Err *reterr)
{
    char name[STATEMENT_NAME_SIZE];
    statement_name(query, s, name);
    if (PQsendPrepare(c->pg, name, query->sql, 0, NULL) == 0)
        return -1;
    int r = flush(c, deadline);
    _cleanup_pgresult_ PGresult *result = NULL;
    if (r == 1)
        r = next_result(c, deadline, &result);
    if (r != 1)
        return r;
    if (!result)
        return -1;
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        (void)fail_result(c, result, reterr);
        finish(c, deadline);
        return -2;
    }
    PGresult *end = NULL;
    r = next_result(c, deadline, &end);
    PQclear(end);
    s->prepared = r == 1;
    return r;
}

/* Gives up a statement at its deadline, or a connection that is lost; @r as flush() and next_result() give it. */
static int give_up(PgConn *c, int r, Usec timeout, Err *reterr)
{
    if (r < 0)
        return fail_lost(c, reterr);
    cancel_and_drain(c);
    return fail_timeout(timeout, reterr);
}

static Usec timeout_of(Usec timeout)
{
    return timeout ? timeout : QUERY_TIMEOUT;
}

/* Sends the statement, preparing it first where asked. */
static int send_query(PgConn *c, const PgQuery *query, Usec deadline, Err *reterr)
{
    assert(query->param_count <= UINT16_MAX);
    Usec timeout = timeout_of(query->timeout);
    if (!pg_conn_usable(c))
        return fail_lost(c, reterr);

    int ok;
    if (query->prepared_name) {
        Statement *s = statement_of(c, query);
        int r = s->prepared ? 1 : prepare(c, query, s, deadline, reterr);
        if (r == -2)
            return -err_code_errno(ERR_SQL);
        if (r != 1)
            return give_up(c, r, timeout, reterr);
        char name[STATEMENT_NAME_SIZE];
        statement_name(query, s, name);
        ok = PQsendQueryPrepared(c->pg, name, (int)query->param_count, query->params, NULL, NULL, query->format);
    } else {
        ok = PQsendQueryParams(c->pg, query->sql, (int)query->param_count, NULL, query->params, NULL, NULL,
                               query->format);
    }
    if (!ok)
        return fail_lost(c, reterr);
    return 0;
}

/* A prepared statement that the server no longer has (a pooler between us) or that outlived a change of its tables. */
static void forget_stale(PgConn *c, const PgQuery *query, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (!query->prepared_name || !state || (strcmp(state, "26000") != 0 && strcmp(state, "0A000") != 0))
        return;
    Statement *s = statement_of(c, query);
    s->prepared = false;
    s->generation++;
}

static bool status_is_good(ExecStatusType status)
{
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY ||
           status == PGRES_SINGLE_TUPLE;
}

static int check_shape(PgShape shape, const PGresult *result, Err *reterr)
{
    bool rows = PQresultStatus(result) == PGRES_TUPLES_OK;
    if (shape == PG_SHAPE_NONE && rows)
        return err_set(reterr, ERR_INTERNAL, "a statement gave rows where none were expected");
    if (shape == PG_SHAPE_ONE && (!rows || PQntuples(result) != 1))
        return err_set(reterr, ERR_INTERNAL, "a statement gave %d rows where one was expected", PQntuples(result));
    return 0;
}

int pg_conn_query(PgConn *c, const PgQuery *query, PGresult **ret, Err *reterr)
{
    Usec timeout = timeout_of(query->timeout), deadline = clock_monotonic() + timeout;
    int r = send_query(c, query, deadline, reterr);
    if (r < 0)
        return err_trace(r);
    int step = flush(c, deadline);
    _cleanup_pgresult_ PGresult *result = NULL;
    if (step == 1)
        step = next_result(c, deadline, &result);
    if (step != 1 || !result)
        return err_trace(give_up(c, step == 1 ? -1 : step, timeout, reterr));

    if (!status_is_good(PQresultStatus(result))) {
        forget_stale(c, query, result);
        bool copies = PQresultStatus(result) == PGRES_COPY_IN || PQresultStatus(result) == PGRES_COPY_OUT;
        r = copies ? err_set(reterr, ERR_INTERNAL, "a COPY was sent as an ordinary statement")
                   : fail_result(c, result, reterr);
        if (copies)
            cancel_and_drain(c);
        else
            finish(c, deadline);
        return err_trace(r);
    }

    /* Only "ready for query" makes the statement's end certain: a commit can still fail here. */
    PGresult *end = NULL;
    step = next_result(c, deadline, &end);
    if (step != 1)
        return err_trace(give_up(c, step, timeout, reterr));
    if (end) {
        r = fail_result(c, end, reterr);
        PQclear(end);
        finish(c, deadline);
        return err_trace(r);
    }
    r = check_shape(query->shape, result, reterr);
    if (r < 0)
        return err_trace(r);
    if (query->shape != PG_SHAPE_NONE)
        *ret = TAKE_PTR(result);
    return 0;
}

int pg_conn_query_each(PgConn *c, const PgQuery *query, PgRowFn on_row, void *arg, Err *reterr)
{
    Usec timeout = timeout_of(query->timeout), deadline = clock_monotonic() + timeout;
    int r = send_query(c, query, deadline, reterr);
    if (r < 0)
        return err_trace(r);
    if (PQsetSingleRowMode(c->pg) == 0)
        return err_trace(fail_lost(c, reterr));
    int step = flush(c, deadline);
    if (step != 1)
        return err_trace(give_up(c, step, timeout, reterr));

    for (;;) {
        _cleanup_pgresult_ PGresult *result = NULL;
        step = next_result(c, deadline, &result);
        if (step != 1)
            return err_trace(give_up(c, step, timeout, reterr));
        if (!result)
            return PQstatus(c->pg) == CONNECTION_OK ? 0 : err_trace(fail_lost(c, reterr));
        ExecStatusType status = PQresultStatus(result);
        if (!status_is_good(status)) {
            forget_stale(c, query, result);
            r = fail_result(c, result, reterr);
            finish(c, deadline);
            return err_trace(r);
        }
        if (status == PGRES_SINGLE_TUPLE && (r = on_row(arg, result)) < 0) {
            cancel_and_drain(c);
            return r;
        }
    }
}

int pg_conn_command(PgConn *c, const char *sql, Usec timeout, Err *reterr)
{
    return pg_conn_query(c, &(PgQuery){.sql = sql, .shape = PG_SHAPE_NONE, .timeout = timeout}, NULL, reterr);
}

/* --- COPY -------------------------------------------------------------------------------------------------------- */

/* 1 handed to libpq, 0 the deadline passed, -1 lost. */
static int put_chunk(PgConn *c, Slice chunk, Usec deadline)
{
    for (;;) {
        int r = PQputCopyData(c->pg, chunk.ptr, (int)chunk.len);
        if (r < 0)
            return -1;
        /* Flushed each time: else libpq would hold a copy of the whole stream. */
        int flushed = flush(c, deadline);
        if (r == 1 || flushed != 1)
            return flushed;
    }
}

static int put_all(PgConn *c, Slice data, Usec deadline)
{
    while (data.len > 0) {
        size_t n = data.len < COPY_CHUNK_BYTES ? data.len : COPY_CHUNK_BYTES;
        int r = put_chunk(c, slice_from(data.ptr, n), deadline);
        if (r != 1)
            return r;
        data = slice_skip(data, n);
    }
    int ended;
    while ((ended = PQputCopyEnd(c->pg, NULL)) == 0) {
        int r = flush(c, deadline);
        if (r != 1)
            return r;
    }
    return ended < 0 ? -1 : flush(c, deadline);
}

int pg_conn_copy_in(PgConn *c, const char *sql, Slice data, Usec timeout, Err *reterr)
{
    PgQuery query = {.sql = sql, .shape = PG_SHAPE_NONE, .timeout = timeout};
    timeout = timeout_of(timeout);
    Usec deadline = clock_monotonic() + timeout;
    int r = send_query(c, &query, deadline, reterr);
    if (r < 0)
        return err_trace(r);
    int step = flush(c, deadline);
    _cleanup_pgresult_ PGresult *start = NULL;
    if (step == 1)
        step = next_result(c, deadline, &start);
    if (step != 1 || !start)
        return err_trace(give_up(c, step == 1 ? -1 : step, timeout, reterr));
    if (PQresultStatus(start) != PGRES_COPY_IN) {
        r = status_is_good(PQresultStatus(start)) ? err_set(reterr, ERR_INTERNAL, "not a COPY FROM STDIN statement")
                                                  : fail_result(c, start, reterr);
        finish(c, deadline);
        return err_trace(r);
    }

    step = put_all(c, data, deadline);
    _cleanup_pgresult_ PGresult *result = NULL;
    if (step == 1)
        step = next_result(c, deadline, &result);
    if (step != 1 || !result)
        return err_trace(give_up(c, step == 1 ? -1 : step, timeout, reterr));
    r = PQresultStatus(result) == PGRES_COMMAND_OK ? 0 : fail_result(c, result, reterr);
    finish(c, deadline);
    if (r == 0 && !pg_conn_usable(c))
        r = fail_lost(c, reterr);
    return r < 0 ? err_trace(r) : 0;
}

/* --- quoting ----------------------------------------------------------------------------------------------------- */

static void append_quoted(Buf *out, Slice text, char quote)
{
    buf_append_char(out, quote);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == quote)
            buf_append_char(out, quote);
        buf_append_char(out, text.ptr[i]);
    }
    buf_append_char(out, quote);
}

void pg_quote_identifier(Buf *out, Slice name)
{
    append_quoted(out, name, '"');
}

/* With a backslash it becomes an E'' string, right whatever standard_conforming_strings says. */
void pg_quote_literal(Buf *out, Slice value)
{
    if (slice_find(value, SLICE_LIT("\\")) < 0) {
        append_quoted(out, value, '\'');
        return;
    }
    _cleanup_buf_ Buf doubled = BUF_INIT;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\\')
            buf_append_char(&doubled, '\\');
        buf_append_char(&doubled, value.ptr[i]);
    }
    buf_append_cstr(out, " E");
    append_quoted(out, buf_slice(&doubled), '\'');
}
