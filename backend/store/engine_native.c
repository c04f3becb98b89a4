/* SPDX-License-Identifier: PostgreSQL */
/*
 * PostgreSQL's own range partitions, one a day (UTC). Fits every server; TimescaleDB as distributions package it (no
 * compression, no policies) offers nothing more and is used like this too. The work is in backend/functions/
 * partitions.sql. Runs on the thread of the connection.
 */
#include <string.h>

#include "backend/store/engine.h"
#include "backend/store/store_private.h"

static const Usec DDL_TIMEOUT = 60 * USEC_PER_SEC;
enum { DROPS_MAX = 1000 }; /* a round; far more than retention can make due in an hour */

static bool native_fits(PgConn *c)
{
    (void)c; /* declarative partitions are older than the oldest server that store_migrate() lets in */
    return true;
}

static int native_make_table(PgConn *c, const EngineTable *t, Err *reterr)
{
    _cleanup_buf_ Buf name = BUF_INIT;
    pg_quote_identifier(&name, slice_cstr(t->schema));
    buf_append_char(&name, '.');
    pg_quote_identifier(&name, slice_cstr(t->name));

    _cleanup_buf_ Buf sql = BUF_INIT;
    buf_printf(&sql,
               "create table if not exists %s (time timestamptz not null, server_id integer not null, "
               "series_id integer not null, interval_ms integer not null) partition by range (time)",
               buf_cstr(&name));
    int r = store_run(c, buf_cstr(&sql), STORE_NO_PARAMS, PG_SHAPE_NONE, DDL_TIMEOUT, NULL, reterr);
    if (r < 0)
        return err_trace(r);

    buf_clear(&sql);
    buf_append_cstr(&sql, "create index if not exists ");
    _cleanup_buf_ Buf index = BUF_INIT;
    buf_printf(&index, "%s_server_time", t->name);
    pg_quote_identifier(&sql, buf_slice(&index));
    buf_printf(&sql, " on %s (server_id, time)", buf_cstr(&name));
    return err_trace(store_run(c, buf_cstr(&sql), STORE_NO_PARAMS, PG_SHAPE_NONE, DDL_TIMEOUT, NULL, reterr));
}

static int native_make_days(PgConn *c, const EngineTable *t, int64_t first, int64_t last, Err *reterr)
{
    char first_text[ENGINE_DAY_SIZE];
    char last_text[ENGINE_DAY_SIZE];
    engine_format_day(first, first_text);
    engine_format_day(last, last_text);
    _cleanup_pgresult_ PGresult *result = NULL;
    return err_trace(store_run(c, "select pganalytics.make_partitions($1, $2, $3, $4)",
                               STORE_PARAMS(t->schema, t->name, first_text, last_text), PG_SHAPE_ONE, DDL_TIMEOUT,
                               &result, reterr));
}

static int native_drop_before(PgConn *c, const EngineTable *t, int64_t day, int *ret_dropped, Err *reterr)
{
    char day_text[ENGINE_DAY_SIZE];
    engine_format_day(day, day_text);
    *ret_dropped = 0;
    while (*ret_dropped < DROPS_MAX) {
        _cleanup_pgresult_ PGresult *result = NULL;
        Err cause = ERR_INIT;
        int r = store_run(c, "select pganalytics.drop_partition($1, $2, $3)",
                          STORE_PARAMS(t->schema, t->name, day_text), PG_SHAPE_ONE, DDL_TIMEOUT, &result, &cause);
        if (r < 0 && strcmp(cause.sqlstate, "55P03") == 0)
            return 0; /* someone reads it just now */
        if (r < 0) {
            if (reterr)
                *reterr = cause;
            return err_trace(r);
        }
        if (PQgetisnull(result, 0, 0))
            return 0;
        (*ret_dropped)++;
    }
    return 0;
}

const StorageEngine engine_native = {
    .name = "native",
    .fits = native_fits,
    .make_table = native_make_table,
    .make_days = native_make_days,
    .drop_before = native_drop_before,
};
