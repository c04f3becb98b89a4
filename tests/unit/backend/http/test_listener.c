/* SPDX-License-Identifier: PostgreSQL */
/* The listener from outside, over plain HTTP: routes, limits, framing, deadlines, later answers, stopping. */
#include "tests/unit/backend/http/server.h"

#include <pthread.h>

#include "lib/wire/compress.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static void assert_code(const ProbeAnswer *a, int status, const char *code)
{
    if (a->status != status || !strstr(buf_cstr(&a->body), code))
        fail_msg("wanted %d %s, got %d %s", status, code, a->status, buf_cstr(&a->body));
}

static void answers_by_method_and_path(void **state UNUSED)
{
    static const struct {
        const char *request;
        int status;
        const char *body; /* a part of it */
    } cases[] = {
        {GET("/items/one/two"), 200, "one|two|-|-"},
        {GET("/items/one/two?q=a%20b+c"), 200, "one|two|a b c|-"},
        {GET("/items/a%2Fb/two"), 200, "a/b|two"},
        {"GET /items/1/2 HTTP/1.1\r\nHost: x\r\nCookie: a=b; session=xyz\r\n\r\n", 200, "1|2|-|xyz"},
        {"GET http://x/items/1/2?q=1 HTTP/1.1\r\nHost: x\r\n\r\n", 200, "1|2|1"},
        {GET("/items/a%00b/two"), 400, "parameter_invalid"},
        {GET("/items/a%zz/two"), 400, "parameter_invalid"},
        {GET("/items/%ff/two"), 400, "parameter_invalid"},
        {GET("/items/one"), 404, "not_found"},
        {GET("/items/one/"), 404, "not_found"},
        {GET("/items/one/two/three"), 404, "not_found"},
        {GET("/nowhere"), 404, "not_found"},
        {"DELETE /echo HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed"},
        {"BREW /echo HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", 200,
         "hello"},
        {GET("/fail"), 422, "\"message\":\"interval 0 is too short\",\"hint\":\"at least 1\""},
        {GET("/fail?inner=1"), 500, "\"message\":\"the database refused a statement\""},
        {"GET /who HTTP/1.0\r\n\r\n", 200, "remote"},
        {"GET /who HTTP/1.1\r\nHost:x\r\nEmpty:\r\nBlank: \r\nTrailing: a  \r\n\r\n", 200, "remote"},
        {"GET /who HTTP/1.1\nHost: x\nA: b\n\n", 200, "remote"},
        {GET("/inline"), 200, "remote=127.0.0.1 tls=0 loopback=1"},
    };
    TestServer s;
    test_server_start(&s, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        ProbeAnswer a = test_server_ask(&s, cases[i].request);
        assert_code(&a, cases[i].status, cases[i].body);
        probe_answer_done(&a);
    }
    test_server_stop(&s);
}

static void error_names_the_request_and_hides_what_is_inside(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, NULL);
    ProbeAnswer a = test_server_ask(&s, GET("/fail?inner=1"));
    const char *id = probe_answer_field(&a, "X-Request-Id");
    assert_non_null(id);
    assert_int_equal(strlen(id), 16);
    assert_non_null(strstr(buf_cstr(&a.body), id));
    assert_null(strstr(buf_cstr(&a.body), "secret"));
    assert_null(strstr(buf_cstr(&a.body), "half an answer"));
    probe_answer_done(&a);

    a = test_server_ask(&s, "PUT /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_string_equal(probe_answer_field(&a, "Allow"), "POST");
    probe_answer_done(&a);
    test_server_stop(&s);
}

static void every_answer_carries_security_headers(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, NULL);
    ProbeAnswer a = test_server_ask(&s, GET("/who"));
    assert_string_equal(probe_answer_field(&a, "X-Content-Type-Options"), "nosniff");
    assert_non_null(strstr(probe_answer_field(&a, "Content-Security-Policy"), "frame-ancestors 'none'"));
    assert_string_equal(probe_answer_field(&a, "Cache-Control"), "no-store");
    assert_null(probe_answer_field(&a, "Strict-Transport-Security"));
    probe_answer_done(&a);
    test_server_stop(&s);
}

