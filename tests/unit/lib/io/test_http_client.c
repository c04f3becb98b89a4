/* SPDX-License-Identifier: PostgreSQL */
/* HTTPS client against a real server (tests/support/https_server.py) with certificates made for the test. */
#include "tests/support/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "lib/io/http_client.h"
#include "lib/io/process.h"
#include "tests/support/scratch.h"
#include "tests/support/test_ca.h"

#define _cleanup_answer_ _cleanup_(http_answer_donep)
#define _cleanup_client_ _cleanup_(http_client_freep)

static Scratch scratch;
static char ca_file[300], other_ca_file[300], server_cert[300], server_key[300], client_cert[300], client_key[300];

static void put_file(char path[300], const char *name, const Buf *content)
{
    (void)snprintf(path, 300, "%s/%s", scratch.path, name);
    scratch_write(path, buf_slice(content));
}

typedef struct Server {
    pid_t pid;
    int output;
    int port;
} Server;

static Server tls_server, mutual_server, old_server, plain_server;

/* Reads one line of the server's output. */
static void read_line(const Server *s, char *line, size_t size)
{
    size_t len = 0;
    while (len + 1 < size && read(s->output, line + len, 1) == 1 && line[len] != '\n')
        len++;
    line[len] = '\0';
}

static Server start_server(const char *const *certificates, const char *environment)
{
    const char *argv[6] = {"/usr/bin/python3", "tests/support/https_server.py"};
    for (size_t i = 0; certificates && certificates[i]; i++)
        argv[2 + i] = certificates[i];
    const char *variables[] = {environment, NULL};
    ProcessOptions o = {.argv = argv, .environment = variables, .die_with_parent = true};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    Server s = {.output = ends[0]};
    Err e = ERR_INIT;
    assert_ok(process_start(&o, ends[1], &s.pid, &e), &e);
    (void)close(ends[1]);
    char line[100];
    read_line(&s, line, sizeof(line));
    int64_t port = 0;
    if (!slice_to_int64(slice_cstr(line), &port))
        fail_msg("the server said: %s", line);
    s.port = (int)port;
    return s;
}

static void stop_server(Server *s)
{
    (void)kill(s->pid, SIGKILL);
    (void)waitpid(s->pid, NULL, 0);
    (void)close(s->output);
}

static int begin_all(void **state)
{
    (void)state;
    scratch = scratch_make(NULL);
    TestCa ca, other;
    TestCert server, client;
    test_ca_init(&ca, "test CA");
    test_ca_init(&other, "another CA");
    test_ca_issue(&ca, &(TestCertOptions){.common_name = "localhost", .server = true}, &server);
    test_ca_issue(&ca, &(TestCertOptions){.common_name = "collector"}, &client);
    put_file(ca_file, "ca.crt", &ca.pem);
    put_file(other_ca_file, "other.crt", &other.pem);
    put_file(server_cert, "server.crt", &server.certificate_pem);
    put_file(server_key, "server.key", &server.key_pem);
    put_file(client_cert, "client.crt", &client.certificate_pem);
    put_file(client_key, "client.key", &client.key_pem);
    test_cert_done(&server);
    test_cert_done(&client);
    test_ca_done(&ca);
    test_ca_done(&other);

    tls_server = start_server((const char *[]){server_cert, server_key, NULL}, "X=");
    mutual_server = start_server((const char *[]){server_cert, server_key, ca_file, NULL}, "X=");
    old_server = start_server((const char *[]){server_cert, server_key, NULL}, "TLS_MOST=1.2");
    plain_server = start_server(NULL, "X=");
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    stop_server(&tls_server);
    stop_server(&mutual_server);
    stop_server(&old_server);
    stop_server(&plain_server);
    scratch_remove(&scratch);
    return 0;
}

static HttpClient *client_with(HttpClientOptions o)
{
    HttpClient *c = NULL;
    Err e = ERR_INIT;
    assert_ok(http_client_new(&c, &o, &e), &e);
    return c;
}

static HttpClient *trusting_client(void)
{
    return client_with((HttpClientOptions){.ca_file = ca_file, .verify = true});
}

static int send_to(HttpClient *c, const Server *s, const char *scheme, const char *host, HttpClientRequest request,
                   HttpAnswer *ret, Err *reterr)
{
    char url[400];
    (void)snprintf(url, sizeof(url), "%s%s:%d%s", scheme, host, s->port, request.url);
    request.url = url;
    return http_client_send(c, &request, ret, reterr);
}

