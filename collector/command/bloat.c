/* SPDX-License-Identifier: PostgreSQL */
/*
 * See bloat.h. Relations are measured in a block that waits 100 ms for a lock and catches what fails, so that one that
 * is locked or dropped meanwhile is told here and leaves no error in the server's log.
 */
#include "collector/command/bloat.h"

#include <inttypes.h>
#include <time.h>

#include "collector/server/server_connect.h"
#include "collector/settings/settings.h"

#define MEASURE_TIMEOUT (30 * 60 * USEC_PER_SEC) /* of one relation */
#define ANSWER_TIMEOUT  (10 * USEC_PER_SEC)
#define PAUSE_MAX       (60 * USEC_PER_SEC)

enum { RELATIONS_MAX = 50 };

static const char EXTENSION_SQL[] =
    "select quote_ident(n.nspname), has_function_privilege(p.oid, 'execute'), has_schema_privilege(n.oid, 'usage')"
    " from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace"
    " join pg_catalog.pg_proc p on p.pronamespace = n.oid and p.proname = 'pgstattuple_approx'"
    " where e.extname = 'pgstattuple'";

/* $1: a table's name with or without its schema, or NULL; $2: bytes that are not too many; $3: how many. */
static const char LIST_SQL[] =
    "select c.oid, n.nspname || '.' || c.relname, case c.relkind when 'i' then 'index' else 'table' end,"
    " c.relpages::int8 * current_setting('block_size')::int8,"
    " c.relpages::int8 * current_setting('block_size')::int8 <= $2::int8"
    " from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
    " left join pg_catalog.pg_index i on i.indexrelid = c.oid left join pg_catalog.pg_am a on a.oid = c.relam"
    " left join pg_catalog.pg_class t on t.oid = coalesce(i.indrelid, c.oid)"
    " where (c.relkind in ('r', 'm') or (c.relkind = 'i' and a.amname = 'btree' and i.indisvalid))"
    " and c.relpersistence <> 't' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'"
    " and ($1::text is null or $1 in (t.relname, n.nspname || '.' || t.relname))"
    " order by c.relpages desc, 2 limit $3";

typedef struct Bloat {
    PgConn *conn;
    Buf block; /* measures the relation pganalytics.bloat_relation names */
    int failed;
} Bloat;

static int fail(const Err *err)
{
    cli_print_error(err);
    return 1;
}

/* The result is "bytes free_bytes dead_bytes". A btree page counts as full at the fillfactor of 90. */
static void write_block(Bloat *b, const char *schema)
{
    buf_printf(&b->block,
               "do $$ declare r regclass := current_setting('pganalytics.bloat_relation')::oid::regclass; t record; "
               "begin perform set_config('pganalytics.bloat_error', '', true); "
               "if current_setting('pganalytics.bloat_kind') = 'table' then "
               "select table_len as bytes, approx_free_space as free, dead_tuple_len as dead into t "
               "from %s.pgstattuple_approx(r); "
               "else select index_size as bytes, "
               "(index_size * greatest(0, 1 - coalesce(nullif(avg_leaf_density, 'NaN'), 90) / 90))::int8 as free, "
               "0 as dead into t from %s.pgstatindex(r); end if; "
               "perform set_config('pganalytics.bloat_result', t.bytes || ' ' || t.free::int8 || ' ' || t.dead, true); "
               "exception when others then perform set_config('pganalytics.bloat_error', sqlerrm, true); end $$",
               schema, schema);
}

/* 0 found, 1 told why not. */
static int find_extension(Bloat *b, const char *database)
{
    _cleanup_pgresult_ PGresult *row = NULL;
    Err err = ERR_INIT;
    PgQuery query = {.sql = EXTENSION_SQL, .shape = PG_SHAPE_ROWS, .timeout = ANSWER_TIMEOUT};
    if (pg_conn_query(b->conn, &query, &row, &err) < 0)
        return fail(&err);
    if (PQntuples(row) == 0) {
        (void)err_set(&err, ERR_CONFIG, "extension pgstattuple is not installed in database \"%s\"", database);
        err_hint(&err, "as a superuser there: create extension pgstattuple");
        return fail(&err);
    }
    if (PQgetvalue(row, 0, 1)[0] != 't') {
        (void)err_set(&err, ERR_CONFIG, "the role may not measure in database \"%s\"", database);
        err_hint(&err, "grant pg_monitor, or pg_stat_scan_tables, to the role");
        return fail(&err);
    }
    if (PQgetvalue(row, 0, 2)[0] != 't') {
        (void)err_set(&err, ERR_CONFIG, "the role may not use schema %s, where pgstattuple is", PQgetvalue(row, 0, 0));
        err_hint(&err, "grant usage on schema %s to the role", PQgetvalue(row, 0, 0));
        return fail(&err);
    }
    write_block(b, PQgetvalue(row, 0, 0));
    return 0;
}

