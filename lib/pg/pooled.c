/* SPDX-License-Identifier: PostgreSQL */
/*
 * See pooled.h. Settings and the look at the server's identity share one round trip. The start of the postmaster, in
 * microseconds, is what tells two servers (and two lives of one) apart: a pooler does not pass on anything better.
 */
#include "lib/pg/pooled.h"

#include <stdio.h>

#include "lib/base/memory.h"
#include "lib/pg/conn_private.h"

struct Pooled {
    Buf sql;         /* select IDENTITY, set_config(...), ... */
    char server[32]; /* identity seen in the first transaction; "" before it */
};

static const char IDENTITY[] =
    "select (extract(epoch from pg_catalog.pg_postmaster_start_time()) * 1000000)::pg_catalog.int8";

Pooled *pooled_new(const char *const *settings)
{
    Pooled *p = mem_alloc(sizeof(*p));
    buf_append_cstr(&p->sql, IDENTITY);
    for (const char *const *s = settings; s && *s; s++) {
        Slice rest = slice_cstr(*s);
        _cleanup_buf_ Buf name = BUF_INIT;
        buf_append(&name, slice_split(&rest, '='));
        _cleanup_buf_ Buf value = BUF_INIT;
        buf_append(&value, rest);
        pooled_set(p, buf_cstr(&name), buf_cstr(&value));
    }
    return p;
}

Pooled *pooled_free(Pooled *p)
{
    if (!p)
        return NULL;
    buf_done(&p->sql);
    free(p);
    return NULL;
}

void pooled_set(Pooled *p, const char *name, const char *value)
{
    buf_append_cstr(&p->sql, ", pg_catalog.set_config(");
    pg_quote_literal(&p->sql, slice_cstr(name));
    buf_append_cstr(&p->sql, ", ");
    pg_quote_literal(&p->sql, slice_cstr(value));
    buf_append_cstr(&p->sql, ", true)");
}

static int command(PgConn *c, const char *sql, Usec timeout, Err *reterr)
{
    PgQuery query = {.sql = sql, .shape = PG_SHAPE_NONE, .timeout = timeout};
    return pg_conn_query_plain(c, &query, NULL, reterr);
}

static int settle(PgConn *c, Pooled *p, Usec timeout, Err *reterr)
{
    _cleanup_pgresult_ PGresult *row = NULL;
    PgQuery query = {.sql = buf_cstr(&p->sql), .shape = PG_SHAPE_ONE, .timeout = timeout};
    int r = pg_conn_query_plain(c, &query, &row, reterr);
    if (r < 0)
        return err_trace(r);
    const char *server = PQgetvalue(row, 0, 0);
    if (!p->server[0])
        (void)snprintf(p->server, sizeof(p->server), "%s", server);
    if (strcmp(p->server, server) == 0)
        return 0;
    r = err_set(reterr, ERR_CONNECT, "behind the pooler is another server than before, or it was restarted");
    err_hint(reterr, "when the pooler spreads over several servers, connect to each of them directly");
    return err_trace(r);
}

int pooled_begin(PgConn *c, Pooled *p, Usec timeout, Err *reterr)
{
    int r = command(c, "begin read only", timeout, reterr);
    if (r < 0) {
        if (reterr && strcmp(reterr->sqlstate, "08P01") == 0) /* PgBouncer's pool_mode = statement */
            err_hint(reterr, "a pooler of single statements cannot be read through: use pool_mode = session or"
                             " transaction for this role, or connect to the server directly");
        return err_trace(r);
    }
    r = settle(c, p, timeout, reterr);
    if (r < 0 && pg_conn_usable(c) && pooled_end(c, true, timeout, NULL) < 0)
        return r; /* then it is not usable any more, which the owner sees */
    return r < 0 ? err_trace(r) : 0;
}

int pooled_end(PgConn *c, bool failed, Usec timeout, Err *reterr)
{
    return err_trace(command(c, failed ? "rollback" : "commit", timeout, reterr));
}
