/* SPDX-License-Identifier: PostgreSQL */
/* Runs on the writer's thread. The connection is of its own, not of the pool, so readers cannot starve writing. */
#include "backend/store/writer.h"

#include <assert.h>

#include "backend/store/store_private.h"
#include "backend/store/tables.h"
#include "lib/base/random.h"

static const Usec CONNECT_TIMEOUT = 3 * USEC_PER_SEC;
static const Usec STATEMENT_TIMEOUT = 20 * USEC_PER_SEC;

struct StoreWriter {
    Store *store;
    PgConn *conn; /* NULL: none */
    const StorageEngine *engine;
    Backoff backoff;
    Usec away_until; /* monotonic */
};

StoreWriter *store_writer_new(Store *s)
{
    StoreWriter *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->store = s;
    w->backoff = (Backoff){.base = 100 * USEC_PER_MSEC, .cap = 3 * USEC_PER_SEC};
    return w;
}

StoreWriter *store_writer_free(StoreWriter *w)
{
    if (!w)
        return NULL;
    pg_conn_close(w->conn);
    free(w);
    return NULL;
}

int store_writer_connect(StoreWriter *w, Err *reterr)
{
    if (w->conn && !pool_connection_is_stale(w->conn))
        return 0;
    w->conn = pg_conn_close(w->conn);
    if (clock_monotonic() < w->away_until)
        return err_set(reterr, ERR_UNAVAILABLE, "the store is away");

    int r = pool_connect(w->store->conninfo, "pganalytics-api writer", CONNECT_TIMEOUT, &w->conn, reterr);
    if (r < 0) {
        w->away_until = clock_monotonic() + backoff_next(&w->backoff);
        return err_trace(r);
    }
    backoff_reset(&w->backoff);
    w->engine = engine_choose(w->conn);
    return 0;
}

int store_writer_query(StoreWriter *w, const char *query, StoreParams params, PGresult **ret, Err *reterr)
{
    const EmbeddedFile *file = store_find_query(w->store, query);
    assert(file && w->conn);
    PgQuery q = {
        .sql = file->text,
        .params = params.values,
        .param_count = params.count,
        .shape = PG_SHAPE_ROWS,
        .timeout = STATEMENT_TIMEOUT,
        .prepared_name = query,
    };
    int r = pg_conn_query(w->conn, &q, ret, reterr);
    if (r < 0)
        err_prefix(reterr, "%s", query);
    return err_trace(r);
}

int store_writer_begin(StoreWriter *w, Err *reterr)
{
    return err_trace(pg_conn_command(w->conn, "begin", STATEMENT_TIMEOUT, reterr));
}

int store_writer_commit(StoreWriter *w, Err *reterr)
{
    int r = pg_conn_command(w->conn, "commit", STATEMENT_TIMEOUT, reterr);
    if (r < 0)
        w->conn = pg_conn_close(w->conn); /* whatever it did, it must not go on */
    return err_trace(r);
}

void store_writer_rollback(StoreWriter *w)
{
    Err ignored = ERR_INIT;
    if (w->conn && (!pg_conn_usable(w->conn) || pg_conn_command(w->conn, "rollback", USEC_PER_SEC, &ignored) < 0))
        w->conn = pg_conn_close(w->conn);
}

int store_writer_make_family(StoreWriter *w, const Family *f, Arena *arena, const char **ret_reason, Err *reterr)
{
    Err cause = ERR_INIT;
    *ret_reason = NULL;
    int r = store_writer_begin(w, reterr);
    if (r < 0)
        return err_trace(r);
    r = tables_make_own(w->conn, w->engine, f, arena, ret_reason, &cause);
    if (r >= 0 && !*ret_reason)
        return err_trace(store_writer_commit(w, reterr));
    store_writer_rollback(w);
    if (r < 0 && strcmp(cause.sqlstate, "55P03") == 0) /* somebody reads it for long: the others do not wait */
        *ret_reason = "its table is in use and cannot be changed just now";
    if (*ret_reason)
        return STORE_FAMILY_REFUSED;
    if (reterr)
        *reterr = cause;
    return err_trace(r);
}

int store_writer_ensure_day(StoreWriter *w, const char *family, int64_t day, Err *reterr)
{
    EngineTable t = family ? (EngineTable){.schema = "metric", .name = family}
                           : (EngineTable){.schema = "pganalytics", .name = "reading"};
    return err_trace(tables_ensure_day(w->store, w->conn, w->engine, &t, day, reterr));
}

void store_writer_forget_days(StoreWriter *w)
{
    tables_forget_days(w->store);
}

int store_writer_copy(StoreWriter *w, const char *family, const char *columns, Slice data, Err *reterr)
{
    _cleanup_buf_ Buf sql = BUF_INIT;
    buf_append_cstr(&sql, "copy metric.");
    pg_quote_identifier(&sql, slice_cstr(family));
    buf_printf(&sql, " %s from stdin (format binary)", columns);
    int r = pg_conn_copy_in(w->conn, buf_cstr(&sql), data, STATEMENT_TIMEOUT, reterr);
    if (r < 0)
        err_prefix(reterr, "copy into %s", family);
    return err_trace(r);
}

bool store_writer_report(StoreWriter *w, const Err *cause)
{
    if (!cause) {
        store_report_success(w->store);
        return true;
    }
    if (!store_failure_is_passing(cause))
        return false;
    Err ignored = ERR_INIT;
    (void)store_report_failure(w->store, "ingest", cause, &ignored); /* called for what it notes and logs */
    return true;
}
