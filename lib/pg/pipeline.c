/* SPDX-License-Identifier: PostgreSQL */
/*
 * See pipeline.h. Everything is queued at once, each statement (with its PREPARE where it is new) followed by a sync of
 * its own: the sync ends its transaction, and bounds what a failure makes the server skip. libpq sends at every sync;
 * the socket is corked meanwhile, so that dozens of small statements travel together. What does not fit into the socket
 * is sent while answers are read.
 *
 * Invariant: as many PGRES_PIPELINE_SYNC come back as steps were queued; when the last one was read the connection is
 * out of pipeline mode and idle.
 */
#include "lib/pg/pipeline.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "lib/base/memory.h"
#include "lib/pg/conn_private.h"

typedef struct Pipeline {
    PgConn *conn;
    const PgStep *steps;
    bool *prepares; /* a step that sends its PREPARE too */
    Err *reterr;
} Pipeline;

/* The step whose answer is being read. */
typedef struct Answer {
    const PgStep *step;
    int commands; /* whose results are still to come; 2: PREPARE's, then its own */
    Usec deadline;
    bool cancelled;
    PgCancelRequest cancel;
    int result;
    Err err;
} Answer;

static bool queue_step(const Pipeline *p, size_t index)
{
    PgConn *c = p->conn;
    const PgQuery *query = &p->steps[index].query;
    int sent;
    if (query->prepared_name) {
        char name[PG_STATEMENT_NAME_SIZE];
        PgStatement *s = pg_conn_statement(c, query);
        pg_conn_statement_name(query, s, name);
        p->prepares[index] = !s->prepared;
        if (p->prepares[index] && PQsendPrepare(c->pg, name, query->sql, 0, NULL) == 0)
            return false;
        s->prepared = true; /* for a second use in the same pipeline; a failure takes it back */
        sent = PQsendQueryPrepared(c->pg, name, (int)query->param_count, query->params, query->param_lengths,
                                   query->param_formats, (int)query->format);
    } else {
        sent = PQsendQueryParams(c->pg, query->sql, (int)query->param_count, NULL, query->params, query->param_lengths,
                                 query->param_formats, (int)query->format);
    }
    return sent && PQpipelineSync(c->pg);
}

/* A hint: a local socket has no such option, and needs none. */
static void cork(PGconn *pg, int on)
{
    (void)setsockopt(PQsocket(pg), IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

static bool queue_all(const Pipeline *p, size_t count)
{
    bool queued = PQenterPipelineMode(p->conn->pg) == 1;
    cork(p->conn->pg, 1);
    for (size_t i = 0; i < count && queued; i++)
        queued = queue_step(p, i);
    cork(p->conn->pg, 0);
    return queued;
}

static void note_failure(Pipeline *p, Answer *a, const PGresult *result)
{
    if (a->commands == 2)
        pg_conn_statement(p->conn, &a->step->query)->prepared = false;
    pg_conn_forget_stale(p->conn, &a->step->query, result);
    if (a->result == 0)
        a->result = pg_conn_fail_result(p->conn, result, &a->err);
}

static void take_rows(Answer *a, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result) && a->result == 0; row++)
        a->result = a->step->on_row(a->step->arg, result, row);
}

/* 1 read on, 0 the step is over, negative: the connection is of no use. */
static int take_result(Pipeline *p, Answer *a, const PGresult *result)
{
    switch ((int)PQresultStatus(result)) {
    case PGRES_PIPELINE_SYNC:
        return 0;
    case PGRES_SINGLE_TUPLE:
    case PGRES_TUPLES_OK:
#ifdef LIBPQ_HAS_CHUNK_MODE
    case PGRES_TUPLES_CHUNK:
#endif
        take_rows(a, result);
        return 1;
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
    case PGRES_PIPELINE_ABORTED: /* its PREPARE has failed */
        return 1;
    case PGRES_FATAL_ERROR:
        note_failure(p, a, result);
        return pg_conn_usable(p->conn) ? 1 : -1;
    default: /* COPY: libpq cannot go on from it in a pipeline */
        a->result = err_set(&a->err, ERR_INTERNAL, "a COPY was sent as an ordinary statement");
        return -1;
    }
}

