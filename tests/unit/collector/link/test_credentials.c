/* SPDX-License-Identifier: PostgreSQL */
/* Who the collector is: the settings' word stands above what registration wrote; certificates are checked. */
#include "collector/link/credentials.h"

#include "lib/io/file.h"
#include "tests/support/scratch.h"
#include "tests/support/test_ca.h"
#include "tests/support/unit.h"

static Scratch scratch;
static Settings settings;
static Credentials credentials;

static int setup(void **state)
{
    (void)state;
    scratch = scratch_make(NULL);
    credentials = (Credentials){0};
    settings = (Settings){.id = "from settings",
                          .state_dir = scratch.path,
                          .backend_url = "",
                          .prometheus_listen = "",
                          .jwt_token = "",
                          .tls_cert = "",
                          .tls_key = "",
                          .ca_cert = ""};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    credentials_done(&credentials);
    scratch_remove(&scratch);
    return 0;
}

static void write_file(const char *name, Slice content)
{
    _cleanup_buf_ Buf path = scratch_path(&scratch, name);
    assert_int_equal(file_write_atomic(buf_cstr(&path), 0600, content, NULL), 0);
}

static void write_identity(void)
{
    write_file("identity.json", SLICE_LIT("{\"collector_id\":\"col-1\",\"api_url\":\"https://registered/\"}"));
    write_file("token", SLICE_LIT("registered-token"));
}

static void write_certificate(const TestCertOptions *options)
{
    TestCa ca;
    TestCert cert;
    test_ca_init(&ca, "ca");
    test_ca_issue(&ca, options, &cert);
    write_file("collector.crt", buf_slice(&cert.certificate_pem));
    write_file("collector.key", buf_slice(&cert.key_pem));
    write_file("ca.crt", buf_slice(&ca.pem));
    test_cert_done(&cert);
    test_ca_done(&ca);
}

static void nothing_known_is_told_with_the_way_out(void **state)
{
    (void)state;
    Err err = ERR_INIT;
    assert_true(credentials_load(&credentials, &settings, &err) < 0);
    assert_err(&err, ERR_CONFIG, "no backend is known");
    assert_non_null(strstr(err.hint, "pganalytics register"));
    settings.backend_url = "https://here";
    assert_true(credentials_load(&credentials, &settings, &err) < 0);
    assert_err(&err, ERR_CONFIG, "not registered");
}

/* Somebody who gave half of it means a backend: that is told, not passed over. */
static void an_exporter_needs_neither(void **state)
{
    (void)state;
    Err err = ERR_INIT;
    settings.prometheus_listen = "127.0.0.1:9187";
    assert_int_equal(credentials_load(&credentials, &settings, &err), CREDENTIALS_NONE);
    assert_null(credentials.api_url);
    settings.backend_url = "https://here";
    assert_fails(credentials_load(&credentials, &settings, &err), &err, ERR_CONFIG, "not registered");
    settings.backend_url = "";
    settings.jwt_token = "a.b.c";
    assert_fails(credentials_load(&credentials, &settings, &err), &err, ERR_CONFIG, "no backend is known");
}

static void what_registration_wrote_is_taken(void **state)
{
    (void)state;
    write_identity();
    write_certificate(&(TestCertOptions){.common_name = "col-1", .valid_until_seconds = 10 * 86400 + 60});
    Err err = ERR_INIT;
    assert_ok(credentials_load(&credentials, &settings, &err), &err);
    assert_true(credentials.registered);
    assert_string_equal(credentials.collector_id, "col-1");
    assert_string_equal(credentials.api_url, "https://registered");
    assert_string_equal(credentials.token, "registered-token");
    assert_non_null(strstr(credentials.cert_file, "/collector.crt"));
    assert_non_null(strstr(credentials.ca_file, "/ca.crt"));
    int64_t days;
    assert_ok(credentials_check(&credentials, clock_wall(), &days, &err), &err);
    assert_int_equal(days, 10);
}

static void the_settings_stand_above_it(void **state)
{
    (void)state;
    write_identity();
    settings.backend_url = "https://settings///";
    settings.jwt_token = "settings-token";
    settings.ca_cert = "/settings/ca.crt";
    Err err = ERR_INIT;
    assert_ok(credentials_load(&credentials, &settings, &err), &err);
    assert_string_equal(credentials.collector_id, "col-1");
    assert_string_equal(credentials.api_url, "https://settings");
    assert_string_equal(credentials.token, "settings-token");
    assert_string_equal(credentials.ca_file, "/settings/ca.crt");
    assert_null(credentials.cert_file);
}

static void the_token_that_lasts_longer_is_used(void **state)
{
    (void)state;
    /* {"exp":1900000000} and {"exp":2000000000} */
    static const char shorter[] = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE5MDAwMDAwMDB9.c2ln";
    static const char longer[] = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjIwMDAwMDAwMDB9.c2ln";
    Err err = ERR_INIT;

    write_identity();
    write_file("token", slice_cstr(longer)); /* renewed by the sender */
    settings.jwt_token = shorter;
    assert_ok(credentials_load(&credentials, &settings, &err), &err);
    assert_string_equal(credentials.token, longer);
    credentials_done(&credentials);
    write_file("token", slice_cstr(shorter));
    settings.jwt_token = longer;
    assert_ok(credentials_load(&credentials, &settings, &err), &err);
    assert_string_equal(credentials.token, longer);
}

static void settings_alone_are_enough(void **state)
{
    (void)state;
    settings.backend_url = "https://settings";
    settings.jwt_token = "settings-token";
    Err err = ERR_INIT;
    assert_ok(credentials_load(&credentials, &settings, &err), &err);
    assert_false(credentials.registered);
    assert_string_equal(credentials.collector_id, "from settings");
    int64_t days;
    assert_ok(credentials_check(&credentials, clock_wall(), &days, &err), &err);
    assert_true(days == INT64_MAX);
}

static void check_fails(const char *part)
{
    Err err = ERR_INIT;
    int64_t days;
    credentials_done(&credentials);
    assert_ok(credentials_load(&credentials, &settings, &err), &err);
    assert_true(credentials_check(&credentials, clock_wall(), &days, &err) < 0);
    assert_err(&err, ERR_TLS, part);
}

static void certificates_that_will_not_do(void **state)
{
    (void)state;
    write_identity();
    write_certificate(&(TestCertOptions){.common_name = "x", .valid_from_seconds = -100, .valid_until_seconds = -50});
    check_fails("expired");
    write_certificate(&(TestCertOptions){.common_name = "x", .valid_from_seconds = 100, .valid_until_seconds = 200});
    check_fails("not valid yet");
    write_file("collector.crt", SLICE_LIT("nonsense"));
    check_fails("");
    _cleanup_buf_ Buf path = scratch_path(&scratch, "collector.crt");
    assert_int_equal(unlink(buf_cstr(&path)), 0);
    check_fails("key but no certificate");
}

int main(void)
{
#define CREDENTIALS_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        CREDENTIALS_TEST(nothing_known_is_told_with_the_way_out),
        CREDENTIALS_TEST(what_registration_wrote_is_taken),
        CREDENTIALS_TEST(the_settings_stand_above_it),
        CREDENTIALS_TEST(the_token_that_lasts_longer_is_used),
        CREDENTIALS_TEST(settings_alone_are_enough),
        CREDENTIALS_TEST(certificates_that_will_not_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
