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
#include <stdlib.h>
#include <time.h>

#include "lib/base/crc32c.h"
#include "lib/base/memory.h"
#include "lib/pg/conn_private.h"
#include "lib/pg/pooled.h"

#define QUERY_TIMEOUT (30 * USEC_PER_SEC)
#define POLL_MAX      (3600 * USEC_PER_SEC) /* what fits poll()'s int of milliseconds */

enum { COPY_CHUNK_BYTES = 256 << 10 };

PgConn *pg_conn_adopt(PGconn *pg)
{
    PgConn *c = mem_alloc(sizeof(*c));
    /* Fails on a broken connection only; the first statement will say so. */
    (void)PQsetnonblocking(pg, 1);
    *c = (PgConn){.pg = pg, .usable = true, .statements = map_new(free)};
    return c;
}

PgConn *pg_conn_close(PgConn *c)
{
    if (!c)
        return NULL;
    PQfinish(c->pg);
    map_free(c->statements);
    pooled_free(c->pooled);
    free(c);
    return NULL;
}

void pg_conn_wrap(PgConn *c, const char *const *settings)
{
    assert(!c->pooled);
    c->pooled = pooled_new(settings);
}

PgRoute pg_conn_route(const PgConn *c)
{
    return c->pooled ? PG_ROUTE_POOLED : PG_ROUTE_DIRECT;
}

