/* SPDX-License-Identifier: PostgreSQL */
/* The listener over real TLS: versions, client certificates, changes while connections stand. */
#include "tests/unit/backend/http/server.h"

#define WHO "GET /who HTTP/1.1\r\nHost: localhost\r\n\r\n"

static void ask_on(Probe *p, const char *wanted)
{
    ProbeAnswer a;
    assert_true(probe_send_text(p, "%s", WHO));
    assert_true(probe_read_answer(p, &a, soon()));
    if (a.status != 200 || !strstr(buf_cstr(&a.body), wanted))
        fail_msg("wanted \"%s\", got %d \"%s\"", wanted, a.status, buf_cstr(&a.body));
    probe_answer_done(&a);
}

/* Opens with @certificate (NULL: none), asks who we are. */
static void ask_as(const TestServer *s, const TestCert *certificate, const char *wanted)
{
    Probe p;
    const ProbeTls tls = {.ca_pem = buf_slice(&s->ca.pem), .certificate = certificate};
    assert_true(probe_open(&p, s->port, &tls));
    ask_on(&p, wanted);
    probe_close(&p);
}

static void speaks_tls_1_3_only(void **state UNUSED)
{
    TestServer s;
    test_server_start_tls(&s, NULL);
    Probe p;
    assert_false(probe_open(&p, s.port, &(ProbeTls){.max_version = TLS1_2_VERSION}));
    probe_close(&p);
    assert_true(probe_open(&p, s.port, &(ProbeTls){.ca_pem = buf_slice(&s.ca.pem)}));
    assert_string_equal(SSL_get_version(p.ssl), "TLSv1.3");
    ask_on(&p, "tls=1");
    probe_close(&p);

    /* plain HTTP to a TLS port gets no page */
    assert_true(probe_open(&p, s.port, NULL));
    assert_true(probe_send_text(&p, "%s", WHO));
    assert_true(probe_wait_closed(&p, soon()));
    assert_true(slice_find(buf_slice(&p.received), SLICE_LIT("200")) < 0);
    probe_close(&p);
    test_server_stop(&s);
}

static void tells_browsers_to_keep_to_https_when_asked_to(void **state UNUSED)
{
    TestServer s;
    test_server_start_tls(&s, &(HttpListenerOptions){.hsts = true});
    ProbeAnswer a = test_server_ask(&s, WHO);
    assert_non_null(strstr(probe_answer_field(&a, "Strict-Transport-Security"), "max-age="));
    probe_answer_done(&a);
    test_server_stop(&s);
}

static void judges_client_certificates(void **state UNUSED)
{
    TestServer s;
    test_server_start_tls(&s, NULL);
    TestCa foreign;
    TestCa same_name;
    test_ca_init(&foreign, "Other CA");
    test_ca_init(&same_name, "Test CA");
    const struct {
        const TestCa *ca;
        TestCertOptions options;
        const char *wanted;
    } cases[] = {
        {&s.ca, {.common_name = "col-1", .serial_hex = "00ABCDEF01"}, "serial=abcdef01 name=col-1 fault=-"},
        {&s.ca, {.common_name = "col-2", .serial_hex = "05"}, "serial=5 name=col-2 fault=-"},
        {&foreign, {.common_name = "col-1"}, "serial=- name=- fault=the certificate was not signed by this backend"},
        {&same_name, {.common_name = "col-1"}, "fault=the certificate was not signed by this backend"},
        {&s.ca,
         {.common_name = "col-1", .valid_from_seconds = -7200, .valid_until_seconds = -60},
         "serial=- name=- fault=the certificate has expired"},
        {&s.ca, {.common_name = "col-1", .valid_from_seconds = 1800}, "fault=the certificate is not valid yet"},
        {&s.ca, {.common_name = "col-1", .server = true}, "fault=the certificate is not for TLS clients"},
    };
    ask_as(&s, NULL, "serial=- name=- fault=-"); /* nobody is trusted yet: nothing is asked for */
    assert_int_equal(http_listener_set_client_ca(s.listener, buf_slice(&s.ca.pem), NULL), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        TestCert certificate;
        test_ca_issue(cases[i].ca, &cases[i].options, &certificate);
        ask_as(&s, &certificate, cases[i].wanted);
        test_cert_done(&certificate);
    }
    ask_as(&s, NULL, "serial=- name=- fault=-");
    assert_int_equal(test_server_metric(&s, "pganalytics_http_certificates_refused_total"), 5);
    test_ca_done(&foreign);
    test_ca_done(&same_name);
    test_server_stop(&s);
}

