/* SPDX-License-Identifier: PostgreSQL */
/*
 * Connecting to servers that refuse, hang or vanish. The other side is a thread that plays a few bytes of the protocol
 * on a Unix socket; real servers are in tests/sql/test_pg_conn.py.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

#include "lib/pg/conn.h"

/* ErrorResponse: severity, SQLSTATE, message, file, line. */
static const char refusal[] = "SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"joe\" "
                              "(tried s3cret!pw)\0Fauth.c\0L343\0Rauth_failed\0";
/* AuthenticationOk, BackendKeyData, ReadyForQuery. */
static const char welcome[] = "R\0\0\0\10\0\0\0\0"
                              "S\0\0\0\30server_version\00015.0\0"
                              "K\0\0\0\14\0\0\0\7\0\0\0\11"
                              "Z\0\0\0\5I";

typedef struct Server {
    char directory[64];
    const char *port;
    int listener;
    pthread_t thread;
    Slice answer; /* to the startup packet; absent: none, the connection stays open and silent */
} Server;

static void send_all(int fd, Slice bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        bytes = slice_skip(bytes, (size_t)n);
    }
}

/* One client: reads the startup packet, answers, then reads until the client leaves. */
static void *serve(void *arg)
{
    const Server *s = arg;
    char packet[4096];
    for (int fd; (fd = accept(s->listener, NULL, NULL)) >= 0; close(fd)) {
        if (recv(fd, packet, sizeof(packet), 0) > 0)
            send_all(fd, s->answer);
        while (recv(fd, packet, sizeof(packet), 0) > 0)
            continue;
    }
    return NULL;
}

static void server_start(Server *s, const char *port, Slice answer)
{
    *s = (Server){.directory = "/tmp/pga-connect-XXXXXX", .port = port, .answer = answer};
    assert_non_null(mkdtemp(s->directory));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.%s", s->directory, port);
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(s->listener, 8), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(Server *s)
{
    (void)shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/.s.PGSQL.%s", s->directory, s->port);
    (void)unlink(path);
    (void)rmdir(s->directory);
}

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
    Server s;
    server_start(&s, "5432", buf_slice(&answer));
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
    server_stop(&s);
}

static void silent_server_costs_the_timeout_only(void **state)
{
    (void)state;
    Server s;
    server_start(&s, "5432", SLICE_NULL);
    char conninfo[256];
    (void)snprintf(conninfo, sizeof(conninfo), "host=%s port=5432", s.directory);
    PgConn *c = NULL;
    Err err = ERR_INIT;
    Usec started = clock_monotonic();
    assert_true(open_conn(conninfo, 200 * USEC_PER_MSEC, &c, &err) < 0);
    Usec took = clock_monotonic() - started;
    assert_in_range(took, 200 * USEC_PER_MSEC, 1200 * USEC_PER_MSEC);
    assert_int_equal(err.code, ERR_CONNECT);
    assert_non_null(strstr(err.detail, "no answer in time"));
    server_stop(&s);
}

static void silent_host_does_not_hide_the_next(void **state)
{
    (void)state;
    Server silent, good;
    server_start(&silent, "5432", SLICE_NULL);
    server_start(&good, "5433", slice_from(welcome, sizeof(welcome) - 1));
    char conninfo[256];
    (void)snprintf(conninfo, sizeof(conninfo), "host=%s,%s port=5432,5433", silent.directory, good.directory);
    _cleanup_(pg_conn_closep) PgConn *c = NULL;
    Err err = ERR_INIT;
    assert_int_equal(open_conn(conninfo, 600 * USEC_PER_MSEC, &c, &err), 0);
    assert_true(pg_conn_usable(c));
    assert_int_equal(pg_conn_backend_pid(c), 7);
    assert_int_equal(pg_conn_version(c), 150000);
    c = pg_conn_close(c);
    server_stop(&silent);
    server_stop(&good);
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

/* A server that answers the startup and then nothing: the statement ends at its deadline, the connection is given up.
 */
static void silent_statement_ends_at_its_deadline(void **state)
{
    (void)state;
    Server s;
    server_start(&s, "5432", slice_from(welcome, sizeof(welcome) - 1));
    char conninfo[256];
    (void)snprintf(conninfo, sizeof(conninfo), "host=%s port=5432", s.directory);
    _cleanup_(pg_conn_closep) PgConn *c = NULL;
    Err err = ERR_INIT;
    assert_int_equal(open_conn(conninfo, 5 * USEC_PER_SEC, &c, &err), 0);
    Usec started = clock_monotonic();
    assert_true(pg_conn_command(c, "begin", 100 * USEC_PER_MSEC, &err) < 0);
    Usec took = clock_monotonic() - started;
    assert_in_range(took, 100 * USEC_PER_MSEC, 2000 * USEC_PER_MSEC);
    assert_int_equal(err.code, ERR_TIMEOUT);
    assert_false(pg_conn_usable(c));
    assert_true(pg_conn_command(c, "begin", 100 * USEC_PER_MSEC, &err) < 0);
    assert_int_equal(err.code, ERR_CONNECT);
    c = pg_conn_close(c);
    server_stop(&s);
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
        cmocka_unit_test(refused_connection_gives_sqlstate_and_no_password),
        cmocka_unit_test(silent_server_costs_the_timeout_only),
        cmocka_unit_test(silent_host_does_not_hide_the_next),
        cmocka_unit_test(all_hosts_are_named_when_none_answers),
        cmocka_unit_test(wrong_connection_string_is_not_repeated),
        cmocka_unit_test(silent_statement_ends_at_its_deadline),
        cmocka_unit_test(quoting_survives_hostile_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