static int run_in_transaction(Bloat *b, const char *const *params, PGresult **ret, Err *reterr)
{
    PgQuery set = {.sql = "select set_config('pganalytics.bloat_relation', $1, true),"
                          " set_config('pganalytics.bloat_kind', $2, true), set_config('lock_timeout', '100ms', true)",
                   .params = params,
                   .param_count = 2,
                   .shape = PG_SHAPE_ROWS,
                   .timeout = ANSWER_TIMEOUT};
    _cleanup_pgresult_ PGresult *ignored = NULL;
    int r = pg_conn_query(b->conn, &set, &ignored, reterr);
    if (r >= 0)
        r = pg_conn_command(b->conn, buf_cstr(&b->block), MEASURE_TIMEOUT, reterr);
    PgQuery get = {.sql = "select split_part(v, ' ', 1), split_part(v, ' ', 2), split_part(v, ' ', 3),"
                          " current_setting('pganalytics.bloat_error')"
                          " from current_setting('pganalytics.bloat_result', true) as v",
                   .shape = PG_SHAPE_ONE,
                   .timeout = ANSWER_TIMEOUT};
    if (r >= 0)
        r = pg_conn_query(b->conn, &get, ret, reterr);
    return r;
}

static int measure(Bloat *b, const char *const *params, PGresult **ret, Err *reterr)
{
    int r = pg_conn_command(b->conn, "begin transaction read only", ANSWER_TIMEOUT, reterr);
    if (r < 0)
        return err_trace(r);
    r = run_in_transaction(b, params, ret, reterr);
    if (!pg_conn_usable(b->conn))
        return err_trace(r);
    int ended = pg_conn_command(b->conn, "rollback", ANSWER_TIMEOUT, r < 0 ? NULL : reterr);
    return err_trace(r < 0 ? r : ended);
}

static void print_measured(const char *name, const char *kind, const PGresult *row)
{
    int64_t bytes = 0, free_bytes = 0, dead_bytes = 0;
    if (!slice_to_int64(slice_cstr(PQgetvalue(row, 0, 0)), &bytes) ||
        !slice_to_int64(slice_cstr(PQgetvalue(row, 0, 1)), &free_bytes) ||
        !slice_to_int64(slice_cstr(PQgetvalue(row, 0, 2)), &dead_bytes)) {
        cli_print(stdout, "%-48s %-6s not measured\n", name, kind);
        return;
    }
    double share = bytes > 0 ? 100.0 * (double)(free_bytes + dead_bytes) / (double)bytes : 0;
    cli_print(stdout, "%-48s %-6s %14" PRId64 " %14" PRId64 " %14" PRId64 " %6.1f %%\n", name, kind, bytes, free_bytes,
              dead_bytes, share);
}

/* As long as the relation took: the server has half of its time to itself. */
static void pause_for(Usec duration)
{
    Usec pause = duration < PAUSE_MAX ? duration : PAUSE_MAX;
    struct timespec left = {.tv_sec = pause / USEC_PER_SEC, .tv_nsec = pause % USEC_PER_SEC * 1000};
    (void)fflush(stdout);                  /* for whoever watches */
    while (nanosleep(&left, &left) != 0) { /* allowed: the pause is the purpose */
    }
}

