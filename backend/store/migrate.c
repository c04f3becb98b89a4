/* SPDX-License-Identifier: PostgreSQL */
/* Bookkeeping is in pganalytics.migration and pganalytics.repeatable, which are made here: they precede migration 1. */
#include "backend/store/migrate.h"

#include <stdio.h>

#include "backend/store/sql_split.h"
#include "backend/store/store_private.h"

static const Usec STATEMENT_TIMEOUT = 3600 * USEC_PER_SEC; /* a migration may rewrite a large table */

static const char *const BOOKKEEPING[] = {
    "create schema if not exists pganalytics",
    "create table if not exists pganalytics.migration (number integer primary key, name text not null, "
    "checksum text not null, applied_at timestamptz not null default now(), took_ms integer not null default 0)",
    "create table if not exists pganalytics.repeatable (name text primary key, checksum text not null, "
    "applied_at timestamptz not null default now())",
};

unsigned migrate_number(const char *file_name)
{
    Slice s = slice_cstr(file_name);
    int64_t number = 0;
    Slice digits = slice_split(&s, '_');
    return s.ptr && slice_to_int64(digits, &number) && number > 0 && number < 10000 ? (unsigned)number : 0;
}

static int run(PgConn *c, const char *sql, StoreParams params, Err *reterr)
{
    return err_trace(store_run(c, sql, params, PG_SHAPE_NONE, STATEMENT_TIMEOUT, NULL, reterr));
}

static int run_script(PgConn *c, const EmbeddedFile *file, Err *reterr)
{
    Slice rest = embedded_slice(file);
    Slice statement;
    unsigned n = 0;
    while (sql_split_next(&rest, &statement)) {
        n++;
        _cleanup_buf_ Buf sql = BUF_INIT;
        buf_append(&sql, statement);
        _cleanup_pgresult_ PGresult *ignored = NULL; /* "select set_config(...)" and the like may give rows */
        int r = store_run(c, buf_cstr(&sql), STORE_NO_PARAMS, PG_SHAPE_ROWS, STATEMENT_TIMEOUT, &ignored, reterr);
        if (r < 0) {
            err_prefix(reterr, "%s, statement %u", file->name, n);
            return err_trace(r);
        }
    }
    return 0;
}

/* @file and the statement that records it, in one transaction. */
static int run_recorded(PgConn *c, const EmbeddedFile *file, const char *record, StoreParams params, Err *reterr)
{
    int r = run(c, "begin", STORE_NO_PARAMS, reterr);
    if (r < 0)
        return err_trace(r);
    r = run_script(c, file, reterr);
    if (r >= 0)
        r = run(c, record, params, reterr);
    if (r >= 0)
        r = run(c, "commit", STORE_NO_PARAMS, reterr);
    Err ignored = ERR_INIT;
    if (r < 0 && pg_conn_command(c, "rollback", 5 * USEC_PER_SEC, &ignored) < 0)
        log_debug("rolling back by closing the connection"); /* the caller gives up with it */
    return err_trace(r);
}

/* *ret: the first row's first column is 't'. */
static int ask(PgConn *c, const char *sql, StoreParams params, bool *ret, Err *reterr)
{
    _cleanup_pgresult_ PGresult *result = NULL;
    int r = store_run(c, sql, params, PG_SHAPE_ROWS, STATEMENT_TIMEOUT, &result, reterr);
    if (r < 0)
        return err_trace(r);
    *ret = PQntuples(result) > 0 && PQgetvalue(result, 0, 0)[0] == 't';
    return 0;
}