static int get(HttpClient *c, const char *path, HttpAnswer *ret, Err *reterr)
{
    return send_to(c, &tls_server, "https://", "localhost", (HttpClientRequest){.method = "GET", .url = path}, ret,
                   reterr);
}

#define assert_contains(answer, part)                                                                                  \
    do {                                                                                                               \
        if (!strstr(buf_cstr(&(answer).body), (part)))                                                                 \
            fail_msg("no %s in %s", (part), buf_cstr(&(answer).body));                                                 \
    } while (0)

static void sends_what_it_was_given(void **state)
{
    (void)state;
    static const struct {
        HttpClientRequest request;
        const char *method;
        const char *length; /* as the server's JSON says it */
        const char *body;
    } cases[] = {
        {{.method = "GET"}, "GET", "null", ""},
        {{.method = "DELETE"}, "DELETE", "null", ""},
        {{.method = "POST"}, "POST", "\"0\"", ""},
        {{.method = "PUT", .body = SLICE_LIT("x=1")}, "PUT", "\"3\"", "x=1"},
        {{.method = "POST", .body = SLICE_LIT("")}, "POST", "\"0\"", ""},
        {{.method = "PATCH", .body = SLICE_LIT("p")}, "PATCH", "\"1\"", "p"},
        {{.method = "GET", .body = SLICE_LIT("g")}, "GET", "\"1\"", "g"},
    };
    _cleanup_client_ HttpClient *c = trusting_client();
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        Err e = ERR_INIT;
        _cleanup_answer_ HttpAnswer a = HTTP_ANSWER_INIT;
        HttpClientRequest r = cases[i].request;
        r.url = "/echo/x?y=1";
        r.headers = (const char *[]){"X-Test: yes", NULL};
        assert_ok(send_to(c, &tls_server, "https://", "localhost", r, &a, &e), &e);
        assert_int_equal(a.status, 200);
        char expected[200];
        (void)snprintf(expected, sizeof(expected),
                       "\"method\": \"%s\", \"path\": \"/echo/x?y=1\", \"length\": %s, "
                       "\"body\": \"%s\", \"connection\": ",
                       cases[i].method, cases[i].length, cases[i].body);
        assert_contains(a, expected);
        assert_contains(a, "\"x-test\": \"yes\"");
        assert_contains(a, "\"user-agent\": \"pganalytics\"");
        assert_null(strstr(a.body.ptr, "content-type"));
        assert_null(strstr(a.body.ptr, "expect"));
        assert_string_equal(a.etag, "\"v1\"");
        assert_int_equal(a.retry_after, 0);
    }
}

static void sends_headers_and_large_bodies(void **state)
{
    (void)state;
    _cleanup_client_ HttpClient *c =
        client_with((HttpClientOptions){.ca_file = ca_file, .verify = true, .user_agent = "tester/1"});
    Err e = ERR_INIT;
    _cleanup_answer_ HttpAnswer a = HTTP_ANSWER_INIT;
    _cleanup_buf_ Buf body = BUF_INIT;
    for (int i = 0; i < 300000; i++)
        buf_append_char(&body, (char)('a' + i % 26));
    HttpClientRequest r = {.method = "POST",
                           .url = "/echo",
                           .headers =
                               (const char *[]){"content-TYPE: application/json", "Authorization: Bearer x", NULL},
                           .body = buf_slice(&body)};
    assert_ok(send_to(c, &tls_server, "https://", "localhost", r, &a, &e), &e);
    assert_contains(a, "\"length\": \"300000\"");
    assert_contains(a, "\"content-type\": \"application/json\"");
    assert_contains(a, "\"authorization\": \"Bearer x\"");
    assert_contains(a, "\"user-agent\": \"tester/1\"");
    assert_contains(a, buf_cstr(&body));
}

static void keeps_one_connection(void **state)
{
    (void)state;
    _cleanup_client_ HttpClient *c = trusting_client();
    _cleanup_answer_ HttpAnswer a = HTTP_ANSWER_INIT;
    char first[40] = "";
    for (int i = 0; i < 5; i++) {
        Err e = ERR_INIT;
        assert_ok(get(c, "/echo", &a, &e), &e);
        const char *at = strstr(a.body.ptr, "\"connection\": ");
        assert_non_null(at);
        if (i == 0)
            (void)snprintf(first, sizeof(first), "%.*s", (int)strcspn(at, ",") + 1, at);
        assert_contains(a, first);
    }
}