static void measure_listed(Bloat *b, const PGresult *list, int at)
{
    const char *name = PQgetvalue(list, at, 1), *kind = PQgetvalue(list, at, 2);
    if (PQgetvalue(list, at, 4)[0] != 't') {
        cli_print(stdout, "%-48s %-6s %14s larger than --max-bytes, left out\n", name, kind, PQgetvalue(list, at, 3));
        return;
    }
    const char *params[] = {PQgetvalue(list, at, 0), kind};
    _cleanup_pgresult_ PGresult *row = NULL;
    Err err = ERR_INIT;
    Usec begun = clock_monotonic();
    int r = measure(b, params, &row, &err);
    const char *problem = r < 0 || !row ? err.detail : PQgetvalue(row, 0, 3);
    if (problem[0]) {
        cli_print(stdout, "%-48s %-6s not measured: %s\n", name, kind, problem);
        b->failed = 1;
    } else {
        print_measured(name, kind, row);
    }
    if (at + 1 < PQntuples(list))
        pause_for(clock_monotonic() - begun);
}

static int measure_all(Bloat *b, const Cli *cli, uint64_t max_bytes)
{
    _cleanup_buf_ Buf limit = BUF_INIT, count = BUF_INIT;
    buf_append_int64(&limit, (int64_t)max_bytes);
    buf_append_int64(&count, RELATIONS_MAX);
    const char *params[] = {cli->table, buf_cstr(&limit), buf_cstr(&count)};
    _cleanup_pgresult_ PGresult *list = NULL;
    Err err = ERR_INIT;
    PgQuery query = {
        .sql = LIST_SQL, .params = params, .param_count = 3, .shape = PG_SHAPE_ROWS, .timeout = ANSWER_TIMEOUT};
    if (pg_conn_query(b->conn, &query, &list, &err) < 0)
        return fail(&err);
    if (PQntuples(list) == 0 && cli->table) {
        (void)err_set(&err, ERR_NOT_FOUND, "there is no table %s in this database", cli->table);
        return fail(&err);
    }
    cli_print(stdout, "%-48s %-6s %14s %14s %14s %8s\n", "relation", "kind", "bytes", "free", "dead", "share");
    for (int i = 0; i < PQntuples(list) && pg_conn_usable(b->conn); i++)
        measure_listed(b, list, i);
    if (PQntuples(list) == RELATIONS_MAX)
        cli_print(stdout, "These are the %d largest; others with --table.\n", RELATIONS_MAX);
    return b->failed || !pg_conn_usable(b->conn);
}

static const ServerSettings *find_server(const Settings *settings, const char *name, Err *reterr)
{
    for (size_t i = 0; i < settings->server_count; i++) {
        if (name ? strcmp(settings->servers[i].name, name) == 0 : settings->server_count == 1)
            return &settings->servers[i];
    }
    if (name)
        (void)err_set(reterr, ERR_USAGE, "the settings have no server \"%s\"", name);
    else
        (void)err_set(reterr, ERR_USAGE, "the settings have %zu servers: say which with --server",
                      settings->server_count);
    return NULL;
}

int bloat_run(const char *config, const Cli *cli)
{
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    _cleanup_(settings_unrefp) SettingsRef *ref = settings_load(config, diags);
    Err err = ERR_INIT;
    uint64_t max_bytes = (uint64_t)10 << 30;
    if (!ref) {
        conf_diags_print_file(diags, stderr);
        return 2;
    }
    if (cli->max_bytes && (!slice_to_bytes(slice_cstr(cli->max_bytes), &max_bytes) || max_bytes > INT64_MAX)) {
        (void)err_set(&err, ERR_USAGE, "--max-bytes \"%s\" is not a size, for example 10GB", cli->max_bytes);
        (void)fail(&err);
        return 2;
    }
    const ServerSettings *server = find_server(settings_get(ref), cli->server, &err);
    if (!server) {
        (void)fail(&err);
        return 2;
    }
    _cleanup_(pg_conn_closep) PgConn *conn = NULL;
    ServerConnect connect = {.server = server,
                             .database = cli->database,
                             .application_name = "pganalytics bloat",
                             .statement_timeout = MEASURE_TIMEOUT};
    if (server_connect(&connect, &conn, &err) < 0)
        return fail(&err);
    Bloat b = {.conn = conn};
    int status = find_extension(&b, cli->database ? cli->database : server->database);
    if (status == 0)
        status = measure_all(&b, cli, max_bytes);
    buf_done(&b.block);
    return status;
}