static int refuse_newer(PgConn *c, unsigned newest, Err *reterr)
{
    _cleanup_pgresult_ PGresult *result = NULL;
    int r = store_run(c, "select number, name from pganalytics.migration order by number desc limit 1", STORE_NO_PARAMS,
                      PG_SHAPE_ROWS, STATEMENT_TIMEOUT, &result, reterr);
    if (r < 0 || PQntuples(result) == 0)
        return err_trace(r);
    int64_t number = 0;
    if (slice_to_int64(slice_cstr(PQgetvalue(result, 0, 0)), &number) && number <= (int64_t)newest)
        return 0;
    r = err_set(reterr, ERR_CONFLICT, "the store has migration %s, this program knows them up to %u",
                PQgetvalue(result, 0, 1), newest);
    err_hint(reterr, "a newer version of pganalytics-api has used this store: run that version");
    return r;
}

static int apply_one(PgConn *c, const EmbeddedFile *file, unsigned number, unsigned *ret_applied, Err *reterr)
{
    char number_text[16];
    (void)snprintf(number_text, sizeof number_text, "%u", number); /* fits */
    bool is_there = false;
    bool is_same = false;
    int r = ask(c, "select true from pganalytics.migration where number = $1", STORE_PARAMS(number_text), &is_there,
                reterr);
    if (r >= 0 && is_there)
        r = ask(c,
                "select checksum = encode(sha256(convert_to($2, 'UTF8')), 'hex') from pganalytics.migration "
                "where number = $1",
                STORE_PARAMS(number_text, file->text), &is_same, reterr);
    if (r < 0)
        return err_trace(r);
    if (is_there && !is_same) {
        r = err_set(reterr, ERR_CONFLICT, "migration %s was changed after it was applied to this store", file->name);
        err_hint(reterr, "migrations are never changed once released: restore the file and add a new migration");
        return r;
    }
    if (is_there)
        return 0;

    Usec begin = clock_monotonic();
    r = run_recorded(c, file,
                     "insert into pganalytics.migration (number, name, checksum, took_ms) values ($1, $2, "
                     "encode(sha256(convert_to($3, 'UTF8')), 'hex'), "
                     "(extract(epoch from clock_timestamp() - now()) * 1000)::integer)",
                     STORE_PARAMS(number_text, file->name, file->text), reterr);
    if (r < 0) {
        err_prefix(reterr, "migration failed and was rolled back");
        return err_trace(r);
    }
    log_info("migration applied", log_str("migration", file->name),
             log_int("took_ms", (clock_monotonic() - begin) / USEC_PER_MSEC));
    (*ret_applied)++;
    return 0;
}

int migrate_apply(PgConn *c, const EmbeddedFile *files, size_t count, unsigned *ret_applied, Err *reterr)
{
    *ret_applied = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(BOOKKEEPING); i++) {
        int r = run(c, BOOKKEEPING[i], STORE_NO_PARAMS, reterr);
        if (r < 0)
            return err_trace(r);
    }
    int r = refuse_newer(c, count ? migrate_number(files[count - 1].name) : 0, reterr);
    for (size_t i = 0; r >= 0 && i < count; i++)
        r = apply_one(c, &files[i], migrate_number(files[i].name), ret_applied, reterr);
    return err_trace(r);
}

int migrate_renew_functions(PgConn *c, const EmbeddedFile *files, size_t count, unsigned *ret_renewed, Err *reterr)
{
    *ret_renewed = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_same = false;
        int r = ask(c,
                    "select checksum = encode(sha256(convert_to($2, 'UTF8')), 'hex') from pganalytics.repeatable "
                    "where name = $1",
                    STORE_PARAMS(files[i].name, files[i].text), &is_same, reterr);
        if (r >= 0 && !is_same) {
            r = run_recorded(c, &files[i],
                             "insert into pganalytics.repeatable (name, checksum) values ($1, "
                             "encode(sha256(convert_to($2, 'UTF8')), 'hex')) on conflict (name) do update "
                             "set checksum = excluded.checksum, applied_at = now()",
                             STORE_PARAMS(files[i].name, files[i].text), reterr);
            (*ret_renewed)++;
        }
        if (r < 0)
            return err_trace(r);
    }
    return 0;
}