static void every_status_is_an_answer(void **state)
{
    (void)state;
    _cleanup_client_ HttpClient *c = trusting_client();
    static const int statuses[] = {200, 204, 304, 400, 401, 404, 409, 429, 500, 503};
    for (size_t i = 0; i < ARRAY_LENGTH(statuses); i++) {
        Err e = ERR_INIT;
        _cleanup_answer_ HttpAnswer a = HTTP_ANSWER_INIT;
        char path[40];
        (void)snprintf(path, sizeof(path), "/status/%d", statuses[i]);
        assert_ok(get(c, path, &a, &e), &e);
        assert_int_equal(a.status, statuses[i]);
        assert_int_equal(a.body.len, 0);
        assert_string_equal(a.etag, "");
    }
    Err e = ERR_INIT;
    _cleanup_answer_ HttpAnswer a = HTTP_ANSWER_INIT;
    assert_ok(get(c, "/redirect", &a, &e), &e);
    assert_int_equal(a.status, 302); /* not followed */
    HttpClientRequest head = {.method = "HEAD", .url = "/large/100"};
    assert_ok(send_to(c, &tls_server, "https://", "localhost", head, &a, &e), &e);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body.len, 0);
}

static void reads_retry_after_and_etag(void **state)
{
    (void)state;
    _cleanup_client_ HttpClient *c = trusting_client();
    Err e = ERR_INIT;
    _cleanup_answer_ HttpAnswer a = HTTP_ANSWER_INIT;
    assert_ok(get(c, "/retry/7", &a, &e), &e);
    assert_int_equal(a.status, 429);
    assert_int_equal(a.retry_after, 7 * USEC_PER_SEC);
    assert_ok(get(c, "/retry-date/100", &a, &e), &e);
    assert_in_range(a.retry_after, 90 * USEC_PER_SEC, 100 * USEC_PER_SEC);
    assert_ok(get(c, "/retry/999999999", &a, &e), &e);
    assert_int_equal(a.retry_after, 86400 * USEC_PER_SEC);
    assert_ok(get(c, "/retry/soon", &a, &e), &e);
    assert_int_equal(a.retry_after, 0);
    assert_ok(get(c, "/etag/127", &a, &e), &e);
    assert_int_equal(strlen(a.etag), 127);
    assert_ok(get(c, "/etag/128", &a, &e), &e);
    assert_string_equal(a.etag, "");
}

static void bounds_the_answer(void **state)
{
    (void)state;
    _cleanup_client_ HttpClient *c =
        client_with((HttpClientOptions){.ca_file = ca_file, .verify = true, .answer_limit = 5000});
    Err e = ERR_INIT;
    _cleanup_answer_ HttpAnswer a = HTTP_ANSWER_INIT;
    assert_ok(get(c, "/large/5000", &a, &e), &e);
    assert_int_equal(a.body.len, 5000);
    assert_true(get(c, "/large/5001", &a, &e) < 0);
    assert_err(&e, ERR_TOO_LARGE, "/large/5001: the answer has more than 5000 bytes");
    assert_int_equal(a.body.len, 0);
    assert_int_equal(a.status, 0);
    assert_ok(get(c, "/large/1", &a, &e), &e); /* and goes on */
    assert_string_equal(buf_cstr(&a.body), "x");
}

static void trusts_only_its_ca(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_answer_ HttpAnswer a = HTTP_ANSWER_INIT;
    _cleanup_client_ HttpClient *other = client_with((HttpClientOptions){.ca_file = other_ca_file, .verify = true});
    assert_true(get(other, "/echo", &a, &e) < 0);
    assert_err(&e, ERR_TLS, "certificate");
    _cleanup_client_ HttpClient *unsafe = client_with((HttpClientOptions){.ca_file = other_ca_file});
    assert_ok(get(unsafe, "/echo", &a, &e), &e);
    _cleanup_client_ HttpClient *system_trust = client_with((HttpClientOptions){.verify = true});
    assert_true(get(system_trust, "/echo", &a, &e) < 0);
    assert_int_equal(e.code, ERR_TLS);
}