static void a_connection_is_judged_again_when_the_ca_changes(void **state UNUSED)
{
    TestServer s;
    test_server_start_tls(&s, NULL);
    TestCa next;
    TestCert certificate;
    test_ca_init(&next, "Next CA");
    test_ca_issue(&s.ca, &(TestCertOptions){.common_name = "col-1"}, &certificate);
    assert_int_equal(http_listener_set_client_ca(s.listener, buf_slice(&s.ca.pem), NULL), 0);
    Probe p;
    assert_true(probe_open(&p, s.port, &(ProbeTls){.certificate = &certificate}));
    ask_on(&p, "serial=a1b2c name=col-1");
    assert_int_equal(http_listener_set_client_ca(s.listener, buf_slice(&next.pem), NULL), 0);
    ask_on(&p, "fault=the certificate was not signed by this backend");
    Err err = ERR_INIT;
    assert_true(http_listener_set_client_ca(s.listener, SLICE_LIT("not a certificate"), &err) < 0);
    assert_int_equal(err.code, ERR_TLS);
    ask_on(&p, "fault=the certificate was not signed by this backend"); /* the list before is kept */
    probe_close(&p);
    test_cert_done(&certificate);
    test_ca_done(&next);
    test_server_stop(&s);
}

static void assert_server_name(Probe *p, const char *wanted)
{
    _cleanup_buf_ Buf name = BUF_INIT;
    probe_server_name(p, &name);
    assert_string_equal(buf_cstr(&name), wanted);
}

static void the_server_certificate_changes_for_new_connections(void **state UNUSED)
{
    TestServer s;
    test_server_start_tls(&s, NULL);
    TestCert second;
    TestCert expired;
    test_ca_issue(&s.ca, &(TestCertOptions){.common_name = "second server", .server = true}, &second);
    test_ca_issue(&s.ca,
                  &(TestCertOptions){
                      .common_name = "old", .server = true, .valid_from_seconds = -7200, .valid_until_seconds = -60},
                  &expired);
    Probe before;
    Probe after;
    test_server_open(&s, &before);
    assert_server_name(&before, "first server");

    Err err = ERR_INIT;
    const struct {
        const Buf *certificate;
        const Buf *key;
        const char *fault;
    } bad[] = {
        {&second.certificate_pem, &s.server_cert.key_pem, "the server key does not belong"},
        {&expired.certificate_pem, &expired.key_pem, "has expired"},
        {&second.key_pem, &second.key_pem, "the server certificate cannot be read"},
        {&second.certificate_pem, &second.certificate_pem, "the server key cannot be read"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_true(
            http_listener_set_certificate(s.listener, buf_slice(bad[i].certificate), buf_slice(bad[i].key), &err) < 0);
        assert_non_null(strstr(err.detail, bad[i].fault));
    }
    test_server_open(&s, &after);
    assert_server_name(&after, "first server");
    probe_close(&after);

    assert_int_equal(
        http_listener_set_certificate(s.listener, buf_slice(&second.certificate_pem), buf_slice(&second.key_pem), &err),
        0);
    test_server_open(&s, &after);
    assert_server_name(&after, "second server");
    ask_on(&before, "tls=1"); /* goes on */
    ask_on(&after, "tls=1");
    probe_close(&before);
    probe_close(&after);
    test_cert_done(&second);
    test_cert_done(&expired);
    test_server_stop(&s);
}

/* Percent-encodes as nginx does for $ssl_client_escaped_cert. */
static void escape(Slice text, Buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '\n' || c == ' ' || c == '+' || c == '/' || c == '=')
            buf_printf(out, "%%%02X", c);
        else
            buf_append_char(out, (char)c);
    }
}

/* The base64 between the lines of a PEM text. */
static void bare(Slice pem, Buf *out)
{
    while (pem.len > 0) {
        Slice line = slice_split(&pem, '\n');
        if (line.len > 0 && line.ptr[0] != '-')
            buf_append(out, line);
    }
}