static void head_has_the_length_and_no_body(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, NULL);
    Probe p;
    ProbeAnswer a;
    test_server_open(&s, &p);
    assert_true(probe_send_text(&p, "HEAD /items/1/2 HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(probe_read_head(&p, &a, soon()));
    assert_int_equal(a.status, 200);
    assert_string_equal(probe_answer_field(&a, "Content-Length"), "7");
    probe_answer_done(&a);
    assert_true(probe_send_text(&p, GET("/items/3/4"))); /* the next answer begins where it should */
    assert_true(probe_read_answer(&p, &a, soon()));
    assert_string_equal(buf_cstr(&a.body), "3|4|-|-");
    probe_answer_done(&a);
    probe_close(&p);
    test_server_stop(&s);
}

static void refuses_doubtful_framing(void **state UNUSED)
{
    static const struct {
        const char *name;
        const char *request;
        int status;
    } cases[] = {
        {"two lengths", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", 400},
        {"same length twice", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab",
         400},
        {"length list", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 2\r\n\r\nab", 400},
        {"length with sign", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\nab", 400},
        {"negative length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400},
        {"length and chunked",
         "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"gzip coding", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
        {"identity coding", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n", 400},
        {"chunked twice",
         "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400},
        {"blank before colon", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
        {"empty name", "GET /who HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n", 400},
        {"empty name hides a request", "GET /who HTTP/1.1\r\nHost: x\r\n:\r\nGET /inline HTTP/1.1\r\nHost: x\r\n\r\n",
         400},
        {"empty name in HTTP/1.0", "GET /who HTTP/1.0\r\n: y\r\n\r\n", 400},
        {"folded value", "GET /who HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\nD: e\r\n\r\n", 400},
        {"folded length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n 5\r\n\r\nhello", 400},
        {"two hosts", "GET /who HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
        {"no host", "GET /who HTTP/1.1\r\n\r\n", 400},
        {"chunked in HTTP/1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"huge length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 0},
    };
    TestServer s;
    test_server_start(&s, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        Probe p;
        ProbeAnswer a = {0};
        test_server_open(&s, &p);
        assert_true(probe_send_text(&p, "%s", cases[i].request));
        (void)probe_read_head(&p, &a, soon());
        bool refused = cases[i].status ? a.status == cases[i].status : a.status != 200;
        if (!refused)
            fail_msg("%s: status %d", cases[i].name, a.status);
        if (!probe_wait_closed(&p, soon())) /* what follows on the connection cannot be trusted */
            fail_msg("%s: the connection stays open", cases[i].name);
        probe_answer_done(&a);
        probe_close(&p);
    }
    test_server_stop(&s);
}

static void refuses_a_long_body_before_reading_it(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, NULL);
    Probe p;
    ProbeAnswer a;
    test_server_open(&s, &p);
    assert_true(
        probe_send_text(&p, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", TEST_BODY_LIMIT + 1));
    assert_true(probe_read_answer(&p, &a, soon()));
    assert_code(&a, 413, "\"code\":\"too_large\",\"message\":\"the request body is larger than 1000 bytes\"");
    assert_true(probe_wait_closed(&p, soon()));
    probe_answer_done(&a);
    probe_close(&p);

    a = test_server_ask(&s, "GET /who HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
    assert_code(&a, 413, "no request body is expected here");
    probe_answer_done(&a);
    assert_int_equal(test_server_metric(&s, "pganalytics_http_refused_total{reason=\"too_large\"}"), 2);
    test_server_stop(&s);
}

/* Closing a socket with unread data makes the kernel send a reset that can overtake the answer. */
static void a_client_that_sends_it_all_still_sees_413(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, NULL);
    _cleanup_buf_ Buf body = BUF_INIT;
    buf_reserve(&body, 4 << 20);
    memset(body.ptr, 'x', 4 << 20);
    body.len = 4 << 20;
    for (int i = 0; i < 20; i++) {
        Probe p;
        ProbeAnswer a;
        test_server_open(&s, &p);
        assert_true(probe_send_text(&p, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", body.len));
        assert_true(probe_send(&p, buf_slice(&body)));
        assert_true(probe_read_answer(&p, &a, soon()));
        assert_int_equal(a.status, 413);
        probe_answer_done(&a);
        probe_close(&p);
    }
    test_server_stop(&s);
}

static void refuses_a_long_chunked_body(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, NULL);
    Probe p;
    ProbeAnswer a;
    test_server_open(&s, &p);
    assert_true(probe_send_text(&p, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 3; i++)
        assert_true(probe_send_text(&p, "190\r\n%0400d\r\n", 0));
    assert_true(probe_send_text(&p, "0\r\n\r\n"));
    assert_true(probe_read_answer(&p, &a, soon()));
    assert_code(&a, 413, "too_large");
    probe_answer_done(&a);
    probe_close(&p);
    test_server_wait_metric(&s, "pganalytics_http_body_bytes ", 0);
    test_server_stop(&s);
}

static void cuts_an_endless_chunked_body(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, NULL);
    Probe p;
    test_server_open(&s, &p);
    assert_true(probe_send_text(&p, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
    _cleanup_buf_ Buf chunk = BUF_INIT;
    buf_printf(&chunk, "10000\r\n%065536d\r\n", 0);
    int sent = 0;
    while (sent < 4096 && probe_send(&p, buf_slice(&chunk)))
        sent++;
    assert_in_range(sent, 1, 4095);
    probe_close(&p);
    test_server_stop(&s);
}

static void takes_a_body_up_to_the_limit(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, NULL);
    Probe p;
    ProbeAnswer a;
    test_server_open(&s, &p);
    assert_true(probe_send_text(&p, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%0*d", TEST_BODY_LIMIT,
                                TEST_BODY_LIMIT, 7));
    assert_true(probe_read_answer(&p, &a, soon()));
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body.len, TEST_BODY_LIMIT);
    probe_answer_done(&a);

    /* a large one, in many pieces, and the connection is kept */
    assert_true(probe_send_text(&p, "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 4 << 20));
    for (int i = 0; i < 64; i++)
        assert_true(probe_send_text(&p, "%065536d", i));
    assert_true(probe_read_answer(&p, &a, soon()));
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body.len, 4 << 20);
    assert_memory_equal(a.body.ptr + a.body.len - 2, "63", 2);
    probe_answer_done(&a);
    probe_close(&p);
    test_server_wait_metric(&s, "pganalytics_http_body_bytes ", 0);
    test_server_stop(&s);
}

static void bodies_of_all_requests_share_one_bound(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, &(HttpListenerOptions){.body_bytes_max = 500});
    ProbeAnswer a;
    Probe p;
    test_server_open(&s, &p);
    assert_true(probe_send_text(&p, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 600\r\n\r\n%0600d", 1));
    assert_true(probe_read_answer(&p, &a, soon()));
    assert_code(&a, 429, "too_many_requests");
    assert_string_equal(probe_answer_field(&a, "Retry-After"), "1");
    probe_answer_done(&a);
    probe_close(&p);
    test_server_stop(&s);
}

static void refuses_a_long_head(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, NULL);
    Probe p;
    ProbeAnswer a = {0};
    test_server_open(&s, &p);
    assert_true(probe_send_text(&p, "GET /who HTTP/1.1\r\nHost: x\r\nX-Long: %065536d\r\n\r\n", 0));
    assert_true(probe_read_head(&p, &a, soon()));
    assert_int_equal(a.status, 431);
    probe_answer_done(&a);
    probe_close(&p);

    test_server_open(&s, &p);
    _cleanup_buf_ Buf many = BUF_INIT;
    for (int i = 0; i < 150; i++)
        buf_printf(&many, "a%d: b\r\n", i);
    assert_true(probe_send_text(&p, "GET /who HTTP/1.1\r\nHost: x\r\n%s\r\n", buf_cstr(&many)));
    assert_true(probe_read_head(&p, &a, soon()));
    assert_int_equal(a.status, 431);
    probe_answer_done(&a);
    probe_close(&p);
    test_server_stop(&s);
}

/* Sends one byte whenever the line was quiet for 20 ms, until the server has had enough. */
static void drip(Probe *p, const char *event, const TestServer *s)
{
    Usec begin = clock_monotonic();
    while (!probe_is_closed(p, 20 * USEC_PER_MSEC)) {
        assert_true(clock_monotonic() < begin + 60 * USEC_PER_SEC);
        if (!probe_send(p, SLICE_LIT("a")))
            break;
    }
    test_server_wait_metric(s, event, 1);
}

static void ends_connections_that_drip(void **state UNUSED)
{
    static const struct {
        const char *begin;
        const char *event;
    } cases[] = {
        {"GET", "pganalytics_http_timeouts_total{phase=\"head\"}"},
        {"GET /who HTTP/1.1\r\nHost: x\r\nX-Slow: ", "pganalytics_http_timeouts_total{phase=\"head\"}"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n",
         "pganalytics_http_timeouts_total{phase=\"body\"}"},
        {GET("/who") "GE", "pganalytics_http_timeouts_total{phase=\"idle\"}"},
    };
    const HttpListenerOptions options = {
        .idle_timeout = USEC_PER_SEC, .head_timeout = USEC_PER_SEC, .body_timeout = USEC_PER_SEC};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        TestServer s;
        test_server_start(&s, &options);
        Probe p;
        test_server_open(&s, &p);
        assert_true(probe_send_text(&p, "%s", cases[i].begin));
        drip(&p, cases[i].event, &s);
        probe_close(&p);
        test_server_stop(&s);
    }
}

static void ends_a_client_that_does_not_take_its_answer(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, &(HttpListenerOptions){.send_timeout = 300 * USEC_PER_MSEC});
    Probe p;
    test_server_open(&s, &p);
    /* enough that no socket buffer holds it */
    assert_true(probe_send_text(&p, "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 8 << 20));
    for (int i = 0; i < 128; i++)
        assert_true(probe_send_text(&p, "%065536d", i));
    test_server_wait_metric(&s, "pganalytics_http_timeouts_total{phase=\"send\"}", 1);
    probe_close(&p);
    test_server_stop(&s);
}

static void answers_later_in_any_order(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, NULL);
    Probe first;
    Probe second;
    ProbeAnswer a;
    test_server_open(&s, &first);
    test_server_open(&s, &second);
    assert_true(probe_send_text(&first, GET("/later?n=1")));
    HttpRequest *one = later_take();
    assert_true(probe_send_text(&second, "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"));
    HttpRequest *two = later_take();

    assert_string_equal(http_request_query(one, "n"), "1");
    buf_append_cstr(&two->answer, "to the second");
    http_request_finish(two, HTTP_DONE, NULL);
    assert_true(probe_read_answer(&second, &a, soon()));
    assert_string_equal(buf_cstr(&a.body), "to the second");
    probe_answer_done(&a);

    Err err = ERR_INIT;
    (void)err_set(&err, ERR_CONFLICT, "too late");
    http_request_finish(one, -1, &err);
    assert_true(probe_read_answer(&first, &a, soon()));
    assert_code(&a, 409, "too late");
    probe_answer_done(&a);
    probe_close(&first);
    probe_close(&second);
    test_server_stop(&s);
}

static void a_request_without_answer_gets_503_and_its_late_answer_harms_nothing(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, &(HttpListenerOptions){.handler_timeout = 2 * USEC_PER_SEC});
    Probe p;
    ProbeAnswer a;
    test_server_open(&s, &p);
    assert_true(
        probe_send_text(&p, "POST /later HTTP/1.1\r\nHost: x\r\nX-Mine: kept\r\nContent-Length: 4\r\n\r\nbody"));
    HttpRequest *late = later_take();
    assert_true(probe_read_answer(&p, &a, soon()));
    assert_code(&a, 503, "unavailable");
    assert_non_null(probe_answer_field(&a, "Retry-After"));
    probe_answer_done(&a);

    /* the connection goes on, the old request keeps what it had */
    assert_true(probe_send_text(&p, GET("/items/5/6")));
    assert_true(probe_read_answer(&p, &a, soon()));
    assert_string_equal(buf_cstr(&a.body), "5|6|-|-");
    probe_answer_done(&a);
    probe_close(&p);
    assert_string_equal(http_request_header(late, "x-mine"), "kept");
    assert_true(slice_eq_cstr(late->body, "body"));
    buf_append_cstr(&late->answer, "nobody reads this");
    http_request_finish(late, HTTP_DONE, NULL);
    assert_int_equal(test_server_metric(&s, "pganalytics_http_late_answers_total"), 1);
    assert_int_equal(test_server_metric(&s, "pganalytics_http_timeouts_total{phase=\"handler\"}"), 1);
    test_server_stop(&s);
}

static void a_client_may_leave_while_its_request_is_pending(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, NULL);
    for (int i = 0; i < 5; i++) {
        Probe p;
        test_server_open(&s, &p);
        assert_true(probe_send_text(&p, GET("/later")));
        HttpRequest *r = later_take();
        probe_close(&p);
        buf_append_cstr(&r->answer, "gone");
        http_request_finish(r, HTTP_DONE, NULL);
    }
    test_server_wait_metric(&s, "pganalytics_http_requests_in_flight", 0);
    test_server_wait_metric(&s, "pganalytics_http_connections ", 0);
    test_server_stop(&s);
}

static void says_429_when_too_many_wait_for_a_worker(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, &(HttpListenerOptions){.workers = 1, .queue_capacity = 1});
    Probe held;
    Probe waiting;
    test_server_open(&s, &held);
    test_server_open(&s, &waiting);
    assert_true(probe_send_text(&held, GET("/block")));
    block_wait_entered(1);
    assert_true(probe_send_text(&waiting, GET("/block")));
    test_server_wait_metric(&s, "pganalytics_http_requests_in_flight", 2);

    ProbeAnswer a = {0};
    Usec deadline = soon(); /* the second may still be on its way into the queue */
    while (a.status != 429 && clock_monotonic() < deadline) {
        probe_answer_done(&a);
        a = test_server_ask(&s, GET("/who"));
    }
    assert_code(&a, 429, "too_many_requests");
    assert_string_equal(probe_answer_field(&a, "Retry-After"), "1");
    probe_answer_done(&a);
    a = test_server_ask(&s, GET("/inline")); /* needs no worker */
    assert_int_equal(a.status, 200);
    probe_answer_done(&a);

    block_release();
    assert_true(probe_read_answer(&waiting, &a, soon()));
    assert_int_equal(a.status, 200);
    probe_answer_done(&a);
    probe_close(&held);
    probe_close(&waiting);
    test_server_stop(&s);
}

static void access_is_checked_before_the_handler(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, NULL);
    ProbeAnswer a = test_server_ask(&s, GET("/private"));
    assert_code(&a, 401, "unauthenticated");
    assert_string_equal(probe_answer_field(&a, "WWW-Authenticate"), "Bearer");
    probe_answer_done(&a);
    a = test_server_ask(&s, "GET /private HTTP/1.1\r\nHost: x\r\nAuthorization: Ann\r\n\r\n");
    assert_code(&a, 200, "Ann as admin");
    probe_answer_done(&a);
    test_server_stop(&s);
}

static void compresses_long_answers_when_asked(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, NULL);
    ProbeAnswer plain = test_server_ask(&s, GET("/big"));
    ProbeAnswer small = test_server_ask(&s, "GET /big HTTP/1.1\r\nHost: x\r\nAccept-Encoding: br, gzip;q=0.5\r\n\r\n");
    assert_null(probe_answer_field(&plain, "Content-Encoding"));
    assert_string_equal(probe_answer_field(&plain, "Vary"), "Accept-Encoding");
    assert_string_equal(probe_answer_field(&small, "Content-Encoding"), "gzip");
    assert_true(small.body.len < plain.body.len / 10);
    _cleanup_buf_ Buf unpacked = BUF_INIT;
    assert_int_equal(wire_decompress(WIRE_GZIP, buf_slice(&small.body), 1 << 20, &unpacked, NULL), 0);
    assert_true(slice_eq(buf_slice(&unpacked), buf_slice(&plain.body)));
    probe_answer_done(&plain);
    probe_answer_done(&small);
    test_server_stop(&s);
}

static void only_listed_origins_are_told_that_they_may(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, &(HttpListenerOptions){.cors_origins = "https://a.example, https://b.example"});
    ProbeAnswer a = test_server_ask(&s, "GET /who HTTP/1.1\r\nHost: x\r\nOrigin: https://b.example\r\n\r\n");
    assert_string_equal(probe_answer_field(&a, "Access-Control-Allow-Origin"), "https://b.example");
    probe_answer_done(&a);
    a = test_server_ask(&s, "GET /who HTTP/1.1\r\nHost: x\r\nOrigin: https://b.example.evil\r\n\r\n");
    assert_int_equal(a.status, 200);
    assert_null(probe_answer_field(&a, "Access-Control-Allow-Origin"));
    assert_string_equal(probe_answer_field(&a, "Vary"), "Origin");
    probe_answer_done(&a);
    a = test_server_ask(&s, "OPTIONS /echo HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\n"
                            "Access-Control-Request-Method: POST\r\n\r\n");
    assert_int_equal(a.status, 204);
    assert_string_equal(probe_answer_field(&a, "Access-Control-Allow-Methods"), "POST");
    probe_answer_done(&a);
    test_server_stop(&s);
}

static void believes_trusted_proxies_only(void **state UNUSED)
{
    static const char request[] = "GET /who HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 8.8.8.8, 203.0.113.7\r\n"
                                  "X-Forwarded-Proto: https\r\n\r\n";
    TestServer s;
    test_server_start(&s, &(HttpListenerOptions){.trusted_proxies = "127.0.0.0/8"});
    ProbeAnswer a = test_server_ask(&s, request);
    assert_code(&a, 200, "remote=203.0.113.7 tls=1 loopback=0");
    probe_answer_done(&a);
    test_server_stop(&s);

    test_server_start(&s, NULL);
    a = test_server_ask(&s, request);
    assert_code(&a, 200, "remote=127.0.0.1 tls=0 loopback=0");
    probe_answer_done(&a);
    test_server_stop(&s);
}

static void *stop_patiently(void *server)
{
    http_listener_stop(((TestServer *)server)->listener, 20 * USEC_PER_SEC);
    return NULL;
}

static void stopping_lets_requests_in_flight_end(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, NULL);
    Probe p;
    ProbeAnswer a;
    test_server_open(&s, &p);
    assert_true(probe_send_text(&p, GET("/later")));
    HttpRequest *r = later_take();
    pthread_t stopper;
    assert_int_equal(pthread_create(&stopper, NULL, stop_patiently, &s), 0);
    Probe late;
    Usec deadline = soon();
    while (probe_open(&late, s.port, NULL)) { /* until new connections are refused */
        probe_close(&late);
        assert_true(clock_monotonic() < deadline);
        /* quiesced, the kernel may still accept into the backlog; whoever waits there is never served */
        if (test_server_metric(&s, "pganalytics_http_connections ") <= 1)
            break;
    }
    probe_close(&late);
    buf_append_cstr(&r->answer, "finished");
    http_request_finish(r, HTTP_DONE, NULL);
    assert_true(probe_read_answer(&p, &a, soon()));
    assert_string_equal(buf_cstr(&a.body), "finished");
    probe_answer_done(&a);
    assert_true(probe_wait_closed(&p, soon()));
    assert_int_equal(pthread_join(stopper, NULL), 0);
    probe_close(&p);
    test_server_stop(&s);
}

static void stopping_answers_503_after_the_limit(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, NULL);
    Probe p;
    ProbeAnswer a;
    test_server_open(&s, &p);
    assert_true(probe_send_text(&p, GET("/later")));
    HttpRequest *r = later_take();
    http_listener_stop(s.listener, 20 * USEC_PER_MSEC);
    assert_true(probe_read_answer(&p, &a, soon()));
    assert_code(&a, 503, "unavailable");
    assert_string_equal(probe_answer_field(&a, "Connection"), "close");
    probe_answer_done(&a);
    probe_close(&p);
    http_request_finish(r, HTTP_DONE, NULL); /* owed before free */
    test_server_stop(&s);
}

static void counts_requests_by_route_and_class(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, NULL);
    for (int i = 0; i < 3; i++) {
        ProbeAnswer a = test_server_ask(&s, GET("/items/1/2"));
        probe_answer_done(&a);
    }
    ProbeAnswer a = test_server_ask(&s, GET("/nowhere"));
    probe_answer_done(&a);
    test_server_wait_metric(&s, "pganalytics_http_requests_total{method=\"GET\",route=\"/items/{a}/{b}\",code=\"2xx\"}",
                            3);
    test_server_wait_metric(&s, "pganalytics_http_requests_total{method=\"\",route=\"none\",code=\"4xx\"}", 1);
    test_server_wait_metric(&s, "pganalytics_http_request_seconds_count{method=\"GET\",route=\"/items/{a}/{b}\"}", 3);
    test_server_stop(&s);
}

enum { CLIENTS = 8, REQUESTS_EACH = 150 };

/* One kept connection, bodies of its own, now and then a new connection. */
static void *be_a_client(void *server)
{
    const TestServer *s = server;
    uintptr_t wrong = 0;
    Probe p = {.fd = -1};
    for (int i = 0; i < REQUESTS_EACH; i++) {
        ProbeAnswer a = {0};
        if (i % 50 == 0) {
            probe_close(&p);
            (void)probe_open(&p, s->port, NULL);
        }
        bool sent =
            probe_send_text(&p, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n%10d%010d", p.fd, i);
        _cleanup_buf_ Buf wanted = BUF_INIT;
        buf_printf(&wanted, "%10d%010d", p.fd, i);
        bool right = sent && probe_read_answer(&p, &a, soon()) && slice_eq(buf_slice(&a.body), buf_slice(&wanted));
        wrong += !right;
        probe_answer_done(&a);
    }
    probe_close(&p);
    return (void *)wrong;
}

static void many_clients_on_several_io_threads_get_their_own_answers(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, &(HttpListenerOptions){.io_threads = 3, .workers = 4});
    pthread_t clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&clients[i], NULL, be_a_client, &s), 0);
    for (int i = 0; i < CLIENTS; i++) {
        void *wrong = NULL;
        assert_int_equal(pthread_join(clients[i], &wrong), 0);
        assert_null(wrong);
    }
    test_server_wait_metric(&s, "pganalytics_http_requests_total{method=\"POST\",route=\"/echo\",code=\"2xx\"}",
                            CLIENTS * REQUESTS_EACH);
    test_server_wait_metric(&s, "pganalytics_http_connections ", 0);
    test_server_stop(&s);
}

static void a_taken_port_is_named(void **state UNUSED)
{
    TestServer s;
    test_server_start(&s, NULL);
    HttpListener *second = NULL;
    Err err = ERR_INIT;
    assert_true(http_listener_start(&second, &(HttpListenerOptions){.address = "127.0.0.1", .port = s.port}, &err) < 0);
    assert_non_null(strstr(err.detail, "is already taken"));
    assert_null(second);
    test_server_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_by_method_and_path),
        cmocka_unit_test(error_names_the_request_and_hides_what_is_inside),
        cmocka_unit_test(every_answer_carries_security_headers),
        cmocka_unit_test(head_has_the_length_and_no_body),
        cmocka_unit_test(refuses_doubtful_framing),
        cmocka_unit_test(refuses_a_long_body_before_reading_it),
        cmocka_unit_test(a_client_that_sends_it_all_still_sees_413),
        cmocka_unit_test(refuses_a_long_chunked_body),
        cmocka_unit_test(cuts_an_endless_chunked_body),
        cmocka_unit_test(takes_a_body_up_to_the_limit),
        cmocka_unit_test(bodies_of_all_requests_share_one_bound),
        cmocka_unit_test(refuses_a_long_head),
        cmocka_unit_test(ends_connections_that_drip),
        cmocka_unit_test(ends_a_client_that_does_not_take_its_answer),
        cmocka_unit_test(answers_later_in_any_order),
        cmocka_unit_test(a_request_without_answer_gets_503_and_its_late_answer_harms_nothing),
        cmocka_unit_test(a_client_may_leave_while_its_request_is_pending),
        cmocka_unit_test(says_429_when_too_many_wait_for_a_worker),
        cmocka_unit_test(access_is_checked_before_the_handler),
        cmocka_unit_test(compresses_long_answers_when_asked),
        cmocka_unit_test(only_listed_origins_are_told_that_they_may),
        cmocka_unit_test(believes_trusted_proxies_only),
        cmocka_unit_test(stopping_lets_requests_in_flight_end),
        cmocka_unit_test(stopping_answers_503_after_the_limit),
        cmocka_unit_test(counts_requests_by_route_and_class),
        cmocka_unit_test(many_clients_on_several_io_threads_get_their_own_answers),
        cmocka_unit_test(a_taken_port_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
