/* SPDX-License-Identifier: PostgreSQL */
/* lib/pg against a real server; run by tests/sql/test_pg_conn.py, which starts the server and gives its PGA_TEST_DSN.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/pg/conn.h"
#include "lib/pg/copy.h"

static PgConn *connect_with(const char *const *settings)
{
    PgConn *c = NULL;
    Err err = ERR_INIT;
    PgConnOptions options = {.conninfo = getenv("PGA_TEST_DSN"), .settings = settings};
    if (pg_conn_open(&c, &options, &err) < 0)
        fail_msg("%s", err.detail);
    return c;
}

static int open_conn(void **state)
{
    *state = connect_with(NULL);
    return 0;
}

static int close_conn(void **state)
{
    pg_conn_close(*state);
    return 0;
}

/* The one value of @sql; for checks. */
static const char *value(PgConn *c, const char *sql)
{
    static char text[256];
    _cleanup_pgresult_ PGresult *r = NULL;
    Err err = ERR_INIT;
    if (pg_conn_query(c, &(PgQuery){.sql = sql, .shape = PG_SHAPE_ONE}, &r, &err) < 0)
        fail_msg("%s: %s", sql, err.detail);
    (void)snprintf(text, sizeof(text), "%s", PQgetvalue(r, 0, 0));
    return text;
}

static void command(PgConn *c, const char *sql)
{
    Err err = ERR_INIT;
    if (pg_conn_command(c, sql, 0, &err) < 0)
        fail_msg("%s: %s", sql, err.detail);
}

static void settings_and_name_are_set_at_connect(void **state)
{
    (void)state;
    static const char *const settings[] = {"jit=off", "statement_timeout=4321", "search_path=pg_catalog, \"a b\\c\"",
                                           NULL};
    _cleanup_(pg_conn_closep) PgConn *c = connect_with(settings);
    assert_string_equal(value(c, "select current_setting('jit')"), "off");
    assert_string_equal(value(c, "select current_setting('statement_timeout')"), "4321ms");
    assert_string_equal(value(c, "select current_setting('search_path')"), "pg_catalog, \"a b\\c\"");
    assert_string_equal(value(c, "select current_setting('application_name')"), "pganalytics");
    assert_string_equal(value(c, "select current_setting('client_encoding')"), "UTF8");
}

static void refused_database_gives_sqlstate(void **state)
{
    (void)state;
    PgConn *c = NULL;
    Err err = ERR_INIT;
    PgConnOptions options = {.conninfo = getenv("PGA_TEST_DSN"), .database = "no such database"};
    assert_true(pg_conn_open(&c, &options, &err) < 0);
    assert_string_equal(err.sqlstate, "3D000");
    assert_non_null(strstr(err.detail, "\"no such database\" does not exist"));
}

static void parameters_are_bound(void **state)
{
    PgConn *c = *state;
    static const char *const params[] = {"it's; drop table x", NULL};
    PgQuery query = {
        .sql = "select $1::text, $2::text is null", .params = params, .param_count = 2, .shape = PG_SHAPE_ONE};
    for (int i = 0; i < 2; i++, query.prepared_name = "echo") {
        _cleanup_pgresult_ PGresult *r = NULL;
        assert_int_equal(pg_conn_query(c, &query, &r, NULL), 0);
        assert_string_equal(PQgetvalue(r, 0, 0), params[0]);
        assert_string_equal(PQgetvalue(r, 0, 1), "t");
    }
}

static void one_string_is_one_statement(void **state)
{
    Err err = ERR_INIT;
    assert_true(pg_conn_command(*state, "select 1; select 2", 0, &err) < 0);
    assert_string_equal(err.sqlstate, "42601");
}