static void checks_the_server_s_name(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_answer_ HttpAnswer a = HTTP_ANSWER_INIT;
    _cleanup_client_ HttpClient *c = trusting_client();
    HttpClientRequest r = {.method = "GET", .url = "/echo"};
    assert_ok(send_to(c, &tls_server, "https://", "127.0.0.1", r, &a, &e), &e);
    assert_true(send_to(c, &tls_server, "https://", "other.localhost", r, &a, &e) < 0); /* curl knows that it is here */
    assert_err(&e, ERR_TLS, "other.localhost");
    _cleanup_client_ HttpClient *unsafe = client_with((HttpClientOptions){.ca_file = ca_file});
    assert_ok(send_to(unsafe, &tls_server, "https://", "other.localhost", r, &a, &e), &e);
}

static void shows_its_certificate(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_answer_ HttpAnswer a = HTTP_ANSWER_INIT;
    HttpClientRequest r = {.method = "GET", .url = "/echo"};
    _cleanup_client_ HttpClient *with = client_with(
        (HttpClientOptions){.ca_file = ca_file, .cert_file = client_cert, .key_file = client_key, .verify = true});
    assert_ok(send_to(with, &mutual_server, "https://", "localhost", r, &a, &e), &e);
    assert_int_equal(a.status, 200);

    _cleanup_client_ HttpClient *without = trusting_client();
    assert_true(send_to(without, &mutual_server, "https://", "localhost", r, &a, &e) < 0);
    assert_err(&e, ERR_TLS, "certificate required");

    _cleanup_client_ HttpClient *foreign_key = client_with(
        (HttpClientOptions){.ca_file = ca_file, .cert_file = client_cert, .key_file = server_key, .verify = true});
    assert_true(send_to(foreign_key, &mutual_server, "https://", "localhost", r, &a, &e) < 0);
    assert_err(&e, ERR_TLS, "server.key");
}

static void refuses_old_tls(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_answer_ HttpAnswer a = HTTP_ANSWER_INIT;
    _cleanup_client_ HttpClient *c = trusting_client();
    HttpClientRequest r = {.method = "GET", .url = "/echo"};
    assert_true(send_to(c, &old_server, "https://", "localhost", r, &a, &e) < 0);
    assert_err(&e, ERR_TLS, "protocol version");
}

static void speaks_plain_http_when_the_url_says_so(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_answer_ HttpAnswer a = HTTP_ANSWER_INIT;
    _cleanup_client_ HttpClient *c = trusting_client();
    HttpClientRequest r = {.method = "GET", .url = "/echo"};
    assert_ok(send_to(c, &plain_server, "http://", "localhost", r, &a, &e), &e);
    assert_true(send_to(c, &plain_server, "", "localhost", r, &a, &e) < 0); /* https is what is meant */
    assert_int_equal(e.code, ERR_TLS);
    assert_ok(send_to(c, &tls_server, "", "localhost", r, &a, &e), &e);
    assert_true(send_to(c, &plain_server, "ftp://", "localhost", r, &a, &e) < 0);
    assert_err(&e, ERR_CONFIG, "ftp");
    assert_true(send_to(c, &plain_server, "http://", "[", r, &a, &e) < 0);
    assert_int_equal(e.code, ERR_CONFIG);
}

