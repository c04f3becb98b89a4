/* SPDX-License-Identifier: PostgreSQL */
/* See server_connect.h. */
#include "collector/server/server_connect.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/base/memory.h"
#include "lib/io/file.h"
#include "lib/io/process.h"

enum { PASSWORD_FILE_MAX = 4096 };
#define COMMAND_TIMEOUT (10 * USEC_PER_SEC)

/* Settings that not every version has: those that are there are set behind the connect ($1: for this transaction). With
 * "cache" a statement looks up the counters of an object once and not for each column, which also keeps them in step
 * with each other; every statement is a transaction of its own, so nothing older than the statement is ever seen. */
static const char SETTLE_SQL[] =
    "select string_agg(s.name || '=' || set_config(s.name, v.value, $1::bool), ','),"
    " current_setting('standard_conforming_strings'), current_user"
    " from (values ('stats_fetch_consistency', 'cache'), ('idle_session_timeout', '0'), ('transaction_timeout', '0'),"
    " ('jit', 'off')) v(name, value) join pg_catalog.pg_settings s on s.name = v.name";

static void wipe(Buf *secret)
{
    if (secret->len)
        explicit_bzero(secret->ptr, secret->len);
}

/* Its output may be a secret, so nothing of it gets into the error. */
static int run_password_command(const ServerSettings *server, Buf *ret, Err *reterr)
{
    const ConfStringList *command = &server->password_command;
    const char **argv = mem_alloc_array(sizeof(*argv), command->count + 1);
    for (size_t i = 0; i < command->count; i++)
        argv[i] = command->items[i];
    ret->limit = PASSWORD_FILE_MAX;
    buf_reserve(ret, PASSWORD_FILE_MAX); /* growing would leave copies behind */
    const ProcessOptions options = {.argv = argv, .quiet = true, .die_with_parent = true};
    const int r = process_run(&options, COMMAND_TIMEOUT, ret, NULL);
    free((void *)argv);
    const Slice text = buf_slice(ret);
    const char *end = memchr(text.ptr, '\n', text.len);
    ret->len = end ? (size_t)(end - text.ptr) : text.len;
    if (ret->ptr)
        ret->ptr[ret->len] = '\0';
    if (r == 0 && ret->len > 0 && ret->len < PASSWORD_FILE_MAX)
        return 0;
    const int failed = err_set(reterr, ERR_CREDENTIALS, "password_command %s %s", command->items[0],
                               r < 0 ? "failed, or took more than ten seconds" : "gave no password");
    err_hint(reterr, "run it as the collector's user and see; what it prints is not logged");
    return failed;
}

/* The file may be rotated: it is read at each connect. */
static int read_password(const ServerSettings *server, Buf *ret, Err *reterr)
{
    if (server->password_command.count > 0)
        return run_password_command(server, ret, reterr);
    if (!server->password_file[0]) {
        buf_append_cstr(ret, server->password);
        return 0;
    }
    int r = file_read_all(server->password_file, PASSWORD_FILE_MAX, ret, reterr);
    if (r < 0)
        return err_trace(r);
    while (ret->len && (ret->ptr[ret->len - 1] == '\n' || ret->ptr[ret->len - 1] == '\r'))
        ret->ptr[--ret->len] = '\0';
    return 0;
}

static const struct {
    const char *sqlstate, *cure;
} CURES[] = {
    {"28P01", "the password is read from password_file at each connect"},
    {"28000", "pg_hba.conf must let this role in from here"},
    {"42501", "grant connect on the database to the role, or leave it out with exclude_databases"},
    {"53300", "three connections are used: raise the role's connection limit or max_connections, or, from 16 on, grant"
              " pg_use_reserved_connections to the role"},
};

static void advise(Err *err)
{
    for (size_t i = 0; err && i < ARRAY_LENGTH(CURES); i++) {
        if (strcmp(err->sqlstate, CURES[i].sqlstate) == 0 && !err->hint[0])
            err_hint(err, "%s", CURES[i].cure);
    }
}

int server_connect(const ServerConnect *connect, PgConn **ret, Err *reterr)
{
    const char *database = connect->database ? connect->database : connect->server->database;
    _cleanup_buf_ Buf conninfo = BUF_INIT, password = BUF_INIT;
    server_settings_conninfo(connect->server, &conninfo);
    int r = read_password(connect->server, &password, reterr);
    if (r < 0) {
        wipe(&password);
        return err_trace(r);
    }

    char statement_timeout[48];
    (void)snprintf(statement_timeout, sizeof(statement_timeout), "statement_timeout=%" PRId64,
                   connect->statement_timeout / USEC_PER_MSEC);
    const char *const settings[] = {"default_transaction_read_only=on",
                                    "lock_timeout=100",
                                    statement_timeout,
                                    "search_path=pg_catalog",
                                    "max_parallel_workers_per_gather=0",
                                    NULL};
    PgConnOptions options = {
        .conninfo = buf_cstr(&conninfo),
        .password = password.len ? buf_cstr(&password) : NULL,
        .database = database[0] ? database : NULL,
        .application_name = connect->application_name ? connect->application_name : "pganalytics",
        .settings = settings,
        .route = connect->like ? pg_conn_route(connect->like) : PG_ROUTE_LOOK,
    };
    r = pg_conn_open(ret, &options, reterr);
    wipe(&password);
    wipe(&conninfo);
    if (r < 0)
        advise(reterr);
    return err_trace(r);
}

/* @settings: "name=value,...", which each transaction to come needs anew. */
static void settle_transactions(PgConn *conn, const char *settings)
{
    for (Slice rest = slice_cstr(settings); rest.ptr && rest.len > 0;) {
        Slice value = slice_split(&rest, ',');
        _cleanup_buf_ Buf name = BUF_INIT, text = BUF_INIT;
        buf_append(&name, slice_split(&value, '='));
        buf_append(&text, value);
        pg_conn_set_local(conn, buf_cstr(&name), buf_cstr(&text));
    }
}

int server_connect_console(const ServerSettings *server, const char *database, Usec timeout, PgConn **ret, Err *reterr)
{
    _cleanup_buf_ Buf conninfo = BUF_INIT, password = BUF_INIT;
    server_settings_conninfo(server, &conninfo);
    int r = read_password(server, &password, reterr);
    if (r < 0)
        return err_trace(r);
    PgConnOptions options = {.conninfo = buf_cstr(&conninfo),
                             .password = password.len ? buf_cstr(&password) : NULL,
                             .database = database,
                             .connect_timeout = timeout};
    r = pg_conn_open(ret, &options, reterr);
    wipe(&password);
    wipe(&conninfo);
    return err_trace(r);
}

int server_settle(PgConn *conn, Usec timeout, ServerSettled *ret, Err *reterr)
{
    _cleanup_pgresult_ PGresult *row = NULL;
    bool pooled = pg_conn_route(conn) == PG_ROUTE_POOLED;
    const char *const params[] = {pooled ? "true" : "false"};
    PgQuery query = {.sql = SETTLE_SQL, .params = params, .param_count = 1, .shape = PG_SHAPE_ONE, .timeout = timeout};
    int r = pg_conn_query(conn, &query, &row, reterr);
    if (r < 0)
        return err_trace(r);
    if (pooled)
        settle_transactions(conn, PQgetvalue(row, 0, 0));
    *ret = (ServerSettled){.backslash_escapes = strcmp(PQgetvalue(row, 0, 1), "off") == 0};
    (void)snprintf(ret->role, sizeof(ret->role), "%s", PQgetvalue(row, 0, 2));
    return 0;
}
