/* SPDX-License-Identifier: PostgreSQL */
/* Statements on servers that hang or leave; what needs a real server is in tests/support/pg_conn_check.c. */
#include "lib/pg/conn.h"
#include "scripted_server.h"

static PgConn *open_conn(const ScriptedServer *s)
{
    char conninfo[256];
    (void)snprintf(conninfo, sizeof(conninfo), "host=%s port=%s", s->directory, s->port);
    PgConn *c = NULL;
    Err err = ERR_INIT;
    PgConnOptions options = {.conninfo = conninfo, .connect_timeout = 5 * USEC_PER_SEC};
    assert_ok(pg_conn_open(&c, &options, &err), &err);
    return c;
}

/* A server that answers the startup and then nothing: the statement ends at its deadline, the connection is given up.
 */
static void silent_statement_ends_at_its_deadline(void **state)
{
    (void)state;
    ScriptedServer s;
    scripted_server_start(&s, "5432", slice_from(welcome, sizeof(welcome) - 1), false);
    PgConn *c = open_conn(&s);
    Err err = ERR_INIT;
    Usec started = clock_monotonic();
    assert_true(pg_conn_command(c, "begin", 100 * USEC_PER_MSEC, &err) < 0);
    assert_in_range(clock_monotonic() - started, 100 * USEC_PER_MSEC, 40 * USEC_PER_SEC);
    assert_err(&err, ERR_TIMEOUT, "within 100 ms");
    assert_false(pg_conn_usable(c));
    assert_true(pg_conn_command(c, "begin", 100 * USEC_PER_MSEC, &err) < 0);
    assert_int_equal(err.code, ERR_CONNECT);
    pg_conn_close(c);
    scripted_server_stop(&s);
}

static void server_that_leaves_is_a_lost_connection(void **state)
{
    (void)state;
    for (int prepared = 0; prepared < 2; prepared++) {
        ScriptedServer s;
        scripted_server_start(&s, "5432", slice_from(welcome, sizeof(welcome) - 1), true);
        PgConn *c = open_conn(&s);
        Err err = ERR_INIT;
        PgQuery query = {.sql = "select 1", .shape = PG_SHAPE_ONE, .prepared_name = prepared ? "one" : NULL};
        PGresult *result = NULL;
        assert_true(pg_conn_query(c, &query, &result, &err) < 0);
        assert_null(result);
        assert_int_equal(err.code, ERR_CONNECT);
        assert_true(err.detail[0] != '\0' && !strchr(err.detail, '\n'));
        assert_false(pg_conn_usable(c));
        pg_conn_close(c);
        scripted_server_stop(&s);
    }
}

/* A row "7" of a column "n", as the answer to any statement. */
static const char seven[] = "T\0\0\0\32\0\1n\0\0\0\0\0\0\0\0\0\0\31\377\377\377\377\377\377\0\0"
                            "D\0\0\0\13\0\1\0\0\0\1"
                            "7"
                            "C\0\0\0\11SHOW\0"
                            "Z\0\0\0\5I";

/* Consoles of poolers know no other: one message with the text, no parsing and binding before it. */
static void a_simple_statement_is_one_message(void **state)
{
    (void)state;
    ScriptedServer s;
    scripted_server_start(&s, "5432", slice_from(welcome, sizeof(welcome) - 1), false);
    s.reply = slice_from(seven, sizeof(seven) - 1);
    PgConn *c = open_conn(&s);
    Err err = ERR_INIT;
    PgQuery query = {.sql = "show pools", .shape = PG_SHAPE_ROWS, .simple = true, .timeout = 5 * USEC_PER_SEC};
    for (int i = 0; i < 2; i++) {
        PGresult *result = NULL;
        assert_ok(pg_conn_query(c, &query, &result, &err), &err);
        assert_int_equal(PQntuples(result), 1);
        assert_string_equal(PQgetvalue(result, 0, 0), "7");
        PQclear(result);
        assert_memory_equal(s.asked, "Q\0\0\0\17show pools", 1 + 4 + sizeof("show pools"));
        memset(s.asked, 0, sizeof(s.asked));
    }
    assert_true(pg_conn_usable(c));
    pg_conn_close(c);
    scripted_server_stop(&s);
}

static void closing_nothing_is_fine(void **state)
{
    (void)state;
    assert_null(pg_conn_close(NULL));
}

static void quoting_survives_hostile_names(void **state)
{
    (void)state;
    _cleanup_buf_ Buf b = BUF_INIT;
    pg_quote_identifier(&b, SLICE_LIT("a\"b; drop"));
    assert_string_equal(buf_cstr(&b), "\"a\"\"b; drop\"");
    buf_clear(&b);
    pg_quote_literal(&b, SLICE_LIT("it's"));
    assert_string_equal(buf_cstr(&b), "'it''s'");
    buf_clear(&b);
    pg_quote_literal(&b, SLICE_LIT("a\\' or 1"));
    assert_string_equal(buf_cstr(&b), " E'a\\\\'' or 1'");
    buf_clear(&b);
    pg_quote_literal(&b, SLICE_LIT(""));
    assert_string_equal(buf_cstr(&b), "''");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silent_statement_ends_at_its_deadline),
        cmocka_unit_test(server_that_leaves_is_a_lost_connection),
        cmocka_unit_test(a_simple_statement_is_one_message),
        cmocka_unit_test(closing_nothing_is_fine),
        cmocka_unit_test(quoting_survives_hostile_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
