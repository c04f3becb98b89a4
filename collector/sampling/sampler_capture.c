/* SPDX-License-Identifier: PostgreSQL */
/* See sampler_capture.h. */
#include "collector/sampling/sampler_capture.h"

#include <stdio.h>

#include "collector/reading/redact.h"
#include "collector/sampling/blocked_tree.h"
#include "collector/sampling/sample_table.h"

/* From a column of the result into one of the family's. */
typedef struct Mapping {
    int from;
    const char *to;
    enum { AS_TEXT, AS_APPLICATION, AS_QUERY, AS_INT, AS_FLOAT, AS_LABEL } as; /* a label is never null */
} Mapping;

static const Mapping TRANSACTION[] = {
    {TRANSACTION_PID, "pid", AS_TEXT},
    {TRANSACTION_DATNAME, "datname", AS_LABEL},
    {TRANSACTION_USENAME, "usename", AS_LABEL},
    {TRANSACTION_APPLICATION_NAME, "application_name", AS_APPLICATION},
    {TRANSACTION_BACKEND_TYPE, "backend_type", AS_LABEL},
    {TRANSACTION_STATE, "state", AS_LABEL},
    {TRANSACTION_CLIENT_ADDR, "client_addr", AS_TEXT},
    {TRANSACTION_WAIT_EVENT_TYPE, "wait_event_type", AS_TEXT},
    {TRANSACTION_WAIT_EVENT, "wait_event", AS_TEXT},
    {TRANSACTION_QUERYID, "queryid", AS_TEXT},
    {TRANSACTION_SECONDS, "transaction_seconds", AS_FLOAT},
    {TRANSACTION_STATE_SECONDS, "state_seconds", AS_FLOAT},
    {TRANSACTION_XMIN_AGE, "xmin_age", AS_INT},
    {TRANSACTION_QUERY, "query", AS_QUERY},
};

static const Mapping ROOT[] = {
    {BLOCKED_PID, "root_pid", AS_TEXT},
    {BLOCKED_STATE, "root_state", AS_TEXT},
    {BLOCKED_USENAME, "root_usename", AS_TEXT},
    {BLOCKED_APPLICATION_NAME, "root_application_name", AS_APPLICATION},
    {BLOCKED_QUERYID, "root_queryid", AS_TEXT},
    {BLOCKED_QUERY, "root_query", AS_QUERY},
    {BLOCKED_TRANSACTION_SECONDS, "root_transaction_seconds", AS_FLOAT},
    {BLOCKED_STATE_SECONDS, "root_state_seconds", AS_FLOAT},
};

static const Mapping WAITER[] = {
    {BLOCKED_PID, "waiter_pid", AS_TEXT},
    {BLOCKED_DATNAME, "datname", AS_LABEL},
    {BLOCKED_USENAME, "waiter_usename", AS_TEXT},
    {BLOCKED_QUERYID, "waiter_queryid", AS_TEXT},
    {BLOCKED_QUERY, "waiter_query", AS_QUERY},
    {BLOCKED_LOCKTYPE, "locktype", AS_LABEL},
    {BLOCKED_MODE, "mode", AS_LABEL},
    {BLOCKED_RELATION, "relation", AS_LABEL},
    {BLOCKED_WAIT_SECONDS, "wait_seconds", AS_FLOAT},
};

static void set_value(const SamplerCapture *c, Rows *rows, const Mapping *m, Slice value)
{
    _cleanup_buf_ Buf clean = BUF_INIT;
    int64_t integer;
    double number;
    switch (m->as) {
    case AS_INT:
        if (slice_to_int64(value, &integer))
            rows_set_int(rows, m->to, integer);
        return;
    case AS_FLOAT:
        if (slice_to_double(value, &number))
            rows_set_float(rows, m->to, number < 0 ? 0 : number); /* the clock was set back */
        return;
    case AS_QUERY:
        redact_sql(value, c->backslash_escapes, &clean);
        value = buf_slice(&clean);
        break;
    case AS_APPLICATION:
        sample_clean_application(value, &clean);
        value = buf_slice(&clean);
        break;
    case AS_TEXT:
    case AS_LABEL:
        break;
    }
    rows_set_text(rows, m->to, value);
}