/* The deadline has passed: the statement is cancelled, and has a second to end. False: it had that already. */
static bool cancel(Pipeline *p, Answer *a)
{
    if (a->cancelled)
        return false;
    a->cancelled = true;
    a->cancel = pg_cancel_start(p->conn);
    a->deadline = clock_monotonic() + PG_DRAIN_TIMEOUT;
    int r = pg_conn_fail_timeout(pg_conn_timeout(a->step->query.timeout), &a->err);
    if (a->result == 0)
        a->result = r;
    return true;
}

static bool set_rows_mode(PGconn *pg)
{
#ifdef LIBPQ_HAS_CHUNK_MODE
    enum { ROWS_AT_A_TIME = 256 };
    return PQsetChunkedRowsMode(pg, ROWS_AT_A_TIME) == 1;
#else
    return PQsetSingleRowMode(pg) == 1;
#endif
}

/* libpq wants it said when the statement's turn has come, before its first row. It refuses for one that is skipped. */
static bool ask_for_rows(const Pipeline *p, const Answer *a)
{
    return a->commands != 1 || a->step->one_piece || set_rows_mode(p->conn->pg) || a->result < 0;
}

/* Reads up to the step's sync. Negative: the connection is of no use, a->err says why. */
static int read_answer(Pipeline *p, Answer *a)
{
    if (!ask_for_rows(p, a))
        return pg_conn_fail_lost(p->conn, &a->err);
    for (;;) {
        _cleanup_pgresult_ PGresult *result = NULL;
        int r = pg_conn_next_result(p->conn, a->deadline, &result);
        if (r == 0 && cancel(p, a))
            continue;
        if (r == 0)
            return -1; /* the timeout stands in a->err */
        if (r < 0)
            return pg_conn_fail_lost(p->conn, &a->err);
        if (result) {
            r = take_result(p, a, result);
            if (r <= 0)
                return r;
        } else if (a->commands-- == 0 || !pg_conn_usable(p->conn) || !ask_for_rows(p, a)) {
            return pg_conn_fail_lost(p->conn, &a->err);
        }
    }
}

/* Negative: the connection is of no use. */
static int run_step(Pipeline *p, size_t index, Usec begun, Usec *ret_ended)
{
    const PgStep *step = &p->steps[index];
    Answer a = {
        .step = step,
        .commands = p->prepares[index] ? 2 : 1,
        .deadline = begun + pg_conn_timeout(step->query.timeout),
    };
    if (step->on_begin)
        step->on_begin(step->arg);
    int r = read_answer(p, &a);
    /* Or the request would hit the next statement. */
    if (a.cancelled && !pg_cancel_finish(p->conn, &a.cancel, a.deadline) && r == 0)
        r = -1;
    if (r < 0) {
        p->conn->usable = false;
        if (a.result == 0 || a.err.code == ERR_NONE)
            a.result = r;
        if (p->reterr)
            *p->reterr = a.err;
    }
    *ret_ended = clock_monotonic();
    PgStepEnd end = {.result = a.result, .err = &a.err, .begun = begun, .ended = *ret_ended};
    step->on_end(step->arg, &end);
    return r;
}

int pg_conn_pipeline(PgConn *c, const PgStep *steps, size_t count, Err *reterr)
{
    if (c->pooled)
        return err_trace(pg_conn_pipeline_singly(c, steps, count, reterr));
    if (!pg_conn_usable(c))
        return err_trace(pg_conn_fail_lost(c, reterr));
    if (count == 0)
        return 0;
    _cleanup_free_ bool *prepares = mem_alloc_array(sizeof(*prepares), count);
    Pipeline p = {.conn = c, .steps = steps, .prepares = prepares, .reterr = reterr};
    Usec begun = clock_monotonic();
    if (!queue_all(&p, count))
        return err_trace(pg_conn_fail_lost(c, reterr));
    for (size_t i = 0; i < count; i++) {
        int r = run_step(&p, i, begun, &begun);
        if (r < 0)
            return err_trace(r);
    }
    if (PQexitPipelineMode(c->pg) == 0)
        return err_trace(pg_conn_fail_lost(c, reterr));
    return 0;
}