static void says_why_it_cannot_connect(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_answer_ HttpAnswer a = HTTP_ANSWER_INIT;
    _cleanup_client_ HttpClient *c = trusting_client();
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    _cleanup_close_ int bound = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* bound, but nobody listens */
    assert_int_equal(bind(bound, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(bound, (struct sockaddr *)&address, &size), 0);
    Server nobody = {.port = ntohs(address.sin_port)};
    HttpClientRequest r = {.method = "GET", .url = "/"};
    assert_true(send_to(c, &nobody, "https://", "127.0.0.1", r, &a, &e) < 0);
    assert_err(&e, ERR_CONNECT, "https://127.0.0.1:");
    assert_true(send_to(c, &nobody, "https://", "no-such-host.invalid", r, &a, &e) < 0);
    assert_err(&e, ERR_CONNECT, "no-such-host.invalid");
    assert_true(get(c, "/cut", &a, &e) < 0);
    assert_int_equal(e.code, ERR_CONNECT);
    assert_int_equal(a.body.len, 0);
    assert_true(get(c, "/nothing", &a, &e) < 0);
    assert_int_equal(e.code, ERR_CONNECT);
}

static void gives_up_at_the_deadline(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_answer_ HttpAnswer a = HTTP_ANSWER_INIT;
    _cleanup_client_ HttpClient *c = client_with((HttpClientOptions){
        .ca_file = ca_file, .verify = true, .connect_timeout = 30 * USEC_PER_SEC, .total_timeout = 4 * USEC_PER_SEC});
    Usec begin = clock_monotonic();
    assert_true(get(c, "/silent", &a, &e) < 0);
    assert_true(clock_monotonic() - begin < 30 * USEC_PER_SEC);
    assert_err(&e, ERR_TIMEOUT, "timed out");
    char line[40];
    read_line(&tls_server, line, sizeof(line));
    assert_string_equal(line, "silent");
}

/* Waits until the server has the request, then aborts it. */
static void *abort_when_under_way(void *client)
{
    char line[40];
    read_line(&tls_server, line, sizeof(line));
    http_client_abort(client);
    return NULL;
}

static void aborts_from_another_thread(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_answer_ HttpAnswer a = HTTP_ANSWER_INIT;
    _cleanup_client_ HttpClient *c = trusting_client();
    /* On a connection that stands: while it makes one, curl looks up every 200 ms and would see the abort by chance. */
    assert_ok(get(c, "/echo", &a, &e), &e);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, abort_when_under_way, c), 0);
    Usec begin = clock_monotonic();
    assert_true(get(c, "/silent", &a, &e) < 0);
    /* The deadline is 60 s; without a wake-up the flag would be seen after 10. */
    assert_true(clock_monotonic() - begin < 8 * USEC_PER_SEC);
    assert_err(&e, ERR_UNAVAILABLE, "given up");
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(get(c, "/echo", &a, &e) < 0); /* and stays aborted */
    assert_int_equal(e.code, ERR_UNAVAILABLE);
}

static void names_a_file_that_cannot_be_read(void **state)
{
    (void)state;
    const HttpClientOptions cases[] = {
        {.ca_file = "/nowhere/ca.crt"},
        {.ca_file = ca_file, .cert_file = "/nowhere/c.crt"},
        {.ca_file = ca_file, .cert_file = client_cert, .key_file = "/nowhere/c.key"},
    };
    static const char *const parts[] = {"reading the CA certificate /nowhere/ca.crt: No such file",
                                        "reading the client certificate /nowhere/c.crt: No such file",
                                        "reading the client key /nowhere/c.key: No such file"};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        Err e = ERR_INIT;
        HttpClient *c = NULL;
        assert_true(http_client_new(&c, &cases[i], &e) < 0);
        assert_null(c);
        assert_err(&e, ERR_TLS, parts[i]);
    }
    Err e = ERR_INIT;
    _cleanup_answer_ HttpAnswer a = HTTP_ANSWER_INIT;
    _cleanup_client_ HttpClient *garbage = client_with((HttpClientOptions){.ca_file = server_key, .verify = true});
    assert_true(get(garbage, "/echo", &a, &e) < 0);
    assert_int_equal(e.code, ERR_TLS);
    assert_null(http_client_free(NULL));
}

int main(void)
{
    /* A proxy of the machine that runs the tests has no part in them. */
    (void)setenv("no_proxy", "*", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_what_it_was_given),
        cmocka_unit_test(sends_headers_and_large_bodies),
        cmocka_unit_test(keeps_one_connection),
        cmocka_unit_test(every_status_is_an_answer),
        cmocka_unit_test(reads_retry_after_and_etag),
        cmocka_unit_test(bounds_the_answer),
        cmocka_unit_test(trusts_only_its_ca),
        cmocka_unit_test(checks_the_server_s_name),
        cmocka_unit_test(shows_its_certificate),
        cmocka_unit_test(refuses_old_tls),
        cmocka_unit_test(speaks_plain_http_when_the_url_says_so),
        cmocka_unit_test(says_why_it_cannot_connect),
        cmocka_unit_test(gives_up_at_the_deadline),
        cmocka_unit_test(aborts_from_another_thread),
        cmocka_unit_test(names_a_file_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