void pg_conn_set_local(PgConn *c, const char *name, const char *value)
{
    if (c->pooled)
        pooled_set(c->pooled, name, value);
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

Usec pg_conn_connect_cost(const PgConn *c)
{
    return c->connect_cost;
}

int pg_conn_socket(const PgConn *c)
{
    return PQsocket(c->pg);
}

/* --- errors ------------------------------------------------------------------------------------------------------ */

int pg_conn_fail_lost(PgConn *c, Err *reterr)
{
    c->usable = false;
    Slice message = slice_trim(slice_cstr(PQerrorMessage(c->pg)));
    Slice first = slice_split(&message, '\n');
    if (first.len == 0)
        first = SLICE_LIT("connection to the server was lost");
    return err_set(reterr, ERR_CONNECT, "%.*s", SLICE_ARG(first));
}

int pg_conn_fail_timeout(Usec timeout, Err *reterr)
{
    return err_set(reterr, ERR_TIMEOUT, "the server did not answer within %lld ms",
                   (long long)(timeout / USEC_PER_MSEC));
}

int pg_conn_fail_result(PgConn *c, const PGresult *result, Err *reterr)
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
            return pg_conn_fail_lost(c, reterr);
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

int pg_conn_next_result(PgConn *c, Usec deadline, PGresult **ret)
{
    while (PQisBusy(c->pg)) {
        int left = PQflush(c->pg);
        if (left < 0)
            return -1;
        if (wait_socket(c, left ? POLLIN | POLLOUT : POLLIN, deadline) == 0)
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
        if (pg_conn_next_result(c, deadline, &result) != 1)
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

PgCancelRequest pg_cancel_start(PgConn *c)
{
    PgCancelRequest request = {.started = false};
    PGcancel *cancel = PQgetCancel(c->pg);
    if (cancel) {
        request.started = pthread_create(&request.thread, NULL, cancel_main, cancel) == 0;
        if (!request.started)
            PQfreeCancel(cancel);
    }
    return request;
}

bool pg_cancel_finish(PgConn *c, const PgCancelRequest *request, Usec deadline)
{
    if (!request->started)
        return true;
    Usec left = deadline - clock_monotonic();
    Usec when = clock_wall() + (left > 0 ? left : 0);
    struct timespec until = {.tv_sec = when / USEC_PER_SEC, .tv_nsec = when % USEC_PER_SEC * 1000};
    if (pthread_timedjoin_np(request->thread, NULL, &until) == 0)
        return true;
    c->usable = false;
    (void)pthread_detach(request->thread); /* ends by itself and frees its memory */
    return false;
}

static void cancel_and_drain(PgConn *c)
{
    Usec deadline = clock_monotonic() + PG_DRAIN_TIMEOUT;
    PgCancelRequest request = pg_cancel_start(c);
    c->usable = drain(c, deadline) && c->usable;
    (void)pg_cancel_finish(c, &request, deadline); /* false: it is no longer usable, which is all there is to know */
}

/* Reads results until the statement is over, forgetting them; for after a failure. */
static void finish(PgConn *c, Usec deadline)
{
    if (c->usable && !drain(c, deadline))
        cancel_and_drain(c);
}

/* --- sending ----------------------------------------------------------------------------------------------------- */

PgStatement *pg_conn_statement(PgConn *c, const PgQuery *query)
{
    Slice name = slice_cstr(query->prepared_name);
    PgStatement *s = map_get(c->statements, name);
    if (!s) {
        s = mem_alloc(sizeof(*s));
        s->sum = crc32c(0, slice_cstr(query->sql));
        map_put(c->statements, name, s);
    }
    assert(s->sum == crc32c(0, slice_cstr(query->sql)));
    return s;
}

void pg_conn_statement_name(const PgQuery *query, const PgStatement *s, char ret[PG_STATEMENT_NAME_SIZE])
{
    int n = snprintf(ret, PG_STATEMENT_NAME_SIZE, "%s.%u", query->prepared_name, s->generation);
    assert(n > 0 && n < PG_STATEMENT_NAME_SIZE);
    (void)n;
}

/* 1 one good command result read, 0 deadline, -1 lost, -2 failed with *reterr set and the results drained. */
static int prepare(PgConn *c, const PgQuery *query, PgStatement *s, Usec deadline, Err *reterr)
{
    char name[PG_STATEMENT_NAME_SIZE];
    pg_conn_statement_name(query, s, name);
    if (PQsendPrepare(c->pg, name, query->sql, 0, NULL) == 0)
        return -1;
    int r = flush(c, deadline);
    _cleanup_pgresult_ PGresult *result = NULL;
    if (r == 1)
        r = pg_conn_next_result(c, deadline, &result);
    if (r != 1)
        return r;
    if (!result)
        return -1;
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        (void)pg_conn_fail_result(c, result, reterr);
        finish(c, deadline);
        return -2;
    }
    PGresult *end = NULL;
    r = pg_conn_next_result(c, deadline, &end);
    PQclear(end);
    s->prepared = r == 1;
    return r;
}

/* Gives up a statement at its deadline, or a connection that is lost; @r as flush() and pg_conn_next_result() give it.
 */
static int give_up(PgConn *c, int r, Usec timeout, Err *reterr)
{
    if (r < 0)
        return pg_conn_fail_lost(c, reterr);
    cancel_and_drain(c);
    return pg_conn_fail_timeout(timeout, reterr);
}

Usec pg_conn_timeout(Usec timeout)
{
    return timeout ? timeout : QUERY_TIMEOUT;
}

/* Sends the statement, preparing it first where asked. */
static int send_query(PgConn *c, const PgQuery *query, Usec deadline, Err *reterr)
{
    assert(query->param_count <= UINT16_MAX);
    Usec timeout = pg_conn_timeout(query->timeout);
    if (!pg_conn_usable(c))
        return pg_conn_fail_lost(c, reterr);

    int ok;
    if (query->simple) {
        assert(query->param_count == 0 && !query->prepared_name && query->format == PG_FORMAT_TEXT);
        ok = PQsendQuery(c->pg, query->sql);
    } else if (query->prepared_name) {
        PgStatement *s = pg_conn_statement(c, query);
        int r = s->prepared ? 1 : prepare(c, query, s, deadline, reterr);
        if (r == -2)
            return -err_code_errno(ERR_SQL);
        if (r != 1)
            return give_up(c, r, timeout, reterr);
        char name[PG_STATEMENT_NAME_SIZE];
        pg_conn_statement_name(query, s, name);
        ok = PQsendQueryPrepared(c->pg, name, (int)query->param_count, query->params, query->param_lengths,
                                 query->param_formats, query->format);
    } else {
        ok = PQsendQueryParams(c->pg, query->sql, (int)query->param_count, NULL, query->params, query->param_lengths,
                               query->param_formats, query->format);
    }
    if (!ok)
        return pg_conn_fail_lost(c, reterr);
    return 0;
}

void pg_conn_forget_stale(PgConn *c, const PgQuery *query, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (!query->prepared_name || !state || (strcmp(state, "26000") != 0 && strcmp(state, "0A000") != 0))
        return;
    PgStatement *s = pg_conn_statement(c, query);
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

int pg_conn_query_plain(PgConn *c, const PgQuery *query, PGresult **ret, Err *reterr)
{
    Usec timeout = pg_conn_timeout(query->timeout), deadline = clock_monotonic() + timeout;
    int r = send_query(c, query, deadline, reterr);
    if (r < 0)
        return err_trace(r);
    int step = flush(c, deadline);
    _cleanup_pgresult_ PGresult *result = NULL;
    if (step == 1)
        step = pg_conn_next_result(c, deadline, &result);
    if (step != 1 || !result)
        return err_trace(give_up(c, step == 1 ? -1 : step, timeout, reterr));

    if (!status_is_good(PQresultStatus(result))) {
        pg_conn_forget_stale(c, query, result);
        bool copies = PQresultStatus(result) == PGRES_COPY_IN || PQresultStatus(result) == PGRES_COPY_OUT;
        r = copies ? err_set(reterr, ERR_INTERNAL, "a COPY was sent as an ordinary statement")
                   : pg_conn_fail_result(c, result, reterr);
        if (copies)
            cancel_and_drain(c);
        else
            finish(c, deadline);
        return err_trace(r);
    }

    /* Only "ready for query" makes the statement's end certain: a commit can still fail here. */
    PGresult *end = NULL;
    step = pg_conn_next_result(c, deadline, &end);
    if (step != 1)
        return err_trace(give_up(c, step, timeout, reterr));
    if (end) {
        r = pg_conn_fail_result(c, end, reterr);
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

int pg_conn_query_each_plain(PgConn *c, const PgQuery *query, PgRowFn on_row, void *arg, Err *reterr)
{
    Usec timeout = pg_conn_timeout(query->timeout), deadline = clock_monotonic() + timeout;
    int r = send_query(c, query, deadline, reterr);
    if (r < 0)
        return err_trace(r);
    if (PQsetSingleRowMode(c->pg) == 0)
        return err_trace(pg_conn_fail_lost(c, reterr));
    int step = flush(c, deadline);
    if (step != 1)
        return err_trace(give_up(c, step, timeout, reterr));

    for (;;) {
        _cleanup_pgresult_ PGresult *result = NULL;
        step = pg_conn_next_result(c, deadline, &result);
        if (step != 1)
            return err_trace(give_up(c, step, timeout, reterr));
        if (!result)
            return PQstatus(c->pg) == CONNECTION_OK ? 0 : err_trace(pg_conn_fail_lost(c, reterr));
        ExecStatusType status = PQresultStatus(result);
        if (!status_is_good(status)) {
            pg_conn_forget_stale(c, query, result);
            r = pg_conn_fail_result(c, result, reterr);
            finish(c, deadline);
            return err_trace(r);
        }
        if (status == PGRES_SINGLE_TUPLE && (r = on_row(arg, result, 0)) < 0) {
            cancel_and_drain(c);
            return r;
        }
    }
}

/* --- through a pooler -------------------------------------------------------------------------------------------- */

int pg_conn_begin_wrapped(PgConn *c, Usec timeout, Err *reterr)
{
    Err err = ERR_INIT;
    int r = pooled_begin(c, c->pooled, timeout, &err);
    if (r >= 0)
        return 0;
    if (err.code == ERR_CONNECT)
        c->usable = false;
    if (reterr)
        *reterr = err;
    return r;
}

/* @result is what the statement gave. A transaction must not stay open: the pooler could not lend its connection to
 * anybody else. */
static int end(PgConn *c, int result, Usec timeout, Err *reterr)
{
    if (!pg_conn_usable(c))
        return result < 0 ? result : pg_conn_fail_lost(c, reterr);
    Err err = ERR_INIT;
    int r = pooled_end(c, result < 0, timeout, &err);
    if (r < 0)
        c->usable = false;
    if (result < 0 || r >= 0)
        return result;
    if (reterr)
        *reterr = err;
    return r;
}

int pg_conn_query(PgConn *c, const PgQuery *query, PGresult **ret, Err *reterr)
{
    if (!c->pooled)
        return err_trace(pg_conn_query_plain(c, query, ret, reterr));
    PgQuery unnamed = *query;
    unnamed.prepared_name = NULL;
    int r = pg_conn_begin_wrapped(c, query->timeout, reterr);
    if (r < 0)
        return err_trace(r);
    _cleanup_pgresult_ PGresult *result = NULL;
    r = end(c, pg_conn_query_plain(c, &unnamed, &result, reterr), query->timeout, reterr);
    if (r >= 0 && query->shape != PG_SHAPE_NONE)
        *ret = TAKE_PTR(result);
    return err_trace(r);
}

int pg_conn_query_each(PgConn *c, const PgQuery *query, PgRowFn on_row, void *arg, Err *reterr)
{
    if (!c->pooled)
        return err_trace(pg_conn_query_each_plain(c, query, on_row, arg, reterr));
    PgQuery unnamed = *query;
    unnamed.prepared_name = NULL;
    int r = pg_conn_begin_wrapped(c, query->timeout, reterr);
    if (r < 0)
        return err_trace(r);
    return err_trace(end(c, pg_conn_query_each_plain(c, &unnamed, on_row, arg, reterr), query->timeout, reterr));
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
    timeout = pg_conn_timeout(timeout);
    Usec deadline = clock_monotonic() + timeout;
    int r = send_query(c, &query, deadline, reterr);
    if (r < 0)
        return err_trace(r);
    int step = flush(c, deadline);
    _cleanup_pgresult_ PGresult *start = NULL;
    if (step == 1)
        step = pg_conn_next_result(c, deadline, &start);
    if (step != 1 || !start)
        return err_trace(give_up(c, step == 1 ? -1 : step, timeout, reterr));
    if (PQresultStatus(start) != PGRES_COPY_IN) {
        r = status_is_good(PQresultStatus(start)) ? err_set(reterr, ERR_INTERNAL, "not a COPY FROM STDIN statement")
                                                  : pg_conn_fail_result(c, start, reterr);
        finish(c, deadline);
        return err_trace(r);
    }

    step = put_all(c, data, deadline);
    _cleanup_pgresult_ PGresult *result = NULL;
    if (step == 1)
        step = pg_conn_next_result(c, deadline, &result);
    if (step != 1 || !result)
        return err_trace(give_up(c, step == 1 ? -1 : step, timeout, reterr));
    r = PQresultStatus(result) == PGRES_COMMAND_OK ? 0 : pg_conn_fail_result(c, result, reterr);
    finish(c, deadline);
    if (r == 0 && !pg_conn_usable(c))
        r = pg_conn_fail_lost(c, reterr);
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