static void believes_a_certificate_that_a_trusted_proxy_hands_over(void **state UNUSED)
{
    TestCa ca;
    TestCert certificate;
    TestServer s;
    test_ca_init(&ca, "Test CA");
    test_ca_issue(&ca, &(TestCertOptions){.common_name = "col-9"}, &certificate);
    test_server_start(&s, &(HttpListenerOptions){.trusted_proxies = "127.0.0.1",
                                                 .client_cert_header = "X-Client-Cert",
                                                 .client_ca_pem = buf_slice(&ca.pem)});
    _cleanup_buf_ Buf escaped = BUF_INIT;
    _cleanup_buf_ Buf base64 = BUF_INIT;
    escape(buf_slice(&certificate.certificate_pem), &escaped);
    bare(buf_slice(&certificate.certificate_pem), &base64);
    const struct {
        const char *before, *value, *behind, *wanted;
    } cases[] = {
        {"", buf_cstr(&escaped), "", "serial=a1b2c name=col-9 fault=-"},
        {"", buf_cstr(&base64), "", "serial=a1b2c name=col-9 fault=-"},
        {":", buf_cstr(&base64), ":", "serial=a1b2c name=col-9 fault=-"},
        {"", "", "", "serial=- name=- fault=-"},
        {"", "nonsense", "", "fault=the certificate that the proxy handed over cannot be read"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        Probe p;
        ProbeAnswer a;
        test_server_open(&s, &p);
        assert_true(probe_send_text(&p, "GET /who HTTP/1.1\r\nHost: x\r\nX-Client-Cert: %s%s%s\r\n\r\n",
                                    cases[i].before, cases[i].value, cases[i].behind));
        assert_true(probe_read_answer(&p, &a, soon()));
        assert_non_null(strstr(buf_cstr(&a.body), cases[i].wanted));
        probe_answer_done(&a);
        probe_close(&p);
    }
    test_server_stop(&s);

    /* the same header from anybody else is nothing */
    test_server_start(&s, &(HttpListenerOptions){.trusted_proxies = "10.0.0.0/8",
                                                 .client_cert_header = "X-Client-Cert",
                                                 .client_ca_pem = buf_slice(&ca.pem)});
    Probe p;
    ProbeAnswer a;
    test_server_open(&s, &p);
    assert_true(probe_send_text(&p, "GET /who HTTP/1.1\r\nHost: x\r\nX-Client-Cert: %s\r\n\r\n", buf_cstr(&base64)));
    assert_true(probe_read_answer(&p, &a, soon()));
    assert_non_null(strstr(buf_cstr(&a.body), "serial=- name=- fault=-"));
    probe_answer_done(&a);
    probe_close(&p);
    test_server_stop(&s);
    test_cert_done(&certificate);
    test_ca_done(&ca);
}

static void ends_a_handshake_that_never_comes(void **state UNUSED)
{
    TestServer s;
    test_server_start_tls(&s, &(HttpListenerOptions){.head_timeout = 200 * USEC_PER_MSEC});
    Probe p;
    assert_true(probe_open(&p, s.port, NULL));
    assert_true(probe_wait_closed(&p, soon()));
    assert_int_equal(test_server_metric(&s, "pganalytics_http_timeouts_total{phase=\"head\"}"), 1);
    probe_close(&p);
    test_server_stop(&s);
}

static void a_refused_upload_sees_its_answer_over_tls_too(void **state UNUSED)
{
    TestServer s;
    test_server_start_tls(&s, NULL);
    _cleanup_buf_ Buf body = BUF_INIT;
    buf_reserve(&body, 2 << 20);
    memset(body.ptr, 'x', 2 << 20);
    body.len = 2 << 20;
    for (int i = 0; i < 10; i++) {
        Probe p;
        ProbeAnswer a = {0};
        test_server_open(&s, &p);
        assert_true(probe_send_text(&p, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", body.len));
        (void)probe_send(&p, buf_slice(&body)); /* TLS may tell of the end while we write */
        assert_true(probe_read_answer(&p, &a, soon()));
        assert_int_equal(a.status, 413);
        probe_answer_done(&a);
        probe_close(&p);
    }
    test_server_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speaks_tls_1_3_only),
        cmocka_unit_test(tells_browsers_to_keep_to_https_when_asked_to),
        cmocka_unit_test(judges_client_certificates),
        cmocka_unit_test(a_connection_is_judged_again_when_the_ca_changes),
        cmocka_unit_test(the_server_certificate_changes_for_new_connections),
        cmocka_unit_test(believes_a_certificate_that_a_trusted_proxy_hands_over),
        cmocka_unit_test(ends_a_handshake_that_never_comes),
        cmocka_unit_test(a_refused_upload_sees_its_answer_over_tls_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