static void set_values(const SamplerCapture *c, Rows *rows, const PGresult *result, int row, const Mapping *mappings,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const Mapping *m = &mappings[i];
        if (!PQgetisnull(result, row, m->from))
            set_value(c, rows, m,
                      slice_from(PQgetvalue(result, row, m->from), (size_t)PQgetlength(result, row, m->from)));
        else if (m->as == AS_LABEL || m->as == AS_APPLICATION)
            rows_set_text(rows, m->to, SLICE_LIT(""));
    }
}

int sampler_capture_transactions(const SamplerCapture *c, Rows *rows, uint64_t *ret_read, Err *reterr)
{
    char transaction[32], idle[32];
    (void)snprintf(transaction, sizeof(transaction), "%.3f", (double)c->transaction_threshold / (double)USEC_PER_SEC);
    (void)snprintf(idle, sizeof(idle), "%.3f", (double)c->idle_threshold / (double)USEC_PER_SEC);
    const char *params[] = {transaction, idle};
    PgQuery query = {.sql = buf_cstr(&c->sql->transactions),
                     .params = params,
                     .param_count = ARRAY_LENGTH(params),
                     .shape = PG_SHAPE_ROWS,
                     .timeout = c->timeout,
                     .prepared_name = "long_transactions"};
    _cleanup_pgresult_ PGresult *result = NULL;
    int r = pg_conn_query(c->conn, &query, &result, reterr);
    if (r < 0)
        return err_trace(r);
    *ret_read = (uint64_t)PQntuples(result);
    for (int row = 0; row < PQntuples(result) && rows_add(rows); row++)
        set_values(c, rows, result, row, TRANSACTION, ARRAY_LENGTH(TRANSACTION));
    return 0;
}

static int row_pid(const PGresult *result, int row)
{
    int64_t pid = 0;
    (void)slice_to_int64(slice_cstr(PQgetvalue(result, row, BLOCKED_PID)), &pid); /* int4 by the statement */
    return (int)pid;
}

static size_t read_edges(const PGresult *result, BlockedEdge *edges)
{
    size_t count = 0;
    for (int row = 0; row < PQntuples(result); row++) {
        Slice rest = slice_cstr(PQgetvalue(result, row, BLOCKED_BLOCKERS));
        for (int blocker; count < BLOCKED_EDGES_MAX && sampler_sql_next_pid(&rest, &blocker);)
            edges[count++] = (BlockedEdge){.waiter = row_pid(result, row), .blocker = blocker};
    }
    return count;
}

static int find_row(const PGresult *result, int pid)
{
    for (int row = 0; row < PQntuples(result); row++) {
        if (row_pid(result, row) == pid)
            return row;
    }
    return -1;
}

static void write_tree(const SamplerCapture *c, Rows *rows, const PGresult *result, const BlockedTree *tree)
{
    int root = find_row(result, tree->root), waiter = find_row(result, tree->waiter);
    if (root < 0 || waiter < 0 || !rows_add(rows))
        return;
    set_values(c, rows, result, root, ROOT, ARRAY_LENGTH(ROOT));
    set_values(c, rows, result, waiter, WAITER, ARRAY_LENGTH(WAITER));
    rows_set_int(rows, "waiting", (int64_t)tree->waiting);
    rows_set_int(rows, "depth", (int64_t)tree->depth);
}

int sampler_capture_trees(const SamplerCapture *c, Rows *rows, uint64_t *ret_read, Err *reterr)
{
    PgQuery query = {.sql = buf_cstr(&c->sql->blocked),
                     .shape = PG_SHAPE_ROWS,
                     .timeout = c->timeout,
                     .prepared_name = "blocked_trees"};
    _cleanup_pgresult_ PGresult *result = NULL;
    int r = pg_conn_query(c->conn, &query, &result, reterr);
    if (r < 0)
        return err_trace(r);
    *ret_read = (uint64_t)PQntuples(result);
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    BlockedEdge *edges = arena_new_array(arena, BlockedEdge, BLOCKED_EDGES_MAX);
    BlockedTree *trees;
    size_t count = blocked_tree_find(edges, read_edges(result, edges), arena, &trees);
    for (size_t i = 0; i < count && i < SAMPLER_TREES_MAX; i++)
        write_tree(c, rows, result, &trees[i]);
    return 0;
}