static void shapes_are_checked(void **state)
{
    PgConn *c = *state;
    static const struct {
        const char *sql;
        PgShape shape;
        int code; /* ERR_NONE: good */
    } cases[] = {
        {"select 1", PG_SHAPE_ONE, ERR_NONE},
        {"select 1 where false", PG_SHAPE_ONE, ERR_INTERNAL},
        {"select generate_series(1, 2)", PG_SHAPE_ONE, ERR_INTERNAL},
        {"select generate_series(1, 2)", PG_SHAPE_ROWS, ERR_NONE},
        {"select 1 where false", PG_SHAPE_ROWS, ERR_NONE},
        {"select 1", PG_SHAPE_NONE, ERR_INTERNAL},
        {"set jit = off", PG_SHAPE_NONE, ERR_NONE},
        {"set jit = off", PG_SHAPE_ONE, ERR_INTERNAL},
        {"copy (select 1) to stdout", PG_SHAPE_ROWS, ERR_INTERNAL},
        {"select 1/0", PG_SHAPE_ROWS, ERR_SQL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_pgresult_ PGresult *r = NULL;
        Err err = ERR_INIT;
        int result = pg_conn_query(c, &(PgQuery){.sql = cases[i].sql, .shape = cases[i].shape}, &r, &err);
        if ((result < 0) != (cases[i].code != ERR_NONE) || (int)err.code != cases[i].code)
            fail_msg("%s: %d %s", cases[i].sql, result, err.detail);
        if (!pg_conn_usable(c)) { /* a COPY that nobody reads costs the connection, not more */
            pg_conn_close(c);
            *state = c = connect_with(NULL);
        }
    }
}

static void failure_has_sqlstate_message_and_hint(void **state)
{
    Err err = ERR_INIT;
    assert_true(pg_conn_command(*state, "select no_such_function(1)", 0, &err) < 0);
    assert_int_equal(err.code, ERR_SQL);
    assert_string_equal(err.sqlstate, "42883");
    assert_string_equal(err.detail, "function no_such_function(integer) does not exist");
    assert_non_null(strstr(err.hint, "No function matches"));
    assert_string_equal(value(*state, "select 1"), "1");
}

static void slow_statement_is_cancelled_and_the_connection_lives(void **state)
{
    PgConn *c = *state;
    command(c, "begin");
    Err err = ERR_INIT;
    Usec started = clock_monotonic();
    PgQuery query = {.sql = "select pg_sleep(60)", .shape = PG_SHAPE_ROWS, .timeout = 100 * USEC_PER_MSEC};
    PGresult *r = NULL;
    assert_true(pg_conn_query(c, &query, &r, &err) < 0);
    assert_in_range(clock_monotonic() - started, 100 * USEC_PER_MSEC, 40 * USEC_PER_SEC);
    assert_int_equal(err.code, ERR_TIMEOUT);
    assert_null(r);
    assert_true(pg_conn_usable(c));
    command(c, "rollback");
    /* A cancel that came late would hit one of these. */
    for (int i = 0; i < 50; i++)
        assert_string_equal(value(c, "select 1"), "1");
}

static void the_servers_timeout_is_a_timeout(void **state)
{
    PgConn *c = *state;
    command(c, "set statement_timeout = 50");
    Err err = ERR_INIT;
    PGresult *r = NULL;
    assert_true(pg_conn_query(c, &(PgQuery){.sql = "select pg_sleep(60)", .shape = PG_SHAPE_ROWS}, &r, &err) < 0);
    assert_int_equal(err.code, ERR_TIMEOUT);
    assert_string_equal(err.sqlstate, "57014");
    assert_true(pg_conn_usable(c));
}

static void killed_connection_is_lost(void **state)
{
    PgConn *c = *state;
    _cleanup_(pg_conn_closep) PgConn *other = connect_with(NULL);
    char sql[64];
    (void)snprintf(sql, sizeof(sql), "select pg_terminate_backend(%d)", pg_conn_backend_pid(c));
    assert_string_equal(value(other, sql), "t");
    Err err = ERR_INIT;
    assert_true(pg_conn_command(c, "begin", 0, &err) < 0);
    assert_int_equal(err.code, ERR_CONNECT);
    assert_false(pg_conn_usable(c));
}

static void stale_prepared_statement_is_prepared_anew(void **state)
{
    PgConn *c = *state;
    command(c, "create temp table t as select 1 as a");
    PgQuery query = {.sql = "select * from t", .shape = PG_SHAPE_ROWS, .prepared_name = "all"};
    for (int round = 0; round < 2; round++) {
        PGresult *r = NULL;
        assert_int_equal(pg_conn_query(c, &query, &r, NULL), 0);
        PQclear(r);
        command(c, round == 0 ? "alter table t add b int" : "deallocate all");
        Err err = ERR_INIT;
        assert_true(pg_conn_query(c, &query, &r, &err) < 0);
        assert_string_equal(err.sqlstate, round == 0 ? "0A000" : "26000");
        assert_int_equal(pg_conn_query(c, &query, &r, &err), 0);
        PQclear(r);
    }
}

typedef struct Count {
    int rows, stop_at;
    int64_t sum;
} Count;

static int count_row(void *arg, const PGresult *result, int row)
{
    Count *n = arg;
    assert_int_equal(PQntuples(result), 1);
    n->rows++;
    n->sum += strtoll(PQgetvalue(result, row, 0), NULL, 10);
    return n->rows == n->stop_at ? -7 : 0;
}

static void rows_come_one_at_a_time(void **state)
{
    PgConn *c = *state;
    Count n = {0};
    PgQuery query = {.sql = "select generate_series(1, 100000)", .shape = PG_SHAPE_ROWS};
    assert_int_equal(pg_conn_query_each(c, &query, count_row, &n, NULL), 0);
    assert_int_equal(n.rows, 100000);
    assert_int_equal(n.sum, 5000050000);

    n = (Count){.stop_at = 3};
    query.sql = "select generate_series(1, 100000000)";
    assert_int_equal(pg_conn_query_each(c, &query, count_row, &n, NULL), -7);
    assert_int_equal(n.rows, 3);
    assert_true(pg_conn_usable(c));

    n = (Count){0};
    Err err = ERR_INIT;
    query.sql = "select 1 / (3 - i) from generate_series(1, 5) i";
    assert_true(pg_conn_query_each(c, &query, count_row, &n, &err) < 0);
    assert_int_equal(n.rows, 2);
    assert_string_equal(err.sqlstate, "22012");
    assert_string_equal(value(c, "select 1"), "1");
}

static void copy_binary_takes_every_type(void **state)
{
    PgConn *c = *state;
    command(c, "create temp table t (a int4, b int8, c float8, d bool, e text, f jsonb, g timestamptz, h int4)");
    _cleanup_buf_ Buf b = BUF_INIT;
    pg_copy_begin(&b);
    pg_copy_row(&b, 8);
    pg_copy_int4(&b, INT32_MIN);
    pg_copy_int8(&b, INT64_MAX);
    pg_copy_float8(&b, -0.1);
    pg_copy_bool(&b, true);
    pg_copy_text(&b, SLICE_LIT("h\xc3\xa9llo\n\t\\"));
    pg_copy_jsonb(&b, SLICE_LIT("{\"a\": [1, null]}"));
    pg_copy_timestamptz(&b, (Usec)1700000000 * USEC_PER_SEC + 123456);
    pg_copy_null(&b);
    pg_copy_end(&b);
    Err err = ERR_INIT;
    if (pg_conn_copy_in(c, "copy t from stdin (format binary)", buf_slice(&b), 0, &err) < 0)
        fail_msg("%s", err.detail);
    assert_string_equal(value(c, "select (a = -2147483648 and b = 9223372036854775807 and c = -0.1 and d and"
                                 " e = E'h\\u00e9llo\\n\\t\\\\' and f = '{\"a\": [1, null]}' and"
                                 " g = '2023-11-14 22:13:20.123456+00' and h is null)::text from t"),
                        "true");
}

static void fill(Buf *b, int rows, int bad_row)
{
    static char filler[1000];
    memset(filler, 'x', sizeof(filler));
    pg_copy_begin(b);
    for (int i = 0; i < rows; i++) {
        pg_copy_row(b, 2);
        pg_copy_int4(b, i == bad_row ? 0 : i);
        pg_copy_text(b, slice_from(filler, sizeof(filler)));
    }
    pg_copy_end(b);
}

static void long_copy_arrives_whole_or_not_at_all(void **state)
{
    PgConn *c = *state;
    enum { ROWS = 40000 }; /* 40 MB: many times what sockets hold */
    command(c, "create temp table t (a int4 primary key, b text)");
    _cleanup_buf_ Buf good = BUF_INIT, bad = BUF_INIT;
    fill(&good, ROWS, -1);
    fill(&bad, ROWS, 20);
    Err err = ERR_INIT;
    assert_true(pg_conn_copy_in(c, "copy t from stdin (format binary)", buf_slice(&bad), 0, &err) < 0);
    assert_int_equal(err.code, ERR_SQL);
    assert_string_equal(err.sqlstate, "23505");
    assert_string_equal(value(c, "select count(*) from t"), "0");
    assert_int_equal(pg_conn_copy_in(c, "copy t from stdin (format binary)", buf_slice(&good), 0, &err), 0);
    assert_string_equal(value(c, "select count(*) from t"), "40000");
    assert_true(pg_conn_copy_in(c, "select 1", buf_slice(&good), 0, &err) < 0);
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_string_equal(value(c, "select 1"), "1");
}

static void copy_that_waits_for_a_lock_ends_at_its_deadline(void **state)
{
    PgConn *c = *state;
    _cleanup_(pg_conn_closep) PgConn *other = connect_with(NULL);
    command(other, "drop table if exists held");
    command(other, "create table held (a int4, b text)");
    command(other, "begin");
    command(other, "lock table held");
    _cleanup_buf_ Buf b = BUF_INIT;
    fill(&b, 10000, -1);
    Err err = ERR_INIT;
    Usec started = clock_monotonic();
    assert_true(pg_conn_copy_in(c, "copy held from stdin (format binary)", buf_slice(&b), 200 * USEC_PER_MSEC, &err) <
                0);
    assert_in_range(clock_monotonic() - started, 200 * USEC_PER_MSEC, 40 * USEC_PER_SEC);
    assert_int_equal(err.code, ERR_TIMEOUT);
    command(other, "rollback");
    command(other, "drop table held");
    assert_true(pg_conn_usable(c));
    assert_string_equal(value(c, "select 1"), "1");
}

static void large_parameters_do_not_block_the_socket(void **state)
{
    PgConn *c = *state;
    size_t len = 8 << 20;
    char *text = malloc(len + 1);
    assert_non_null(text);
    memset(text, 'y', len);
    text[len] = '\0';
    const char *const params[] = {text, text};
    PgQuery query = {.sql = "select length($1 || $2), $1", .params = params, .param_count = 2, .shape = PG_SHAPE_ONE};
    _cleanup_pgresult_ PGresult *r = NULL;
    assert_int_equal(pg_conn_query(c, &query, &r, NULL), 0);
    assert_string_equal(PQgetvalue(r, 0, 0), "16777216");
    free(text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_conn, close_conn)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_and_name_are_set_at_connect),
        cmocka_unit_test(refused_database_gives_sqlstate),
        TEST(parameters_are_bound),
        TEST(one_string_is_one_statement),
        TEST(shapes_are_checked),
        TEST(failure_has_sqlstate_message_and_hint),
        TEST(slow_statement_is_cancelled_and_the_connection_lives),
        TEST(the_servers_timeout_is_a_timeout),
        TEST(killed_connection_is_lost),
        TEST(stale_prepared_statement_is_prepared_anew),
        TEST(rows_come_one_at_a_time),
        TEST(copy_binary_takes_every_type),
        TEST(long_copy_arrives_whole_or_not_at_all),
        TEST(copy_that_waits_for_a_lock_ends_at_its_deadline),
        TEST(large_parameters_do_not_block_the_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
