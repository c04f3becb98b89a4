/* SPDX-License-Identifier: PostgreSQL */
/* Connecting to servers that refuse, hang or are not there. */
#include "lib/pg/conn.h"
#include "scripted_server.h"

/* ErrorResponse: severity, SQLSTATE, message, file, line. */
static const char refusal[] = "SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"joe\" "
                              "(tried s3cret!pw)\0Fauth.c\0L343\0Rauth_failed\0";
static int open_conn(const char *conninfo, Usec timeout, PgConn **ret, Err *err)
{
    PgConnOptions options = {.conninfo = conninfo, .connect_timeout = timeout};
    return pg_conn_open(ret, &options, err);
}

static void put_refusal(Buf *out)
{
    size_t len = sizeof(refusal) + 4; /* the last terminator is the literal's own NUL */
    buf_append_char(out, 'E');
    const char be[4] = {0, 0, (char)(len >> 8), (char)len};
    buf_append(out, slice_from(be, 4));
    buf_append(out, slice_from(refusal, sizeof(refusal)));
}

static void refused_connection_gives_sqlstate_and_no_password(void **state)
{
    (void)state;
    _cleanup_buf_ Buf answer = BUF_INIT;
    put_refusal(&answer);
    ScriptedServer s;
    scripted_server_start(&s, "5432", buf_slice(&answer), false);
    char conninfo[256];
    (void)snprintf(conninfo, sizeof(conninfo), "host=%s port=5432 user=joe password='s3cret!pw'", s.directory);
    PgConn *c = NULL;
    Err err = ERR_INIT;
    assert_true(open_conn(conninfo, 5 * USEC_PER_SEC, &c, &err) < 0);
    assert_int_equal(err.code, ERR_CONNECT);
    assert_string_equal(err.sqlstate, "28P01");
    assert_non_null(strstr(err.detail, "password authentication failed for user \"joe\" (tried ********)"));
    assert_null(strstr(err.detail, "s3cret"));
    assert_null(strstr(err.detail, "28P01"));
    assert_null(strstr(err.detail, "LOCATION"));
    assert_null(strchr(err.detail, '\n'));
    scripted_server_stop(&s);
}

static void silent_server_costs_the_timeout_only(void **state)
{
    (void)state;
    ScriptedServer s;
    scripted_server_start(&s, "5432", SLICE_NULL, false);
    char conninfo[256];
    (void)snprintf(conninfo, sizeof(conninfo), "host=%s port=5432", s.directory);
    PgConn *c = NULL;
    Err err = ERR_INIT;
    Usec started = clock_monotonic();
    assert_true(open_conn(conninfo, 200 * USEC_PER_MSEC, &c, &err) < 0);
    Usec took = clock_monotonic() - started;
    assert_in_range(took, 200 * USEC_PER_MSEC, 60 * USEC_PER_SEC);
    assert_int_equal(err.code, ERR_CONNECT);
    assert_non_null(strstr(err.detail, "no answer in time"));
    scripted_server_stop(&s);
}

static void the_look_at_the_route_has_a_time_of_its_own(void **state)
{
    (void)state;
    ScriptedServer s;
    scripted_server_start(&s, "5432", slice_from(welcome, sizeof(welcome) - 1), false); /* and then it is silent */
    char conninfo[256];
    (void)snprintf(conninfo, sizeof(conninfo), "host=%s port=5432", s.directory);
    PgConnOptions options = {.conninfo = conninfo, .route = PG_ROUTE_LOOK, .connect_timeout = 1200 * USEC_PER_MSEC};
    PgConn *c = NULL;
    Err err = ERR_INIT;
    assert_true(pg_conn_open(&c, &options, &err) < 0);
    assert_err(&err, ERR_TIMEOUT, "did not answer within 1200 ms"); /* not what connecting has left of it */
    scripted_server_stop(&s);
}

static void silent_host_does_not_hide_the_next(void **state)
{
    (void)state;
    ScriptedServer silent, good;
    scripted_server_start(&silent, "5432", SLICE_NULL, false);
    scripted_server_start(&good, "5433", slice_from(welcome, sizeof(welcome) - 1), false);
    char conninfo[256];
    (void)snprintf(conninfo, sizeof(conninfo), "host=%s,%s port=5432,5433", silent.directory, good.directory);
    _cleanup_(pg_conn_closep) PgConn *c = NULL;
    Err err = ERR_INIT;
    assert_int_equal(open_conn(conninfo, 6 * USEC_PER_SEC, &c, &err), 0);
    assert_true(pg_conn_usable(c));
    assert_int_equal(pg_conn_backend_pid(c), 7);
    assert_int_equal(pg_conn_version(c), 150000);
    c = pg_conn_close(c);
    scripted_server_stop(&silent);
    scripted_server_stop(&good);
}

static void all_hosts_are_named_when_none_answers(void **state)
{
    (void)state;
    PgConn *c = NULL;
    Err err = ERR_INIT;
    assert_true(open_conn("host=/nonexistent/a,/nonexistent/b port=1,2", USEC_PER_SEC, &c, &err) < 0);
    assert_non_null(strstr(err.detail, "/nonexistent/a/.s.PGSQL.1"));
    assert_non_null(strstr(err.detail, "/nonexistent/b/.s.PGSQL.2"));
    assert_string_equal(err.sqlstate, "");
}

static void wrong_connection_string_is_not_repeated(void **state)
{
    (void)state;
    PgConn *c = NULL;
    Err err = ERR_INIT;
    assert_true(open_conn("host=x password=my secret", USEC_PER_SEC, &c, &err) < 0);
    assert_int_equal(err.code, ERR_CONNECT);
    assert_null(strstr(err.detail, "secret"));
    assert_true(err.hint[0] != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_connection_gives_sqlstate_and_no_password),
        cmocka_unit_test(silent_server_costs_the_timeout_only),
        cmocka_unit_test(the_look_at_the_route_has_a_time_of_its_own),
        cmocka_unit_test(silent_host_does_not_hide_the_next),
        cmocka_unit_test(all_hosts_are_named_when_none_answers),
        cmocka_unit_test(wrong_connection_string_is_not_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
